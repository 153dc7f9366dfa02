//! What PostgreSQL forgets, and in which order.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::PostgresStore;
use super::error::Trouble;
use super::rows::nanos;
use crate::store::Retention;
use crate::store::period::first_tally;

const REQUESTS: &str = "DELETE FROM request WHERE key IN (
    SELECT key FROM request WHERE expires <= $1 ORDER BY expires, key LIMIT $2
    FOR UPDATE SKIP LOCKED)";
const TICKETS: &str = "DELETE FROM ticket WHERE (kind, digest) IN (
    SELECT kind, digest FROM ticket WHERE expires <= $1 ORDER BY expires, kind, digest LIMIT $2
    FOR UPDATE SKIP LOCKED)";
const ITEMS: &str = "DELETE FROM item WHERE id IN (
    SELECT id FROM item WHERE over <= $1 ORDER BY over, id LIMIT $2
    FOR UPDATE SKIP LOCKED)";
const DONE: &str = "DELETE FROM job WHERE id IN (
    SELECT id FROM job WHERE state = 'done' AND ended <= $1 ORDER BY ended, id LIMIT $2
    FOR UPDATE SKIP LOCKED)";
const DEAD: &str = "DELETE FROM job WHERE id IN (
    SELECT id FROM job WHERE state = 'dead' AND ended <= $1 ORDER BY ended, id LIMIT $2
    FOR UPDATE SKIP LOCKED)";
const CANCELLED: &str = "DELETE FROM job WHERE id IN (
    SELECT id FROM job WHERE state = 'cancelled' AND ended <= $1 ORDER BY ended, id LIMIT $2
    FOR UPDATE SKIP LOCKED)";

impl PostgresStore {
    pub(super) async fn try_prune(
        &self,
        now: DateTime<Utc>,
        keep: Retention,
        most: usize,
    ) -> Result<usize, Trouble> {
        let before = |kept: TimeDelta| now.checked_sub_signed(kept).map_or(i64::MIN, nanos);
        let mut left = i64::try_from(most).unwrap_or(i64::MAX);
        let whole = left;
        let mut tx = self.pool.begin().await?;
        for (statement, before) in [
            (REQUESTS, nanos(now)),
            (TICKETS, nanos(now)),
            (DONE, before(keep.done)),
            (DEAD, before(keep.dead)),
            (CANCELLED, before(keep.done)),
        ] {
            left -= delete(&mut tx, statement, before, left).await?;
        }
        left -= events(&mut tx, PAST, before(keep.past), left).await?;
        left -= events(&mut tx, TOMBSTONES, before(keep.tombstones), left).await?;
        left -= delete(&mut tx, ITEMS, before(keep.tombstones), left).await?;
        let tallies = sqlx::query(
            "DELETE FROM tally WHERE day IN (
                 SELECT day FROM tally WHERE day < $1 ORDER BY day LIMIT $2)",
        );
        let tallies = tallies.bind(first_tally(now)).bind(left).execute(&mut *tx).await?;
        left -= tallies.rows_affected().cast_signed();
        tx.commit().await?;
        Ok(usize::try_from(whole - left).unwrap_or(usize::MAX))
    }
}

async fn delete(
    tx: &mut PgConnection,
    statement: &'static str,
    before: i64,
    most: i64,
) -> Result<i64, Trouble> {
    let deleted = sqlx::query(statement).bind(before).bind(most).execute(tx).await?;
    Ok(deleted.rows_affected().cast_signed())
}

const PAST: &str = "SELECT id FROM event e WHERE present AND over_at <= $1
      AND NOT EXISTS (SELECT 1 FROM job j WHERE j.state = 'live' AND j.thing = e.id
                      AND j.kind IN ('push_event', 'follow_meet'))
    ORDER BY over_at, id LIMIT $2 FOR UPDATE SKIP LOCKED";
const TOMBSTONES: &str = "SELECT id FROM event e WHERE NOT present AND since <= $1
      AND NOT EXISTS (SELECT 1 FROM job j WHERE j.state = 'live' AND j.thing = e.id
                      AND j.kind IN ('push_event', 'follow_meet'))
    ORDER BY since, id LIMIT $2 FOR UPDATE SKIP LOCKED";

/// Forgets idle events, with their content.
async fn events(
    tx: &mut PgConnection,
    statement: &'static str,
    before: i64,
    most: i64,
) -> Result<i64, Trouble> {
    let held: Vec<Vec<u8>> =
        sqlx::query_scalar(statement).bind(before).bind(most).fetch_all(&mut *tx).await?;
    // Locked first and looked at again then: a change may have come between.
    let deleted: Vec<Vec<u8>> = sqlx::query_scalar(
        "DELETE FROM event e WHERE id = ANY($1)
           AND NOT EXISTS (SELECT 1 FROM job j WHERE j.state = 'live' AND j.thing = e.id
                           AND j.kind IN ('push_event', 'follow_meet'))
         RETURNING id",
    )
    .bind(held)
    .fetch_all(&mut *tx)
    .await?;
    sqlx::query("DELETE FROM event_content WHERE id = ANY($1)").bind(&deleted).execute(tx).await?;
    Ok(i64::try_from(deleted.len()).unwrap_or(i64::MAX))
}
