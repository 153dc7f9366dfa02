//! The one table from what went wrong to what the caller is told: problem details (RFC 9457) with a
//! stable `code`, what to do next, the fields at fault and the request's id.

mod code;

use axum::Json;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tower_http::request_id::RequestId;
use utoipa::ToSchema;

use super::limit::Left;
use crate::app::error::{Crowd, Error, StoreError};
use crate::model::invalid::Invalid;
pub use code::Code;

/// What a caller is told who did not get what was asked for.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Problem(Box<Details>);

/// What a caller is told who did not get what was asked for (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Details {
    /// `about:blank`: `code` tells problems apart.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The status of the answer.
    status: u16,
    /// What happened.
    detail: String,
    /// What happened, in a word that stays.
    #[schema(value_type = String)]
    code: Code,
    /// What to do next.
    advice: &'static str,
    /// Every member at fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    /// What the log knows the request by.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// The seed's own words, on its own routes.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    classic: Option<Classic>,
    /// Seconds until another try makes sense.
    #[serde(skip)]
    #[schema(ignore)]
    retry_after: Option<u64>,
    /// What is left of an allowance that was asked too much of.
    #[serde(skip)]
    #[schema(ignore)]
    left: Option<Left>,
}

/// What the fifth seed's clients look at.
#[derive(Clone, Debug, Serialize)]
struct Classic {
    success: bool,
    message: String,
}

/// One field at fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Where the field stands in the body (RFC 6901), or its name.
    pub pointer: String,
    /// What a valid value looks like.
    pub message: String,
}

impl Problem {
    /// A problem with this stable code.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let status = code.status();
        Self(Box::new(Details {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            code,
            advice: code.advice(),
            errors: Vec::new(),
            request_id: None,
            classic: None,
            retry_after: None,
            left: None,
        }))
    }

    /// A body that breaks rules, each told.
    pub fn fields(errors: Vec<FieldError>) -> Self {
        let told: Vec<String> = errors
            .iter()
            .map(|e| format!("{}: {}", e.pointer.trim_start_matches('/'), e.message))
            .collect();
        let mut problem = Self::new(Code::Invalid, told.join("; "));
        problem.0.errors = errors;
        problem
    }

    /// The same, worth another try after so many seconds.
    pub fn retry_after(mut self, secs: u64) -> Self {
        self.0.retry_after = Some(secs);
        self
    }

    /// The same, since this allowance was asked too much of.
    pub fn left(mut self, left: Left) -> Self {
        self.0.left = Some(left);
        self
    }

    /// Tells in an answer's headers when another try makes sense, and how to be let in.
    pub fn tell(&self, headers: &mut HeaderMap) {
        if let Some(secs) = self.0.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        if let Some(left) = &self.0.left {
            left.tell(headers);
        }
        // In the words of RFC 6750: who shows nothing is told of no error.
        let challenge = match (self.0.status, self.0.code) {
            (401, Code::NoApiKey) => "Bearer realm=\"calbridge\"",
            (401, _) => "Bearer realm=\"calbridge\", error=\"invalid_token\"",
            (403, Code::ScopeMissing) => "Bearer realm=\"calbridge\", error=\"insufficient_scope\"",
            _ => return,
        };
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }

    /// The answer's status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// A broken rule as a bad request: the classic route knows one status for every bad body.
    pub fn into_bad_request_if_invalid(mut self) -> Self {
        if self.status() == StatusCode::UNPROCESSABLE_ENTITY {
            let status = StatusCode::BAD_REQUEST;
            self.0.status = status.as_u16();
            self.0.title = status.canonical_reason().unwrap_or("Error");
        }
        self
    }

    /// What happened, for people.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }
}

impl From<&Invalid> for FieldError {
    fn from(invalid: &Invalid) -> Self {
        Self { pointer: format!("/{}", invalid.field), message: invalid.rule.to_string() }
    }
}

