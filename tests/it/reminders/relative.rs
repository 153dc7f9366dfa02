//! Reminders before tasks and events: they move with them, and are silent when nobody needs them.

use hyper::Method;
use serde_json::{Value, json};

use super::{at, log, mailing, make, read, rows, say, start};
use crate::bridge::{ANA, Bridge, with};

const TASKS: &str = "/api/v1/tasks";
const EVENTS: &str = "/api/v1/events";

async fn send(bridge: &Bridge, method: Method, path: &str, body: &Value) -> Value {
    let sent = bridge.send_json(method, path, body, &[("prefer", "respond-async")]).await;
    assert!((200..300).contains(&sent.status), "{path}: {}", sent.text);
    if sent.text.is_empty() { Value::Null } else { sent.json() }
}

fn of(kind: &str, thing: &Value) -> String {
    format!("/api/v1/{kind}/{}", thing["id"].as_str().expect("an id"))
}

/// A reminder of ten minutes before a thing, which nothing is mailed of.
async fn before(bridge: &Bridge, kind: &str, thing: &Value) -> Value {
    let body =
        json!({ "title": "Soon", kind: thing["id"], "minutes_before": 10, "deliver": ["google"] });
    make(bridge, &body).await
}

async fn next(bridge: &Bridge, reminder: &Value) -> Value {
    read(bridge, reminder).await["next"].clone()
}

#[tokio::test]
async fn a_reminder_moves_with_its_task_and_is_silent_once_that_is_done() {
    let bridge = start().await;
    let task =
        json!({ "title": "Paint", "due": "2026-11-02T14:00:00", "time_zone": "Europe/Lisbon" });
    let task = send(&bridge, Method::POST, TASKS, &task).await;
    let reminder = before(&bridge, "task", &task).await;
    assert_eq!(reminder["next"], "2026-11-02T13:50:00Z");
    let path = of("tasks", &task);
    send(&bridge, Method::PATCH, &path, &json!({ "due": "2026-11-02T12:00:00Z" })).await;
    assert_eq!(next(&bridge, &reminder).await, "2026-11-02T11:50:00Z");
    send(&bridge, Method::POST, &format!("{path}/complete"), &Value::Null).await;
    let silent = read(&bridge, &reminder).await;
    assert_eq!((&silent["state"], &silent["next"]), (&json!("over"), &Value::Null));
    at(&bridge, "2026-11-02T11:50:00Z").await;
    assert_eq!(log(&bridge, &reminder).await, rows(&[]));
    send(&bridge, Method::POST, &format!("{path}/reopen"), &Value::Null).await;
    assert_eq!(next(&bridge, &reminder).await, "2026-11-02T11:50:00Z", "it comes back");
    bridge.work().await;
    assert_eq!(log(&bridge, &reminder).await, rows(&[("2026-11-02T11:50:00Z", "told")]));
    let planned =
        json!({ "start": "2026-11-03T09:00:00Z", "end": "2026-11-03T11:00:00Z", "due": null });
    send(&bridge, Method::PATCH, &path, &planned).await;
    assert_eq!(next(&bridge, &reminder).await, "2026-11-03T08:50:00Z", "before it begins");
    send(&bridge, Method::PATCH, &path, &json!({ "start": null })).await;
    assert_eq!(next(&bridge, &reminder).await, Value::Null, "no date, no reminder");
    send(&bridge, Method::PATCH, &path, &json!({ "due": "2026-11-05" })).await;
    assert_eq!(next(&bridge, &reminder).await, "2026-11-04T23:50:00Z", "before the day begins");
    send(&bridge, Method::DELETE, &path, &Value::Null).await;
    at(&bridge, "2026-11-06T00:00:00Z").await;
    assert_eq!(log(&bridge, &reminder).await.len(), 1);
}

#[tokio::test]
async fn whole_days_begin_at_midnight_in_the_reminders_zone() {
    let bridge = start().await;
    let task =
        send(&bridge, Method::POST, TASKS, &json!({ "title": "Paint", "due": "2026-11-05" })).await;
    let body = json!({
        "title": "Eve", "task": task["id"], "minutes_before": 300, "time_zone": "Pacific/Auckland",
        "deliver": ["google"]
    });
    let reminder = make(&bridge, &body).await;
    assert_eq!(reminder["time_zone"], "Pacific/Auckland");
    assert_eq!(reminder["next"], "2026-11-04T06:00:00Z", "five hours before midnight there");
}

fn tea() -> Value {
    json!({
        "summary": "Tea", "start": "2026-11-02T12:00:00", "end": "2026-11-02T13:00:00",
        "time_zone": "Europe/Lisbon", "meet": false
    })
}

