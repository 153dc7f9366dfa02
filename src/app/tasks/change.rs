//! Changing tasks: what they say, and how far they are done.

use super::calendar::{Turn, arrange, turn};
use super::create::seal;
use super::{TaskEdit, TaskView, get, given_to, must_be_shown};
use crate::app::access::Caller;
use crate::app::desk::Desk;
use crate::app::events::{Identity, Said};
use crate::app::items::{self, MOST_EDITS};
use crate::app::{App, Error, categories, reminders};
use crate::model::category::Category;
use crate::model::history::By;
use crate::model::id::ItemId;
use crate::model::invalid::Invalid;
use crate::model::item::Item;
use crate::model::job::Class;
use crate::model::routine::Routine;
use crate::model::task::{Dates, Task};
use crate::model::timing::{Original, Timing};
use crate::store::{Kept, Request, Step};

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
    let change = |item: &mut Item, task: &mut Task| edit.clone().apply(caller, item, task);
    rewrite(app, caller, (id, seen), None, change).await.map(|(view, _)| view)
}

/// Says that a task is done, or of one that recurs the occurrence at hand: which must be the one named,
/// if one is. What is done already stays so. Says whether an earlier request had done it.
pub async fn complete(
    app: &App,
    caller: &Caller,
    id: ItemId,
    mut seen: Option<u32>,
    named: Option<&str>,
    identity: Option<&Identity>,
) -> Result<(TaskView, bool), Error> {
    app.must_not_be_frozen()?;
    let routine = get(app, caller, id).await?.task.routine;
    if routine.is_some_and(|routine| routine.done.len() >= Routine::MOST_DONE) {
        let anew = |_: &mut Item, task: &mut Task| begin_anew(task);
        let (begun, _) = rewrite(app, caller, (id, seen), None, anew).await?;
        seen = seen.and(Some(begun.item.version));
    }
    rewrite(app, caller, (id, seen), identity, |_, task| {
        let now = app.clock.now();
        let Some((first, routine)) = recurring(task, named)? else {
            task.completed = task.completed.or(Some(now));
            return Ok(Turn::Same);
        };
        let at_hand = routine.at_hand(&first)?.map(|occurrence| occurrence.original);
        let named = named.map(|named| Original::read(named, &first)).transpose();
        let named = named.map_err(named_wrongly)?;
        let known = |original: &Original| routine.done.contains(original);
        match (at_hand, named) {
            (None, _) => Ok(Turn::Same),
            (_, Some(named)) if known(&named) => Ok(Turn::Same),
            (Some(at_hand), Some(named)) if at_hand != named => Err(not_at_hand()),
            (Some(at_hand), _) => {
                routine.done.push(at_hand);
                if routine.at_hand(&first)?.is_none() {
                    task.completed = Some(now);
                }
                Ok(Turn::Done(at_hand))
            }
        }
    })
    .await
}

/// Says that a task is to be done after all, or of one that recurs the occurrence that was done last:
/// which must be the one named, if one is. Says whether an earlier request had done it.
pub async fn reopen(
    app: &App,
    caller: &Caller,
    id: ItemId,
    seen: Option<u32>,
    named: Option<&str>,
    identity: Option<&Identity>,
) -> Result<(TaskView, bool), Error> {
    app.must_not_be_frozen()?;
    rewrite(app, caller, (id, seen), identity, |_, task| {
        let Some((first, routine)) = recurring(task, named)? else {
            task.completed = None;
            return Ok(Turn::Same);
        };
        let named = named.map(|named| Original::read(named, &first)).transpose();
        match (routine.done.last().copied(), named.map_err(named_wrongly)?) {
            (None, _) => Ok(Turn::Same),
            (Some(_), Some(named)) if !routine.done.contains(&named) => Ok(Turn::Same),
            (Some(last), Some(named)) if last != named => Err(not_done_last()),
            (Some(last), _) => {
                routine.done.pop();
                task.completed = None;
                Ok(Turn::Open(last))
            }
        }
    })
    .await
}

