//! Taking events in, changing them, and waiting for them to appear.

mod change;
mod conflict;
mod create;
mod dry_run;
pub mod list;
pub mod series;
mod show;
mod state;
mod upsert;

use super::access::Caller;
use super::placement::Aim;
use super::sealing::{Links, Profile};
use super::{App, Error};
use crate::model::event::{
    Alert, Color, Content, Event, Guest, Meeting, Notify, Transparency, Visibility,
};
use crate::model::id::{EventId, GoogleId, ItemId, JobId};
use crate::model::job::{Cause, Class, JobState, Kind, Line, NewJob};
use crate::model::key::Digest;
use crate::model::recurrence::Recurrence;
use crate::model::timing::Timing;
use chrono::{DateTime, Utc};

pub(super) use change::next;
pub use change::{cancel, edit};
pub use conflict::create_unless_taken;
pub(super) use create::{begin, request};
pub use create::{create, create_all};
pub use dry_run::{DryRun, try_cancel, try_create, try_edit};
pub use show::{meet_pending, settled, view, wait};
pub use state::State;

/// What a caller wants to see in the calendar.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Its title.
    pub summary: String,
    /// Its notes.
    pub description: String,
    /// Where it takes place.
    pub location: String,
    /// When it is.
    pub timing: Timing,
    /// How it recurs.
    pub recurrence: Option<Recurrence>,
    /// Who is invited.
    pub guests: Vec<Guest>,
    /// Its colour.
    pub color: Option<Color>,
    /// Who may read it.
    pub visibility: Visibility,
    /// Whether it takes time.
    pub transparency: Transparency,
    /// When its owner is reminded of it.
    pub alerts: Option<Vec<Alert>>,
    /// Where people meet online; none to let the settings decide.
    pub meeting: Option<Meeting>,
    /// Who gets mail; nobody if it does not say.
    pub notify: Option<Notify>,
    /// What it is filed under.
    pub category: Option<ItemId>,
    /// Its name in the calling application's words.
    pub external_id: Option<String>,
}

/// What a caller wants to be different.
#[derive(Clone, Debug, Default)]
pub struct Edit {
    /// The new title.
    pub summary: Option<String>,
    /// The new notes; empty for none.
    pub description: Option<String>,
    /// The new place; empty for none.
    pub location: Option<String>,
    /// The new times.
    pub timing: Option<Timing>,
    /// How it recurs from now on.
    pub recurrence: Said<Recurrence>,
    /// Who is invited from now on.
    pub guests: Option<Vec<Guest>>,
    /// The new colour.
    pub color: Said<Color>,
    /// Who may read it.
    pub visibility: Option<Visibility>,
    /// Whether it takes time.
    pub transparency: Option<Transparency>,
    /// When its owner is reminded of it.
    pub alerts: Said<Vec<Alert>>,
    /// Where people meet online from now on.
    pub meeting: Option<Meeting>,
    /// Who gets mail about the change.
    pub notify: Option<Notify>,
    /// What it is filed under.
    pub category: Said<ItemId>,
}

/// What an edit says of what may be there or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Said<T> {
    /// Nothing: it stays as it is.
    #[default]
    Nothing,
    /// It shall be gone.
    Clear,
    /// It shall be this.
    To(T),
}

/// An event to be taken in, and what its request is known by.
#[derive(Clone, Debug)]
pub struct Wish {
    /// What its caller wants to see.
    pub draft: Draft,
    /// Whose it is and where it goes, as far as its caller says.
    pub aim: Aim,
    /// What makes it known when it is repeated.
    pub identity: Option<Identity>,
}

/// What makes a request known when it is repeated.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Where it was sent.
    pub route: String,
    /// Its `Idempotency-Key`.
    pub key: String,
    /// SHA-256 of its body.
    pub body: Digest,
}

/// An event as its owner may see it.
#[derive(Clone, Debug)]
pub struct View {
    /// What is recorded.
    pub event: Event,
    /// What it says.
    pub content: Content,
    /// Where it is.
    pub links: Links,
    /// Why it is not there yet, if something stands in the way.
    pub obstacle: Option<Cause>,
    /// Where the job stands that writes it, if it is not as wanted.
    pub job: Option<JobState>,
}

/// An event that was taken in.
#[derive(Clone, Debug)]
pub struct Created {
    /// The event, as it was taken in or found.
    pub view: View,
    /// How it came to be there.
    pub taken: Taken,
}

/// How an event came to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// This request brought it.
    New,
    /// An earlier request brought it, which this one repeats.
    Repeated,
    /// It was there under the name that its caller gave it, and says by now what was sent.
    Found,
}

impl Draft {
    /// What is called `summary`, is `timing`, and says nothing else.
    pub fn new(summary: impl Into<String>, timing: Timing) -> Self {
        Self {
            summary: summary.into(),
            description: String::new(),
            location: String::new(),
            timing,
            recurrence: None,
            guests: Vec::new(),
            color: None,
            visibility: Visibility::default(),
            transparency: Transparency::default(),
            alerts: None,
            meeting: None,
            notify: None,
            category: None,
            external_id: None,
        }
    }

    /// What an event says that is made of it and lives in `calendar`.
    pub fn content(self, app: &App, calendar: String) -> Content {
        let usual = if app.settings.meet { Meeting::Meet } else { Meeting::None };
        Content {
            description: self.description,
            location: self.location,
            recurrence: self.recurrence,
            guests: self.guests,
            color: self.color,
            visibility: self.visibility,
            transparency: self.transparency,
            alerts: self.alerts,
            meeting: self.meeting.unwrap_or(usual),
            notify: self.notify.unwrap_or(Notify::None),
            category: self.category,
            external_id: self.external_id,
            ..Content::new(calendar, self.summary, self.timing)
        }
    }
}

impl<T> Said<T> {
    /// What is there after it was said where `before` was.
    pub fn after(self, before: Option<T>) -> Option<T> {
        match self {
            Self::Nothing => before,
            Self::Clear => None,
            Self::To(value) => Some(value),
        }
    }
}

/// The caller's event.
pub async fn get(app: &App, caller: &Caller, id: EventId) -> Result<Event, Error> {
    let event = app.store.event(id).await?;
    event.filter(|event| caller.sees(&event.owner)).ok_or(Error::NotFound("event"))
}
/// An event's id at Google. It says nothing of the event, and is the same whoever computes it.
pub fn google_id(event: EventId, profile: &Profile, calendar: &str, generation: u32) -> GoogleId {
    GoogleId::derived(&[
        b"calbridge/google-event/v1",
        &event.as_u128().to_be_bytes(),
        profile.sub.as_bytes(),
        calendar.as_bytes(),
        &generation.to_be_bytes(),
    ])
}

/// From when on an event is over: its end, or the moment it was asked for if that lies later, so that
/// what lies in the past already is not forgotten before anybody could ask for it again.
fn over(content: &Content, now: DateTime<Utc>) -> DateTime<Utc> {
    content.over().max(now)
}

pub(super) fn push(app: &App, event: &Event, class: Class, now: DateTime<Utc>) -> NewJob {
    NewJob {
        id: JobId::at(now, &*app.random),
        kind: Kind::PushEvent { event: event.id },
        line: Line { class, owner: event.owner.clone(), lane: event.lane() },
        created: now,
        due: now,
        payload: None,
    }
}
