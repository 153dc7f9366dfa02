//! Promises about many events at once, and about how many may wait.

use super::examples::{
    NOON, ROOM, accept, after, cause, claim_one, done, event, push, request, sealed, take_in, user,
};
use crate::model::event::Event;
use crate::model::owner::Owner;
use crate::store::{
    Accept, Accepted, Backlog, Change, Crowd, Fate, MAX_SEALED, Ran, Store, StoreError,
};

/// Each answered in its place, and each seeing those before it.
pub async fn a_batch_is_taken_in_in_its_order(store: &dyn Store) {
    let with = |n, key, body| Accept { request: Some(request(key, body)), ..accept(n) };
    take_in(store, with(1, 1, 1), NOON).await.unwrap();
    let mut told = store.changes();
    let batch =
        vec![accept(2), with(8, 1, 1), with(3, 2, 1), accept(2), with(9, 2, 2), with(3, 3, 1)];
    let answers = store.accept(batch, ROOM, NOON).await.unwrap();
    let expected = [
        Accepted::New(event(2)),
        Accepted::Repeated(event(1)),
        Accepted::New(event(3)),
        Accepted::Known(event(2)),
        Accepted::OtherBody,
        Accepted::Known(event(3)),
    ];
    assert_eq!(answers, expected);
    assert_eq!(store.count_jobs().await.unwrap().live, 3);
    for n in [8, 9] {
        assert_eq!(store.event(event(n).id).await.unwrap(), None);
    }
    for n in [2, 3] {
        assert_eq!(store.event(event(n).id).await.unwrap(), Some(event(n)));
        assert!(matches!(told.recv().await.unwrap(), Change::Line(_)));
        assert_eq!(told.recv().await.unwrap(), Change::Event(event(n).id));
    }
    assert_eq!(store.accept(Vec::new(), ROOM, NOON).await.unwrap(), []);
}

/// A thousand as well as two.
pub async fn a_batch_of_a_thousand_is_taken_in_at_once(store: &dyn Store) {
    let batch = (1..=1000).map(accept).collect();
    let answers = store.accept(batch, ROOM, NOON).await.unwrap();
    assert_eq!(answers.len(), 1000);
    assert!(answers.iter().all(|answer| matches!(answer, Accepted::New(_))));
    assert_eq!(store.count_jobs().await.unwrap().live, 1000);
    assert_eq!(store.event(event(1000).id).await.unwrap(), Some(event(1000)));
}

/// It is one step.
pub async fn a_batch_with_one_too_large_stores_nothing(store: &dyn Store) {
    let mut large = accept(2);
    large.event.wanted.content = sealed(MAX_SEALED + 1);
    let batch = vec![accept(1), large, accept(3)];
    let refused = Err(StoreError::TooLarge { bytes: MAX_SEALED + 1 });
    assert_eq!(store.accept(batch, ROOM, NOON).await, refused);
    for n in 1..=3 {
        assert_eq!(store.event(event(n).id).await.unwrap(), None);
    }
    assert_eq!(store.count_jobs().await.unwrap().live, 0);
}

/// What came first has its place; the rest leaves nothing, no word of its request either.
pub async fn no_more_jobs_wait_than_may(store: &dyn Store) {
    let backlog = Backlog { all: 2, owner: 9 };
    let third = Accept { request: Some(request(1, 1)), ..accept(3) };
    let batch = vec![accept(1), accept(2), third.clone(), accept(4), accept(1)];
    let answers = store.accept(batch, backlog, NOON).await.unwrap();
    let none = Accepted::NoRoom(Crowd::All);
    let (first, second) = (Accepted::New(event(1)), Accepted::New(event(2)));
    assert_eq!(answers, [first, second, none.clone(), none, Accepted::Known(event(1))]);
    assert_eq!(store.event(event(3).id).await.unwrap(), None);
    assert_eq!(store.count_jobs().await.unwrap().live, 2);
    let other_body = Accept { request: Some(request(1, 2)), ..third };
    assert_eq!(take_in(store, other_body, NOON).await.unwrap(), Accepted::New(event(3)));
}

