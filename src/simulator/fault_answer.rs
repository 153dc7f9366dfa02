//! What a fault answers in the place of Google: refusals of every kind, and time-outs.

use axum::http::{StatusCode, header};
use serde_json::json;

use super::answer::{self, Answer, Refusal, oauth_error};
use super::armed::Strike;
use super::calendar::Calendar;
use super::call::{Call, Desk};
use super::fault::{FaultKind, Shape, Stage, Wording};
use super::state::State;

/// What a refusing fault made of a call.
pub(super) enum Refused {
    /// The fault only changed the state; the call goes on.
    Not,
    /// The connection is to be cut.
    Cut,
    With(Answer),
}

/// Lets a fault refuse `call`, or change what it will find.
pub(super) fn refusal(state: &mut State, call: &Call, strike: &Strike) -> Refused {
    match strike.kind {
        FaultKind::GrantRevoked => {
            if let Some(user) = &call.user {
                state.grants.revoke(user, None);
            }
            Refused::Not
        }
        FaultKind::ScopesNarrowed => {
            if let Some(user) = &call.user {
                state.grants.narrow(user);
            }
            Refused::Not
        }
        FaultKind::CutBefore => Refused::Cut,
        kind => {
            let refused = if call.method == "token" {
                of_token_endpoint(kind, &strike.wording)
            } else {
                of_calendar(kind, &strike.wording)
            };
            Refused::With(match strike.wording.retry_after {
                Some(secs) => refused.with(header::RETRY_AFTER, secs.to_string()),
                None => refused,
            })
        }
    }
}

impl Desk<'_> {
    /// The calendar asked for as it was a while ago, and the version it had then, if a fault lets
    /// lists lag behind.
    pub(super) fn stale_calendar(&mut self) -> Result<Option<(Calendar, i64)>, Refusal> {
        let target = self.call.target();
        let Some(strike) = self.state.strike(Stage::Read, &target, self.now) else {
            return Ok(None);
        };
        let version = (self.now - strike.takes).timestamp_micros();
        let calendar = self.calendar()?;
        let events = calendar.events.as_of(version);
        Ok(Some((Calendar { events, ..calendar.clone() }, version)))
    }
}

/// The 504 that hides a change which was made.
pub(super) fn timeout(call: &Call, strike: &Strike) -> Answer {
    let wording = Wording { status: Some(504), ..strike.wording.clone() };
    if call.method == "token" { oauth_scripted(&wording) } else { scripted(&wording) }
}

fn of_token_endpoint(kind: FaultKind, wording: &Wording) -> Answer {
    let unavailable = |status, error| oauth_error(status, error, "Try again later.");
    match kind {
        FaultKind::RateLimited | FaultKind::UserRateLimited | FaultKind::QuotaExceeded => {
            unavailable(StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable")
        }
        FaultKind::ServerError | FaultKind::TokenEndpointError => {
            unavailable(StatusCode::INTERNAL_SERVER_ERROR, "internal_failure")
        }
        FaultKind::Status => oauth_scripted(wording),
        _ => of_calendar(kind, wording),
    }
}

fn of_calendar(kind: FaultKind, wording: &Wording) -> Answer {
    let usage = |status, reason, message| {
        Answer::from(Refusal::new(status, "usageLimits", reason, message))
    };
    match kind {
        FaultKind::RateLimited => {
            usage(StatusCode::TOO_MANY_REQUESTS, "rateLimitExceeded", "Rate Limit Exceeded")
        }
        FaultKind::UserRateLimited => super::quota::user_rate().into(),
        FaultKind::QuotaExceeded => super::quota::use_limit().into(),
        FaultKind::HtmlError => page(StatusCode::BAD_GATEWAY),
        FaultKind::InvalidClient => super::token::invalid_client(),
        FaultKind::DeletedClient => super::token::deleted_client(),
        FaultKind::AccountDeleted => super::token::account_deleted(),
        FaultKind::AdminPolicy => super::token::admin_policy(),
        FaultKind::InvalidRapt => super::token::invalid_rapt(),
        FaultKind::ApiDisabled => answer::api_disabled(),
        FaultKind::CalendarForbidden => {
            Refusal::new(StatusCode::FORBIDDEN, "global", "forbidden", "Forbidden").into()
        }
        FaultKind::Status => scripted(wording),
        _ => Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "global",
            "backendError",
            "Backend Error",
        )
        .into(),
    }
}

