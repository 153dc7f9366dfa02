//! Keys and tickets in memory.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::MemoryStore;
use crate::model::audit::Act;
use crate::model::id::KeyId;
use crate::model::key::{ApiKey, Digest, Ticket, TicketKind};
use crate::store::{AccessStore, Change, StoreError, fits};

#[async_trait]
impl AccessStore for MemoryStore {
    async fn put_key(&self, key: ApiKey, act: Act) -> Result<(), StoreError> {
        fits(&act.detail)?;
        let mut state = self.state();
        state.keys.insert(key.id, key);
        state.chain(act);
        drop(state);
        self.changes.tell([Change::Audit]);
        Ok(())
    }

    async fn key(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError> {
        Ok(self.state().keys.get(&id).cloned())
    }

    async fn keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        let mut keys: Vec<_> = self.state().keys.values().cloned().collect();
        keys.sort_by_key(|key| (key.created, key.id));
        Ok(keys)
    }

    async fn put_ticket(&self, ticket: Ticket) -> Result<(), StoreError> {
        fits(&ticket.payload)?;
        self.state().tickets.insert((ticket.kind, ticket.digest), ticket);
        Ok(())
    }

    async fn ticket(
        &self,
        kind: TicketKind,
        digest: &Digest,
    ) -> Result<Option<Ticket>, StoreError> {
        Ok(self.state().tickets.get(&(kind, *digest)).cloned())
    }

    async fn prolong_ticket(
        &self,
        kind: TicketKind,
        digest: &Digest,
        expires: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let Some(ticket) = state.tickets.get_mut(&(kind, *digest)) else { return Ok(false) };
        ticket.expires = expires;
        Ok(true)
    }

    async fn take_ticket(
        &self,
        kind: TicketKind,
        digest: &Digest,
    ) -> Result<Option<Ticket>, StoreError> {
        Ok(self.state().tickets.remove(&(kind, *digest)))
    }

    async fn drop_tickets(&self, kind: TicketKind) -> Result<usize, StoreError> {
        let mut state = self.state();
        let before = state.tickets.len();
        state.tickets.retain(|(held, _), _| *held != kind);
        Ok(before - state.tickets.len())
    }
}
