//! Another key ring in place of the one in use, while others seal and open.

use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::envelope::{self, Place};
use super::error::VaultError;
use super::ring::{KeyName, KeyRing};
use super::{CANARY_PLACE, Foundation, INDEX_KEY_PLACE, Vault, index_key, keyfile};
use crate::model::sealed::Sealed;

impl Vault {
    /// Makes a new active key; the one before opens what it sealed. The ring is in its file, on disk,
    /// before anything is sealed with the new key. The ring in the file must be that of the store
    /// with this foundation.
    pub fn rotate(&self, foundation: &Foundation) -> Result<KeyName, VaultError> {
        let next = keyfile::exchange(self.file()?, |ring| {
            self.must_open(ring, foundation)?;
            Ok(ring.rotated(&*self.random))
        })?;
        let name = next.active_name();
        self.exchange(next);
        Ok(name)
    }

    /// Retires those of `names` that only opened. The caller knows that they sealed nothing which is
    /// still there.
    pub fn retire(&self, foundation: &Foundation, names: &[KeyName]) -> Result<(), VaultError> {
        let next = keyfile::exchange(self.file()?, |ring| {
            let next = ring.retired(names);
            self.must_open(&next, foundation)?;
            Ok(next)
        })?;
        self.exchange(next);
        Ok(())
    }

    /// Reads the ring's file anew, and takes what it holds if that opens this store. Returns whether
    /// it holds anything else than before.
    pub fn reload(&self, foundation: &Foundation) -> Result<bool, VaultError> {
        let file = self.file()?;
        let next = keyfile::open(file)?;
        let next = next.ok_or_else(|| VaultError::Missing { path: file.to_owned() })?;
        self.must_open(&next, foundation)?;
        let changed = *next.to_text() != *self.ring().to_text();
        if changed {
            self.exchange(next);
        }
        Ok(changed)
    }

    /// The foundation under the active key; none if it is so already. The index key in it is the same.
    pub fn refound(&self, foundation: &Foundation) -> Result<Option<Foundation>, VaultError> {
        let canary = self.reseal(&CANARY_PLACE, &foundation.canary)?;
        let index_key = self.reseal(&INDEX_KEY_PLACE, &foundation.index_key)?;
        if canary.is_none() && index_key.is_none() {
            return Ok(None);
        }
        let Foundation { canary: old_canary, index_key: old_index_key } = foundation.clone();
        Ok(Some(Foundation {
            canary: canary.unwrap_or(old_canary),
            index_key: index_key.unwrap_or(old_index_key),
        }))
    }

    /// What was sealed with a key that only the ring's file has. The envelope itself proves that the
    /// ring there is a later one of this store.
    pub(super) fn open_with_file(
        &self,
        place: &Place<'_>,
        sealed: &Sealed,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let ring = keyfile::open(self.file.as_deref()?).ok().flatten()?;
        let opened = envelope::open(&ring, place, sealed).ok()?;
        self.exchange(ring);
        Some(opened)
    }

    fn must_open(&self, ring: &KeyRing, foundation: &Foundation) -> Result<(), VaultError> {
        if *index_key(ring, foundation)? == *self.index_key {
            return Ok(());
        }
        Err(VaultError::Unfounded { id: ring.active_name() })
    }

    fn file(&self) -> Result<&Path, VaultError> {
        self.file.as_deref().ok_or(VaultError::NoFile)
    }

    fn exchange(&self, next: KeyRing) {
        *self.ring.write().expect("no one panics while exchanging the ring") = Arc::new(next);
    }
}
