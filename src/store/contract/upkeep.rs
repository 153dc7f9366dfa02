//! Promises about the store itself, and about what it forgets.

use chrono::TimeDelta;

use super::examples::{
    NOON, accept, after, cause, claim_one, digest, done, event, request, sealed, take_in, ticket,
};
use crate::model::key::TicketKind;
use crate::store::{Accept, Accepted, Counts, Fate, Keystone, Ran, Retention, Store};

const KEEP: Retention = Retention {
    done: TimeDelta::days(7),
    dead: TimeDelta::days(30),
    past: TimeDelta::days(400),
    tombstones: TimeDelta::days(300),
};

/// Who comes second is shown it.
pub async fn the_first_keystone_stays(store: &dyn Store) {
    assert_eq!(store.keystone().await.unwrap(), None);
    let first = Keystone { canary: sealed(1), index_key: sealed(2) };
    let second = Keystone { canary: sealed(3), index_key: sealed(4) };
    assert_eq!(store.lay_keystone(first.clone()).await.unwrap(), first);
    assert_eq!(store.lay_keystone(second).await.unwrap(), first);
    assert_eq!(store.keystone().await.unwrap(), Some(first));
}

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

/// And keeps its name.
pub async fn a_used_store_is_writable(store: &dyn Store) {
    let name = store.instance();
    take_in(store, accept(1), NOON).await.unwrap();
    let claim = claim_one(store, &event(1), NOON).await.expect("a job is due");
    store.settle(&claim, done(), NOON).await.unwrap();
    assert_eq!(store.writable().await, Ok(()));
    assert_eq!(store.instance(), name);
}
