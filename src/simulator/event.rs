//! One event as the simulator keeps it, and as Google shows it.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chrono::{DateTime, DurationRound, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::calendar::{Calendar, Role};
use super::conference::{Conference, Progress};
use super::instances::{Earlier, Exception};
use super::recurrence::Recurrence;

/// An event, or what is left of a deleted one.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
    /// The calendar whose copy counts, by its id. On every other calendar this is a guest's copy.
    pub(super) organizer: String,
    /// Changes here go nowhere else: set by import, or by the caller who made it.
    pub(super) private_copy: bool,
    pub(super) ical_uid: String,
    /// Deleted: its id stays taken.
    pub(super) cancelled: bool,
    /// When it begins and ends, for order and filters.
    pub(super) starts: DateTime<Utc>,
    pub(super) ends: DateTime<Utc>,
    /// What a caller may write, checked.
    pub(super) fields: Map<String, Value>,
    pub(super) conference: Option<Conference>,
    /// When it happens again, if it does.
    pub(super) series: Option<Arc<Recurrence>>,
    /// What it repeated as before, the latest last.
    pub(super) earlier: Vec<Earlier>,
    /// Which instance of a series it is, if it is one.
    pub(super) exception: Option<Exception>,
    /// As it was before the last change, for stale reads.
    pub(super) before: Option<Box<Event>>,
}

/// What else decides how an event is shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surroundings<'a> {
    pub(super) base: &'a str,
    pub(super) calendar: &'a Calendar,
    /// Who looks at it.
    pub(super) user: &'a str,
    /// The zone times are shown in; the calendar's own if none.
    pub(super) zone: Option<Tz>,
    /// If there are more guests than this, only the one who looks is shown.
    pub(super) most_guests: Option<usize>,
}

impl<'a> Surroundings<'a> {
    /// As the calendar's owner sees it.
    pub(super) fn of_owner(base: &'a str, calendar: &'a Calendar) -> Self {
        Self { base, calendar, user: &calendar.owner, zone: None, most_guests: None }
    }
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
            organizer: calendar.to_owned(),
            private_copy: false,
            ical_uid: format!("{id}@google.com"),
            cancelled: false,
            starts,
            ends: starts + hour,
            fields: fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            conference: None,
            series: None,
            earlier: Vec::new(),
            exception: None,
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

    /// The event resource, with false and empty members left out. Who may read the calendar but
    /// not write to it sees of a private event only when it is.
    pub(super) fn shown(&self, around: &Surroundings<'_>) -> Value {
        let private = ["private", "confidential"]
            .iter()
            .any(|kind| self.fields.get("visibility") == Some(&json!(kind)));
        if private && around.calendar.role(around.user) < Role::Writer {
            return self.shown_without_details(around);
        }
        let mine = around.calendar.id.as_str();
        let mut shown = self.fields.clone();
        shown.retain(|name, value| !is_blank(value) || TRUE_BY_DEFAULT.contains(&name.as_str()));
        self.show_guests(&mut shown, around);
        let mut creator = json!({"email": self.creator});
        if self.creator == mine {
            creator["self"] = true.into();
        }
        let mut organizer = json!({"email": self.organizer});
        if self.organizer == mine {
            organizer["self"] = true.into();
            if !around.calendar.primary {
                organizer["displayName"] = around.calendar.summary.clone().into();
            }
        }
        shown.extend(self.bare(around));
        let rest = [
            ("created", format!("{}.000Z", self.created.format("%Y-%m-%dT%H:%M:%S")).into()),
            ("creator", creator),
            ("organizer", organizer),
            ("sequence", self.sequence.into()),
        ];
        shown.extend(rest.map(|(name, value)| (name.to_owned(), value)));
        shown.entry("reminders").or_insert_with(|| json!({"useDefault": true}));
        if self.private_copy {
            shown.insert("privateCopy".to_owned(), true.into());
        }
        if let Some(conference) = &self.conference {
            shown.insert("conferenceData".to_owned(), conference.shown());
            if let Some(link) = conference.link() {
                shown.insert("hangoutLink".to_owned(), link.into());
            }
        }
        Value::Object(shown)
    }

