//! Who did what, in memory.

use std::ops::Bound;

use async_trait::async_trait;

use super::{MemoryStore, State};
use crate::model::audit::{Act, Entry, Head};
use crate::store::{AuditStore, Change, StoreError, fits};

#[async_trait]
impl AuditStore for MemoryStore {
    async fn append(&self, act: Act) -> Result<Entry, StoreError> {
        fits(&act.detail)?;
        let entry = self.state().chain(act);
        self.changes.tell([Change::Audit]);
        Ok(entry)
    }

    async fn audit(&self, after: u64, most: usize) -> Result<Vec<Entry>, StoreError> {
        let state = self.state();
        let later = state.audit.range((Bound::Excluded(after), Bound::Unbounded));
        Ok(later.take(most).map(|(_, entry)| entry.clone()).collect())
    }

    async fn audit_head(&self) -> Result<Head, StoreError> {
        Ok(self.state().head())
    }
}

impl State {
    fn head(&self) -> Head {
        self.audit_head.unwrap_or(Head::START)
    }

    /// Keeps the act as the last entry.
    pub(super) fn chain(&mut self, act: Act) -> Entry {
        let entry = Entry::after(&self.head(), act);
        self.keep_entry(entry.clone());
        entry
    }

    /// Keeps an entry, unless there is one of its number.
    pub(super) fn keep_entry(&mut self, entry: Entry) {
        if !self.audit.contains_key(&entry.seq) {
            self.audit_head = Some(self.head().with(&entry));
            self.audit.insert(entry.seq, entry);
        }
    }
}
