//! Holds every row of a store against the others: sled opens a store that lost pages without a
//! word, and this is what tells.
//!
//! The rows are read once, in their order, by several threads of which each reads a table at a time.
//! What a row says of an index is added up for that index, what is found there is subtracted, and
//! nothing may be left over: looking each entry up would jump through the whole file.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::thread;

use sled::Tree;

use super::events::listing;
use super::items::listings;
use super::keys::{self, KeyReader, Table};
use super::ledger::{Read, failed};
use super::meta::MetaRow;
use super::migration::LISTED;
use crate::model::administrator::Administrator;
use crate::model::connection::Connection;
use crate::model::id::noun;
use crate::model::job::{Job, Kind};
use crate::model::key::ApiKey;
use crate::store::StoreError;
use crate::store::rows::{
    AdministratorRow, ApiKeyRow, AuditRow, ConnectionRow, ContentRow, EventRow, HeadRow, ItemRow,
    JobRow, KeyUseRow, KeystoneRow, PayloadRow, PeriodRow, RefreshRow, RequestRow, Row, TicketRow,
};

/// There are few large tables to share among threads.
const MOST_THREADS: usize = 4;

/// Refuses unless each table has as many rows as were counted when they were written, each row can
/// be read, and the indexes hold exactly what the rows say.
pub(super) fn every_row(tree: &Tree, meta: &MetaRow) -> Result<(), StoreError> {
    // The tables with most to read last, which is where the list is taken from.
    let mut tables: Vec<Table> = Table::COUNTED.into();
    tables.sort_by_key(|table| (*table == Table::Content, meta.rows.get(&table.byte()).copied()));
    let tables = Mutex::new(tables);
    let next = || tables.lock().ok()?.pop();
    let read = || {
        let mut books = Books::default();
        while let Some(table) = next() {
            books.read(tree, table)?;
        }
        Ok(books)
    };
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(MOST_THREADS);
    let books = thread::scope(|scope| {
        let readers: Vec<_> = (0..threads).map(|_| scope.spawn(read)).collect();
        let mut all = Books::default();
        for reader in readers {
            let books = reader
                .join()
                .map_err(|_| StoreError::Damaged("reading its rows made sled panic".to_owned()))?;
            all.add(books?);
        }
        Ok(all)
    })?;
    no_other_rows(tree)?;
    books.close(meta)
}

/// Refuses if there is a row of no table.
fn no_other_rows(tree: &Tree) -> Result<(), StoreError> {
    let known = Table::COUNTED.map(Table::byte);
    let mut from = Vec::new();
    while let Some(found) = tree.range(from..).next() {
        let (key, _) = found.map_err(failed)?;
        from = match key.first() {
            _ if *key == *keys::tally() => [&*key, &[0]].concat(),
            Some(table) if known.contains(table) => vec![table + 1],
            _ => return Err(StoreError::Damaged("it has a row of no table".to_owned())),
        };
    }
    Ok(())
}

#[derive(Default)]
struct Books {
    /// How many rows were found, by table.
    rows: BTreeMap<u8, u64>,
    /// What is expected of each table less what was found there.
    left_over: BTreeMap<u8, u64>,
}

impl Books {
    fn read(&mut self, tree: &Tree, table: Table) -> Result<(), StoreError> {
        let mut rows = 0;
        for found in tree.scan_prefix(table.prefix()) {
            let (key, row) = found.map_err(failed)?;
            self.enter(tree, table, &key, &row)?;
            rows += 1;
        }
        self.rows.insert(table.byte(), rows);
        Ok(())
    }

    fn add(&mut self, other: Self) {
        self.rows.extend(other.rows);
        for (table, more) in other.left_over {
            let sum = self.left_over.entry(table).or_default();
            *sum = sum.wrapping_add(more);
        }
    }

