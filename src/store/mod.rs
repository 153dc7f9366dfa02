//! What the bridge remembers. Each method is one whole step: it happens on disk, all of it, before
//! the answer, or it does not happen.
//!
//! Stores keep ids, times and states in the clear and everything personal as [`Sealed`] envelopes,
//! which they cannot read. `contract` holds what every store promises, as tests.

mod changes;
pub mod contract;
mod job;
pub mod memory;
pub mod sled;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::broadcast;

pub use changes::{Change, Changes};

use crate::model::connection::{AccountTag, Connection};
use crate::model::event::{Event, Known, Wanted};
use crate::model::id::{ConnectionId, EventId, InstanceId, JobId, KeyId};
use crate::model::job::{Cause, Claim, Job, Line, NewJob};
use crate::model::key::{ApiKey, Digest, Ticket, TicketKind};
use crate::model::owner::Owner;
use crate::model::sealed::Sealed;

/// The most bytes of sealed envelopes a record may hold: larger leaves of sled would go to files
/// that it never syncs.
pub const MAX_SEALED: usize = 32_000;

/// Why a store did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Nothing was written, to leave room for finishing what was accepted. Mends itself.
    #[error(
        "the disk has {free} bytes left, less than the {floor} that are kept free (store.min_free_mb)"
    )]
    Full {
        /// Bytes left.
        free: u64,
        /// Bytes to be left.
        floor: u64,
    },
    /// A record is larger than a store takes.
    #[error("a record of {bytes} sealed bytes is larger than the {MAX_SEALED} that are stored")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// A write or a sync failed; what is on disk is not known, and nothing more is acknowledged
    /// until the store was opened anew.
    #[error("the store failed and must be opened anew: {0}")]
    Failed(String),
    /// What is on disk is not what was written.
    #[error("the store is damaged: {0}")]
    Damaged(String),
}

/// Everything the bridge remembers.
#[async_trait]
pub trait Store: EventStore + JobStore + ConnectionStore + AccessStore + Send + Sync {
    /// The store's name, given at its creation.
    fn instance(&self) -> InstanceId;

    /// Listens to what becomes true from now on. A listener that falls behind is told so, and looks
    /// at everything anew.
    fn changes(&self) -> broadcast::Receiver<Change>;

    /// Whether a write would be taken now.
    async fn writable(&self) -> Result<(), StoreError>;

    /// What opens the vault; none in a store that was never used.
    async fn keystone(&self) -> Result<Option<Keystone>, StoreError>;

    /// Keeps what opens the vault. There is one for the life of a store: a second is not taken, and
    /// the first returned.
    async fn lay_keystone(&self, keystone: Keystone) -> Result<Keystone, StoreError>;

    /// Forgets up to `most` records whose time is over: request records, tickets, finished jobs.
    /// Returns how many.
    async fn prune(
        &self,
        now: DateTime<Utc>,
        keep: Retention,
        most: usize,
    ) -> Result<usize, StoreError>;
}

/// What opens the vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keystone {
    /// A known text under the master key: a wrong key does not open it.
    pub canary: Sealed,
    /// The key of keyed hashes, under the master key.
    pub index_key: Sealed,
}

/// How long finished jobs are kept.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Those that did their work.
    pub done: TimeDelta,
    /// Those that were given up.
    pub dead: TimeDelta,
}

/// Events, each with the job that writes it.
#[async_trait]
pub trait EventStore {
    /// Keeps the event, its job and the record of the request together. If the request was seen
    /// before, or there is an event of that id, nothing changes but that the request is remembered.
    async fn accept(&self, accept: Accept, now: DateTime<Utc>) -> Result<Accepted, StoreError>;

    /// The event.
    async fn event(&self, id: EventId) -> Result<Option<Event>, StoreError>;

    /// Replaces what is wanted of an event, if its revision is still the one before, and sees to it
    /// that a job will write it: the one that lives, made due, or `job`.
    async fn change(&self, id: EventId, wanted: Wanted, job: NewJob)
    -> Result<Changed, StoreError>;
}

