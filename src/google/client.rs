//! The HTTP client, the hub over it, and how their answers are read. Nothing here repeats a call:
//! whether that is safe is for the caller to say.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta};
use google_calendar3::common::{self, Delegate, GetToken, Retry};
use google_calendar3::{CalendarHub, Error as HubError};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, DATE, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Request, Response};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::RootCertStore;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::Google;
use super::bounded::BoundedConnector;
use super::error::{Failure, Verdict};
use super::oauth::AccessToken;
use super::wires::{Switchboard, Wires};

pub(super) type Connector = BoundedConnector<Switchboard>;
pub(super) type Client = common::Client<Connector>;

const AGENT: &str = concat!("calbridge/", env!("CARGO_PKG_VERSION"));
/// More than any answer to a call of our own.
const LONGEST_BODY: usize = 1024 * 1024;
/// Shorter than servers and the gateways before them keep an idle connection.
const IDLE: Duration = Duration::from_mins(1);

/// An answer, whole.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// No answer came before the deadline.
pub(super) struct Late;

/// A client over `connector`, for bodies of one kind.
pub(super) fn new<B>(connector: Connector) -> legacy::Client<Connector, B>
where
    B: hyper::body::Body + Send,
    B::Data: Send,
{
    legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .build(connector)
}

/// What makes connections over `wires`.
pub(super) fn connector(wires: Wires) -> Connector {
    BoundedConnector(match wires {
        Wires::Network => Switchboard::Network(network()),
        Wires::Memory(open) => Switchboard::Memory(open),
    })
}

/// Connections for `https` with the system's certificates, and for `http`.
fn network() -> HttpsConnector<HttpConnector> {
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .expect("the provider knows TLS 1.2 and 1.3");
    let tls = tls.clone().with_native_roots().unwrap_or_else(|_| {
        tracing::error!(
            "this system has no root certificates, so Google cannot be reached over https; \
             install the package ca-certificates"
        );
        tls.with_root_certificates(RootCertStore::empty())
    });
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    HttpsConnectorBuilder::new()
        .with_tls_config(tls.with_no_client_auth())
        .https_or_http()
        .enable_http1()
        .wrap_connector(http)
}

impl Google {
    /// The hub, speaking for whom `access` was given.
    pub(super) fn hub(&self, access: &AccessToken) -> CalendarHub<Connector> {
        let token = TokenInHand(access.token.clone());
        let mut hub = CalendarHub::new(self.inner.client.clone(), token);
        hub.base_url(self.inner.calendar.clone());
        hub.root_url(self.inner.endpoints.api.as_str().to_owned());
        hub.user_agent(AGENT.to_owned());
        hub
    }

    /// Waits for `call`, but no longer than the deadline.
    pub(super) async fn within<T>(&self, call: impl Future<Output = T>) -> Result<T, Late> {
        let deadline = TimeDelta::from_std(self.inner.deadline).unwrap_or(TimeDelta::MAX);
        tokio::select! {
            biased;
            outcome = call => Ok(outcome),
            () = self.inner.clock.sleep(deadline) => Err(Late),
        }
    }

    /// Sends a request of our own and reads the whole answer. `method` is what the log calls it.
    pub(super) async fn send(
        &self,
        method: &'static str,
        mut request: Request<Vec<u8>>,
    ) -> Result<Answer, Failure> {
        let watch = Watch::start(method);
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(AGENT));
        let request = request.map(|body| Full::from(body).map_err(|never| match never {}).boxed());
        let answer = match self.within(self.exchange_bytes(request)).await {
            Ok(answer) => answer,
            Err(Late) => Err(Failure::unknown(None)),
        };
        let status = match &answer {
            Ok(answer) => Some(answer.status),
            Err(failure) => failure.status,
        };
        watch.stop(status);
        answer
    }

    async fn exchange_bytes(&self, request: Request<common::Body>) -> Result<Answer, Failure> {
        let response =
            self.inner.client.request(request).await.map_err(|error| unanswered(&error))?;
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        // A body cut short: what was asked may well have been done.
        let body = Limited::new(response.into_body(), LONGEST_BODY)
            .collect()
            .await
            .map_err(|_| Failure::unknown(Some(status)))?
            .to_bytes();
        Ok(Answer { status, retry_after, body })
    }
}

/// The `Authorization` header for `access`.
pub(super) fn bearer(access: &AccessToken) -> Result<HeaderValue, Failure> {
    let header = format!("Bearer {}", access.token.expose_secret());
    let mut header = HeaderValue::try_from(header)
        .map_err(|_| Failure::new(Verdict::TokenRejected, None, None))?;
    header.set_sensitive(true);
    Ok(header)
}

