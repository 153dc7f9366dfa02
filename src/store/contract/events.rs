//! Promises about events.

use chrono::TimeDelta;

use super::examples::{
    NOON, accept, after, cause, claim_one, done, event, line_of, push, request, sealed, take_in,
    wanted,
};
use crate::model::job::{JobState, Kind};
use crate::store::{
    Accept, Accepted, Change, Changed, Fate, MAX_SEALED, Ran, Settled, Store, StoreError,
};

/// Event and job are both there afterwards.
pub async fn an_accepted_event_is_there_with_its_job(store: &dyn Store) {
    assert_eq!(store.event(event(1).id).await.unwrap(), None);
    assert_eq!(take_in(store, accept(1), NOON).await.unwrap(), Accepted::New(event(1)));
    assert_eq!(store.event(event(1).id).await.unwrap(), Some(event(1)));
    let job = store.job(event(1).job).await.unwrap().expect("stored with the event");
    assert_eq!(job.kind, Kind::PushEvent { event: event(1).id });
    assert_eq!((job.state, job.due, job.line), (JobState::Live, NOON, line_of(&event(1))));
}

/// Even if the repetition would have made another event.
pub async fn a_repeated_request_finds_what_the_first_made(store: &dyn Store) {
    let first = Accept { request: Some(request(1, 1)), ..accept(1) };
    let again = Accept { request: Some(request(1, 1)), ..accept(2) };
    assert_eq!(take_in(store, first, NOON).await.unwrap(), Accepted::New(event(1)));
    assert_eq!(take_in(store, again, after(5)).await.unwrap(), Accepted::Repeated(event(1)));
    assert_eq!(store.event(event(2).id).await.unwrap(), None);
    assert_eq!(store.count_jobs().await.unwrap().live, 1);
}

/// Not as it was when the request came first.
pub async fn a_repeated_request_shows_the_event_as_it_is_now(store: &dyn Store) {
    let first = Accept { request: Some(request(1, 1)), ..accept(1) };
    take_in(store, first.clone(), NOON).await.unwrap();
    store.change(event(1).id, wanted(2), push(&event(1), 2, NOON)).await.unwrap();
    let Accepted::Repeated(shown) = take_in(store, first, after(5)).await.unwrap() else {
        panic!("the request is known");
    };
    assert_eq!(shown.wanted, wanted(2));
}

/// And stores nothing.
pub async fn a_repeated_request_with_another_body_is_told_so(store: &dyn Store) {
    let first = Accept { request: Some(request(1, 1)), ..accept(1) };
    let other = Accept { request: Some(request(1, 2)), ..accept(2) };
    take_in(store, first, NOON).await.unwrap();
    assert_eq!(take_in(store, other, after(5)).await.unwrap(), Accepted::OtherBody);
    assert_eq!(store.event(event(2).id).await.unwrap(), None);
    assert_eq!(store.job(event(2).job).await.unwrap(), None);
}

/// Whatever its body, and it is remembered anew.
pub async fn a_request_repeated_after_its_time_is_a_new_one(store: &dyn Store) {
    let first = Accept { request: Some(request(1, 1)), ..accept(1) };
    let late = request(1, 2).expires;
    let mut second = request(1, 2);
    second.expires = late + TimeDelta::hours(1);
    let second = Accept { request: Some(second), ..accept(2) };
    take_in(store, first.clone(), NOON).await.unwrap();
    assert_eq!(take_in(store, second, late).await.unwrap(), Accepted::New(event(2)));
    assert_eq!(take_in(store, first, late).await.unwrap(), Accepted::OtherBody);
}

/// The second request is remembered all the same.
pub async fn an_event_of_the_same_id_is_not_stored_twice(store: &dyn Store) {
    let mut twin = accept(1);
    twin.event.wanted.content = sealed(10);
    twin.job.id = event(9).job;
    twin.request = Some(request(1, 1));
    let other_body = Accept { request: Some(request(1, 2)), ..accept(3) };
    take_in(store, accept(1), NOON).await.unwrap();
    assert_eq!(take_in(store, twin, NOON).await.unwrap(), Accepted::Known(event(1)));
    assert_eq!(store.event(event(1).id).await.unwrap(), Some(event(1)));
    assert_eq!(store.job(event(9).job).await.unwrap(), None);
    assert_eq!(take_in(store, other_body, NOON).await.unwrap(), Accepted::OtherBody);
}

/// And nothing else of the event, but its job's name.
pub async fn a_change_replaces_what_is_wanted(store: &dyn Store) {
    take_in(store, accept(1), NOON).await.unwrap();
    let mut changed = event(1);
    changed.wanted = wanted(2);
    let answer = store.change(changed.id, wanted(2), push(&changed, 2, after(9))).await.unwrap();
    assert_eq!(answer, Changed::Yes(changed.clone()));
    assert_eq!(store.event(changed.id).await.unwrap(), Some(changed));
}