/// An event to be taken in.
#[derive(Clone, Debug)]
pub struct Accept {
    /// The event.
    pub event: Event,
    /// What will write it.
    pub job: NewJob,
    /// The request that brought it, if it can be repeated.
    pub request: Option<Request>,
}

/// A request that its sender may repeat.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Keyed hash of owner, route and `Idempotency-Key`.
    pub key: Digest,
    /// SHA-256 of the body.
    pub body: Digest,
    /// Until when a repetition is known as one.
    pub expires: DateTime<Utc>,
}

/// What became of an event to be taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is stored.
    New(Event),
    /// It was there already, as shown.
    Known(Event),
    /// The same key came with another body before; nothing is stored.
    OtherBody,
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "made once and taken apart at once")]
pub enum Changed {
    /// It is stored.
    Yes(Event),
    /// Somebody else changed the event first; nothing is stored.
    Overtaken,
    /// There is no such event.
    Missing,
}

/// Jobs and their leases.
#[async_trait]
pub trait JobStore {
    /// Every line with a live job.
    async fn lines(&self) -> Result<Vec<Line>, StoreError>;

    /// Takes up to `n` jobs of `line`, those due first, and hides them from other workers until
    /// `until`. A store with one process may forget its leases when that process ends.
    async fn claim(
        &self,
        line: &Line,
        n: usize,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Claimed, StoreError>;

    /// Ends a claim and keeps what the run learned, both or neither. A job that would end while its
    /// event wants a newer revision than the run read is due again at once instead. If another
    /// worker has the job by now, nothing changes.
    async fn settle(
        &self,
        claim: &Claim,
        ran: Ran,
        now: DateTime<Utc>,
    ) -> Result<Settled, StoreError>;

    /// The job.
    async fn job(&self, id: JobId) -> Result<Option<Job>, StoreError>;

    /// How many jobs there are.
    async fn count_jobs(&self) -> Result<Counts, StoreError>;
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
}

/// Linked accounts.
#[async_trait]
pub trait ConnectionStore {
    /// The connection.
    async fn connection(&self, id: ConnectionId) -> Result<Option<Connection>, StoreError>;

    /// All connections of `owner`, those linked last first.
    async fn connections(&self, owner: &Owner) -> Result<Vec<Connection>, StoreError>;

    /// All connections to one Google account.
    async fn connections_to(&self, account: &AccountTag) -> Result<Vec<Connection>, StoreError>;

    /// Keeps the connection, and `job` with it, if its version is one more than the stored one's, or
    /// 1 where none is stored. Else nothing changes, and the answer is `false`.
    async fn put_connection(
        &self,
        connection: Connection,
        job: Option<NewJob>,
    ) -> Result<bool, StoreError>;
}

/// Keys and tickets.
#[async_trait]
pub trait AccessStore {
    /// Keeps a key, in place of one with the same id.
    async fn put_key(&self, key: ApiKey) -> Result<(), StoreError>;

    /// The key.
    async fn key(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError>;

    /// Every key, those made first first.
    async fn keys(&self) -> Result<Vec<ApiKey>, StoreError>;

    /// Keeps a ticket, in place of one with the same kind and digest.
    async fn put_ticket(&self, ticket: Ticket) -> Result<(), StoreError>;

    /// The ticket, expired or not.
    async fn ticket(&self, kind: TicketKind, digest: &Digest)
    -> Result<Option<Ticket>, StoreError>;

    /// The ticket, which is gone afterwards: only one of several takers gets it.
    async fn take_ticket(
        &self,
        kind: TicketKind,
        digest: &Digest,
    ) -> Result<Option<Ticket>, StoreError>;

    /// Voids every ticket of a kind. Returns how many there were.
    async fn drop_tickets(&self, kind: TicketKind) -> Result<usize, StoreError>;
}

/// Refuses a record whose sealed parts are larger together than a record may hold.
fn fits<'a>(parts: impl IntoIterator<Item = &'a Sealed>) -> Result<(), StoreError> {
    let bytes = parts.into_iter().map(|sealed| sealed.as_bytes().len()).sum();
    if bytes > MAX_SEALED { Err(StoreError::TooLarge { bytes }) } else { Ok(()) }
}
