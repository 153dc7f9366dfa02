//! Events on `/api/v1`.

pub mod batch;
mod body;
mod dry_run;
pub mod history;
pub mod list;
mod listing;
pub(super) mod members;
mod reach;
mod shown;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::body::Body;
use super::openapi::Id;
use super::problem::{Code, Problem};
use super::{Door, etag, idempotency, prefer};
use crate::app::access::Caller;
use crate::app::events::{self, Created, DryRun, Edit, Taken, Wish, series};
use crate::model::event::Event;
use crate::model::id::EventId;

use body::EventEdit;
use body::NewEvent;
pub use body::{read, read_aim, read_category, read_span};
use dry_run::{Dry, DryRunBody, EventOrDryRun};
pub use reach::query;
use shown::EventBody;
pub use shown::{CauseBody, PointBody, original_start, points, utc};

/// The route's name in what a repeated request is known by.
const CREATE: &str = "/api/v1/events";

/// `POST /api/v1/events`: takes an event in; a job writes it to Google soon after.
#[utoipa::path(
    post,
    path = "/api/v1/events",
    operation_id = "create_event",
    tag = "Events",
    params(idempotency::IdempotencyKey, prefer::Prefer, Dry),
    request_body = NewEvent,
    responses(
        (status = 200, description = "Known already, by its key or its `external_id`; and in Google. Or a dry run.", body = EventOrDryRun, headers(("Location" = String, description = "Where it is shown."), ("ETag" = String, description = "What it is known by as it stands."))),
        (status = 201, description = "In Google: the caller preferred to wait.", body = EventBody, headers(("Location" = String, description = "Where it is shown."), ("ETag" = String, description = "What it is known by as it stands."))),
        (status = 202, description = "Taken in.", body = EventBody, headers(("Location" = String, description = "Where it is shown."), ("ETag" = String, description = "What it is known by as it stands.")))
    ),
    extensions(("x-codes" = json!([Code::NotConnected, Code::Conflict, Code::ConnectionBlocked, Code::ClientChanged, Code::Google, Code::BacklogFull, Code::OwnerBacklogFull, Code::TooLarge])))
)]
pub async fn create(
    State(door): State<Door>,
    caller: Caller,
    headers: HeaderMap,
    dry: Result<Query<Dry>, QueryRejection>,
    mut body: Body<NewEvent>,
) -> Result<Response, Problem> {
    let Dry { dry_run: dry } = query(dry)?;
    let identity = idempotency::identity(&headers, CREATE, body.digest)?;
    let on_conflict = body.value.take_on_conflict()?;
    let (draft, aim) = read(body.value)?;
    let (app, wish) = (&door.app, Wish { draft, aim, identity });
    if dry {
        return Ok(dry_run(events::try_create(app, &caller, wish, on_conflict).await?));
    }
    let (Created { view, taken }, found) =
        events::create_unless_taken(app, &caller, wish, on_conflict).await?;
    let until = app.clock.now() + prefer::wait(&headers, chrono::TimeDelta::zero());
    let view = events::settled(app, view, until).await?;
    let status = match (view.event.is_settled(), taken) {
        (false, _) => StatusCode::ACCEPTED,
        (true, Taken::New) => StatusCode::CREATED,
        (true, Taken::Repeated | Taken::Found) => StatusCode::OK,
    };
    let location = HeaderValue::from_str(&format!("{CREATE}/{}", view.event.id));
    let mut body = EventBody::from(&view);
    body.warnings.extend(found.warning());
    let mut response = (status, [body.etag.header()], Json(body)).into_response();
    response.headers_mut().extend(location.ok().map(|location| (header::LOCATION, location)));
    if taken == Taken::Repeated {
        response.headers_mut().insert(&idempotency::REPLAYED, HeaderValue::from_static("true"));
    }
    response.headers_mut().extend(prefer::applied(&headers));
    Ok(response)
}

/// `GET /api/v1/events/{id}`: shows an event.
#[utoipa::path(
    get,
    path = "/api/v1/events/{id}",
    operation_id = "show_event",
    tag = "Events",
    params(("id" = Id, Path), reach::Which, etag::IfNoneMatch),
    responses(
        (status = 200, description = "The event.", body = EventBody),
        (status = 304, description = "It is as the caller knows it.")
    )
)]
pub async fn show(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    which: Result<Query<reach::Which>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let which = query(which)?;
    let view = match &which.instance {
        None => {
            let event = events::get(&door.app, &caller, event_id(&id)?).await?;
            events::view(&door.app, event).await?
        }
        Some(start) => series::instance(&door.app, &caller, event_id(&id)?, start).await?,
    };
    let body = EventBody::from(&view);
    if body.etag.is_known(&headers) {
        return Ok((StatusCode::NOT_MODIFIED, [body.etag.header()]).into_response());
    }
    Ok((StatusCode::OK, [body.etag.header()], Json(body)).into_response())
}

