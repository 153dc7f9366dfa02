//! An event that its caller names in its own words: sent again it is the same event, and says what was
//! sent last.

use super::change::{MOST_TRIES, next};
use super::series::{Change, Lines, Series};
use super::{Draft, push};
use crate::app::access::Caller;
use crate::app::placement::Aim;
use crate::app::{App, Error, reminders};
use crate::model::event::{Content, Copied, Event, Presence};
use crate::model::history::By;
use crate::model::id::EventId;
use crate::model::invalid::Invalid;
use crate::model::job::Class;
use crate::model::owner::Owner;
use crate::store::Changed;

/// The id that follows from a caller's name for an event of this owner: the same in every store that
/// serves the caller, also after a store was lost.
pub fn named_by(app: &App, caller: &Caller, owner: &Owner, external_id: &str) -> EventId {
    EventId::derived(&[
        b"calbridge/event/v1",
        app.settings.namespace.as_bytes(),
        caller.source.as_bytes(),
        b"event",
        b"external-id",
        &owner.to_bytes(),
        external_id.as_bytes(),
    ])
}

/// What comes of sending a series again that is there: its instances that stand apart stay, as far as the
/// series still has them.
pub(super) async fn renew(
    app: &App,
    by: (By, Class),
    event: Event,
    content: Content,
) -> Result<Change, Error> {
    match Series::of(app, by, event)? {
        Ok(series) => series.becoming(app, content, Lines::Said).await,
        Err(_) => Err(Error::Overtaken),
    }
}

/// Makes an event that is there already say what `draft` says. If it does, nothing happens. One that was
/// cancelled here is wanted again; one that a person took out of the calendar stays out.
pub async fn upsert(
    app: &App,
    caller: &Caller,
    id: EventId,
    (draft, aim): (&Draft, &Aim),
    class: Class,
) -> Result<Event, Error> {
    for _ in 0..MOST_TRIES {
        let event = app.store.event(id).await?.ok_or(Error::NotFound("event"))?;
        let before = app.content(&event)?;
        if aim.calendar.as_ref().is_some_and(|calendar| *calendar != before.calendar) {
            let rule = "is another than this event lives in, and events do not move; cancel it, and \
                        name the new one otherwise";
            return Err(Invalid::new("calendar", rule).into());
        }
        let content = draft.clone().content(app, before.calendar.clone());
        if event.known.copy == Copied::RemovedInGoogle {
            return Ok(event);
        }
        if event.wanted.presence == Presence::Present {
            if content.wants_the_same(&before) {
                return Ok(event);
            }
            if before.recurrence.is_some() {
                match renew(app, (caller.by(), class), event, content).await?.keep(app).await? {
                    Some(event) => return Ok(event),
                    None => continue,
                }
            }
        }
        let wanted = next(app, caller.by(), &event, &before, content, Presence::Present)?;
        let job = push(app, &event, class, app.clock.now());
        match reminders::change_event(app, event.id, wanted, job).await? {
            Changed::Yes(event) => return Ok(event),
            Changed::Overtaken => {}
            Changed::Missing => return Err(Error::NotFound("event")),
        }
    }
    Err(Error::Overtaken)
}
