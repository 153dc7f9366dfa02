//! What is kept beside events: things of their own that may have an event, and are listed and changed
//! without one.

use chrono::{DateTime, Utc};

use super::id::{EventId, ItemId};
use super::owner::Owner;
use super::sealed::Sealed;

/// One thing beside events. What it says is sealed; what it is looked for by is plain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its name, as callers know it.
    pub id: ItemId,
    /// What it is.
    pub noun: Noun,
    /// Whose it is.
    pub owner: Owner,
    /// Who finds it among their own besides: whoever it was given to.
    pub shared: Option<Owner>,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// 1 at the start, one more with each change.
    pub version: u32,
    /// Where it stands, in numbers that its noun gives a meaning.
    pub state: u8,
    /// Its moment, if it has one.
    pub at: Option<DateTime<Utc>>,
    /// The event that stands for it in a calendar, if there is one.
    pub event: Option<EventId>,
    /// The category it is in.
    pub category: Option<ItemId>,
    /// Since when it is deleted: a tombstone, which no list shows, and which is forgotten in time.
    pub gone: Option<DateTime<Utc>>,
    /// What it says; nothing if all of it is plain.
    pub sealed: Option<Sealed>,
}

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Noun {
    /// What several events and tasks have in common.
    Category,
    /// Something to be done.
    Task,
}

impl Noun {
    /// Every noun there is.
    pub const ALL: [Self; 2] = [Self::Category, Self::Task];

    /// What it is called.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Category => "category",
            Self::Task => "task",
        }
    }
}
