//! Tasks: work with or without dates, done by its owner or by whom it was given to. A task with dates
//! has an event in its doer's calendar, which is kept in step with it.

mod calendar;
mod change;
mod create;
mod notes;
mod waiting;

use chrono::{DateTime, Utc};

use super::access::Caller;
use super::events::{self, Said};
use super::items::{self, DELETED, Page};
use super::{App, Error};
use crate::model::category::Completion;
use crate::model::event::Event;
use crate::model::id::ItemId;
use crate::model::invalid::Invalid;
use crate::model::item::{Item, Noun};
use crate::model::owner::{Owner, UserId};
use crate::model::recurrence::Occurrence;
use crate::model::task::{Dates, Priority, Task};
use crate::store::{Asked, Mark};

pub use change::{complete, delete, edit, reopen, repeated};
pub use create::{create, create_all};
pub use waiting::{place_all_waiting, place_waiting};

/// Google takes no longer description, in characters.
const LONGEST_DESCRIPTION: usize = 8_192;

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is to be done.
    Open,
    /// It is done.
    Done,
}

/// A task to be made.
#[derive(Clone, Debug)]
pub struct TaskDraft {
    /// Whose it is.
    pub owner: Owner,
    /// Who does it, if not its owner.
    pub assignee: Option<UserId>,
    /// The category it is in.
    pub category: Option<ItemId>,
    /// What it says.
    pub task: Task,
}

/// What a caller wants to be different.
#[derive(Clone, Debug, Default)]
pub struct TaskEdit {
    /// The new title.
    pub title: Option<String>,
    /// The new notes; empty for none.
    pub notes: Option<String>,
    /// When it is to be done from now on.
    pub dates: Said<Dates>,
    /// How it recurs from now on, in lines of RFC 5545.
    pub recurrence: Said<Vec<String>>,
    /// How much it matters.
    pub priority: Option<Priority>,
    /// The category it is in.
    pub category: Said<ItemId>,
    /// Who does it from now on.
    pub assignee: Said<UserId>,
    /// Whether its next event has a Meet link.
    pub meet: Said<bool>,
    /// What becomes of its event when it is done.
    pub completion: Said<Completion>,
}

/// A task as whoever sees it may see it.
pub struct TaskView {
    /// What is recorded.
    pub item: Item,
    /// What it says.
    pub task: Task,
    /// The events that the request asked something else of, as they are now.
    pub written: Vec<Event>,
}

impl State {
    /// Every state there is.
    pub const ALL: [Self; 2] = [Self::Open, Self::Done];

    /// The state's name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
        }
    }

    /// The number it is stored as.
    pub fn number(self) -> u8 {
        match self {
            Self::Open => 0,
            Self::Done => 1,
        }
    }
}

impl std::str::FromStr for State {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        let named = Self::ALL.into_iter().find(|state| state.as_str() == name);
        named.ok_or_else(|| Invalid::new("state", "`open` or `done`"))
    }
}

impl TaskView {
    fn of(item: Item, task: Task) -> Self {
        Self { item, task, written: Vec::new() }
    }

    /// Where it stands, in one word; also of what was deleted.
    pub fn word(&self) -> &'static str {
        let state = if self.task.completed.is_some() { State::Done } else { State::Open };
        if self.item.gone.is_some() { DELETED } else { state.as_str() }
    }

    /// The occurrence at hand of a task that recurs.
    pub fn occurrence(&self) -> Option<Occurrence> {
        let (dates, routine) = (self.task.dates?, self.task.routine.as_ref()?);
        // Lines that were read once can be read again.
        routine.at_hand(&dates.timing()).ok().flatten()
    }
}

/// The caller's task, or one that was given to them.
pub async fn get(app: &App, caller: &Caller, id: ItemId) -> Result<TaskView, Error> {
    let item = items::get(app, caller, Noun::Task, id).await?;
    Ok(TaskView::of(item.clone(), app.task(&item)?))
}

/// Up to `most` of the tasks that are asked for, those made first first, behind `after`.
pub async fn list(
    app: &App,
    caller: &Caller,
    asked: &Asked,
    after: Option<Mark>,
    most: usize,
) -> Result<Page<TaskView>, Error> {
    caller.may_act_for(&asked.owner)?;
    let (found, next) = app.store.items(asked, after, most).await?;
    let view = |item: Item| Ok(TaskView::of(item.clone(), app.task(&item)?));
    Ok(Page { items: found.into_iter().map(view).collect::<Result<_, Error>>()?, next })
}

/// Waits until what a request asked of the task's events has settled, or it is `until`.
pub async fn settle(app: &App, view: &TaskView, until: DateTime<Utc>) -> Result<(), Error> {
    let mut events = view.written.clone();
    if let (Some(id), true) = (view.item.event, events.is_empty()) {
        events.extend(app.store.event(id).await?);
    }
    for event in events {
        events::wait(app, event, until).await?;
    }
    Ok(())
}

/// Who finds a task beside its owner, if it is given to this user.
fn given_to(
    caller: &Caller,
    owner: &Owner,
    assignee: Option<UserId>,
) -> Result<Option<Owner>, Error> {
    let assignee = assignee.map(Owner::User).filter(|assignee| assignee != owner);
    if let Some(assignee) = &assignee {
        caller.may_act_for(assignee)?;
    }
    Ok(assignee)
}

/// Refuses notes that are more than Google's calendar can show.
fn must_be_shown(notes: &str) -> Result<(), Error> {
    if notes::shown(notes).chars().count() <= LONGEST_DESCRIPTION {
        return Ok(());
    }
    let rule = "at most 8,192 characters as Google's calendar shows them: shorten them, or write \
                less of what HTML needs more characters for";
    Err(Invalid::new("notes", rule).into())
}
