//! The paths that people know: shapes frozen, additions allowed.

#![expect(
    non_snake_case,
    reason = "a body's members are named as on the wire, so that errors name them so too"
)]

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::{Validate, ValidationError};

use super::body::Body;
use super::events::read_span;
use super::openapi::{Id, Moment, Zone, words};
use super::problem::{Code, FieldError, Problem};
use super::{Door, idempotency, prefer};
use crate::app::access::Caller;
use crate::app::connections;
use crate::app::events::{self, Created, Draft, Taken, View, Wish};
use crate::app::placement::Aim;
use crate::model::connection::Health;
use crate::model::event::{Copied, Guest, Meet, Meeting, Notify};
use crate::model::timing::Timing;

/// The route's name in what a repeated request is known by.
const CREATE: &str = "/api/create-calendar-event";

/// The fifth seed's body. Unknown members are ignored here.
#[derive(Deserialize, Validate, ToSchema)]
#[schema(as = ClassicEvent, examples(json!({
    "summary": "Consultation",
    "description": "First meeting",
    "startDateTime": "2026-11-30T14:00:00",
    "endDateTime": "2026-11-30T15:00:00",
    "attendeeEmail": "ben@example.com",
    "timeZone": "Europe/Lisbon"
})))]
#[expect(
    non_snake_case,
    reason = "the members are named as on the wire, so that errors name them so too"
)]
pub struct NewEvent {
    #[validate(
        required(message = "is required: the event's title"),
        length(min = 1, max = 1024, message = "1 to 1,024 characters")
    )]
    #[schema(required, value_type = String, min_length = 1, max_length = 1024)]
    summary: Option<String>,
    #[schema(max_length = 8192)]
    #[validate(length(max = 8192, message = "at most 8,192 characters"))]
    description: Option<String>,
    #[validate(required(message = "is required: ISO 8601, such as 2025-10-30T14:00:00"))]
    #[schema(required, value_type = Moment)]
    startDateTime: Option<String>,
    #[validate(required(message = "is required: ISO 8601, such as 2025-10-30T15:00:00"))]
    #[schema(required, value_type = Moment)]
    endDateTime: Option<String>,
    #[validate(custom(function = "address"))]
    attendeeEmail: Option<String>,
    #[schema(value_type = Option<Zone>)]
    timeZone: Option<String>,
    #[schema(schema_with = words::notify)]
    notify: Option<String>,
    #[schema(schema_with = words::dst)]
    dst: Option<String>,
}

fn address(email: &str) -> Result<(), ValidationError> {
    if email.is_empty() || validator::ValidateEmail::validate_email(&email) {
        return Ok(());
    }
    Err(ValidationError::new("email")
        .with_message("one e-mail address, such as test@example.com".into()))
}

/// The fifth seed's answer, and what was added to it.
#[derive(Serialize, ToSchema)]
#[schema(as = ClassicMade)]
#[serde(rename_all = "camelCase")]
struct Made {
    success: bool,
    message: String,
    /// Google's id; null until Google has the event.
    event_id: Option<String>,
    event_link: Option<String>,
    meet_link: Option<String>,
    /// Why there is no Meet link, or not yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    meet_link_reason: Option<String>,
    /// Our id.
    #[schema(value_type = Id)]
    id: String,
    #[schema(value_type = Id)]
    job_id: String,
    #[schema(schema_with = words::event_state)]
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<&'static str>,
}

/// The fifth seed's answer about the connection.
#[derive(Serialize, ToSchema)]
#[schema(as = ClassicStanding)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// Whether an account can be connected: there is a usable OAuth client.
    enabled: bool,
    /// Whether one is connected, and its grant lives.
    authenticated: bool,
    setup_url: &'static str,
}

/// `GET /api/calendar-status`: whether an account is connected.
#[utoipa::path(
    get,
    path = "/api/calendar-status",
    operation_id = "calendar_status",
    tag = "Classic",
    responses((status = 200, description = "How it stands.", body = Standing))
)]
pub async fn status(State(door): State<Door>) -> Result<Json<Standing>, Problem> {
    let connection = connections::of_server(&door.app).await?;
    Ok(Json(Standing {
        enabled: connections::check_client(&door.app).is_ok(),
        authenticated: connection.is_some_and(|connection| connection.state == Health::Connected),
        setup_url: "/google-calendar-setup",
    }))
}

