//! The event that stands for a task in a calendar: what it says, where it lives, and when there is one.

use super::notes;
use crate::app::Error;
use crate::app::desk::{Desk, add};
use crate::app::events::Draft;
use crate::app::events::series::Series;
use crate::app::placement::Aim;
use crate::model::category::{Category, Completion};
use crate::model::event::{Content, Event, Meeting, Notify, Presence, Source};
use crate::model::item::Item;
use crate::model::owner::Owner;
use crate::model::task::{Dates, Task};
use crate::model::timing::Original;
use crate::store::Step;

/// What stands before the title of what is done.
const DONE: &str = "✓ ";

/// What a change of a task is to a series in the calendar.
#[derive(Clone, Copy, Debug)]
pub(super) enum Turn {
    /// Nothing but what its event says, and where that is.
    Same,
    /// This occurrence is done.
    Done(Original),
    /// This occurrence is to be done after all.
    Open(Original),
    /// The series begins anew here; what it had before stays as it is.
    Anew(Original),
    /// All of the series is done, and the task goes on; the series stays as it is.
    Afresh,
}

/// Adds to `step` whatever brings the event of `item`, which says `task`, to where it shall be. The
/// event of a task whose doer changed is a new one in that person's calendar, and the old one goes, both
/// in this step. Without an account to write it with, the event waits.
pub(super) async fn arrange(
    desk: &mut Desk<'_>,
    item: &mut Item,
    task: &mut Task,
    category: Option<&Category>,
    step: &mut Step,
) -> Result<(), Error> {
    let doer = doer(item);
    let dates = if item.gone.is_none() { task.dates } else { None };
    let dates = dates.filter(|_| !is_removed(task, category));
    if let Some(event) = desk.standing(item).await? {
        let stays = dates.filter(|_| event.owner == doer);
        change(desk, item, task, category, (event, stays), step).await?;
        if stays.is_some() {
            return Ok(());
        }
    }
    if dates.is_some() {
        item.event = None;
        place(desk, item, task, category, doer, step).await?;
    }
    Ok(())
}

/// Adds to `step` what a turn of the task comes to in the calendar.
pub(super) async fn turn(
    desk: &mut Desk<'_>,
    item: &mut Item,
    task: &mut Task,
    (turn, category): (Turn, Option<&Category>),
    step: &mut Step,
) -> Result<(), Error> {
    let standing = desk.standing(item).await?.filter(|event| event.owner == doer(item));
    match (turn, standing) {
        (Turn::Done(original) | Turn::Open(original), Some(event)) => {
            let is_done = matches!(turn, Turn::Done(_));
            let completion = completion(task, category);
            let (presence, title) = match completion {
                Completion::Mark if is_done => (Presence::Present, format!("{DONE}{}", task.title)),
                Completion::Remove if is_done => (Presence::Absent, task.title.clone()),
                _ => (Presence::Present, task.title.clone()),
            };
            instance(desk, event, original, (presence, title), is_done, step).await
        }
        (Turn::Anew(original), Some(event)) if task.dates.is_some() => {
            let content = content_of(desk, item, task, category, &event)?;
            let series = Series::of(desk.app, (desk.by, desk.class), event)?;
            let gone_on = match (series, content) {
                (Ok(series), Some(content)) => series.go_on(desk.app, original, content).await?,
                _ => None,
            };
            match gone_on {
                Some(change) => {
                    item.event = Some(change.shown);
                    add(step, change);
                    Ok(())
                }
                // Nothing was done of it so far.
                None => arrange(desk, item, task, category, step).await,
            }
        }
        (Turn::Afresh, _) => {
            item.event = None;
            arrange(desk, item, task, category, step).await
        }
        _ => arrange(desk, item, task, category, step).await,
    }
}

