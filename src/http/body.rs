//! JSON bodies: read whole, checked in shape, with every fault named by its pointer.

use axum::body::{Bytes, HttpBody};
use axum::extract::{FromRequest, OptionalFromRequest, Request};
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use validator::{Validate, ValidationErrors, ValidationErrorsKind};

use super::Door;
use super::problem::{Code, FieldError, Problem};
use crate::model::key::Digest;

/// No body may be larger, in bytes, where nothing else is said.
pub const MOST_BYTES: usize = 256 * 1024;

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
            let detail = "send the body as JSON, with `Content-Type: application/json`";
            return Err(Problem::new(Code::NotJson, detail));
        }
        let bytes = Bytes::from_request(request, door).await.map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                let detail = "the body is larger than this address takes";
                return Problem::new(Code::BodyTooLarge, detail);
            }
            Problem::new(Code::BodyUnreadable, "the body did not arrive whole; send it again")
        })?;
        Ok(Self { value: read(&bytes)?, digest: Sha256::digest(&bytes).into() })
    }
}

/// A body may be left out: with nothing in it, and nothing said of it.
impl<T: DeserializeOwned + Validate> OptionalFromRequest<Door> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, door: &Door) -> Result<Option<Self>, Problem> {
        if request.body().is_end_stream() && !request.headers().contains_key(header::CONTENT_TYPE) {
            return Ok(None);
        }
        <Self as FromRequest<Door>>::from_request(request, door).await.map(Some)
    }
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
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let pointer = pointer(&error.path().to_string());
        let inner = error.into_inner();
        if inner.is_syntax() || inner.is_eof() {
            let detail = format!("the body is not well-formed JSON: {inner}");
            return Problem::new(Code::MalformedJson, detail);
        }
        let message = inner.to_string();
        let message = message.split(" at line ").next().unwrap_or_default().to_owned();
        Problem::fields(vec![FieldError { pointer, message }])
    })?;
    reader.end().map_err(|error| {
        let detail = format!("the body is not well-formed JSON: {error}");
        Problem::new(Code::MalformedJson, detail)
    })?;
    Ok(value)
}

/// `a.b[0]` as a pointer of RFC 6901; the whole body is the empty pointer.
fn pointer(path: &str) -> String {
    if path == "." {
        return String::new();
    }
    format!("/{}", path.replace('[', ".").replace(']', "").replace('.', "/"))
}

fn told(errors: &ValidationErrors) -> Vec<FieldError> {
    let mut told: Vec<FieldError> = errors
        .errors()
        .iter()
        .flat_map(|(field, kind)| match kind {
            ValidationErrorsKind::Field(faults) => faults
                .iter()
                .map(|fault| FieldError {
                    pointer: format!("/{field}"),
                    message: fault.message.as_deref().unwrap_or("is not valid").to_owned(),
                })
                .collect(),
            ValidationErrorsKind::Struct(_) | ValidationErrorsKind::List(_) => Vec::new(),
        })
        .collect();
    told.sort_by(|a, b| a.pointer.cmp(&b.pointer));
    told
}
