//! Tasks that recur: a series in the calendar, of which one occurrence after the other is done.

use hyper::Method;
use serde_json::{Value, json};

use super::{TASKS, change, connected, delete, make, paint, path_of, say};
use crate::accounts::link;
use crate::bridge::{ANA, Bridge, with};
use crate::series::calendar;

/// Three Thursdays at two in Lisbon.
async fn choir(bridge: &Bridge, members: &Value) -> Value {
    let thursdays = json!({
        "title": "Choir",
        "due": "2026-11-05T14:00:00",
        "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"],
        "meet": false,
    });
    let task = make(bridge, &with(thursdays, members)).await;
    bridge.run_until_idle().await;
    task
}

async fn and_settle(bridge: &Bridge, task: &Value, word: &str) -> Value {
    let task = say(bridge, task, word).await;
    bridge.run_until_idle().await;
    task
}

fn hand(task: &Value) -> (&str, &str) {
    let due = task["due"]["wall"].as_str().expect("a wall time");
    (due, task["occurrence"].as_str().unwrap_or("none"))
}

#[tokio::test]
async fn occurrences_are_done_one_after_the_other_and_the_task_with_the_last() {
    let bridge = connected().await;
    let task = choir(&bridge, &json!({})).await;
    assert_eq!(hand(&task), ("2026-11-05T14:00:00", "2026-11-05T13:30:00Z"));
    assert_eq!(task["recurrence"], json!(["RRULE:FREQ=WEEKLY;COUNT=3"]));
    let plain = ["2026-11-05T13:30 Choir", "2026-11-12T13:30 Choir", "2026-11-19T13:30 Choir"];
    assert_eq!(calendar(&bridge).await, plain);

    let task = and_settle(&bridge, &task, "complete").await;
    assert_eq!(
        (&task["state"], hand(&task)),
        (&json!("open"), ("2026-11-12T14:00:00", "2026-11-12T13:30:00Z"))
    );
    assert_eq!(task["completed_occurrences"], json!(["2026-11-05T13:30:00Z"]));
    let marked = ["2026-11-05T13:30 ✓ Choir", "2026-11-12T13:30 Choir", "2026-11-19T13:30 Choir"];
    assert_eq!(calendar(&bridge).await, marked);

    and_settle(&bridge, &task, "complete").await;
    let done = and_settle(&bridge, &task, "complete").await;
    assert_eq!((&done["state"], &done["occurrence"]), (&json!("done"), &Value::Null));
    assert_eq!(done["due"]["wall"], "2026-11-19T14:00:00", "the last");
    let again = and_settle(&bridge, &task, "complete").await;
    assert_eq!(again["version"], done["version"], "nothing is left to be done");
    let done = ["2026-11-05T13:30 ✓ Choir", "2026-11-12T13:30 ✓ Choir", "2026-11-19T13:30 ✓ Choir"];
    assert_eq!(calendar(&bridge).await, done);

    let open = and_settle(&bridge, &task, "reopen").await;
    assert_eq!((&open["state"], hand(&open).1), (&json!("open"), "2026-11-19T13:30:00Z"));
    let reopened =
        ["2026-11-05T13:30 ✓ Choir", "2026-11-12T13:30 ✓ Choir", "2026-11-19T13:30 Choir"];
    assert_eq!(calendar(&bridge).await, reopened);
    assert_eq!(bridge.calls("calendar.events.insert"), 1, "it is one event in Google");

    delete(&bridge, &task).await;
    bridge.run_until_idle().await;
    assert_eq!(calendar(&bridge).await, [""; 0]);
    assert_eq!(bridge.google.outbox().len(), 0);
}

#[tokio::test]
async fn what_completion_does_is_done_to_the_occurrence_alone() {
    let bridge = connected().await;
    let removed = choir(&bridge, &json!({ "title": "Gone", "completion": "remove" })).await;
    and_settle(&bridge, &removed, "complete").await;
    assert_eq!(calendar(&bridge).await, ["2026-11-12T13:30 Gone", "2026-11-19T13:30 Gone"]);
    and_settle(&bridge, &removed, "reopen").await;
    assert_eq!(calendar(&bridge).await.len(), 3, "it is back: {:?}", calendar(&bridge).await);
    delete(&bridge, &removed).await;
    bridge.run_until_idle().await;

    let kept = choir(&bridge, &json!({ "title": "Kept", "completion": "keep" })).await;
    let patches = bridge.calls("calendar.events.patch");
    let kept = and_settle(&bridge, &kept, "complete").await;
    assert_eq!(hand(&kept).1, "2026-11-12T13:30:00Z");
    assert_eq!(bridge.calls("calendar.events.patch"), patches, "Google is told nothing");
}

