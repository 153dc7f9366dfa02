//! `calendar.freebusy.query`: when calendars are taken, without saying by what.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value, json};

use super::Simulator;
use super::answer::{Answer, Refusal};
use super::calendar::{Calendar, Role};
use super::call::{Asked, Call, Desk, Routes};
use super::event::Event;
use super::instances::Range;

/// `calendar.events` is not among them.
const SCOPES: &[&str] =
    &["calendar", "calendar.readonly", "calendar.freebusy", "calendar.events.freebusy"];

/// Google refuses ranges of more than about three months.
const LONGEST_RANGE_DAYS: i64 = 92;
const MOST_CALENDARS: i64 = 50;
const MOST_IN_GROUP: i64 = 100;

/// A time of something, its end excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
}

impl Span {
    /// The part of it that lies in `other`, if any.
    fn within(self, other: Self) -> Option<Self> {
        let span = Self { start: self.start.max(other.start), end: self.end.min(other.end) };
        (span.start < span.end).then_some(span)
    }
}

pub(super) fn routes() -> Routes {
    Router::new().route("/calendar/v3/freeBusy", post(query))
}

async fn query(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let call = Call { method: "calendar.freebusy.query", ..Call::default() };
    simulator.calendar_call(asked, call, SCOPES, do_query).await
}

fn do_query(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    let body = desk.json()?;
    let range = range(&body)?;
    let zone = match body.get("timeZone") {
        None | Some(Value::Null) => None,
        Some(zone) => {
            Some(zone.as_str().and_then(|name| name.parse::<Tz>().ok()).ok_or_else(|| {
                Refusal::bad("invalid", "Invalid time zone definition.").at("parameter", "timeZone")
            })?)
        }
    };
    let most = limit(&body, "calendarExpansionMax", MOST_CALENDARS)?;
    // There are no groups here, so their limit is only read.
    limit(&body, "groupExpansionMax", MOST_IN_GROUP)?;
    let ids = ids(&body)?;
    let too_many = i64::try_from(ids.len()).is_ok_and(|count| count > most);
    let mut calendars = BTreeMap::new();
    for id in ids {
        let shown = match visible(desk, id) {
            _ if too_many => failed("tooManyCalendarsRequested"),
            None => failed("notFound"),
            Some(calendar) => {
                let busy = merged(busy_spans(calendar, range));
                let busy: Vec<Value> = busy.into_iter().map(|span| shown(span, zone)).collect();
                json!({"busy": busy})
            }
        };
        calendars.insert(id, shown);
    }
    let body = json!({
        "kind": "calendar#freeBusy",
        "timeMin": range.start.to_rfc3339_opts(SecondsFormat::Millis, true),
        "timeMax": range.end.to_rfc3339_opts(SecondsFormat::Millis, true),
        "calendars": calendars,
    });
    Ok(Answer::json(StatusCode::OK, &body))
}

fn range(body: &Map<String, Value>) -> Result<Span, Refusal> {
    let time = |name: &'static str, missing: &str| match body.get(name) {
        None | Some(Value::Null) => Err(Refusal::bad("required", missing).at("parameter", name)),
        Some(value) => value
            .as_str()
            .and_then(|text| DateTime::parse_from_rfc3339(text).ok())
            .map(|moment| moment.to_utc())
            .ok_or_else(|| Refusal::bad("badRequest", "Bad Request").at("parameter", name)),
    };
    let start = time("timeMin", "Missing timeMin parameter.")?;
    let end = time("timeMax", "Missing timeMax parameter.")?;
    let refuse = |reason, message| {
        let refusal = Refusal::new(StatusCode::BAD_REQUEST, "calendar", reason, message);
        Err(refusal.at("parameter", "timeMax"))
    };
    if end <= start {
        return refuse("timeRangeEmpty", "The specified time range is empty.");
    }
    if end - start > TimeDelta::days(LONGEST_RANGE_DAYS) {
        return refuse("timeRangeTooLong", "The requested time range is too long.");
    }
    Ok(Span { start, end })
}

fn limit(body: &Map<String, Value>, name: &'static str, most: i64) -> Result<i64, Refusal> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(most),
        Some(value) => value
            .as_i64()
            .filter(|wanted| (1..=most).contains(wanted))
            .ok_or_else(|| Refusal::bad("invalid", "Invalid Value").at("parameter", name)),
    }
}

fn ids(body: &Map<String, Value>) -> Result<Vec<&str>, Refusal> {
    let items = match body.get("items") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(items) => items.as_array(),
    };
    let ids = items.and_then(|items| items.iter().map(|item| item["id"].as_str()).collect());
    ids.ok_or_else(|| Refusal::bad("required", "Required").at("parameter", "items"))
}

/// The calendar, if the caller may know when it is taken: others, and groups, of which there are
/// none, are not found.
fn visible<'a>(desk: &'a Desk<'_>, id: &str) -> Option<&'a Calendar> {
    let user = desk.user();
    let id = if id == "primary" { user } else { id };
    let calendar = desk.state.calendars.get(id)?;
    may_see_free_busy(user, calendar).then_some(calendar)
}

/// Whether `user` may know when `calendar` is taken.
fn may_see_free_busy(user: &str, calendar: &Calendar) -> bool {
    calendar.role(user) >= Role::FreeBusyReader
}

/// When events of `calendar` take time of its owner within `range`, each for itself.
fn busy_spans(calendar: &Calendar, range: Span) -> Vec<Span> {
    let takes_time = |event: &&Event| {
        let is = |name: &str, value: &str| event.fields.get(name).is_some_and(|has| has == value);
        !is("transparency", "transparent")
            && !is("eventType", "workingLocation")
            && !is_declined(event, &calendar.id)
    };
    let live = calendar.events.live().filter(takes_time);
    let spans = live.flat_map(|event| spans(calendar, event, range));
    spans.filter_map(|span| span.within(range)).collect()
}

/// When an event is, or, if it is a series, its instances that may meet `range`. An exception is an
/// event of its own.
fn spans(calendar: &Calendar, event: &Event, range: Span) -> Vec<Span> {
    let Some(series) = event.series.as_deref() else {
        return vec![Span { start: event.starts, end: event.ends }];
    };
    let wanted = Range { least: Some(range.start), most: Some(range.end) };
    let occurrences = event.occurrences(series, wanted, range.start);
    let own = occurrences.filter(|moment| !calendar.has_exception(event, *moment));
    own.map(|moment| calendar.span(event, moment)).map(|(start, end)| Span { start, end }).collect()
}

fn is_declined(event: &Event, guest: &str) -> bool {
    let guests = event.fields.get("attendees").and_then(Value::as_array);
    guests
        .into_iter()
        .flatten()
        .any(|invited| invited["email"] == guest && invited["responseStatus"] == "declined")
}

/// Spans that meet or overlap, as one.
fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut merged: Vec<Span> = Vec::new();
    for span in spans {
        match merged.last_mut().filter(|last| span.start <= last.end) {
            Some(last) => last.end = last.end.max(span.end),
            None => merged.push(span),
        }
    }
    merged
}

fn failed(reason: &str) -> Value {
    json!({"errors": [{"domain": "global", "reason": reason}], "busy": []})
}

/// In UTC, unless another zone was asked for.
fn shown(span: Span, zone: Option<Tz>) -> Value {
    let text = |moment: DateTime<Utc>| match zone {
        None => moment.to_rfc3339_opts(SecondsFormat::Secs, true),
        Some(zone) => moment.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Secs, true),
    };
    json!({"start": text(span.start), "end": text(span.end)})
}
