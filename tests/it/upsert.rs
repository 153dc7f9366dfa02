//! Events that a backend names in its own words: sent again they are the same events, whoever sends
//! them, how often, and whatever was lost meanwhile.

mod lost;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Body;
use calbridge::simulator::{Fault, FaultKind};
use calbridge::store::Store;
use chrono::TimeDelta;
use http_body_util::BodyExt;
use hyper::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tower::ServiceExt;

use crate::bridge::{ANA, Answer, Bridge, Choices, brew, with};
use crate::series::calendar;

const EVENTS: &str = "/api/v1/events";
const BATCH: &str = "/api/v1/events/batch";
const INSERT: &str = "calendar.events.insert";

fn order(number: usize, title: &str) -> Value {
    with(brew(), &json!({ "summary": title, "external_id": format!("order/{number}") }))
}

async fn put(bridge: &Bridge, body: &Value) -> Answer {
    bridge.router_send(Method::POST, EVENTS, body).await
}

/// A bridge in the place of one that lost its store, with the account connected again.
async fn after_loss(bridge: &Bridge) -> Bridge {
    let choices = Choices {
        google: Some((bridge.google.clone(), Arc::clone(&bridge.clock))),
        place: Some(Arc::clone(&bridge.place)),
        seed: 77,
        ..Choices::default()
    };
    let second = Bridge::with(choices).await;
    second.connect(ANA).await.expect("connected again");
    second
}

/// Sends all of them, none waiting for another.
async fn at_once(bridge: &Bridge, bodies: &[Value]) -> Vec<(u16, Value)> {
    let mut sending = JoinSet::new();
    for body in bodies {
        let request =
            bridge.request(Method::POST, EVENTS).header("content-type", "application/json");
        let request = request.body(Body::from(body.to_string())).expect("a request");
        let router = bridge.router.clone();
        sending.spawn(async move {
            let answer = router.oneshot(request).await.unwrap_or_else(|never| match never {});
            let status = answer.status().as_u16();
            let body = answer.into_body().collect().await.expect("a body").to_bytes();
            (status, serde_json::from_slice(&body).expect("JSON"))
        });
    }
    sending.join_all().await
}

/// Sends it, and lets everything come to rest.
async fn settle(bridge: &Bridge, body: &Value) -> Value {
    let answer = put(bridge, body).await;
    assert!(matches!(answer.status, 200 | 202), "{}", answer.text);
    bridge.run_until_idle().await;
    bridge.event(&answer.json()["id"]).await
}

fn path_of(event: &Value) -> String {
    format!("{EVENTS}/{}", event["id"].as_str().expect("an id"))
}

async fn cancel(bridge: &Bridge, event: &Value) {
    let answer = bridge.router_send(Method::DELETE, &path_of(event), &Value::Null).await;
    assert!(matches!(answer.status, 200 | 202), "{}", answer.text);
    bridge.run_until_idle().await;
}

/// A person takes the event out of the calendar.
fn delete_at_google(bridge: &Bridge, event: &Value) {
    let id = event["google"]["event_id"].as_str().expect("Google has it");
    assert!(bridge.google.remove_event(ANA, id));
}

fn sorted(bridge: &Bridge) -> Vec<String> {
    let mut titles = bridge.titles(ANA);
    titles.sort();
    titles
}

#[tokio::test]
async fn what_is_sent_again_is_the_same_event_and_nothing_happens() {
    let bridge = Bridge::connected().await;
    let first = settle(&bridge, &order(1, "Tea")).await;
    let calls = bridge.google.ledger().len();
    let again = put(&bridge, &order(1, "Tea")).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, ""));
    assert_eq!(again.json()["etag"], first["etag"]);
    assert_eq!(again.json()["external_id"], "order/1");
    bridge.run_until_idle().await;
    assert_eq!(bridge.google.ledger().len(), calls, "Google was not asked");
    let other = settle(&bridge, &order(2, "Tea")).await;
    assert_ne!(other["id"], first["id"]);
}

