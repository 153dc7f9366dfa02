//! How the bridge fares, at a glance.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::Door;
use super::events::{CauseBody, utc};
use super::openapi::{Id, words};
use super::problem::Problem;
use crate::app::incident::Freeze;
use crate::app::mail::Report;
use crate::app::{App, Error, Used, client, connections};
use crate::model::connection::{Connection, Health};
use crate::model::id::ConnectionId;

/// No answer tells more accounts than this.
const MOST_ACCOUNTS: usize = 100;

/// How the bridge fares.
#[derive(Serialize, ToSchema)]
pub struct StatusBody {
    object: &'static str,
    version: &'static str,
    /// Whether there is a usable OAuth client.
    configured: bool,
    /// Why there is none.
    problem: Option<String>,
    /// Connections that were granted to another OAuth client than today's, and wait.
    reconnect_needed: u64,
    /// The server's own.
    connection: AccountBody,
    jobs: CountsBody,
    store: StoreBody,
    /// Why writes are refused, while somebody wants it so.
    frozen: Option<FrozenBody>,
    limits: LimitsBody,
    mail: MailBody,
}

/// The server's own connection. Of one that is not there, its state alone.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = ServerAccountBody)]
struct AccountBody {
    #[schema(schema_with = words::health)]
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Id)]
    id: Option<String>,
    /// Why it cannot be used.
    cause: Option<CauseBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    linked: Option<String>,
}

/// How many jobs there are.
#[derive(Serialize, ToSchema)]
struct CountsBody {
    live: u64,
    done: u64,
    given_up: u64,
}

#[derive(Serialize, ToSchema)]
struct StoreBody {
    /// Whether it takes writes.
    writable: bool,
}

/// A freeze of the writes, which `calbridge incident thaw` ends.
#[derive(Serialize, ToSchema)]
struct FrozenBody {
    #[schema(format = DateTime)]
    since: String,
    /// Who wanted it so, such as `the console`, or `an import` that nobody has confirmed yet.
    by: &'static str,
}

/// Mail, since this process started.
#[derive(Serialize, ToSchema)]
struct MailBody {
    /// Whether there is a server that takes it.
    set_up: bool,
    /// Mails that it took.
    sent: u64,
    /// Mails that it refused for good.
    failed: u64,
    /// Since when all mails wait.
    #[schema(format = DateTime)]
    waiting_since: Option<String>,
    /// What they wait for.
    cause: Option<CauseBody>,
}

/// What is used of Google's quota.
#[derive(Serialize, ToSchema)]
struct LimitsBody {
    project: UsedBody,
    /// Of how many processes this one has its part.
    processes: u64,
    accounts_in_use: usize,
    /// At most 100 of them.
    accounts: Vec<PayerBody>,
    day: DayBody,
}

/// What is used of a quota, in Google's units, and what is left.
#[derive(Serialize, ToSchema)]
struct UsedBody {
    limit_per_minute: u64,
    used_in_last_minute: u64,
    left: u64,
    /// Of calls that wait.
    waiting: u64,
    /// When there is more.
    #[schema(format = DateTime)]
    next: Option<String>,
    /// Which part is made use of: less than all of it after Google asked to slow down.
    factor_percent: u64,
}

/// What one account uses of its quota.
#[derive(Serialize, ToSchema)]
struct PayerBody {
    #[schema(value_type = Id)]
    connection: String,
    #[serde(flatten)]
    used: UsedBody,
}

/// Google's day.
#[derive(Serialize, ToSchema)]
struct DayBody {
    #[schema(format = Date)]
    date: String,
    calls: u64,
    /// So many calls in a day are worth a warning.
    warning_at: u64,
}

/// `GET /api/v1/status`: the connection and the queue at a glance.
#[utoipa::path(
    get,
    path = "/api/v1/status",
    operation_id = "show_status",
    tag = "Operations",
    responses((status = 200, description = "How the bridge fares.", body = StatusBody))
)]
pub async fn show(State(door): State<Door>) -> Result<Json<StatusBody>, Problem> {
    let app = &door.app;
    let connection = connections::of_server(app).await?;
    let usable = connections::check_client(app);
    let jobs = app.store.count_jobs().await.map_err(Error::from)?;
    let connection = connection.map(|connection| account(app, &connection)).transpose()?;
    Ok(Json(StatusBody {
        object: "status",
        version: env!("CARGO_PKG_VERSION"),
        configured: usable.is_ok(),
        problem: usable.err().map(|error| error.to_string()),
        reconnect_needed: client::strangers(app).await?,
        connection: connection
            .unwrap_or(AccountBody { state: Health::DISCONNECTED, ..AccountBody::default() }),
        jobs: CountsBody { live: jobs.live, done: jobs.done, given_up: jobs.dead },
        store: StoreBody { writable: app.store.writable().await.is_ok() },
        frozen: app.frozen.now().map(FrozenBody::from),
        limits: limits(app),
        mail: mail(app),
    }))
}

fn account(app: &App, connection: &Connection) -> Result<AccountBody, Error> {
    let cause = match &connection.state {
        Health::ReconnectNeeded(cause) => Some(cause.into()),
        Health::Connected | Health::Disconnected => None,
    };
    Ok(AccountBody {
        state: connection.state.as_str(),
        id: Some(connection.id.to_string()),
        cause,
        email: Some(app.profile(connection)?.email),
        linked: Some(utc(connection.linked)),
    })
}

/// What is used of Google's quota and what is left, for the project and for the accounts in use, by
/// the ids of their connections.
fn limits(app: &App) -> LimitsBody {
    let report = app.limits.report();
    let now = app.clock.now();
    let payer = |(id, used): &(ConnectionId, Used)| PayerBody {
        connection: id.to_string(),
        used: UsedBody::at(now, used),
    };
    LimitsBody {
        project: UsedBody::at(now, &report.project),
        processes: report.nodes,
        accounts_in_use: report.payers.len(),
        accounts: report.payers.iter().take(MOST_ACCOUNTS).map(payer).collect(),
        day: DayBody {
            date: report.day.to_string(),
            calls: report.calls,
            warning_at: report.warning,
        },
    }
}

fn mail(app: &App) -> MailBody {
    let report = app.mail.as_ref().map(|mailer| mailer.report());
    let set_up = report.is_some();
    let Report { sent, refused, trouble } = report.unwrap_or_default();
    MailBody {
        set_up,
        sent,
        failed: refused,
        waiting_since: trouble.as_ref().map(|trouble| utc(trouble.since)),
        cause: trouble.as_ref().map(|trouble| (&trouble.cause).into()),
    }
}

impl From<Freeze> for FrozenBody {
    fn from(Freeze { since, by, .. }: Freeze) -> Self {
        Self { since: utc(since), by }
    }
}

impl UsedBody {
    fn at(now: DateTime<Utc>, used: &Used) -> Self {
        let next = TimeDelta::from_std(used.next).ok().filter(|wait| !wait.is_zero());
        Self {
            limit_per_minute: used.limit,
            used_in_last_minute: used.used,
            left: used.left,
            waiting: used.waiting,
            next: next.map(|wait| utc(now + wait)),
            factor_percent: used.factor.div_ceil(10),
        }
    }
}
