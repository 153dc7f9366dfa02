//! What proves that a token is the application's: a secret that both sides know, or public keys as a
//! JWK set (RFC 7517). Every key here is for one algorithm, and no token chooses another.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};

use super::issuer::Algorithm;

/// A set with more keys is none that people keep.
const MOST_KEYS: usize = 64;
/// RSA keys of 2048 to 8192 bits.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// Keys of one algorithm.
#[derive(Default)]
pub(super) struct KeySet {
    keys: Vec<Key>,
    /// Whether names count: a shared secret is known by none.
    named: bool,
}

struct Key {
    name: Option<String>,
    key: DecodingKey,
}

impl KeySet {
    /// The one secret that both sides know.
    pub(super) fn secret(secret: &[u8]) -> Self {
        let key = DecodingKey::from_secret(secret);
        Self { keys: vec![Key { name: None, key }], named: false }
    }

    /// The keys of a JWK set that are for `algorithm`; those that are not are passed over.
    pub(super) fn read(bytes: &[u8], algorithm: Algorithm) -> Result<Self, &'static str> {
        let set: Value = serde_json::from_slice(bytes).map_err(|_| "it is not JSON")?;
        let listed = set.get("keys").and_then(Value::as_array).ok_or("it has no list of `keys`")?;
        if listed.len() > MOST_KEYS {
            return Err("it has more keys than any set should");
        }
        let keys: Vec<Key> = listed
            .iter()
            .filter_map(Value::as_object)
            .filter(|jwk| is_for(jwk, algorithm))
            .filter_map(|jwk| Key::read(jwk, algorithm))
            .collect();
        if keys.is_empty() {
            return Err("it has no key for auth.jwt.algorithm");
        }
        Ok(Self { keys, named: true })
    }

    /// The key that a token means: the only one of that name, or the only one there is.
    pub(super) fn named(&self, name: Option<&str>) -> Option<&DecodingKey> {
        let mut fitting = self
            .keys
            .iter()
            .filter(|key| !self.named || name.is_none() || key.name.as_deref() == name);
        match (fitting.next(), fitting.next()) {
            (Some(only), None) => Some(&only.key),
            _ => None,
        }
    }

    /// Whether there is no key at all.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

/// Whether the key says that it is for signatures, and for these.
fn is_for(jwk: &Map<String, Value>, algorithm: Algorithm) -> bool {
    let says = |name: &str, wanted: &str| jwk.get(name).is_none_or(|said| said == wanted);
    let verifies = jwk
        .get("key_ops")
        .is_none_or(|ops| ops.as_array().is_some_and(|ops| ops.iter().any(|op| op == "verify")));
    says("alg", algorithm.name()) && says("use", "sig") && verifies
}

impl Key {
    /// The key, if it is of the kind that the algorithm needs, and only the public half of it.
    fn read(jwk: &Map<String, Value>, algorithm: Algorithm) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let bytes = |name: &str| text(name).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let whole = |name: &str| bytes(name).is_some_and(|bytes| bytes.len() == 32);
        if jwk.contains_key("d") {
            tracing::warn!(
                "the application's key set holds a private key, which is passed over; anybody who can \
                 read the set can sign with it: take it out and make another"
            );
            return None;
        }
        let key = match (algorithm, text("kty")?) {
            (Algorithm::Rs256, "RSA") => {
                let (n, e) = (bytes("n")?, bytes("e")?);
                let strong =
                    RSA_BYTES.contains(&n.len()) && n.first().is_some_and(|top| *top > 127);
                strong.then(|| DecodingKey::from_rsa_raw_components(&n, &e))?
            }
            (Algorithm::Es256, "EC") if text("crv") == Some("P-256") => {
                let whole = whole("x") && whole("y");
                whole.then(|| DecodingKey::from_ec_components(text("x")?, text("y")?).ok())??
            }
            (Algorithm::EdDsa, "OKP") if text("crv") == Some("Ed25519") => {
                whole("x").then(|| DecodingKey::from_ed_components(text("x")?).ok())??
            }
            _ => return None,
        };
        Some(Self { name: text("kid").map(str::to_owned), key })
    }
}
