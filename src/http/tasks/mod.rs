//! Tasks on `/api/v1`.

pub mod batch;
mod body;
mod shown;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::body::{Body, digest, unreadable_query};
use super::categories::{item_id, length_of, made, refused};
use super::openapi::Id;
use super::problem::{Code, Problem};
use super::{Door, cursor, etag, idempotency, prefer};
use crate::app::access::Caller;
use crate::app::tasks::{self, TaskView};
use crate::model::id::ItemId;

use super::events::query;
use body::{Listing, NewTask, TaskChange, Which, read, read_asked, read_change};
use shown::{TaskBody, TasksBody};

/// The route's name in what a repeated request is known by, and in its cursors.
const ROUTE: &str = "/api/v1/tasks";

/// `POST /api/v1/tasks`: makes a task. With dates it has an event, as soon as there is an account.
#[utoipa::path(
    post,
    path = "/api/v1/tasks",
    operation_id = "create_task",
    tag = "Tasks",
    params(idempotency::IdempotencyKey, prefer::Prefer),
    request_body = NewTask,
    responses(
        (status = 200, description = "Known already, by its key.", body = TaskBody, headers(("Location" = String, description = "Where it is shown."))),
        (status = 201, description = "Made.", body = TaskBody, headers(("Location" = String, description = "Where it is shown.")))
    ),
    extensions(("x-codes" = json!([Code::NotConnected, Code::BacklogFull, Code::OwnerBacklogFull, Code::TooLarge])))
)]
pub async fn create(
    State(door): State<Door>,
    caller: Caller,
    headers: HeaderMap,
    body: Body<NewTask>,
) -> Result<Response, Problem> {
    let identity = idempotency::identity(&headers, ROUTE, body.digest)?;
    let draft = read(&caller, body.value)?;
    let (view, repeated) = tasks::create(&door.app, &caller, draft, identity).await?;
    settled(&door, &headers, &view).await?;
    Ok(made(ROUTE, &view.item.id.to_string(), TaskBody::from(&view), repeated))
}

/// `GET /api/v1/tasks`: lists the tasks that are somebody's or were given to them, those made first first.
#[utoipa::path(
    get,
    path = "/api/v1/tasks",
    operation_id = "list_tasks",
    tag = "Tasks",
    params(Listing),
    responses((status = 200, description = "A page of them.", body = TasksBody))
)]
pub async fn list(
    State(door): State<Door>,
    caller: Caller,
    listing: Result<Query<Listing>, QueryRejection>,
) -> Result<Json<TasksBody>, Problem> {
    let Query(listing) = listing.map_err(|error| unreadable_query(&error))?;
    let most = length_of(listing.limit).map_err(refused)?;
    let named = format!(
        "{:?}",
        (&listing.user, &listing.state, &listing.category, &listing.from, &listing.to)
    );
    let list: [&str; 2] = [ROUTE, &named];
    let after = listing.cursor.as_deref().map(|cursor| cursor::read(&list, cursor)).transpose();
    let asked = read_asked(&caller, listing)?;
    let page = tasks::list(&door.app, &caller, &asked, after.map_err(refused)?, most).await?;
    Ok(Json(TasksBody {
        object: "list",
        data: page.items.iter().map(TaskBody::from).collect(),
        next: page.next.map(|(created, id)| cursor::after(&list, created, id)),
    }))
}

/// `GET /api/v1/tasks/{id}`: shows a task.
#[utoipa::path(
    get,
    path = "/api/v1/tasks/{id}",
    operation_id = "show_task",
    tag = "Tasks",
    params(("id" = Id, Path), etag::IfNoneMatch),
    responses(
        (status = 200, description = "The task.", body = TaskBody),
        (status = 304, description = "It is as the caller knows it.")
    )
)]
pub async fn show(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let body = TaskBody::from(&tasks::get(&door.app, &caller, item_id("task", &id)?).await?);
    if body.etag.is_known(&headers) {
        return Ok((StatusCode::NOT_MODIFIED, [body.etag.header()]).into_response());
    }
    Ok(([body.etag.header()], Json(body)).into_response())
}

/// `PATCH /api/v1/tasks/{id}`: changes the members given, and the task's event with them.
#[utoipa::path(
    patch,
    path = "/api/v1/tasks/{id}",
    operation_id = "change_task",
    tag = "Tasks",
    params(("id" = Id, Path), prefer::Prefer, etag::IfMatch),
    request_body = TaskChange,
    responses((status = 200, description = "Changed.", body = TaskBody)),
    extensions(("x-codes" = json!([Code::Overtaken, Code::BacklogFull, Code::OwnerBacklogFull, Code::TooLarge])))
)]
pub async fn edit(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body<TaskChange>,
) -> Result<Response, Problem> {
    let change = read_change(body.value)?;
    let id = item_id("task", &id)?;
    let seen = seen(&door, &caller, id, &headers).await?;
    changed(&door, &headers, tasks::edit(&door.app, &caller, id, seen, &change).await?).await
}

