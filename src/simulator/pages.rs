//! Pages to look at: every calendar, one calendar, one event, and what was asked lately.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State as Shared};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::Simulator;
use super::answer::Answer;
use super::calendar::Calendar;
use super::call::{self, Asked, Routes};
use super::event::{Event, read_link_id};
use super::ledger::{Answered, Entry};
use super::state::State;

/// Calls shown below the calendars.
const CALLS_SHOWN: usize = 50;
/// Events shown of a calendar: the coming ones first.
const EVENTS_SHOWN: usize = 100;

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/", get(front))
        .route("/calendar/{user}", get(calendar))
        .route("/calendar/event", get(event))
        .route("/simulator/style.css", get(style))
}

#[derive(Template)]
#[template(path = "simulator/front.html")]
struct FrontPage {
    now: String,
    calendars: Vec<CalendarView>,
    calls: Vec<CallView>,
}

#[derive(Template)]
#[template(path = "simulator/event.html")]
struct EventPage {
    calendar: String,
    event: EventView,
}

struct CalendarView {
    owner: String,
    zone: &'static str,
    events: Vec<EventView>,
    over: usize,
}

struct EventView {
    id: String,
    title: String,
    description: String,
    place: String,
    day: String,
    time: String,
    guests: Vec<String>,
    meet: Option<String>,
    meet_state: &'static str,
    link: String,
    cancelled: bool,
}

struct CallView {
    number: u64,
    time: String,
    method: &'static str,
    user: String,
    event: String,
    answered: String,
    good: bool,
    committed: bool,
    faults: String,
}

async fn front(Shared(simulator): Shared<Simulator>) -> Response {
    let state = simulator.state();
    let now = simulator.now();
    let calendars = state.calendars.values().map(|calendar| view(calendar, now)).collect();
    page(&front_page(&state, calendars, now))
}

async fn calendar(Shared(simulator): Shared<Simulator>, Path(user): Path<String>) -> Response {
    let state = simulator.state();
    let now = simulator.now();
    match state.calendars.get(&user) {
        Some(calendar) => page(&front_page(&state, vec![view(calendar, now)], now)),
        None => call::unknown_path().into_response(),
    }
}

async fn event(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let state = simulator.state();
    let place = asked.parameters.get("eid").and_then(read_link_id);
    let found = place.and_then(|(event, calendar)| {
        let calendar = state.calendars.get(&calendar)?;
        Some((calendar, calendar.events.get(&event)?))
    });
    match found {
        Some((calendar, event)) => {
            page(&EventPage { calendar: calendar.id.clone(), event: event_view(event, calendar) })
        }
        None => call::unknown_path().into_response(),
    }
}

async fn style() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "max-age=3600"),
    ];
    (headers, include_str!("../../setup-ui/simulator/style.css")).into_response()
}

fn page(page: &impl Template) -> Response {
    let body = page.render().expect("a page of plain texts can be rendered");
    Answer::html(StatusCode::OK, body).with(header::CACHE_CONTROL, "no-store").into_response()
}

fn front_page(state: &State, calendars: Vec<CalendarView>, now: DateTime<Utc>) -> FrontPage {
    let calls = state.ledger.entries().rev().take(CALLS_SHOWN).map(call_view).collect();
    FrontPage { now: now.format("%a %-d %b %Y, %H:%M:%S UTC").to_string(), calendars, calls }
}

fn view(calendar: &Calendar, now: DateTime<Utc>) -> CalendarView {
    let mut live: Vec<&Event> = calendar.events.live().collect();
    live.sort_by_key(|event| (event.ends < now, event.starts, event.number));
    let over = live.len().saturating_sub(EVENTS_SHOWN);
    let events =
        live.into_iter().take(EVENTS_SHOWN).map(|event| event_view(event, calendar)).collect();
    CalendarView { owner: calendar.owner.clone(), zone: calendar.time_zone.name(), events, over }
}

fn event_view(event: &Event, calendar: &Calendar) -> EventView {
    let text =
        |name: &str| event.fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let starts = event.starts.with_timezone(&calendar.time_zone);
    let ends = event.ends.with_timezone(&calendar.time_zone);
    let whole_days = event.fields.get("start").is_some_and(|start| start.get("date").is_some());
    let conference = event.conference.as_ref();
    EventView {
        id: event.id.clone(),
        title: Some(text("summary"))
            .filter(|title| !title.is_empty())
            .unwrap_or_else(|| "(No title)".to_owned()),
        description: text("description"),
        place: text("location"),
        day: starts.format("%a %-d %b %Y").to_string(),
        time: if whole_days {
            "All day".to_owned()
        } else {
            format!(
                "{}–{} {}",
                starts.format("%H:%M"),
                ends.format("%H:%M"),
                calendar.time_zone.name()
            )
        },
        guests: event.guests(),
        meet: conference.and_then(super::conference::Conference::link),
        meet_state: conference.map_or("", super::conference::Conference::status),
        link: format!(
            "/calendar/event?eid={}",
            super::event::event_link_id(&event.id, &calendar.id)
        ),
        cancelled: event.cancelled,
    }
}

fn call_view(entry: &Entry) -> CallView {
    let (answered, good) = match entry.answered {
        Answered::Status(status) => (status.to_string(), status < 400),
        Answered::Cut => ("cut".to_owned(), false),
    };
    CallView {
        number: entry.number,
        time: entry.time.format("%H:%M:%S%.3f").to_string(),
        method: entry.method,
        user: entry.user.clone().unwrap_or_default(),
        event: entry.event.clone().or_else(|| entry.grant_type.clone()).unwrap_or_default(),
        answered,
        good,
        committed: entry.committed,
        faults: entry.faults.join(", "),
    }
}