#[tokio::test]
async fn what_says_something_else_is_the_next_revision() {
    let bridge = Bridge::connected().await;
    let first = with(order(1, "Tea"), &json!({ "location": "Lisbon" }));
    let first = settle(&bridge, &first).await;
    let answer = put(&bridge, &order(1, "Coffee")).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    bridge.run_until_idle().await;
    let now = bridge.event(&first["id"]).await;
    assert_eq!((&now["revision"], &now["summary"]), (&json!(2), &json!("Coffee")));
    assert_eq!(now["location"], "", "what is not said any more is gone");
    assert_eq!(bridge.titles(ANA), ["Coffee"]);
    assert_eq!(bridge.google.events(ANA)[0]["location"], Value::Null);
    assert_eq!(bridge.calls(INSERT), 1);
}

#[tokio::test]
async fn a_repeated_request_shows_the_event_and_changes_nothing() {
    let bridge = Bridge::connected().await;
    let key = [("idempotency-key", "first")];
    let body = order(1, "Tea");
    let made = bridge.send_json(Method::POST, EVENTS, &body, &key).await;
    bridge.run_until_idle().await;
    settle(&bridge, &order(1, "Coffee")).await;
    let again = bridge.send_json(Method::POST, EVENTS, &body, &key).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, "true"));
    assert_eq!(
        (&again.json()["id"], &again.json()["summary"]),
        (&made.json()["id"], &json!("Coffee"))
    );
    assert_eq!(bridge.titles(ANA), ["Coffee"]);
}

#[tokio::test]
async fn one_that_was_cancelled_is_wanted_again() {
    let bridge = Bridge::connected().await;
    let first = settle(&bridge, &order(1, "Tea")).await;
    cancel(&bridge, &first).await;
    assert_eq!(bridge.titles(ANA), [""; 0]);
    for title in ["Tea", "Coffee"] {
        let again = settle(&bridge, &order(1, title)).await;
        assert_eq!((&again["id"], &again["state"]), (&first["id"], &json!("confirmed")));
        assert_eq!(bridge.titles(ANA), [title]);
        cancel(&bridge, &again).await;
    }
    assert_eq!(bridge.calls(INSERT), 1, "it is the same event at Google");
}

#[tokio::test]
async fn one_that_a_person_took_out_stays_out_and_says_so() {
    let bridge = Bridge::connected().await;
    let first = settle(&bridge, &order(1, "Tea")).await;
    delete_at_google(&bridge, &first);
    let found = settle(&bridge, &order(1, "Coffee")).await;
    assert_eq!(found["state"], "removed_in_google");
    let answer = put(&bridge, &order(1, "Milk")).await;
    assert_eq!((answer.status, &answer.json()["state"]), (200, &json!("removed_in_google")));
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), [""; 0]);
    assert_eq!(bridge.calls(INSERT), 1);
}

#[tokio::test]
async fn one_that_is_cancelled_after_a_person_took_it_out_is_its_callers_again() {
    let bridge = Bridge::connected().await;
    let first = settle(&bridge, &order(1, "Tea")).await;
    delete_at_google(&bridge, &first);
    bridge.pass(TimeDelta::minutes(1));
    cancel(&bridge, &first).await;
    assert_eq!(bridge.event(&first["id"]).await["state"], "cancelled");
    let again = settle(&bridge, &order(1, "Coffee")).await;
    assert_eq!((&again["id"], &again["state"]), (&first["id"], &json!("confirmed")));
    assert_eq!(bridge.titles(ANA), ["Coffee"]);
}

