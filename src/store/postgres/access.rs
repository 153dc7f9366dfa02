//! Keys and tickets in PostgreSQL.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::error::{Trouble, failure};
use super::rows::{ApiKeyRow, TicketRow, id_bytes, nanos, read, ticket_kind, written};
use super::{PostgresStore, audit};
use crate::model::audit::Act;
use crate::model::id::KeyId;
use crate::model::key::{ApiKey, Digest, Ticket, TicketKind};
use crate::store::{AccessStore, Change, StoreError, fits};

#[async_trait]
impl AccessStore for PostgresStore {
    async fn put_key(&self, key: ApiKey, act: Act) -> Result<(), StoreError> {
        fits(&act.detail)?;
        self.again(|| self.try_put_key(&key, &act)).await?;
        self.word.tell(vec![Change::Audit]);
        Ok(())
    }

    async fn key(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError> {
        let row: Option<String> =
            sqlx::query_scalar("SELECT row_to_json(k)::text FROM api_key k WHERE id = $1")
                .bind(id_bytes(id))
                .fetch_optional(&self.pool)
                .await
                .map_err(failure)?;
        row.map(|row| read::<ApiKeyRow>(&row)?.try_into()).transpose()
    }

    async fn keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        let rows: Vec<String> =
            sqlx::query_scalar("SELECT row_to_json(k)::text FROM api_key k ORDER BY created, id")
                .fetch_all(&self.pool)
                .await
                .map_err(failure)?;
        rows.iter().map(|row| read::<ApiKeyRow>(row)?.try_into()).collect()
    }

    async fn put_ticket(&self, ticket: Ticket) -> Result<(), StoreError> {
        fits(&ticket.payload)?;
        let put = sqlx::query(
            "INSERT INTO ticket SELECT * FROM json_populate_record(NULL::ticket, $1::json)
             ON CONFLICT (kind, digest) DO UPDATE SET
                 (created, expires, payload) =
                 (excluded.created, excluded.expires, excluded.payload)",
        );
        put.bind(written(&TicketRow::from(&ticket))).execute(&self.pool).await.map_err(failure)?;
        Ok(())
    }

    async fn ticket(
        &self,
        kind: TicketKind,
        digest: &Digest,
    ) -> Result<Option<Ticket>, StoreError> {
        self.found_ticket(
            "SELECT row_to_json(t)::text FROM ticket t WHERE kind = $1 AND digest = $2",
            kind,
            digest,
        )
        .await
    }

    async fn prolong_ticket(
        &self,
        kind: TicketKind,
        digest: &Digest,
        expires: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let moved = sqlx::query("UPDATE ticket SET expires = $3 WHERE kind = $1 AND digest = $2")
            .bind(ticket_kind(kind))
            .bind(digest.as_slice())
            .bind(nanos(expires))
            .execute(&self.pool)
            .await
            .map_err(failure)?;
        Ok(moved.rows_affected() > 0)
    }

    async fn take_ticket(
        &self,
        kind: TicketKind,
        digest: &Digest,
    ) -> Result<Option<Ticket>, StoreError> {
        self.found_ticket(
            "DELETE FROM ticket t WHERE kind = $1 AND digest = $2 RETURNING row_to_json(t)::text",
            kind,
            digest,
        )
        .await
    }

    async fn drop_tickets(&self, kind: TicketKind) -> Result<usize, StoreError> {
        let dropped = sqlx::query("DELETE FROM ticket WHERE kind = $1")
            .bind(ticket_kind(kind))
            .execute(&self.pool)
            .await
            .map_err(failure)?;
        Ok(usize::try_from(dropped.rows_affected()).unwrap_or(usize::MAX))
    }
}

impl PostgresStore {
    async fn try_put_key(&self, key: &ApiKey, act: &Act) -> Result<(), Trouble> {
        let mut tx = self.pool.begin().await?;
        let put = sqlx::query(
            "INSERT INTO api_key SELECT * FROM json_populate_record(NULL::api_key, $1::json)
             ON CONFLICT (id) DO UPDATE SET
                 (name, scopes, source, secret, created, expires, revoked) =
                 (excluded.name, excluded.scopes, excluded.source, excluded.secret,
                  excluded.created, excluded.expires, excluded.revoked)",
        );
        put.bind(written(&ApiKeyRow::from(key))).execute(&mut *tx).await?;
        audit::chain(&mut tx, act).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn found_ticket(
        &self,
        statement: &'static str,
        kind: TicketKind,
        digest: &Digest,
    ) -> Result<Option<Ticket>, StoreError> {
        let row: Option<String> = sqlx::query_scalar(statement)
            .bind(ticket_kind(kind))
            .bind(digest.as_slice())
            .fetch_optional(&self.pool)
            .await
            .map_err(failure)?;
        row.map(|row| read::<TicketRow>(&row)?.try_into()).transpose()
    }
}
