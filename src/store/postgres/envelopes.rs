//! What is sealed, in PostgreSQL.

use async_trait::async_trait;
use sqlx::PgConnection;

use super::PostgresStore;
use super::error::{Trouble, failure};
use super::rows::{
    AuditRow, ConnectionRow, JobRow, TicketRow, count, id_bytes, number, owner, read, ticket_kind,
};
use crate::model::audit::Entry;
use crate::model::connection::Connection;
use crate::model::id::Id;
use crate::model::item::Item;
use crate::model::job::Job;
use crate::model::key::Ticket;
use crate::model::sealed::Sealed;
use crate::store::envelope::Shelf;
use crate::store::{Bound, Envelope, EnvelopeStore, Keystone, Reseal, Spot, StoreError, fits};

#[async_trait]
impl EnvelopeStore for PostgresStore {
    async fn envelopes(
        &self,
        after: Option<Spot>,
        most: usize,
    ) -> Result<Vec<Envelope>, StoreError> {
        let mut found = Vec::new();
        let mut connection = self.pool.acquire().await.map_err(failure)?;
        for (shelf, after) in Shelf::behind(after) {
            let left = i64::try_from(most - found.len()).unwrap_or(i64::MAX);
            if left == 0 {
                break;
            }
            found.extend(on(&mut connection, shelf, after, left).await?);
        }
        Ok(found)
    }

    async fn reseal(&self, reseals: Vec<Reseal>) -> Result<usize, StoreError> {
        for Reseal { now, .. } in &reseals {
            fits([now])?;
        }
        self.again(|| self.try_reseal(&reseals)).await
    }

    async fn relay_keystone(&self, was: &Keystone, now: Keystone) -> Result<bool, StoreError> {
        fits([&now.canary, &now.index_key])?;
        let laid = sqlx::query(
            "UPDATE store SET canary = $3, index_key = $4 WHERE canary = $1 AND index_key = $2",
        )
        .bind(was.canary.as_bytes())
        .bind(was.index_key.as_bytes())
        .bind(now.canary.as_bytes())
        .bind(now.index_key.as_bytes())
        .execute(&self.pool)
        .await
        .map_err(failure)?;
        Ok(laid.rows_affected() > 0)
    }
}

impl PostgresStore {
    async fn try_reseal(&self, reseals: &[Reseal]) -> Result<usize, Trouble> {
        let mut tx = self.pool.begin().await?;
        let mut resealed = 0;
        for shelf in Shelf::ALL {
            let on_it = reseals.iter().filter(|reseal| reseal.spot.shelf() == shelf);
            let (mut names, mut kinds) = (Vec::new(), Vec::new());
            let (mut was, mut now) = (Vec::new(), Vec::new());
            for reseal in on_it {
                let (name, kind) = name_of(reseal.spot);
                names.push(name);
                kinds.push(kind);
                was.push(reseal.was.as_bytes());
                now.push(reseal.now.as_bytes());
            }
            if names.is_empty() {
                continue;
            }
            let put = sqlx::query(reseal_on(shelf)).bind(names).bind(was).bind(now).bind(kinds);
            resealed += put.execute(&mut *tx).await?.rows_affected();
        }
        tx.commit().await?;
        Ok(usize::try_from(resealed).unwrap_or(usize::MAX))
    }
}

/// The key of the row in which an envelope lies, and the kind beside it if that is a ticket.
fn name_of(spot: Spot) -> (Vec<u8>, i16) {
    match spot {
        Spot::Profile(id) | Spot::Token(id) => (id_bytes(id), 0),
        Spot::Ticket(kind, digest) => (digest.to_vec(), ticket_kind(kind)),
        Spot::Content(id) | Spot::Links(id) => (id_bytes(id), 0),
        Spot::Payload(id) => (id_bytes(id), 0),
        Spot::Detail(seq) => (seq.to_be_bytes().to_vec(), 0),
        Spot::Item(id) => (id_bytes(id), 0),
    }
}

/// The number of the act that an envelope belongs to; 0 if that is none.
fn seq_of(spot: Spot) -> i64 {
    if let Spot::Detail(seq) = spot { seq.cast_signed() } else { 0 }
}

/// What puts the envelopes `$3` in place of `$2`, in that column of that table, in the rows that the names
/// `$1` and the kinds `$4` find.
macro_rules! reseal_in {
    ($table:literal, $column:literal, $found:literal) => {
        concat!(
            "UPDATE ",
            $table,
            " t SET ",
            $column,
            " = n.now FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::smallint[]) n (id, was, now, kind) WHERE ",
            $found,
            " AND t.",
            $column,
            " = n.was"
        )
    };
}

fn reseal_on(shelf: Shelf) -> &'static str {
    match shelf {
        Shelf::Profiles => reseal_in!("connection", "profile", "t.id = n.id"),
        Shelf::Tokens => reseal_in!("connection", "token", "t.id = n.id"),
        Shelf::Tickets => reseal_in!("ticket", "payload", "t.digest = n.id AND t.kind = n.kind"),
        Shelf::Contents => reseal_in!("event_content", "content", "t.id = n.id"),
        Shelf::Items => reseal_in!("item", "sealed", "t.id = n.id"),
        Shelf::Links => reseal_in!("event", "links", "t.id = n.id"),
        Shelf::Payloads => reseal_in!("job_payload", "payload", "t.job = n.id"),
        Shelf::Details => {
            reseal_in!("audit", "detail", "t.seq = ('x' || encode(n.id, 'hex'))::bit(64)::bigint")
        }
    }
}

