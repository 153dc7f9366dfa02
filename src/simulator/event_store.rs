//! The events of one calendar, found by id, by order of creation and by order of change.
//!
//! Each way is an index, so that inserting, reading and syncing take as long in a calendar of a
//! hundred thousand events as in a small one.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde::{Deserialize, Serialize, Serializer};

use super::event::Event;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "Vec<Event>")]
pub(super) struct EventStore {
    events: BTreeMap<String, Event>,
    creation: BTreeMap<u64, String>,
    changes: BTreeMap<i64, String>,
    /// Those of `creation` that a list shows which does not ask for deleted events.
    present: BTreeMap<u64, String>,
}

impl EventStore {
    /// The event, deleted or not.
    pub(super) fn get(&self, id: &str) -> Option<&Event> {
        self.events.get(id)
    }

    /// Puts `event` in place of the one that had its id, which it remembers for stale reads.
    pub(super) fn put(&mut self, mut event: Event) {
        event.before = self.events.remove(&event.id).map(|mut before| {
            self.creation.remove(&before.number);
            self.present.remove(&before.number);
            self.changes.remove(&before.version);
            before.before = None;
            Box::new(before)
        });
        self.add(event);
    }

    /// Adds an event whose id is free. Tells whether its number and version were, too.
    fn add(&mut self, event: Event) -> bool {
        let first = self.creation.insert(event.number, event.id.clone()).is_none()
            & self.changes.insert(event.version, event.id.clone()).is_none();
        // A cancelled instance is told of with its series.
        if !event.cancelled || event.exception.is_some() {
            self.present.insert(event.number, event.id.clone());
        }
        self.events.insert(event.id.clone(), event).is_none() && first
    }

    /// The events as they were at `version`. Of an event that changed more than once since, the last
    /// state but one is shown.
    pub(super) fn as_of(&self, version: i64) -> Self {
        let mut then = self.clone();
        for event in self.changed_after(version) {
            then.events.remove(&event.id);
            then.creation.remove(&event.number);
            then.present.remove(&event.number);
            then.changes.remove(&event.version);
            let was_there = event.created.timestamp_micros() <= version;
            if let Some(before) = event.before.as_deref().filter(|_| was_there) {
                then.put(before.clone());
            }
        }
        then
    }

    /// Every event, deleted ones too, by order of creation.
    pub(super) fn all(&self) -> impl Iterator<Item = &Event> {
        self.created_after(0)
    }

    /// The events whose number is greater, by order of creation.
    pub(super) fn created_after(&self, number: u64) -> impl Iterator<Item = &Event> {
        let range = (Bound::Excluded(number), Bound::Unbounded);
        self.creation.range(range).filter_map(|(_, id)| self.events.get(id))
    }

    /// The same without deleted events, except for cancelled instances.
    pub(super) fn present_after(&self, number: u64) -> impl Iterator<Item = &Event> {
        let range = (Bound::Excluded(number), Bound::Unbounded);
        self.present.range(range).filter_map(|(_, id)| self.events.get(id))
    }

    /// The events that were changed after `version`, by order of their last change.
    pub(super) fn changed_after(&self, version: i64) -> impl Iterator<Item = &Event> {
        let range = (Bound::Excluded(version), Bound::Unbounded);
        self.changes.range(range).filter_map(|(_, id)| self.events.get(id))
    }

    /// The instances of a series that are stored, dropped ones too, by their original start.
    pub(super) fn of_series(&self, master: &str) -> impl Iterator<Item = &Event> {
        let first = format!("{master}_");
        let of_series = first.clone();
        let instances = self.events.range(first..).map(|(_, event)| event);
        instances.take_while(move |event| event.id.starts_with(&of_series)).filter(move |event| {
            event.exception.as_ref().is_some_and(|one| event.id.len() > one.master.len())
        })
    }

    /// The events that are not deleted, by order of creation.
    pub(super) fn live(&self) -> impl Iterator<Item = &Event> {
        self.present_after(0).filter(|event| !event.cancelled)
    }
}

/// Written as the list of its events, by order of creation.
impl Serialize for EventStore {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.all())
    }
}

impl TryFrom<Vec<Event>> for EventStore {
    type Error = String;

    fn try_from(events: Vec<Event>) -> Result<Self, String> {
        let mut store = Self::default();
        for event in events {
            let id = event.id.clone();
            if !store.add(event) {
                return Err(format!("{id:?} has the id, number or version of another"));
            }
        }
        Ok(store)
    }
}
