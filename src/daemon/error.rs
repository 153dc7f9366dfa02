//! Why the bridge did not start, or had to stop, and what the process ends with then.

use std::io;
use std::path::PathBuf;

use super::keys::KeyMissing;
use crate::app::Error;
use crate::app::backup::BackupError;
use crate::mail::MailError;
use crate::store::StoreError;
use crate::store::postgres;
use crate::store::sled::OpenError;
use crate::vault::VaultError;

/// Why the bridge did not start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The data directory cannot be used.
    #[error("the data directory {path} cannot be used: {error}")]
    DataDir {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database cannot be used.
    #[error(transparent)]
    Postgres(#[from] postgres::OpenError),
    /// The store failed while running.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The master key is not the store's, or cannot be read.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The master key is missing.
    #[error(transparent)]
    Key(#[from] KeyMissing),
    /// A use case that the start needs failed.
    #[error(transparent)]
    App(#[from] Error),
    /// An import was broken off, and not done again yet.
    #[error(
        "the store holds an import that was broken off; run `calbridge import` again, and nothing is lost"
    )]
    HalfImported,
    /// An import needs a store that was never used.
    #[error(
        "the store was used before, and an import needs one that never was; name another data_dir or database"
    )]
    InUse,
    /// An import into a store that forgets it at once.
    #[error("store.kind = \"memory\" would forget the import at once; name another kind of store")]
    Forgetful,
    /// Mail cannot be sent as the settings have it.
    #[error("mail cannot be sent: {0}")]
    Mail(#[from] MailError),
    /// The export cannot be used.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// Signals cannot be heard.
    #[error("cannot listen for signals: {0}")]
    Signals(io::Error),
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address}: {error}; is another calbridge running? Set `listen` to a free address"
    )]
    Listen {
        /// Which.
        address: String,
        /// Why.
        error: io::Error,
    },
}

impl DaemonError {
    /// What the process ends with (after sysexits.h).
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Open(OpenError::Held { .. }) => 75,
            Self::Listen { .. }
            | Self::Store(StoreError::Unavailable(_))
            | Self::Postgres(postgres::OpenError::Store(StoreError::Unavailable(_))) => 69,
            Self::Forgetful | Self::Mail(_) | Self::Postgres(postgres::OpenError::Address) => 78,
            Self::Store(_) => 74,
            Self::Postgres(_)
            | Self::Open(_)
            | Self::DataDir { .. }
            | Self::Vault(_)
            | Self::Key(_)
            | Self::HalfImported
            | Self::InUse
            | Self::Backup(_) => 73,
            Self::App(_) | Self::Signals(_) => 1,
        }
    }
}