#[tokio::test]
async fn a_reminder_moves_with_its_event_and_is_silent_once_that_is_cancelled() {
    let bridge = start().await;
    bridge.connect(ANA).await.expect("the account can be connected");
    let named = with(tea(), &json!({ "external_id": "tea" }));
    let event = send(&bridge, Method::POST, EVENTS, &named).await;
    let reminder = before(&bridge, "event", &event).await;
    assert_eq!(reminder["next"], "2026-11-02T11:50:00Z");
    let path = of("events", &event);
    let later = json!({
        "start": "2026-11-02T15:00:00", "end": "2026-11-02T16:00:00", "time_zone": "Europe/Lisbon"
    });
    send(&bridge, Method::PATCH, &path, &later).await;
    assert_eq!(next(&bridge, &reminder).await, "2026-11-02T14:50:00Z");
    send(&bridge, Method::DELETE, &path, &Value::Null).await;
    assert_eq!(read(&bridge, &reminder).await["state"], "over");
    at(&bridge, "2026-11-02T14:50:00Z").await;
    assert_eq!(log(&bridge, &reminder).await, rows(&[]));
    let again =
        with(named, &json!({ "start": "2026-11-02T18:00:00", "end": "2026-11-02T19:00:00" }));
    send(&bridge, Method::POST, EVENTS, &again).await;
    assert_eq!(next(&bridge, &reminder).await, "2026-11-02T17:50:00Z", "it is wanted again");
    at(&bridge, "2026-11-02T17:50:00Z").await;
    assert_eq!(log(&bridge, &reminder).await, rows(&[("2026-11-02T17:50:00Z", "told")]));
}

#[tokio::test]
async fn what_a_person_took_out_of_the_calendar_rings_no_more() {
    let bridge = start().await;
    bridge.connect(ANA).await.expect("the account can be connected");
    let event = send(&bridge, Method::POST, EVENTS, &tea()).await;
    let reminder = before(&bridge, "event", &event).await;
    bridge.work().await;
    let shown = bridge.event(&event["id"]).await;
    let id = shown["google"]["event_id"].as_str().expect("an id");
    assert!(bridge.google.remove_event(ANA, id));
    send(&bridge, Method::PATCH, &of("events", &event), &json!({ "summary": "Coffee" })).await;
    bridge.work().await;
    at(&bridge, "2026-11-02T11:50:00Z").await;
    assert_eq!(log(&bridge, &reminder).await, rows(&[]));
    assert_eq!(read(&bridge, &reminder).await["state"], "over");
}

#[tokio::test]
async fn before_a_series_it_rings_for_each_occurrence_and_for_those_that_were_moved() {
    let bridge = mailing().await;
    bridge.connect(ANA).await.expect("the account can be connected");
    let series = with(tea(), &json!({ "recurrence": ["RRULE:FREQ=DAILY;COUNT=5"] }));
    let series = send(&bridge, Method::POST, EVENTS, &series).await;
    let body = json!({
        "title": "Soon", "event": series["id"], "minutes_before": 10, "deliver": ["mail"], "to": [ANA]
    });
    let reminder = make(&bridge, &body).await;
    let path = of("events", &series);
    let instance = |day: u32| format!("{path}?instance=2026-11-0{day}T12:00:00&range=this");
    send(&bridge, Method::DELETE, &instance(3), &Value::Null).await;
    let later = json!({
        "start": "2026-11-04T18:00:00", "end": "2026-11-04T19:00:00", "time_zone": "Europe/Lisbon"
    });
    send(&bridge, Method::PATCH, &instance(4), &later).await;
    let later_still = json!({
        "start": "2026-11-04T19:00:00", "end": "2026-11-04T20:00:00", "time_zone": "Europe/Lisbon"
    });
    at(&bridge, "2026-11-02T11:50:00Z").await;
    say(&bridge, &reminder, "dismiss", &Value::Null).await;
    assert_eq!(next(&bridge, &reminder).await, "2026-11-04T17:50:00Z");
    send(&bridge, Method::PATCH, &instance(4), &later_still).await;
    let mut moments = Vec::new();
    while let Some(moment) = next(&bridge, &reminder).await.as_str() {
        moments.push(moment.to_owned());
        at(&bridge, moment).await;
        // No mail server is set up, and nothing is to wait for one.
        say(&bridge, &reminder, "dismiss", &Value::Null).await;
    }
    assert_eq!(moments, ["2026-11-04T18:50:00Z", "2026-11-05T11:50:00Z", "2026-11-06T11:50:00Z",]);
    assert_eq!(read(&bridge, &reminder).await["state"], "dismissed");
    let all = json!({
        "start": "2026-11-02T20:00:00", "end": "2026-11-02T21:00:00", "time_zone": "Europe/Lisbon"
    });
    send(&bridge, Method::PATCH, &path, &all).await;
    assert_eq!(next(&bridge, &reminder).await, "2026-11-06T19:50:00Z", "the last is moved");
}
