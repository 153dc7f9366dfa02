//! What recurs, in PostgreSQL.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::PostgresStore;
use super::error::{Trouble, failure};
use super::rows::{nanos, time};
use crate::store::{PeriodStore, StoreError, Turn};

#[async_trait]
impl PeriodStore for PostgresStore {
    async fn take_turn(
        &self,
        name: &str,
        every: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Turn, StoreError> {
        self.again(|| self.try_take_turn(name, every, now)).await
    }

    async fn tally(&self, day: NaiveDate, calls: u64) -> Result<u64, StoreError> {
        let counted: i64 = sqlx::query_scalar(
            "INSERT INTO tally AS t VALUES ($1, $2) ON CONFLICT (day) DO UPDATE SET
                 calls = least(t.calls::numeric + excluded.calls, 9223372036854775807)::bigint
             RETURNING calls",
        )
        .bind(day)
        .bind(i64::try_from(calls).unwrap_or(i64::MAX))
        .fetch_one(&self.pool)
        .await
        .map_err(failure)?;
        Ok(counted.unsigned_abs())
    }
}

impl PostgresStore {
    async fn try_take_turn(
        &self,
        name: &str,
        every: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Turn, Trouble> {
        let mut tx = self.pool.begin().await?;
        // Two nodes may both believe that they lead: only one at a time looks whose turn it is.
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('calbridge turn ' || $1, 0))")
            .bind(name)
            .execute(&mut *tx)
            .await?;
        let next: Option<i64> = sqlx::query_scalar("SELECT next_at FROM period WHERE name = $1")
            .bind(name)
            .fetch_optional(&mut *tx)
            .await?;
        let (turn, next) = Turn::take(next.map(time), every, now);
        if matches!(turn, Turn::Due { .. }) {
            sqlx::query(
                "INSERT INTO period VALUES ($1, $2)
                 ON CONFLICT (name) DO UPDATE SET next_at = excluded.next_at",
            )
            .bind(name)
            .bind(nanos(next))
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(turn)
    }
}
