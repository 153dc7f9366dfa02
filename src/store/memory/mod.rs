//! The store that forgets at exit: plain collections, no cleverness. What it does is what the other
//! stores are judged by.

mod access;
mod connections;
mod events;
mod jobs;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::broadcast;

use super::{Change, Changes, Keystone, Request, Retention, Store, StoreError, fits};
use crate::model::connection::Connection;
use crate::model::event::Event;
use crate::model::id::{ConnectionId, EventId, InstanceId, JobId, KeyId};
use crate::model::job::{Job, JobState, Kind, Line};
use crate::model::key::{ApiKey, Digest, Ticket, TicketKind};
use crate::model::sealed::Sealed;

/// A store in memory.
#[derive(Debug)]
pub struct MemoryStore {
    instance: InstanceId,
    state: Mutex<State>,
    changes: Changes,
}

#[derive(Debug, Default)]
struct State {
    keystone: Option<Keystone>,
    events: HashMap<EventId, Event>,
    requests: HashMap<Digest, (Request, EventId)>,
    jobs: BTreeMap<JobId, Job>,
    payloads: HashMap<JobId, Sealed>,
    /// The live job of each kind and thing.
    live: HashMap<Kind, JobId>,
    /// The live jobs of each line, in the order they are due.
    lines: BTreeMap<Line, BTreeSet<(DateTime<Utc>, JobId)>>,
    leases: HashMap<JobId, Lease>,
    fences: u64,
    connections: HashMap<ConnectionId, Connection>,
    keys: HashMap<KeyId, ApiKey>,
    tickets: HashMap<(TicketKind, Digest), Ticket>,
}

#[derive(Clone, Copy, Debug)]
struct Lease {
    fence: u64,
    until: DateTime<Utc>,
}

impl MemoryStore {
    /// An empty store named `instance`.
    pub fn new(instance: InstanceId) -> Self {
        Self { instance, state: Mutex::default(), changes: Changes::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no one panics while holding the state")
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn instance(&self) -> InstanceId {
        self.instance
    }

    fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.listen()
    }

    async fn writable(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn keystone(&self) -> Result<Option<Keystone>, StoreError> {
        Ok(self.state().keystone.clone())
    }

    async fn lay_keystone(&self, keystone: Keystone) -> Result<Keystone, StoreError> {
        fits([&keystone.canary, &keystone.index_key])?;
        Ok(self.state().keystone.get_or_insert(keystone).clone())
    }

    async fn prune(
        &self,
        now: DateTime<Utc>,
        keep: Retention,
        most: usize,
    ) -> Result<usize, StoreError> {
        let mut state = self.state();
        // Each in the order in which their times were over, so that `most` takes the same anywhere.
        let mut requests: Vec<_> =
            state.requests.iter().map(|(key, (request, _))| (request.expires, *key)).collect();
        requests.retain(|(expires, _)| *expires <= now);
        requests.sort_unstable();
        let mut tickets: Vec<_> =
            state.tickets.iter().map(|(key, ticket)| (ticket.expires, *key)).collect();
        tickets.retain(|(expires, _)| *expires <= now);
        tickets.sort_unstable();
        let mut jobs: Vec<_> = state.jobs.values().filter_map(|job| over(job, now, keep)).collect();
        jobs.sort_unstable();
        let mut left = most;
        for (_, key) in requests.into_iter().take(left) {
            state.requests.remove(&key);
            left -= 1;
        }
        for (_, key) in tickets.into_iter().take(left) {
            state.tickets.remove(&key);
            left -= 1;
        }
        for (_, _, id) in jobs.into_iter().take(left) {
            state.jobs.remove(&id);
            state.payloads.remove(&id);
            left -= 1;
        }
        Ok(most - left)
    }
}

/// Whether a dead one, since when, and which: if the job is finished and its time is over.
fn over(job: &Job, now: DateTime<Utc>, keep: Retention) -> Option<(bool, DateTime<Utc>, JobId)> {
    let (dead, at, keep) = match job.state {
        JobState::Live => return None,
        JobState::Done { at } => (false, at, keep.done),
        JobState::Dead { at } => (true, at, keep.dead),
    };
    (at + keep <= now).then_some((dead, at, job.id))
}
