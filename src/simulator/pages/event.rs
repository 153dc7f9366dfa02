//! One event, with everything the API tells of it.

use askama::Template;
use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::happenings::{Happening, happening};
use crate::simulator::Simulator;
use crate::simulator::call::{self, Asked};
use crate::simulator::event::{Surroundings, read_link_id};

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
    recurrence: Vec<String>,
    guests: Vec<Guest>,
    properties: Vec<(&'static str, String, String)>,
    facts: Vec<(&'static str, String)>,
    json: String,
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
        Some((calendar, calendar.events.get(&event)?))
    });
    let Some((calendar, event)) = found else {
        return call::unknown_path().into_response();
    };
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
        recurrence: texts(&shown["recurrence"]),
        guests: items(&shown["attendees"]).map(guest).collect(),
        properties: properties(&shown),
        facts: facts.into_iter().filter(|(_, value)| !value.is_empty()).collect(),
        json: format!("{shown:#}"),
        what,
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
