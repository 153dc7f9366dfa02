//! Who works for which connection, while processes come and go.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use calbridge::clock::{Clock, SystemClock};
use calbridge::model::id::{ConnectionId, InstanceId, NodeId};
use calbridge::model::job::{Claim, Lane, Line};
use calbridge::store::contract::examples::{
    NOON, accept, after, done, event, line_of, push, request, take_in,
};
use calbridge::store::postgres::{OpenError, Options, PostgresStore};
use calbridge::store::{
    Accept, Accepted, Alive, Beat, Change, JobStore, PeriodStore, Settled, Store, Turn,
};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::server;
use crate::bridge::{Bridge, Choices, morning};

/// For how long a sign of life holds.
const LIFE: TimeDelta = TimeDelta::seconds(15);
/// Whoever waits longer for the database waits for nothing.
const PATIENCE: Duration = Duration::from_secs(40);

/// Two processes on one database, which have said nothing yet.
async fn two() -> (PostgresStore, PostgresStore) {
    let server = server::shared().await;
    let url = server.database().await;
    (server.open(&url, 1).await, server.open(&url, 2).await)
}

async fn beat(store: &PostgresStore, now: DateTime<Utc>) -> Beat {
    store.beat(now, now + LIFE).await.unwrap().beat
}

/// The line of event `n`, in a connection of its own number.
fn line_in(connection: u128) -> Line {
    let connection = ConnectionId::from_u128(connection);
    Line { lane: Lane::Calendar { connection, calendar: 7 }, ..line_of(&event(1)) }
}

/// Takes in an event of this number whose job waits in the connection.
async fn give(store: &PostgresStore, n: u128, connection: u128) {
    let mut event = event(n);
    event.placement.connection = ConnectionId::from_u128(connection);
    let job = push(&event, n, NOON);
    take_in(store, Accept { event, job, request: None }, NOON).await.unwrap();
}

/// Claims whatever is due in the connection, for a minute.
async fn claim(store: &PostgresStore, connection: u128, now: DateTime<Utc>) -> Vec<Claim> {
    let until = now + TimeDelta::minutes(1);
    store.claim(&line_in(connection), 9, now, until).await.unwrap().claims
}

/// The connections whose lines the process serves.
async fn served(store: &PostgresStore) -> BTreeSet<u128> {
    let lines = store.lines().await.unwrap();
    let connection = |line: &Line| match line.lane {
        Lane::Calendar { connection, .. } => connection.as_u128(),
        lane => panic!("no line of {lane:?} was made"),
    };
    lines.iter().map(connection).collect()
}

#[tokio::test]
async fn a_dead_leaders_work_is_taken_over_when_its_time_ends() {
    let (leader, heir) = two().await;
    assert_eq!(beat(&leader, NOON).await, Beat { nodes: 1, leads: true });
    give(&leader, 1, 1).await;
    let lost = claim(&leader, 1, NOON).await;
    assert_eq!(lost.len(), 1);

    let early = after(14);
    let end = NOON + LIFE;
    let alive = heir.beat(early, early + LIFE).await.unwrap();
    assert_eq!(alive.beat, Beat { nodes: 2, leads: false });
    assert_eq!(alive.lapse, Some(end), "when it is looked for again");
    assert_eq!(claim(&heir, 1, early).await, [], "the leader may still live");

    let mut told = heir.changes();
    let alone = Alive { beat: Beat { nodes: 1, leads: true }, lapse: None };
    assert_eq!(heir.beat(end, end + LIFE).await, Ok(alone));
    assert_eq!(told.recv().await.unwrap(), Change::Line(line_in(1)));
    let taken = claim(&heir, 1, end).await;
    assert_eq!(taken.len(), 1, "what ran in the dead process is free at once");

    assert_eq!(claim(&leader, 1, end).await, [], "it came back too late to go on");
    assert_eq!(leader.settle(&lost[0], done(), end).await.unwrap(), Settled::LeaseLost);
    assert_eq!(leader.renew(&lost, after(99)).await.unwrap(), [lost[0].job.id]);
    assert_eq!(heir.settle(&taken[0], done(), end).await.unwrap(), Settled::Yes);
    assert_eq!(beat(&leader, end).await, Beat { nodes: 2, leads: false });
}

