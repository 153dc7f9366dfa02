//! Connections on `/api/v1`: linked Google accounts, how they fare, and what is done about it.

pub mod links;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;
use validator::Validate;

use super::Door;
use super::body::{Body, unreadable_query};
use super::events::utc;
use super::openapi::words::or_null;
use super::openapi::{Id, User, word, words};
use super::problem::{Code, FieldError, Problem};
use crate::app::Error;
use crate::app::access::Caller;
use crate::app::connections::{self, Calendar, Risk, View, Waiting};
use crate::model::connection::{Connection, Health, Means};
use crate::model::id::ConnectionId;
use crate::model::invalid::Invalid;
use crate::model::owner::{Owner, UserId};

/// No page of a list is longer.
const LONGEST_PAGE: usize = 100;
/// So long is a page if the caller does not say.
const USUAL_PAGE: usize = 20;

/// A connection, as shown.
#[derive(Serialize, ToSchema)]
pub struct ConnectionBody {
    object: &'static str,
    #[schema(value_type = Id)]
    id: String,
    /// The application's own word for the user; none for the server's connection.
    #[schema(value_type = Option<User>)]
    user: Option<String>,
    #[schema(schema_with = means)]
    means: &'static str,
    email: String,
    #[schema(schema_with = words::health)]
    state: &'static str,
    /// Why it cannot be used, and what mends that.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<CauseBody>,
    scopes: Vec<String>,
    missing_scopes: Vec<String>,
    default_calendar: String,
    #[schema(format = DateTime)]
    linked: String,
    #[schema(format = DateTime)]
    last_refresh: Option<String>,
    /// What may end the grant, the next first.
    risks: Vec<RiskBody>,
}

fn means() -> Object {
    word(["consent", "delegation"])
}

#[derive(Serialize, ToSchema)]
#[schema(as = ConnectionCause)]
struct CauseBody {
    code: String,
    text: String,
    fix: &'static str,
}

#[derive(Serialize, ToSchema)]
struct RiskBody {
    code: &'static str,
    #[schema(format = DateTime)]
    at: Option<String>,
    text: String,
}

/// A page of connections, as shown.
#[derive(Serialize, ToSchema)]
pub struct ConnectionsBody {
    object: &'static str,
    data: Vec<ConnectionBody>,
    /// What to send as `after` for the next page; none at the end.
    #[schema(value_type = Option<Id>)]
    next: Option<String>,
}

/// The calendars of an account, as shown.
#[derive(Serialize, ToSchema)]
pub struct CalendarsBody {
    object: &'static str,
    data: Vec<CalendarBody>,
}

#[derive(Serialize, ToSchema)]
struct CalendarBody {
    object: &'static str,
    id: String,
    name: String,
    primary: bool,
    /// Whether events go there if nobody says otherwise.
    default: bool,
    writable: bool,
    role: String,
    time_zone: Option<String>,
}

/// A connection that was taken away, as shown.
#[derive(Serialize, ToSchema)]
pub struct DisconnectedBody {
    #[serde(flatten)]
    connection: ConnectionBody,
    /// How many jobs were taken back with it.
    cancelled_jobs: u64,
}

/// Which connections are to be listed.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// Those of this user.
    #[param(value_type = Option<User>)]
    user: Option<String>,
    /// The `next` of the page before, as it came.
    #[param(value_type = Option<Id>)]
    after: Option<String>,
    /// So many on a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<usize>,
}

/// What may be changed of a connection.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectionEdit {
    #[validate(
        required(message = "is required: the id of a calendar"),
        length(min = 1, max = 1024, message = "1 to 1,024 characters")
    )]
    #[schema(required, value_type = String, min_length = 1, max_length = 1024)]
    default_calendar: Option<String>,
}

/// What becomes of the jobs that wait for a connection that is taken away.
#[derive(Default, Deserialize, Validate, ToSchema, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Parting {
    /// Whether they are kept, for an account that is connected again, or cancelled; kept by default.
    #[schema(schema_with = partings_or_null)]
    #[param(schema_with = partings)]
    jobs: Option<String>,
}

fn partings() -> Object {
    word(["keep", "cancel"])
}

fn partings_or_null() -> Object {
    or_null(["keep", "cancel"])
}

