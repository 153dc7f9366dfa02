//! How a connection fares, and why a grant died, in plain words.

use std::sync::Arc;

use calbridge::clock::ManualClock;
use calbridge::simulator::{Settings, Simulator};
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::Backend;
use crate::bridge::{ANA, Choices, morning};
use crate::setup::browser::Browser;

/// The risk of this name.
fn risk<'a>(shown: &'a Value, code: &str) -> Option<&'a Value> {
    shown["risks"].as_array().expect("a list").iter().find(|risk| risk["code"] == code)
}

#[tokio::test]
async fn a_grant_that_is_used_weekly_never_idles() {
    let backend = Backend::start().await;
    let bridge = &backend.bridge;
    let ana = backend.connect("ana", ANA).await;
    let shown = backend.told(&ana).await;
    let idle = risk(&shown, "idle").expect("a risk");
    assert_eq!(idle["at"], "2027-05-01T08:00:00Z");
    bridge.pass(TimeDelta::weeks(3));
    bridge.tied.periodic.take_turns().await;
    let shown = backend.told(&ana).await;
    assert_eq!(shown["last_refresh"], "2026-11-23T08:00:00Z");
    assert_eq!(risk(&shown, "idle").expect("a risk")["at"], "2027-05-22T08:00:00Z");
}

#[tokio::test]
async fn a_grant_for_a_time_says_when_it_ends_and_why_it_died() {
    let backend = Backend::start().await;
    let link = backend.link(&json!({ "user": "ana" })).await;
    let week = [("decision", "allow"), ("user", ANA), ("period_days", "7")];
    Browser::new(&backend.bridge).connect_by(&link, &week).await;
    let ana = backend.of("ana").await;
    let shown = backend.told(&ana).await;
    let ends = risk(&shown, "grant_ends").expect("a risk");
    assert_eq!((&shown["risks"][0], &ends["at"]), (ends, &json!("2026-11-09T08:00:00Z")));
    assert!(ends["text"].as_str().expect("a text").contains("Publish the app"), "{ends}");

    backend.bridge.pass(TimeDelta::days(7) + TimeDelta::seconds(1));
    let refused = backend.get(&format!("{ana}/calendars")).await;
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("connection_blocked")));
    let shown = backend.told(&ana).await;
    assert_eq!(shown["state"], "reconnect_needed");
    assert_eq!(shown["cause"]["code"], "grant_expired");
    assert!(shown["cause"]["text"].as_str().expect("a text").contains("seven days"), "{shown}");
    assert!(shown["cause"]["fix"].as_str().expect("a fix").contains("Publish"), "{shown}");
    assert_eq!(shown["risks"], json!([]), "it is dead");
}

#[tokio::test]
async fn a_grant_that_was_taken_back_or_forgotten_says_so() {
    let backend = Backend::start().await;
    let ana = backend.connect("ana", ANA).await;
    backend.bridge.google.revoke_grants(ANA);
    backend.bridge.google.expire_access_tokens();
    assert_eq!(backend.get(&format!("{ana}/calendars")).await.status, 409);
    let cause = backend.told(&ana).await["cause"].clone();
    assert_eq!(cause["code"], "grant_dead");
    assert!(cause["text"].as_str().expect("a text").contains("removed the access"), "{cause}");
    assert!(cause["fix"].as_str().expect("a fix").contains("Connect the same account again"));

    let backend = Backend::start().await;
    let ana = backend.connect("ana", ANA).await;
    backend.bridge.pass(TimeDelta::days(181));
    backend.bridge.google.revoke_grants(ANA);
    assert_eq!(backend.get(&format!("{ana}/calendars")).await.status, 409);
    assert_eq!(backend.told(&ana).await["cause"]["code"], "grant_idle");
}

#[tokio::test]
async fn too_many_tokens_of_one_account_are_told_before_the_oldest_dies() {
    let clock = Arc::new(ManualClock::at(morning()));
    let google = Simulator::with_manual_clock(Settings::default(), clock.clone());
    let settings = "limits.pages = 1000000".to_owned();
    let google = Some((google, clock));
    let backend = Backend::with(Choices { google, settings, ..Choices::default() }).await;
    let ana = backend.connect("ana", ANA).await;
    for _ in 0..24 {
        backend.connect("ana", ANA).await;
        backend.connect("zoe", ANA).await;
        // What the account may be asked in a second is used up by then.
        backend.bridge.pass(TimeDelta::seconds(10));
    }
    assert_eq!(risk(&backend.told(&ana).await, "token_limit"), None);
    backend.connect("zoe", ANA).await;
    let shown = backend.told(&ana).await;
    let risk = risk(&shown, "token_limit").expect("a risk");
    assert!(risk["text"].as_str().expect("a text").contains("50 refresh tokens"), "{risk}");
    assert_eq!(risk["at"], Value::Null);
}