/// A refusal by number: in Google's usual words for it, as far as the script does not give others.
fn scripted(wording: &Wording) -> Answer {
    let status = status(wording);
    if wording.body == Some(Shape::Html) {
        return page(status);
    }
    match (status.as_u16(), wording.reason.as_deref()) {
        (401, None | Some("authError")) => return answer::token_dead(),
        (401, Some("required")) => return answer::token_missing(),
        (403, Some("accessNotConfigured")) => return answer::api_disabled(),
        _ => {}
    }
    let (reason, message) = usual(status.as_u16());
    let reason = wording.reason.as_deref().unwrap_or(reason);
    let (domain, usual_message, place) = said(reason);
    let message = wording.message.as_deref().or(usual_message).unwrap_or(message);
    let mut error = json!({"domain": domain, "reason": reason, "message": message});
    if let Some((kind, name)) = place {
        error["locationType"] = kind.into();
        error["location"] = name.into();
    }
    let body = json!({"error": {"errors": [error], "code": status.as_u16(), "message": message}});
    Answer::json(status, &body)
}

/// The same at the token endpoint, in the words of OAuth.
fn oauth_scripted(wording: &Wording) -> Answer {
    let status = status(wording);
    if wording.body == Some(Shape::Html) {
        return page(status);
    }
    let error = match status.as_u16() {
        400 => "invalid_grant",
        401 => "invalid_client",
        403 => "access_denied",
        429 | 503 => "temporarily_unavailable",
        404..=499 => "invalid_request",
        _ => "internal_failure",
    };
    let error = wording.reason.as_deref().unwrap_or(error);
    let message = wording.message.as_deref().unwrap_or("Try again later.");
    oauth_error(status, error, message)
}

fn status(wording: &Wording) -> StatusCode {
    let status = wording.status.and_then(|status| StatusCode::from_u16(status).ok());
    status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The reason and message that go with a status, if nothing else is said.
fn usual(status: u16) -> (&'static str, &'static str) {
    match status {
        403 => ("forbidden", "Forbidden"),
        404 => ("notFound", "Not Found"),
        409 => ("conflict", "Conflict"),
        410 => ("deleted", "Resource has been deleted"),
        412 => ("conditionNotMet", "Precondition Failed"),
        429 => ("rateLimitExceeded", "Rate Limit Exceeded"),
        500 => ("backendError", "Backend Error"),
        502 => ("backendError", "Bad Gateway"),
        503 => ("backendError", "Service Unavailable"),
        504 => ("backendError", "Gateway Timeout"),
        505.. => ("internalError", "Internal Error"),
        _ => ("badRequest", "Bad Request"),
    }
}

type Place = Option<(&'static str, &'static str)>;

/// What goes with a reason: its domain, Google's message for it, and what it points at.
fn said(reason: &str) -> (&'static str, Option<&'static str>, Place) {
    match reason {
        "rateLimitExceeded" => ("usageLimits", Some("Rate Limit Exceeded"), None),
        "userRateLimitExceeded" => ("usageLimits", Some("User Rate Limit Exceeded"), None),
        "quotaExceeded" => ("usageLimits", Some("Calendar usage limits exceeded."), None),
        "dailyLimitExceeded" => ("usageLimits", Some("Daily Limit Exceeded"), None),
        "duplicate" => ("global", Some("The requested identifier already exists."), None),
        "insufficientPermissions" => ("global", Some("Insufficient Permission"), None),
        "conditionNotMet" => ("global", None, Some(("header", "If-Match"))),
        "fullSyncRequired" => {
            let message = "Sync token is no longer valid, a full sync is required.";
            ("calendar", Some(message), Some(("parameter", "syncToken")))
        }
        "updatedMinTooLongAgo" => {
            let message = "The requested minimum modification time lies too far in the past.";
            ("calendar", Some(message), Some(("parameter", "updatedMin")))
        }
        "requiredAccessLevel" | "forbiddenForNonOrganizer" | "forbiddenForServiceAccounts" => {
            ("calendar", None, None)
        }
        _ => ("global", None, None),
    }
}

/// The page of Google's front end, which no client should try to read as JSON.
fn page(status: StatusCode) -> Answer {
    let code = status.as_u16();
    let kind = if status.is_server_error() { "Server Error" } else { "Client Error" };
    let text = format!(
        "<!DOCTYPE html>\n<html lang=en>\n  <title>Error {code} ({kind})!!1</title>\n  \
         <p><b>{code}.</b> <ins>That’s an error.</ins>\n  <p>The server could not complete your \
         request.<p>Please try again in 30 seconds.\n"
    );
    Answer::html(status, text)
}
