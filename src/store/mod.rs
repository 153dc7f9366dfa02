//! What the bridge remembers. Each method is one whole step: it happens on disk, all of it, before
//! the answer, or it does not happen.
//!
//! Stores keep ids, times and states in the clear and everything personal as [`Sealed`] envelopes,
//! which they cannot read. `contract` holds what every store promises, as tests.

mod changes;
pub mod contract;
mod envelope;
mod event;
mod history;
mod item;
mod job;
mod leases;
pub mod memory;
mod period;
pub mod postgres;
mod record;
mod rows;
pub mod sled;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{broadcast, mpsc};

pub use changes::{Change, Changes};
pub use envelope::{Bound, Envelope, EnvelopeStore, Reseal, Spot};
pub use event::{
    Accept, Accepted, Backlog, Changed, Crowd, EventFilter, EventStore, Place, Request, SourceKind,
};
pub use history::History;
pub use item::{Asked, ItemStore, Kept, Mark, Step};
pub use job::{Claimed, Counts, Fate, JobStore, Learned, Ran, Settled, Touched, Which};
pub use period::{PeriodStore, Turn};
pub use record::Record;

use crate::model::administrator::Administrator;
use crate::model::audit::{Act, Entry, Head};
use crate::model::connection::{AccountTag, Connection};
use crate::model::id::{ConnectionId, InstanceId, KeyId};
use crate::model::job::NewJob;
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
    /// The database cannot be reached, or cannot work at present; what was asked is not known to have
    /// happened. Mends itself.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// What is on disk is not what was written.
    #[error("the store is damaged: {0}")]
    Damaged(String),
}

/// Everything the bridge remembers.
#[async_trait]
pub trait Store:
    EventStore
    + ItemStore
    + JobStore
    + PeriodStore
    + ConnectionStore
    + AccessStore
    + AdministratorStore
    + EnvelopeStore
    + AuditStore
    + Backup
    + Send
    + Sync
{
    /// The store's name, given at its creation.
    fn instance(&self) -> InstanceId;

    /// Listens to what becomes true from now on. A listener that falls behind is told so, and looks
    /// at everything anew.
    fn changes(&self) -> broadcast::Receiver<Change>;

    /// Whether a write would be taken now.
    async fn writable(&self) -> Result<(), StoreError>;

    /// What is free of the disk, where the store lies on one of this machine's and can tell.
    fn disk(&self) -> Option<Disk>;

    /// What opens the vault; none in a store that was never used.
    async fn keystone(&self) -> Result<Option<Keystone>, StoreError>;

    /// Keeps what opens the vault. There is one for the life of a store: a second is not taken, and
    /// the first returned.
    async fn lay_keystone(&self, keystone: Keystone) -> Result<Keystone, StoreError>;

    /// Forgets up to `most` records whose time is over: request records, tickets, finished jobs,
    /// events long past or cancelled, which have no live job, deleted items, and tallies of days 40
    /// days ago.
    /// Returns how many; with an event its content is forgotten too.
    async fn prune(
        &self,
        now: DateTime<Utc>,
        keep: Retention,
        most: usize,
    ) -> Result<usize, StoreError>;

    /// Says that this process lives, until `until`. Of several processes on one store each gets its
    /// share of the work.
    async fn beat(&self, now: DateTime<Utc>, until: DateTime<Utc>) -> Result<Alive, StoreError>;

    /// Hands back what this process holds, so that others need not wait for its end.
    async fn leave(&self, now: DateTime<Utc>) -> Result<(), StoreError>;
}

/// What is free of a store's disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Bytes.
    pub free: u64,
    /// With fewer than so many nothing new is taken in.
    pub floor: u64,
}

impl Disk {
    /// Bytes that may be taken before nothing new is.
    pub fn left(self) -> u64 {
        self.free.saturating_sub(self.floor)
    }
}

/// What a sign of life brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alive {
    /// This process's part of the work.
    pub beat: Beat,
    /// When the first of the other processes is taken for dead, unless it gives another sign of life;
    /// none if there is no other.
    pub lapse: Option<DateTime<Utc>>,
}

impl Alive {
    /// What the only process there is learns.
    pub const ALONE: Self = Self { beat: Beat::ALONE, lapse: None };
}

/// A process's part of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// How many processes share the work: each may spend this part of the project's quota.
    pub nodes: u32,
    /// Whether this one does what one alone must do: periodic work.
    pub leads: bool,
}

impl Beat {
    /// The only process there is.
    pub const ALONE: Self = Self { nodes: 1, leads: true };
}

/// What opens the vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keystone {
    /// A known text under the master key: a wrong key does not open it.
    pub canary: Sealed,
    /// The key of keyed hashes, under the master key.
    pub index_key: Sealed,
}

