//! Reminders as callers write them, and what they ask for of lists.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Array, ArrayBuilder, Object, SchemaType, Type};
use validator::{Validate, ValidateEmail};

use super::super::categories::owner_of;
use super::super::events::members::{Faults, Member};
use super::super::events::{read_aim, read_category};
use super::super::openapi::{Calendar, Id, Line, Moment, User, Zone, word, words};
use super::super::problem::Problem;
use crate::app::access::Caller;
use crate::app::events::Said;
use crate::app::items::Asked;
use crate::app::reminders::{ReminderDraft, ReminderEdit, State};
use crate::model::id::{EventId, ItemId};
use crate::model::invalid::Invalid;
use crate::model::item::{Noun, Thing};
use crate::model::owner::Owner;
use crate::model::reminder::{Reminder, Way, When};
use crate::model::timing::Timing;
use crate::model::when::{read_instant, zone_named};

/// No mail goes to more addresses.
const MOST_ADDRESSES: usize = 10;
/// No address is longer, in bytes.
const LONGEST_ADDRESS: usize = 254;
/// No occurrence is put off for longer, in minutes: a year.
const LONGEST_SNOOZE: i64 = 525_600;

/// A reminder to be made: with `at`, or with `minutes_before` and a `task` or an `event`.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({
    "title": "Call the plumber",
    "at": "2030-05-02T09:00:00",
    "time_zone": "Europe/Lisbon",
    "deliver": ["google"]
})))]
pub struct NewReminder {
    /// What it reminds of: the subject of its mail, and the title of its entry.
    #[validate(
        required(message = "is required: what it reminds of"),
        length(min = 1, max = 1000, message = "1 to 1,000 characters")
    )]
    #[schema(required, value_type = String, min_length = 1, max_length = 1000)]
    title: Option<String>,
    /// Plain text.
    #[validate(length(max = 4096, message = "at most 4,096 characters"))]
    #[schema(max_length = 4096)]
    text: Option<String>,
    /// A date and a time. One that has passed is told at once, unless it is older than
    /// `reminders.catch_up_hours`; of a series, nothing that has passed is.
    #[schema(value_type = Option<Moment>)]
    at: Option<String>,
    /// For `at`; of what is told before whole days, where they begin at midnight.
    #[schema(value_type = Option<Zone>)]
    time_zone: Option<String>,
    #[schema(schema_with = words::dst)]
    dst: Option<String>,
    /// `RRULE`, `RDATE` and `EXDATE` lines, for `at`.
    #[schema(value_type = Option<Vec<Line>>, max_items = 20)]
    recurrence: Option<Vec<String>>,
    /// How long before the task is due, or before it or the event begins.
    #[schema(minimum = 0, maximum = 40320)]
    minutes_before: Option<u32>,
    /// The id of the task that it belongs to: it moves with it, and is silent once that is done.
    #[schema(value_type = Option<Id>)]
    task: Option<String>,
    /// The id of the event that it belongs to: it moves with it, and is silent once that is cancelled.
    #[schema(value_type = Option<Id>)]
    event: Option<String>,
    /// `mail`, `google` (an entry in the calendar), or both.
    #[schema(schema_with = ways)]
    deliver: Option<Vec<String>>,
    /// Who gets the mail, none of whom sees the others; the address of the owner's connected account if it is left
    /// out.
    #[schema(min_items = 1, max_items = 10)]
    to: Option<Vec<String>>,
    /// Whether the mail tells what the 24 hours from its moment on hold: the owner's events and open tasks, and
    /// what is overdue. For `at`.
    digest: Option<bool>,
    #[schema(value_type = Option<Id>)]
    category: Option<String>,
    #[schema(value_type = Option<Calendar>)]
    calendar: Option<String>,
    meet: Option<bool>,
    /// Whose it is; the caller's own if it is left out.
    #[schema(value_type = Option<User>)]
    user: Option<String>,
}

