//! Events on disk.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sled::Tree;

use super::keys::{self, KeyReader, Table};
use super::ledger::{Ledger, Read, failed};
use super::lists::{self, Found};
use super::{SledStore, lines};
use crate::model::event::{Event, Wanted};
use crate::model::id::EventId;
use crate::model::job::NewJob;
use crate::model::key::Digest;
use crate::store::rows::{ContentRow, EventRow, RequestRow, Row};
use crate::store::{
    Accept, Accepted, Backlog, Change, Changed, EventFilter, EventStore, History, Learned, Place,
    Ran, Request, Retention, StoreError, fits,
};

/// How many request records are read in one look for those whose time is over. No index tells their ends:
/// it would cost a row for each accept, and nobody minds a record that is over.
const LOOK: usize = 10_000;

#[async_trait]
impl EventStore for SledStore {
    async fn accept(
        &self,
        accepts: Vec<Accept>,
        backlog: Backlog,
        now: DateTime<Utc>,
    ) -> Result<Vec<Accepted>, StoreError> {
        for Accept { event, job, .. } in &accepts {
            fits([&event.wanted.content])?;
            fits(&event.known.links)?;
            fits(&job.payload)?;
        }
        let step = move |ledger: &mut Ledger| {
            ledger.must_have_room()?;
            accepts.into_iter().map(|accept| take_in(ledger, accept, backlog, now)).collect()
        };
        self.committer.commit(step).await
    }

    async fn event(&self, id: EventId) -> Result<Option<Event>, StoreError> {
        let found = find(&self.read()?, id)?;
        match found {
            Ok(event) => Ok(event),
            // A change came between the two rows: read where nothing can.
            Err(Torn) => self.committer.commit(move |ledger| event(ledger, id)).await,
        }
    }

    async fn events(
        &self,
        filter: &EventFilter,
        after: Option<Place>,
        most: usize,
    ) -> Result<(Vec<Event>, Option<Place>), StoreError> {
        let filter = filter.clone();
        let wanted = filter.clone();
        let (found, next) =
            self.read_aside(move |tree| lists::page(tree, &wanted, after, most)).await?;
        let mut page = Vec::new();
        for found in found {
            match found {
                Found::Whole(event) => page.push(*event),
                Found::Torn(id) => {
                    let event = self.event(id).await?;
                    page.extend(event.filter(|event| filter.lets(event)));
                }
            }
        }
        Ok((page, next))
    }

