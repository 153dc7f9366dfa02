//! Taking events in, changing them, and waiting for them to appear.

mod change;
mod create;
mod show;

use super::access::Caller;
use super::placement::Aim;
use super::sealing::{Links, Profile};
use super::{App, Error};
use crate::model::event::{Content, Event, Notify};
use crate::model::id::{EventId, GoogleId, JobId};
use crate::model::job::{Cause, Class, JobState, Kind, Line, NewJob};
use crate::model::key::Digest;
use crate::model::when::Span;
use chrono::{DateTime, Utc};

pub use change::{cancel, edit};
pub use create::{create, create_all};
pub use show::{meet_pending, view, wait};

/// What a caller wants to see in the calendar.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Its title.
    pub summary: String,
    /// Its notes.
    pub description: String,
    /// From when to when.
    pub span: Span,
    /// Who is invited.
    pub guests: Vec<String>,
    /// Whether it shall have a Meet link.
    pub meet: bool,
    /// Who gets mail; none to let the settings decide.
    pub notify: Option<Notify>,
}

/// What a caller wants to be different.
#[derive(Clone, Debug, Default)]
pub struct Edit {
    /// The new title.
    pub summary: Option<String>,
    /// The new notes.
    pub description: Option<String>,
    /// The new times.
    pub span: Option<Span>,
    /// Who gets mail about the change.
    pub notify: Option<Notify>,
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
    pub route: &'static str,
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
    /// The event.
    pub event: Event,
    /// Whether it was taken in by an earlier request.
    pub repeated: bool,
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
    content.span.end().instant().max(now)
}

fn push(app: &App, event: &Event, class: Class, now: DateTime<Utc>) -> NewJob {
    NewJob {
        id: JobId::at(now, &*app.random),
        kind: Kind::PushEvent { event: event.id },
        line: Line { class, owner: event.owner.clone(), lane: event.lane() },
        created: now,
        due: now,
        payload: None,
    }
}
