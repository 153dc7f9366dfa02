//! Who did what, on disk.

use std::ops::Bound;

use async_trait::async_trait;

use super::SledStore;
use super::keys::{self, KeyReader, Table};
use super::ledger::{Ledger, Read, failed};
use crate::model::audit::{Act, Entry, Head};
use crate::store::rows::{AuditRow, HeadRow, Row};
use crate::store::{AuditStore, Change, StoreError, fits};

#[async_trait]
impl AuditStore for SledStore {
    async fn append(&self, act: Act) -> Result<Entry, StoreError> {
        fits(&act.detail)?;
        let step = move |ledger: &mut Ledger| {
            ledger.must_have_room()?;
            chain(ledger, act)
        };
        self.committer.commit(step).await
    }

    async fn audit(&self, after: u64, most: usize) -> Result<Vec<Entry>, StoreError> {
        let range =
            (Bound::Excluded(keys::audit(after)), Bound::Excluded(vec![Table::Audit.byte() + 1]));
        let mut entries = Vec::new();
        for found in self.read()?.range(range).take(most) {
            let (key, row) = found.map_err(failed)?;
            entries.push(AuditRow::decode(&row)?.under(KeyReader::new(&key)?.seq()?)?);
        }
        Ok(entries)
    }

    async fn audit_head(&self) -> Result<Head, StoreError> {
        head(&self.read()?)
    }
}

fn head(rows: &impl Read) -> Result<Head, StoreError> {
    let row: Option<HeadRow> = rows.row(&keys::audit_head())?;
    Ok(row.map_or(Head::START, Head::from))
}

/// Keeps the act as the last entry.
pub(super) fn chain(ledger: &mut Ledger, act: Act) -> Result<Entry, StoreError> {
    let entry = Entry::after(&head(ledger)?, act);
    write(ledger, &entry)?;
    ledger.tell(Change::Audit);
    Ok(entry)
}

/// Keeps the row, and the chain's end.
pub(super) fn write(ledger: &mut Ledger, entry: &Entry) -> Result<(), StoreError> {
    let head = head(ledger)?.with(entry);
    ledger.put(keys::audit_head(), &HeadRow::from(head))?;
    ledger.put(keys::audit(entry.seq), &AuditRow::from(entry))
}
