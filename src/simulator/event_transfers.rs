//! `calendar.events`: import and move.

use axum::http::StatusCode;
use data_encoding::BASE32HEX_NOPAD;
use serde_json::{Map, Value};

use super::answer::{Answer, Refusal};
use super::calendar::Role;
use super::call::Desk;
use super::event::Event;
use super::event_changes::taken;

/// Puts a private copy of an event from elsewhere onto the calendar, by its `iCalUID`: once more is a
/// change of it. Nobody is invited.
pub(super) fn import(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    desk.calendar_as(Role::Writer)?;
    let mut body = desk.json()?;
    let uid = body.get("iCalUID").and_then(Value::as_str).unwrap_or_default().to_owned();
    if uid.is_empty() {
        return Err(Refusal::bad("required", "Missing iCal UID."));
    }
    // Other kinds become plain events.
    body.remove("eventType");
    super::event_kinds::members().for_each(|member| drop(body.remove(member)));
    let id = id_of(&uid);
    let stored = desk.calendar()?.events.get(&id).cloned();
    let organizer = body.get("organizer").and_then(|organizer| organizer["email"].as_str());
    let organizer = match organizer {
        Some(email) => email.to_owned(),
        None => desk.calendar()?.id.clone(),
    };
    let checked = desk.checked_event(&Map::new(), &body, None)?;
    let wish = desk.conference_wish(&body)?;
    desk.call.event = Some(id.clone());
    let fresh = desk.new_event(id, uid, checked)?;
    let conference = desk.conference(wish, None);
    let mut event = Event { organizer, private_copy: true, conference, ..fresh };
    event.sequence = body.get("sequence").and_then(Value::as_i64).unwrap_or(0);
    if let Some(stored) = stored {
        event = Event { number: stored.number, created: stored.created, ..event };
    }
    let event = desk.store(event)?;
    desk.shown(&event)
}

/// The id under which an event of this `iCalUID` is kept: its own, if it was made here.
fn id_of(uid: &str) -> String {
    match uid.strip_suffix("@google.com") {
        Some(id) if !id.is_empty() => id.to_owned(),
        _ => format!("_{}", BASE32HEX_NOPAD.encode(uid.as_bytes()).to_ascii_lowercase()),
    }
}

/// Takes an event to another calendar, which is its organizer from then on.
pub(super) fn relocate(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    desk.calendar_as(Role::Writer)?;
    let stored = desk.event()?;
    if stored.cancelled {
        return Err(Refusal::not_found());
    }
    let parameter = desk.asked.parameters.get("destination").unwrap_or_default();
    if parameter.is_empty() {
        let refusal = Refusal::bad("required", "Required parameter: destination");
        return Err(refusal.at("parameter", "destination"));
    }
    let here = desk.calendar()?.id.clone();
    let there = if parameter == "primary" { desk.user().to_owned() } else { parameter.to_owned() };
    if stored.kind() != "default" {
        let message = "Events of this type cannot be moved.";
        return Err(Refusal::bad("invalid", message));
    }
    if stored.organizer != here {
        let message = "Only the organizer's copy of an event can be moved.";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "global", "forbidden", message));
    }
    let destination = desk.state.calendars.get(&there).ok_or_else(Refusal::not_found)?;
    if destination.role(desk.user()) < Role::Writer {
        return Err(Refusal::not_found());
    }
    let occupant = destination.events.get(&stored.id);
    if occupant.is_some_and(|occupant| !occupant.cancelled && occupant.ical_uid != stored.ical_uid)
    {
        return Err(taken());
    }
    if there == here {
        return desk.shown(&stored);
    }
    let exceptions: Vec<Event> = desk.calendar()?.exceptions(&stored.id).cloned().collect();
    let now = desk.now;
    let gone = Event { cancelled: true, updated: now, ..stored.clone() };
    desk.state.put_event(&here, gone, now);
    let number = desk.state.number();
    let moved = Event { organizer: there.clone(), number, updated: now, ..stored.clone() };
    desk.state.change_event(&there, moved, now);
    // The instances that differ from their series go with it.
    for exception in exceptions {
        let number = desk.state.number();
        let moved = Event { organizer: there.clone(), number, updated: now, ..exception };
        desk.state.change_event(&there, moved, now);
    }
    desk.committed = true;
    desk.call.calendar = Some(there);
    let event = desk.event()?;
    desk.mail(&event, event.guests(), "update");
    desk.shown(&event)
}
