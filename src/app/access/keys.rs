//! API keys of backends: made, shown once, known again by a keyed hash, taken back.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use subtle::ConstantTimeEq;

use super::super::{App, Error};
use super::caller::{Caller, Who};
use crate::model::audit::Action;
use crate::model::id::{KeyId, base32hex};
use crate::model::invalid::Invalid;
use crate::model::key::{ApiKey, Digest, Scope};
use crate::model::owner::Owner;

/// API keys begin with this, so that secret scanners know them.
const PREFIX: &str = "cb_";

/// A key that somebody wants.
#[derive(Clone, Debug, Default)]
pub struct KeyWish {
    /// What its maker calls it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Keeps the events of several backends apart; empty for most.
    pub source: String,
    /// From when on it opens nothing; never, if none is said.
    pub expires: Option<DateTime<Utc>>,
}

impl KeyWish {
    /// A key without a source or an end.
    pub fn new(name: &str, scopes: Vec<Scope>) -> Self {
        Self { name: name.to_owned(), scopes, ..Self::default() }
    }
}

/// A key just made. Its secret half is shown this once.
#[derive(Debug)]
pub struct NewKey {
    /// What is stored of it.
    pub key: ApiKey,
    /// What its holder shows.
    pub secret: SecretString,
}

/// Makes an API key for `by`, who can give away only what they have themselves.
pub async fn create_key(app: &App, by: &Caller, wish: KeyWish) -> Result<NewKey, Error> {
    let now = app.clock.now();
    check(&wish, now)?;
    for scope in &wish.scopes {
        by.must(*scope)?;
    }
    let KeyWish { name, mut scopes, source, expires } = wish;
    scopes.sort_unstable();
    scopes.dedup();
    let id = KeyId::random(&*app.random);
    let half = base32hex(&app.random.bytes::<32>());
    let secret = digest(app, id, &half);
    let key = ApiKey { id, name, scopes, source, secret, created: now, expires, revoked: None };
    let act = app.act(by, Action::ApiKeyCreated).key(&key).with("name", &key.name).seal()?;
    app.store.put_key(key.clone(), act).await?;
    tracing::info!(key.id = %id, "an API key was made");
    Ok(NewKey { key, secret: SecretString::from(format!("{PREFIX}{id}_{half}")) })
}

fn check(wish: &KeyWish, now: DateTime<Utc>) -> Result<(), Invalid> {
    let plain = |text: &str, least: usize| {
        (least..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
    };
    if !plain(&wish.name, 1) {
        return Err(Invalid::new("name", "1 to 64 printable ASCII characters"));
    }
    if !plain(&wish.source, 0) {
        return Err(Invalid::new("source", "at most 64 printable ASCII characters"));
    }
    if wish.scopes.is_empty() {
        return Err(Invalid::new("scopes", "at least one"));
    }
    if wish.expires.is_some_and(|expires| expires <= now) {
        return Err(Invalid::new("expires", "a moment to come"));
    }
    Ok(())
}

/// Takes an API key back: from now on it opens nothing.
pub async fn revoke_key(app: &App, by: &Caller, id: KeyId) -> Result<ApiKey, Error> {
    by.must(Scope::Admin)?;
    let mut key = app.store.key(id).await?.ok_or(Error::NotFound("API key"))?;
    if key.revoked.is_none() {
        key.revoked = Some(app.clock.now());
        let act = app.act(by, Action::ApiKeyRevoked).key(&key).with("name", &key.name).seal()?;
        app.store.put_key(key.clone(), act).await?;
        tracing::info!(key.id = %id, "an API key was revoked");
    }
    Ok(key)
}

/// Whether this is meant as an API key.
pub(super) fn looks_like_one(shown: &str) -> bool {
    shown.starts_with(PREFIX)
}

/// Whoever shows this API key.
pub(super) async fn by_key(app: &App, shown: &str) -> Result<Caller, Error> {
    let halves = shown.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_'));
    let (id, half) = halves.ok_or(Error::KeyRefused)?;
    let id: KeyId = id.parse().map_err(|_| Error::KeyRefused)?;
    let found = app.store.key(id).await?;
    // Of a key that is not there, as much is worked out as of one that is.
    let stored = found.as_ref().map_or([0; 32], |key| key.secret);
    let right: bool = digest(app, id, half).ct_eq(&stored).into();
    match found {
        Some(key) if right && works(&key, app.clock.now()) => {
            app.gate.uses.note(id, app.clock.now());
            Ok(Caller {
                who: Who::Key(id),
                owner: Owner::Application,
                source: key.source,
                scopes: key.scopes,
            })
        }
        _ => Err(Error::KeyRefused),
    }
}

fn works(key: &ApiKey, now: DateTime<Utc>) -> bool {
    key.revoked.is_none() && key.expires.is_none_or(|expires| expires > now)
}

fn digest(app: &App, id: KeyId, half: &str) -> Digest {
    app.vault.tag("api-key", &[&id.as_u128().to_be_bytes(), half.as_bytes()])
}
