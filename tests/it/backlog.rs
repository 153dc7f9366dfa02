//! Many events at once, and no more jobs than may wait.

use chrono::TimeDelta;
use hyper::Method;
use serde_json::{Value, json};

use crate::bridge::{ANA, Answer, Bridge, Choices, brew, tea, with};

const BATCH: &str = "/api/v1/events/batch";

fn titled(title: &str) -> Value {
    with(tea(), &json!({ "summary": title }))
}

/// An item of a batch.
fn item(title: &str) -> Value {
    with(brew(), &json!({ "summary": title }))
}

/// The titles in the calendar, in the order of the alphabet.
fn sorted(bridge: &Bridge) -> Vec<String> {
    let mut titles = bridge.titles(ANA);
    titles.sort();
    titles
}

async fn send(bridge: &Bridge, items: &[Value], headers: &[(&str, &str)]) -> Answer {
    bridge.send_json(Method::POST, BATCH, &json!({ "events": items }), headers).await
}

/// A connected bridge with these settings of the queue.
async fn narrow(settings: &str) -> Bridge {
    let settings = format!("[queue]\n{settings}\n");
    let bridge = Bridge::with(Choices { settings, ..Choices::default() }).await;
    bridge.connect(ANA).await.expect("connected");
    bridge
}

#[tokio::test]
async fn a_batch_is_answered_item_by_item_and_its_valid_items_arrive() {
    let bridge = Bridge::connected().await;
    let items = [
        item("one"),
        with(brew(), &json!({ "end": "2026-11-30T13:00:00" })),
        json!("not an event"),
        with(brew(), &json!({ "colour": "red" })),
        item("two"),
        with(brew(), &json!({ "description": "x".repeat(8193) })),
    ];
    let answer = send(&bridge, &items, &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let body = answer.json();
    assert_eq!((&body["accepted"], &body["refused"]), (&json!(2), &json!(4)));
    let of = |n: usize| &body["results"][n];
    let statuses: Vec<_> = (0..6).map(|n| of(n)["status"].clone()).collect();
    assert_eq!(statuses, [202, 422, 422, 422, 202, 422]);
    assert_eq!(of(1)["problem"]["errors"][0]["pointer"], "/end");
    assert_eq!(of(3)["problem"]["errors"][0]["pointer"], "/colour");
    assert_eq!(of(5)["problem"]["errors"][0]["pointer"], "/description");
    assert_eq!(bridge.event(&of(0)["id"]).await["summary"], "one");
    bridge.run_until_idle().await;
    assert_eq!(sorted(&bridge), ["one", "two"]);
    assert_eq!(bridge.job(&of(4)["job_id"]).await["state"], "done");
}

#[tokio::test]
async fn a_batch_holds_a_thousand_items_and_no_more() {
    let bridge = Bridge::connected().await;
    let items: Vec<Value> = (0..1000).map(|n| item(&format!("event {n}"))).collect();
    let answer = send(&bridge, &items, &[]).await;
    assert_eq!((answer.status, &answer.json()["accepted"]), (200, &json!(1000)));
    assert_eq!(bridge.tied.app.store.count_jobs().await.expect("counts").live, 1000);
    let more: Vec<Value> = (0..1001).map(|n| item(&format!("event {n}"))).collect();
    for items in [&more[..], &[]] {
        let answer = send(&bridge, items, &[]).await;
        assert_eq!((answer.status, &answer.json()["code"]), (422, &json!("invalid")));
    }
    assert_eq!(bridge.tied.app.store.count_jobs().await.expect("counts").live, 1000);
}

#[tokio::test]
async fn a_batch_may_be_larger_than_other_bodies_and_is_bounded_too() {
    let bridge = Bridge::connected().await;
    let long = with(brew(), &json!({ "description": "x".repeat(8000) }));
    assert_eq!(send(&bridge, &vec![long.clone(); 400], &[]).await.status, 200);
    let answer = send(&bridge, &vec![long; 600], &[]).await;
    assert_eq!((answer.status, &answer.json()["code"]), (413, &json!("body_too_large")));
}

#[tokio::test]
async fn a_repeated_batch_makes_no_twins_whether_its_items_or_the_whole_bear_a_key() {
    let bridge = Bridge::connected().await;
    let items = [with(item("one"), &json!({ "idempotency_key": "order-1" })), item("two")];
    let whole = [("idempotency-key", "import-7")];
    let first = send(&bridge, &items, &whole).await.json();
    bridge.run_until_idle().await;
    let again = send(&bridge, &items, &whole).await.json();
    for n in 0..2 {
        let (first, again) = (&first["results"][n], &again["results"][n]);
        assert_eq!((&first["id"], &first["replayed"]), (&again["id"], &json!(false)));
        assert_eq!((&again["replayed"], &again["state"]), (&json!(true), &json!("confirmed")));
    }
    let other = [with(item("three"), &json!({ "idempotency_key": "order-1" }))];
    let refused = send(&bridge, &other, &[]).await.json();
    assert_eq!(refused["results"][0]["problem"]["code"], "idempotency_key_reused");
    bridge.run_until_idle().await;
    assert_eq!(sorted(&bridge), ["one", "two"]);
}

#[tokio::test]
async fn the_same_item_twice_in_a_batch_is_one_event() {
    let bridge = Bridge::connected().await;
    let item = with(item("one"), &json!({ "idempotency_key": "order-1" }));
    let body = send(&bridge, &[item.clone(), item], &[]).await.json();
    assert_eq!(body["results"][0]["id"], body["results"][1]["id"]);
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), ["one"]);
}

