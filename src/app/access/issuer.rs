//! The calling application as the issuer of its users' tokens: what is expected of them, and its keys,
//! which are read again when they are old or when a token names one that is not there.

use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::DecodingKey;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use url::Url;

use super::super::{App, Error};
use super::key_set::KeySet;

/// The keys are read at most this often: tokens of strangers shall not make us ask.
const PAUSE: TimeDelta = TimeDelta::minutes(1);
/// An answer that takes longer is not waited for.
const DEADLINE: TimeDelta = TimeDelta::seconds(10);
/// No key set is larger.
const MOST_BYTES: usize = 256 * 1024;

/// What is expected of the tokens of an application's users.
#[derive(Clone, Debug)]
pub struct Terms {
    /// What their `iss` must be.
    pub issuer: String,
    /// What their `aud` must hold.
    pub audience: String,
    /// How they are signed.
    pub algorithm: Algorithm,
    /// What proves it.
    pub keys: Keys,
    /// After so long the key set is read again.
    pub refresh: TimeDelta,
    /// By how much clocks may differ.
    pub leeway: TimeDelta,
    /// No token may be good for longer.
    pub longest_life: TimeDelta,
}

/// How tokens are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// RSA with PKCS #1 v1.5 padding and SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

/// Where what proves a token lies.
#[derive(Clone, Debug)]
pub enum Keys {
    /// A secret that both sides know.
    Secret(SecretString),
    /// A JWK set in a file.
    File(PathBuf),
    /// A JWK set at an address.
    Url(Url),
}

/// The application as an issuer, with its keys as they were read last.
pub struct Issuer {
    pub(super) terms: Terms,
    held: RwLock<Held>,
    /// Whoever reads the keys has this.
    turn: Mutex<()>,
}

#[derive(Clone, Default)]
struct Held {
    keys: Arc<KeySet>,
    /// When they were read.
    read: Option<DateTime<Utc>>,
    /// When that was tried last.
    tried: Option<DateTime<Utc>>,
}

impl Issuer {
    /// An issuer whose keys are read when the first token comes.
    pub fn new(terms: Terms) -> Self {
        let held = match &terms.keys {
            Keys::Secret(secret) => Held {
                keys: Arc::new(KeySet::secret(secret.expose_secret().as_bytes())),
                ..Held::default()
            },
            Keys::File(_) | Keys::Url(_) => Held::default(),
        };
        Self { terms, held: RwLock::new(held), turn: Mutex::default() }
    }

    /// The key that a token means which names `kid`.
    pub(super) async fn key(
        &self,
        app: &App,
        kid: Option<&str>,
    ) -> Result<Option<DecodingKey>, Error> {
        if matches!(self.terms.keys, Keys::Secret(_)) {
            return Ok(self.held().keys.named(kid).cloned());
        }
        let mut held = self.held();
        if held.keys.named(kid).is_none() {
            let _turn = self.turn.lock().await;
            // Whoever had the turn before may have read it.
            if self.held().keys.named(kid).is_none() {
                self.read_again(app).await;
            }
            held = self.held();
        } else if self.is_old(&held, app.clock.now())
            // Who finds another at it takes the keys there are.
            && let Ok(_turn) = self.turn.try_lock()
        {
            self.read_again(app).await;
            held = self.held();
        }
        if held.keys.is_empty() {
            return Err(Error::NoIssuerKeys);
        }
        Ok(held.keys.named(kid).cloned())
    }

    /// Reads the keys anew before the next token is judged. Those there are stay until then.
    pub(super) fn look_again(&self) {
        let mut held = self.held.write().expect("nobody panics while holding the keys");
        (held.read, held.tried) = (None, None);
    }

    fn is_old(&self, held: &Held, now: DateTime<Utc>) -> bool {
        held.read.is_none_or(|read| now - read >= self.terms.refresh)
    }

    /// Reads the keys, unless that was tried just now. What cannot be read changes nothing.
    async fn read_again(&self, app: &App) {
        let now = app.clock.now();
        // A clock that was set back must not keep the keys for ever.
        if self
            .held()
            .tried
            .is_some_and(|tried| (TimeDelta::zero()..PAUSE).contains(&(now - tried)))
        {
            return;
        }
        self.held.write().expect("nobody panics while holding the keys").tried = Some(now);
        let read = match &self.terms.keys {
            Keys::Secret(_) => return,
            Keys::File(file) => read_file(file),
            Keys::Url(address) => fetch(app, address).await,
        };
        let keys = read
            .and_then(|bytes| KeySet::read(&bytes, self.terms.algorithm).map_err(str::to_owned));
        match keys {
            Ok(keys) => {
                let held = Held { keys: Arc::new(keys), read: Some(now), tried: Some(now) };
                *self.held.write().expect("nobody panics while holding the keys") = held;
                tracing::info!("the application's keys were read");
            }
            Err(reason) => tracing::warn!(
                reason,
                "the application's keys cannot be read; those there were are kept"
            ),
        }
    }

    fn held(&self) -> Held {
        self.held.read().expect("nobody panics while holding the keys").clone()
    }
}

fn read_file(file: &PathBuf) -> Result<Vec<u8>, String> {
    let size = std::fs::metadata(file).map_err(|error| error.to_string())?.len();
    if size > MOST_BYTES as u64 {
        return Err("it is far too large for a key set".to_owned());
    }
    std::fs::read(file).map_err(|error| error.to_string())
}

async fn fetch(app: &App, address: &Url) -> Result<Vec<u8>, String> {
    let answer = tokio::select! {
        biased;
        answer = app.google.fetch(address) => answer.map_err(|failure| failure.to_string())?,
        () = app.clock.sleep(DEADLINE) => return Err("no answer came in time".to_owned()),
    };
    if answer.len() > MOST_BYTES {
        return Err("the answer is far too large for a key set".to_owned());
    }
    Ok(answer)
}

impl Algorithm {
    /// Its name in a token's header.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl From<Algorithm> for jsonwebtoken::Algorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Hs256 => Self::HS256,
            Algorithm::Rs256 => Self::RS256,
            Algorithm::Es256 => Self::ES256,
            Algorithm::EdDsa => Self::EdDSA,
        }
    }
}
