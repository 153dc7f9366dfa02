//! A service account that acts for users: what lands where, who is charged, and what is told when it
//! may not. yup-oauth2 signs by the system's clock, so these bridges begin at the real time.

use std::sync::Arc;

use calbridge::clock::{Clock, ManualClock, SystemClock};
use calbridge::model::key::Scope;
use calbridge::simulator::{Answered, Quota, Settings, Simulator};
use chrono::TimeDelta;
use hyper::Method;
use serde_json::{Value, json};

use crate::bridge::{ANA, Answer, Bridge, Choices};

const BEN: &str = "ben@example.com";
const ROBOT: &str = "robot@project.iam.gserviceaccount.com";
const NUMBER: &str = "112233445566778899001";

/// A bridge whose service account Google knows as `seed` says, and whose clock is `ahead` of Google's.
async fn bridge_with(seed: &str, ahead: TimeDelta) -> Bridge {
    let public = include_str!("simulator/robot_public.pem");
    let text =
        format!("[[service_account]]\nemail = '{ROBOT}'\npublic_key_pem = '''{public}'''\n{seed}");
    let clock = Arc::new(ManualClock::at(SystemClock.now() + ahead));
    let settings = Settings::from_toml(&text).expect("a seed");
    let google = Simulator::with_manual_clock(settings, clock.clone());
    let place = Arc::new(tempfile::tempdir().expect("a directory"));
    let file = place.path().join("service-account.json");
    std::fs::write(&file, key_file().to_string()).expect("a file");
    let google_settings = format!("service_account_file = \"{}\"", file.display());
    let choices = Choices {
        google: Some((google, clock)),
        place: Some(place),
        google_settings,
        ..Choices::default()
    };
    Bridge::with(choices).await
}

async fn bridge(seed: &str) -> Bridge {
    bridge_with(seed, TimeDelta::zero()).await
}

fn key_file() -> Value {
    json!({
        "type": "service_account",
        "project_id": "project",
        "private_key_id": "abc",
        "private_key": include_str!("simulator/robot.pem"),
        "client_email": ROBOT,
        "client_id": NUMBER,
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": "https://evil.example/token",
    })
}

async fn link(bridge: &Bridge, body: &Value) -> Answer {
    let key = format!("Bearer {}", bridge.key_for(&[Scope::ConnectionsAdmin]).await);
    let headers = [("authorization", key.as_str()), ("content-type", "application/json")];
    bridge.send_raw(Method::POST, "/api/v1/connections", &body.to_string(), &headers).await
}

async fn linked(bridge: &Bridge, user: &str, subject: &str) {
    let answer = link(bridge, &json!({"user": user, "subject": subject})).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
}

async fn create(bridge: &Bridge, user: &str, summary: &str) -> Value {
    let now = bridge.clock.now() + TimeDelta::days(1);
    let moment = |hours| (now + TimeDelta::hours(hours)).format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let body = json!({"user": user, "summary": summary, "start": moment(0), "end": moment(1)});
    let answer = bridge.send_json(Method::POST, "/api/v1/events", &body, &[]).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.json()
}

#[tokio::test]
async fn an_event_lands_in_the_subjects_calendar() {
    let bridge = bridge("delegation = true").await;
    let answer = link(&bridge, &json!({"user": "u-ana", "subject": " Ana@Example.com "})).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let told = answer.json();
    assert_eq!((&told["means"], &told["user"]), (&json!("delegation"), &json!("u-ana")));
    assert_eq!((&told["email"], &told["calendar"]), (&json!(ANA), &json!(ANA)));
    linked(&bridge, "u-ben", BEN).await;
    let made = create(&bridge, "u-ana", "Of Ana").await;
    create(&bridge, "u-ben", "Of Ben").await;
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), ["Of Ana"]);
    assert_eq!(bridge.titles(BEN), ["Of Ben"]);
    assert_eq!(bridge.titles(ROBOT), Vec::<String>::new());
    let path = format!("/api/v1/events/{}", made["id"].as_str().expect("an id"));
    assert_eq!(bridge.get(&path).await.json()["state"], "confirmed");
    // Changed and taken out again.
    let edit = json!({"summary": "Still of Ana"});
    assert_eq!(bridge.send_json(Method::PATCH, &path, &edit, &[]).await.status, 202);
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), ["Still of Ana"]);
    assert_eq!(bridge.send_json(Method::DELETE, &path, &json!({}), &[]).await.status, 202);
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), Vec::<String>::new());
}

#[tokio::test]
async fn another_subject_does_not_take_the_place_of_the_one_that_is_linked() {
    let bridge = bridge("delegation = true").await;
    linked(&bridge, "u-ana", ANA).await;
    let refused = link(&bridge, &json!({"user": "u-ana", "subject": BEN})).await;
    assert_eq!((refused.status, &refused.json()["code"]), (400, &json!("wrong_account")));
}

