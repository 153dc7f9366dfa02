//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): what makes a repeated request
//! known.

use axum::http::{HeaderMap, HeaderName, StatusCode};

use super::problem::Problem;
use crate::app::events::Identity;
use crate::model::key::Digest;

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Set on the answer to a request that was known already.
pub static REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// What the request to `route` can be known by again, if its sender wants that.
pub fn identity(
    headers: &HeaderMap,
    route: &'static str,
    body: Digest,
) -> Result<Option<Identity>, Problem> {
    let Some(value) = headers.get(&IDEMPOTENCY_KEY) else { return Ok(None) };
    let key = value.to_str().unwrap_or_default();
    if !(1..=255).contains(&key.len())
        || !key.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
    {
        let detail = "Idempotency-Key: 1 to 255 printable ASCII characters";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "bad_idempotency_key", detail));
    }
    Ok(Some(Identity { route, key: key.to_owned(), body }))
}
