//! Brings a store that an earlier release wrote to this release's format.

use sled::{Batch, Tree};

use super::keys::{self, Table};
use super::ledger::failed;
use super::lists;
use super::meta::{FORMAT, MetaRow};
use crate::store::StoreError;
use crate::store::rows::Row;

/// So many rows are written or taken away at once.
const AT_ONCE: usize = 1_000;

/// The first format whose events are listed.
pub(super) const LISTED: u32 = 2;

/// Does what each release since did to the stores before it. Cut short, it is begun anew at the next
/// start, which finds what was written; the format is told last.
pub(super) fn bring(tree: &Tree, mut meta: MetaRow) -> Result<MetaRow, StoreError> {
    if meta.format == FORMAT {
        return Ok(meta);
    }
    tracing::info!("bringing a store that an earlier release wrote to the format of this one");
    if meta.format < LISTED {
        list_events(tree, &mut meta)?;
    }
    drop_ends_of_requests(tree, &mut meta)?;
    meta.format = FORMAT;
    write(tree, Batch::default(), &mut meta)?;
    Ok(meta)
}

/// Lists every event under its owner, if it is not listed yet.
fn list_events(tree: &Tree, meta: &mut MetaRow) -> Result<(), StoreError> {
    let mut batch = Batch::default();
    let mut waiting = 0;
    for found in lists::listed(tree) {
        let (key, row) = found?;
        if tree.contains_key(&key).map_err(failed)? {
            continue;
        }
        batch.insert(key, row);
        *meta.rows.entry(Table::OwnerEvent.byte()).or_default() += 1;
        waiting += 1;
        if waiting == AT_ONCE {
            write(tree, std::mem::take(&mut batch), meta)?;
            waiting = 0;
        }
    }
    write(tree, batch, meta)
}

/// Takes away the index of the ends of requests, which formats 1 and 2 had.
fn drop_ends_of_requests(tree: &Tree, meta: &mut MetaRow) -> Result<(), StoreError> {
    loop {
        let mut batch = Batch::default();
        let mut dropped = 0;
        for found in tree.scan_prefix(Table::RequestOver.prefix()).take(AT_ONCE) {
            batch.remove(found.map_err(failed)?.0);
            dropped += 1;
        }
        if dropped == 0 {
            return Ok(());
        }
        let left = meta.rows.entry(Table::RequestOver.byte()).or_default();
        *left = left.saturating_sub(dropped);
        write(tree, batch, meta)?;
    }
}

fn write(tree: &Tree, mut batch: Batch, meta: &mut MetaRow) -> Result<(), StoreError> {
    meta.sequence += 1;
    batch.insert(keys::tally(), meta.encode());
    tree.apply_batch(batch).map_err(failed)
}