/// So is one that skips a revision.
pub async fn a_change_that_comes_second_is_overtaken(store: &dyn Store) {
    take_in(store, accept(1), NOON).await.unwrap();
    let id = event(1).id;
    store.change(id, wanted(2), push(&event(1), 2, NOON)).await.unwrap();
    let stored = store.event(id).await.unwrap();
    for revision in [1, 2, 4] {
        let job = push(&event(1), 3, NOON);
        assert_eq!(store.change(id, wanted(revision), job).await.unwrap(), Changed::Overtaken);
    }
    assert_eq!(store.event(id).await.unwrap(), stored);
}

/// And makes no job.
pub async fn a_change_of_no_event_is_missing(store: &dyn Store) {
    let answer = store.change(event(1).id, wanted(2), push(&event(1), 2, NOON)).await;
    assert_eq!(answer.unwrap(), Changed::Missing);
    assert_eq!(store.count_jobs().await.unwrap().live, 0);
}

/// It is never put off.
pub async fn a_change_makes_the_live_job_due(store: &dyn Store) {
    let mut later = accept(1);
    later.job.due = after(100);
    take_in(store, later, NOON).await.unwrap();
    let id = event(1).id;
    for (revision, asked, due) in [(2, 30, 30), (3, 60, 30)] {
        let job = push(&event(1), 10 + u128::from(revision), after(asked));
        let Changed::Yes(changed) = store.change(id, wanted(revision), job).await.unwrap() else {
            panic!("the revision is the next");
        };
        assert_eq!(changed.job, event(1).job, "the live job is taken");
        let job = store.job(changed.job).await.unwrap().expect("the live job");
        assert_eq!(job.due, after(due));
    }
    assert_eq!(store.count_jobs().await.unwrap().live, 1);
    assert!(claim_one(store, &event(1), after(30)).await.is_some());
}

/// Whether it was done or given up.
pub async fn a_change_after_the_job_ended_gets_a_new_job(store: &dyn Store) {
    take_in(store, accept(1), NOON).await.unwrap();
    let id = event(1).id;
    let mut ends = [Fate::Done, Fate::Dead(cause())].into_iter();
    for (revision, n) in [(2, 12), (3, 13)] {
        let claim = claim_one(store, &event(1), NOON).await.expect("a job is due");
        let ran = Ran { fate: ends.next().expect("two ends"), learned: None, then: None };
        assert_eq!(store.settle(&claim, ran, NOON).await.unwrap(), Settled::Yes);
        let job = push(&event(1), n, NOON);
        let Changed::Yes(changed) = store.change(id, wanted(revision), job.clone()).await.unwrap()
        else {
            panic!("the revision is the next");
        };
        assert_eq!(changed.job, job.id);
    }
    let counts = store.count_jobs().await.unwrap();
    assert_eq!((counts.live, counts.done, counts.dead), (1, 1, 1));
    let claim = claim_one(store, &event(1), NOON).await.expect("the newest job is due");
    assert_eq!(store.settle(&claim, done(), NOON).await.unwrap(), Settled::Yes);
}

/// At its acceptance, at a change, and nothing of it stays; the largest that fits is kept whole.
pub async fn an_event_too_large_is_refused(store: &dyn Store) {
    let large = Err(StoreError::TooLarge { bytes: MAX_SEALED + 1 });
    let mut accepted = accept(1);
    accepted.event.wanted.content = sealed(MAX_SEALED + 1);
    assert_eq!(take_in(store, accepted.clone(), NOON).await, large);
    assert_eq!(store.event(event(1).id).await.unwrap(), None);
    assert_eq!(store.count_jobs().await.unwrap().live, 0);

    accepted.event.wanted.content = sealed(MAX_SEALED);
    take_in(store, accepted.clone(), NOON).await.unwrap();
    assert_eq!(store.event(event(1).id).await.unwrap(), Some(accepted.event));

    let mut change = wanted(2);
    change.content = sealed(MAX_SEALED + 1);
    let job = push(&event(1), 2, NOON);
    let large = Err(StoreError::TooLarge { bytes: MAX_SEALED + 1 });
    assert_eq!(store.change(event(1).id, change, job).await, large);
    assert_eq!(store.event(event(1).id).await.unwrap().map(|event| event.wanted.revision), Some(1));
}

/// That they came and that they changed, and that their lines may have work; what changed nothing
/// is not told.
pub async fn events_are_told(store: &dyn Store) {
    let mut told = store.changes();
    let id = event(1).id;
    take_in(store, accept(1), NOON).await.unwrap();
    take_in(store, accept(1), NOON).await.unwrap();
    store.change(id, wanted(2), push(&event(1), 2, NOON)).await.unwrap();
    store.change(id, wanted(2), push(&event(1), 3, NOON)).await.unwrap();
    take_in(store, accept(5), NOON).await.unwrap();
    let line = line_of(&event(1));
    for event in [id, id, event(5).id] {
        assert_eq!(told.recv().await.unwrap(), Change::Line(line.clone()));
        assert_eq!(told.recv().await.unwrap(), Change::Event(event));
    }
}
