//! The calling application as it issues tokens to its users, well or badly.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use calbridge::clock::Clock;
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::bridge::{Answer, Bridge, Choices};

pub const ISSUER: &str = "https://shop.example.com";
pub const AUDIENCE: &str = "calbridge";
pub const SECRET: &str = "a secret that both sides know, long enough";
/// What a token asks for: an event that nobody has, so a 404 says that its bearer was let in.
pub const NOTHING: &str = "/api/v1/events/00000000000000000000000000";

/// Every way of signing.
pub const WAYS: [Way; 4] = [Way::Hs256, Way::Rs256, Way::Es256, Way::EdDsa];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Hs256,
    Rs256,
    Es256,
    EdDsa,
}

impl Way {
    pub fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    fn algorithm(self) -> Algorithm {
        self.name().parse().expect("a known name")
    }

    /// The application's own key, or one that is not.
    pub fn key(self, ours: bool) -> EncodingKey {
        let pem = |first: &'static [u8], second: &'static [u8]| if ours { first } else { second };
        match self {
            Self::Hs256 if ours => EncodingKey::from_secret(SECRET.as_bytes()),
            Self::Hs256 => EncodingKey::from_secret(b"another secret that is long enough too"),
            Self::Rs256 => EncodingKey::from_rsa_pem(pem(
                include_bytes!("../../../src/simulator/keys/first.pem"),
                include_bytes!("../../../src/simulator/keys/second.pem"),
            ))
            .expect("a key"),
            Self::Es256 => EncodingKey::from_ec_pem(pem(
                include_bytes!("p256_first.pem"),
                include_bytes!("p256_second.pem"),
            ))
            .expect("a key"),
            Self::EdDsa => EncodingKey::from_ed_pem(pem(
                include_bytes!("ed25519_first.pem"),
                include_bytes!("ed25519_second.pem"),
            ))
            .expect("a key"),
        }
    }

    /// The public half as a JWK of this name.
    pub fn public(self, ours: bool, kid: &str) -> Value {
        let mut jwk = if matches!(self, Self::EdDsa) {
            let x = if ours {
                "bkjkkHd2SZtBNfrJk5MkVuh_HKelXlQgnOzBFnDqPGc"
            } else {
                "pT-oXncjpkFAoyA6OxAUSodtxT7DJj7mnQoo-vQUY0k"
            };
            json!({"kty": "OKP", "crv": "Ed25519", "x": x, "alg": "EdDSA"})
        } else {
            let jwk = Jwk::from_encoding_key(&self.key(ours), self.algorithm());
            serde_json::to_value(jwk.expect("a public half")).expect("a JWK is JSON")
        };
        jwk["kid"] = json!(kid);
        jwk["use"] = json!("sig");
        jwk
    }
}

/// `part` as a part of a token.
pub fn part(part: impl AsRef<[u8]>) -> String {
    BASE64URL_NOPAD.encode(part.as_ref())
}

/// A token of these very bytes, signed.
pub fn signed(header: &str, claims: &str, algorithm: Algorithm, key: &EncodingKey) -> String {
    let message = format!("{}.{}", part(header), part(claims));
    let signature = crypto::sign(message.as_bytes(), key, algorithm).expect("a signature");
    format!("{message}.{signature}")
}

/// A bridge that takes tokens of one application.
pub struct Shop {
    pub bridge: Bridge,
    pub way: Way,
}

impl Shop {
    /// Takes tokens signed this way; the key set, if there is one, lies in a file and has one key.
    pub async fn signing(way: Way) -> Self {
        let keys = json!({"keys": [way.public(true, "main")]});
        Self::with_keys(way, &keys, "").await
    }

    /// Takes tokens that are signed with these keys.
    pub async fn with_keys(way: Way, keys: &Value, more: &str) -> Self {
        let place = Arc::new(tempfile::tempdir().expect("a directory"));
        std::fs::write(place.path().join("keys.json"), keys.to_string()).expect("a file");
        let source = match way {
            Way::Hs256 => format!("secret_file = \"{}\"", secret_file(place.path(), SECRET)),
            _ => format!("jwks_file = \"{}/keys.json\"", place.path().display()),
        };
        Self::with_source(way, place, &format!("{source}\n{more}")).await
    }

