//! Keys and tickets on disk.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::keys::{self, KeyReader, Table};
use super::ledger::{Ledger, Read, failed};
use super::{SledStore, audit};
use crate::model::audit::Act;
use crate::model::id::KeyId;
use crate::model::key::{ApiKey, Digest, Ticket, TicketKind};
use crate::store::rows::{ApiKeyRow, Row, TicketRow};
use crate::store::{AccessStore, StoreError, fits};

#[async_trait]
impl AccessStore for SledStore {
    async fn put_key(&self, key: ApiKey, act: Act) -> Result<(), StoreError> {
        fits(&act.detail)?;
        let step = move |ledger: &mut Ledger| {
            ledger.must_have_room()?;
            ledger.put(keys::key(key.id), &ApiKeyRow::from(&key))?;
            audit::chain(ledger, act).map(drop)
        };
        self.committer.commit(step).await
    }

    async fn key(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError> {
        self.committer.check()?;
        self.recall.keys.get(&id, || {
            self.read()?.row::<ApiKeyRow>(&keys::key(id))?.map(ApiKey::try_from).transpose()
        })
    }

    async fn keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        let mut keys = Vec::new();
        for found in self.read()?.scan_prefix(Table::Key.prefix()) {
            keys.push(ApiKey::try_from(ApiKeyRow::decode(&found.map_err(failed)?.1)?)?);
        }
        keys.sort_by_key(|key| (key.created, key.id));
        Ok(keys)
    }

    async fn put_ticket(&self, ticket: Ticket) -> Result<(), StoreError> {
        fits(&ticket.payload)?;
        let step = move |ledger: &mut Ledger| {
            ledger.must_have_room()?;
            remove(ledger, ticket.kind, ticket.digest)?;
            write_ticket(ledger, &ticket)
        };
        self.committer.commit(step).await
    }

    async fn ticket(
        &self,
        kind: TicketKind,
        digest: &Digest,
    ) -> Result<Option<Ticket>, StoreError> {
        find(&self.read()?, kind, *digest)
    }

    async fn prolong_ticket(
        &self,
        kind: TicketKind,
        digest: &Digest,
        expires: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let digest = *digest;
        let step = move |ledger: &mut Ledger| {
            ledger.must_have_room()?;
            let Some(ticket) = remove(ledger, kind, digest)? else { return Ok(false) };
            write_ticket(ledger, &Ticket { expires, ..ticket })?;
            Ok(true)
        };
        self.committer.commit(step).await
    }

    async fn take_ticket(
        &self,
        kind: TicketKind,
        digest: &Digest,
    ) -> Result<Option<Ticket>, StoreError> {
        let digest = *digest;
        self.committer.commit(move |ledger| remove(ledger, kind, digest)).await
    }

    async fn drop_tickets(&self, kind: TicketKind) -> Result<usize, StoreError> {
        self.committer.commit(move |ledger| drop_tickets(ledger, kind)).await
    }
}

/// Voids every ticket of a kind.
pub(super) fn drop_tickets(ledger: &mut Ledger, kind: TicketKind) -> Result<usize, StoreError> {
    let prefix = keys::tickets_of(kind);
    let mut digests = Vec::new();
    for found in ledger.scan(&prefix) {
        digests.push(KeyReader::behind(&prefix, &found?.0)?.bytes()?);
    }
    let dropped = digests.len();
    for digest in digests {
        remove(ledger, kind, digest)?;
    }
    Ok(dropped)
}

fn find(rows: &impl Read, kind: TicketKind, digest: Digest) -> Result<Option<Ticket>, StoreError> {
    let row: Option<TicketRow> = rows.row(&keys::ticket(kind, &digest))?;
    row.map(|row| row.under(kind, digest)).transpose()
}

/// Keeps the row, and its place in the index.
pub(super) fn write_ticket(ledger: &mut Ledger, ticket: &Ticket) -> Result<(), StoreError> {
    let Ticket { kind, digest, expires, .. } = ticket;
    ledger.put_bytes(keys::ticket_over(*expires, *kind, digest), Vec::new())?;
    ledger.put(keys::ticket(*kind, digest), &TicketRow::from(ticket))
}

fn remove(
    ledger: &mut Ledger,
    kind: TicketKind,
    digest: Digest,
) -> Result<Option<Ticket>, StoreError> {
    let found = find(ledger, kind, digest)?;
    if let Some(ticket) = &found {
        ledger.delete(keys::ticket_over(ticket.expires, kind, &digest))?;
        ledger.delete(keys::ticket(kind, &digest))?;
    }
    Ok(found)
}

/// Forgets up to `most` tickets whose time is over.
pub(super) fn prune_tickets(
    ledger: &mut Ledger,
    now: DateTime<Utc>,
    most: usize,
) -> Result<usize, StoreError> {
    let mut over = Vec::new();
    for found in ledger.scan(&Table::TicketOver.prefix()).take(most) {
        let (index, _) = found?;
        let mut read = KeyReader::new(&index)?;
        if read.time()? > now {
            break;
        }
        over.push((read.ticket_kind()?, read.bytes()?));
    }
    let pruned = over.len();
    for (kind, digest) in over {
        remove(ledger, kind, digest)?;
    }
    Ok(pruned)
}
