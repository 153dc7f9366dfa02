//! Events on disk.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::keys::{self, KeyReader, Table};
use super::ledger::{Ledger, Read};
use super::rows::{ContentRow, EventRow, RequestRow};
use super::{SledStore, jobs};
use crate::model::event::{Event, Wanted};
use crate::model::id::EventId;
use crate::model::job::NewJob;
use crate::store::{
    Accept, Accepted, Change, Changed, EventStore, Learned, Request, StoreError, fits,
};

#[async_trait]
impl EventStore for SledStore {
    async fn accept(&self, accept: Accept, now: DateTime<Utc>) -> Result<Accepted, StoreError> {
        fits([&accept.event.wanted.content])?;
        fits(&accept.event.known.links)?;
        fits(&accept.job.payload)?;
        self.committer.commit(move |ledger| take_in(ledger, accept, now)).await
    }

    async fn event(&self, id: EventId) -> Result<Option<Event>, StoreError> {
        match find(&**self.read()?, id)? {
            Ok(event) => Ok(event),
            // A change came between the two rows: read where nothing can.
            Err(Torn) => self.committer.commit(move |ledger| event(ledger, id)).await,
        }
    }

    async fn change(
        &self,
        id: EventId,
        wanted: Wanted,
        job: NewJob,
    ) -> Result<Changed, StoreError> {
        fits([&wanted.content])?;
        fits(&job.payload)?;
        self.committer.commit(move |ledger| change(ledger, id, wanted, job)).await
    }
}

fn take_in(
    ledger: &mut Ledger,
    accept: Accept,
    now: DateTime<Utc>,
) -> Result<Accepted, StoreError> {
    ledger.must_have_room()?;
    let Accept { event: new, job, request } = accept;
    if let Some(request) = &request {
        if let Some(earlier) = ledger.row::<RequestRow>(&keys::request(&request.key))? {
            let expires = earlier.expires()?;
            if expires > now {
                if earlier.body != request.body {
                    return Ok(Accepted::OtherBody);
                }
                let id = earlier.event();
                return event(ledger, id)?.map(Accepted::Known).ok_or_else(|| {
                    StoreError::Damaged(format!(
                        "a request names the event {id}, which is not there"
                    ))
                });
            }
            ledger.remove(keys::request_over(expires, &request.key));
            ledger.remove(keys::request(&request.key));
        }
        remember(ledger, request, new.id)?;
    }
    if let Some(known) = event(ledger, new.id)? {
        return Ok(Accepted::Known(known));
    }
    ledger.add(keys::event(new.id), &EventRow::from(&new))?;
    ledger.add(keys::content(new.id), &ContentRow::from(&new.wanted))?;
    let line = job.line.clone();
    jobs::enqueue(ledger, job)?;
    ledger.tell(Change::Line(line));
    ledger.tell(Change::Event(new.id));
    Ok(Accepted::New(new))
}

fn remember(ledger: &mut Ledger, request: &Request, event: EventId) -> Result<(), StoreError> {
    ledger.add(keys::request(&request.key), &RequestRow::new(request, event))?;
    ledger.add_bytes(keys::request_over(request.expires, &request.key), Vec::new())
}

fn change(
    ledger: &mut Ledger,
    id: EventId,
    wanted: Wanted,
    job: NewJob,
) -> Result<Changed, StoreError> {
    ledger.must_have_room()?;
    let Some(mut event) = event(ledger, id)? else { return Ok(Changed::Missing) };
    if event.wanted.revision + 1 != wanted.revision {
        return Ok(Changed::Overtaken);
    }
    let (job, line) = jobs::enqueue(ledger, job)?;
    event.wanted = wanted;
    event.job = job;
    ledger.replace(keys::event(id), &EventRow::from(&event))?;
    ledger.replace(keys::content(id), &ContentRow::from(&event.wanted))?;
    ledger.tell(Change::Line(line));
    ledger.tell(Change::Event(id));
    Ok(Changed::Yes(event))
}

/// Keeps what a run learned. Returns whether a newer revision is wanted than the run read.
pub(super) fn learn(
    ledger: &mut Ledger,
    id: EventId,
    learned: &Learned,
) -> Result<bool, StoreError> {
    fits(&learned.known.links)?;
    let row: Option<EventRow> = ledger.row(&keys::event(id))?;
    let mut row = row.ok_or_else(|| {
        StoreError::Damaged(format!("a job names the event {id}, which is not there"))
    })?;
    row.learn(&learned.known);
    ledger.replace(keys::event(id), &row)?;
    ledger.tell(Change::Event(id));
    Ok(row.revision > learned.seen)
}

/// Forgets up to `most` request records whose time is over.
pub(super) fn prune_requests(
    ledger: &mut Ledger,
    now: DateTime<Utc>,
    most: usize,
) -> Result<usize, StoreError> {
    let mut over = Vec::new();
    for found in ledger.scan(&Table::RequestOver.prefix()).take(most) {
        let (index, _) = found?;
        let mut read = KeyReader::new(&index)?;
        if read.time()? > now {
            break;
        }
        over.push((index.to_vec(), read.bytes()?));
    }
    let pruned = over.len();
    for (index, key) in over {
        ledger.remove(index);
        ledger.remove(keys::request(&key));
    }
    Ok(pruned)
}

/// Two rows, read one after the other, were of different revisions.
struct Torn;

fn find(rows: &impl Read, id: EventId) -> Result<Result<Option<Event>, Torn>, StoreError> {
    let Some(row) = rows.row::<EventRow>(&keys::event(id))? else { return Ok(Ok(None)) };
    match rows.row::<ContentRow>(&keys::content(id))? {
        Some(content) if content.revision == row.revision => Ok(Ok(Some(row.under(id, content)?))),
        _ => Ok(Err(Torn)),
    }
}

fn event(ledger: &Ledger, id: EventId) -> Result<Option<Event>, StoreError> {
    let torn = |Torn| StoreError::Damaged(format!("the event {id} and its content do not fit"));
    find(ledger, id)?.map_err(torn)
}
