//! Promises about the whole store, out and in.

use chrono::{NaiveDate, TimeDelta};
use tokio::sync::mpsc;

use super::examples::{
    KEEP_NOTHING, LEASE, NOON, accept, act, after, cause, claim_one, connection, digest, done,
    event, item, learned, line_of, push, request, sealed, take_in, ticket, user,
};
use crate::model::administrator::Administrator;
use crate::model::audit::{Action, Entry, Freeze, Head};
use crate::model::history::{By, Step, What};
use crate::model::id::KeyId;
use crate::model::item::{Item, Noun};
use crate::model::job::{Job, JobState, Kind};
use crate::model::key::{ApiKey, Scope, TicketKind};
use crate::store::{
    Accept, Accepted, Asked, Counts, EventFilter, Fate, History, Keystone, Ran, Record, Store, Turn,
};

const DAY: NaiveDate = NaiveDate::from_ymd_opt(2027, 1, 15).unwrap();

/// Something that happened to an event.
fn happened() -> History {
    let by = Some(By::Key(KeyId::from_u128(7)));
    let step = |what, by, cause| Step { at: after(3), what, revision: 1, by, cause, times: 2 };
    let steps = vec![step(What::Accepted, by, None), step(What::PutOff, None, Some(cause()))];
    History { steps }
}

/// One record of each kind, and jobs in every state: those of events 1 to 4.
fn records() -> Vec<Record> {
    let job = |n, state| {
        let (mut job, _) = Job::begin(push(&event(n), n, NOON));
        job.state = state;
        job
    };
    let grant = Job {
        kind: Kind::RevokeGrant { connection: connection(1, user("ana")).id, version: 1 },
        ..job(9, JobState::Live)
    };
    let dead = Job { cause: Some(cause()), ..job(3, JobState::Dead { at: NOON }) };
    let key = ApiKey {
        id: KeyId::from_u128(1),
        name: "crm".into(),
        scopes: vec![Scope::EventsWrite],
        source: String::new(),
        secret: digest(5),
        created: NOON,
        expires: Some(after(80)),
        revoked: None,
    };
    let begun = Entry::after(&Head::START, act(Action::WritesFrozen));
    let last = Entry::after(&Head::START.with(&begun), act(Action::SessionOpened));
    vec![
        Record::Audit(begun),
        Record::Audit(last),
        Record::Administrator(Administrator { password: "$argon2id$".into(), set: after(2) }),
        Record::KeyUse(KeyId::from_u128(1), after(40)),
        Record::Connection(connection(1, user("ana"))),
        Record::Key(key),
        Record::Ticket(ticket(TicketKind::Session, 1, after(60))),
        Record::Event(event(1), happened()),
        Record::Event(event(2), History::default()),
        Record::Event(event(3), History::default()),
        Record::Event(event(4), History::default()),
        Record::Item(item(1)),
        Record::Item(Item { noun: Noun::Category, shared: None, sealed: None, ..item(2) }),
        Record::Item(Item { gone: Some(after(3)), ..item(3) }),
        Record::Request(request(1, 1), event(1).id),
        Record::Job(job(1, JobState::Live), None),
        Record::Job(job(2, JobState::Done { at: NOON }), None),
        Record::Job(dead, None),
        Record::Job(job(4, JobState::Cancelled { at: NOON }), None),
        Record::Job(grant, Some(sealed(50))),
        Record::Period("sweep".into(), after(60)),
        Record::Tally(DAY, 41),
        Record::Keystone(Keystone { canary: sealed(9), index_key: sealed(8) }),
    ]
}

/// In the order of their written form, which no store has.
fn sorted(mut records: Vec<Record>) -> Vec<Record> {
    records.sort_by_key(Record::encode);
    records
}

async fn exported(store: &dyn Store) -> Vec<Record> {
    let (into, mut records) = mpsc::channel(1);
    let collecting = async {
        let mut all = Vec::new();
        while let Some(record) = records.recv().await {
            all.push(record);
        }
        all
    };
    let (exported, all) = tokio::join!(store.export(into), collecting);
    exported.unwrap();
    sorted(all)
}

/// In whatever order it comes.
pub async fn what_is_restored_is_exported_again(store: &dyn Store) {
    assert_eq!(exported(store).await, []);
    let mut backwards = records();
    backwards.reverse();
    store.restore(backwards).await.unwrap();
    assert_eq!(exported(store).await, sorted(records()));
}

