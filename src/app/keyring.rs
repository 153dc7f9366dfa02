//! The master keys while the bridge runs: how much hangs on each, another one, and the end of those
//! that nothing hangs on.

use std::collections::BTreeMap;

use super::audit::By;
use super::rewrap::PAGE;
use super::{App, Error};
use crate::model::audit::Action;
use crate::model::sealed::Sealed;
use crate::store::{Keystone, Store};
use crate::vault::{self, Foundation, KeyName, KeyState, Vault};

/// How many records are sealed with which key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Census {
    /// Every key of the ring, and those that are not in it although records name them.
    pub keys: Vec<Load>,
    /// Records that are no envelopes at all.
    pub damaged: u64,
}

/// What hangs on a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// Which.
    pub key: KeyName,
    /// What it may be used for; none if the ring does not hold it.
    pub state: Option<KeyState>,
    /// How many records it sealed: fields of them, each in an envelope of its own.
    pub records: u64,
}

impl Census {
    /// How many records there are.
    pub fn records(&self) -> u64 {
        self.damaged + self.keys.iter().map(|load| load.records).sum::<u64>()
    }

    /// How many are not on the active key.
    pub fn old(&self) -> u64 {
        let active = |load: &&Load| load.state == Some(KeyState::Active);
        self.records() - self.keys.iter().filter(active).map(|load| load.records).sum::<u64>()
    }
}

/// Counts, page by page: what is written meanwhile may or may not be counted.
pub async fn census(app: &App) -> Result<Census, Error> {
    let mut counts: BTreeMap<KeyName, u64> = BTreeMap::new();
    let mut damaged = 0;
    let mut count = |sealed: &Sealed| match vault::key_of(sealed) {
        Some(key) => *counts.entry(key).or_default() += 1,
        None => damaged += 1,
    };
    if let Some(keystone) = app.store.keystone().await? {
        count(&keystone.canary);
        count(&keystone.index_key);
    }
    let mut after = None;
    loop {
        let page = app.store.envelopes(after, PAGE).await?;
        for envelope in &page {
            count(&envelope.sealed);
        }
        match page.last() {
            Some(last) => after = Some(last.spot),
            None => break,
        }
    }
    let ring = app.vault.ring();
    let mut keys: Vec<Load> = ring
        .keys()
        .map(|(key, state)| {
            let records = counts.remove(&key).unwrap_or(0);
            Load { key, state: Some(state), records }
        })
        .collect();
    keys.extend(counts.into_iter().map(|(key, records)| Load { key, state: None, records }));
    Ok(Census { keys, damaged })
}

/// Makes a new active key. From then on nothing is sealed with the one before, which still opens what
/// it sealed; and the store refuses every copy of the key file that lacks the new one.
pub async fn rotate(app: &App, by: impl Into<By>) -> Result<KeyName, Error> {
    let foundation = foundation(app).await?;
    let key = app.vault.rotate(&foundation).map_err(Error::Keys)?;
    found_anew(&*app.store, &app.vault).await?;
    app.act(by, Action::VaultRotated).keep().await?;
    tracing::warn!(%key, "there is a new master key; keep a copy of the key file, and run `calbridge vault rewrap`");
    Ok(key)
}

/// Retires the keys that only opened and that no record names any more. Returns them.
pub async fn retire(app: &App, by: impl Into<By>) -> Result<Vec<KeyName>, Error> {
    let census = census(app).await?;
    let idle = |load: &&Load| load.state == Some(KeyState::DecryptOnly) && load.records == 0;
    let names: Vec<KeyName> = census.keys.iter().filter(idle).map(|load| load.key).collect();
    if !names.is_empty() {
        app.vault.retire(&foundation(app).await?, &names).map_err(Error::Keys)?;
        app.act(by, Action::VaultRetired).keep().await?;
        tracing::warn!(keys = ?names, "master keys were retired");
    }
    Ok(names)
}

/// Reads the key file anew: the way in for a ring that was made elsewhere. Returns whether it is
/// another; one that does not open this store is not taken.
pub async fn reload(app: &App) -> Result<bool, Error> {
    let changed = app.vault.reload(&foundation(app).await?).map_err(Error::Keys)?;
    if changed {
        found_anew(&*app.store, &app.vault).await?;
        tracing::info!(ring = ?app.vault.ring(), "the key file was read anew");
    }
    Ok(changed)
}

/// Puts what opens the vault under the active key, so that from then on no ring without it is taken
/// for the store's. Somebody else may do the same at the same time.
pub async fn found_anew(store: &dyn Store, vault: &Vault) -> Result<(), Error> {
    let Some(was) = store.keystone().await? else { return Ok(()) };
    if let Some(now) = vault.refound(&was.clone().into())? {
        store.relay_keystone(&was, now.into()).await?;
    }
    Ok(())
}

async fn foundation(app: &App) -> Result<Foundation, Error> {
    let keystone = app.store.keystone().await?;
    keystone.map(Foundation::from).ok_or(Error::NotFound("keystone"))
}

impl From<Keystone> for Foundation {
    fn from(keystone: Keystone) -> Self {
        let Keystone { canary, index_key } = keystone;
        Self { canary, index_key }
    }
}

impl From<Foundation> for Keystone {
    fn from(foundation: Foundation) -> Self {
        let Foundation { canary, index_key } = foundation;
        Self { canary, index_key }
    }
}
