//! What can be done with a series: to all of it, to an instance, and from an instance on.

use std::collections::BTreeSet;

use super::change::{Change, exception_id, following, unwritten, unwritten_beside};
use crate::app::events::{Edit, Said};
use crate::app::{App, Error};
use crate::model::event::{Content, Event, Instance, Leaving, Notify, Presence};
use crate::model::history::By;
use crate::model::id::EventId;
use crate::model::invalid::Invalid;
use crate::model::job::Class;
use crate::model::recurrence::{Recurrence, Split};
use crate::model::timing::Original;

/// A series as it was just read.
pub(in crate::app) struct Series {
    /// Who changes it, and how soon somebody looks for what comes of it.
    by: (By, Class),
    pub(super) event: Event,
    pub(super) content: Content,
    pub(super) recurrence: Recurrence,
}

/// Where the lines of a series come from that is changed as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::app) enum Lines {
    /// They are as they were, and move with the first occurrence.
    Moved,
    /// They are as the new content has them.
    Said,
}

impl Series {
    /// The event as a series; or as it is, if it does not recur.
    pub fn of(app: &App, by: (By, Class), event: Event) -> Result<Result<Self, Event>, Error> {
        let content = app.content(&event)?;
        Ok(match content.recurrence.clone() {
            Some(recurrence) => Ok(Self { by, event, content, recurrence }),
            None => Err(event),
        })
    }

    /// The event of an instance that stands apart.
    pub(super) async fn exception(
        &self,
        app: &App,
        original: Original,
    ) -> Result<Option<Event>, Error> {
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

    /// The series with everything that the edit says.
    pub(super) async fn edit_all(&self, app: &App, edit: &Edit) -> Result<Change, Error> {
        let mut content = self.content.clone();
        edit.clone().apply(&mut content);
        let lines = match &edit.recurrence {
            Said::Nothing => Lines::Moved,
            Said::Clear | Said::To(_) => Lines::Said,
        };
        self.becoming(app, content, lines).await
    }

    /// The series with this content. Instances that it still has stay as they are. Of those that it has
    /// no more, cancelled ones are left out where they come to lie if the series moves, and others end.
    pub async fn becoming(
        &self,
        app: &App,
        mut content: Content,
        lines: Lines,
    ) -> Result<Change, Error> {
        let mut change = Change::new(self.by, self.event.id);
        let (old, new) = (self.content.timing, content.timing);
        let recurrence = match content.recurrence.take() {
            None => None,
            Some(_) if lines == Lines::Moved && old != new => {
                Some(self.recurrence.moved(&old, &new)?)
            }
            Some(written) => Some(Recurrence::read(written.lines(), &new)?),
        };
        let mut kept = BTreeSet::new();
        let mut left_out = Vec::new();
        for original in self.recurrence.exceptions() {
            let stays = match &recurrence {
                Some(recurrence) => recurrence.occurrence(&new, *original)?.is_some(),
                None => false,
            };
            if stays {
                kept.insert(*original);
                continue;
            }
            // One that is long over may be forgotten.
            let Some(event) = self.exception(app, *original).await? else { continue };
            if event.wanted.presence == Presence::Present {
                change.end(app, &event)?;
            } else if lines == Lines::Moved {
                left_out.push(self.recurrence.moved_start(*original, &old, &new)?);
            }
        }
        content.recurrence = match recurrence {
            Some(recurrence) if left_out.is_empty() => Some(recurrence),
            Some(recurrence) => Some(recurrence.without(&new, left_out)?),
            None => None,
        };
        content.recurrence = content.recurrence.map(|rule| rule.with_exceptions(kept));
        if !content.wants_the_same(&self.content) {
            change.rewrite(app, &self.event, &self.content, content, Presence::Present)?;
        }
        Ok(change)
    }

    /// The series without any of its instances.
    pub async fn cancel_all(&self, app: &App) -> Result<Change, Error> {
        let mut change = Change::new(self.by, self.event.id);
        for event in self.exceptions(app, None).await? {
            change.end(app, &event)?;
        }
        change.end(app, &self.event)?;
        Ok(change)
    }

    /// One instance is called this from now on, there or not.
    pub async fn call(
        &self,
        app: &App,
        original: Original,
        presence: Presence,
        summary: String,
    ) -> Result<Change, Error> {
        let Some(event) = self.exception(app, original).await? else {
            let edit = Edit { summary: Some(summary), ..Edit::default() };
            return self.except(app, original, presence, &edit).await;
        };
        let mut change = Change::new(self.by, event.id);
        let before = app.content(&event)?;
        let content = Content { summary, ..before.clone() };
        if presence != event.wanted.presence || !content.wants_the_same(&before) {
            change.rewrite(app, &event, &before, content, presence)?;
        }
        Ok(change)
    }

    /// One instance is not there any more.
    pub async fn cancel_one(&self, app: &App, original: Original) -> Result<Change, Error> {
        let Some(event) = self.exception(app, original).await? else {
            return self.except(app, original, Presence::Absent, &Edit::default()).await;
        };
        let mut change = Change::new(self.by, event.id);
        change.end(app, &event)?;
        Ok(change)
    }

    /// How many instances stand apart.
    pub fn apart(&self) -> usize {
        self.recurrence.exceptions().len()
    }

    /// Whether an instance stands apart.
    pub fn stands_apart(&self, original: Original) -> bool {
        self.recurrence.exceptions().contains(&original)
    }

    /// One instance becomes an event of its own, there or not.
    pub(super) async fn except(
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
        let plain = Content {
            timing: occurrence.timing,
            recurrence: None,
            external_id: None,
            follows: None,
            leaving: Leaving::default(),
            ..self.content.clone()
        };
        let mut content = plain.clone();
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
            // Google makes the instance from its series: what it shall not have is to be taken out.
            change.accept(app, base, presence, (&plain, content.following(&plain, true)))?;
        }
        let recurrence = self.recurrence.clone().with_exception(original);
        let series = Content { recurrence: Some(recurrence), ..self.content.clone() };
        change.rewrite(app, &self.event, &self.content, series, Presence::Present)?;
        Ok(change)
    }

