//! Makes the store anew where its file has become far too large for what it still holds. sled uses room
//! again, but gives hardly any back once much was forgotten at once.
//!
//! All rows are copied to a store beside it, which then takes its place by two renamings, each of them
//! synced: cut short before the first, the old store is there; between them, the next start ends what
//! was begun, as it does with a store in the making; after them, the new one is there.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use sled::{Batch, Tree};

use super::committer::{Desk, Durability, flush, head_failed, length};
use super::footing::Footing;
use super::head::{Head, sync_dir};
use super::ledger::{Read, failed};
use super::meta::MetaRow;
use super::open::{Layout, OpenError, sync_files};
use super::shown::Shown;
use super::{SledStore, check, keys};
use crate::store::StoreError;
use crate::store::rows::Row;

/// The file is at least so many times as long as what it holds, which sled makes two or three times
/// as long itself.
const TIMES: u64 = 8;
/// No more bytes than this are copied: nothing is written meanwhile.
const MOST: u64 = 64 << 20;
/// Beside four times what is copied, so many bytes are free on the disk.
const SPARE: u64 = 32 << 20;
/// So many bytes are copied in one step.
const PART: usize = 1 << 20;

/// Why the store stayed as it was.
#[derive(Debug, thiserror::Error)]
enum Stays {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("`store` is no directory of data_dir's own disk")]
    Elsewhere,
    #[error("copying it panicked")]
    Panicked,
    /// There is none in its place.
    #[error("{0}")]
    Halfway(io::Error),
}

/// How large a store was when it was looked at, and stayed as it was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looked {
    rows: u64,
    bytes: u64,
}

impl Looked {
    /// Whether another look is worth its reading.
    fn is_past(self, now: Self) -> bool {
        now.rows <= self.rows / 2 || now.bytes >= self.bytes * 2
    }
}

impl SledStore {
    /// Makes the store anew if nearly all of its file is free.
    pub(super) async fn renew_if_worth(&self) -> Result<(), StoreError> {
        let bytes = fs::metadata(&self.layout.db).map_or(0, |found| found.len());
        if bytes < self.renew_from {
            return Ok(());
        }
        let meta: Option<MetaRow> = self.read()?.row(&keys::tally())?;
        let now = Looked { rows: meta.map_or(0, |meta| meta.all_rows()), bytes };
        if self.looked().is_some_and(|looked| !looked.is_past(now)) {
            return Ok(());
        }
        let (most, shown) = (MOST.min(bytes / TIMES), Arc::clone(&self.shown));
        let held = self.read_aside(move |tree| weigh(tree, most, &shown)).await?;
        let Some(held) = held else {
            *self.looked() = Some(now);
            return Ok(());
        };
        if !self.probe.has_room_for(4 * held + SPARE) {
            return Ok(());
        }
        let renewed = self.committer.between_batches(Desk::renew).await?;
        *self.looked() = if renewed.is_some() { None } else { Some(now) };
        let Some(tidying) = renewed else { return Ok(()) };
        let after = fs::metadata(&self.layout.db).map_or(0, |found| found.len());
        tracing::info!(
            bytes,
            after,
            "the store was made anew, since hardly anything was left in it"
        );
        let tidied = tokio::task::spawn_blocking(move || tidying.join().is_ok()).await;
        if !tidied.is_ok_and(|tidied| tidied) {
            tracing::warn!("what the store was before it was made anew was not tidied away");
        }
        Ok(())
    }

