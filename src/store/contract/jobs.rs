//! Promises about jobs and their leases.

use super::examples::{
    LEASE, NOON, accept, after, cause, claim_one, connection, done, event, give, learned, line_of,
    push, revoke, sealed, some_act, take_in, user, wanted,
};
use crate::model::id::{ConnectionId, JobId};
use crate::model::job::{Class, JobState, Lane, Line, NewJob};
use crate::model::owner::Owner;
use crate::store::{Change, Counts, Fate, Ran, Settled, Store};

/// In their own order, each once, and none without a live job.
pub async fn lines_with_live_jobs_are_listed(store: &dyn Store) {
    let connection = ConnectionId::from_u128(1);
    let lines = [
        (Class::Interactive, Owner::Application, Lane::Grants),
        (Class::Normal, Owner::Application, Lane::Calendar { connection, calendar: 300 }),
        (Class::Normal, user("ana"), Lane::Calendar { connection, calendar: 2 }),
        (Class::Normal, user("ana"), Lane::Calendar { connection, calendar: 300 }),
        (Class::Normal, user("ana"), Lane::Grants),
        (Class::Normal, user("anabel"), Lane::Calendar { connection, calendar: 2 }),
        (Class::Bulk, user("ana"), Lane::Calendar { connection, calendar: 2 }),
    ];
    let lines = lines.map(|(class, owner, lane)| Line { class, owner, lane });
    for (n, line) in (1..).zip(lines.iter().rev().chain(&lines)) {
        let mut accepted = accept(n);
        accepted.job.line = line.clone();
        take_in(store, accepted, NOON).await.unwrap();
    }
    assert_eq!(store.lines().await.unwrap(), lines);
    let last = lines.last().expect("there are some");
    let claimed = store.claim(last, 9, NOON, after(60)).await.unwrap();
    for (left, claim) in [1, 0].into_iter().zip(&claimed.claims) {
        assert_eq!(store.settle(claim, done(), NOON).await.unwrap(), Settled::Yes);
        assert_eq!(store.lines().await.unwrap().contains(last), left > 0);
    }
    assert_eq!(store.lines().await.unwrap(), lines[..lines.len() - 1]);
}

/// Whatever the order in which they came.
pub async fn the_job_due_first_comes_first(store: &dyn Store) {
    for (n, due) in [(1, -5), (2, -9), (3, -7)] {
        give(store, n, due).await;
    }
    let claimed = store.claim(&line_of(&event(1)), 9, NOON, NOON + LEASE).await.unwrap();
    let order: Vec<_> = claimed.claims.iter().map(|claim| claim.job.id.as_u128()).collect();
    assert_eq!(order, [2, 3, 1]);
}

/// And the line's next moment is when it is.
pub async fn a_job_waits_until_it_is_due(store: &dyn Store) {
    give(store, 1, 10).await;
    let line = line_of(&event(1));
    let early = store.claim(&line, 9, after(9), after(69)).await.unwrap();
    assert_eq!((early.claims, early.next), (Vec::new(), Some(after(10))));
    let timely = store.claim(&line, 9, after(10), after(70)).await.unwrap();
    assert_eq!((timely.claims.len(), timely.next), (1, None));
}

/// To the moment, which is the line's next.
pub async fn a_claim_hides_the_job_until_the_lease_ends(store: &dyn Store) {
    give(store, 1, 0).await;
    let line = line_of(&event(1));
    let first = store.claim(&line, 9, NOON, after(60)).await.unwrap().claims;
    assert_eq!(first[0].until, after(60));
    let hidden = store.claim(&line, 9, after(59), after(119)).await.unwrap();
    assert_eq!((hidden.claims, hidden.next), (Vec::new(), Some(after(60))));
    let second = store.claim(&line, 9, after(60), after(120)).await.unwrap().claims;
    assert_eq!(second[0].job, first[0].job);
    assert_ne!(second[0].fence, first[0].fence);
}

