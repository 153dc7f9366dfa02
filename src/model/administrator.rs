//! The administrator's account.

use chrono::{DateTime, Utc};

/// The administrator's account: one for each store.
#[derive(Clone, PartialEq, Eq)]
pub struct Administrator {
    /// The password as a salted, slow and keyed hash, in PHC form. It says nothing without the key.
    pub password: String,
    /// When it was set.
    pub set: DateTime<Utc>,
}

impl std::fmt::Debug for Administrator {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Administrator(set {})", self.set)
    }
}
