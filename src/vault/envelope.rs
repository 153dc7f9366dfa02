//! The envelope: `version | key id | salt | nonce | ciphertext and tag`.

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::error::VaultError;
use super::ring::{KeyRing, MasterKey};
use crate::model::sealed::Sealed;
use crate::random::Random;

/// Where an envelope belongs: it opens nowhere else.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The kind of record; each has data keys of its own.
    pub kind: &'static str,
    /// Whose record.
    pub owner: &'a [u8],
    /// Which record.
    pub record: &'a [u8],
    /// Which of its fields.
    pub field: &'static str,
    /// Which version of the record.
    pub version: u32,
}

/// The first byte of every envelope: what follows, and how it is bound.
const VERSION: u8 = 1;
const KEY_ID: usize = 1;
const SALT: usize = KEY_ID + 4;
const NONCE: usize = SALT + 16;
const CIPHERTEXT: usize = NONCE + 12;
const TAG_BYTES: usize = 16;

/// Seals `plain` for `place` with the active key of `ring`.
pub fn seal(
    ring: &KeyRing,
    random: &dyn Random,
    place: &Place<'_>,
    plain: &[u8],
) -> Result<Sealed, VaultError> {
    let key = ring.active();
    let mut envelope = Vec::with_capacity(CIPHERTEXT + plain.len() + TAG_BYTES);
    envelope.push(VERSION);
    envelope.extend(key.id);
    envelope.extend(random.bytes::<16>());
    envelope.extend(random.bytes::<12>());
    let bound = associated_data(key.id, place);
    let nonce = envelope[NONCE..].try_into().expect("a nonce was just written");
    let ciphertext = data_cipher(key, &envelope[SALT..NONCE], place.kind)
        .encrypt(nonce, Payload { msg: plain, aad: &bound })
        .map_err(|_| VaultError::TooLong)?;
    envelope.extend(ciphertext);
    Ok(Sealed::from_bytes(envelope))
}

/// Opens an envelope that was sealed for `place` with a key of `ring` that is not retired.
pub fn open(
    ring: &KeyRing,
    place: &Place<'_>,
    sealed: &Sealed,
) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let envelope = sealed.as_bytes();
    if envelope.len() < CIPHERTEXT + TAG_BYTES || envelope[0] != VERSION {
        return Err(VaultError::Damaged);
    }
    let id = envelope[KEY_ID..SALT].try_into().expect("the length was checked");
    let key = ring.opener(id)?;
    let nonce = envelope[NONCE..CIPHERTEXT].try_into().expect("the length was checked");
    let bound = associated_data(id, place);
    data_cipher(key, &envelope[SALT..NONCE], place.kind)
        .decrypt(nonce, Payload { msg: &envelope[CIPHERTEXT..], aad: &bound })
        .map(Zeroizing::new)
        .map_err(|_| VaultError::Damaged)
}

/// The cipher of one envelope. Each has its own data key, so random nonces never run short.
fn data_cipher(key: &MasterKey, salt: &[u8], kind: &str) -> Aes256Gcm {
    let mut data_key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(salt), &*key.bytes)
        .expand(format!("calbridge/{kind}/v1").as_bytes(), &mut *data_key)
        .expect("HKDF-SHA-256 gives up to 8,160 bytes");
    Aes256Gcm::new((&*data_key).into())
}

/// Everything the envelope is bound to, each part behind its length, so that no two places run
/// together.
fn associated_data(key_id: [u8; 4], place: &Place<'_>) -> Vec<u8> {
    let version = place.version.to_be_bytes();
    let parts: [&[u8]; 7] = [
        &[VERSION],
        &key_id,
        place.kind.as_bytes(),
        place.owner,
        place.record,
        place.field.as_bytes(),
        &version,
    ];
    let mut bound = Vec::new();
    for part in parts {
        bound.extend((part.len() as u64).to_be_bytes());
        bound.extend(part);
    }
    bound
}
