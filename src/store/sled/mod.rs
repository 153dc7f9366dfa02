//! The store on one machine's disk: sled 0.34.7, with what it lacks put right.
//!
//! Evidence and reasons: `docs/decisions/0005-store-rows.md`. Writes go through one thread, see
//! `committer`; reads go straight to the tree, but for what `recall` keeps.

mod access;
mod administrator;
mod audit;
mod backup;
mod check;
mod claims;
mod committer;
mod connections;
mod envelopes;
mod events;
mod footing;
mod head;
mod items;
mod jobs;
mod keys;
mod ledger;
mod lines;
mod lists;
mod lock;
mod meta;
mod migration;
mod open;
mod periods;
mod recall;
mod renew;
mod shown;
mod sync;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sled::Tree;
use tokio::sync::broadcast;

pub use open::OpenError;

use super::rows::KeystoneRow;
use super::{Alive, Change, Changes, Disk, Keystone, Retention, Store, StoreError, fits};
use crate::model::id::InstanceId;
use crate::model::key::Digest;
use committer::{Committer, Desk, Durability};
use head::Head;
use ledger::{Ledger, Read};
use lock::Lock;
use open::{Layout, settle_db};
use recall::Recall;
use renew::Looked;
use shown::Shown;

/// How a store on disk behaves.
#[derive(Clone)]
pub struct Options {
    /// Bytes of the disk to be left free: below it nothing new is taken in.
    pub min_free: u64,
    /// Bytes of memory for pages that were read.
    pub cache: u64,
    /// Tells how many bytes are free where a path lies.
    pub free_space: FreeSpace,
    /// What this run of the machine is called; without that, each start after a kill reads every row.
    pub boot: Option<String>,
    /// A file of fewer bytes is never made anew, however little is left in it.
    pub renew_from: u64,
}

/// Tells how many bytes are free where a path lies.
pub type FreeSpace = Arc<dyn Fn(&Path) -> io::Result<u64> + Send + Sync>;

impl Default for Options {
    /// 200 MB kept free, 4 MB of cache, files of 64 MiB made anew, and the system asked for the rest.
    fn default() -> Self {
        Self {
            min_free: 200_000_000,
            cache: 4 << 20,
            free_space: Arc::new(free_space),
            boot: footing::boot(),
            renew_from: 64 << 20,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { min_free, cache, free_space: _, boot, renew_from } = self;
        let mut out = out.debug_struct("Options");
        out.field("min_free", min_free).field("cache", cache).field("boot", boot);
        out.field("renew_from", renew_from);
        out.finish_non_exhaustive()
    }
}

fn free_space(path: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(path)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Asks whether there is room on the disk.
struct Probe {
    data_dir: PathBuf,
    min_free: u64,
    free_space: FreeSpace,
}

impl Probe {
    fn must_have_room(&self) -> Result<(), StoreError> {
        match (self.free_space)(&self.data_dir) {
            Ok(free) if free < self.min_free => {
                Err(StoreError::Full { free, floor: self.min_free })
            }
            Ok(_) => Ok(()),
            Err(error) => {
                tracing::warn!(%error, "cannot tell how much of the disk is free");
                Ok(())
            }
        }
    }

    /// Whether so many bytes can be taken for a moment, and nothing is refused for that which is
    /// not refused now.
    fn has_room_for(&self, bytes: u64) -> bool {
        (self.free_space)(&self.data_dir).is_ok_and(|free| {
            let left = free.checked_sub(bytes);
            left.is_some_and(|left| left >= self.min_free || free < self.min_free)
        })
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Probe").field("min_free", &self.min_free).finish_non_exhaustive()
    }
}

/// A store on disk. Dropping it finishes what waits and closes it.
pub struct SledStore {
    instance: InstanceId,
    committer: Committer,
    changes: Arc<Changes>,
    recall: Arc<Recall>,
    probe: Arc<Probe>,
    layout: Layout,
    sync_is_interposed: bool,
    shown: Arc<Shown>,
    renew_from: u64,
    looked: Mutex<Option<Looked>>,
    next_look: Mutex<Digest>,
    _lock: Lock,
}

impl SledStore {
    /// Opens the store in `data_dir`, or makes one named `fresh` if there was never any. Reads
    /// every row of one that was neither closed nor left by a process that was killed in this run of
    /// the machine, so it may take a while: call it where blocking is fine.
    pub fn open(
        data_dir: &Path,
        fresh: InstanceId,
        now: DateTime<Utc>,
        options: &Options,
    ) -> Result<Self, OpenError> {
        let layout = Layout::of(data_dir)?;
        let lock = Lock::take(data_dir, now)?;
        let opened = layout.open(fresh, options)?;
        let probe = Arc::new(Probe {
            data_dir: data_dir.to_owned(),
            min_free: options.min_free,
            free_space: Arc::clone(&options.free_space),
        });
        let (changes, recall) = (Arc::new(Changes::new()), Arc::new(Recall::default()));
        let instance = opened.head.head.instance;
        let tree = (*opened.db).clone();
        let shown = Arc::new(Shown::new(tree.clone()));
        let sync_is_interposed = matches!(opened.durability, Durability::Interposed);
        let committer = Committer::start(Desk {
            ledger: Ledger::new(tree.clone(), opened.meta, Arc::clone(&probe)),
            tree,
            durability: opened.durability,
            head: opened.head,
            layout: layout.clone(),
            cache: options.cache,
            boot: options.boot.clone(),
            changes: Arc::clone(&changes),
            recall: Arc::clone(&recall),
            shown: Arc::clone(&shown),
        });
        let committer = committer.map_err(OpenError::io("start the thread for", &layout.store))?;
        Ok(Self {
            instance,
            committer,
            changes,
            recall,
            probe,
            layout,
            sync_is_interposed,
            shown,
            renew_from: options.renew_from,
            looked: Mutex::default(),
            next_look: Mutex::default(),
            _lock: lock,
        })
    }

    /// Returns once a write or a sync failed, and says how: nothing was acknowledged since, and the
    /// process should end and start again.
    pub async fn failed(&self) -> StoreError {
        self.committer.failed().await
    }

    /// Whether sled's own syncs are real, as they are on Linux unless the linker took another
    /// function than ours. Else each flush is followed by a sync, which is a little weaker.
    pub fn sync_is_interposed(&self) -> bool {
        self.sync_is_interposed
    }

    /// Finishes what waits and closes the store, so that no later opening need read it all.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.shut()
    }

    fn shut(&mut self) -> Result<(), StoreError> {
        if !self.shown.close() {
            return Ok(());
        }
        let last = self.committer.stop();
        self.committer.check()?;
        let Some(mut file) = last else { return Ok(()) };
        let closed = settle_db(&self.layout.db)
            .and_then(|db_bytes| file.keep(Head { db_bytes, clean: true, ..file.head }));
        closed.map_err(|error| StoreError::Failed(format!("closing: {error}")))
    }

    /// Where the next look for requests whose time is over begins.
    fn next_look(&self) -> MutexGuard<'_, Digest> {
        self.next_look.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was written, for reading.
    fn read(&self) -> Result<Tree, StoreError> {
        self.committer.check()?;
        self.shown.tree()
    }

    /// Reads much of what was written, where blocking is fine.
    async fn read_aside<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Tree) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let tree = self.read()?;
        let read = tokio::task::spawn_blocking(move || read(&tree));
        read.await.map_err(|_| StoreError::Damaged("reading it panicked".to_owned()))?
    }
}

