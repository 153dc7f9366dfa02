//! Changing what is wanted of an event.

use super::{Edit, Said, get, over, push};
use crate::app::access::Caller;
use crate::app::{App, Error, categories, reminders};
use crate::model::event::{Content, Event, Presence, Wanted};
use crate::model::history::By;
use crate::model::id::EventId;
use crate::model::job::Class;
use crate::model::owner::Owner;
use crate::store::Changed;

/// A change that keeps being overtaken by others is given up after so many tries.
pub(super) const MOST_TRIES: usize = 8;

/// Changes what the caller wants of an event; if it says which revision it has `seen`, that one alone.
pub async fn edit(
    app: &App,
    caller: &Caller,
    id: EventId,
    seen: Option<u32>,
    edit: &Edit,
) -> Result<Event, Error> {
    app.must_not_be_frozen()?;
    if let Said::To(category) = edit.category {
        let event = get(app, caller, id).await?;
        categories::named(app, caller, &event.owner, category).await?;
    }
    rewrite(app, caller, id, seen, |content, presence| {
        if presence == Presence::Absent {
            return Err(Error::NotFound("event"));
        }
        edit.clone().apply(content);
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
    for _ in 0..MOST_TRIES {
        let event = get(app, caller, id).await?;
        if seen.is_some_and(|seen| seen != event.wanted.revision) {
            return Err(Error::Unseen("event"));
        }
        let before = app.content(&event)?;
        let mut content = before.clone();
        let presence = change(&mut content, event.wanted.presence)?;
        if presence == event.wanted.presence && content.wants_the_same(&before) {
            return Ok(event);
        }
        let now = app.clock.now();
        let wanted = next(app, caller.by(), &event, &before, content, presence)?;
        let job = push(app, &event, Class::Interactive, now);
        match reminders::change_event(app, id, wanted, job).await? {
            Changed::Yes(event) => return Ok(event),
            Changed::Overtaken => {}
            Changed::Missing => return Err(Error::NotFound("event")),
        }
    }
    Err(Error::Overtaken)
}

/// What is wanted of `event` once it says `content` instead of `before`.
pub fn next(
    app: &App,
    by: By,
    event: &Event,
    before: &Content,
    content: Content,
    presence: Presence,
) -> Result<Wanted, Error> {
    let content = content.following(before, event.is_written());
    wanted(app, by, (&event.owner, event.id), event.wanted.revision + 1, presence, &content)
}

/// What is wanted of an event that says `content` in this revision.
pub fn wanted(
    app: &App,
    by: By,
    (owner, id): (&Owner, EventId),
    revision: u32,
    presence: Presence,
    content: &Content,
) -> Result<Wanted, Error> {
    let now = app.clock.now();
    Ok(Wanted {
        revision,
        presence,
        fingerprint: app.fingerprint(content),
        content: app.seal_content(owner, id, revision, content)?,
        since: now,
        by,
        starts: content.timing.starts(),
        over: over(content, now),
        category: content.category,
    })
}

impl Edit {
    /// Changes what `content` says.
    pub(super) fn apply(self, content: &mut Content) {
        let Content { summary, description, location, timing, .. } = content;
        *summary = self.summary.unwrap_or_else(|| std::mem::take(summary));
        *description = self.description.unwrap_or_else(|| std::mem::take(description));
        *location = self.location.unwrap_or_else(|| std::mem::take(location));
        *timing = self.timing.unwrap_or(*timing);
        content.recurrence = self.recurrence.after(content.recurrence.take());
        content.guests = self.guests.unwrap_or_else(|| std::mem::take(&mut content.guests));
        content.color = self.color.after(content.color);
        content.visibility = self.visibility.unwrap_or(content.visibility);
        content.transparency = self.transparency.unwrap_or(content.transparency);
        content.alerts = self.alerts.after(content.alerts.take());
        content.meeting = self.meeting.unwrap_or_else(|| std::mem::take(&mut content.meeting));
        content.notify = self.notify.unwrap_or(content.notify);
        content.category = self.category.after(content.category);
    }
}
