//! What the store knows of itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::store::rows::Row;

/// The arrangement of tables and keys that this release writes.
pub(super) const FORMAT: u32 = 3;

/// The store's name and its tally, rewritten with every batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MetaRow {
    /// The arrangement of tables and keys.
    pub format: u32,
    /// The store's name.
    pub instance: u128,
    /// How many batches were written, ever.
    pub sequence: u64,
    /// How often the store was opened: what keeps fences of one life from those of another.
    pub openings: u64,
    /// How many rows each table has, by the table's byte.
    pub rows: BTreeMap<u8, u64>,
}

impl MetaRow {
    /// How many rows the store has, but for this one.
    pub(super) fn all_rows(&self) -> u64 {
        self.rows.values().sum()
    }
}

impl Row for MetaRow {
    const NOUN: &'static str = "the store's own";
}
