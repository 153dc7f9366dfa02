//! Reminders: moments of their own, or before a task or an event, at which somebody is told by mail or
//! in their calendar.

mod calendar;
mod change;
mod create;
mod digest;
mod fire;
mod follow;
mod letter;
mod moments;
mod split;
mod waiting;

use chrono::{DateTime, Utc};

use super::access::Caller;
use super::items::{self, DELETED, Page};
use super::{App, Error};
use crate::model::delivery::{Delivery, DeliveryState, Ended, Letter};
use crate::model::id::{ItemId, JobId};
use crate::model::invalid::Invalid;
use crate::model::item::{Item, Noun, Thing};
use crate::model::job::{Cause, Class, Kind, Lane, Line, NewJob};
use crate::model::reminder::Reminder;
use crate::store::{Asked, Mark, Step};

pub use change::{ReminderEdit, delete, dismiss, edit, repeated, snooze};
pub use create::{Created, ReminderDraft, ReminderWish, create, create_all};
pub use fire::fire;
pub(super) use follow::{change as change_event, follow};
pub use waiting::place_waiting;

/// More than a thing ever has of reminders, even if some were made at the same moment.
const ALL_OF_ONE: usize = 200;

/// Where a reminder stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It comes due some time.
    Scheduled,
    /// It came due for the last time, or what it belongs to needs no reminder.
    Over,
    /// Nobody wants to hear of what was left of it.
    Dismissed,
}

/// A reminder as its owner may see it.
pub struct ReminderView {
    /// What is recorded.
    pub item: Item,
    /// What it says.
    pub reminder: Reminder,
}

/// What became of telling one occurrence of a reminder.
pub struct DeliveryView {
    /// What is recorded.
    pub item: Item,
    /// What there is to it.
    pub delivery: Delivery,
}

impl State {
    /// Every state there is.
    pub const ALL: [Self; 3] = [Self::Scheduled, Self::Over, Self::Dismissed];

    /// The state's name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Over => "over",
            Self::Dismissed => "dismissed",
        }
    }

    /// The number it is stored as.
    pub fn number(self) -> u8 {
        match self {
            Self::Scheduled => 0,
            Self::Over => 1,
            Self::Dismissed => 2,
        }
    }

    /// Where a reminder stands whose next moment is that.
    fn of(next: Option<DateTime<Utc>>, reminder: &Reminder) -> Self {
        match next {
            Some(_) => Self::Scheduled,
            None if reminder.dismissed => Self::Dismissed,
            None => Self::Over,
        }
    }
}

impl std::str::FromStr for State {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        let named = Self::ALL.into_iter().find(|state| state.as_str() == name);
        named.ok_or_else(|| Invalid::new("state", "`scheduled`, `over` or `dismissed`"))
    }
}

impl ReminderView {
    /// Where it stands.
    pub fn state(&self) -> State {
        State::of(self.item.at, &self.reminder)
    }

    /// Where it stands, in one word; also of what was deleted.
    pub fn word(&self) -> &'static str {
        if self.item.gone.is_some() { DELETED } else { self.state().as_str() }
    }

    /// Whether its entry in the calendar waits for an account.
    pub fn waits(&self) -> bool {
        calendar::waits(&self.item, &self.reminder)
    }
}

/// The caller's reminder.
pub async fn get(app: &App, caller: &Caller, id: ItemId) -> Result<ReminderView, Error> {
    let item = items::get(app, caller, Noun::Reminder, id).await?;
    Ok(ReminderView { reminder: app.reminder(&item)?, item })
}

/// Up to `most` of the reminders that are asked for, those made first first, behind `after`. If a thing
/// is named, those that belong to it.
pub async fn list(
    app: &App,
    caller: &Caller,
    asked: &Asked,
    of: Option<Thing>,
    after: Option<Mark>,
    most: usize,
) -> Result<Page<ReminderView>, Error> {
    caller.may_act_for(&asked.owner)?;
    let (found, next) = match of {
        Some(thing) => attached(app, asked, thing, after, most).await?,
        None => app.store.items(asked, after, most).await?,
    };
    let view = |item: Item| Ok(ReminderView { reminder: app.reminder(&item)?, item });
    Ok(Page { items: found.into_iter().map(view).collect::<Result<_, Error>>()?, next })
}

/// A page of the reminders of a thing. Where it ends tells nothing of reminders that are somebody else's.
async fn attached(
    app: &App,
    asked: &Asked,
    thing: Thing,
    after: Option<Mark>,
    most: usize,
) -> Result<(Vec<Item>, Option<Mark>), Error> {
    let (all, _) = app.store.attached(thing, None, ALL_OF_ONE).await?;
    let mark = |item: &Item| (item.created, item.id);
    let mut found: Vec<_> = all
        .into_iter()
        .filter(|item| item.noun == Noun::Reminder && item.owner == asked.owner)
        .filter(|item| has(asked, item) && after.is_none_or(|after| mark(item) > after))
        .collect();
    let more = found.len() > most;
    found.truncate(most);
    let next = found.last().map(mark).filter(|_| more);
    Ok((found, next))
}