/// `PATCH /api/v1/events/{id}`: changes the members given; a job tells Google soon after.
#[utoipa::path(
    patch,
    path = "/api/v1/events/{id}",
    operation_id = "change_event",
    tag = "Events",
    params(("id" = Id, Path), reach::Part, prefer::Prefer, etag::IfMatch),
    request_body = EventEdit,
    responses(
        (status = 200, description = "Changed, and so in Google. Or a dry run.", body = EventOrDryRun),
        (status = 202, description = "Changed.", body = EventBody)
    ),
    extensions(("x-codes" = json!([Code::Overtaken, Code::BacklogFull, Code::OwnerBacklogFull, Code::TooLarge])))
)]
pub async fn edit(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    part: Result<Query<reach::Part>, QueryRejection>,
    headers: HeaderMap,
    body: Body<EventEdit>,
) -> Result<Response, Problem> {
    let (id, part) = (event_id(&id)?, query(part)?);
    let (reach, edit) = (part.reach()?, Edit::try_from(body.value)?);
    let seen = seen(&door, &caller, id, &headers).await?;
    if part.dry_run {
        return Ok(dry_run(events::try_edit(&door.app, &caller, id, reach, edit).await?));
    }
    let event = series::edit(&door.app, &caller, id, seen, reach, &edit).await?;
    written(&door, &headers, event).await
}

/// `DELETE /api/v1/events/{id}`: cancels the event; a job tells Google soon after.
#[utoipa::path(
    delete,
    path = "/api/v1/events/{id}",
    operation_id = "cancel_event",
    tag = "Events",
    params(("id" = Id, Path), reach::Part, prefer::Prefer, etag::IfMatch),
    responses(
        (status = 200, description = "Cancelled, and gone from Google. Or a dry run.", body = EventOrDryRun),
        (status = 202, description = "Cancelled.", body = EventBody)
    ),
    extensions(("x-codes" = json!([Code::Overtaken, Code::BacklogFull, Code::OwnerBacklogFull, Code::TooLarge])))
)]
pub async fn cancel(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    part: Result<Query<reach::Part>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (id, part) = (event_id(&id)?, query(part)?);
    let reach = part.reach()?;
    let seen = seen(&door, &caller, id, &headers).await?;
    if part.dry_run {
        return Ok(dry_run(events::try_cancel(&door.app, &caller, id, reach).await?));
    }
    let event = series::cancel(&door.app, &caller, id, seen, reach).await?;
    written(&door, &headers, event).await
}

/// 202, or 200 if the write settled while the caller preferred to wait.
async fn written(door: &Door, headers: &HeaderMap, event: Event) -> Result<Response, Problem> {
    let until = door.app.clock.now() + prefer::wait(headers, chrono::TimeDelta::zero());
    let event = events::wait(&door.app, event, until).await?;
    let status = if event.is_settled() { StatusCode::OK } else { StatusCode::ACCEPTED };
    let body = EventBody::from(&events::view(&door.app, event).await?);
    let mut response = (status, [body.etag.header()], Json(body)).into_response();
    response.headers_mut().extend(prefer::applied(headers));
    Ok(response)
}

/// What would come of a write.
fn dry_run(run: DryRun) -> Response {
    Json(DryRunBody::from(run)).into_response()
}

/// The revision that may be changed, if the caller says by `If-Match` which it has seen.
async fn seen(
    door: &Door,
    caller: &Caller,
    id: EventId,
    headers: &HeaderMap,
) -> Result<Option<u32>, Problem> {
    if !headers.contains_key(header::IF_MATCH) {
        return Ok(None);
    }
    let event = events::get(&door.app, caller, id).await?;
    let revision = event.wanted.revision;
    let body = EventBody::from(&events::view(&door.app, event).await?);
    if body.etag.lets_change(headers) {
        return Ok(Some(revision));
    }
    Err(crate::app::Error::Unseen("event").into())
}

/// Ids that cannot be are told as those that are not.
fn event_id(id: &str) -> Result<EventId, Problem> {
    id.parse().map_err(|_| crate::app::Error::NotFound("event").into())
}
