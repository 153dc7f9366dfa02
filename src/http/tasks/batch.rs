//! Many tasks at once: `POST /api/v1/tasks/batch`.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use validator::Validate;

use super::body::{NewTask, read};
use crate::app::access::Caller;
use crate::app::tasks;
use crate::http::batch::{self, BatchBody, ItemBody};
use crate::http::body::{self, Body};
use crate::http::problem::{Code, Problem};
use crate::http::{Door, idempotency};

/// The route's name in what a repeated item is known by.
const CREATE: &str = "/api/v1/tasks/batch";

/// The body: each item is judged on its own.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskBatch {
    #[validate(length(min = 1, max = 1000, message = "1 to 1,000 items"))]
    #[schema(value_type = Vec<Value>, min_items = 1, max_items = 1000)]
    tasks: Vec<Value>,
}

/// `POST /api/v1/tasks/batch`: makes the tasks that are valid, and their events with them, all of them
/// on disk together.
#[utoipa::path(
    post,
    path = "/api/v1/tasks/batch",
    operation_id = "create_tasks",
    tag = "Tasks",
    params(idempotency::IdempotencyKey),
    request_body = TaskBatch,
    responses((status = 200, description = "What became of each item.", body = BatchBody)),
    extensions(("x-codes" = json!([Code::TooLarge])))
)]
pub async fn create(
    State(door): State<Door>,
    caller: Caller,
    headers: HeaderMap,
    body: Body<TaskBatch>,
) -> Result<Json<BatchBody>, Problem> {
    let (drafts, faults) = batch::judge(&headers, CREATE, body.value.tasks, |item, identity| {
        Ok((read(&caller, body::read::<NewTask>(item)?)?, identity))
    })?;
    let made = tasks::create_all(&door.app, &caller, drafts).await?;
    let shown = |(view, replayed): (tasks::TaskView, bool)| ItemBody::Taken {
        status: if replayed { StatusCode::OK } else { StatusCode::CREATED }.as_u16(),
        id: view.item.id.to_string(),
        job_id: None,
        state: view.word(),
        replayed,
    };
    let taken = made.into_iter().map(|made| made.map(shown).map_err(Problem::from)).collect();
    Ok(Json(faults.with(taken)))
}
