//! API keys over HTTP: made, shown, taken back; and never more in a child than in its parent.

use calbridge::model::key::Scope;
use chrono::TimeDelta;
use hyper::Method;
use serde_json::{Value, json};

use crate::bridge::{Answer, Bridge};
use crate::policy::bearer;
use crate::process::{Process, Simulated};

const KEYS: &str = "/api/v1/api-keys";

async fn ask(bridge: &Bridge, key: &str, method: Method, path: &str, body: &Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let headers = [("authorization", key), ("content-type", "application/json")];
    bridge.send_raw(method, path, &body, &headers).await
}

async fn make(bridge: &Bridge, key: &str, body: &Value) -> Answer {
    ask(bridge, key, Method::POST, KEYS, body).await
}

#[tokio::test]
async fn a_key_is_made_shown_once_used_and_taken_back() {
    let bridge = Bridge::start().await;
    let admin = bearer(&bridge, &[Scope::Admin]).await;
    let body = json!({
        "name": "crm", "scopes": ["events:write"], "source": "crm",
        "expires": "2026-11-03T08:00:00Z"
    });
    let made = make(&bridge, &admin, &body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let shown = made.json();
    let one = made.header("location").to_owned();
    assert_eq!(one, format!("{KEYS}/{}", shown["id"].as_str().expect("an id")));
    let secret = shown["key"].as_str().expect("a key").to_owned();
    let bearer = format!("Bearer {secret}");
    let nobodys = "/api/v1/events/00000000000000000000000000";
    assert_eq!(ask(&bridge, &bearer, Method::GET, nobodys, &Value::Null).await.status, 404);

    let seen = ask(&bridge, &admin, Method::GET, &one, &Value::Null).await;
    let mut expected = shown.clone();
    let members = expected.as_object_mut().expect("an object");
    members.remove("key");
    members["last_used"] = json!("2026-11-02T08:00:00Z");
    assert_eq!(seen.json(), expected);
    assert_eq!(seen.json()["expires"], "2026-11-03T08:00:00Z");
    let list = ask(&bridge, &admin, Method::GET, KEYS, &Value::Null).await;
    assert!(list.json()["data"].as_array().expect("a list").contains(&expected), "{}", list.text);
    let half = secret.rsplit('_').next().expect("a half");
    for answer in [&seen, &list] {
        assert!(!answer.text.contains(half), "the secret is shown once");
    }

    bridge.pass(TimeDelta::days(1));
    assert_eq!(
        ask(&bridge, &bearer, Method::GET, nobodys, &Value::Null).await.status,
        401,
        "it ended"
    );
    let gone = ask(&bridge, &admin, Method::DELETE, &one, &Value::Null).await;
    assert_eq!((gone.status, gone.json()["revoked"].is_string()), (200, true), "{}", gone.text);
    let again = ask(&bridge, &admin, Method::DELETE, &one, &Value::Null).await;
    assert_eq!(again.json(), gone.json(), "once is enough");
}

#[tokio::test]
async fn a_key_that_cannot_be_is_refused_with_every_fault() {
    let bridge = Bridge::start().await;
    let admin = bearer(&bridge, &[Scope::Admin]).await;
    for (body, at) in [
        (json!({ "name": "", "scopes": ["admin"] }), "/name"),
        (json!({ "name": "x", "scopes": [] }), "/scopes"),
        (json!({ "name": "x", "scopes": ["events:delete"] }), "/scopes"),
        (json!({ "name": "x", "scopes": ["admin"], "source": "ä" }), "/source"),
        (json!({ "name": "x", "scopes": ["admin"], "expires": "tomorrow" }), "/expires"),
        (
            json!({ "name": "x", "scopes": ["admin"], "expires": "2026-11-02T08:00:00Z" }),
            "/expires",
        ),
        (json!({ "name": "x", "scopes": ["admin"], "expire": "2027-11-02T08:00:00Z" }), "/expire"),
    ] {
        let refused = make(&bridge, &admin, &body).await;
        assert_eq!(refused.status, 422, "{body}: {}", refused.text);
        assert_eq!(refused.json()["errors"][0]["pointer"], at, "{}", refused.text);
    }
    let before = ask(&bridge, &admin, Method::GET, KEYS, &Value::Null).await.json();
    assert_eq!(before["data"].as_array().map(Vec::len), Some(2), "nothing was made");
}

#[tokio::test]
async fn whoever_may_look_at_keys_may_not_make_any() {
    let bridge = Bridge::start().await;
    let reader = bearer(&bridge, &[Scope::AdminRead]).await;
    let list = ask(&bridge, &reader, Method::GET, KEYS, &Value::Null).await;
    assert_eq!(list.status, 200, "{}", list.text);
    let id = list.json()["data"][0]["id"].as_str().expect("an id").to_owned();
    let more = json!({ "name": "more", "scopes": ["admin:read"] });
    assert_eq!(make(&bridge, &reader, &more).await.status, 403);
    let one = format!("{KEYS}/{id}");
    assert_eq!(ask(&bridge, &reader, Method::DELETE, &one, &Value::Null).await.status, 403);
    for nobodys in ["00000000000000000000000000", "x", "%00"] {
        let one = format!("{KEYS}/{nobodys}");
        let answer = ask(&bridge, &reader, Method::GET, &one, &Value::Null).await;
        assert_eq!(
            (answer.status, answer.json()["detail"].as_str()),
            (404, Some("there is no such API key"))
        );
    }
}

#[tokio::test]
async fn the_command_line_gives_a_key_an_end_and_shows_it() {
    let google = Simulated::start();
    let process = Process::start(&google, "").await;
    let end = "2096-01-31T00:00:00Z";
    let made = ["api-keys", "create", "--name", "crm", "--scope", "events:read", "--expires", end];
    let key = process.home.told(&made).await;
    let (id, _) = key.trim_start_matches("cb_").split_once('_').expect("an id and a secret");
    let list = process.home.told(&["api-keys", "list"]).await;
    let line = list.lines().find(|line| line.starts_with(id)).expect("the key is listed");
    assert!(
        line.contains("crm  events:read  ") && line.contains(&format!("until {end}")),
        "{line}"
    );
    for wrong in ["soon", "2126-01-31T00:00:00Z"] {
        let wrong = ["api-keys", "create", "--name", "crm", "--expires", wrong];
        let refused = process.home.cli(&wrong).await;
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        let told = String::from_utf8_lossy(&refused.stderr);
        assert!(told.contains("expires: must be a moment in the years 1970 to 2099"), "{told}");
    }
}