#[tokio::test]
async fn the_heir_leads_from_the_moment_at_which_the_leaders_time_ends() {
    let (leader, heir) = two().await;
    let heir = Arc::new(heir);
    let choices = Choices { store: Some(heir.clone()), ..Choices::default() };
    let bridge = Box::pin(Bridge::with(choices)).await;
    assert!(beat(&leader, morning()).await.leads);
    let end = morning() + LIFE;

    // A third of its own life later the heir would find out anyway, which is after that.
    bridge.clock.set(end - TimeDelta::seconds(4));
    let (beats, mut beating) = watch::channel(Beat { nodes: 0, leads: false });
    let test = async {
        let told = beating.wait_for(|beat| beat.nodes > 0).await.unwrap();
        assert_eq!(*told, Beat { nodes: 2, leads: false });
        drop(told);
        while bridge.clock.next_waited_for().is_none() {
            tokio::task::yield_now().await;
        }
        bridge.clock.set(end - TimeDelta::milliseconds(1));
        assert!(bridge.clock.next_waited_for().is_some(), "it was woken too early");
        bridge.clock.set(end);
        let told = beating.wait_for(|beat| beat.leads).await.unwrap();
        assert_eq!(*told, Beat { nodes: 1, leads: true });
    };
    tokio::select! {
        () = bridge.tied.live(LIFE, Some(&heir), &beats) => unreachable!("it goes on"),
        tested = tokio::time::timeout(PATIENCE, test) => tested.expect("it leads in time"),
    }
}

#[tokio::test]
async fn a_process_that_leaves_hands_its_work_over_at_once() {
    let (leader, heir) = two().await;
    beat(&leader, NOON).await;
    beat(&heir, NOON).await;
    give(&leader, 1, 1).await;
    let cut_off = claim(&leader, 1, NOON).await;
    leader.leave(after(1)).await.unwrap();
    assert_eq!(leader.renew(&cut_off, after(99)).await.unwrap(), [cut_off[0].job.id]);
    assert_eq!(beat(&heir, after(1)).await, Beat { nodes: 1, leads: true });
    assert_eq!(claim(&heir, 1, after(1)).await.len(), 1);
    assert_eq!(leader.settle(&cut_off[0], done(), after(1)).await.unwrap(), Settled::LeaseLost);
}

#[tokio::test]
async fn a_process_that_comes_gets_its_share() {
    let (first, second) = two().await;
    beat(&first, NOON).await;
    for n in 1..=5 {
        give(&first, n, n).await;
    }
    assert_eq!(served(&first).await.len(), 5);
    // Whoever has too much gives it back, and only then can it be taken.
    beat(&second, NOON).await;
    beat(&first, NOON).await;
    beat(&second, NOON).await;
    let (held, got) = (served(&first).await, served(&second).await);
    assert_eq!((held.len(), got.len()), (3, 2));
    assert_eq!(held.union(&got).count(), 5, "each is served by one");
    for connection in held {
        assert_eq!(claim(&second, connection, NOON).await, [], "it is the other's");
        assert_eq!(claim(&first, connection, NOON).await.len(), 1);
    }
    for connection in got {
        assert_eq!(claim(&first, connection, NOON).await, [], "it is the other's");
        assert_eq!(claim(&second, connection, NOON).await.len(), 1);
    }
}

#[tokio::test]
async fn processes_that_start_at_once_know_of_each_other() {
    let server = server::shared().await;
    for _ in 0..5 {
        let url = server.database().await;
        let mut starting = JoinSet::new();
        for number in 1..=4 {
            let store = server.open(&url, number).await;
            starting.spawn(async move { beat(&store, NOON).await });
        }
        let beats = starting.join_all().await;
        let mut known: Vec<_> = beats.iter().map(|beat| beat.nodes).collect();
        known.sort_unstable();
        assert_eq!(known, [1, 2, 3, 4], "whoever comes knows of all who came before");
        assert_eq!(beats.iter().filter(|beat| beat.leads).count(), 1, "one leads");
    }
}

#[tokio::test]
async fn what_runs_is_not_given_away() {
    let (first, second) = two().await;
    beat(&first, NOON).await;
    for n in 1..=4 {
        give(&first, n, n).await;
    }
    let mut running = Vec::new();
    for n in 1..=4 {
        running.extend(claim(&first, n, NOON).await);
    }
    beat(&second, NOON).await;
    beat(&first, NOON).await;
    beat(&second, NOON).await;
    for claim in &running {
        assert_eq!(first.settle(claim, done(), NOON).await.unwrap(), Settled::Yes);
    }
    for n in 11..=14 {
        give(&second, n, n - 10).await;
    }
    beat(&first, NOON).await;
    beat(&second, NOON).await;
    assert_eq!((served(&first).await.len(), served(&second).await.len()), (2, 2));
}

/// Four connections of the first process, in each of which a job runs and another waits. The second
/// has come, and the first knows.
async fn busy() -> (PostgresStore, PostgresStore, Vec<Claim>) {
    let (first, second) = two().await;
    beat(&first, NOON).await;
    let mut running = Vec::new();
    for n in 1..=4 {
        give(&first, n, n).await;
        running.extend(claim(&first, n, NOON).await);
        give(&first, n + 10, n).await;
    }
    beat(&second, NOON).await;
    beat(&first, NOON).await;
    (first, second, running)
}

