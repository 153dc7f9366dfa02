//! Holds every row of a store against the others: sled opens a store that lost pages without a
//! word, and this is what tells.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sled::{IVec, Tree};

use super::keys::{self, KeyReader, Table};
use super::ledger::{Read, failed};
use super::rows::{
    ApiKeyRow, ConnectionRow, ContentRow, EventRow, JobRow, KeystoneRow, MetaRow, PayloadRow,
    RequestRow, Row, TicketRow,
};
use crate::model::connection::Connection;
use crate::model::job::{Job, JobState, Line};
use crate::model::key::ApiKey;
use crate::store::StoreError;

/// Refuses unless each table has as many rows as were counted when they were written, each row can
/// be read, and each has its entry in every index. With equal counts, no entry can then be without
/// its row.
pub(super) fn every_row(tree: &Tree, meta: &MetaRow) -> Result<(), StoreError> {
    let mut found = BTreeMap::new();
    let mut waiting = Waiting::default();
    for row in tree {
        let (key, row) = row.map_err(failed)?;
        let table = Table::COUNTED.into_iter().find(|table| key.first() == Some(&table.byte()));
        let Some(table) = table else {
            if *key == *keys::tally() {
                continue;
            }
            return Err(StoreError::Damaged("it has a row of no table".to_owned()));
        };
        *found.entry(table.byte()).or_insert(0_u64) += 1;
        one_row(tree, table, &key, &row)?;
        if table == Table::Ready {
            waiting.count(tree, &key)?;
        }
    }
    waiting.compare(tree)?;
    for table in Table::COUNTED {
        let of = |rows: &BTreeMap<u8, u64>| rows.get(&table.byte()).copied().unwrap_or(0);
        let (found, counted) = (of(&found), of(&meta.rows));
        if found != counted {
            let told = format!("{found} of {counted} rows of {table:?} are left");
            return Err(StoreError::Damaged(told));
        }
    }
    Ok(())
}

/// The jobs of the line that is being read, to be compared with the line's own row.
#[derive(Default)]
struct Waiting {
    line: Option<Line>,
    jobs: u64,
}

impl Waiting {
    fn count(&mut self, tree: &Tree, ready: &[u8]) -> Result<(), StoreError> {
        let line = KeyReader::new(ready)?.line()?;
        if self.line.as_ref() != Some(&line) {
            self.compare(tree)?;
            self.line = Some(line);
            self.jobs = 0;
        }
        self.jobs += 1;
        Ok(())
    }

    fn compare(&self, tree: &Tree) -> Result<(), StoreError> {
        let Some(line) = &self.line else { return Ok(()) };
        let told = tree.get(keys::line(line)).map_err(failed)?;
        if told.as_deref() == Some(&self.jobs.to_be_bytes()) {
            return Ok(());
        }
        Err(StoreError::Damaged("a line's length is not its number of jobs".to_owned()))
    }
}

fn one_row(tree: &Tree, table: Table, key: &IVec, row: &IVec) -> Result<(), StoreError> {
    let mut read = KeyReader::new(key)?;
    match table {
        Table::Event => {
            let id = read.id()?;
            let event = EventRow::decode(row)?;
            let content: Option<ContentRow> = tree.row(&keys::content(id))?;
            let content = content.ok_or_else(|| lost("an event", "its content"))?;
            if content.revision != event.revision {
                return Err(lost("an event", "its content's revision"));
            }
            event.under(id, content).map(drop)
        }
        Table::Request => {
            let request = RequestRow::decode(row)?;
            has(tree, &keys::event(request.event()), "a request", "its event")?;
            let index = keys::request_over(request.expires()?, &read.bytes()?);
            has(tree, &index, "a request", "its expiry")
        }
        Table::Job => {
            let job = JobRow::decode(row)?.under(read.id()?)?;
            match job.state {
                JobState::Live => {
                    let live = tree.get(keys::live(&job.kind)).map_err(failed)?;
                    if live.as_deref() != Some(&job.id.as_u128().to_be_bytes()) {
                        return Err(lost("a job", "its thing"));
                    }
                    has(tree, &keys::ready(&job.line, job.due, job.id), "a job", "its place")
                }
                JobState::Done { at } => ended(tree, Table::Done, at, &job),
                JobState::Dead { at } => ended(tree, Table::Dead, at, &job),
            }
        }
        Table::Payload => {
            PayloadRow::decode(row)?;
            has(tree, &keys::job(read.id()?), "what a job carries", "its job")
        }
        Table::Connection => {
            let connection = Connection::try_from(ConnectionRow::decode(row)?)?;
            let Connection { id, owner, account, linked, .. } = &connection;
            let of_owner = keys::owner_connection(owner, *linked, *id);
            has(tree, &of_owner, "a connection", "its owner's list")?;
            let of_account = keys::account_connection(account, *id);
            has(tree, &of_account, "a connection", "its account's list")
        }
        Table::Ticket => {
            let (kind, digest) = (read.ticket_kind()?, read.bytes()?);
            let ticket = TicketRow::decode(row)?.under(kind, digest)?;
            has(tree, &keys::ticket_over(ticket.expires, kind, &digest), "a ticket", "its expiry")
        }
        Table::Key => ApiKey::try_from(ApiKeyRow::decode(row)?).map(drop),
        Table::Keystone => KeystoneRow::decode(row).map(drop),
        Table::Content => {
            ContentRow::decode(row)?;
            has(tree, &keys::event(read.id()?), "a content", "its event")
        }
        // Entries that the rows above were found in; their number is compared.
        Table::Meta
        | Table::RequestOver
        | Table::Live
        | Table::Ready
        | Table::Line
        | Table::Done
        | Table::Dead
        | Table::OwnerConnection
        | Table::AccountConnection
        | Table::TicketOver => Ok(()),
    }
}

fn ended(tree: &Tree, table: Table, at: DateTime<Utc>, job: &Job) -> Result<(), StoreError> {
    has(tree, &keys::finished(table, at, job.id), "a finished job", "its end")
}

fn has(tree: &Tree, key: &[u8], row: &str, entry: &str) -> Result<(), StoreError> {
    if tree.contains_key(key).map_err(failed)? { Ok(()) } else { Err(lost(row, entry)) }
}

fn lost(row: &str, entry: &str) -> StoreError {
    StoreError::Damaged(format!("{row} is there without {entry}"))
}
