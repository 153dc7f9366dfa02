//! What becomes true together when a series changes, and the names of the events that come of it.

use crate::app::events::change::wanted;
use crate::app::events::{Edit, google_id, push};
use crate::app::{App, Error, items, reminders};
use crate::model::event::{Content, Copied, Event, Known, Meet, Meeting, Presence};
use crate::model::history::By;
use crate::model::id::{EventId, GoogleId, JobId};
use crate::model::job::Class;
use crate::model::recurrence::Recurrence;
use crate::model::timing::{Original, Timing};
use crate::store::{Kept, Step};

/// What becomes true together, and what whoever asked for it is shown of it.
pub(in crate::app) struct Change {
    by: By,
    class: Class,
    /// All of it.
    pub step: Step,
    /// The event that is shown.
    pub shown: EventId,
    /// What each event is to say that is in it.
    pub says: Vec<Says>,
}

/// What an event is to say.
pub(in crate::app) struct Says {
    /// Which event.
    pub event: EventId,
    /// What.
    pub content: Content,
    /// The addresses of the guests that are let go.
    pub gone: Vec<String>,
    /// Whether Google's copy comes to say anything else.
    pub is_seen: bool,
}

impl Change {
    /// Nothing yet, asked for by somebody who is shown this event.
    pub(super) fn new((by, class): (By, Class), shown: EventId) -> Self {
        Self { by, class, step: Step::default(), shown, says: Vec::new() }
    }

    /// What happened once becomes a series.
    pub(super) fn begin_to_recur(
        app: &App,
        by: By,
        event: &Event,
        edit: &Edit,
    ) -> Result<Self, Error> {
        let before = app.content(event)?;
        let mut content = before.clone();
        edit.clone().apply(&mut content);
        let timing: Timing = content.timing;
        let read = |written: Recurrence| Recurrence::read(written.lines(), &timing);
        content.recurrence = content.recurrence.take().map(read).transpose()?;
        let mut change = Self::new((by, Class::Interactive), event.id);
        change.rewrite(app, event, &before, content, Presence::Present)?;
        Ok(change)
    }

    /// The event is to say this, there or not.
    pub(super) fn rewrite(
        &mut self,
        app: &App,
        event: &Event,
        before: &Content,
        content: Content,
        presence: Presence,
    ) -> Result<(), Error> {
        let content = content.following(before, event.is_written());
        let revision = event.wanted.revision + 1;
        let whose = (&event.owner, event.id);
        let wanted = wanted(app, self.by, whose, revision, presence, &content)?;
        let job = push(app, event, self.class, app.clock.now());
        let is_seen =
            presence != event.wanted.presence || wanted.fingerprint != event.wanted.fingerprint;
        self.step.changes.push((event.id, wanted, job));
        let gone = let_go(before, &content);
        self.says.push(Says { event: event.id, content, gone, is_seen });
        Ok(())
    }

    /// The event is to be gone, if it is not.
    pub(super) fn end(&mut self, app: &App, event: &Event) -> Result<(), Error> {
        if event.wanted.presence == Presence::Absent {
            return Ok(());
        }
        let content = app.content(event)?;
        self.rewrite(app, event, &content.clone(), content, Presence::Absent)
    }

    /// An event is taken in that is as `base`, but says this, where its place said something before.
    pub(super) fn accept(
        &mut self,
        app: &App,
        base: Event,
        presence: Presence,
        (before, content): (&Content, Content),
    ) -> Result<(), Error> {
        let now = app.clock.now();
        let wanted = wanted(app, self.by, (&base.owner, base.id), 1, presence, &content)?;
        let event = Event { created: now, job: JobId::from_u128(0), wanted, ..base };
        let job = push(app, &event, self.class, now);
        let gone = let_go(before, &content);
        self.says.push(Says { event: event.id, content, gone, is_seen: true });
        self.step.accepts.push((Event { job: job.id, ..event }, job));
        Ok(())
    }

    /// Whether nothing is to become true that is not.
    pub fn is_empty(&self) -> bool {
        self.step.accepts.is_empty() && self.step.changes.is_empty()
    }

    /// Makes the change true. None if somebody else was faster.
    pub async fn keep(mut self, app: &App) -> Result<Option<Event>, Error> {
        if !self.is_empty() {
            reminders::follow(app, &mut self.step).await?;
            match items::keep(app, self.step).await? {
                Kept::Yes(_) => {}
                Kept::NoRoom(crowd) => return Err(Error::Backlog(crowd)),
                Kept::Known(_) | Kept::OtherBody | Kept::Overtaken => return Ok(None),
            }
        }
        app.store.event(self.shown).await?.map(Some).ok_or(Error::NotFound("event"))
    }
}

/// The addresses of the guests that `content` lets go.
fn let_go(before: &Content, content: &Content) -> Vec<String> {
    let gone = before.guests.iter().filter(|guest| content.leaving.guests.contains(&guest.key()));
    gone.map(|guest| guest.email.clone()).collect()
}

/// What is known of a copy that Google does not have yet.
pub(super) fn unwritten(content: &Content, google_id: GoogleId) -> Known {
    Known {
        google_id,
        generation: 0,
        applied: 0,
        copy: Copied::Awaited,
        meet: match content.meeting {
            Meeting::Meet => Meet::Pending { tries: 0, since: None },
            Meeting::None | Meeting::Own { .. } => Meet::Unwanted,
        },
        version: 0,
        links: None,
    }
}

/// What is known of the copy of a series' next part, in the same calendar.
pub(super) async fn unwritten_beside(
    app: &App,
    series: &Event,
    id: EventId,
    content: &Content,
) -> Result<Known, Error> {
    let connection = app.store.connection(series.placement.connection).await?;
    let profile = app.profile(&connection.ok_or(Error::NotFound("event"))?)?;
    Ok(unwritten(content, google_id(id, &profile, &content.calendar, 0)))
}

/// The name of an instance that stands apart.
pub(in crate::app) fn exception_id(series: EventId, original: Original) -> EventId {
    let (series, original) = (series.as_u128().to_be_bytes(), original.to_string());
    EventId::derived(&[b"calbridge/instance/v1", &series, original.as_bytes()])
}

/// The name of the series that goes on from an instance of another.
pub(super) fn following(series: EventId, original: Original) -> EventId {
    let (series, original) = (series.as_u128().to_be_bytes(), original.to_string());
    EventId::derived(&[b"calbridge/following/v1", &series, original.as_bytes()])
}