/// `GET /api/v1/connections`: by id, those of one user if one is named.
#[utoipa::path(
    get,
    path = "/api/v1/connections",
    operation_id = "list_connections",
    tag = "Connections",
    params(Listing),
    responses((status = 200, description = "A page of connections.", body = ConnectionsBody))
)]
pub async fn list(
    State(door): State<Door>,
    caller: Caller,
    listing: Result<Query<Listing>, QueryRejection>,
) -> Result<Json<ConnectionsBody>, Problem> {
    let Query(listing) = listing.map_err(|error| unreadable_query(&error))?;
    let owner = listing.user.map(|user| UserId::try_from(user).map(Owner::User));
    let owner =
        owner.transpose().map_err(|invalid| refused(&Invalid::new("user", invalid.rule)))?;
    let rule = "the `next` of the page before, as it came";
    let after = listing.after.map(|after| after.parse::<ConnectionId>());
    let after = after.transpose().map_err(|_| refused(&Invalid::new("after", rule)))?;
    let most = listing.limit.unwrap_or(USUAL_PAGE);
    if !(1..=LONGEST_PAGE).contains(&most) {
        return Err(refused(&Invalid::new("limit", "1 to 100")));
    }
    let (found, next) = connections::list(&door.app, &caller, owner.as_ref(), after, most).await?;
    let mut data = Vec::new();
    for connection in found {
        data.push(shown(&door, connection).await?);
    }
    Ok(Json(ConnectionsBody { object: "list", data, next: next.map(|id| id.to_string()) }))
}

/// `GET /api/v1/connections/{id}`: shows a connection.
#[utoipa::path(
    get,
    path = "/api/v1/connections/{id}",
    operation_id = "show_connection",
    tag = "Connections",
    params(("id" = Id, Path)),
    responses((status = 200, description = "The connection.", body = ConnectionBody))
)]
pub async fn show(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<ConnectionBody>, Problem> {
    let connection = connections::seen(&door.app, &caller, connection_id(&id)?).await?;
    Ok(Json(shown(&door, connection).await?))
}

/// `GET /api/v1/connections/{id}/calendars`: the account's list at Google, as it is now.
#[utoipa::path(
    get,
    path = "/api/v1/connections/{id}/calendars",
    operation_id = "list_calendars",
    tag = "Connections",
    params(("id" = Id, Path)),
    responses((status = 200, description = "The calendars.", body = CalendarsBody)),
    extensions(("x-codes" = json!([Code::ConnectionBlocked, Code::ClientChanged, Code::NotConfigured, Code::NoServiceAccount, Code::Google])))
)]
pub async fn calendars(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<CalendarsBody>, Problem> {
    let id = connection_id(&id)?;
    let calendars = connections::calendars(&door.app, &caller, id).await?;
    let connection = connections::seen(&door.app, &caller, id).await?;
    let default = door.app.profile(&connection)?.calendar;
    let data = calendars.into_iter().map(|calendar| CalendarBody::new(calendar, &default));
    Ok(Json(CalendarsBody { object: "list", data: data.collect() }))
}

/// `PATCH /api/v1/connections/{id}`: chooses the calendar that new events go to.
#[utoipa::path(
    patch,
    path = "/api/v1/connections/{id}",
    operation_id = "change_connection",
    tag = "Connections",
    params(("id" = Id, Path)),
    request_body = ConnectionEdit,
    responses((status = 200, description = "The connection as it is now.", body = ConnectionBody)),
    extensions(("x-codes" = json!([Code::ConnectionBlocked, Code::ClientChanged, Code::NotConfigured, Code::NoServiceAccount, Code::Google, Code::Overtaken])))
)]
pub async fn edit(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    body: Body<ConnectionEdit>,
) -> Result<Json<ConnectionBody>, Problem> {
    let calendar = body.value.default_calendar.unwrap_or_default();
    let id = connection_id(&id)?;
    let connection = connections::choose(&door.app, &caller, id, &calendar).await?;
    Ok(Json(shown(&door, connection).await?))
}

