//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): what makes a repeated request
//! known.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use super::openapi::{header, text};
use super::problem::{Code, Problem};
use crate::app::events::Identity;
use crate::model::key::Digest;

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Set on the answer to a request that was known already.
pub static REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The header, for the API's document.
pub struct IdempotencyKey;

impl IntoParams for IdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let told =
            "What a repeat of the request is known by: it finds what the first one made or did.";
        let mut key = text();
        (key.min_length, key.max_length) = (Some(1), Some(255));
        key.pattern = Some("^[ -~]*$".to_owned());
        vec![header("Idempotency-Key", told, key)]
    }
}

/// What the request to `route` can be known by again, if its sender wants that.
pub fn identity(
    headers: &HeaderMap,
    route: &str,
    body: Digest,
) -> Result<Option<Identity>, Problem> {
    key(headers)?.map(|key| known_by(key, route, body)).transpose()
}

/// The answer to a request that was known already.
pub fn replayed(mut response: Response) -> Response {
    response.headers_mut().insert(&REPLAYED, HeaderValue::from_static("true"));
    response
}

/// The request's key, if it has one.
pub fn key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get(&IDEMPOTENCY_KEY) else { return Ok(None) };
    value.to_str().ok().filter(|key| could_be(key)).map(Some).ok_or_else(bad_key)
}

/// What is sent to `route` under `key` can be known by again.
pub fn known_by(key: &str, route: &str, body: Digest) -> Result<Identity, Problem> {
    if !could_be(key) {
        return Err(bad_key());
    }
    Ok(Identity { route: route.to_owned(), key: key.to_owned(), body })
}

fn could_be(key: &str) -> bool {
    (1..=255).contains(&key.len())
        && key.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
}

fn bad_key() -> Problem {
    let detail = "Idempotency-Key: 1 to 255 printable ASCII characters";
    Problem::new(Code::BadIdempotencyKey, detail)
}
