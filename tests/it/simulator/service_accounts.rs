//! Service accounts, alone and in a user's name.

use axum::http::Method;
use calbridge::simulator::Settings;
use chrono::TimeDelta;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::{EVENTS_SCOPE, LIST_SCOPE, PRIMARY, Reply, World, meet, noon, tea, tea_with};

const ROBOT: &str = "robot@project.iam.gserviceaccount.com";
const ANA: &str = "ana@example.com";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const GOOGLE: &str = "https://oauth2.googleapis.com/token";
const TOO_LONG: &str = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable \
    timeframe. Check your iat and exp values in the JWT claim.";
const NOT_AUTHORIZED: &str = "Client is unauthorized to retrieve access tokens using this method, or \
    client not authorized for any of the scopes requested.";

async fn world(more: &str) -> World {
    let public = include_str!("robot_public.pem");
    let text = format!(
        "[quota]\nper_user_per_minute = 8\n\
         [[service_account]]\nemail = '{ROBOT}'\npublic_key_pem = '''{public}'''\n{more}"
    );
    World::with(Settings::from_toml(&text).unwrap()).await
}

/// The claims a client of Google's would sign at noon, with some of them changed.
fn claims(changes: Value) -> Value {
    let now = noon().timestamp();
    let mut claims =
        json!({"iss": ROBOT, "scope": EVENTS_SCOPE, "aud": GOOGLE, "iat": now, "exp": now + 3600});
    let Value::Object(changes) = changes else { panic!("changes are an object") };
    for (name, value) in changes {
        claims[name] = value;
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

fn sign(header: &Header, claims: &Value, key: &str) -> String {
    let key = EncodingKey::from_rsa_pem(key.as_bytes()).unwrap();
    jsonwebtoken::encode(header, claims, &key).unwrap()
}

fn signed(changes: Value) -> String {
    sign(&Header::new(Algorithm::RS256), &claims(changes), include_str!("robot.pem"))
}

async fn ask(world: &World, assertion: &str) -> Reply {
    world.post_form("/token", &[("grant_type", JWT_BEARER), ("assertion", assertion)]).await
}

async fn refused(world: &World, changes: Value) -> (u16, String, String) {
    told(&ask(world, &signed(changes)).await)
}

fn told(reply: &Reply) -> (u16, String, String) {
    let body = reply.json();
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    (reply.status, text("error"), text("error_description"))
}

fn answer(status: u16, error: &str, description: &str) -> (u16, String, String) {
    (status, error.to_owned(), description.to_owned())
}

async fn access(world: &World, changes: Value) -> String {
    let reply = ask(world, &signed(changes)).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_signed_assertion_brings_an_access_token_and_no_refresh_token() {
    let world = world("key_id = 'abc'").await;
    let header = Header { kid: Some("abc".to_owned()), ..Header::new(Algorithm::RS256) };
    let reply = ask(&world, &sign(&header, &claims(json!({})), include_str!("robot.pem"))).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("cache-control"), "no-cache, no-store, max-age=0, must-revalidate");
    let body = reply.json();
    assert!(body["access_token"].as_str().unwrap().starts_with("ya29.c."));
    assert_eq!((&body["expires_in"], &body["token_type"]), (&json!(3599), &json!("Bearer")));
    assert!(body["refresh_token"].is_null());
    let own = format!("{}/token", world.base);
    let names = [
        own.as_str(),
        "https://accounts.google.com/o/oauth2/token",
        "https://www.googleapis.com/oauth2/v4/token",
    ];
    for aud in names {
        assert_eq!(ask(&world, &signed(json!({"aud": aud}))).await.status, 200, "{aud}");
    }
    world.simulator.set_base_address("http://google.test/");
    assert_eq!(ask(&world, &signed(json!({"aud": "http://google.test/token"}))).await.status, 200);
    let entry = world.simulator.ledger()[0].clone();
    assert_eq!((entry.method, entry.user.as_deref()), ("token", Some(ROBOT)));
    // RFC 7515 leaves the padding out; some clients send it, and Google takes it.
    let plain = signed(json!({}));
    let (said, signature) = plain.rsplit_once('.').unwrap();
    assert_eq!(ask(&world, &format!("{said}.{signature}==")).await.status, 200);
    world.end().await;
}

#[tokio::test]
async fn an_assertion_that_is_no_jwt_or_not_signed_by_the_account_is_refused() {
    let world = world("key_id = 'abc'").await;
    let malformed = answer(400, "invalid_request", "Bad Request");
    let whole = signed(json!({}));
    let (head, rest) = whole.split_once('.').unwrap();
    for assertion in ["", "nonsense", "a.b", "!.!.!", head, rest] {
        assert_eq!(told(&ask(&world, assertion).await), malformed, "{assertion}");
    }
    let forged = answer(400, "invalid_grant", "Invalid JWT Signature.");
    let stranger = include_str!("../../../src/simulator/keys/first.pem");
    let plain = Header::new(Algorithm::RS256);
    let other_key = sign(&plain, &claims(json!({})), stranger);
    let other_id = Header { kid: Some("xyz".to_owned()), ..plain };
    let other_id = sign(&other_id, &claims(json!({})), include_str!("robot.pem"));
    let secret = EncodingKey::from_secret(b"secret");
    let symmetric =
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims(json!({})), &secret).unwrap();
    // Signed for one scope, sent with another.
    let swapped = signed(json!({"scope": LIST_SCOPE}));
    let (_, signature) = whole.rsplit_once('.').unwrap();
    let (said, _) = swapped.rsplit_once('.').unwrap();
    let swapped = format!("{said}.{signature}");
    for assertion in [other_key, other_id, symmetric, swapped] {
        assert_eq!(told(&ask(&world, &assertion).await), forged, "{assertion}");
    }
    let unknown = refused(&world, json!({"iss": "eve@project.iam.gserviceaccount.com"})).await;
    assert_eq!(unknown, answer(400, "invalid_grant", "Invalid grant: account not found"));
    world.end().await;
}

#[tokio::test]
async fn the_times_of_an_assertion_are_judged_by_the_simulators_clock() {
    let world = world("").await;
    let now = noon().timestamp();
    let late = answer(400, "invalid_grant", TOO_LONG);
    let wrong = [
        json!({"exp": now + 3900}),
        json!({"iat": now + 301, "exp": now + 3600}),
        json!({"iat": now - 3900, "exp": now - 300}),
        json!({"iat": now, "exp": now - 1}),
    ];
    for changes in wrong {
        assert_eq!(refused(&world, changes.clone()).await, late, "{changes}");
    }
    let text = "Invalid JWT: iat (issued at) is not set.";
    assert_eq!(refused(&world, json!({"iat": null})).await, answer(400, "invalid_grant", text));
    let text = "Invalid JWT: exp (expiration time) is not set.";
    assert_eq!(refused(&world, json!({"exp": null})).await, answer(400, "invalid_grant", text));
    let right = [
        json!({"iat": now + 300, "exp": now + 3900}),
        json!({"iat": now - 3600, "exp": now - 299}),
        json!({"iat": now.to_string(), "exp": (now + 60).to_string()}),
    ];
    for changes in right {
        assert_eq!(ask(&world, &signed(changes.clone())).await.status, 200, "{changes}");
    }
    world.clock.advance(TimeDelta::minutes(65));
    assert_eq!(refused(&world, json!({})).await, late, "what was good at noon is old");
    world.end().await;
}

#[tokio::test]
async fn scope_and_audience_must_be_there() {
    let world = world("").await;
    let text = "Invalid OAuth scope or ID token audience provided.";
    assert_eq!(refused(&world, json!({"scope": null})).await, answer(400, "invalid_scope", text));
    let text = "Invalid JWT: Failed audience check.";
    for aud in [json!(null), json!("https://example.com/token"), json!(7)] {
        let refused = refused(&world, json!({"aud": aud})).await;
        assert_eq!(refused, answer(400, "invalid_grant", text));
    }
    for asked in [json!({"scope": "everything"}), json!({"target_audience": "everything"})] {
        let body = ask(&world, &signed(asked)).await.json();
        assert!(body["access_token"].is_null());
        let token = body["id_token"].as_str().unwrap();
        let info = world.get(&format!("/tokeninfo?id_token={token}")).await.json();
        assert_eq!((&info["aud"], &info["email"]), (&json!("everything"), &json!(ROBOT)));
    }
    world.end().await;
}

#[tokio::test]
async fn without_delegation_it_acts_for_itself_alone() {
    let world = world("").await;
    let refusal = refused(&world, json!({"sub": ANA})).await;
    assert_eq!(
        refusal,
        answer(401, "unauthorized_client", "Unauthorized client or scope in request.")
    );
    let access = access(&world, json!({})).await;
    let made = world.api(&access, Method::POST, PRIMARY, tea()).await;
    assert_eq!(made.status, 200, "{}", made.text);
    assert_eq!(world.simulator.events(ROBOT).len(), 1, "its primary calendar is its own");
    assert!(world.simulator.events(ANA).is_empty());

    let invited = tea_with(json!({"attendees": [{"email": ANA}]}));
    let refused = world.api(&access, Method::POST, PRIMARY, invited.clone()).await;
    assert_eq!((refused.status, refused.reason()), (403, "forbiddenForServiceAccounts".to_owned()));
    let error = &refused.json()["error"];
    assert_eq!(error["errors"][0]["domain"], "calendar");
    let text =
        "Service accounts cannot invite attendees without Domain-Wide Delegation of Authority.";
    assert_eq!(error["message"], text);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let item = format!("{PRIMARY}/{id}");
    assert_eq!(world.api(&access, Method::PATCH, &item, invited).await.status, 403);

    let path = format!("{PRIMARY}?conferenceDataVersion=1");
    let meeting = tea_with(json!({"conferenceData": meet("one")}));
    let refused = world.api(&access, Method::POST, &path, meeting).await;
    assert_eq!((refused.status, refused.reason().as_str()), (400, "invalid"));
    assert_eq!(refused.json()["error"]["message"], "Invalid conference type value.");
    assert_eq!(world.simulator.events(ROBOT).len(), 1);
    world.end().await;
}

#[tokio::test]
async fn with_delegation_it_acts_for_users_and_pays_for_them() {
    let world = world("delegation = true").await;
    let ana = access(&world, json!({"sub": ANA})).await;
    let body = tea_with(json!({
        "attendees": [{"email": "guest@example.net"}],
        "conferenceData": meet("one"),
    }));
    let path = format!("{PRIMARY}?conferenceDataVersion=1");
    let made = world.api(&ana, Method::POST, &path, body).await;
    assert_eq!(made.status, 200, "{}", made.text);
    assert_eq!(made.json()["organizer"]["email"], ANA);
    assert_eq!(world.simulator.events(ANA).len(), 1);

    let text = "Invalid email or User ID.";
    let nobody = refused(&world, json!({"sub": "nobody@example.com"})).await;
    assert_eq!(nobody, answer(400, "invalid_grant", text));
    let text = "Not a valid email";
    assert_eq!(refused(&world, json!({"sub": "ana"})).await, answer(400, "invalid_grant", text));

    // Eight calls a minute are for the account, whoever it acts for.
    let ben = access(&world, json!({"sub": "ben@example.com"})).await;
    for turn in 0..7 {
        let token = if turn % 2 == 0 { &ana } else { &ben };
        assert_eq!(world.api(token, Method::GET, PRIMARY, Value::Null).await.status, 200);
    }
    let refused = world.api(&ben, Method::GET, PRIMARY, Value::Null).await;
    assert_eq!(refused.reason(), "userRateLimitExceeded");
    world.simulator.delete_account("ben@example.com");
    let text = "Invalid email or User ID.";
    let gone = self::refused(&world, json!({"sub": "ben@example.com"})).await;
    assert_eq!(gone, answer(400, "invalid_grant", text));
    world.end().await;
}

#[tokio::test]
async fn delegation_covers_what_was_listed_and_takes_its_time() {
    let more =
        format!("delegation = true\nscopes = ['{EVENTS_SCOPE}']\ndelegation_after_secs = 600");
    let world = world(&more).await;
    let early = refused(&world, json!({"sub": ANA})).await;
    assert_eq!(early, answer(401, "unauthorized_client", NOT_AUTHORIZED));
    access(&world, json!({})).await;
    world.clock.advance(TimeDelta::minutes(10));
    access(&world, json!({"sub": ANA})).await;
    let none = refused(&world, json!({"sub": ANA, "scope": LIST_SCOPE})).await;
    assert_eq!(none, answer(401, "unauthorized_client", NOT_AUTHORIZED));
    let both = format!("{EVENTS_SCOPE} {LIST_SCOPE}");
    let some = refused(&world, json!({"sub": ANA, "scope": both})).await;
    assert_eq!(some, answer(400, "access_denied", "Requested client not authorized."));
    access(&world, json!({"scope": both})).await;
    world.end().await;
}