/// How long what is over is kept.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Jobs that did their work or were taken back.
    pub done: TimeDelta,
    /// Jobs that were given up.
    pub dead: TimeDelta,
    /// Events, after they are over.
    pub past: TimeDelta,
    /// Cancelled events and deleted items, after they were.
    pub tombstones: TimeDelta,
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

    /// Up to `most` connections, whosever they are, in the order of their ids, those after `after`.
    async fn all_connections(
        &self,
        after: Option<ConnectionId>,
        most: usize,
    ) -> Result<Vec<Connection>, StoreError>;

    /// Writes down when Google last honoured a connection's grant. It is no part of the connection's
    /// own row, nor of an export: a restored store learns it at the next refresh.
    async fn note_refresh(&self, id: ConnectionId, at: DateTime<Utc>) -> Result<(), StoreError>;

    /// When that was; none if nobody wrote it down.
    async fn last_refresh(&self, id: ConnectionId) -> Result<Option<DateTime<Utc>>, StoreError>;

    /// Keeps the connection, and `job` and the entry of `act` with it, if its version is one more than
    /// the stored one's, or 1 where none is stored. Else nothing changes, and the answer is `false`.
    async fn put_connection(
        &self,
        connection: Connection,
        job: Option<NewJob>,
        act: Act,
    ) -> Result<bool, StoreError>;
}

/// Keys and tickets.
#[async_trait]
pub trait AccessStore {
    /// Keeps a key, in place of one with the same id, and the entry of `act` with it.
    async fn put_key(&self, key: ApiKey, act: Act) -> Result<(), StoreError>;

    /// The key.
    async fn key(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError>;

    /// Every key, those made first first.
    async fn keys(&self) -> Result<Vec<ApiKey>, StoreError>;

    /// Keeps a ticket, in place of one with the same kind and digest.
    async fn put_ticket(&self, ticket: Ticket) -> Result<(), StoreError>;

    /// The ticket, expired or not.
    async fn ticket(&self, kind: TicketKind, digest: &Digest)
    -> Result<Option<Ticket>, StoreError>;

    /// Moves a ticket's end, if the ticket is still there. Says whether it is.
    async fn prolong_ticket(
        &self,
        kind: TicketKind,
        digest: &Digest,
        expires: DateTime<Utc>,
    ) -> Result<bool, StoreError>;

    /// The ticket, which is gone afterwards: only one of several takers gets it.
    async fn take_ticket(
        &self,
        kind: TicketKind,
        digest: &Digest,
    ) -> Result<Option<Ticket>, StoreError>;

    /// Voids every ticket of a kind. Returns how many there were.
    async fn drop_tickets(&self, kind: TicketKind) -> Result<usize, StoreError>;
}

/// Who did what: a chain that only grows.
#[async_trait]
pub trait AuditStore {
    /// Writes an act down, as the entry after the last.
    async fn append(&self, act: Act) -> Result<Entry, StoreError>;

    /// Up to `most` entries whose numbers are greater than `after`, in their order.
    async fn audit(&self, after: u64, most: usize) -> Result<Vec<Entry>, StoreError>;

    /// The end of the chain, as it was written with the last entry.
    async fn audit_head(&self) -> Result<Head, StoreError>;
}

/// The administrator's account, and when keys were used.
#[async_trait]
pub trait AdministratorStore {
    /// The account; none as long as no password was set.
    async fn administrator(&self) -> Result<Option<Administrator>, StoreError>;

    /// Keeps the account, in place of the one before, voids every session, and keeps the entry of
    /// `act` with it.
    async fn put_administrator(
        &self,
        administrator: Administrator,
        act: Act,
    ) -> Result<(), StoreError>;

    /// Keeps when keys were used, where that is later than what is known.
    async fn note_uses(&self, uses: Vec<(KeyId, DateTime<Utc>)>) -> Result<(), StoreError>;

    /// When each key was used last, of those that ever were.
    async fn last_uses(&self) -> Result<Vec<(KeyId, DateTime<Utc>)>, StoreError>;
}

/// The whole store, out and in.
#[async_trait]
pub trait Backup {
    /// Sends every record to `into`, all as they are at one moment: what is written meanwhile waits,
    /// or is not among them. Ends early if nobody receives any more.
    async fn export(&self, into: mpsc::Sender<Record>) -> Result<(), StoreError>;

    /// Keeps these records of an export, all of them in one step, in any order. One that is there
    /// already stays as it is. Nobody is told: a store is restored before it is served.
    async fn restore(&self, records: Vec<Record>) -> Result<(), StoreError>;
}

/// Refuses a record whose sealed parts are larger together than a record may hold.
fn fits<'a>(parts: impl IntoIterator<Item = &'a Sealed>) -> Result<(), StoreError> {
    let bytes = parts.into_iter().map(|sealed| sealed.as_bytes().len()).sum();
    if bytes > MAX_SEALED { Err(StoreError::TooLarge { bytes }) } else { Ok(()) }
}
