//! The events that stand for tasks and reminders in calendars: how one is made, brought up to date and
//! taken out.

use super::access::Caller;
use super::events::series::{Change, Lines, Series};
use super::events::{self, Draft};
use super::placement::{Aim, Places};
use super::{App, Error};
use crate::model::event::{Content, Event, Notify, Presence, Source};
use crate::model::history::By;
use crate::model::id::EventId;
use crate::model::item::Item;
use crate::model::job::Class;
use crate::model::timing::Original;
use crate::store::Step;

/// A series keeps the list of its instances that stand apart in its own record, which has an end. No
/// more of them are taken out than this.
const MOST_APART: usize = 1_000;

/// Where such events are arranged: on whose behalf, and how soon somebody looks for them.
pub(super) struct Desk<'a> {
    pub app: &'a App,
    pub by: By,
    pub class: Class,
    places: Places<'a>,
}

impl<'a> Desk<'a> {
    /// A desk for what `by` asks for. Places are made out for `bridge`: whoever gave a thing to somebody
    /// was asked then whether they may.
    pub fn new(app: &'a App, bridge: &'a Caller, by: By, class: Class) -> Self {
        Self { app, by, class, places: Places::new(app, bridge) }
    }

    /// The event that stands for the item in a calendar.
    pub async fn standing(&self, item: &Item) -> Result<Option<Event>, Error> {
        let Some(id) = item.event else { return Ok(None) };
        let event = self.app.store.event(id).await?;
        Ok(event.filter(|event| event.wanted.presence == Presence::Present))
    }

    /// Adds to `step` whatever makes a standing event say `content`, or takes it out if that is nothing.
    pub async fn rewrite(
        &self,
        event: Event,
        content: Option<Content>,
        step: &mut Step,
    ) -> Result<(), Error> {
        let Self { app, by, class, .. } = *self;
        let event = match Series::of(app, (by, class), event)? {
            Ok(series) => {
                let change = match content {
                    Some(content) => series.becoming(app, content, Lines::Said).await?,
                    None => series.cancel_all(app).await?,
                };
                add(step, change);
                return Ok(());
            }
            Err(event) => event,
        };
        let before = app.content(&event)?;
        let (content, presence) = match content {
            Some(content) if content.wants_the_same(&before) => return Ok(()),
            Some(content) => (content, Presence::Present),
            None => (Content { notify: Notify::None, ..before.clone() }, Presence::Absent),
        };
        let wanted = events::next(app, by, &event, &before, content, presence)?;
        let job = events::push(app, &event, class, app.clock.now());
        step.changes.push((event.id, wanted, job));
        Ok(())
    }

    /// Adds to `step` that an instance of a standing event is gone. Where the event has no such instance,
    /// since somebody gave it other times, nothing is.
    pub async fn take_out(
        &self,
        event: Event,
        original: Original,
        step: &mut Step,
    ) -> Result<(), Error> {
        let Ok(series) = Series::of(self.app, (self.by, self.class), event)? else { return Ok(()) };
        if series.apart() >= MOST_APART {
            return Ok(());
        }
        match series.cancel_one(self.app, original).await {
            Ok(change) => add(step, change),
            Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Adds to `step` a new event, whose id follows from `name`. None if there is no account to write it
    /// with.
    pub async fn place(
        &mut self,
        (draft, aim): (Draft, Aim),
        source: Source,
        name: [&[u8]; 3],
        step: &mut Step,
    ) -> Result<Option<EventId>, Error> {
        let place = match self.places.resolve(&aim).await {
            Ok(place) => place,
            Err(Error::NotConnected { .. } | Error::UserNotConnected { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Self { app, by, class, .. } = *self;
        let [domain, thing, nth] = name;
        let id = EventId::derived(&[domain, app.settings.namespace.as_bytes(), thing, nth]);
        let (event, _) = events::begin(app, by, id, draft, place)?;
        let event = Event { source, ..event };
        let job = events::push(app, &event, class, app.clock.now());
        step.accepts.push((Event { job: job.id, ..event }, job));
        Ok(Some(id))
    }
}

/// Adds to `step` all that a change of a series makes true.
pub(super) fn add(step: &mut Step, change: Change) {
    step.accepts.extend(change.step.accepts);
    step.changes.extend(change.step.changes);
}