    /// What everybody may see who may read the calendar.
    fn bare(&self, around: &Surroundings<'_>) -> Map<String, Value> {
        let link = event_link_id(&self.id, &around.calendar.id);
        let members = [
            ("kind", "calendar#event".into()),
            ("etag", self.etag().into()),
            ("id", self.id.clone().into()),
            ("status", if self.cancelled { "cancelled" } else { self.status() }.into()),
            ("htmlLink", format!("{}/calendar/event?eid={link}", around.base).into()),
            ("updated", self.updated.to_rfc3339_opts(SecondsFormat::Millis, true).into()),
            ("start", self.point("start", around)),
            ("end", self.point("end", around)),
            ("iCalUID", self.ical_uid.clone().into()),
            ("eventType", self.kind().into()),
        ];
        let members = members.into_iter().chain(self.place(around));
        members.map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn shown_without_details(&self, around: &Surroundings<'_>) -> Value {
        let mut shown = self.bare(around);
        shown.insert("visibility".to_owned(), "private".into());
        Value::Object(shown)
    }

    /// Which instance of which series it is.
    fn place(&self, around: &Surroundings<'_>) -> Vec<(&'static str, Value)> {
        self.exception.as_ref().map_or_else(Vec::new, |place| {
            let original = in_zone(place.original_start.clone(), around);
            vec![("recurringEventId", place.master.clone().into()), ("originalStartTime", original)]
        })
    }

    /// `start` or `end`, in the zone it is to be shown in.
    fn point(&self, name: &str, around: &Surroundings<'_>) -> Value {
        in_zone(self.fields.get(name).cloned().unwrap_or_default(), around)
    }

    /// Marks the organizer and the calendar's own guest, and leaves out the guests who are not to be seen.
    fn show_guests(&self, shown: &mut Map<String, Value>, around: &Surroundings<'_>) {
        let mine = around.calendar.id.as_str();
        let Some(Value::Array(guests)) = shown.get_mut("attendees") else { return };
        let all = guests.len();
        let hidden = self.organizer != mine
            && self.fields.get("guestsCanSeeOtherGuests") == Some(&Value::Bool(false));
        if hidden || around.most_guests.is_some_and(|most| all > most) {
            guests.retain(|guest| guest["email"] == mine);
        }
        for guest in guests.iter_mut() {
            if guest["email"] == self.organizer.as_str() {
                guest["organizer"] = true.into();
            }
            if guest["email"] == mine {
                guest["self"] = true.into();
            }
        }
        if guests.len() < all {
            shown.insert("attendeesOmitted".to_owned(), true.into());
        }
    }

    /// What an incremental list tells of a deleted event, and every list of a cancelled instance.
    pub(super) fn shown_as_gone(&self, around: &Surroundings<'_>) -> Value {
        let mut shown = json!({"kind": "calendar#event", "etag": self.etag(), "id": self.id, "status": "cancelled"});
        for (name, value) in self.place(around) {
            shown[name] = value;
        }
        shown
    }

    /// Its `eventType`.
    pub(super) fn kind(&self) -> &str {
        self.fields.get("eventType").and_then(Value::as_str).unwrap_or("default")
    }

    fn status(&self) -> &str {
        self.fields.get("status").and_then(Value::as_str).unwrap_or("confirmed")
    }

    /// The guests, as the API writes them.
    pub(super) fn attendees(&self) -> &[Value] {
        self.fields.get("attendees").and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// The addresses of the guests.
    pub(super) fn guests(&self) -> Vec<String> {
        let emails = self.attendees().iter().filter_map(|attendee| attendee["email"].as_str());
        emails.map(str::to_owned).collect()
    }

    /// Whether this member is there and true.
    pub(super) fn says(&self, name: &str) -> bool {
        self.fields.get(name) == Some(&Value::Bool(true))
    }
}

/// A time in the zone it is to be shown in.
fn in_zone(mut point: Value, around: &Surroundings<'_>) -> Value {
    let zone = around.zone.unwrap_or(around.calendar.time_zone);
    let moment = point["dateTime"].as_str().map(DateTime::parse_from_rfc3339);
    if let Some(Ok(moment)) = moment {
        let shown = moment.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Secs, true);
        point["dateTime"] = shown.into();
    }
    point
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
