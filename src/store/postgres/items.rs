//! Items in PostgreSQL.
//!
//! A step locks its items and then its events before it looks at them, so that what it finds is still
//! so when it writes. What is not there yet cannot be locked: if another process is faster to make it,
//! that is a clash, and the step is decided anew.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::PostgresStore;
use super::error::{Trouble, failure};
use super::events::{change, insert_events, live_jobs, remember};
use super::jobs::enqueue;
use super::rows::{ItemRow, RequestRow, id_bytes, nanos, owner_text, read, thing_bytes, written};
use crate::model::id::ItemId;
use crate::model::item::{Item, Thing};
use crate::model::sealed::Sealed;
use crate::store::item::named;
use crate::store::{
    Asked, Backlog, Change, Changed, ItemStore, Kept, Mark, Request, Step, StoreError,
};

#[async_trait]
impl ItemStore for PostgresStore {
    async fn item(&self, id: ItemId) -> Result<Option<Item>, StoreError> {
        let mut connection = self.pool.acquire().await.map_err(failure)?;
        match find(&mut connection, id).await {
            Ok(item) => Ok(item),
            Err(Trouble::Store(error)) => Err(error),
            Err(Trouble::Clash) => Err(super::too_many_clashes()),
        }
    }

    async fn items(
        &self,
        asked: &Asked,
        after: Option<Mark>,
        most: usize,
    ) -> Result<(Vec<Item>, Option<Mark>), StoreError> {
        let (created, id) = behind(after);
        let rows: Vec<String> = sqlx::query_scalar(PAGE)
            .bind(asked.noun.as_str())
            .bind(owner_text(&asked.owner))
            .bind(created)
            .bind(id)
            .bind(asked.state.map(i16::from))
            .bind(asked.category.map(id_bytes))
            .bind(asked.from.map(nanos))
            .bind(asked.to.map(nanos))
            .bind(i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1))
            .fetch_all(&self.pool)
            .await
            .map_err(failure)?;
        page(&rows, after, most)
    }

    async fn attached(
        &self,
        thing: Thing,
        after: Option<Mark>,
        most: usize,
    ) -> Result<(Vec<Item>, Option<Mark>), StoreError> {
        let (created, id) = behind(after);
        let rows: Vec<String> = sqlx::query_scalar(ATTACHED)
            .bind(thing_bytes(thing))
            .bind(created)
            .bind(id)
            .bind(i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1))
            .fetch_all(&self.pool)
            .await
            .map_err(failure)?;
        page(&rows, after, most)
    }

    async fn known(
        &self,
        request: &Request,
        now: DateTime<Utc>,
    ) -> Result<Option<Kept>, StoreError> {
        self.again(|| self.try_known(request, nanos(now))).await
    }

    async fn keep(
        &self,
        steps: Vec<Step>,
        backlog: Backlog,
        now: DateTime<Utc>,
    ) -> Result<Vec<Kept>, StoreError> {
        steps.iter().try_for_each(Step::fits)?;
        let (kept, told) = self.again(|| self.try_keep(&steps, backlog, nanos(now))).await?;
        self.word.tell(told);
        Ok(kept)
    }
}

/// From each of the two indexes no more than can be on the page.
const PAGE: &str = "SELECT row_to_json(i)::text FROM (
        (SELECT * FROM item WHERE gone IS NULL AND noun = $1 AND noun <> 'delivery' AND owner = $2
             AND (created, id) > ($3, $4)
             AND ($5::smallint IS NULL OR state = $5) AND ($6::bytea IS NULL OR category = $6)
             AND ($7::bigint IS NULL OR at >= $7) AND ($8::bigint IS NULL OR at < $8)
         ORDER BY created, id LIMIT $9)
        UNION ALL
        (SELECT * FROM item WHERE gone IS NULL AND noun = $1 AND noun <> 'delivery' AND shared = $2 AND owner <> $2
             AND (created, id) > ($3, $4)
             AND ($5::smallint IS NULL OR state = $5) AND ($6::bytea IS NULL OR category = $6)
             AND ($7::bigint IS NULL OR at >= $7) AND ($8::bigint IS NULL OR at < $8)
         ORDER BY created, id LIMIT $9)
    ) i ORDER BY created, id LIMIT $9";

