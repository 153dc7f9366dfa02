//! Tasks as callers see them.

use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;

use super::super::categories::user_of;
use super::super::etag::ETag;
use super::super::events::{PointBody, original_start, points, utc};
use super::super::openapi::words::{self, told, word};
use crate::app::items::DELETED;
use crate::app::tasks::{State, TaskView};
use crate::model::category::Completion;
use crate::model::connection::Whose;
use crate::model::routine::Routine;
use crate::model::task::{Dates, Priority};
use crate::model::timing::Timing;

/// A task, as shown.
#[derive(Serialize, ToSchema)]
pub struct TaskBody {
    object: &'static str,
    id: String,
    /// What it is known by as it stands: what to send as `If-Match`.
    #[schema(value_type = String)]
    pub etag: ETag,
    version: u32,
    #[schema(schema_with = states)]
    state: &'static str,
    created: String,
    /// Since when it is done.
    completed: Option<String>,
    title: String,
    /// Markdown, as it was written.
    notes: String,
    /// By when it is to be done; of one that recurs, the occurrence at hand.
    due: Option<PointBody>,
    start: Option<PointBody>,
    end: Option<PointBody>,
    /// How it recurs, as RFC 5545 writes it; empty if it does not.
    recurrence: Vec<String>,
    /// The original start of the occurrence at hand: what names it.
    occurrence: Option<String>,
    /// The original starts of those that are done, the newest 200 of each series it had.
    completed_occurrences: Vec<String>,
    #[schema(schema_with = priority)]
    priority: &'static str,
    category: Option<String>,
    #[schema(schema_with = words::connection)]
    connection: Option<&'static str>,
    calendar: Option<String>,
    meet: Option<bool>,
    #[schema(schema_with = words::completion)]
    completion: Option<&'static str>,
    /// Whose it is, if a user's.
    user: Option<String>,
    /// Who does it, if not its owner.
    assignee: Option<String>,
    /// The event that stands for it, which tells how far Google has it.
    event_id: Option<String>,
    /// `connection` while its event waits for an account.
    waits_for: Option<&'static str>,
}

/// Where tasks stand, as [`TaskView::word`] tells it.
fn states() -> Object {
    let states = State::ALL.map(State::as_str).into_iter().chain([DELETED]);
    told("`deleted` where a repeated request finds what was deleted since.", word(states))
}

fn priority() -> Object {
    word(Priority::ALL.map(Priority::as_str))
}

/// A page of tasks, as shown.
#[derive(Serialize, ToSchema)]
pub struct TasksBody {
    pub object: &'static str,
    pub data: Vec<TaskBody>,
    /// What to send as `cursor` for the next page, which may be empty; null at the end.
    pub next: Option<String>,
}

impl From<&TaskView> for TaskBody {
    fn from(view: &TaskView) -> Self {
        let TaskView { item, task, .. } = view;
        // Lines that were read once can be read again.
        let at_hand = task.at_hand().unwrap_or(task.dates);
        let (due, start, end) = match &at_hand {
            None => (None, None, None),
            Some(Dates::Due(timing @ Timing::Span(_))) => (Some(points(timing).1), None, None),
            Some(Dates::Due(timing @ Timing::Days(_))) => (Some(points(timing).0), None, None),
            Some(Dates::Planned(timing)) => {
                let (start, end) = points(timing);
                (None, Some(start), Some(end))
            }
        };
        let waits = task.dates.is_some() && item.event.is_none() && task.completed.is_none();
        let body = Self {
            object: "task",
            id: item.id.to_string(),
            etag: ETag::default(),
            version: item.version,
            state: view.word(),
            created: utc(item.created),
            completed: task.completed.map(utc),
            title: task.title.clone(),
            notes: task.notes.clone(),
            due,
            start,
            end,
            recurrence: task
                .routine
                .as_ref()
                .map_or(Vec::new(), |routine| routine.recurrence.lines().to_vec()),
            occurrence: view.occurrence().map(|occurrence| original_start(occurrence.original)),
            completed_occurrences: task.routine.as_ref().map_or(Vec::new(), completed),
            priority: task.priority.as_str(),
            category: item.category.map(|category| category.to_string()),
            connection: task.whose.map(Whose::as_str),
            calendar: task.calendar.clone(),
            meet: task.meet,
            completion: task.completion.map(Completion::as_str),
            user: user_of(&item.owner),
            assignee: item.shared.as_ref().and_then(user_of),
            event_id: item.event.map(|event| event.to_string()),
            waits_for: (waits && item.gone.is_none()).then_some("connection"),
        };
        Self { etag: ETag::of(item.version, 0, &body), ..body }
    }
}

fn completed(routine: &Routine) -> Vec<String> {
    routine.before.iter().chain(&routine.done).map(|start| original_start(*start)).collect()
}
