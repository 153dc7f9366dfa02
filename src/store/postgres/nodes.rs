//! Which process works for which connection.
//!
//! A node says again and again until when it lives. What a node holds that is past that moment, or
//! said goodbye, is free; a free connection goes to a node that has less than its share, and with it
//! all that ran there: its claims are void. Clocks only decide when that may happen; the row of the
//! connection decides that it did, and whoever claims looks at that row.

use std::collections::BTreeSet;
use std::sync::MutexGuard;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::PostgresStore;
use super::error::Trouble;
use super::rows::{LineRow, nanos, read};
use crate::model::job::Line;
use crate::store::{Alive, Beat, Change, StoreError};

/// The connection whose holder leads.
const LEAD: &[u8] = b"";
/// So long after its end a node is forgotten.
const FORGOTTEN_AFTER: TimeDelta = TimeDelta::hours(1);

/// What a sign of life brought.
struct Shared {
    alive: Alive,
    /// The lines of what was taken, and of what was to leave.
    lines: Vec<Line>,
    /// Whether something was given back.
    gave: bool,
    /// What is to leave from now on.
    leave: BTreeSet<Vec<u8>>,
}

impl PostgresStore {
    /// This node's name, as it is stored.
    pub(super) fn node_bytes(&self) -> &[u8] {
        &self.node
    }

    pub(super) async fn live_on(
        &self,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Alive, StoreError> {
        let Shared { alive, lines, gave, leave } =
            self.again(|| self.try_live_on(now, until)).await?;
        // First this, or whoever is told of a line would be refused again.
        *self.leaving() = leave;
        self.word.tell_here(lines.into_iter().map(Change::Line));
        if gave {
            self.word.nudge_others(&self.pool).await;
        }
        Ok(alive)
    }

    async fn try_live_on(
        &self,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Shared, Trouble> {
        let mut tx = self.pool.begin().await?;
        let known = sqlx::query("UPDATE node SET until = $2 WHERE id = $1")
            .bind(&self.node)
            .bind(nanos(until))
            .execute(&mut *tx)
            .await?;
        if known.rows_affected() == 0 {
            self.join(&mut tx, until).await?;
        }
        sqlx::query("DELETE FROM node WHERE until <= $1")
            .bind(nanos(now - FORGOTTEN_AFTER))
            .execute(&mut *tx)
            .await?;
        let living: Vec<(Vec<u8>, i64)> =
            sqlx::query_as("SELECT id, until FROM node WHERE until > $1 OR id = $2")
                .bind(nanos(now))
                .bind(&self.node)
                .fetch_all(&mut *tx)
                .await?;
        let others = living.iter().filter(|(id, _)| *id != self.node);
        let lapse = others.map(|(_, until)| *until).min().map(DateTime::from_timestamp_nanos);
        let living: Vec<_> = living.into_iter().map(|(id, _)| id).collect();
        let mut taken = self.adopt(&mut tx).await?;
        let (all, mine): (i64, i64) = sqlx::query_as(
            "SELECT count(*), count(*) FILTER (WHERE node = $1) FROM holding WHERE connection <> ''",
        )
        .bind(&self.node)
        .fetch_one(&mut *tx)
        .await?;
        let nodes = u32::try_from(living.len()).unwrap_or(u32::MAX);
        let fair = (all + i64::from(nodes) - 1) / i64::from(nodes);
        taken.extend(self.take_free(&mut tx, &living, fair - mine).await?);
        let (given, leave) = self.give_back(&mut tx, mine - fair, now).await?;
        taken.extend(self.leaving().iter().filter(|was| !given.contains(was)).cloned());
        let leader: Option<Vec<u8>> =
            sqlx::query_scalar("SELECT node FROM holding WHERE connection = $1")
                .bind(LEAD)
                .fetch_one(&mut *tx)
                .await?;
        let lines = lines_of(&mut tx, &taken).await?;
        tx.commit().await?;
        let beat = Beat { nodes, leads: leader.as_ref() == Some(&self.node) };
        Ok(Shared { alive: Alive { beat, lapse }, lines, gave: !given.is_empty(), leave })
    }

    /// Joins those that live. One process after the other: of two that start together each would not
    /// see the other yet, and take itself to be alone.
    async fn join(&self, tx: &mut PgConnection, until: DateTime<Utc>) -> Result<(), Trouble> {
        // Also where sessions have no limits of their own: one that stopped on its way is not waited for.
        sqlx::query("SET LOCAL lock_timeout = '5s'").execute(&mut *tx).await?;
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('calbridge join', 0))")
            .execute(&mut *tx)
            .await?;
        sqlx::query("INSERT INTO node VALUES ($1, $2)")
            .bind(&self.node)
            .bind(nanos(until))
            .execute(tx)
            .await?;
        Ok(())
    }

    /// Takes the connections with live jobs that nobody ever worked for.
    async fn adopt(&self, tx: &mut PgConnection) -> Result<Vec<Vec<u8>>, Trouble> {
        // From one connection in the index to the next, so that their jobs are not read.
        let adopted = sqlx::query_scalar(
            "WITH RECURSIVE waiting AS (
                 (SELECT connection FROM job WHERE state = 'live' ORDER BY connection LIMIT 1)
                 UNION ALL
                 SELECT n.connection FROM waiting w CROSS JOIN LATERAL (
                     SELECT connection FROM job WHERE state = 'live' AND connection > w.connection
                     ORDER BY connection LIMIT 1) n)
             INSERT INTO holding SELECT connection, $1 FROM waiting w
                 WHERE NOT EXISTS (SELECT 1 FROM holding h WHERE h.connection = w.connection)
                 ON CONFLICT DO NOTHING RETURNING connection",
        )
        .bind(&self.node)
        .fetch_all(tx)
        .await?;
        Ok(adopted)
    }