/// The envelopes on a shelf behind a spot.
async fn on(
    connection: &mut PgConnection,
    shelf: Shelf,
    after: Option<Spot>,
    most: i64,
) -> Result<Vec<Envelope>, StoreError> {
    let (name, kind) = after.map_or_else(|| (Vec::new(), i16::MIN), name_of);
    match shelf {
        Shelf::Profiles | Shelf::Tokens => {
            let statement = if shelf == Shelf::Profiles {
                "SELECT row_to_json(c)::text FROM connection c WHERE id > $1 ORDER BY id LIMIT $2"
            } else {
                "SELECT row_to_json(c)::text FROM connection c
                 WHERE id > $1 AND token IS NOT NULL ORDER BY id LIMIT $2"
            };
            let rows: Vec<String> = sqlx::query_scalar(statement)
                .bind(name)
                .bind(most)
                .fetch_all(connection)
                .await
                .map_err(failure)?;
            rows.iter().map(|row| of_connection(shelf, row)).filter_map(Result::transpose).collect()
        }
        Shelf::Tickets => {
            let rows: Vec<String> = sqlx::query_scalar(
                "SELECT row_to_json(t)::text FROM ticket t
                 WHERE (kind, digest) > ($1, $2) AND payload IS NOT NULL
                 ORDER BY kind, digest LIMIT $3",
            )
            .bind(kind)
            .bind(name)
            .bind(most)
            .fetch_all(connection)
            .await
            .map_err(failure)?;
            rows.iter().map(|row| of_ticket(row)).filter_map(Result::transpose).collect()
        }
        Shelf::Contents | Shelf::Links => of_events(connection, shelf, &name, most).await,
        Shelf::Payloads => {
            let rows: Vec<(String, Vec<u8>)> = sqlx::query_as(
                "SELECT row_to_json(j)::text, p.payload FROM job_payload p JOIN job j ON j.id = p.job
                 WHERE p.job > $1 ORDER BY p.job LIMIT $2",
            )
            .bind(name)
            .bind(most)
            .fetch_all(connection)
            .await
            .map_err(failure)?;
            rows.into_iter().map(|(job, payload)| of_job(&job, payload)).collect()
        }
        Shelf::Details => {
            let rows: Vec<String> = sqlx::query_scalar(
                "SELECT row_to_json(a)::text FROM audit a
                 WHERE seq > $1 AND detail IS NOT NULL ORDER BY seq LIMIT $2",
            )
            .bind(after.map_or(0, seq_of))
            .bind(most)
            .fetch_all(connection)
            .await
            .map_err(failure)?;
            rows.iter().map(|row| of_act(row)).filter_map(Result::transpose).collect()
        }
        Shelf::Items => {
            let found = super::items::sealed(connection, name, most).await?;
            Ok(found.into_iter().map(of_item).collect())
        }
    }
}

fn of_item((item, sealed): (Item, Sealed)) -> Envelope {
    let Item { id, owner, version, .. } = item;
    Envelope { spot: Spot::Item(id), bound: Bound::Record(owner, version), sealed }
}

async fn of_events(
    connection: &mut PgConnection,
    shelf: Shelf,
    after: &[u8],
    most: i64,
) -> Result<Vec<Envelope>, StoreError> {
    let statement = if shelf == Shelf::Contents {
        "SELECT e.id, e.owner, e.revision, c.content
         FROM event_content c JOIN event e ON e.id = c.id
         WHERE c.id > $1 ORDER BY c.id LIMIT $2"
    } else {
        "SELECT id, owner, version, links FROM event
         WHERE id > $1 AND links IS NOT NULL ORDER BY id LIMIT $2"
    };
    let rows: Vec<(Vec<u8>, String, i64, Vec<u8>)> = sqlx::query_as(statement)
        .bind(after)
        .bind(most)
        .fetch_all(connection)
        .await
        .map_err(failure)?;
    let envelope = |(id, whose, version, sealed): (Vec<u8>, String, i64, Vec<u8>)| {
        let id = Id::from_u128(number(&id)?);
        let spot = if shelf == Shelf::Contents { Spot::Content(id) } else { Spot::Links(id) };
        let (owner, version) = (owner(whose)?, count(version)?);
        Ok(Envelope {
            spot,
            bound: Bound::Record(owner, version),
            sealed: Sealed::from_bytes(sealed),
        })
    };
    rows.into_iter().map(envelope).collect()
}

fn of_connection(shelf: Shelf, row: &str) -> Result<Option<Envelope>, StoreError> {
    let connection = Connection::try_from(read::<ConnectionRow>(row)?)?;
    let Connection { id, owner, version, profile, token, .. } = connection;
    let (spot, sealed) = if shelf == Shelf::Profiles {
        (Spot::Profile(id), Some(profile))
    } else {
        (Spot::Token(id), token)
    };
    Ok(sealed.map(|sealed| Envelope { spot, bound: Bound::Record(owner, version), sealed }))
}

fn of_ticket(row: &str) -> Result<Option<Envelope>, StoreError> {
    let Ticket { kind, digest, payload, .. } = read::<TicketRow>(row)?.try_into()?;
    let (spot, bound) = (Spot::Ticket(kind, digest), Bound::Spot);
    Ok(payload.map(|sealed| Envelope { spot, bound, sealed }))
}

fn of_job(row: &str, payload: Vec<u8>) -> Result<Envelope, StoreError> {
    let job: Job = read::<JobRow>(row)?.try_into()?;
    Ok(Envelope {
        spot: Spot::Payload(job.id),
        bound: Bound::Work(job.line.owner, job.kind),
        sealed: Sealed::from_bytes(payload),
    })
}

fn of_act(row: &str) -> Result<Option<Envelope>, StoreError> {
    let Entry { seq, act, .. } = read::<AuditRow>(row)?.try_into()?;
    let (spot, bound) = (Spot::Detail(seq), Bound::Act(act.tag));
    Ok(act.detail.map(|sealed| Envelope { spot, bound, sealed }))
}
