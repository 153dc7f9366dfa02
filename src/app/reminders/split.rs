//! A series that is cut in two: what was reminded of before it is reminded of before what goes on from it.

use super::create::MOST_OF_ONE;
use super::{calendar, finish, moments};
use crate::app::access::Caller;
use crate::app::desk::Desk;
use crate::app::{App, Error, items};
use crate::model::history::By;
use crate::model::id::{EventId, ItemId};
use crate::model::item::{Item, Noun, Thing};
use crate::model::job::Class;
use crate::model::reminder::Reminder;
use crate::store::Step;

/// Adds to `step`, for each reminder before a series of which a part becomes a series of its own in it,
/// one before that part. One that would never ring is not made.
pub(super) async fn inherit(app: &App, step: &mut Step) -> Result<(), Error> {
    for (old, new) in cuts(app, step)? {
        let (found, _) = app.store.attached(Thing::Event(old), None, MOST_OF_ONE).await?;
        for item in found.into_iter().filter(|item| item.noun == Noun::Reminder) {
            // Few steps cut anything: theirs need not be as large for it.
            Box::pin(make_sibling(app, &item, new, step)).await?;
        }
    }
    Ok(())
}

/// The series that are cut, each with what goes on from it.
fn cuts(app: &App, step: &Step) -> Result<Vec<(EventId, EventId)>, Error> {
    let mut cuts = Vec::new();
    for (event, _) in step.accepts.iter().filter(|(event, _)| event.instance.is_none()) {
        let follows = app.content(event)?.follows;
        cuts.extend(follows.map(|old| (old, event.id)));
    }
    Ok(cuts)
}

/// Adds a reminder that says what this one does, before the event `of`. What rings, or was put off, stays
/// with the first; what was dealt with does not ring again.
async fn make_sibling(app: &App, first: &Item, of: EventId, step: &mut Step) -> Result<(), Error> {
    let id = sibling_id(first.id, of);
    if app.store.item(id).await?.is_some() {
        return Ok(());
    }
    let mut item = Item {
        of: Some(Thing::Event(of)),
        category: first.category,
        ..items::begin(app, id, Noun::Reminder, first.owner.clone())
    };
    let mut reminder = Reminder {
        snoozed: None,
        ringing: None,
        dismissed: false,
        events: 0,
        ..app.reminder(first)?
    };
    let ahead = moments::ahead(app, step, &item, &reminder, item.created).await?;
    if ahead.first().is_none() {
        return Ok(());
    }
    let bridge = Caller::console();
    let mut desk = Desk::new(app, &bridge, By::Bridge, Class::Normal);
    calendar::arrange(&mut desk, &mut item, &mut reminder, ahead.first(), step).await?;
    finish(app, &mut item, &reminder, ahead.first(), step)
}

/// The name of the reminder before what goes on: the same whoever makes it, however often.
fn sibling_id(first: ItemId, of: EventId) -> ItemId {
    let (first, of) = (first.as_u128().to_be_bytes(), of.as_u128().to_be_bytes());
    ItemId::derived(&[b"calbridge/reminder-sibling/v1", &first, &of])
}
