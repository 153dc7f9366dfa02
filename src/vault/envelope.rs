//! The envelope: `version | key id | salt | nonce | ciphertext and tag`.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::cipher::{NONCE_BYTES, TAG_BYTES, decrypt, encrypt};
use super::error::VaultError;
use super::ring::{KeyName, KeyRing, MasterKey};
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
const CIPHERTEXT: usize = NONCE + NONCE_BYTES;

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
    envelope.extend(random.bytes::<NONCE_BYTES>());
    let nonce = envelope[NONCE..].try_into().expect("a nonce was just written");
    let data_key = data_key(key, &envelope[SALT..NONCE], place.kind);
    let ciphertext = encrypt(&data_key, nonce, &associated_data(key.id, place), plain)?;
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
    let KeyName(id) = key_of(sealed).ok_or(VaultError::Damaged)?;
    let key = ring.opener(id)?;
    let nonce = envelope[NONCE..CIPHERTEXT].try_into().expect("the length was checked");
    let data_key = data_key(key, &envelope[SALT..NONCE], place.kind);
    decrypt(&data_key, nonce, &associated_data(id, place), &envelope[CIPHERTEXT..])
}

/// Which key sealed an envelope; none if it is no envelope of a version known here.
pub fn key_of(sealed: &Sealed) -> Option<KeyName> {
    let envelope = sealed.as_bytes();
    let whole = envelope.len() >= CIPHERTEXT + TAG_BYTES && envelope[0] == VERSION;
    whole.then(|| KeyName(envelope[KEY_ID..SALT].try_into().expect("the length was checked")))
}

/// The key of one envelope. Each has its own, so random nonces never run short.
fn data_key(key: &MasterKey, salt: &[u8], kind: &str) -> Zeroizing<[u8; 32]> {
    let mut data_key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(salt), &*key.bytes)
        .expand(format!("calbridge/{kind}/v1").as_bytes(), &mut *data_key)
        .expect("HKDF-SHA-256 gives up to 8,160 bytes");
    data_key
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
