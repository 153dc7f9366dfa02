//! The OAuth client is exchanged while the bridge runs: nobody's grant is lost, and what waited goes on.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use calbridge::clock::{Clock, ManualClock};
use calbridge::model::connection::Health;
use calbridge::model::key::Scope;
use calbridge::simulator::{Client, Settings, Simulator};
use chrono::TimeDelta;
use hyper::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::accounts::{lend, link, relink, state};
use crate::bridge::{ANA, Answer, Bridge, Choices, morning, tea, with};
use crate::process::{Process, Simulated};
use crate::setup::browser::{Browser, HOME};

const BEN: &str = "ben@example.com";
const CALLBACK: &str = "http://localhost:3001/oauth2callback";
const EVENTS: &str = "/api/v1/events";
const CLIENT: &str = "/api/v1/oauth-client";
const OTHER: &str = "other.apps.googleusercontent.com";

/// A bridge with the server's account connected, at a Google that knows a second OAuth client.
async fn connected() -> Bridge {
    let mut settings = Settings::default();
    let first = settings.clients[0].clone();
    settings.clients.push(Client {
        id: OTHER.into(),
        secret: "GOCSPX-of-the-other".into(),
        ..first
    });
    let clock = Arc::new(ManualClock::at(morning()));
    let google = Simulator::with_manual_clock(settings, clock.clone());
    let bridge = Bridge::with(Choices {
        google: Some((google, clock)),
        in_memory: true,
        ..Choices::default()
    })
    .await;
    bridge.connect(ANA).await.expect("the server's account");
    bridge
}

/// The file of the client in use.
fn file_of(bridge: &Bridge) -> PathBuf {
    bridge.place.path().join("google-credentials.json")
}

/// The first client's file, with these members of it changed.
fn file(bridge: &Bridge, members: &Value) -> String {
    let text = bridge.google.credentials_json(CALLBACK);
    let mut file: Value = serde_json::from_str(&text).expect("JSON");
    file["web"] = with(file["web"].clone(), members);
    file.to_string()
}

fn other(bridge: &Bridge) -> String {
    file(bridge, &json!({"client_id": OTHER, "client_secret": "GOCSPX-of-the-other"}))
}

/// The secret was changed in Google's console, and the file still holds the old one.
fn let_the_secret_die(bridge: &Bridge) {
    let dead = file(bridge, &json!({"client_secret": "GOCSPX-of-yesterday"}));
    std::fs::write(file_of(bridge), dead).expect("a file");
    bridge.google.expire_access_tokens();
}

async fn put(bridge: &Bridge, file: &str) -> Answer {
    let key = format!("Bearer {}", bridge.key_for(&[Scope::Admin]).await);
    let headers = [("authorization", key.as_str()), ("content-type", "application/json")];
    let request = bridge.request(Method::PUT, CLIENT).body(axum::body::Body::from(file.to_owned()));
    let mut request = request.expect("a request");
    for (name, value) in headers {
        request.headers_mut().insert(name, value.parse().expect("a value"));
    }
    bridge.router_ask(request).await
}

async fn create(bridge: &Bridge, user: Option<&str>, summary: &str) -> Value {
    let body = json!({
        "user": user, "summary": summary,
        "start": "2026-11-30T14:00:00", "end": "2026-11-30T15:00:00", "time_zone": "Europe/Lisbon",
    });
    let answer = bridge.router_send(Method::POST, EVENTS, &body).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.json()
}

#[tokio::test]
async fn a_dead_client_secret_pauses_a_thousand_connections_and_costs_none() {
    let bridge = connected().await;
    let mut linked = Vec::new();
    for number in 0..1000 {
        linked.push(lend(&bridge, &format!("u-{number}")).await);
    }
    let_the_secret_die(&bridge);
    for number in 0..1000 {
        create(&bridge, Some(&format!("u-{number}")), &format!("Event {number}")).await;
    }
    bridge.work().await;
    let refused = bridge.google.token_calls("refresh_token");
    assert!(refused < 20, "all of Google is left alone, but for a probe: {refused} refreshes");
    for _ in 0..5 {
        bridge.pass(TimeDelta::minutes(10));
        bridge.work().await;
    }
    assert_eq!(bridge.titles(ANA), Vec::<String>::new());
    for id in &linked {
        assert_eq!(state(&bridge, *id).await, Health::Connected, "no grant is given up");
    }
    let counts = bridge.tied.app.store.count_jobs().await.expect("a store");
    assert_eq!((counts.live, counts.dead), (1000, 0));

    let mended = put(&bridge, &file(&bridge, &json!({}))).await;
    assert_eq!(mended.status, 200, "{}", mended.text);
    assert_eq!(mended.json()["reconnect_needed"], 0);
    // At once: no moment of the backoff is waited for, only for Google's quota.
    bridge.work().await;
    assert!(!bridge.titles(ANA).is_empty(), "what waited goes on without waiting any longer");
    run_to_the_end(&bridge).await;
    assert_eq!(bridge.titles(ANA).len(), 1000);
    let counts = bridge.tied.app.store.count_jobs().await.expect("a store");
    assert_eq!((counts.live, counts.dead, counts.done), (0, 0, 1000));
}

