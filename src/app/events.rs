//! Taking events in, changing them, and waiting for them to appear.

use chrono::{DateTime, Utc};
use tokio::sync::broadcast::error::RecvError;

use super::access::Caller;
use super::placement::{Aim, Place, Places};
use super::sealing::{Links, Profile};
use super::{App, Error, connections};
use crate::model::event::{
    Content, Copied, Event, Known, Meet, Notify, Placement, Presence, Wanted,
};
use crate::model::id::{EventId, GoogleId, JobId};
use crate::model::job::{Cause, Class, JobState, Kind, Line, NewJob};
use crate::model::key::Digest;
use crate::model::owner::Owner;
use crate::model::when::Span;
use crate::store::{Accept, Accepted, Change, Changed, MAX_SEALED, Request, StoreError};

/// A repeated request is known as one for this long.
const REQUEST_LIFE: chrono::TimeDelta = chrono::TimeDelta::hours(72);
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

/// Takes `wish` in for the caller. The event, the job that will write it to Google and the record
/// of the request are stored together: an accepted event is never forgotten, a refused one leaves
/// nothing behind, a repeated request finds what the first one made.
pub async fn create(app: &App, caller: &Caller, wish: Wish) -> Result<Created, Error> {
    let created = create_all(app, caller, vec![wish], Class::Interactive).await?;
    created.into_iter().next().expect("each wish has its answer")
}

/// Takes many in, all in one step, each as [`create`] does: what is wrong with one is told of that one.
pub async fn create_all(
    app: &App,
    caller: &Caller,
    wishes: Vec<Wish>,
    class: Class,
) -> Result<Vec<Result<Created, Error>>, Error> {
    app.must_not_be_frozen()?;
    let now = app.clock.now();
    let mut places = Places::new(app, caller);
    let mut answers = Vec::new();
    let mut accepts = Vec::new();
    for Wish { draft, aim, identity } in wishes {
        let owner = aim.owner(caller);
        let id = name(app, caller, &owner, identity.as_ref());
        let place = match places.resolve(&aim).await {
            Ok(place) => place,
            Err(Error::Store(error)) => return Err(error.into()),
            Err(refusal) => {
                answers.push(Some(remembered(app, identity.map(|_| id), refusal).await));
                continue;
            }
        };
        let event = begin(app, id, draft, place)?;
        let bytes = event.wanted.content.as_bytes().len();
        if bytes > MAX_SEALED {
            answers.push(Some(Err(StoreError::TooLarge { bytes }.into())));
            continue;
        }
        answers.push(None);
        let job = push(app, &event, class, now);
        let event = Event { job: job.id, ..event };
        let request = identity.map(|identity| request(app, caller, &owner, &identity, now));
        accepts.push(Accept { event, job, request });
    }
    let mut accepted = app.store.accept(accepts, app.settings.backlog, now).await?.into_iter();
    let answer = |answer: Option<Result<Created, Error>>| {
        answer.unwrap_or_else(|| created(accepted.next().expect("each item has its answer")))
    };
    Ok(answers.into_iter().map(answer).collect())
}

fn created(accepted: Accepted) -> Result<Created, Error> {
    match accepted {
        Accepted::New(event) => {
            tracing::info!(event.id = %event.id, job.id = %event.job, "event accepted");
            Ok(Created { event, repeated: false })
        }
        Accepted::Known(event) => Ok(Created { event, repeated: true }),
        Accepted::OtherBody => Err(Error::KeyReused),
        Accepted::NoRoom(crowd) => Err(Error::Backlog(crowd)),
    }
}

/// What was accepted before the account went away is still shown to who repeats the request; `id` is
/// its name, if it can be known again.
async fn remembered(app: &App, id: Option<EventId>, refusal: Error) -> Result<Created, Error> {
    let gone = matches!(refusal, Error::NotConnected { .. } | Error::UserNotConnected { .. });
    let known = match id.filter(|_| gone) {
        Some(id) => app.store.event(id).await?,
        None => None,
    };
    known.map(|event| Created { event, repeated: true }).ok_or(refusal)
}