/// Whether an item is asked for, apart from whose it is.
fn has(asked: &Asked, item: &Item) -> bool {
    let ranged = asked.from.is_some() || asked.to.is_some();
    let within = |at| asked.from.is_none_or(|from| from <= at) && asked.to.is_none_or(|to| at < to);
    asked.state.is_none_or(|state| state == item.state) && item.at.map_or(!ranged, within)
}

/// Up to `most` deliveries of the caller's reminder, those made first first, behind `after`.
pub async fn deliveries(
    app: &App,
    caller: &Caller,
    id: ItemId,
    after: Option<Mark>,
    most: usize,
) -> Result<Page<DeliveryView>, Error> {
    let reminder = items::get(app, caller, Noun::Reminder, id).await?;
    let (found, next) = app.store.attached(Thing::Item(reminder.id), after, most).await?;
    let view = |item: Item| Ok(DeliveryView { delivery: app.delivery(&item)?, item });
    Ok(Page { items: found.into_iter().map(view).collect::<Result<_, Error>>()?, next })
}

/// Brings the item to what its reminder says, and adds it to `step`, with the job that tells of it at
/// its `next` moment.
fn finish(
    app: &App,
    item: &mut Item,
    reminder: &Reminder,
    next: Option<DateTime<Utc>>,
    step: &mut Step,
) -> Result<(), Error> {
    item.at = next.filter(|_| item.gone.is_none());
    item.state = State::of(item.at, reminder).number();
    item.sealed = Some(app.seal_reminder(item, reminder)?);
    step.items.push(item.clone());
    if let Some(due) = item.at {
        let kind = Kind::FireReminder { reminder: item.id };
        step.jobs.push(job(app, item, kind, Lane::Reminders, due));
    }
    Ok(())
}

/// Adds the delivery of the reminder's occurrence at that moment to `step`, and the job that mails its
/// letter, unless the occurrence has a delivery already.
async fn log(
    app: &App,
    reminder: &Item,
    moment: DateTime<Utc>,
    state: DeliveryState,
    letter: Option<Letter>,
    cause: Option<Cause>,
    step: &mut Step,
) -> Result<(), Error> {
    let id = delivery_id(reminder.id, moment);
    if app.store.item(id).await?.is_some() {
        return Ok(());
    }
    let mut item = Item {
        of: Some(Thing::Item(reminder.id)),
        at: Some(moment),
        state: state.number(),
        ..items::begin(app, id, Noun::Delivery, reminder.owner.clone())
    };
    let pending = state == DeliveryState::Pending;
    let ended = (!pending).then_some(Ended { at: item.created, cause });
    item.sealed = Some(app.seal_delivery(&item, &Delivery { letter, ended })?);
    if pending {
        let kind = Kind::SendMail { delivery: id };
        step.jobs.push(job(app, &item, kind, Lane::Mail, item.created));
    }
    step.items.push(item);
    Ok(())
}

/// Adds to `step` that the delivery of that moment is over, if its mail is still to go: nobody wants it
/// any more.
async fn take_back(
    app: &App,
    reminder: ItemId,
    moment: DateTime<Utc>,
    cause: Cause,
    step: &mut Step,
) -> Result<(), Error> {
    match app.store.item(delivery_id(reminder, moment)).await? {
        Some(item) if item.state == DeliveryState::Pending.number() => {
            step.items.push(end(app, item, DeliveryState::Dismissed, Some(cause))?);
        }
        _ => {}
    }
    Ok(())
}

/// A pending delivery's next version, in which it is over.
pub(super) fn end(
    app: &App,
    item: Item,
    state: DeliveryState,
    cause: Option<Cause>,
) -> Result<Item, Error> {
    let delivery = app.delivery(&item)?;
    let ended = Some(Ended { at: app.clock.now(), cause });
    let mut item = Item { version: item.version + 1, state: state.number(), ..item };
    item.sealed = Some(app.seal_delivery(&item, &Delivery { ended, ..delivery })?);
    Ok(item)
}

/// The name of a delivery: the same whoever tells the occurrence, however often.
fn delivery_id(reminder: ItemId, moment: DateTime<Utc>) -> ItemId {
    ItemId::derived(&[
        b"calbridge/delivery/v1",
        &reminder.as_u128().to_be_bytes(),
        &moment.timestamp().to_be_bytes(),
        &moment.timestamp_subsec_nanos().to_be_bytes(),
    ])
}

fn job(app: &App, item: &Item, kind: Kind, lane: Lane, due: DateTime<Utc>) -> NewJob {
    let now = app.clock.now();
    NewJob {
        id: JobId::at(now, &*app.random),
        kind,
        line: Line { class: Class::Normal, owner: item.owner.clone(), lane },
        created: now,
        due,
        payload: None,
    }
}
