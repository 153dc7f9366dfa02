//! Answers, and Google's two shapes of an error.

use std::io::Write;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::{Bytes, Frame, SizeHint};
use serde_json::{Value, json};

/// An answer before it goes on the wire, where a fault may still cut it.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    headers: Vec<(HeaderName, String)>,
    body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(status: StatusCode, body: &Value) -> Self {
        let body = serde_json::to_vec_pretty(body).expect("a JSON value can be written");
        let headers = vec![(header::CONTENT_TYPE, "application/json; charset=UTF-8".to_owned())];
        Self { status, headers, body }
    }

    pub(super) fn html(status: StatusCode, body: String) -> Self {
        let headers = vec![(header::CONTENT_TYPE, "text/html; charset=UTF-8".to_owned())];
        Self { status, headers, body: body.into_bytes() }
    }

    pub(super) fn bytes(content_type: String, body: Vec<u8>) -> Self {
        Self { status: StatusCode::OK, headers: vec![(header::CONTENT_TYPE, content_type)], body }
    }

    pub(super) fn empty(status: StatusCode) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    pub(super) fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The body, if it is JSON.
    pub(super) fn body_as_json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The answer with another body; a compact one has no line breaks.
    pub(super) fn with_json(mut self, body: &Value, compact: bool) -> Self {
        let write = if compact { serde_json::to_vec } else { serde_json::to_vec_pretty };
        self.body = write(body).expect("a JSON value can be written");
        self
    }

    /// The answer with its body compressed, if it has one.
    pub(super) fn gzipped(mut self) -> Self {
        if self.body.is_empty() {
            return self;
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let written = encoder.write_all(&self.body).and_then(|()| encoder.finish());
        self.body = written.expect("a vector takes every byte");
        self.with(header::CONTENT_ENCODING, "gzip")
    }

    /// The answer with half of its body, after which the connection breaks.
    pub(super) fn cut_short(self) -> Response {
        let length = self.body.len() as u64;
        let half = Bytes::copy_from_slice(&self.body[..self.body.len() / 2]);
        let whole = self.into_response();
        let (parts, _) = whole.into_parts();
        Response::from_parts(parts, Body::new(HalfBody { step: Step::Send(half), length }))
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.body).into_response();
        if response.status() == StatusCode::NO_CONTENT || self.headers.is_empty() {
            response.headers_mut().remove(header::CONTENT_TYPE);
        }
        for (name, value) in self.headers {
            // A value that cannot stand in a header (a state with a line break) is left out.
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// Marks a response that must never be sent: the connection is to be cut instead.
#[derive(Clone, Copy, Debug)]
pub(super) struct CutConnection;

/// A response that stands for a cut connection.
pub(super) fn cut() -> Response {
    let mut response = StatusCode::BAD_GATEWAY.into_response();
    response.extensions_mut().insert(CutConnection);
    response
}

struct HalfBody {
    step: Step,
    length: u64,
}

enum Step {
    Send(Bytes),
    Flush,
    Break,
}

impl hyper::body::Body for HalfBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match std::mem::replace(&mut self.step, Step::Break) {
            Step::Send(half) => {
                self.step = Step::Flush;
                Poll::Ready(Some(Ok(Frame::data(half))))
            }
            // One turn of waiting lets the first half reach the wire before the break.
            Step::Flush => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Step::Break => Poll::Ready(Some(Err(std::io::Error::other("cut by a scripted fault")))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

/// A "no" of the Calendar backend.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    domain: &'static str,
    reason: &'static str,
    message: String,
    location: Option<(&'static str, &'static str)>,
}

impl Refusal {
    pub(super) fn new(
        status: StatusCode,
        domain: &'static str,
        reason: &'static str,
        message: &str,
    ) -> Self {
        Self { status, domain, reason, message: message.to_owned(), location: None }
    }

    pub(super) fn bad(reason: &'static str, message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "global", reason, message)
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "global", "notFound", "Not Found")
    }

    pub(super) fn at(mut self, kind: &'static str, name: &'static str) -> Self {
        self.location = Some((kind, name));
        self
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let mut error = json!({
            "domain": refusal.domain, "reason": refusal.reason, "message": refusal.message,
        });
        if let Some((kind, name)) = refusal.location {
            error["locationType"] = kind.into();
            error["location"] = name.into();
        }
        let body = json!({"error": {
            "errors": [error], "code": refusal.status.as_u16(), "message": refusal.message,
        }});
        Self::json(refusal.status, &body)
    }
}

const REALM: &str = "Bearer realm=\"https://accounts.google.com/\"";

/// 401: there is no token.
pub(super) fn token_missing() -> Answer {
    let message = "Request is missing required authentication credential. Expected OAuth 2 access token, \
        login cookie or other valid authentication credential. See \
        https://developers.google.com/identity/sign-in/web/devconsole-project.";
    unauthenticated(message, "required", "Login Required.", "CREDENTIALS_MISSING")
        .with(header::WWW_AUTHENTICATE, REALM)
}

/// 401: the token is unknown, expired or revoked.
pub(super) fn token_dead() -> Answer {
    let message = "Request had invalid authentication credentials. Expected OAuth 2 access token, login \
        cookie or other valid authentication credential. See \
        https://developers.google.com/identity/sign-in/web/devconsole-project.";
    unauthenticated(message, "authError", "Invalid Credentials", "ACCESS_TOKEN_EXPIRED")
        .with(header::WWW_AUTHENTICATE, format!("{REALM}, error=\"invalid_token\""))
}

fn unauthenticated(message: &str, reason: &str, short: &str, detail: &str) -> Answer {
    let body = json!({"error": {
        "code": 401,
        "message": message,
        "errors": [{"message": short, "domain": "global", "reason": reason,
            "location": "Authorization", "locationType": "header"}],
        "status": "UNAUTHENTICATED",
        "details": [{"@type": ERROR_INFO, "reason": detail, "domain": "googleapis.com",
            "metadata": {"service": SERVICE}}],
    }});
    Answer::json(StatusCode::UNAUTHORIZED, &body)
}

const ERROR_INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";
const SERVICE: &str = "calendar-json.googleapis.com";

/// 403: the token has none of the scopes the method takes.
pub(super) fn scope_missing(method: &str, scopes: &[&str]) -> Answer {
    let wanted: Vec<String> = scopes.iter().map(|scope| super::scopes::full(scope)).collect();
    let challenge =
        format!("{REALM}, error=\"insufficient_scope\", scope=\"{}\"", wanted.join(" "));
    let body = json!({"error": {
        "code": 403,
        "message": "Request had insufficient authentication scopes.",
        "errors": [{"message": "Insufficient Permission", "domain": "global", "reason": "insufficientPermissions"}],
        "status": "PERMISSION_DENIED",
        "details": [{"@type": ERROR_INFO, "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
            "domain": "googleapis.com", "metadata": {"service": SERVICE, "method": method}}],
    }});
    Answer::json(StatusCode::FORBIDDEN, &body).with(header::WWW_AUTHENTICATE, challenge)
}

/// 403: the project has not switched the API on.
pub(super) fn api_disabled() -> Answer {
    let message =
        "Google Calendar API has not been used in project 407408718192 before or it is disabled.";
    let body = json!({"error": {
        "code": 403,
        "message": message,
        "errors": [{"message": message, "domain": "usageLimits", "reason": "accessNotConfigured",
            "extendedHelp": "https://console.developers.google.com"}],
        "status": "PERMISSION_DENIED",
        "details": [{"@type": ERROR_INFO, "reason": "SERVICE_DISABLED", "domain": "googleapis.com",
            "metadata": {"service": SERVICE, "consumer": "projects/407408718192"}}],
    }});
    Answer::json(StatusCode::FORBIDDEN, &body)
}

/// An error of the token or revocation endpoint.
pub(super) fn oauth_error(status: StatusCode, error: &str, description: &str) -> Answer {
    oauth_refusal(status, &json!({"error": error, "error_description": description}))
}

/// An error of theirs that has more to say.
pub(super) fn oauth_refusal(status: StatusCode, body: &Value) -> Answer {
    Answer::json(status, body)
        .with(header::CACHE_CONTROL, "no-cache, no-store, max-age=0, must-revalidate")
        .with(header::PRAGMA, "no-cache")
}
