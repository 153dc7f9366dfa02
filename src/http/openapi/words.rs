//! Members that are one of few words, or null, which is as if they were left out.

use serde_json::Value;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

use crate::app::events::State;
use crate::model::category::Completion;
use crate::model::connection::Health;
use crate::model::event::{AlertBy, Color, Notify, Transparency, Visibility};
use crate::model::task::Priority;
use crate::model::when::Dst;

/// One of these words.
pub fn word(words: impl IntoIterator<Item = &'static str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build()
}

/// One of these words, or null.
pub fn or_null(words: impl IntoIterator<Item = &'static str>) -> Object {
    let words = words.into_iter().map(Value::from).chain([Value::Null]);
    let types = SchemaType::from_iter([Type::String, Type::Null]);
    ObjectBuilder::new().schema_type(types).enum_values(Some(words)).build()
}

/// The same, and what is to be said of it: the document tells no comment of a member that has a function.
pub fn told(description: &str, mut words: Object) -> Object {
    words.description = Some(description.to_owned());
    words
}

/// What becomes of a wall time that a change of clocks skips or repeats.
pub fn dst() -> Object {
    or_null(Dst::ALL.map(Dst::as_str))
}

/// Whom Google mails.
pub fn notify() -> Object {
    or_null(Notify::ALL.map(Notify::as_str))
}

/// Google's colours of events.
pub fn color() -> Object {
    or_null(Color::ALL.map(Color::as_str))
}

/// Who sees what an event is about.
pub fn visibility() -> Object {
    or_null(Visibility::ALL.map(Visibility::as_str))
}

/// Whether an event takes time.
pub fn transparency() -> Object {
    or_null(Transparency::ALL.map(Transparency::as_str))
}

/// Which account an event goes to.
pub fn connection() -> Object {
    or_null(["own", "server"])
}

/// What becomes of an event where the calendar is taken already.
pub fn on_conflict() -> Object {
    or_null(["allow", "warn", "reject"])
}

/// Where an event stands, as it is shown.
pub fn event_state() -> Object {
    word(State::ALL.map(State::as_str))
}

/// How a connection fares, as it is shown.
pub fn health() -> Object {
    word([Health::CONNECTED, Health::RECONNECT_NEEDED, Health::DISCONNECTED])
}

/// How much a task matters.
pub fn priority() -> Object {
    or_null(Priority::ALL.map(Priority::as_str))
}

/// What becomes of a task's event when the task is done.
pub fn completion() -> Object {
    or_null(Completion::ALL.map(Completion::as_str))
}

/// How people are reminded.
pub fn method() -> Object {
    word(AlertBy::ALL.map(AlertBy::as_str))
}
