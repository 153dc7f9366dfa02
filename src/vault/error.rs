//! Every way the vault can say no. No text here holds a key or a line of a key file.

use std::io;
use std::path::PathBuf;

use super::ring::KeyName;

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
        /// The missing key.
        id: KeyName,
    },
    /// The key that sealed this is marked as retired.
    #[error(
        "a record was sealed with key {id}, which is retired; mark it `decrypt-only` in the key \
         file, run `calbridge vault rewrap`, then `calbridge vault retire`"
    )]
    RetiredKey {
        /// The retired key.
        id: KeyName,
    },
    /// The key ring is not the one this store was made with.
    #[error(
        "the key file does not belong to this store: the store was sealed with key {needs}, and the \
         file holds {holds}. Restore the key file that was in use last (nothing was changed); a copy \
         from before a `calbridge vault rotate` lacks the newer key. If it is lost, what was sealed \
         with it is lost too: move the store aside and connect the Google account again"
    )]
    WrongKey {
        /// The key that the store was sealed with.
        needs: String,
        /// The keys there are.
        holds: String,
    },
    /// The key ring opens this store no longer, though it is the store's.
    #[error(
        "the store's own secrets do not open with key {id}, which should: they, or that key's line \
         in the key file, were changed. Restore the key file, else the store, from a copy"
    )]
    Unfounded {
        /// The key that should open them.
        id: KeyName,
    },
    /// The key file cannot be replaced.
    #[error(
        "key file {} cannot be replaced where it lies ({source}); nothing was changed. If systemd or \
         another keeper of secrets hands it in, run `calbridge vault rotate --output NEW`, put NEW in \
         the old file's place there, and have it read: `systemctl restart calbridge`, or SIGHUP if the \
         file itself was replaced", path.display()
    )]
    Fixed {
        /// The key file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Somebody else is replacing the key file.
    #[error("another process is changing key file {} at this moment; try again", path.display())]
    Busy {
        /// The key file.
        path: PathBuf,
    },
    /// The key file is gone.
    #[error(
        "there is no key file at {}; put it back (calbridge goes on with the keys it has, but will \
         not start again without it)", path.display()
    )]
    Missing {
        /// Where it was.
        path: PathBuf,
    },
    /// A vault that was never given a file has nowhere to keep another ring.
    #[error("this vault's keys lie in no file, so they cannot be exchanged")]
    NoFile,
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
