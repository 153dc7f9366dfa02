//! What is done to reminders beside changing them, and what became of telling them.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;

use super::super::body::{Body, digest, unreadable_query};
use super::super::categories::{item_id, length_of, refused};
use super::super::openapi::Id;
use super::super::problem::{Code, Problem};
use super::super::{Door, cursor, etag, idempotency};
use super::body::{Snooze, read_snooze};
use super::shown::{DeliveriesBody, DeliveryBody, ShownReminder};
use super::{seen, shown};
use crate::app::access::Caller;
use crate::app::reminders::{self, ReminderView};

/// Which deliveries are to be listed.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Paging {
    /// The `next` of the page before.
    cursor: Option<String>,
    /// How many at most, 1 to 500; 100 if it is left out.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
}

/// `POST /api/v1/reminders/{id}/snooze`: lets the occurrence that rings ring again later; if none rings,
/// the next one rings then instead. It has a delivery of its own.
#[utoipa::path(
    post,
    path = "/api/v1/reminders/{id}/snooze",
    operation_id = "snooze_reminder",
    tag = "Reminders",
    params(("id" = Id, Path), idempotency::IdempotencyKey, etag::IfMatch),
    request_body = Snooze,
    responses((status = 200, description = "It is put off.", body = ShownReminder)),
    extensions(("x-codes" = json!([Code::Overtaken, Code::BacklogFull, Code::OwnerBacklogFull])))
)]
pub async fn snooze(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body<Snooze>,
) -> Result<Response, Problem> {
    let id = item_id("reminder", &id)?;
    let route = format!("/api/v1/reminders/{id}/snooze");
    let identity = idempotency::identity(&headers, &route, body.digest)?;
    let identity = identity.as_ref();
    if let Some(view) = reminders::repeated(&door.app, &caller, id, identity).await? {
        return Ok(said((view, true)));
    }
    let until = read_snooze(&body.value, door.app.clock.now()).map_err(refused)?;
    let seen = seen(&door, &caller, id, &headers).await?;
    Ok(said(reminders::snooze(&door.app, &caller, id, seen, until, identity).await?))
}

/// `POST /api/v1/reminders/{id}/dismiss`: silences the occurrence that rings, so that mail of it which is
/// still to go does not go; if none rings, the next one.
#[utoipa::path(
    post,
    path = "/api/v1/reminders/{id}/dismiss",
    operation_id = "dismiss_reminder",
    tag = "Reminders",
    params(("id" = Id, Path), idempotency::IdempotencyKey, etag::IfMatch),
    responses((status = 200, description = "It is silent.", body = ShownReminder)),
    extensions(("x-codes" = json!([Code::Overtaken, Code::BacklogFull, Code::OwnerBacklogFull])))
)]
pub async fn dismiss(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = item_id("reminder", &id)?;
    let route = format!("/api/v1/reminders/{id}/dismiss");
    let identity = idempotency::identity(&headers, &route, digest(&[]))?;
    let identity = identity.as_ref();
    if let Some(view) = reminders::repeated(&door.app, &caller, id, identity).await? {
        return Ok(said((view, true)));
    }
    let seen = seen(&door, &caller, id, &headers).await?;
    Ok(said(reminders::dismiss(&door.app, &caller, id, seen, identity).await?))
}

/// The answer to whoever did something to a reminder, unless an earlier request had done it.
fn said((view, repeated): (ReminderView, bool)) -> Response {
    if repeated { idempotency::replayed(shown(&view)) } else { shown(&view) }
}

/// `GET /api/v1/reminders/{id}/deliveries`: lists what became of telling each occurrence that came due,
/// those that were seen first first.
#[utoipa::path(
    get,
    path = "/api/v1/reminders/{id}/deliveries",
    operation_id = "list_deliveries",
    tag = "Reminders",
    params(("id" = Id, Path), Paging),
    responses((status = 200, description = "A page of them.", body = DeliveriesBody))
)]
pub async fn deliveries(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    paging: Result<Query<Paging>, QueryRejection>,
) -> Result<Json<DeliveriesBody>, Problem> {
    let Query(paging) = paging.map_err(|error| unreadable_query(&error))?;
    let most = length_of(paging.limit).map_err(refused)?;
    let list: [&str; 2] = ["/api/v1/reminders/{id}/deliveries", &id];
    let after = paging.cursor.as_deref().map(|cursor| cursor::read(&list, cursor)).transpose();
    let after = after.map_err(refused)?;
    let id = item_id("reminder", &id)?;
    let page = reminders::deliveries(&door.app, &caller, id, after, most).await?;
    Ok(Json(DeliveriesBody {
        object: "list",
        data: page.items.iter().map(DeliveryBody::from).collect(),
        next: page.next.map(|(created, id)| cursor::after(&list, created, id)),
    }))
}
