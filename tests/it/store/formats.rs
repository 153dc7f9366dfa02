//! Stores as earlier releases left them.

use std::collections::BTreeMap;
use std::path::Path;

use calbridge::store::contract::examples::{
    NOON, ROOM, accept, event, give, push, take_in, user, wanted,
};
use calbridge::store::{Accept, Accepted, EventFilter, EventStore, Request, Retention, Store};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::damage::copy_at_rest;
use super::open;

/// Longer than any of these tests is about.
const KEEP_ALL: Retention = Retention {
    done: TimeDelta::days(1),
    dead: TimeDelta::days(1),
    past: TimeDelta::days(1),
    tombstones: TimeDelta::days(1),
};

/// What a store knows of itself, behind a byte for the row's version.
#[derive(Serialize, Deserialize)]
struct Meta {
    format: u32,
    instance: u128,
    sequence: u64,
    openings: u64,
    rows: BTreeMap<u8, u64>,
}

/// The rows of a store that nobody has.
fn rows(data_dir: &Path) -> sled::Db {
    let config = sled::Config::new().path(data_dir.join("store")).segment_size(4 << 20);
    config.mode(sled::Mode::LowSpace).open().unwrap()
}

/// Makes of a closed store what the release before lists would have left after a kill.
fn unlist(data_dir: &Path) {
    let db = rows(data_dir);
    for found in db.scan_prefix(b"L") {
        db.remove(found.unwrap().0).unwrap();
    }
    tell(&db, |meta| {
        meta.format = 1;
        meta.rows.remove(&b'L');
    });
}

/// Makes of a closed store what the release that listed the ends of requests would have left after a kill.
fn list_ends(data_dir: &Path) {
    let db = rows(data_dir);
    let mut listed = 0;
    for found in db.scan_prefix(b"R") {
        let digest = &found.unwrap().0[1..];
        db.insert([b"r", &[128; 12][..], digest].concat(), &[]).unwrap();
        listed += 1;
    }
    tell(&db, |meta| {
        meta.format = 2;
        meta.rows.insert(b'r', listed);
    });
}

/// Changes what the store knows of itself.
fn tell(db: &sled::Db, change: impl FnOnce(&mut Meta)) {
    let row = db.get(b"M").unwrap().unwrap();
    let mut meta: Meta = postcard::from_bytes(&row[1..]).unwrap();
    meta.sequence += 1;
    change(&mut meta);
    db.insert(b"M", postcard::to_extend(&meta, vec![row[0]]).unwrap()).unwrap();
    db.flush().unwrap();
}

async fn ids(store: &dyn EventStore) -> Vec<u128> {
    let filter = EventFilter { owner: Some(user("ana")), ..EventFilter::default() };
    let (events, next) = store.events(&filter, None, 5_000).await.unwrap();
    assert_eq!(next, None);
    events.iter().map(|event| event.id.as_u128()).collect()
}

#[tokio::test]
async fn events_of_a_store_without_lists_are_listed_when_it_is_opened() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path()).unwrap();
    for n in 1..=1_200 {
        give(&store, n, 0).await;
    }
    store.close().unwrap();
    unlist(dir.path());

    let store = open(dir.path()).unwrap();
    let all: Vec<_> = (1..=1_200).collect();
    assert_eq!(ids(&store).await, all);
    store.change(event(7).id, wanted(2), push(&event(7), 7, NOON)).await.unwrap();
    assert_eq!(take_in(&store, accept(1_201), NOON).await.unwrap(), Accepted::New(event(1_201)));

    let killed = TempDir::new().unwrap();
    copy_at_rest(dir.path(), killed.path());
    drop(store);
    let store = open(killed.path()).expect("every row is where the others say");
    assert_eq!(ids(&store).await.len(), 1_201);
}

/// A request of its own for each of many events.
fn asked(n: u16) -> Accept {
    let mut key = [0; 32];
    key[..2].copy_from_slice(&n.to_be_bytes());
    let request = Request { key, body: [1; 32], expires: NOON + TimeDelta::hours(1) };
    Accept { request: Some(request), ..accept(n.into()) }
}

#[tokio::test]
async fn the_ends_of_requests_that_an_earlier_release_listed_are_dropped() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path()).unwrap();
    for n in 1..=1_200 {
        take_in(&store, asked(n), NOON).await.unwrap();
    }
    store.close().unwrap();
    list_ends(dir.path());

    let store = open(dir.path()).unwrap();
    let known = take_in(&store, asked(7), NOON).await.unwrap();
    assert_eq!(known, Accepted::Repeated(event(7)));
    store.close().unwrap();
    let db = rows(dir.path());
    assert_eq!(db.scan_prefix(b"r").count(), 0);
    tell(&db, |meta| assert_eq!((meta.format, meta.rows[&b'r'], meta.rows[&b'R']), (3, 0, 1_200)));
}

/// A look for requests whose time is over reads so many of them and goes on where it ended.
#[tokio::test]
async fn of_more_requests_than_are_read_at_once_all_that_are_over_are_forgotten() {
    const REQUESTS: u16 = 10_100;
    let dir = TempDir::new().unwrap();
    let store = open(dir.path()).unwrap();
    for some in (0..REQUESTS).collect::<Vec<_>>().chunks(500) {
        let some = some.iter().map(|n| asked(*n)).collect();
        store.accept(some, ROOM, NOON).await.unwrap();
    }
    let over = NOON + TimeDelta::hours(1);
    assert_eq!(store.prune(NOON, KEEP_ALL, 20_000).await.unwrap(), 0);
    assert_eq!(store.prune(over, KEEP_ALL, 70).await.unwrap(), 70);
    assert_eq!(store.prune(over, KEEP_ALL, 20_000).await.unwrap(), 10_000);
    assert_eq!(store.prune(over, KEEP_ALL, 20_000).await.unwrap(), 30);
    assert_eq!(store.prune(over, KEEP_ALL, 20_000).await.unwrap(), 0);
    store.close().unwrap();
    assert_eq!(rows(dir.path()).scan_prefix(b"R").count(), 0);
}
