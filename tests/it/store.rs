//! What every store promises, on each store, and what only a store on disk can break.
#![expect(clippy::unwrap_used, reason = "a test ends where it goes wrong")]

use std::path::Path;
use std::sync::Arc;

use calbridge::model::id::InstanceId;
use calbridge::store::Store;
use calbridge::store::contract::examples::NOON;
use calbridge::store::memory::MemoryStore;
use calbridge::store::sled::{OpenError, Options, SledStore};
use tempfile::TempDir;

/// An empty store, and what it lies in.
struct Opened {
    store: Arc<dyn Store>,
    _dir: Option<TempDir>,
}

fn in_memory() -> Opened {
    Opened { store: Arc::new(MemoryStore::new(InstanceId::from_u128(1))), _dir: None }
}

fn on_disk() -> Opened {
    let dir = TempDir::new().unwrap();
    Opened { store: Arc::new(open(dir.path()).unwrap()), _dir: Some(dir) }
}

fn open(data_dir: &Path) -> Result<SledStore, OpenError> {
    open_with(data_dir, &roomy())
}

fn open_with(data_dir: &Path, options: &Options) -> Result<SledStore, OpenError> {
    SledStore::open(data_dir, InstanceId::from_u128(1), NOON, options)
}

/// Whatever is free on this machine is enough.
fn roomy() -> Options {
    Options { min_free: 0, ..Options::default() }
}

mod damage;
mod durability;
mod model;

mod memory {
    calbridge::promises!(super::in_memory);
}

mod sled {
    calbridge::promises!(super::on_disk);
}

#[test]
fn every_promise_is_listed() {
    let list = include_str!("../../src/store/contract.rs");
    let promises = [
        include_str!("../../src/store/contract/access.rs"),
        include_str!("../../src/store/contract/batches.rs"),
        include_str!("../../src/store/contract/connections.rs"),
        include_str!("../../src/store/contract/events.rs"),
        include_str!("../../src/store/contract/forgetting.rs"),
        include_str!("../../src/store/contract/hands.rs"),
        include_str!("../../src/store/contract/jobs.rs"),
        include_str!("../../src/store/contract/leases.rs"),
        include_str!("../../src/store/contract/periods.rs"),
        include_str!("../../src/store/contract/upkeep.rs"),
    ];
    let mut count = 0;
    for line in promises.iter().flat_map(|file| file.lines()) {
        let Some(rest) = line.strip_prefix("pub async fn ") else { continue };
        let (name, _) = rest.split_once('(').unwrap();
        assert!(list.lines().any(|line| line.trim() == name), "{name} is not run");
        count += 1;
    }
    assert!(count > 90);
}
