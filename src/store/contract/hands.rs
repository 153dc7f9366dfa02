//! Promises about jobs that people look for and lay hands on.

use super::examples::{
    LEASE, NOON, after, cause, claim_one, connection, done, event, give, line_of, push, revoke,
    sealed, some_act, user, wanted,
};
use crate::model::id::JobId;
use crate::model::job::{Cause, Job, JobState, Line, NewJob};
use crate::model::owner::Owner;
use crate::store::{Change, Changed, Counts, Fate, Ran, Settled, Store, Touched, Which};

async fn stored(store: &dyn Store, n: u128) -> Job {
    store.job(JobId::from_u128(n)).await.unwrap().expect("it is stored")
}

/// Runs the job due first of ana's line to this end.
async fn run(store: &dyn Store, fate: Fate) -> Job {
    let claim = claim_one(store, &event(1), NOON).await.expect("a job is due");
    let ran = Ran { fate, learned: None, then: None };
    assert_eq!(store.settle(&claim, ran, NOON).await.unwrap(), Settled::Yes);
    stored(store, claim.job.id.as_u128()).await
}

/// It is claimed no more, and its line is gone with its last job.
pub async fn a_waiting_job_is_taken_back(store: &dyn Store) {
    give(store, 1, 0).await;
    let waiting = run(store, Fate::HandedBack { cause: Some(cause()) }).await;
    let Touched::Yes(job) = store.cancel(waiting.id, after(3)).await.unwrap() else {
        panic!("it waits");
    };
    let cancelled = Job { state: JobState::Cancelled { at: after(3) }, ..waiting };
    assert_eq!((&job, stored(store, 1).await), (&cancelled, cancelled.clone()));
    assert!(claim_one(store, &event(1), after(99)).await.is_none());
    assert_eq!(store.lines().await.unwrap(), []);
    assert_eq!(store.count_jobs().await.unwrap(), Counts { cancelled: 1, ..Counts::default() });
    assert_eq!(store.event(event(1).id).await.unwrap(), Some(event(1)), "its event stays");
}

/// Nor put off; once its lease is over both can be done, and the run that had it settles nothing.
pub async fn a_running_job_is_not_taken_back(store: &dyn Store) {
    give(store, 1, 0).await;
    let claim = claim_one(store, &event(1), NOON).await.expect("a job is due");
    let late = NOON + LEASE;
    let early = late - LEASE / 60;
    assert_eq!(store.cancel(claim.job.id, early).await.unwrap(), Touched::Running);
    assert_eq!(store.put_off(claim.job.id, late, early).await.unwrap(), Touched::Running);
    assert_eq!(stored(store, 1).await, claim.job);
    assert!(matches!(store.cancel(claim.job.id, late).await.unwrap(), Touched::Yes(_)));
    assert_eq!(store.settle(&claim, done(), late).await.unwrap(), Settled::LeaseLost);
    assert_eq!(stored(store, 1).await.state, JobState::Cancelled { at: late });
}

/// Nothing changes, and the answer says where the job stands.
pub async fn a_job_is_touched_where_its_state_allows(store: &dyn Store) {
    for n in 1..=4 {
        give(store, n, 0).await;
    }
    let ended = [run(store, Fate::Done).await, run(store, Fate::Dead(cause())).await];
    store.cancel(event(3).job, NOON).await.unwrap();
    for job in [&ended[0], &ended[1], &stored(store, 3).await] {
        let not = Touched::Not(job.state);
        assert_eq!(store.cancel(job.id, after(9)).await.unwrap(), not);
        assert_eq!(store.put_off(job.id, after(9), after(9)).await.unwrap(), not);
        assert_eq!(stored(store, job.id.as_u128()).await, *job);
    }
    let live = Touched::Not(JobState::Live);
    assert_eq!(store.replay(event(4).job, after(9)).await.unwrap(), live);
    let done = Touched::Not(ended[0].state);
    assert_eq!(store.replay(ended[0].id, after(9)).await.unwrap(), done);
    assert_eq!(
        store.count_jobs().await.unwrap(),
        Counts { live: 1, done: 1, dead: 1, cancelled: 1 }
    );
}

/// Whatever is asked.
pub async fn a_job_that_is_not_there_is_missing(store: &dyn Store) {
    let id = JobId::from_u128(1);
    assert_eq!(store.cancel(id, NOON).await.unwrap(), Touched::Missing);
    assert_eq!(store.replay(id, NOON).await.unwrap(), Touched::Missing);
    assert_eq!(store.put_off(id, NOON, NOON).await.unwrap(), Touched::Missing);
}

/// Or comes sooner.
pub async fn a_job_put_off_waits_for_its_moment(store: &dyn Store) {
    give(store, 1, 0).await;
    for due in [50, -50] {
        let answer = store.put_off(event(1).job, after(due), NOON).await.unwrap();
        let job = stored(store, 1).await;
        assert_eq!((job.due, answer), (after(due), Touched::Yes(job)));
        assert!(claim_one(store, &event(1), after(due - 1)).await.is_none());
    }
    assert!(claim_one(store, &event(1), after(-50)).await.is_some());
}

