//! `calendar.colors`: the palettes that `colorId` of events and calendars points into.

use axum::Router;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Map, Value, json};

use super::Simulator;
use super::answer::{Answer, Refusal};
use super::call::{Asked, Call, Desk, Routes};

const SCOPES: &[&str] = &[
    "calendar",
    "calendar.readonly",
    "calendar.calendarlist",
    "calendar.calendarlist.readonly",
    "calendar.events.owned",
    "calendar.events.owned.readonly",
    "calendar.events.public.readonly",
    "calendar.events.freebusy",
    "calendar.app.created",
];

/// The backgrounds of ids 1, 2, ..; as Google has answered them since 2012.
const OF_CALENDARS: [&str; 24] = [
    "#ac725e", "#d06b64", "#f83a22", "#fa573c", "#ff7537", "#ffad46", "#42d692", "#16a765",
    "#7bd148", "#b3dc6c", "#fbe983", "#fad165", "#92e1c0", "#9fe1e7", "#9fc6e7", "#4986e7",
    "#9a9cff", "#b99aff", "#c2c2c2", "#cabdbf", "#cca6ac", "#f691b2", "#cd74e6", "#a47ae2",
];
const OF_EVENTS: [&str; 11] = [
    "#a4bdfc", "#7ae7bf", "#dbadff", "#ff887c", "#fbd75b", "#ffb878", "#46d6db", "#e1e1e1",
    "#5484ed", "#51b749", "#dc2127",
];
/// What can be read on every one of them.
pub(super) const FOREGROUND: &str = "#1d1d1d";

pub(super) fn routes() -> Routes {
    Router::new().route("/calendar/v3/colors", get(colors))
}

async fn colors(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let call = Call { method: "calendar.colors.get", ..Call::default() };
    simulator.calendar_call(asked, call, SCOPES, do_colors).await
}

#[expect(clippy::unnecessary_wraps, reason = "every work of a calendar call has this shape")]
fn do_colors(_: &mut Desk<'_>) -> Result<Answer, Refusal> {
    let body = json!({
        "kind": "calendar#colors",
        "updated": "2012-02-14T00:00:00.000Z",
        "calendar": palette(&OF_CALENDARS),
        "event": palette(&OF_EVENTS),
    });
    Ok(Answer::json(StatusCode::OK, &body))
}

/// The colour of a calendar that goes by this index.
pub(super) fn of_calendar(id: &str) -> Option<&'static str> {
    let place = id.parse::<usize>().ok()?.checked_sub(1)?;
    OF_CALENDARS.get(place).copied()
}

fn palette(backgrounds: &[&str]) -> Map<String, Value> {
    let numbered = (1..).zip(backgrounds);
    let colors = numbered.map(|(id, background)| {
        (id.to_string(), json!({"background": background, "foreground": FOREGROUND}))
    });
    colors.collect()
}
