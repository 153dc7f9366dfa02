//! Reminders before a series that is cut in two: they ring before what goes on from it too.

use hyper::Method;
use serde_json::{Value, json};

use super::{REMINDERS, at, change, log, mailing, make, path_of, read, refused, say};
use crate::bridge::{ANA, Bridge, with};

const EVENTS: &str = "/api/v1/events";

async fn send(bridge: &Bridge, method: Method, path: &str, body: &Value) -> Value {
    let sent = bridge.send_json(method, path, body, &[("prefer", "respond-async")]).await;
    assert!((200..300).contains(&sent.status), "{path}: {}", sent.text);
    if sent.text.is_empty() { Value::Null } else { sent.json() }
}

/// Five days at noon in Lisbon.
async fn teas(bridge: &Bridge) -> Value {
    let tea = json!({
        "summary": "Tea", "start": "2026-11-02T12:00:00", "end": "2026-11-02T13:00:00",
        "time_zone": "Europe/Lisbon", "recurrence": ["RRULE:FREQ=DAILY;COUNT=5"], "meet": false,
    });
    send(bridge, Method::POST, EVENTS, &tea).await
}

async fn connected() -> Bridge {
    let bridge = mailing().await;
    bridge.connect(ANA).await.expect("the account can be connected");
    bridge
}

/// A mail to Ana, ten minutes before each occurrence.
fn soon(event: &Value) -> Value {
    json!({
        "title": "Soon", "event": event["id"], "minutes_before": 10, "deliver": ["mail"],
        "to": [ANA],
    })
}

/// Changes the series from this November day on. Returns what goes on from it.
async fn cut(bridge: &Bridge, event: &Value, day: u32, edit: &Value) -> Value {
    send(bridge, Method::PATCH, &following(event, day), edit).await
}

fn following(event: &Value, day: u32) -> String {
    let id = event["id"].as_str().expect("an id");
    format!("{EVENTS}/{id}?instance=2026-11-0{day}T12:00:00Z&range=following")
}

fn later() -> Value {
    json!({
        "start": "2026-11-04T15:00:00", "end": "2026-11-04T16:00:00", "time_zone": "Europe/Lisbon"
    })
}

/// The reminders before an event, or all there are.
async fn reminders(bridge: &Bridge, before: Option<&Value>) -> Vec<Value> {
    let event = before.map(|event| event.as_str().expect("an id"));
    let query = event.map(|event| format!("&event={event}")).unwrap_or_default();
    let listed = bridge.get(&format!("{REMINDERS}?limit=100{query}")).await;
    assert_eq!(listed.status, 200, "{}", listed.text);
    listed.json()["data"].as_array().expect("a list").clone()
}

/// The occurrences whose mail is still to go.
async fn told(bridge: &Bridge, reminder: &Value) -> Vec<String> {
    let rows = log(bridge, reminder).await;
    rows.into_iter().filter(|(_, state)| state == "pending").map(|(at, _)| at).collect()
}

/// Moves the clock. What rings then is silenced before its mail has waited too long for a server.
async fn ring(bridge: &Bridge, written: &str) {
    at(bridge, written).await;
    for reminder in reminders(bridge, None).await {
        if reminder["ringing"].is_string() {
            say(bridge, &reminder, "dismiss", &Value::Null).await;
        }
    }
}

/// The occurrences that rang.
async fn rang(bridge: &Bridge, reminder: &Value) -> Vec<String> {
    log(bridge, reminder).await.into_iter().map(|(at, _)| at).collect()
}

#[tokio::test]
async fn what_goes_on_from_a_series_is_reminded_of_as_the_series_was() {
    let bridge = connected().await;
    let category = json!({ "name": "Loud" });
    let category = send(&bridge, Method::POST, "/api/v1/categories", &category).await;
    let series = teas(&bridge).await;
    let body = with(soon(&series), &json!({ "text": "Bring milk", "category": category["id"] }));
    let first = make(&bridge, &body).await;
    let goes_on = cut(&bridge, &series, 4, &later()).await;
    let found = reminders(&bridge, Some(&goes_on["id"])).await;
    assert_eq!(found.len(), 1, "{found:?}");
    let second = &found[0];
    assert_ne!(second["id"], first["id"]);
    assert_eq!(second["next"], "2026-11-04T14:50:00Z");
    for same in ["title", "text", "minutes_before", "deliver", "to", "category", "user"] {
        assert_eq!(second[same], first[same], "{same}");
    }
    // The same request again finds what goes on, and changes that.
    let again = cut(&bridge, &series, 4, &later()).await;
    assert_eq!(again["id"], goes_on["id"]);
    assert_eq!(reminders(&bridge, None).await.len(), 2);
    for day in 2..=7 {
        for hour in ["11:50", "14:50"] {
            ring(&bridge, &format!("2026-11-0{day}T{hour}:00Z")).await;
        }
    }
    assert_eq!(rang(&bridge, &first).await, ["2026-11-02T11:50:00Z", "2026-11-03T11:50:00Z"]);
    let expected = ["2026-11-04T14:50:00Z", "2026-11-05T14:50:00Z", "2026-11-06T14:50:00Z"];
    assert_eq!(rang(&bridge, second).await, expected);
}

