//! `calendar.events`: insert, get, patch, update and delete.

use std::collections::BTreeSet;

use axum::Router;
use axum::extract::{Path, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, patch, post, put};
use chrono::TimeDelta;
use serde_json::{Map, Value};

use super::Simulator;
use super::answer::{Answer, Refusal};
use super::calendar::{Calendar, Role};
use super::call::{Asked, Call, Desk, Routes};
use super::conference::{Conference, Progress, Wish};
use super::event::{Event, Surroundings};
use super::event_body::{Checked, checked, merged};
use super::event_list;
use super::fault::{FaultKind, Stage};
use super::generator::{BASE32HEX, LETTERS};
use super::guests::OF_THE_ORGANIZER;
use super::ledger::Mail;
use super::listing::invalid_parameter;
use super::scopes::{READ_EVENTS, WRITE_EVENTS};

pub(super) fn routes() -> Routes {
    let collection = post(insert).get(list);
    let item = get(read).merge(patch(amend)).merge(put(replace)).delete(delete);
    Router::new()
        .route("/calendar/v3/calendars/{calendar}/events", collection)
        .route("/calendar/v3/calendars/{calendar}/events/{event}", item)
}

fn call(method: &'static str, calendar: String, event: Option<String>) -> Call {
    Call { method, calendar: Some(calendar), event, ..Call::default() }
}

async fn insert(
    Shared(simulator): Shared<Simulator>,
    Path(calendar): Path<String>,
    asked: Asked,
) -> Response {
    let wanted = serde_json::from_slice::<Value>(&asked.body).ok();
    let event = wanted.and_then(|body| body["id"].as_str().map(str::to_owned));
    let call = call("calendar.events.insert", calendar, event);
    simulator.calendar_call(asked, call, WRITE_EVENTS, do_insert).await
}

async fn list(
    Shared(simulator): Shared<Simulator>,
    Path(calendar): Path<String>,
    asked: Asked,
) -> Response {
    let call = call("calendar.events.list", calendar, None);
    simulator.calendar_call(asked, call, READ_EVENTS, event_list::list).await
}

async fn read(
    Shared(simulator): Shared<Simulator>,
    Path(place): Path<(String, String)>,
    asked: Asked,
) -> Response {
    let call = call("calendar.events.get", place.0, Some(place.1));
    simulator.calendar_call(asked, call, READ_EVENTS, do_get).await
}

async fn amend(
    Shared(simulator): Shared<Simulator>,
    Path(place): Path<(String, String)>,
    asked: Asked,
) -> Response {
    let call = call("calendar.events.patch", place.0, Some(place.1));
    simulator.calendar_call(asked, call, WRITE_EVENTS, do_patch).await
}

async fn replace(
    Shared(simulator): Shared<Simulator>,
    Path(place): Path<(String, String)>,
    asked: Asked,
) -> Response {
    let call = call("calendar.events.update", place.0, Some(place.1));
    simulator.calendar_call(asked, call, WRITE_EVENTS, do_update).await
}

async fn delete(
    Shared(simulator): Shared<Simulator>,
    Path(place): Path<(String, String)>,
    asked: Asked,
) -> Response {
    let call = call("calendar.events.delete", place.0, Some(place.1));
    simulator.calendar_call(asked, call, WRITE_EVENTS, do_delete).await
}

