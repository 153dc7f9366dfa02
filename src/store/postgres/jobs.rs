//! Jobs in PostgreSQL.
//!
//! Whoever changes an event and a job locks the event first, so that no two wait for each other.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::PostgresStore;
use super::error::{Trouble, failure};
use super::items;
use super::rows::{EventRow, Hex, JobRow, id_bytes, nanos, owner_text, read, written};
use crate::model::id::{EventId, JobId};
use crate::model::item::Item;
use crate::model::job::{Claim, Job, JobState, Kind, Line, NewJob};
use crate::model::owner::Owner;
use crate::store::{
    Change, Claimed, Counts, History, JobStore, Ran, Settled, StoreError, Touched, Which, fits,
};

/// A page of jobs is looked for among so many times as many.
const ROWS_FOR_ONE: usize = 20;

#[async_trait]
impl JobStore for PostgresStore {
    async fn lines(&self) -> Result<Vec<Line>, StoreError> {
        self.again(|| self.try_lines()).await
    }

    async fn claim(
        &self,
        line: &Line,
        n: usize,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Claimed, StoreError> {
        self.again(|| self.try_claim(line, n, now, until)).await
    }

    async fn renew(
        &self,
        claims: &[Claim],
        until: DateTime<Utc>,
    ) -> Result<Vec<JobId>, StoreError> {
        self.prolong(claims, until).await
    }

    async fn settle(
        &self,
        claim: &Claim,
        ran: Ran,
        now: DateTime<Utc>,
    ) -> Result<Settled, StoreError> {
        fits(ran.learned.iter().filter_map(|learned| learned.known.links.as_ref()))?;
        fits(ran.then.iter().filter_map(|job| job.payload.as_ref()))?;
        let (settled, told) = self.again(|| self.try_settle(claim, &ran, now)).await?;
        self.word.tell(told);
        self.let_leave(&claim.job.line);
        Ok(settled)
    }

    async fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        let row: Option<String> =
            sqlx::query_scalar("SELECT row_to_json(j)::text FROM job j WHERE id = $1")
                .bind(id_bytes(id))
                .fetch_optional(&self.pool)
                .await
                .map_err(failure)?;
        row.map(|row| read::<JobRow>(&row)?.try_into()).transpose()
    }

