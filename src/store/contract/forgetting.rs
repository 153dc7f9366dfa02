//! Promises about what is forgotten, and what never is.

use chrono::TimeDelta;

use super::examples::{
    NOON, accept, after, cause, claim_one, digest, done, event, follow, give, push, request,
    revoke, some_act, take_in, ticket, wanted,
};
use crate::model::event::{Presence, Wanted};
use crate::model::key::TicketKind;
use crate::store::{Accept, Accepted, Changed, Counts, Fate, Ran, Retention, Store, Touched};

const KEEP: Retention = Retention {
    done: TimeDelta::days(7),
    dead: TimeDelta::days(30),
    past: TimeDelta::days(400),
    tombstones: TimeDelta::days(300),
};

/// Two finished jobs, done and dead, a live one, two requests and two tickets.
async fn fill(store: &dyn Store) {
    for n in 1..=3 {
        let request = (n < 3).then(|| request(n, 1));
        let request = request.map(|mut request| {
            request.expires = after(i64::from(n) * 10);
            request
        });
        take_in(store, Accept { request, ..accept(n.into()) }, NOON).await.unwrap();
    }
    for fate in [Fate::Done, Fate::Dead(cause())] {
        let claim = claim_one(store, &event(1), NOON).await.expect("a job is due");
        store.settle(&claim, Ran { fate, learned: None, then: None }, NOON).await.unwrap();
    }
    store.put_ticket(ticket(TicketKind::Session, 1, after(10))).await.unwrap();
    store.put_ticket(ticket(TicketKind::Consent, 2, after(20))).await.unwrap();
}

/// At the moment it is over: requests, tickets, done jobs, dead jobs. Events and live jobs stay.
pub async fn only_what_is_over_is_forgotten(store: &dyn Store) {
    fill(store).await;
    assert_eq!(store.prune(after(9), KEEP, 99).await.unwrap(), 0);
    assert_eq!(store.prune(after(10), KEEP, 99).await.unwrap(), 2);
    assert_eq!(store.ticket(TicketKind::Session, &digest(1)).await.unwrap(), None);
    assert!(store.ticket(TicketKind::Consent, &digest(2)).await.unwrap().is_some());
    let known = Accept { request: Some(request(2, 2)), ..accept(9) };
    assert_eq!(take_in(store, known, after(10)).await.unwrap(), Accepted::OtherBody);

    assert_eq!(store.prune(NOON + KEEP.done, KEEP, 99).await.unwrap(), 3);
    assert_eq!(
        store.count_jobs().await.unwrap(),
        Counts { live: 1, done: 0, dead: 1, cancelled: 0 }
    );
    assert_eq!(store.job(event(1).job).await.unwrap(), None);
    assert_eq!(store.prune(NOON + KEEP.dead, KEEP, 99).await.unwrap(), 1);
    assert_eq!(
        store.count_jobs().await.unwrap(),
        Counts { live: 1, done: 0, dead: 0, cancelled: 0 }
    );
    for n in 1..=3 {
        assert!(store.event(event(n).id).await.unwrap().is_some());
    }
    assert!(claim_one(store, &event(3), NOON + KEEP.dead).await.is_some());
}

/// The rest is left for the next time.
pub async fn no_more_is_forgotten_than_asked(store: &dyn Store) {
    fill(store).await;
    let late = NOON + KEEP.dead;
    let mut forgotten = Vec::new();
    for _ in 0..4 {
        forgotten.push(store.prune(late, KEEP, 2).await.unwrap());
    }
    assert_eq!(forgotten, [2, 2, 2, 0]);
}

/// Gives an event that was done.
async fn give_done(store: &dyn Store, n: u128) {
    give(store, n, 0).await;
    let claim = claim_one(store, &event(n), NOON).await.expect("a job is due");
    store.settle(&claim, done(), NOON).await.unwrap();
}

/// With all that was known of them, to the moment.
pub async fn events_long_past_are_forgotten(store: &dyn Store) {
    give_done(store, 1).await;
    let over = event(1).wanted.over + KEEP.past;
    store.prune(over - TimeDelta::seconds(1), KEEP, 99).await.unwrap();
    assert_eq!(store.event(event(1).id).await.unwrap(), Some(event(1)));
    assert_eq!(store.prune(over, KEEP, 99).await.unwrap(), 1);
    assert_eq!(store.event(event(1).id).await.unwrap(), None);
    let again = take_in(store, accept(1), over).await.unwrap();
    assert_eq!(again, Accepted::New(event(1)), "nothing of it is left");
}

/// Counted from when they were cancelled, whenever they would have been.
pub async fn cancelled_events_are_forgotten_in_their_own_time(store: &dyn Store) {
    give_done(store, 1).await;
    let cancelled = Wanted { presence: Presence::Absent, since: after(50), ..wanted(2) };
    store.change(event(1).id, cancelled, push(&event(1), 2, NOON)).await.unwrap();
    let claim = claim_one(store, &event(1), NOON).await.expect("a job is due");
    store.settle(&claim, done(), NOON).await.unwrap();
    let over = after(50) + KEEP.tombstones;
    store.prune(over - TimeDelta::seconds(1), KEEP, 99).await.unwrap();
    assert!(store.event(event(1).id).await.unwrap().is_some());
    assert_eq!(store.prune(over, KEEP, 99).await.unwrap(), 1);
    assert_eq!(store.event(event(1).id).await.unwrap(), None);
}

