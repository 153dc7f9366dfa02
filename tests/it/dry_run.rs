//! What would come of a write, told without it.

use std::collections::BTreeSet;
use std::sync::Arc;

use calbridge::clock::ManualClock;
use calbridge::simulator::{Settings, Simulator, User};
use chrono::TimeDelta;
use hyper::Method;
use serde_json::{Map, Value, json};

use crate::bridge::{ANA, Answer, Bridge, Choices, morning, with};

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
async fn those_outside_of_google_get_the_mail_that_a_dry_run_told_of_and_nobody_else_does() {
    let opal = "opal@gmail.com";
    let mut settings = Settings::default();
    settings.users.push(User { email: opal.into(), time_zone: "UTC".into(), ..User::default() });
    let clock = Arc::new(ManualClock::at(morning()));
    let google = Some((Simulator::with_manual_clock(settings, clock.clone()), clock));
    let bridge = Bridge::with(Choices { google, ..Choices::default() }).await;
    bridge.connect(ANA).await.expect("connected");
    let external = |guests: &[&str]| tea(&json!({"guests": guests, "notify": "external"}));
    let (first, second) = (external(&[GUS, opal, BEA]), external(&[GUS, opal, "zoe@example.org"]));
    let (mut path, mut heard) = (EVENTS.to_owned(), 0);
    for (method, body, mailed) in [
        (Method::POST, first, vec![BEA, GUS]),
        (Method::PATCH, second, vec![BEA, GUS, "zoe@example.org"]),
        (Method::DELETE, Value::Null, vec![GUS, "zoe@example.org"]),
    ] {
        let told = dry(&bridge, method.clone(), &path, &body).await.json();
        bridge.run_until_idle().await;
        assert_eq!(bridge.google.outbox().len(), heard, "{method}: it was dry");
        let answer = bridge.send_json(method.clone(), &path, &body, &[]).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        bridge.run_until_idle().await;
        let outbox = bridge.google.outbox();
        let got: BTreeSet<_> = outbox[heard..].iter().map(|mail| mail.to.as_str()).collect();
        let would = told["would_mail"].as_array().expect("a list").iter();
        let would: BTreeSet<_> = would.map(|email| email.as_str().expect("an address")).collect();
        assert_eq!((&got, &would), (&mailed.iter().copied().collect(), &got), "{method}");
        assert_eq!(outbox.len() - heard, got.len(), "{method}: one mail for each");
        path = format!("{EVENTS}/{}", answer.json()["id"].as_str().expect("an id"));
        heard = outbox.len();
    }
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
async fn a_dry_run_warns_of_guests_whom_only_google_knows() {
    let bridge = Bridge::connected().await;
    let uncounted = |told: &Value| {
        let warnings = told["warnings"].as_array().expect("warnings");
        warnings.contains(&json!("google_guests_not_counted"))
    };
    let asked = json!({"guests": [GUS], "notify": "all"});
    let new = dry(&bridge, Method::POST, EVENTS, &tea(&asked)).await.json();
    assert!(!uncounted(&new), "nobody can have added guests to it: {new}");
    let path = made(&bridge, &asked).await;
    let name = bridge.google.events(ANA)[0]["id"].as_str().expect("an id").to_owned();
    let guests = json!([{"email": GUS}, {"email": BEA}]);
    let members = Map::from_iter([("attendees".to_owned(), guests)]);
    assert!(bridge.google.edit_event(ANA, &name, members), "a person invites one more");
    let none = Value::Null;
    for (method, body, warned) in [
        (Method::PATCH, json!({"summary": "Coffee"}), true),
        (Method::PATCH, json!({"summary": "Tea"}), false),
        (Method::PATCH, json!({"summary": "Coffee", "notify": "none"}), false),
        (Method::DELETE, none.clone(), true),
    ] {
        let told = dry(&bridge, method.clone(), &path, &body).await.json();
        assert_eq!(uncounted(&told), warned, "{method} {body}: {told}");
    }
    let series = mondays(&bridge).await;
    let all = json!({"summary": "Coffee", "notify": "all"});
    let told = dry_of(&bridge, Method::PATCH, &series, "range=all", &all).await.json();
    assert!(uncounted(&told), "{told}");
    bridge.pass(TimeDelta::days(60));
    let over = dry(&bridge, Method::DELETE, &path, &none).await.json();
    assert!(!uncounted(&over), "nobody gets mail about what is over: {over}");
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

/// A series of Mondays, to which two are invited.
async fn mondays(bridge: &Bridge) -> String {
    let series = json!({
        "time_zone": "Europe/Lisbon", "start": "2026-11-30T14:00:00", "end": "2026-11-30T15:00:00",
        "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"], "guests": [GUS, BEA], "external_id": "mondays",
    });
    made(bridge, &series).await
}

async fn dry_of(bridge: &Bridge, method: Method, path: &str, query: &str, body: &Value) -> Answer {
    bridge.send_json(method, &format!("{path}?dry_run=true&{query}"), body, &[]).await
}

#[tokio::test]
async fn a_dry_run_reaches_as_far_as_the_change_would() {
    let bridge = Bridge::connected().await;
    let path = mondays(&bridge).await;
    let before = bridge.google.ledger().len();
    let all = json!({ "notify": "all", "summary": "Coffee" });
    for query in [
        "instance=2026-12-07T14:00:00",
        "instance=2026-12-07T14:00:00&range=following",
        "range=all",
    ] {
        let told = dry_of(&bridge, Method::PATCH, &path, query, &all).await;
        assert_eq!(told.status, 200, "{query}: {}", told.text);
        let told = told.json();
        assert_eq!(
            (&told["changes"], &told["would_mail"]),
            (&json!(true), &json!([BEA, GUS])),
            "{query}"
        );
    }
    let one = json!({ "notify": "all", "guests": [GUS] });
    let told =
        dry_of(&bridge, Method::PATCH, &path, "instance=2026-12-07T14:00:00", &one).await.json();
    assert_eq!(told["would_mail"], json!([BEA, GUS]), "one is let go");
    for (query, status) in
        [("instance=2026-12-08T14:00:00", 404), ("instance=soon", 422), ("range=this", 422)]
    {
        let told = dry_of(&bridge, Method::PATCH, &path, query, &all).await;
        assert_eq!(told.status, status, "{query}: {}", told.text);
    }
    let wrong = json!({ "recurrence": ["RRULE:FREQ=WEEKLY;BYDAY=TU"] });
    let told = dry_of(&bridge, Method::PATCH, &path, "range=all", &wrong).await;
    assert_eq!((told.status, &told.json()["errors"][0]["pointer"]), (422, &json!("/start")));
    for query in [
        "instance=2026-12-07T14:00:00",
        "instance=2026-12-07T14:00:00&range=following",
        "range=all",
    ] {
        let told = dry_of(&bridge, Method::DELETE, &path, query, &Value::Null).await;
        assert_eq!((told.status, &told.json()["changes"]), (200, &json!(true)), "{query}");
    }
    let far =
        dry_of(&bridge, Method::DELETE, &path, "instance=2027-12-06T14:00:00", &Value::Null).await;
    assert_eq!(far.status, 404, "{}", far.text);
    assert_eq!(bridge.get(&path).await.json()["revision"], 1);
    bridge.run_until_idle().await;
    assert_eq!(bridge.google.ledger().len(), before, "Google was told nothing");
}

#[tokio::test]
async fn a_dry_run_of_a_series_that_is_sent_again_knows_what_stands_apart() {
    let bridge = Bridge::connected().await;
    let path = mondays(&bridge).await;
    let concert = json!({ "summary": "Concert" });
    let one = format!("{path}?instance=2026-12-07T14:00:00");
    assert_eq!(bridge.send_json(Method::PATCH, &one, &concert, &[]).await.status, 202);
    bridge.run_until_idle().await;
    let shown = bridge.get(&path).await.json();
    let body = tea(&json!({
        "time_zone": "Europe/Lisbon", "start": "2026-11-30T14:00:00", "end": "2026-11-30T15:00:00",
        "recurrence": shown["recurrence"], "guests": [GUS, BEA], "external_id": "mondays",
    }));
    let same = dry(&bridge, Method::POST, EVENTS, &body).await.json();
    assert_eq!(same["changes"], false, "{same}");
    let other =
        dry(&bridge, Method::POST, EVENTS, &with(body, &json!({ "summary": "Cocoa" }))).await;
    assert_eq!(other.json()["changes"], true, "{}", other.text);
}
