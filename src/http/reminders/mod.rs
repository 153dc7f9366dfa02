//! Reminders on `/api/v1`.

pub mod batch;
mod body;
pub mod deeds;
mod shown;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::body::{Body, unreadable_query};
use super::categories::{item_id, length_of, made, refused};
use super::openapi::Id;
use super::problem::{Code, Problem};
use super::{Door, cursor, etag, idempotency};
use crate::app::access::Caller;
use crate::app::reminders::{self, ReminderWish};
use crate::model::id::ItemId;

use body::{Listing, NewReminder, ReminderChange, read, read_asked, read_change};
pub use deeds::{deliveries, dismiss, snooze};
use shown::{ShownReminder, ShownReminders};

/// The route's name in what a repeated request is known by, and in its cursors.
const ROUTE: &str = "/api/v1/reminders";

/// `POST /api/v1/reminders`: makes a reminder, at a moment of its own or before a task or an event.
///
/// What came due while calbridge did not run is told late, if it is not older than
/// `reminders.catch_up_hours`; older occurrences get a delivery that says `missed`. Of several occurrences
/// of one reminder the newest alone is told, and up to 50 earlier ones say `missed`.
#[utoipa::path(
    post,
    path = "/api/v1/reminders",
    operation_id = "create_reminder",
    tag = "Reminders",
    params(idempotency::IdempotencyKey),
    request_body = NewReminder,
    responses(
        (status = 200, description = "Known already, by its key.", body = ShownReminder, headers(("Location" = String, description = "Where it is shown."))),
        (status = 201, description = "Made.", body = ShownReminder, headers(("Location" = String, description = "Where it is shown.")))
    ),
    extensions(("x-codes" = json!([Code::BacklogFull, Code::MailNotConfigured, Code::OwnerBacklogFull, Code::TooLarge])))
)]
pub async fn create(
    State(door): State<Door>,
    caller: Caller,
    headers: HeaderMap,
    body: Body<NewReminder>,
) -> Result<Response, Problem> {
    let identity = idempotency::identity(&headers, ROUTE, body.digest)?;
    let wish = ReminderWish { draft: read(&caller, body.value)?, identity };
    let created = reminders::create(&door.app, &caller, wish).await?;
    let shown = ShownReminder::from(&created.view);
    Ok(made(ROUTE, &created.view.item.id.to_string(), shown, created.repeated))
}

/// `GET /api/v1/reminders`: lists somebody's reminders, those made first first.
#[utoipa::path(
    get,
    path = "/api/v1/reminders",
    operation_id = "list_reminders",
    tag = "Reminders",
    params(Listing),
    responses((status = 200, description = "A page of them.", body = ShownReminders))
)]
pub async fn list(
    State(door): State<Door>,
    caller: Caller,
    listing: Result<Query<Listing>, QueryRejection>,
) -> Result<Json<ShownReminders>, Problem> {
    let Query(listing) = listing.map_err(|error| unreadable_query(&error))?;
    let most = length_of(listing.limit).map_err(refused)?;
    let Listing { user, state, task, event, from, to, .. } = &listing;
    let named = format!("{:?}", (user, state, task, event, from, to));
    let list: [&str; 2] = [ROUTE, &named];
    let after = listing.cursor.as_deref().map(|cursor| cursor::read(&list, cursor)).transpose();
    let (asked, of) = read_asked(&caller, listing)?;
    let page = reminders::list(&door.app, &caller, &asked, of, after.map_err(refused)?, most);
    let page = page.await?;
    Ok(Json(ShownReminders {
        object: "list",
        data: page.items.iter().map(ShownReminder::from).collect(),
        next: page.next.map(|(created, id)| cursor::after(&list, created, id)),
    }))
}

/// `GET /api/v1/reminders/{id}`: shows a reminder.
#[utoipa::path(
    get,
    path = "/api/v1/reminders/{id}",
    operation_id = "show_reminder",
    tag = "Reminders",
    params(("id" = Id, Path), etag::IfNoneMatch),
    responses(
        (status = 200, description = "The reminder.", body = ShownReminder),
        (status = 304, description = "It is as the caller knows it.")
    )
)]
pub async fn show(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let view = reminders::get(&door.app, &caller, item_id("reminder", &id)?).await?;
    let body = ShownReminder::from(&view);
    if body.etag.is_known(&headers) {
        return Ok((StatusCode::NOT_MODIFIED, [body.etag.header()]).into_response());
    }
    Ok(([body.etag.header()], Json(body)).into_response())
}

/// `PATCH /api/v1/reminders/{id}`: changes the members given. A new moment rings, whatever became of the
/// one before; a letter that is on its way says what the reminder said when it came due.
#[utoipa::path(
    patch,
    path = "/api/v1/reminders/{id}",
    operation_id = "change_reminder",
    tag = "Reminders",
    params(("id" = Id, Path), etag::IfMatch),
    request_body = ReminderChange,
    responses((status = 200, description = "Changed.", body = ShownReminder)),
    extensions(("x-codes" = json!([Code::Overtaken, Code::BacklogFull, Code::MailNotConfigured, Code::OwnerBacklogFull, Code::TooLarge])))
)]
pub async fn edit(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body<ReminderChange>,
) -> Result<Response, Problem> {
    let change = read_change(body.value)?;
    let id = item_id("reminder", &id)?;
    let seen = seen(&door, &caller, id, &headers).await?;
    Ok(shown(&reminders::edit(&door.app, &caller, id, seen, &change).await?))
}

/// `DELETE /api/v1/reminders/{id}`: deletes a reminder, its entry in the calendar, and mail that is still
/// to go.
#[utoipa::path(
    delete,
    path = "/api/v1/reminders/{id}",
    operation_id = "delete_reminder",
    tag = "Reminders",
    params(("id" = Id, Path), etag::IfMatch),
    responses((status = 204, description = "Deleted.")),
    extensions(("x-codes" = json!([Code::Overtaken])))
)]
pub async fn delete(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let id = item_id("reminder", &id)?;
    let seen = seen(&door, &caller, id, &headers).await?;
    reminders::delete(&door.app, &caller, id, seen).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The answer that shows a reminder as it is now.
fn shown(view: &reminders::ReminderView) -> Response {
    let body = ShownReminder::from(view);
    ([body.etag.header()], Json(body)).into_response()
}

/// The version that may be changed, if the caller says by `If-Match` which it has seen.
async fn seen(
    door: &Door,
    caller: &Caller,
    id: ItemId,
    headers: &HeaderMap,
) -> Result<Option<u32>, Problem> {
    if !headers.contains_key(header::IF_MATCH) {
        return Ok(None);
    }
    let view = reminders::get(&door.app, caller, id).await?;
    if ShownReminder::from(&view).etag.lets_change(headers) {
        return Ok(Some(view.item.version));
    }
    Err(crate::app::Error::Unseen("reminder").into())
}