/// The caller's task as it is now, if the request was seen before.
pub async fn repeated(
    app: &App,
    caller: &Caller,
    id: ItemId,
    identity: Option<&Identity>,
) -> Result<Option<TaskView>, Error> {
    if !items::is_repeated(app, caller, identity).await? {
        return Ok(None);
    }
    get(app, caller, id).await.map(Some)
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
        Ok(Turn::Same)
    };
    rewrite(app, caller, (id, seen), None, gone).await.map(drop)
}

/// Makes the next version of a task, again if somebody else was faster. Says whether an earlier request had
/// done it.
async fn rewrite(
    app: &App,
    caller: &Caller,
    (id, seen): (ItemId, Option<u32>),
    identity: Option<&Identity>,
    change: impl Fn(&mut Item, &mut Task) -> Result<Turn, Error>,
) -> Result<(TaskView, bool), Error> {
    let request = identity.map(|identity| items::request(app, caller, identity));
    for _ in 0..MOST_EDITS {
        let TaskView { item: before, task: said, .. } = get(app, caller, id).await?;
        items::must_be(&before, seen)?;
        let mut item = before.clone();
        let mut task = said.clone();
        let turn = change(&mut item, &mut task)?;
        let category = category_of(app, caller, &before, &item).await?;
        let now = (turn, category.as_ref());
        let (before, after) = ((before, said), (item, task));
        if let Some(kept) = keep(app, caller.by(), before, after, now, request).await? {
            return Ok(kept);
        }
    }
    Err(Error::Overtaken)
}

/// Brings the event of a task to where it shall be, if it is not there.
pub(super) async fn arrange_again(app: &App, by: By, view: TaskView) -> Result<(), Error> {
    let TaskView { item, task, .. } = view;
    let before = (item.clone(), task.clone());
    let category = category_now(app, &item).await?;
    keep(app, by, before, (item, task), (Turn::Same, category.as_ref()), None).await.map(drop)
}

/// Makes the next version of a task true, and what follows for its events, and says whether an earlier
/// request had done it. None if somebody else was faster.
async fn keep(
    app: &App,
    by: By,
    (before, said): (Item, Task),
    (mut item, mut task): (Item, Task),
    (how, category): (Turn, Option<&Category>),
    request: Option<Request>,
) -> Result<Option<(TaskView, bool)>, Error> {
    let bridge = Caller::console();
    let mut desk = Desk::new(app, &bridge, by, Class::Interactive);
    let mut step = Step::default();
    item.version += 1;
    match how {
        Turn::Same => arrange(&mut desk, &mut item, &mut task, category, &mut step).await?,
        // Far the largest of what comes of a change, and seldom what does.
        how => Box::pin(turn(&mut desk, &mut item, &mut task, (how, category), &mut step)).await?,
    }
    seal(app, &mut item, &task)?;
    let same = Item { version: item.version, sealed: item.sealed.clone(), ..before.clone() };
    step.request = request.map(|request| (request, item.id));
    if task == said && item == same && step.changes.is_empty() {
        if request.is_none() {
            return Ok(Some((TaskView::of(before, said), false)));
        }
        (item, task) = (before, said);
    } else {
        step.items.push(item.clone());
        reminders::follow(app, &mut step).await?;
    }
    match items::keep(app, step).await? {
        Kept::Yes(written) => Ok(Some((TaskView { item, task, written }, false))),
        Kept::Known(item) => Ok(Some((TaskView::of((*item).clone(), app.task(&item)?), true))),
        Kept::OtherBody => Err(Error::KeyReused),
        Kept::NoRoom(crowd) => Err(Error::Backlog(crowd)),
        Kept::Overtaken => Ok(None),
    }
}

/// The category that a task is in now. One that it was in before may be deleted since.
async fn category_of(
    app: &App,
    caller: &Caller,
    before: &Item,
    item: &Item,
) -> Result<Option<Category>, Error> {
    match item.category {
        Some(id) if before.category != item.category => {
            categories::named(app, caller, &item.owner, id).await.map(Some)
        }
        _ => category_now(app, item).await,
    }
}

