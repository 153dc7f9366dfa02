//! Who has which job, for stores that one process has to itself: kept in memory alone, since after a
//! crash nobody has any.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::model::id::{EventId, JobId};
use crate::model::job::Job;

/// Who has which job. A job of an event is had together with the event.
#[derive(Debug, Default)]
pub(super) struct Leases {
    jobs: HashMap<JobId, Lease>,
    /// Through which of its jobs an event is had.
    events: HashMap<EventId, JobId>,
    fences: u64,
}

#[derive(Clone, Copy, Debug)]
struct Lease {
    fence: u64,
    until: DateTime<Utc>,
}

impl Leases {
    /// Nobody has anything yet, and fences are above `fences`.
    pub(super) fn above(fences: u64) -> Self {
        Self { fences, ..Self::default() }
    }

    /// Until when somebody has the job itself.
    pub(super) fn of_job(&self, id: JobId, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.jobs.get(&id).map(|lease| lease.until).filter(|until| *until > now)
    }

    /// Until when somebody has the job's event.
    pub(super) fn of_event(&self, job: &Job, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.of_job(*self.events.get(&job.kind.event()?)?, now)
    }

    /// Gives the job, and its event, to whoever claims it. Returns the claim's fence, which no other
    /// claim has.
    pub(super) fn give(&mut self, job: &Job, until: DateTime<Utc>) -> u64 {
        self.fences += 1;
        let fence = self.fences;
        if let Some(event) = job.kind.event()
            && let Some(other) = self.events.insert(event, job.id)
        {
            self.jobs.remove(&other);
        }
        self.jobs.insert(job.id, Lease { fence, until });
        fence
    }

    /// Whether the claim with this fence still has the job.
    pub(super) fn hold(&self, id: JobId, fence: u64) -> bool {
        self.jobs.get(&id).is_some_and(|lease| lease.fence == fence)
    }

    /// Prolongs the claims that still have their jobs, and returns the other jobs.
    pub(super) fn renew(
        &mut self,
        claims: impl IntoIterator<Item = (JobId, u64)>,
        until: DateTime<Utc>,
    ) -> Vec<JobId> {
        let mut lost = Vec::new();
        for (id, fence) in claims {
            match self.jobs.get_mut(&id).filter(|lease| lease.fence == fence) {
                Some(lease) => lease.until = until,
                None => lost.push(id),
            }
        }
        lost
    }

    /// Nobody has the job any more.
    pub(super) fn end(&mut self, job: &Job) {
        if self.jobs.remove(&job.id).is_some()
            && let Some(event) = job.kind.event()
        {
            self.events.remove(&event);
        }
    }
}
