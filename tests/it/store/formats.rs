//! Stores as earlier releases left them.

use std::collections::BTreeMap;
use std::path::Path;

use calbridge::store::contract::examples::{
    NOON, accept, event, give, push, take_in, user, wanted,
};
use calbridge::store::{Accepted, EventFilter, EventStore};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::damage::copy_at_rest;
use super::open;

/// What a store of format 1 knew of itself, behind a byte for the row's version.
#[derive(Serialize, Deserialize)]
struct Meta {
    format: u32,
    instance: u128,
    sequence: u64,
    openings: u64,
    rows: BTreeMap<u8, u64>,
}

/// Makes of a closed store what the release before lists would have left after a kill.
fn unlist(data_dir: &Path) {
    let config = sled::Config::new().path(data_dir.join("store")).segment_size(4 << 20);
    let db = config.mode(sled::Mode::LowSpace).open().unwrap();
    for found in db.scan_prefix(b"L") {
        db.remove(found.unwrap().0).unwrap();
    }
    let row = db.get(b"M").unwrap().unwrap();
    let mut meta: Meta = postcard::from_bytes(&row[1..]).unwrap();
    meta.format = 1;
    meta.sequence += 1;
    meta.rows.remove(&b'L');
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
