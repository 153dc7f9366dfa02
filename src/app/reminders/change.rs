//! Changing reminders: what they say, when they ring, and that they ring no more.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::create::{addressees, must_be_told};
use super::{ReminderView, calendar, finish, get, log, moments, take_back};
use crate::app::access::Caller;
use crate::app::desk::Desk;
use crate::app::events::{Identity, Said};
use crate::app::items::{self, MOST_EDITS};
use crate::app::{App, Error, categories};
use crate::model::delivery::DeliveryState;
use crate::model::id::ItemId;
use crate::model::invalid::Invalid;
use crate::model::item::{Item, Thing};
use crate::model::job::{Cause, Class};
use crate::model::recurrence::Recurrence;
use crate::model::reminder::{Reminder, Way, When};
use crate::model::timing::Timing;
use crate::store::{Kept, Step};

/// So many deliveries are looked at together for those whose mail is still to go.
const PAGE: usize = 100;

/// What a caller wants to be different.
#[derive(Clone, Debug, Default)]
pub struct ReminderEdit {
    /// The new title.
    pub title: Option<String>,
    /// The new text; empty for none.
    pub text: Option<String>,
    /// The moment of its own, from now on.
    pub first: Option<Timing>,
    /// How it recurs from now on: lines as they were typed.
    pub recurrence: Said<Vec<String>>,
    /// How many minutes before.
    pub minutes: Option<u32>,
    /// How it is told.
    pub ways: Option<BTreeSet<Way>>,
    /// Who gets its mail; nobody named for the owner's account.
    pub to: Option<Vec<String>>,
    /// Whether its mail tells what the owner's next day holds.
    pub digest: Option<bool>,
    /// Whether its entry has a Meet link.
    pub meet: Said<bool>,
    /// The category it is in.
    pub category: Said<ItemId>,
}

/// What is done to a reminder.
enum Deed<'a> {
    Edit(&'a ReminderEdit),
    Snooze(DateTime<Utc>),
    Dismiss,
    Delete,
    /// Its entry is brought to where it shall be.
    Arrange,
}

/// A reminder on its way to its next version.
struct Draft<'a> {
    app: &'a App,
    caller: &'a Caller,
    desk: Desk<'a>,
    item: Item,
    reminder: Reminder,
    step: Step,
}

/// Changes a reminder, if it is the version that the caller has `seen`.
pub async fn edit(
    app: &App,
    caller: &Caller,
    id: ItemId,
    seen: Option<u32>,
    edit: &ReminderEdit,
) -> Result<ReminderView, Error> {
    rewrite(app, caller, (id, seen), Deed::Edit(edit), None).await.map(|(view, _)| view)
}

/// Lets the occurrence that rings ring again at that moment; if none rings, the next one rings then
/// instead. Says whether an earlier request had done it.
pub async fn snooze(
    app: &App,
    caller: &Caller,
    id: ItemId,
    seen: Option<u32>,
    until: DateTime<Utc>,
    identity: Option<&Identity>,
) -> Result<(ReminderView, bool), Error> {
    if until <= app.clock.now() {
        return Err(Invalid::new("until", "must lie ahead: choose a later moment").into());
    }
    rewrite(app, caller, (id, seen), Deed::Snooze(until), identity).await
}

/// Silences the occurrence that rings; if none rings, the next one. Its mail, if it is still to go, does
/// not go. Says whether an earlier request had done it.
pub async fn dismiss(
    app: &App,
    caller: &Caller,
    id: ItemId,
    seen: Option<u32>,
    identity: Option<&Identity>,
) -> Result<(ReminderView, bool), Error> {
    rewrite(app, caller, (id, seen), Deed::Dismiss, identity).await
}

/// The caller's reminder as it is now, if the request was seen before.
pub async fn repeated(
    app: &App,
    caller: &Caller,
    id: ItemId,
    identity: Option<&Identity>,
) -> Result<Option<ReminderView>, Error> {
    if !items::is_repeated(app, caller, identity).await? {
        return Ok(None);
    }
    get(app, caller, id).await.map(Some)
}

/// Deletes a reminder, with all mail of it that is still to go.
pub async fn delete(
    app: &App,
    caller: &Caller,
    id: ItemId,
    seen: Option<u32>,
) -> Result<(), Error> {
    rewrite(app, caller, (id, seen), Deed::Delete, None).await.map(drop)
}

