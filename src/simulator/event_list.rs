//! `calendar.events.list`: filters and pages. It gives out no sync tokens yet.

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::answer::{Answer, Refusal};
use super::call::{Desk, Parameters};
use super::event::{Event, Surroundings};

const PAGE: usize = 250;
const LARGEST_PAGE: usize = 2500;

struct Filter {
    private: Vec<(String, String)>,
    shared: Vec<(String, String)>,
    words: Option<String>,
    ical_uid: Option<String>,
    time_min: Option<DateTime<Utc>>,
    time_max: Option<DateTime<Utc>>,
    updated_min: Option<DateTime<Utc>>,
    deleted: bool,
}

/// Where the next page begins: after this key of the order asked for.
type Key = (i64, u64);

pub(super) fn list(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    let parameters = &desk.asked.parameters;
    if parameters.get("syncToken").is_some() {
        let refusal = Refusal::new(
            StatusCode::GONE,
            "calendar",
            "fullSyncRequired",
            "Sync token is no longer valid.",
        );
        return Err(refusal.at("parameter", "syncToken"));
    }
    let filter = Filter::read(parameters)?;
    let size = match parameters.get("maxResults").map(str::parse::<usize>) {
        None => PAGE,
        Some(Ok(size)) if size > 0 => size.min(LARGEST_PAGE),
        Some(_) => return Err(invalid_parameter("maxResults")),
    };
    let single = parameters.get("singleEvents") == Some("true");
    let key: fn(&Event) -> Key = match parameters.get("orderBy") {
        None => |event| (0, event.number),
        Some("updated") => |event| (event.version, event.number),
        Some("startTime") if single => |event| (event.starts.timestamp(), event.number),
        Some("startTime") => {
            let message = "The requested ordering is not available for the particular query.";
            return Err(Refusal::bad("badRequest", message));
        }
        Some(_) => return Err(invalid_parameter("orderBy")),
    };
    let after = parameters
        .get("pageToken")
        .map(|token| read_token(token).ok_or_else(|| invalid_parameter("pageToken")));
    let after = after.transpose()?;
    let calendar = desk.calendar()?;
    let mut found: Vec<(Key, &Event)> = calendar
        .events
        .values()
        .filter(|event| filter.takes(event))
        .map(|event| (key(event), event))
        .filter(|(key, _)| after.is_none_or(|after| *key > after))
        .collect();
    found.sort_by_key(|(key, _)| *key);
    let more = found.len() > size;
    found.truncate(size);
    let base = desk.asked.base(desk.state);
    let around = Surroundings { base: &base, calendar };
    let items: Vec<Value> = found.iter().map(|(_, event)| event.shown(&around)).collect();
    let updated = DateTime::from_timestamp_micros(calendar.version).unwrap_or(desk.now);
    let mut page = json!({
        "kind": "calendar#events",
        "etag": format!("\"{}\"", calendar.version * 2),
        "summary": calendar.summary,
        "description": "",
        "updated": updated.to_rfc3339_opts(SecondsFormat::Millis, true),
        "timeZone": calendar.time_zone.name(),
        "accessRole": "owner",
        "defaultReminders": [{"method": "popup", "minutes": 30}],
        "items": items,
    });
    if let Some((key, _)) = found.last().filter(|_| more) {
        page["nextPageToken"] = page_token(*key).into();
    }
    Ok(Answer::json(StatusCode::OK, &page))
}

fn page_token(key: Key) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}:{}", key.0, key.1))
}

fn read_token(token: &str) -> Option<Key> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (first, second) = text.split_once(':')?;
    Some((first.parse().ok()?, second.parse().ok()?))
}

fn invalid_parameter(name: &'static str) -> Refusal {
    Refusal::bad("invalidParameter", &format!("Invalid value for parameter '{name}'."))
        .at("parameter", name)
}

impl Filter {
    fn read(parameters: &Parameters) -> Result<Self, Refusal> {
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
        Ok(Self {
            private: pairs("privateExtendedProperty")?,
            shared: pairs("sharedExtendedProperty")?,
            words: parameters.get("q").map(str::to_lowercase),
            ical_uid: parameters.get("iCalUID").map(str::to_owned),
            time_min: time("timeMin")?,
            time_max: time("timeMax")?,
            updated_min: time("updatedMin")?,
            deleted: parameters.get("showDeleted") == Some("true"),
        })
    }

    fn takes(&self, event: &Event) -> bool {
        let has = |kind: &str, pairs: &[(String, String)]| {
            let properties = event.fields.get("extendedProperties");
            pairs
                .iter()
                .all(|(key, value)| properties.is_some_and(|all| all[kind][key] == value.as_str()))
        };
        let says = |word: &str| {
            let texts = ["summary", "description", "location"]
                .iter()
                .filter_map(|name| event.fields.get(*name));
            texts.filter_map(Value::as_str).any(|text| text.to_lowercase().contains(word))
        };
        let changed = self.updated_min.is_none_or(|least| event.updated >= least);
        // A change since `updatedMin` shows deletions too, whatever `showDeleted` says.
        (!event.cancelled || self.deleted || self.updated_min.is_some())
            && changed
            && self.time_min.is_none_or(|least| event.ends > least)
            && self.time_max.is_none_or(|most| event.starts < most)
            && self.ical_uid.as_ref().is_none_or(|uid| *uid == event.ical_uid)
            && self.words.as_deref().is_none_or(says)
            && has("private", &self.private)
            && has("shared", &self.shared)
    }
}
