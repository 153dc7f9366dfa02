//! Every way the vault can say no. No text here holds a key or a line of a key file.

use std::io;
use std::path::PathBuf;

/// Every way the vault can say no.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The envelope was changed, moved, cut, or sealed with another key of the same id.
    #[error(
        "a sealed record does not open: it was damaged, or belongs to another place; \
         restore the store from a backup"
    )]
    Damaged,
    /// The key ring lacks the key that sealed this.
    #[error(
        "a record was sealed with key {id}, which the key ring does not hold; \
         put that key's line back into the key file as `decrypt-only`"
    )]
    UnknownKey {
        /// The missing key's id, in hex.
        id: String,
    },
    /// The key that sealed this is marked as retired.
    #[error(
        "a record was sealed with key {id}, which is retired; \
         mark it `decrypt-only` in the key file, rewrap the store, then retire it"
    )]
    RetiredKey {
        /// The retired key's id, in hex.
        id: String,
    },
    /// The key ring is not the one this store was made with.
    #[error(
        "the key file does not belong to this store; restore the key file that was in use when \
         the store was made (nothing was changed). If it is lost, what was sealed with it is lost \
         too: move the store aside and connect the Google account again"
    )]
    WrongKey,
    /// More than AES-GCM can seal in one piece.
    #[error("too long to be sealed in one piece")]
    TooLong,
    /// A line of the key ring breaks a rule.
    #[error("key file, line {line}: {rule}")]
    Line {
        /// The line, counted from 1.
        line: usize,
        /// What the line must look like, or what to change.
        rule: &'static str,
    },
    /// The key ring as a whole breaks a rule.
    #[error("key file: {rule}")]
    Ring {
        /// What the ring must hold, or what to change.
        rule: &'static str,
    },
    /// Others than its owner may read or change the key file.
    #[error(
        "key file {} may be used by others than its owner (mode {mode:04o}); \
         run `chmod 600 {}`", path.display(), path.display()
    )]
    Mode {
        /// The key file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The key file is too big to be one.
    #[error("key file {} is longer than a key file can be; is it the right file?", path.display())]
    TooBig {
        /// The file.
        path: PathBuf,
    },
    /// There is a key file already.
    #[error("key file {} is already there and is never overwritten", path.display())]
    Exists {
        /// The key file.
        path: PathBuf,
    },
    /// The key file cannot be read or written.
    #[error(
        "key file {} cannot be read or written; check its path, and that it belongs to the user \
         calbridge runs as", path.display()
    )]
    File {
        /// The key file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}
