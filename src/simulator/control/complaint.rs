//! What the control surface says to a body or query it cannot use: which member, which rule, what next.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Why a script's wish is not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::simulator) struct Complaint {
    status: StatusCode,
    /// The member, as a path: `[2].probability`.
    field: String,
    rule: String,
    next: String,
}

impl Complaint {
    pub(in crate::simulator) fn new(field: &str, rule: &str, next: &str) -> Self {
        let [field, rule, next] = [field, rule, next].map(str::to_owned);
        Self { status: StatusCode::BAD_REQUEST, field, rule, next }
    }

    pub(super) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// A name that is none of `known`.
    pub(in crate::simulator) fn unknown(
        field: &str,
        rule: &str,
        name: &str,
        known: &[&str],
    ) -> Self {
        let next = match nearest(name, known) {
            Some(nearest) => format!("Did you mean {nearest}?"),
            None => format!("Known are {}.", known.join(", ")),
        };
        Self::new(field, rule, &next)
    }

    /// The same about the member `place` holds.
    pub(super) fn inside(self, place: &str) -> Self {
        let dot = if place.is_empty() || self.field.is_empty() { "" } else { "." };
        Self { field: format!("{place}{dot}{}", self.field), ..self }
    }

    /// The whole complaint in one line.
    fn text(&self) -> String {
        format!("{}: {}. {}", self.field, self.rule, self.next)
    }
}

impl IntoResponse for Complaint {
    fn into_response(self) -> Response {
        let error = self.text();
        let body =
            json!({"error": error, "field": self.field, "rule": self.rule, "next": self.next});
        (self.status, Json(body)).into_response()
    }
}

/// The JSON of a body; an empty one is an empty object.
pub(super) fn json_body(bytes: &[u8]) -> Result<Value, Complaint> {
    if bytes.is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        Complaint::new("(body)", &format!("is no JSON: {error}"), "Send JSON, or nothing.")
    })
}

/// Reads `value` into a `T`, which has the members `known` and no others.
pub(super) fn members<T: DeserializeOwned>(value: Value, known: &[&str]) -> Result<T, Complaint> {
    let Value::Object(given) = &value else {
        return Err(Complaint::new("(body)", "must be an object", "Write {…}."));
    };
    if let Some(name) = given.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(Complaint::unknown(name, "is not known here", name, known));
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let next = "See /simulator/openapi.json for its type.";
        Complaint::new(&error.path().to_string(), &error.inner().to_string(), next)
    })
}

/// The one of `known` that somebody who wrote `name` most likely meant.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let close = known.iter().map(|other| (distance(name, other), *other));
    let bound = name.chars().count().div_ceil(3).max(1);
    close.filter(|(distance, _)| *distance <= bound).min().map(|(_, other)| other)
}

/// How many letters must be put in, taken out or changed to make one word of the other.
fn distance(one: &str, other: &str) -> usize {
    let letters: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=letters.len()).collect();
    for (line, letter) in one.chars().enumerate() {
        let mut corner = row[0];
        row[0] = line + 1;
        for (place, other) in letters.iter().enumerate() {
            let changed = corner + usize::from(letter != *other);
            corner = row[place + 1];
            row[place + 1] = changed.min(corner + 1).min(row[place] + 1);
        }
    }
    row[letters.len()]
}
