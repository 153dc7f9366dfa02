//! One event, or instance of a series, with everything the API tells of it.

use askama::Template;
use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use chrono_tz::UTC;
use serde_json::Value;

use super::happenings::{Happening, happening};
use super::repetition;
use crate::simulator::Simulator;
use crate::simulator::calendar::Calendar;
use crate::simulator::call::{self, Asked};
use crate::simulator::event::{Event, Surroundings, event_link_id, read_link_id};

#[derive(Template)]
#[template(path = "simulator/event.html")]
struct EventPage {
    calendar: String,
    summary: String,
    month: String,
    zone: &'static str,
    what: Happening,
    place: String,
    description: String,
    repetition: Option<Repetition>,
    guests: Vec<Guest>,
    properties: Vec<(&'static str, String, String)>,
    facts: Vec<(&'static str, String)>,
    json: String,
}

/// How the event, or the series it belongs to, repeats.
struct Repetition {
    words: Option<String>,
    lines: Vec<String>,
    /// Of an instance, the page of its series.
    series: Option<String>,
    /// Of an instance that was moved, when the series has it begin.
    planned: Option<String>,
}

struct Guest {
    email: String,
    name: String,
    answer: &'static str,
    role: &'static str,
}

pub(super) async fn show(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let state = simulator.state();
    let place = asked.parameters.get("eid").and_then(read_link_id);
    let found = place.and_then(|(event, calendar)| {
        let calendar = state.calendars.get(&calendar)?;
        Some((calendar, calendar.event(&event)?))
    });
    let Some((calendar, event)) = found else {
        return call::unknown_path().into_response();
    };
    let event = event.as_ref();
    let base = asked.base(&state);
    let shown = event.shown(&Surroundings::of_owner(&base, calendar));
    let what = happening(event, calendar);
    let text = |name: &str| shown[name].as_str().unwrap_or_default().to_owned();
    let facts = [
        ("Id", text("id")),
        ("ETag", text("etag")),
        ("iCalUID", text("iCalUID")),
        ("Status", text("status")),
        ("Kind", text("eventType")),
        ("Sequence", shown["sequence"].to_string()),
        ("Organizer", shown["organizer"]["email"].as_str().unwrap_or_default().to_owned()),
        ("Created", text("created")),
        ("Updated", text("updated")),
    ];
    super::page(&EventPage {
        calendar: calendar.id.clone(),
        summary: calendar.summary.clone(),
        month: what.days.0.format("%Y-%m").to_string(),
        zone: calendar.time_zone.name(),
        place: text("location"),
        description: text("description"),
        repetition: repetition(event, calendar),
        guests: items(&shown["attendees"]).map(guest).collect(),
        properties: properties(&shown),
        facts: facts.into_iter().filter(|(_, value)| !value.is_empty()).collect(),
        json: format!("{shown:#}"),
        what,
    })
}

fn repetition(event: &Event, calendar: &Calendar) -> Option<Repetition> {
    let place = event.exception.as_ref();
    let master = place.map_or(Some(event), |place| calendar.events.get(&place.master))?;
    let series = master.series.as_deref()?;
    let (zone, form) = if master.is_all_day() {
        (UTC, "%a %-d %b %Y")
    } else {
        (calendar.time_zone, "%a %-d %b %Y, %H:%M")
    };
    let original = place.map(|place| place.original);
    let moved = original.filter(|original| calendar.span(master, *original).0 != event.starts);
    let link = |_| format!("/calendar/event?eid={}", event_link_id(&master.id, &calendar.id));
    Some(Repetition {
        words: repetition::in_words(series, zone),
        lines: texts(master.fields.get("recurrence").unwrap_or(&Value::Null)),
        series: place.map(link),
        planned: moved.map(|planned| planned.with_timezone(&zone).format(form).to_string()),
    })
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn texts(value: &Value) -> Vec<String> {
    items(value).filter_map(Value::as_str).map(str::to_owned).collect()
}

fn guest(guest: &Value) -> Guest {
    let text = |name: &str| guest[name].as_str().unwrap_or_default().to_owned();
    Guest {
        email: text("email"),
        name: text("displayName"),
        answer: match guest["responseStatus"].as_str() {
            Some("accepted") => "accepted",
            Some("declined") => "declined",
            Some("tentative") => "maybe",
            _ => "no answer yet",
        },
        role: match (guest["organizer"] == true, guest["optional"] == true) {
            (true, _) => "organizer",
            (false, true) => "optional",
            (false, false) => "",
        },
    }
}

fn properties(shown: &Value) -> Vec<(&'static str, String, String)> {
    let of = |kind: &'static str| {
        let members = shown["extendedProperties"][kind].as_object();
        members.into_iter().flatten().map(move |(key, value)| {
            (kind, key.clone(), value.as_str().unwrap_or_default().to_owned())
        })
    };
    of("private").chain(of("shared")).collect()
}
