//! Tasks on `/api/v1`.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use super::body::Body;
use super::categories::{item_id, length_of, made, owner_of, refused, user_of};
use super::etag::ETag;
use super::events::members::{Faults, Member};
use super::events::{PointBody, points, read_aim, utc};
use super::openapi::Id;
use super::problem::{Code, Problem};
use super::{Door, cursor, etag, idempotency};
use crate::app::access::Caller;
use crate::app::events::Said;
use crate::app::items::Asked;
use crate::app::tasks::{self, State as TaskState, TaskDraft, TaskEdit, TaskView};
use crate::model::id::ItemId;
use crate::model::invalid::Invalid;
use crate::model::item::Noun;
use crate::model::owner::{Owner, UserId};
use crate::model::task::{Dates, Task};
use crate::model::timing::{Timing, Typed};

/// The route's name in what a repeated request is known by, and in its cursors.
const ROUTE: &str = "/api/v1/tasks";
/// No notes are longer, in characters.
const LONGEST_NOTES: u64 = 8_192;

/// A task to be made. `due`, or `start` and `end`, or none of them.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTask {
    /// What is to be done.
    #[validate(
        required(message = "is required: what is to be done"),
        length(min = 1, max = 1000, message = "1 to 1,000 characters")
    )]
    #[schema(required, value_type = String, min_length = 1, max_length = 1000)]
    title: Option<String>,
    /// Markdown.
    #[validate(length(max = "LONGEST_NOTES", message = "at most 8,192 characters"))]
    #[schema(max_length = 8192)]
    notes: Option<String>,
    /// By when: a date and a time, or a day.
    due: Option<String>,
    start: Option<String>,
    end: Option<String>,
    time_zone: Option<String>,
    dst: Option<String>,
    priority: Option<String>,
    category: Option<String>,
    calendar: Option<String>,
    meet: Option<bool>,
    completion: Option<String>,
    /// Whose it is; the caller's own if it is left out.
    user: Option<String>,
    /// Who does it, if not its owner: the event is in that user's calendar.
    assignee: Option<String>,
}

/// What may be changed of a task. Null takes away what it need not have; null as `due` or as `start`
/// takes its dates away.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskChange {
    #[validate(length(min = 1, max = 1000, message = "1 to 1,000 characters"))]
    #[schema(min_length = 1, max_length = 1000)]
    title: Option<String>,
    #[validate(length(max = "LONGEST_NOTES", message = "at most 8,192 characters"))]
    #[schema(max_length = 8192)]
    notes: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    due: Member<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    start: Member<String>,
    end: Option<String>,
    time_zone: Option<String>,
    dst: Option<String>,
    priority: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    category: Member<String>,
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    meet: Member<bool>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    completion: Member<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    assignee: Member<String>,
}

/// A task, as shown.
#[derive(Serialize, ToSchema)]
pub struct TaskBody {
    object: &'static str,
    id: String,
    /// What it is known by as it stands: what to send as `If-Match`.
    #[schema(value_type = String)]
    etag: ETag,
    version: u32,
    /// `open`, `done`, or `deleted` where a repeated request finds what was deleted since.
    state: &'static str,
    created: String,
    /// Since when it is done.
    completed: Option<String>,
    title: String,
    /// Markdown, as it was written.
    notes: String,
    /// By when it is to be done.
    due: Option<PointBody>,
    start: Option<PointBody>,
    end: Option<PointBody>,
    priority: &'static str,
    category: Option<String>,
    calendar: Option<String>,
    meet: Option<bool>,
    completion: Option<&'static str>,
    /// Whose it is, if a user's.
    user: Option<String>,
    /// Who does it, if not its owner.
    assignee: Option<String>,
    /// The event that stands for it, which tells how far Google has it.
    event_id: Option<String>,
    /// `connection` while its event waits for an account.
    waits_for: Option<&'static str>,
}

/// A page of tasks, as shown.
#[derive(Serialize, ToSchema)]
pub struct TasksBody {
    object: &'static str,
    data: Vec<TaskBody>,
    /// What to send as `cursor` for the next page, which may be empty; null at the end.
    next: Option<String>,
}

