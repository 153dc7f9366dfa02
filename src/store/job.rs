//! What every store does to a job the same way: its beginning, and what a run's end makes of it.

use chrono::{DateTime, Utc};

use super::Fate;
use crate::model::job::{Job, JobState, NewJob};
use crate::model::sealed::Sealed;

impl Job {
    /// The job as it is stored first, and what it carries.
    pub(super) fn begin(wanted: NewJob) -> (Self, Option<Sealed>) {
        let NewJob { id, kind, line, due, created, payload } = wanted;
        let job = Self {
            id,
            kind,
            line,
            created,
            due,
            spent: 0,
            tries: 0,
            failing_since: None,
            state: JobState::Live,
            cause: None,
        };
        (job, payload)
    }
}

impl Fate {
    /// What becomes of `job`. An end gives way to another run if its thing wants a newer revision
    /// than the run dealt with.
    pub(super) fn apply(self, job: &mut Job, newer_wanted: bool, now: DateTime<Utc>) {
        match self {
            Self::Done | Self::Dead(_) if newer_wanted => {
                job.due = now;
                job.spent = 0;
                job.tries = 0;
                job.failing_since = None;
            }
            Self::Done => {
                job.state = JobState::Done { at: now };
                job.cause = None;
            }
            Self::Again { due, spends, cause } => {
                job.due = due;
                job.tries += 1;
                if spends {
                    job.spent += 1;
                    job.failing_since = job.failing_since.or(Some(now));
                }
                job.cause = Some(cause);
            }
            Self::HandedBack { cause } => job.cause = cause.or(job.cause.take()),
            Self::Dead(cause) => {
                job.state = JobState::Dead { at: now };
                job.cause = Some(cause);
            }
        }
    }
}
