//! Events, as stores keep them: what is asked, and what is answered.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{History, StoreError};
use crate::model::event::{Event, Source, Wanted};
use crate::model::id::{EventId, ItemId};
use crate::model::invalid::Invalid;
use crate::model::job::NewJob;
use crate::model::key::Digest;
use crate::model::owner::Owner;

/// Events, each with the job that writes it.
#[async_trait]
pub trait EventStore {
    /// Keeps each event, its job and the record of its request, all of them in one step and in their
    /// order. If an item's request was seen before, or there is an event of that id, nothing changes
    /// but that the request is remembered. An item that would be one job too many leaves nothing; one
    /// that is too large refuses all.
    async fn accept(
        &self,
        accepts: Vec<Accept>,
        backlog: Backlog,
        now: DateTime<Utc>,
    ) -> Result<Vec<Accepted>, StoreError>;

    /// The event.
    async fn event(&self, id: EventId) -> Result<Option<Event>, StoreError>;

    /// Up to `most` events that the filter lets through, in the order in which they were taken in, those
    /// after `after`; and after which to go on, none if there are no more. A page may be short, or empty,
    /// before the end. An event's place never changes: one that is there all the while is found once by
    /// who goes from page to page, whatever comes and goes meanwhile.
    async fn events(
        &self,
        filter: &EventFilter,
        after: Option<Place>,
        most: usize,
    ) -> Result<(Vec<Event>, Option<Place>), StoreError>;

    /// What happened to the event.
    async fn history(&self, id: EventId) -> Result<Option<History>, StoreError>;

    /// Replaces what is wanted of an event, if its revision is still the one before, and sees to it
    /// that a job will write it: the live one of its kind, made due, or `job`.
    async fn change(&self, id: EventId, wanted: Wanted, job: NewJob)
    -> Result<Changed, StoreError>;
}

/// An event to be taken in.
#[derive(Clone, Debug)]
pub struct Accept {
    /// The event.
    pub event: Event,
    /// What will write it.
    pub job: NewJob,
    /// The request that brought it, if it can be repeated.
    pub request: Option<Request>,
}

/// Which events are to be found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Whose; everybody's if nobody is named.
    pub owner: Option<Owner>,
    /// Those that are not over by then.
    pub from: Option<DateTime<Utc>>,
    /// Those that begin before.
    pub to: Option<DateTime<Utc>>,
    /// Those that were made for this.
    pub source: Option<SourceKind>,
    /// Those that are filed under this.
    pub category: Option<ItemId>,
}

/// What an event was made for, whichever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// A caller asked for it.
    Api,
    /// It shows a task.
    Task,
    /// It carries a reminder.
    Reminder,
}

/// An event's place in every list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When it was taken in.
    pub created: DateTime<Utc>,
    /// Which it is, of those of that moment.
    pub id: EventId,
}

impl EventFilter {
    /// Whether it lets the event through.
    pub fn lets(&self, event: &Event) -> bool {
        self.owner.as_ref().is_none_or(|owner| event.owner == *owner)
            && self.lets_span(event.wanted.starts, event.wanted.over)
            && self.source.is_none_or(|source| source == event.source.into())
            && self.category.is_none_or(|category| event.wanted.category == Some(category))
    }

    /// Whether it lets an event through that begins and is over then, as far as that decides.
    pub(super) fn lets_span(&self, starts: DateTime<Utc>, over: DateTime<Utc>) -> bool {
        self.to.is_none_or(|to| starts < to)
            && self.from.is_none_or(|from| over > from || starts >= from)
    }
}

impl SourceKind {
    /// Every one there is.
    pub const ALL: [Self; 3] = [Self::Api, Self::Task, Self::Reminder];

    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Task => "task",
            Self::Reminder => "reminder",
        }
    }
}

impl From<Source> for SourceKind {
    fn from(source: Source) -> Self {
        match source {
            Source::Api => Self::Api,
            Source::Task(_) => Self::Task,
            Source::Reminder(_) => Self::Reminder,
        }
    }
}

impl std::str::FromStr for SourceKind {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        let named = Self::ALL.into_iter().find(|kind| kind.as_str() == name);
        named.ok_or_else(|| Invalid::new("source", "`api`, `task` or `reminder`"))
    }
}

/// A request that its sender may repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Keyed hash of owner, route and `Idempotency-Key`.
    pub key: Digest,
    /// Keyed hash of the body.
    pub body: Digest,
    /// Until when a repetition is known as one.
    pub expires: DateTime<Utc>,
}

/// What became of an event to be taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is stored.
    New(Event),
    /// There is one of that id already, as shown.
    Known(Event),
    /// Its request was seen before, and brought what is shown.
    Repeated(Event),
    /// The same key came with another body before; nothing is stored.
    OtherBody,
    /// Its job would be one too many; nothing of it is stored.
    NoRoom(Crowd),
}

/// The most live jobs there may be. What is known already needs no job and always fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Of everybody together.
    pub all: u64,
    /// Of one owner.
    pub owner: u64,
}

impl Backlog {
    /// Who stands in the way of one job more, where there are `all` live jobs, `owner` of them of
    /// its owner.
    pub(super) fn refuses(self, all: u64, owner: u64) -> Option<Crowd> {
        if all >= self.all {
            return Some(Crowd::All);
        }
        (owner >= self.owner).then_some(Crowd::Owner)
    }
}

/// Who has as many live jobs as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crowd {
    /// Everybody together.
    All,
    /// The owner of the job that was refused.
    Owner,
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "made once and taken apart at once")]
pub enum Changed {
    /// It is stored.
    Yes(Event),
    /// Somebody else changed the event first; nothing is stored.
    Overtaken,
    /// There is no such event.
    Missing,
}
