//! The administrator's account and the uses of keys, in PostgreSQL.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::error::{Trouble, failure};
use super::rows::{id_bytes, nanos, number, ticket_kind, time};
use super::{PostgresStore, audit};
use crate::model::administrator::Administrator;
use crate::model::audit::Act;
use crate::model::id::KeyId;
use crate::model::key::TicketKind;
use crate::store::{AdministratorStore, Change, StoreError, fits};

#[async_trait]
impl AdministratorStore for PostgresStore {
    async fn administrator(&self) -> Result<Option<Administrator>, StoreError> {
        let mut connection = self.pool.acquire().await.map_err(failure)?;
        administrator_in(&mut connection).await.map_err(failure)
    }

    async fn put_administrator(
        &self,
        administrator: Administrator,
        act: Act,
    ) -> Result<(), StoreError> {
        fits(&act.detail)?;
        self.again(|| self.try_put_administrator(&administrator, &act)).await?;
        self.word.tell(vec![Change::Audit]);
        Ok(())
    }

    async fn note_uses(&self, mut uses: Vec<(KeyId, DateTime<Utc>)>) -> Result<(), StoreError> {
        // In one order, so that two processes that note the same keys do not wait for each other.
        uses.sort_unstable();
        let (ids, moments): (Vec<_>, Vec<_>) =
            uses.into_iter().map(|(id, at)| (id_bytes(id), nanos(at))).unzip();
        sqlx::query(
            "INSERT INTO key_use SELECT * FROM unnest($1::bytea[], $2::bigint[]) ORDER BY 1
             ON CONFLICT (id) DO UPDATE SET at = greatest(key_use.at, excluded.at)",
        )
        .bind(ids)
        .bind(moments)
        .execute(&self.pool)
        .await
        .map_err(failure)?;
        Ok(())
    }

    async fn last_uses(&self) -> Result<Vec<(KeyId, DateTime<Utc>)>, StoreError> {
        let mut connection = self.pool.acquire().await.map_err(failure)?;
        uses_in(&mut connection).await.map_err(|trouble| match trouble {
            Trouble::Store(error) => error,
            Trouble::Clash => super::too_many_clashes(),
        })
    }
}

impl PostgresStore {
    async fn try_put_administrator(
        &self,
        administrator: &Administrator,
        act: &Act,
    ) -> Result<(), Trouble> {
        let mut tx = self.pool.begin().await?;
        sqlx::query("DELETE FROM ticket WHERE kind = $1")
            .bind(ticket_kind(TicketKind::Session))
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT INTO administrator (password, set_at) VALUES ($1, $2)
             ON CONFLICT (one) DO UPDATE SET
                 (password, set_at) = (excluded.password, excluded.set_at)",
        )
        .bind(&administrator.password)
        .bind(nanos(administrator.set))
        .execute(&mut *tx)
        .await?;
        audit::chain(&mut tx, act).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// The administrator's account, as this connection sees it.
pub(super) async fn administrator_in(
    connection: &mut PgConnection,
) -> Result<Option<Administrator>, sqlx::Error> {
    let row: Option<(String, i64)> = sqlx::query_as("SELECT password, set_at FROM administrator")
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|(password, set)| Administrator { password, set: time(set) }))
}

/// When keys were used last, as this connection sees it.
pub(super) async fn uses_in(
    connection: &mut PgConnection,
) -> Result<Vec<(KeyId, DateTime<Utc>)>, Trouble> {
    let rows: Vec<(Vec<u8>, i64)> =
        sqlx::query_as("SELECT id, at FROM key_use ORDER BY id").fetch_all(connection).await?;
    rows.into_iter().map(|(id, at)| Ok((KeyId::from_u128(number(&id)?), time(at)))).collect()
}
