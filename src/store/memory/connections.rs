//! Linked accounts in memory.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::MemoryStore;
use crate::model::audit::Act;
use crate::model::connection::{AccountTag, Connection};
use crate::model::id::ConnectionId;
use crate::model::job::NewJob;
use crate::model::owner::Owner;
use crate::store::{Change, ConnectionStore, StoreError, fits};

#[async_trait]
impl ConnectionStore for MemoryStore {
    async fn connection(&self, id: ConnectionId) -> Result<Option<Connection>, StoreError> {
        Ok(self.state().connections.get(&id).cloned())
    }

    async fn connections(&self, owner: &Owner) -> Result<Vec<Connection>, StoreError> {
        let state = self.state();
        let mut found: Vec<_> =
            state.connections.values().filter(|c| c.owner == *owner).cloned().collect();
        found.sort_by_key(|connection| std::cmp::Reverse((connection.linked, connection.id)));
        Ok(found)
    }

    async fn connections_to(&self, account: &AccountTag) -> Result<Vec<Connection>, StoreError> {
        let state = self.state();
        let mut found: Vec<_> =
            state.connections.values().filter(|c| c.account == *account).cloned().collect();
        found.sort_by_key(|connection| connection.id);
        Ok(found)
    }

    async fn all_connections(
        &self,
        after: Option<ConnectionId>,
        most: usize,
    ) -> Result<Vec<Connection>, StoreError> {
        let state = self.state();
        let beyond = |connection: &&Connection| after.is_none_or(|after| connection.id > after);
        let mut found: Vec<_> = state.connections.values().filter(beyond).cloned().collect();
        found.sort_by_key(|connection| connection.id);
        found.truncate(most);
        Ok(found)
    }

    async fn note_refresh(&self, id: ConnectionId, at: DateTime<Utc>) -> Result<(), StoreError> {
        self.state().refreshes.insert(id, at);
        Ok(())
    }

    async fn last_refresh(&self, id: ConnectionId) -> Result<Option<DateTime<Utc>>, StoreError> {
        Ok(self.state().refreshes.get(&id).copied())
    }

    async fn put_connection(
        &self,
        connection: Connection,
        job: Option<NewJob>,
        act: Act,
    ) -> Result<bool, StoreError> {
        fits([&connection.profile].into_iter().chain(&connection.token))?;
        fits(job.iter().filter_map(|job| job.payload.as_ref()))?;
        fits(&act.detail)?;
        let mut state = self.state();
        let stored = state.connections.get(&connection.id).map_or(0, |stored| stored.version);
        if stored + 1 != connection.version {
            return Ok(false);
        }
        let mut told = vec![Change::Connection(connection.id)];
        state.connections.insert(connection.id, connection);
        told.extend(job.map(|job| Change::Line(state.enqueue(job).1)));
        state.chain(act);
        told.push(Change::Audit);
        drop(state);
        self.changes.tell(told);
        Ok(true)
    }
}