#[tokio::test]
async fn of_a_series_that_is_cancelled_from_an_instance_on_nothing_rings_any_more() {
    let bridge = connected().await;
    let series = teas(&bridge).await;
    let reminder = make(&bridge, &soon(&series)).await;
    send(&bridge, Method::DELETE, &following(&series, 3), &Value::Null).await;
    assert_eq!(reminders(&bridge, None).await.len(), 1, "nothing goes on");
    for day in 2..=7 {
        ring(&bridge, &format!("2026-11-0{day}T11:50:00Z")).await;
    }
    assert_eq!(rang(&bridge, &reminder).await, ["2026-11-02T11:50:00Z"]);
    assert_eq!(read(&bridge, &reminder).await["next"], Value::Null);
}

#[tokio::test]
async fn what_was_dealt_with_rings_no_more_before_what_goes_on_and_what_was_put_off_rings_once() {
    let bridge = connected().await;
    let series = teas(&bridge).await;
    let silent = make(&bridge, &soon(&series)).await;
    let put_off = make(&bridge, &soon(&series)).await;
    let gone = make(&bridge, &soon(&series)).await;
    bridge.send_json(Method::DELETE, &path_of(&gone), &Value::Null, &[]).await;
    for _ in 0..2 {
        say(&bridge, &silent, "dismiss", &Value::Null).await;
    }
    let until = json!({ "until": "2026-11-03T18:00:00Z" });
    say(&bridge, &put_off, "snooze", &until).await;
    let goes_on = cut(&bridge, &series, 3, &json!({ "summary": "Coffee" })).await;
    let mut next: Vec<_> = reminders(&bridge, Some(&goes_on["id"])).await;
    next.sort_by_key(|reminder| reminder["next"].to_string());
    let moments: Vec<_> = next.iter().map(|reminder| reminder["next"].clone()).collect();
    assert_eq!(moments, ["2026-11-03T11:50:00Z", "2026-11-04T11:50:00Z"]);
    at(&bridge, "2026-11-03T18:00:00Z").await;
    assert_eq!(told(&bridge, &put_off).await, ["2026-11-03T18:00:00Z"]);
    assert_eq!(told(&bridge, &next[0]).await, ["2026-11-03T11:50:00Z"]);
    assert_eq!(told(&bridge, &next[1]).await, [""; 0], "nobody wanted to hear of that one");
}

#[tokio::test]
async fn what_goes_on_has_no_more_reminders_than_anything_may_have() {
    let bridge = connected().await;
    let series = teas(&bridge).await;
    let all = json!({ "reminders": vec![soon(&series); 50] });
    let made = send(&bridge, Method::POST, &format!("{REMINDERS}/batch"), &all).await;
    assert_eq!(made["accepted"], 50, "{made}");
    let goes_on = cut(&bridge, &series, 4, &later()).await;
    assert_eq!(reminders(&bridge, Some(&goes_on["id"])).await.len(), 50);
    assert_eq!(refused(&bridge, Method::POST, REMINDERS, &soon(&goes_on)).await, ["/event"]);
}

#[tokio::test]
async fn a_reminder_before_a_task_stays_the_one_when_its_series_begins_anew() {
    let bridge = connected().await;
    let choir = json!({
        "title": "Choir", "due": "2026-11-05T14:00:00", "time_zone": "Europe/Lisbon",
        "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"],
    });
    let task = send(&bridge, Method::POST, "/api/v1/tasks", &choir).await;
    let of_task = with(soon(&json!({})), &json!({ "event": null, "task": task["id"] }));
    let of_task = make(&bridge, &of_task).await;
    let of_event = make(&bridge, &soon(&json!({ "id": task["event_id"] }))).await;
    let path = format!("/api/v1/tasks/{}", task["id"].as_str().expect("an id"));
    send(&bridge, Method::POST, &format!("{path}/complete"), &Value::Null).await;
    let moved = json!({ "due": "2026-11-13T18:00:00", "time_zone": "Europe/Lisbon" });
    let anew = send(&bridge, Method::PATCH, &path, &moved).await;
    assert_ne!(anew["event_id"], task["event_id"]);
    assert_eq!(read(&bridge, &of_task).await["next"], "2026-11-13T17:50:00Z");
    let found = reminders(&bridge, Some(&anew["event_id"])).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["next"], "2026-11-13T17:20:00Z", "the entry begins half an hour before");
    assert_eq!(reminders(&bridge, None).await.len(), 3);
    let quiet = change(&bridge, &of_event, &json!({ "title": "Was" })).await;
    assert_eq!(quiet["title"], "Was");
}
