//! What happens in a calendar between two moments.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::Value;

use crate::simulator::calendar::Calendar;
use crate::simulator::conference::Conference;
use crate::simulator::event::{Event, event_link_id};

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
    pub(super) repeats: bool,
    pub(super) whole_days: bool,
    pub(super) cancelled: bool,
}

/// What happens in `calendar` after `from` and before `until`, by start; deleted events too, if they
/// are asked for.
pub(super) fn happenings(
    calendar: &Calendar,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    deleted: bool,
) -> Vec<Happening> {
    let meets = |event: &&Event| {
        let touches = event.ends > from || (event.starts == event.ends && event.starts == from);
        touches && event.starts < until && (deleted || !event.cancelled)
    };
    let mut found: Vec<&Event> = calendar.events.all().filter(meets).collect();
    found.sort_by_key(|event| (event.starts, event.number));
    found.into_iter().map(|event| happening(event, calendar)).collect()
}

/// One event, as a page shows it.
pub(super) fn happening(event: &Event, calendar: &Calendar) -> Happening {
    let starts = event.starts.with_timezone(&calendar.time_zone);
    let ends = event.ends.with_timezone(&calendar.time_zone);
    let last = (ends - TimeDelta::microseconds(1)).date_naive().max(starts.date_naive());
    let whole_days = event.fields.get("start").is_some_and(|start| start["date"].is_string());
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
        repeats: event.fields.get("recurrence").is_some_and(Value::is_array),
        whole_days,
        cancelled: event.cancelled,
    }
}
