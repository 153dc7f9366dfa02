//! Makes the store anew where its file has become far too large for what it still holds. sled uses room
//! again, but gives hardly any back once much was forgotten at once.
//!
//! All rows are copied to a store beside it, which then takes its place by two renamings, each of them
//! synced: cut short before the first, the old store is there; between them, the next start ends what
//! was begun, as it does with a store in the making; after them, the new one is there.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::Ordering;

use sled::{Batch, Tree};

use super::committer::{Desk, Durability, flush, head_failed, length};
use super::footing::Footing;
use super::head::{Head, sync_dir};
use super::ledger::{Read, failed};
use super::meta::MetaRow;
use super::open::{Layout, OpenError, sync_files};
use super::{SledStore, keys};
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
    #[error("it has {found} rows, and {counted} are counted")]
    Miscounted { found: u64, counted: u64 },
}

impl SledStore {
    /// Makes the store anew if nearly all of its file is free.
    pub(super) async fn renew_if_worth(&self) -> Result<(), StoreError> {
        let bytes = fs::metadata(&self.layout.db).map_or(0, |found| found.len());
        if bytes < self.renew_from {
            return Ok(());
        }
        let meta: Option<MetaRow> = self.read()?.row(&keys::tally())?;
        let rows = meta.map_or(0, |meta| meta.rows.values().sum());
        // Much has to be forgotten again before another look is worth its reading.
        if rows > self.stayed_with.load(Ordering::Relaxed) / 2 {
            return Ok(());
        }
        let most = MOST.min(bytes / TIMES);
        let held = self.read_aside(move |tree| weigh(tree, most)).await?;
        let renewed = match held {
            Some(held) if self.probe.has_free(4 * held + SPARE) => {
                self.committer.aside(Desk::renew).await?
            }
            _ => false,
        };
        if !renewed {
            self.stayed_with.store(rows, Ordering::Relaxed);
            return Ok(());
        }
        let after = fs::metadata(&self.layout.db).map_or(0, |found| found.len());
        tracing::info!(
            bytes,
            after,
            "the store was made anew, since hardly anything was left in it"
        );
        // Whoever still reads it has it open. The next store in the making, which the writing thread may
        // have begun by now, is not touched.
        let former = self.layout.former.clone();
        let dropped = tokio::task::spawn_blocking(move || drop_left(&former));
        dropped.await.map_err(|_| StoreError::Failed("tidying up panicked".to_owned()))
    }
}

/// How many bytes the rows have, if no more than `most`.
fn weigh(tree: &Tree, most: u64) -> Result<Option<u64>, StoreError> {
    let mut bytes = 0;
    for found in tree {
        let (key, row) = found.map_err(failed)?;
        bytes += (key.len() + row.len()) as u64;
        if bytes > most {
            return Ok(None);
        }
    }
    Ok(Some(bytes))
}

impl Desk {
    /// Makes the store anew. Returns whether it did; an error is one that leaves no store to go on with.
    fn renew(&mut self) -> Result<bool, StoreError> {
        let (tree, durability) = match self.copy() {
            Ok(copied) => copied,
            Err(stays) => {
                tracing::warn!(
                    error = &stays as &dyn std::error::Error,
                    "the store's file stays as large as it is"
                );
                self.layout.drop_leftovers();
                return Ok(false);
            }
        };
        let exchanged = self.layout.exchange();
        exchanged.map_err(|error| StoreError::Failed(format!("taking its place: {error}")))?;
        self.shown.show(Some(tree.clone()));
        self.ledger.go_on_with(tree.clone());
        self.tree = tree;
        self.durability = durability;
        // Until here a start would not know the file, and read every row.
        let footing = self.boot.as_deref().and_then(|boot| Footing::of(&self.layout.db, boot));
        let db_bytes = length(&self.layout.db)?;
        let head = Head { db_bytes, footing, ..self.head.head };
        self.head.keep(head).map_err(head_failed)?;
        Ok(true)
    }

    /// Copies all rows to a store in the making, durably.
    fn copy(&self) -> Result<(Tree, Durability), Stays> {
        let layout = &self.layout;
        layout.must_be_movable()?;
        remove(&layout.nascent)?;
        remove(&layout.former)?;
        let (db, _) = layout.open_sled(&layout.nascent, self.cache)?;
        let tree = (*db).clone();
        let (mut batch, mut bytes, mut rows) = (Batch::default(), 0, 0);
        for found in &self.tree {
            let (key, row) = found.map_err(failed)?;
            // Last, so that a part of a store is never taken for one.
            if *key == keys::tally() {
                continue;
            }
            rows += 1;
            bytes += key.len() + row.len();
            batch.insert(key, row);
            if bytes >= PART {
                tree.apply_batch(std::mem::take(&mut batch)).map_err(failed)?;
                bytes = 0;
            }
        }
        let counted = self.ledger.meta().rows.values().sum();
        if rows != counted {
            return Err(Stays::Miscounted { found: rows, counted });
        }
        batch.insert(keys::tally(), self.ledger.meta().encode());
        tree.apply_batch(batch).map_err(failed)?;
        let durability = self.durability.with(&layout.nascent.join("db"))?;
        flush(&tree, &durability)?;
        sync_files(&layout.nascent)?;
        sync_dir(&layout.data_dir)?;
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
    fn exchange(&self) -> io::Result<()> {
        fs::rename(&self.store, &self.former)?;
        sync_dir(&self.data_dir)?;
        fs::rename(&self.nascent, &self.store)?;
        sync_dir(&self.data_dir)
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
