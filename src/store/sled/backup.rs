//! The whole store, out and in.

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::events::Open;
use super::keys::{self, KeyReader, Table};
use super::ledger::{Ledger, Read};
use super::{SledStore, access, audit, connections, events, items, lines};
use crate::model::administrator::Administrator;
use crate::model::connection::Connection;
use crate::model::event::Event;
use crate::model::job::{Job, Kind};
use crate::model::key::ApiKey;
use crate::model::sealed::Sealed;
use crate::store::rows::{
    AdministratorRow, ApiKeyRow, AuditRow, ConnectionRow, ContentRow, EventRow, ItemRow, JobRow,
    KeyUseRow, KeystoneRow, PayloadRow, PeriodRow, RequestRow, Row, TicketRow,
};
use crate::store::{Backup, History, Record, Request, StoreError};

/// The tables that records are made of, in the order in which they are exported: what shows that a
/// store is in use comes first, what makes it usable last.
const TABLES: [Table; 13] = [
    Table::Connection,
    Table::Key,
    Table::Ticket,
    Table::Event,
    Table::Item,
    Table::Request,
    Table::Job,
    Table::Period,
    Table::Tally,
    Table::Audit,
    Table::Administrator,
    Table::KeyUse,
    Table::Keystone,
];

#[async_trait]
impl Backup for SledStore {
    /// Runs on the writing thread, so that nothing is written meanwhile.
    async fn export(&self, into: mpsc::Sender<Record>) -> Result<(), StoreError> {
        self.committer.commit(move |ledger| send_all(ledger, &into)).await
    }

    async fn restore(&self, records: Vec<Record>) -> Result<(), StoreError> {
        let step = move |ledger: &mut Ledger| {
            ledger.must_have_room()?;
            records.iter().try_for_each(|record| keep(ledger, record))
        };
        self.committer.commit(step).await
    }
}

