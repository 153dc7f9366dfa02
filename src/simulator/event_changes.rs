//! `calendar.events`: insert, patch, update and delete.

use axum::http::StatusCode;
use serde_json::{Map, Value};

use super::answer::{Answer, Refusal};
use super::calendar::Role;
use super::call::Desk;
use super::conference::Wish;
use super::event::Event;
use super::event_body::{Checked, checked, merged};
use super::event_kinds;
use super::generator::BASE32HEX;
use super::guests::OF_THE_ORGANIZER;

pub(super) fn insert(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    desk.calendar_as(Role::Writer)?;
    let body = desk.json()?;
    desk.check_service_account(&body)?;
    let id = match body.get("id") {
        None | Some(Value::Null) => None,
        Some(Value::String(id)) if is_event_id(id) => Some(id.clone()),
        Some(_) => return Err(Refusal::bad("invalid", "Invalid resource id value.")),
    };
    let checked = desk.checked_event(&Map::new(), &body, None)?;
    let wish = desk.conference_wish(&body)?;
    if let Some(id) = &id
        && desk.calendar()?.events.get(id).is_some()
    {
        return Err(taken());
    }
    let id = id.unwrap_or_else(|| desk.state.generator.letters(BASE32HEX, 26));
    let uid = body.get("iCalUID").and_then(Value::as_str);
    let uid = uid.map_or_else(|| format!("{id}@google.com"), str::to_owned);
    desk.call.event = Some(id.clone());
    let mut event = desk.new_event(id, uid, checked)?;
    event.sequence = body.get("sequence").and_then(Value::as_i64).unwrap_or(0);
    event.private_copy = body.get("privateCopy") == Some(&Value::Bool(true));
    event.conference = desk.conference(wish, None);
    let event = desk.store(event)?;
    desk.mail(&event, event.guests(), "invitation");
    desk.shown(&event)
}

fn is_event_id(id: &str) -> bool {
    (5..=1024).contains(&id.len()) && id.bytes().all(|byte| BASE32HEX.contains(&byte))
}

/// 409: an event has the id, or had it.
pub(super) fn taken() -> Refusal {
    let message = "The requested identifier already exists.";
    Refusal::new(StatusCode::CONFLICT, "global", "duplicate", message)
}

impl Desk<'_> {
    /// What an event holds after `body` is merged into `basis`. `before` is the event as it stands.
    pub(super) fn checked_event(
        &self,
        basis: &Map<String, Value>,
        body: &Map<String, Value>,
        before: Option<&Event>,
    ) -> Result<Checked, Refusal> {
        let calendar = self.calendar()?;
        let mut fields = merged(basis, body);
        if !self.parameter_is("supportsAttachments", "true") {
            match before.and_then(|event| event.fields.get("attachments")) {
                Some(kept) => drop(fields.insert("attachments".to_owned(), kept.clone())),
                None => drop(fields.remove("attachments")),
            }
        }
        if let Some(before) = before
            && body.get("attendeesOmitted") == Some(&Value::Bool(true))
        {
            keep_other_guests(&mut fields, before);
        }
        if before.is_some_and(|event| event.exception.is_some()) {
            fields.remove("recurrence");
        }
        let mut checked = checked(fields, calendar.time_zone)?;
        event_kinds::check(&mut checked.fields, before.map(Event::kind), calendar.primary)?;
        Ok(checked)
    }

    /// A fresh event on the calendar asked for.
    pub(super) fn new_event(
        &mut self,
        id: String,
        ical_uid: String,
        checked: Checked,
    ) -> Result<Event, Refusal> {
        let Checked { mut fields, starts, ends, series } = checked;
        let cancelled = fields.get("status").is_some_and(|status| status == "cancelled");
        if cancelled {
            fields.remove("status");
        }
        Ok(Event {
            id,
            ical_uid,
            number: self.state.number(),
            created: self.now,
            updated: self.now,
            version: 0,
            sequence: 0,
            creator: self.user().to_owned(),
            organizer: self.calendar()?.id.clone(),
            private_copy: false,
            cancelled,
            starts,
            ends,
            fields,
            conference: None,
            series,
            earlier: Vec::new(),
            exception: None,
            before: None,
        })
    }
}