    /// Takes tokens whose keys lie where `source` says.
    pub async fn with_source(way: Way, place: Arc<TempDir>, source: &str) -> Self {
        let settings = format!(
            "[limits]\nrefusals = 1000000\n[auth.jwt]\nissuer = \"{ISSUER}\"\naudience = \"{AUDIENCE}\"\nalgorithm = \"{}\"\n{source}",
            way.name()
        );
        let choices = Choices { place: Some(place), settings, ..Choices::default() };
        Self { bridge: Bridge::with(choices).await, way }
    }

    /// The key set lies in its file from now on.
    pub fn write_keys(&self, keys: &Value) {
        std::fs::write(self.bridge.place.path().join("keys.json"), keys.to_string())
            .expect("a file");
    }

    /// The time in seconds, so much from now.
    pub fn in_secs(&self, secs: i64) -> i64 {
        self.bridge.clock.now().timestamp() + secs
    }

    /// What a good token says.
    pub fn claims(&self, sub: &str) -> Value {
        json!({"iss": ISSUER, "aud": AUDIENCE, "sub": sub, "iat": self.in_secs(0),
            "nbf": self.in_secs(0), "exp": self.in_secs(600)})
    }

    pub fn header(&self) -> Value {
        json!({"alg": self.way.name(), "typ": "JWT", "kid": "main"})
    }

    /// A token of this user's that is all right.
    pub fn token(&self, sub: &str) -> String {
        self.sign(&self.header(), &self.claims(sub))
    }

    /// A token with these parts, signed by the application's key.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    /// A token of these very bytes, signed by the application's key.
    pub fn sign_text(&self, header: &str, claims: &str) -> String {
        signed(header, claims, self.way.algorithm(), &self.way.key(true))
    }

    /// Asks for nothing with this token; the work and the clock are left alone.
    pub async fn show(&self, token: &str) -> Answer {
        show(&self.bridge, token).await
    }

    /// Whether this token lets its bearer in.
    pub async fn lets_in(&self, token: &str) -> bool {
        let answer = self.show(token).await;
        match answer.status {
            404 => true,
            401 => false,
            _ => panic!("neither in nor out: {}", answer.text),
        }
    }
}

/// Asks for nothing with this token.
pub async fn show(bridge: &Bridge, token: &str) -> Answer {
    let request = axum::http::Request::get(NOTHING)
        .header("host", "localhost:3001")
        .header("authorization", format!("Bearer {token}"))
        .body(axum::body::Body::empty());
    bridge.router_ask(request.expect("a token that a header holds")).await
}

/// A secret in a file that its owner alone can read.
pub fn secret_file(place: &Path, secret: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let file = place.join("secret");
    std::fs::write(&file, format!("{secret}\n")).expect("a file");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("our file");
    file.display().to_string()
}

/// Where the application publishes its keys.
pub struct KeyServer {
    pub url: String,
    asked: Arc<AtomicUsize>,
    /// What it answers; nothing but an error without.
    keys: watch::Sender<Option<String>>,
    /// While this is so, it keeps whoever asks waiting.
    holds: watch::Sender<bool>,
    knocked: Arc<Notify>,
    _serving: JoinSet<()>,
}

impl KeyServer {
    pub async fn with(keys: &Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/keys", listener.local_addr().expect("an address"));
        let asked = Arc::new(AtomicUsize::new(0));
        let (keys, shown) = watch::channel(Some(keys.to_string()));
        let (holds, held) = watch::channel(false);
        let knocked = Arc::new(Notify::new());
        let answer = {
            let (asked, knocked) = (Arc::clone(&asked), Arc::clone(&knocked));
            move || {
                asked.fetch_add(1, Ordering::SeqCst);
                knocked.notify_one();
                let (shown, mut held) = (shown.clone(), held.clone());
                async move {
                    held.wait_for(|held| !held).await.expect("the test holds the other end");
                    let keys = shown.borrow().clone();
                    keys.ok_or(StatusCode::INTERNAL_SERVER_ERROR)
                }
            }
        };
        let routes = Router::new().route("/keys", get(answer));
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, routes).await.expect("it serves") });
        Self { url, asked, keys, holds, knocked, _serving: serving }
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// It publishes these from now on; none for a server that fails.
    pub fn publish(&self, keys: Option<&Value>) {
        self.keys.send_replace(keys.map(Value::to_string));
    }

    /// It keeps whoever asks waiting, or no longer.
    pub fn hold(&self, hold: bool) {
        self.holds.send_replace(hold);
    }

    /// Waits until somebody asks.
    pub async fn knocked(&self) {
        self.knocked.notified().await;
    }
}
