//! Promises about who has a job, and with it its event.

use super::examples::{
    LEASE, NOON, after, cause, claim_one, connection, done, event, follow, give, known, learned,
    line_of, push, revoke, sealed, some_act, wanted,
};
use crate::model::job::{Claim, Class, JobState, Kind, Line, NewJob};
use crate::store::{Change, Changed, Fate, Learned, Ran, Settled, Store, Touched};

/// To the new moment.
pub async fn a_renewed_claim_hides_the_job_for_longer(store: &dyn Store) {
    give(store, 1, 0).await;
    let claim = claim_one(store, &event(1), NOON).await.expect("a job is due");
    assert_eq!(store.renew(std::slice::from_ref(&claim), after(90)).await.unwrap(), []);
    let line = line_of(&event(1));
    let hidden = store.claim(&line, 9, after(89), after(149)).await.unwrap();
    assert_eq!((hidden.claims, hidden.next), (Vec::new(), Some(after(90))));
    assert!(claim_one(store, &event(1), after(90)).await.is_some());
}

/// Those that others have and those that ended, and it prolongs the rest.
pub async fn a_renewal_names_the_jobs_that_were_lost(store: &dyn Store) {
    let mut claims = Vec::new();
    for n in 1..=4 {
        give(store, n, 0).await;
        claims.extend(claim_one(store, &event(n), NOON).await);
    }
    store.settle(&claims[0], done(), NOON).await.unwrap();
    let late = NOON + LEASE;
    assert!(matches!(store.cancel(event(2).job, late).await.unwrap(), Touched::Yes(_)));
    let taken = claim_one(store, &event(3), late).await.expect("the lease ran out");
    assert_eq!(taken.job.id, event(3).job);
    let lost = store.renew(&claims, late + LEASE * 2).await.unwrap();
    assert_eq!(lost, [event(1).job, event(2).job, event(3).job]);
    assert_eq!(store.settle(&taken, done(), late).await.unwrap(), Settled::Yes);
    assert!(claim_one(store, &event(4), late + LEASE).await.is_none());
    assert!(claim_one(store, &event(4), late + LEASE * 2).await.is_some());
}

/// Nobody has to run it a second time.
pub async fn a_lapsed_claim_is_renewed_if_nobody_else_has_the_job(store: &dyn Store) {
    give(store, 1, 0).await;
    let claim = claim_one(store, &event(1), NOON).await.expect("a job is due");
    let late = NOON + LEASE * 2;
    assert_eq!(store.renew(std::slice::from_ref(&claim), late + LEASE).await.unwrap(), []);
    assert!(claim_one(store, &event(1), late).await.is_none());
    assert_eq!(store.settle(&claim, done(), late).await.unwrap(), Settled::Yes);
}

/// Gives an event with a job of each kind: its push, number 2, and its follow, number 3, in the line
/// of this class.
async fn give_both(store: &dyn Store, class: Class) {
    give(store, 1, -9).await;
    let claim = claim_one(store, &event(1), NOON).await.expect("a job is due");
    let line = Line { class, ..line_of(&event(1)) };
    let follow = NewJob { line, ..follow(&event(1), 3, after(-5)) };
    store.settle(&claim, Ran { then: Some(follow), ..done() }, NOON).await.unwrap();
    store.change(event(1).id, wanted(2), push(&event(1), 2, after(-4))).await.unwrap();
}

async fn claim_all(store: &dyn Store, class: Class, now: i64) -> (Vec<Claim>, Option<i64>) {
    let line = Line { class, ..line_of(&event(1)) };
    let claimed = store.claim(&line, 9, after(now), after(now + 60)).await.unwrap();
    (claimed.claims, claimed.next.map(|next| (next - NOON).num_seconds()))
}

/// The other is hidden as long, in the same line and in another.
pub async fn one_job_of_an_event_is_claimed_at_a_time(store: &dyn Store) {
    give_both(store, Class::Normal).await;
    let (claims, next) = claim_all(store, Class::Normal, 0).await;
    assert_eq!((claims.len(), claims[0].job.id.as_u128(), next), (1, 3, Some(60)));
    let (none, next) = claim_all(store, Class::Normal, 1).await;
    assert_eq!((none.len(), next), (0, Some(60)));
    store.settle(&claims[0], done(), after(2)).await.unwrap();
    let (claims, next) = claim_all(store, Class::Normal, 2).await;
    assert_eq!((claims.len(), claims[0].job.id.as_u128(), next), (1, 2, None));
}

/// As it does in the same.
pub async fn an_event_is_claimed_in_one_line_at_a_time(store: &dyn Store) {
    give_both(store, Class::Bulk).await;
    let (claims, _) = claim_all(store, Class::Normal, 0).await;
    assert_eq!(claims[0].job.kind, Kind::PushEvent { event: event(1).id });
    let (none, next) = claim_all(store, Class::Bulk, 1).await;
    assert_eq!((none.len(), next), (0, Some(60)));
    store.renew(&claims, after(90)).await.unwrap();
    let (none, next) = claim_all(store, Class::Bulk, 70).await;
    assert_eq!((none.len(), next), (0, Some(90)));
    let (claims, _) = claim_all(store, Class::Bulk, 90).await;
    assert_eq!(claims[0].job.kind, Kind::FollowMeet { event: event(1).id });
}

