//! ID tokens: Google's word on who a user is, and the keys it is signed with.
//!
//! The keys are compiled in, and public on purpose: a real one cannot be drawn from a seed, and nobody
//! but clients of the simulator trusts them. Two are enough, since every rotation gives the key a new id.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::answer::Answer;
use super::state::State;
use super::{generator, scopes};

/// Who Google says it is.
pub(super) const ISSUER: &str = "https://accounts.google.com";
const ID_TOKEN_SECS: i64 = 3600;

/// A private key and its certificate, both PEM.
const KEYS: [(&str, &str); 2] = [
    (include_str!("keys/first.pem"), include_str!("keys/first.crt")),
    (include_str!("keys/second.pem"), include_str!("keys/second.crt")),
];

/// Which key signs, and which are published.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Signer {
    rotations: u64,
}

/// A key that is published.
struct Published {
    id: String,
    private: EncodingKey,
    certificate: &'static str,
}

impl Signer {
    /// From now on another key signs, under an id nobody has seen. The one before stays published.
    pub(super) fn rotate(&mut self) {
        self.rotations += 1;
    }

    /// The keys a verifier may know: the one that signs, and the one before it.
    fn published(&self, seed: u64) -> [Published; 2] {
        // Before the first rotation the other key is one that never signed.
        [self.rotations, self.rotations.wrapping_sub(1)].map(|rotation| {
            let (private, certificate) = KEYS[usize::from(rotation % 2 == 1)];
            Published {
                id: generator::key_id(seed, rotation),
                private: EncodingKey::from_rsa_pem(private.as_bytes())
                    .expect("the compiled-in keys are RSA keys"),
                certificate,
            }
        })
    }

    /// The published keys as a JWK set.
    pub(super) fn jwks(&self, seed: u64) -> Value {
        let keys = self.published(seed).map(|key| {
            let (modulus, exponent) = key.components();
            json!({"kty": "RSA", "alg": "RS256", "use": "sig", "kid": key.id,
                "n": modulus, "e": exponent})
        });
        json!({"keys": keys})
    }

    /// The published certificates, by key id.
    pub(super) fn certificates(&self, seed: u64) -> Value {
        let keys = self.published(seed).map(|key| (key.id, Value::from(key.certificate)));
        Value::Object(keys.into_iter().collect())
    }

    fn sign(&self, seed: u64, claims: &Value) -> String {
        let [key, _] = self.published(seed);
        let header = Header { kid: Some(key.id), ..Header::new(Algorithm::RS256) };
        jsonwebtoken::encode(&header, claims, &key.private)
            .expect("an object can be signed with an RSA key")
    }

    /// The header and claims of an ID token that a published key signed, whatever its time.
    fn verify(&self, seed: u64, token: &str) -> Option<(Header, Map<String, Value>)> {
        let named = jsonwebtoken::decode_header(token).ok()?.kid?;
        let key = self.published(seed).into_iter().find(|key| key.id == named)?;
        let (modulus, exponent) = key.components();
        let key = DecodingKey::from_rsa_components(&modulus, &exponent).ok()?;
        read_signed(token, &key)
    }
}

impl Published {
    /// The public half: modulus and exponent, in base64url.
    fn components(&self) -> (String, String) {
        let public = Jwk::from_encoding_key(&self.private, Algorithm::RS256);
        match public.map(|key| key.algorithm) {
            Ok(AlgorithmParameters::RSA(key)) => (key.n, key.e),
            _ => unreachable!("the compiled-in keys are RSA keys"),
        }
    }
}

/// The header and claims of a JWT whose RS256 signature is good. Its times are for the caller to
/// judge: the crate would ask the machine's clock.
pub(super) fn read_signed(token: &str, key: &DecodingKey) -> Option<(Header, Map<String, Value>)> {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let read = jsonwebtoken::decode::<Map<String, Value>>(token, key, &validation).ok()?;
    Some((read.header, read.claims))
}

/// What an ID token is about.
pub(super) struct Subject<'a> {
    pub(super) client: &'a str,
    pub(super) user: &'a str,
    pub(super) scopes: &'a BTreeSet<String>,
    pub(super) nonce: Option<&'a str>,
    pub(super) access_token: &'a str,
}

impl State {
    /// An ID token for the client, if a scope was granted that tells who the user is.
    pub(super) fn id_token(&mut self, about: &Subject<'_>, now: DateTime<Utc>) -> Option<String> {
        if !about.scopes.iter().any(|scope| scopes::is_identity(scope)) {
            return None;
        }
        let mut claims = self.profile(about.user, about.scopes);
        claims.insert("azp".to_owned(), about.client.into());
        claims.insert("aud".to_owned(), about.client.into());
        // OpenID Connect Core §3.1.3.6: the left half of the access token's hash.
        let hash = Sha256::digest(about.access_token);
        claims.insert("at_hash".to_owned(), URL_SAFE_NO_PAD.encode(&hash[..16]).into());
        if let Some(nonce) = about.nonce {
            claims.insert("nonce".to_owned(), nonce.into());
        }
        Some(self.sign_id_token(claims, now))
    }

    /// Signs `claims` as Google's, for an hour from `now` on.
    pub(super) fn sign_id_token(
        &mut self,
        mut claims: Map<String, Value>,
        now: DateTime<Utc>,
    ) -> String {
        claims.insert("iss".to_owned(), ISSUER.into());
        claims.insert("iat".to_owned(), now.timestamp().into());
        claims.insert("exp".to_owned(), (now.timestamp() + ID_TOKEN_SECS).into());
        let token = self.signer.sign(self.settings.seed, &Value::Object(claims));
        self.remember_secret(&token);
        token
    }

    /// What `granted` lets a client know of an account, in the names of OpenID.
    pub(super) fn profile(&self, email: &str, granted: &BTreeSet<String>) -> Map<String, Value> {
        let mut told = Map::new();
        told.insert("sub".to_owned(), generator::subject(self.settings.seed, email).into());
        if granted.contains(&scopes::full("userinfo.email")) {
            told.insert("email".to_owned(), email.into());
            told.insert("email_verified".to_owned(), true.into());
        }
        let Some(user) = self.user(email) else { return told };
        if let Some(workspace) = &user.workspace {
            told.insert("hd".to_owned(), workspace.as_str().into());
        }
        if granted.contains(&scopes::full("userinfo.profile")) {
            let (first, rest) = user.name.split_once(' ').unwrap_or((&user.name, ""));
            for (name, value) in
                [("name", user.name.as_str()), ("given_name", first), ("family_name", rest)]
            {
                if !value.is_empty() {
                    told.insert(name.to_owned(), value.into());
                }
            }
        }
        told
    }

    /// `tokeninfo?id_token=`: the claims as texts, with the header's, if the token is good now.
    pub(super) fn id_token_info(&self, token: &str, now: DateTime<Utc>) -> Option<Answer> {
        let (header, claims) = self.signer.verify(self.settings.seed, token)?;
        if claims.get("exp").and_then(Value::as_i64).is_none_or(|exp| exp <= now.timestamp()) {
            return None;
        }
        let mut told: Map<String, Value> = claims
            .into_iter()
            .map(|(name, value)| match value {
                Value::String(_) => (name, value),
                other => (name, other.to_string().into()),
            })
            .collect();
        told.insert("alg".to_owned(), "RS256".into());
        told.insert("typ".to_owned(), "JWT".into());
        told.insert("kid".to_owned(), header.kid.unwrap_or_default().into());
        Some(Answer::json(StatusCode::OK, &Value::Object(told)))
    }
}