/// What may be changed of a reminder. Null takes away what it need not have. One that has a moment of
/// its own keeps having one, and one that is told before something stays with it.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "title": "Call the electrician", "text": null })))]
pub struct ReminderChange {
    #[validate(length(min = 1, max = 1000, message = "1 to 1,000 characters"))]
    #[schema(min_length = 1, max_length = 1000)]
    title: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 4096)]
    text: Member<String>,
    #[schema(value_type = Option<Moment>)]
    at: Option<String>,
    #[schema(value_type = Option<Zone>)]
    time_zone: Option<String>,
    #[schema(schema_with = words::dst)]
    dst: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<Vec<Line>>, max_items = 20)]
    recurrence: Member<Vec<String>>,
    #[schema(minimum = 0, maximum = 40320)]
    minutes_before: Option<u32>,
    #[schema(schema_with = ways)]
    deliver: Option<Vec<String>>,
    /// Null for the address of the owner's connected account.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, min_items = 1, max_items = 10)]
    to: Member<Vec<String>>,
    /// Null, as false, for a mail that tells the text alone.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    digest: Member<bool>,
    #[serde(default)]
    #[schema(value_type = Option<Id>)]
    category: Member<String>,
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    meet: Member<bool>,
}

/// Until when it is put off: one of the two.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReminderSnooze)]
pub struct Snooze {
    /// From now on.
    #[schema(minimum = 1, maximum = 525_600)]
    minutes: Option<i64>,
    /// RFC 3339, of the years 1970 to 2099.
    #[schema(format = DateTime)]
    until: Option<String>,
}

/// Which reminders are to be listed.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// Whose; the caller's own if it is left out.
    #[param(value_type = Option<User>)]
    pub user: Option<String>,
    /// `scheduled`, `over` or `dismissed`.
    #[param(schema_with = states)]
    pub state: Option<String>,
    /// The id of the task that they belong to.
    #[param(value_type = Option<Id>)]
    pub task: Option<String>,
    /// The id of the event that they belong to.
    #[param(value_type = Option<Id>)]
    pub event: Option<String>,
    /// Next due no earlier: RFC 3339, of the years 1970 to 2099.
    #[param(format = DateTime)]
    pub from: Option<String>,
    /// Next due earlier than this: RFC 3339, of the years 1970 to 2099.
    #[param(format = DateTime)]
    pub to: Option<String>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
    /// How many at most, 1 to 500; 100 if it is left out.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<usize>,
}

fn ways() -> Array {
    let types = SchemaType::from_iter([Type::Array, Type::Null]);
    let ways = ArrayBuilder::new().schema_type(types).items(word(Way::ALL.map(Way::as_str)));
    ways.min_items(Some(1)).build()
}

fn states() -> Object {
    word(State::ALL.map(State::as_str))
}

/// A reminder to be made, from what was written.
pub fn read(caller: &Caller, body: NewReminder) -> Result<ReminderDraft, Problem> {
    let mut faults = Faults::default();
    let of = faults.keep_all(read_thing(body.task.as_deref(), body.event.as_deref()));
    let when = faults.keep_all(read_when(&body));
    let ways = faults.keep(body.deliver.map(|ways| read_ways(&ways)).transpose());
    let to = faults.keep_all(body.to.map(read_addresses).transpose());
    let category = faults.keep(body.category.as_deref().map(read_category).transpose());
    let aim = faults.keep_all(read_aim(body.user, None, body.calendar));
    match (of, when, aim) {
        (Some(of), Some(when), Some(aim)) if faults.is_empty() => Ok(ReminderDraft {
            owner: aim.user.map_or_else(|| caller.owner.clone(), Owner::User),
            of,
            category: category.flatten(),
            ways: ways.flatten(),
            reminder: Reminder {
                title: body.title.unwrap_or_default(),
                text: body.text.unwrap_or_default(),
                when,
                ways: BTreeSet::new(),
                to: to.flatten().unwrap_or_default(),
                digest: body.digest.unwrap_or_default(),
                meet: body.meet,
                calendar: aim.calendar,
                snoozed: None,
                ringing: None,
                dealt: None,
                dismissed: false,
                events: 0,
            },
        }),
        _ => Err(faults.problem()),
    }
}

