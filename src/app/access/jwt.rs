//! Tokens of the calling application's users (JWT, RFC 7519, with the advice of RFC 8725): one issuer,
//! one audience, one algorithm, times by our own clock.
//!
//! Whatever is wrong with a token, its bearer hears one and the same answer; the log has the reason.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::super::{App, Error};
use super::Caller;
use super::issuer::{Issuer, Terms};
use super::members::Members;
use crate::model::owner::UserId;

/// A longer token carries what no token should.
const MOST_BYTES: usize = 8 * 1024;
/// A longer name of a key is none.
const LONGEST_KID: usize = 128;
/// The end of the year 9999: a later moment is none.
const LAST_MOMENT: i64 = 253_402_300_799;
/// What would bring its own key, another meaning of the signature, or another token inside.
const REFUSED_HEADERS: [&str; 9] = ["jwk", "jku", "x5u", "x5c", "crit", "b64", "enc", "zip", "cty"];

/// Why a token is not taken, for the log.
struct Refused(&'static str);

/// The user whose token this is, as a caller.
pub(super) async fn by_token(app: &App, issuer: &Issuer, shown: &str) -> Result<Caller, Error> {
    match read(app, issuer, shown).await? {
        Ok(user) => Ok(Caller::user(user)),
        Err(Refused(reason)) => {
            tracing::info!(reason, "a user's token was refused");
            Err(Error::TokenRefused)
        }
    }
}

async fn read(app: &App, issuer: &Issuer, shown: &str) -> Result<Result<UserId, Refused>, Error> {
    let parts = match Parts::read(shown, &issuer.terms) {
        Ok(parts) => parts,
        Err(refused) => return Ok(Err(refused)),
    };
    let Some(key) = issuer.key(app, parts.kid.as_deref()).await? else {
        return Ok(Err(Refused("its kid does not name one key")));
    };
    let algorithm = issuer.terms.algorithm.into();
    let signed =
        jsonwebtoken::crypto::verify(parts.signature, parts.signed.as_bytes(), &key, algorithm);
    if !signed.unwrap_or(false) {
        return Ok(Err(Refused("its signature is not the application's")));
    }
    Ok(user_of(parts.claims, &issuer.terms, app.clock.now()))
}

/// A token taken apart, its header checked and nothing of its claims believed yet.
struct Parts<'a> {
    /// What the signature is over.
    signed: &'a str,
    claims: &'a str,
    signature: &'a str,
    /// The key it names.
    kid: Option<String>,
}

impl<'a> Parts<'a> {
    fn read(shown: &'a str, terms: &Terms) -> Result<Self, Refused> {
        if shown.len() > MOST_BYTES {
            return Err(Refused("it is longer than any token should be"));
        }
        let mut parts = shown.split('.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Refused("it has not three parts"));
        };
        let signed = &shown[..header.len() + 1 + claims.len()];
        let header = object(header)?;
        if header.get("alg").and_then(Value::as_str) != Some(terms.algorithm.name()) {
            return Err(Refused("its alg is not auth.jwt.algorithm"));
        }
        if REFUSED_HEADERS.iter().any(|name| header.has(name)) {
            return Err(Refused("its header has a member that is not taken"));
        }
        let known =
            |typ: &str| ["jwt", "at+jwt"].iter().any(|known| typ.eq_ignore_ascii_case(known));
        if header.get("typ").is_some_and(|typ| !typ.as_str().is_some_and(known)) {
            return Err(Refused("its typ is not JWT"));
        }
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) if (1..=LONGEST_KID).contains(&kid.len()) => Some(kid.clone()),
            Some(_) => return Err(Refused("its kid is not a name")),
        };
        Ok(Self { signed, claims, signature, kid })
    }
}

fn object(part: &str) -> Result<Members, Refused> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| Refused("a part is not base64url"))?;
    Members::read(&bytes).ok_or(Refused("a part is not an object whose names come once each"))
}

/// The user that signed claims speak of, if they are for us and of now.
fn user_of(claims: &str, terms: &Terms, now: DateTime<Utc>) -> Result<UserId, Refused> {
    let claims = object(claims)?;
    if claims.get("iss").and_then(Value::as_str) != Some(&terms.issuer) {
        return Err(Refused("its iss is not auth.jwt.issuer"));
    }
    if !is_for(claims.get("aud"), &terms.audience) {
        return Err(Refused("its aud is not auth.jwt.audience"));
    }
    check_times(&claims, terms, now)?;
    let sub = claims.get("sub").and_then(Value::as_str).ok_or(Refused("it has no sub"))?;
    UserId::try_from(sub.to_owned())
        .map_err(|_| Refused("its sub is not 1 to 128 graphic characters"))
}

fn is_for(aud: Option<&Value>, audience: &str) -> bool {
    match aud {
        Some(Value::String(aud)) => aud == audience,
        Some(Value::Array(several)) => {
            several.iter().all(Value::is_string) && several.iter().any(|aud| aud == audience)
        }
        _ => false,
    }
}

fn check_times(claims: &Members, terms: &Terms, now: DateTime<Utc>) -> Result<(), Refused> {
    let expires = moment(claims, "exp")?.ok_or(Refused("it has no exp"))?;
    if expires + terms.leeway <= now {
        return Err(Refused("it is past its exp"));
    }
    if moment(claims, "nbf")?.is_some_and(|begins| begins - terms.leeway > now) {
        return Err(Refused("its nbf is still to come"));
    }
    let issued = moment(claims, "iat")?;
    if issued.is_some_and(|issued| issued - terms.leeway > now) {
        return Err(Refused("its iat is still to come"));
    }
    let begins = issued.unwrap_or(now);
    if expires - begins > terms.longest_life || expires - now > terms.longest_life + terms.leeway {
        return Err(Refused("it is good for longer than auth.jwt.longest_life_secs"));
    }
    Ok(())
}

/// A moment in whole seconds since 1970.
fn moment(claims: &Members, name: &str) -> Result<Option<DateTime<Utc>>, Refused> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    value
        .as_i64()
        .filter(|secs| (0..=LAST_MOMENT).contains(secs))
        .and_then(|secs| DateTime::from_timestamp(secs, 0))
        .map(Some)
        .ok_or(Refused("a time is not a whole number of seconds"))
}
