//! Events on `/api/v1`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use validator::{Validate, ValidationError};

use super::body::Body;
use super::problem::{FieldError, Problem};
use super::{Door, idempotency, prefer};
use crate::app::access::Caller;
use crate::app::events::{self, Created, Draft, Edit, View, Wish};
use crate::app::placement::{Aim, Whose};
use crate::model::event::{Copied, Event, Meet, Notify};
use crate::model::id::EventId;
use crate::model::invalid::Invalid;
use crate::model::job::{Cause, JobState};
use crate::model::owner::{Owner, UserId};
use crate::model::when::{Dst, Moment, Span};

/// The route's name in what a repeated request is known by.
const CREATE: &str = "/api/v1/events";
/// No event is made with more guests.
const MOST_GUESTS: usize = 200;

/// An event, as shown.
#[derive(Serialize)]
struct EventBody {
    object: &'static str,
    id: String,
    state: &'static str,
    revision: u32,
    created: String,
    summary: String,
    description: String,
    start: MomentBody,
    end: MomentBody,
    guests: Vec<String>,
    notify: &'static str,
    /// Whose it is, if a user's.
    user: Option<String>,
    placement: PlacementBody,
    google: GoogleBody,
    meet: MeetBody,
    job_id: String,
    /// Why it is not as wanted yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_for: Option<CauseBody>,
    /// What is worth knowing, though nothing failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<&'static str>,
}

/// Where it lives at Google, fixed when it was accepted.
#[derive(Serialize)]
struct PlacementBody {
    /// The connection's id.
    connection: String,
    /// Google's id of the calendar.
    calendar: String,
}

#[derive(Serialize)]
struct MomentBody {
    /// In UTC.
    instant: String,
    /// What the clock on the wall shows then.
    wall: String,
    time_zone: Option<String>,
}

#[derive(Serialize)]
struct GoogleBody {
    event_id: Option<String>,
    link: Option<String>,
}

#[derive(Serialize)]
struct MeetBody {
    state: &'static str,
    link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<CauseBody>,
}

/// Why something is not as wanted.
#[derive(Serialize)]
pub struct CauseBody {
    code: String,
    text: String,
}

/// An event to be taken in.
#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct NewEvent {
    #[validate(
        required(message = "is required: the event's title"),
        length(min = 1, max = 1024, message = "1 to 1,024 characters")
    )]
    summary: Option<String>,
    #[validate(length(max = 8192, message = "at most 8,192 characters"))]
    description: Option<String>,
    #[validate(required(message = "is required: ISO 8601, such as 2025-10-30T14:00:00"))]
    start: Option<String>,
    #[validate(required(message = "is required: ISO 8601, such as 2025-10-30T15:00:00"))]
    end: Option<String>,
    time_zone: Option<String>,
    dst: Option<String>,
    #[serde(default)]
    #[validate(custom(function = "addresses"))]
    guests: Vec<String>,
    #[serde(default)]
    meet: bool,
    notify: Option<String>,
    user: Option<String>,
    connection: Option<String>,
    calendar: Option<String>,
}

fn addresses(guests: &[String]) -> Result<(), ValidationError> {
    let sound = |guest: &String| validator::ValidateEmail::validate_email(guest);
    if guests.len() <= MOST_GUESTS && guests.iter().all(sound) {
        return Ok(());
    }
    Err(ValidationError::new("guests")
        .with_message("at most 200 e-mail addresses, such as test@example.com".into()))
}

/// What may be changed of an event.
#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct EventEdit {
    #[validate(length(min = 1, max = 1024, message = "1 to 1,024 characters"))]
    summary: Option<String>,
    #[validate(length(max = 8192, message = "at most 8,192 characters"))]
    description: Option<String>,
    start: Option<String>,
    end: Option<String>,
    time_zone: Option<String>,
    dst: Option<String>,
    notify: Option<String>,
}

