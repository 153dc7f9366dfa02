//! Who got through: what `admission` found out, for handlers to take.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use super::Door;
use super::problem::{Code, Problem};
use crate::app::access::Caller;

impl FromRequestParts<Door> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Door) -> Result<Self, Problem> {
        parts.extensions.get().cloned().ok_or_else(|| {
            let detail = "this address asks for a caller, and lets in whoever shows nothing";
            Problem::new(Code::Internal, detail)
        })
    }
}

/// The API key or token that a request shows, in `Authorization: Bearer …` or `X-API-Key`.
pub fn shown(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(
        |value| {
            let (scheme, key) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
        },
    );
    bearer.or_else(|| headers.get("x-api-key").and_then(|value| value.to_str().ok()))
}