/// And tells when the first that was left is due.
pub async fn a_claim_takes_no_more_than_asked(store: &dyn Store) {
    for (n, due) in [(1, -9), (2, -8), (3, -7), (4, 40)] {
        give(store, n, due).await;
    }
    let line = line_of(&event(1));
    let none = store.claim(&line, 0, NOON, after(60)).await.unwrap();
    assert_eq!((none.claims.len(), none.next), (0, Some(after(-9))));
    let two = store.claim(&line, 2, NOON, after(60)).await.unwrap();
    assert_eq!((two.claims.len(), two.next), (2, Some(after(-7))));
    let last = store.claim(&line, 2, NOON, after(30)).await.unwrap();
    assert_eq!((last.claims.len(), last.next), (1, Some(after(40))));
    let later = store.claim(&line, 2, after(1), after(61)).await.unwrap();
    assert_eq!((later.claims.len(), later.next), (0, Some(after(30))), "a lease ends first");
}

/// Of another class, owner or lane.
pub async fn a_claim_of_one_line_leaves_the_others(store: &dyn Store) {
    give(store, 1, 0).await;
    let line = line_of(&event(1));
    let others = [
        Line { class: Class::Bulk, ..line.clone() },
        Line { owner: user("an"), ..line.clone() },
        Line { owner: Owner::Application, ..line.clone() },
        Line { lane: Lane::Grants, ..line.clone() },
    ];
    for other in others {
        let claimed = store.claim(&other, 9, NOON, after(60)).await.unwrap();
        assert_eq!((claimed.claims.len(), claimed.next), (0, None));
    }
    assert!(claim_one(store, &event(1), NOON).await.is_some());
}

/// And no other job's.
pub async fn a_claim_brings_what_the_job_carries(store: &dyn Store) {
    let line = revoke(1, 1).line;
    for (version, payload) in [(1, Some(sealed(50))), (2, None)] {
        let job = NewJob { payload, ..revoke(version.into(), version) };
        let connection = connection(u128::from(version), Owner::Application);
        assert!(store.put_connection(connection, Some(job), some_act()).await.unwrap());
    }
    let claims = store.claim(&line, 9, NOON, after(60)).await.unwrap().claims;
    let carried: Vec<_> = claims.into_iter().map(|claim| claim.payload).collect();
    assert_eq!(carried, [Some(sealed(50)), None]);
}

/// Once somebody else has the job, who alone may settle.
pub async fn a_lapsed_claim_settles_nothing(store: &dyn Store) {
    give(store, 1, 0).await;
    let slow = claim_one(store, &event(1), NOON).await.expect("a job is due");
    let swift = claim_one(store, &event(1), NOON + LEASE).await.expect("the lease lapsed");
    let ran = Ran { fate: Fate::Dead(cause()), learned: learned(1), then: None };
    assert_eq!(store.settle(&slow, ran, NOON + LEASE).await.unwrap(), Settled::LeaseLost);
    assert_eq!(store.event(event(1).id).await.unwrap(), Some(event(1)));
    assert_eq!(store.job(event(1).job).await.unwrap(), Some(swift.job.clone()));
    assert_eq!(store.settle(&swift, done(), NOON + LEASE).await.unwrap(), Settled::Yes);
}

/// Its work is as good as any.
pub async fn a_lapsed_claim_settles_if_nobody_else_has_the_job(store: &dyn Store) {
    give(store, 1, 0).await;
    let claim = claim_one(store, &event(1), NOON).await.expect("a job is due");
    let late = NOON + LEASE * 2;
    assert_eq!(store.settle(&claim, done(), late).await.unwrap(), Settled::Yes);
    assert_eq!(store.count_jobs().await.unwrap().done, 1);
}

/// A second time nothing changes.
pub async fn a_claim_settles_once(store: &dyn Store) {
    give(store, 1, 0).await;
    let claim = claim_one(store, &event(1), NOON).await.expect("a job is due");
    assert_eq!(store.settle(&claim, done(), NOON).await.unwrap(), Settled::Yes);
    let ran = Ran { fate: Fate::Dead(cause()), learned: None, then: None };
    assert_eq!(store.settle(&claim, ran, NOON).await.unwrap(), Settled::LeaseLost);
    assert_eq!(
        store.count_jobs().await.unwrap(),
        Counts { live: 0, done: 1, dead: 0, cancelled: 0 }
    );
}

