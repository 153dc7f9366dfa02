//! Items on disk.

use std::ops::Bound;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sled::Tree;

use super::keys::{self, KeyReader, Table};
use super::ledger::{Ledger, Read, failed};
use super::{SledStore, claims, events};
use crate::model::id::{EventId, ItemId};
use crate::model::item::{Item, Noun, Thing};
use crate::store::item::named;
use crate::store::rows::{EventRow, ItemRow, RequestRow};
use crate::store::{
    Accept, Accepted, Asked, Backlog, Change, Changed, ItemStore, Kept, Mark, Request, Retention,
    Step, StoreError,
};

/// A page of items is looked for in so many rows for each that is asked for.
const ROWS_AN_ITEM: usize = 20;
/// Room for what was found to fit.
const ROOM: Backlog = Backlog { all: u64::MAX, owner: u64::MAX };

#[async_trait]
impl ItemStore for SledStore {
    async fn item(&self, id: ItemId) -> Result<Option<Item>, StoreError> {
        find(&self.read()?, id)
    }

    async fn items(
        &self,
        asked: &Asked,
        after: Option<Mark>,
        most: usize,
    ) -> Result<(Vec<Item>, Option<Mark>), StoreError> {
        let asked = asked.clone();
        let prefix = keys::items_of(asked.noun, &asked.owner);
        self.read_aside(move |tree| page(tree, &prefix, after, most, |item| asked.has(item))).await
    }

    async fn attached(
        &self,
        thing: Thing,
        after: Option<Mark>,
        most: usize,
    ) -> Result<(Vec<Item>, Option<Mark>), StoreError> {
        let prefix = keys::attached_to(thing);
        self.read_aside(move |tree| page(tree, &prefix, after, most, |_| true)).await
    }

    async fn known(
        &self,
        request: &Request,
        now: DateTime<Utc>,
    ) -> Result<Option<Kept>, StoreError> {
        known(&self.read()?, request, now)
    }

    async fn keep(
        &self,
        steps: Vec<Step>,
        backlog: Backlog,
        now: DateTime<Utc>,
    ) -> Result<Vec<Kept>, StoreError> {
        steps.iter().try_for_each(Step::fits)?;
        let take = move |ledger: &mut Ledger| {
            ledger.must_have_room()?;
            steps.into_iter().map(|step| take_step(ledger, step, backlog, now)).collect()
        };
        self.committer.commit(take).await
    }
}

/// A page of the list whose keys begin so, of those that are `asked` for.
fn page(
    tree: &Tree,
    prefix: &[u8],
    after: Option<Mark>,
    most: usize,
    asked: impl Fn(&Item) -> bool,
) -> Result<(Vec<Item>, Option<Mark>), StoreError> {
    let from = after.map_or_else(
        || Bound::Included(prefix.to_vec()),
        |(created, id)| Bound::Excluded(keys::placed(prefix.to_vec(), created, id)),
    );
    let (mut page, mut last) = (Vec::new(), after);
    for (read, found) in tree.range((from, Bound::Unbounded)).enumerate() {
        let (key, _) = found.map_err(failed)?;
        if !key.starts_with(prefix) {
            break;
        }
        if page.len() == most || read > most * ROWS_AN_ITEM {
            return Ok((page, last));
        }
        let mut listed = KeyReader::behind(prefix, &key)?;
        let mark = (listed.time()?, listed.id()?);
        last = Some(mark);
        // None, or gone, if it was deleted since its place in the list was read.
        let item = find(tree, mark.1)?.filter(|item| item.gone.is_none());
        page.extend(item.filter(&asked));
    }
    Ok((page, None))
}

fn take_step(
    ledger: &mut Ledger,
    step: Step,
    backlog: Backlog,
    now: DateTime<Utc>,
) -> Result<Kept, StoreError> {
    if let Some(answer) = refuse(ledger, &step, backlog, now)? {
        return Ok(answer);
    }
    if let Some((request, item)) = &step.request {
        events::remember(ledger, request, named(*item))?;
    }
    for item in &step.items {
        write(ledger, item)?;
    }
    let mut done = Vec::new();
    for (event, job) in step.accepts {
        let accept = Accept { event, job, request: None };
        if let Accepted::New(event) = events::take_in(ledger, accept, ROOM, now)? {
            done.push(event);
        }
    }
    for (id, wanted, job) in step.changes {
        if let Changed::Yes(event) = events::change(ledger, id, wanted, job)? {
            done.push(event);
        }
    }
    for job in step.jobs {
        let line = claims::enqueue(ledger, job)?;
        ledger.tell(Change::Line(line));
    }
    Ok(Kept::Yes(done))
}

