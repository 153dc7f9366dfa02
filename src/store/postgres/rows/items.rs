//! Rows of items.

use serde::{Deserialize, Serialize};

use super::{Hex, count, damaged, nanos, owner, owner_text, time};
use crate::model::id::{EventId, ItemId};
use crate::model::item::{Item, Noun, Thing};
use crate::model::sealed::Sealed;
use crate::store::StoreError;

/// An item.
#[derive(Debug, Serialize, Deserialize)]
pub(in super::super) struct ItemRow {
    id: Hex,
    noun: String,
    owner: String,
    shared: Option<String>,
    created: i64,
    version: i64,
    state: i16,
    at: Option<i64>,
    event: Option<Hex>,
    category: Option<Hex>,
    gone: Option<i64>,
    sealed: Option<Hex>,
    belongs_to: Option<Hex>,
    over: Option<i64>,
}

/// A thing as it is stored: what it is, and its id.
pub(in super::super) fn thing_bytes(thing: Thing) -> Vec<u8> {
    let (noun, id) = match thing {
        Thing::Item(id) => (0, id.as_u128()),
        Thing::Event(id) => (1, id.as_u128()),
    };
    [&[noun], &id.to_be_bytes()[..]].concat()
}

fn thing_of(bytes: &Hex) -> Result<Thing, StoreError> {
    let unread = || damaged("an item belongs to nothing that there is");
    let (noun, id) = bytes.0.split_first().ok_or_else(unread)?;
    let id = u128::from_be_bytes(id.try_into().map_err(|_| unread())?);
    match noun {
        0 => Ok(Thing::Item(ItemId::from_u128(id))),
        1 => Ok(Thing::Event(EventId::from_u128(id))),
        _ => Err(unread()),
    }
}

impl From<&Item> for ItemRow {
    fn from(item: &Item) -> Self {
        Self {
            id: item.id.into(),
            noun: item.noun.as_str().to_owned(),
            owner: owner_text(&item.owner),
            shared: item.shared.as_ref().map(owner_text),
            created: nanos(item.created),
            version: item.version.into(),
            state: item.state.into(),
            at: item.at.map(nanos),
            event: item.event.map(Hex::from),
            category: item.category.map(Hex::from),
            gone: item.gone.map(nanos),
            sealed: item.sealed.as_ref().map(Hex::from),
            belongs_to: item.of.map(|thing| Hex(thing_bytes(thing))),
            over: item.over().map(nanos),
        }
    }
}

impl TryFrom<ItemRow> for Item {
    type Error = StoreError;

    fn try_from(row: ItemRow) -> Result<Self, StoreError> {
        let noun = Noun::ALL.into_iter().find(|noun| noun.as_str() == row.noun);
        Ok(Self {
            id: row.id.id()?,
            noun: noun.ok_or_else(|| damaged("a row is an item of no noun"))?,
            owner: owner(row.owner)?,
            shared: row.shared.map(owner).transpose()?,
            created: time(row.created),
            version: count(row.version)?,
            state: row.state.try_into().map_err(|_| damaged("an item stands nowhere"))?,
            at: row.at.map(time),
            event: row.event.map(|event| event.id()).transpose()?,
            category: row.category.map(|category| category.id()).transpose()?,
            gone: row.gone.map(time),
            sealed: row.sealed.map(Sealed::from),
            of: row.belongs_to.as_ref().map(thing_of).transpose()?,
        })
    }
}
