//! Promise 2: what its caller cancelled comes back when its caller wants it again; what a person took
//! out of the calendar stays out, and says so.

use calbridge::simulator::{Fault, FaultKind};
use hyper::Method;
use serde_json::{Value, json};

use crate::bridge::{ANA, Bridge, Choices, with};

const EVENTS: &str = "/api/v1/events";
const INSERT: &str = "calendar.events.insert";

fn tea(members: &Value) -> Value {
    let body = json!({
        "summary": "Tea",
        "start": "2026-11-30T14:00:00Z",
        "end": "2026-11-30T15:00:00Z",
        "external_id": "order-7",
    });
    with(body, members)
}

/// Sends the event, and does what is to be done. Returns it as it is then.
async fn send(bridge: &Bridge, members: &Value) -> Value {
    let answer = bridge.send_json(Method::POST, EVENTS, &tea(members), &[]).await;
    assert!(matches!(answer.status, 200..=202), "{}", answer.text);
    bridge.run_until_idle().await;
    bridge.event(&answer.json()["id"]).await
}

async fn cancel(bridge: &Bridge, event: &Value) {
    let path = format!("{EVENTS}/{}", event["id"].as_str().expect("an id"));
    let answer = bridge.send_json(Method::DELETE, &path, &Value::Null, &[]).await;
    assert!(matches!(answer.status, 200 | 202), "{}", answer.text);
}

/// The same account, and a bridge that has lost all it knew.
async fn amnesia(bridge: &Bridge) -> Bridge {
    let google = Some((bridge.google.clone(), bridge.clock.clone()));
    let fresh = Bridge::with(Choices { google, seed: 2, ..Choices::default() }).await;
    fresh.connect(ANA).await.expect("connected");
    fresh
}

#[tokio::test]
async fn promise_2_what_was_cancelled_comes_back_as_the_same_event_when_it_is_wanted_again() {
    let bridge = Bridge::connected().await;
    let made =
        send(&bridge, &json!({"location": "The garden", "guests": ["gus@example.org"]})).await;
    cancel(&bridge, &made).await;
    bridge.run_until_idle().await;
    assert_eq!(bridge.event(&made["id"]).await["state"], "cancelled");
    assert_eq!(bridge.titles(ANA), Vec::<String>::new());

    let again = send(&bridge, &json!({"summary": "Coffee"})).await;
    assert_eq!((&again["id"], &again["state"]), (&made["id"], &json!("confirmed")));
    assert_eq!(again["google"]["event_id"], made["google"]["event_id"]);
    let seen = &bridge.google.events(ANA)[0];
    assert_eq!((&seen["summary"], seen.get("location")), (&json!("Coffee"), None), "{seen}");
    assert_eq!(seen.get("attendees").and_then(Value::as_array).map_or(0, Vec::len), 0);
    assert_eq!(again["meet"]["link"], seen["hangoutLink"]);
    assert_eq!((bridge.calls(INSERT), bridge.google.outbox().len()), (1, 0));
}

#[tokio::test]
async fn promise_2_what_was_cancelled_before_google_had_it_is_made_when_it_is_wanted_again() {
    let bridge = Bridge::connected().await;
    bridge.fault(Fault::new(FaultKind::ServerError).method(INSERT).times(1));
    let answer = bridge.router_send(Method::POST, EVENTS, &tea(&json!({}))).await.json();
    bridge.work().await;
    cancel(&bridge, &answer).await;
    bridge.run_until_idle().await;
    assert_eq!(bridge.event(&answer["id"]).await["state"], "cancelled");
    let again = send(&bridge, &json!({})).await;
    assert_eq!((&again["id"], &again["state"]), (&answer["id"], &json!("confirmed")));
    assert_eq!(bridge.titles(ANA), ["Tea"]);
}

#[tokio::test]
async fn promise_2_what_a_person_took_out_stays_out_however_often_it_is_sent_again() {
    let bridge = Bridge::connected().await;
    let made = send(&bridge, &json!({})).await;
    assert!(bridge.google.remove_event(ANA, made["google"]["event_id"].as_str().expect("an id")));
    for summary in ["Coffee", "Cocoa", "Chocolate"] {
        let again = send(&bridge, &json!({"summary": summary})).await;
        assert_eq!((&again["id"], &again["state"]), (&made["id"], &json!("removed_in_google")));
    }
    assert_eq!(bridge.titles(ANA), Vec::<String>::new());
}

#[tokio::test]
async fn promise_2_after_total_loss_of_the_store_the_same_names_end_with_the_same_events() {
    let bridge = Bridge::connected().await;
    let made = send(&bridge, &json!({})).await;
    let removed = send(&bridge, &json!({"external_id": "order-8"})).await;
    assert!(
        bridge.google.remove_event(ANA, removed["google"]["event_id"].as_str().expect("an id"))
    );

    let fresh = amnesia(&bridge).await;
    let again = send(&fresh, &json!({"summary": "Coffee"})).await;
    assert_eq!((&again["id"], &again["state"]), (&made["id"], &json!("confirmed")));
    assert_eq!(again["google"]["event_id"], made["google"]["event_id"]);
    assert_eq!(again["meet"]["link"], made["meet"]["link"], "the link that was handed out stays");
    assert_eq!(fresh.titles(ANA), ["Coffee"], "it says what was sent last");
    let gone = send(&fresh, &json!({"external_id": "order-8"})).await;
    assert_eq!((&gone["id"], &gone["state"]), (&removed["id"], &json!("removed_in_google")));
    assert_eq!(fresh.titles(ANA).len(), 1);
}
