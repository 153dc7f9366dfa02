//! Linked accounts on disk.

use std::ops::Bound;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sled::Tree;

use super::keys::Table;
use super::ledger::{Ledger, Read, failed};
use super::{SledStore, audit, claims, keys};
use crate::model::audit::Act;
use crate::model::connection::{AccountTag, Connection};
use crate::model::id::ConnectionId;
use crate::model::job::NewJob;
use crate::model::owner::Owner;
use crate::store::rows::{ConnectionRow, RefreshRow, Row};
use crate::store::{Change, ConnectionStore, StoreError, fits};

#[async_trait]
impl ConnectionStore for SledStore {
    async fn connection(&self, id: ConnectionId) -> Result<Option<Connection>, StoreError> {
        self.committer.check()?;
        self.recall.connections.get(&id, || find(&self.read()?, id))
    }

    async fn connections(&self, owner: &Owner) -> Result<Vec<Connection>, StoreError> {
        self.committer.check()?;
        let found = self.recall.owned.get(owner, || {
            let mut found = indexed(&self.read()?, &keys::connections_of(owner))?;
            found.sort_by_key(|connection| std::cmp::Reverse((connection.linked, connection.id)));
            Ok(Some(found))
        });
        Ok(found?.unwrap_or_default())
    }

    async fn connections_to(&self, account: &AccountTag) -> Result<Vec<Connection>, StoreError> {
        indexed(&self.read()?, &keys::connections_to(account))
    }

    async fn all_connections(
        &self,
        after: Option<ConnectionId>,
        most: usize,
    ) -> Result<Vec<Connection>, StoreError> {
        let tree = self.read()?;
        let prefix = Table::Connection.prefix();
        let from = after.map_or(Bound::Included(prefix.clone()), |after| {
            Bound::Excluded(keys::connection(after))
        });
        let mut connections = Vec::new();
        for found in tree.range((from, Bound::Unbounded)).take(most) {
            let (key, row) = found.map_err(failed)?;
            if !key.starts_with(&prefix) {
                break;
            }
            connections.push(ConnectionRow::decode(&row)?.try_into()?);
        }
        Ok(connections)
    }

    async fn note_refresh(&self, id: ConnectionId, at: DateTime<Utc>) -> Result<(), StoreError> {
        let keep = move |ledger: &mut Ledger| {
            ledger.must_have_room()?;
            ledger.put(keys::refresh(id), &RefreshRow::new(at))
        };
        self.committer.commit(keep).await
    }

    async fn last_refresh(&self, id: ConnectionId) -> Result<Option<DateTime<Utc>>, StoreError> {
        let row: Option<RefreshRow> = self.read()?.row(&keys::refresh(id))?;
        row.map(|row| row.at()).transpose()
    }

    async fn put_connection(
        &self,
        connection: Connection,
        job: Option<NewJob>,
        act: Act,
    ) -> Result<bool, StoreError> {
        fits(&act.detail)?;
        fits([&connection.profile].into_iter().chain(&connection.token))?;
        fits(job.iter().filter_map(|job| job.payload.as_ref()))?;
        self.committer.commit(move |ledger| put(ledger, &connection, job, act)).await
    }
}

/// The connections that the keys of an index beginning with `prefix` end in.
fn indexed(tree: &Tree, prefix: &[u8]) -> Result<Vec<Connection>, StoreError> {
    let mut connections = Vec::new();
    for found in tree.scan_prefix(prefix) {
        let (key, _) = found.map_err(failed)?;
        let Some(id) = key.last_chunk() else { continue };
        let id = ConnectionId::from_u128(u128::from_be_bytes(*id));
        connections.extend(find(tree, id)?);
    }
    Ok(connections)
}

fn put(
    ledger: &mut Ledger,
    connection: &Connection,
    job: Option<NewJob>,
    act: Act,
) -> Result<bool, StoreError> {
    ledger.must_have_room()?;
    let id = connection.id;
    let stored = find(ledger, id)?;
    if stored.as_ref().map_or(0, |stored| stored.version) + 1 != connection.version {
        return Ok(false);
    }
    if let Some(stored) = stored {
        ledger.delete(keys::owner_connection(&stored.owner, stored.linked, id))?;
        ledger.delete(keys::account_connection(&stored.account, id))?;
    }
    write(ledger, connection)?;
    ledger.tell(Change::Connection(id));
    if let Some(job) = job {
        let line = claims::enqueue(ledger, job)?;
        ledger.tell(Change::Line(line));
    }
    audit::chain(ledger, act)?;
    Ok(true)
}

/// Keeps the row, and its place in the indexes.
pub(super) fn write(ledger: &mut Ledger, connection: &Connection) -> Result<(), StoreError> {
    let Connection { id, owner, account, linked, .. } = connection;
    ledger.put_bytes(keys::owner_connection(owner, *linked, *id), Vec::new())?;
    ledger.put_bytes(keys::account_connection(account, *id), Vec::new())?;
    ledger.put(keys::connection(*id), &ConnectionRow::from(connection))
}

pub(super) fn find(rows: &impl Read, id: ConnectionId) -> Result<Option<Connection>, StoreError> {
    rows.row::<ConnectionRow>(&keys::connection(id))?.map(Connection::try_from).transpose()
}