/// The caller's event.
pub async fn get(app: &App, caller: &Caller, id: EventId) -> Result<Event, Error> {
    let event = app.store.event(id).await?;
    event.filter(|event| caller.sees(&event.owner)).ok_or(Error::NotFound("event"))
}

/// Changes what the caller wants of an event.
pub async fn edit(app: &App, caller: &Caller, id: EventId, edit: &Edit) -> Result<Event, Error> {
    app.must_not_be_frozen()?;
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
    app.must_not_be_frozen()?;
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
        let placed = app.store.connection(connection).await?;
        let stuck = placed.is_none_or(|placed| connections::obstacle(app, &placed).is_some());
        if stuck || is_left_alone(app, &event).await? {
            return Ok(event);
        }
        loop {
            tokio::select! {
                biased;
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

/// Whether the job that writes the event was given up or taken back: then only a person brings it on.
async fn is_left_alone(app: &App, event: &Event) -> Result<bool, Error> {
    let job = app.store.job(event.job).await?;
    Ok(job
        .is_some_and(|job| matches!(job.state, JobState::Dead { .. } | JobState::Cancelled { .. })))
}

/// The event with what only the vault can tell.
pub async fn view(app: &App, event: Event) -> Result<View, Error> {
    let content = app.content(&event)?;
    let links = app.links(&event)?;
    let refused = matches!(event.known.copy, Copied::Refused(_));
    if event.is_settled() && !refused {
        return Ok(View { event, content, links, obstacle: None, job: None });
    }
    let connection = app.store.connection(event.placement.connection).await?;
    let job = app.store.job(event.job).await?;
    let state = job.as_ref().map(|job| job.state);
    let cancelled = matches!(state, Some(JobState::Cancelled { .. })).then(taken_back);
    let waits_for_meet = event.known.applied == event.wanted.revision && !event.is_settled();
    let obstacle = connection
        .as_ref()
        .and_then(|connection| connections::obstacle(app, connection))
        .or(cancelled)
        .or(job.and_then(|job| job.cause))
        .or(waits_for_meet.then(meet_pending));
    Ok(View { event, content, links, obstacle: obstacle.filter(|_| !refused), job: state })
}

/// Why an event waits that Google has, but without its Meet link.
pub fn meet_pending() -> Cause {
    Cause::new("meet_pending", "Google is still making the Meet link")
}

/// Why an event waits whose job was taken back.
fn taken_back() -> Cause {
    let text = "the job that writes it was cancelled; retry the job, or change the event";
    Cause::new("job_cancelled", text)
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
fn name(app: &App, caller: &Caller, owner: &Owner, identity: Option<&Identity>) -> EventId {
    let Some(Identity { route, key, body }) = identity else {
        return EventId::random(&*app.random);
    };
    EventId::derived(&[
        b"calbridge/event/v1",
        app.settings.namespace.as_bytes(),
        caller.source.as_bytes(),
        b"event",
        b"idempotency-key",
        &owner.to_bytes(),
        route.as_bytes(),
        key.as_bytes(),
        body,
    ])
}

fn request(
    app: &App,
    caller: &Caller,
    owner: &Owner,
    identity: &Identity,
    now: DateTime<Utc>,
) -> Request {
    let parts: [&[u8]; 4] = [
        &owner.to_bytes(),
        caller.source.as_bytes(),
        identity.route.as_bytes(),
        identity.key.as_bytes(),
    ];
    Request {
        key: app.vault.tag("request", &parts),
        body: app.vault.tag("request-body", &[&identity.body]),
        expires: now + REQUEST_LIFE,
    }
}

fn begin(app: &App, id: EventId, draft: Draft, place: Place) -> Result<Event, Error> {
    let Place { owner, connection, profile, calendar } = place;
    let now = app.clock.now();
    let content = Content {
        calendar,
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
        fingerprint: app.fingerprint(&content),
        content: app.seal_content(&owner, id, 1, &content)?,
        since: now,
        over: over(&content, now),
    };
    let known = Known {
        google_id: google_id(id, &profile, &content.calendar, 0),
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
    Ok(Event { id, owner, placement, created: now, job: JobId::from_u128(0), wanted, known })
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
