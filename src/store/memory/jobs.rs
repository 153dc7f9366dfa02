//! Jobs and leases in memory.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Lease, MemoryStore, State};
use crate::model::id::JobId;
use crate::model::job::{Claim, Job, JobState, Kind, Line, NewJob};
use crate::store::{Change, Claimed, Counts, JobStore, Ran, Settled, StoreError, fits};

#[async_trait]
impl JobStore for MemoryStore {
    async fn lines(&self) -> Result<Vec<Line>, StoreError> {
        Ok(self.state().lines.keys().cloned().collect())
    }

    async fn claim(
        &self,
        line: &Line,
        n: usize,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Claimed, StoreError> {
        let mut state = self.state();
        let waiting: Vec<_> = state.lines.get(line).into_iter().flatten().copied().collect();
        let mut claims = Vec::new();
        let mut next: Option<DateTime<Utc>> = None;
        for (due, id) in waiting {
            let leased = state.leases.get(&id).map(|lease| lease.until).filter(|end| *end > now);
            let free_from = leased.unwrap_or(due);
            if free_from > now || claims.len() == n {
                next = Some(next.map_or(free_from, |next| next.min(free_from)));
                if due > now {
                    break;
                }
                continue;
            }
            state.fences += 1;
            let fence = state.fences;
            state.leases.insert(id, Lease { fence, until });
            let job = state.jobs.get(&id).cloned().expect("a waiting job is stored");
            let payload = state.payloads.get(&id).cloned();
            claims.push(Claim { job, payload, fence, until });
        }
        Ok(Claimed { claims, next })
    }

    async fn settle(
        &self,
        claim: &Claim,
        ran: Ran,
        now: DateTime<Utc>,
    ) -> Result<Settled, StoreError> {
        fits(ran.learned.iter().filter_map(|learned| learned.known.links.as_ref()))?;
        let mut state = self.state();
        let id = claim.job.id;
        if state.leases.get(&id).is_none_or(|lease| lease.fence != claim.fence) {
            return Ok(Settled::LeaseLost);
        }
        state.leases.remove(&id);
        let mut told = Vec::new();
        let mut newer_wanted = false;
        if let (Kind::PushEvent { event }, Some(learned)) = (&claim.job.kind, ran.learned) {
            let stored = state.events.get_mut(event).expect("a job's event is stored");
            newer_wanted = stored.wanted.revision > learned.seen;
            stored.known = learned.known;
            told.push(Change::Event(*event));
        }
        let mut job = state.jobs.get(&id).cloned().expect("a leased job is stored");
        state.leave_line(&job);
        ran.fate.apply(&mut job, newer_wanted, now);
        if job.state == JobState::Live {
            state.lines.entry(job.line.clone()).or_default().insert((job.due, id));
            told.push(Change::Line(job.line.clone()));
        } else {
            state.live.remove(&job.kind);
            if matches!(job.state, JobState::Done { .. }) {
                state.payloads.remove(&id);
            }
        }
        state.jobs.insert(id, job);
        drop(state);
        self.changes.tell(told);
        Ok(Settled::Yes)
    }

    async fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        Ok(self.state().jobs.get(&id).cloned())
    }

    async fn count_jobs(&self) -> Result<Counts, StoreError> {
        let mut counts = Counts::default();
        for job in self.state().jobs.values() {
            match job.state {
                JobState::Live => counts.live += 1,
                JobState::Done { .. } => counts.done += 1,
                JobState::Dead { .. } => counts.dead += 1,
            }
        }
        Ok(counts)
    }
}

impl State {
    /// Sees to it that a job of this kind lives and is due no later than asked. Returns the one that
    /// does, and its line.
    pub(super) fn enqueue(&mut self, wanted: NewJob) -> (JobId, Line) {
        if let Some(id) = self.live.get(&wanted.kind).copied() {
            let mut job = self.jobs.get(&id).cloned().expect("a live job is stored");
            self.leave_line(&job);
            job.due = job.due.min(wanted.due);
            let line = job.line.clone();
            self.lines.entry(line.clone()).or_default().insert((job.due, id));
            self.jobs.insert(id, job);
            return (id, line);
        }
        let (job, payload) = Job::begin(wanted);
        let (id, line) = (job.id, job.line.clone());
        self.lines.entry(line.clone()).or_default().insert((job.due, id));
        self.live.insert(job.kind.clone(), id);
        self.payloads.extend(payload.map(|payload| (id, payload)));
        self.jobs.insert(id, job);
        (id, line)
    }

    fn leave_line(&mut self, job: &Job) {
        if let Some(line) = self.lines.get_mut(&job.line) {
            line.remove(&(job.due, job.id));
            if line.is_empty() {
                self.lines.remove(&job.line);
            }
        }
    }
}
