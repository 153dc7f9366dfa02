//! The members of an event at Google that are ours to write, and what is left to others.

use chrono::NaiveDate;
use serde_json::{Map, Value, json};

use super::copy::{Copy, STAMP_EVENT, STAMP_FINGERPRINT, STAMP_NAMESPACE, Stamp};
use crate::model::event::{Alert, Color, Content, Guest, Meeting, Part, Transparency, Visibility};
use crate::model::id::base32hex;
use crate::model::timing::Timing;
use crate::model::when::Moment;

/// What is sent of an event.
pub type Members = Map<String, Value>;

/// What a guest takes along to another event.
const CARRIED: [&str; 7] = [
    "email",
    "displayName",
    "optional",
    "resource",
    "responseStatus",
    "comment",
    "additionalGuests",
];

/// How much of a meeting of the caller's own Google takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A conference, with a button to join it.
    AsConference,
    /// No conference: the address is written where people look for a place.
    AsText,
}

/// The members of a new event. `inherited` are the guests of the one that it goes on from, who come along
/// with all they answered. `request` asks for a Meet link, if one is wanted.
pub fn new_members(
    content: &Content,
    stamp: &Stamp,
    inherited: &[Value],
    request: Option<&str>,
    shown: Shown,
) -> Members {
    let mut members = said(content, stamp, shown);
    let inherited: Vec<Value> = inherited.iter().filter_map(come_along).collect();
    let guests = merged(&inherited, content);
    if !guests.is_empty() {
        members.insert("attendees".into(), guests.into());
    }
    let conference = request.map(conference_request).or_else(|| own_conference(content, shown));
    if let Some(conference) = conference {
        members.insert("conferenceData".into(), conference);
    }
    members
}

/// The members that make an event of `copy` that says `content`: what is wanted no longer is cleared,
/// and what people put there beside it is not mentioned. Guests stay with all they answered; if none
/// comes or goes, they are not mentioned at all. `request` asks for a Meet link, if there is none.
pub fn changed_members(
    content: &Content,
    stamp: &Stamp,
    copy: &Copy,
    request: Option<&str>,
    shown: Shown,
) -> Members {
    let mut members = said(content, stamp, shown);
    for part in &content.leaving.parts {
        let (name, nothing) = cleared(*part);
        members.entry(name).or_insert(nothing);
    }
    let guests = merged(&copy.attendees, content);
    if guests != copy.attendees {
        members.insert("attendees".into(), guests.into());
    }
    let there = matches!(&content.meeting, Meeting::Own { uri, .. } if copy.conference.is_at(uri));
    let own = own_conference(content, shown).filter(|_| !there);
    if let Some(conference) = request.map(conference_request).or(own) {
        members.insert("conferenceData".into(), conference);
    }
    members
}

/// What asks Google for a Meet link. A `request_id` that it has seen before is ignored.
pub fn conference_request(request_id: &str) -> Value {
    json!({
        "createRequest": {
            "requestId": request_id,
            "conferenceSolutionKey": { "type": "hangoutsMeet" },
        }
    })
}

/// What the content says, whatever was there.
fn said(content: &Content, stamp: &Stamp, shown: Shown) -> Members {
    let mut members = Members::new();
    let mut say = |name: &str, value: Value| drop(members.insert(name.into(), value));
    let (start, end) = points(&content.timing);
    let (description, location) = texts(content, shown);
    say("summary", content.summary.clone().into());
    say("start", start);
    say("end", end);
    say("extendedProperties", json!({ "private": private(stamp) }));
    if !description.is_empty() {
        say("description", description.into());
    }
    if !location.is_empty() {
        say("location", location.into());
    }
    if let Some(recurrence) = &content.recurrence {
        say("recurrence", recurrence.lines().into());
    }
    if let Some(color) = content.color {
        say("colorId", color_id(color).into());
    }
    if content.visibility != Visibility::Default {
        say("visibility", content.visibility.as_str().into());
    }
    if content.transparency != Transparency::Opaque {
        say("transparency", content.transparency.as_str().into());
    }
    if let Some(alerts) = &content.alerts {
        let alerts: Vec<Value> = alerts.iter().copied().map(reminder).collect();
        say("reminders", json!({ "useDefault": false, "overrides": alerts }));
    }
    members
}