/// `DELETE /api/v1/connections/{id}`: lets go of the account.
#[utoipa::path(
    delete,
    path = "/api/v1/connections/{id}",
    operation_id = "delete_connection",
    tag = "Connections",
    params(("id" = Id, Path), Parting),
    responses((status = 200, description = "The connection that was let go of.", body = DisconnectedBody)),
    extensions(("x-codes" = json!([Code::Overtaken])))
)]
pub async fn delete(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    parting: Result<Query<Parting>, QueryRejection>,
) -> Result<Json<DisconnectedBody>, Problem> {
    let Query(parting) = parting.map_err(|error| unreadable_query(&error))?;
    part(&door, &caller, &id, &parting).await
}

/// `POST /api/v1/connections/{id}/disconnect`: lets go of the account, as its deletion does.
#[utoipa::path(
    post,
    path = "/api/v1/connections/{id}/disconnect",
    operation_id = "disconnect",
    tag = "Connections",
    params(("id" = Id, Path)),
    request_body = Option<Parting>,
    responses((status = 200, description = "The connection that was let go of.", body = DisconnectedBody)),
    extensions(("x-codes" = json!([Code::Overtaken])))
)]
pub async fn disconnect(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    body: Option<Body<Parting>>,
) -> Result<Json<DisconnectedBody>, Problem> {
    let parting = body.map(|body| body.value).unwrap_or_default();
    part(&door, &caller, &id, &parting).await
}

async fn part(
    door: &Door,
    caller: &Caller,
    id: &str,
    parting: &Parting,
) -> Result<Json<DisconnectedBody>, Problem> {
    let waiting = waiting(parting.jobs.as_deref())?;
    let id = connection_id(id)?;
    let (connection, cancelled_jobs) =
        connections::disconnect(&door.app, caller, id, waiting).await?;
    Ok(Json(DisconnectedBody { connection: shown(door, connection).await?, cancelled_jobs }))
}

/// What a caller says of the jobs that wait.
fn waiting(written: Option<&str>) -> Result<Waiting, Problem> {
    match written {
        None | Some("keep") => Ok(Waiting::Kept),
        Some("cancel") => Ok(Waiting::Cancelled),
        Some(_) => Err(refused(&Invalid::new("jobs", "`keep` or `cancel`"))),
    }
}

async fn shown(door: &Door, connection: Connection) -> Result<ConnectionBody, Error> {
    connections::view(&door.app, connection).await.map(ConnectionBody::from)
}

/// Ids that cannot be are told as those that are not.
fn connection_id(id: &str) -> Result<ConnectionId, Problem> {
    id.parse().map_err(|_| Error::NotFound("connection").into())
}

fn refused(invalid: &Invalid) -> Problem {
    Problem::fields(vec![FieldError::from(invalid)])
}

/// The application's own word for a user; none for the application itself.
fn user_of(owner: &Owner) -> Option<String> {
    match owner {
        Owner::Application => None,
        Owner::User(user) => Some(user.as_str().to_owned()),
    }
}

impl From<View> for ConnectionBody {
    fn from(view: View) -> Self {
        let View { connection, profile, cause, fix, missing_scopes, last_refresh, risks } = view;
        let cause = cause.map(|cause| CauseBody {
            code: cause.code.into_owned(),
            text: cause.text.into_owned(),
            fix: fix.unwrap_or_default(),
        });
        Self {
            object: "connection",
            id: connection.id.to_string(),
            user: user_of(&connection.owner),
            means: match connection.means {
                Means::Consent { .. } => "consent",
                Means::Delegation => "delegation",
            },
            email: profile.email,
            state: match &connection.state {
                // By today's OAuth client.
                Health::Connected if cause.is_some() => Health::RECONNECT_NEEDED,
                state => state.as_str(),
            },
            cause,
            scopes: profile.scopes,
            missing_scopes,
            default_calendar: profile.calendar,
            linked: utc(connection.linked),
            last_refresh: last_refresh.map(utc),
            risks: risks.into_iter().map(RiskBody::from).collect(),
        }
    }
}

impl From<Risk> for RiskBody {
    fn from(risk: Risk) -> Self {
        Self { code: risk.code, at: risk.at.map(utc), text: risk.text }
    }
}

impl CalendarBody {
    fn new(calendar: Calendar, default: &str) -> Self {
        Self {
            object: "calendar",
            default: calendar.id == default,
            writable: calendar.is_writable(),
            id: calendar.id,
            name: calendar.name,
            primary: calendar.primary,
            role: calendar.role,
            time_zone: calendar.time_zone,
        }
    }
}