/// `POST /api/v1/tasks/{id}/complete`: says that a task is done, or of one that recurs the occurrence at
/// hand. What is done already stays so.
#[utoipa::path(
    post,
    path = "/api/v1/tasks/{id}/complete",
    operation_id = "complete_task",
    tag = "Tasks",
    params(("id" = Id, Path), Which, idempotency::IdempotencyKey, prefer::Prefer, etag::IfMatch),
    responses((status = 200, description = "It is done.", body = TaskBody)),
    extensions(("x-codes" = json!([Code::Overtaken, Code::BacklogFull, Code::OwnerBacklogFull])))
)]
pub async fn complete(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    which: Result<Query<Which>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    deed(&door, &caller, &headers, (Deed::Complete, &id), &query(which)?).await
}

/// `POST /api/v1/tasks/{id}/reopen`: says that a task is to be done after all, or of one that recurs
/// the occurrence that was done last.
#[utoipa::path(
    post,
    path = "/api/v1/tasks/{id}/reopen",
    operation_id = "reopen_task",
    tag = "Tasks",
    params(("id" = Id, Path), Which, idempotency::IdempotencyKey, prefer::Prefer, etag::IfMatch),
    responses((status = 200, description = "It is open.", body = TaskBody)),
    extensions(("x-codes" = json!([Code::Overtaken, Code::BacklogFull, Code::OwnerBacklogFull])))
)]
pub async fn reopen(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    which: Result<Query<Which>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    deed(&door, &caller, &headers, (Deed::Reopen, &id), &query(which)?).await
}

/// `DELETE /api/v1/tasks/{id}`: deletes a task, and takes its event out.
#[utoipa::path(
    delete,
    path = "/api/v1/tasks/{id}",
    operation_id = "delete_task",
    tag = "Tasks",
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
    let id = item_id("task", &id)?;
    let seen = seen(&door, &caller, id, &headers).await?;
    tasks::delete(&door.app, &caller, id, seen).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What is done to a task, beside changing what it says.
#[derive(Clone, Copy)]
enum Deed {
    Complete,
    Reopen,
}

/// Does it, unless an earlier request had done it.
async fn deed(
    door: &Door,
    caller: &Caller,
    headers: &HeaderMap,
    (deed, id): (Deed, &str),
    which: &Which,
) -> Result<Response, Problem> {
    let (id, named) = (item_id("task", id)?, which.occurrence.as_deref());
    let word = match deed {
        Deed::Complete => "complete",
        Deed::Reopen => "reopen",
    };
    let told = digest(named.unwrap_or_default().as_bytes());
    let identity = idempotency::identity(headers, &format!("{ROUTE}/{id}/{word}"), told)?;
    let identity = identity.as_ref();
    if let Some(view) = tasks::repeated(&door.app, caller, id, identity).await? {
        return Ok(idempotency::replayed(changed(door, headers, view).await?));
    }
    let seen = seen(door, caller, id, headers).await?;
    let (view, repeated) = match deed {
        Deed::Complete => tasks::complete(&door.app, caller, id, seen, named, identity).await?,
        Deed::Reopen => tasks::reopen(&door.app, caller, id, seen, named, identity).await?,
    };
    let response = changed(door, headers, view).await?;
    Ok(if repeated { idempotency::replayed(response) } else { response })
}

async fn changed(door: &Door, headers: &HeaderMap, view: TaskView) -> Result<Response, Problem> {
    settled(door, headers, &view).await?;
    let body = TaskBody::from(&view);
    Ok(([body.etag.header()], Json(body)).into_response())
}

/// Waits for the task's events for as long as the caller prefers.
async fn settled(door: &Door, headers: &HeaderMap, view: &TaskView) -> Result<(), Problem> {
    let until = door.app.clock.now() + prefer::wait(headers, chrono::TimeDelta::zero());
    Ok(tasks::settle(&door.app, view, until).await?)
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
    let view = tasks::get(&door.app, caller, id).await?;
    if TaskBody::from(&view).etag.lets_change(headers) {
        return Ok(Some(view.item.version));
    }
    Err(crate::app::Error::Unseen("task").into())
}
