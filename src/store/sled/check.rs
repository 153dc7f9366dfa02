//! Holds every row of a store against the others: sled opens a store that lost pages without a
//! word, and this is what tells.
//!
//! The rows are read once, in their order. What a row says of an index is added up for that index,
//! what is found there is subtracted, and nothing may be left over: looking each entry up would jump
//! through the whole file.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};

use sled::Tree;

use super::keys::{self, KeyReader, Table};
use super::ledger::{Read, failed};
use super::rows::{
    ApiKeyRow, ConnectionRow, ContentRow, EventRow, JobRow, KeystoneRow, MetaRow, PayloadRow,
    RequestRow, Row, TicketRow,
};
use crate::model::connection::Connection;
use crate::model::job::{Job, JobState};
use crate::model::key::ApiKey;
use crate::store::StoreError;

/// Refuses unless each table has as many rows as were counted when they were written, each row can
/// be read, and the indexes hold exactly what the rows say.
pub(super) fn every_row(tree: &Tree, meta: &MetaRow) -> Result<(), StoreError> {
    let mut books = Books::default();
    for row in tree {
        let (key, row) = row.map_err(failed)?;
        let table = Table::COUNTED.into_iter().find(|table| key.first() == Some(&table.byte()));
        match table {
            Some(table) => books.enter(tree, table, &key, &row)?,
            None if *key == *keys::tally() => {}
            None => return Err(StoreError::Damaged("it has a row of no table".to_owned())),
        }
    }
    books.close(meta)
}

#[derive(Default)]
struct Books {
    /// How many rows were found, by table.
    rows: BTreeMap<u8, u64>,
    /// What is expected of each table less what was found there.
    left_over: BTreeMap<u8, u64>,
}

impl Books {
    fn enter(
        &mut self,
        tree: &Tree,
        table: Table,
        key: &[u8],
        row: &[u8],
    ) -> Result<(), StoreError> {
        *self.rows.entry(table.byte()).or_default() += 1;
        let mut read = KeyReader::new(key)?;
        match table {
            Table::Event => {
                let (id, event) = (read.id()?, EventRow::decode(row)?);
                let revision = event.revision;
                self.expect(&keys::content(id), &revision.to_be_bytes());
                event.under(id, ContentRow { revision, content: Vec::new() })?;
            }
            Table::Content => self.find(key, &ContentRow::decode(row)?.revision.to_be_bytes()),
            Table::Request => {
                let request = RequestRow::decode(row)?;
                has(tree, &keys::event(request.event()), "a request", "its event")?;
                self.expect(&keys::request_over(request.expires()?, &read.bytes()?), &[]);
            }
            Table::Job => self.job(&JobRow::decode(row)?.under(read.id()?)?),
            Table::Payload => {
                PayloadRow::decode(row)?;
                has(tree, &keys::job(read.id()?), "what a job carries", "its job")?;
            }
            Table::Connection => {
                let connection = Connection::try_from(ConnectionRow::decode(row)?)?;
                let Connection { id, owner, account, linked, .. } = &connection;
                self.expect(&keys::owner_connection(owner, *linked, *id), &[]);
                self.expect(&keys::account_connection(account, *id), &[]);
            }
            Table::Ticket => {
                let (kind, digest) = (read.ticket_kind()?, read.bytes()?);
                let ticket = TicketRow::decode(row)?.under(kind, digest)?;
                self.expect(&keys::ticket_over(ticket.expires, kind, &digest), &[]);
            }
            Table::Key => drop(ApiKey::try_from(ApiKeyRow::decode(row)?)?),
            Table::Keystone => drop(KeystoneRow::decode(row)?),
            Table::Meta
            | Table::RequestOver
            | Table::Live
            | Table::Ready
            | Table::Done
            | Table::Dead
            | Table::OwnerConnection
            | Table::AccountConnection
            | Table::TicketOver => self.find(key, row),
        }
        Ok(())
    }

    fn job(&mut self, job: &Job) {
        match job.state {
            JobState::Live => {
                self.expect(&keys::live(&job.kind), &job.id.as_u128().to_be_bytes());
                self.expect(&keys::ready(&job.line, job.due, job.id), &[]);
            }
            JobState::Done { at } => self.expect(&keys::finished(Table::Done, at, job.id), &[]),
            JobState::Dead { at } => self.expect(&keys::finished(Table::Dead, at, job.id), &[]),
        }
    }

    fn expect(&mut self, key: &[u8], row: &[u8]) {
        let sum = self.left_over.entry(key[0]).or_default();
        *sum = sum.wrapping_add(hash(key, row));
    }

    fn find(&mut self, key: &[u8], row: &[u8]) {
        let sum = self.left_over.entry(key[0]).or_default();
        *sum = sum.wrapping_sub(hash(key, row));
    }

    fn close(self, meta: &MetaRow) -> Result<(), StoreError> {
        for table in Table::COUNTED {
            let of = |rows: &BTreeMap<u8, u64>| rows.get(&table.byte()).copied().unwrap_or(0);
            let (found, counted) = (of(&self.rows), of(&meta.rows));
            if found != counted {
                let told = format!("{found} of {counted} rows of {table:?} are left");
                return Err(StoreError::Damaged(told));
            }
            if of(&self.left_over) != 0 {
                let told = format!("the rows of {table:?} are not those that belong to the others");
                return Err(StoreError::Damaged(told));
            }
        }
        Ok(())
    }
}

fn hash(key: &[u8], row: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(key);
    hasher.write_u8(0);
    hasher.write(row);
    hasher.finish()
}

fn has(tree: &Tree, key: &[u8], row: &str, entry: &str) -> Result<(), StoreError> {
    if Read::get(tree, key)?.is_some() {
        return Ok(());
    }
    Err(StoreError::Damaged(format!("{row} is there without {entry}")))
}