#[tokio::test]
async fn whoever_waits_is_answered_when_the_occurrence_is_marked() {
    let bridge = connected().await;
    let task = choir(&bridge, &json!({})).await;
    let path = format!("{}/complete", path_of(&task));
    let done = bridge.send_json(Method::POST, &path, &Value::Null, &[("prefer", "wait=10")]).await;
    assert_eq!(done.status, 200, "{}", done.text);
    assert_eq!(calendar(&bridge).await[0], "2026-11-05T13:30 ✓ Choir");
}

#[tokio::test]
async fn a_task_is_listed_by_the_occurrence_at_hand() {
    let bridge = connected().await;
    let task = choir(&bridge, &json!({})).await;
    let first = format!("{TASKS}?to=2026-11-06T00:00:00Z");
    assert_eq!(bridge.get(&first).await.json()["data"][0]["id"], task["id"]);
    say(&bridge, &task, "complete").await;
    assert_eq!(bridge.get(&first).await.json()["data"], json!([]), "it is due a week later");
}

#[tokio::test]
async fn a_series_that_is_done_stays_where_new_dates_begin_another() {
    let bridge = connected().await;
    let kept = choir(&bridge, &json!({})).await;
    for _ in 0..3 {
        and_settle(&bridge, &kept, "complete").await;
    }
    let again = json!({ "due": "2026-12-03T14:00:00", "time_zone": "Europe/Lisbon" });
    let again = change(&bridge, &kept, &again).await;
    bridge.run_until_idle().await;
    assert_eq!((&again["state"], hand(&again).0), (&json!("open"), "2026-12-03T14:00:00"));
    assert_ne!(again["event_id"], kept["event_id"]);
    let marked =
        ["2026-11-05T13:30 ✓ Choir", "2026-11-12T13:30 ✓ Choir", "2026-11-19T13:30 ✓ Choir"];
    assert_eq!(calendar(&bridge).await[..3], marked, "what was done stays");
    assert_eq!(calendar(&bridge).await[3], "2026-12-03T13:30 Choir");
}

#[tokio::test]
async fn an_occurrence_is_done_whatever_times_somebody_gave_its_event() {
    let bridge = connected().await;
    let task = choir(&bridge, &json!({})).await;
    let times = json!({
        "start": "2026-11-05T18:00:00", "end": "2026-11-05T18:30:00", "time_zone": "Europe/Lisbon"
    });
    let event = format!("/api/v1/events/{}", task["event_id"].as_str().expect("an id"));
    let moved = bridge.send_json(Method::PATCH, &event, &times, &[]).await;
    assert!(moved.status < 300, "{}", moved.text);
    let done = and_settle(&bridge, &task, "complete").await;
    assert_eq!(done["completed_occurrences"], json!(["2026-11-05T13:30:00Z"]));
}

#[tokio::test]
async fn a_request_that_names_its_occurrence_does_no_other() {
    let bridge = connected().await;
    let task = choir(&bridge, &json!({})).await;
    let first = "complete?occurrence=2026-11-05T13:30:00Z";
    say(&bridge, &task, first).await;
    let again = say(&bridge, &task, first).await;
    assert_eq!((&again["version"], hand(&again).1), (&json!(2), "2026-11-12T13:30:00Z"));
    for (word, status) in [
        ("complete?occurrence=2026-11-19T13:30:00Z", 422),
        ("complete?occurrence=next", 422),
        ("reopen?occurrence=2026-11-12T13:30:00Z", 200),
        ("reopen?which=last", 422),
    ] {
        let path = format!("{}/{word}", path_of(&task));
        let answer = bridge.send_json(Method::POST, &path, &Value::Null, &[]).await;
        assert_eq!(answer.status, status, "{word}: {}", answer.text);
    }
    assert_eq!(bridge.get(&path_of(&task)).await.json()["version"], 2, "nothing came of them");
    say(&bridge, &task, "complete").await;
    let path = format!("{}/reopen?occurrence=2026-11-05T13:30:00Z", path_of(&task));
    let refused = bridge.send_json(Method::POST, &path, &Value::Null, &[]).await;
    assert_eq!(
        refused.json()["errors"][0]["pointer"],
        "/occurrence",
        "not the last: {}",
        refused.text
    );
    let once = make(&bridge, &json!({})).await;
    let path = format!("{}/{first}", path_of(&once));
    let refused = bridge.send_json(Method::POST, &path, &Value::Null, &[]).await;
    assert_eq!(refused.json()["errors"][0]["pointer"], "/occurrence", "{}", refused.text);
}