const ATTACHED: &str = "SELECT row_to_json(i)::text FROM item i
    WHERE gone IS NULL AND belongs_to = $1 AND (created, id) > ($2, $3)
    ORDER BY created, id LIMIT $4";

/// Where a list goes on.
fn behind(after: Option<Mark>) -> (i64, Vec<u8>) {
    after.map_or((i64::MIN, Vec::new()), |(at, id)| (nanos(at), id_bytes(id)))
}

/// The page that the rows make, of which there is one too many if there are more.
fn page(
    rows: &[String],
    after: Option<Mark>,
    most: usize,
) -> Result<(Vec<Item>, Option<Mark>), StoreError> {
    let more = rows.len() > most;
    let page = rows.iter().take(most).map(|row| read::<ItemRow>(row)?.try_into());
    let page = page.collect::<Result<Vec<Item>, _>>()?;
    let next = page.last().map(|item| (item.created, item.id)).or(after).filter(|_| more);
    Ok((page, next))
}

pub(super) async fn find(
    connection: &mut PgConnection,
    id: ItemId,
) -> Result<Option<Item>, Trouble> {
    let row: Option<String> =
        sqlx::query_scalar("SELECT row_to_json(i)::text FROM item i WHERE id = $1")
            .bind(id_bytes(id))
            .fetch_optional(connection)
            .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(read::<ItemRow>(&row)?.try_into()?))
}

impl PostgresStore {
    async fn try_known(&self, request: &Request, now: i64) -> Result<Option<Kept>, Trouble> {
        let mut connection = self.pool.acquire().await?;
        let earlier = earlier(&mut connection, request).await?;
        known(&mut connection, request, earlier.as_ref(), now).await
    }

    async fn try_keep(
        &self,
        steps: &[Step],
        backlog: Backlog,
        now: i64,
    ) -> Result<(Vec<Kept>, Vec<Change>), Trouble> {
        let mut tx = self.pool.begin().await?;
        let (mut kept, mut told) = (Vec::new(), Vec::new());
        for step in steps {
            kept.push(take_step(&mut tx, step, backlog, now, &mut told).await?);
        }
        tx.commit().await?;
        Ok((kept, told))
    }
}

async fn take_step(
    tx: &mut PgConnection,
    step: &Step,
    backlog: Backlog,
    now: i64,
    told: &mut Vec<Change>,
) -> Result<Kept, Trouble> {
    let mut void = Vec::new();
    if let Some((request, id)) = &step.request {
        let earlier = earlier(tx, request).await?;
        match known(tx, request, earlier.as_ref(), now).await? {
            Some(answer) => return Ok(answer),
            None => void.extend(earlier),
        }
        if step.makes(*id)
            && let Some(item) = find(tx, *id).await?
        {
            remember(tx, &void, vec![RequestRow::new(request, named(*id))]).await?;
            return Ok(Kept::Known(Box::new(item)));
        }
    }
    if !is_as_expected(tx, step).await? {
        return Ok(Kept::Overtaken);
    }
    let owners: Vec<_> = step.admitted().map(|job| owner_text(&job.line.owner)).collect();
    if !owners.is_empty() {
        let (live, owned) = live_jobs(tx, owners).await?;
        let owned =
            |owner: &_| Ok::<_, Trouble>(owned.get(&owner_text(owner)).copied().unwrap_or(0));
        if let Some(crowd) = step.crowd(backlog, live, owned)? {
            return Ok(Kept::NoRoom(crowd));
        }
    }
    if let Some((request, id)) = &step.request {
        remember(tx, &void, vec![RequestRow::new(request, named(*id))]).await?;
    }
    write(tx, &step.items).await?;
    let mut events = Vec::new();
    for (event, job) in &step.accepts {
        insert_events(tx, &[event]).await?;
        enqueue(tx, [job]).await?;
        told.extend([Change::Line(job.line.clone()), Change::Event(event.id)]);
        events.push(event.clone());
    }
    for (id, wanted, job) in &step.changes {
        if let Changed::Yes(event) = change(tx, *id, wanted, job, told).await? {
            events.push(event);
        }
    }
    for job in &step.jobs {
        told.extend(enqueue(tx, [job]).await?.into_iter().map(|live| Change::Line(live.line)));
    }
    Ok(Kept::Yes(events))
}

