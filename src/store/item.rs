//! Items, as stores keep them: what is asked, and what is answered.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Backlog, Crowd, Request, StoreError, fits};
use crate::model::event::{Event, Wanted};
use crate::model::id::{EventId, ItemId};
use crate::model::item::{Item, Noun, Thing};
use crate::model::job::{Kind, NewJob};
use crate::model::owner::Owner;

/// Items, each with the events that stand for it.
#[async_trait]
pub trait ItemStore {
    /// The item, deleted or not.
    async fn item(&self, id: ItemId) -> Result<Option<Item>, StoreError>;

    /// Up to `most` items that are asked for, in the order in which they were made and then of their
    /// ids, those after `after`; and after which to go on, none if there are no more. A page may be
    /// short, or empty, before the end. Whatever is made or changed between two pages, none of the
    /// others is left out or shown twice.
    async fn items(
        &self,
        asked: &Asked,
        after: Option<Mark>,
        most: usize,
    ) -> Result<(Vec<Item>, Option<Mark>), StoreError>;

    /// Up to `most` items that belong to a thing and are not deleted, in the same order and under the
    /// same promises.
    async fn attached(
        &self,
        thing: Thing,
        after: Option<Mark>,
        most: usize,
    ) -> Result<(Vec<Item>, Option<Mark>), StoreError>;

    /// What a request is answered that was seen before and brought an item, or was about one.
    async fn known(
        &self,
        request: &Request,
        now: DateTime<Utc>,
    ) -> Result<Option<Kept>, StoreError>;

    /// Takes steps, each wholly or not at all, and all that are taken on disk together.
    async fn keep(
        &self,
        steps: Vec<Step>,
        backlog: Backlog,
        now: DateTime<Utc>,
    ) -> Result<Vec<Kept>, StoreError>;
}

/// Where a list of items goes on: behind the one that was made then and has this id.
pub type Mark = (DateTime<Utc>, ItemId);

/// Which items are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What they are.
    pub noun: Noun,
    /// Whose they are, or who was given them.
    pub owner: Owner,
    /// Where they stand.
    pub state: Option<u8>,
    /// Their category.
    pub category: Option<ItemId>,
    /// Their moment is no earlier …
    pub from: Option<DateTime<Utc>>,
    /// … and earlier than this. Those that have none are in no range.
    pub to: Option<DateTime<Utc>>,
}

/// What becomes true together: items and the events, jobs and request record that belong to them.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// The request that brought it, if it can be repeated, and which item a repetition finds.
    pub request: Option<(Request, ItemId)>,
    /// Items, each at the version after the stored one, or 1 where none is stored.
    pub items: Vec<Item>,
    /// Events to be taken in, none of which is stored, and what will write each.
    pub accepts: Vec<(Event, NewJob)>,
    /// Events to be changed, each to the revision after the stored one, and what will write it.
    pub changes: Vec<(EventId, Wanted, NewJob)>,
    /// Work that is about no event.
    pub jobs: Vec<NewJob>,
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// All of it is stored. These are the events taken in and then those changed, as they are now.
    Yes(Vec<Event>),
    /// The request was seen before, or the item that it was to make is there: it is as shown, and nothing
    /// changed.
    Known(Box<Item>),
    /// The request's key came with another body before; nothing is stored.
    OtherBody,
    /// Something is not as the step expects it: somebody else was faster. Nothing is stored.
    Overtaken,
    /// Its jobs would be too many; nothing is stored.
    NoRoom(Crowd),
}

impl Asked {
    /// All of an owner's items of a noun.
    pub fn all(noun: Noun, owner: Owner) -> Self {
        Self { noun, owner, state: None, category: None, from: None, to: None }
    }

    /// Whether an item that lies under this owner is one of them.
    pub(super) fn has(&self, item: &Item) -> bool {
        let ranged = self.from.is_some() || self.to.is_some();
        let within =
            |at| self.from.is_none_or(|from| from <= at) && self.to.is_none_or(|to| at < to);
        self.state.is_none_or(|state| state == item.state)
            && self.category.is_none_or(|category| Some(category) == item.category)
            && item.at.map_or(!ranged, within)
    }
}

impl Step {
    /// Refuses what is larger than a record may be.
    pub(super) fn fits(&self) -> Result<(), StoreError> {
        for item in &self.items {
            fits(&item.sealed)?;
        }
        for (event, job) in &self.accepts {
            fits([&event.wanted.content])?;
            fits(&event.known.links)?;
            fits(&job.payload)?;
        }
        for (_, wanted, job) in &self.changes {
            fits([&wanted.content])?;
            fits(&job.payload)?;
        }
        for job in &self.jobs {
            fits(&job.payload)?;
        }
        Ok(())
    }

    /// Whether the item of that id is new by it: where one is there already, an earlier request made it.
    pub(super) fn makes(&self, id: ItemId) -> bool {
        self.items.iter().any(|item| item.id == id && item.version == 1)
    }

    /// The jobs of what is new: those that are refused where too many wait. What is changed, and what comes
    /// due, is never held up by that.
    pub(super) fn admitted(&self) -> impl Iterator<Item = &NewJob> {
        let is_new = |job: &&NewJob| match job.kind {
            Kind::FireReminder { reminder } => {
                self.items.iter().any(|item| item.id == reminder && item.version == 1)
            }
            _ => false,
        };
        let of_items = self.jobs.iter().filter(is_new);
        self.accepts.iter().map(|(_, job)| job).chain(of_items)
    }

    /// Who stands in the way of the jobs of what is new, where there are `all` live jobs, and
    /// `live` says how many of an owner's.
    pub(super) fn crowd<E>(
        &self,
        backlog: Backlog,
        mut all: u64,
        mut live: impl FnMut(&Owner) -> Result<u64, E>,
    ) -> Result<Option<Crowd>, E> {
        for (at, job) in self.admitted().enumerate() {
            let owner = &job.line.owner;
            let before = self.admitted().take(at);
            let beside = before.filter(|other| other.line.owner == *owner).count();
            if let Some(crowd) = backlog.refuses(all, live(owner)? + beside as u64) {
                return Ok(Some(crowd));
            }
            all += 1;
        }
        Ok(None)
    }
}

/// The thing that a request record names, where that is an item. The route is part of what a request
/// is known by, so the record of an item's is never taken for that of an event's.
pub(super) fn named(item: ItemId) -> EventId {
    EventId::from_u128(item.as_u128())
}