/// Which tasks are to be listed.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// Whose, or given to whom; the caller's own if it is left out.
    user: Option<String>,
    /// `open` or `done`.
    state: Option<String>,
    /// The id of their category.
    category: Option<String>,
    /// Over no earlier: RFC 3339.
    from: Option<String>,
    /// Over earlier than this: RFC 3339.
    to: Option<String>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// How many at most, 1 to 500; 100 if it is left out.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
}

/// `POST /api/v1/tasks`: makes a task. With dates it has an event, as soon as there is an account.
#[utoipa::path(
    post,
    path = "/api/v1/tasks",
    operation_id = "create_task",
    tag = "Tasks",
    params(idempotency::IdempotencyKey),
    request_body = NewTask,
    responses(
        (status = 200, description = "Known already, by its key.", body = TaskBody),
        (status = 201, description = "Made.", body = TaskBody)
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
    let Query(listing) = listing.map_err(|error| Problem::new(Code::Invalid, error.body_text()))?;
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

fn read(caller: &Caller, body: NewTask) -> Result<TaskDraft, Problem> {
    let mut faults = Faults::default();
    let clock = (body.time_zone.as_deref(), body.dst.as_deref());
    let dates = faults.keep_all(read_dates(
        body.due.as_deref(),
        body.start.as_deref(),
        body.end.as_deref(),
        clock,
    ));
    let priority = faults.keep(body.priority.map(|name| name.parse()).transpose());
    let category = faults.keep(body.category.map(read_category).transpose());
    let aim = faults.keep_all(read_aim(body.user, None, body.calendar));
    let completion = faults.keep(body.completion.map(|name| name.parse()).transpose());
    let assignee = faults.keep(body.assignee.map(read_assignee).transpose());
    let (Some(aim), true) = (aim, faults.is_empty()) else { return Err(faults.problem()) };
    Ok(TaskDraft {
        owner: aim.user.map_or_else(|| caller.owner.clone(), Owner::User),
        assignee: assignee.flatten(),
        category: category.flatten(),
        task: Task {
            title: body.title.unwrap_or_default(),
            notes: body.notes.unwrap_or_default(),
            dates: dates.flatten(),
            priority: priority.flatten().unwrap_or_default(),
            calendar: aim.calendar,
            meet: body.meet,
            completion: completion.flatten(),
            completed: None,
            events: 0,
        },
    })
}

fn read_change(body: TaskChange) -> Result<TaskEdit, Problem> {
    let mut faults = Faults::default();
    let clock = (body.time_zone.as_deref(), body.dst.as_deref());
    let dates = match (body.due, body.start) {
        (Member::Absent, Member::Null) | (Member::Null, Member::Absent | Member::Null) => {
            Some(Said::Clear)
        }
        (due, start) => {
            let typed = |member| match member {
                Member::Value(text) => Some(text),
                Member::Absent | Member::Null => None,
            };
            let (due, start) = (typed(due), typed(start));
            let read = read_dates(due.as_deref(), start.as_deref(), body.end.as_deref(), clock);
            faults.keep_all(read).map(|dates| dates.map_or(Said::Nothing, Said::To))
        }
    };
    let priority = faults.keep(body.priority.map(|name| name.parse()).transpose());
    let category = faults.keep(body.category.read(read_category));
    let completion = faults.keep(body.completion.read(|name| name.parse()));
    let assignee = faults.keep(body.assignee.read(read_assignee));
    if !faults.is_empty() {
        return Err(faults.problem());
    }
    Ok(TaskEdit {
        title: body.title,
        notes: body.notes,
        dates: dates.unwrap_or_default(),
        priority: priority.flatten(),
        category: category.map_or(Said::Nothing, Said::from),
        assignee: assignee.map_or(Said::Nothing, Said::from),
        meet: body.meet.into(),
        completion: completion.map_or(Said::Nothing, Said::from),
        state: None,
    })
}

/// When a task is to be done, if anything was written of it.
fn read_dates(
    due: Option<&str>,
    start: Option<&str>,
    end: Option<&str>,
    (time_zone, dst): (Option<&str>, Option<&str>),
) -> Result<Option<Dates>, Vec<Invalid>> {
    match (due, start, end) {
        (Some(due), None, None) => Dates::due(due, time_zone, dst).map(Some),
        (Some(_), ..) => {
            let rule = "cannot stand beside `start` and `end`: a task is due, or planned";
            Err(vec![Invalid::new("due", rule)])
        }
        (None, Some(start), end) => {
            Timing::read(Typed { start, end, time_zone, dst }).map(Dates::Planned).map(Some)
        }
        (None, None, Some(_)) => Err(vec![Invalid::new("start", "is required with `end`")]),
        (None, None, None) => {
            let alone = [("time_zone", time_zone), ("dst", dst)];
            let rule = "means nothing without `due` or `start`: add one, or leave it out";
            let faults: Vec<_> = alone
                .into_iter()
                .filter(|(_, written)| written.is_some())
                .map(|(field, _)| Invalid::new(field, rule))
                .collect();
            if faults.is_empty() { Ok(None) } else { Err(faults) }
        }
    }
}

fn read_category(id: String) -> Result<ItemId, Invalid> {
    id.parse().map_err(|fault| Invalid { field: "category".into(), ..fault })
}

fn read_assignee(user: String) -> Result<UserId, Invalid> {
    UserId::try_from(user).map_err(|fault| Invalid { field: "assignee".into(), ..fault })
}

fn read_asked(caller: &Caller, listing: Listing) -> Result<Asked, Problem> {
    let moment = |field: &'static str, text: Option<String>| {
        let read = |text: String| DateTime::parse_from_rfc3339(&text);
        let rule = "RFC 3339, such as 2025-10-30T14:00:00Z";
        let read = text.map(read).transpose().map_err(|_| Invalid::new(field, rule))?;
        Ok::<_, Invalid>(read.map(|moment| moment.with_timezone(&Utc)))
    };
    let mut faults = Faults::default();
    let owner = faults.keep(owner_of(caller, listing.user));
    let state = faults.keep(listing.state.map(|name| name.parse::<TaskState>()).transpose());
    let category = faults.keep(listing.category.map(read_category).transpose());
    let from = faults.keep(moment("from", listing.from));
    let to = faults.keep(moment("to", listing.to));
    let (Some(owner), true) = (owner, faults.is_empty()) else { return Err(faults.problem()) };
    Ok(Asked {
        state: state.flatten().map(TaskState::number),
        category: category.flatten(),
        from: from.flatten(),
        to: to.flatten(),
        ..Asked::all(Noun::Task, owner)
    })
}

