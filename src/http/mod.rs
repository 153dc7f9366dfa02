//! The door: bytes to values and back, no decisions. Every route stands in `policy`, with what is
//! asked of whoever calls it.

mod address;
pub mod admin;
mod admission;
pub mod api_keys;
pub mod audit;
mod availability;
mod batch;
mod body;
mod caller;
mod categories;
mod classic;
mod connections;
mod cross_origin;
mod cursor;
mod delegation;
mod docs;
mod etag;
mod events;
mod headers;
mod health;
mod idempotency;
pub mod incident;
mod jobs;
mod limit;
mod mail;
mod metrics;
mod oauth_client;
pub mod openapi;
pub mod policy;
mod prefer;
mod problem;
mod recurrence;
mod reminders;
mod setup;
mod status;
mod tasks;
pub mod vault;

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, Request, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{
    MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer,
};
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;
use tower_http::trace::TraceLayer;
use url::Url;

use crate::app::App;
use crate::model::fill::Crew;
use crate::model::id::base32hex;
use address::Client;
pub use address::{Header, Peer, Proxies};
use limit::Limits;
pub use limit::{Rate, Rates};
use policy::table::Table;
use problem::{Code, Problem};

/// What the log and the caller know a request by.
static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// A body that does not arrive within this time is given up.
const BODY_TIMEOUT: Duration = Duration::from_secs(20);

/// What every handler can reach. It is cloned several times for each request, so that is made cheap.
#[derive(Clone)]
pub struct Door {
    inner: Arc<Inner>,
}

/// What a [`Door`] gives.
pub struct Inner {
    app: App,
    limits: Limits,
    /// Where people reach this server.
    public_url: Url,
    proxies: Arc<Proxies>,
    crews: Crews,
}

impl Deref for Door {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.inner
    }
}

/// Tells how busy those are who work jobs off.
pub type Watch = Arc<dyn Fn() -> Crew + Send + Sync>;

/// Those who work jobs off.
#[derive(Clone)]
pub struct Crews {
    /// Jobs that lead to Google …
    pub google: Watch,
    /// … and all others.
    pub local: Watch,
}

/// How the door is hung.
#[derive(Clone)]
pub struct Settings {
    /// Where people reach this server.
    pub public_url: Url,
    /// How often callers may knock.
    pub rates: Rates,
    /// The proxies that are believed.
    pub proxies: Arc<Proxies>,
    /// The sites whose pages may call `/api/`, as origins.
    pub origins: Vec<HeaderValue>,
    /// Those who work jobs off.
    pub crews: Crews,
}

/// Every route of the public door.
pub fn router(app: App, settings: &Settings) -> Router {
    hang(app, settings, policy::public())
}

/// Every route of the administrator's socket.
pub fn console(app: App, settings: &Settings) -> Router {
    hang(app, settings, policy::console())
}

fn hang(app: App, settings: &Settings, table: Table) -> Router {
    let inner = Inner {
        limits: Limits::new(&settings.rates, &app),
        app,
        public_url: settings.public_url.clone(),
        proxies: Arc::clone(&settings.proxies),
        crews: settings.crews.clone(),
    };
    let door = Door { inner: Arc::new(inner) };
    let ids = RandomIds(door.clone());
    let secure = middleware::map_response_with_state(door.clone(), headers::secure);
    let know = middleware::from_fn_with_state(door.clone(), address::know);
    table
        .router(&door, &settings.origins)
        .fallback(|| async { Problem::new(Code::NoSuchRoute, "there is nothing at this address") })
        .method_not_allowed_fallback(|| async {
            Problem::new(Code::MethodNotAllowed, "this address does not take that method")
        })
        .with_state(door)
        // In one piece, from the outermost inwards: a layer more costs each request a box and its copies.
        .layer((
            SetRequestIdLayer::new(REQUEST_ID.clone(), ids),
            PropagateRequestIdLayer::new(REQUEST_ID.clone()),
            SetSensitiveRequestHeadersLayer::new([
                header::AUTHORIZATION,
                header::COOKIE,
                HeaderName::from_static("x-api-key"),
            ]),
            know,
            TraceLayer::new_for_http().make_span_with(span),
            secure,
            middleware::from_fn(problem::name_request),
            CatchPanicLayer::custom(|_| -> Response {
                Problem::new(Code::Internal, "calbridge failed here; the log has the details")
                    .into_response()
            }),
            RequestBodyTimeoutLayer::new(BODY_TIMEOUT),
            DefaultBodyLimit::max(body::MOST_BYTES),
        ))
}

/// What the log says of a request: its path, never its query, which may hold a code.
fn span<B>(request: &Request<B>) -> tracing::Span {
    let id = request.extensions().get::<RequestId>().and_then(|id| id.header_value().to_str().ok());
    let client =
        request.extensions().get().map(|Client(address)| tracing::field::display(*address));
    tracing::info_span!("request", method = %request.method(), path = request.uri().path(), client, request_id = id)
}

#[derive(Clone)]
struct RandomIds(Door);

impl MakeRequestId for RandomIds {
    fn make_request_id<B>(&mut self, _: &Request<B>) -> Option<RequestId> {
        let id = base32hex(&self.0.app.random.bytes::<16>());
        HeaderValue::from_str(&id).ok().map(RequestId::new)
    }
}