/// Like `run_until_idle`, for a mass whose quota comes in many moments.
async fn run_to_the_end(bridge: &Bridge) {
    while bridge.tied.app.store.count_jobs().await.expect("a store").live > 0 {
        bridge.work().await;
        bridge.clock.set(bridge.clock.now() + TimeDelta::seconds(10));
    }
}

#[tokio::test]
async fn a_dead_grant_blocks_its_own_connection_alone_and_drains_after_the_reconnect() {
    let bridge = connected().await;
    bridge.disconnect().await;
    bridge.work().await;
    let bens = link(&bridge, "u-ben", BEN).await;
    bridge.connect(ANA).await.expect("the server's account");
    lend(&bridge, "u-ana").await;
    bridge.google.revoke_grants(BEN);
    let waits = create(&bridge, Some("u-ben"), "Of Ben").await;
    let also = create(&bridge, Some("u-ben"), "Of Ben too").await;
    create(&bridge, Some("u-ana"), "Of Ana").await;
    create(&bridge, None, "Ours").await;
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA).len(), 2, "others go on");
    for event in [&waits, &also] {
        let shown = bridge.event(&event["id"]).await;
        assert_eq!(shown["waits_for"]["code"], "grant_dead");
        assert!(shown["waits_for"]["text"].as_str().expect("words").contains("ended the grant"));
        assert_eq!(bridge.job(&shown["job_id"]).await["attempts"], 0);
    }
    assert!(matches!(state(&bridge, bens).await, Health::ReconnectNeeded(_)));
    relink(&bridge, bens, BEN).await;
    bridge.run_until_idle().await;
    let mut titles = bridge.titles(BEN);
    titles.sort();
    assert_eq!(titles, ["Of Ben", "Of Ben too"]);
}

#[tokio::test]
async fn another_client_keeps_the_old_grants_and_the_old_file_heals_everything() {
    let bridge = connected().await;
    let bens = lend(&bridge, "u-ben").await;
    let old = std::fs::read_to_string(file_of(&bridge)).expect("a file");
    let answer = put(&bridge, &other(&bridge)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let told = answer.json();
    assert_eq!((&told["client_id"], &told["reconnect_needed"]), (&json!(OTHER), &json!(2)));
    assert!(told["text"].as_str().expect("words").contains("2 connections"), "{told}");
    let status = bridge.get("/api/v1/status").await.json();
    assert_eq!(status["reconnect_needed"], 2);

    let event = create(&bridge, Some("u-ben"), "Of Ben").await;
    bridge.run_until_idle().await;
    let shown = bridge.event(&event["id"]).await;
    assert_eq!(shown["waits_for"]["code"], "client_changed");
    assert_eq!(bridge.calls("calendar.events.insert"), 0, "a foreign grant is not used");
    assert_eq!(bridge.google.token_calls("refresh_token"), 0);
    assert_eq!(state(&bridge, bens).await, Health::Connected, "nor given up");

    let answer = put(&bridge, &old).await;
    assert_eq!(answer.json()["reconnect_needed"], 0, "{}", answer.text);
    bridge.work().await;
    assert_eq!(bridge.titles(ANA), ["Of Ben"], "at once");
}

#[tokio::test]
async fn what_google_is_asked_for_by_a_grant_of_another_client_is_a_problem_that_says_what_to_do() {
    let bridge = connected().await;
    let bens = lend(&bridge, "u-ben").await;
    let admin = format!("Bearer {}", bridge.key_for(&[Scope::Admin]).await);
    let headers = [("authorization", admin.as_str()), ("content-type", "application/json")];
    put(&bridge, &other(&bridge)).await;
    let path = format!("/api/v1/connections/{bens}");
    for (method, path, body) in [
        (Method::GET, format!("{path}/calendars"), String::new()),
        (Method::PATCH, path, json!({"default_calendar": ANA}).to_string()),
    ] {
        let answer = bridge.send_raw(method, &path, &body, &headers).await;
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let told = answer.json();
        assert_eq!((answer.status, &told["code"]), (409, &json!("client_changed")), "{path}");
        for member in ["detail", "advice"] {
            assert!(told[member].as_str().is_some_and(|text| !text.is_empty()), "{told}");
        }
    }
    assert_eq!(bridge.calls("calendar.calendarList.list"), 0, "Google is not asked");
}

#[tokio::test]
async fn a_reconnect_by_the_new_client_goes_on_where_the_old_one_stopped() {
    let bridge = connected().await;
    put(&bridge, &other(&bridge)).await;
    let event = create(&bridge, None, "Ours").await;
    bridge.run_until_idle().await;
    assert_eq!(bridge.event(&event["id"]).await["waits_for"]["code"], "client_changed");
    bridge.connect(ANA).await.expect("the same account, by the new client");
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), ["Ours"]);
    let shown = bridge.get(CLIENT).await;
    assert_eq!(shown.status, 403, "a key for events may not see it");
}