    pub(super) fn split(&self, original: Original) -> Result<Option<Split>, Error> {
        Ok(self.recurrence.split(&self.content.timing, original)?)
    }

    /// The series ends before the instance, and another goes on from it with everything that the
    /// edit says. Instances that were cancelled stay so; those that only differed end.
    pub(super) async fn edit_following(
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
        self.give_way(app, original, (before, edit.notify), content).await
    }

    /// The series ends before the instance, and what says `content` goes on from it. None if nothing
    /// is before the instance: then the series itself can say it.
    pub async fn go_on(
        &self,
        app: &App,
        original: Original,
        content: Content,
    ) -> Result<Option<Change>, Error> {
        match self.split(original)?.ok_or(Error::NotFound("instance"))?.before {
            Some(before) => self.give_way(app, original, (before, None), content).await.map(Some),
            None => Ok(None),
        }
    }

    async fn give_way(
        &self,
        app: &App,
        original: Original,
        (before, notify): (Recurrence, Option<Notify>),
        content: Content,
    ) -> Result<Change, Error> {
        let mut change = self.end_before(app, original, before, notify).await?;
        let id: EventId = following(self.event.id, original);
        // The guests of this series come along, but for those who are let go.
        let content = content.following(&self.content, self.event.is_written());
        let content = Content {
            external_id: None,
            follows: Some(self.event.id),
            leaving: Leaving { guests: content.leaving.guests, ..Leaving::default() },
            ..content
        };
        let known = unwritten_beside(app, &self.event, id, &content).await?;
        let base = Event { id, instance: None, known, ..self.event.clone() };
        change.accept(app, base, Presence::Present, (&content.clone(), content))?;
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
    pub(super) async fn end_before(
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