/// A body that omitted guests tells of those it names only.
fn keep_other_guests(fields: &mut Map<String, Value>, before: &Event) {
    let mut guests = before.attendees().to_vec();
    let named = fields.get("attendees").and_then(Value::as_array).cloned().unwrap_or_default();
    for guest in &mut guests {
        if let Some(named) = named.iter().find(|named| named["email"] == guest["email"]) {
            *guest = named.clone();
        }
    }
    fields.insert("attendees".to_owned(), guests.into());
}

pub(super) fn patch(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    change(desk, |stored| stored.fields.clone(), false)
}

pub(super) fn update(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    change(desk, |_| Map::new(), true)
}

/// Changes an event: the body is merged into what `basis` keeps of it. `whole` bodies of version 1
/// that name no conference remove it.
fn change(
    desk: &mut Desk<'_>,
    basis: fn(&Event) -> Map<String, Value>,
    whole: bool,
) -> Result<Answer, Refusal> {
    desk.calendar_as(Role::Writer)?;
    let body = desk.json()?;
    desk.check_service_account(&body)?;
    let stored = desk.event()?;
    desk.expect(&stored.etag())?;
    expect_sequence(&body, &stored)?;
    let checked = desk.checked_event(&basis(&stored), &body, Some(&stored))?;
    if stored.organizer != desk.calendar()?.id {
        expect_organizer(&body, &checked.fields, &stored)?;
    }
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
    let next = changed(&stored, &body, checked, desk);
    let event = Event { conference, ..next };
    let same = event.fields == stored.fields
        && event.conference == stored.conference
        && event.cancelled == stored.cancelled;
    if same {
        return desk.shown(&stored);
    }
    let event = desk.store(event)?;
    desk.mail_change(&stored, &event);
    desk.shown(&event)
}

fn expect_sequence(body: &Map<String, Value>, stored: &Event) -> Result<(), Refusal> {
    let given = body.get("sequence").and_then(Value::as_i64);
    if given.is_none_or(|given| given >= stored.sequence) {
        return Ok(());
    }
    let message = "Invalid sequence value. The specified sequence number is below the current sequence \
        number of the resource. Re-fetch the resource and use its sequence number on the following request.";
    Err(Refusal::bad("invalid", message))
}

/// A guest's copy does not take what only the organizer may change.
fn expect_organizer(
    body: &Map<String, Value>,
    fields: &Map<String, Value>,
    stored: &Event,
) -> Result<(), Refusal> {
    let changes =
        |name: &str| body.contains_key(name) && fields.get(name) != stored.fields.get(name);
    if !OF_THE_ORGANIZER.iter().any(|name| changes(name)) {
        return Ok(());
    }
    let message = "Shared properties can only be changed by the organizer of the event.";
    let (status, reason) = (StatusCode::FORBIDDEN, "forbiddenForNonOrganizer");
    Err(Refusal::new(status, "calendar", reason, message))
}

/// `stored` with these members.
fn changed(stored: &Event, body: &Map<String, Value>, checked: Checked, desk: &Desk<'_>) -> Event {
    let Checked { mut fields, starts, ends, series } = checked;
    let cancelled = match fields.get("status").and_then(Value::as_str) {
        Some("cancelled") => {
            fields.remove("status");
            true
        }
        Some(_) if body.contains_key("status") => false,
        _ => stored.cancelled,
    };
    // An instance that its series does not have any more cannot come back.
    let cancelled = cancelled || stored.exception.as_ref().is_some_and(|place| place.dropped);
    let differs = |name: &str| fields.get(name) != stored.fields.get(name);
    let moved = differs("start") || differs("end") || differs("recurrence");
    // Reminders are the caller's own affair: they do not count as a change of the event.
    let mut names = fields.keys().chain(stored.fields.keys());
    let private = differs("reminders") && names.all(|name| name == "reminders" || !differs(name));
    Event {
        updated: if private { stored.updated } else { desk.now },
        sequence: stored.sequence + i64::from(moved),
        cancelled,
        starts,
        ends,
        fields,
        series,
        ..stored.clone()
    }
}

pub(super) fn delete(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    desk.calendar_as(Role::Writer)?;
    let stored = desk.event()?;
    if stored.cancelled {
        let message = "Resource has been deleted";
        return Err(Refusal::new(StatusCode::GONE, "global", "deleted", message));
    }
    desk.expect(&stored.etag())?;
    let event = desk.store(Event { cancelled: true, updated: desk.now, ..stored.clone() })?;
    desk.mail_change(&stored, &event);
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}