    /// Takes the lead if nobody living has it, and up to `most` connections. What ran there runs no
    /// more.
    async fn take_free(
        &self,
        tx: &mut PgConnection,
        living: &[Vec<u8>],
        most: i64,
    ) -> Result<Vec<Vec<u8>>, Trouble> {
        let mut taken: Vec<Vec<u8>> = sqlx::query_scalar(
            "INSERT INTO holding AS h VALUES ($3, $1) ON CONFLICT (connection)
                 DO UPDATE SET node = excluded.node WHERE h.node IS NULL OR h.node <> ALL($2)
             RETURNING connection",
        )
        .bind(&self.node)
        .bind(living)
        .bind(LEAD)
        .fetch_all(&mut *tx)
        .await?;
        let free: Vec<Vec<u8>> = sqlx::query_scalar(
            "UPDATE holding SET node = $1 WHERE connection IN (
                 SELECT connection FROM holding
                 WHERE connection <> '' AND (node IS NULL OR node <> ALL($2))
                 ORDER BY connection LIMIT $3 FOR UPDATE SKIP LOCKED)
             RETURNING connection",
        )
        .bind(&self.node)
        .bind(living)
        .bind(most.max(0))
        .fetch_all(&mut *tx)
        .await?;
        taken.extend(free);
        void_claims(tx, &taken).await?;
        Ok(taken)
    }

    /// Gives back `most` connections: at once if nothing of them runs; no more of the others is
    /// claimed until then. Returns those that go, and those that are to leave.
    async fn give_back(
        &self,
        tx: &mut PgConnection,
        most: i64,
        now: DateTime<Utc>,
    ) -> Result<(Vec<Vec<u8>>, BTreeSet<Vec<u8>>), Trouble> {
        if most <= 0 {
            return Ok((Vec::new(), BTreeSet::new()));
        }
        // Held first and looked at then: no claim comes between.
        let held: Vec<Vec<u8>> = sqlx::query_scalar(
            "SELECT connection FROM holding WHERE node = $1 AND connection <> ''
             ORDER BY connection DESC LIMIT $2 FOR UPDATE SKIP LOCKED",
        )
        .bind(&self.node)
        .bind(most)
        .fetch_all(&mut *tx)
        .await?;
        let given: Vec<Vec<u8>> = sqlx::query_scalar(
            "UPDATE holding SET node = NULL WHERE connection IN (
                 SELECT c FROM unnest($1::bytea[]) c
                 WHERE NOT EXISTS (SELECT 1 FROM job j WHERE j.connection = c
                                   AND j.fence IS NOT NULL AND j.leased_until > $2))
             RETURNING connection",
        )
        .bind(&held)
        .bind(nanos(now))
        .fetch_all(tx)
        .await?;
        let leave = held.into_iter().filter(|connection| !given.contains(connection)).collect();
        Ok((given, leave))
    }

    /// Whether no more of this connection is claimed here.
    pub(super) fn is_leaving(&self, connection: &[u8]) -> bool {
        self.leaving().contains(connection)
    }

    /// A run of the line is over: if its connection is to leave, it need not wait for the next sign of
    /// life.
    pub(super) fn let_leave(&self, line: &Line) {
        if self.is_leaving(&LineRow::from(line).connection.0) {
            self.word.nudge_here();
        }
    }

    fn leaving(&self) -> MutexGuard<'_, BTreeSet<Vec<u8>>> {
        self.leaving.lock().expect("no one panics while looking at it")
    }

    pub(super) async fn say_goodbye(&self) -> Result<(), StoreError> {
        self.again(|| self.try_say_goodbye()).await?;
        self.word.send(&self.pool).await;
        self.word.nudge_others(&self.pool).await;
        Ok(())
    }

    async fn try_say_goodbye(&self) -> Result<(), Trouble> {
        let mut tx = self.pool.begin().await?;
        let held: Vec<Vec<u8>> = sqlx::query_scalar(
            "UPDATE holding SET node = NULL WHERE node = $1 RETURNING connection",
        )
        .bind(&self.node)
        .fetch_all(&mut *tx)
        .await?;
        void_claims(&mut tx, &held).await?;
        sqlx::query("DELETE FROM node WHERE id = $1").bind(&self.node).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Every line with a live job that is this node's to serve.
    pub(super) async fn try_lines(&self) -> Result<Vec<Line>, Trouble> {
        let mut tx = self.pool.begin().await?;
        self.adopt(&mut tx).await?;
        let held: Vec<Vec<u8>> =
            sqlx::query_scalar("SELECT connection FROM holding WHERE node = $1")
                .bind(&self.node)
                .fetch_all(&mut *tx)
                .await?;
        let mut lines = lines_of(&mut tx, &held).await?;
        tx.commit().await?;
        lines.sort_unstable();
        Ok(lines)
    }

    /// Each line of this node's that has a due job nobody runs, and the first such job.
    pub(super) async fn due_lines(
        &self,
        now: DateTime<Utc>,
    ) -> Result<Vec<(Line, Vec<u8>)>, Trouble> {
        let rows: Vec<(String, Vec<u8>)> = sqlx::query_as(
            "SELECT row_to_json(l)::text, first.id
             FROM lines_of((SELECT array_agg(connection) FROM holding WHERE node = $1)) l
             CROSS JOIN LATERAL (
                 SELECT id FROM job
                 WHERE connection = l.connection AND class = l.class AND owner = l.owner
                   AND calendar = l.calendar AND state = 'live' AND due <= $2
                   AND (leased_until IS NULL OR leased_until <= $2)
                 ORDER BY due, id LIMIT 1) first",
        )
        .bind(&self.node)
        .bind(nanos(now))
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(|(line, id)| Ok((read::<LineRow>(&line)?.try_into()?, id))).collect()
    }
}

/// Every line of these connections that has a live job.
async fn lines_of(tx: &mut PgConnection, connections: &[Vec<u8>]) -> Result<Vec<Line>, Trouble> {
    let rows: Vec<String> = sqlx::query_scalar("SELECT row_to_json(l)::text FROM lines_of($1) l")
        .bind(connections)
        .fetch_all(tx)
        .await?;
    rows.iter().map(|row| Ok(read::<LineRow>(row)?.try_into()?)).collect()
}

/// Nobody has any job of these connections any more.
async fn void_claims(tx: &mut PgConnection, connections: &[Vec<u8>]) -> Result<(), Trouble> {
    sqlx::query(
        "UPDATE job SET fence = NULL, leased_until = NULL
         WHERE connection = ANY($1) AND fence IS NOT NULL",
    )
    .bind(connections)
    .execute(tx)
    .await?;
    Ok(())
}
