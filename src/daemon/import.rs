//! From an export to a store that was never used.

use std::fs::File;
use std::sync::Arc;

use super::{Bridge, DaemonError, Opened, Parts, keys};
use crate::app::backup::{self, Checked};
use crate::app::incident;
use crate::clock::SystemClock;
use crate::config::{Config, StoreKind};
use crate::google::Wires;
use crate::random::OsRandom;
use crate::store::Store;
use crate::vault::Vault;

/// What a store that was put back does when it is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// It shows what it has, and writes nothing to anybody until its freeze is thawed: whoever put it
    /// back looks first whether it is the one to go on with.
    Frozen,
    /// It goes on where the export was made.
    Live,
}

/// What was put back.
#[derive(Clone, Copy, Debug)]
pub struct Imported {
    /// So many records.
    pub records: u64,
    /// Whether its writes are frozen: by the import, or since before the export.
    pub is_frozen: bool,
}

/// Takes `export` into the store that `config` names. Refuses a store that was used before, and an export
/// whose master key is another than the one at hand.
pub async fn import(config: &Config, export: File, start: Start) -> Result<Imported, DaemonError> {
    if config.store.kind == StoreKind::Memory {
        return Err(DaemonError::Forgetful);
    }
    let checked = backup::check(export)?;
    let vault = keys::must_fit(&checked.keystone, &config.vault.key_file, Arc::new(OsRandom))?;
    let Opened { store, sled, .. } = super::open_store(config).await?;
    let restored = if store.keystone().await?.is_some() {
        Err(DaemonError::InUse)
    } else {
        take_in(config, Arc::clone(&store), (checked, vault), start).await
    };
    drop(store);
    super::close(sled).await?;
    restored
}

/// The freeze is in the store before what opens it: a store that was put back is at no moment served
/// without.
async fn take_in(
    config: &Config,
    store: Arc<dyn Store>,
    (checked, vault): (Checked, Vault),
    start: Start,
) -> Result<Imported, DaemonError> {
    let records = checked.records;
    let keystone = backup::fill(&*store, checked).await?;
    let (clock, random) = (Arc::new(SystemClock), Arc::new(OsRandom));
    let parts = Parts { store: Arc::clone(&store), clock, random, wires: Wires::Network };
    let bridge = Box::pin(Bridge::tie_over(config, parts, vault)).await?;
    if start == Start::Frozen {
        incident::freeze_unconfirmed(&bridge.app).await?;
    }
    let is_frozen = bridge.app.frozen.now().is_some();
    drop(bridge);
    backup::open(&*store, keystone).await?;
    Ok(Imported { records, is_frozen })
}
