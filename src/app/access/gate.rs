//! What the door keeps in memory beside the store.

use super::issuer::{Issuer, Terms};

/// What the door keeps in memory.
#[derive(Default)]
pub struct Gate {
    /// Whose users come in with tokens; nobody's, if none.
    pub(super) issuer: Option<Issuer>,
}

impl Gate {
    /// A gate at which the users of this issuer may come in.
    pub fn new(terms: Option<Terms>) -> Self {
        Self { issuer: terms.map(Issuer::new) }
    }

    /// The calling application's keys may be others by now: they are read anew when they are needed.
    pub fn look_again(&self) {
        if let Some(issuer) = &self.issuer {
            issuer.look_again();
        }
    }
}