#[tokio::test]
async fn a_cancellation_whose_answer_was_lost_was_nobody_elses() {
    let bridge = Bridge::connected().await;
    let first = settle(&bridge, &order(1, "Tea")).await;
    bridge.pass(TimeDelta::minutes(1));
    bridge.fault(Fault::new(FaultKind::LostAnswer).method("calendar.events.delete").times(1));
    cancel(&bridge, &first).await;
    assert_eq!(bridge.calls("calendar.events.delete"), 2);
    assert_eq!(bridge.event(&first["id"]).await["state"], "cancelled");
    let again = settle(&bridge, &order(1, "Coffee")).await;
    assert_eq!(
        (&again["state"], bridge.titles(ANA)),
        (&json!("confirmed"), vec!["Coffee".to_owned()])
    );
}

#[tokio::test]
async fn a_series_that_is_sent_again_keeps_what_stands_apart_in_it() {
    let bridge = Bridge::connected().await;
    let series = |title: &str, count: usize| {
        let rule = json!({ "recurrence": [format!("RRULE:FREQ=WEEKLY;COUNT={count}")] });
        with(order(1, title), &rule)
    };
    let first = settle(&bridge, &series("Choir", 4)).await;
    let instance = |day: &str| format!("{}?instance=2026-12-{day}T14:00:00", path_of(&first));
    let concert = json!({ "summary": "Concert" });
    for (method, path, body) in [
        (Method::PATCH, instance("07"), &concert),
        (Method::DELETE, instance("14"), &Value::Null),
        (Method::PATCH, instance("21"), &concert),
    ] {
        assert_eq!(bridge.router_send(method, &path, body).await.status, 202);
        bridge.run_until_idle().await;
    }
    let now = bridge.event(&first["id"]).await;
    let same = settle(&bridge, &series("Choir", 4)).await;
    assert_eq!(same["revision"], now["revision"], "it says the same");
    let renamed = settle(&bridge, &series("Singing", 4)).await;
    assert_eq!(renamed["summary"], "Singing");
    let kept = ["2026-11-30T14:00 Singing", "2026-12-07T14:00 Concert", "2026-12-21T14:00 Concert"];
    assert_eq!(calendar(&bridge).await, kept);
    settle(&bridge, &series("Singing", 3)).await;
    assert_eq!(calendar(&bridge).await, kept[..2], "the last is none of its own any more");
    assert_eq!(bridge.calls(INSERT), 1);
}

#[tokio::test]
async fn names_of_several_owners_are_names_of_several_events() {
    let bridge = Bridge::connected().await;
    let ours = settle(&bridge, &order(1, "Ours")).await;
    let of_ben = with(order(1, "Of Ben"), &json!({ "user": "u-ben", "connection": "server" }));
    let of_ben = settle(&bridge, &of_ben).await;
    assert_ne!(ours["id"], of_ben["id"]);
    assert_eq!(sorted(&bridge), ["Of Ben", "Ours"]);
}

#[tokio::test]
async fn an_event_does_not_move_to_another_calendar() {
    let bridge = Bridge::connected().await;
    let first = settle(&bridge, &order(1, "Tea")).await;
    let stays = with(order(1, "Tea"), &json!({ "calendar": first["placement"]["calendar"] }));
    assert_eq!(put(&bridge, &stays).await.status, 200);
    let moves = with(order(1, "Coffee"), &json!({ "calendar": "other@group.calendar.google.com" }));
    let answer = put(&bridge, &moves).await;
    assert_eq!(answer.status, 422, "{}", answer.text);
    assert_eq!(answer.json()["errors"][0]["pointer"], "/calendar");
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), ["Tea"]);
}

