//! JSON bodies: read whole, checked in shape, with every fault named by its pointer.

mod objects;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest, OptionalFromRequest, Request};
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};
use sha2::{Digest as _, Sha256};
use validator::{Validate, ValidationErrors, ValidationErrorsKind};

use super::Door;
use super::problem::{Code, FieldError, Problem};
use crate::model::key::Digest;
use objects::Objects;

/// No body may be larger, in bytes, where nothing else is said.
pub const MOST_BYTES: usize = 256 * 1024;
/// From here on, of 0 to 1, one name may be a slip for another.
const ALIKE: f64 = 0.8;

/// A JSON body in its right shape, and the SHA-256 of its bytes.
pub struct Body<T> {
    /// What it says.
    pub value: T,
    /// What it is known by when it comes again.
    pub digest: Digest,
}

impl<T: DeserializeOwned + Validate> FromRequest<Door> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, door: &Door) -> Result<Self, Problem> {
        if !is_json(&request) {
            return Err(not_json());
        }
        let bytes = arrived(request, door).await?;
        Ok(Self { value: read(&bytes)?, digest: digest(&bytes) })
    }
}

/// A body may be left out: with nothing in it, and nothing said of it.
impl<T: DeserializeOwned + Validate> OptionalFromRequest<Door> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, door: &Door) -> Result<Option<Self>, Problem> {
        if request.headers().contains_key(header::CONTENT_TYPE) {
            return <Self as FromRequest<Door>>::from_request(request, door).await.map(Some);
        }
        // What stands around a body may not know that it is at its end before it is read.
        if arrived(request, door).await?.is_empty() { Ok(None) } else { Err(not_json()) }
    }
}

/// What is known again when it comes again: the SHA-256 of these bytes.
pub fn digest(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

async fn arrived(request: Request, door: &Door) -> Result<Bytes, Problem> {
    Bytes::from_request(request, door).await.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            let detail = "the body is larger than this address takes";
            return Problem::new(Code::BodyTooLarge, detail);
        }
        Problem::new(Code::BodyUnreadable, "the body did not arrive whole; send it again")
    })
}

fn not_json() -> Problem {
    let detail = "send the body as JSON, with `Content-Type: application/json`";
    Problem::new(Code::NotJson, detail)
}

/// JSON in its right shape.
pub fn read<T: DeserializeOwned + Validate>(bytes: &[u8]) -> Result<T, Problem> {
    let value: T = parse(bytes)?;
    value.validate().map_err(|errors| Problem::fields(told(&errors)))?;
    Ok(value)
}

fn is_json(request: &Request) -> bool {
    let kind = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(Objects(&mut reader)).map_err(|error| {
        let pointer = pointer(error.path());
        let inner = error.into_inner();
        if inner.is_syntax() || inner.is_eof() {
            return malformed(&inner);
        }
        let told = inner.to_string();
        let message = plain(told.split(" at line ").next().unwrap_or_default());
        Problem::fields(vec![FieldError { pointer, message }])
    })?;
    reader.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

fn malformed(error: &serde_json::Error) -> Problem {
    Problem::new(Code::MalformedJson, format!("the body is not well-formed JSON: {error}"))
}

/// A query that is not in its right shape, told by the parameter at fault.
pub fn unreadable_query(rejection: &QueryRejection) -> Problem {
    let told = rejection.body_text();
    let told = told.rsplit_once("query string: ").map_or(&*told, |(_, told)| told);
    // What is at fault is named in front, but for unknown parameters.
    let (name, message) = match told.split_once(": ") {
        Some((name, message)) if !name.contains(' ') => (name, message),
        _ => (told.split('`').nth(1).unwrap_or_default(), told),
    };
    let pointer = format!("/{}", escaped(name));
    Problem::fields(vec![FieldError { pointer, message: plain(message) }])
}

/// What serde says of a value, with the nearest name if it is of an unknown member.
fn plain(told: &str) -> String {
    let mut names = told.split('`').skip(1).step_by(2);
    let unknown = names.next().filter(|_| told.starts_with("unknown field"));
    let Some(unknown) = unknown else { return told.to_owned() };
    let known: Vec<&str> = names.collect();
    let near = |name: &&&str| strsim::jaro_winkler(unknown, name);
    let nearest = known.iter().max_by(|a, b| near(a).total_cmp(&near(b)));
    match nearest {
        Some(nearest) if near(&nearest) >= ALIKE => {
            format!("is not known here; did you mean `{nearest}`?")
        }
        _ => format!("is not known here; known are: {}", known.join(", ")),
    }
}

/// A pointer of RFC 6901; to the whole body, it is empty.
fn pointer(path: &Path) -> String {
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", escaped(key)),
            Segment::Enum { .. } | Segment::Unknown => String::new(),
        })
        .collect()
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Every fault that was found, each by the pointer to its member.
fn told(errors: &ValidationErrors) -> Vec<FieldError> {
    let mut found = Vec::new();
    tell(errors, "", &mut found);
    found.sort_by(|a, b| a.pointer.cmp(&b.pointer));
    found
}

fn tell(errors: &ValidationErrors, within: &str, found: &mut Vec<FieldError>) {
    for (field, kind) in errors.errors() {
        let pointer = format!("{within}/{}", escaped(field));
        match kind {
            ValidationErrorsKind::Field(faults) => {
                found.extend(faults.iter().map(|fault| FieldError {
                    pointer: pointer.clone(),
                    message: fault.message.as_deref().unwrap_or("is not valid").to_owned(),
                }));
            }
            ValidationErrorsKind::Struct(inner) => tell(inner, &pointer, found),
            ValidationErrorsKind::List(items) => {
                for (index, inner) in items {
                    tell(inner, &format!("{pointer}/{index}"), found);
                }
            }
        }
    }
}
