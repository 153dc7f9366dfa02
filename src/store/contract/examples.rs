//! Events, jobs and accounts to try a store with. Equal numbers make equal things.

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::audit::{Act, Action, Actor};
use crate::model::connection::{Connection, Health, Means};
use crate::model::event::{Copied, Event, Known, Meet, Placement, Presence, Source, Wanted};
use crate::model::history::By;
use crate::model::id::{ConnectionId, EventId, GoogleId, ItemId, JobId, KeyId};
use crate::model::item::{Item, Noun};
use crate::model::job::{Cause, Claim, Class, Kind, Lane, Line, NewJob};
use crate::model::key::{ApiKey, Digest, Scope, Ticket, TicketKind};
use crate::model::owner::{Owner, UserId};
use crate::model::sealed::Sealed;
use crate::store::{
    Accept, Accepted, Backlog, Fate, Learned, Ran, Request, Retention, Store, StoreError,
};

/// The moment everything begins: noon of a day.
pub const NOON: DateTime<Utc> = DateTime::from_timestamp(1_800_014_400, 0).unwrap();

/// As long as claims last here.
pub const LEASE: TimeDelta = TimeDelta::minutes(1);

/// So many seconds past noon.
pub fn after(seconds: i64) -> DateTime<Utc> {
    NOON + TimeDelta::seconds(seconds)
}

/// A user.
pub fn user(name: &str) -> Owner {
    Owner::User(UserId::try_from(name.to_owned()).expect("a short plain name"))
}

/// A keyed hash.
pub fn digest(n: u8) -> Digest {
    [n; 32]
}

/// An envelope of so many bytes.
pub fn sealed(bytes: usize) -> Sealed {
    Sealed::from_bytes(vec![b's'; bytes])
}

/// A cause.
pub fn cause() -> Cause {
    Cause::new("server_error", "Google did not answer")
}

/// An event of the user `ana`, written by the job of the same number.
pub fn event(n: u128) -> Event {
    Event {
        id: EventId::from_u128(n),
        owner: user("ana"),
        placement: Placement { connection: ConnectionId::from_u128(1), calendar: 7 },
        created: NOON,
        source: Source::Api,
        instance: None,
        job: JobId::from_u128(n),
        wanted: wanted(1),
        known: known(0),
    }
}

/// What is wanted in a revision.
pub fn wanted(revision: u32) -> Wanted {
    Wanted {
        revision,
        presence: Presence::Present,
        fingerprint: [revision.to_be_bytes()[3]; 16],
        content: sealed(200),
        since: after(i64::from(revision)),
        by: By::Bridge,
        starts: after(1800 + i64::from(revision)),
        over: after(3600 + i64::from(revision)),
        category: (revision > 1).then(|| ItemId::from_u128(u128::from(revision))),
    }
}

/// What is known once a revision was applied; nothing at 0.
pub fn known(applied: u32) -> Known {
    Known {
        google_id: GoogleId::from_u128(77),
        generation: 0,
        applied,
        copy: if applied == 0 { Copied::Awaited } else { Copied::Present },
        meet: if applied == 0 { Meet::Pending { tries: 1, since: None } } else { Meet::Ready },
        version: applied,
        links: (applied > 0).then(|| sealed(90)),
    }
}

/// The line an event's jobs wait in.
pub fn line_of(event: &Event) -> Line {
    Line { class: Class::Normal, owner: event.owner.clone(), lane: event.lane() }
}

/// The job of number `n` that writes `event`, due at `due`.
pub fn push(event: &Event, n: u128, due: DateTime<Utc>) -> NewJob {
    NewJob {
        id: JobId::from_u128(n),
        kind: Kind::PushEvent { event: event.id },
        line: line_of(event),
        created: NOON,
        due,
        payload: None,
    }
}

/// Takes in an event whose job is due so many seconds past noon.
pub async fn give(store: &dyn Store, n: u128, due: i64) {
    let job = push(&event(n), n, after(due));
    take_in(store, Accept { job, ..accept(n) }, NOON).await.expect("the store answers");
}

/// The job of number `n` that looks after the Meet link of `event`, due at `due`.
pub fn follow(event: &Event, n: u128, due: DateTime<Utc>) -> NewJob {
    NewJob { kind: Kind::FollowMeet { event: event.id }, ..push(event, n, due) }
}

