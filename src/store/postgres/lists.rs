//! Lists of events in PostgreSQL.

use sqlx::PgPool;

use super::error::failure;
use super::rows::{EventRow, Hex, id_bytes, nanos, owner_text, read, time};
use crate::model::event::Event;
use crate::store::{EventFilter, Place, StoreError};

/// A page of events is looked for in so many rows for each that is asked for.
const ROWS_AN_EVENT: usize = 20;

/// A row on the way: its place, and the event with its content if the filter lets it through.
type Passed = (i64, Vec<u8>, Option<String>, Option<Vec<u8>>);

const OF_ONE: &str = "WITH passed AS MATERIALIZED (
        SELECT created, id, starts_at, over_at FROM event
        WHERE owner = $1 AND (created, id) > ($2, $3) ORDER BY created, id LIMIT $4)
    SELECT p.created, p.id, row_to_json(e)::text, c.content FROM passed p
        LEFT JOIN event e ON e.id = p.id AND ($5::bigint IS NULL OR p.starts_at < $5)
            AND ($6::bigint IS NULL OR p.over_at > $6 OR p.starts_at >= $6)
        LEFT JOIN event_content c ON c.id = e.id
    ORDER BY p.created, p.id";
const OF_ALL: &str = "WITH passed AS MATERIALIZED (
        SELECT created, id, starts_at, over_at FROM event
        WHERE $1::text IS NULL AND (created, id) > ($2, $3) ORDER BY created, id LIMIT $4)
    SELECT p.created, p.id, row_to_json(e)::text, c.content FROM passed p
        LEFT JOIN event e ON e.id = p.id AND ($5::bigint IS NULL OR p.starts_at < $5)
            AND ($6::bigint IS NULL OR p.over_at > $6 OR p.starts_at >= $6)
        LEFT JOIN event_content c ON c.id = e.id
    ORDER BY p.created, p.id";

/// A page of one owner's events, or of everybody's.
pub(super) async fn page(
    pool: &PgPool,
    filter: &EventFilter,
    after: Option<Place>,
    most: usize,
) -> Result<(Vec<Event>, Option<Place>), StoreError> {
    let most_rows = most.saturating_mul(ROWS_AN_EVENT);
    let statement = if filter.owner.is_some() { OF_ONE } else { OF_ALL };
    let rows: Vec<Passed> = sqlx::query_as(statement)
        .bind(filter.owner.as_ref().map(owner_text))
        .bind(after.map_or(i64::MIN, |place| nanos(place.created)))
        .bind(after.map(|place| id_bytes(place.id)).unwrap_or_default())
        .bind(i64::try_from(most_rows).unwrap_or(i64::MAX))
        .bind(filter.to.map(nanos))
        .bind(filter.from.map(nanos))
        .fetch_all(pool)
        .await
        .map_err(failure)?;
    let mut page = Vec::new();
    let mut last = after;
    for (created, id, row, content) in &rows {
        if page.len() == most {
            return Ok((page, last));
        }
        last = Some(Place { created: time(*created), id: Hex(id.clone()).id()? });
        if let (Some(row), Some(content)) = (row, content) {
            let event = read::<EventRow>(row)?.with(content.clone())?;
            page.extend(Some(event).filter(|event| filter.lets(event)));
        }
    }
    Ok((page, last.filter(|_| rows.len() == most_rows)))
}