    fn enter(
        &mut self,
        tree: &Tree,
        table: Table,
        key: &[u8],
        row: &[u8],
    ) -> Result<(), StoreError> {
        let mut read = KeyReader::new(key)?;
        match table {
            Table::Event => {
                let (id, event) = (read.id()?, EventRow::decode(row)?);
                let revision = event.first.revision;
                let created = event.created()?;
                self.expect(&keys::content(created, id), &revision.to_be_bytes());
                let listed = keys::owner_event(&event.owner()?, created, id);
                self.expect(&listed, &event.span().encode());
                if let Some(listed) = listing(id, &event)? {
                    self.expect(&listed, &[]);
                }
                for kind in Kind::about(id) {
                    if let Some(job) = event.first.live.get(&kind) {
                        self.find(&keys::live(&kind), &job.as_u128().to_be_bytes());
                    }
                }
                event.under(id, ContentRow { revision, content: Vec::new() })?;
            }
            Table::Content => self.find(key, &ContentRow::decode(row)?.revision.to_be_bytes()),
            Table::Request => {
                read.bytes::<32>()?;
                RequestRow::decode(row)?.expires()?;
            }
            // Taken away once the store is known to be whole.
            Table::RequestOver => {}
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
            Table::Item => {
                for listed in listings(&ItemRow::decode(row)?.under(read.id()?)?) {
                    self.expect(&listed, &[]);
                }
            }
            Table::Key => drop(ApiKey::try_from(ApiKeyRow::decode(row)?)?),
            Table::Audit => drop(AuditRow::decode(row)?.under(read.seq()?)?),
            Table::Administrator => {
                drop(Administrator::try_from(AdministratorRow::decode(row)?)?);
            }
            Table::KeyUse => drop(KeyUseRow::decode(row)?.at()?),
            Table::AuditHead => {
                HeadRow::decode(row)?;
            }
            Table::Refresh => {
                read.id::<noun::Connection>()?;
                RefreshRow::decode(row)?.at()?;
            }
            Table::Keystone => drop(KeystoneRow::decode(row)?),
            Table::OwnerJobs => self.find_many(key, number(row)?),
            Table::Period => drop(PeriodRow::decode(row)?.next()?),
            Table::Tally => drop((read.day()?, number(row)?)),
            Table::Meta
            | Table::OwnerEvent
            | Table::Past
            | Table::Tombstone
            | Table::OwnerItem
            | Table::GoneItem
            | Table::AttachedItem
            | Table::Live
            | Table::Ready
            | Table::Done
            | Table::Dead
            | Table::Cancelled
            | Table::OwnerConnection
            | Table::AccountConnection
            | Table::TicketOver => self.find(key, row),
        }
        Ok(())
    }

    fn job(&mut self, job: &Job) {
        if let Some(finished) = keys::finished(job) {
            self.expect(&finished, &[]);
            return;
        }
        self.expect(&keys::live(&job.kind), &job.id.as_u128().to_be_bytes());
        self.expect(&keys::ready(&job.line, job.due, job.id), &[]);
        self.expect(&keys::owner_jobs(&job.line.owner), &[]);
    }

    fn expect(&mut self, key: &[u8], row: &[u8]) {
        let sum = self.left_over.entry(key[0]).or_default();
        *sum = sum.wrapping_add(hash(key, row));
    }

    fn find(&mut self, key: &[u8], row: &[u8]) {
        let sum = self.left_over.entry(key[0]).or_default();
        *sum = sum.wrapping_sub(hash(key, row));
    }

    /// Finds a row that tells how often others expect its key.
    fn find_many(&mut self, key: &[u8], times: u64) {
        let sum = self.left_over.entry(key[0]).or_default();
        *sum = sum.wrapping_sub(hash(key, &[]).wrapping_mul(times));
    }

    fn close(self, meta: &MetaRow) -> Result<(), StoreError> {
        for table in Table::COUNTED {
            let of = |rows: &BTreeMap<u8, u64>| rows.get(&table.byte()).copied().unwrap_or(0);
            let (found, counted) = (of(&self.rows), of(&meta.rows));
            if found != counted {
                let told = format!("{found} of {counted} rows of {table:?} are left");
                return Err(StoreError::Damaged(told));
            }
            // Those of an earlier release are still to be listed.
            let unlisted = table == Table::OwnerEvent && meta.format < LISTED;
            if of(&self.left_over) != 0 && !unlisted {
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

fn number(row: &[u8]) -> Result<u64, StoreError> {
    let number = row.try_into().map(u64::from_be_bytes);
    number.map_err(|_| StoreError::Damaged("a number cannot be read".to_owned()))
}

fn has(tree: &Tree, key: &[u8], row: &str, entry: &str) -> Result<(), StoreError> {
    if Read::get(tree, key)?.is_some() {
        return Ok(());
    }
    Err(StoreError::Damaged(format!("{row} is there without {entry}")))
}
