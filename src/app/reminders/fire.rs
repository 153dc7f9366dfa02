//! Telling what has come due.
//!
//! What came due while nothing ran is told late, if it is not older than `reminders.catch_up_hours`;
//! what is older is written down as missed. Of several occurrences of one reminder the newest alone is
//! told, and the others were missed. Each occurrence has one delivery, whose name follows from it, and
//! which is kept in the step that moves the reminder on: so nothing is told twice, whatever is cut off
//! and however clocks are set.

use chrono::{DateTime, Utc};

use super::letter::letter;
use super::{calendar, finish, log, moments};
use crate::app::access::Caller;
use crate::app::desk::Desk;
use crate::app::items::{self, MOST_EDITS};
use crate::app::{App, Error};
use crate::model::delivery::DeliveryState;
use crate::model::history::By;
use crate::model::id::ItemId;
use crate::model::item::{Item, Noun};
use crate::model::job::{Cause, Class};
use crate::model::reminder::{Reminder, Way};
use crate::store::{Kept, Step};

/// So many missed occurrences are written down; earlier ones are passed over.
const MOST_MISSED: usize = 50;

/// Tells what has come due of a reminder, and moves it on to what is next.
pub async fn fire(app: &App, id: ItemId) -> Result<(), Error> {
    let bridge = Caller::console();
    let mut desk = Desk::new(app, &bridge, By::Bridge, Class::Normal);
    for _ in 0..MOST_EDITS {
        let stored = app.store.item(id).await?;
        let there = |item: &Item| item.noun == Noun::Reminder && item.gone.is_none();
        let Some(mut item) = stored.filter(there) else { return Ok(()) };
        let mut reminder = app.reminder(&item)?;
        let now = app.clock.now();
        let mut step = Step::default();
        let ahead = moments::ahead(app, &step, &item, &reminder, now).await?;
        if ahead.due.is_empty() && ahead.next == item.at {
            return Ok(());
        }
        tell(app, &item, &mut reminder, &ahead.due, now, &mut step).await?;
        calendar::arrange(&mut desk, &mut item, &mut reminder, ahead.next, &mut step).await?;
        item.version += 1;
        finish(app, &mut item, &reminder, ahead.next, &mut step)?;
        match items::keep(app, step).await? {
            Kept::Yes(_) => return Ok(()),
            Kept::NoRoom(crowd) => return Err(Error::Backlog(crowd)),
            Kept::Known(_) | Kept::OtherBody | Kept::Overtaken => {}
        }
    }
    Err(Error::Overtaken)
}

/// Deals with the occurrences that are due.
async fn tell(
    app: &App,
    item: &Item,
    reminder: &mut Reminder,
    due: &[DateTime<Utc>],
    now: DateTime<Utc>,
    step: &mut Step,
) -> Result<(), Error> {
    let Some((newest, earlier)) = due.split_last() else { return Ok(()) };
    let passed_over = earlier.len().saturating_sub(MOST_MISSED);
    for missed in &earlier[passed_over..] {
        let cause = Cause::new("overtaken", "a later occurrence was due when this one was seen");
        log(app, item, *missed, DeliveryState::Missed, None, Some(cause), step).await?;
    }
    if now - *newest > app.settings.catch_up {
        let text = "it was seen later than reminders.catch_up_hours after it was due";
        let cause = Cause::new("too_late", text);
        log(app, item, *newest, DeliveryState::Missed, None, Some(cause), step).await?;
    } else {
        let letter = if reminder.ways.contains(&Way::Mail) {
            Some(letter(app, item, reminder, *newest).await?)
        } else {
            None
        };
        let state = if letter.is_some() { DeliveryState::Pending } else { DeliveryState::Told };
        log(app, item, *newest, state, letter, None, step).await?;
        reminder.ringing = Some(*newest);
    }
    for moment in due {
        // One that was put off is no occurrence of its own: those between it and the last stay ahead.
        if reminder.snoozed == Some(*moment) {
            reminder.snoozed = None;
        } else {
            reminder.deal(*moment);
        }
    }
    Ok(())
}