/// Two runs that write down what is known of one event would undo each other's word.
pub async fn a_claim_of_an_events_other_job_voids_a_lapsed_one(store: &dyn Store) {
    give_both(store, Class::Bulk).await;
    let (slow, _) = claim_all(store, Class::Normal, 0).await;
    let (swift, _) = claim_all(store, Class::Bulk, 60).await;
    assert_eq!(store.renew(&slow, after(200)).await.unwrap(), [slow[0].job.id]);
    let ran = Ran { fate: Fate::Done, learned: learned(1), then: None };
    assert_eq!(store.settle(&slow[0], ran, after(61)).await.unwrap(), Settled::LeaseLost);
    let stored = store.event(event(1).id).await.unwrap().expect("it is stored");
    assert_eq!(stored.known, known(0));
    assert_eq!(store.settle(&swift[0], done(), after(62)).await.unwrap(), Settled::Yes);
    assert_eq!(claim_all(store, Class::Normal, 62).await.0.len(), 1);
}

/// So that nobody sleeps until the lease would have ended.
pub async fn an_end_tells_the_line_of_the_job_it_hid(store: &dyn Store) {
    give_both(store, Class::Bulk).await;
    let (claims, _) = claim_all(store, Class::Normal, 0).await;
    let mut told = store.changes();
    let hidden = Line { class: Class::Bulk, ..line_of(&event(1)) };
    let ran = Ran { fate: Fate::HandedBack { cause: None }, learned: None, then: None };
    store.settle(&claims[0], ran, NOON).await.unwrap();
    for line in [line_of(&event(1)), hidden.clone()] {
        assert_eq!(told.recv().await.unwrap(), Change::Line(line));
    }
    let (claims, _) = claim_all(store, Class::Normal, 0).await;
    store.settle(&claims[0], done(), NOON).await.unwrap();
    assert_eq!(told.recv().await.unwrap(), Change::Line(hidden));
}

/// With its payload, told and due; nothing of it if the claim was lost.
pub async fn what_follows_is_kept_with_the_end(store: &dyn Store) {
    give(store, 1, 0).await;
    let claim = claim_one(store, &event(1), NOON).await.expect("a job is due");
    let then = NewJob { payload: Some(sealed(30)), ..follow(&event(1), 2, after(5)) };
    let ran = || Ran { then: Some(then.clone()), ..done() };
    let mut told = store.changes();
    assert_eq!(store.settle(&claim, ran(), NOON).await.unwrap(), Settled::Yes);
    let follow = store.job(then.id).await.unwrap().expect("it is stored");
    assert_eq!(told.recv().await.unwrap(), Change::Line(line_of(&event(1))));
    assert_eq!((follow.kind, follow.state), (then.kind.clone(), JobState::Live));
    let next = claim_one(store, &event(1), after(5)).await.expect("it is due");
    assert_eq!((next.job.id, next.payload), (then.id, then.payload.clone()));
    let third = follow_of(3);
    let late = Ran { then: Some(third.clone()), ..done() };
    assert_eq!(store.settle(&claim, late, NOON).await.unwrap(), Settled::LeaseLost);
    assert_eq!(store.job(third.id).await.unwrap(), None);
}

fn follow_of(n: u128) -> NewJob {
    follow(&event(1), n, NOON)
}

/// There is one live job of each kind and thing, also of what follows; after the end of one there is
/// room for the next.
pub async fn what_follows_finds_the_one_that_lives(store: &dyn Store) {
    give_both(store, Class::Normal).await;
    for (then, live) in [(follow_of(9), 1), (follow_of(10), 1)] {
        let (claims, _) = claim_all(store, Class::Normal, 0).await;
        let same = claims[0].job.kind == then.kind;
        store.settle(&claims[0], Ran { then: Some(then.clone()), ..done() }, NOON).await.unwrap();
        assert_eq!(store.job(then.id).await.unwrap().is_some(), same);
        assert_eq!(store.count_jobs().await.unwrap().live, if same { 2 } else { live });
    }
}

/// Beside it, and is the job that the event names.
pub async fn a_change_while_its_link_is_awaited_gets_its_own_job(store: &dyn Store) {
    give(store, 1, 0).await;
    let claim = claim_one(store, &event(1), NOON).await.expect("a job is due");
    store.settle(&claim, Ran { then: Some(follow_of(2)), ..done() }, NOON).await.unwrap();
    let job = push(&event(1), 3, NOON);
    let Changed::Yes(changed) = store.change(event(1).id, wanted(2), job.clone()).await.unwrap()
    else {
        panic!("the revision is the next");
    };
    assert_eq!(changed.job, job.id);
    assert_eq!(store.count_jobs().await.unwrap().live, 2);
}

/// The newer revision has a push of its own, which will see to it.
pub async fn the_end_of_a_follow_gives_way_to_nothing(store: &dyn Store) {
    give_both(store, Class::Normal).await;
    let (claims, _) = claim_all(store, Class::Normal, 0).await;
    let follow = &claims[0];
    assert_eq!(follow.job.kind, Kind::FollowMeet { event: event(1).id });
    let learned = Some(Learned { seen: 1, known: known(1) });
    let ran = Ran { fate: Fate::Dead(cause()), learned, then: None };
    store.settle(follow, ran, after(3)).await.unwrap();
    let stored = store.event(event(1).id).await.unwrap().expect("it is stored");
    assert_eq!(stored.known, known(1), "what it learned is kept");
    let job = store.job(follow.job.id).await.unwrap().expect("it is kept");
    assert_eq!(job.state, JobState::Dead { at: after(3) });
}

/// What is about no event is hidden by nothing but its own claim.
pub async fn jobs_about_no_event_run_side_by_side(store: &dyn Store) {
    for n in 1..=2 {
        let linked = connection(n, event(1).owner);
        let version = u32::try_from(n).unwrap();
        store.put_connection(linked, Some(revoke(n, version)), some_act()).await.unwrap();
    }
    let claimed = store.claim(&revoke(1, 1).line, 9, NOON, after(60)).await.unwrap();
    assert_eq!((claimed.claims.len(), claimed.next), (2, None));
}
