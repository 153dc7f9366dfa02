//! Who may come in: the first administrator by a setup code, people by a session, programs by an API
//! key. Only keyed hashes of what they show are kept.

mod caller;
mod keys;
mod sessions;

pub use caller::{Caller, Who};
pub use keys::{KeyWish, NewKey, create_key, revoke_key};
pub use sessions::{
    Session, close_session, first_setup_code, new_setup_code, open_session, session,
};

use super::{App, Error};

/// Whoever shows this in a request: an API key.
pub async fn caller(app: &App, shown: &str) -> Result<Caller, Error> {
    keys::by_key(app, shown).await
}
