//! Many events at once: `POST /api/v1/events/batch`.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use validator::Validate;

use super::{NewEvent, read};
use crate::app::access::Caller;
use crate::app::events::{Created, Taken, Wish, create_all};
use crate::http::batch::{self, BatchBody, ItemBody};
use crate::http::body::{self, Body};
use crate::http::problem::{Code, Problem};
use crate::http::{Door, idempotency};
use crate::model::job::Class;

/// The route's name in what a repeated item is known by.
const CREATE: &str = "/api/v1/events/batch";

/// The body: each item is judged on its own.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    #[validate(length(min = 1, max = 1000, message = "1 to 1,000 items"))]
    #[schema(value_type = Vec<Value>, min_items = 1, max_items = 1000)]
    events: Vec<Value>,
}

/// `POST /api/v1/events/batch`: takes in the items that are valid, all in one step; jobs write them
/// to Google soon after.
#[utoipa::path(
    post,
    path = "/api/v1/events/batch",
    operation_id = "create_events",
    tag = "Events",
    params(idempotency::IdempotencyKey),
    request_body = Batch,
    responses((status = 200, description = "What became of each item.", body = BatchBody)),
    extensions(("x-codes" = json!([Code::NotConnected])))
)]
pub async fn create(
    State(door): State<Door>,
    caller: Caller,
    headers: HeaderMap,
    body: Body<Batch>,
) -> Result<Json<BatchBody>, Problem> {
    let (wishes, faults) = batch::judge(&headers, CREATE, body.value.events, |item, identity| {
        let (draft, aim) = read(body::read::<NewEvent>(item)?)?;
        Ok(Wish { draft, aim, identity })
    })?;
    let mut taken = Vec::new();
    for created in create_all(&door.app, &caller, wishes, Class::Bulk).await? {
        taken.push(match created {
            Ok(created) => Ok(shown(&created)),
            Err(error) => Err(error.into()),
        });
    }
    Ok(Json(faults.with(taken)))
}

fn shown(Created { view, taken }: &Created) -> ItemBody {
    let event = &view.event;
    let status = if event.is_settled() { StatusCode::OK } else { StatusCode::ACCEPTED };
    ItemBody::Taken {
        status: status.as_u16(),
        id: event.id.to_string(),
        job_id: Some(event.job.to_string()),
        state: view.state().as_str(),
        replayed: *taken == Taken::Repeated,
    }
}
