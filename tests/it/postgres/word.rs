//! What processes hear of each other.

use std::sync::Arc;

use calbridge::clock::{ManualClock, SystemClock};
use calbridge::store::contract::examples::{
    NOON, accept, after, connection, event, line_of, some_act, take_in, user,
};
use calbridge::store::postgres::{Options, PostgresStore};
use calbridge::store::{Change, ConnectionStore, JobStore, Store};
use chrono::TimeDelta;
use tokio::task::JoinSet;

use super::server;

/// A clock that nobody moves.
fn still() -> ManualClock {
    ManualClock::at(NOON)
}

#[tokio::test]
async fn a_change_is_heard_by_the_other_process() {
    let server = server::shared().await;
    let url = server.database().await;
    let (one, other) = (server.open(&url, 1).await, server.open(&url, 2).await);
    let mut told = other.changes();
    // The other's clock stands still: it never looks around, so what it learns it heard.
    let clock = still();
    let tell = async {
        for n in 1.. {
            take_in(&one, accept(n), NOON).await.unwrap();
            if let Ok(change) = told.try_recv() {
                return change;
            }
        }
        unreachable!("there are more numbers")
    };
    let heard = tokio::select! {
        () = one.run(&SystemClock) => unreachable!("it runs until it is dropped"),
        () = other.run(&clock) => unreachable!("it runs until it is dropped"),
        heard = tell => heard,
    };
    let known = matches!(heard, Change::Event(_)) || heard == Change::Line(line_of(&event(1)));
    assert!(known, "{heard:?}");
}

#[tokio::test]
async fn what_was_not_heard_is_seen_within_a_second() {
    let server = server::shared().await;
    let url = server.database().await;
    let one = server.open(&url, 1).await;
    let deaf = Options { listens: false, ..server::options() };
    let other = open(&url, &deaf, 2).await;
    // The other works for the connection, and finds nothing to do there any more.
    take_in(&one, accept(1), NOON).await.unwrap();
    let first = other.claim(&line_of(&event(1)), 9, NOON, after(600)).await.unwrap();
    assert_eq!(first.claims.len(), 1);

    let clock = Arc::new(still());
    let other = Arc::new(other);
    let mut tasks = JoinSet::new();
    let (running, hands) = (Arc::clone(&other), Arc::clone(&clock));
    tasks.spawn(async move { running.run(&*hands).await });
    while clock.next_waited_for().is_none() {
        tokio::task::yield_now().await;
    }
    let mut told = other.changes();
    take_in(&one, accept(2), NOON).await.unwrap();
    let linked = connection(1, user("ana"));
    assert!(one.put_connection(linked.clone(), None, some_act()).await.unwrap());
    clock.advance(TimeDelta::seconds(1));
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(told.recv().await.unwrap());
    }
    for change in [
        Change::Line(line_of(&event(2))),
        Change::Event(event(2).id),
        Change::Connection(linked.id),
        Change::Audit,
    ] {
        assert!(seen.contains(&change), "{change:?} is not among {seen:?}");
    }
}

async fn open(url: &str, options: &Options, node: u128) -> PostgresStore {
    use calbridge::model::id::{InstanceId, NodeId};
    let (fresh, node) = (InstanceId::from_u128(1), NodeId::from_u128(node));
    PostgresStore::open(url, options, fresh, node, NOON).await.unwrap()
}
