//! Rows of items.

use serde::{Deserialize, Serialize};

use super::{Hex, count, damaged, nanos, owner, owner_text, time};
use crate::model::item::{Item, Noun};
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
        })
    }
}
