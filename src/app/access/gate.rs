//! What the door keeps in memory beside the store.

use super::backoff::Backoff;
use super::issuer::{Issuer, Terms};
use super::password::Mill;
use super::uses::Uses;

/// What the door keeps in memory.
#[derive(Default)]
pub struct Gate {
    /// Whose users come in with tokens; nobody's, if none.
    pub(super) issuer: Option<Issuer>,
    /// Who guessed wrong.
    pub(super) backoff: Backoff,
    /// Where passwords are hashed.
    pub(super) mill: Mill,
    /// Which keys were used.
    pub(super) uses: Uses,
}

impl Gate {
    /// A gate at which the users of this issuer may come in.
    pub fn new(terms: Option<Terms>) -> Self {
        Self { issuer: terms.map(Issuer::new), ..Self::default() }
    }

    /// The calling application's keys may be others by now: they are read anew when they are needed.
    pub fn look_again(&self) {
        if let Some(issuer) = &self.issuer {
            issuer.look_again();
        }
    }
}
