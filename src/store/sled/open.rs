//! Opens the data directory, or says why that would be unsafe.
//!
//! `lock` · `store/`, sled's · `store.head`, see [`head`](super::head) · for moments `store.new/` and
//! `store.replaced/`, see [`renew`](super::renew). What is found is compared with the head before anything is
//! taken for true.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sled::{Config, Db, Mode};

use super::committer::{Durability, flush};
use super::footing::Footing;
use super::head::{Head, HeadFile, sync_dir};
use super::ledger::Read;
use super::meta::{FORMAT, MetaRow};
use super::{Options, check, keys, migration, sync};
use crate::model::id::InstanceId;
use crate::store::StoreError;
use crate::store::rows::Row;

/// Bytes of a segment of sled's log. sled keeps up to three in memory, so small ones keep an idle
/// process small; but a leaf must stay below a quarter of one, see `ledger::MAX_ROW`.
const SEGMENT: usize = 4 << 20;
/// sled's own thread writes what lies in memory, which the committer has done by then, and makes segments
/// free again: of those half empty about one each time, so that it must come often to keep up with a busy store.
const TIDY_EVERY_MS: u64 = 100;
/// How many times, [`RETRY`] apart, a `db` file that something still holds is tried again: sled's
/// own threads let go of it a moment after it was closed.
const TRIES: usize = 200;
const RETRY: Duration = Duration::from_millis(10);

/// Why a store was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process works on the data directory.
    #[error("{} is in use by {holder}: stop it first, or set another data_dir", data_dir.display())]
    Held {
        /// The directory.
        data_dir: PathBuf,
        /// Who has it, as far as is known.
        holder: String,
    },
    /// What is there is not what was written.
    #[error(
        "the store in {} is damaged: {found}. Put the whole data directory back from a backup, or \
         move `store` and all that is called `store.…` aside to begin empty; repeated requests find their events again",
        data_dir.display()
    )]
    Damaged {
        /// The directory.
        data_dir: PathBuf,
        /// What was found.
        found: String,
    },
    /// A later release wrote it.
    #[error(
        "the store in {} was written by a later release (format {format}, this one knows {FORMAT}): \
         run that release, or put a backup back",
        data_dir.display()
    )]
    Newer {
        /// The directory.
        data_dir: PathBuf,
        /// Its format.
        format: u32,
    },
    /// The system refused.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl OpenError {
    /// For `map_err`: what was being done, and with what.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}

/// Why a store's rows need not be read to know that they are all there.
#[derive(Clone, Copy, Debug)]
enum Trust {
    /// It was closed, and its file is as long as it was then.
    Closed,
    /// Whoever had it was killed, and the machine went on.
    Killed,
    /// It has to be seen.
    None,
}

/// Where everything lies.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub data_dir: PathBuf,
    pub store: PathBuf,
    /// A store in the making.
    pub nascent: PathBuf,
    /// What a store was before it was made anew.
    pub former: PathBuf,
    pub db: PathBuf,
    pub head: PathBuf,
}

/// An opened store.
pub(super) struct Opened {
    pub db: Db,
    pub meta: MetaRow,
    pub head: HeadFile,
    pub durability: Durability,
}

impl Layout {
    /// The layout of a data directory, which is made if it is missing.
    pub(super) fn of(data_dir: &Path) -> Result<Self, OpenError> {
        make_dirs(data_dir).map_err(OpenError::io("make", data_dir))?;
        let store = data_dir.join("store");
        Ok(Self {
            data_dir: data_dir.to_owned(),
            nascent: data_dir.join("store.new"),
            former: data_dir.join("store.replaced"),
            db: store.join("db"),
            head: data_dir.join("store.head"),
            store,
        })
    }

