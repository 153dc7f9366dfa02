//! The whole bridge on PostgreSQL: promise 2, exactly one event.

use std::sync::Arc;

use calbridge::simulator::{Fault, FaultKind};
use hyper::Method;
use serde_json::{Value, json};

use super::server;
use crate::bridge::{ANA, Bridge, Choices, tea, with};

const INSERT: &str = "calendar.events.insert";

/// A bridge on a database of its own, with the server's account connected.
async fn connected() -> Bridge {
    let server = server::shared().await;
    let store = Box::pin(server.open(&server.database().await, 1)).await;
    let choices = Choices { store: Some(Arc::new(store)), ..Choices::default() };
    let bridge = Bridge::with(choices).await;
    bridge.connect(ANA).await.unwrap();
    bridge
}

/// How many jobs were given up.
async fn given_up(bridge: &Bridge) -> u64 {
    bridge.tied.app.store.count_jobs().await.unwrap().dead
}

#[tokio::test]
async fn an_event_is_answered_with_its_meet_link() {
    let bridge = Box::pin(connected()).await;
    let answer = bridge.post(&tea(), &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.json()["meetLink"].is_string());
    assert_eq!(bridge.titles(ANA), ["Tea"]);
}

/// Takes tea in. The work is done while the store takes its time, and may be over with the answer.
async fn accept(bridge: &Bridge) -> Value {
    let answer = bridge.post(&tea(), &[("prefer", "respond-async")]).await;
    assert!(matches!(answer.status, 200 | 202), "{}", answer.text);
    answer.json()
}

#[tokio::test]
async fn lost_answers_and_rate_errors_make_one_event() {
    let bridge = Box::pin(connected()).await;
    bridge.fault(Fault::new(FaultKind::LostAnswer).method(INSERT).times(1));
    bridge.fault(Fault::new(FaultKind::RateLimited).method(INSERT).times(1));
    let made = accept(&bridge).await;
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), ["Tea"]);
    assert_eq!(bridge.event(&made["id"]).await["state"], "confirmed");
    assert_eq!(given_up(&bridge).await, 0);
}

#[tokio::test]
async fn a_repeated_request_makes_one_event() {
    let bridge = Box::pin(connected()).await;
    let key = [("idempotency-key", "once"), ("prefer", "respond-async")];
    let first = bridge.post(&tea(), &key).await.json();
    let again = bridge.post(&tea(), &key).await;
    assert_eq!(again.json()["id"], first["id"]);
    assert_eq!(again.header("idempotent-replayed"), "true");
    let other = with(tea(), &json!({"summary": "Coffee"}));
    assert_eq!(bridge.post(&other, &key).await.status, 422);
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), ["Tea"]);
}

#[tokio::test]
async fn a_cancelled_event_is_taken_out() {
    let bridge = Box::pin(connected()).await;
    let made = accept(&bridge).await;
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), ["Tea"]);
    let path = format!("/api/v1/events/{}", made["id"].as_str().unwrap());
    let answer = bridge.send_json(Method::DELETE, &path, &Value::Null, &[]).await;
    assert!(answer.status < 300, "{}", answer.text);
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), [""; 0]);
    assert_eq!(given_up(&bridge).await, 0);
}