/// By the new times alone.
pub async fn an_event_that_moved_is_kept_for_longer(store: &dyn Store) {
    give_done(store, 1).await;
    let moved = Wanted { over: after(9_000), ..wanted(2) };
    store.change(event(1).id, moved, push(&event(1), 2, NOON)).await.unwrap();
    let claim = claim_one(store, &event(1), NOON).await.expect("a job is due");
    store.settle(&claim, done(), NOON).await.unwrap();
    store.prune(after(8_999) + KEEP.past, KEEP, 99).await.unwrap();
    assert!(store.event(event(1).id).await.unwrap().is_some());
    assert_eq!(store.prune(after(9_000) + KEEP.past, KEEP, 99).await.unwrap(), 1);
}

/// Of whatever kind, however it came to live, and however long that takes.
pub async fn an_event_with_a_live_job_is_never_forgotten(store: &dyn Store) {
    let late = NOON + KEEP.past * 3;
    give(store, 1, 0).await;
    assert_eq!(store.prune(late, KEEP, 99).await.unwrap(), 0, "a push");
    let claim = claim_one(store, &event(1), NOON).await.expect("a job is due");
    let ran = Ran { then: Some(follow(&event(1), 2, NOON)), ..done() };
    store.settle(&claim, ran, late).await.unwrap();
    assert_eq!(store.prune(late, KEEP, 99).await.unwrap(), 0, "a follow");
    let claim = claim_one(store, &event(1), NOON).await.expect("a job is due");
    let ran = Ran { fate: Fate::Dead(cause()), learned: None, then: None };
    store.settle(&claim, ran, late).await.unwrap();
    assert!(matches!(store.replay(claim.job.id, late).await.unwrap(), Touched::Yes(_)));
    assert_eq!(store.prune(late, KEEP, 99).await.unwrap(), 0, "a replay");
    assert!(matches!(store.cancel(claim.job.id, late).await.unwrap(), Touched::Yes(_)));
    assert_eq!(store.prune(late, KEEP, 99).await.unwrap(), 1, "nothing more is to be done");
    assert_eq!(store.event(event(1).id).await.unwrap(), None);
}

/// It makes the event again.
pub async fn a_request_whose_event_was_forgotten_is_a_new_one(store: &dyn Store) {
    let mut first = Accept { request: Some(request(1, 1)), ..accept(1) };
    let late = event(1).wanted.over + KEEP.past;
    first.request = first
        .request
        .map(|known| crate::store::Request { expires: late + TimeDelta::hours(1), ..known });
    take_in(store, first.clone(), NOON).await.unwrap();
    let claim = claim_one(store, &event(1), NOON).await.expect("a job is due");
    store.settle(&claim, done(), NOON).await.unwrap();
    store.prune(late, KEEP, 99).await.unwrap();
    assert_eq!(take_in(store, first.clone(), late).await.unwrap(), Accepted::New(event(1)));
    assert_eq!(take_in(store, first, late).await.unwrap(), Accepted::Repeated(event(1)));
}

/// No sooner, and no later.
pub async fn a_cancelled_job_is_kept_as_long_as_a_done_one(store: &dyn Store) {
    let linked = super::examples::connection(1, event(1).owner);
    store.put_connection(linked, Some(revoke(1, 1)), some_act()).await.unwrap();
    store.cancel(revoke(1, 1).id, NOON).await.unwrap();
    let over = NOON + KEEP.done;
    assert_eq!(store.prune(over - TimeDelta::seconds(1), KEEP, 99).await.unwrap(), 0);
    assert_eq!(store.prune(over, KEEP, 99).await.unwrap(), 1);
    assert_eq!(store.job(revoke(1, 1).id).await.unwrap(), None);
    assert_eq!(store.count_jobs().await.unwrap(), Counts::default());
}

/// Its number is told to nobody afterwards.
pub async fn a_dead_job_of_a_forgotten_event_is_not_replayed(store: &dyn Store) {
    let keep = Retention { dead: KEEP.past * 9, ..KEEP };
    give(store, 1, 0).await;
    let claim = claim_one(store, &event(1), NOON).await.expect("a job is due");
    let ran = Ran { fate: Fate::Dead(cause()), learned: None, then: None };
    store.settle(&claim, ran, NOON).await.unwrap();
    let late = event(1).wanted.over + KEEP.past;
    assert_eq!(store.prune(late, keep, 99).await.unwrap(), 1);
    assert_eq!(store.replay(claim.job.id, late).await.unwrap(), Touched::Missing);
    let answer = store.change(event(1).id, wanted(2), push(&event(1), 2, late)).await;
    assert_eq!(answer.unwrap(), Changed::Missing);
    assert_eq!(store.count_jobs().await.unwrap().live, 0);
}

/// 40 days long, and older ones go.
pub async fn a_days_tally_is_kept_for_a_while(store: &dyn Store) {
    let day = NOON.date_naive();
    let last = NOON + TimeDelta::days(40);
    store.tally(day, 5).await.unwrap();
    assert_eq!(store.prune(last, KEEP, 99).await.unwrap(), 0);
    assert_eq!(store.tally(day, 1).await.unwrap(), 6);
    assert_eq!(store.prune(last + TimeDelta::days(1), KEEP, 99).await.unwrap(), 1);
    assert_eq!(store.tally(day, 1).await.unwrap(), 1);
}
