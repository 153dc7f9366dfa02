//! ID tokens and the keys they are signed with; who a token belongs to.

use axum::http::Method;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use calbridge::simulator::Settings;
use chrono::TimeDelta;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{EVENTS_SCOPE, REDIRECT, VERIFIER, World, noon};

const IDENTITY: [(&str, &str); 4] = [
    ("scope", "openid email profile https://www.googleapis.com/auth/calendar.events"),
    ("nonce", "a nonce/with+signs"),
    ("access_type", "offline"),
    ("prompt", "consent"),
];

async fn workspace() -> World {
    let text = format!(
        "[[user]]\nemail = 'ana@example.com'\nname = 'Ana Maria Reis'\nworkspace = 'example.com'\n\
         [[client]]\nid = 'one'\nsecret = 'the-first-secret'\nredirect_uris = ['{REDIRECT}']"
    );
    World::with(Settings::from_toml(&text).unwrap()).await
}

/// The claims of an ID token whose signature the published keys confirm, and its key's id.
async fn verified(world: &World, token: &str) -> Option<(String, Map<String, Value>)> {
    let keys: JwkSet = serde_json::from_value(world.get("/oauth2/v3/certs").await.json()).unwrap();
    let id = jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
    let key = DecodingKey::from_jwk(keys.find(&id)?).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.set_audience(&[&world.client_id]);
    validation.set_issuer(&["https://accounts.google.com"]);
    let read = jsonwebtoken::decode::<Map<String, Value>>(token, &key, &validation).unwrap();
    Some((id, read.claims))
}

async fn tokens(world: &World, extra: &[(&str, &str)]) -> Value {
    world.exchange(&world.code(extra).await, VERIFIER).await.json()
}

fn text<'a>(body: &'a Value, name: &str) -> &'a str {
    body[name].as_str().unwrap_or_else(|| panic!("no {name} in {body}"))
}

#[tokio::test]
async fn discovery_leads_to_everything_under_the_simulators_own_address() {
    let world = World::new().await;
    let found = world.get("/.well-known/openid-configuration").await;
    assert_eq!(found.status, 200);
    assert!(found.header("cache-control").starts_with("public, max-age="));
    let found = found.json();
    assert_eq!(found["issuer"], "https://accounts.google.com");
    let endpoints = [
        ("authorization_endpoint", "/o/oauth2/v2/auth"),
        ("token_endpoint", "/token"),
        ("revocation_endpoint", "/revoke"),
        ("userinfo_endpoint", "/v1/userinfo"),
        ("jwks_uri", "/oauth2/v3/certs"),
    ];
    for (name, path) in endpoints {
        assert_eq!(found[name], format!("{}{path}", world.base));
    }
    assert_eq!(
        found["token_endpoint_auth_methods_supported"],
        json!(["client_secret_post", "client_secret_basic"])
    );
    assert_eq!(found["code_challenge_methods_supported"], json!(["plain", "S256"]));
    world.simulator.set_base_address("http://google.test/");
    let found = world.get("/.well-known/openid-configuration").await.json();
    assert_eq!(found["jwks_uri"], "http://google.test/oauth2/v3/certs");
    world.end().await;
}

#[tokio::test]
async fn an_id_token_tells_who_it_is_and_the_keys_confirm_it() {
    let world = workspace().await;
    let given = tokens(&world, &IDENTITY).await;
    let (_, claims) = verified(&world, text(&given, "id_token")).await.expect("a known key");
    let access = text(&given, "access_token");
    let who = world.api(access, Method::GET, "/v1/userinfo", Value::Null).await.json();
    let hash = URL_SAFE_NO_PAD.encode(&Sha256::digest(access)[..16]);
    let expected = json!({
        "iss": "https://accounts.google.com",
        "azp": "one",
        "aud": "one",
        "sub": who["sub"],
        "hd": "example.com",
        "email": "ana@example.com",
        "email_verified": true,
        "name": "Ana Maria Reis",
        "given_name": "Ana",
        "family_name": "Maria Reis",
        "at_hash": hash,
        "nonce": "a nonce/with+signs",
        "iat": noon().timestamp(),
        "exp": noon().timestamp() + 3600,
    });
    assert_eq!(Value::Object(claims), expected);

    world.clock.advance(TimeDelta::minutes(30));
    let fresh = world.refresh(text(&given, "refresh_token")).await.json();
    let (_, claims) = verified(&world, text(&fresh, "id_token")).await.expect("a known key");
    assert_eq!(claims.get("nonce"), None, "a refresh answers no request of a browser");
    assert_eq!(claims["iat"], noon().timestamp() + 1800);
    assert_eq!(claims["sub"], who["sub"]);
    world.end().await;
}

#[tokio::test]
async fn an_id_token_says_no_more_than_was_granted() {
    let world = workspace().await;
    let plain = tokens(&world, &[("scope", EVENTS_SCOPE)]).await;
    assert!(plain["id_token"].is_null(), "no identity, no ID token");
    let openid = tokens(&world, &[("scope", "openid")]).await;
    let (_, claims) = verified(&world, text(&openid, "id_token")).await.unwrap();
    for absent in ["email", "email_verified", "name", "nonce"] {
        assert_eq!(claims.get(absent), None);
    }
    let email = tokens(&world, &[("scope", "email")]).await;
    assert_eq!(email["scope"], "https://www.googleapis.com/auth/userinfo.email openid");
    let (_, claims) = verified(&world, text(&email, "id_token")).await.unwrap();
    assert_eq!(claims["email"], "ana@example.com");
    assert_eq!(claims.get("name"), None);
    world.end().await;
}

