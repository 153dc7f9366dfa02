//! Linked accounts in PostgreSQL.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::error::{Trouble, failure};
use super::jobs::enqueue;
use super::rows::{ConnectionRow, id_bytes, nanos, owner_text, read, time, written};
use super::{PostgresStore, audit};
use crate::model::audit::Act;
use crate::model::connection::{AccountTag, Connection};
use crate::model::id::ConnectionId;
use crate::model::job::NewJob;
use crate::model::owner::Owner;
use crate::store::{Change, ConnectionStore, StoreError, fits};

#[async_trait]
impl ConnectionStore for PostgresStore {
    async fn connection(&self, id: ConnectionId) -> Result<Option<Connection>, StoreError> {
        let row: Option<String> =
            sqlx::query_scalar("SELECT row_to_json(c)::text FROM connection c WHERE id = $1")
                .bind(id_bytes(id))
                .fetch_optional(&self.pool)
                .await
                .map_err(failure)?;
        row.map(|row| read::<ConnectionRow>(&row)?.try_into()).transpose()
    }

    async fn connections(&self, owner: &Owner) -> Result<Vec<Connection>, StoreError> {
        let rows: Vec<String> = sqlx::query_scalar(
            "SELECT row_to_json(c)::text FROM connection c WHERE owner = $1
             ORDER BY linked DESC, id DESC",
        )
        .bind(owner_text(owner))
        .fetch_all(&self.pool)
        .await
        .map_err(failure)?;
        rows.iter().map(|row| read::<ConnectionRow>(row)?.try_into()).collect()
    }

    async fn connections_to(&self, account: &AccountTag) -> Result<Vec<Connection>, StoreError> {
        let rows: Vec<String> = sqlx::query_scalar(
            "SELECT row_to_json(c)::text FROM connection c WHERE account = $1 ORDER BY id",
        )
        .bind(account.as_slice())
        .fetch_all(&self.pool)
        .await
        .map_err(failure)?;
        rows.iter().map(|row| read::<ConnectionRow>(row)?.try_into()).collect()
    }

    async fn all_connections(
        &self,
        after: Option<ConnectionId>,
        most: usize,
    ) -> Result<Vec<Connection>, StoreError> {
        let rows: Vec<String> = sqlx::query_scalar(
            "SELECT row_to_json(c)::text FROM connection c WHERE $1::bytea IS NULL OR id > $1
             ORDER BY id LIMIT $2",
        )
        .bind(after.map(id_bytes))
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await
        .map_err(failure)?;
        rows.iter().map(|row| read::<ConnectionRow>(row)?.try_into()).collect()
    }

    async fn note_refresh(&self, id: ConnectionId, at: DateTime<Utc>) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO connection_refresh VALUES ($1, $2)
             ON CONFLICT (connection) DO UPDATE SET at = excluded.at",
        )
        .bind(id_bytes(id))
        .bind(nanos(at))
        .execute(&self.pool)
        .await
        .map_err(failure)?;
        Ok(())
    }

    async fn last_refresh(&self, id: ConnectionId) -> Result<Option<DateTime<Utc>>, StoreError> {
        let at: Option<i64> =
            sqlx::query_scalar("SELECT at FROM connection_refresh WHERE connection = $1")
                .bind(id_bytes(id))
                .fetch_optional(&self.pool)
                .await
                .map_err(failure)?;
        Ok(at.map(time))
    }

    async fn put_connection(
        &self,
        connection: Connection,
        job: Option<NewJob>,
        act: Act,
    ) -> Result<bool, StoreError> {
        fits(&act.detail)?;
        fits([&connection.profile].into_iter().chain(&connection.token))?;
        fits(job.iter().filter_map(|job| job.payload.as_ref()))?;
        let told = self.again(|| self.try_put_connection(&connection, job.as_ref(), &act)).await?;
        let put = !told.is_empty();
        self.word.tell(told);
        Ok(put)
    }
}

impl PostgresStore {
    /// What is to be told of it; nothing if its version is not the next.
    async fn try_put_connection(
        &self,
        connection: &Connection,
        job: Option<&NewJob>,
        act: &Act,
    ) -> Result<Vec<Change>, Trouble> {
        let mut tx = self.pool.begin().await?;
        // A first version is inserted, any other replaces the one before.
        let statement = if connection.version == 1 {
            "INSERT INTO connection
                 SELECT * FROM json_populate_record(NULL::connection, $1::json)
             ON CONFLICT DO NOTHING"
        } else {
            "UPDATE connection c SET
                 (owner, account, client, state, version, profile, token, linked) =
                 (n.owner, n.account, n.client, n.state, n.version, n.profile, n.token, n.linked)
             FROM json_populate_record(NULL::connection, $1::json) n
             WHERE c.id = n.id AND c.version + 1 = n.version"
        };
        let put = sqlx::query(statement)
            .bind(written(&ConnectionRow::from(connection)))
            .execute(&mut *tx)
            .await?;
        if put.rows_affected() == 0 {
            return Ok(Vec::new());
        }
        let mut told = vec![Change::Connection(connection.id)];
        let live = enqueue(&mut tx, job).await?;
        told.extend(live.into_iter().map(|job| Change::Line(job.line)));
        audit::chain(&mut tx, act).await?;
        told.push(Change::Audit);
        tx.commit().await?;
        Ok(told)
    }
}