    async fn history(&self, id: EventId) -> Result<Option<History>, StoreError> {
        let row = self.read()?.row::<EventRow>(&keys::event(id))?;
        row.map(|row| row.history.try_into()).transpose()
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

pub(super) fn take_in(
    ledger: &mut Ledger,
    accept: Accept,
    backlog: Backlog,
    now: DateTime<Utc>,
) -> Result<Accepted, StoreError> {
    let Accept { event: new, job, request } = accept;
    let earlier = match &request {
        Some(request) => ledger.row::<RequestRow>(&keys::request(&request.key))?,
        None => None,
    };
    if let (Some(request), Some(earlier)) = (&request, &earlier)
        && earlier.expires()? > now
        // A request whose event was forgotten meanwhile is a new one.
        && let Some(event) = event(ledger, earlier.event())?
    {
        let same = earlier.body == request.body;
        return Ok(if same { Accepted::Repeated(event) } else { Accepted::OtherBody });
    }
    let known = event(ledger, new.id)?;
    if known.is_none() {
        let owned = ledger.number(&keys::owner_jobs(&job.line.owner))?;
        if let Some(crowd) = backlog.refuses(ledger.rows(Table::Ready), owned) {
            return Ok(Accepted::NoRoom(crowd));
        }
    }
    if let Some(request) = request {
        let (key, row) = (keys::request(&request.key), RequestRow::new(&request, new.id));
        match earlier {
            Some(_) => ledger.replace(key, &row)?,
            None => ledger.insert(key, &row)?,
        }
    }
    if let Some(known) = known {
        return Ok(Accepted::Known(known));
    }
    let line = job.line.clone();
    let row = EventRow::of(&new, &History::begin(&new));
    let mut open = Open { id: new.id, row, listed: None, span: Vec::new() };
    lines::enqueue(ledger, job, Some(&mut open))?;
    insert(ledger, &new, &open.row)?;
    ledger.tell(Change::Line(line));
    ledger.tell(Change::Event(new.id));
    Ok(Accepted::New(new))
}

/// Keeps the rows of an event that has none, and its place in the list of its owner.
pub(super) fn insert(ledger: &mut Ledger, event: &Event, row: &EventRow) -> Result<(), StoreError> {
    let Event { id, created, owner, wanted, .. } = event;
    ledger.insert(keys::event(*id), row)?;
    ledger.insert(keys::owner_event(owner, *created, *id), &row.span())?;
    ledger.insert(keys::content(*created, *id), &ContentRow::from(wanted))
}

/// Keeps a request record, in place of one whose time is over.
pub(super) fn remember(
    ledger: &mut Ledger,
    request: &Request,
    thing: EventId,
) -> Result<(), StoreError> {
    ledger.put(keys::request(&request.key), &RequestRow::new(request, thing))
}

pub(super) fn change(
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
    let mut open = Open::take(ledger, id)?;
    let enqueued = lines::enqueue(ledger, job, Some(&mut open))?;
    let before = event.wanted.presence;
    event.wanted = wanted;
    event.job = enqueued.id;
    let EventRow { first, history, .. } = open.row;
    let mut history = History::try_from(history)?;
    history.change(before, &event);
    open.row = EventRow::of(&event, &history);
    open.row.first.live = first.live;
    open.keep(ledger)?;
    ledger.replace(keys::content(event.created, id), &ContentRow::from(&event.wanted))?;
    ledger.tell(Change::Line(enqueued.line));
    ledger.tell(Change::Event(id));
    Ok(Changed::Yes(event))
}

/// An event's row, taken to be changed and kept again: one that has no live job is listed among those
/// to be forgotten in time, so that no look for them meets one that must stay.
pub(super) struct Open {
    pub id: EventId,
    pub row: EventRow,
    /// Where it is listed on disk.
    listed: Option<Vec<u8>>,
    /// What the list of its owner tells of it on disk.
    span: Vec<u8>,
}

impl Open {
    /// The row of an event, if there is one.
    pub(super) fn find(ledger: &Ledger, id: EventId) -> Result<Option<Self>, StoreError> {
        let Some(row) = ledger.row::<EventRow>(&keys::event(id))? else { return Ok(None) };
        let (listed, span) = (listing(id, &row)?, row.span().encode());
        Ok(Some(Self { id, row, listed, span }))
    }

    /// The row of an event that another row names.
    pub(super) fn take(ledger: &Ledger, id: EventId) -> Result<Self, StoreError> {
        Self::find(ledger, id)?.ok_or_else(|| {
            StoreError::Damaged(format!("the event {id} is named, and is not there"))
        })
    }

    /// Whether a newer revision is wanted than a run read.
    pub(super) fn wants_more_than(&self, learned: &Learned) -> bool {
        self.row.first.revision > learned.seen
    }

    /// Writes the row, and lists it where it belongs now.
    pub(super) fn keep(self, ledger: &mut Ledger) -> Result<(), StoreError> {
        let Self { id, row, listed, span } = self;
        let list = listing(id, &row)?;
        if list != listed {
            if let Some(listed) = listed {
                ledger.remove(listed);
            }
            if let Some(list) = list {
                ledger.insert_bytes(list, Vec::new())?;
            }
        }
        if row.span().encode() != span {
            ledger.replace(keys::owner_event(&row.owner()?, row.created()?, id), &row.span())?;
        }
        ledger.replace(keys::event(id), &row)
    }

    /// Writes down how a run ended that was about the event, by now as it was before. Says whether there
    /// was anything to tell.
    pub(super) fn note(&mut self, ran: &Ran, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let mut history = History::try_from(self.row.history.clone())?;
        let before = history.clone();
        history.run(&self.row.bare(self.id)?, ran, now);
        self.row.history = (&history).into();
        Ok(history != before)
    }
}

/// Where an event is listed that has no live job.
pub(super) fn listing(id: EventId, row: &EventRow) -> Result<Option<Vec<u8>>, StoreError> {
    if !row.first.live.is_empty() {
        return Ok(None);
    }
    let (cancelled, since) = row.idle_since()?;
    let table = if cancelled { Table::Tombstone } else { Table::Past };
    Ok(Some(keys::idle(table, since, id)))
}

/// Forgets up to `most` events that are long past or were cancelled long ago.
pub(super) fn prune(
    ledger: &mut Ledger,
    now: DateTime<Utc>,
    keep: Retention,
    most: usize,
) -> Result<usize, StoreError> {
    let mut over = Vec::new();
    for (table, keep) in [(Table::Past, keep.past), (Table::Tombstone, keep.tombstones)] {
        for found in ledger.scan(&table.prefix()).take(most - over.len()) {
            let (listed, _) = found?;
            let mut read = KeyReader::new(&listed)?;
            if read.time()? + keep > now {
                break;
            }
            over.push((listed.to_vec(), read.id()?));
        }
    }
    let pruned = over.len();
    for (listed, id) in over {
        let row = Open::take(ledger, id)?.row;
        ledger.remove(listed);
        ledger.remove(keys::event(id));
        let created = row.created()?;
        ledger.remove(keys::owner_event(&row.owner()?, created, id));
        ledger.remove(keys::content(created, id));
    }
    Ok(pruned)
}

/// Up to `most` request records whose time is over, those first that were over first, and where the next look
/// for them begins. It goes round: this one begins at `from`, where the one before ended, and comes back to
/// it at most.
pub(super) fn over_requests(
    tree: &Tree,
    from: Digest,
    now: DateTime<Utc>,
    most: usize,
) -> Result<(Vec<Digest>, Digest), StoreError> {
    let begin = keys::request(&from);
    let end = keys::request(&[u8::MAX; 32]);
    let behind = tree.range(begin.clone()..=end);
    let before = tree.range(Table::Request.prefix()..begin);
    let (mut over, mut last) = (Vec::new(), from);
    for found in behind.chain(before).take(LOOK) {
        let (key, row) = found.map_err(failed)?;
        last = KeyReader::new(&key)?.bytes()?;
        let expires = RequestRow::decode(&row)?.expires()?;
        if expires <= now {
            over.push((expires, last));
        }
    }
    // The next look meets those that are left.
    let next = if over.len() > most { from } else { last };
    over.sort_unstable();
    Ok((over.into_iter().take(most).map(|(_, digest)| digest).collect(), next))
}

/// Forgets those of these request records whose time is still over. Returns how many.
pub(super) fn forget_requests(
    ledger: &mut Ledger,
    over: Vec<Digest>,
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    let mut forgotten = 0;
    for digest in over {
        let key = keys::request(&digest);
        if let Some(row) = ledger.row::<RequestRow>(&key)?
            && row.expires()? <= now
        {
            ledger.remove(key);
            forgotten += 1;
        }
    }
    Ok(forgotten)
}

/// Two rows, read one after the other, were of different revisions.
pub(super) struct Torn;

pub(super) fn find(
    rows: &impl Read,
    id: EventId,
) -> Result<Result<Option<Event>, Torn>, StoreError> {
    let Some(row) = rows.row::<EventRow>(&keys::event(id))? else { return Ok(Ok(None)) };
    match rows.row::<ContentRow>(&keys::content(row.created()?, id))? {
        Some(content) if content.revision == row.first.revision => {
            Ok(Ok(Some(row.under(id, content)?)))
        }
        _ => Ok(Err(Torn)),
    }
}

pub(super) fn event(ledger: &Ledger, id: EventId) -> Result<Option<Event>, StoreError> {
    let torn = |Torn| StoreError::Damaged(format!("the event {id} and its content do not fit"));
    find(ledger, id)?.map_err(torn)
}
