//! Where an owner's events are listed on disk, and pages of events.
//!
//! One small row for each event, in the order in which they were taken in, which never changes. It tells
//! the event's times, so that no other row is read of what lies outside a range.

use sled::Tree;

use super::events::{Torn, find};
use super::keys::{self, KeyReader, Table};
use super::ledger::failed;
use crate::model::event::Event;
use crate::model::id::EventId;
use crate::store::rows::{EventRow, Row, SpanRow};
use crate::store::{EventFilter, Place, StoreError};

/// A page of events is looked for in so many rows for each that is asked for.
const ROWS_AN_EVENT: usize = 20;

/// An event that was found.
pub(super) enum Found {
    Whole(Box<Event>),
    /// A change came between its two rows.
    Torn(EventId),
}

/// What was found, and after which to go on.
pub(super) type Page = (Vec<Found>, Option<Place>);

/// A page of one owner's events, or of everybody's: those lie side by side with what they say.
pub(super) fn page(
    tree: &Tree,
    filter: &EventFilter,
    after: Option<Place>,
    most: usize,
) -> Result<Page, StoreError> {
    let prefix = filter.owner.as_ref().map_or_else(|| Table::Content.prefix(), keys::events_of);
    let from = after.map_or_else(
        || prefix.clone(),
        |Place { created, id }| keys::placed(prefix.clone(), created, id),
    );
    let mut last = after;
    let mut page = Vec::new();
    for (read, found) in tree.range(from..).enumerate() {
        let (key, row) = found.map_err(failed)?;
        if !key.starts_with(&prefix) {
            break;
        }
        let mut reader = KeyReader::behind(&prefix, &key)?;
        let place = Place { created: reader.time()?, id: reader.id()? };
        if Some(place) == after {
            continue;
        }
        if page.len() == most || read > most * ROWS_AN_EVENT {
            return Ok((page, last));
        }
        last = Some(place);
        if filter.owner.is_some() && !SpanRow::decode(&row)?.lies_in(filter)? {
            continue;
        }
        match find(tree, place.id)? {
            Ok(Some(event)) if filter.lets(&event) => page.push(Found::Whole(Box::new(event))),
            Ok(_) => {}
            Err(Torn) => page.push(Found::Torn(place.id)),
        }
    }
    Ok((page, None))
}

/// Every event's row in the list of its owner: what a store that was written before there were lists
/// has to be given.
pub(super) fn listed(
    tree: &Tree,
) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> + '_ {
    tree.scan_prefix(Table::Event.prefix()).map(|found| {
        let (key, row) = found.map_err(failed)?;
        let id = KeyReader::new(&key)?.id()?;
        let row = EventRow::decode(&row)?;
        Ok((keys::owner_event(&row.owner()?, row.created()?, id), row.span().encode()))
    })
}
