//! What is sealed, on disk.

use std::ops;

use async_trait::async_trait;
use sled::{IVec, Tree};

use super::keys::{self, KeyReader, Table};
use super::ledger::{Ledger, Read, failed};
use super::{SledStore, connections, items};
use crate::model::connection::Connection;
use crate::model::event::Event;
use crate::model::id::{EventId, JobId};
use crate::model::item::Item;
use crate::model::sealed::Sealed;
use crate::store::envelope::Shelf;
use crate::store::rows::{
    AuditRow, ConnectionRow, ContentRow, EventRow, ItemRow, JobRow, KeystoneRow, PayloadRow, Row,
    TicketRow,
};
use crate::store::{Bound, Envelope, EnvelopeStore, Keystone, Reseal, Spot, StoreError, fits};

#[async_trait]
impl EnvelopeStore for SledStore {
    async fn envelopes(
        &self,
        after: Option<Spot>,
        most: usize,
    ) -> Result<Vec<Envelope>, StoreError> {
        let read = move |tree: &Tree| {
            let mut found = Vec::new();
            for (shelf, after) in Shelf::behind(after) {
                let from = after.map_or_else(
                    || ops::Bound::Included(table(shelf).prefix()),
                    |after| ops::Bound::Excluded(key(after)),
                );
                let rows = tree.range((from, ops::Bound::Excluded(vec![table(shelf).byte() + 1])));
                for row in rows.filter_map(|row| envelope(tree, shelf, row).transpose()) {
                    if found.len() == most {
                        return Ok(found);
                    }
                    found.push(row?);
                }
            }
            Ok(found)
        };
        self.read_aside(read).await
    }

    async fn reseal(&self, reseals: Vec<Reseal>) -> Result<usize, StoreError> {
        for Reseal { now, .. } in &reseals {
            fits([now])?;
        }
        let step = move |ledger: &mut Ledger| {
            ledger.must_have_room()?;
            let mut resealed = 0;
            for one in &reseals {
                resealed += usize::from(reseal(ledger, one)?);
            }
            Ok(resealed)
        };
        self.committer.commit(step).await
    }

    async fn relay_keystone(&self, was: &Keystone, now: Keystone) -> Result<bool, StoreError> {
        fits([&now.canary, &now.index_key])?;
        let was = was.clone();
        let step = move |ledger: &mut Ledger| {
            let lies = ledger.row::<KeystoneRow>(&keys::keystone())?.map(Keystone::from);
            if lies != Some(was) {
                return Ok(false);
            }
            ledger.must_have_room()?;
            ledger.replace(keys::keystone(), &KeystoneRow::from(&now)).map(|()| true)
        };
        self.committer.commit(step).await
    }
}

/// The table whose rows hold a shelf's envelopes, or name them.
fn table(shelf: Shelf) -> Table {
    match shelf {
        Shelf::Profiles | Shelf::Tokens => Table::Connection,
        Shelf::Tickets => Table::Ticket,
        // Contents lie in the order of time, and are told in that of their events.
        Shelf::Contents | Shelf::Links => Table::Event,
        Shelf::Payloads => Table::Payload,
        Shelf::Details => Table::Audit,
        Shelf::Items => Table::Item,
    }
}

/// The row in which an envelope lies, or which names it.
fn key(spot: Spot) -> Vec<u8> {
    match spot {
        Spot::Profile(id) | Spot::Token(id) => keys::connection(id),
        Spot::Ticket(kind, digest) => keys::ticket(kind, &digest),
        Spot::Content(id) | Spot::Links(id) => keys::event(id),
        Spot::Payload(id) => keys::payload(id),
        Spot::Detail(seq) => keys::audit(seq),
        Spot::Item(id) => keys::item(id),
    }
}