#[tokio::test]
async fn what_is_always_busy_is_shared_too() {
    let (first, second, running) = busy().await;
    for connection in [3, 4] {
        assert_eq!(claim(&first, connection, NOON).await, [], "it is to leave");
        assert_eq!(claim(&second, connection, NOON).await, [], "something of it runs");
    }
    for connection in [1, 2] {
        assert_eq!(claim(&first, connection, NOON).await.len(), 1, "it stays");
    }
    assert_eq!(first.settle(&running[2], done(), NOON).await.unwrap(), Settled::Yes);
    let nudged = tokio::time::timeout(PATIENCE, first.goodbye()).await;
    nudged.expect("it gives back at once what nothing of runs any more");
    beat(&first, NOON).await;
    beat(&second, NOON).await;
    assert_eq!(served(&second).await, BTreeSet::from([3]));
    assert_eq!(claim(&second, 3, NOON).await.len(), 1);
    assert_eq!(first.settle(&running[3], done(), NOON).await.unwrap(), Settled::Yes);
    beat(&first, NOON).await;
    beat(&second, NOON).await;
    assert_eq!((served(&first).await.len(), served(&second).await.len()), (2, 2));
}

#[tokio::test]
async fn what_was_to_leave_stays_if_nobody_is_left_to_take_it() {
    let (first, second, running) = busy().await;
    assert_eq!(claim(&first, 4, NOON).await, [], "it is to leave");
    second.leave(NOON).await.unwrap();
    assert_eq!(first.settle(&running[3], done(), NOON).await.unwrap(), Settled::Yes);
    let mut told = first.changes();
    beat(&first, NOON).await;
    let lines =
        BTreeSet::from([told.try_recv().unwrap(), told.try_recv().unwrap()].map(|change| {
            match change {
                Change::Line(line) => line,
                other => panic!("{other:?} did not change"),
            }
        }));
    assert_eq!(lines, BTreeSet::from([3, 4].map(line_in)));
    assert_eq!(claim(&first, 4, NOON).await.len(), 1);
}

#[tokio::test]
async fn no_turn_is_taken_by_two() {
    let (leader, heir) = two().await;
    beat(&leader, NOON).await;
    let every = TimeDelta::minutes(1);
    let mut turns = 0;
    for minute in 0..20 {
        let now = NOON + every * minute;
        // Both believe that they lead: one of them was asleep.
        let (one, other) = tokio::join!(
            leader.take_turn("prune", every, now),
            heir.take_turn("prune", every, now)
        );
        for turn in [one.unwrap(), other.unwrap()] {
            turns += usize::from(matches!(turn, Turn::Due { .. }));
        }
    }
    assert_eq!(turns, 20);
}

#[tokio::test]
async fn no_job_is_claimed_by_two() {
    let (one, other) = two().await;
    for n in 1..=40 {
        give(&one, n, 1).await;
    }
    let mut claimed = BTreeSet::new();
    let mut count = 0;
    for now in 0..8 {
        // The connection changes hands in the middle of it.
        let (from, to) = if now % 2 == 0 { (&one, &other) } else { (&other, &one) };
        let now = after(now * 20);
        let (first, _, second) =
            tokio::join!(claim_some(from, now), beat(to, now), claim_some(to, now));
        for claim in first.iter().chain(&second) {
            let fresh = claimed.insert(claim.fence);
            assert!(fresh, "no two claims have a fence in common");
        }
        for (store, claims) in [(from, first), (to, second)] {
            for claim in claims {
                let settled = store.settle(&claim, done(), now).await.unwrap();
                count += u64::from(settled == Settled::Yes);
            }
        }
    }
    let jobs = one.count_jobs().await.unwrap();
    assert_eq!(jobs.done, count, "each end was one job's");
}

async fn claim_some(store: &PostgresStore, now: DateTime<Utc>) -> Vec<Claim> {
    let until = now + TimeDelta::seconds(10);
    store.claim(&line_in(1), 5, now, until).await.unwrap().claims
}

#[tokio::test]
async fn the_same_request_at_two_processes_makes_one_event() {
    let (one, other) = two().await;
    for n in 1..=30_u8 {
        let accept = |id: u8| Accept { request: Some(request(n, 1)), ..accept(id.into()) };
        let (first, second) = tokio::join!(
            take_in(&one, accept(n * 2), NOON),
            take_in(&other, accept(n * 2 + 1), NOON)
        );
        let answers = [first.unwrap(), second.unwrap()];
        let new = |answer: &&Accepted| matches!(answer, Accepted::New(_));
        assert_eq!(answers.iter().filter(new).count(), 1, "{answers:?}");
    }
    assert_eq!(one.count_jobs().await.unwrap().live, 30);
}

#[tokio::test]
async fn a_database_whose_clock_differs_is_refused() {
    let server = server::shared().await;
    let url = server.database().await;
    let options = Options { skew: Some(TimeDelta::seconds(2)), ..server::options() };
    let (fresh, node) = (InstanceId::from_u128(1), NodeId::from_u128(1));
    let opened = PostgresStore::open(&url, &options, fresh, node, NOON).await;
    assert!(matches!(opened.err(), Some(OpenError::Clock(_))));
    let opened = PostgresStore::open(&url, &options, fresh, node, SystemClock.now()).await;
    assert!(opened.is_ok());
}
