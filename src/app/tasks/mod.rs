//! Tasks: work with or without dates, done by its owner or by whom it was given to. A task with dates
//! has an event in its doer's calendar, which is kept in step with it.

mod calendar;
mod notes;

use super::access::Caller;
use super::events::{Identity, Said};
use super::items::{self, MOST_EDITS, Page};
use super::{App, Error, categories};
use crate::model::category::{Category, Completion};
use crate::model::id::ItemId;
use crate::model::invalid::Invalid;
use crate::model::item::{Item, Noun};
use crate::model::owner::{Owner, UserId};
use crate::model::task::{Dates, Priority, Task};
use crate::store::{Asked, Kept, Mark, Step};

/// Google takes no longer description, in characters.
const LONGEST_DESCRIPTION: usize = 8_192;
/// So many tasks are looked at together for one whose event waits.
const PAGE: usize = 100;

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
    /// Whether it is done.
    pub state: Option<State>,
}

/// A task as whoever sees it may see it.
pub struct TaskView {
    /// What is recorded.
    pub item: Item,
    /// What it says.
    pub task: Task,
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

/// Makes a task, and its event with it; says whether an earlier request had made it.
pub async fn create(
    app: &App,
    caller: &Caller,
    draft: TaskDraft,
    identity: Option<Identity>,
) -> Result<(TaskView, bool), Error> {
    app.must_not_be_frozen()?;
    let TaskDraft { owner, assignee, category, mut task } = draft;
    caller.may_act_for(&owner)?;
    must_be_shown(&task.notes)?;
    let id = items::name(app, caller, Noun::Task, &owner, identity.as_ref());
    let mut item = items::begin(app, id, Noun::Task, owner);
    item.category = category;
    item.shared = given_to(caller, &item.owner, assignee)?;
    let category = match category {
        Some(id) => Some(categories::named(app, caller, &item.owner, id).await?),
        None => None,
    };
    let request = identity.map(|identity| {
        (super::events::request(app, caller, &item.owner, &identity, item.created), id)
    });
    let mut step = Step { request, ..Step::default() };
    finish(app, &mut item, &mut task, category.as_ref(), &mut step).await?;
    match items::keep(app, step).await? {
        Kept::Yes(_) => {
            tracing::info!(task.id = %item.id, "task made");
            Ok((TaskView { item, task }, false))
        }
        Kept::Known(item) => Ok((TaskView { task: app.task(&item)?, item }, true)),
        Kept::OtherBody => Err(Error::KeyReused),
        Kept::Overtaken => Err(Error::Overtaken),
        Kept::NoRoom(crowd) => Err(Error::Backlog(crowd)),
    }
}

/// The caller's task, or one that was given to them.
pub async fn get(app: &App, caller: &Caller, id: ItemId) -> Result<TaskView, Error> {
    let item = items::get(app, caller, Noun::Task, id).await?;
    Ok(TaskView { task: app.task(&item)?, item })
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
    let view = |item: Item| Ok(TaskView { task: app.task(&item)?, item });
    Ok(Page { items: found.into_iter().map(view).collect::<Result<_, Error>>()?, next })
}

/// Changes a task, if it is the version that the caller has `seen`, and its event with it.
pub async fn edit(
    app: &App,
    caller: &Caller,
    id: ItemId,
    seen: Option<u32>,
    edit: &TaskEdit,
) -> Result<TaskView, Error> {
    app.must_not_be_frozen()?;
    if let Some(notes) = &edit.notes {
        must_be_shown(notes)?;
    }
    rewrite(app, caller, id, seen, |item, task| edit.clone().apply(app, caller, item, task)).await
}

/// Deletes a task, and takes its event out.
pub async fn delete(
    app: &App,
    caller: &Caller,
    id: ItemId,
    seen: Option<u32>,
) -> Result<(), Error> {
    app.must_not_be_frozen()?;
    let gone = |item: &mut Item, _: &mut Task| {
        item.gone = Some(app.clock.now());
        Ok(())
    };
    rewrite(app, caller, id, seen, gone).await.map(drop)
}

/// Makes the events of the tasks that waited until `owner` connected an account. The account is
/// connected whatever comes of it: an event that still waits is made when its task is changed next.
pub async fn place_waiting(app: &App, owner: &Owner) {
    if let Err(error) = place_all(app, owner).await {
        let error = &error as &dyn std::error::Error;
        tracing::error!(error, "not every task that waited for this account has its event yet");
    }
}

async fn place_all(app: &App, owner: &Owner) -> Result<(), Error> {
    let asked =
        Asked { state: Some(State::Open.number()), ..Asked::all(Noun::Task, owner.clone()) };
    let mut after = None;
    loop {
        let (found, next) = app.store.items(&asked, after, PAGE).await?;
        for item in found.into_iter().filter(|item| item.at.is_some() && item.event.is_none()) {
            rewrite(app, &Caller::console(), item.id, None, |_, _| Ok(())).await?;
        }
        match next {
            Some(_) => after = next,
            None => return Ok(()),
        }
    }
}

/// Makes the next version of a task, again if somebody else was faster.
async fn rewrite(
    app: &App,
    caller: &Caller,
    id: ItemId,
    seen: Option<u32>,
    change: impl Fn(&mut Item, &mut Task) -> Result<(), Error>,
) -> Result<TaskView, Error> {
    for _ in 0..MOST_EDITS {
        let TaskView { item: before, task: said } = get(app, caller, id).await?;
        items::must_be(&before, seen)?;
        let mut item = before.clone();
        let mut task = said.clone();
        change(&mut item, &mut task)?;
        let category = category_of(app, caller, &before, &item).await?;
        let mut step = Step::default();
        item.version += 1;
        finish(app, &mut item, &mut task, category.as_ref(), &mut step).await?;
        let same = Item { version: item.version, sealed: item.sealed.clone(), ..before };
        if task == said && item == same && step.changes.is_empty() {
            return get(app, caller, id).await;
        }
        match items::keep(app, step).await? {
            Kept::Yes(_) => return Ok(TaskView { item, task }),
            Kept::NoRoom(crowd) => return Err(Error::Backlog(crowd)),
            Kept::Known(_) | Kept::OtherBody | Kept::Overtaken => {}
        }
    }
    Err(Error::Overtaken)
}

/// The category that a task is in now. One that it was in before may be deleted since.
async fn category_of(
    app: &App,
    caller: &Caller,
    before: &Item,
    item: &Item,
) -> Result<Option<Category>, Error> {
    let Some(id) = item.category else { return Ok(None) };
    if before.category != item.category {
        return categories::named(app, caller, &item.owner, id).await.map(Some);
    }
    let stored = app.store.item(id).await?.filter(|category| category.gone.is_none());
    stored.map(|category| app.category(&category)).transpose()
}

/// Brings the item and its event to what the task says, and adds both to `step`.
async fn finish(
    app: &App,
    item: &mut Item,
    task: &mut Task,
    category: Option<&Category>,
    step: &mut Step,
) -> Result<(), Error> {
    let state = if task.completed.is_some() { State::Done } else { State::Open };
    item.state = state.number();
    item.at = task.dates.map(|dates| dates.timing().over());
    calendar::arrange(app, item, task, category, step).await?;
    item.sealed = Some(app.seal_task(item, task)?);
    step.items.push(item.clone());
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

impl TaskEdit {
    /// Changes the task.
    fn apply(
        self,
        app: &App,
        caller: &Caller,
        item: &mut Item,
        task: &mut Task,
    ) -> Result<(), Error> {
        match self.assignee {
            Said::Nothing => {}
            Said::Clear => item.shared = None,
            Said::To(user) => item.shared = given_to(caller, &item.owner, Some(user))?,
        }
        item.category = self.category.after(item.category);
        task.title = self.title.unwrap_or_else(|| std::mem::take(&mut task.title));
        task.notes = self.notes.unwrap_or_else(|| std::mem::take(&mut task.notes));
        task.dates = self.dates.after(task.dates);
        task.priority = self.priority.unwrap_or(task.priority);
        task.meet = self.meet.after(task.meet);
        task.completion = self.completion.after(task.completion);
        match self.state {
            Some(State::Open) => task.completed = None,
            Some(State::Done) => task.completed = task.completed.or_else(|| Some(app.clock.now())),
            None => {}
        }
        Ok(())
    }
}
