//! What was sent since the start, and what stands in the way at present.

use std::sync::Mutex;

use chrono::{DateTime, Utc};

use super::{MailError, Verdict};
use crate::model::job::Cause;

/// What was sent since the start, and what stands in the way at present.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Letters that the server took.
    pub sent: u64,
    /// Letters that it refused for good.
    pub refused: u64,
    /// What all letters wait for.
    pub trouble: Option<Trouble>,
}

/// What all letters wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Since when.
    pub since: DateTime<Utc>,
    /// Why.
    pub cause: Cause,
}

/// Keeps the report.
#[derive(Debug, Default)]
pub(super) struct Books(Mutex<Report>);

impl Books {
    /// Something was handed to the server, and this came of it.
    pub(super) fn note(&self, outcome: Result<(), &MailError>, now: DateTime<Utc>) {
        let mut report = self.0.lock().expect("no one panics while counting");
        match outcome {
            Ok(()) => report.sent += 1,
            Err(error) if error.verdict == Verdict::Refused => report.refused += 1,
            Err(error) if error.verdict == Verdict::Later => return,
            Err(error) => {
                let since = report.trouble.as_ref().map_or(now, |trouble| trouble.since);
                report.trouble = Some(Trouble { since, cause: error.cause.clone() });
                return;
            }
        }
        // It answers.
        report.trouble = None;
    }

    pub(super) fn report(&self) -> Report {
        self.0.lock().expect("no one panics while counting").clone()
    }
}