/// Why nothing of the step is to be stored, if nothing is.
fn refuse(
    ledger: &mut Ledger,
    step: &Step,
    backlog: Backlog,
    now: DateTime<Utc>,
) -> Result<Option<Kept>, StoreError> {
    if let Some((request, id)) = &step.request {
        if let Some(answer) = known(ledger, request, now)? {
            return Ok(Some(answer));
        }
        if step.makes(*id)
            && let Some(item) = find(ledger, *id)?
        {
            events::remember(ledger, request, named(*id))?;
            return Ok(Some(Kept::Known(Box::new(item))));
        }
    }
    for item in &step.items {
        if find(ledger, item.id)?.map_or(0, |stored| stored.version) + 1 != item.version {
            return Ok(Some(Kept::Overtaken));
        }
    }
    let revision = |id: EventId| -> Result<_, StoreError> {
        Ok(ledger.row::<EventRow>(&keys::event(id))?.map(|row| row.first.revision))
    };
    for (event, _) in &step.accepts {
        if revision(event.id)?.is_some() {
            return Ok(Some(Kept::Overtaken));
        }
    }
    for (id, wanted, _) in &step.changes {
        if revision(*id)?.is_none_or(|stored| stored + 1 != wanted.revision) {
            return Ok(Some(Kept::Overtaken));
        }
    }
    let owned = |owner: &_| ledger.number(&keys::owner_jobs(owner));
    let crowd = step.crowd(backlog, ledger.rows(Table::Ready), owned)?;
    Ok(crowd.map(Kept::NoRoom))
}

/// What a request is answered that was seen before. One whose item was forgotten meanwhile is new.
fn known(
    rows: &impl Read,
    request: &Request,
    now: DateTime<Utc>,
) -> Result<Option<Kept>, StoreError> {
    let earlier = rows.row::<RequestRow>(&keys::request(&request.key))?;
    let Some(earlier) = earlier else { return Ok(None) };
    if earlier.expires()? <= now {
        return Ok(None);
    }
    let item = find(rows, ItemId::from_u128(earlier.event().as_u128()))?;
    let same = earlier.body == request.body;
    Ok(item.map(|item| if same { Kept::Known(Box::new(item)) } else { Kept::OtherBody }))
}

/// Keeps the row, and its places in the lists, in place of those it had.
pub(super) fn write(ledger: &mut Ledger, item: &Item) -> Result<(), StoreError> {
    let before = find(ledger, item.id)?.as_ref().map(listings).unwrap_or_default();
    let now = listings(item);
    for list in before.iter().filter(|list| !now.contains(list)) {
        ledger.remove(list.clone());
    }
    for list in now.iter().filter(|list| !before.contains(list)) {
        ledger.insert_bytes(list.clone(), Vec::new())?;
    }
    ledger.put(keys::item(item.id), &ItemRow::from(item))
}

/// Where an item is listed: under those who find it and what it belongs to, and among those to be
/// forgotten.
pub(super) fn listings(item: &Item) -> Vec<Vec<u8>> {
    let mut lists: Vec<_> =
        item.over().map(|over| keys::gone_item(over, item.id)).into_iter().collect();
    if item.gone.is_some() {
        return lists;
    }
    lists.extend(item.of.map(|thing| keys::attached_item(thing, item.created, item.id)));
    if item.noun != Noun::Delivery {
        let under = |owner| keys::owner_item(item.noun, owner, item.created, item.id);
        let shared = item.shared.as_ref().filter(|shared| **shared != item.owner);
        lists.extend([Some(&item.owner), shared].into_iter().flatten().map(under));
    }
    lists
}

pub(super) fn find(rows: &impl Read, id: ItemId) -> Result<Option<Item>, StoreError> {
    rows.row::<ItemRow>(&keys::item(id))?.map(|row| row.under(id)).transpose()
}

/// Forgets up to `most` items that were deleted, or over, long ago.
pub(super) fn prune(
    ledger: &mut Ledger,
    now: DateTime<Utc>,
    keep: Retention,
    most: usize,
) -> Result<usize, StoreError> {
    let mut over = Vec::new();
    for found in ledger.scan(&Table::GoneItem.prefix()).take(most) {
        let (listed, _) = found?;
        let mut read = KeyReader::new(&listed)?;
        if read.time()? + keep.tombstones > now {
            break;
        }
        over.push(read.id()?);
    }
    let pruned = over.len();
    for id in over {
        for listed in find(ledger, id)?.as_ref().map(listings).unwrap_or_default() {
            ledger.remove(listed);
        }
        ledger.remove(keys::item(id));
    }
    Ok(pruned)
}