/// A shelf's envelope in a row of its table, if there is one.
fn envelope(
    tree: &Tree,
    shelf: Shelf,
    row: Result<(IVec, IVec), sled::Error>,
) -> Result<Option<Envelope>, StoreError> {
    let (key, row) = row.map_err(failed)?;
    let mut read = KeyReader::new(&key)?;
    let envelope = |spot, bound, sealed| Envelope { spot, bound, sealed };
    Ok(match shelf {
        Shelf::Profiles | Shelf::Tokens => {
            let connection: Connection = ConnectionRow::decode(&row)?.try_into()?;
            let Connection { id, owner, version, profile, token, .. } = connection;
            let bound = Bound::Record(owner, version);
            if shelf == Shelf::Profiles {
                return Ok(Some(envelope(Spot::Profile(id), bound, profile)));
            }
            token.map(|token| envelope(Spot::Token(id), bound, token))
        }
        Shelf::Tickets => {
            let (kind, digest) = (read.ticket_kind()?, read.bytes()?);
            let payload = TicketRow::decode(&row)?.under(kind, digest)?.payload;
            payload.map(|payload| envelope(Spot::Ticket(kind, digest), Bound::Spot, payload))
        }
        Shelf::Contents => {
            let event = bare(read.id()?, EventRow::decode(&row)?)?;
            // None if the event was forgotten since its row was read.
            let content: Option<ContentRow> = tree.row(&keys::content(event.created, event.id))?;
            content.map(|ContentRow { revision, content }| {
                let bound = Bound::Record(event.owner, revision);
                envelope(Spot::Content(event.id), bound, Sealed::from_bytes(content))
            })
        }
        Shelf::Links => {
            let event = bare(read.id()?, EventRow::decode(&row)?)?;
            let bound = Bound::Record(event.owner, event.known.version);
            event.known.links.map(|links| envelope(Spot::Links(event.id), bound, links))
        }
        Shelf::Payloads => {
            let (id, sealed): (JobId, _) = (read.id()?, PayloadRow::decode(&row)?.into());
            let job = tree.row::<JobRow>(&keys::job(id))?.map(|row| row.under(id)).transpose()?;
            job.map(|job| {
                envelope(Spot::Payload(id), Bound::Work(job.line.owner, job.kind), sealed)
            })
        }
        Shelf::Details => {
            let entry = AuditRow::decode(&row)?.under(read.seq()?)?;
            let bound = Bound::Act(entry.act.tag);
            entry.act.detail.map(|detail| envelope(Spot::Detail(entry.seq), bound, detail))
        }
        Shelf::Items => {
            let Item { id, owner, version, sealed, .. } =
                ItemRow::decode(&row)?.under(read.id()?)?;
            let bound = Bound::Record(owner, version);
            sealed.map(|sealed| envelope(Spot::Item(id), bound, sealed))
        }
    })
}

/// An event without its content.
fn bare(id: EventId, row: EventRow) -> Result<Event, StoreError> {
    let content = ContentRow { revision: row.first.revision, content: Vec::new() };
    row.under(id, content)
}

/// Puts an envelope in place of another, if that still lies there.
fn reseal(ledger: &mut Ledger, Reseal { spot, was, now }: &Reseal) -> Result<bool, StoreError> {
    let key = key(*spot);
    match *spot {
        Spot::Profile(id) | Spot::Token(id) => {
            let Some(mut connection) = connections::find(ledger, id)? else { return Ok(false) };
            let Connection { profile, token, .. } = &mut connection;
            let lies =
                if matches!(spot, Spot::Profile(_)) { Some(profile) } else { token.as_mut() };
            let Some(lies) = lies.filter(|lies| *lies == was) else { return Ok(false) };
            lies.clone_from(now);
            ledger.replace(key, &ConnectionRow::from(&connection))?;
        }
        Spot::Ticket(kind, digest) => {
            let Some(row) = ledger.row::<TicketRow>(&key)? else { return Ok(false) };
            let mut ticket = row.under(kind, digest)?;
            if ticket.payload.as_ref() != Some(was) {
                return Ok(false);
            }
            ticket.payload = Some(now.clone());
            ledger.replace(key, &TicketRow::from(&ticket))?;
        }
        Spot::Content(id) => {
            let Some(event) = ledger.row::<EventRow>(&key)? else { return Ok(false) };
            let key = keys::content(event.created()?, id);
            let Some(row) = ledger.row::<ContentRow>(&key)? else { return Ok(false) };
            if row.content != was.as_bytes() {
                return Ok(false);
            }
            let row = ContentRow { content: now.as_bytes().to_vec(), ..row };
            ledger.replace(key, &row)?;
        }
        Spot::Links(_) => {
            let Some(mut row) = ledger.row::<EventRow>(&key)? else { return Ok(false) };
            if row.first.links.as_deref() != Some(was.as_bytes()) {
                return Ok(false);
            }
            row.first.links = Some(now.as_bytes().to_vec());
            ledger.replace(key, &row)?;
        }
        Spot::Payload(_) => {
            let Some(row) = ledger.row::<PayloadRow>(&key)? else { return Ok(false) };
            if Sealed::from(row) != *was {
                return Ok(false);
            }
            ledger.replace(key, &PayloadRow::from(now))?;
        }
        Spot::Detail(seq) => {
            let Some(row) = ledger.row::<AuditRow>(&key)? else { return Ok(false) };
            let mut entry = row.under(seq)?;
            if entry.act.detail.as_ref() != Some(was) {
                return Ok(false);
            }
            entry.act.detail = Some(now.clone());
            ledger.replace(key, &AuditRow::from(&entry))?;
        }
        Spot::Item(id) => {
            let Some(item) = items::find(ledger, id)? else { return Ok(false) };
            if item.sealed.as_ref() != Some(was) {
                return Ok(false);
            }
            ledger.replace(key, &ItemRow::from(&Item { sealed: Some(now.clone()), ..item }))?;
        }
    }
    Ok(true)
}
