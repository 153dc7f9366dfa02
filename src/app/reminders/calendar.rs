//! The entry that stands for a reminder in its owner's calendar, where Google tells of it.

use chrono::{DateTime, Utc};

use crate::app::desk::Desk;
use crate::app::events::Draft;
use crate::app::placement::Aim;
use crate::app::{App, Error};
use crate::model::category::Category;
use crate::model::event::{Alert, AlertBy, Content, Event, Meeting, Notify, Source};
use crate::model::item::Item;
use crate::model::owner::Owner;
use crate::model::recurrence::Recurrence;
use crate::model::reminder::{Reminder, Way, When, entry};
use crate::model::timing::{Original, Timing};
use crate::model::when::Moment;
use crate::store::Step;

/// What the calendar shall have of a reminder.
enum Shown {
    /// An entry at this time.
    At(Timing, Option<Recurrence>),
    /// No entry.
    Nothing,
    /// What it has: it came due, and stands there as what was.
    AsItIs,
}

/// Adds to `step` whatever brings the entry of `item`, which says `reminder` and comes due `next` then, to
/// where it shall be. Without an account to write it with, the entry waits.
pub(super) async fn arrange(
    desk: &mut Desk<'_>,
    item: &mut Item,
    reminder: &mut Reminder,
    next: Option<DateTime<Utc>>,
    step: &mut Step,
) -> Result<(), Error> {
    let standing = desk.standing(item).await?;
    let is_changed = |event: &Event| step.changes.iter().any(|(id, ..)| *id == event.id);
    if standing.as_ref().is_some_and(is_changed) {
        // An occurrence of it is taken out, and all else is as it was.
        return Ok(());
    }
    let shown = shown(desk.app, item, reminder, standing.as_ref(), next)?;
    let (timing, recurrence) = match (shown, &standing) {
        (Shown::At(timing, recurrence), _) => (timing, recurrence),
        (Shown::Nothing, Some(event)) => return desk.rewrite(event.clone(), None, step).await,
        (Shown::Nothing, None) | (Shown::AsItIs, _) => return Ok(()),
    };
    let category = category(desk.app, item).await?;
    let (draft, aim) = draft(item, reminder, category.as_ref(), timing, recurrence)?;
    if let Some(event) = standing {
        let before = desk.app.content(&event)?;
        let content = draft.content(desk.app, before.calendar);
        return desk.rewrite(event, Some(content), step).await;
    }
    item.event = None;
    let nth = (reminder.events + 1).to_be_bytes();
    let id = item.id.as_u128().to_be_bytes();
    let name: [&[u8]; 3] = [b"calbridge/reminder-event/v1", &id, &nth];
    if let Some(event) = desk.place((draft, aim), Source::Reminder(item.id), name, step).await? {
        reminder.events += 1;
        item.event = Some(event);
    }
    Ok(())
}

/// Adds to `step` that the occurrence of a series that was to ring at `moment` is gone from its entry. What
/// has come stays as what was.
pub(super) async fn take_out(
    desk: &Desk<'_>,
    item: &Item,
    reminder: &Reminder,
    moment: DateTime<Utc>,
    step: &mut Step,
) -> Result<(), Error> {
    if !reminder.is_series() || moment <= desk.app.clock.now() {
        return Ok(());
    }
    match desk.standing(item).await? {
        Some(event) => desk.take_out(event, Original::Moment(moment), step).await,
        None => Ok(()),
    }
}

/// Whether the reminder's entry waits for an account.
pub(super) fn waits(item: &Item, reminder: &Reminder) -> bool {
    reminder.ways.contains(&Way::Google) && item.at.is_some() && item.event.is_none()
}

fn shown(
    app: &App,
    item: &Item,
    reminder: &Reminder,
    standing: Option<&Event>,
    next: Option<DateTime<Utc>>,
) -> Result<Shown, Error> {
    if item.gone.is_some() || !reminder.ways.contains(&Way::Google) {
        return Ok(Shown::Nothing);
    }
    let Some(next) = next else {
        // What lies ahead is not wanted any more, unless it is what rings.
        let content = standing.map(|event| app.content(event)).transpose()?;
        let ahead = content.filter(|content| content.over() > app.clock.now());
        let rings = |content: &Content| reminder.ringing == Some(content.timing.starts());
        let stays = ahead.is_none_or(|content| reminder.is_series() || rings(&content));
        return Ok(if stays { Shown::AsItIs } else { Shown::Nothing });
    };
    Ok(match &reminder.when {
        When::At { first, recurrence: Some(rule) } => Shown::At(*first, Some(rule.clone())),
        When::At { first: Timing::Span(span), recurrence: None } => {
            let moment = match span.start().zone() {
                _ if span.start().instant() == next => *span.start(),
                Some(zone) => Moment::at(next, zone),
                None => Moment::at(next, chrono_tz::UTC),
            };
            Shown::At(entry(moment)?, None)
        }
        When::At { .. } | When::Before { .. } => {
            Shown::At(entry(Moment::at(next, chrono_tz::UTC))?, None)
        }
    })
}

/// What the entry says, and which calendar it asks for.
fn draft(
    item: &Item,
    reminder: &Reminder,
    category: Option<&Category>,
    timing: Timing,
    recurrence: Option<Recurrence>,
) -> Result<(Draft, Aim), Error> {
    let mut draft = Draft {
        description: reminder.text.clone(),
        meeting: reminder.meet.map(|meet| if meet { Meeting::Meet } else { Meeting::None }),
        category: item.category,
        recurrence,
        alerts: Some(vec![Alert::new(AlertBy::Popup, 0)?]),
        ..Draft::new(reminder.title.clone(), timing)
    };
    let user = match &item.owner {
        Owner::User(user) => Some(user.clone()),
        Owner::Application => None,
    };
    let mut aim = Aim { user, calendar: reminder.calendar.clone(), ..Aim::default() };
    if let Some(category) = category {
        category.fill(&mut draft, &mut aim);
    }
    // Nobody but its owner is there to be told.
    draft.notify = Some(Notify::None);
    Ok((draft, aim))
}

/// The category that the reminder is in, if it was not deleted since.
async fn category(app: &App, item: &Item) -> Result<Option<Category>, Error> {
    let Some(id) = item.category else { return Ok(None) };
    let stored = app.store.item(id).await?.filter(|category| category.gone.is_none());
    stored.map(|category| app.category(&category)).transpose()
}
