//! The event that stands for a task in a calendar: what it says, where it lives, and when there is one.

use super::notes;
use crate::app::access::Caller;
use crate::app::events::{self, Draft};
use crate::app::placement::{Aim, Place, Places};
use crate::app::{App, Error};
use crate::model::category::{Category, Completion};
use crate::model::event::{Content, Event, Meeting, Notify, Presence, Source};
use crate::model::history::By;
use crate::model::id::EventId;
use crate::model::item::Item;
use crate::model::job::Class;
use crate::model::owner::Owner;
use crate::model::task::{Dates, Task};
use crate::store::Step;

/// What stands before the title of what is done.
const DONE: &str = "✓ ";

/// Adds to `step` whatever brings the event of `item`, which says `task`, to where it shall be. The
/// event of a task whose doer changed is a new one in that person's calendar, and the old one goes, both
/// in this step. Without an account to write it with, the event waits.
pub(super) async fn arrange(
    app: &App,
    item: &mut Item,
    task: &mut Task,
    category: Option<&Category>,
    step: &mut Step,
) -> Result<(), Error> {
    let doer = item.shared.clone().unwrap_or_else(|| item.owner.clone());
    let dates = if item.gone.is_none() { task.dates } else { None };
    let dates = dates.filter(|_| !is_removed(task, category));
    let standing = match item.event {
        Some(id) => app.store.event(id).await?,
        None => None,
    };
    let standing = standing.filter(|event| event.wanted.presence == Presence::Present);
    if let Some(event) = &standing {
        let stays = dates.filter(|_| event.owner == doer);
        change(app, item, task, category, (event, stays), step)?;
        if stays.is_some() {
            return Ok(());
        }
    }
    if let Some(dates) = dates {
        item.event = None;
        place(app, item, task, category, (doer, dates), step).await?;
    }
    Ok(())
}

/// Brings a standing event to what the task says now, or takes it out if it stays no longer.
fn change(
    app: &App,
    item: &Item,
    task: &Task,
    category: Option<&Category>,
    (event, stays): (&Event, Option<Dates>),
    step: &mut Step,
) -> Result<(), Error> {
    let before = app.content(event)?;
    let (content, presence) = match stays {
        Some(dates) => {
            let (draft, _) = draft(item, task, category, dates);
            (draft.content(app, before.calendar.clone()), Presence::Present)
        }
        None => (Content { notify: Notify::None, ..before.clone() }, Presence::Absent),
    };
    if presence == Presence::Present && content.wants_the_same(&before) {
        return Ok(());
    }
    let wanted = events::next(app, By::Bridge, event, &before, content, presence)?;
    let job = events::push(app, event, Class::Interactive, app.clock.now());
    step.changes.push((event.id, wanted, job));
    Ok(())
}

/// Makes the task's next event, if there is an account to write it with.
async fn place(
    app: &App,
    item: &mut Item,
    task: &mut Task,
    category: Option<&Category>,
    (doer, dates): (Owner, Dates),
    step: &mut Step,
) -> Result<(), Error> {
    let (draft, mut aim) = draft(item, task, category, dates);
    if let Owner::User(user) = doer {
        aim.user = Some(user);
    }
    // Whoever gave the task to its doer was asked then whether they may.
    let bridge = Caller::console();
    let place: Place = match Places::new(app, &bridge).resolve(&aim).await {
        Ok(place) => place,
        Err(Error::NotConnected { .. } | Error::UserNotConnected { .. }) => return Ok(()),
        Err(error) => return Err(error),
    };
    task.events += 1;
    let id = EventId::derived(&[
        b"calbridge/task-event/v1",
        app.settings.namespace.as_bytes(),
        &item.id.as_u128().to_be_bytes(),
        &task.events.to_be_bytes(),
    ]);
    let event = Event {
        source: Source::Task(item.id),
        ..events::begin(app, By::Bridge, id, draft, place)?
    };
    let job = events::push(app, &event, Class::Interactive, app.clock.now());
    item.event = Some(id);
    step.accepts.push((Event { job: job.id, ..event }, job));
    Ok(())
}

/// What the task's event says, and which calendar it asks for.
fn draft(item: &Item, task: &Task, category: Option<&Category>, dates: Dates) -> (Draft, Aim) {
    let marked = task.completed.is_some() && completion(task, category) == Completion::Mark;
    let title = if marked { format!("{DONE}{}", task.title) } else { task.title.clone() };
    let mut draft = Draft {
        description: notes::shown(&task.notes),
        meeting: task.meet.map(|meet| if meet { Meeting::Meet } else { Meeting::None }),
        category: item.category,
        ..Draft::new(title, dates.timing())
    };
    let mut aim = Aim { calendar: task.calendar.clone(), ..Aim::default() };
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
    task.completed.is_some() && completion(task, category) == Completion::Remove
}
