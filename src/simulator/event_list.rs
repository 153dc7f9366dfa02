//! `calendar.events.list`: filters, pages and sync tokens.

use axum::http::StatusCode;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use super::answer::{Answer, Refusal};
use super::call::{Desk, Parameters};
use super::event::{Event, Surroundings};
use super::list_token::{Key, PageToken, SyncToken, binding};
use super::state::Calendar;

const PAGE: usize = 250;
const LARGEST_PAGE: usize = 2500;
/// How far `updatedMin` reaches back.
const UPDATED_MIN_DAYS: i64 = 28;

/// Parameters that may differ from page to page: they say how to answer, not what is in the list.
const NOT_OF_THE_LIST: &[&str] = &[
    "pageToken",
    "maxResults",
    "access_token",
    "alt",
    "fields",
    "key",
    "prettyPrint",
    "quotaUser",
];
/// Parameters that cannot stand beside a sync token; a list that had one gives no token out,
/// except for a time range, which Google lets the first list have.
const NOT_WITH_SYNC: &[&str] = &[
    "iCalUID",
    "orderBy",
    "privateExtendedProperty",
    "q",
    "sharedExtendedProperty",
    "timeMax",
    "timeMin",
    "updatedMin",
];
/// Parameters that must be the same in a list and in those that go on from its sync token.
const SAME_WITH_SYNC: &[&str] = &["eventTypes", "showHiddenInvitations", "singleEvents"];
const EVENT_TYPES: &[&str] =
    &["birthday", "default", "focusTime", "fromGmail", "outOfOffice", "workingLocation"];

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

/// What a list was asked for.
struct Wanted {
    filter: Filter,
    order: Order,
    size: usize,
    /// Where the page begins, if it is not the first.
    from: Option<PageToken>,
    /// The newest version there was when the first page was made. The sync token tells of all that
    /// changed since: what was written while the pages were read comes then, perhaps for the second
    /// time, and is never missed.
    seen: i64,
    page_bound: String,
    sync_bound: String,
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
    let calendar = desk.calendar()?;
    let wanted = wanted(desk, calendar)?;
    let mut found = found(calendar, &wanted);
    let more = found.len() > wanted.size;
    found.truncate(wanted.size);
    let base = desk.asked.base(desk.state);
    let around = Surroundings { base: &base, calendar };
    let shown = |event: &Event| match wanted.filter.since {
        Some(_) if event.cancelled => event.shown_as_gone(),
        _ => event.shown(&around),
    };
    let items: Vec<Value> = found.iter().map(|event| shown(event)).collect();
    let updated = DateTime::from_timestamp_micros(calendar.events_version).unwrap_or(desk.now);
    let mut page = json!({
        "kind": "calendar#events",
        "etag": format!("\"{}\"", calendar.events_version * 2),
        "summary": calendar.summary,
        "description": "",
        "updated": updated.to_rfc3339_opts(SecondsFormat::Millis, true),
        "timeZone": calendar.time_zone.name(),
        "accessRole": "owner",
        "defaultReminders": [{"method": "popup", "minutes": 30}],
        "items": items,
    });
    if let Some(last) = found.last().filter(|_| more) {
        let token = PageToken { seen: wanted.seen, after: wanted.order.key(last) };
        page["nextPageToken"] = token.write(&wanted.page_bound).into();
    } else if gives_sync_token(&desk.asked.parameters) {
        let token = SyncToken { seen: wanted.seen, epoch: desk.state.sync_epoch };
        page["nextSyncToken"] = token.write(&wanted.sync_bound).into();
    }
    Ok(Answer::json(StatusCode::OK, &page))
}

