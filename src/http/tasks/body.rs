//! Tasks as callers write them, and what they ask for of lists.

use serde::Deserialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;
use validator::Validate;

use super::super::categories::owner_of;
use super::super::events::members::{Faults, Member};
use super::super::events::{read_aim, read_category};
use super::super::openapi::{Calendar, Id, Line, Time, User, Zone, word, words};
use super::super::problem::Problem;
use crate::app::access::Caller;
use crate::app::events::Said;
use crate::app::items::Asked;
use crate::app::tasks::{State, TaskDraft, TaskEdit};
use crate::model::invalid::Invalid;
use crate::model::item::Noun;
use crate::model::owner::{Owner, UserId};
use crate::model::routine::Routine;
use crate::model::task::{Dates, Task};
use crate::model::timing::{Timing, Typed};
use crate::model::when::read_instant;

/// No notes are longer, in characters.
const LONGEST_NOTES: usize = 8_192;

/// A task to be made. `due`, or `start` and `end`, or none of them.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({
    "title": "Send the contract",
    "notes": "To **both** of them",
    "due": "2026-11-30T17:00:00",
    "time_zone": "Europe/Lisbon",
    "priority": "high"
})))]
pub struct NewTask {
    /// What is to be done.
    #[validate(
        required(message = "is required: what is to be done"),
        length(min = 1, max = 1000, message = "1 to 1,000 characters")
    )]
    #[schema(required, value_type = String, min_length = 1, max_length = 1000)]
    title: Option<String>,
    /// Markdown.
    #[validate(length(max = 8192, message = "at most 8,192 characters"))]
    #[schema(max_length = 8192)]
    notes: Option<String>,
    /// By when: a date and a time, or a day.
    #[schema(value_type = Option<Time>)]
    due: Option<String>,
    #[schema(value_type = Option<Time>)]
    start: Option<String>,
    #[schema(value_type = Option<Time>)]
    end: Option<String>,
    #[schema(value_type = Option<Zone>)]
    time_zone: Option<String>,
    #[schema(schema_with = words::dst)]
    dst: Option<String>,
    /// `RRULE`, `RDATE` and `EXDATE` lines, as those of events: they count from where the task's event
    /// begins, which is half an hour before a moment at which it is due.
    #[schema(value_type = Option<Vec<Line>>, max_items = 20)]
    recurrence: Option<Vec<String>>,
    #[schema(schema_with = words::priority)]
    priority: Option<String>,
    #[schema(value_type = Option<Id>)]
    category: Option<String>,
    /// Through whose account its event goes: `own`, its doer's, or `server`. Left out, it is the doer's
    /// own, and the event waits until there is one.
    #[schema(schema_with = words::connection)]
    connection: Option<String>,
    #[schema(value_type = Option<Calendar>)]
    calendar: Option<String>,
    meet: Option<bool>,
    #[schema(schema_with = words::completion)]
    completion: Option<String>,
    /// Whose it is; the caller's own if it is left out.
    #[schema(value_type = Option<User>)]
    user: Option<String>,
    /// Who does it, if not its owner: the event is in that user's calendar.
    #[schema(value_type = Option<User>)]
    assignee: Option<String>,
}

/// What may be changed of a task. Null takes away what it need not have; null as `due` or as `start`
/// takes its dates away.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "due": "2026-12-01", "priority": "normal" })))]
pub struct TaskChange {
    #[validate(length(min = 1, max = 1000, message = "1 to 1,000 characters"))]
    #[schema(min_length = 1, max_length = 1000)]
    title: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 8192)]
    notes: Member<String>,
    #[serde(default)]
    #[schema(value_type = Option<Time>)]
    due: Member<String>,
    #[serde(default)]
    #[schema(value_type = Option<Time>)]
    start: Member<String>,
    #[schema(value_type = Option<Time>)]
    end: Option<String>,
    #[schema(value_type = Option<Zone>)]
    time_zone: Option<String>,
    #[schema(schema_with = words::dst)]
    dst: Option<String>,
    /// Of a task that recurs, this and new dates are about the occurrence at hand and all that follow.
    /// Null: it recurs no more.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Line>>, max_items = 20)]
    recurrence: Member<Vec<String>>,
    #[schema(schema_with = words::priority)]
    priority: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<Id>)]
    category: Member<String>,
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    meet: Member<bool>,
    #[serde(default)]
    #[schema(schema_with = words::completion)]
    completion: Member<String>,
    #[serde(default)]
    #[schema(value_type = Option<User>)]
    assignee: Member<String>,
}

