//! What the committer writes to: the tree under the changes of the batch that is being gathered.
//!
//! There is one writer, so a step reads what every step before it wrote and needs no transaction.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use sled::{Batch, IVec, Tree};

use super::Probe;
use super::keys::{self, Table};
use super::meta::MetaRow;
use super::recall::Recall;
use crate::store::leases::Leases;
use crate::store::rows::Row;
use crate::store::{Change, StoreError};

/// The largest row. sled keeps 16 rows to a leaf, and a leaf over a quarter of a segment would go
/// to a file it never syncs; with segments of 4 MiB these stay well below.
const MAX_ROW: usize = 36 * 1024;

/// Finds rows; the tree shows what was written, the ledger what will be too.
pub(super) trait Read {
    /// The row under `key`, as stored.
    fn get(&self, key: &[u8]) -> Result<Option<IVec>, StoreError>;

    /// The number under `key`; 0 if there is none.
    fn number(&self, key: &[u8]) -> Result<u64, StoreError> {
        let Some(row) = self.get(key)? else { return Ok(0) };
        number(&row)
    }

    /// The row under `key`.
    fn row<R: Row>(&self, key: &[u8]) -> Result<Option<R>, StoreError> {
        self.get(key)?.map(|bytes| R::decode(&bytes)).transpose()
    }
}

impl Read for Tree {
    fn get(&self, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        Self::get(self, key).map_err(failed)
    }
}

/// What becomes of a row.
#[derive(Clone, Debug)]
enum Write {
    Put(IVec),
    Delete,
}

/// How to take back one write.
struct Undo {
    key: IVec,
    /// What was to become of the row before.
    before: Option<Write>,
    /// By how many rows the table grew.
    grew: i64,
}

/// The tree under the changes of one batch.
pub(super) struct Ledger {
    tree: Tree,
    probe: Arc<Probe>,
    /// What the probe said in this batch.
    room: OnceCell<Result<(), StoreError>>,
    meta: MetaRow,
    writes: BTreeMap<IVec, Write>,
    bytes: usize,
    /// What the step under way did to `writes`, newest last.
    undo: Vec<Undo>,
    /// Who is to be told what once the batch is on disk.
    told: Vec<Change>,
    /// Whether the batch writes what may be kept for recall.
    recalled: bool,
    /// A read that failed: nothing built on it may be written.
    broken: Option<StoreError>,
    /// Who has which job. A lease is not taken back if a write after it fails, so it comes last.
    pub leases: Leases,
}

impl Ledger {
    /// A ledger of a tree whose meta row reads `meta`.
    pub(super) fn new(tree: Tree, meta: MetaRow, probe: Arc<Probe>) -> Self {
        Self {
            tree,
            probe,
            room: OnceCell::new(),
            leases: Leases::above(meta.openings << 40),
            meta,
            writes: BTreeMap::new(),
            bytes: 0,
            undo: Vec::new(),
            told: Vec::new(),
            recalled: false,
            broken: None,
        }
    }

    /// Goes on with another tree, between two batches, which has the same rows.
    pub(super) fn go_on_with(&mut self, tree: Tree) {
        self.tree = tree;
    }

    /// What the store knows of itself, between two batches.
    pub(super) fn meta(&self) -> &MetaRow {
        &self.meta
    }

    /// Does the whole step or, if it fails, nothing of it.
    pub(super) fn whole<T>(
        &mut self,
        step: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.undo.clear();
        let told = self.told.len();
        let done = step(self);
        if let Err(error) = &done {
            if matches!(error, StoreError::Failed(_)) {
                self.broken = Some(error.clone());
            }
            while let Some(Undo { key, before, grew }) = self.undo.pop() {
                self.count(key[0], -grew);
                match before {
                    Some(before) => self.writes.insert(key, before),
                    None => self.writes.remove(&key),
                };
            }
            self.told.truncate(told);
        }
        done
    }

    /// Refuses unless there was room on the disk when the batch was begun.
    pub(super) fn must_have_room(&self) -> Result<(), StoreError> {
        self.room.get_or_init(|| self.probe.must_have_room()).clone()
    }

    /// Writes a row, whether or not there is one under its key.
    pub(super) fn put<R: Row>(&mut self, key: Vec<u8>, row: &R) -> Result<(), StoreError> {
        self.put_bytes(key, row.encode())
    }

    /// Writes a row under a key that has none. The caller knows, and saves the search; if it is
    /// wrong the tally is too, and the start after a kill refuses the store.
    pub(super) fn insert<R: Row>(&mut self, key: Vec<u8>, row: &R) -> Result<(), StoreError> {
        self.keep(key, row.encode(), 1)
    }

    /// Writes a row of bytes under a key that has none.
    pub(super) fn insert_bytes(&mut self, key: Vec<u8>, row: Vec<u8>) -> Result<(), StoreError> {
        self.keep(key, row, 1)
    }

    /// Writes a row of bytes, whether or not there is one under its key.
    pub(super) fn put_bytes(&mut self, key: Vec<u8>, row: Vec<u8>) -> Result<(), StoreError> {
        let grew = i64::from(self.get(&key)?.is_none());
        self.keep(key, row, grew)
    }

    /// Writes a row in place of the one under its key.
    pub(super) fn replace<R: Row>(&mut self, key: Vec<u8>, row: &R) -> Result<(), StoreError> {
        self.keep(key, row.encode(), 0)
    }

