//! What an event's history tells: who asked for what, and what came of it.

use calbridge::model::key::Scope;
use calbridge::simulator::Fault;
use chrono::TimeDelta;
use hyper::Method;
use serde_json::{Value, json};

use crate::bridge::{ANA, Bridge, brew, with};

const EVENTS: &str = "/api/v1/events";
const INSERT: &str = "calendar.events.insert";

async fn history(bridge: &Bridge, path: &str) -> Vec<Value> {
    let answer = bridge.get(&format!("{path}/history")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["data"].as_array().expect("a list").clone()
}

async fn create(bridge: &Bridge, members: &Value) -> String {
    let answer = bridge.router_send(Method::POST, EVENTS, &with(brew(), members)).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    format!("{EVENTS}/{}", answer.json()["id"].as_str().expect("an id"))
}

/// What happened, and to which revision.
fn told<'a>(history: &'a [Value]) -> Vec<(&'a str, u64)> {
    let what = |step: &'a Value| step["what"].as_str().expect("a word");
    let revision = |step: &Value| step["revision"].as_u64().expect("a number");
    history.iter().map(|step| (what(step), revision(step))).collect()
}

#[tokio::test]
async fn a_history_tells_who_asked_and_what_google_said() {
    let bridge = Bridge::connected().await;
    let key = format!("key:{}", bridge.key.split('_').nth(1).expect("its public half"));
    bridge.fault(Fault::status(503).method(INSERT).times(2));
    let path = create(&bridge, &json!({ "guests": ["cleo@elsewhere.example"] })).await;
    bridge.run_until_idle().await;
    bridge.pass(TimeDelta::minutes(1));
    bridge.router_send(Method::PATCH, &path, &json!({ "summary": "Secret plans" })).await;
    bridge.run_until_idle().await;
    bridge.router_send(Method::DELETE, &path, &Value::Null).await;
    bridge.run_until_idle().await;
    let history = history(&bridge, &path).await;
    assert_eq!(
        told(&history),
        [
            ("accepted", 1),
            ("put_off", 1),
            ("written", 1),
            ("changed", 2),
            ("written", 2),
            ("cancelled", 3),
            ("withdrawn", 3),
        ]
    );
    for (step, by) in history.iter().zip([true, false, false, true, false, true, false]) {
        assert_eq!(step["by"], if by { json!(key) } else { Value::Null }, "{step}");
    }
    assert_eq!(
        (&history[0]["at"], &history[1]["times"]),
        (&json!("2026-11-02T08:00:00Z"), &json!(2))
    );
    assert_eq!(history[1]["cause"]["code"], "google_unavailable");
    let text = history[1]["cause"]["text"].as_str().expect("words");
    assert!(text.starts_with("Google answered 503: "), "{text}");
    let text = json!(history).to_string();
    for personal in ["Tea", "Secret", "cleo", "milk"] {
        assert!(!text.contains(personal), "{personal}: {text}");
    }
}

#[tokio::test]
async fn a_history_tells_of_what_people_did_at_google() {
    let bridge = Bridge::connected().await;
    let path = create(&bridge, &json!({})).await;
    bridge.run_until_idle().await;
    let id = bridge.get(&path).await.json()["google"]["event_id"].clone();
    assert!(bridge.google.remove_event(ANA, id.as_str().expect("an id")));
    bridge.router_send(Method::PATCH, &path, &json!({ "summary": "Coffee" })).await;
    bridge.run_until_idle().await;
    let history = history(&bridge, &path).await;
    assert_eq!(
        told(&history),
        [("accepted", 1), ("written", 1), ("changed", 2), ("removed_in_google", 2)]
    );
}

#[tokio::test]
async fn a_history_tells_how_an_event_was_given_up() {
    let mut bridge = Bridge::connected().await;
    bridge.key = bridge.key_for(&[Scope::Admin]).await;
    bridge.expect_dead(1);
    bridge.fault(Fault::status(400).method(INSERT).times(1));
    let path = create(&bridge, &json!({})).await;
    bridge.run_until_idle().await;
    let history = history(&bridge, &path).await;
    assert_eq!(told(&history), [("accepted", 1), ("given_up", 1)]);
    assert_eq!(history[1]["cause"]["code"], "refused");
    let nobodys = format!("{EVENTS}/0123456789abcdefghijklmn08/history");
    assert_eq!(bridge.get(&nobodys).await.status, 404);
}