async fn earlier(tx: &mut PgConnection, request: &Request) -> Result<Option<RequestRow>, Trouble> {
    let row: Option<String> =
        sqlx::query_scalar("SELECT row_to_json(r)::text FROM request r WHERE key = $1")
            .bind(request.key.to_vec())
            .fetch_optional(tx)
            .await?;
    Ok(row.map(|row| read(&row)).transpose()?)
}

/// What a request is answered that was seen before. One whose item was forgotten meanwhile is new.
async fn known(
    tx: &mut PgConnection,
    request: &Request,
    earlier: Option<&RequestRow>,
    now: i64,
) -> Result<Option<Kept>, Trouble> {
    let Some(earlier) = earlier.filter(|earlier| earlier.expires > now) else { return Ok(None) };
    let item = find(tx, ItemId::from_u128(earlier.event()?.as_u128())).await?;
    let same = earlier.body.0 == request.body;
    Ok(item.map(|item| if same { Kept::Known(Box::new(item)) } else { Kept::OtherBody }))
}

/// Whether items and events are all in the versions before those of the step.
async fn is_as_expected(tx: &mut PgConnection, step: &Step) -> Result<bool, Trouble> {
    let items = step.items.iter().map(|item| id_bytes(item.id)).collect();
    let versions =
        locked(tx, "SELECT id, version FROM item WHERE id = ANY($1) ORDER BY id FOR UPDATE", items)
            .await?;
    let changed = step.changes.iter().map(|(id, ..)| id_bytes(*id));
    let events = step.accepts.iter().map(|(event, _)| id_bytes(event.id)).chain(changed).collect();
    let revisions = locked(
        tx,
        "SELECT id, revision FROM event WHERE id = ANY($1) ORDER BY id FOR UPDATE",
        events,
    )
    .await?;
    let version = |item: &Item| versions.get(&id_bytes(item.id)).copied().unwrap_or(0);
    Ok(step.items.iter().all(|item| version(item) + 1 == i64::from(item.version))
        && step.accepts.iter().all(|(event, _)| !revisions.contains_key(&id_bytes(event.id)))
        && step.changes.iter().all(|(id, wanted, _)| {
            let stored = revisions.get(&id_bytes(*id));
            stored.is_some_and(|stored| stored + 1 == i64::from(wanted.revision))
        }))
}

async fn locked(
    tx: &mut PgConnection,
    statement: &'static str,
    ids: Vec<Vec<u8>>,
) -> Result<HashMap<Vec<u8>, i64>, Trouble> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(Vec<u8>, i64)> = sqlx::query_as(statement).bind(ids).fetch_all(tx).await?;
    Ok(rows.into_iter().collect())
}

/// Keeps items; those that are stored are locked, and the others must not be there.
async fn write(tx: &mut PgConnection, items: &[Item]) -> Result<(), Trouble> {
    for item in items {
        let statement = if item.version == 1 { INSERT } else { UPDATE };
        sqlx::query(statement).bind(written(&ItemRow::from(item))).execute(&mut *tx).await?;
    }
    Ok(())
}

const INSERT: &str = "INSERT INTO item SELECT * FROM json_populate_record(NULL::item, $1::json)";
const UPDATE: &str = "UPDATE item i
    SET (noun, owner, shared, created, version, state, at, event, category, gone, sealed,
         belongs_to, over) =
        (n.noun, n.owner, n.shared, n.created, n.version, n.state, n.at, n.event, n.category,
         n.gone, n.sealed, n.belongs_to, n.over)
    FROM json_populate_record(NULL::item, $1::json) n WHERE i.id = n.id";

/// The envelopes of items behind an id.
pub(super) async fn sealed(
    connection: &mut PgConnection,
    after: Vec<u8>,
    most: i64,
) -> Result<Vec<(Item, Sealed)>, StoreError> {
    let rows: Vec<String> = sqlx::query_scalar(
        "SELECT row_to_json(i)::text FROM item i
         WHERE id > $1 AND sealed IS NOT NULL ORDER BY id LIMIT $2",
    )
    .bind(after)
    .bind(most)
    .fetch_all(connection)
    .await
    .map_err(failure)?;
    let mut found = Vec::new();
    for row in rows {
        let mut item: Item = read::<ItemRow>(&row)?.try_into()?;
        found.extend(item.sealed.take().map(|sealed| (item, sealed)));
    }
    Ok(found)
}