/// It is claimed no more, and has no cause any more.
pub async fn a_done_job_is_done(store: &dyn Store) {
    give(store, 1, 0).await;
    let claim = claim_one(store, &event(1), NOON).await.expect("a job is due");
    let again = Fate::Again { due: NOON, spends: true, cause: cause() };
    store.settle(&claim, Ran { fate: again, learned: None, then: None }, NOON).await.unwrap();
    let claim = claim_one(store, &event(1), NOON).await.expect("it runs again");
    store.settle(&claim, done(), after(3)).await.unwrap();
    let job = store.job(event(1).job).await.unwrap().expect("kept for a while");
    assert_eq!((job.state, job.cause), (JobState::Done { at: after(3) }, None));
    assert!(claim_one(store, &event(1), after(999)).await.is_none());
    assert_eq!(store.lines().await.unwrap(), []);
}

/// Not before its moment; each run that came to nothing counts, and those that are to be explained
/// count apart.
pub async fn a_job_runs_again_when_told(store: &dyn Store) {
    give(store, 1, 0).await;
    let mut now = NOON;
    for (spends, spent, tries, since) in [
        (false, 0, 1, None),
        (true, 1, 2, Some(10)),
        (true, 2, 3, Some(10)),
        (false, 2, 4, Some(10)),
    ] {
        let claim = claim_one(store, &event(1), now).await.expect("it is due");
        let due = now + LEASE / 6;
        let fate = Fate::Again { due, spends, cause: cause() };
        let answer =
            store.settle(&claim, Ran { fate, learned: None, then: None }, now).await.unwrap();
        assert_eq!(answer, Settled::Yes);
        let job = store.job(event(1).job).await.unwrap().expect("it lives");
        assert_eq!((job.state, job.due, job.cause), (JobState::Live, due, Some(cause())));
        assert_eq!((job.spent, job.tries), (spent, tries));
        assert_eq!(job.failing_since, since.map(after));
        assert!(claim_one(store, &event(1), due - LEASE / 60).await.is_none());
        now = due;
    }
}

/// Nothing is counted, and it is free at once.
pub async fn a_job_handed_back_keeps_its_place(store: &dyn Store) {
    give(store, 1, -5).await;
    give(store, 2, -4).await;
    for told in [Some(cause()), None] {
        let claim = claim_one(store, &event(1), NOON).await.expect("a job is due");
        assert_eq!(claim.job.id, event(1).job);
        let ran = Ran { fate: Fate::HandedBack { cause: told }, learned: None, then: None };
        assert_eq!(store.settle(&claim, ran, NOON).await.unwrap(), Settled::Yes);
        let job = store.job(event(1).job).await.unwrap().expect("it lives");
        assert_eq!((job.spent, job.tries, job.due), (0, 0, after(-5)));
        assert_eq!(job.cause, Some(cause()), "what is known of the obstacle stays");
    }
}

/// And runs no more.
pub async fn a_dead_job_keeps_its_cause(store: &dyn Store) {
    give(store, 1, 0).await;
    let claim = claim_one(store, &event(1), NOON).await.expect("a job is due");
    let ran = Ran { fate: Fate::Dead(cause()), learned: None, then: None };
    store.settle(&claim, ran, after(4)).await.unwrap();
    let job = store.job(event(1).job).await.unwrap().expect("kept for a while");
    assert_eq!((job.state, job.cause), (JobState::Dead { at: after(4) }, Some(cause())));
    assert!(claim_one(store, &event(1), after(999)).await.is_none());
    assert_eq!(
        store.count_jobs().await.unwrap(),
        Counts { live: 0, done: 0, dead: 1, cancelled: 0 }
    );
}

/// Whatever the end.
pub async fn what_a_run_learned_is_kept_with_its_end(store: &dyn Store) {
    give(store, 1, 0).await;
    let again = Fate::Again { due: NOON, spends: false, cause: cause() };
    for fate in [again, Fate::Done] {
        let claim = claim_one(store, &event(1), NOON).await.expect("a job is due");
        let learned = learned(1);
        let known = learned.clone().map(|learned| learned.known);
        store.settle(&claim, Ran { fate, learned, then: None }, NOON).await.unwrap();
        let stored = store.event(event(1).id).await.unwrap().expect("it is stored");
        assert_eq!((Some(stored.known), stored.wanted), (known, event(1).wanted));
    }
}

