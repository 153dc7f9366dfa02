//! `calendar.events.list`: filters, pages and sync tokens.

use axum::http::StatusCode;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use super::answer::{Answer, Refusal};
use super::calendar::{Calendar, Role};
use super::call::{Desk, Parameters};
use super::event::Event;
use super::event_kinds;
use super::event_singles::{self, Found};
use super::instances::Range;
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

#[derive(Clone, Debug)]
pub(super) struct Filter {
    private: Vec<(String, String)>,
    shared: Vec<(String, String)>,
    words: Option<String>,
    ical_uid: Option<String>,
    pub(super) range: Range,
    updated_min: Option<DateTime<Utc>>,
    deleted: bool,
    /// Instances instead of series.
    pub(super) single: bool,
    types: Vec<String>,
    /// Only what is newer than this version: set by a sync token.
    pub(super) since: Option<i64>,
    pub(super) now: DateTime<Utc>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Created,
    /// By last change: an event that changes between two pages comes again instead of being missed.
    Changed,
    Starts,
}

impl Order {
    /// The place of an event, or of the instance of a series that the series has begin at `instance`.
    pub(super) fn key(
        self,
        event: &Event,
        starts: DateTime<Utc>,
        instance: Option<DateTime<Utc>>,
    ) -> Key {
        // Seconds since long before the first year; an event itself comes before its instances.
        let place =
            instance.map_or(0, |moment| (moment.timestamp() + SECONDS_BEFORE_1970).unsigned_abs());
        match self {
            Self::Created => (event.number.cast_signed(), place),
            Self::Changed => (event.version, place),
            Self::Starts => (starts.timestamp(), event.number),
        }
    }
}

const SECONDS_BEFORE_1970: i64 = 1 << 40;

pub(super) fn list(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    let stale = desk.stale_calendar()?;
    let calendar = desk.calendar_as(Role::Reader)?;
    let calendar = stale.as_ref().map_or(calendar, |(calendar, _)| calendar);
    let name = format!("events {}", calendar.id);
    let mut listing = Listing::read(desk, &name, calendar.rules_version, &MANNER)?;
    // What a stale list does not show must come with its sync token.
    listing.seen = stale.as_ref().map_or(listing.seen, |(_, version)| listing.seen.min(*version));
    let parameters = &desk.asked.parameters;
    let filter = Filter { since: listing.since, ..Filter::read(parameters, desk.now)? };
    let order = order(parameters, listing.since.is_some())?;
    let mut found = event_singles::found(calendar, &listing, &filter, order);
    let more = found.len() > listing.size;
    found.truncate(listing.size);
    let base = desk.asked.base(desk.state);
    let around = desk.surroundings(&base, calendar)?;
    let shown = |item: &Found<'_>| {
        let event = item.event(calendar);
        let sparse = filter.since.is_some() || !filter.tells_deleted();
        if event.cancelled && sparse { event.shown_as_gone(&around) } else { event.shown(&around) }
    };
    let mut page = desk.page_of_events(calendar, found.iter().map(shown).collect());
    listing.close(&mut page, found.last().filter(|_| more).map(|last| last.key), desk.now);
    Ok(Answer::json(StatusCode::OK, &page))
}

impl Desk<'_> {
    /// One page of a list of events, but for how to go on.
    pub(super) fn page_of_events(&self, calendar: &Calendar, items: Vec<Value>) -> Value {
        let version = calendar.events_version;
        let updated = DateTime::from_timestamp_micros(version).unwrap_or(self.now);
        let mut page = json!({
            "kind": "calendar#events",
            "etag": format!("\"{}\"", version * 2),
            "summary": calendar.summary,
            "description": calendar.description,
            "updated": updated.to_rfc3339_opts(SecondsFormat::Millis, true),
            "timeZone": calendar.time_zone.name(),
            "accessRole": calendar.role(self.user()).name(),
            "defaultReminders": self.default_reminders(),
        });
        page["items"] = items.into();
        page
    }

    /// The reminders the caller wants of the calendar's events, unless they say otherwise.
    fn default_reminders(&self) -> Value {
        let entries = self.call.calendar.as_ref().zip(self.state.lists.get(self.user()));
        let entry = entries.and_then(|(id, entries)| entries.get(id));
        entry
            .and_then(|entry| entry.fields.get("defaultReminders").cloned())
            .unwrap_or_else(|| json!([]))
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
            range: range(parameters)?,
            updated_min: moment(parameters, "updatedMin")?,
            deleted: parameters.get("showDeleted") == Some("true"),
            types: parameters.all("eventTypes").map(str::to_owned).collect(),
            single: parameters.get("singleEvents") == Some("true"),
            since: None,
            now,
        };
        if filter.types.iter().any(|kind| !event_kinds::KINDS.contains(&kind.as_str())) {
            return Err(invalid_parameter("eventTypes"));
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

    /// What changed since a moment is told with its deletions, whatever `showDeleted` says.
    pub(super) fn tells_deleted(&self) -> bool {
        self.deleted || self.updated_min.is_some() || self.since.is_some()
    }

    /// Whether the event is wanted. A series is if one of its instances is in the time range.
    pub(super) fn takes(&self, event: &Event) -> bool {
        self.suits(event)
            && match event.series.as_deref().filter(|_| self.range != Range::default()) {
                None => self.range.meets((event.starts, event.ends)),
                Some(series) => event.occurrences(series, self.range, self.now).next().is_some(),
            }
    }

    /// Whether the event is wanted, its time aside.
    pub(super) fn suits(&self, event: &Event) -> bool {
        let has = |kind: &str, pairs: &[(String, String)]| {
            let properties = event.fields.get("extendedProperties");
            pairs
                .iter()
                .all(|(key, value)| properties.is_some_and(|all| all[kind][key] == value.as_str()))
        };
        // Beside a series stands what is not one of its instances any more.
        let exception = event.exception.as_ref().is_some_and(|place| !place.dropped);
        (!event.cancelled || self.tells_deleted() || (exception && !self.single))
            && self.updated_min.is_none_or(|least| event.updated >= least)
            && self.ical_uid.as_ref().is_none_or(|uid| *uid == event.ical_uid)
            && (self.types.is_empty() || self.types.iter().any(|kind| kind == event.kind()))
            && self.words.as_deref().is_none_or(|words| says(event, words))
            && has("private", &self.private)
            && has("shared", &self.shared)
    }
}

/// A moment with its offset.
fn moment(parameters: &Parameters, name: &'static str) -> Result<Option<DateTime<Utc>>, Refusal> {
    match parameters.get(name).map(DateTime::parse_from_rfc3339) {
        None => Ok(None),
        Some(Ok(moment)) => Ok(Some(moment.to_utc())),
        Some(Err(_)) => Err(Refusal::bad("badRequest", "Bad Request").at("parameter", name)),
    }
}

/// `timeMin` and `timeMax`.
pub(super) fn range(parameters: &Parameters) -> Result<Range, Refusal> {
    let range =
        Range { least: moment(parameters, "timeMin")?, most: moment(parameters, "timeMax")? };
    if range.least.zip(range.most).is_some_and(|(least, most)| most <= least) {
        let message = "The specified time range is empty.";
        let status = StatusCode::BAD_REQUEST;
        let refusal = Refusal::new(status, "calendar", "timeRangeEmpty", message);
        return Err(refusal.at("parameter", "timeMax"));
    }
    Ok(range)
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
