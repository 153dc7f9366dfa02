//! Taking events in.

use chrono::{DateTime, Utc};

use super::change::wanted;
use super::upsert::{named_by, upsert};
use super::{Created, Draft, Identity, Taken, View, Wish, google_id, push, view};
use crate::app::access::Caller;
use crate::app::categories::Named;
use crate::app::placement::{Aim, Place, Places};
use crate::app::{App, Error, Links, connections};
use crate::model::event::{
    Content, Copied, Event, Known, Meet, Meeting, Placement, Presence, Source,
};
use crate::model::history::By;
use crate::model::id::{EventId, JobId};
use crate::model::job::{Cause, Class, JobState};
use crate::model::owner::Owner;
use crate::store::{Accept, Accepted, MAX_SEALED, Request, StoreError};

/// A repeated request is known as one for this long.
const REQUEST_LIFE: chrono::TimeDelta = chrono::TimeDelta::hours(72);

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
    let mut drafted = Vec::new();
    let mut categories = Named::new(app, caller);
    for Wish { mut draft, mut aim, identity } in wishes {
        let owner = aim.owner(caller);
        match categories.fill(&owner, &mut draft, &mut aim).await {
            Ok(()) => {}
            Err(Error::Store(error)) => return Err(error.into()),
            Err(refusal) => {
                answers.push(Some(Err(refusal)));
                continue;
            }
        }
        let id = name(app, caller, &owner, &draft, identity.as_ref());
        let place = match places.resolve(&aim).await {
            Ok(place) => place,
            Err(Error::Store(error)) => return Err(error.into()),
            Err(refusal) => {
                // What would say something else by its name must not seem to be taken.
                let known = identity.filter(|_| draft.external_id.is_none()).map(|_| id);
                answers.push(Some(remembered(app, known, refusal).await));
                continue;
            }
        };
        let again = draft.external_id.is_some().then(|| (draft.clone(), aim));
        let obstacle = connections::obstacle(app, &place.connection);
        let (event, content) = begin(app, caller.by(), id, draft, place)?;
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
        drafted.push(Drafted { content, obstacle, again });
    }
    let accepted = app.store.accept(accepts, app.settings.backlog, now).await?;
    let mut accepted = accepted.into_iter().zip(drafted);
    let mut created = Vec::new();
    for answer in answers {
        created.push(if let Some(answer) = answer {
            answer
        } else {
            let (accepted, drafted) = accepted.next().expect("each item has its answer");
            settle(app, caller, accepted, drafted, class).await
        });
    }
    Ok(created)
}

/// What is known of an item beside what the store keeps: enough to show it without another look.
struct Drafted {
    content: Content,
    /// Why it will have to wait.
    obstacle: Option<Cause>,
    /// What says it once more, if its caller names it.
    again: Option<(Draft, Aim)>,
}

/// What became of an item; one that its caller names and that was there says it from now on.
async fn settle(
    app: &App,
    caller: &Caller,
    accepted: Accepted,
    Drafted { content, obstacle, again }: Drafted,
    class: Class,
) -> Result<Created, Error> {
    match (accepted, again) {
        (Accepted::New(event), _) => {
            tracing::info!(event.id = %event.id, job.id = %event.job, "event accepted");
            let (links, job) = (Links::default(), Some(JobState::Live));
            let view = View { event, content, links, obstacle, job };
            Ok(Created { view, taken: Taken::New })
        }
        (Accepted::Known(event), Some((draft, aim))) => {
            // Apart, since it is large and rare: what every other accept carries about stays small.
            let event = Box::pin(upsert(app, caller, event.id, (&draft, &aim), class)).await?;
            Ok(Created { view: view(app, event).await?, taken: Taken::Found })
        }
        (Accepted::Known(event), None) | (Accepted::Repeated(event), _) => {
            Ok(Created { view: view(app, event).await?, taken: Taken::Repeated })
        }
        (Accepted::OtherBody, _) => Err(Error::KeyReused),
        (Accepted::NoRoom(crowd), _) => Err(Error::Backlog(crowd)),
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
    let event = known.ok_or(refusal)?;
    Ok(Created { view: view(app, event).await?, taken: Taken::Repeated })
}

/// The event that `wish` names, if it is there already: then the wish is a repeated one.
pub async fn known(app: &App, caller: &Caller, wish: &Wish) -> Result<Option<Event>, Error> {
    let owner = wish.aim.owner(caller);
    let id = name(app, caller, &owner, &wish.draft, wish.identity.as_ref());
    Ok(app.store.event(id).await?.filter(|event| caller.sees(&event.owner)))
}

/// An event's name: what its caller names it, else what a repeated request names too, if it can be known
/// again, else chance.
fn name(
    app: &App,
    caller: &Caller,
    owner: &Owner,
    draft: &Draft,
    identity: Option<&Identity>,
) -> EventId {
    if let Some(external_id) = &draft.external_id {
        return named_by(app, caller, owner, external_id);
    }
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

pub(in crate::app) fn request(
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

/// A new event, and what it says.
pub(in crate::app) fn begin(
    app: &App,
    by: By,
    id: EventId,
    draft: Draft,
    place: Place,
) -> Result<(Event, Content), Error> {
    let Place { owner, connection, profile, calendar } = place;
    let now = app.clock.now();
    let content = draft.content(app, calendar);
    let wanted = wanted(app, by, (&owner, id), 1, Presence::Present, &content)?;
    let known = Known {
        google_id: google_id(id, &profile, &content.calendar, 0),
        generation: 0,
        applied: 0,
        copy: Copied::Awaited,
        meet: match content.meeting {
            Meeting::Meet => Meet::Pending { tries: 0, since: None },
            Meeting::None | Meeting::Own { .. } => Meet::Unwanted,
        },
        version: 0,
        links: None,
    };
    let placement = Placement {
        connection: connection.id,
        calendar: connections::calendar_tag(app, &content.calendar),
    };
    let event = Event {
        id,
        owner,
        placement,
        created: now,
        source: Source::Api,
        instance: None,
        job: JobId::from_u128(0),
        wanted,
        known,
    };
    Ok((event, content))
}
