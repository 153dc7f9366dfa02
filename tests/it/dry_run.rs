//! What would come of a write, told without it.

use chrono::TimeDelta;
use hyper::Method;
use serde_json::{Value, json};

use crate::bridge::{ANA, Answer, Bridge, with};

const EVENTS: &str = "/api/v1/events";
const GUS: &str = "gus@example.org";
const BEA: &str = "bea@example.org";

fn tea(members: &Value) -> Value {
    let body = json!({
        "summary": "Tea",
        "start": "2026-11-30T14:00:00Z",
        "end": "2026-11-30T15:00:00Z",
        "meet": false,
    });
    with(body, members)
}

async fn dry(bridge: &Bridge, method: Method, path: &str, body: &Value) -> Answer {
    bridge.send_json(method, &format!("{path}?dry_run=true"), body, &[]).await
}

async fn made(bridge: &Bridge, members: &Value) -> String {
    let answer = bridge.send_json(Method::POST, EVENTS, &tea(members), &[]).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    bridge.run_until_idle().await;
    format!("{EVENTS}/{}", answer.json()["id"].as_str().expect("an id"))
}

#[tokio::test]
async fn a_dry_run_of_an_event_tells_who_would_get_mail_and_makes_none() {
    let bridge = Bridge::connected().await;
    let guests = json!([GUS, "ana@gmail.com"]);
    for (notify, would_mail, warnings) in [
        ("none", json!([]), json!(["guests_not_notified"])),
        ("external", json!([GUS]), json!([])),
        ("all", guests.clone(), json!([])),
    ] {
        let body = tea(&json!({"guests": guests, "notify": notify}));
        let answer = dry(&bridge, Method::POST, EVENTS, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let told = answer.json();
        assert_eq!((&told["would_mail"], &told["warnings"]), (&would_mail, &warnings), "{notify}");
        assert_eq!((&told["changes"], &told["calendar"]), (&json!(true), &json!(ANA)));
    }
    let refused = dry(&bridge, Method::POST, EVENTS, &tea(&json!({"color": "red"}))).await;
    assert_eq!(refused.status, 422, "everything is checked: {}", refused.text);
    assert_eq!(bridge.tied.app.store.count_jobs().await.expect("a store").live, 0);
    bridge.run_until_idle().await;
    assert_eq!((bridge.titles(ANA).len(), bridge.google.outbox().len()), (0, 0));
}

#[tokio::test]
async fn a_dry_run_of_a_change_counts_those_who_would_be_let_go() {
    let bridge = Bridge::connected().await;
    let path = made(&bridge, &json!({"guests": [GUS, BEA]})).await;
    let edit = json!({"guests": [GUS], "notify": "all"});
    let told = dry(&bridge, Method::PATCH, &path, &edit).await.json();
    assert_eq!((&told["would_mail"], &told["changes"]), (&json!([GUS, BEA]), &json!(true)));
    let same = dry(&bridge, Method::PATCH, &path, &json!({"summary": "Tea"})).await.json();
    assert_eq!((&same["would_mail"], &same["changes"]), (&json!([]), &json!(false)));
    let gone = dry(&bridge, Method::DELETE, &path, &Value::Null).await;
    assert_eq!((gone.status, &gone.json()["changes"]), (200, &json!(true)));
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), ["Tea"]);
    assert_eq!(bridge.google.events(ANA)[0]["attendees"].as_array().map(Vec::len), Some(2));
    let shown = bridge.get(&path).await.json();
    assert_eq!((&shown["revision"], &shown["state"]), (&json!(1), &json!("confirmed")));
}

#[tokio::test]
async fn nobody_would_get_mail_about_what_is_over() {
    let bridge = Bridge::connected().await;
    bridge.pass(TimeDelta::days(60));
    let body = tea(&json!({"guests": [GUS], "notify": "all"}));
    let told = dry(&bridge, Method::POST, EVENTS, &body).await.json();
    assert_eq!(told["would_mail"], json!([]));
    let odd = bridge.send_json(Method::POST, "/api/v1/events?dry_run=perhaps", &body, &[]).await;
    assert_eq!((odd.status, &odd.json()["errors"][0]["pointer"]), (422, &json!("/dry_run")));
}