#[tokio::test]
async fn each_subject_is_charged_for_itself() {
    let bridge = bridge("delegation = true").await;
    linked(&bridge, "u-ana", ANA).await;
    linked(&bridge, "u-ben", BEN).await;
    // Without `quotaUser` both would share what one of them may do, and Google would refuse some.
    bridge.pass(TimeDelta::minutes(2));
    bridge.google.set_quota(Quota { per_user_per_minute: 9, ..Quota::default() });
    let mut last = Value::Null;
    for number in 0..3 {
        create(&bridge, "u-ben", &format!("Ben {number}")).await;
        last = create(&bridge, "u-ana", &format!("Ana {number}")).await;
    }
    bridge.run_until_idle().await;
    let path = format!("/api/v1/events/{}", last["id"].as_str().expect("an id"));
    let edit = json!({"summary": "Ana changed"});
    assert_eq!(bridge.send_json(Method::PATCH, &path, &edit, &[]).await.status, 202);
    bridge.run_until_idle().await;
    assert_eq!((bridge.titles(ANA).len(), bridge.titles(BEN).len()), (3, 3));
    assert!(bridge.titles(ANA).contains(&"Ana changed".into()));
    let ledger = bridge.google.ledger();
    let refused = ledger.iter().filter(|entry| entry.answered == Answered::Status(403)).count();
    assert_eq!(refused, 0, "each has a quota of their own");
    let status = bridge.get("/api/v1/status").await.json();
    assert_eq!(status["limits"]["accounts"].as_array().map(Vec::len), Some(2), "{status}");
}

#[tokio::test]
async fn a_wrong_delegation_is_told_with_its_fix_and_stores_nothing() {
    let without = bridge("").await;
    let partly = "delegation = true\nscopes = ['https://www.googleapis.com/auth/calendar.events']";
    let partly = bridge(partly).await;
    for bridge in [&without, &partly] {
        let refused = link(bridge, &json!({"user": "u-ana", "subject": ANA})).await;
        assert_eq!((refused.status, &refused.json()["code"]), (422, &json!("delegation")));
        let text = refused.json()["detail"].as_str().expect("words").to_owned();
        assert!(text.contains("Domain-wide delegation"), "{text}");
        assert!(text.contains(NUMBER) && text.contains("auth/calendar.freebusy"), "{text}");
    }
    let bridge = bridge("delegation = true").await;
    let nobody = link(&bridge, &json!({"user": "u-eve", "subject": "eve@example.com"})).await;
    assert_eq!(nobody.status, 422, "{}", nobody.text);
    assert!(nobody.text.contains("no user with this address"), "{}", nobody.text);
    for subject in ["", "ana", "a na@example.com", "@example.com"] {
        let answer = link(&bridge, &json!({"subject": subject})).await;
        assert_eq!(answer.status, 422, "{subject:?}: {}", answer.text);
        assert_eq!(answer.json()["code"], "invalid", "{subject:?}");
    }
    for bridge in [&without, &partly, &bridge] {
        let all = bridge.tied.app.store.all_connections(None, 10).await.expect("a store");
        assert!(all.is_empty(), "nothing is kept of a refusal");
    }
}

#[tokio::test]
async fn only_a_key_that_may_links_accounts_so() {
    let bridge = bridge("delegation = true").await;
    let body = json!({"subject": ANA});
    let answer = bridge.send_json(Method::POST, "/api/v1/connections", &body, &[]).await;
    assert_eq!(answer.status, 403, "a key for events alone: {}", answer.text);
    let plain = Bridge::start().await;
    let answer = link(&plain, &json!({"subject": ANA})).await;
    assert_eq!((answer.status, &answer.json()["code"]), (409, &json!("no_service_account")));
    assert!(answer.text.contains("google.service_account_file"), "{}", answer.text);
}

#[tokio::test]
async fn a_delegation_that_ends_pauses_its_subject_and_heals_by_itself() {
    let bridge = bridge("delegation = true").await;
    linked(&bridge, "u-ana", ANA).await;
    let file = bridge.place.path().join("service-account.json");
    let right = std::fs::read_to_string(&file).expect("a file");
    let mut wrong = key_file();
    wrong["client_email"] = "gone@project.iam.gserviceaccount.com".into();
    std::fs::write(&file, wrong.to_string()).expect("a file");
    bridge.google.expire_access_tokens();
    let made = create(&bridge, "u-ana", "Of Ana").await;
    bridge.work().await;
    let waits = bridge.event(&made["id"]).await;
    assert_eq!(
        (&waits["state"], &waits["waits_for"]["code"]),
        (&json!("pending"), &json!("delegation"))
    );
    let text = waits["waits_for"]["text"].as_str().expect("words");
    assert!(text.contains("does not know the service account"), "{text}");
    let job = bridge.job(&waits["job_id"]).await;
    assert_eq!(job["attempts"], 0, "nobody's fault");
    std::fs::write(&file, right).expect("a file");
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), ["Of Ana"]);
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_the_operators_to_set_and_ends_nothing() {
    let bridge = bridge_with("delegation = true", TimeDelta::minutes(-10)).await;
    let refused = link(&bridge, &json!({"user": "u-ana", "subject": ANA})).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert!(refused.text.contains("this machine's clock"), "{}", refused.text);
}
