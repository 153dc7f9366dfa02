//! Tasks on `/api/v1`.

mod body;
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
use crate::app::tasks::{self, State as TaskState, TaskEdit};
use crate::model::id::ItemId;

use body::{Listing, NewTask, TaskChange, read, read_asked, read_change};
use shown::{TaskBody, TasksBody};

/// The route's name in what a repeated request is known by, and in its cursors.
const ROUTE: &str = "/api/v1/tasks";

/// `POST /api/v1/tasks`: makes a task. With dates it has an event, as soon as there is an account.
#[utoipa::path(
    post,
    path = "/api/v1/tasks",
    operation_id = "create_task",
    tag = "Tasks",
    params(idempotency::IdempotencyKey),
    request_body = NewTask,
    responses(
        (status = 200, description = "Known already, by its key.", body = TaskBody, headers(("Location" = String, description = "Where it is shown."))),
        (status = 201, description = "Made.", body = TaskBody, headers(("Location" = String, description = "Where it is shown.")))
    ),
    extensions(("x-codes" = json!([Code::BacklogFull, Code::OwnerBacklogFull, Code::TooLarge])))
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
    params(("id" = Id, Path), etag::IfMatch),
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
    changed(&door, &caller, &id, &headers, &change).await
}

/// `POST /api/v1/tasks/{id}/complete`: says that a task is done. Once more changes nothing.
#[utoipa::path(
    post,
    path = "/api/v1/tasks/{id}/complete",
    operation_id = "complete_task",
    tag = "Tasks",
    params(("id" = Id, Path), etag::IfMatch),
    responses((status = 200, description = "It is done.", body = TaskBody)),
    extensions(("x-codes" = json!([Code::Overtaken, Code::BacklogFull, Code::OwnerBacklogFull])))
)]
pub async fn complete(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let done = TaskEdit { state: Some(TaskState::Done), ..TaskEdit::default() };
    changed(&door, &caller, &id, &headers, &done).await
}

/// `POST /api/v1/tasks/{id}/reopen`: says that a task is to be done after all.
#[utoipa::path(
    post,
    path = "/api/v1/tasks/{id}/reopen",
    operation_id = "reopen_task",
    tag = "Tasks",
    params(("id" = Id, Path), etag::IfMatch),
    responses((status = 200, description = "It is open.", body = TaskBody)),
    extensions(("x-codes" = json!([Code::Overtaken, Code::BacklogFull, Code::OwnerBacklogFull])))
)]
pub async fn reopen(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let open = TaskEdit { state: Some(TaskState::Open), ..TaskEdit::default() };
    changed(&door, &caller, &id, &headers, &open).await
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

async fn changed(
    door: &Door,
    caller: &Caller,
    id: &str,
    headers: &HeaderMap,
    edit: &TaskEdit,
) -> Result<Response, Problem> {
    let id = item_id("task", id)?;
    let seen = seen(door, caller, id, headers).await?;
    let body = TaskBody::from(&tasks::edit(&door.app, caller, id, seen, edit).await?);
    Ok(([body.etag.header()], Json(body)).into_response())
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
