//! Jobs and leases in memory.

use std::collections::btree_map::Entry;
use std::ops::Bound;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{MemoryStore, State};
use crate::model::id::JobId;
use crate::model::item::Item;
use crate::model::job::{Claim, Job, JobState, Kind, Line, NewJob};
use crate::model::owner::Owner;
use crate::store::{
    Change, Claimed, Counts, JobStore, Ran, Settled, StoreError, Touched, Which, fits,
};

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
        let State { lines, jobs, payloads, leases, .. } = &mut *state;
        let mut claims = Vec::new();
        let mut next: Option<DateTime<Utc>> = None;
        for (due, id) in lines.get(line).into_iter().flatten().copied() {
            let job = jobs.get(&id).expect("a waiting job is stored");
            let hidden = leases.of_job(id, now).or_else(|| leases.of_event(job, now));
            let later = hidden.filter(|_| due <= now);
            if later.is_none() && (due > now || claims.len() == n) {
                next = Some(next.map_or(due, |next| next.min(due)));
                break;
            }
            if let Some(end) = later {
                next = Some(next.map_or(end, |next| next.min(end)));
                continue;
            }
            let fence = leases.give(job, until);
            let payload = payloads.get(&id).cloned();
            claims.push(Claim { job: job.clone(), payload, fence, until });
        }
        Ok(Claimed { claims, next })
    }

    async fn renew(
        &self,
        claims: &[Claim],
        until: DateTime<Utc>,
    ) -> Result<Vec<JobId>, StoreError> {
        let claims = claims.iter().map(|claim| (claim.job.id, claim.fence));
        Ok(self.state().leases.renew(claims, until))
    }

    async fn settle(
        &self,
        claim: &Claim,
        ran: Ran,
        now: DateTime<Utc>,
    ) -> Result<Settled, StoreError> {
        fits(ran.learned.iter().filter_map(|learned| learned.known.links.as_ref()))?;
        fits(ran.then.iter().filter_map(|job| job.payload.as_ref()))?;
        let mut state = self.state();
        let id = claim.job.id;
        if !state.leases.hold(id, claim.fence) {
            return Ok(Settled::LeaseLost);
        }
        let mut told = Vec::new();
        let mut newer_wanted = false;
        let mut job = state.jobs.get(&id).cloned().expect("a claimed job is stored");
        if let Some(event) = job.kind.event() {
            let State { events, histories, .. } = &mut *state;
            let stored = events.get(&event).expect("a live job's event is stored");
            histories.entry(event).or_default().run(stored, &ran, now);
        }
        let Ran { fate, learned, then } = ran;
        if let (Some(event), Some(learned)) = (job.kind.event(), learned) {
            let stored = state.events.get_mut(&event).expect("a live job's event is stored");
            // Whatever else runs about the event, the newer revision has its own push.
            newer_wanted =
                matches!(job.kind, Kind::PushEvent { .. }) && stored.wanted.revision > learned.seen;
            stored.known = learned.known;
            told.push(Change::Event(event));
        }
        state.leases.end(&job);
        state.stop(&job);
        let reminder = job.kind.reminder().and_then(|id| state.items.get(&id));
        let rings = reminder.and_then(Item::rings);
        fate.apply(&mut job, newer_wanted, rings, now);
        if job.state == JobState::Live {
            told.push(Change::Line(job.line.clone()));
        }
        if matches!(job.state, JobState::Done { .. }) {
            state.payloads.remove(&id);
        }
        told.extend(state.hidden_behind(&job).map(Change::Line));
        state.start(job);
        told.extend(then.map(|then| Change::Line(state.enqueue(then).1)));
        drop(state);
        self.changes.tell(told);
        Ok(Settled::Yes)
    }

    async fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        Ok(self.state().jobs.get(&id).cloned())
    }

    async fn jobs(
        &self,
        which: Which,
        owner: Option<&Owner>,
        after: Option<JobId>,
        most: usize,
    ) -> Result<(Vec<Job>, Option<JobId>), StoreError> {
        let state = self.state();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut found =
            state.jobs.range((from, Bound::Unbounded)).map(|(_, job)| job).filter(|job| {
                Which::of(job.state) == which && owner.is_none_or(|owner| job.line.owner == *owner)
            });
        let page: Vec<_> = found.by_ref().take(most).cloned().collect();
        let next = found.next().and(page.last().map(|job| job.id).or(after));
        Ok((page, next))
    }

    async fn cancel(&self, id: JobId, now: DateTime<Utc>) -> Result<Touched, StoreError> {
        let mut state = self.state();
        let Some(mut job) = state.jobs.get(&id).cloned() else { return Ok(Touched::Missing) };
        let runs = state.leases.of_job(id, now).is_some();
        if let Some(answer) = Touched::unless_waiting(&job, runs) {
            return Ok(answer);
        }
        state.leases.end(&job);
        state.stop(&job);
        job.state = JobState::Cancelled { at: now };
        state.start(job.clone());
        drop(state);
        self.changes.tell(job.kind.event().map(Change::Event));
        Ok(Touched::Yes(job))
    }

    async fn replay(&self, id: JobId, now: DateTime<Utc>) -> Result<Touched, StoreError> {
        let mut state = self.state();
        let Some(mut job) = state.jobs.get(&id).cloned() else { return Ok(Touched::Missing) };
        if matches!(job.state, JobState::Live | JobState::Done { .. }) {
            return Ok(Touched::Not(job.state));
        }
        let event = job.kind.event();
        if event.is_some_and(|event| !state.events.contains_key(&event)) {
            return Ok(Touched::Missing);
        }
        if let Some(live) = state.live.get(&job.kind).copied() {
            job = state.make_due(live, now);
        } else {
            job.begin_again(now);
            state.start(job.clone());
            if let Kind::PushEvent { event } = job.kind {
                state.events.get_mut(&event).expect("seen above").job = id;
            }
        }
        drop(state);
        self.changes.tell([Change::Line(job.line.clone())]);
        self.changes.tell(event.map(Change::Event));
        Ok(Touched::Yes(job))
    }

    async fn put_off(
        &self,
        id: JobId,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Touched, StoreError> {
        let mut state = self.state();
        let Some(mut job) = state.jobs.get(&id).cloned() else { return Ok(Touched::Missing) };
        let runs = state.leases.of_job(id, now).is_some();
        if let Some(answer) = Touched::unless_waiting(&job, runs) {
            return Ok(answer);
        }
        state.stop(&job);
        job.due = until;
        state.start(job.clone());
        drop(state);
        self.changes.tell([Change::Line(job.line.clone())]);
        Ok(Touched::Yes(job))
    }

    async fn count_jobs(&self) -> Result<Counts, StoreError> {
        let mut counts = Counts::default();
        for job in self.state().jobs.values() {
            match job.state {
                JobState::Live => counts.live += 1,
                JobState::Done { .. } => counts.done += 1,
                JobState::Dead { .. } => counts.dead += 1,
                JobState::Cancelled { .. } => counts.cancelled += 1,
            }
        }
        Ok(counts)
    }

    async fn largest_backlog(&self) -> Result<u64, StoreError> {
        Ok(self.state().owners.values().copied().max().unwrap_or(0))
    }
}

