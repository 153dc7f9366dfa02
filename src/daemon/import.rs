//! From an export to a store that was never used.

use std::fs::File;
use std::sync::Arc;

use super::{DaemonError, Opened, keys};
use crate::app::backup;
use crate::config::{Config, StoreKind};
use crate::random::OsRandom;

/// Takes `export` into the store that `config` names. Returns how many records it had. Refuses a
/// store that was used before, and an export whose master key is another than the one at hand.
pub async fn import(config: &Config, export: File) -> Result<u64, DaemonError> {
    if config.store.kind == StoreKind::Memory {
        return Err(DaemonError::Forgetful);
    }
    let checked = backup::check(export)?;
    keys::must_fit(&checked.keystone, &config.vault.key_file, Arc::new(OsRandom))?;
    let Opened { store, sled, .. } = super::open_store(config).await?;
    let restored = if store.keystone().await?.is_some() {
        Err(DaemonError::InUse)
    } else {
        backup::restore(&*store, checked).await.map_err(DaemonError::from)
    };
    drop(store);
    super::close(sled).await?;
    restored
}