#[tokio::test]
async fn a_file_that_could_not_be_used_is_not_taken() {
    let bridge = connected().await;
    let before = std::fs::read_to_string(file_of(&bridge)).expect("a file");
    let elsewhere = file(&bridge, &json!({"redirect_uris": ["https://elsewhere.example/back"]}));
    let wrong = ["", "{}", "AIzaSyNothing", "{\"installed\": {}}", elsewhere.as_str()];
    for json in wrong {
        let answer = put(&bridge, json).await;
        assert!(matches!(answer.status, 409 | 422), "{json}: {} {}", answer.status, answer.text);
    }
    assert_eq!(put(&bridge, "{}").await.json()["code"], "bad_credentials");
    assert_eq!(put(&bridge, &elsewhere).await.json()["code"], "redirect_uri");
    assert_eq!(std::fs::read_to_string(file_of(&bridge)).expect("a file"), before);
    let answer = bridge.send_raw(Method::PUT, CLIENT, &before, &[]).await;
    assert_eq!(answer.status, 403, "only an administrator's key: {}", answer.text);
    let again = put(&bridge, &before).await;
    assert_eq!(again.status, 200, "{}", again.text);
    assert!(!again.text.contains("GOCSPX"), "the secret is not shown again");
    let mode = std::fs::metadata(file_of(&bridge)).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn an_administrator_pastes_the_client_on_the_setup_page() {
    let bridge = connected().await;
    let browser = Browser::signed_in(&bridge).await;
    let home = browser.get(HOME).await;
    assert!(home.text.contains("id=\"client-json\""), "{}", home.text);
    assert!(!home.text.contains("GOCSPX"), "no secret stands on the page");
    let json = other(&bridge);
    let fields = [("client", json.as_str())];
    let answer = browser.submit("/google-calendar-setup/oauth-client", &fields).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    let home = browser.get(answer.header("location")).await;
    assert!(
        home.text.contains("id=\"client-changed\"") && home.text.contains(OTHER),
        "{}",
        home.text
    );
    let fields = [("client", "{}")];
    let answer = browser.submit("/google-calendar-setup/oauth-client", &fields).await;
    assert_eq!(answer.status, 422, "{}", answer.text);
    assert!(answer.text.contains("was not exchanged"), "{}", answer.text);
}

#[tokio::test]
async fn sighup_tells_a_running_process_of_a_new_file() {
    let google = Simulated::start();
    let mut process = Process::start(&google, "classic.wait_secs = 0").await;
    let browser = process.connect(ANA).await;
    let key = process.new_key().await;
    let base = process.home.base.clone();
    let file = process.home.place.path().join("google-credentials.json");
    let right = std::fs::read_to_string(&file).expect("a file");
    std::fs::write(&file, right.replace("GOCSPX-known-to-everybody", "GOCSPX-dead"))
        .expect("a file");
    google.google.expire_access_tokens();
    let made = browser.create(&base, &key, &tea(), &[]).await.expect("an answer");
    assert_eq!(made.status, 202, "{}", made.text);
    process.line_with("refresh failed").await;
    let id = Pid::from_raw(i32::try_from(process.id()).expect("an id")).expect("an id");
    let hang_up = || kill_process(id, Signal::HUP).expect("it runs");
    std::fs::write(&file, right.replace("-simulator.apps", "-other.apps")).expect("a file");
    hang_up();
    process.line_with("the OAuth client is another than the one").await;
    let made = browser.create(&base, &key, &tea(), &[]).await.expect("an answer");
    assert_eq!((made.status, &made.json()["code"]), (202, &json!("client_changed")));
    std::fs::write(&file, right).expect("a file");
    hang_up();
    let again = with(tea(), &json!({"summary": "Coffee"}));
    let made = browser.create(&base, &key, &again, &[("prefer", "wait=50")]).await;
    let made = made.expect("an answer");
    assert_eq!(made.status, 200, "{}", made.text);
    assert_eq!(process.stop().await.code(), Some(0));
}

#[tokio::test]
async fn a_file_put_in_place_without_a_word_counts_at_once() {
    let bridge = connected().await;
    // Long after today's files were written: what they said is remembered as long as they stay as they are.
    bridge.pass(TimeDelta::days(36_500));
    let right = std::fs::read_to_string(file_of(&bridge)).expect("a file");
    let wrong = other(&bridge);
    for (file, waits_for) in [(&right, json!(null)), (&wrong, json!("client_changed"))] {
        for _ in 0..2 {
            std::fs::write(file_of(&bridge), file).expect("a file");
            let event = create(&bridge, None, "Ours").await;
            assert_eq!(event["waits_for"]["code"], waits_for);
        }
    }
}
