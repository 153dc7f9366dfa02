//! Events in PostgreSQL.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::error::{Trouble, failure};
use super::jobs::enqueue;
use super::rows::{EventRow, RequestRow, id_bytes, nanos, owner_text, read, written};
use super::{PostgresStore, lists};
use crate::model::event::{Event, Wanted};
use crate::model::id::EventId;
use crate::model::job::NewJob;
use crate::model::key::Digest;
use crate::model::sealed::Sealed;
use crate::store::rows::HistoryRow;
use crate::store::{
    Accept, Accepted, Backlog, Change, Changed, EventFilter, EventStore, History, Place, Request,
    StoreError, fits,
};

#[async_trait]
impl EventStore for PostgresStore {
    async fn accept(
        &self,
        accepts: Vec<Accept>,
        backlog: Backlog,
        now: DateTime<Utc>,
    ) -> Result<Vec<Accepted>, StoreError> {
        for Accept { event, job, .. } in &accepts {
            fits([&event.wanted.content])?;
            fits(&event.known.links)?;
            fits(&job.payload)?;
        }
        let (accepted, told) =
            self.again(|| self.try_accept(&accepts, backlog, nanos(now))).await?;
        self.word.tell(told);
        Ok(accepted)
    }

    async fn event(&self, id: EventId) -> Result<Option<Event>, StoreError> {
        let row: Option<(String, Vec<u8>)> = sqlx::query_as(
            "SELECT row_to_json(e)::text, c.content
             FROM event e JOIN event_content c ON c.id = e.id WHERE e.id = $1",
        )
        .bind(id_bytes(id))
        .fetch_optional(&self.pool)
        .await
        .map_err(failure)?;
        row.map(|(row, content)| read::<EventRow>(&row)?.with(content)).transpose()
    }

    async fn events(
        &self,
        filter: &EventFilter,
        after: Option<Place>,
        most: usize,
    ) -> Result<(Vec<Event>, Option<Place>), StoreError> {
        lists::page(&self.pool, filter, after, most).await
    }

    async fn history(&self, id: EventId) -> Result<Option<History>, StoreError> {
        let history: Option<String> =
            sqlx::query_scalar("SELECT history::text FROM event WHERE id = $1")
                .bind(id_bytes(id))
                .fetch_optional(&self.pool)
                .await
                .map_err(failure)?;
        history.map(|history| read::<HistoryRow>(&history)?.try_into()).transpose()
    }

    async fn change(
        &self,
        id: EventId,
        wanted: Wanted,
        job: NewJob,
    ) -> Result<Changed, StoreError> {
        fits([&wanted.content])?;
        fits(&job.payload)?;
        let (changed, told) = self.again(|| self.try_change(id, &wanted, &job)).await?;
        self.word.tell(told);
        Ok(changed)
    }
}

impl PostgresStore {
    /// Decides by what is stored, without locks, and then inserts: a key that another process was
    /// faster to take is a clash, and all of it is decided anew.
    async fn try_accept(
        &self,
        accepts: &[Accept],
        backlog: Backlog,
        now: i64,
    ) -> Result<(Vec<Accepted>, Vec<Change>), Trouble> {
        let mut tx = self.pool.begin().await?;
        let mut seen = Seen::before(&mut tx, accepts, backlog, now).await?;
        let accepted: Vec<Accepted> =
            accepts.iter().map(|accept| seen.take_in(accept)).collect::<Result<_, _>>()?;
        let Seen { new, fresh, void, .. } = seen;
        if new.is_empty() && fresh.is_empty() {
            return Ok((accepted, Vec::new()));
        }
        remember(&mut tx, &void, fresh.into_values().collect()).await?;
        let events: Vec<_> = new.iter().map(|accept| &accept.event).collect();
        insert_events(&mut tx, &events).await?;
        let jobs: Vec<_> = new.iter().map(|accept| &accept.job).collect();
        enqueue(&mut tx, jobs).await?;
        tx.commit().await?;
        let told = new.into_iter().flat_map(|Accept { event, job, .. }| {
            [Change::Line(job.line.clone()), Change::Event(event.id)]
        });
        Ok((accepted, told.collect()))
    }

    async fn try_change(
        &self,
        id: EventId,
        wanted: &Wanted,
        job: &NewJob,
    ) -> Result<(Changed, Vec<Change>), Trouble> {
        let mut tx = self.pool.begin().await?;
        let mut told = Vec::new();
        let changed = change(&mut tx, id, wanted, job, &mut told).await?;
        tx.commit().await?;
        Ok((changed, told))
    }
}

