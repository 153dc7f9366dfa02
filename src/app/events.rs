//! Taking events in, changing them, and waiting for them to appear.

use chrono::{DateTime, Utc};
use tokio::sync::broadcast::error::RecvError;

use super::access::Caller;
use super::sealing::{Links, Profile, fingerprint};
use super::{App, Error, connections};
use crate::model::connection::{Connection, Health};
use crate::model::event::{
    Content, Copied, Event, Known, Meet, Notify, Placement, Presence, Wanted,
};
use crate::model::id::{EventId, GoogleId, JobId};
use crate::model::job::{Cause, Class, Job, JobState, Kind, Line, NewJob};
use crate::model::key::Digest;
use crate::model::owner::Owner;
use crate::model::when::Span;
use crate::store::{Accept, Accepted, Backlog, Change, Changed, Request};

/// A repeated request is known as one for this long.
const REQUEST_LIFE: chrono::TimeDelta = chrono::TimeDelta::hours(72);
/// The most that may wait, of everybody and of one owner: an import of one user leaves room for others.
const BACKLOG: Backlog = Backlog { all: 1_000_000, owner: 100_000 };
/// An edit that keeps being overtaken by others is given up after so many tries.
const MOST_EDITS: usize = 8;

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
    /// Whether nothing more will be tried.
    pub failed: bool,
}

/// An event that was taken in.
#[derive(Clone, Debug)]
pub struct Created {
    /// The event.
    pub event: Event,
    /// Whether it was taken in by an earlier request.
    pub repeated: bool,
}

/// Takes `draft` in for the caller. The event, the job that will write it to Google and the record
/// of the request are stored together: an accepted event is never forgotten, a refused one leaves
/// nothing behind, a repeated request finds what the first one made.
pub async fn create(
    app: &App,
    caller: &Caller,
    draft: Draft,
    identity: Option<Identity>,
) -> Result<Created, Error> {
    let now = app.clock.now();
    let id = name(app, caller, identity.as_ref());
    let (connection, profile) = match connections::place(app).await {
        // What was accepted before the account went away is still shown to who repeats the request.
        Err(Error::NotConnected { setup_url }) if identity.is_some() => {
            let known = app.store.event(id).await?.ok_or(Error::NotConnected { setup_url })?;
            return Ok(Created { event: known, repeated: true });
        }
        placed => placed?,
    };
    let request = identity.map(|identity| request(app, caller, &identity, now));
    let event = begin(app, &caller.owner, id, draft, &connection, &profile)?;
    let job = push(app, &event, now);
    let event = Event { job: job.id, ..event };
    let mut answers = app.store.accept(vec![Accept { event, job, request }], BACKLOG, now).await?;
    match answers.pop().expect("there is an answer to each") {
        Accepted::New(event) => {
            tracing::info!(event.id = %event.id, job.id = %event.job, "event accepted");
            Ok(Created { event, repeated: false })
        }
        Accepted::Known(event) => Ok(Created { event, repeated: true }),
        Accepted::OtherBody => Err(Error::KeyReused),
        Accepted::NoRoom(crowd) => Err(Error::Backlog(crowd)),
    }
}

/// The caller's event.
pub async fn get(app: &App, caller: &Caller, id: EventId) -> Result<Event, Error> {
    let event = app.store.event(id).await?;
    event.filter(|event| event.owner == caller.owner).ok_or(Error::NotFound("event"))
}