/// As if it had been made here.
pub async fn what_is_restored_is_found_by_every_index(store: &dyn Store) {
    store.restore(records()).await.unwrap();
    let ana = connection(1, user("ana"));
    assert_eq!(store.connections(&ana.owner).await.unwrap(), std::slice::from_ref(&ana));
    let linked = store.connections_to(&ana.account).await.unwrap();
    assert_eq!(linked, std::slice::from_ref(&ana));
    assert_eq!(store.keys().await.unwrap().len(), 1);
    let listed = EventFilter { owner: Some(user("ana")), ..EventFilter::default() };
    let (events, _) = store.events(&listed, None, 9).await.unwrap();
    assert_eq!(events, [event(1), event(2), event(3), event(4)]);
    assert_eq!(store.history(event(1).id).await.unwrap(), Some(happened()));
    let ticket = store.take_ticket(TicketKind::Session, &digest(1)).await.unwrap();
    assert!(ticket.is_some());
    let repeated = Accept { request: Some(request(1, 1)), ..accept(7) };
    let known = take_in(store, repeated, after(1)).await.unwrap();
    assert_eq!(known, Accepted::Repeated(event(1)));
    for (noun, owner, n) in
        [(Noun::Task, "ana", 1), (Noun::Task, "bo", 1), (Noun::Category, "ana", 2)]
    {
        let (items, _) = store.items(&Asked::all(noun, user(owner)), None, 9).await.unwrap();
        assert_eq!(items.iter().map(|item| item.id.as_u128()).collect::<Vec<_>>(), [n]);
    }
    let counts = Counts { live: 2, done: 1, dead: 1, cancelled: 1 };
    assert_eq!(store.count_jobs().await.unwrap(), counts);
    let turn = store.take_turn("sweep", TimeDelta::minutes(1), NOON).await.unwrap();
    assert_eq!(turn, Turn::NotBefore(after(60)));
    assert_eq!(store.tally(DAY, 1).await.unwrap(), 42);
    assert_eq!(store.keystone().await.unwrap().unwrap().canary, sealed(9));
    let head = store.audit_head().await.unwrap();
    assert_eq!((head.seq, head.freeze), (2, Freeze { on: true, seq: 1 }));
    let next = store.append(act(Action::WritesThawed)).await.unwrap();
    assert_eq!((next.seq, next.previous), (3, head.digest));
}

/// And ends for the count of its owner's jobs too.
pub async fn a_restored_job_runs(store: &dyn Store) {
    store.restore(records()).await.unwrap();
    assert!(store.lines().await.unwrap().contains(&line_of(&event(1))));
    let claimed = store.claim(&line_of(&event(1)), 9, NOON, NOON + LEASE).await.unwrap();
    assert_eq!(claimed.claims.len(), 2);
    for claim in &claimed.claims {
        let carries = matches!(claim.job.kind, Kind::RevokeGrant { .. });
        assert_eq!(claim.payload.is_some(), carries);
        let ran = Ran { learned: learned(1), ..done() };
        store.settle(claim, ran, NOON).await.unwrap();
    }
    assert_eq!(store.count_jobs().await.unwrap().live, 0);
    assert!(!store.lines().await.unwrap().contains(&line_of(&event(1))));
    assert_eq!(store.event(event(1).id).await.unwrap().unwrap().known.applied, 1);
}

/// So an import can be done again, and does not undo what was done since.
pub async fn a_record_that_is_there_stays_as_it_is(store: &dyn Store) {
    store.restore(records()).await.unwrap();
    let claim = claim_one(store, &event(1), NOON).await.expect("a job is due");
    let ran = Ran { fate: Fate::Dead(cause()), learned: learned(1), then: None };
    store.settle(&claim, ran, NOON).await.unwrap();
    let before = exported(store).await;
    store.restore(records()).await.unwrap();
    assert_eq!(exported(store).await, before);
}

/// Whichever of the two came first.
pub async fn a_restored_event_with_a_live_job_is_not_forgotten(store: &dyn Store) {
    let mut backwards = records();
    backwards.reverse();
    let (jobs, events) = backwards.split_at(8);
    for part in [jobs, events] {
        store.restore(part.to_vec()).await.unwrap();
    }
    let late = event(1).wanted.over + TimeDelta::days(999);
    while store.prune(late, KEEP_NOTHING, 99).await.unwrap() > 0 {}
    for (n, kept) in [(1, true), (2, false), (3, false), (4, false)] {
        assert_eq!(store.event(event(n).id).await.unwrap().is_some(), kept, "event {n}");
    }
    assert!(claim_one(store, &event(1), late).await.is_some());
}