    /// Opens the store that is there, or makes one named `fresh`.
    pub(super) fn open(&self, fresh: InstanceId, options: &Options) -> Result<Opened, OpenError> {
        self.warn_of_filesystem();
        let head = HeadFile::open(&self.head).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => self.damaged("`store.head` cannot be read"),
            _ => OpenError::io("read", &self.head)(error),
        })?;
        let head = match (head, self.store.exists()) {
            (None, false) if self.former.exists() => {
                return Err(self.damaged(
                    "there is neither a `store` nor a `store.head`, but a `store.replaced`, and `store.new` may \
                     be what took its place",
                ));
            }
            (None, false) => self.create(fresh, options.cache)?,
            (None, true) => {
                return Err(self.damaged("there is a `store` but no `store.head` beside it"));
            }
            (Some(head), false) if self.nascent.exists() => {
                self.take_place()?;
                head
            }
            (Some(_), false) => {
                return Err(self.damaged("there is a `store.head` but no `store` beside it"));
            }
            (Some(head), true) => head,
        };
        self.open_known(head, options)
    }

    /// Makes an empty store aside, then its head, then moves it to its place: cut short anywhere,
    /// the next start can tell how far it came.
    fn create(&self, fresh: InstanceId, cache: u64) -> Result<HeadFile, OpenError> {
        if self.nascent.exists() {
            fs::remove_dir_all(&self.nascent).map_err(OpenError::io("remove", &self.nascent))?;
        }
        let (db, _) = self.open_sled(&self.nascent, cache)?;
        let meta = MetaRow {
            format: FORMAT,
            instance: fresh.as_u128(),
            sequence: 1,
            openings: 0,
            rows: std::collections::BTreeMap::new(),
        };
        let written = db.insert(keys::tally(), meta.encode()).and_then(|_| db.flush());
        written.map_err(|error| self.sled_failed(error))?;
        drop(db);
        let db_file = self.nascent.join("db");
        let db_bytes = settle_db(&db_file).map_err(OpenError::io("sync", &db_file))?;
        sync_files(&self.nascent).map_err(OpenError::io("sync", &self.nascent))?;
        // Before there is a head: one without a store is taken for a loss.
        sync_dir(&self.data_dir).map_err(OpenError::io("sync", &self.data_dir))?;
        let head = Head { instance: fresh, sequence: 1, db_bytes, clean: true, footing: None };
        let head = HeadFile::create(&self.head, head);
        let head = head.map_err(OpenError::io("write", &self.head))?;
        self.take_place()?;
        Ok(head)
    }

    fn take_place(&self) -> Result<(), OpenError> {
        fs::rename(&self.nascent, &self.store).map_err(OpenError::io("rename", &self.nascent))?;
        sync_dir(&self.data_dir).map_err(OpenError::io("sync", &self.data_dir))
    }

    /// Opens a store that must be as far as its head says.
    fn open_known(&self, mut file: HeadFile, options: &Options) -> Result<Opened, OpenError> {
        let bytes = fs::metadata(&self.db).map_or(0, |found| found.len());
        if bytes == 0 {
            return Err(self.damaged("the file `store/db` is missing or empty"));
        }
        let as_closed = file.head.clean && bytes == file.head.db_bytes;
        let footing = options.boot.as_deref().and_then(|boot| Footing::of(&self.db, boot));
        let stands =
            footing.is_some() && footing == file.head.footing && bytes >= file.head.db_bytes;
        let trust = match (stands, as_closed) {
            (true, _) => Trust::Killed,
            (false, true) => Trust::Closed,
            (false, false) => Trust::None,
        };
        // Whatever comes of this, the next start must not trust that the store was closed, nor that
        // nothing happened to it since.
        let head = Head { clean: false, footing: None, ..file.head };
        file.keep(head).map_err(OpenError::io("write", &self.head))?;
        let (db, panicked) = self.open_sled(&self.store, options.cache)?;
        let trust = if panicked { Trust::None } else { trust };
        let meta = self.guarded(|| self.compare(&db, &head, trust))?;
        let meta = migration::bring(&db, meta).map_err(|error| self.unsound(error))?;
        let (meta, durability) = self.first_write(&db, meta)?;
        let found = fs::metadata(&self.db).map_err(OpenError::io("look at", &self.db))?;
        let (sequence, db_bytes) = (meta.sequence, found.len());
        let head = Head { sequence, db_bytes, footing, ..head };
        file.keep(head).map_err(OpenError::io("write", &self.head))?;
        self.drop_leftovers();
        Ok(Opened { db, meta, head: file, durability })
    }

    /// Holds the store against its head and, unless it is known to be whole, every row against the
    /// others.
    fn compare(&self, db: &Db, head: &Head, trust: Trust) -> Result<MetaRow, OpenError> {
        let found = Read::get(&**db, &keys::tally()).map_err(|error| self.unsound(error))?;
        let Some(found) = found else {
            return Err(self.damaged("it holds nothing, though its head says otherwise"));
        };
        let meta = MetaRow::decode(&found).map_err(|error| self.unsound(error))?;
        if meta.format > FORMAT {
            return Err(OpenError::Newer { data_dir: self.data_dir.clone(), format: meta.format });
        }
        let instance = InstanceId::from_u128(meta.instance);
        if instance != head.instance {
            let told =
                format!("`store.head` is of the store {}, this is {instance}", head.instance);
            return Err(self.damaged(told));
        }
        if meta.sequence < head.sequence {
            let told = format!(
                "its newest batch is number {}, but number {} was written",
                meta.sequence, head.sequence
            );
            return Err(self.damaged(told));
        }
        // The last batch of a killed process may be in the store and not yet in the head.
        let whole = match trust {
            Trust::Closed => meta.sequence == head.sequence,
            Trust::Killed => true,
            Trust::None => false,
        };
        if !whole {
            check::every_row(db, &meta).map_err(|error| self.unsound(error))?;
        }
        Ok(meta)
    }

    /// Writes, flushes, and sees whether the flush came through our sync.
    fn first_write(&self, db: &Db, mut meta: MetaRow) -> Result<(MetaRow, Durability), OpenError> {
        meta.sequence += 1;
        meta.openings += 1;
        let before = sync::calls();
        let written = db.insert(keys::tally(), meta.encode()).and_then(|_| db.flush());
        written.map_err(|error| self.sled_failed(error))?;
        let durability = if sync::calls() > before {
            Durability::Interposed
        } else {
            if cfg!(target_os = "linux") {
                tracing::warn!(
                    "sled does not sync through calbridge in this build; syncing after it instead"
                );
            }
            Durability::own(&self.db).map_err(OpenError::io("open", &self.db))?
        };
        flush(db, &durability).map_err(|error| self.unsound(error))?;
        for path in [&self.db, &self.store, &self.data_dir] {
            sync_dir(path).map_err(OpenError::io("sync", path))?;
        }
        Ok((meta, durability))
    }

    /// Opens sled's directory, and says whether sled panicked at it first. At a torn end of its file it
    /// may, and has emptied that end by then: it is asked a second time, and what it then has must be seen.
    pub(super) fn open_sled(&self, path: &Path, cache: u64) -> Result<(Db, bool), OpenError> {
        drop_unfinished_snapshots(path).map_err(OpenError::io("tidy up", path))?;
        let mut panicked = false;
        let mut tries = 0;
        loop {
            let config = Config::new()
                .path(path)
                .mode(Mode::LowSpace)
                .segment_size(SEGMENT)
                .cache_capacity(cache)
                .flush_every_ms(Some(TIDY_EVERY_MS));
            tries += 1;
            match catch_unwind(AssertUnwindSafe(|| config.open())) {
                Ok(Ok(db)) => return Ok((db, panicked)),
                Ok(Err(sled::Error::Io(error)))
                    if tries < TRIES && error.to_string().contains("could not acquire lock") =>
                {
                    std::thread::sleep(RETRY);
                }
                Ok(Err(error)) => return Err(self.sled_failed(error)),
                Err(_) if panicked => return Err(self.damaged("reading it made sled panic")),
                Err(_) => panicked = true,
            }
        }
    }

    fn guarded<T>(&self, work: impl FnOnce() -> Result<T, OpenError>) -> Result<T, OpenError> {
        catch_unwind(AssertUnwindSafe(work))
            .unwrap_or_else(|_| Err(self.damaged("reading it made sled panic")))
    }

    fn sled_failed(&self, error: sled::Error) -> OpenError {
        match error {
            sled::Error::Io(source) => OpenError::io("open", &self.store)(source),
            other => self.damaged(other.to_string()),
        }
    }

    fn unsound(&self, error: StoreError) -> OpenError {
        match error {
            StoreError::Damaged(found) => self.damaged(found),
            other => self.damaged(other.to_string()),
        }
    }

    fn damaged(&self, found: impl Into<String>) -> OpenError {
        OpenError::Damaged { data_dir: self.data_dir.clone(), found: found.into() }
    }

    #[cfg(target_os = "linux")]
    fn warn_of_filesystem(&self) {
        let Ok(found) = rustix::fs::statfs(&self.data_dir) else { return };
        let name = match found.f_type {
            0x9123_683E => "btrfs",
            0x6969 => "NFS",
            0x517B | 0xFF53_4D42 | 0xFE53_4D42 => "a Windows share",
            _ => return,
        };
        tracing::warn!(
            data_dir = %self.data_dir.display(),
            "data_dir is on {name}, where sled is known to lose or damage data: use a local ext4 or XFS"
        );
    }

    #[cfg(not(target_os = "linux"))]
    fn warn_of_filesystem(&self) {}
}

