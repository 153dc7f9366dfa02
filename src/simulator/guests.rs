//! Copies of an event on the calendars of its guests.
//!
//! The organizer's copy is the one that counts: what changes there goes to every guest who has an
//! account here. What a guest changes stays on the guest's own copy, except for the answer to the
//! invitation, further guests if the organizer lets guests invite others, and everything if the
//! organizer lets guests modify the event. A later change of the organizer's takes a guest's own
//! edits away.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::event::Event;
use super::state::State;

/// Answers to an event with more guests than this stay on the guest's own copy.
const ANSWERED_GUESTS: usize = 200;
/// What belongs to one calendar's copy of an event, and to no other.
const OF_THE_COPY: &[&str] = &["colorId", "reminders", "transparency", "visibility"];
/// What only the organizer may change.
pub(super) const OF_THE_ORGANIZER: &[&str] =
    &["anyoneCanAddSelf", "guestsCanInviteOthers", "guestsCanModify", "guestsCanSeeOtherGuests"];

impl State {
    /// Changes an event, and with it its copies, or, if it is a guest's copy, what the guest may
    /// change of the event itself.
    pub(super) fn change_event(&mut self, calendar: &str, event: Event, now: DateTime<Utc>) {
        let (id, organizer) = (event.id.clone(), event.organizer.clone());
        let before = self.calendars.get(calendar).and_then(|found| found.events.get(&id));
        let had = before.map(Event::guests).unwrap_or_default();
        let alone = event.private_copy;
        self.put_event(calendar, event, now);
        if alone {
            return;
        }
        if organizer == calendar {
            self.spread(calendar, &id, &had, None, now);
        } else {
            self.carry_back(calendar, &id, &organizer, now);
        }
    }

    /// Brings the copies of an organizer's event into line with it, but for the one on `actor`'s
    /// calendar. `had` were its guests before.
    fn spread(
        &mut self,
        calendar: &str,
        id: &str,
        had: &[String],
        actor: Option<&str>,
        now: DateTime<Utc>,
    ) {
        let original = self.calendars.get(calendar).and_then(|found| found.events.get(id));
        let Some(original) = original.cloned() else { return };
        let guests = original.guests();
        let removed = had.iter().filter(|guest| !guests.contains(guest));
        for guest in guests.iter().chain(removed) {
            let Some(theirs) = self.calendars.get(guest).filter(|found| found.id != calendar)
            else {
                continue;
            };
            if actor == Some(guest) {
                continue;
            }
            let copy = theirs.events.get(id);
            // An event of the guest's own has the id: the invitation does not find its place.
            if copy.is_some_and(|copy| copy.ical_uid != original.ical_uid) {
                continue;
            }
            let gone = original.cancelled || !guests.contains(guest);
            let next = match copy {
                // What a guest deleted stays away until the guest is invited anew.
                Some(copy) if copy.cancelled && (gone || had.contains(guest)) => continue,
                Some(copy) => {
                    let next = copy.follow(&original, gone);
                    if !differs(copy, &next) {
                        continue;
                    }
                    next
                }
                // One instance less of a series that the guest has.
                None if gone => {
                    let place = original.exception.as_ref();
                    let series = place.and_then(|place| theirs.events.get(&place.master));
                    if series.is_none_or(|series| series.cancelled) {
                        continue;
                    }
                    Event { cancelled: true, ..original.invitation(self.number()) }
                }
                None => original.invitation(self.number()),
            };
            self.put_event(guest, next, now);
        }
    }

    /// Carries what a guest may change from the guest's copy to the event itself.
    fn carry_back(&mut self, guest: &str, id: &str, organizer: &str, now: DateTime<Utc>) {
        let event_of = |state: &Self, calendar: &str| {
            let found = state.calendars.get(calendar)?;
            found.event(id).map(std::borrow::Cow::into_owned)
        };
        let (Some(copy), Some(original)) = (event_of(self, guest), event_of(self, organizer))
        else {
            return;
        };
        if original.cancelled || original.ical_uid != copy.ical_uid {
            return;
        }
        let had = original.guests();
        let mut changed = original.clone();
        if original.says("guestsCanModify") && !copy.cancelled {
            changed = original.follow(&copy, false);
        }
        changed.fields.insert("attendees".to_owned(), answered(&original, &copy, guest));
        if changed.fields == original.fields && changed.conference == original.conference {
            return;
        }
        changed.updated = now;
        let attendees = changed.fields.get("attendees").cloned();
        self.put_event(organizer, changed, now);
        if let Some(attendees) = attendees.filter(|_| !copy.cancelled) {
            let mut copy = copy;
            if copy.fields.insert("attendees".to_owned(), attendees.clone()) != Some(attendees) {
                self.put_event(guest, copy, now);
            }
        }
        self.spread(organizer, id, &had, Some(guest), now);
    }
}

/// The guests of `original` after what `guest`'s copy says: the guest's own answer, and further
/// guests if those may be invited by guests. A deleted copy declines.
fn answered(original: &Event, copy: &Event, guest: &str) -> Value {
    let mut guests = original.attendees().to_vec();
    let mine = copy.attendees().iter().find(|attendee| attendee["email"] == guest);
    let counted = guests.len() <= ANSWERED_GUESTS;
    for attendee in guests.iter_mut().filter(|attendee| attendee["email"] == guest && counted) {
        if copy.cancelled {
            attendee["responseStatus"] = "declined".into();
        } else if let Some(mine) = mine {
            *attendee = mine.clone();
        }
    }
    if original.fields.get("guestsCanInviteOthers") != Some(&Value::Bool(false)) {
        let known = original.guests();
        let further = copy.attendees().iter().filter(|attendee| {
            attendee["email"].as_str().is_some_and(|email| !known.iter().any(|one| one == email))
        });
        guests.extend(further.cloned());
    }
    json!(guests)
}

fn differs(copy: &Event, next: &Event) -> bool {
    copy.fields != next.fields
        || copy.cancelled != next.cancelled
        || copy.conference != next.conference
        || copy.sequence != next.sequence
        || copy.organizer != next.organizer
}

impl Event {
    /// The copy of this event that an invitation puts on a guest's calendar.
    fn invitation(&self, number: u64) -> Self {
        let mut fields = shared(&self.fields);
        for name in ["transparency", "visibility"] {
            if let Some(value) = self.fields.get(name) {
                fields.insert(name.to_owned(), value.clone());
            }
        }
        Self { number, fields, before: None, ..self.clone() }
    }

    /// This copy as it is once `other`, another copy of the same event, has changed: what belongs to
    /// this copy alone stays.
    fn follow(&self, other: &Self, cancelled: bool) -> Self {
        let mut fields = shared(&other.fields);
        for name in OF_THE_COPY {
            if let Some(value) = self.fields.get(*name) {
                fields.insert((*name).to_owned(), value.clone());
            }
        }
        let own = self.fields.get("extendedProperties").and_then(|kinds| kinds.get("private"));
        if let Some(own) = own {
            fields.entry("extendedProperties").or_insert_with(|| json!({}))["private"] =
                own.clone();
        }
        Self { number: self.number, fields, cancelled, before: None, ..other.clone() }
    }
}

/// Of the members of an event, those that all its copies share.
fn shared(fields: &Map<String, Value>) -> Map<String, Value> {
    let mut fields = fields.clone();
    fields.retain(|name, _| !OF_THE_COPY.contains(&name.as_str()));
    if let Some(Value::Object(kinds)) = fields.get_mut("extendedProperties") {
        kinds.remove("private");
        if kinds.is_empty() {
            fields.remove("extendedProperties");
        }
    }
    fields
}
