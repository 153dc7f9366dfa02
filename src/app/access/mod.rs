//! Who may come in: the first administrator by a setup code, people by a session, programs by an API
//! key, users by a token of their application's. Only keyed hashes of what they show are kept.

mod backoff;
mod caller;
mod gate;
mod issuer;
mod jwt;
mod key_set;
mod keys;
mod members;
mod password;
mod sessions;
mod setup_code;
mod uses;

pub use caller::{Caller, Who};
pub use gate::Gate;
pub use issuer::{Algorithm, Issuer, Keys, Terms};
pub use keys::{KeyWish, NewKey, create_key, revoke_key};
pub use password::void_password;
pub use sessions::{Proof, Session, close_every_session, close_session, open_session, session};
pub use setup_code::{first_setup_code, new_setup_code};
pub use uses::{last_uses, write_uses};

use super::{App, Error};

/// Whoever shows this in a request: what begins as an API key does is one, all else is a token of one
/// of the application's users.
pub async fn caller(app: &App, shown: &str) -> Result<Caller, Error> {
    match &app.gate.issuer {
        Some(issuer) if !keys::looks_like_one(shown) => jwt::by_token(app, issuer, shown).await,
        _ => keys::by_key(app, shown).await,
    }
}