/// Makes a directory and what it lies in, and their names durable: a store is as lost as the name of
/// any directory above it.
fn make_dirs(path: &Path) -> io::Result<()> {
    let made: Vec<_> = path.ancestors().take_while(|path| !path.exists()).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    for parent in made.into_iter().filter_map(Path::parent) {
        // What a relative path begins in has no name.
        sync_dir(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })?;
    }
    Ok(())
}

/// Makes everything in a directory durable. sled never syncs its `conf`, without which the store does
/// not open.
pub(super) fn sync_files(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        sync_dir(&entry?.path())?;
    }
    sync_dir(directory)
}

/// Removes the snapshots of its pages that sled did not finish: it takes the newest for whole, and
/// would refuse to open. They are written while it opens, aside, and renamed once they are synced.
fn drop_unfinished_snapshots(store: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(store) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Waits until sled has let go of its file, syncs it, and returns its length.
pub(super) fn settle_db(db_file: &Path) -> io::Result<u64> {
    let file = File::options().write(true).open(db_file)?;
    for _ in 0..TRIES {
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                file.sync_all()?;
                return Ok(file.metadata()?.len());
            }
            Err(rustix::io::Errno::WOULDBLOCK) => std::thread::sleep(RETRY),
            Err(error) => return Err(error.into()),
        }
    }
    Err(io::Error::new(io::ErrorKind::WouldBlock, "sled does not let go of it"))
}
