//! AES-256-GCM (NIST SP 800-38D), and nothing around it: public so that the published vectors can
//! be held against the very code that seals.

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use zeroize::Zeroizing;

use super::error::VaultError;

/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 12;
/// Bytes that prove the rest.
pub const TAG_BYTES: usize = 16;

/// `plain` under `key`, bound to `bound`: the ciphertext, then the tag.
pub fn encrypt(
    key: &[u8; 32],
    nonce: &[u8; NONCE_BYTES],
    bound: &[u8],
    plain: &[u8],
) -> Result<Vec<u8>, VaultError> {
    let payload = Payload { msg: plain, aad: bound };
    Aes256Gcm::new(key.into()).encrypt(nonce.into(), payload).map_err(|_| VaultError::TooLong)
}

/// What was encrypted under `key` and bound to `bound`, if not a bit of it was changed.
pub fn decrypt(
    key: &[u8; 32],
    nonce: &[u8; NONCE_BYTES],
    bound: &[u8],
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let payload = Payload { msg: ciphertext, aad: bound };
    let opened = Aes256Gcm::new(key.into()).decrypt(nonce.into(), payload);
    opened.map(Zeroizing::new).map_err(|_| VaultError::Damaged)
}
