//! Everything a store keeps, one record at a time, in a form that any store reads: what an export is
//! made of.
//!
//! Indexes, counts and leases are not in it: a store makes its own.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::rows::{
    AdministratorRow, ApiKeyRow, AuditRow, ConnectionRow, ContentRow, EventRow, FirstEventRow,
    ItemRow, JobRow, KeyUseRow, KeystoneRow, PayloadRow, PeriodRow, RequestRow, Row, TicketKindRow,
    TicketRow, unreadable,
};
use super::{History, Keystone, Request, StoreError};
use crate::model::administrator::Administrator;
use crate::model::audit::Entry;
use crate::model::connection::Connection;
use crate::model::event::Event;
use crate::model::id::{EventId, ItemId, JobId, KeyId};
use crate::model::item::Item;
use crate::model::job::Job;
use crate::model::key::{ApiKey, Digest, Ticket};
use crate::model::sealed::Sealed;

/// One record of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "most records are events")]
pub enum Record {
    /// An event, and what happened to it.
    Event(Event, History),
    /// A request that brought one, or an item, which then has the number of that event.
    Request(Request, EventId),
    /// A job, and what it carries.
    Job(Job, Option<Sealed>),
    /// A linked account.
    Connection(Connection),
    /// An API key.
    Key(ApiKey),
    /// A ticket.
    Ticket(Ticket),
    /// When the next turn of what recurs comes.
    Period(String, DateTime<Utc>),
    /// How many calls were made on a day.
    Tally(NaiveDate, u64),
    /// What opens the vault.
    Keystone(Keystone),
    /// Who did what.
    Audit(Entry),
    /// The administrator's account.
    Administrator(Administrator),
    /// When a key was used last.
    KeyUse(KeyId, DateTime<Utc>),
    /// A thing beside events.
    Item(Item),
}

impl Record {
    /// The record as it is written down.
    pub fn encode(&self) -> Vec<u8> {
        RecordRow::from(self).encode()
    }

    /// The record as it was written down.
    pub fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        RecordRow::decode(bytes)?.try_into()
    }
}

/// A kind of record is never taken away from here, nor is their order changed.
#[derive(Serialize, Deserialize)]
enum RecordRow {
    /// Written until events could be found by their time.
    FirstEvent(u128, FirstEventRow, ContentRow),
    Request(Digest, RequestRow),
    Job(u128, JobRow, Option<PayloadRow>),
    Connection(ConnectionRow),
    Key(ApiKeyRow),
    Ticket(TicketKindRow, Digest, TicketRow),
    Period(String, PeriodRow),
    Tally(i32, u64),
    Keystone(KeystoneRow),
    Audit(u64, AuditRow),
    Administrator(AdministratorRow),
    KeyUse(u128, KeyUseRow),
    Event(u128, EventRow, ContentRow),
    Item(u128, ItemRow),
}

impl Row for RecordRow {
    const NOUN: &'static str = "a record of an export";
}

impl From<&Record> for RecordRow {
    fn from(record: &Record) -> Self {
        match record {
            Record::Event(event, history) => {
                // Its live jobs are named when they are restored.
                let row = EventRow::of(event, history);
                Self::Event(event.id.as_u128(), row, (&event.wanted).into())
            }
            Record::Request(request, event) => {
                Self::Request(request.key, RequestRow::new(request, *event))
            }
            Record::Job(job, payload) => {
                Self::Job(job.id.as_u128(), job.into(), payload.as_ref().map(PayloadRow::from))
            }
            Record::Connection(connection) => Self::Connection(connection.into()),
            Record::Key(key) => Self::Key(key.into()),
            Record::Ticket(ticket) => {
                Self::Ticket(ticket.kind.into(), ticket.digest, ticket.into())
            }
            Record::Period(name, next) => Self::Period(name.clone(), PeriodRow::new(*next)),
            Record::Tally(day, calls) => Self::Tally(day.to_epoch_days(), *calls),
            Record::Keystone(keystone) => Self::Keystone(keystone.into()),
            Record::Administrator(administrator) => Self::Administrator(administrator.into()),
            Record::KeyUse(key, at) => Self::KeyUse(key.as_u128(), KeyUseRow::new(*at)),
            Record::Audit(entry) => Self::Audit(entry.seq, entry.into()),
            Record::Item(item) => Self::Item(item.id.as_u128(), item.into()),
        }
    }
}

impl TryFrom<RecordRow> for Record {
    type Error = StoreError;

    fn try_from(row: RecordRow) -> Result<Self, StoreError> {
        Ok(match row {
            RecordRow::FirstEvent(id, first, content) => {
                let event = EventRow::from(first).under(EventId::from_u128(id), content)?;
                Self::Event(event, History::default())
            }
            RecordRow::Event(id, row, content) => {
                let history = row.history.clone().try_into()?;
                Self::Event(row.under(EventId::from_u128(id), content)?, history)
            }
            RecordRow::Request(key, row) => {
                let request = Request { key, body: row.body, expires: row.expires()? };
                Self::Request(request, row.event())
            }
            RecordRow::Job(id, row, payload) => {
                Self::Job(row.under(JobId::from_u128(id))?, payload.map(Sealed::from))
            }
            RecordRow::Connection(row) => Self::Connection(row.try_into()?),
            RecordRow::Key(row) => Self::Key(row.try_into()?),
            RecordRow::Ticket(kind, digest, row) => Self::Ticket(row.under(kind.into(), digest)?),
            RecordRow::Period(name, row) => Self::Period(name, row.next()?),
            RecordRow::Tally(day, calls) => {
                let day = NaiveDate::from_epoch_days(day);
                Self::Tally(day.ok_or_else(unreadable::<RecordRow>)?, calls)
            }
            RecordRow::Keystone(row) => Self::Keystone(row.into()),
            RecordRow::Administrator(row) => Self::Administrator(row.try_into()?),
            RecordRow::KeyUse(key, row) => Self::KeyUse(KeyId::from_u128(key), row.at()?),
            RecordRow::Audit(seq, row) => Self::Audit(row.under(seq)?),
            RecordRow::Item(id, row) => Self::Item(row.under(ItemId::from_u128(id))?),
        })
    }
}