    fn looked(&self) -> MutexGuard<'_, Option<Looked>> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many bytes the rows have, if no more than `most`.
fn weigh(tree: &Tree, most: u64, shown: &Shown) -> Result<Option<u64>, StoreError> {
    let mut bytes = 0;
    for found in tree {
        let (key, row) = found.map_err(failed)?;
        bytes += (key.len() + row.len()) as u64;
        // Whoever closes the store waits for this.
        if bytes > most || !shown.is_open() {
            return Ok(None);
        }
    }
    Ok(Some(bytes))
}

impl Desk {
    /// Makes the store anew, if it can. Returns what tidies away the one it was. An error is one that leaves
    /// no store to go on with.
    fn renew(&mut self) -> Result<Option<JoinHandle<()>>, StoreError> {
        if !self.shown.is_open() {
            return Ok(None);
        }
        let made = catch_unwind(AssertUnwindSafe(|| {
            let copied = self.copy()?;
            self.layout.exchange()?;
            Ok(copied)
        }));
        let (tree, durability) = match made.unwrap_or(Err(Stays::Panicked)) {
            Ok(copied) => copied,
            Err(Stays::Halfway(error)) => {
                return Err(StoreError::Failed(format!("taking its place: {error}")));
            }
            Err(stays) => {
                tracing::warn!(
                    error = &stays as &dyn std::error::Error,
                    "the store's file stays as large as it is"
                );
                self.layout.drop_leftovers();
                // A sync that failed is the end, whichever of the two it was for.
                return flush(&self.tree, &self.durability).map(|()| None);
            }
        };
        self.shown.go_on_with(tree.clone());
        self.ledger.go_on_with(tree.clone());
        let was = std::mem::replace(&mut self.tree, tree);
        self.durability = durability;
        // Until here a start would not know the file, and read every row.
        let footing = self.boot.as_deref().and_then(|boot| Footing::of(&self.layout.db, boot));
        let db_bytes = length(&self.layout.db)?;
        let head = Head { db_bytes, footing, ..self.head.head };
        self.head.keep(head).map_err(head_failed)?;
        let former = self.layout.former.clone();
        // Aside, since sled ends its own thread first; and of itself, whoever waits for it.
        let tidying = std::thread::Builder::new().name("tidier".to_owned()).spawn(move || {
            drop(was);
            drop_left(&former);
        });
        Ok(tidying.ok())
    }

    /// Copies all rows to a store in the making, durably.
    fn copy(&self) -> Result<(Tree, Durability), Stays> {
        let layout = &self.layout;
        layout.must_be_movable()?;
        remove(&layout.nascent)?;
        remove(&layout.former)?;
        let (db, _) = layout.open_sled(&layout.nascent, self.cache)?;
        let tree = (*db).clone();
        let (mut batch, mut bytes) = (Batch::default(), 0);
        for found in &self.tree {
            let (key, row) = found.map_err(failed)?;
            // Last, so that a part of a store is never taken for one.
            if *key == keys::tally() {
                continue;
            }
            bytes += key.len() + row.len();
            batch.insert(key, row);
            if bytes >= PART {
                tree.apply_batch(std::mem::take(&mut batch)).map_err(failed)?;
                bytes = 0;
            }
        }
        batch.insert(keys::tally(), self.ledger.meta().encode());
        tree.apply_batch(batch).map_err(failed)?;
        let durability = self.durability.with(&layout.nascent.join("db"))?;
        flush(&tree, &durability)?;
        sync_files(&layout.nascent)?;
        sync_dir(&layout.data_dir)?;
        check::every_row(&tree, self.ledger.meta())?;
        Ok((tree, durability))
    }
}

impl Layout {
    /// Refuses where a renaming would fail, or move the store to another disk.
    fn must_be_movable(&self) -> Result<(), Stays> {
        let (store, data_dir) = (fs::symlink_metadata(&self.store)?, fs::metadata(&self.data_dir)?);
        if store.is_dir() && store.dev() == data_dir.dev() { Ok(()) } else { Err(Stays::Elsewhere) }
    }

    /// Puts the store in the making in the place of the one there is.
    fn exchange(&self) -> Result<(), Stays> {
        fs::rename(&self.store, &self.former)?;
        let taken = sync_dir(&self.data_dir)
            .and_then(|()| fs::rename(&self.nascent, &self.store))
            .and_then(|()| sync_dir(&self.data_dir));
        taken.map_err(Stays::Halfway)
    }

    /// Removes what a store that was being made anew, or that it was made of, left behind. What cannot
    /// be removed lies there until the next time.
    pub(super) fn drop_leftovers(&self) {
        drop_left(&self.nascent);
        drop_left(&self.former);
    }
}

fn drop_left(path: &Path) {
    if let Err(error) = remove(path) {
        tracing::warn!(%error, path = %path.display(), "what is left of a store stays");
    }
}

/// Removes a directory, if it is there.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
