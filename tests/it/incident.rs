//! What an operator does when something went wrong, one command each.

use calbridge::app::access::{Caller, KeyWish, Proof};
use calbridge::app::connections::Waiting;
use calbridge::app::{App, Error, access, audit, connections, incident};
use calbridge::model::key::Scope;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::accounts::link;
use crate::bridge::{ANA, Bridge, brew, tea, with};
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
    let batch = json!({"events": [brew()]});
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
async fn what_was_put_back_and_is_not_confirmed_reaches_nobody_and_spends_no_attempt() {
    let mut bridge = Bridge::start().await;
    bridge.key = bridge.key_for(&[Scope::EventsWrite, Scope::AdminRead]).await;
    let bens = link(&bridge, "u-ben", "ben@example.com").await;
    bridge.connect(ANA).await.expect("the account can be connected");
    bridge.accept(&tea()).await;
    let (app, console) = (&bridge.tied.app, Caller::console());
    connections::disconnect(app, &console, bens, Waiting::Kept).await.expect("it is let go");
    incident::freeze_unconfirmed(app).await.expect("it is frozen");
    let calls = bridge.google.ledger().len();
    for _ in 0..3 {
        bridge.work().await;
        bridge.pass(chrono::TimeDelta::hours(1));
    }
    assert_eq!(bridge.google.ledger().len(), calls, "not even a grant is given back");
    let status = bridge.get("/api/v1/status").await.json();
    assert_eq!(status["frozen"], json!({"since": "2026-11-02T08:00:00Z", "by": "an import"}));
    assert_eq!((&status["jobs"]["live"], &status["store"]["writable"]), (&json!(2), &json!(true)));
    let jobs = bridge.get("/api/v1/jobs?state=live").await.json();
    for job in jobs["data"].as_array().expect("a list") {
        assert_eq!(job["attempts"], 0, "{job}");
    }
    assert!(
        bridge.get("/readyz?verbose").await.text.contains("[!] writes are frozen by an import")
    );
    assert_eq!(bridge.post(&tea(), &[]).await.json()["code"], "frozen");

    incident::thaw(app, &console).await.expect("it is thawed");
    bridge.run_until_idle().await;
    assert_eq!((bridge.titles(ANA), bridge.calls("revoke")), (vec!["Tea".to_owned()], 1));
    assert_eq!(bridge.get("/api/v1/status").await.json()["frozen"], json!(null));
    assert_eq!(audit::verify(app).await.unwrap().findings, []);
}

#[tokio::test]
async fn a_key_is_taken_back_while_writes_are_frozen() {
    let bridge = Bridge::connected().await;
    let app = &bridge.tied.app;
    let wish = KeyWish::new("crm", vec![Scope::EventsWrite]);
    let key = access::create_key(app, &Caller::console(), wish).await.unwrap().key;
    incident::freeze(app, &Caller::console(), "").await.unwrap();
    access::revoke_key(app, &Caller::console(), key.id).await.unwrap();
    assert!(app.store.key(key.id).await.unwrap().unwrap().revoked.is_some());
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

#[tokio::test]
async fn everything_that_opens_a_door_is_taken_back_at_once() {
    let bridge = Bridge::connected().await;
    let app = &bridge.tied.app;
    let code = access::new_setup_code(app).await.unwrap();
    let session = sign_in(app, &code).await.unwrap();
    let code = access::new_setup_code(app).await.unwrap();
    let waits = bridge.accept(&tea()).await;
    assert_eq!(waits["success"], true);

    let done = incident::revoke_all(app, &Caller::console()).await.unwrap();
    assert_eq!((done.keys, done.tickets, done.connections), (1, 2, 1));
    assert_eq!(bridge.post(&tea(), &[]).await.status, 401);
    assert!(access::session(app, session.expose_secret()).await.unwrap().is_none());
    assert!(sign_in(app, &code).await.is_err());
    bridge.run_until_idle().await;
    assert_eq!(bridge.calls("revoke"), 1, "Google is told");
    assert_eq!(bridge.titles(ANA), [""; 0]);
    let again = incident::revoke_all(app, &Caller::console()).await.unwrap();
    assert_eq!((again.keys, again.tickets, again.connections), (0, 0, 0));
    assert_eq!(audit::verify(app).await.unwrap().findings, []);

    bridge.connect(ANA).await.unwrap();
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), ["Tea"], "what waited is not lost");
}

#[tokio::test]
async fn every_secret_is_exchanged_in_one_command_and_what_was_linked_works_on() {
    let google = Simulated::start();
    let mut process = Process::start(&google, "").await;
    let browser = process.connect(ANA).await;
    let old = process.new_key().await;
    let base = process.home.base.clone();
    let key_file = std::fs::read_to_string(process.home.key_file()).unwrap();
    let shown = process.home.told(&["incident", "rotate-all"]).await;
    let new = shown.split_whitespace().find(|word| word.starts_with("cb_")).unwrap().to_owned();
    assert_ne!(old, new);
    let refused = browser.create(&base, &old, &tea(), &[]).await.unwrap();
    assert_eq!(refused.status, 401, "{}", refused.text);
    let home = browser.get(&format!("{base}/google-calendar-setup")).await;
    assert!(home.text.contains("Setup code"), "the session is over: {}", home.text);
    let made = browser.create(&base, &new, &tea(), &[]).await.unwrap();
    assert_eq!(made.status, 200, "{}", made.text);
    assert_ne!(std::fs::read_to_string(process.home.key_file()).unwrap(), key_file);
    let status = process.home.told(&["vault", "status", "--json"]).await;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["old"], 0, "{status}");
    process.home.told(&["audit", "verify"]).await;
    let listed = process.home.told(&["audit", "list"]).await;
    for done in ["everything.rotated", "vault.rotated", "vault.rewrapped"] {
        assert!(listed.contains(done), "{done} is not in {listed}");
    }
    assert_eq!(process.stop().await.code(), Some(0));
}

#[tokio::test]
async fn the_console_alone_handles_incidents() {
    let bridge = Bridge::start().await;
    let reader = Caller { scopes: vec![Scope::AdminRead], ..Caller::console() };
    let app = &bridge.tied.app;
    assert!(incident::freeze(app, &reader, "").await.is_err());
    assert!(incident::thaw(app, &reader).await.is_err());
    assert!(incident::revoke_all(app, &reader).await.is_err());
    assert!(incident::renew_all(app, &reader).await.is_err());
    assert_eq!(bridge.get("/incident/freeze").await.status, 404);
}

async fn sign_in(app: &App, code: &str) -> Result<SecretString, Error> {
    let proof = Proof::Code { code: code.to_owned(), new_password: None };
    access::open_session(app, proof, std::net::Ipv4Addr::LOCALHOST.into(), None).await
}