/// Which occurrence is meant.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// The original start of an occurrence, as the task's `occurrence` shows it: of a task that recurs,
    /// so that a repeated request does not do the next one too.
    pub occurrence: Option<String>,
}

/// Which tasks are to be listed.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// Whose, or given to whom; the caller's own if it is left out.
    #[param(value_type = Option<User>)]
    pub user: Option<String>,
    /// How they stand.
    #[param(schema_with = states)]
    pub state: Option<String>,
    /// What they are filed under.
    #[param(value_type = Option<Id>)]
    pub category: Option<String>,
    /// Over no earlier: RFC 3339, of the years 1970 to 2099.
    #[param(format = DateTime)]
    pub from: Option<String>,
    /// Over earlier than this: RFC 3339, of the years 1970 to 2099.
    #[param(format = DateTime)]
    pub to: Option<String>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
    /// How many at most, 1 to 500; 100 if it is left out.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<usize>,
}

fn states() -> Object {
    word(State::ALL.map(State::as_str))
}

/// A task to be made, from what was written.
pub fn read(caller: &Caller, body: NewTask) -> Result<TaskDraft, Problem> {
    let mut faults = Faults::default();
    let clock = (body.time_zone.as_deref(), body.dst.as_deref());
    let dates = faults.keep_all(read_dates(
        body.due.as_deref(),
        body.start.as_deref(),
        body.end.as_deref(),
        clock,
    ));
    let priority = faults.keep(body.priority.map(|name| name.parse()).transpose());
    let category = faults.keep(body.category.as_deref().map(read_category).transpose());
    let aim = faults.keep_all(read_aim(body.user, body.connection.as_deref(), body.calendar));
    let lines = body.recurrence.filter(|lines| !lines.is_empty());
    let routine = match (lines, &dates) {
        (Some(lines), Some(Some(dates))) => faults.keep(dates.recurrence(&lines)).map(Routine::new),
        (Some(_), Some(None)) => {
            let rule = "means nothing without `due` or `start`: add one, or leave it out";
            faults.keep::<Routine>(Err(Invalid::new("recurrence", rule)))
        }
        _ => None,
    };
    let completion = faults.keep(body.completion.map(|name| name.parse()).transpose());
    let assignee = faults.keep(body.assignee.map(read_assignee).transpose());
    let (Some(aim), true) = (aim, faults.is_empty()) else { return Err(faults.problem()) };
    Ok(TaskDraft {
        owner: aim.user.map_or_else(|| caller.owner.clone(), Owner::User),
        assignee: assignee.flatten(),
        category: category.flatten(),
        task: Task {
            title: body.title.unwrap_or_default(),
            notes: body.notes.unwrap_or_default(),
            dates: dates.flatten(),
            routine,
            priority: priority.flatten().unwrap_or_default(),
            whose: aim.whose,
            calendar: aim.calendar,
            meet: body.meet,
            completion: completion.flatten(),
            completed: None,
            events: 0,
        },
    })
}

