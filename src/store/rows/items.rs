//! Rows of items.

use serde::{Deserialize, Serialize};

use super::{OwnerRow, Row, TimeRow, bytes_of, sealed, time};
use crate::model::id::{EventId, ItemId};
use crate::model::item::{Item, Noun, Thing};
use crate::store::StoreError;

/// An item; its id is its key.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct ItemRow {
    noun: NounRow,
    owner: OwnerRow,
    shared: Option<OwnerRow>,
    created: TimeRow,
    version: u32,
    state: u8,
    at: Option<TimeRow>,
    event: Option<u128>,
    category: Option<u128>,
    gone: Option<TimeRow>,
    sealed: Option<Vec<u8>>,
}

/// What an item is, and what it belongs to. A noun is never taken away from here, nor is their order
/// changed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum NounRow {
    Category,
    Task,
    Reminder { of: Option<ThingRow> },
    Delivery { of: Option<ThingRow> },
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum ThingRow {
    Item(u128),
    Event(u128),
}

impl From<Thing> for ThingRow {
    fn from(thing: Thing) -> Self {
        match thing {
            Thing::Item(id) => Self::Item(id.as_u128()),
            Thing::Event(id) => Self::Event(id.as_u128()),
        }
    }
}

impl From<ThingRow> for Thing {
    fn from(row: ThingRow) -> Self {
        match row {
            ThingRow::Item(id) => Self::Item(ItemId::from_u128(id)),
            ThingRow::Event(id) => Self::Event(EventId::from_u128(id)),
        }
    }
}

impl Row for ItemRow {
    const NOUN: &'static str = "an item";
}

impl From<&Item> for ItemRow {
    fn from(item: &Item) -> Self {
        let of = item.of.map(ThingRow::from);
        Self {
            noun: match item.noun {
                Noun::Category => NounRow::Category,
                Noun::Task => NounRow::Task,
                Noun::Reminder => NounRow::Reminder { of },
                Noun::Delivery => NounRow::Delivery { of },
            },
            owner: (&item.owner).into(),
            shared: item.shared.as_ref().map(OwnerRow::from),
            created: item.created.into(),
            version: item.version,
            state: item.state,
            at: item.at.map(TimeRow::from),
            event: item.event.map(EventId::as_u128),
            category: item.category.map(ItemId::as_u128),
            gone: item.gone.map(TimeRow::from),
            sealed: bytes_of(item.sealed.as_ref()),
        }
    }
}

impl ItemRow {
    /// The item that lies under `id`.
    pub(in crate::store) fn under(self, id: ItemId) -> Result<Item, StoreError> {
        let (noun, of) = match self.noun {
            NounRow::Category => (Noun::Category, None),
            NounRow::Task => (Noun::Task, None),
            NounRow::Reminder { of } => (Noun::Reminder, of),
            NounRow::Delivery { of } => (Noun::Delivery, of),
        };
        Ok(Item {
            id,
            noun,
            of: of.map(Thing::from),
            owner: self.owner.try_into()?,
            shared: self.shared.map(TryInto::try_into).transpose()?,
            created: self.created.try_into()?,
            version: self.version,
            state: self.state,
            at: time(self.at)?,
            event: self.event.map(EventId::from_u128),
            category: self.category.map(ItemId::from_u128),
            gone: time(self.gone)?,
            sealed: sealed(self.sealed),
        })
    }
}
