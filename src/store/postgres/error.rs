//! What a failure of the database means for the store.

use sqlx::error::DatabaseError;

use crate::store::StoreError;

/// Why a step did not come about.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Another transaction came between: the step, begun anew, sees what that one did.
    Clash,
    /// It will not go better at once.
    Store(StoreError),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error::{
            ColumnDecode, ColumnNotFound, Database, Decode, Io, PoolClosed, PoolTimedOut, Protocol,
            Tls, WorkerCrashed,
        };
        let text = error.to_string();
        match error {
            Database(error) => Self::told(&*error),
            PoolTimedOut => {
                Self::Store(StoreError::Unavailable("no connection to it is free".to_owned()))
            }
            // A connection that breaks in the middle shows as any of these.
            Io(_) | Tls(_) | Protocol(_) | PoolClosed | WorkerCrashed => {
                Self::Store(StoreError::Unavailable(text))
            }
            ColumnDecode { .. } | ColumnNotFound(_) | Decode(_) => {
                Self::Store(StoreError::Damaged(text))
            }
            _ => Self::Store(StoreError::Failed(text)),
        }
    }
}

impl Trouble {
    /// What the database itself says (its manual, appendix A).
    fn told(error: &dyn DatabaseError) -> Self {
        let code = error.code().unwrap_or_default();
        let text = error.message().to_owned();
        match &*code {
            // Serialisation, deadlock, and a key that another transaction was faster to take.
            "40001" | "40P01" | "23505" => Self::Clash,
            "XX001" | "XX002" => Self::Store(StoreError::Damaged(text)),
            // Waited too long for a lock or in idleness; a standby that takes no writes.
            "55P03" | "25P03" | "25006" => Self::Store(StoreError::Unavailable(text)),
            // No connection, nothing left of something, an operator at work.
            code if ["08", "53", "57"].iter().any(|class| code.starts_with(class)) => {
                Self::Store(StoreError::Unavailable(text))
            }
            _ => Self::Store(StoreError::Failed(text)),
        }
    }
}

/// The failure of a statement that stands alone.
pub(super) fn failure(error: sqlx::Error) -> StoreError {
    match Trouble::from(error) {
        Trouble::Store(error) => error,
        Trouble::Clash => too_many_clashes(),
    }
}

/// Others were faster every time.
pub(super) fn too_many_clashes() -> StoreError {
    StoreError::Unavailable("other processes kept changing the same records".to_owned())
}
