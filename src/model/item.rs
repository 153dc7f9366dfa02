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
    /// What it belongs to, and is found by: what a reminder reminds of, the reminder of a delivery.
    pub of: Option<Thing>,
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
    /// A moment at which somebody is told.
    Reminder,
    /// One occurrence of a reminder that came due, and what became of telling it: found by its reminder
    /// alone, and over as soon as its state is no longer 0.
    Delivery,
}

/// What an item may belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Thing {
    /// Another item.
    Item(ItemId),
    /// An event.
    Event(EventId),
}

impl Item {
    /// Since when it may be forgotten in time: when it was deleted, or, of a delivery that is over, its
    /// moment.
    pub fn over(&self) -> Option<DateTime<Utc>> {
        let told = self.noun == Noun::Delivery && self.state != 0;
        self.gone.or_else(|| self.at.filter(|_| told))
    }

    /// When it comes due next, if it is a reminder that does.
    pub fn rings(&self) -> Option<DateTime<Utc>> {
        self.at.filter(|_| self.noun == Noun::Reminder && self.gone.is_none())
    }
}

impl Noun {
    /// Every noun there is.
    pub const ALL: [Self; 4] = [Self::Category, Self::Task, Self::Reminder, Self::Delivery];

    /// What it is called.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Category => "category",
            Self::Task => "task",
            Self::Reminder => "reminder",
            Self::Delivery => "delivery",
        }
    }
}