#[tokio::test]
async fn keys_rotate_and_the_one_before_is_still_published() {
    let world = workspace().await;
    let mut ids = Vec::new();
    let mut old: Option<String> = None;
    for _ in 0..4 {
        let given = tokens(&world, &IDENTITY).await;
        let token = text(&given, "id_token").to_owned();
        let (id, _) = verified(&world, &token).await.expect("the key that signs is published");
        assert!(!ids.contains(&id), "a rotated key has an id nobody has seen");
        ids.push(id);
        if let Some(old) = &old {
            assert!(verified(&world, old).await.is_some(), "the one before is still good");
        }
        let certificates = world.get("/oauth2/v1/certs").await.json();
        let shown = certificates[ids.last().unwrap()].as_str().unwrap();
        assert!(shown.starts_with("-----BEGIN CERTIFICATE-----"));
        old = Some(token);
        let done = world.api("", Method::POST, "/simulator/rotate-keys", Value::Null).await;
        assert_eq!(done.status, 204);
    }
    world.simulator.rotate_keys();
    assert!(verified(&world, &old.unwrap()).await.is_none(), "two rotations end a key");
    world.end().await;
}

#[tokio::test]
async fn userinfo_has_a_face_for_each_version() {
    let world = workspace().await;
    let given = tokens(&world, &IDENTITY).await;
    let access = text(&given, "access_token");
    let ask = async |path: &str| world.api(access, Method::GET, path, Value::Null).await.json();
    let who = ask("/v1/userinfo").await;
    assert_eq!(who["hd"], "example.com");
    assert_eq!(who["name"], "Ana Maria Reis");
    assert_eq!(ask("/oauth2/v3/userinfo").await, who);
    let old = ask("/oauth2/v2/userinfo").await;
    assert_eq!((&old["id"], &old["verified_email"]), (&who["sub"], &json!(true)));
    assert!(old["sub"].is_null() && old["email_verified"].is_null());
    let refused = world.api("ya29.unknown", Method::GET, "/v1/userinfo", Value::Null).await;
    assert_eq!(refused.status, 401);
    assert!(refused.header("www-authenticate").contains("error=\"invalid_token\""));
    world.end().await;
}

#[tokio::test]
async fn tokeninfo_reads_both_kinds_of_token_until_they_end() {
    let world = workspace().await;
    let given = tokens(&world, &IDENTITY).await;
    let (access, id) = (text(&given, "access_token"), text(&given, "id_token"));
    let told = world.get(&format!("/tokeninfo?access_token={access}")).await.json();
    let who = world.api(access, Method::GET, "/v1/userinfo", Value::Null).await.json();
    let expected = json!({
        "azp": "one",
        "aud": "one",
        "sub": who["sub"],
        "scope": given["scope"],
        "exp": (noon().timestamp() + 3599).to_string(),
        "expires_in": "3599",
        "email": "ana@example.com",
        "email_verified": "true",
        "access_type": "offline",
    });
    assert_eq!(told, expected);
    // Google's Node client posts the token as a bearer.
    let posted = world.api(access, Method::POST, "/tokeninfo", Value::Null).await.json();
    assert_eq!(posted, expected);
    let old = world.post_form("/oauth2/v1/tokeninfo", &[("access_token", access)]).await.json();
    assert_eq!((&old["audience"], &old["expires_in"]), (&json!("one"), &json!(3599)));

    let told = world.get(&format!("/tokeninfo?id_token={id}")).await;
    assert_eq!(told.status, 200);
    let told = told.json();
    assert_eq!((&told["aud"], &told["email_verified"]), (&json!("one"), &json!("true")));
    assert_eq!(told["exp"], (noon().timestamp() + 3600).to_string());
    assert_eq!(told["alg"], "RS256");

    let refused = async |path: &str| {
        let reply = world.get(path).await;
        (reply.status, text(&reply.json(), "error").to_owned())
    };
    let forged = format!("{}x", &id[..id.len() - 1]);
    let invalid = (400, "invalid_token".to_owned());
    assert_eq!(refused("/tokeninfo").await, (400, "invalid_request".to_owned()));
    assert_eq!(refused("/tokeninfo?access_token=ya29.none").await, invalid);
    assert_eq!(refused(&format!("/tokeninfo?id_token={forged}")).await, invalid);
    world.clock.advance(TimeDelta::hours(1));
    assert_eq!(refused(&format!("/tokeninfo?access_token={access}")).await, invalid);
    assert_eq!(refused(&format!("/tokeninfo?id_token={id}")).await, invalid);
    world.end().await;
}

#[tokio::test]
async fn the_same_seed_signs_the_same_bytes() {
    let signed = async |seed: u64| {
        let world = World::with(Settings { seed, ..Settings::default() }).await;
        world.simulator.rotate_keys();
        let token = text(&tokens(&world, &IDENTITY).await, "id_token").to_owned();
        world.simulator.reset();
        let keys = world.get("/oauth2/v3/certs").await.text;
        world.end().await;
        (token, keys)
    };
    let first = signed(7).await;
    assert_eq!(signed(7).await, first);
    let other = signed(8).await;
    assert!(other.0 != first.0 && other.1 != first.1);
}
