//! When a reminder comes due: at moments of its own, or before the thing that it belongs to.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::app::events::series;
use crate::app::tasks::State;
use crate::app::{App, Error};
use crate::model::event::{Copied, Event, Presence};
use crate::model::id::{EventId, ItemId};
use crate::model::item::{Item, Thing};
use crate::model::reminder::{Reminder, When};
use crate::model::task::Dates;
use crate::model::timing::{Original, Timing};
use crate::store::Step;

/// So many occurrences are looked at together. What has more of them behind it goes through them in
/// several runs.
const MOST_AT_ONCE: usize = 400;

/// The moments of a reminder that were not dealt with yet.
pub(super) struct Ahead {
    /// Those that have come, the earliest first.
    pub due: Vec<DateTime<Utc>>,
    /// The first that is still to be looked at.
    pub next: Option<DateTime<Utc>>,
}

impl Ahead {
    /// The first of all.
    pub fn first(&self) -> Option<DateTime<Utc>> {
        self.due.first().copied().or(self.next)
    }
}

/// Which moments of a reminder are ahead at `now`, once `step` is true.
pub(super) async fn ahead(
    app: &App,
    step: &Step,
    item: &Item,
    reminder: &Reminder,
    now: DateTime<Utc>,
) -> Result<Ahead, Error> {
    let floor = reminder.dealt;
    let mut moments = match (&reminder.when, item.of) {
        (When::At { first, recurrence: None }, _) => vec![first.starts()],
        (When::At { first, recurrence: Some(rule) }, _) => rule
            .expand(first, floor.map(after), MOST_AT_ONCE)?
            .iter()
            .map(|occurrence| occurrence.timing.starts())
            .collect(),
        (When::Before { minutes, zone }, Some(of)) => {
            let lead = TimeDelta::minutes((*minutes).into());
            let from = floor.map(|floor| after(floor) + lead);
            let begins = Clockwork { app, step, zone: *zone }.begins(of, from).await?;
            begins.into_iter().map(|begins| begins - lead).collect()
        }
        (When::Before { .. }, None) => Vec::new(),
    };
    let many = moments.len() >= MOST_AT_ONCE;
    moments.retain(|moment| floor.is_none_or(|floor| *moment > floor));
    moments.extend(reminder.snoozed);
    moments.sort_unstable();
    moments.dedup();
    let come = moments.partition_point(|moment| *moment <= now);
    let next = moments.get(come).or(moments.last().filter(|_| many)).copied();
    moments.truncate(come);
    Ok(Ahead { due: moments, next })
}

/// The first moment behind this one.
fn after(moment: DateTime<Utc>) -> DateTime<Utc> {
    moment + TimeDelta::nanoseconds(1)
}

/// The beginnings of things, as they are once a step is true.
pub(super) struct Clockwork<'a> {
    pub app: &'a App,
    pub step: &'a Step,
    /// Where whole days begin at midnight; in UTC if it is not said.
    pub zone: Option<Tz>,
}

impl Clockwork<'_> {
    /// When the thing begins, or is due, `from` on; never, if nobody needs to be reminded of it.
    async fn begins(
        &self,
        of: Thing,
        from: Option<DateTime<Utc>>,
    ) -> Result<Vec<DateTime<Utc>>, Error> {
        match of {
            Thing::Item(id) => Ok(self.task(id).await?.into_iter().collect()),
            Thing::Event(id) => self.event(id, from).await,
        }
    }

    async fn task(&self, id: ItemId) -> Result<Option<DateTime<Utc>>, Error> {
        let changed = self.step.items.iter().find(|item| item.id == id).cloned();
        let item = match changed {
            Some(item) => Some(item),
            None => self.app.store.item(id).await?,
        };
        let open = |item: &Item| item.gone.is_none() && item.state == State::Open.number();
        let Some(item) = item.filter(open) else { return Ok(None) };
        Ok(self.app.task(&item)?.at_hand()?.map(|dates| match dates {
            Dates::Due(Timing::Span(span)) => span.end().instant(),
            Dates::Due(timing @ Timing::Days(_)) | Dates::Planned(timing) => {
                timing.begins_in(self.zone)
            }
        }))
    }

    /// Every beginning of what recurs is one, but for the instances that were cancelled or moved.
    async fn event(
        &self,
        id: EventId,
        from: Option<DateTime<Utc>>,
    ) -> Result<Vec<DateTime<Utc>>, Error> {
        let Some(event) = self.present(id).await? else { return Ok(Vec::new()) };
        let content = self.app.content(&event)?;
        let Some(rule) = &content.recurrence else {
            return Ok(vec![content.timing.begins_in(self.zone)]);
        };
        // Whole days begin somewhere on Earth before they do in the zone.
        let from = from.map(|from| from - TimeDelta::days(2));
        let apart = |original: &Original| rule.exceptions().contains(original);
        let usual = rule.expand(&content.timing, from, MOST_AT_ONCE)?;
        let usual = usual.iter().filter(|occurrence| !apart(&occurrence.original));
        let mut begins: Vec<_> =
            usual.map(|occurrence| occurrence.timing.begins_in(self.zone)).collect();
        for original in rule.exceptions() {
            let id = series::exception_id(event.id, *original);
            if let Some(moved) = self.present(id).await? {
                begins.push(self.app.content(&moved)?.timing.begins_in(self.zone));
            }
        }
        Ok(begins)
    }

    /// The event, if it is in its calendar or will be.
    async fn present(&self, id: EventId) -> Result<Option<Event>, Error> {
        let taken_in = self.step.accepts.iter().find(|(event, _)| event.id == id);
        let event = match taken_in {
            Some((event, _)) => Some(event.clone()),
            None => self.app.store.event(id).await?,
        };
        let wanted = self.step.changes.iter().find(|(changed, ..)| *changed == id);
        let event = event.map(|event| match wanted {
            Some((_, wanted, _)) => Event { wanted: wanted.clone(), ..event },
            None => event,
        });
        Ok(event.filter(|event| {
            event.wanted.presence == Presence::Present
                && event.known.copy != Copied::RemovedInGoogle
        }))
    }
}
