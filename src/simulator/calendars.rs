//! `calendar.calendarList` and `calendar.calendars`, for reading.

use axum::Router;
use axum::extract::{Path, State as Shared};
use axum::http::{StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};

use super::Simulator;
use super::answer::{Answer, Refusal};
use super::call::{Asked, Call, Desk, Routes};
use super::scopes::{READ_CALENDAR_LIST, READ_CALENDARS};
use super::state::Calendar;

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/calendar/v3/users/me/calendarList", get(list))
        .route("/calendar/v3/users/me/calendarList/{calendar}", get(entry))
        .route("/calendar/v3/calendars/{calendar}", get(calendar))
}

async fn list(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let call = Call { method: "calendar.calendarList.list", ..Call::default() };
    simulator.calendar_call(asked, call, READ_CALENDAR_LIST, do_list).await
}

async fn entry(
    Shared(simulator): Shared<Simulator>,
    Path(calendar): Path<String>,
    asked: Asked,
) -> Response {
    let call =
        Call { method: "calendar.calendarList.get", calendar: Some(calendar), ..Call::default() };
    simulator.calendar_call(asked, call, READ_CALENDAR_LIST, do_entry).await
}

async fn calendar(
    Shared(simulator): Shared<Simulator>,
    Path(calendar): Path<String>,
    asked: Asked,
) -> Response {
    let call =
        Call { method: "calendar.calendars.get", calendar: Some(calendar), ..Call::default() };
    simulator.calendar_call(asked, call, READ_CALENDARS, do_calendar).await
}

#[expect(clippy::unnecessary_wraps, reason = "every work of a calendar call has this shape")]
fn do_list(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    let user = desk.call.user.as_ref();
    let own = desk.state.calendars.values().filter(|calendar| Some(&calendar.owner) == user);
    let items: Vec<Value> = own.map(shown_entry).collect();
    let body = json!({"kind": "calendar#calendarList", "etag": "\"1\"", "items": items});
    Ok(Answer::json(StatusCode::OK, &body))
}

fn do_entry(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    let calendar = desk.calendar()?;
    Ok(Answer::json(StatusCode::OK, &shown_entry(calendar)).with(header::ETAG, etag(calendar)))
}

fn do_calendar(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    let calendar = desk.calendar()?;
    let body = json!({
        "kind": "calendar#calendar",
        "etag": etag(calendar),
        "id": calendar.id,
        "summary": calendar.summary,
        "timeZone": calendar.time_zone.name(),
        "conferenceProperties": {"allowedConferenceSolutionTypes": ["hangoutsMeet"]},
    });
    Ok(Answer::json(StatusCode::OK, &body).with(header::ETAG, etag(calendar)))
}

fn etag(calendar: &Calendar) -> String {
    format!("\"{}\"", calendar.version * 2)
}

fn shown_entry(calendar: &Calendar) -> Value {
    let mails = ["eventCreation", "eventChange", "eventCancellation", "eventResponse"];
    let mails: Vec<Value> =
        mails.iter().map(|kind| json!({"method": "email", "type": kind})).collect();
    json!({
        "kind": "calendar#calendarListEntry",
        "etag": etag(calendar),
        "id": calendar.id,
        "summary": calendar.summary,
        "timeZone": calendar.time_zone.name(),
        "colorId": "14",
        "backgroundColor": "#9fe1e7",
        "foregroundColor": "#000000",
        "selected": true,
        "accessRole": "owner",
        "defaultReminders": [{"method": "popup", "minutes": 30}],
        "notificationSettings": {"notifications": mails},
        "primary": true,
        "conferenceProperties": {"allowedConferenceSolutionTypes": ["hangoutsMeet"]},
    })
}