/// Others have their own room.
pub async fn no_owner_has_more_jobs_waiting_than_may(store: &dyn Store) {
    let of = |n: u128, owner: Owner| {
        let event = Event { owner, ..event(n) };
        Accept { job: push(&event, n, NOON), event, request: None }
    };
    let backlog = Backlog { all: 4, owner: 1 };
    let batch = vec![
        of(1, user("ana")),
        of(2, user("ana")),
        of(3, user("an")),
        of(4, Owner::Application),
        of(5, Owner::Application),
        of(6, user("bo")),
        of(7, user("cleo")),
    ];
    let answers = store.accept(batch, backlog, NOON).await.unwrap();
    let room: Vec<_> = answers
        .into_iter()
        .map(|answer| match answer {
            Accepted::New(_) => None,
            Accepted::NoRoom(crowd) => Some(crowd),
            other => panic!("{other:?}"),
        })
        .collect();
    let (owner, all) = (Some(Crowd::Owner), Some(Crowd::All));
    assert_eq!(room, [None, owner, None, None, owner, None, all]);
}

/// Of whoever has most, until those are done.
pub async fn the_backlog_of_the_owner_with_most_is_told(store: &dyn Store) {
    assert_eq!(store.largest_backlog().await.unwrap(), 0);
    let owners = [user("ana"), user("an"), Owner::Application, user("an"), user("bo")];
    let events: Vec<Event> =
        (1..).zip(owners).map(|(n, owner)| Event { owner, ..event(n) }).collect();
    let batch = (1..).zip(events.clone()).map(|(n, event)| {
        let job = push(&event, n, NOON);
        Accept { job, event, request: None }
    });
    store.accept(batch.collect(), ROOM, NOON).await.unwrap();
    assert_eq!(store.largest_backlog().await.unwrap(), 2);
    let claim = claim_one(store, &events[1], NOON).await.expect("a job is due");
    let done = Ran { fate: Fate::Done, learned: None, then: None };
    store.settle(&claim, done, NOON).await.unwrap();
    assert_eq!(store.largest_backlog().await.unwrap(), 1);
}

/// It is answered as ever, and a new request for it is remembered.
pub async fn what_is_known_needs_no_room(store: &dyn Store) {
    let none = Backlog { all: 0, owner: 0 };
    let with = |n, key, body| Accept { request: Some(request(key, body)), ..accept(n) };
    take_in(store, with(1, 1, 1), NOON).await.unwrap();
    let batch = vec![with(1, 1, 1), with(2, 1, 2), with(1, 2, 1), with(9, 2, 1), accept(3)];
    let answers = store.accept(batch, none, NOON).await.unwrap();
    let (known, repeated) = (Accepted::Known(event(1)), Accepted::Repeated(event(1)));
    let room = Accepted::NoRoom(Crowd::All);
    assert_eq!(answers, [repeated.clone(), Accepted::OtherBody, known, repeated, room]);
}

/// Done, dead or taken back; one that runs again, or is put off, keeps its room, and one that is
/// replayed takes its own again.
pub async fn a_job_that_ended_makes_room(store: &dyn Store) {
    let backlog = Backlog { all: 9, owner: 1 };
    let fits = async |n: u128| {
        let answers = store.accept(vec![accept(n)], backlog, NOON).await.unwrap();
        !matches!(answers[..], [Accepted::NoRoom(_)])
    };
    let again = Fate::Again { due: NOON, spends: true, cause: cause() };
    let back = Fate::HandedBack { cause: None };
    let mut n = 1;
    assert!(fits(n).await);
    for (fate, ends) in [(again, false), (back, false), (Fate::Done, true)] {
        let claim = claim_one(store, &event(n), NOON).await.expect("a job is due");
        store.settle(&claim, Ran { fate, learned: None, then: None }, NOON).await.unwrap();
        assert_eq!(fits(n + 1).await, ends);
        n += u128::from(ends);
    }
    store.put_off(event(n).job, after(9), NOON).await.unwrap();
    assert!(!fits(n + 1).await);
    store.cancel(event(n).job, NOON).await.unwrap();
    assert!(fits(n + 1).await);
    let claim = claim_one(store, &event(n + 1), NOON).await.expect("a job is due");
    let dead = Ran { fate: Fate::Dead(cause()), learned: None, then: None };
    store.settle(&claim, dead, NOON).await.unwrap();
    store.replay(event(n).job, NOON).await.unwrap();
    assert!(!fits(n + 2).await);
    let claim = claim_one(store, &event(n), NOON).await.expect("it was replayed");
    store.settle(&claim, done(), NOON).await.unwrap();
    assert!(fits(n + 2).await);
}