/// A request that bears `access`.
pub(super) fn request_as(
    access: &AccessToken,
    method: hyper::Method,
    to: &str,
    body: Vec<u8>,
) -> Result<Request<Vec<u8>>, Failure> {
    Request::builder()
        .method(method)
        .uri(to)
        .header(AUTHORIZATION, bearer(access)?)
        .body(body)
        .map_err(|_| Failure::new(Verdict::Operator, None, None))
}

/// `raw` as one segment of a path: the hub puts ids into its addresses as they come.
pub(super) fn segment(raw: &str) -> String {
    let mut written = String::with_capacity(raw.len());
    for byte in raw.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            written.push(char::from(byte));
        } else {
            written.push('%');
            written.push_str(&data_encoding::HEXUPPER.encode(&[byte]));
        }
    }
    written
}

/// Hands the hub the token we hold; fetching and refreshing is not its business.
#[derive(Clone)]
struct TokenInHand(SecretString);

type TokenAnswer = Result<Option<String>, Box<dyn std::error::Error + Send + Sync>>;

impl GetToken for TokenInHand {
    fn get_token<'a>(
        &'a self,
        _scopes: &'a [&str],
    ) -> Pin<Box<dyn Future<Output = TokenAnswer> + Send + 'a>> {
        let token = self.0.expose_secret();
        // The hub panics on a token that no header can hold.
        let answer = match HeaderValue::from_str(token) {
            Ok(_) => Ok(Some(token.to_owned())),
            Err(error) => Err(error.into()),
        };
        Box::pin(std::future::ready(answer))
    }
}

/// Watches one call of the hub and keeps what its errors drop: status, reasons and `Retry-After`.
pub(super) struct Witness {
    watch: Watch,
    failure: Option<Failure>,
}

impl Witness {
    /// Watches a call that begins now; `method` is what the log calls it.
    pub(super) fn of(method: &'static str) -> Self {
        Self { watch: Watch::start(method), failure: None }
    }

    /// What the call came to.
    pub(super) fn settle<T: Answered>(
        self,
        outcome: Result<common::Result<T>, Late>,
    ) -> Result<T, Failure> {
        let status = match (&outcome, &self.failure) {
            (Ok(Ok(answer)), _) => Some(answer.status()),
            (_, failure) => failure.as_ref().and_then(|failure| failure.status),
        };
        self.watch.stop(status);
        match (outcome, self.failure) {
            (Ok(Ok(answer)), _) => Ok(answer),
            (_, Some(failure)) => Err(failure),
            (Ok(Err(HubError::HttpError(error))), None) => Err(unanswered(&error)),
            (Ok(Err(HubError::MissingToken(_))), None) => {
                Err(Failure::new(Verdict::TokenRejected, None, None))
            }
            // A success whose body was cut, or took too long: it may have been done.
            (Ok(Err(_)) | Err(_), None) => Err(Failure::unknown(None)),
        }
    }
}

impl Delegate for Witness {
    fn http_failure(&mut self, response: &common::Response, body: Option<&Value>) -> Retry {
        let status = response.status().as_u16();
        let failure = Failure::of_api(status, body).after(retry_after(response.headers()));
        self.failure = Some(failure);
        Retry::Abort
    }
}

/// A success of the hub, whatever came with it.
pub(super) trait Answered {
    /// The answer's status.
    fn status(&self) -> u16;
}

impl Answered for common::Response {
    fn status(&self) -> u16 {
        Response::status(self).as_u16()
    }
}

impl<T> Answered for (common::Response, T) {
    fn status(&self) -> u16 {
        Answered::status(&self.0)
    }
}

/// The JSON of an answer that the hub has read already.
pub(super) async fn json_of(response: common::Response) -> Result<Value, Failure> {
    let status = Some(response.status().as_u16());
    let body = Response::into_body(response).collect().await;
    body.ok()
        .and_then(|body| serde_json::from_slice(&body.to_bytes()).ok())
        .ok_or_else(|| Failure::unknown(status))
}

/// A call without an answer. Where no connection came about, nothing can have been done.
fn unanswered(error: &legacy::Error) -> Failure {
    if error.is_connect() { Failure::unreachable() } else { Failure::unknown(None) }
}

/// `Retry-After`, in seconds or as a date, which is read against the answer's own `Date`.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let written = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(secs) = written.parse() {
        return Some(Duration::from_secs(secs));
    }
    let date = |written: &str| DateTime::parse_from_rfc2822(written).ok();
    let sent = date(headers.get(DATE)?.to_str().ok()?)?;
    Some((date(written)? - sent).to_std().unwrap_or_default())
}

/// How long a call took, for the log.
struct Watch {
    method: &'static str,
    started: Instant,
}

impl Watch {
    #[expect(clippy::disallowed_methods, reason = "real network time, told to the log alone")]
    fn start(method: &'static str) -> Self {
        Self { method, started: Instant::now() }
    }

    fn stop(&self, status: Option<u16>) {
        let took_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(google.method = self.method, status, took_ms, "called Google");
    }
}
