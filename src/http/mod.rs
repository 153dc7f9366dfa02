//! The door: bytes to values and back, no decisions. Every route stands on this page.

pub mod admin;
mod batch;
mod body;
mod caller;
mod classic;
mod connections;
mod events;
mod health;
mod idempotency;
mod jobs;
mod limit;
mod metrics;
mod prefer;
mod problem;
mod setup;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, Request, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{
    MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer,
};
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;
use tower_http::trace::TraceLayer;
use url::Url;

use crate::app::App;
use crate::model::id::base32hex;
use limit::Limit;
use problem::Problem;

/// A body that does not arrive within this time is given up.
const BODY_TIMEOUT: Duration = Duration::from_secs(20);

/// What every handler can reach.
#[derive(Clone)]
pub struct Door {
    app: App,
    classic: Arc<Limit>,
    /// Where people reach this server.
    public_url: Url,
}

/// How the door is hung.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where people reach this server.
    pub public_url: Url,
    /// Requests of one API key to the classic route …
    pub requests: NonZeroU32,
    /// … in each such time.
    pub window: Duration,
}

/// Every route.
pub fn router(app: App, settings: Settings) -> Router {
    let request_id = HeaderName::from_static("x-request-id");
    let classic = Arc::new(Limit::new(settings.requests, settings.window, &app));
    let ids = RandomIds(app.clone());
    let door = Door { app, classic, public_url: settings.public_url };
    Router::new()
        .route("/", get(|| async { Redirect::to("/google-calendar-setup") }))
        .merge(classic_routes())
        .merge(setup::routes(&door))
        .nest("/api", probes())
        .merge(probes())
        .route("/api/v1/events/{id}", get(events::show).patch(events::edit).delete(events::cancel))
        .route(
            "/api/v1/events/batch",
            post(batch::create).layer(DefaultBodyLimit::max(batch::MOST_BYTES)),
        )
        .route("/api/v1/connections", get(connections::list))
        .route("/api/v1/connections/links", post(connections::links::create))
        .route("/api/v1/connections/codes", post(connections::links::redeem))
        .route(
            "/api/v1/connections/{id}",
            get(connections::show).patch(connections::edit).delete(connections::delete),
        )
        .route("/api/v1/connections/{id}/calendars", get(connections::calendars))
        .route("/api/v1/connections/{id}/disconnect", post(connections::disconnect))
        .route("/api/v1/connections/{id}/reconnect", post(connections::links::reconnect))
        .route("/api/v1/jobs", get(jobs::list))
        .route("/api/v1/jobs/{id}", get(jobs::show))
        .route("/api/v1/jobs/{id}/cancel", post(jobs::cancel))
        .route("/api/v1/jobs/{id}/retry", post(jobs::retry))
        .route("/api/v1/jobs/{id}/snooze", post(jobs::snooze))
        .route("/api/v1/status", get(health::status))
        .route("/metrics", get(metrics::show))
        .fallback(|| async {
            Problem::new(StatusCode::NOT_FOUND, "no_such_route", "there is nothing at this address")
        })
        .method_not_allowed_fallback(|| async {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "this address does not take that method",
            )
        })
        .with_state(door)
        .layer(DefaultBodyLimit::max(body::MOST_BYTES))
        .layer(RequestBodyTimeoutLayer::new(BODY_TIMEOUT))
        .layer(CatchPanicLayer::custom(|_| -> Response {
            Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "calbridge failed here; the log has the details",
            )
            .into_response()
        }))
        .layer(middleware::from_fn(problem::name_request))
        .layer(header_layer(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header_layer(header::REFERRER_POLICY, "no-referrer"))
        .layer(header_layer(header::CACHE_CONTROL, "no-store"))
        .layer(TraceLayer::new_for_http().make_span_with(span))
        .layer(SetSensitiveRequestHeadersLayer::new([
            header::AUTHORIZATION,
            header::COOKIE,
            HeaderName::from_static("x-api-key"),
        ]))
        .layer(PropagateRequestIdLayer::new(request_id.clone()))
        .layer(SetRequestIdLayer::new(request_id, ids))
}

/// The routes of the fifth seed: shapes frozen, additions allowed.
fn classic_routes() -> Router<Door> {
    Router::new()
        .route("/api/calendar-status", get(classic::status))
        .route("/api/create-calendar-event", post(classic::create))
        .layer(middleware::map_response(problem::in_classic_words))
}

/// What watches over the process. A Google outage is not ours: none of them fails for it.
fn probes() -> Router<Door> {
    Router::new()
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/health", get(health::healthy))
}

fn header_layer(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

/// What the log says of a request: its path, never its query, which may hold a code.
fn span<B>(request: &Request<B>) -> tracing::Span {
    let id = request.extensions().get::<RequestId>().and_then(|id| id.header_value().to_str().ok());
    tracing::info_span!("request", method = %request.method(), path = request.uri().path(), request_id = id)
}

#[derive(Clone)]
struct RandomIds(App);

impl MakeRequestId for RandomIds {
    fn make_request_id<B>(&mut self, _: &Request<B>) -> Option<RequestId> {
        let id = base32hex(&self.0.random.bytes::<16>());
        HeaderValue::from_str(&id).ok().map(RequestId::new)
    }
}