/// `POST /api/v1/events`: takes an event in; a job writes it to Google soon after.
pub async fn create(
    State(door): State<Door>,
    caller: Caller,
    headers: HeaderMap,
    body: Body<NewEvent>,
) -> Result<Response, Problem> {
    let identity = idempotency::identity(&headers, CREATE, body.digest)?;
    let (draft, aim) = read(body.value)?;
    let app = &door.app;
    let Created { event, repeated } =
        events::create(app, &caller, Wish { draft, aim, identity }).await?;
    let until = app.clock.now() + prefer::wait(&headers, chrono::TimeDelta::zero());
    let event = events::wait(app, event, until).await?;
    let status = match (event.is_settled(), repeated) {
        (false, _) => StatusCode::ACCEPTED,
        (true, false) => StatusCode::CREATED,
        (true, true) => StatusCode::OK,
    };
    let location = HeaderValue::from_str(&format!("{CREATE}/{}", event.id));
    let mut response = shown(&door, event, status).await?;
    response.headers_mut().extend(location.ok().map(|location| (header::LOCATION, location)));
    if repeated {
        response.headers_mut().insert(&idempotency::REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// `GET /api/v1/events/{id}`.
pub async fn show(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let event = events::get(&door.app, &caller, event_id(&id)?).await?;
    shown(&door, event, StatusCode::OK).await
}

/// `PATCH /api/v1/events/{id}`: changes the members given; a job tells Google soon after.
pub async fn edit(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body<EventEdit>,
) -> Result<Response, Problem> {
    let edit = Edit::try_from(body.value)?;
    let event = events::edit(&door.app, &caller, event_id(&id)?, &edit).await?;
    written(&door, &headers, event).await
}

/// `DELETE /api/v1/events/{id}`: cancels the event; a job tells Google soon after.
pub async fn cancel(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let event = events::cancel(&door.app, &caller, event_id(&id)?).await?;
    written(&door, &headers, event).await
}

/// 202, or 200 if the write settled while the caller preferred to wait.
async fn written(door: &Door, headers: &HeaderMap, event: Event) -> Result<Response, Problem> {
    let until = door.app.clock.now() + prefer::wait(headers, chrono::TimeDelta::zero());
    let event = events::wait(&door.app, event, until).await?;
    let status = if event.is_settled() { StatusCode::OK } else { StatusCode::ACCEPTED };
    shown(door, event, status).await
}

async fn shown(door: &Door, event: Event, status: StatusCode) -> Result<Response, Problem> {
    let view = events::view(&door.app, event).await?;
    Ok((status, Json(EventBody::from(&view))).into_response())
}

/// Ids that cannot be are told as those that are not.
fn event_id(id: &str) -> Result<EventId, Problem> {
    id.parse().map_err(|_| crate::app::Error::NotFound("event").into())
}

/// Where an event stands, in one word.
pub fn state_of(view: &View) -> &'static str {
    let event = &view.event;
    match &event.known.copy {
        _ if matches!(view.job, Some(JobState::Dead { .. })) => "failed",
        _ if matches!(view.job, Some(JobState::Cancelled { .. })) => "stopped",
        _ if event.known.applied < event.wanted.revision => "pending",
        Copied::Awaited => "pending",
        Copied::Present => "confirmed",
        Copied::RemovedInGoogle => "removed_in_google",
        Copied::Cancelled => "cancelled",
        Copied::Refused(_) if view.job == Some(JobState::Live) => "pending",
        Copied::Refused(_) => "failed",
    }
}

/// A span from two moments as written, with every fault of both.
pub fn read_span(
    start: (&'static str, &str),
    end: (&'static str, &str),
    zone: Option<(&'static str, &str)>,
    dst: Option<&str>,
) -> Result<Span, Vec<Invalid>> {
    let dst = dst.map_or(Ok(Dst::Compatible), str::parse).map_err(|invalid| vec![invalid])?;
    let read = |(field, raw)| Moment::read(field, raw, zone, dst);
    match (read(start), read(end)) {
        (Ok(first), Ok(last)) => Span::new(first, last)
            .map_err(|invalid| vec![Invalid { field: end.0.into(), ..invalid }]),
        (Err(one), Err(other)) if one.field == other.field => Err(vec![one]),
        (one, other) => Err(one.err().into_iter().chain(other.err()).collect()),
    }
}

/// Whose an event is and where it goes, as written.
pub fn read_aim(
    user: Option<String>,
    connection: Option<&str>,
    calendar: Option<String>,
) -> Result<Aim, Vec<Invalid>> {
    let user = user.map(UserId::try_from).transpose();
    let user = user.map_err(|invalid| Invalid { field: "user".into(), ..invalid });
    let whose = match connection {
        None => Ok(None),
        Some("own") => Ok(Some(Whose::Own)),
        Some("server") => Ok(Some(Whose::Server)),
        Some(_) => Err(Invalid::new("connection", "`own` or `server`")),
    };
    let rule =
        "Google's id of a calendar, 1 to 254 characters; leave it out for the connection's default";
    let named = calendar.as_ref().is_none_or(|calendar| {
        (1..=254).contains(&calendar.len()) && !calendar.contains(char::is_control)
    });
    // `primary` means another calendar to each account.
    let named = named && calendar.as_deref() != Some("primary");
    let calendar = if named { Ok(calendar) } else { Err(Invalid::new("calendar", rule)) };
    match (user, whose, calendar) {
        (Ok(user), Ok(whose), Ok(calendar)) => Ok(Aim { user, whose, calendar }),
        (user, whose, calendar) => {
            Err(user.err().into_iter().chain(whose.err()).chain(calendar.err()).collect())
        }
    }
}

fn read(body: NewEvent) -> Result<(Draft, Aim), Problem> {
    let start = body.start.unwrap_or_default();
    let end = body.end.unwrap_or_default();
    let zone = body.time_zone.as_deref().map(|zone| ("time_zone", zone));
    let span = read_span(("start", &start), ("end", &end), zone, body.dst.as_deref());
    let notify = body.notify.as_deref().map(str::parse::<Notify>).transpose();
    let aim = read_aim(body.user, body.connection.as_deref(), body.calendar);
    match (span, notify, aim) {
        (Ok(span), Ok(notify), Ok(aim)) => {
            let draft = Draft {
                summary: body.summary.unwrap_or_default(),
                description: body.description.unwrap_or_default(),
                span,
                guests: body.guests,
                meet: body.meet,
                notify,
            };
            Ok((draft, aim))
        }
        (span, notify, aim) => {
            let mut errors = span.err().unwrap_or_default();
            errors.extend(notify.err());
            errors.extend(aim.err().unwrap_or_default());
            let errors = errors.iter().map(FieldError::from).collect();
            Err(Problem::fields(StatusCode::UNPROCESSABLE_ENTITY, errors))
        }
    }
}

impl TryFrom<EventEdit> for Edit {
    type Error = Problem;

    fn try_from(body: EventEdit) -> Result<Self, Problem> {
        let refused = |errors: Vec<Invalid>| {
            Problem::fields(
                StatusCode::UNPROCESSABLE_ENTITY,
                errors.iter().map(FieldError::from).collect(),
            )
        };
        let zone = body.time_zone.as_deref().map(|zone| ("time_zone", zone));
        let span = match (&body.start, &body.end) {
            (Some(start), Some(end)) => Some(
                read_span(("start", start), ("end", end), zone, body.dst.as_deref())
                    .map_err(refused)?,
            ),
            (None, None) => None,
            (Some(_), None) => {
                return Err(refused(vec![Invalid::new("end", "is required with `start`")]));
            }
            (None, Some(_)) => {
                return Err(refused(vec![Invalid::new("start", "is required with `end`")]));
            }
        };
        let notify = body.notify.as_deref().map(str::parse::<Notify>).transpose();
        let notify = notify.map_err(|invalid| refused(vec![invalid]))?;
        Ok(Self { summary: body.summary, description: body.description, span, notify })
    }
}

impl From<&View> for EventBody {
    fn from(view: &View) -> Self {
        let View { event, content, links, .. } = view;
        let in_google = matches!(event.known.copy, Copied::Present);
        let unannounced = !content.guests.is_empty() && content.notify == Notify::None;
        let (meet, reason) = match &event.known.meet {
            Meet::Unwanted => ("none", None),
            Meet::Pending { .. } => ("pending", None),
            Meet::Ready => ("ready", None),
            Meet::Failed(cause) => ("failed", Some(cause.into())),
        };
        Self {
            object: "event",
            id: event.id.to_string(),
            state: state_of(view),
            revision: event.wanted.revision,
            created: utc(event.created),
            summary: content.summary.clone(),
            description: content.description.clone(),
            start: content.span.start().into(),
            end: content.span.end().into(),
            guests: content.guests.clone(),
            notify: content.notify.as_str(),
            user: match &event.owner {
                Owner::Application => None,
                Owner::User(user) => Some(user.as_str().to_owned()),
            },
            placement: PlacementBody {
                connection: event.placement.connection.to_string(),
                calendar: content.calendar.clone(),
            },
            google: GoogleBody {
                event_id: in_google.then(|| event.known.google_id.to_string()),
                link: links.event.clone(),
            },
            meet: MeetBody { state: meet, link: links.meet.clone(), reason },
            job_id: event.job.to_string(),
            waits_for: view.obstacle.as_ref().map(CauseBody::from),
            warnings: if unannounced { vec!["guests_not_notified"] } else { Vec::new() },
        }
    }
}

impl From<&Moment> for MomentBody {
    fn from(moment: &Moment) -> Self {
        Self {
            instant: utc(moment.instant()),
            wall: moment.wall().format("%Y-%m-%dT%H:%M:%S").to_string(),
            time_zone: moment.zone().map(|zone| zone.name().to_owned()),
        }
    }
}

impl From<&Cause> for CauseBody {
    fn from(cause: &Cause) -> Self {
        Self { code: cause.code.to_string(), text: cause.text.to_string() }
    }
}

/// A moment as it is written everywhere on this API.
pub fn utc(moment: chrono::DateTime<chrono::Utc>) -> String {
    moment.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}
