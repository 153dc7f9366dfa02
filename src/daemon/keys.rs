//! From the key file to the vault.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::DaemonError;
use crate::app::keyring;
use crate::random::Random;
use crate::store::{Counts, Keystone, Store};
use crate::vault::{self, KeyRing, Vault, keyfile};

/// The master key is not where it was.
#[derive(Debug, thiserror::Error)]
#[error(
    "the store was made with a master key, and there is none at {path}; restore that file (nothing was changed). If \
     it is lost, what was sealed with it is lost too: move the data directory aside and connect the Google account again"
)]
pub struct KeyMissing {
    path: PathBuf,
}

/// The vault of `store`, under the key ring in `file`. A store that was never used gets a ring of its
/// own, in that file, if there is none; one that was used is never given a new key.
pub async fn unlock(
    store: &dyn Store,
    file: &Path,
    random: Arc<dyn Random>,
) -> Result<Vault, DaemonError> {
    let ring = keyfile::open(file)?;
    let laid = store.keystone().await?;
    let ring = match (ring, &laid) {
        (Some(ring), _) => ring,
        (None, None) => {
            tracing::info!(file = %file.display(), "making a master key; keep a copy of it apart from the data");
            keyfile::create(file, &*random)?
        }
        (None, Some(_)) => return Err(KeyMissing { path: file.to_owned() }.into()),
    };
    let keystone = match laid {
        Some(keystone) => keystone,
        None if is_blank(store).await? => lay(store, &ring, &*random).await?,
        None => return Err(DaemonError::HalfImported),
    };
    let vault = vault::unlock(ring, &keystone.into(), random)?.kept_in(file.to_owned());
    // The ring may have been exchanged while nobody ran.
    keyring::found_anew(store, &vault).await?;
    Ok(vault)
}

/// The vault that `keystone` belongs to. Refuses unless the key ring in `file` opens it.
pub fn must_fit(
    keystone: &Keystone,
    file: &Path,
    random: Arc<dyn Random>,
) -> Result<Vault, DaemonError> {
    let ring = keyfile::open(file)?.ok_or_else(|| KeyMissing { path: file.to_owned() })?;
    Ok(vault::unlock(ring, &keystone.clone().into(), random)?.kept_in(file.to_owned()))
}

/// Whether nothing is kept that a vault would have to open.
async fn is_blank(store: &dyn Store) -> Result<bool, DaemonError> {
    Ok(store.all_connections(None, 1).await?.is_empty()
        && store.keys().await?.is_empty()
        && store.count_jobs().await? == Counts::default())
}

async fn lay(
    store: &dyn Store,
    ring: &KeyRing,
    random: &dyn Random,
) -> Result<Keystone, DaemonError> {
    Ok(store.lay_keystone(vault::found(ring, random)?.into()).await?)
}
