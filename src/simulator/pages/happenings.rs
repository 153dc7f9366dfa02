//! What happens in a calendar between two moments.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::Value;

use crate::simulator::calendar::Calendar;
use crate::simulator::conference::Conference;
use crate::simulator::event::{Event, event_link_id};
use crate::simulator::instances::Range;

/// Something that happens, as a page shows it.
#[derive(Clone, Debug)]
pub(super) struct Happening {
    /// The days it touches, in the calendar's zone: first and last.
    pub(super) days: (NaiveDate, NaiveDate),
    pub(super) title: String,
    /// `Wed 1 Apr 2026`.
    pub(super) day: String,
    /// `10:00`; nothing for whole days.
    pub(super) at: String,
    /// `10:00–11:00`, or `All day`.
    pub(super) time: String,
    pub(super) link: String,
    pub(super) meet: Option<String>,
    /// `pending`, `success`, `failure`; nothing without a conference.
    pub(super) meet_state: &'static str,
    pub(super) guests: Vec<String>,
    /// It is a series, or one of its instances.
    pub(super) repeats: bool,
    pub(super) whole_days: bool,
    pub(super) cancelled: bool,
}

/// What happens in `calendar` after `from` and before `until`, by start, with instances instead of
/// series; deleted events and cancelled instances too, if they are asked for.
pub(super) fn happenings(
    calendar: &Calendar,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    deleted: bool,
) -> Vec<Happening> {
    let range = Range { least: Some(from), most: Some(until) };
    let meets = |(starts, ends): (DateTime<Utc>, DateTime<Utc>)| {
        range.meets((starts, ends)) || (starts == ends && starts == from && from < until)
    };
    let mut found: Vec<(u64, Cow<'_, Event>)> = Vec::new();
    for event in calendar.events.all().filter(|event| deleted || !event.cancelled) {
        let Some(series) = event.series.as_deref() else {
            // The series of a dropped exception tells of that day, or has no such day any more.
            let dropped = event.exception.as_ref().is_some_and(|one| one.dropped);
            if !dropped && meets((event.starts, event.ends)) {
                found.push((event.number, Cow::Borrowed(event)));
            }
            continue;
        };
        let own = |moment: &DateTime<Utc>| {
            meets(calendar.span(event, *moment)) && !calendar.has_exception(event, *moment)
        };
        let instances = event.occurrences(series, range, from).filter(own);
        let instances = instances.map(|moment| Cow::Owned(calendar.instance(event, moment)));
        found.extend(instances.map(|instance| (event.number, instance)));
    }
    found.sort_by_key(|(number, event)| (event.starts, *number));
    found.into_iter().map(|(_, event)| happening(&event, calendar)).collect()
}

/// One event, as a page shows it.
pub(super) fn happening(event: &Event, calendar: &Calendar) -> Happening {
    let starts = event.starts.with_timezone(&calendar.time_zone);
    let ends = event.ends.with_timezone(&calendar.time_zone);
    let last = (ends - TimeDelta::microseconds(1)).date_naive().max(starts.date_naive());
    let whole_days = event.is_all_day();
    let several = last > starts.date_naive();
    let day = "%a %-d %b %Y";
    let conference = event.conference.as_ref();
    let title = event.fields.get("summary").and_then(Value::as_str).unwrap_or_default();
    Happening {
        days: (starts.date_naive(), last),
        title: if title.is_empty() { "(No title)" } else { title }.to_owned(),
        day: if several {
            format!("{} – {}", starts.format("%a %-d %b"), last.format(day))
        } else {
            starts.format(day).to_string()
        },
        at: if whole_days { String::new() } else { starts.format("%H:%M").to_string() },
        time: if whole_days {
            "All day".to_owned()
        } else {
            format!("{}–{}", starts.format("%H:%M"), ends.format("%H:%M"))
        },
        link: format!("/calendar/event?eid={}", event_link_id(&event.id, &calendar.id)),
        meet: conference.and_then(Conference::link),
        meet_state: conference.map_or("", Conference::status),
        guests: event.guests(),
        repeats: event.series.is_some() || event.exception.is_some(),
        whole_days,
        cancelled: event.cancelled,
    }
}
