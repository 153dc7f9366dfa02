//! What a list of events shows: events as they are kept, or instances instead of series.

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use super::calendar::Calendar;
use super::event::Event;
use super::event_list::{Filter, Order};
use super::listing::{Key, Listing};

/// One item of a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'a> {
    pub(super) key: Key,
    what: What<'a>,
}

#[derive(Clone, Copy, Debug)]
enum What<'a> {
    /// An event as it is kept.
    Kept(&'a Event),
    /// The instance of a series that begins then.
    Instance(&'a Event, DateTime<Utc>),
    /// An instance that the series had before it changed.
    Gone(&'a Event, DateTime<Utc>),
    /// The event as it was before it became a series.
    Single(&'a Event),
}

impl<'a> Found<'a> {
    pub(super) fn event(&self, calendar: &Calendar) -> Cow<'a, Event> {
        match self.what {
            What::Kept(event) => Cow::Borrowed(event),
            What::Instance(master, moment) => Cow::Owned(calendar.instance(master, moment)),
            What::Gone(master, moment) => {
                Cow::Owned(Event { cancelled: true, ..calendar.instance(master, moment) })
            }
            What::Single(event) => Cow::Owned(Event { cancelled: true, ..event.clone() }),
        }
    }
}

/// The items of the page, in order, and one more if there is one.
pub(super) fn found<'a>(
    calendar: &'a Calendar,
    listing: &Listing,
    filter: &Filter,
    order: Order,
) -> Vec<Found<'a>> {
    let (first, _) = listing.after.unwrap_or_default();
    let items = |event: &'a Event| items(calendar, event, filter, order);
    let behind = |item: &Found<'_>| listing.after.is_none_or(|after| item.key > after);
    let one_more = listing.size + 1;
    match order {
        Order::Created => {
            // A page may end between two instances of a series, which have its number.
            let number = first.unsigned_abs().saturating_sub(1);
            if filter.tells_deleted() {
                let events = calendar.events.created_after(number);
                events.flat_map(items).filter(behind).take(one_more).collect()
            } else {
                let events = calendar.events.present_after(number);
                events.flat_map(items).filter(behind).take(one_more).collect()
            }
        }
        Order::Changed => {
            let version = filter.since.unwrap_or(0).max(first - 1);
            let events = calendar.events.changed_after(version);
            events.flat_map(items).filter(behind).take(one_more).collect()
        }
        Order::Starts => {
            let mut found: Vec<Found<'_>> = if filter.tells_deleted() {
                calendar.events.all().flat_map(items).filter(behind).collect()
            } else {
                calendar.events.present_after(0).flat_map(items).filter(behind).collect()
            };
            found.sort_by_key(|item| item.key);
            found.truncate(one_more);
            found
        }
    }
}

/// What the list has of one event.
fn items<'a>(
    calendar: &'a Calendar,
    event: &'a Event,
    filter: &Filter,
    order: Order,
) -> Vec<Found<'a>> {
    let kept = || Found { key: order.key(event, event.starts, None), what: What::Kept(event) };
    let series = event.series.as_deref().filter(|_| filter.single);
    // A dropped exception tells of its end itself.
    let told = |moment| {
        let kept = calendar.events.get(&event.instance_id(moment));
        kept.is_some_and(|kept| kept.version > filter.since.unwrap_or(0))
    };
    let mut found = match series {
        None if filter.takes(event) => vec![kept()],
        Some(series) if filter.suits(event) => event
            .occurrences(series, filter.range, filter.now)
            .map(|moment| (moment, calendar.span(event, moment)))
            .filter(|(moment, span)| {
                filter.range.meets(*span)
                    && !calendar.has_exception(event, *moment)
                    && !(event.cancelled && told(*moment))
            })
            .map(|(moment, (starts, _))| Found {
                key: order.key(event, starts, Some(moment)),
                what: What::Instance(event, moment),
            })
            .collect(),
        _ => Vec::new(),
    };
    if let Some(since) = filter.since.filter(|_| filter.single) {
        found.extend(gone(event, since, filter, order).filter(|item| match item.what {
            What::Gone(_, moment) => !told(moment),
            _ => true,
        }));
        found.sort_by_key(|item| item.key);
        found.dedup_by_key(|item| item.key);
    }
    found
}

/// The instances that `event` had after `since` and has no more, some perhaps twice.
fn gone<'a>(
    event: &'a Event,
    since: i64,
    filter: &Filter,
    order: Order,
) -> impl Iterator<Item = Found<'a>> {
    let changes = event.earlier.iter().filter(move |earlier| earlier.version > since);
    changes.flat_map(move |earlier| {
        let Some(series) = earlier.series.as_deref() else {
            let key = order.key(event, event.starts, None);
            let single = Found { key, what: What::Single(event) };
            return event.series.iter().map(|_| single).collect::<Vec<_>>();
        };
        let had = event.occurrences(series, filter.range, filter.now);
        let lost = had.filter(|moment| event.series.as_ref().is_none_or(|now| !now.has(*moment)));
        let gone = lost.map(|moment| Found {
            key: order.key(event, moment, Some(moment)),
            what: What::Gone(event, moment),
        });
        gone.collect()
    })
}