impl State {
    /// Sees to it that a job of this kind lives and is due no later than asked. Returns the one that
    /// does, and its line.
    pub(super) fn enqueue(&mut self, wanted: NewJob) -> (JobId, Line) {
        if let Some(id) = self.live.get(&wanted.kind).copied() {
            return (id, self.make_due(id, wanted.due).line);
        }
        let (job, payload) = Job::begin(wanted);
        let (id, line) = (job.id, job.line.clone());
        self.payloads.extend(payload.map(|payload| (id, payload)));
        self.start(job);
        (id, line)
    }

    /// A live job, due no later than `due` from now on.
    fn make_due(&mut self, id: JobId, due: DateTime<Utc>) -> Job {
        let mut job = self.jobs.get(&id).cloned().expect("a live job is stored");
        self.stop(&job);
        job.due = job.due.min(due);
        self.start(job.clone());
        job
    }

    /// The lines of the live jobs that were hidden while this one of their event ran.
    fn hidden_behind(&self, job: &Job) -> impl Iterator<Item = Line> {
        let kinds = job.kind.event().map(Kind::about).into_iter().flatten();
        let others = kinds.filter(|kind| *kind != job.kind).filter_map(|kind| self.live.get(&kind));
        others.filter_map(|id| Some(self.jobs.get(id)?.line.clone()))
    }

    /// Keeps a job, and where it stands if it lives.
    pub(super) fn start(&mut self, job: Job) {
        if job.state == JobState::Live {
            self.lines.entry(job.line.clone()).or_default().insert((job.due, job.id));
            self.live.insert(job.kind.clone(), job.id);
            *self.owners.entry(job.line.owner.clone()).or_default() += 1;
        }
        self.jobs.insert(job.id, job);
    }

    /// Takes a live job from where it stands.
    fn stop(&mut self, job: &Job) {
        if let Entry::Occupied(mut line) = self.lines.entry(job.line.clone()) {
            line.get_mut().remove(&(job.due, job.id));
            if line.get().is_empty() {
                line.remove();
            }
        }
        self.live.remove(&job.kind);
        if let Some(jobs) = self.owners.get_mut(&job.line.owner) {
            *jobs -= 1;
        }
    }
}
