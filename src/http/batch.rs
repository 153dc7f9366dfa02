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
use super::classic::NewEvent;
use super::events::{read_aim, state_of};
use super::problem::{Code, Details, FieldError, Problem};
use super::{Door, idempotency};
use crate::app::access::Caller;
use crate::app::events::{self, Created, Draft, Wish};
use crate::app::placement::Aim;
use crate::model::job::Class;

/// No batch may be larger, in bytes.
pub const MOST_BYTES: usize = 4 * 1024 * 1024;

/// The route's name in what a repeated item is known by.
const CREATE: &str = "/api/v1/events/batch";
/// The member that makes an item known when it is repeated.
const KEY: &str = "idempotencyKey";
/// The members an item may have, besides [`KEY`] and [`AIM`]: those of `POST /api/create-calendar-event`.
const MEMBERS: [&str; 8] = [
    "summary",
    "description",
    "startDateTime",
    "endDateTime",
    "attendeeEmail",
    "timeZone",
    "notify",
    "dst",
];

/// The body: each item is judged on its own.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    #[validate(length(min = 1, max = 1000, message = "1 to 1,000 items"))]
    #[schema(value_type = Vec<Object>, min_items = 1, max_items = 1000)]
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
    let created = events::create_all(&door.app, &caller, wishes, Class::Bulk).await?;
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

/// The members that say whose an event is and where it goes, as on `POST /api/v1/events`.
const AIM: [&str; 3] = ["user", "connection", "calendar"];

/// An item as it is wished for, known again by its own key, else by the `usual` one.
fn read(mut item: Value, usual: Option<String>) -> Result<Wish, Problem> {
    let key = match item.as_object_mut().and_then(|members| members.remove(KEY)) {
        Some(Value::String(key)) => Some(key),
        Some(_) => return Err(fault(KEY, "is a text")),
        None => usual,
    };
    let digest = Sha256::digest(item.to_string().as_bytes()).into();
    let aim = take_aim(&mut item)?;
    let mut members = item.as_object().into_iter().flat_map(serde_json::Map::keys);
    if let Some(unknown) = members.find(|name| !MEMBERS.contains(&name.as_str())) {
        return Err(fault(unknown, "is not a member of an event"));
    }
    let event: NewEvent = body::read(item.to_string().as_bytes())?;
    let identity = key.map(|key| idempotency::known_by(&key, CREATE, digest)).transpose()?;
    Ok(Wish { draft: Draft::try_from(event)?, aim, identity })
}

/// Takes the members out of `item` that say whose it is and where it goes.
fn take_aim(item: &mut Value) -> Result<Aim, Problem> {
    let mut take = |name| match item.as_object_mut().and_then(|members| members.remove(name)) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(fault(name, "is a text")),
    };
    let [user, connection, calendar] = AIM.map(&mut take);
    read_aim(user?, connection?.as_deref(), calendar?).map_err(|errors| {
        let errors = errors.iter().map(FieldError::from).collect();
        Problem::fields(errors)
    })
}

fn fault(member: &str, message: &str) -> Problem {
    let error = FieldError { pointer: format!("/{member}"), message: message.to_owned() };
    Problem::fields(vec![error])
}

async fn shown(door: &Door, created: Created) -> Result<ItemBody, Problem> {
    let Created { event, repeated } = created;
    let settled = event.is_settled();
    let status = if settled { StatusCode::OK } else { StatusCode::ACCEPTED }.as_u16();
    let (id, job_id) = (event.id.to_string(), event.job.to_string());
    // What was just taken in has nowhere else to stand.
    let state = if repeated { state_of(&events::view(&door.app, event).await?) } else { "pending" };
    Ok(ItemBody::Taken { status, id, job_id, state, replayed: repeated })
}