#[tokio::test]
async fn a_batch_gives_way_to_who_waits() {
    let bridge = Bridge::connected().await;
    let items: Vec<Value> = (0..50).map(|n| item(&format!("event {n}"))).collect();
    send(&bridge, &items, &[]).await;
    let answer = bridge.post(&titled("now"), &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    bridge.run_until_idle().await;
    let inserts = bridge.google.ledger();
    let inserts = inserts.iter().filter(|entry| entry.method == "calendar.events.insert");
    let place = inserts
        .map(|entry| &entry.event)
        .position(|event| event.as_deref() == answer.json()["eventId"].as_str());
    assert!(place.is_some_and(|place| place < 5), "{place:?}");
}

#[tokio::test]
async fn more_jobs_than_may_wait_are_refused_until_some_are_done() {
    let bridge = narrow("max_jobs = 3").await;
    let key = [("idempotency-key", "order-1"), ("prefer", "respond-async")];
    let first = bridge.post(&titled("one"), &key).await;
    assert_eq!(first.status, 202, "{}", first.text);
    let body = bridge
        .router_send(
            Method::POST,
            BATCH,
            &json!({ "events": [item("two"), item("three"), item("four")] }),
        )
        .await
        .json();
    let statuses: Vec<_> =
        body["results"].as_array().expect("results").iter().map(|item| &item["status"]).collect();
    assert_eq!(statuses, [202, 202, 503]);
    assert_eq!(body["results"][2]["problem"]["code"], "backlog_full");
    let refused = bridge.post(&titled("five"), &key[1..]).await;
    assert_eq!((refused.status, &refused.json()["code"]), (503, &json!("backlog_full")));
    assert_eq!(refused.header("retry-after"), "30");
    let known = bridge.post(&titled("one"), &key).await;
    assert_eq!((known.status, known.header("idempotent-replayed")), (202, "true"));
    bridge.run_until_idle().await;
    assert_eq!(bridge.post(&titled("five"), &[]).await.status, 200);
    assert_eq!(bridge.titles(ANA).len(), 4);
}

#[tokio::test]
async fn how_full_the_backlog_is_is_told_and_names_nobody() {
    let bridge = narrow("max_jobs = 9\nmax_jobs_per_owner = 4").await;
    let items = [item("one"), item("two"), item("three")];
    bridge.router_send(Method::POST, BATCH, &json!({ "events": items })).await;
    let limits = async || bridge.get("/api/v1/status").await.json()["limits"].clone();
    let full = limits().await;
    assert_eq!(full["backlog"], json!({ "limit": 9, "used": 3, "left": 6 }));
    assert_eq!(full["owner_backlog"], json!({ "limit": 4, "used": 3, "left": 1 }));
    let metrics = bridge.get("/metrics").await.text;
    for line in [
        "calbridge_backlog_limit 9",
        "calbridge_backlog_used 3",
        "calbridge_backlog_left 6",
        "calbridge_backlog_owner_limit 4",
        "calbridge_backlog_owner_used 3",
        "calbridge_backlog_owner_left 1",
    ] {
        assert!(metrics.lines().any(|told| told == line), "{line}: {metrics}");
    }
    bridge.run_until_idle().await;
    bridge.pass(TimeDelta::minutes(1));
    let empty = limits().await;
    assert_eq!(empty["backlog"]["left"], 9);
    assert_eq!(empty["owner_backlog"]["left"], 4, "the owners are looked at again");
}

#[tokio::test]
async fn one_owner_fills_only_an_owners_share() {
    let bridge = narrow("max_jobs_per_owner = 2").await;
    let items = [item("one"), item("two"), item("three")];
    let body = bridge.router_send(Method::POST, BATCH, &json!({ "events": items })).await.json();
    let refused = &body["results"][2];
    assert_eq!(refused["status"], 429);
    assert_eq!(refused["problem"]["code"], "owner_backlog_full");
    assert!(refused["problem"]["detail"].as_str().expect("a sentence").contains("again"));
    bridge.run_until_idle().await;
    assert_eq!(sorted(&bridge), ["one", "two"]);
}