    fn keep(&mut self, key: Vec<u8>, row: Vec<u8>, grew: i64) -> Result<(), StoreError> {
        if row.len() > MAX_ROW {
            return Err(StoreError::TooLarge { bytes: row.len() });
        }
        self.bytes += row.len();
        self.write(key, Write::Put(row.into()), grew);
        Ok(())
    }

    /// Takes a row away that is there.
    pub(super) fn remove(&mut self, key: Vec<u8>) {
        self.write(key, Write::Delete, -1);
    }

    /// Takes a row away, if it is there.
    pub(super) fn delete(&mut self, key: Vec<u8>) -> Result<(), StoreError> {
        let empty = self.meta.rows.get(&key[0]).is_none_or(|rows| *rows == 0);
        if !empty && self.get(&key)?.is_some() {
            self.remove(key);
        }
        Ok(())
    }

    fn write(&mut self, key: Vec<u8>, write: Write, grew: i64) {
        self.bytes += key.len();
        self.count(key[0], grew);
        self.recalled |= Recall::holds(&key);
        let key = IVec::from(key);
        let before = self.writes.insert(key.clone(), write);
        self.undo.push(Undo { key, before, grew });
    }

    fn count(&mut self, table: u8, grew: i64) {
        let rows = self.meta.rows.entry(table).or_default();
        *rows = rows.saturating_add_signed(grew);
    }

    /// How many rows a table has.
    pub(super) fn rows(&self, table: Table) -> u64 {
        self.meta.rows.get(&table.byte()).copied().unwrap_or(0)
    }

    /// The rows whose keys begin with `prefix`, in order.
    pub(super) fn scan<'a>(
        &'a self,
        prefix: &'a [u8],
    ) -> impl Iterator<Item = Result<(IVec, IVec), StoreError>> + 'a {
        let mut below = self.tree.scan_prefix(prefix).peekable();
        let above = self.writes.range(IVec::from(prefix)..);
        let mut above = above.take_while(move |(key, _)| key.starts_with(prefix)).peekable();
        std::iter::from_fn(move || {
            loop {
                let Some((key, write)) = above.peek() else {
                    return below.next().map(|found| found.map_err(failed));
                };
                match below.peek() {
                    Some(Ok((lower, _))) if lower < *key => {
                        return below.next().map(|found| found.map_err(failed));
                    }
                    Some(Err(_)) => return below.next().map(|found| found.map_err(failed)),
                    Some(Ok((lower, _))) if lower == *key => drop(below.next()),
                    _ => {}
                }
                let found = match write {
                    Write::Put(row) => Some(Ok(((*key).clone(), row.clone()))),
                    Write::Delete => None,
                };
                above.next();
                if found.is_some() {
                    return found;
                }
            }
        })
    }

    /// Notes who is to be told once the batch is on disk.
    pub(super) fn tell(&mut self, change: Change) {
        self.told.push(change);
    }

    /// Adds to a row that holds a number, and returns it. There is no row for none.
    pub(super) fn add(&mut self, key: Vec<u8>, by: i64) -> Result<u64, StoreError> {
        let number = self.number(&key)?;
        let sum = number.checked_add_signed(by).ok_or_else(unreadable_number)?;
        match (number, sum) {
            (0, 0) => {}
            (_, 0) => self.remove(key),
            (0, _) => self.insert_bytes(key, sum.to_be_bytes().to_vec())?,
            (_, _) => self.keep(key, sum.to_be_bytes().to_vec(), 0)?,
        }
        Ok(sum)
    }

    /// How many bytes the batch has so far.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many batches were written.
    pub(super) fn sequence(&self) -> u64 {
        self.meta.sequence
    }

    /// Takes the batch to be written, with the meta row; none if nothing was changed.
    pub(super) fn take_batch(&mut self) -> Result<Option<Batch>, StoreError> {
        if let Some(error) = self.broken.take() {
            return Err(error);
        }
        self.bytes = 0;
        self.room.take();
        if self.writes.is_empty() {
            return Ok(None);
        }
        self.meta.sequence += 1;
        let mut batch = Batch::default();
        for (key, write) in std::mem::take(&mut self.writes) {
            match write {
                Write::Put(row) => batch.insert(key, row),
                Write::Delete => batch.remove(key),
            }
        }
        batch.insert(keys::tally(), self.meta.encode());
        Ok(Some(batch))
    }

    /// Whether what was kept for recall is so no more, now that the batch is on disk.
    pub(super) fn take_recalled(&mut self) -> bool {
        std::mem::take(&mut self.recalled)
    }

    /// Takes what is to be told now that the batch is on disk.
    pub(super) fn take_told(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.told)
    }
}

/// A number, from its row.
pub(super) fn number(row: &[u8]) -> Result<u64, StoreError> {
    row.try_into().map(u64::from_be_bytes).map_err(|_| unreadable_number())
}

fn unreadable_number() -> StoreError {
    StoreError::Damaged("a number of things cannot be read".to_owned())
}

impl Read for Ledger {
    fn get(&self, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        match self.writes.get(key) {
            Some(Write::Put(row)) => Ok(Some(row.clone())),
            Some(Write::Delete) => Ok(None),
            None => Read::get(&self.tree, key),
        }
    }
}

/// sled's error in our words.
#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
pub(super) fn failed(error: sled::Error) -> StoreError {
    StoreError::Failed(error.to_string())
}
