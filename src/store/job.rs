//! Jobs, as stores keep them: what is asked, what is answered, and what every store does to a job
//! the same way.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::StoreError;
use crate::model::event::Known;
use crate::model::id::JobId;
use crate::model::invalid::Invalid;
use crate::model::job::{Cause, Claim, Job, JobState, Line, NewJob};
use crate::model::owner::Owner;
use crate::model::sealed::Sealed;

/// Jobs and their leases.
#[async_trait]
pub trait JobStore {
    /// Every line with a live job.
    async fn lines(&self) -> Result<Vec<Line>, StoreError>;

    /// Takes up to `n` jobs of `line`, those due first, and hides them from other workers until
    /// `until`, and with each the other jobs of its event. Whoever held the event before, on a lease
    /// that ran out, holds it no more. A store with one process may forget its leases when that
    /// process ends.
    async fn claim(
        &self,
        line: &Line,
        n: usize,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Claimed, StoreError>;

    /// Prolongs claims. Returns the jobs that another worker has by now, or that ended meanwhile.
    async fn renew(&self, claims: &[Claim], until: DateTime<Utc>)
    -> Result<Vec<JobId>, StoreError>;

    /// Ends a claim and keeps what the run learned and what shall follow, all or nothing. A push that
    /// would end while its event wants a newer revision than the run read is due again at once
    /// instead; so is the job of a reminder that is done while its reminder has a moment to come, at that
    /// moment, whoever put it there meanwhile. If another worker has the job by now, nothing changes.
    async fn settle(
        &self,
        claim: &Claim,
        ran: Ran,
        now: DateTime<Utc>,
    ) -> Result<Settled, StoreError>;

    /// The job.
    async fn job(&self, id: JobId) -> Result<Option<Job>, StoreError>;

    /// Up to `most` jobs in this state, of one owner if one is named, in the order of their ids,
    /// those after `after`; and after which to go on, none if there are no more. A page may be short,
    /// or empty, before the end.
    async fn jobs(
        &self,
        which: Which,
        owner: Option<&Owner>,
        after: Option<JobId>,
        most: usize,
    ) -> Result<(Vec<Job>, Option<JobId>), StoreError>;

    /// Takes a waiting job back.
    async fn cancel(&self, id: JobId, now: DateTime<Utc>) -> Result<Touched, StoreError>;

    /// Lets a dead or cancelled job run again at once, as if it were new. If its kind and thing have
    /// another live job by now, that one is made due and returned. A job whose event was forgotten
    /// is missing too.
    async fn replay(&self, id: JobId, now: DateTime<Utc>) -> Result<Touched, StoreError>;

    /// Makes a waiting job due at `until`, be that later or sooner than it was.
    async fn put_off(
        &self,
        id: JobId,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Touched, StoreError>;

    /// How many jobs there are.
    async fn count_jobs(&self) -> Result<Counts, StoreError>;

    /// How many live jobs the owner has who has most of them. Looks at each owner.
    async fn largest_backlog(&self) -> Result<u64, StoreError>;
}

/// What a claim brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The jobs taken.
    pub claims: Vec<Claim>,
    /// When the line may have another: the first that was left, or the end of a lease.
    pub next: Option<DateTime<Utc>>,
}

/// How a run ended, and what it learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// What becomes of the job.
    pub fate: Fate,
    /// What was learned of the job's event, if it is about one.
    pub learned: Option<Learned>,
    /// Work that follows.
    pub then: Option<NewJob>,
}

/// What a run learned of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learned {
    /// The wanted revision that the run read: a newer one calls for another run.
    pub seen: u32,
    /// What is known of Google's copy now.
    pub known: Known,
}

/// What becomes of a job after a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its work is done.
    Done,
    /// It runs again.
    Again {
        /// Not before this moment.
        due: DateTime<Utc>,
        /// Whether an attempt was spent.
        spends: bool,
        /// Why.
        cause: Cause,
    },
    /// It is handed back as it was taken, and keeps its place.
    HandedBack {
        /// What stands in its way, if the run found out.
        cause: Option<Cause>,
    },
    /// It is given up.
    Dead(Cause),
}

/// Whether a claim could still settle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It did.
    Yes,
    /// The lease ran out and another worker has the job; nothing changed.
    LeaseLost,
}

/// How many jobs there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Waiting or running.
    pub live: u64,
    /// Done and not yet forgotten.
    pub done: u64,
    /// Given up and not yet forgotten.
    pub dead: u64,
    /// Taken back and not yet forgotten.
    pub cancelled: u64,
}

/// What became of a job that a person laid hands on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "made once and taken apart at once")]
pub enum Touched {
    /// It is as asked, and reads like this now.
    Yes(Job),
    /// It runs at this moment; nothing changed.
    Running,
    /// Its state does not allow it; nothing changed.
    Not(JobState),
    /// There is no such job.
    Missing,
}

impl Touched {
    /// The answer where a job must wait and this one does not.
    pub(super) fn unless_waiting(job: &Job, runs: bool) -> Option<Self> {
        if job.state != JobState::Live {
            return Some(Self::Not(job.state));
        }
        runs.then_some(Self::Running)
    }
}

/// A state to look for jobs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Waiting or running.
    Live,
    /// Done.
    Done,
    /// Given up.
    Dead,
    /// Taken back.
    Cancelled,
}

impl Which {
    /// Every state there is.
    pub const ALL: [Self; 4] = [Self::Live, Self::Done, Self::Dead, Self::Cancelled];

    /// The state's name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Done => "done",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }

    /// The one a job is in.
    pub fn of(state: JobState) -> Self {
        match state {
            JobState::Live => Self::Live,
            JobState::Done { .. } => Self::Done,
            JobState::Dead { .. } => Self::Dead,
            JobState::Cancelled { .. } => Self::Cancelled,
        }
    }
}

impl std::str::FromStr for Which {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|which| which.as_str() == name)
            .ok_or_else(|| Invalid::new("state", "`live`, `done`, `dead` or `cancelled`"))
    }
}

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

    /// Makes it live again, as if it were new, and due at that moment.
    pub(super) fn begin_again(&mut self, due: DateTime<Utc>) {
        self.due = due;
        self.spent = 0;
        self.tries = 0;
        self.failing_since = None;
        self.state = JobState::Live;
        self.cause = None;
    }
}

impl Fate {
    /// What becomes of `job`. An end gives way to another run if its thing wants a newer revision
    /// than the run dealt with, and its work is not done as long as its thing `rings` some time.
    pub(super) fn apply(
        self,
        job: &mut Job,
        newer_wanted: bool,
        rings: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) {
        match self {
            Self::Done | Self::Dead(_) if newer_wanted => {
                job.due = now;
                job.spent = 0;
                job.tries = 0;
                job.failing_since = None;
            }
            Self::Done => {
                if let Some(rings) = rings {
                    job.begin_again(rings);
                } else {
                    job.state = JobState::Done { at: now };
                    job.cause = None;
                }
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
