//! `calendar.events.list`: filters, pages and sync tokens.

use axum::http::StatusCode;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use super::answer::{Answer, Refusal};
use super::calendar::{Calendar, Role};
use super::call::{Desk, Parameters};
use super::event::Event;
use super::event_kinds;
use super::listing::{Key, Listing, Manner, invalid_parameter};

/// How far `updatedMin` reaches back.
const UPDATED_MIN_DAYS: i64 = 28;

/// A first list with a time range gives out a sync token too; the range says nothing of what follows.
const MANNER: Manner = Manner {
    page: 250,
    largest_page: 2500,
    not_with_sync: &[
        "iCalUID",
        "orderBy",
        "privateExtendedProperty",
        "q",
        "sharedExtendedProperty",
        "timeMax",
        "timeMin",
        "updatedMin",
    ],
    without_sync: &[
        "iCalUID",
        "orderBy",
        "privateExtendedProperty",
        "q",
        "sharedExtendedProperty",
        "updatedMin",
    ],
    same_with_sync: &["eventTypes", "showHiddenInvitations", "singleEvents"],
    not_false_with_sync: &["showDeleted"],
};
#[derive(Clone, Debug, Default)]
struct Filter {
    private: Vec<(String, String)>,
    shared: Vec<(String, String)>,
    words: Option<String>,
    ical_uid: Option<String>,
    time_min: Option<DateTime<Utc>>,
    time_max: Option<DateTime<Utc>>,
    updated_min: Option<DateTime<Utc>>,
    deleted: bool,
    types: Vec<String>,
    /// Only what is newer than this version: set by a sync token.
    since: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Created,
    /// By last change: an event that changes between two pages comes again instead of being missed.
    Changed,
    Starts,
}

impl Order {
    fn key(self, event: &Event) -> Key {
        match self {
            Self::Created => (0, event.number),
            Self::Changed => (event.version, event.number),
            Self::Starts => (event.starts.timestamp(), event.number),
        }
    }
}

pub(super) fn list(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    let calendar = desk.calendar_as(Role::Reader)?;
    let name = format!("events {}", calendar.id);
    let listing = Listing::read(desk, &name, calendar.rules_version, &MANNER)?;
    let parameters = &desk.asked.parameters;
    let filter = Filter { since: listing.since, ..Filter::read(parameters, desk.now)? };
    let order = order(parameters, listing.since.is_some())?;
    let mut found = found(calendar, &listing, &filter, order);
    let more = found.len() > listing.size;
    found.truncate(listing.size);
    let base = desk.asked.base(desk.state);
    let around = desk.surroundings(&base, calendar)?;
    let shown = |event: &Event| match filter.since {
        Some(_) if event.cancelled => event.shown_as_gone(),
        _ => event.shown(&around),
    };
    let items: Vec<Value> = found.iter().map(|event| shown(event)).collect();
    let updated = DateTime::from_timestamp_micros(calendar.events_version).unwrap_or(desk.now);
    let mut page = json!({
        "kind": "calendar#events",
        "etag": format!("\"{}\"", calendar.events_version * 2),
        "summary": calendar.summary,
        "description": calendar.description,
        "updated": updated.to_rfc3339_opts(SecondsFormat::Millis, true),
        "timeZone": calendar.time_zone.name(),
        "accessRole": calendar.role(desk.user()).name(),
        "defaultReminders": desk.default_reminders(),
        "items": items,
    });
    listing.close(&mut page, found.last().filter(|_| more).map(|last| order.key(last)), desk.now);
    Ok(Answer::json(StatusCode::OK, &page))
}

impl Desk<'_> {
    /// The reminders the caller wants of the calendar's events, unless they say otherwise.
    fn default_reminders(&self) -> Value {
        let entries = self.call.calendar.as_ref().zip(self.state.lists.get(self.user()));
        let entry = entries.and_then(|(id, entries)| entries.get(id));
        entry
            .and_then(|entry| entry.fields.get("defaultReminders").cloned())
            .unwrap_or_else(|| json!([]))
    }
}

/// The events of the page, in order, and one more if there is one.
fn found<'a>(
    calendar: &'a Calendar,
    listing: &Listing,
    filter: &Filter,
    order: Order,
) -> Vec<&'a Event> {
    let takes = |event: &&Event| filter.takes(event);
    let one_more = listing.size + 1;
    match order {
        Order::Created => {
            let number = listing.after.map_or(0, |(_, number)| number);
            calendar.events.created_after(number).filter(takes).take(one_more).collect()
        }
        Order::Changed => {
            let version = listing.after.map_or(0, |(version, _)| version);
            let version = version.max(listing.since.unwrap_or(0));
            calendar.events.changed_after(version).filter(takes).take(one_more).collect()
        }
        Order::Starts => {
            let mut found: Vec<&Event> = calendar.events.all().filter(takes).collect();
            found.retain(|event| listing.after.is_none_or(|after| order.key(event) > after));
            found.sort_by_key(|event| order.key(event));
            found.truncate(one_more);
            found
        }
    }
}