impl Desk<'_> {
    /// In whose name the call is made; nobody's before the token was looked at.
    pub(super) fn user(&self) -> &str {
        self.call.user.as_deref().unwrap_or_default()
    }

    fn event(&self) -> Result<&Event, Refusal> {
        let id = self.call.event.as_deref().unwrap_or_default();
        self.calendar()?.events.get(id).ok_or_else(Refusal::not_found)
    }

    /// How the caller wants events of `calendar` to be shown.
    pub(super) fn surroundings<'a>(
        &'a self,
        base: &'a str,
        calendar: &'a Calendar,
    ) -> Result<Surroundings<'a>, Refusal> {
        let parameters = &self.asked.parameters;
        let zone = match parameters.get("timeZone") {
            None => None,
            Some(name) => Some(name.parse().map_err(|_| invalid_parameter("timeZone"))?),
        };
        let most_guests = match parameters.get("maxAttendees").map(str::parse::<usize>) {
            None => None,
            Some(Ok(most)) if most > 0 => Some(most),
            Some(_) => return Err(invalid_parameter("maxAttendees")),
        };
        Ok(Surroundings { base, calendar, user: self.user(), zone, most_guests })
    }

    fn shown(&self, event: &Event) -> Result<Answer, Refusal> {
        let base = self.asked.base(self.state);
        let body = event.shown(&self.surroundings(&base, self.calendar()?)?);
        Ok(self.told(&event.etag(), &body))
    }

    fn parameter_is(&self, name: &str, value: &str) -> bool {
        self.asked.parameters.get(name) == Some(value)
    }

    /// Puts `event` in place of what was there, and tells how it stands now.
    fn store(&mut self, event: Event) -> Result<Event, Refusal> {
        let (calendar, id) = (self.calendar()?.id.clone(), event.id.clone());
        self.state.change_event(&calendar, event, self.now);
        self.committed = true;
        self.calendar()?.events.get(&id).cloned().ok_or_else(Refusal::not_found)
    }

    /// The conference after a body that wishes `wish`.
    fn conference(&mut self, wish: Wish, had: Option<Conference>) -> Option<Conference> {
        match wish {
            Wish::Keep => had,
            Wish::Remove => None,
            Wish::Create { request_id }
                if had.as_ref().is_some_and(|had| had.request_id == request_id) =>
            {
                had
            }
            Wish::Create { request_id } => {
                let mut part = |length| self.state.generator.letters(LETTERS, length);
                let code = format!("{}-{}-{}", part(3), part(4), part(3));
                let target = self.call.target();
                let progress = match self.state.strike(Stage::Meet, &target, self.now) {
                    None => Progress::Ready,
                    Some(strike) if strike.kind == FaultKind::MeetPending => {
                        Progress::Pending { ready_at: self.now + strike.takes }
                    }
                    Some(_) => Progress::Failed,
                };
                Some(Conference { request_id, code, progress })
            }
        }
    }

    fn conference_wish(&self, body: &Map<String, Value>) -> Result<Wish, Refusal> {
        if self.parameter_is("conferenceDataVersion", "1") {
            Wish::read(body.get("conferenceData"))
        } else {
            Ok(Wish::Keep)
        }
    }

    /// Writes down the mails about a change: the organizer's go to the guests, a guest's answer goes to
    /// the organizer.
    fn mail_change(&mut self, stored: &Event, event: &Event) {
        if self.call.calendar.as_ref() != Some(&event.organizer) {
            if stored.attendees() != event.attendees() || stored.cancelled != event.cancelled {
                self.mail(event, [event.organizer.clone()], "response");
            }
            return;
        }
        let (had, has) = (stored.guests(), event.guests());
        let (kept, gone): (Vec<_>, Vec<_>) =
            had.iter().cloned().partition(|guest| has.contains(guest) && !event.cancelled);
        self.mail(event, gone, "cancellation");
        if !event.cancelled {
            self.mail(event, kept, "update");
            let new = has.into_iter().filter(|guest| !had.contains(guest));
            self.mail(event, new, "invitation");
        }
    }

    /// Writes down the mails to the guests, as far as `sendUpdates` asks for them.
    fn mail(
        &mut self,
        event: &Event,
        guests: impl IntoIterator<Item = String>,
        kind: &'static str,
    ) {
        let everybody = self.parameter_is("sendUpdates", "all")
            || self.parameter_is("sendNotifications", "true");
        if !(everybody || self.parameter_is("sendUpdates", "externalOnly")) {
            return;
        }
        let calendar = self.call.calendar.clone().unwrap_or_default();
        for to in guests {
            let is_owner = to == calendar;
            let has_account = self.state.user(&to).is_some();
            if !is_owner && (everybody || !has_account) {
                let event = event.id.clone();
                self.state.mail(Mail {
                    time: self.now,
                    to,
                    kind,
                    calendar: calendar.clone(),
                    event,
                });
            }
        }
    }
}

fn do_insert(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    let zone = desk.calendar_as(Role::Writer)?.time_zone;
    let body = desk.json()?;
    let id = match body.get("id") {
        None | Some(Value::Null) => None,
        Some(Value::String(id)) if is_event_id(id) => Some(id.clone()),
        Some(_) => return Err(Refusal::bad("invalid", "Invalid resource id value.")),
    };
    let Checked { mut fields, starts, ends } = checked(merged(&Map::new(), &body), zone)?;
    let wish = desk.conference_wish(&body)?;
    if let Some(id) = &id
        && desk.calendar()?.events.get(id).is_some()
    {
        let message = "The requested identifier already exists.";
        return Err(Refusal::new(StatusCode::CONFLICT, "global", "duplicate", message));
    }
    let id = id.unwrap_or_else(|| desk.state.generator.letters(BASE32HEX, 26));
    desk.call.event = Some(id.clone());
    let cancelled = fields.get("status").is_some_and(|status| status == "cancelled");
    if cancelled {
        fields.remove("status");
    }
    let user = desk.call.user.clone().unwrap_or_default();
    let event = Event {
        ical_uid: body
            .get("iCalUID")
            .and_then(Value::as_str)
            .map_or_else(|| format!("{id}@google.com"), str::to_owned),
        id,
        number: desk.state.number(),
        created: desk.now,
        updated: desk.now,
        version: 0,
        sequence: body.get("sequence").and_then(Value::as_i64).unwrap_or(0),
        creator: user,
        organizer: desk.calendar()?.id.clone(),
        private_copy: body.get("privateCopy") == Some(&Value::Bool(true)),
        cancelled,
        starts,
        ends,
        fields,
        conference: desk.conference(wish, None),
        before: None,
    };
    let event = desk.store(event)?;
    desk.mail(&event, event.guests(), "invitation");
    desk.shown(&event)
}