// No `_` arm, so that a new error must choose its answer.
impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::Invalid(invalid) => return Self::fields(vec![FieldError::from(invalid)]),
            Error::NotFound(_) => Code::NotFound,
            Error::NotConnected { .. } | Error::UserNotConnected { .. } => Code::NotConnected,
            Error::NotConfigured { .. } => Code::NotConfigured,
            Error::ClientChanged => Code::ClientChanged,
            Error::NoServiceAccount { .. } => Code::NoServiceAccount,
            Error::BadCredentials { .. } => Code::BadCredentials,
            Error::RedirectUri(_) => Code::RedirectUri,
            Error::KeyReused => Code::IdempotencyKeyReused,
            Error::Overtaken => Code::Overtaken,
            Error::Conflict(_) => Code::Conflict,
            Error::Unseen(_) => Code::PreconditionFailed,
            Error::Backlog(Crowd::All) => Code::BacklogFull,
            Error::Backlog(Crowd::Owner) => Code::OwnerBacklogFull,
            Error::JobRunning => Code::JobRunning,
            Error::JobState { .. } => Code::JobState,
            Error::Blocked(_) => Code::ConnectionBlocked,
            Error::Denied(_) => Code::Denied,
            Error::KeyRefused => Code::UnknownApiKey,
            Error::TokenRefused => Code::TokenRefused,
            Error::NoIssuerKeys => Code::IssuerKeysUnavailable,
            Error::TooManyTries { .. } => Code::TooManyTries,
            Error::Scope(_) => Code::ScopeMissing,
            Error::NotForUsers => Code::NotForUsers,
            Error::NoMail => Code::MailNotConfigured,
            Error::Frozen { .. } => Code::Frozen,
            Error::AuditHead { .. } => Code::AuditHead,
            Error::Consent { code: "wrong_account", .. } => Code::WrongAccount,
            // What else may come of a consent is told on pages, in sentences.
            Error::Consent { .. } => Code::ConsentFailed,
            Error::Delegation(_) => Code::Delegation,
            Error::Google(_) => Code::Google,
            Error::Store(StoreError::TooLarge { .. }) => Code::TooLarge,
            Error::Store(StoreError::Full { .. }) => Code::DiskFull,
            Error::Store(
                StoreError::Failed(_) | StoreError::Damaged(_) | StoreError::Unavailable(_),
            ) => Code::StoreUnavailable,
            Error::Backup(_) => Code::ExportFailed,
            Error::Keys(_) => Code::KeyFile,
            Error::Vault(_) => Code::Internal,
        };
        let status = code.status();
        if status.is_server_error() {
            let code = code.as_str();
            tracing::error!(error = &error as &dyn std::error::Error, code, "request failed");
        }
        let problem = Self::new(code, error.to_string());
        match &error {
            // Seconds after which the job has ended, most likely.
            Error::JobRunning => problem.retry_after(5),
            Error::TooManyTries { secs } => problem.retry_after(*secs),
            _ if matches!(status.as_u16(), 429 | 503) => problem.retry_after(30),
            _ => problem,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = (status, Json(&self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        self.tell(headers);
        // What knows more of the request adds to it.
        response.extensions_mut().insert(self);
        response
    }
}

/// Says a problem in the seed's words too: `success` and `message`.
pub async fn in_classic_words(response: Response) -> Response {
    reworded(response, |problem| {
        problem.classic = Some(Classic { success: false, message: problem.detail.clone() });
    })
}

/// Names the request in whatever problem it met.
pub async fn name_request(request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().cloned();
    let response = next.run(request).await;
    reworded(response, |problem| {
        problem.request_id = id.and_then(|id| id.header_value().to_str().map(str::to_owned).ok());
    })
}

/// `response` with its problem changed, if it tells one; its headers stay.
fn reworded(response: Response, change: impl FnOnce(&mut Details)) -> Response {
    let Some(mut problem) = response.extensions().get::<Problem>().cloned() else {
        return response;
    };
    change(&mut problem.0);
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    let body = serde_json::to_vec(&problem).expect("plain structs can be written");
    parts.extensions.insert(problem);
    Response::from_parts(parts, Body::from(body))
}