/// Whether the run was done or gave up: it read too early.
pub async fn an_end_gives_way_to_a_newer_revision(store: &dyn Store) {
    give(store, 1, 0).await;
    let again = Fate::Again { due: NOON, spends: true, cause: cause() };
    let claim = claim_one(store, &event(1), NOON).await.expect("a job is due");
    store.settle(&claim, Ran { fate: again, learned: None, then: None }, NOON).await.unwrap();
    for (seen, fate) in [(1, Fate::Done), (2, Fate::Dead(cause()))] {
        let claim = claim_one(store, &event(1), NOON).await.expect("a job is due");
        let job = push(&event(1), 50, after(500));
        store.change(event(1).id, wanted(seen + 1), job).await.unwrap();
        let ran = Ran { fate, learned: learned(seen), then: None };
        assert_eq!(store.settle(&claim, ran, after(-1)).await.unwrap(), Settled::Yes);
        let job = store.job(event(1).job).await.unwrap().expect("it lives");
        assert_eq!((job.state, job.due), (JobState::Live, after(-1)));
        assert_eq!((job.spent, job.tries, job.failing_since), (0, 0, None));
        let stored = store.event(event(1).id).await.unwrap().expect("it is stored");
        assert_eq!(stored.known.applied, seen, "what was learned is kept");
    }
    let claim = claim_one(store, &event(1), NOON).await.expect("a job is due");
    let ran = Ran { fate: Fate::Done, learned: learned(3), then: None };
    store.settle(&claim, ran, NOON).await.unwrap();
    assert_eq!(
        store.count_jobs().await.unwrap(),
        Counts { live: 0, done: 1, dead: 0, cancelled: 0 }
    );
}

/// A second finds the first; one of another thing does not.
pub async fn there_is_one_live_job_of_a_kind_and_thing(store: &dyn Store) {
    for (n, asked, live) in [(1, revoke(1, 1), 1), (2, revoke(2, 1), 1), (3, revoke(3, 2), 2)] {
        assert!(
            store
                .put_connection(connection(n, user("ana")), Some(asked), some_act())
                .await
                .unwrap()
        );
        assert_eq!(store.count_jobs().await.unwrap().live, live);
    }
    assert_eq!(store.job(JobId::from_u128(2)).await.unwrap(), None);
}

/// It runs again afterwards, if the run did not see why.
pub async fn a_job_made_due_while_it_runs_stays_hidden(store: &dyn Store) {
    give(store, 1, 0).await;
    let claim = claim_one(store, &event(1), NOON).await.expect("a job is due");
    store.change(event(1).id, wanted(2), push(&event(1), 2, after(-30))).await.unwrap();
    let line = line_of(&event(1));
    let hidden = store.claim(&line, 9, after(1), after(61)).await.unwrap();
    assert_eq!((hidden.claims.len(), hidden.next), (0, Some(NOON + LEASE)));
    let ran = Ran { fate: Fate::Done, learned: learned(1), then: None };
    store.settle(&claim, ran, after(2)).await.unwrap();
    assert!(claim_one(store, &event(1), after(2)).await.is_some());
}

/// The event that something was learned of, and the line of a job that lives on.
pub async fn settled_jobs_are_told(store: &dyn Store) {
    give(store, 1, 0).await;
    let mut told = store.changes();
    let again = Fate::Again { due: NOON, spends: false, cause: cause() };
    for fate in [again, Fate::Done] {
        let claim = claim_one(store, &event(1), NOON).await.expect("a job is due");
        store.settle(&claim, Ran { fate, learned: learned(1), then: None }, NOON).await.unwrap();
        store.settle(&claim, done(), NOON).await.unwrap();
    }
    give(store, 2, 0).await;
    let line = || Change::Line(line_of(&event(1)));
    let (first, second) = (Change::Event(event(1).id), Change::Event(event(2).id));
    for change in [first.clone(), line(), first, line(), second] {
        assert_eq!(told.recv().await.unwrap(), change);
    }
}