async fn category_now(app: &App, item: &Item) -> Result<Option<Category>, Error> {
    let Some(id) = item.category else { return Ok(None) };
    let stored = app.store.item(id).await?.filter(|category| category.gone.is_none());
    stored.map(|category| app.category(&category)).transpose()
}

/// When a task that recurs is first, and how it recurs; none if it does not, and no occurrence was named.
fn recurring<'t>(
    task: &'t mut Task,
    named: Option<&str>,
) -> Result<Option<(Timing, &'t mut Routine)>, Error> {
    match (task.dates, &mut task.routine, named) {
        (Some(dates), Some(routine), _) => Ok(Some((dates.timing(), routine))),
        (_, _, None) => Ok(None),
        (_, _, Some(_)) => {
            let rule = "the task does not recur: leave it out";
            Err(Invalid::new("occurrence", rule).into())
        }
    }
}

fn named_wrongly(fault: Invalid) -> Error {
    Invalid { field: "occurrence".into(), ..fault }.into()
}

fn not_at_hand() -> Error {
    let rule = "is not the occurrence at hand: they are done one after the other; look at the task's \
                `occurrence`";
    Invalid::new("occurrence", rule).into()
}

fn not_done_last() -> Error {
    let rule = "is not the occurrence that was done last: they are taken back one after the other";
    Invalid::new("occurrence", rule).into()
}

/// Begins the task's series anew at the occurrence at hand: what was done stays as it is.
fn begin_anew(task: &mut Task) -> Result<Turn, Error> {
    let (Some(dates), Some(routine)) = (task.dates, &task.routine) else { return Ok(Turn::Same) };
    let at_hand = routine.at_hand(&dates.timing())?;
    task.begin_anew()?;
    Ok(at_hand.map_or(Turn::Afresh, |occurrence| Turn::Anew(occurrence.original)))
}

impl TaskEdit {
    /// Changes the task.
    fn apply(self, caller: &Caller, item: &mut Item, task: &mut Task) -> Result<Turn, Error> {
        match self.assignee {
            Said::Nothing => {}
            Said::Clear => item.shared = None,
            Said::To(user) => item.shared = given_to(caller, &item.owner, Some(user))?,
        }
        item.category = self.category.after(item.category);
        task.title = self.title.unwrap_or_else(|| std::mem::take(&mut task.title));
        task.notes = self.notes.unwrap_or_else(|| std::mem::take(&mut task.notes));
        task.priority = self.priority.unwrap_or(task.priority);
        task.meet = self.meet.after(task.meet);
        task.completion = self.completion.after(task.completion);
        when(task, self.dates, self.recurrence)
    }
}

/// Changes when a task is to be done. Of one that recurs that is about the occurrence at hand and all
/// that follow: what was done stays as it was.
fn when(task: &mut Task, dates: Said<Dates>, recurrence: Said<Vec<String>>) -> Result<Turn, Error> {
    let cleared = dates == Said::Clear;
    let dates = dates.after(None);
    if dates.is_none() && recurrence == Said::Nothing && !cleared {
        return Ok(Turn::Same);
    }
    let turn = begin_anew(task)?;
    let before = task.dates;
    task.dates = dates.or(before).filter(|_| !cleared);
    task.routine = match (task.routine.take(), recurrence, task.dates) {
        (_, Said::To(_), None) => {
            let rule = "means nothing without `due` or `start`: add one, or leave it out";
            return Err(Invalid::new("recurrence", rule).into());
        }
        (_, _, None) | (_, Said::Clear, _) | (None, Said::Nothing, _) => None,
        (routine, Said::To(lines), Some(dates)) => {
            let recurrence = dates.recurrence(&lines)?;
            Some(routine.map_or_else(
                || Routine::new(recurrence.clone()),
                |routine| routine.anew(recurrence.clone()),
            ))
        }
        (Some(routine), Said::Nothing, Some(dates)) => {
            let first = before.unwrap_or(dates).timing();
            Some(routine.anew(routine.recurrence.moved(&first, &dates.timing())?))
        }
    };
    if task.routine.is_some() {
        task.completed = None;
    }
    Ok(turn)
}
