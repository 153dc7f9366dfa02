//! One event as the simulator keeps it, and as Google shows it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chrono::{DateTime, DurationRound, SecondsFormat, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::conference::{Conference, Progress};
use super::state::Calendar;

/// An event, or what is left of a deleted one.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) id: String,
    /// Order of creation.
    pub(super) number: u64,
    pub(super) created: DateTime<Utc>,
    pub(super) updated: DateTime<Utc>,
    /// Grows with every change, and is no other event's; the `ETag` is made of it.
    pub(super) version: i64,
    pub(super) sequence: i64,
    pub(super) creator: String,
    pub(super) ical_uid: String,
    /// Deleted: its id stays taken.
    pub(super) cancelled: bool,
    /// When it begins and ends, for order and filters.
    pub(super) starts: DateTime<Utc>,
    pub(super) ends: DateTime<Utc>,
    /// What a caller may write, checked.
    pub(super) fields: Map<String, Value>,
    pub(super) conference: Option<Conference>,
    /// As it was before the last change, for stale reads.
    pub(super) before: Option<Box<Event>>,
}

/// What else decides how an event is shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surroundings<'a> {
    pub(super) base: &'a str,
    pub(super) calendar: &'a Calendar,
}

impl Event {
    /// An event of somebody else's making: one hour from the next full hour on.
    pub(super) fn foreign(
        id: &str,
        calendar: &str,
        summary: &str,
        number: u64,
        now: DateTime<Utc>,
    ) -> Self {
        let hour = TimeDelta::hours(1);
        let starts = now.duration_trunc(hour).unwrap_or(now) + hour;
        let point = |moment: DateTime<Utc>| json!({"dateTime": moment.to_rfc3339_opts(SecondsFormat::Secs, true), "timeZone": "UTC"});
        let fields =
            [("summary", summary.into()), ("start", point(starts)), ("end", point(starts + hour))];
        Self {
            id: id.to_owned(),
            number,
            created: now,
            updated: now,
            version: 0,
            sequence: 0,
            creator: calendar.to_owned(),
            ical_uid: format!("{id}@google.com"),
            cancelled: false,
            starts,
            ends: starts + hour,
            fields: fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            conference: None,
            before: None,
        }
    }

    pub(super) fn etag(&self) -> String {
        format!("\"{}\"", self.version * 2)
    }

    /// The event with its pending Meet link there.
    pub(super) fn with_meet(mut self, when: DateTime<Utc>) -> Self {
        if let Some(conference) = &mut self.conference {
            conference.progress = Progress::Ready;
        }
        self.updated = when;
        self
    }

    /// The event resource, with false and empty members left out.
    pub(super) fn shown(&self, around: &Surroundings<'_>) -> Value {
        let owner = around.calendar.owner.as_str();
        let mut shown = self.fields.clone();
        shown.retain(|name, value| !is_blank(value) || TRUE_BY_DEFAULT.contains(&name.as_str()));
        if let Some(Value::Array(attendees)) = shown.get_mut("attendees") {
            for attendee in attendees.iter_mut().filter(|attendee| attendee["email"] == owner) {
                attendee["organizer"] = true.into();
                attendee["self"] = true.into();
            }
        }
        let mut creator = json!({"email": self.creator});
        if self.creator == owner {
            creator["self"] = true.into();
        }
        let rest = json!({
            "kind": "calendar#event",
            "etag": self.etag(),
            "id": self.id,
            "status": if self.cancelled { "cancelled" } else { self.status() },
            "htmlLink": format!("{}/calendar/event?eid={}", around.base, event_link_id(&self.id, &around.calendar.id)),
            "created": format!("{}.000Z", self.created.format("%Y-%m-%dT%H:%M:%S")),
            "updated": self.updated.to_rfc3339_opts(SecondsFormat::Millis, true),
            "creator": creator,
            "organizer": {"email": around.calendar.id, "self": true},
            "iCalUID": self.ical_uid,
            "sequence": self.sequence,
            "eventType": self.kind(),
        });
        if let Value::Object(rest) = rest {
            shown.extend(rest);
        }
        shown.entry("reminders").or_insert_with(|| json!({"useDefault": true}));
        if let Some(conference) = &self.conference {
            shown.insert("conferenceData".to_owned(), conference.shown());
            if let Some(link) = conference.link() {
                shown.insert("hangoutLink".to_owned(), link.into());
            }
        }
        Value::Object(shown)
    }

    /// What an incremental list tells of a deleted event.
    pub(super) fn shown_as_gone(&self) -> Value {
        json!({"kind": "calendar#event", "etag": self.etag(), "id": self.id, "status": "cancelled"})
    }

    /// Its `eventType`.
    pub(super) fn kind(&self) -> &str {
        self.fields.get("eventType").and_then(Value::as_str).unwrap_or("default")
    }

    fn status(&self) -> &str {
        self.fields.get("status").and_then(Value::as_str).unwrap_or("confirmed")
    }

    /// The addresses of the guests.
    pub(super) fn guests(&self) -> Vec<String> {
        let attendees = self.fields.get("attendees").and_then(Value::as_array);
        let emails =
            attendees.into_iter().flatten().filter_map(|attendee| attendee["email"].as_str());
        emails.map(str::to_owned).collect()
    }
}

/// Members whose absence means true.
pub(super) const TRUE_BY_DEFAULT: &[&str] = &["guestsCanInviteOthers", "guestsCanSeeOtherGuests"];

/// What Google puts behind `eid=`.
pub(super) fn event_link_id(event: &str, calendar: &str) -> String {
    STANDARD_NO_PAD.encode(format!("{event} {calendar}")).replace('+', "%2B").replace('/', "%2F")
}

/// The event and the calendar behind `eid=`.
pub(super) fn read_link_id(eid: &str) -> Option<(String, String)> {
    let text = String::from_utf8(STANDARD_NO_PAD.decode(eid.trim_end_matches('=')).ok()?).ok()?;
    let (event, calendar) = text.split_once(' ')?;
    Some((event.to_owned(), calendar.to_owned()))
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}