fn wanted(desk: &Desk<'_>, calendar: &Calendar) -> Result<Wanted, Refusal> {
    let parameters = &desk.asked.parameters;
    let bound = |names: &dyn Fn(&str) -> bool| {
        let chosen = parameters.pairs().filter(|(name, value)| names(name) && !value.is_empty());
        binding(desk.user(), &calendar.id, chosen.collect())
    };
    let page_bound = bound(&|name| !NOT_OF_THE_LIST.contains(&name));
    let sync_bound = bound(&|name| SAME_WITH_SYNC.contains(&name));
    let since = since(parameters, &sync_bound, desk.state.sync_epoch)?;
    let filter = Filter { since, ..Filter::read(parameters, desk.now)? };
    let from = match parameters.get("pageToken") {
        None => None,
        Some(token) => Some(
            PageToken::read(token, &page_bound).ok_or_else(|| invalid_parameter("pageToken"))?,
        ),
    };
    Ok(Wanted {
        order: order(parameters, since.is_some())?,
        filter,
        size: page_size(parameters, PAGE, LARGEST_PAGE)?,
        from,
        seen: from.map_or_else(|| desk.state.newest_version(), |page| page.seen),
        page_bound,
        sync_bound,
    })
}

/// `maxResults`: what is beyond the largest page is cut, as Google does.
pub(super) fn page_size(
    parameters: &Parameters,
    plain: usize,
    largest: usize,
) -> Result<usize, Refusal> {
    match parameters.get("maxResults").map(str::parse::<usize>) {
        None => Ok(plain),
        Some(Ok(size)) if size > 0 => Ok(size.min(largest)),
        Some(_) => Err(invalid_parameter("maxResults")),
    }
}

/// The events of the page, in order, and one more if there is one.
fn found<'a>(calendar: &'a Calendar, wanted: &Wanted) -> Vec<&'a Event> {
    let takes = |event: &&Event| wanted.filter.takes(event);
    let one_more = wanted.size + 1;
    let after = wanted.from.map(|page| page.after);
    match wanted.order {
        Order::Created => {
            let number = after.map_or(0, |(_, number)| number);
            calendar.events.created_after(number).filter(takes).take(one_more).collect()
        }
        Order::Changed => {
            let version =
                after.map_or(0, |(version, _)| version).max(wanted.filter.since.unwrap_or(0));
            calendar.events.changed_after(version).filter(takes).take(one_more).collect()
        }
        Order::Starts => {
            let mut found: Vec<&Event> = calendar.events.all().filter(takes).collect();
            found.retain(|event| after.is_none_or(|after| wanted.order.key(event) > after));
            found.sort_by_key(|event| wanted.order.key(event));
            found.truncate(one_more);
            found
        }
    }
}

/// The version from which the request's sync token goes on, if it has one.
fn since(parameters: &Parameters, bound: &str, epoch: u64) -> Result<Option<i64>, Refusal> {
    let Some(token) = parameters.get("syncToken") else { return Ok(None) };
    let hides_deleted = parameters.get("showDeleted") == Some("false");
    if hides_deleted || NOT_WITH_SYNC.iter().any(|name| parameters.get(name).is_some()) {
        let message = "Sync token cannot be used with the other query restrictions.";
        return Err(Refusal::bad("badRequest", message).at("parameter", "syncToken"));
    }
    let Some(token) = SyncToken::read(token, bound) else {
        let message = "Invalid sync token value.";
        return Err(Refusal::bad("invalid", message).at("parameter", "syncToken"));
    };
    if token.epoch == epoch {
        return Ok(Some(token.seen));
    }
    let message = "Sync token is no longer valid, a full sync is required.";
    let refusal = Refusal::new(StatusCode::GONE, "calendar", "fullSyncRequired", message);
    Err(refusal.at("parameter", "syncToken"))
}

fn gives_sync_token(parameters: &Parameters) -> bool {
    NOT_WITH_SYNC
        .iter()
        .filter(|name| !["timeMin", "timeMax"].contains(name))
        .all(|name| parameters.get(name).is_none())
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

pub(super) fn invalid_parameter(name: &'static str) -> Refusal {
    Refusal::bad("invalidParameter", &format!("Invalid value for parameter '{name}'."))
        .at("parameter", name)
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
        if filter.types.iter().any(|kind| !EVENT_TYPES.contains(&kind.as_str())) {
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
