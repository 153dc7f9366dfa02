//! Changing series: all of one, one instance, or one instance and all that follow it.
//!
//! An instance that differs is an event of its own, whose name follows from its series and its
//! original start. Everything that one change makes true is kept in one step.

use std::collections::BTreeSet;

use super::change::{edit as edit_alone, next, wanted};
use super::{Edit, Said, View, get, google_id, push, view};
use crate::app::access::Caller;
use crate::app::{App, Error};
use crate::model::event::{
    Content, Copied, Event, Instance, Known, Leaving, Meet, Meeting, Notify, Presence,
};
use crate::model::history::By;
use crate::model::id::{EventId, GoogleId, JobId};
use crate::model::invalid::Invalid;
use crate::model::job::Class;
use crate::model::recurrence::{Recurrence, Split};
use crate::model::timing::{Original, Timing};
use crate::store::{Kept, Step};

/// A change that keeps being overtaken by others is given up after so many tries.
const MOST_TRIES: usize = 8;

/// How much of a series a change is about, and which instance names it, as written.
#[derive(Clone, Copy, Debug)]
pub enum Reach<'a> {
    /// All of it; what does not recur is all of itself.
    All,
    /// One instance.
    This(&'a str),
    /// One instance and all that follow it.
    Following(&'a str),
}

/// A series as it was just read.
struct Series {
    /// Who changes it.
    by: By,
    event: Event,
    content: Content,
    recurrence: Recurrence,
}

/// What becomes true together, and what the caller is shown of it.
struct Change {
    by: By,
    step: Step,
    shown: EventId,
}

/// Changes what the caller wants of an event, as far as the change reaches; if the caller says which
/// revision it has `seen`, that one alone.
pub async fn edit(
    app: &App,
    caller: &Caller,
    id: EventId,
    seen: Option<u32>,
    reach: Reach<'_>,
    edit: &Edit,
) -> Result<Event, Error> {
    app.must_not_be_frozen()?;
    for _ in 0..MOST_TRIES {
        let event = get(app, caller, id).await?;
        check(&event, seen)?;
        if event.wanted.presence == Presence::Absent {
            return Err(Error::NotFound("event"));
        }
        let change = match (read(app, caller, event)?, reach) {
            (Err(event), Reach::All) => {
                if event.instance.is_some() && edit.recurrence != Said::Nothing {
                    let rule = "an instance of a series does not recur: leave it out";
                    return Err(Invalid::new("recurrence", rule).into());
                }
                let starts = matches!(edit.recurrence, Said::To(_));
                if !starts {
                    return edit_alone(app, caller, id, seen, edit).await;
                }
                begin_to_recur(app, caller.by(), &event, edit)?
            }
            (Err(_), Reach::This(_) | Reach::Following(_)) => return Err(does_not_recur()),
            (Ok(series), Reach::All) => series.edit_all(app, edit).await?,
            (Ok(series), Reach::This(start)) => {
                let original = Original::read(start, &series.content.timing)?;
                match series.exception(app, original).await? {
                    Some(event) => return edit_alone(app, caller, event.id, None, edit).await,
                    None => series.except(app, original, Presence::Present, edit).await?,
                }
            }
            (Ok(series), Reach::Following(start)) => {
                let original = Original::read(start, &series.content.timing)?;
                match series.split(original)? {
                    Some(split) if split.before.is_some() => {
                        series.edit_following(app, original, split, edit).await?
                    }
                    Some(_) => series.edit_all(app, edit).await?,
                    // A repeated request: the series ends here already, and the next goes on.
                    None => {
                        let next = following(series.event.id, original);
                        return edit_alone(app, caller, next, None, edit).await;
                    }
                }
            }
        };
        if let Some(event) = keep(app, change).await? {
            return Ok(event);
        }
    }
    Err(Error::Overtaken)
}

/// Takes the caller's event out of the calendar, as far as that reaches. Once more changes nothing.
pub async fn cancel(
    app: &App,
    caller: &Caller,
    id: EventId,
    seen: Option<u32>,
    reach: Reach<'_>,
) -> Result<Event, Error> {
    app.must_not_be_frozen()?;
    for _ in 0..MOST_TRIES {
        let event = get(app, caller, id).await?;
        check(&event, seen)?;
        if event.wanted.presence == Presence::Absent {
            return Ok(event);
        }
        let change = match (read(app, caller, event)?, reach) {
            (Err(_), Reach::All) => return super::cancel(app, caller, id, seen).await,
            (Err(_), Reach::This(_) | Reach::Following(_)) => return Err(does_not_recur()),
            (Ok(series), Reach::All) => series.cancel_all(app).await?,
            (Ok(series), Reach::This(start)) => {
                let original = Original::read(start, &series.content.timing)?;
                if let Some(event) = series.exception(app, original).await? {
                    return super::cancel(app, caller, event.id, None).await;
                }
                series.except(app, original, Presence::Absent, &Edit::default()).await?
            }
            (Ok(series), Reach::Following(start)) => {
                let original = Original::read(start, &series.content.timing)?;
                match series.split(original)?.ok_or(Error::NotFound("instance"))?.before {
                    Some(before) => series.end_before(app, original, before, None).await?,
                    None => series.cancel_all(app).await?,
                }
            }
        };
        if let Some(event) = keep(app, change).await? {
            return Ok(event);
        }
    }
    Err(Error::Overtaken)
}

/// The instance that `start` names; one that is as its series has it is shown as that, then.
pub async fn instance(app: &App, caller: &Caller, id: EventId, start: &str) -> Result<View, Error> {
    let series = read(app, caller, get(app, caller, id).await?)?.map_err(|_| does_not_recur())?;
    let original = Original::read(start, &series.content.timing)?;
    if let Some(event) = series.exception(app, original).await? {
        return view(app, event).await;
    }
    let found = series.recurrence.occurrence(&series.content.timing, original)?;
    let timing = found.ok_or(Error::NotFound("instance"))?.timing;
    let instance = Some(Instance { series: series.event.id, original });
    let mut shown = view(app, series.event).await?;
    shown.event.instance = instance;
    shown.content = Content { timing, recurrence: None, ..shown.content };
    Ok(shown)
}

impl Series {
    /// The event of an instance that stands apart.
    async fn exception(&self, app: &App, original: Original) -> Result<Option<Event>, Error> {
        if !self.recurrence.exceptions().contains(&original) {
            return Ok(None);
        }
        Ok(app.store.event(exception_id(self.event.id, original)).await?)
    }

    /// Every instance that stands apart, those `from` on.
    async fn exceptions(&self, app: &App, from: Option<Original>) -> Result<Vec<Event>, Error> {
        let mut found = Vec::new();
        for original in self.recurrence.exceptions() {
            if from.is_none_or(|from| *original >= from) {
                // One that is long over may be forgotten.
                found.extend(app.store.event(exception_id(self.event.id, *original)).await?);
            }
        }
        Ok(found)
    }

    /// The series with everything that the edit says. Instances that it still has stay as they are.
    /// Of those that it has no more, cancelled ones are left out where they would come to lie now,
    /// and others end.
    async fn edit_all(&self, app: &App, edit: &Edit) -> Result<Change, Error> {
        let mut content = self.content.clone();
        edit.clone().apply(&mut content);
        let mut change = Change::new(self.by, self.event.id);
        let apart = self.exceptions(app, None).await?;
        if let Some(written) = content.recurrence.take() {
            let (old, new) = (&self.content.timing, &content.timing);
            let mut recurrence = match &edit.recurrence {
                Said::Nothing if old != new => self.recurrence.moved(old, new)?,
                _ => Recurrence::read(written.lines(), new)?,
            };
            let mut kept = BTreeSet::new();
            let mut left_out = Vec::new();
            for event in &apart {
                let Some(Instance { original, .. }) = event.instance else { continue };
                if recurrence.occurrence(new, original)?.is_some() {
                    kept.insert(original);
                } else if event.wanted.presence == Presence::Present {
                    change.end(app, event)?;
                } else if edit.recurrence == Said::Nothing {
                    left_out.push(self.recurrence.moved_start(original, old, new)?);
                }
            }
            if !left_out.is_empty() {
                recurrence = recurrence.without(new, left_out)?;
            }
            content.recurrence = Some(recurrence.with_exceptions(kept));
        } else {
            for event in &apart {
                change.end(app, event)?;
            }
        }
        if !content.wants_the_same(&self.content) {
            change.rewrite(app, &self.event, &self.content, content, Presence::Present)?;
        }
        Ok(change)
    }

    /// The series without any of its instances.
    async fn cancel_all(&self, app: &App) -> Result<Change, Error> {
        let mut change = Change::new(self.by, self.event.id);
        for event in self.exceptions(app, None).await? {
            change.end(app, &event)?;
        }
        change.end(app, &self.event)?;
        Ok(change)
    }

    /// One instance becomes an event of its own, there or not.
    async fn except(
        &self,
        app: &App,
        original: Original,
        presence: Presence,
        edit: &Edit,
    ) -> Result<Change, Error> {
        if edit.recurrence != Said::Nothing {
            let rule = "an instance of a series does not recur: leave it out";
            return Err(Invalid::new("recurrence", rule).into());
        }
        let occurrence = self.recurrence.occurrence(&self.content.timing, original)?;
        let occurrence = occurrence.ok_or(Error::NotFound("instance"))?;
        let mut content = Content {
            timing: occurrence.timing,
            recurrence: None,
            external_id: None,
            follows: None,
            leaving: Leaving::default(),
            ..self.content.clone()
        };
        edit.clone().apply(&mut content);
        let id = exception_id(self.event.id, original);
        let mut change = Change::new(self.by, id);
        if let Some(event) = app.store.event(id).await? {
            // It stood apart before, until its series had no such instance for a while.
            let before = app.content(&event)?;
            change.rewrite(app, &event, &before, content, presence)?;
        } else {
            let instance = Some(Instance { series: self.event.id, original });
            let known = unwritten(&content, self.event.known.google_id);
            let base = Event { id, instance, known, ..self.event.clone() };
            change.accept(app, base, presence, &content)?;
        }
        let recurrence = self.recurrence.clone().with_exception(original);
        let series = Content { recurrence: Some(recurrence), ..self.content.clone() };
        change.rewrite(app, &self.event, &self.content, series, Presence::Present)?;
        Ok(change)
    }

    fn split(&self, original: Original) -> Result<Option<Split>, Error> {
        Ok(self.recurrence.split(&self.content.timing, original)?)
    }

    /// The series ends before the instance, and another goes on from it with everything that the
    /// edit says. Instances that were cancelled stay so; those that only differed end.
    async fn edit_following(
        &self,
        app: &App,
        original: Original,
        split: Split,
        edit: &Edit,
    ) -> Result<Change, Error> {
        let first = split.first.timing;
        let mut content = Content {
            timing: first,
            recurrence: Some(split.after.clone()),
            external_id: None,
            follows: Some(self.event.id),
            leaving: Leaving::default(),
            ..self.content.clone()
        };
        edit.clone().apply(&mut content);
        let timing = content.timing;
        content.recurrence = match (content.recurrence.take(), &edit.recurrence) {
            (Some(_), Said::Nothing) => {
                let cancelled = self.cancelled(app, original).await?;
                let moved = |start| self.recurrence.moved_start(start, &first, &timing);
                let left_out = cancelled.into_iter().map(moved).collect::<Result<Vec<_>, _>>()?;
                let after = split.after.moved(&first, &timing)?;
                Some(if left_out.is_empty() { after } else { after.without(&timing, left_out)? })
            }
            (Some(written), _) => Some(Recurrence::read(written.lines(), &timing)?),
            (None, _) => None,
        };
        let before = split.before.ok_or(Error::NotFound("instance"))?;
        let mut change = self.end_before(app, original, before, edit.notify).await?;
        let id = following(self.event.id, original);
        let connection = app.store.connection(self.event.placement.connection).await?;
        let connection = connection.ok_or(Error::NotFound("event"))?;
        let profile = app.profile(&connection)?;
        let known = unwritten(&content, google_id(id, &profile, &content.calendar, 0));
        let base = Event { id, instance: None, known, ..self.event.clone() };
        change.accept(app, base, Presence::Present, &content)?;
        change.shown = id;
        Ok(change)
    }

    /// The starts of instances that were cancelled, those `from` on.
    async fn cancelled(&self, app: &App, from: Original) -> Result<Vec<Original>, Error> {
        let apart = self.exceptions(app, Some(from)).await?;
        let absent = apart.iter().filter(|event| event.wanted.presence == Presence::Absent);
        Ok(absent.filter_map(|event| event.instance).map(|instance| instance.original).collect())
    }

    /// The series ends before the instance, with all that stood apart from then on.
    async fn end_before(
        &self,
        app: &App,
        original: Original,
        before: Recurrence,
        notify: Option<Notify>,
    ) -> Result<Change, Error> {
        let mut change = Change::new(self.by, self.event.id);
        for event in self.exceptions(app, Some(original)).await? {
            change.end(app, &event)?;
        }
        let content = Content {
            recurrence: Some(before),
            notify: notify.unwrap_or(self.content.notify),
            ..self.content.clone()
        };
        change.rewrite(app, &self.event, &self.content, content, Presence::Present)?;
        Ok(change)
    }
}

impl Change {
    /// Nothing yet, asked for by somebody who is shown this event.
    fn new(by: By, shown: EventId) -> Self {
        Self { by, step: Step::default(), shown }
    }

    /// The event is to say this, there or not.
    fn rewrite(
        &mut self,
        app: &App,
        event: &Event,
        before: &Content,
        content: Content,
        presence: Presence,
    ) -> Result<(), Error> {
        let wanted = next(app, self.by, event, before, content, presence)?;
        let job = push(app, event, Class::Interactive, app.clock.now());
        self.step.changes.push((event.id, wanted, job));
        Ok(())
    }

    /// The event is to be gone, if it is not.
    fn end(&mut self, app: &App, event: &Event) -> Result<(), Error> {
        if event.wanted.presence == Presence::Absent {
            return Ok(());
        }
        let content = app.content(event)?;
        self.rewrite(app, event, &content.clone(), content, Presence::Absent)
    }

    /// An event is taken in that is as `base`, but says this.
    fn accept(
        &mut self,
        app: &App,
        base: Event,
        presence: Presence,
        content: &Content,
    ) -> Result<(), Error> {
        let now = app.clock.now();
        let wanted = wanted(app, self.by, (&base.owner, base.id), 1, presence, content)?;
        let event = Event { created: now, job: JobId::from_u128(0), wanted, ..base };
        let job = push(app, &event, Class::Interactive, now);
        self.step.accepts.push((Event { job: job.id, ..event }, job));
        Ok(())
    }
}

/// The event as a series; or as it is, if it does not recur.
fn read(app: &App, caller: &Caller, event: Event) -> Result<Result<Series, Event>, Error> {
    let content = app.content(&event)?;
    Ok(match content.recurrence.clone() {
        Some(recurrence) => Ok(Series { by: caller.by(), event, content, recurrence }),
        None => Err(event),
    })
}

fn check(event: &Event, seen: Option<u32>) -> Result<(), Error> {
    if seen.is_some_and(|seen| seen != event.wanted.revision) {
        return Err(Error::Unseen("event"));
    }
    Ok(())
}

fn does_not_recur() -> Error {
    Invalid::new("instance", "the event does not recur: leave `instance` and `range` out").into()
}

/// What happened once becomes a series.
fn begin_to_recur(app: &App, by: By, event: &Event, edit: &Edit) -> Result<Change, Error> {
    let before = app.content(event)?;
    let mut content = before.clone();
    edit.clone().apply(&mut content);
    let timing: Timing = content.timing;
    let read = |written: Recurrence| Recurrence::read(written.lines(), &timing);
    content.recurrence = content.recurrence.take().map(read).transpose()?;
    let mut change = Change::new(by, event.id);
    change.rewrite(app, event, &before, content, Presence::Present)?;
    Ok(change)
}

/// What is known of a copy that Google does not have yet.
fn unwritten(content: &Content, google_id: GoogleId) -> Known {
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

/// The name of an instance that stands apart.
pub(in crate::app) fn exception_id(series: EventId, original: Original) -> EventId {
    let (series, original) = (series.as_u128().to_be_bytes(), original.to_string());
    EventId::derived(&[b"calbridge/instance/v1", &series, original.as_bytes()])
}

/// The name of the series that goes on from an instance of another.
fn following(series: EventId, original: Original) -> EventId {
    let (series, original) = (series.as_u128().to_be_bytes(), original.to_string());
    EventId::derived(&[b"calbridge/following/v1", &series, original.as_bytes()])
}

/// Makes the change true. None if somebody else was faster.
async fn keep(app: &App, change: Change) -> Result<Option<Event>, Error> {
    let Change { step, shown, .. } = change;
    let quiet = step.accepts.is_empty() && step.changes.is_empty();
    if !quiet {
        let kept = app.store.keep(vec![step], app.settings.backlog, app.clock.now()).await?;
        match kept.into_iter().next() {
            Some(Kept::Yes(_)) => {}
            Some(Kept::NoRoom(crowd)) => return Err(Error::Backlog(crowd)),
            _ => return Ok(None),
        }
    }
    app.store.event(shown).await?.map(Some).ok_or(Error::NotFound("event"))
}
