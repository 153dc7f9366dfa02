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

use crate::postgres::server;

/// An empty store, and what it lies in.
struct Opened {
    store: Arc<dyn Store>,
    _dir: Option<TempDir>,
}

#[expect(clippy::unused_async, reason = "every store is opened in the same words")]
async fn in_memory() -> Opened {
    Opened { store: Arc::new(MemoryStore::new(InstanceId::from_u128(1))), _dir: None }
}

#[expect(clippy::unused_async, reason = "every store is opened in the same words")]
async fn on_disk() -> Opened {
    let dir = TempDir::new().unwrap();
    Opened { store: Arc::new(open(dir.path()).unwrap()), _dir: Some(dir) }
}

async fn in_postgres() -> Opened {
    let server = server::shared().await;
    let store = server.open(&server.database().await, 1).await;
    Opened { store: Arc::new(store), _dir: None }
}

pub fn open(data_dir: &Path) -> Result<SledStore, OpenError> {
    open_with(data_dir, &roomy())
}

fn open_with(data_dir: &Path, options: &Options) -> Result<SledStore, OpenError> {
    SledStore::open(data_dir, InstanceId::from_u128(1), NOON, options)
}

/// Whatever is free on this machine is enough, and what may have become of it meanwhile is unknown. It is
/// made anew as often as that can be.
fn roomy() -> Options {
    Options { min_free: 0, boot: None, renew_from: 0, ..Options::default() }
}

mod damage;
mod durability;
mod formats;
mod model;
mod renewal;

mod memory {
    calbridge::promises!(super::in_memory);
}

mod sled {
    calbridge::promises!(super::on_disk);
}

mod postgres {
    calbridge::promises!(super::in_postgres);
}

#[test]
fn every_promise_is_listed() {
    let list = include_str!("../../src/store/contract.rs");
    let promises = [
        include_str!("../../src/store/contract/access.rs"),
        include_str!("../../src/store/contract/administrator.rs"),
        include_str!("../../src/store/contract/audit.rs"),
        include_str!("../../src/store/contract/backup.rs"),
        include_str!("../../src/store/contract/batches.rs"),
        include_str!("../../src/store/contract/connections.rs"),
        include_str!("../../src/store/contract/envelopes.rs"),
        include_str!("../../src/store/contract/events.rs"),
        include_str!("../../src/store/contract/forgetting.rs"),
        include_str!("../../src/store/contract/hands.rs"),
        include_str!("../../src/store/contract/items.rs"),
        include_str!("../../src/store/contract/jobs.rs"),
        include_str!("../../src/store/contract/leases.rs"),
        include_str!("../../src/store/contract/lists.rs"),
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
