//! Events, as stores keep them: what is asked, and what is answered.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::StoreError;
use crate::model::event::{Event, Wanted};
use crate::model::id::EventId;
use crate::model::job::NewJob;
use crate::model::key::Digest;

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
    /// It was there already, as shown.
    Known(Event),
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