pub(super) async fn change(
    tx: &mut PgConnection,
    id: EventId,
    wanted: &Wanted,
    job: &NewJob,
    told: &mut Vec<Change>,
) -> Result<Changed, Trouble> {
    let row: Option<String> =
        sqlx::query_scalar("SELECT row_to_json(e)::text FROM event e WHERE id = $1 FOR UPDATE")
            .bind(id_bytes(id))
            .fetch_optional(&mut *tx)
            .await?;
    let Some(row) = row else { return Ok(Changed::Missing) };
    let mut row = read::<EventRow>(&row)?;
    let mut history = History::try_from(std::mem::take(&mut row.history))?;
    let mut event = row.with(Vec::new())?;
    if event.wanted.revision + 1 != wanted.revision {
        return Ok(Changed::Overtaken);
    }
    let before = event.wanted.presence;
    event.wanted = wanted.clone();
    history.change(before, &event);
    for live in enqueue(&mut *tx, [job]).await? {
        event.job = live.id;
        told.push(Change::Line(live.line));
    }
    told.push(Change::Event(id));
    sqlx::query(
        "UPDATE event e SET
             (job, revision, present, fingerprint, since, asked_by, starts_at, over_at, category, history) =
             (n.job, n.revision, n.present, n.fingerprint, n.since, n.asked_by, n.starts_at, n.over_at,
              n.category, n.history)
         FROM json_populate_record(NULL::event, $1::json) n WHERE e.id = n.id",
    )
    .bind(written(&EventRow::of(&event, &history)))
    .execute(&mut *tx)
    .await?;
    sqlx::query("UPDATE event_content SET content = $2 WHERE id = $1")
        .bind(id_bytes(id))
        .bind(wanted.content.as_bytes())
        .execute(tx)
        .await?;
    Ok(Changed::Yes(event))
}

/// What is known while a batch is decided item by item: what was stored, and what its earlier items
/// add to that.
struct Seen<'a> {
    requests: HashMap<Vec<u8>, RequestRow>,
    events: HashMap<EventId, Event>,
    live: u64,
    owners: HashMap<String, u64>,
    backlog: Backlog,
    now: i64,
    /// Events to be stored, with their jobs.
    new: Vec<&'a Accept>,
    /// Stored requests whose time is over, or whose event was forgotten.
    void: Vec<RequestRow>,
    /// Requests to be remembered, by their keys.
    fresh: BTreeMap<Digest, RequestRow>,
}

impl<'a> Seen<'a> {
    async fn before(
        tx: &mut PgConnection,
        accepts: &[Accept],
        backlog: Backlog,
        now: i64,
    ) -> Result<Self, Trouble> {
        let keys: Vec<_> = accepts.iter().filter_map(|accept| accept.request.as_ref()).collect();
        let keys: Vec<_> = keys.into_iter().map(|request| request.key.to_vec()).collect();
        let rows: Vec<String> =
            sqlx::query_scalar("SELECT row_to_json(r)::text FROM request r WHERE key = ANY($1)")
                .bind(keys)
                .fetch_all(&mut *tx)
                .await?;
        let mut requests = HashMap::new();
        let mut ids: Vec<_> = accepts.iter().map(|accept| id_bytes(accept.event.id)).collect();
        for row in rows {
            let row: RequestRow = read(&row)?;
            ids.push(id_bytes(row.event()?));
            requests.insert(row.key.0.clone(), row);
        }
        let owners = accepts.iter().map(|accept| owner_text(&accept.job.line.owner)).collect();
        let (live, owners) = live_jobs(tx, owners).await?;
        Ok(Self {
            requests,
            events: events(tx, ids).await?,
            live,
            owners,
            backlog,
            now,
            new: Vec::new(),
            void: Vec::new(),
            fresh: BTreeMap::new(),
        })
    }

    fn take_in(&mut self, accept: &'a Accept) -> Result<Accepted, StoreError> {
        let Accept { event, job, request } = accept;
        // A request whose event was forgotten meanwhile is a new one.
        if let Some(request) = request
            && let Some(earlier) = self.requests.get(request.key.as_slice())
            && let Some(event) = self.events.get(&earlier.event()?)
            && earlier.expires > self.now
        {
            let same = earlier.body.0 == request.body;
            return Ok(if same { Accepted::Repeated(event.clone()) } else { Accepted::OtherBody });
        }
        let known = self.events.get(&event.id).cloned();
        let owned = self.owners.entry(owner_text(&job.line.owner)).or_default();
        if known.is_none() {
            if let Some(crowd) = self.backlog.refuses(self.live, *owned) {
                return Ok(Accepted::NoRoom(crowd));
            }
            self.live += 1;
            *owned += 1;
        }
        if let Some(request) = request {
            self.remember(request, event.id);
        }
        if let Some(known) = known {
            return Ok(Accepted::Known(known));
        }
        self.events.insert(event.id, event.clone());
        self.new.push(accept);
        Ok(Accepted::New(event.clone()))
    }

