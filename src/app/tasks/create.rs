//! Making tasks, one or many.

use super::calendar::arrange;
use super::{State, TaskDraft, TaskView, given_to, must_be_shown};
use crate::app::access::Caller;
use crate::app::categories::Named;
use crate::app::desk::Desk;
use crate::app::events::{Identity, request};
use crate::app::items;
use crate::app::placement::{Aim, Places};
use crate::app::{App, Error};
use crate::model::category::Category;
use crate::model::item::{Item, Noun};
use crate::model::job::Class;
use crate::model::owner::Owner;
use crate::model::task::Task;
use crate::store::{Kept, MAX_SEALED, Step, StoreError};

/// A task, and whether an earlier request had made it.
pub type Made = (TaskView, bool);

/// Makes a task, and its event with it.
pub async fn create(
    app: &App,
    caller: &Caller,
    draft: TaskDraft,
    identity: Option<Identity>,
) -> Result<Made, Error> {
    let made = make(app, caller, vec![(draft, identity)], Class::Interactive).await?;
    made.into_iter().next().expect("each draft has its answer")
}

/// Makes many tasks, all on disk together, each as [`create`] does: what is wrong with one is told of
/// that one.
pub async fn create_all(
    app: &App,
    caller: &Caller,
    drafts: Vec<(TaskDraft, Option<Identity>)>,
) -> Result<Vec<Result<Made, Error>>, Error> {
    make(app, caller, drafts, Class::Bulk).await
}

async fn make(
    app: &App,
    caller: &Caller,
    drafts: Vec<(TaskDraft, Option<Identity>)>,
    class: Class,
) -> Result<Vec<Result<Made, Error>>, Error> {
    app.must_not_be_frozen()?;
    let bridge = Caller::console();
    let mut desk = Desk::new(app, &bridge, caller.by(), class);
    let mut categories = Named::new(app, caller);
    let (mut answers, mut steps) = (Vec::new(), Vec::new());
    for (draft, identity) in drafts {
        match begin(&mut desk, caller, &mut categories, draft, identity).await {
            Ok((view, step)) => {
                answers.push(Ok(view));
                steps.push(step);
            }
            // What is too large is the draft's own fault; all else is the store's.
            Err(Error::Store(error)) if !matches!(error, StoreError::TooLarge { .. }) => {
                return Err(error.into());
            }
            Err(refusal) => answers.push(Err(refusal)),
        }
    }
    let kept = app.store.keep(steps, app.settings.backlog, app.clock.now()).await?;
    let mut kept = kept.into_iter();
    let settled = answers.into_iter().map(|begun| {
        let view = begun?;
        match kept.next().expect("there is an answer to each step") {
            Kept::Yes(written) => {
                tracing::info!(task.id = %view.item.id, "task made");
                Ok((TaskView { written, ..view }, false))
            }
            Kept::Known(item) => {
                let task = app.task(&item)?;
                Ok((TaskView::of(*item, task), true))
            }
            Kept::OtherBody => Err(Error::KeyReused),
            Kept::Overtaken => Err(Error::Overtaken),
            Kept::NoRoom(crowd) => Err(Error::Backlog(crowd)),
        }
    });
    Ok(settled.collect())
}

/// A new task, and the step that makes it.
async fn begin(
    desk: &mut Desk<'_>,
    caller: &Caller,
    categories: &mut Named<'_>,
    draft: TaskDraft,
    identity: Option<Identity>,
) -> Result<(TaskView, Step), Error> {
    let app = desk.app;
    let TaskDraft { owner, assignee, category, mut task } = draft;
    caller.may_act_for(&owner)?;
    must_be_shown(&task.notes)?;
    let id = items::name(app, caller, Noun::Task, &owner, identity.as_ref());
    let mut item = items::begin(app, id, Noun::Task, owner);
    item.category = category;
    item.shared = given_to(caller, &item.owner, assignee)?;
    must_be_connected(app, caller, &item, &task).await?;
    let category = categories.find(&item.owner, category).await?;
    let request =
        identity.map(|identity| (request(app, caller, &item.owner, &identity, item.created), id));
    let mut step = Step { request, ..Step::default() };
    finish(desk, &mut item, &mut task, category, &mut step).await?;
    let sealed = step.items.iter().filter_map(|item| item.sealed.as_ref());
    let contents = step.accepts.iter().map(|(event, _)| &event.wanted.content);
    let bytes = sealed.chain(contents).map(|sealed| sealed.as_bytes().len()).max().unwrap_or(0);
    if bytes > MAX_SEALED {
        return Err(StoreError::TooLarge { bytes }.into());
    }
    Ok((TaskView::of(item, task), step))
}

/// Whoever says through whose account a task's event goes is told at once if there is none: nobody would
/// know when to make the event later.
async fn must_be_connected(
    app: &App,
    caller: &Caller,
    item: &Item,
    task: &Task,
) -> Result<(), Error> {
    let Some(whose) = task.whose else { return Ok(()) };
    let user = match item.shared.as_ref().unwrap_or(&item.owner) {
        Owner::User(user) => Some(user.clone()),
        Owner::Application => None,
    };
    let aim = Aim { user, whose: Some(whose), calendar: None };
    Places::new(app, caller).resolve(&aim).await.map(drop)
}

/// Brings the item and its event to what the task says, and adds both to `step`.
async fn finish(
    desk: &mut Desk<'_>,
    item: &mut Item,
    task: &mut Task,
    category: Option<&Category>,
    step: &mut Step,
) -> Result<(), Error> {
    arrange(desk, item, task, category, step).await?;
    seal(desk.app, item, task)?;
    step.items.push(item.clone());
    Ok(())
}

/// Writes into the item what the task says, and what it is looked for by.
pub(super) fn seal(app: &App, item: &mut Item, task: &Task) -> Result<(), Error> {
    let state = if task.completed.is_some() { State::Done } else { State::Open };
    item.state = state.number();
    item.at = task.at_hand()?.map(|dates| dates.timing().over());
    item.sealed = Some(app.seal_task(item, task)?);
    Ok(())
}