/// The job of number `n` that ends a grant, due at noon.
pub fn revoke(n: u128, version: u32) -> NewJob {
    NewJob {
        id: JobId::from_u128(n),
        kind: Kind::RevokeGrant { connection: ConnectionId::from_u128(1), version },
        line: Line { class: Class::Normal, owner: Owner::Application, lane: Lane::Grants },
        created: NOON,
        due: NOON,
        payload: None,
    }
}

/// An event to be taken in, whose job is due at noon.
pub fn accept(n: u128) -> Accept {
    let event = event(n);
    Accept { job: push(&event, n, NOON), event, request: None }
}

/// Room for any number of jobs.
pub const ROOM: Backlog = Backlog { all: u64::MAX, owner: u64::MAX };

/// What is over is forgotten at once.
pub const KEEP_NOTHING: Retention = Retention {
    done: TimeDelta::zero(),
    dead: TimeDelta::zero(),
    past: TimeDelta::zero(),
    tombstones: TimeDelta::zero(),
};

/// Takes in one event, where there is room.
pub async fn take_in(
    store: &dyn Store,
    accept: Accept,
    now: DateTime<Utc>,
) -> Result<Accepted, StoreError> {
    let accepted = store.accept(vec![accept], ROOM, now).await;
    accepted.map(|mut accepted| accepted.pop().expect("there is an answer to each"))
}

/// A request with a key and a body, known for an hour.
pub fn request(key: u8, body: u8) -> Request {
    Request { key: digest(key), body: digest(body), expires: NOON + TimeDelta::hours(1) }
}

/// A task of the user `ana`, given to `bo`, in its first version.
pub fn item(n: u128) -> Item {
    Item {
        id: ItemId::from_u128(n),
        noun: Noun::Task,
        owner: user("ana"),
        shared: Some(user("bo")),
        created: NOON,
        version: 1,
        state: 0,
        at: Some(after(50)),
        event: Some(EventId::from_u128(n)),
        category: Some(ItemId::from_u128(99)),
        of: None,
        gone: None,
        sealed: Some(sealed(70)),
    }
}

/// A connection of an owner, in its first version.
pub fn connection(n: u128, owner: Owner) -> Connection {
    Connection {
        id: ConnectionId::from_u128(n),
        owner,
        account: [n.to_be_bytes()[15]; 16],
        means: Means::Consent { client: [5; 16] },
        state: Health::Connected,
        version: 1,
        profile: sealed(120),
        token: Some(sealed(80)),
        linked: NOON,
    }
}

/// An API key.
pub fn key(n: u128) -> ApiKey {
    ApiKey {
        id: KeyId::from_u128(n),
        name: format!("key {n}"),
        scopes: vec![Scope::EventsWrite],
        source: String::new(),
        secret: digest(5),
        created: NOON,
        expires: None,
        revoked: None,
    }
}

/// A ticket that is over at `expires`.
pub fn ticket(kind: TicketKind, n: u8, expires: DateTime<Utc>) -> Ticket {
    Ticket { kind, digest: digest(n), created: NOON, expires, payload: Some(sealed(40)) }
}

/// Something an administrator did at noon.
pub fn act(action: Action) -> Act {
    Act {
        at: NOON,
        actor: Actor::Administrator,
        action,
        subject: None,
        row: None,
        detail: Some(sealed(60)),
        tag: digest(3),
    }
}

/// Any act, where none is looked at.
pub fn some_act() -> Act {
    act(Action::RowAdopted)
}

/// A run that did its work and learned nothing.
pub fn done() -> Ran {
    Ran { fate: Fate::Done, learned: None, then: None }
}

/// What a run learned that read the revision `seen`.
pub fn learned(seen: u32) -> Option<Learned> {
    Some(Learned { seen, known: known(seen) })
}

/// Takes the first job of an event's line at `now`.
pub async fn claim_one(store: &dyn Store, event: &Event, now: DateTime<Utc>) -> Option<Claim> {
    let claimed = store.claim(&line_of(event), 1, now, now + LEASE).await;
    claimed.expect("the store answers").claims.pop()
}