    fn remember(&mut self, request: &Request, event: EventId) {
        let row = RequestRow::new(request, event);
        let before = self.requests.insert(request.key.to_vec(), row.clone());
        if self.fresh.insert(request.key, row).is_none() {
            self.void.extend(before);
        }
    }
}

/// How many live jobs there are, and how many of each of these owners.
pub(super) async fn live_jobs(
    tx: &mut PgConnection,
    owners: Vec<String>,
) -> Result<(u64, HashMap<String, u64>), Trouble> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT owner, sum(live)::bigint FROM owner_count WHERE owner = ANY($1) GROUP BY owner",
    )
    .bind(owners)
    .fetch_all(&mut *tx)
    .await?;
    let owners = rows.into_iter().map(|(owner, live)| (owner, live.max(0).unsigned_abs()));
    let live: Option<i64> =
        sqlx::query_scalar("SELECT sum(jobs)::bigint FROM job_count WHERE state = 'live'")
            .fetch_one(tx)
            .await?;
    Ok((live.unwrap_or(0).max(0).unsigned_abs(), owners.collect()))
}

/// Those of the events that are stored.
async fn events(
    tx: &mut PgConnection,
    ids: Vec<Vec<u8>>,
) -> Result<HashMap<EventId, Event>, Trouble> {
    let rows: Vec<(String, Vec<u8>)> = sqlx::query_as(
        "SELECT row_to_json(e)::text, c.content
         FROM event e JOIN event_content c ON c.id = e.id WHERE e.id = ANY($1)",
    )
    .bind(ids)
    .fetch_all(tx)
    .await?;
    let mut found = HashMap::new();
    for (row, content) in rows {
        let event = read::<EventRow>(&row)?.with(content)?;
        found.insert(event.id, event);
    }
    Ok(found)
}

pub(super) async fn insert_events(tx: &mut PgConnection, events: &[&Event]) -> Result<(), Trouble> {
    let rows: Vec<_> =
        events.iter().map(|event| EventRow::of(event, &History::begin(event))).collect();
    if rows.is_empty() {
        return Ok(());
    }
    // In one order everywhere, so that two batches never wait for each other.
    sqlx::query(
        "INSERT INTO event
             SELECT * FROM json_populate_recordset(NULL::event, $1::json) ORDER BY id",
    )
    .bind(written(&rows))
    .execute(&mut *tx)
    .await?;
    let contents = events.iter().map(|event| (event.id, &event.wanted.content)).collect();
    insert_contents(tx, contents).await
}

/// Keeps what events say, for those of which nothing is kept yet.
pub(super) async fn insert_contents(
    tx: &mut PgConnection,
    contents: Vec<(EventId, &Sealed)>,
) -> Result<(), Trouble> {
    let contents = contents.into_iter().map(|(id, content)| (id_bytes(id), content.as_bytes()));
    let (ids, contents): (Vec<_>, Vec<_>) = contents.unzip();
    sqlx::query(
        "INSERT INTO event_content SELECT * FROM unnest($1::bytea[], $2::bytea[])
         ON CONFLICT DO NOTHING",
    )
    .bind(ids)
    .bind(contents)
    .execute(tx)
    .await?;
    Ok(())
}

/// Keeps request records, in place of those that are void. That they still are is seen by their being
/// as they were: another process that was faster is a clash.
pub(super) async fn remember(
    tx: &mut PgConnection,
    void: &[RequestRow],
    rows: Vec<RequestRow>,
) -> Result<(), Trouble> {
    if !void.is_empty() {
        sqlx::query(
            "DELETE FROM request r USING json_populate_recordset(NULL::request, $1::json) old
             WHERE r.key = old.key AND r.event = old.event AND r.expires = old.expires",
        )
        .bind(written(&void))
        .execute(&mut *tx)
        .await?;
    }
    if !rows.is_empty() {
        sqlx::query(
            "INSERT INTO request
                 SELECT * FROM json_populate_recordset(NULL::request, $1::json) ORDER BY key",
        )
        .bind(written(&rows))
        .execute(tx)
        .await?;
    }
    Ok(())
}
