//! Brings a store that an earlier release wrote to this release's format.

use sled::{Batch, Tree};

use super::keys::{self, Table};
use super::ledger::failed;
use super::lists;
use super::meta::{FORMAT, MetaRow};
use crate::store::StoreError;
use crate::store::rows::Row;

/// So many rows are written at once.
const AT_ONCE: usize = 1_000;

/// The first format whose events are listed.
pub(super) const LISTED: u32 = 2;

/// Lists every event under its owner, if they are not listed yet. Cut short, it is begun anew at the
/// next start, which finds what was written; the format is told last.
pub(super) fn bring(tree: &Tree, mut meta: MetaRow) -> Result<MetaRow, StoreError> {
    if meta.format == FORMAT {
        return Ok(meta);
    }
    tracing::info!("listing the events of a store that an earlier release wrote");
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
            write(tree, std::mem::take(&mut batch), &mut meta)?;
            waiting = 0;
        }
    }
    meta.format = FORMAT;
    write(tree, batch, &mut meta)?;
    Ok(meta)
}

fn write(tree: &Tree, mut batch: Batch, meta: &mut MetaRow) -> Result<(), StoreError> {
    meta.sequence += 1;
    batch.insert(keys::tally(), meta.encode());
    tree.apply_batch(batch).map_err(failed)
}