/// What is to be different, from what was written.
pub fn read_change(body: TaskChange) -> Result<TaskEdit, Problem> {
    let mut faults = Faults::default();
    let clock = (body.time_zone.as_deref(), body.dst.as_deref());
    let dates = match (body.due, body.start) {
        (Member::Absent, Member::Null) | (Member::Null, Member::Absent | Member::Null) => {
            Some(Said::Clear)
        }
        (due, start) => {
            let typed = |member| match member {
                Member::Value(text) => Some(text),
                Member::Absent | Member::Null => None,
            };
            let (due, start) = (typed(due), typed(start));
            let read = read_dates(due.as_deref(), start.as_deref(), body.end.as_deref(), clock);
            faults.keep_all(read).map(|dates| dates.map_or(Said::Nothing, Said::To))
        }
    };
    let notes = body.notes.or_default();
    if notes.as_ref().is_some_and(|notes| notes.chars().count() > LONGEST_NOTES) {
        faults.keep::<()>(Err(Invalid::new("notes", "at most 8,192 characters")));
    }
    let priority = faults.keep(body.priority.map(|name| name.parse()).transpose());
    let category = faults.keep(body.category.read(|id| read_category(&id)));
    let completion = faults.keep(body.completion.read(|name| name.parse()));
    let assignee = faults.keep(body.assignee.read(read_assignee));
    if !faults.is_empty() {
        return Err(faults.problem());
    }
    Ok(TaskEdit {
        title: body.title,
        notes,
        dates: dates.unwrap_or_default(),
        recurrence: match body.recurrence.into() {
            Said::To(lines) if lines.is_empty() => Said::Clear,
            said => said,
        },
        priority: priority.flatten(),
        category: category.map_or(Said::Nothing, Said::from),
        assignee: assignee.map_or(Said::Nothing, Said::from),
        meet: body.meet.into(),
        completion: completion.map_or(Said::Nothing, Said::from),
    })
}

/// When a task is to be done, if anything was written of it.
fn read_dates(
    due: Option<&str>,
    start: Option<&str>,
    end: Option<&str>,
    (time_zone, dst): (Option<&str>, Option<&str>),
) -> Result<Option<Dates>, Vec<Invalid>> {
    match (due, start, end) {
        (Some(due), None, None) => Dates::due(due, time_zone, dst).map(Some),
        (Some(_), ..) => {
            let rule = "cannot stand beside `start` and `end`: a task is due, or planned";
            Err(vec![Invalid::new("due", rule)])
        }
        (None, Some(start), end) => {
            Timing::read(Typed { start, end, time_zone, dst }).map(Dates::Planned).map(Some)
        }
        (None, None, Some(_)) => Err(vec![Invalid::new("start", "is required with `end`")]),
        (None, None, None) => {
            let alone = [("time_zone", time_zone), ("dst", dst)];
            let rule = "means nothing without `due` or `start`: add one, or leave it out";
            let faults: Vec<_> = alone
                .into_iter()
                .filter(|(_, written)| written.is_some())
                .map(|(field, _)| Invalid::new(field, rule))
                .collect();
            if faults.is_empty() { Ok(None) } else { Err(faults) }
        }
    }
}

fn read_assignee(user: String) -> Result<UserId, Invalid> {
    UserId::try_from(user).map_err(|fault| Invalid { field: "assignee".into(), ..fault })
}

/// Which tasks are asked for, from what was written.
pub fn read_asked(caller: &Caller, listing: Listing) -> Result<Asked, Problem> {
    let moment =
        |field, text: Option<String>| text.map(|text| read_instant(field, &text)).transpose();
    let mut faults = Faults::default();
    let owner = faults.keep(owner_of(caller, listing.user));
    let state = faults.keep(listing.state.map(|name| name.parse::<State>()).transpose());
    let category = faults.keep(listing.category.as_deref().map(read_category).transpose());
    let from = faults.keep(moment("from", listing.from));
    let to = faults.keep(moment("to", listing.to));
    let (Some(owner), true) = (owner, faults.is_empty()) else { return Err(faults.problem()) };
    Ok(Asked {
        state: state.flatten().map(State::number),
        category: category.flatten(),
        from: from.flatten(),
        to: to.flatten(),
        ..Asked::all(Noun::Task, owner)
    })
}
