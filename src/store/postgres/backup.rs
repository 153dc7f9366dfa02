//! The whole store, out of PostgreSQL and in.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use tokio::sync::mpsc;

use super::PostgresStore;
use super::administrator::{administrator_in, uses_in};
use super::error::Trouble;
use super::events::insert_contents;
use super::rows::{
    ApiKeyRow, AuditRow, ConnectionRow, EventRow, Hex, ItemRow, JobRow, RequestRow, TicketRow,
    id_bytes, nanos, read, time, written,
};
use crate::model::administrator::Administrator;
use crate::model::audit::Entry;
use crate::model::id::{EventId, JobId, KeyId};
use crate::model::job::Job;
use crate::model::sealed::Sealed;
use crate::store::{Backup, Keystone, Record, StoreError};

/// How many rows are read at once.
const PAGE: i64 = 500;

/// Nobody receives any more, or the database does not go on.
enum Broken {
    Off,
    Trouble(Trouble),
}

impl<E: Into<Trouble>> From<E> for Broken {
    fn from(error: E) -> Self {
        Self::Trouble(error.into())
    }
}

#[async_trait]
impl Backup for PostgresStore {
    async fn export(&self, into: mpsc::Sender<Record>) -> Result<(), StoreError> {
        match self.try_export(&into).await {
            Ok(()) | Err(Broken::Off) => Ok(()),
            Err(Broken::Trouble(Trouble::Store(error))) => Err(error),
            Err(Broken::Trouble(Trouble::Clash)) => Err(super::too_many_clashes()),
        }
    }

    async fn restore(&self, records: Vec<Record>) -> Result<(), StoreError> {
        self.again(|| self.try_restore(&records)).await
    }
}

impl PostgresStore {
    async fn try_export(&self, into: &mpsc::Sender<Record>) -> Result<(), Broken> {
        let mut tx = self.pool.begin().await?;
        // All of it as it is now.
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            .execute(&mut *tx)
            .await?;
        // Whoever receives may be slow.
        sqlx::query("SET LOCAL idle_in_transaction_session_timeout = 0").execute(&mut *tx).await?;
        for (statement, record) in SMALL {
            let rows: Vec<String> = sqlx::query_scalar(*statement).fetch_all(&mut *tx).await?;
            for row in rows {
                send(into, record(&row)?).await?;
            }
        }
        export_events(&mut tx, into).await?;
        export_items(&mut tx, into).await?;
        export_requests(&mut tx, into).await?;
        export_jobs(&mut tx, into).await?;
        let periods: Vec<(String, i64)> =
            sqlx::query_as("SELECT name, next_at FROM period ORDER BY name")
                .fetch_all(&mut *tx)
                .await?;
        for (name, next) in periods {
            send(into, Record::Period(name, time(next))).await?;
        }
        let tallies: Vec<(NaiveDate, i64)> =
            sqlx::query_as("SELECT day, calls FROM tally ORDER BY day").fetch_all(&mut *tx).await?;
        for (day, calls) in tallies {
            send(into, Record::Tally(day, calls.unsigned_abs())).await?;
        }
        export_audit(&mut tx, into).await?;
        if let Some(account) = administrator_in(&mut tx).await? {
            send(into, Record::Administrator(account)).await?;
        }
        for (id, at) in uses_in(&mut tx).await? {
            send(into, Record::KeyUse(id, at)).await?;
        }
        if let Some(keystone) = super::keystone_in(&mut tx).await? {
            send(into, Record::Keystone(keystone)).await?;
        }
        Ok(())
    }

