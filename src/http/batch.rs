//! Many things in one request, each judged on its own: what the batches of all nouns have in common.

use axum::http::HeaderMap;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;

use super::body::digest;
use super::idempotency;
use super::openapi::word;
use super::problem::{Details, FieldError, Problem};
use crate::app::events::{self, Identity};
use crate::app::items::DELETED;
use crate::app::{reminders, tasks};

/// No batch may be larger, in bytes.
pub const MOST_BYTES: usize = 4 * 1024 * 1024;

/// The member that makes an item known when it is repeated; the others are those of a request that
/// brings one alone.
const KEY: &str = "idempotency_key";

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
pub enum ItemBody {
    /// It was taken in, by this request or an earlier one.
    Taken {
        /// The status that it would have been answered with alone.
        status: u16,
        id: String,
        /// Of an event: the job that writes it.
        #[serde(skip_serializing_if = "Option::is_none")]
        job_id: Option<String>,
        #[schema(schema_with = states)]
        state: &'static str,
        /// Whether an earlier request had brought it.
        replayed: bool,
    },
    /// It was not; nothing of it is stored.
    Refused {
        /// The status that it would have been answered with alone.
        status: u16,
        #[schema(value_type = Details)]
        problem: Problem,
    },
}

/// Where a thing of any kind stands, of which there are batches.
fn states() -> Object {
    let events = events::State::ALL.map(events::State::as_str);
    let tasks = tasks::State::ALL.map(tasks::State::as_str);
    let reminders = reminders::State::ALL.map(reminders::State::as_str);
    word(events.into_iter().chain(tasks).chain(reminders).chain([DELETED]))
}

/// What is wrong with each item, in their order; nothing with those that can be taken in.
pub struct Faults(Vec<Option<Problem>>);

/// The items that can be taken in, as `read` finds them, and what is wrong with the others. An item is
/// known again by its own key, else by the request's and its place.
pub fn judge<T>(
    headers: &HeaderMap,
    route: &'static str,
    items: Vec<Value>,
    read: impl Fn(&[u8], Option<Identity>) -> Result<T, Problem>,
) -> Result<(Vec<T>, Faults), Problem> {
    let whole = idempotency::key(headers)?;
    let (mut good, mut faults) = (Vec::new(), Vec::new());
    for (index, mut item) in items.into_iter().enumerate() {
        let usual = whole.map(|key| format!("{key} {index}"));
        let read = take_key(&mut item, usual).and_then(|key| {
            let written = item.to_string();
            let body = digest(written.as_bytes());
            let identity = key.map(|key| idempotency::known_by(&key, route, body)).transpose()?;
            read(written.as_bytes(), identity)
        });
        match read {
            Ok(item) => {
                good.push(item);
                faults.push(None);
            }
            Err(problem) => faults.push(Some(problem)),
        }
    }
    Ok((good, Faults(faults)))
}

fn take_key(item: &mut Value, usual: Option<String>) -> Result<Option<String>, Problem> {
    match item.as_object_mut().and_then(|members| members.remove(KEY)) {
        None => Ok(usual),
        Some(Value::String(key)) => Ok(Some(key)),
        Some(_) => {
            let message = "is a text of 1 to 255 printable ASCII characters".to_owned();
            Err(Problem::fields(vec![FieldError { pointer: format!("/{KEY}"), message }]))
        }
    }
}

impl Faults {
    /// What became of the batch, once it is known for each item that could be `taken` in.
    pub fn with(self, taken: Vec<Result<ItemBody, Problem>>) -> BatchBody {
        let mut taken = taken.into_iter();
        let results: Vec<ItemBody> = self
            .0
            .into_iter()
            .map(|fault| match fault {
                Some(problem) => Err(problem),
                None => taken.next().expect("each item has its answer"),
            })
            .map(|result| {
                result.unwrap_or_else(|problem| ItemBody::Refused {
                    status: problem.status().as_u16(),
                    problem,
                })
            })
            .collect();
        let accepted = results.iter().filter(|item| matches!(item, ItemBody::Taken { .. })).count();
        let refused = results.len() - accepted;
        BatchBody { object: "batch", accepted, refused, results }
    }
}