/// What is to be different, from what was written.
pub fn read_change(body: ReminderChange) -> Result<ReminderEdit, Problem> {
    let mut faults = Faults::default();
    let (zone, dst) = (body.time_zone.as_deref(), body.dst.as_deref());
    let first = faults.keep_all(read_first(body.at.as_deref(), zone, dst));
    let minutes = body.minutes_before.map(|minutes| When::before(minutes, None).map(|_| minutes));
    let minutes = faults.keep(minutes.transpose());
    let ways = faults.keep(body.deliver.map(|ways| read_ways(&ways)).transpose());
    let to = faults.keep_all(body.to.read(read_addresses));
    let category = faults.keep(body.category.read(|id| read_category(&id)));
    let text = faults.keep(body.text.read(read_text));
    if !faults.is_empty() {
        return Err(faults.problem());
    }
    Ok(ReminderEdit {
        title: body.title,
        text: text.and_then(Member::or_default),
        first: first.flatten(),
        recurrence: body.recurrence.into(),
        minutes: minutes.flatten(),
        ways: ways.flatten(),
        to: to.and_then(Member::or_default),
        digest: body.digest.or_default(),
        meet: body.meet.into(),
        category: category.map_or(Said::Nothing, Said::from),
    })
}

/// Until when an occurrence is put off, from what was written.
pub fn read_snooze(body: &Snooze, now: DateTime<Utc>) -> Result<DateTime<Utc>, Invalid> {
    match (body.minutes, body.until.as_deref()) {
        (Some(minutes @ 1..=LONGEST_SNOOZE), None) => Ok(now + chrono::TimeDelta::minutes(minutes)),
        (Some(_), None) => Err(Invalid::new("minutes", "1 to 525,600, which is a year")),
        (None, Some(until)) => read_instant("until", until),
        (Some(_), Some(_)) => {
            Err(Invalid::new("until", "cannot stand beside `minutes`: write one of them"))
        }
        (None, None) => Err(Invalid::new("minutes", "is required, unless there is `until`")),
    }
}

/// When a reminder comes due.
fn read_when(body: &NewReminder) -> Result<When, Vec<Invalid>> {
    let relative = body.task.is_some() || body.event.is_some();
    let (zone, dst) = (body.time_zone.as_deref(), body.dst.as_deref());
    match (&body.at, body.minutes_before) {
        (Some(at), None) if !relative => When::at(at, zone, dst, body.recurrence.as_deref()),
        (Some(_), _) => {
            let rule = "cannot stand beside `task`, `event` or `minutes_before`: a reminder has a \
                        moment of its own, or is told before something";
            Err(vec![Invalid::new("at", rule)])
        }
        (None, Some(minutes)) if relative => {
            let alone = [("recurrence", body.recurrence.is_some()), ("dst", dst.is_some())];
            let rule = "means nothing without `at`: leave it out";
            let mut faults: Vec<_> = alone
                .into_iter()
                .filter(|(_, written)| *written)
                .map(|(field, _)| Invalid::new(field, rule))
                .collect();
            let zone = zone.map(|name| zone_named("time_zone", name)).transpose();
            let when = zone.and_then(|zone| When::before(minutes, zone));
            when.map_err(|fault| faults.push(fault))
                .ok()
                .filter(|_| faults.is_empty())
                .ok_or(faults)
        }
        (None, Some(_)) => {
            Err(vec![Invalid::new("minutes_before", "means nothing without `task` or `event`")])
        }
        (None, None) if relative => {
            let rule = "is required with `task` and `event`: how many minutes before";
            Err(vec![Invalid::new("minutes_before", rule)])
        }
        (None, None) => {
            let rule = "is required, unless there are `minutes_before` and a `task` or an `event`";
            Err(vec![Invalid::new("at", rule)])
        }
    }
}