/// Changes what the caller wants of an event.
pub async fn edit(app: &App, caller: &Caller, id: EventId, edit: &Edit) -> Result<Event, Error> {
    rewrite(app, caller, id, |content, presence| {
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
pub async fn cancel(app: &App, caller: &Caller, id: EventId) -> Result<Event, Error> {
    rewrite(app, caller, id, |_, _| Ok(Presence::Absent)).await
}

/// The event as it is once it has settled, an obstacle only a person can clear stands in its way,
/// the process is about to end, or it is `until`.
pub async fn wait(app: &App, event: Event, until: DateTime<Utc>) -> Result<Event, Error> {
    let mut changes = app.store.changes();
    let id = event.id;
    let connection = event.placement.connection;
    loop {
        let event = app.store.event(id).await?.ok_or(Error::NotFound("event"))?;
        if event.is_settled() || app.clock.now() >= until || app.stopping.is_cancelled() {
            return Ok(event);
        }
        let state = app.store.connection(connection).await?.map(|connection| connection.state);
        if state != Some(Health::Connected) {
            return Ok(event);
        }
        loop {
            tokio::select! {
                change = changes.recv() => match change {
                    Ok(Change::Event(told)) if told == id => break,
                    Ok(Change::Connection(told)) if told == connection => break,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => break,
                    Err(RecvError::Closed) => return Ok(event),
                },
                () = app.clock.sleep_until(until) => break,
                () = app.stopping.cancelled() => break,
            }
        }
    }
}

/// The event with what only the vault can tell.
pub async fn view(app: &App, event: Event) -> Result<View, Error> {
    let content = app.content(&event)?;
    let links = app.links(&event)?;
    let mut obstacle = None;
    let mut failed = false;
    if !event.is_settled() {
        let connection = app.store.connection(event.placement.connection).await?;
        let job = app.store.job(event.job).await?;
        failed = job.as_ref().is_some_and(|job| matches!(job.state, JobState::Dead { .. }));
        obstacle =
            connection.as_ref().and_then(connections::obstacle).or(job.and_then(|job| job.cause));
    }
    Ok(View { event, content, links, obstacle, failed })
}

/// The job, if it is about something of the caller's.
pub async fn job(app: &App, caller: &Caller, id: JobId) -> Result<Job, Error> {
    let job = app.store.job(id).await?;
    job.filter(|job| job.line.owner == caller.owner).ok_or(Error::NotFound("job"))
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

/// An event's name: what a repeated request names too, if it can be known again, else chance.
fn name(app: &App, caller: &Caller, identity: Option<&Identity>) -> EventId {
    let Some(Identity { route, key, body }) = identity else {
        return EventId::random(&*app.random);
    };
    EventId::derived(&[
        b"calbridge/event/v1",
        app.settings.namespace.as_bytes(),
        caller.source.as_bytes(),
        b"event",
        b"idempotency-key",
        &caller.owner.to_bytes(),
        route.as_bytes(),
        key.as_bytes(),
        body,
    ])
}

fn request(app: &App, caller: &Caller, identity: &Identity, now: DateTime<Utc>) -> Request {
    let parts: [&[u8]; 4] = [
        &caller.owner.to_bytes(),
        caller.source.as_bytes(),
        identity.route.as_bytes(),
        identity.key.as_bytes(),
    ];
    Request {
        key: app.vault.tag("request", &parts),
        body: identity.body,
        expires: now + REQUEST_LIFE,
    }
}

fn begin(
    app: &App,
    owner: &Owner,
    id: EventId,
    draft: Draft,
    connection: &Connection,
    profile: &Profile,
) -> Result<Event, Error> {
    let now = app.clock.now();
    let content = Content {
        calendar: profile.calendar.clone(),
        summary: draft.summary,
        description: draft.description,
        span: draft.span,
        guests: draft.guests,
        meet: draft.meet,
        notify: draft.notify.unwrap_or(app.settings.notify),
    };
    let wanted = Wanted {
        revision: 1,
        presence: Presence::Present,
        fingerprint: fingerprint(&content),
        content: app.seal_content(owner, id, 1, &content)?,
        since: now,
        over: content.span.end().instant(),
    };
    let known = Known {
        google_id: google_id(id, profile, &content.calendar, 0),
        generation: 0,
        applied: 0,
        copy: Copied::Awaited,
        meet: if content.meet { Meet::Pending { tries: 0, since: None } } else { Meet::Unwanted },
        version: 0,
        links: None,
    };
    let placement = Placement {
        connection: connection.id,
        calendar: connections::calendar_tag(app, &content.calendar),
    };
    Ok(Event {
        id,
        owner: owner.clone(),
        placement,
        created: now,
        job: JobId::from_u128(0),
        wanted,
        known,
    })
}

fn push(app: &App, event: &Event, now: DateTime<Utc>) -> NewJob {
    NewJob {
        id: JobId::at(now, &*app.random),
        kind: Kind::PushEvent { event: event.id },
        line: Line { class: Class::Interactive, owner: event.owner.clone(), lane: event.lane() },
        created: now,
        due: now,
        payload: None,
    }
}

/// Makes the next revision of what is wanted, again if somebody else was faster.
async fn rewrite(
    app: &App,
    caller: &Caller,
    id: EventId,
    change: impl Fn(&mut Content, Presence) -> Result<Presence, Error>,
) -> Result<Event, Error> {
    for _ in 0..MOST_EDITS {
        let event = get(app, caller, id).await?;
        let mut content = app.content(&event)?;
        let presence = change(&mut content, event.wanted.presence)?;
        if presence == event.wanted.presence && fingerprint(&content) == event.wanted.fingerprint {
            return Ok(event);
        }
        let now = app.clock.now();
        let revision = event.wanted.revision + 1;
        let wanted = Wanted {
            revision,
            presence,
            fingerprint: fingerprint(&content),
            content: app.seal_content(&event.owner, id, revision, &content)?,
            since: now,
            over: content.span.end().instant(),
        };
        match app.store.change(id, wanted, push(app, &event, now)).await? {
            Changed::Yes(event) => return Ok(event),
            Changed::Overtaken => {}
            Changed::Missing => return Err(Error::NotFound("event")),
        }
    }
    Err(Error::Overtaken)
}