fn is_event_id(id: &str) -> bool {
    (5..=1024).contains(&id.len()) && id.bytes().all(|byte| BASE32HEX.contains(&byte))
}

fn do_get(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    desk.calendar_as(Role::Reader)?;
    let mut event = desk.event()?.clone();
    if let Some(strike) = desk.state.strike(Stage::Read, &desk.call.target(), desk.now)
        && is_fresh(&event, desk, strike.takes)
    {
        event = *event.before.ok_or_else(Refusal::not_found)?;
    }
    desk.shown(&event)
}

fn is_fresh(event: &Event, desk: &Desk<'_>, span: TimeDelta) -> bool {
    event.version > (desk.now - span).timestamp_micros()
}

fn do_patch(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    change(desk, |stored| stored.fields.clone(), false)
}

fn do_update(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    change(desk, |_| Map::new(), true)
}

/// Changes an event: the body is merged into what `basis` keeps of it. `whole` bodies of version 1
/// that name no conference remove it.
fn change(
    desk: &mut Desk<'_>,
    basis: fn(&Event) -> Map<String, Value>,
    whole: bool,
) -> Result<Answer, Refusal> {
    let zone = desk.calendar_as(Role::Writer)?.time_zone;
    let body = desk.json()?;
    let stored = desk.event()?.clone();
    desk.expect(&stored.etag())?;
    if body
        .get("sequence")
        .and_then(Value::as_i64)
        .is_some_and(|sequence| sequence < stored.sequence)
    {
        let message = "Invalid sequence value. The specified sequence number is below the current sequence \
            number of the resource. Re-fetch the resource and use its sequence number on the following request.";
        return Err(Refusal::bad("invalid", message));
    }
    let Checked { mut fields, starts, ends } = checked(merged(&basis(&stored), &body), zone)?;
    let cancelled = match fields.get("status").and_then(Value::as_str) {
        Some("cancelled") => {
            fields.remove("status");
            true
        }
        Some(_) if body.contains_key("status") => false,
        _ => stored.cancelled,
    };
    let wish = match desk.conference_wish(&body)? {
        Wish::Keep
            if whole
                && desk.parameter_is("conferenceDataVersion", "1")
                && !body.contains_key("conferenceData") =>
        {
            Wish::Remove
        }
        wish => wish,
    };
    let conference = desk.conference(wish, stored.conference.clone());
    let differs = |name: &str| fields.get(name) != stored.fields.get(name);
    if stored.organizer != desk.calendar()?.id
        && OF_THE_ORGANIZER.iter().any(|name| body.contains_key(*name) && differs(name))
    {
        let message = "Shared properties can only be changed by the organizer of the event.";
        let (status, reason) = (StatusCode::FORBIDDEN, "forbiddenForNonOrganizer");
        return Err(Refusal::new(status, "calendar", reason, message));
    }
    let moved = differs("start") || differs("end") || differs("recurrence");
    let names: BTreeSet<&String> = fields.keys().chain(stored.fields.keys()).collect();
    let touched: Vec<&String> = names.into_iter().filter(|name| differs(name)).collect();
    let same =
        touched.is_empty() && conference == stored.conference && cancelled == stored.cancelled;
    if same {
        return desk.shown(&stored);
    }
    // Reminders are the caller's own affair: they do not count as a change of the event.
    let private = !touched.is_empty() && touched.iter().all(|name| *name == "reminders");
    let event = Event {
        updated: if private { stored.updated } else { desk.now },
        sequence: stored.sequence + i64::from(moved),
        cancelled,
        starts,
        ends,
        fields,
        conference,
        ..stored.clone()
    };
    let event = desk.store(event)?;
    desk.mail_change(&stored, &event);
    desk.shown(&event)
}

fn do_delete(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    desk.calendar_as(Role::Writer)?;
    let stored = desk.event()?.clone();
    if stored.cancelled {
        return Err(Refusal::new(
            StatusCode::GONE,
            "global",
            "deleted",
            "Resource has been deleted",
        ));
    }
    desk.expect(&stored.etag())?;
    let event = desk.store(Event { cancelled: true, updated: desk.now, ..stored.clone() })?;
    desk.mail_change(&stored, &event);
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}
