//! The administrator's account and the uses of keys, in memory.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::MemoryStore;
use crate::model::administrator::Administrator;
use crate::model::audit::Act;
use crate::model::id::KeyId;
use crate::model::key::TicketKind;
use crate::store::{AdministratorStore, Change, StoreError, fits};

#[async_trait]
impl AdministratorStore for MemoryStore {
    async fn administrator(&self) -> Result<Option<Administrator>, StoreError> {
        Ok(self.state().administrator.clone())
    }

    async fn put_administrator(
        &self,
        administrator: Administrator,
        act: Act,
    ) -> Result<(), StoreError> {
        fits(&act.detail)?;
        let mut state = self.state();
        state.tickets.retain(|(kind, _), _| *kind != TicketKind::Session);
        state.administrator = Some(administrator);
        state.chain(act);
        drop(state);
        self.changes.tell([Change::Audit]);
        Ok(())
    }

    async fn note_uses(&self, uses: Vec<(KeyId, DateTime<Utc>)>) -> Result<(), StoreError> {
        let mut state = self.state();
        for (id, at) in uses {
            let known = state.key_uses.entry(id).or_insert(at);
            *known = at.max(*known);
        }
        Ok(())
    }

    async fn last_uses(&self) -> Result<Vec<(KeyId, DateTime<Utc>)>, StoreError> {
        Ok(self.state().key_uses.iter().map(|(id, at)| (*id, *at)).collect())
    }
}