/// What an event is told that shall have no such part any more.
fn cleared(part: Part) -> (&'static str, Value) {
    match part {
        Part::Description => ("description", Value::Null),
        Part::Location => ("location", Value::Null),
        Part::Recurrence => ("recurrence", Value::Null),
        Part::Color => ("colorId", Value::Null),
        Part::Visibility => ("visibility", Visibility::Default.as_str().into()),
        Part::Transparency => ("transparency", Transparency::Opaque.as_str().into()),
        Part::Alerts => ("reminders", json!({ "useDefault": true, "overrides": [] })),
        Part::Meeting => ("conferenceData", Value::Null),
    }
}

/// Notes and place. Where Google takes no conference, the way to it stands in the first of them that
/// is free.
fn texts(content: &Content, shown: Shown) -> (String, String) {
    let (description, location) = (content.description.clone(), content.location.clone());
    match &content.meeting {
        Meeting::Own { uri, .. } if shown == Shown::AsText && location.is_empty() => {
            (description, uri.clone())
        }
        Meeting::Own { uri, .. } if shown == Shown::AsText => {
            (format!("{description}\n\n{uri}").trim_start().to_owned(), location)
        }
        Meeting::Own { .. } | Meeting::Meet | Meeting::None => (description, location),
    }
}

/// Those present without those who are to go, each as they were but for what we say of them, and after
/// them the guests who are not among them yet.
fn merged(present: &[Value], content: &Content) -> Vec<Value> {
    let key = |attendee: &Value| attendee["email"].as_str().unwrap_or_default().to_lowercase();
    let stays = |attendee: &&Value| !content.leaving.guests.contains(&key(attendee));
    let mut all: Vec<Value> = present.iter().filter(stays).cloned().collect();
    for guest in &content.guests {
        match all.iter_mut().find(|attendee| key(attendee) == guest.key()) {
            Some(there) if there["optional"].as_bool().unwrap_or(false) != guest.optional => {
                there["optional"] = guest.optional.into();
            }
            Some(_) => {}
            None => all.push(invitation(guest)),
        }
    }
    all
}

/// A guest of another event, as one of a new one: what Google itself says of a guest is left to it. Nobody,
/// where there is no address to invite.
fn come_along(attendee: &Value) -> Option<Value> {
    attendee["email"].as_str()?;
    let carried = |name: &str, value: &Value| match name {
        "optional" | "resource" => value.is_boolean(),
        "additionalGuests" => value.as_i64().is_some_and(|more| i32::try_from(more).is_ok()),
        _ => value.is_string(),
    };
    let members = CARRIED.iter().map(|name| (*name, &attendee[*name]));
    let members = members.filter(|(name, value)| carried(name, value));
    Some(members.map(|(name, value)| (name.to_owned(), value.clone())).collect())
}

fn invitation(guest: &Guest) -> Value {
    if guest.optional {
        return json!({ "email": guest.email, "optional": true });
    }
    json!({ "email": guest.email })
}

fn reminder(alert: Alert) -> Value {
    json!({ "method": alert.by().as_str(), "minutes": alert.minutes() })
}

/// The caller's own conference, if it has one and Google takes it.
fn own_conference(content: &Content, shown: Shown) -> Option<Value> {
    let Meeting::Own { uri, label } = &content.meeting else { return None };
    if shown == Shown::AsText {
        return None;
    }
    let mut entry = json!({ "entryPointType": "video", "uri": uri });
    let name = if label.is_empty() { "Online meeting" } else { label };
    if !label.is_empty() {
        entry["label"] = label.as_str().into();
    }
    Some(json!({
        "conferenceSolution": { "key": { "type": "addOn" }, "name": name },
        "entryPoints": [entry],
    }))
}

/// Google's number of a colour.
fn color_id(color: Color) -> String {
    let place = Color::ALL.iter().position(|other| *other == color);
    place.map_or(0, |place| place + 1).to_string()
}

fn private(stamp: &Stamp) -> Value {
    json!({
        STAMP_EVENT: stamp.event.to_string(),
        STAMP_NAMESPACE: stamp.namespace,
        STAMP_FINGERPRINT: base32hex(&stamp.fingerprint),
    })
}

/// Beginning and end as Google takes them. What the other kind would have is cleared, in case it was
/// the other kind before.
fn points(timing: &Timing) -> (Value, Value) {
    let day = |day: NaiveDate| json!({ "date": day, "dateTime": null, "timeZone": null });
    match timing {
        Timing::Span(span) => (moment(span.start()), moment(span.end())),
        Timing::Days(days) => (day(days.first()), day(days.after())),
    }
}

fn moment(moment: &Moment) -> Value {
    json!({
        "dateTime": moment.instant().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
        "timeZone": moment.zone().map(chrono_tz::Tz::name),
        "date": null,
    })
}