/// The moment of its own, if one was written.
fn read_first(
    at: Option<&str>,
    zone: Option<&str>,
    dst: Option<&str>,
) -> Result<Option<Timing>, Vec<Invalid>> {
    if let Some(at) = at {
        return match When::at(at, zone, dst, None)? {
            When::At { first, .. } => Ok(Some(first)),
            When::Before { .. } => Ok(None),
        };
    }
    let alone = [("time_zone", zone), ("dst", dst)];
    let faults: Vec<_> = alone
        .into_iter()
        .filter(|(_, written)| written.is_some())
        .map(|(field, _)| Invalid::new(field, "means nothing without `at`: add it"))
        .collect();
    if faults.is_empty() { Ok(None) } else { Err(faults) }
}

/// What a reminder belongs to, if anything is named.
fn read_thing(task: Option<&str>, event: Option<&str>) -> Result<Option<Thing>, Vec<Invalid>> {
    let id = |field: &'static str| Invalid::new(field, "an id: 26 characters of 0-9 and a-v");
    match (task, event) {
        (None, None) => Ok(None),
        (Some(task), None) => {
            task.parse::<ItemId>().map(|task| Some(Thing::Item(task))).map_err(|_| vec![id("task")])
        }
        (None, Some(event)) => event
            .parse::<EventId>()
            .map(|event| Some(Thing::Event(event)))
            .map_err(|_| vec![id("event")]),
        (Some(_), Some(_)) => {
            Err(vec![Invalid::new("event", "cannot stand beside `task`: make two reminders")])
        }
    }
}

fn read_ways(written: &[String]) -> Result<BTreeSet<Way>, Invalid> {
    if written.is_empty() {
        return Err(Invalid::new("deliver", "`mail`, `google` or both"));
    }
    written.iter().map(|name| name.parse()).collect()
}

fn read_addresses(written: Vec<String>) -> Result<Vec<String>, Vec<Invalid>> {
    if !(1..=MOST_ADDRESSES).contains(&written.len()) {
        return Err(vec![Invalid::new("to", "1 to 10 addresses")]);
    }
    let mut faults = Vec::new();
    for (index, address) in written.iter().enumerate() {
        let again = written[..index].iter().any(|other| other.eq_ignore_ascii_case(address));
        if address.len() > LONGEST_ADDRESS || !address.validate_email() {
            let rule = "an e-mail address, such as test@example.com";
            faults.push(Invalid::new(format!("to/{index}"), rule));
        } else if again {
            let rule = "is there already: name each address once";
            faults.push(Invalid::new(format!("to/{index}"), rule));
        }
    }
    if faults.is_empty() { Ok(written) } else { Err(faults) }
}

fn read_text(text: String) -> Result<String, Invalid> {
    if text.chars().count() > 4_096 {
        return Err(Invalid::new("text", "at most 4,096 characters"));
    }
    Ok(text)
}

/// Which reminders are asked for, from what was written, and what they belong to.
pub fn read_asked(caller: &Caller, listing: Listing) -> Result<(Asked, Option<Thing>), Problem> {
    let mut faults = Faults::default();
    let owner = faults.keep(owner_of(caller, listing.user));
    let state = faults.keep(listing.state.map(|name| name.parse::<State>()).transpose());
    let of = faults.keep_all(read_thing(listing.task.as_deref(), listing.event.as_deref()));
    let moment =
        |field, text: Option<String>| text.map(|text| read_instant(field, &text)).transpose();
    let from = faults.keep(moment("from", listing.from));
    let to = faults.keep(moment("to", listing.to));
    let (Some(owner), true) = (owner, faults.is_empty()) else { return Err(faults.problem()) };
    let asked = Asked {
        state: state.flatten().map(State::number),
        from: from.flatten(),
        to: to.flatten(),
        ..Asked::all(Noun::Reminder, owner)
    };
    Ok((asked, of.flatten()))
}