    async fn jobs(
        &self,
        which: Which,
        owner: Option<&Owner>,
        after: Option<JobId>,
        most: usize,
    ) -> Result<(Vec<Job>, Option<JobId>), StoreError> {
        let most_rows = most.saturating_mul(ROWS_FOR_ONE);
        let rows: Vec<(Vec<u8>, Option<String>)> = sqlx::query_as(
            "SELECT id, CASE WHEN state = $1 AND ($2::text IS NULL OR owner = $2)
                             THEN row_to_json(j)::text END
             FROM job j WHERE id > $3 ORDER BY id LIMIT $4",
        )
        .bind(which.as_str())
        .bind(owner.map(owner_text))
        .bind(after.map(id_bytes).unwrap_or_default())
        .bind(i64::try_from(most_rows).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await
        .map_err(failure)?;
        let mut page = Vec::new();
        let mut last = after;
        for (id, row) in &rows {
            if page.len() == most {
                return Ok((page, last));
            }
            last = Some(Hex(id.clone()).id()?);
            if let Some(row) = row {
                page.push(read::<JobRow>(row)?.try_into()?);
            }
        }
        Ok((page, last.filter(|_| rows.len() == most_rows)))
    }

    async fn cancel(&self, id: JobId, now: DateTime<Utc>) -> Result<Touched, StoreError> {
        self.touch(|| self.try_cancel(id, now)).await
    }

    async fn replay(&self, id: JobId, now: DateTime<Utc>) -> Result<Touched, StoreError> {
        self.touch(|| self.try_replay(id, now)).await
    }

    async fn put_off(
        &self,
        id: JobId,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Touched, StoreError> {
        self.touch(|| self.try_put_off(id, until, now)).await
    }

    async fn count_jobs(&self) -> Result<Counts, StoreError> {
        let counted: Vec<(String, i64)> =
            sqlx::query_as("SELECT state, sum(jobs)::bigint FROM job_count GROUP BY state")
                .fetch_all(&self.pool)
                .await
                .map_err(failure)?;
        let of = |which: Which| {
            let found = counted.iter().find(|(state, _)| state == which.as_str());
            found.map_or(0, |(_, jobs)| jobs.max(&0).unsigned_abs())
        };
        Ok(Counts {
            live: of(Which::Live),
            done: of(Which::Done),
            dead: of(Which::Dead),
            cancelled: of(Which::Cancelled),
        })
    }

    async fn largest_backlog(&self) -> Result<u64, StoreError> {
        let largest: Option<i64> = sqlx::query_scalar(
            "SELECT sum(live)::bigint AS jobs FROM owner_count GROUP BY owner ORDER BY jobs DESC LIMIT 1",
        )
        .fetch_optional(&self.pool)
        .await
        .map_err(failure)?;
        Ok(largest.unwrap_or(0).max(0).unsigned_abs())
    }
}

/// What became of a job, and what is to be told of it.
type Told<T> = Result<(T, Vec<Change>), Trouble>;

impl PostgresStore {
    async fn touch<F: Future<Output = Told<Touched>>>(
        &self,
        step: impl Fn() -> F,
    ) -> Result<Touched, StoreError> {
        let (touched, told) = self.again(step).await?;
        self.word.tell(told);
        Ok(touched)
    }

    async fn try_settle(&self, claim: &Claim, ran: &Ran, now: DateTime<Utc>) -> Told<Settled> {
        let id = claim.job.id;
        let event = claim.job.kind.event();
        let mut told = Vec::new();
        let mut newer_wanted = false;
        let mut forgotten = None;
        let mut tx = self.pool.begin().await?;
        if let Some(event) = event {
            let wanted = note(&mut tx, event, ran, now).await?;
            if let Some(learned) = &ran.learned {
                // Whatever else runs about the event, the newer revision has its own push.
                newer_wanted = matches!(claim.job.kind, Kind::PushEvent { .. })
                    && wanted.is_some_and(|wanted| wanted > learned.seen);
                forgotten = wanted.is_none().then_some(event);
                told.push(Change::Event(event));
            }
        }
        let row: Option<String> = sqlx::query_scalar(
            "SELECT row_to_json(j)::text FROM job j WHERE id = $1 AND fence = $2 FOR UPDATE",
        )
        .bind(id_bytes(id))
        .bind(claim.fence.cast_signed())
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else {
            // What was learned goes back with it.
            tx.rollback().await?;
            return Ok((Settled::LeaseLost, Vec::new()));
        };
        if let Some(event) = forgotten {
            let text = format!("the event {event} of a job that lives is not there");
            return Err(StoreError::Damaged(text).into());
        }
        let mut job: Job = read::<JobRow>(&row)?.try_into()?;
        // The job is locked before its reminder is read: whoever puts the reminder to another moment
        // finds it live, or has put it there by now.
        let reminder = match job.kind.reminder() {
            Some(id) => items::find(&mut tx, id).await?,
            None => None,
        };
        let rings = reminder.as_ref().and_then(Item::rings);
        ran.fate.clone().apply(&mut job, newer_wanted, rings, now);
        rewrite(&mut tx, &job).await?;
        if job.state == JobState::Live {
            told.push(Change::Line(job.line.clone()));
        }
        if matches!(job.state, JobState::Done { .. }) && claim.payload.is_some() {
            sqlx::query("DELETE FROM job_payload WHERE job = $1")
                .bind(id_bytes(id))
                .execute(&mut *tx)
                .await?;
        }
        for hidden in live(&mut tx, event, &job.kind).await? {
            told.push(Change::Line(hidden.line));
        }
        let then = enqueue(&mut tx, &ran.then).await?;
        told.extend(then.into_iter().map(|job| Change::Line(job.line)));
        tx.commit().await?;
        Ok((Settled::Yes, told))
    }

    async fn try_cancel(&self, id: JobId, now: DateTime<Utc>) -> Told<Touched> {
        let mut tx = self.pool.begin().await?;
        let mut job = match waiting(&mut tx, id, now).await? {
            Ok(job) => job,
            Err(touched) => return Ok((touched, Vec::new())),
        };
        job.state = JobState::Cancelled { at: now };
        rewrite(&mut tx, &job).await?;
        tx.commit().await?;
        let told = job.kind.event().map(Change::Event);
        Ok((Touched::Yes(job), told.into_iter().collect()))
    }

    async fn try_replay(&self, id: JobId, now: DateTime<Utc>) -> Told<Touched> {
        let mut tx = self.pool.begin().await?;
        // A job's event never changes, so it can be locked first.
        let event: Option<Option<Vec<u8>>> =
            sqlx::query_scalar("SELECT event FROM job WHERE id = $1")
                .bind(id_bytes(id))
                .fetch_optional(&mut *tx)
                .await?;
        let Some(event) = event else { return Ok((Touched::Missing, Vec::new())) };
        let there = sqlx::query("SELECT 1 FROM event WHERE id = $1 FOR UPDATE")
            .bind(&event)
            .fetch_optional(&mut *tx)
            .await?
            .is_some();
        let row: Option<String> =
            sqlx::query_scalar("SELECT row_to_json(j)::text FROM job j WHERE id = $1 FOR UPDATE")
                .bind(id_bytes(id))
                .fetch_optional(&mut *tx)
                .await?;
        let Some(row) = row else { return Ok((Touched::Missing, Vec::new())) };
        let mut job: Job = read::<JobRow>(&row)?.try_into()?;
        if matches!(job.state, JobState::Live | JobState::Done { .. }) {
            return Ok((Touched::Not(job.state), Vec::new()));
        }
        if event.is_some() && !there {
            return Ok((Touched::Missing, Vec::new()));
        }
        job = start(&mut tx, job, now).await?;
        tx.commit().await?;
        let mut told = vec![Change::Line(job.line.clone())];
        told.extend(job.kind.event().map(Change::Event));
        Ok((Touched::Yes(job), told))
    }

    async fn try_put_off(
        &self,
        id: JobId,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Told<Touched> {
        let mut tx = self.pool.begin().await?;
        let mut job = match waiting(&mut tx, id, now).await? {
            Ok(job) => job,
            Err(touched) => return Ok((touched, Vec::new())),
        };
        job.due = until;
        // A lease that ran out stays as it is: its run may still settle.
        sqlx::query("UPDATE job SET due = $2 WHERE id = $1")
            .bind(id_bytes(id))
            .bind(nanos(until))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok((Touched::Yes(job.clone()), vec![Change::Line(job.line)]))
    }
}

/// Keeps what a run learned of its event, and how it ended. Returns the revision that is wanted; none if
/// the event was forgotten, which its last job outlived.
async fn note(
    tx: &mut PgConnection,
    id: EventId,
    ran: &Ran,
    now: DateTime<Utc>,
) -> Result<Option<u32>, Trouble> {
    let row: Option<String> =
        sqlx::query_scalar("SELECT row_to_json(e)::text FROM event e WHERE id = $1 FOR UPDATE")
            .bind(id_bytes(id))
            .fetch_optional(&mut *tx)
            .await?;
    let Some(row) = row else { return Ok(None) };
    let mut row = read::<EventRow>(&row)?;
    let before = History::try_from(std::mem::take(&mut row.history))?;
    let event = row.with(Vec::new())?;
    let mut history = before.clone();
    history.run(&event, ran, now);
    let wanted = event.wanted.revision;
    if ran.learned.is_none() && history == before {
        return Ok(Some(wanted));
    }
    let known = ran.learned.as_ref().map_or(&event.known, |learned| &learned.known);
    sqlx::query(
        "UPDATE event e SET
             (google_id, generation, applied, copy, meet, version, links, history) =
             (n.google_id, n.generation, n.applied, n.copy, n.meet, n.version, n.links, n.history)
         FROM json_populate_record(NULL::event, $2::json) n WHERE e.id = $1",
    )
    .bind(id_bytes(id))
    .bind(written(&EventRow::run(known, &history)))
    .execute(tx)
    .await?;
    Ok(Some(wanted))
}

/// Writes down where a job stands. Nobody has it any more.
async fn rewrite(tx: &mut PgConnection, job: &Job) -> Result<(), Trouble> {
    sqlx::query(
        "UPDATE job j SET
             (due, spent, tries, failing_since, state, ended, cause, fence, leased_until) =
             (n.due, n.spent, n.tries, n.failing_since, n.state, n.ended, n.cause, NULL, NULL)
         FROM json_populate_record(NULL::job, $1::json) n WHERE j.id = n.id",
    )
    .bind(written(&JobRow::from(job)))
    .execute(tx)
    .await?;
    Ok(())
}

/// The live jobs of an event that are of other kinds than `kind`.
async fn live(
    tx: &mut PgConnection,
    event: Option<EventId>,
    kind: &Kind,
) -> Result<Vec<Job>, Trouble> {
    let kinds = event.map(Kind::about).into_iter().flatten().filter(|other| other != kind);
    let kinds: Vec<_> = kinds.map(|kind| kind.as_str()).collect();
    let Some(event) = event.filter(|_| !kinds.is_empty()) else { return Ok(Vec::new()) };
    let rows: Vec<String> = sqlx::query_scalar(
        "SELECT row_to_json(j)::text FROM job j
         WHERE kind = ANY($1) AND thing = $2 AND state = 'live' ORDER BY kind DESC",
    )
    .bind(kinds)
    .bind(id_bytes(event))
    .fetch_all(tx)
    .await?;
    rows.iter().map(|row| Ok(read::<JobRow>(row)?.try_into()?)).collect()
}

/// A job that waits, or why it does not.
async fn waiting(
    tx: &mut PgConnection,
    id: JobId,
    now: DateTime<Utc>,
) -> Result<Result<Job, Touched>, Trouble> {
    let row: Option<(String, bool)> = sqlx::query_as(
        "SELECT row_to_json(j)::text, coalesce(leased_until > $2, false)
         FROM job j WHERE id = $1 FOR UPDATE",
    )
    .bind(id_bytes(id))
    .bind(nanos(now))
    .fetch_optional(tx)
    .await?;
    let Some((row, leased)) = row else { return Ok(Err(Touched::Missing)) };
    let job: Job = read::<JobRow>(&row)?.try_into()?;
    Ok(match job.state {
        JobState::Live if leased => Err(Touched::Running),
        JobState::Live => Ok(job),
        state => Err(Touched::Not(state)),
    })
}

/// Starts a finished job anew, or makes the one due that lives in its place.
async fn start(tx: &mut PgConnection, mut job: Job, now: DateTime<Utc>) -> Result<Job, Trouble> {
    let row: Option<String> = sqlx::query_scalar(
        "UPDATE job j SET due = least(due, $3)
         WHERE kind = $1 AND thing = $2 AND state = 'live' RETURNING row_to_json(j)::text",
    )
    .bind(job.kind.as_str())
    .bind(super::rows::thing_of(&job.kind))
    .bind(nanos(now))
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(row) = row {
        return Ok(read::<JobRow>(&row)?.try_into()?);
    }
    job.begin_again(now);
    rewrite(tx, &job).await?;
    if let Kind::PushEvent { event } = job.kind {
        sqlx::query("UPDATE event SET job = $2 WHERE id = $1")
            .bind(id_bytes(event))
            .bind(id_bytes(job.id))
            .execute(tx)
            .await?;
    }
    Ok(job)
}

/// Sees to it that a job of each kind lives and is due no later than asked. Returns those that do.
pub(super) async fn enqueue(
    tx: &mut PgConnection,
    wanted: impl IntoIterator<Item = &NewJob>,
) -> Result<Vec<Job>, Trouble> {
    let mut rows = Vec::new();
    let (mut ids, mut payloads) = (Vec::new(), Vec::new());
    for job in wanted {
        let (job, payload) = Job::begin(job.clone());
        rows.push(JobRow::from(&job));
        if let Some(payload) = payload {
            ids.push(id_bytes(job.id));
            payloads.push(payload.as_bytes().to_vec());
        }
    }
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    // In one order everywhere, so that two batches never wait for each other.
    let live: Vec<String> = sqlx::query_scalar(
        "INSERT INTO job AS j
             SELECT * FROM json_populate_recordset(NULL::job, $1::json) ORDER BY kind, thing
         ON CONFLICT (kind, thing) WHERE state = 'live'
             DO UPDATE SET due = least(j.due, excluded.due)
         RETURNING row_to_json(j)::text",
    )
    .bind(written(&rows))
    .fetch_all(&mut *tx)
    .await?;
    if !ids.is_empty() {
        // Only for those that were not there already.
        sqlx::query(
            "INSERT INTO job_payload
                 SELECT p.job, p.payload FROM unnest($1::bytea[], $2::bytea[]) p (job, payload)
                 JOIN job ON job.id = p.job",
        )
        .bind(ids)
        .bind(payloads)
        .execute(tx)
        .await?;
    }
    live.iter().map(|row| Ok(read::<JobRow>(row)?.try_into()?)).collect()
}
