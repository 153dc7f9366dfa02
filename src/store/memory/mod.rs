//! The store that forgets at exit: plain collections, no cleverness. What it does is what the other
//! stores are judged by.

mod access;
mod administrator;
mod audit;
mod backup;
mod connections;
mod envelopes;
mod events;
mod items;
mod jobs;
mod periods;
mod prune;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use tokio::sync::broadcast;

use super::leases::Leases;
use super::{
    Alive, Change, Changes, Disk, History, Keystone, Request, Retention, Store, StoreError, fits,
};
use crate::model::administrator::Administrator;
use crate::model::audit::{Entry, Head};
use crate::model::connection::Connection;
use crate::model::event::Event;
use crate::model::id::{ConnectionId, EventId, InstanceId, ItemId, JobId, KeyId};
use crate::model::item::Item;
use crate::model::job::{Job, Kind, Line};
use crate::model::key::{ApiKey, Digest, Ticket, TicketKind};
use crate::model::owner::Owner;
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
    /// What happened to each event.
    histories: HashMap<EventId, History>,
    items: BTreeMap<ItemId, Item>,
    /// With the event each brought, or what names an item.
    requests: HashMap<Digest, (Request, EventId)>,
    jobs: BTreeMap<JobId, Job>,
    payloads: HashMap<JobId, Sealed>,
    /// The live job of each kind and thing.
    live: HashMap<Kind, JobId>,
    /// The live jobs of each line, in the order they are due.
    lines: BTreeMap<Line, BTreeSet<(DateTime<Utc>, JobId)>>,
    /// How many live jobs an owner has.
    owners: HashMap<Owner, u64>,
    leases: Leases,
    /// When the next turn of what recurs comes.
    periods: HashMap<String, DateTime<Utc>>,
    tallies: BTreeMap<NaiveDate, u64>,
    connections: HashMap<ConnectionId, Connection>,
    /// When each connection's grant was honoured last.
    refreshes: HashMap<ConnectionId, DateTime<Utc>>,
    keys: HashMap<KeyId, ApiKey>,
    tickets: HashMap<(TicketKind, Digest), Ticket>,
    administrator: Option<Administrator>,
    /// When each key was used last.
    key_uses: BTreeMap<KeyId, DateTime<Utc>>,
    audit: BTreeMap<u64, Entry>,
    audit_head: Option<Head>,
}

impl MemoryStore {
    /// An empty store named `instance`.
    pub fn new(instance: InstanceId) -> Self {
        Self { instance, state: Mutex::default(), changes: Changes::new() }
    }

    /// Forgets what no store keeps through the end of its process: who has which job, and who
    /// listens. For tests in which a process ends.
    #[must_use]
    pub fn reopened(&self) -> Self {
        let mut state = self.state();
        let kept = std::mem::take(&mut *state);
        let leases = kept.leases.forgotten();
        Self {
            instance: self.instance,
            state: Mutex::new(State { leases, ..kept }),
            changes: Changes::new(),
        }
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

    fn disk(&self) -> Option<Disk> {
        None
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
        Ok(self.state().prune(now, keep, most))
    }

    async fn beat(&self, _now: DateTime<Utc>, _until: DateTime<Utc>) -> Result<Alive, StoreError> {
        Ok(Alive::ALONE)
    }

    async fn leave(&self, _now: DateTime<Utc>) -> Result<(), StoreError> {
        Ok(())
    }
}
