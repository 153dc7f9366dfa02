//! What an operator does when something went wrong, one command each.
#![expect(clippy::unwrap_used, reason = "a test ends where it goes wrong")]

use calbridge::app::access::{Caller, KeyWish};
use calbridge::app::{access, incident};
use calbridge::model::key::Scope;
use serde_json::json;

use crate::bridge::{ANA, Bridge, tea, with};
use crate::process::{Process, Simulated};

#[tokio::test]
async fn while_writes_are_frozen_nothing_is_taken_in_and_nothing_written_to_google() {
    let bridge = Bridge::connected().await;
    let app = &bridge.tied.app;
    let waits = bridge.accept(&tea()).await;
    let console = Caller::console();
    incident::freeze(app, &console, "a key leaked").await.unwrap();
    let refused = bridge.post(&with(tea(), &json!({"summary": "Coffee"})), &[]).await;
    assert_eq!((refused.status, &refused.json()["code"]), (503, &"frozen".into()));
    let message = refused.json()["message"].as_str().unwrap().to_owned();
    for told in ["the console", "2026-11-02T08:00:00Z", "calbridge incident thaw"] {
        assert!(message.contains(told), "{message}");
    }
    let path = format!("/api/v1/events/{}", waits["id"].as_str().unwrap());
    let edit = json!({"summary": "Milk"});
    let edited = bridge.send_json(hyper::Method::PATCH, &path, &edit, &[]).await;
    assert_eq!(edited.json()["code"], "frozen", "{}", edited.text);
    let cancelled = bridge.send_json(hyper::Method::DELETE, &path, &json!({}), &[]).await;
    assert_eq!(cancelled.json()["code"], "frozen", "{}", cancelled.text);
    let batch = json!({"events": [tea()]});
    let batch = bridge.send_json(hyper::Method::POST, "/api/v1/events/batch", &batch, &[]).await;
    assert_eq!(batch.json()["code"], "frozen", "{}", batch.text);
    assert!(bridge.connect(ANA).await.is_err());
    assert_eq!(bridge.get(&path).await.status, 200, "what is there is still shown");
    bridge.work().await;
    bridge.pass(chrono::TimeDelta::hours(3));
    bridge.work().await;
    assert_eq!(bridge.titles(ANA), [""; 0]);

    incident::thaw(app, &console).await.unwrap();
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), ["Tea"], "what waited goes on");
    assert_eq!(bridge.post(&tea(), &[]).await.status, 200);
}

#[tokio::test]
async fn a_key_is_taken_back_while_writes_are_frozen() {
    let bridge = Bridge::connected().await;
    let app = &bridge.tied.app;
    let wish = KeyWish::new("crm", vec![Scope::EventsWrite]);
    let key = access::create_key(app, &Caller::console(), wish).await.unwrap().key;
    incident::freeze(app, &Caller::console(), "").await.unwrap();
    access::revoke_key(app, &Caller::console(), key.id).await.unwrap();
    calbridge::app::audit::verify(app).await.unwrap();
}

#[tokio::test]
async fn a_freeze_outlives_the_process() {
    let google = Simulated::start();
    let mut process = Process::start(&google, "").await;
    let browser = process.connect(ANA).await;
    let key = process.new_key().await;
    let base = process.home.base.clone();
    let frozen = process.home.told(&["incident", "freeze", "--reason", "a drill"]).await;
    assert!(frozen.contains("incident thaw"), "{frozen}");
    let refused = browser.create(&base, &key, &tea(), &[]).await.unwrap();
    assert_eq!((refused.status, &refused.json()["code"]), (503, &"frozen".into()));
    process.kill().await;
    process.restart().await;
    let refused = browser.create(&base, &key, &tea(), &[]).await.unwrap();
    assert_eq!((refused.status, &refused.json()["code"]), (503, &"frozen".into()));
    process.home.told(&["incident", "thaw"]).await;
    let made = browser.create(&base, &key, &tea(), &[]).await.unwrap();
    assert_eq!(made.status, 200, "{}", made.text);
    let listed = process.home.told(&["audit", "list"]).await;
    assert!(listed.contains("writes.frozen") && listed.contains("a drill"), "{listed}");
}

#[tokio::test]
async fn a_freeze_from_the_command_line_alone_holds_when_the_daemon_starts() {
    let google = Simulated::start();
    let mut process = Process::start(&google, "").await;
    let browser = process.connect(ANA).await;
    let key = process.new_key().await;
    assert_eq!(process.stop().await.code(), Some(0));
    process.home.told(&["incident", "freeze"]).await;
    process.restart().await;
    let refused = browser.create(&process.home.base, &key, &tea(), &[]).await.unwrap();
    assert_eq!((refused.status, &refused.json()["code"]), (503, &"frozen".into()));
}
