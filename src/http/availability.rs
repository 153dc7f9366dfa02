//! When accounts are busy: `POST /api/v1/availability`.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;
use validator::Validate;

use super::Door;
use super::body::Body;
use super::events::{CauseBody, utc};
use super::openapi::{Moment as MomentText, User, Zone, words};
use super::problem::{FieldError, Problem};
use crate::app::access::Caller;
use crate::app::availability::{self, Account, Busy, Range};
use crate::model::invalid::Invalid;
use crate::model::owner::{Owner, UserId};
use crate::model::when::{Dst, Moment};

/// Nobody asks for more accounts at once.
const MOST_USERS: usize = 20;

/// Whose time is asked for, and which.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "from": "2026-11-30T00:00:00Z", "to": "2026-12-01T00:00:00Z" })))]
pub struct AvailabilityQuestion {
    /// The beginning, with `Z` or an offset, or with a `time_zone` beside it.
    #[schema(required, value_type = MomentText)]
    #[validate(required(message = "is required: ISO 8601, such as 2025-10-30T00:00:00Z"))]
    from: Option<String>,
    /// The end, at most 60 days later.
    #[schema(required, value_type = MomentText)]
    #[validate(required(message = "is required: ISO 8601, such as 2025-10-31T00:00:00Z"))]
    to: Option<String>,
    #[schema(value_type = Option<Zone>)]
    time_zone: Option<String>,
    /// Whose own accounts; left out, the caller's own or the server's.
    #[schema(value_type = Option<Vec<User>>, max_items = 20)]
    users: Option<Vec<String>>,
    #[schema(schema_with = connection)]
    connection: Option<String>,
}

fn connection() -> Object {
    let text = "One account more beside those of `users`: `own`, the caller's, which to an API key is the \
                server's, or `server`.";
    words::told(text, words::connection())
}

/// What is known of the time asked for.
#[derive(Serialize, ToSchema)]
pub struct AvailabilityBody {
    object: &'static str,
    from: String,
    to: String,
    accounts: Vec<AccountBody>,
    /// When nobody is busy; null if of somebody that cannot be told.
    free: Option<Vec<BusyBody>>,
}

/// One account's time.
#[derive(Serialize, ToSchema)]
struct AccountBody {
    /// Whose account; null for the server's.
    user: Option<String>,
    /// Null if it cannot be told.
    busy: Option<Vec<BusyBody>>,
    /// Why it cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<CauseBody>,
}

/// A time in UTC, its end excluded.
#[derive(Serialize, ToSchema)]
struct BusyBody {
    start: String,
    end: String,
}

/// `POST /api/v1/availability`: tells when accounts are busy, and when all of them are free.
///
/// Of each account one calendar is asked: its default one, to which its events go if nobody says otherwise.
#[utoipa::path(
    post,
    path = "/api/v1/availability",
    operation_id = "ask_availability",
    tag = "Availability",
    request_body = AvailabilityQuestion,
    responses((status = 200, description = "What is known.", body = AvailabilityBody))
)]
pub async fn ask(
    State(door): State<Door>,
    caller: Caller,
    body: Body<AvailabilityQuestion>,
) -> Result<Json<AvailabilityBody>, Problem> {
    let (holders, range) = read(&caller, &body.value)
        .map_err(|faults| Problem::fields(faults.iter().map(FieldError::from).collect()))?;
    let accounts = availability::look(&door.app, &caller, &holders, range).await?;
    let free = availability::free(&accounts, range);
    Ok(Json(AvailabilityBody {
        object: "availability",
        from: utc(range.0),
        to: utc(range.1),
        accounts: accounts.into_iter().map(AccountBody::from).collect(),
        free: free.map(spans),
    }))
}

fn read(caller: &Caller, body: &AvailabilityQuestion) -> Result<(Vec<Owner>, Range), Vec<Invalid>> {
    let zone = body.time_zone.as_deref().map(|zone| ("time_zone", zone));
    let moment = |field, written: Option<&str>| -> Result<DateTime<Utc>, Invalid> {
        let written = written.unwrap_or_default();
        Moment::read(field, written, zone, Dst::default()).map(|moment| moment.instant())
    };
    let holders = holders(caller, body);
    match (moment("from", body.from.as_deref()), moment("to", body.to.as_deref()), holders) {
        (Ok(from), Ok(to), Ok(holders)) => Ok((holders, (from, to))),
        (Err(one), Err(other), holders) if one.field == other.field => {
            Err(holders.err().into_iter().chain([one]).collect())
        }
        (from, to, holders) => {
            Err(from.err().into_iter().chain(to.err()).chain(holders.err()).collect())
        }
    }
}

/// Whose accounts are meant, none twice.
fn holders(caller: &Caller, body: &AvailabilityQuestion) -> Result<Vec<Owner>, Invalid> {
    let named = body.users.as_deref().unwrap_or_default();
    if named.len() > MOST_USERS {
        return Err(Invalid::new("users", "at most 20"));
    }
    let mut holders = Vec::new();
    for (index, name) in named.iter().enumerate() {
        let user = UserId::try_from(name.clone())
            .map_err(|fault| Invalid { field: format!("users/{index}").into(), ..fault })?;
        holders.push(Owner::User(user));
    }
    match body.connection.as_deref() {
        Some("server") => holders.push(Owner::Application),
        Some("own") => holders.push(caller.owner.clone()),
        Some(_) => return Err(Invalid::new("connection", "`own` or `server`")),
        None if holders.is_empty() => holders.push(caller.owner.clone()),
        None => {}
    }
    let mut seen = std::collections::HashSet::new();
    holders.retain(|holder| seen.insert(holder.clone()));
    Ok(holders)
}

fn spans(busy: Vec<Busy>) -> Vec<BusyBody> {
    busy.into_iter().map(BusyBody::from).collect()
}

impl From<Busy> for BusyBody {
    fn from(busy: Busy) -> Self {
        Self { start: utc(busy.start), end: utc(busy.end) }
    }
}

impl From<Account> for AccountBody {
    fn from(account: Account) -> Self {
        let user = match account.holder {
            Owner::Application => None,
            Owner::User(user) => Some(user.as_str().to_owned()),
        };
        match account.busy {
            Ok(busy) => Self { user, busy: Some(spans(busy)), reason: None },
            Err(cause) => Self { user, busy: None, reason: Some(CauseBody::from(&cause)) },
        }
    }
}