impl From<&TaskView> for TaskBody {
    fn from(view: &TaskView) -> Self {
        let TaskView { item, task } = view;
        let (due, start, end) = match &task.dates {
            None => (None, None, None),
            Some(Dates::Due(timing @ Timing::Span(_))) => (Some(points(timing).1), None, None),
            Some(Dates::Due(timing @ Timing::Days(_))) => (Some(points(timing).0), None, None),
            Some(Dates::Planned(timing)) => {
                let (start, end) = points(timing);
                (None, Some(start), Some(end))
            }
        };
        let state = if task.completed.is_some() { TaskState::Done } else { TaskState::Open };
        let waits = task.dates.is_some() && item.event.is_none() && state == TaskState::Open;
        let body = Self {
            object: "task",
            id: item.id.to_string(),
            etag: ETag::default(),
            version: item.version,
            state: if item.gone.is_some() { "deleted" } else { state.as_str() },
            created: utc(item.created),
            completed: task.completed.map(utc),
            title: task.title.clone(),
            notes: task.notes.clone(),
            due,
            start,
            end,
            priority: task.priority.as_str(),
            category: item.category.map(|category| category.to_string()),
            calendar: task.calendar.clone(),
            meet: task.meet,
            completion: task.completion.map(|completion| completion.as_str()),
            user: user_of(&item.owner),
            assignee: item.shared.as_ref().and_then(user_of),
            event_id: item.event.map(|event| event.to_string()),
            waits_for: (waits && item.gone.is_none()).then_some("connection"),
        };
        Self { etag: ETag::of(item.version, 0, &body), ..body }
    }
}