/// One instance of a task's series is done, or not any more.
async fn instance(
    desk: &Desk<'_>,
    event: Event,
    original: Original,
    (presence, title): (Presence, String),
    is_done: bool,
    step: &mut Step,
) -> Result<(), Error> {
    let Ok(series) = Series::of(desk.app, (desk.by, desk.class), event)? else { return Ok(()) };
    let plain = presence == Presence::Present && !title.starts_with(DONE);
    if plain && (is_done || !series.stands_apart(original)) {
        return Ok(());
    }
    match series.call(desk.app, original, presence, title).await {
        Ok(change) => add(step, change),
        // Somebody gave the event other times than its task has: the task is done nonetheless.
        Err(Error::NotFound(_)) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

fn doer(item: &Item) -> Owner {
    item.shared.clone().unwrap_or_else(|| item.owner.clone())
}

/// What a standing event is to say; nothing if the task has no dates.
fn content_of(
    desk: &Desk<'_>,
    item: &Item,
    task: &Task,
    category: Option<&Category>,
    event: &Event,
) -> Result<Option<Content>, Error> {
    let before = desk.app.content(event)?;
    let Some(dates) = task.dates else { return Ok(None) };
    let (draft, _) = draft(item, task, category, dates);
    let content = draft.content(desk.app, before.calendar);
    Ok(Some(Content { follows: before.follows, ..content }))
}

/// Brings a standing event to what the task says now, or takes it out if it stays no longer.
async fn change(
    desk: &Desk<'_>,
    item: &Item,
    task: &Task,
    category: Option<&Category>,
    (event, stays): (Event, Option<Dates>),
    step: &mut Step,
) -> Result<(), Error> {
    let content = content_of(desk, item, task, category, &event)?.filter(|_| stays.is_some());
    desk.rewrite(event, content, step).await
}

/// Makes the task's next event, if there is an account to write it with.
async fn place(
    desk: &mut Desk<'_>,
    item: &mut Item,
    task: &mut Task,
    category: Option<&Category>,
    doer: Owner,
    step: &mut Step,
) -> Result<(), Error> {
    // A series begins with what is still to be done.
    let mut rest = task.clone();
    let is_anything_left = rest.begin_anew()?;
    let Some(dates) = rest.dates.filter(|_| is_anything_left) else { return Ok(()) };
    let (draft, mut aim) = draft(item, &rest, category, dates);
    if let Owner::User(user) = doer {
        aim.user = Some(user);
    }
    let id = item.id.as_u128().to_be_bytes();
    let nth = (task.events + 1).to_be_bytes();
    let name: [&[u8]; 3] = [b"calbridge/task-event/v1", &id, &nth];
    if let Some(event) = desk.place((draft, aim), Source::Task(item.id), name, step).await? {
        *task = rest;
        task.events += 1;
        item.event = Some(event);
    }
    Ok(())
}

/// What the task's event says, and which calendar it asks for.
fn draft(item: &Item, task: &Task, category: Option<&Category>, dates: Dates) -> (Draft, Aim) {
    // Of a series, each occurrence is marked by itself.
    let once = task.completed.filter(|_| task.routine.is_none());
    let marked = once.is_some() && completion(task, category) == Completion::Mark;
    let title = if marked { format!("{DONE}{}", task.title) } else { task.title.clone() };
    let mut draft = Draft {
        description: notes::shown(&task.notes),
        meeting: task.meet.map(|meet| if meet { Meeting::Meet } else { Meeting::None }),
        category: item.category,
        recurrence: task.routine.as_ref().map(|routine| routine.recurrence.clone()),
        ..Draft::new(title, dates.timing())
    };
    let mut aim = Aim { user: None, whose: task.whose, calendar: task.calendar.clone() };
    if let Some(category) = category {
        category.fill(&mut draft, &mut aim);
    }
    // Nobody but its doer is there to be told.
    draft.notify = Some(Notify::None);
    (draft, aim)
}

/// What becomes of the task's event when it is done.
fn completion(task: &Task, category: Option<&Category>) -> Completion {
    let usual = category.and_then(|category| category.completion);
    task.completion.or(usual).unwrap_or_default()
}

fn is_removed(task: &Task, category: Option<&Category>) -> bool {
    let once = task.completed.filter(|_| task.routine.is_none());
    once.is_some() && completion(task, category) == Completion::Remove
}
