//! Many events at once: `POST /api/v1/events/batch`.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;
use validator::Validate;

use super::body::{self, Body};
use super::events::{self, NewEvent};
use super::problem::{Code, Details, FieldError, Problem};
use super::{Door, idempotency};
use crate::app::access::Caller;
use crate::app::events::{Created, State as Standing, Taken, Wish, create_all, view};
use crate::model::job::Class;

/// No batch may be larger, in bytes.
pub const MOST_BYTES: usize = 4 * 1024 * 1024;

/// The route's name in what a repeated item is known by.
const CREATE: &str = "/api/v1/events/batch";
/// The member that makes an item known when it is repeated; the others are those of
/// `POST /api/v1/events`.
const KEY: &str = "idempotency_key";

/// The body: each item is judged on its own.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    #[validate(length(min = 1, max = 1000, message = "1 to 1,000 items"))]
    #[schema(value_type = Vec<Value>, min_items = 1, max_items = 1000)]
    events: Vec<Value>,
}

/// What became of a batch.
#[derive(Serialize, ToSchema)]
pub struct BatchBody {
    object: &'static str,
    accepted: usize,
    refused: usize,
    /// In the order of the items.
    results: Vec<ItemBody>,
}

/// What became of an item.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum ItemBody {
    Taken {
        status: u16,
        id: String,
        job_id: String,
        state: &'static str,
        /// Whether an earlier request had brought it.
        replayed: bool,
    },
    Refused {
        status: u16,
        #[schema(value_type = Details)]
        problem: Problem,
    },
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
    let whole = idempotency::key(&headers)?;
    let mut wishes = Vec::new();
    let mut refused = Vec::new();
    for (index, item) in body.value.events.into_iter().enumerate() {
        let usual = whole.map(|key| format!("{key} {index}"));
        match read(item, usual) {
            Ok(wish) => {
                wishes.push(wish);
                refused.push(None);
            }
            Err(problem) => refused.push(Some(problem)),
        }
    }
    let created = create_all(&door.app, &caller, wishes, Class::Bulk).await?;
    let mut created = created.into_iter();
    let mut results = Vec::new();
    for refused in refused {
        let taken = match refused {
            Some(problem) => Err(problem),
            None => created.next().expect("each wish has its answer").map_err(Problem::from),
        };
        results.push(match taken {
            Ok(created) => shown(&door, created).await?,
            Err(problem) => ItemBody::Refused { status: problem.status().as_u16(), problem },
        });
    }
    let accepted = results.iter().filter(|item| matches!(item, ItemBody::Taken { .. })).count();
    let refused = results.len() - accepted;
    Ok(Json(BatchBody { object: "batch", accepted, refused, results }))
}

/// An item as it is wished for, known again by its own key, else by the `usual` one.
fn read(mut item: Value, usual: Option<String>) -> Result<Wish, Problem> {
    let key = match item.as_object_mut().and_then(|members| members.remove(KEY)) {
        None => usual,
        Some(Value::String(key)) => Some(key),
        Some(_) => return Err(fault(KEY, "is a text of 1 to 255 printable ASCII characters")),
    };
    let written = item.to_string();
    let identity = key.map(|key| {
        let digest = Sha256::digest(written.as_bytes()).into();
        idempotency::known_by(&key, CREATE, digest)
    });
    let identity = identity.transpose()?;
    let (draft, aim) = events::read(body::read::<NewEvent>(written.as_bytes())?)?;
    Ok(Wish { draft, aim, identity })
}

fn fault(member: &str, message: &str) -> Problem {
    let error = FieldError { pointer: format!("/{member}"), message: message.to_owned() };
    Problem::fields(vec![error])
}

async fn shown(door: &Door, created: Created) -> Result<ItemBody, Problem> {
    let Created { event, taken } = created;
    let settled = event.is_settled();
    let status = if settled { StatusCode::OK } else { StatusCode::ACCEPTED }.as_u16();
    let (id, job_id) = (event.id.to_string(), event.job.to_string());
    // What was just taken in has nowhere else to stand.
    let state = match taken {
        Taken::New => Standing::Pending,
        Taken::Repeated | Taken::Found => view(&door.app, event).await?.state(),
    };
    let replayed = taken == Taken::Repeated;
    Ok(ItemBody::Taken { status, id, job_id, state: state.as_str(), replayed })
}