/// With what it carries; what its runs came to is forgotten.
pub async fn a_replayed_job_is_as_new(store: &dyn Store) {
    give(store, 1, 0).await;
    run(store, Fate::Again { due: NOON, spends: true, cause: cause() }).await;
    let dead = run(store, Fate::Dead(Cause::new("refused", "no"))).await;
    let Touched::Yes(job) = store.replay(dead.id, after(7)).await.unwrap() else {
        panic!("it is dead");
    };
    let as_new = Job {
        due: after(7),
        spent: 0,
        tries: 0,
        failing_since: None,
        state: JobState::Live,
        cause: None,
        ..dead
    };
    assert_eq!((&job, stored(store, 1).await), (&as_new, as_new.clone()));
    assert_eq!(store.count_jobs().await.unwrap(), Counts { live: 1, ..Counts::default() });
    assert!(claim_one(store, &event(1), after(6)).await.is_none());
    assert!(claim_one(store, &event(1), after(7)).await.is_some());

    let carries = NewJob { payload: Some(sealed(9)), ..revoke(2, 1) };
    store
        .put_connection(connection(1, user("ana")), Some(carries.clone()), some_act())
        .await
        .unwrap();
    store.cancel(carries.id, NOON).await.unwrap();
    store.replay(carries.id, NOON).await.unwrap();
    let claims = store.claim(&carries.line, 9, NOON, after(60)).await.unwrap().claims;
    assert_eq!(claims[0].payload, carries.payload);
}

/// That one is due at once, and the other stays as it was.
pub async fn a_replay_finds_the_job_that_lives(store: &dyn Store) {
    give(store, 1, 0).await;
    let dead = run(store, Fate::Dead(cause())).await;
    store.change(event(1).id, wanted(2), push(&event(1), 2, after(500))).await.unwrap();
    let Touched::Yes(job) = store.replay(dead.id, after(9)).await.unwrap() else {
        panic!("it is dead");
    };
    assert_eq!((job.id.as_u128(), job.due), (2, after(9)));
    assert_eq!(stored(store, 2).await, job);
    assert_eq!(stored(store, 1).await, dead);
    assert_eq!(store.count_jobs().await.unwrap(), Counts { live: 1, dead: 1, ..Counts::default() });
}

/// Again, even if another was newer.
pub async fn an_event_names_the_job_that_was_replayed(store: &dyn Store) {
    give(store, 1, 0).await;
    store.cancel(event(1).job, NOON).await.unwrap();
    let job = push(&event(1), 2, NOON);
    let Changed::Yes(changed) = store.change(event(1).id, wanted(2), job).await.unwrap() else {
        panic!("the revision is the next");
    };
    assert_eq!(changed.job.as_u128(), 2, "a job taken back lives no more");
    run(store, Fate::Done).await;
    store.replay(event(1).job, NOON).await.unwrap();
    let replayed = store.event(event(1).id).await.unwrap().expect("it is stored");
    assert_eq!(replayed.job, event(1).job);
}

/// The line that may have work, and the event whose job it is.
pub async fn touched_jobs_are_told(store: &dyn Store) {
    give(store, 1, 0).await;
    let mut told = store.changes();
    let id = event(1).job;
    store.put_off(id, after(5), NOON).await.unwrap();
    store.cancel(id, NOON).await.unwrap();
    store.cancel(id, NOON).await.unwrap();
    store.replay(id, NOON).await.unwrap();
    let (line, event) = (Change::Line(line_of(&event(1))), Change::Event(event(1).id));
    for change in [line.clone(), event.clone(), line, event] {
        assert_eq!(told.recv().await.unwrap(), change);
    }
}

/// Every page there is.
async fn found(store: &dyn Store, which: Which, owner: Option<&Owner>, most: usize) -> Vec<u128> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let (page, next) = store.jobs(which, owner, after, most).await.unwrap();
        assert!(page.len() <= most);
        for job in page {
            assert_eq!(store.job(job.id).await.unwrap(), Some(job.clone()));
            found.push(job.id.as_u128());
        }
        assert!(next.is_none_or(|next| after.is_none_or(|after| next > after)), "it goes on");
        match next {
            Some(_) => after = next,
            None => return found,
        }
    }
}

/// By state and owner, in the order of their names, however small the pages.
pub async fn jobs_are_found_page_by_page(store: &dyn Store) {
    for n in [5, 3, 1, 4, 2] {
        give(store, n, 0).await;
    }
    let line = Line { owner: user("bo"), ..line_of(&event(1)) };
    for n in 6..=80 {
        let mut accepted = super::examples::accept(n);
        accepted.job.line = line.clone();
        super::examples::take_in(store, accepted, NOON).await.unwrap();
    }
    run(store, Fate::Done).await;
    run(store, Fate::Dead(cause())).await;
    store.cancel(JobId::from_u128(40), NOON).await.unwrap();
    store.cancel(event(3).job, NOON).await.unwrap();
    for most in [1, 2, 100] {
        let ana = user("ana");
        assert_eq!(found(store, Which::Done, None, most).await, [1]);
        assert_eq!(found(store, Which::Dead, Some(&ana), most).await, [2]);
        assert_eq!(found(store, Which::Cancelled, None, most).await, [3, 40]);
        assert_eq!(found(store, Which::Cancelled, Some(&ana), most).await, [3]);
        assert_eq!(found(store, Which::Live, Some(&ana), most).await, [4, 5]);
        let waiting: Vec<_> = (4..40).chain(41..=80).collect();
        assert_eq!(found(store, Which::Live, None, most).await, waiting);
        assert_eq!(found(store, Which::Live, Some(&Owner::Application), most).await, [0; 0]);
    }
}
