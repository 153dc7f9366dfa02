//! Seals what a stolen disk must not tell, and makes the keyed hashes that things are found by.
//!
//! An envelope is bound to its place (whose record, which field, which version), so one that was
//! moved, or an old one put into a newer row, does not open. Knows nothing of what it seals.

pub mod cipher;
mod envelope;
mod error;
pub mod keyfile;
mod ring;
mod rotation;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub use envelope::{Place, key_of};
pub use error::VaultError;
pub use ring::{KeyName, KeyRing, KeyState};

use crate::model::key::Digest;
use crate::model::sealed::Sealed;
use crate::random::Random;

/// Seals and opens envelopes, and makes keyed hashes. Its key ring can be exchanged while others seal
/// and open; the index key stays for the life of the store.
pub struct Vault {
    ring: RwLock<Arc<KeyRing>>,
    /// Where the ring is kept; none if nowhere.
    file: Option<PathBuf>,
    index_key: Zeroizing<[u8; 32]>,
    random: Arc<dyn Random>,
}

/// What a store keeps from its first day, so that later starts can tell the right key ring from a
/// wrong one and find what was stored before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foundation {
    /// Opens under the right key ring only.
    pub canary: Sealed,
    /// The key of all keyed hashes: made once, rewrapped at a rotation, never changed.
    pub index_key: Sealed,
}

const CANARY: &[u8] = b"calbridge";
const CANARY_PLACE: Place<'static> =
    Place { kind: "foundation", owner: b"", record: b"", field: "canary", version: 1 };
const INDEX_KEY_PLACE: Place<'static> = Place { field: "index_key", ..CANARY_PLACE };

/// Makes the foundation of a new store under the active key of `ring`.
pub fn found(ring: &KeyRing, random: &dyn Random) -> Result<Foundation, VaultError> {
    let index_key = Zeroizing::new(random.bytes::<32>());
    Ok(Foundation {
        canary: envelope::seal(ring, random, &CANARY_PLACE, CANARY)?,
        index_key: envelope::seal(ring, random, &INDEX_KEY_PLACE, &*index_key)?,
    })
}

/// The vault of a store with this foundation. Refuses a key ring that is not the store's.
pub fn unlock(
    ring: KeyRing,
    foundation: &Foundation,
    random: Arc<dyn Random>,
) -> Result<Vault, VaultError> {
    let index_key = index_key(&ring, foundation)?;
    Ok(Vault::new(ring, index_key, random))
}

/// The index key of a store, if `ring` opens its foundation.
fn index_key(ring: &KeyRing, foundation: &Foundation) -> Result<Zeroizing<[u8; 32]>, VaultError> {
    match envelope::open(ring, &CANARY_PLACE, &foundation.canary) {
        Ok(canary) if canary.as_slice() == CANARY => {}
        Err(retired @ VaultError::RetiredKey { .. }) => return Err(retired),
        Err(VaultError::UnknownKey { id }) => {
            let names: Vec<String> = ring.keys().map(|(name, _)| name.to_string()).collect();
            let holds = names.join(", ");
            return Err(VaultError::WrongKey { needs: id.to_string(), holds });
        }
        Ok(_) | Err(_) => {
            let id = key_of(&foundation.canary).unwrap_or_else(|| ring.active_name());
            return Err(VaultError::Unfounded { id });
        }
    }
    let opened = envelope::open(ring, &INDEX_KEY_PLACE, &foundation.index_key)?;
    let mut index_key = Zeroizing::new([0; 32]);
    if opened.len() != index_key.len() {
        return Err(VaultError::Damaged);
    }
    index_key.copy_from_slice(&opened);
    Ok(index_key)
}

impl Vault {
    /// A vault that seals with the active key of `ring` and hashes with `index_key`.
    pub fn new(ring: KeyRing, index_key: Zeroizing<[u8; 32]>, random: Arc<dyn Random>) -> Self {
        Self { ring: RwLock::new(Arc::new(ring)), file: None, index_key, random }
    }

    /// The vault, whose key ring is kept in `file`.
    #[must_use]
    pub fn kept_in(self, file: PathBuf) -> Self {
        Self { file: Some(file), ..self }
    }

    /// The key ring as it is now.
    pub fn ring(&self) -> Arc<KeyRing> {
        Arc::clone(&self.ring.read().expect("no one panics while exchanging the ring"))
    }

    /// Seals `plain` for `place`. Two envelopes of the same text have nothing in common but their
    /// length.
    pub fn seal(&self, place: &Place<'_>, plain: &[u8]) -> Result<Sealed, VaultError> {
        envelope::seal(&self.ring(), &*self.random, place, plain)
    }

    /// Opens an envelope that was sealed for `place`, and no other. If its key is not known here, the
    /// ring's file is looked at: another process may have made one.
    pub fn open(
        &self,
        place: &Place<'_>,
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        match envelope::open(&self.ring(), place, sealed) {
            Err(unknown @ VaultError::UnknownKey { .. }) => {
                self.open_with_file(place, sealed).ok_or(unknown)
            }
            opened => opened,
        }
    }

    /// Seals anew what was sealed for `place`; none if it names the active key, which costs nothing.
    pub fn reseal(&self, place: &Place<'_>, sealed: &Sealed) -> Result<Option<Sealed>, VaultError> {
        if key_of(sealed) == Some(self.ring().active_name()) {
            return Ok(None);
        }
        let plain = self.open(place, sealed)?;
        self.seal(place, &plain).map(Some)
    }

    /// A hash of `parts` that only this store's key can make; another `domain` is another hash.
    pub fn tag(&self, domain: &str, parts: &[&[u8]]) -> Digest {
        let mut mac = Hmac::<Sha256>::new_from_slice(&*self.index_key)
            .expect("HMAC takes a key of any length");
        for part in [domain.as_bytes()].iter().chain(parts) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Vault({:?})", self.ring())
    }
}

/// Whether two digests are equal; the time it takes does not tell where they differ.
pub fn same_digest(one: &Digest, other: &Digest) -> bool {
    one.ct_eq(other).into()
}
