//! The whole store, into PostgreSQL and out again.

use std::fs::File;

use calbridge::app::backup;
use calbridge::model::id::{InstanceId, KeyId};
use calbridge::model::key::{ApiKey, Scope, TicketKind};
use calbridge::model::owner::Owner;
use calbridge::store::contract::examples::{
    NOON, ROOM, accept, after, cause, claim_one, connection, digest, done, event, line_of, request,
    revoke, sealed, some_act, ticket, user,
};
use calbridge::store::memory::MemoryStore;
use calbridge::store::sled::{Options, SledStore};
use calbridge::store::{
    Accept, AccessStore, Backup, ConnectionStore, EventStore, Fate, JobStore, Keystone,
    PeriodStore, Ran, Record, Store,
};
use chrono::TimeDelta;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::server;

/// More events than are read at once.
const EVENTS: u128 = 1200;

/// A store with records of every kind and jobs in every state.
async fn filled() -> MemoryStore {
    let store = MemoryStore::new(InstanceId::from_u128(9));
    let accepts = (1..=EVENTS)
        .map(|n| Accept { request: n.try_into().ok().map(|n| request(n, 1)), ..accept(n) });
    store.accept(accepts.collect(), ROOM, NOON).await.unwrap();
    for fate in [Fate::Done, Fate::Dead(cause())] {
        let claim = claim_one(&store, &event(1), NOON).await.unwrap();
        store.settle(&claim, Ran { fate, ..done() }, after(1)).await.unwrap();
    }
    store.cancel(event(9).job, after(1)).await.unwrap();
    let mut grant = revoke(5000, 1);
    grant.payload = Some(sealed(70));
    let linked = connection(1, user("ana"));
    store.put_connection(linked, Some(grant), some_act()).await.unwrap();
    store.put_connection(connection(2, Owner::Application), None, some_act()).await.unwrap();
    store.put_ticket(ticket(TicketKind::Session, 1, after(90))).await.unwrap();
    let key = ApiKey {
        id: KeyId::from_u128(3),
        name: "shop".to_owned(),
        scopes: vec![Scope::EventsWrite],
        source: String::new(),
        secret: digest(1),
        created: NOON + TimeDelta::nanoseconds(123_456_789),
        expires: Some(NOON),
        revoked: None,
    };
    store.put_key(key, some_act()).await.unwrap();
    store.take_turn("prune", TimeDelta::minutes(1), NOON).await.unwrap();
    store.tally(NOON.date_naive(), 77).await.unwrap();
    let keystone = Keystone { canary: sealed(3), index_key: sealed(4) };
    store.lay_keystone(keystone).await.unwrap();
    store
}

/// Every record, as it is written down, in an order of its own.
async fn records(store: &dyn Store) -> Vec<Vec<u8>> {
    let (into, mut from) = mpsc::channel::<Record>(8);
    let mut records = Vec::new();
    let receive = async {
        while let Some(record) = from.recv().await {
            records.push(record.encode());
        }
    };
    let (exported, ()) = tokio::join!(store.export(into), receive);
    exported.unwrap();
    records.sort();
    records
}

#[tokio::test]
async fn what_was_exported_is_the_same_after_its_import() {
    let memory = filled().await;
    let wanted = records(&memory).await;
    let server = server::shared().await;
    let database = server.open(&server.database().await, 1).await;
    // In two steps, one of them again: an import that was broken off is begun anew.
    let decoded: Vec<Record> = wanted.iter().map(|row| Record::decode(row).unwrap()).collect();
    let (first, second) = decoded.split_at(decoded.len() / 2);
    for part in [first, first, second] {
        database.restore(part.to_vec()).await.unwrap();
    }
    assert_eq!(records(&database).await, wanted);
    assert_eq!(database.count_jobs().await, memory.count_jobs().await);
    assert_eq!(database.lines().await, memory.lines().await);
    let line = line_of(&event(1));
    let claimed = database.claim(&line, 3, NOON, after(60)).await.unwrap();
    let due: Vec<_> = claimed.claims.iter().map(|claim| claim.job.id).collect();
    assert_eq!(due, [event(3).job, event(4).job, event(5).job], "they are due in their order");
}

/// A store on disk with nothing in it.
fn on_disk() -> (TempDir, SledStore) {
    let place = TempDir::new().unwrap();
    let options = Options { min_free: 0, ..Options::default() };
    let store = SledStore::open(place.path(), InstanceId::from_u128(1), NOON, &options).unwrap();
    (place, store)
}

/// Moves everything from one store to another, through a file. Returns how many records that were.
async fn moved(from: &dyn Store, to: &dyn Store) -> u64 {
    let file = tempfile::NamedTempFile::new().unwrap();
    let written = backup::write(from, file.reopen().unwrap()).await.unwrap();
    let checked = backup::check(File::open(file.path()).unwrap()).unwrap();
    assert_eq!(backup::restore(to, checked).await.unwrap(), written);
    written
}

/// The same for stores that hold the same.
async fn sum(store: &dyn Store) -> [u8; 32] {
    let mut hash = Sha256::new();
    for record in records(store).await {
        hash.update(record);
    }
    hash.finalize().into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_of_a_hundred_thousand_moves_to_a_database_and_back() {
    const JOBS: u128 = 100_000;
    let (_place, disk) = on_disk();
    disk.lay_keystone(Keystone { canary: sealed(3), index_key: sealed(4) }).await.unwrap();
    for first in (1..=JOBS).step_by(1_000) {
        disk.accept((first..first + 1_000).map(accept).collect(), ROOM, NOON).await.unwrap();
    }
    // Some run at the moment of the export; who has them is not a part of it.
    let line = line_of(&event(1));
    assert_eq!(disk.claim(&line, 50, NOON, after(60)).await.unwrap().claims.len(), 50);
    let before = sum(&disk).await;

    let server = server::shared().await;
    let database = server.open(&server.database().await, 1).await;
    assert_eq!(moved(&disk, &database).await, u64::try_from(2 * JOBS + 1).unwrap());
    assert_eq!(sum(&database).await, before);
    let claimed = database.claim(&line, 3, NOON, after(60)).await.unwrap();
    let due: Vec<_> = claimed.claims.iter().map(|claim| claim.job.id).collect();
    assert_eq!(due, [event(1).job, event(2).job, event(3).job], "whoever had them is gone");

    let (_place, back) = on_disk();
    moved(&database, &back).await;
    assert_eq!(sum(&back).await, before);
    assert_eq!(back.count_jobs().await, disk.count_jobs().await);
    assert_eq!(back.claim(&line, 9, NOON, after(60)).await.unwrap().claims.len(), 9);
}