/// `POST /api/create-calendar-event`: takes an event in, and waits a while for it to appear.
#[utoipa::path(
    post,
    path = "/api/create-calendar-event",
    operation_id = "create_calendar_event",
    tag = "Classic",
    params(idempotency::IdempotencyKey, prefer::Prefer),
    request_body = NewEvent,
    responses(
        (status = 200, description = "In Google, and the Meet link is ready or failed.", body = Made),
        (status = 202, description = "Taken in; not all of it is there yet.", body = Made, headers(("Location" = String, description = "Where it is shown."))),
        (status = 422, description = "Google refused the event.", body = Made)
    ),
    extensions(("x-codes" = json!([Code::NotConnected, Code::BacklogFull, Code::OwnerBacklogFull, Code::TooLarge])))
)]
pub async fn create(
    State(door): State<Door>,
    caller: Caller,
    headers: HeaderMap,
    body: Result<Body<NewEvent>, Problem>,
) -> Result<Response, Problem> {
    let body = body.map_err(Problem::into_bad_request_if_invalid)?;
    let identity = idempotency::identity(&headers, CREATE, body.digest)?;
    let mut draft = Draft::try_from(body.value).map_err(Problem::into_bad_request_if_invalid)?;
    let app = &door.app;
    draft.notify = draft.notify.or(Some(app.settings.notify));
    let until = app.clock.now() + prefer::wait(&headers, app.settings.wait);
    let Created { view, taken } =
        events::create(app, &caller, Wish { draft, aim: Aim::default(), identity }).await?;
    let mut response = answer(&events::settled(app, view, until).await?);
    if taken == Taken::Repeated {
        response.headers_mut().insert(&idempotency::REPLAYED, HeaderValue::from_static("true"));
    }
    response.headers_mut().extend(prefer::applied(&headers));
    Ok(response)
}

fn answer(view: &View) -> Response {
    let event = &view.event;
    let in_google = matches!(event.known.copy, Copied::Present);
    let (status, message, code) = match &event.known.copy {
        Copied::Refused(cause) if event.is_settled() => {
            let message = format!("Google refused the event: {}", cause.text);
            (StatusCode::UNPROCESSABLE_ENTITY, message, Some(cause.code.to_string()))
        }
        Copied::Present if event.is_settled() => {
            (StatusCode::OK, "Calendar event created successfully".into(), None)
        }
        Copied::RemovedInGoogle if event.is_settled() => {
            (StatusCode::OK, "The calendar event was removed in Google Calendar".into(), None)
        }
        Copied::Cancelled if event.is_settled() => {
            (StatusCode::OK, "The calendar event was cancelled".into(), None)
        }
        _ => {
            let message = match &view.obstacle {
                Some(cause) => format!("Calendar event accepted; it waits: {}", cause.text),
                None => "Calendar event accepted; it will be in Google Calendar soon".into(),
            };
            (
                StatusCode::ACCEPTED,
                message,
                view.obstacle.as_ref().map(|cause| cause.code.to_string()),
            )
        }
    };
    let meet_link_reason = match &event.known.meet {
        Meet::Failed(cause) => Some(cause.text.to_string()),
        Meet::Pending { .. } if in_google => Some("Google is still making the Meet link".into()),
        Meet::Pending { .. } | Meet::Ready | Meet::Unwanted => None,
    };
    let unannounced = !view.content.guests.is_empty() && view.content.notify == Notify::None;
    let made = Made {
        success: status != StatusCode::UNPROCESSABLE_ENTITY,
        message,
        event_id: in_google.then(|| event.google_name().to_string()),
        event_link: view.links.event.clone(),
        meet_link: view.links.meet.clone(),
        meet_link_reason,
        id: event.id.to_string(),
        job_id: event.job.to_string(),
        state: view.state().as_str(),
        code,
        warnings: if unannounced { vec!["guests_not_notified"] } else { Vec::new() },
    };
    let mut response = (status, Json(made)).into_response();
    if status == StatusCode::ACCEPTED
        && let Ok(location) = HeaderValue::from_str(&format!("/api/v1/events/{}", event.id))
    {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

impl TryFrom<NewEvent> for Draft {
    type Error = Problem;

    fn try_from(body: NewEvent) -> Result<Self, Problem> {
        let start = ("startDateTime", body.startDateTime.unwrap_or_default());
        let end = ("endDateTime", body.endDateTime.unwrap_or_default());
        let zone = body.timeZone.as_deref().map(|zone| ("timeZone", zone));
        let mut errors: Vec<FieldError> = Vec::new();
        let span = read_span((start.0, &start.1), (end.0, &end.1), zone, body.dst.as_deref());
        let notify = body.notify.as_deref().map(str::parse::<Notify>).transpose();
        if let Err(invalid) = &span {
            errors.extend(invalid.iter().map(FieldError::from));
        }
        if let Err(invalid) = &notify {
            errors.push(invalid.into());
        }
        let (Ok(span), Ok(notify)) = (span, notify) else {
            return Err(Problem::fields(errors));
        };
        let guest = body.attendeeEmail.filter(|email| !email.is_empty());
        Ok(Self {
            description: body.description.unwrap_or_default(),
            guests: guest.into_iter().map(Guest::new).collect(),
            meeting: Some(Meeting::Meet),
            notify,
            ..Self::new(body.summary.unwrap_or_default(), Timing::Span(span))
        })
    }
}
