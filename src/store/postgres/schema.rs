//! The tables, brought to this release's shape.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use super::error::{Trouble, failure, too_many_clashes};
use super::rows::{id_bytes, number};
use crate::model::id::InstanceId;
use crate::store::StoreError;

/// What made each version of the tables out of the one before. What a release contained stays as it
/// was.
const MIGRATIONS: &[&str] = &[
    include_str!("schema/0001_begin.sql"),
    include_str!("schema/0002_contents.sql"),
    include_str!("schema/0003_items.sql"),
    include_str!("schema/0004_lists.sql"),
    include_str!("schema/0005_reminders.sql"),
];

/// Only one process at a time migrates: an advisory lock of this number says so.
const LOCK: i64 = 0x0ca1_b71d_6e00;

/// Brings the tables to the newest version and names the store `fresh` if it has no name yet.
/// Returns its name. Tables of a newer release are refused.
pub(super) async fn migrate(pool: &PgPool, fresh: InstanceId) -> Result<InstanceId, StoreError> {
    match try_migrate(pool, fresh).await {
        Ok(instance) => Ok(instance),
        Err(Trouble::Store(error)) => Err(error),
        Err(Trouble::Clash) => Err(too_many_clashes()),
    }
}

async fn try_migrate(pool: &PgPool, fresh: InstanceId) -> Result<InstanceId, Trouble> {
    let mut tx = pool.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *tx).await?;
    sqlx::query("CREATE TABLE IF NOT EXISTS schema_version (version bigint PRIMARY KEY)")
        .execute(&mut *tx)
        .await?;
    let present: i64 = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM schema_version")
        .fetch_one(&mut *tx)
        .await?;
    let newest = MIGRATIONS.len();
    let present = usize::try_from(present).unwrap_or(usize::MAX);
    if present > newest {
        return Err(Trouble::Store(StoreError::Failed(format!(
            "the database has tables of version {present}, and this release knows versions up to {newest}; \
             use the release that wrote them, or a newer one"
        ))));
    }
    for (version, migration) in (1_i64..).zip(MIGRATIONS).skip(present) {
        sqlx::raw_sql(*migration).execute(&mut *tx).await?;
        sqlx::query("INSERT INTO schema_version VALUES ($1)")
            .bind(version)
            .execute(&mut *tx)
            .await?;
    }
    sqlx::query("INSERT INTO store (instance) VALUES ($1) ON CONFLICT DO NOTHING")
        .bind(id_bytes(fresh))
        .execute(&mut *tx)
        .await?;
    let instance: Vec<u8> =
        sqlx::query_scalar("SELECT instance FROM store").fetch_one(&mut *tx).await?;
    tx.commit().await?;
    Ok(InstanceId::from_u128(number(&instance)?))
}

/// What the database's clock shows.
pub(super) async fn clock(pool: &PgPool) -> Result<DateTime<Utc>, StoreError> {
    sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(pool).await.map_err(failure)
}
