//! Claims: the jobs that somebody has, until when, and who may have them at all.
//!
//! A claim holds the row of its connection for a moment. So claims of one connection come one after
//! the other, and none beside the moment at which the connection goes to another node.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::PostgresStore;
use super::error::{Trouble, failure};
use super::rows::{JobRow, LineRow, id_bytes, nanos, read, time};
use crate::model::id::JobId;
use crate::model::job::{Claim, Line};
use crate::model::sealed::Sealed;
use crate::store::{Claimed, StoreError};

/// A job that may be taken.
struct Candidate {
    id: Vec<u8>,
    event: Option<Vec<u8>>,
    due: i64,
}

impl PostgresStore {
    pub(super) async fn try_claim(
        &self,
        line: &Line,
        n: usize,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Claimed, Trouble> {
        let line = LineRow::from(line);
        let (at, end) = (nanos(now), nanos(until));
        let mut tx = self.pool.begin().await?;
        if !self.holds(&mut tx, &line.connection.0).await? {
            // At once, or the row would be locked for whoever takes it over.
            tx.rollback().await?;
            return Ok(Claimed { claims: Vec::new(), next: None });
        }
        let mut left = None;
        let mut hidden = false;
        let mut taken: Vec<Candidate> = Vec::new();
        for candidate in candidates(&mut tx, &line, n, at).await? {
            if taken.len() == n {
                left = Some(candidate.due);
                break;
            }
            let twin = |other: &Candidate| other.event.is_some() && other.event == candidate.event;
            if taken.iter().any(twin) {
                hidden = true;
            } else {
                taken.push(candidate);
            }
        }
        // As others have the line's jobs: those taken here are the caller's own concern.
        let next = match left {
            Some(due) => Some(due),
            None => next(&mut tx, &line, at).await?.into_iter().chain(hidden.then_some(end)).min(),
        };
        let claims = take(&mut tx, &taken, until).await?;
        tx.commit().await?;
        Ok(Claimed { claims, next: next.map(time) })
    }

    /// Whether this node works for the connection, and goes on to. One that nobody ever worked for is taken.
    async fn holds(&self, tx: &mut PgConnection, connection: &[u8]) -> Result<bool, Trouble> {
        let holder: Option<Option<Vec<u8>>> =
            sqlx::query_scalar("SELECT node FROM holding WHERE connection = $1 FOR UPDATE")
                .bind(connection)
                .fetch_optional(&mut *tx)
                .await?;
        if let Some(node) = holder {
            return Ok(node.as_deref() == Some(self.node_bytes()) && !self.is_leaving(connection));
        }
        sqlx::query("INSERT INTO holding VALUES ($1, $2)")
            .bind(connection)
            .bind(self.node_bytes())
            .execute(tx)
            .await?;
        Ok(true)
    }

    pub(super) async fn prolong(
        &self,
        claims: &[Claim],
        until: DateTime<Utc>,
    ) -> Result<Vec<JobId>, StoreError> {
        let ids: Vec<_> = claims.iter().map(|claim| id_bytes(claim.job.id)).collect();
        let fences: Vec<_> = claims.iter().map(|claim| claim.fence.cast_signed()).collect();
        let kept: Vec<i64> = sqlx::query_scalar(
            "UPDATE job SET leased_until = $3
             FROM unnest($1::bytea[], $2::bigint[]) claim (id, fence)
             WHERE job.id = claim.id AND job.fence = claim.fence RETURNING job.fence",
        )
        .bind(ids)
        .bind(fences)
        .bind(nanos(until))
        .fetch_all(&self.pool)
        .await
        .map_err(failure)?;
        let lost = claims.iter().filter(|claim| !kept.contains(&claim.fence.cast_signed()));
        Ok(lost.map(|claim| claim.job.id).collect())
    }
}

/// The first due jobs that nobody has, neither themselves nor through their event: one more than `n`,
/// even if each event has two of them.
async fn candidates(
    tx: &mut PgConnection,
    line: &LineRow,
    n: usize,
    now: i64,
) -> Result<Vec<Candidate>, Trouble> {
    let most = i64::try_from(n * 2 + 1).unwrap_or(i64::MAX);
    let found: Vec<(Vec<u8>, Option<Vec<u8>>, i64)> = sqlx::query_as(
        "SELECT id, event, due FROM job j
         WHERE connection = $1 AND class = $2 AND owner = $3 AND calendar = $4
           AND state = 'live' AND due <= $5 AND (leased_until IS NULL OR leased_until <= $5)
           AND NOT EXISTS (SELECT 1 FROM job o WHERE o.connection = $1 AND o.event = j.event
                           AND o.fence IS NOT NULL AND o.leased_until > $5)
         ORDER BY due, id LIMIT $6 FOR UPDATE",
    )
    .bind(&line.connection.0)
    .bind(line.class)
    .bind(&line.owner)
    .bind(line.calendar)
    .bind(now)
    .bind(most)
    .fetch_all(tx)
    .await?;
    Ok(found.into_iter().map(|(id, event, due)| Candidate { id, event, due }).collect())
}

/// Gives the jobs, and their events, to whoever claims them. Whoever had them on a lease that ran
/// out has them no more.
async fn take(
    tx: &mut PgConnection,
    taken: &[Candidate],
    until: DateTime<Utc>,
) -> Result<Vec<Claim>, Trouble> {
    if taken.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<_> = taken.iter().map(|candidate| candidate.id.as_slice()).collect();
    let events: Vec<_> = taken.iter().filter_map(|candidate| candidate.event.as_deref()).collect();
    if !events.is_empty() {
        sqlx::query(
            "UPDATE job SET fence = NULL, leased_until = NULL
             WHERE kind IN ('push_event', 'follow_meet') AND thing = ANY($1) AND state = 'live'
               AND fence IS NOT NULL AND id <> ALL($2)",
        )
        .bind(&events)
        .bind(&ids)
        .execute(&mut *tx)
        .await?;
    }
    let rows: Vec<Given> = sqlx::query_as(
        "UPDATE job j SET fence = nextval('fence'), leased_until = $2
         FROM unnest($1::bytea[]) claim (id) LEFT JOIN job_payload p ON p.job = claim.id
         WHERE j.id = claim.id RETURNING j.id, j.fence, row_to_json(j)::text, p.payload",
    )
    .bind(&ids)
    .bind(nanos(until))
    .fetch_all(tx)
    .await?;
    let mut claims = Vec::new();
    for id in ids {
        let Some((_, fence, row, payload)) = rows.iter().find(|(told, ..)| told == id) else {
            continue;
        };
        claims.push(Claim {
            job: read::<JobRow>(row)?.try_into()?,
            payload: payload.clone().map(Sealed::from_bytes),
            fence: fence.cast_unsigned(),
            until,
        });
    }
    Ok(claims)
}

/// A job given to whoever claims it: id, fence, row, and what it carries.
type Given = (Vec<u8>, i64, String, Option<Vec<u8>>);

/// When the line may have another job: at the end of a lease that hides one that is due, or when the
/// first is due that is not yet.
async fn next(tx: &mut PgConnection, line: &LineRow, now: i64) -> Result<Option<i64>, Trouble> {
    let next = sqlx::query_scalar(
        "SELECT least(
             (SELECT min(o.leased_until) FROM job o
              JOIN job j ON j.id = o.id OR j.thing = o.event AND j.kind IN ('push_event', 'follow_meet')
              WHERE o.connection = $1 AND o.fence IS NOT NULL AND o.leased_until > $5
                AND j.connection = $1 AND j.class = $2 AND j.owner = $3 AND j.calendar = $4
                AND j.state = 'live' AND j.due <= $5),
             (SELECT due FROM job
              WHERE connection = $1 AND class = $2 AND owner = $3 AND calendar = $4
                AND state = 'live' AND due > $5 ORDER BY due LIMIT 1))",
    )
    .bind(&line.connection.0)
    .bind(line.class)
    .bind(&line.owner)
    .bind(line.calendar)
    .bind(now)
    .fetch_one(tx)
    .await?;
    Ok(next)
}