fn send_all(ledger: &Ledger, into: &mpsc::Sender<Record>) -> Result<(), StoreError> {
    for table in TABLES {
        for found in ledger.scan(&table.prefix()) {
            let (key, row) = found?;
            if into.blocking_send(record(ledger, table, &key, &row)?).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The record whose main row lies in `table` under `key`.
fn record(ledger: &Ledger, table: Table, key: &[u8], row: &[u8]) -> Result<Record, StoreError> {
    let mut read = KeyReader::new(key)?;
    Ok(match table {
        Table::Connection => Record::Connection(Connection::try_from(ConnectionRow::decode(row)?)?),
        Table::Key => Record::Key(ApiKey::try_from(ApiKeyRow::decode(row)?)?),
        Table::Ticket => {
            let (kind, digest) = (read.ticket_kind()?, read.bytes()?);
            Record::Ticket(TicketRow::decode(row)?.under(kind, digest)?)
        }
        Table::Event => {
            let id = read.id()?;
            let row = EventRow::decode(row)?;
            let content: Option<ContentRow> = ledger.row(&keys::content(row.created()?, id))?;
            let content = content.ok_or_else(|| {
                StoreError::Damaged(format!("the event {id} has lost its content"))
            })?;
            let history = row.history.clone().try_into()?;
            Record::Event(row.under(id, content)?, history)
        }
        Table::Item => Record::Item(ItemRow::decode(row)?.under(read.id()?)?),
        Table::Request => {
            let row = RequestRow::decode(row)?;
            let request = Request { key: read.bytes()?, body: row.body, expires: row.expires()? };
            Record::Request(request, row.event())
        }
        Table::Job => {
            let id = read.id()?;
            let payload: Option<PayloadRow> = ledger.row(&keys::payload(id))?;
            Record::Job(JobRow::decode(row)?.under(id)?, payload.map(Sealed::from))
        }
        Table::Period => Record::Period(read.text()?, PeriodRow::decode(row)?.next()?),
        Table::Tally => Record::Tally(read.day()?, ledger.number(key)?),
        Table::Administrator => {
            Record::Administrator(Administrator::try_from(AdministratorRow::decode(row)?)?)
        }
        Table::KeyUse => Record::KeyUse(read.id()?, KeyUseRow::decode(row)?.at()?),
        Table::Audit => Record::Audit(AuditRow::decode(row)?.under(read.seq()?)?),
        Table::Keystone => Record::Keystone(KeystoneRow::decode(row)?.into()),
        _ => return Err(StoreError::Damaged("an index was taken for a table".to_owned())),
    })
}

/// Keeps `record`, unless it is there.
fn keep(ledger: &mut Ledger, record: &Record) -> Result<(), StoreError> {
    let key = match record {
        Record::Connection(connection) => keys::connection(connection.id),
        Record::Key(key) => keys::key(key.id),
        Record::Ticket(ticket) => keys::ticket(ticket.kind, &ticket.digest),
        Record::Event(event, _) => keys::event(event.id),
        Record::Item(item) => keys::item(item.id),
        Record::Request(request, _) => keys::request(&request.key),
        Record::Job(job, _) => keys::job(job.id),
        Record::Period(name, _) => keys::period(name),
        Record::Tally(day, _) => keys::tally_of(*day),
        Record::Administrator(_) => keys::administrator(),
        Record::KeyUse(id, _) => keys::key_use(*id),
        Record::Audit(entry) => keys::audit(entry.seq),
        Record::Keystone(_) => keys::keystone(),
    };
    if ledger.get(&key)?.is_some() {
        return Ok(());
    }
    match record {
        Record::Connection(connection) => connections::write(ledger, connection),
        Record::Key(row) => ledger.put(key, &ApiKeyRow::from(row)),
        Record::Ticket(ticket) => access::write_ticket(ledger, ticket),
        Record::Event(event, history) => write_event(ledger, event, history),
        Record::Item(item) => items::write(ledger, item),
        Record::Request(request, event) => events::remember(ledger, request, *event),
        Record::Job(job, payload) => write_job(ledger, job, payload.as_ref()),
        Record::Period(_, next) => ledger.put(key, &PeriodRow::new(*next)),
        Record::Tally(_, calls) => ledger.put_bytes(key, calls.to_be_bytes().to_vec()),
        Record::Administrator(account) => ledger.put(key, &AdministratorRow::from(account)),
        Record::KeyUse(_, at) => ledger.put(key, &KeyUseRow::new(*at)),
        Record::Audit(entry) => audit::write(ledger, entry),
        Record::Keystone(keystone) => ledger.put(key, &KeystoneRow::from(keystone)),
    }
}

/// Keeps an event, whose live jobs may be there already.
fn write_event(ledger: &mut Ledger, event: &Event, history: &History) -> Result<(), StoreError> {
    let mut row = EventRow::of(event, history);
    for kind in Kind::about(event.id) {
        // A job that was restored before its event waits for it in a row of its own.
        if let Some(id) = lines::live(ledger, &kind, None)? {
            ledger.remove(keys::live(&kind));
            row.first.live.set(&kind, Some(id));
        }
    }
    if let Some(list) = events::listing(event.id, &row)? {
        ledger.insert_bytes(list, Vec::new())?;
    }
    events::insert(ledger, event, &row)
}

fn write_job(ledger: &mut Ledger, job: &Job, payload: Option<&Sealed>) -> Result<(), StoreError> {
    ledger.insert(keys::job(job.id), &JobRow::from(job))?;
    if let Some(payload) = payload {
        ledger.insert(keys::payload(job.id), &PayloadRow::from(payload))?;
    }
    if let Some(finished) = keys::finished(job) {
        return ledger.insert_bytes(finished, Vec::new());
    }
    let event = job.kind.event().map(|event| Open::find(ledger, event));
    let mut event = event.transpose()?.flatten();
    lines::start(ledger, job, event.as_mut())?;
    event.map_or(Ok(()), |event| event.keep(ledger))
}
