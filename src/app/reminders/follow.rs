//! Reminders move with what they belong to, in the step that moves it.

use std::collections::BTreeSet;

use super::{calendar, finish, moments, split};
use crate::app::access::Caller;
use crate::app::desk::Desk;
use crate::app::{App, Error, items};
use crate::model::event::Wanted;
use crate::model::history::By;
use crate::model::id::EventId;
use crate::model::item::{Item, Noun, Thing};
use crate::model::job::{Class, NewJob};
use crate::store::{Changed, Kept, Step};

/// So many reminders of a thing are looked at together.
const PAGE: usize = 100;

/// Adds to `step` every reminder that comes due at another moment once it is true, or not at all, or
/// again; and those before what goes on from a series that is cut in it.
pub async fn follow(app: &App, step: &mut Step) -> Result<(), Error> {
    for thing in touched(app, step).await? {
        let mut after = None;
        loop {
            let (found, next) = app.store.attached(thing, after, PAGE).await?;
            for item in found.into_iter().filter(|item| item.noun == Noun::Reminder) {
                // Few steps move any: theirs need not be as large for it.
                Box::pin(move_on(app, item, step)).await?;
            }
            match next {
                Some(_) => after = next,
                None => break,
            }
        }
    }
    split::inherit(app, step).await
}

/// What the step changes that reminders may belong to. What becomes of an instance moves the reminders of
/// its series.
async fn touched(app: &App, step: &Step) -> Result<BTreeSet<Thing>, Error> {
    let tasks = step.items.iter().filter(|item| item.noun == Noun::Task && item.version > 1);
    let mut things: BTreeSet<_> = tasks.map(|item| Thing::Item(item.id)).collect();
    let of_new = step.accepts.iter().filter_map(|(event, _)| event.instance);
    things.extend(of_new.map(|instance| Thing::Event(instance.series)));
    for (id, ..) in &step.changes {
        things.insert(Thing::Event(*id));
        let instance = app.store.event(*id).await?.and_then(|event| event.instance);
        things.extend(instance.map(|instance| Thing::Event(instance.series)));
    }
    Ok(things)
}

/// Puts a reminder to the moment at which it comes due once the step is true.
async fn move_on(app: &App, mut item: Item, step: &mut Step) -> Result<(), Error> {
    let mut reminder = app.reminder(&item)?;
    let ahead = moments::ahead(app, step, &item, &reminder, app.clock.now()).await?;
    if ahead.first() == item.at {
        return Ok(());
    }
    let bridge = Caller::console();
    let mut desk = Desk::new(app, &bridge, By::Bridge, Class::Normal);
    calendar::arrange(&mut desk, &mut item, &mut reminder, ahead.first(), step).await?;
    item.version += 1;
    finish(app, &mut item, &reminder, ahead.first(), step)
}

/// Changes what is wanted of one event, and moves its reminders with it.
pub async fn change(app: &App, id: EventId, wanted: Wanted, job: NewJob) -> Result<Changed, Error> {
    let mut step = Step { changes: vec![(id, wanted, job)], ..Step::default() };
    follow(app, &mut step).await?;
    if step.items.is_empty() {
        let Some((id, wanted, job)) = step.changes.pop() else { return Ok(Changed::Overtaken) };
        return Ok(app.store.change(id, wanted, job).await?);
    }
    Ok(match items::keep(app, step).await? {
        Kept::Yes(mut events) => events.pop().map_or(Changed::Missing, Changed::Yes),
        Kept::NoRoom(_) | Kept::Known(_) | Kept::OtherBody | Kept::Overtaken => Changed::Overtaken,
    })
}
