//! Who calls: an API key in `Authorization: Bearer …` or `X-API-Key`.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};

use super::Door;
use super::problem::Problem;
use crate::app::access::{self, Caller};

impl FromRequestParts<Door> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, door: &Door) -> Result<Self, Problem> {
        let Some(shown) = shown_key(&parts.headers) else {
            let detail = "send an API key as `Authorization: Bearer cb_…` or `X-API-Key: cb_…`; \
                          `calbridge api-keys create` makes one";
            return Err(Problem::new(StatusCode::UNAUTHORIZED, "no_api_key", detail));
        };
        Ok(access::caller(&door.app, shown).await?)
    }
}

/// The API key that a request shows.
pub fn shown_key(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(
        |value| {
            let (scheme, key) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
        },
    );
    bearer.or_else(|| headers.get("x-api-key").and_then(|value| value.to_str().ok()))
}
