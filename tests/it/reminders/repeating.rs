//! What is said to a reminder once, however often its sender repeats it.

use hyper::Method;
use serde_json::{Value, json};

use super::{at, call, change, daily, log, make, path_of, read, rows, say, start};
use crate::bridge::{Answer, Bridge};

/// Says something to a reminder under a key.
async fn keyed(bridge: &Bridge, reminder: &Value, word: &str, body: &Value, key: &str) -> Answer {
    let path = format!("{}/{word}", path_of(reminder));
    bridge.send_json(Method::POST, &path, body, &[("Idempotency-Key", key)]).await
}

#[tokio::test]
async fn a_repeated_snooze_puts_off_once() {
    let bridge = start().await;
    let reminder = make(&bridge, &call()).await;
    at(&bridge, "2026-11-02T10:00:00Z").await;
    let before = read(&bridge, &reminder).await;
    let ten = json!({ "minutes": 10 });
    let first = keyed(&bridge, &reminder, "snooze", &ten, "later").await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (200, ""), "{}", first.text);
    at(&bridge, "2026-11-02T10:10:00Z").await;
    let path = format!("{}/snooze", path_of(&reminder));
    let seen = before["etag"].as_str().expect("an ETag");
    for headers in
        [&[("Idempotency-Key", "later")][..], &[("Idempotency-Key", "later"), ("If-Match", seen)]]
    {
        let again = bridge.send_json(Method::POST, &path, &ten, headers).await;
        assert_eq!((again.status, again.header("idempotent-replayed")), (200, "true"));
        assert_eq!(again.json(), read(&bridge, &reminder).await, "as it is now");
    }
    let told = rows(&[("2026-11-02T10:00:00Z", "told"), ("2026-11-02T10:10:00Z", "told")]);
    at(&bridge, "2026-11-02T12:00:00Z").await;
    assert_eq!(log(&bridge, &reminder).await, told);
    let other = keyed(&bridge, &reminder, "snooze", &json!({ "minutes": 11 }), "later").await;
    assert_eq!((other.status, &other.json()["code"]), (422, &json!("idempotency_key_reused")));
    // Until a moment that has passed since.
    let reminder = make(&bridge, &call()).await;
    at(&bridge, "2026-11-02T12:01:00Z").await;
    let until = json!({ "until": "2026-11-02T12:05:00Z" });
    assert_eq!(keyed(&bridge, &reminder, "snooze", &until, "until").await.status, 200);
    at(&bridge, "2026-11-02T12:06:00Z").await;
    let again = keyed(&bridge, &reminder, "snooze", &until, "until").await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, "true"));
}

#[tokio::test]
async fn a_repeated_dismissal_silences_one_occurrence() {
    let bridge = start().await;
    let reminder = make(&bridge, &daily()).await;
    for replayed in ["", "true"] {
        let said = keyed(&bridge, &reminder, "dismiss", &Value::Null, "not today").await;
        assert_eq!((said.status, said.header("idempotent-replayed")), (200, replayed));
        assert_eq!(said.json()["next"], "2026-11-03T10:00:00Z");
    }
    let next = say(&bridge, &reminder, "dismiss", &Value::Null).await;
    assert_eq!(next["next"], "2026-11-04T10:00:00Z", "without a key it is another one");
    let other = make(&bridge, &daily()).await;
    let said = keyed(&bridge, &other, "dismiss", &Value::Null, "not today").await;
    assert_eq!((said.status, said.header("idempotent-replayed")), (200, ""), "it has its own keys");
    let long = "k".repeat(256);
    let said = keyed(&bridge, &reminder, "dismiss", &Value::Null, &long).await;
    assert_eq!((said.status, &said.json()["code"]), (400, &json!("bad_idempotency_key")));
}

#[tokio::test]
async fn a_dismissal_that_found_nothing_to_do_finds_nothing_later() {
    let bridge = start().await;
    let reminder = make(&bridge, &call()).await;
    at(&bridge, "2026-11-02T10:00:00Z").await;
    say(&bridge, &reminder, "dismiss", &Value::Null).await;
    let over = keyed(&bridge, &reminder, "dismiss", &Value::Null, "enough").await;
    assert_eq!((over.status, &over.json()["state"]), (200, &json!("dismissed")));
    change(&bridge, &reminder, &json!({ "at": "2026-11-02T12:00:00Z" })).await;
    let again = keyed(&bridge, &reminder, "dismiss", &Value::Null, "enough").await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, "true"));
    assert_eq!(again.json()["state"], "scheduled");
}

#[tokio::test]
async fn of_two_equal_requests_at_once_one_does_it() {
    let bridge = start().await;
    let reminder = make(&bridge, &daily()).await;
    let say = || keyed(&bridge, &reminder, "dismiss", &Value::Null, "once");
    let (one, other) = tokio::join!(say(), say());
    assert_eq!((one.status, other.status), (200, 200), "{} {}", one.text, other.text);
    let replayed = [&one, &other].map(|answer| answer.header("idempotent-replayed") == "true");
    assert!(replayed[0] != replayed[1], "{replayed:?}");
    assert_eq!(read(&bridge, &reminder).await["next"], "2026-11-03T10:00:00Z");
}