fn order(parameters: &Parameters, syncs: bool) -> Result<Order, Refusal> {
    let single = parameters.get("singleEvents") == Some("true");
    match parameters.get("orderBy") {
        None if syncs => Ok(Order::Changed),
        None => Ok(Order::Created),
        Some("updated") => Ok(Order::Changed),
        Some("startTime") if single => Ok(Order::Starts),
        Some("startTime") => {
            let message = "The requested ordering is not available for the particular query.";
            Err(Refusal::bad("badRequest", message))
        }
        Some(_) => Err(invalid_parameter("orderBy")),
    }
}

impl Filter {
    fn read(parameters: &Parameters, now: DateTime<Utc>) -> Result<Self, Refusal> {
        let time = |name: &'static str| match parameters.get(name) {
            None => Ok(None),
            Some(text) => match DateTime::parse_from_rfc3339(text) {
                Ok(moment) => Ok(Some(moment.to_utc())),
                Err(_) => Err(Refusal::bad("badRequest", "Bad Request").at("parameter", name)),
            },
        };
        let pairs = |name: &'static str| {
            let read = parameters.all(name).map(|pair| match pair.split_once('=') {
                Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
                None => Err(invalid_parameter(name)),
            });
            read.collect::<Result<Vec<_>, _>>()
        };
        let filter = Self {
            private: pairs("privateExtendedProperty")?,
            shared: pairs("sharedExtendedProperty")?,
            words: parameters.get("q").map(str::to_lowercase),
            ical_uid: parameters.get("iCalUID").map(str::to_owned),
            time_min: time("timeMin")?,
            time_max: time("timeMax")?,
            updated_min: time("updatedMin")?,
            deleted: parameters.get("showDeleted") == Some("true"),
            types: parameters.all("eventTypes").map(str::to_owned).collect(),
            since: None,
        };
        if filter.types.iter().any(|kind| !event_kinds::KINDS.contains(&kind.as_str())) {
            return Err(invalid_parameter("eventTypes"));
        }
        if filter.time_min.zip(filter.time_max).is_some_and(|(least, most)| most <= least) {
            let message = "The specified time range is empty.";
            let status = StatusCode::BAD_REQUEST;
            let refusal = Refusal::new(status, "calendar", "timeRangeEmpty", message);
            return Err(refusal.at("parameter", "timeMax"));
        }
        let oldest = now - TimeDelta::days(UPDATED_MIN_DAYS);
        if filter.updated_min.is_some_and(|least| least < oldest) {
            let message = "The requested minimum modification time lies too far in the past.";
            let refusal =
                Refusal::new(StatusCode::GONE, "calendar", "updatedMinTooLongAgo", message);
            return Err(refusal.at("parameter", "updatedMin"));
        }
        Ok(filter)
    }

    fn takes(&self, event: &Event) -> bool {
        let has = |kind: &str, pairs: &[(String, String)]| {
            let properties = event.fields.get("extendedProperties");
            pairs
                .iter()
                .all(|(key, value)| properties.is_some_and(|all| all[kind][key] == value.as_str()))
        };
        // What changed since a moment is told with its deletions, whatever `showDeleted` says.
        let deleted = self.deleted || self.updated_min.is_some() || self.since.is_some();
        (!event.cancelled || deleted)
            && self.updated_min.is_none_or(|least| event.updated >= least)
            && self.time_min.is_none_or(|least| event.ends > least)
            && self.time_max.is_none_or(|most| event.starts < most)
            && self.ical_uid.as_ref().is_none_or(|uid| *uid == event.ical_uid)
            && (self.types.is_empty() || self.types.iter().any(|kind| kind == event.kind()))
            && self.words.as_deref().is_none_or(|words| says(event, words))
            && has("private", &self.private)
            && has("shared", &self.shared)
    }
}

/// Whether each of `words` stands somewhere in the event's texts or guests.
fn says(event: &Event, words: &str) -> bool {
    let texts = ["summary", "description", "location"].iter();
    let texts = texts.filter_map(|name| event.fields.get(*name)?.as_str());
    let guests = event.fields.get("attendees").and_then(Value::as_array);
    let guests = guests.into_iter().flatten();
    let guests = guests.flat_map(|guest| [guest["email"].as_str(), guest["displayName"].as_str()]);
    let all = texts.chain(guests.flatten()).collect::<Vec<_>>().join("\n").to_lowercase();
    words.split_whitespace().all(|word| all.contains(word))
}