/// Brings the entry of a reminder to where it shall be, if it is not there.
pub(super) async fn arrange_again(app: &App, id: ItemId) -> Result<(), Error> {
    rewrite(app, &Caller::console(), (id, None), Deed::Arrange, None).await.map(drop)
}

/// Makes the next version of a reminder, again if somebody else was faster. Says whether an earlier request
/// had done it.
async fn rewrite(
    app: &App,
    caller: &Caller,
    (id, seen): (ItemId, Option<u32>),
    deed: Deed<'_>,
    identity: Option<&Identity>,
) -> Result<(ReminderView, bool), Error> {
    app.must_not_be_frozen()?;
    let bridge = Caller::console();
    for _ in 0..MOST_EDITS {
        let ReminderView { item: before, reminder: said } = get(app, caller, id).await?;
        items::must_be(&before, seen)?;
        let (item, reminder) = (before.clone(), said.clone());
        let desk = Desk::new(app, &bridge, caller.by(), Class::Interactive);
        let mut draft = Draft { app, caller, desk, item, reminder, step: Step::default() };
        draft.take(&deed).await?;
        let Draft { mut desk, mut item, mut reminder, mut step, .. } = draft;
        let now = app.clock.now();
        let next = moments::ahead(app, &step, &item, &reminder, now).await?.first();
        calendar::arrange(&mut desk, &mut item, &mut reminder, next, &mut step).await?;
        let quiet = step.items.is_empty() && step.changes.is_empty() && next == before.at;
        if !quiet || reminder != said || item != before {
            item.version += 1;
            finish(app, &mut item, &reminder, next, &mut step)?;
        } else if identity.is_none() {
            return Ok((ReminderView { item, reminder }, false));
        }
        step.request = identity.map(|identity| (items::request(app, caller, identity), id));
        match items::keep(app, step).await? {
            Kept::Yes(_) => return Ok((ReminderView { item, reminder }, false)),
            Kept::Known(item) => {
                let view = ReminderView { reminder: app.reminder(&item)?, item: *item };
                return Ok((view, true));
            }
            Kept::OtherBody => return Err(Error::KeyReused),
            Kept::NoRoom(crowd) => return Err(Error::Backlog(crowd)),
            Kept::Overtaken => {}
        }
    }
    Err(Error::Overtaken)
}

