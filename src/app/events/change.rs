//! Changing what is wanted of an event.

use super::{Edit, get, over, push};
use crate::app::access::Caller;
use crate::app::{App, Error};
use crate::model::event::{Content, Event, Presence, Wanted};
use crate::model::id::EventId;
use crate::model::job::Class;
use crate::store::Changed;

/// An edit that keeps being overtaken by others is given up after so many tries.
const MOST_EDITS: usize = 8;
/// Changes what the caller wants of an event; if it says which revision it has `seen`, that one alone.
pub async fn edit(
    app: &App,
    caller: &Caller,
    id: EventId,
    seen: Option<u32>,
    edit: &Edit,
) -> Result<Event, Error> {
    app.must_not_be_frozen()?;
    rewrite(app, caller, id, seen, |content, presence| {
        if presence == Presence::Absent {
            return Err(Error::NotFound("event"));
        }
        if let Some(summary) = &edit.summary {
            content.summary.clone_from(summary);
        }
        if let Some(description) = &edit.description {
            content.description.clone_from(description);
        }
        content.span = edit.span.unwrap_or(content.span);
        content.notify = edit.notify.unwrap_or(content.notify);
        Ok(Presence::Present)
    })
    .await
}

/// Takes the caller's event out of the calendar. Once more changes nothing.
pub async fn cancel(
    app: &App,
    caller: &Caller,
    id: EventId,
    seen: Option<u32>,
) -> Result<Event, Error> {
    app.must_not_be_frozen()?;
    rewrite(app, caller, id, seen, |_, _| Ok(Presence::Absent)).await
}

/// Makes the next revision of what is wanted, again if somebody else was faster.
async fn rewrite(
    app: &App,
    caller: &Caller,
    id: EventId,
    seen: Option<u32>,
    change: impl Fn(&mut Content, Presence) -> Result<Presence, Error>,
) -> Result<Event, Error> {
    for _ in 0..MOST_EDITS {
        let event = get(app, caller, id).await?;
        if seen.is_some_and(|seen| seen != event.wanted.revision) {
            return Err(Error::Unseen("event"));
        }
        let mut content = app.content(&event)?;
        let presence = change(&mut content, event.wanted.presence)?;
        if presence == event.wanted.presence
            && app.fingerprint(&content) == event.wanted.fingerprint
        {
            return Ok(event);
        }
        let now = app.clock.now();
        let revision = event.wanted.revision + 1;
        let wanted = Wanted {
            revision,
            presence,
            fingerprint: app.fingerprint(&content),
            content: app.seal_content(&event.owner, id, revision, &content)?,
            since: now,
            over: over(&content, now),
        };
        let job = push(app, &event, Class::Interactive, now);
        match app.store.change(id, wanted, job).await? {
            Changed::Yes(event) => return Ok(event),
            Changed::Overtaken => {}
            Changed::Missing => return Err(Error::NotFound("event")),
        }
    }
    Err(Error::Overtaken)
}