#[tokio::test]
async fn new_dates_are_those_of_what_is_at_hand_and_follows_and_what_was_done_stays() {
    let bridge = connected().await;
    let task = choir(&bridge, &json!({ "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"] })).await;
    and_settle(&bridge, &task, "complete").await;
    let friday = json!({ "due": "2026-11-13T18:00:00", "time_zone": "Europe/Lisbon", "title": "Late choir" });
    let moved = change(&bridge, &task, &friday).await;
    bridge.run_until_idle().await;
    assert_eq!(hand(&moved), ("2026-11-13T18:00:00", "2026-11-13T17:30:00Z"));
    assert_eq!(moved["recurrence"], json!(["RRULE:FREQ=WEEKLY;COUNT=3"]));
    assert_eq!(moved["completed_occurrences"], json!(["2026-11-05T13:30:00Z"]));
    let now = [
        "2026-11-05T13:30 ✓ Choir",
        "2026-11-13T17:30 Late choir",
        "2026-11-20T17:30 Late choir",
        "2026-11-27T17:30 Late choir",
    ];
    assert_eq!(calendar(&bridge).await, now);
    let renamed = change(&bridge, &task, &json!({ "title": "Choir again" })).await;
    assert_eq!(renamed["event_id"], moved["event_id"], "a name changes no series");
    let daily = json!({ "recurrence": ["RRULE:FREQ=DAILY;COUNT=2"] });
    change(&bridge, &task, &daily).await;
    bridge.run_until_idle().await;
    let now = [now[0], "2026-11-13T17:30 Choir again", "2026-11-14T17:30 Choir again"];
    assert_eq!(calendar(&bridge).await, now);
    let once = change(&bridge, &task, &json!({ "recurrence": null })).await;
    assert_eq!((&once["recurrence"], &once["occurrence"]), (&json!([]), &Value::Null));
    bridge.run_until_idle().await;
    assert_eq!(calendar(&bridge).await, [now[0], now[1]]);
    and_settle(&bridge, &task, "complete").await;
    assert_eq!(calendar(&bridge).await, [now[0], "2026-11-13T17:30 ✓ Choir again"]);
}

#[tokio::test]
async fn what_a_series_leaves_out_moves_with_it() {
    let bridge = connected().await;
    let lines = json!(["RRULE:FREQ=WEEKLY;COUNT=3", "EXDATE;TZID=Europe/Lisbon:20261112T133000"]);
    let task = choir(&bridge, &json!({ "recurrence": lines })).await;
    let late = json!({ "due": "2026-11-05T18:00:00", "time_zone": "Europe/Lisbon" });
    change(&bridge, &task, &late).await;
    bridge.run_until_idle().await;
    assert_eq!(calendar(&bridge).await, ["2026-11-05T17:30 Choir", "2026-11-19T17:30 Choir"]);
}

#[tokio::test]
async fn a_series_that_is_given_to_another_goes_on_with_them_from_what_is_at_hand() {
    let bridge = super::start().await;
    link(&bridge, "u-ben", "ben@example.com").await;
    link(&bridge, "u-cleo", ANA).await;
    let task = choir(&bridge, &json!({ "user": "u-ben" })).await;
    and_settle(&bridge, &task, "complete").await;
    let given = change(&bridge, &task, &json!({ "assignee": "u-cleo" })).await;
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles("ben@example.com"), [""; 0]);
    let series = bridge.event(&given["event_id"]).await;
    assert_eq!(
        (&series["user"], &series["start"]["wall"]),
        (&json!("u-cleo"), &json!("2026-11-12T13:30:00"))
    );
    assert_eq!(series["recurrence"], json!(["RRULE:FREQ=WEEKLY;COUNT=2"]));
    assert_eq!(given["completed_occurrences"], json!(["2026-11-05T13:30:00Z"]));
    assert_eq!(bridge.titles(ANA), ["Choir"]);
    assert_eq!(bridge.google.outbox().len(), 0);
}