    async fn try_restore(&self, records: &[Record]) -> Result<(), Trouble> {
        let mut sorted = Sorted::default();
        for record in records {
            sorted.add(record);
        }
        let mut tx = self.pool.begin().await?;
        sorted.insert(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }
}

async fn send(into: &mpsc::Sender<Record>, record: Record) -> Result<(), Broken> {
    into.send(record).await.map_err(|_| Broken::Off)
}

/// A row of a table that is small enough to be read at once.
type Read = fn(&str) -> Result<Record, StoreError>;

const SMALL: &[(&str, Read)] = &[
    ("SELECT row_to_json(c)::text FROM connection c ORDER BY id", |row| {
        Ok(Record::Connection(read::<ConnectionRow>(row)?.try_into()?))
    }),
    ("SELECT row_to_json(k)::text FROM api_key k ORDER BY id", |row| {
        Ok(Record::Key(read::<ApiKeyRow>(row)?.try_into()?))
    }),
    ("SELECT row_to_json(t)::text FROM ticket t ORDER BY kind, digest", |row| {
        Ok(Record::Ticket(read::<TicketRow>(row)?.try_into()?))
    }),
];

async fn export_events(tx: &mut PgConnection, into: &mpsc::Sender<Record>) -> Result<(), Broken> {
    let mut after = Vec::new();
    loop {
        let page: Vec<(Vec<u8>, String, Vec<u8>)> = sqlx::query_as(
            "SELECT e.id, row_to_json(e)::text, c.content
             FROM event e JOIN event_content c ON c.id = e.id
             WHERE e.id > $1 ORDER BY e.id LIMIT $2",
        )
        .bind(&after)
        .bind(PAGE)
        .fetch_all(&mut *tx)
        .await?;
        let Some((last, ..)) = page.last() else { return Ok(()) };
        after.clone_from(last);
        for (_, row, content) in page {
            let mut row = read::<EventRow>(&row)?;
            let history = std::mem::take(&mut row.history).try_into()?;
            send(into, Record::Event(row.with(content)?, history)).await?;
        }
    }
}

async fn export_items(tx: &mut PgConnection, into: &mpsc::Sender<Record>) -> Result<(), Broken> {
    let mut after = Vec::new();
    loop {
        let page: Vec<(Vec<u8>, String)> = sqlx::query_as(
            "SELECT id, row_to_json(i)::text FROM item i WHERE id > $1 ORDER BY id LIMIT $2",
        )
        .bind(&after)
        .bind(PAGE)
        .fetch_all(&mut *tx)
        .await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after.clone_from(last);
        for (_, row) in page {
            send(into, Record::Item(read::<ItemRow>(&row)?.try_into()?)).await?;
        }
    }
}

async fn export_requests(tx: &mut PgConnection, into: &mpsc::Sender<Record>) -> Result<(), Broken> {
    let mut after = Vec::new();
    loop {
        let page: Vec<(Vec<u8>, String)> = sqlx::query_as(
            "SELECT key, row_to_json(r)::text FROM request r WHERE key > $1 ORDER BY key LIMIT $2",
        )
        .bind(&after)
        .bind(PAGE)
        .fetch_all(&mut *tx)
        .await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after.clone_from(last);
        for (_, row) in page {
            let row: RequestRow = read(&row)?;
            let event = row.event()?;
            send(into, Record::Request(row.try_into()?, event)).await?;
        }
    }
}

async fn export_jobs(tx: &mut PgConnection, into: &mpsc::Sender<Record>) -> Result<(), Broken> {
    let mut after = Vec::new();
    loop {
        let page: Vec<(Vec<u8>, String, Option<Vec<u8>>)> = sqlx::query_as(
            "SELECT j.id, row_to_json(j)::text, p.payload
             FROM job j LEFT JOIN job_payload p ON p.job = j.id
             WHERE j.id > $1 ORDER BY j.id LIMIT $2",
        )
        .bind(&after)
        .bind(PAGE)
        .fetch_all(&mut *tx)
        .await?;
        let Some((last, ..)) = page.last() else { return Ok(()) };
        after.clone_from(last);
        for (_, row, payload) in page {
            let job: Job = read::<JobRow>(&row)?.try_into()?;
            send(into, Record::Job(job, payload.map(Sealed::from_bytes))).await?;
        }
    }
}

async fn export_audit(tx: &mut PgConnection, into: &mpsc::Sender<Record>) -> Result<(), Broken> {
    let mut after = 0_i64;
    loop {
        let page: Vec<(i64, String)> = sqlx::query_as(
            "SELECT seq, row_to_json(a)::text FROM audit a WHERE seq > $1 ORDER BY seq LIMIT $2",
        )
        .bind(after)
        .bind(PAGE)
        .fetch_all(&mut *tx)
        .await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = *last;
        for (_, row) in page {
            send(into, Record::Audit(read::<AuditRow>(&row)?.try_into()?)).await?;
        }
    }
}

/// Records, each with those that go into the same table.
#[derive(Default)]
struct Sorted<'a> {
    connections: Vec<ConnectionRow>,
    keys: Vec<ApiKeyRow>,
    tickets: Vec<TicketRow>,
    events: Vec<EventRow>,
    contents: Vec<(EventId, &'a Sealed)>,
    items: Vec<ItemRow>,
    requests: Vec<RequestRow>,
    jobs: Vec<JobRow>,
    payloads: Vec<(JobId, &'a Sealed)>,
    periods: Vec<(&'a str, DateTime<Utc>)>,
    tallies: Vec<(NaiveDate, u64)>,
    audit: Vec<&'a Entry>,
    administrator: Option<&'a Administrator>,
    key_uses: Vec<(KeyId, DateTime<Utc>)>,
    keystone: Option<&'a Keystone>,
}

impl<'a> Sorted<'a> {
    fn add(&mut self, record: &'a Record) {
        match record {
            Record::Connection(connection) => self.connections.push(connection.into()),
            Record::Key(key) => self.keys.push(key.into()),
            Record::Ticket(ticket) => self.tickets.push(ticket.into()),
            Record::Event(event, history) => {
                self.events.push(EventRow::of(event, history));
                self.contents.push((event.id, &event.wanted.content));
            }
            Record::Item(item) => self.items.push(item.into()),
            Record::Request(request, event) => {
                self.requests.push(RequestRow::new(request, *event));
            }
            Record::Job(job, payload) => {
                self.jobs.push(job.into());
                self.payloads.extend(payload.iter().map(|payload| (job.id, payload)));
            }
            Record::Period(name, next) => self.periods.push((name, *next)),
            Record::Tally(day, calls) => self.tallies.push((*day, *calls)),
            Record::Administrator(account) => self.administrator = Some(account),
            Record::KeyUse(id, at) => self.key_uses.push((*id, *at)),
            Record::Audit(entry) => self.audit.push(entry),
            Record::Keystone(keystone) => self.keystone = Some(keystone),
        }
    }

    async fn insert(self, tx: &mut PgConnection) -> Result<(), Trouble> {
        insert(tx, INSERT_CONNECTIONS, &self.connections).await?;
        insert(tx, INSERT_KEYS, &self.keys).await?;
        insert(tx, INSERT_TICKETS, &self.tickets).await?;
        insert(tx, INSERT_EVENTS, &self.events).await?;
        insert_contents(tx, self.contents).await?;
        insert(tx, INSERT_ITEMS, &self.items).await?;
        insert(tx, INSERT_REQUESTS, &self.requests).await?;
        insert(tx, INSERT_JOBS, &self.jobs).await?;
        let (ids, payloads): (Vec<_>, Vec<_>) = self
            .payloads
            .into_iter()
            .map(|(job, payload)| (Hex::from(job).0, payload.as_bytes()))
            .unzip();
        sqlx::query(
            "INSERT INTO job_payload
                 SELECT p.job, p.payload FROM unnest($1::bytea[], $2::bytea[]) p (job, payload)
                 JOIN job ON job.id = p.job ON CONFLICT DO NOTHING",
        )
        .bind(ids)
        .bind(payloads)
        .execute(&mut *tx)
        .await?;
        for (name, next) in self.periods {
            sqlx::query("INSERT INTO period VALUES ($1, $2) ON CONFLICT DO NOTHING")
                .bind(name)
                .bind(nanos(next))
                .execute(&mut *tx)
                .await?;
        }
        for (day, calls) in self.tallies {
            sqlx::query("INSERT INTO tally VALUES ($1, $2) ON CONFLICT DO NOTHING")
                .bind(day)
                .bind(i64::try_from(calls).unwrap_or(i64::MAX))
                .execute(&mut *tx)
                .await?;
        }
        if let Some(account) = self.administrator {
            sqlx::query(
                "INSERT INTO administrator (password, set_at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            )
            .bind(&account.password)
            .bind(nanos(account.set))
            .execute(&mut *tx)
            .await?;
        }
        for (id, at) in self.key_uses {
            sqlx::query("INSERT INTO key_use VALUES ($1, $2) ON CONFLICT DO NOTHING")
                .bind(id_bytes(id))
                .bind(nanos(at))
                .execute(&mut *tx)
                .await?;
        }
        super::audit::keep(tx, &self.audit).await?;
        if let Some(keystone) = self.keystone {
            super::lay(tx, keystone).await?;
        }
        Ok(())
    }
}

const INSERT_CONNECTIONS: &str = "INSERT INTO connection
    SELECT * FROM json_populate_recordset(NULL::connection, $1::json) ON CONFLICT DO NOTHING";
const INSERT_KEYS: &str = "INSERT INTO api_key
    SELECT * FROM json_populate_recordset(NULL::api_key, $1::json) ON CONFLICT DO NOTHING";
const INSERT_TICKETS: &str = "INSERT INTO ticket
    SELECT * FROM json_populate_recordset(NULL::ticket, $1::json) ON CONFLICT DO NOTHING";
const INSERT_EVENTS: &str = "INSERT INTO event
    SELECT * FROM json_populate_recordset(NULL::event, $1::json) ON CONFLICT DO NOTHING";
const INSERT_ITEMS: &str = "INSERT INTO item
    SELECT * FROM json_populate_recordset(NULL::item, $1::json) ON CONFLICT DO NOTHING";
const INSERT_REQUESTS: &str = "INSERT INTO request
    SELECT * FROM json_populate_recordset(NULL::request, $1::json) ON CONFLICT DO NOTHING";
const INSERT_JOBS: &str = "INSERT INTO job
    SELECT * FROM json_populate_recordset(NULL::job, $1::json) ON CONFLICT DO NOTHING";

async fn insert<R: Serialize>(
    tx: &mut PgConnection,
    statement: &'static str,
    rows: &Vec<R>,
) -> Result<(), Trouble> {
    if !rows.is_empty() {
        sqlx::query(statement).bind(written(rows)).execute(tx).await?;
    }
    Ok(())
}