impl Draft<'_> {
    async fn take(&mut self, deed: &Deed<'_>) -> Result<(), Error> {
        match deed {
            Deed::Edit(edit) => self.edit(edit).await,
            Deed::Snooze(until) => self.snooze(*until).await,
            Deed::Dismiss => self.dismiss().await,
            Deed::Delete => self.delete().await,
            Deed::Arrange => Ok(()),
        }
    }

    async fn edit(&mut self, edit: &ReminderEdit) -> Result<(), Error> {
        if let Said::To(category) = edit.category {
            categories::named(self.app, self.caller, &self.item.owner, category).await?;
        }
        self.item.category = edit.category.clone().after(self.item.category);
        let reminder = &mut self.reminder;
        reminder.title = edit.title.clone().unwrap_or_else(|| reminder.title.clone());
        reminder.text = edit.text.clone().unwrap_or_else(|| reminder.text.clone());
        reminder.meet = edit.meet.clone().after(reminder.meet);
        let when = edit.when(&reminder.when)?;
        if when != reminder.when {
            reminder.when = when;
            reminder.begin(self.app.clock.now());
        }
        reminder.digest = edit.digest.unwrap_or(reminder.digest);
        if edit.ways.is_some() || edit.to.is_some() || edit.digest == Some(true) {
            reminder.ways = edit.ways.clone().unwrap_or_else(|| reminder.ways.clone());
            reminder.to = edit.to.clone().unwrap_or_else(|| reminder.to.clone());
            must_be_told(self.app, &self.item, &self.reminder).await?;
            self.reminder.to =
                addressees(self.app, self.caller, &self.item.owner, &self.reminder).await?;
        }
        Ok(())
    }

    async fn snooze(&mut self, until: DateTime<Utc>) -> Result<(), Error> {
        if self.reminder.is_series() && !self.reminder.ways.contains(&Way::Mail) {
            let rule = "puts nothing off: Google tells of every occurrence of a series in the calendar; \
                        add `mail` to `deliver`, or move the instance there";
            return Err(Invalid::new("until", rule).into());
        }
        let cause = || Cause::new("snoozed", "somebody put it off");
        if let Some(ringing) = self.reminder.ringing.take() {
            take_back(self.app, self.item.id, ringing, cause(), &mut self.step).await?;
        } else if self.reminder.snoozed.is_none() {
            let Some(next) = self.next().await? else {
                let rule = "puts nothing off: the reminder is over; change its `at` instead";
                return Err(Invalid::new("until", rule).into());
            };
            self.silence(next, cause()).await?;
        }
        self.reminder.snoozed = Some(until);
        Ok(())
    }

    async fn dismiss(&mut self) -> Result<(), Error> {
        let cause = Cause::new("dismissed", "somebody did not want to hear of it");
        if let Some(ringing) = self.reminder.ringing.take() {
            take_back(self.app, self.item.id, ringing, cause, &mut self.step).await?;
        } else {
            let Some(next) = self.next().await? else { return Ok(()) };
            self.silence(next, cause).await?;
        }
        self.reminder.dismissed = true;
        Ok(())
    }

    async fn delete(&mut self) -> Result<(), Error> {
        self.item.gone = Some(self.app.clock.now());
        let cause = || Cause::new("deleted", "the reminder was deleted");
        let mut after = None;
        loop {
            let of = Thing::Item(self.item.id);
            let (found, next) = self.app.store.attached(of, after, PAGE).await?;
            for item in found {
                let Some(moment) = item.at else { continue };
                take_back(self.app, self.item.id, moment, cause(), &mut self.step).await?;
            }
            match next {
                Some(_) => after = next,
                None => return Ok(()),
            }
        }
    }

    /// The next occurrence, come or to come.
    async fn next(&self) -> Result<Option<DateTime<Utc>>, Error> {
        let now = self.app.clock.now();
        let ahead = moments::ahead(self.app, &self.step, &self.item, &self.reminder, now).await?;
        Ok(ahead.first())
    }

    /// The occurrence of that moment does not ring, and if it lies ahead, Google does not tell of it.
    async fn silence(&mut self, moment: DateTime<Utc>, cause: Cause) -> Result<(), Error> {
        let state = DeliveryState::Dismissed;
        log(self.app, &self.item, moment, state, None, Some(cause), &mut self.step).await?;
        if self.reminder.snoozed == Some(moment) {
            self.reminder.snoozed = None;
        } else {
            let Self { desk, item, reminder, step, .. } = self;
            // Far the largest of what comes of it, and seldom what does.
            Box::pin(calendar::take_out(desk, item, reminder, moment, step)).await?;
            reminder.deal(moment);
        }
        Ok(())
    }
}

impl ReminderEdit {
    /// When it comes due from now on.
    fn when(&self, before: &When) -> Result<When, Invalid> {
        match before {
            When::At { first, recurrence } => {
                if self.minutes.is_some() {
                    let rule =
                        "means nothing to a reminder with a moment of its own: change its `at`";
                    return Err(Invalid::new("minutes_before", rule));
                }
                let at = self.first.unwrap_or(*first);
                let recurrence = match (&self.recurrence, recurrence) {
                    (Said::To(lines), _) => Some(Recurrence::read(lines, &at)?),
                    (Said::Clear, _) | (Said::Nothing, None) => None,
                    (Said::Nothing, Some(rule)) if at != *first => Some(rule.moved(first, &at)?),
                    (Said::Nothing, Some(rule)) => Some(rule.clone()),
                };
                Ok(When::At { first: at, recurrence })
            }
            When::Before { minutes, zone } => {
                let own = self.first.is_some() || matches!(self.recurrence, Said::To(_));
                if own {
                    let field = if self.first.is_some() { "at" } else { "recurrence" };
                    let rule = "is for reminders with a moment of their own: this one is told before \
                                something, so change its `minutes_before`";
                    return Err(Invalid::new(field, rule));
                }
                When::before(self.minutes.unwrap_or(*minutes), *zone)
            }
        }
    }
}
