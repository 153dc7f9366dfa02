//! Who did what, in PostgreSQL.

use async_trait::async_trait;
use sqlx::PgConnection;

use super::PostgresStore;
use super::error::{Trouble, failure};
use super::rows::{AuditRow, HeadRow, read, written};
use crate::model::audit::{Act, Entry, Head};
use crate::store::{AuditStore, Change, StoreError, fits};

#[async_trait]
impl AuditStore for PostgresStore {
    async fn append(&self, act: Act) -> Result<Entry, StoreError> {
        fits(&act.detail)?;
        let entry = self.again(|| self.try_append(&act)).await?;
        self.word.tell(vec![Change::Audit]);
        Ok(entry)
    }

    async fn audit(&self, after: u64, most: usize) -> Result<Vec<Entry>, StoreError> {
        let rows: Vec<String> = sqlx::query_scalar(
            "SELECT row_to_json(a)::text FROM audit a WHERE seq > $1 ORDER BY seq LIMIT $2",
        )
        .bind(after.cast_signed())
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await
        .map_err(failure)?;
        rows.iter().map(|row| read::<AuditRow>(row)?.try_into()).collect()
    }

    async fn audit_head(&self) -> Result<Head, StoreError> {
        let row: String = sqlx::query_scalar("SELECT row_to_json(h)::text FROM audit_head h")
            .fetch_one(&self.pool)
            .await
            .map_err(failure)?;
        read::<HeadRow>(&row)?.try_into()
    }
}

impl PostgresStore {
    async fn try_append(&self, act: &Act) -> Result<Entry, Trouble> {
        let mut tx = self.pool.begin().await?;
        let entry = chain(&mut tx, act).await?;
        tx.commit().await?;
        Ok(entry)
    }
}

/// Keeps the act as the last entry. It comes last in a step: until its end no other appends.
pub(super) async fn chain(tx: &mut PgConnection, act: &Act) -> Result<Entry, Trouble> {
    let head = held(tx).await?;
    let entry = Entry::after(&head, act.clone());
    insert(tx, &[AuditRow::from(&entry)]).await?;
    move_head(tx, head.with(&entry)).await?;
    Ok(entry)
}

/// Keeps entries as they are, unless there are such already.
pub(super) async fn keep(tx: &mut PgConnection, entries: &[&Entry]) -> Result<(), Trouble> {
    if entries.is_empty() {
        return Ok(());
    }
    let head = held(tx).await?;
    let rows: Vec<AuditRow> = entries.iter().map(|entry| AuditRow::from(*entry)).collect();
    insert(tx, &rows).await?;
    move_head(tx, entries.iter().fold(head, |head, entry| head.with(entry))).await
}

/// The end of the chain, which nobody else moves until this step is over.
async fn held(tx: &mut PgConnection) -> Result<Head, Trouble> {
    let row: String =
        sqlx::query_scalar("SELECT row_to_json(h)::text FROM audit_head h FOR UPDATE")
            .fetch_one(tx)
            .await?;
    Ok(read::<HeadRow>(&row)?.try_into()?)
}

async fn insert(tx: &mut PgConnection, rows: &[AuditRow]) -> Result<(), Trouble> {
    let statement = "INSERT INTO audit SELECT * FROM json_populate_recordset(NULL::audit, $1::json)
                     ON CONFLICT DO NOTHING";
    sqlx::query(statement).bind(written(&rows)).execute(tx).await?;
    Ok(())
}

async fn move_head(tx: &mut PgConnection, head: Head) -> Result<(), Trouble> {
    sqlx::query(
        "UPDATE audit_head SET (seq, digest, frozen, frozen_by) =
             (n.seq, n.digest, n.frozen, n.frozen_by)
         FROM json_populate_record(NULL::audit_head, $1::json) n",
    )
    .bind(written(&HeadRow::from(head)))
    .execute(tx)
    .await?;
    Ok(())
}