impl fmt::Debug for SledStore {
    /// Names the store and where it lies; sled would print its rows.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { instance, layout, .. } = self;
        let mut told = out.debug_struct("SledStore");
        told.field("instance", instance).field("data_dir", &layout.data_dir);
        told.finish_non_exhaustive()
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        if let Err(error) = self.shut() {
            tracing::error!(error = &error as &dyn std::error::Error, "the store did not close");
        }
    }
}

#[async_trait]
impl Store for SledStore {
    fn instance(&self) -> InstanceId {
        self.instance
    }

    fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.listen()
    }

    async fn writable(&self) -> Result<(), StoreError> {
        self.committer.check()?;
        self.probe.must_have_room()
    }

    fn disk(&self) -> Option<Disk> {
        let Probe { data_dir, min_free, free_space } = &*self.probe;
        free_space(data_dir).ok().map(|free| Disk { free, floor: *min_free })
    }

    async fn keystone(&self) -> Result<Option<Keystone>, StoreError> {
        let row: Option<KeystoneRow> = self.read()?.row(&keys::keystone())?;
        Ok(row.map(Keystone::from))
    }

    async fn lay_keystone(&self, keystone: Keystone) -> Result<Keystone, StoreError> {
        fits([&keystone.canary, &keystone.index_key])?;
        let step = move |ledger: &mut Ledger| {
            if let Some(first) = ledger.row::<KeystoneRow>(&keys::keystone())? {
                return Ok(first.into());
            }
            ledger.must_have_room()?;
            ledger.put(keys::keystone(), &KeystoneRow::from(&keystone))?;
            Ok(keystone)
        };
        self.committer.commit(step).await
    }

    async fn prune(
        &self,
        now: DateTime<Utc>,
        keep: Retention,
        most: usize,
    ) -> Result<usize, StoreError> {
        let from = *self.next_look();
        let look = move |tree: &Tree| events::over_requests(tree, from, now, most);
        let (over, next) = self.read_aside(look).await?;
        *self.next_look() = next;
        let step = move |ledger: &mut Ledger| {
            let mut left = most;
            left -= events::forget_requests(ledger, over, now)?;
            left -= access::prune_tickets(ledger, now, left)?;
            left -= jobs::prune(ledger, now, keep, left)?;
            left -= events::prune(ledger, now, keep, left)?;
            left -= items::prune(ledger, now, keep, left)?;
            left -= periods::prune_tallies(ledger, now, left)?;
            Ok(most - left)
        };
        let forgotten = self.committer.commit(step).await?;
        if forgotten < most {
            self.renew_if_worth().await?;
        }
        Ok(forgotten)
    }

    async fn beat(&self, _now: DateTime<Utc>, _until: DateTime<Utc>) -> Result<Alive, StoreError> {
        self.committer.check()?;
        Ok(Alive::ALONE)
    }

    async fn leave(&self, _now: DateTime<Utc>) -> Result<(), StoreError> {
        Ok(())
    }
}
