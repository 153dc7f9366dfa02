//! What Google's answers, and our own troubles, mean for a run: the one table from failure to end.

use chrono::{DateTime, TimeDelta, Utc};

use crate::app::{App, Error, connections};
use crate::google::error::{Failure, Verdict};
use crate::model::connection::{Connection, Health};
use crate::model::job::{Cause, End, Obstacle, Until};

/// A thing that is not there yet, but should be, is looked for this often before that is believed.
const MOST_MISSING: u32 = 4;

/// What a failed call means for the run of a job that has `spent` attempts so far.
pub async fn end_of(app: &App, connection: &Connection, failure: &Failure, spent: u32) -> End {
    let now = app.clock.now();
    let cause = cause_of(failure);
    match failure.verdict {
        Verdict::Outage | Verdict::Operator => {
            End::Block(Obstacle::Google(patience(failure, now)), cause)
        }
        // The project's calls, or those to this one calendar: Google does not tell which. A new
        // delegation works after a while, and a wrong clock is set some time.
        Verdict::RateProject | Verdict::Delegation => {
            End::Block(Obstacle::Lane(patience(failure, now)), cause)
        }
        // The whole account has to wait, and no job of it is begun before that is over.
        Verdict::RateUser | Verdict::QuotaExceeded | Verdict::HeldBack => {
            let open = app.limits.not_before(connection.id, now);
            End::Snooze(open.map_or(patience(failure, now), Until::Moment), cause)
        }
        Verdict::DailyLimit => {
            let open = app.limits.project_not_before(now);
            End::Block(Obstacle::Google(open.map_or(Until::Backoff, Until::Moment)), cause)
        }
        Verdict::GrantDead => End::Block(Obstacle::Connection(connection.id), cause),
        Verdict::ScopeMissing => {
            let state = Health::ReconnectNeeded(cause.clone());
            match connections::mark(app, connection, state).await {
                Ok(()) => End::Block(Obstacle::Connection(connection.id), cause),
                Err(error) => end_of_own(&error),
            }
        }
        Verdict::Unknown | Verdict::Duplicate | Verdict::Conflict | Verdict::PreconditionFailed => {
            End::Snooze(patience(failure, now), cause)
        }
        Verdict::TokenRejected => End::Retry(cause),
        Verdict::NotFound if spent < MOST_MISSING => End::Retry(cause),
        Verdict::NotFound | Verdict::Gone | Verdict::ConferenceNotAllowed | Verdict::Refused => {
            End::GiveUp(cause)
        }
    }
}

/// What a trouble of our own means for a run.
pub fn end_of_own(error: &Error) -> End {
    match error {
        Error::NotConfigured { .. } | Error::RedirectUri(_) => End::Block(
            Obstacle::Google(Until::Backoff),
            Cause::new("not_configured", error.to_string()),
        ),
        // The file was exchanged while the job ran; or the key's file is not there: both may come back.
        Error::ClientChanged | Error::NoServiceAccount { .. } => {
            End::Snooze(Until::Backoff, Cause::new("not_configured", error.to_string()))
        }
        Error::Store(_) => End::Snooze(Until::Backoff, Cause::new("store", error.to_string())),
        _ => {
            tracing::error!(error = error as &dyn std::error::Error, "a job cannot go on");
            End::Retry(Cause::new("internal", error.to_string()))
        }
    }
}

/// The cause a failure gives, with the status that Google answered.
pub fn cause_of(failure: &Failure) -> Cause {
    let code = match failure.verdict {
        Verdict::Unknown => "no_answer",
        Verdict::Outage => "google_unavailable",
        Verdict::RateUser | Verdict::RateProject | Verdict::HeldBack => "rate_limited",
        Verdict::QuotaExceeded => "quota_exceeded",
        Verdict::DailyLimit => "daily_limit",
        Verdict::TokenRejected => "token_rejected",
        Verdict::ScopeMissing => "scope_missing",
        Verdict::GrantDead => "grant_dead",
        Verdict::Operator => "operator_fault",
        Verdict::Delegation => "delegation",
        Verdict::NotFound => "not_found",
        Verdict::Duplicate | Verdict::Conflict => "conflict",
        Verdict::Gone => "gone",
        Verdict::PreconditionFailed => "changed_meanwhile",
        Verdict::ConferenceNotAllowed => "meet_not_allowed",
        Verdict::Refused => "refused",
    };
    let text = match failure.status {
        Some(status) => format!("Google answered {status}: {}", failure.text),
        None => failure.text.clone(),
    };
    Cause::new(code, text)
}

fn patience(failure: &Failure, now: DateTime<Utc>) -> Until {
    let asked = failure.retry_after.and_then(|wait| TimeDelta::from_std(wait).ok());
    asked.map_or(Until::Backoff, |wait| Until::Moment(now + wait))
}
