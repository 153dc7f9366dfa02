//! Which pages of other sites may call `/api/`: those that the operator names, and with what they
//! show by themselves. No browser's cookie ever comes along.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::CorsLayer;

use super::limit::{RATE_LIMIT, RATE_LIMIT_POLICY};
use super::policy::row::{Face, Row};
use super::{REQUEST_ID, idempotency, prefer};

/// For so long a browser need not ask again.
const REMEMBERED: Duration = Duration::from_mins(10);

/// Whether pages of other sites may ever call this.
pub fn is_open(row: &Row) -> bool {
    row.path.starts_with("/api/") && row.takes_bearer() && row.face != Face::Page
}

/// What answers such pages for the address that takes these methods.
pub fn layer(origins: &[HeaderValue], methods: Vec<Method>) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(origins.to_vec())
        .allow_methods(methods)
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            HeaderName::from_static("idempotency-key"),
            HeaderName::from_static("prefer"),
            HeaderName::from_static("x-api-key"),
        ])
        .expose_headers([
            header::ETAG,
            header::LOCATION,
            header::RETRY_AFTER,
            header::WWW_AUTHENTICATE,
            idempotency::REPLAYED.clone(),
            prefer::PREFERENCE_APPLIED.clone(),
            RATE_LIMIT.clone(),
            RATE_LIMIT_POLICY.clone(),
            REQUEST_ID.clone(),
        ])
        .max_age(REMEMBERED)
}