#[tokio::test]
async fn a_series_without_an_account_begins_in_the_calendar_with_what_is_at_hand() {
    let bridge = super::start().await;
    let task = choir(&bridge, &json!({})).await;
    let task = and_settle(&bridge, &task, "complete").await;
    assert_eq!((&task["waits_for"], hand(&task).1), (&json!("connection"), "2026-11-12T13:30:00Z"));
    assert_eq!(hand(&say(&bridge, &task, "reopen").await).1, "2026-11-05T13:30:00Z");
    say(&bridge, &task, "complete").await;
    bridge.connect(ANA).await.expect("the account can be connected");
    bridge.run_until_idle().await;
    assert_eq!(calendar(&bridge).await, ["2026-11-12T13:30 Choir", "2026-11-19T13:30 Choir"]);
}

#[tokio::test]
async fn hundreds_of_occurrences_can_be_done() {
    let bridge = connected().await;
    let daily =
        json!({ "due": "2026-11-05", "time_zone": null, "recurrence": ["RRULE:FREQ=DAILY"] });
    let task = json!({ "title": "Walk" });
    let task = bridge.send_json(Method::POST, TASKS, &with(task, &daily), &[]).await.json();
    let first = task["event_id"].clone();
    let mut now = task.clone();
    for _ in 0..203 {
        now = say(&bridge, &task, "complete").await;
    }
    assert_eq!(
        (&now["due"]["date"], &now["occurrence"]),
        (&json!("2027-05-27"), &json!("2027-05-27"))
    );
    assert_ne!(now["event_id"], first, "no series keeps more than 200 that stand apart");
    assert_eq!(now["completed_occurrences"].as_array().map(Vec::len), Some(203));
}

#[tokio::test]
async fn lines_are_checked_and_need_dates() {
    let bridge = connected().await;
    let weekly = json!(["RRULE:FREQ=WEEKLY"]);
    for (members, pointer) in [
        (json!({ "recurrence": ["RRULE:FREQ=HOURLY"] }), "/recurrence/0"),
        (json!({ "recurrence": ["RRULE:FREQ=WEEKLY;BYDAY=TU"] }), "/due"),
        (json!({ "recurrence": weekly, "due": null, "time_zone": null }), "/recurrence"),
        (
            json!({ "recurrence": weekly, "due": "2026-11-30T14:00:00Z", "time_zone": null }),
            "/time_zone",
        ),
    ] {
        let refused = bridge.send_json(Method::POST, TASKS, &with(paint(), &members), &[]).await;
        assert_eq!(refused.status, 422, "{members}: {}", refused.text);
        let told = refused.json()["errors"][0]["pointer"].clone();
        assert_eq!(told, pointer, "{members}: {}", refused.text);
    }
    let undated =
        bridge.send_json(Method::POST, TASKS, &json!({ "title": "Think" }), &[]).await.json();
    let edit = json!({ "recurrence": weekly });
    let refused = bridge.send_json(Method::PATCH, &path_of(&undated), &edit, &[]).await;
    assert_eq!(refused.json()["errors"][0]["pointer"], "/recurrence", "{}", refused.text);
    let task = make(&bridge, &json!({})).await;
    let recurs =
        change(&bridge, &task, &json!({ "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=2"] })).await;
    assert_eq!(recurs["event_id"], task["event_id"]);
    bridge.run_until_idle().await;
    assert_eq!(calendar(&bridge).await, ["2026-11-30T13:30 Paint", "2026-12-07T13:30 Paint"]);
}

#[tokio::test]
async fn a_repeated_request_does_or_takes_back_no_second_occurrence() {
    let bridge = connected().await;
    let task = choir(&bridge, &json!({})).await;
    let send = async |word: &str, key: &str| {
        let path = format!("{}/{word}", path_of(&task));
        bridge.send_json(Method::POST, &path, &Value::Null, &[("Idempotency-Key", key)]).await
    };
    for replayed in ["", "true"] {
        let said = send("complete", "sung").await;
        assert_eq!((said.status, said.header("idempotent-replayed")), (200, replayed));
        assert_eq!(hand(&said.json()).1, "2026-11-12T13:30:00Z");
    }
    let other = send("complete?occurrence=2026-11-12T13:30:00Z", "sung").await;
    assert_eq!((other.status, &other.json()["code"]), (422, &json!("idempotency_key_reused")));
    assert_eq!(hand(&send("complete", "again").await.json()).1, "2026-11-19T13:30:00Z");
    for replayed in ["", "true"] {
        let said = send("reopen", "sung").await;
        assert_eq!((said.status, said.header("idempotent-replayed")), (200, replayed));
        assert_eq!(hand(&said.json()).1, "2026-11-12T13:30:00Z");
    }
    bridge.run_until_idle().await;
}