#[tokio::test]
async fn fifty_clients_at_once_make_one_event() {
    let dir = TempDir::new().expect("a directory");
    let store: Arc<dyn Store> = Arc::new(crate::store::open(dir.path()).expect("a store"));
    let bridge = Bridge::with(Choices { store: Some(store), ..Choices::default() }).await;
    bridge.connect(ANA).await.expect("connected");
    let body = order(1, "Tea");
    let all = at_once(&bridge, &vec![body; 50]).await;
    let ids: BTreeSet<_> = all.iter().map(|(_, body)| body["id"].to_string()).collect();
    assert_eq!(ids.len(), 1);
    assert!(all.iter().all(|(status, _)| *status == 202));
    bridge.run_until_idle().await;
    assert_eq!((bridge.titles(ANA), bridge.calls(INSERT)), (vec!["Tea".to_owned()], 1));
    let bodies: Vec<_> = (0..50).map(|n| order(1, &format!("Tea {n}"))).collect();
    let all = at_once(&bridge, &bodies).await;
    assert!(all.iter().all(|(status, _)| matches!(status, 202 | 409)), "{all:?}");
    bridge.run_until_idle().await;
    let titles = bridge.titles(ANA);
    assert!(titles.len() == 1 && titles[0].starts_with("Tea "), "{titles:?}");
}

#[tokio::test]
async fn items_of_a_batch_are_known_by_their_names_too() {
    let bridge = Bridge::connected().await;
    settle(&bridge, &order(1, "one")).await;
    let items = json!({ "events": [
        order(1, "one"), order(2, "two"), order(1, "first"), order(2, "two"),
        with(order(3, "three"), &json!({ "idempotency_key": "key" })),
    ] });
    let body = bridge.router_send(Method::POST, BATCH, &items).await.json();
    let of = |n: usize| &body["results"][n];
    let statuses: Vec<_> = (0..5).map(|n| of(n)["status"].clone()).collect();
    assert_eq!(statuses, [200, 202, 202, 202, 202]);
    assert_eq!((&of(0)["id"], &of(1)["id"]), (&of(2)["id"], &of(3)["id"]));
    bridge.run_until_idle().await;
    assert_eq!(sorted(&bridge), ["first", "three", "two"]);
    let again = bridge.router_send(Method::POST, BATCH, &items).await.json();
    assert_eq!(again["results"][4]["replayed"], true);
    assert_eq!(again["results"][1]["replayed"], false);
    bridge.run_until_idle().await;
    assert_eq!(sorted(&bridge), ["first", "three", "two"], "the last word counts");
}

/// The issue's own words: a backend that sends its names again ends with the same events.
#[tokio::test]
async fn after_the_loss_of_the_store_the_names_find_the_same_events() {
    let bridge = Bridge::connected().await;
    for n in 0..6 {
        settle(&bridge, &order(n, &format!("event {n}"))).await;
    }
    let of_person = bridge.get(&format!("{EVENTS}?external_id=order/4")).await.json();
    delete_at_google(&bridge, &of_person["data"][0]);
    let before: Vec<_> = ids_at_google(&bridge);

    let second = after_loss(&bridge).await;
    // Half of them one by one, one of these with something new to say; the rest at once.
    for n in 0..3 {
        let title = if n == 2 { "event two".to_owned() } else { format!("event {n}") };
        let event = settle(&second, &order(n, &title)).await;
        assert_eq!(event["state"], "confirmed");
    }
    let rest: Vec<_> = (3..6).map(|n| order(n, &format!("event {n}"))).collect();
    let body = json!({ "events": rest });
    let body = second.router_send(Method::POST, BATCH, &body).await.json();
    second.run_until_idle().await;
    assert_eq!(ids_at_google(&second), before, "the same events, and no second one");
    assert_eq!(sorted(&second), ["event 0", "event 1", "event 3", "event 5", "event two"]);
    let gone = second.event(&body["results"][1]["id"]).await;
    assert_eq!(
        (&gone["external_id"], &gone["state"]),
        (&json!("order/4"), &json!("removed_in_google"))
    );
    for n in [4, 5] {
        settle(&second, &order(n, &format!("event {n}"))).await;
    }
    assert_eq!(ids_at_google(&second), before, "nor later");
}

/// The events in the calendar, by Google's ids.
fn ids_at_google(bridge: &Bridge) -> Vec<Value> {
    let mut ids: Vec<_> =
        bridge.google.events(ANA).iter().map(|event| event["id"].clone()).collect();
    ids.sort_by_key(ToString::to_string);
    ids
}
