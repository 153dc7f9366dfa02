//! How the bridge fares, at a glance.

mod limits;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Door;
use super::events::{CauseBody, utc};
use super::openapi::{Id, words};
use super::problem::Problem;
use crate::app::incident::Freeze;
use crate::app::mail::Report;
use crate::app::{App, Error, backlog, client, connections};
use crate::model::connection::{Connection, Health};
use limits::LimitsBody;

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
    let backlog = backlog::report(app).await.map_err(Error::from)?;
    let jobs = backlog.jobs;
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
        limits: LimitsBody::of(&door, &backlog),
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
