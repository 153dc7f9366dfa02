//! Changing reminders, putting them off, and silencing them.

use calbridge::model::delivery::DeliveryState;
use calbridge::model::item::Thing;
use hyper::Method;
use serde_json::{Value, json};

use super::{
    at, call, change, daily, log, mailing, make, path_of, read, refused, rows, say, start,
};
use crate::bridge::with;

#[tokio::test]
async fn a_reminder_that_is_put_to_another_moment_rings_then_alone() {
    let bridge = start().await;
    let later = make(&bridge, &call()).await;
    let sooner = make(&bridge, &call()).await;
    let changed = change(&bridge, &later, &json!({ "at": "2026-11-02T12:00:00Z" })).await;
    assert_eq!(
        (&changed["next"], &changed["version"]),
        (&json!("2026-11-02T12:00:00Z"), &json!(2))
    );
    change(&bridge, &sooner, &json!({ "at": "2026-11-02T09:00:00Z", "title": "Ring" })).await;
    at(&bridge, "2026-11-02T09:00:00Z").await;
    assert_eq!(log(&bridge, &sooner).await, rows(&[("2026-11-02T09:00:00Z", "told")]));
    at(&bridge, "2026-11-02T10:00:00Z").await;
    at(&bridge, "2026-11-02T12:00:00Z").await;
    assert_eq!(log(&bridge, &later).await, rows(&[("2026-11-02T12:00:00Z", "told")]));
    let again = change(&bridge, &later, &json!({ "at": "2026-11-02T13:00:00Z" })).await;
    assert_eq!((&again["state"], &again["ringing"]), (&json!("scheduled"), &Value::Null));
    at(&bridge, "2026-11-02T13:00:00Z").await;
    assert_eq!(log(&bridge, &later).await.len(), 2);
    // Back to a moment that was told: there is nothing more to tell of it.
    change(&bridge, &later, &json!({ "at": "2026-11-02T12:00:00Z" })).await;
    bridge.work().await;
    assert_eq!(log(&bridge, &later).await.len(), 2);
    assert_eq!(read(&bridge, &later).await["state"], "over");
    let same = change(&bridge, &sooner, &json!({ "title": "Ring" })).await;
    assert_eq!(same["version"], read(&bridge, &sooner).await["version"], "nothing changed");
}

#[tokio::test]
async fn a_series_keeps_its_days_when_its_time_moves_and_may_become_a_single_one() {
    let bridge = start().await;
    let lines = json!(["RRULE:FREQ=WEEKLY;BYDAY=MO,TH"]);
    let reminder = make(&bridge, &with(daily(), &json!({ "recurrence": lines }))).await;
    at(&bridge, "2026-11-02T10:00:00Z").await;
    let moved = json!({ "at": "2026-11-02T18:00:00", "time_zone": "Europe/Lisbon" });
    let moved = change(&bridge, &reminder, &moved).await;
    assert_eq!((&moved["recurrence"], &moved["next"]), (&lines, &json!("2026-11-02T18:00:00Z")));
    at(&bridge, "2026-11-02T18:00:00Z").await;
    at(&bridge, "2026-11-05T18:00:00Z").await;
    let single = json!({
        "at": "2026-11-06T09:00:00", "time_zone": "Europe/Lisbon", "recurrence": null
    });
    let single = change(&bridge, &reminder, &single).await;
    assert_eq!(single["recurrence"], json!([]));
    at(&bridge, "2026-11-06T09:00:00Z").await;
    assert_eq!(read(&bridge, &reminder).await["state"], "over");
    let expected = rows(&[
        ("2026-11-02T10:00:00Z", "told"),
        ("2026-11-02T18:00:00Z", "told"),
        ("2026-11-05T18:00:00Z", "told"),
        ("2026-11-06T09:00:00Z", "told"),
    ]);
    assert_eq!(log(&bridge, &reminder).await, expected);
}

#[tokio::test]
async fn what_a_series_leaves_out_moves_with_it() {
    let bridge = start().await;
    let lines = json!(["RRULE:FREQ=DAILY", "EXDATE;TZID=Europe/Lisbon:20261103T100000"]);
    let reminder = make(&bridge, &with(daily(), &json!({ "recurrence": lines }))).await;
    let moved = json!({ "at": "2026-11-02T18:00:00", "time_zone": "Europe/Lisbon" });
    change(&bridge, &reminder, &moved).await;
    at(&bridge, "2026-11-02T18:00:00Z").await;
    assert_eq!(read(&bridge, &reminder).await["next"], "2026-11-04T18:00:00Z");
}

#[tokio::test]
async fn what_rings_is_put_off_and_rings_again_with_a_row_of_its_own() {
    let bridge = start().await;
    let reminder = make(&bridge, &call()).await;
    at(&bridge, "2026-11-02T10:00:00Z").await;
    let off = say(&bridge, &reminder, "snooze", &json!({ "minutes": 10 })).await;
    assert_eq!(off["snoozed_until"], "2026-11-02T10:10:00Z");
    assert_eq!((&off["state"], &off["next"]), (&json!("scheduled"), &off["snoozed_until"]));
    assert_eq!(off["ringing"], Value::Null);
    let off = say(&bridge, &reminder, "snooze", &json!({ "until": "2026-11-02T10:20:00Z" })).await;
    assert_eq!(off["next"], "2026-11-02T10:20:00Z", "once more");
    at(&bridge, "2026-11-02T10:10:00Z").await;
    at(&bridge, "2026-11-02T10:20:00Z").await;
    let expected = rows(&[("2026-11-02T10:00:00Z", "told"), ("2026-11-02T10:20:00Z", "told")]);
    assert_eq!(log(&bridge, &reminder).await, expected);
    let over = read(&bridge, &reminder).await;
    assert_eq!((&over["state"], &over["snoozed_until"]), (&json!("over"), &Value::Null));
    for (body, pointer) in [
        (json!({}), "/minutes"),
        (json!({ "minutes": 0 }), "/minutes"),
        (json!({ "minutes": 5, "until": "2026-11-02T11:00:00Z" }), "/until"),
        (json!({ "until": "2026-11-02T10:20:00Z" }), "/until"),
        (json!({ "until": "soon" }), "/until"),
        (json!({ "until": "9999-01-01T00:00:00Z" }), "/until"),
    ] {
        let path = format!("{}/snooze", path_of(&reminder));
        assert_eq!(refused(&bridge, Method::POST, &path, &body).await, [pointer], "{body}");
    }
}

#[tokio::test]
async fn the_next_occurrence_is_put_off_where_none_rings_and_the_series_goes_on() {
    let bridge = mailing().await;
    let mailed = json!({ "deliver": ["mail"], "to": ["ana@example.com"] });
    let reminder = make(&bridge, &with(daily(), &mailed)).await;
    let off = say(&bridge, &reminder, "snooze", &json!({ "until": "2026-11-02T15:00:00Z" })).await;
    assert_eq!(off["next"], "2026-11-02T15:00:00Z");
    for moment in ["2026-11-02T10:00:00Z", "2026-11-02T15:00:00Z", "2026-11-03T10:00:00Z"] {
        at(&bridge, moment).await;
    }
    let expected = rows(&[
        ("2026-11-02T10:00:00Z", "dismissed"),
        ("2026-11-02T15:00:00Z", "pending"),
        ("2026-11-03T10:00:00Z", "pending"),
    ]);
    assert_eq!(log(&bridge, &reminder).await, expected, "the mail server does not answer");
}

#[tokio::test]
async fn what_is_silenced_before_its_mail_went_is_not_mailed() {
    let bridge = mailing().await;
    let mailed = json!({ "deliver": ["mail"], "to": ["ana@example.com"] });
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(make(&bridge, &with(daily(), &mailed)).await);
    }
    at(&bridge, "2026-11-02T10:00:00Z").await;
    at(&bridge, "2026-11-03T10:00:00Z").await;
    say(&bridge, &made[0], "dismiss", &Value::Null).await;
    say(&bridge, &made[1], "snooze", &json!({ "minutes": 5 })).await;
    let states = async |reminder: &Value| {
        let log = log(&bridge, reminder).await;
        log.into_iter().map(|(_, state)| state).collect::<Vec<_>>()
    };
    for silenced in &made[..2] {
        assert_eq!(states(silenced).await, ["pending", "dismissed"], "what rings alone");
    }
    let path = format!("{}/deliveries", path_of(&made[1]));
    let rows = bridge.get(&path).await.json();
    let row = rows["data"].as_array().expect("a list").iter().find(|row| row["cause"].is_object());
    assert_eq!(row.expect("a row")["cause"]["code"], "snoozed");
    let store = &bridge.tied.app.store;
    let of = Thing::Item(made[2]["id"].as_str().expect("an id").parse().expect("an id"));
    let gone = bridge.send_json(Method::DELETE, &path_of(&made[2]), &Value::Null, &[]).await;
    assert_eq!(gone.status, 204, "{}", gone.text);
    let (rows, _) = store.attached(of, None, 9).await.expect("a store that works");
    let dismissed = DeliveryState::Dismissed.number();
    assert_eq!(rows.iter().map(|row| row.state).collect::<Vec<_>>(), [dismissed, dismissed]);
}

#[tokio::test]
async fn a_dismissal_silences_what_rings_or_else_what_is_next() {
    let bridge = start().await;
    let reminder = make(&bridge, &daily()).await;
    let next = say(&bridge, &reminder, "dismiss", &Value::Null).await;
    assert_eq!(
        (&next["state"], &next["next"]),
        (&json!("scheduled"), &json!("2026-11-03T10:00:00Z"))
    );
    at(&bridge, "2026-11-03T10:00:00Z").await;
    let silent = say(&bridge, &reminder, "dismiss", &Value::Null).await;
    assert_eq!(
        (&silent["ringing"], &silent["next"]),
        (&Value::Null, &json!("2026-11-04T10:00:00Z"))
    );
    let expected = rows(&[("2026-11-02T10:00:00Z", "dismissed"), ("2026-11-03T10:00:00Z", "told")]);
    assert_eq!(log(&bridge, &reminder).await, expected);

    let once = make(&bridge, &with(call(), &json!({ "at": "2026-11-04T12:00:00Z" }))).await;
    let over = say(&bridge, &once, "dismiss", &Value::Null).await;
    assert_eq!((&over["state"], &over["next"]), (&json!("dismissed"), &Value::Null));
    assert_eq!(say(&bridge, &once, "dismiss", &Value::Null).await["version"], over["version"]);
    at(&bridge, "2026-11-04T12:00:00Z").await;
    assert_eq!(log(&bridge, &once).await, rows(&[("2026-11-04T12:00:00Z", "dismissed")]));
    let path = format!("{}/snooze", path_of(&once));
    assert_eq!(refused(&bridge, Method::POST, &path, &json!({ "minutes": 5 })).await, ["/until"]);
    let back = change(&bridge, &once, &json!({ "at": "2026-11-05T12:00:00Z" })).await;
    assert_eq!(back["state"], "scheduled", "a new moment is wanted");
    at(&bridge, "2026-11-05T12:00:00Z").await;
    assert_eq!(log(&bridge, &once).await.len(), 2);
}

#[tokio::test]
async fn a_deleted_reminder_never_rings() {
    let bridge = start().await;
    let reminder = make(&bridge, &daily()).await;
    let gone = bridge.send_json(Method::DELETE, &path_of(&reminder), &Value::Null, &[]).await;
    assert_eq!(gone.status, 204, "{}", gone.text);
    assert_eq!(bridge.get(&path_of(&reminder)).await.status, 404);
    bridge.run_until_idle().await;
    let jobs = bridge.tied.app.store.count_jobs().await.expect("a store that works");
    assert_eq!((jobs.live, jobs.dead), (0, 0), "nothing is left to do");
    let log = bridge.get(&format!("{}/deliveries", path_of(&reminder))).await;
    assert_eq!(log.status, 404);
}

#[tokio::test]
async fn a_change_of_what_was_not_seen_is_refused() {
    let bridge = start().await;
    let reminder = make(&bridge, &call()).await;
    let seen = [("if-match", reminder["etag"].as_str().expect("an etag"))];
    change(&bridge, &reminder, &json!({ "title": "Newer" })).await;
    for (method, word, body) in [
        (Method::PATCH, "", json!({ "title": "Late" })),
        (Method::DELETE, "", Value::Null),
        (Method::POST, "/snooze", json!({ "minutes": 5 })),
        (Method::POST, "/dismiss", Value::Null),
    ] {
        let path = format!("{}{word}", path_of(&reminder));
        let refused = bridge.send_json(method, &path, &body, &seen).await;
        assert_eq!((refused.status, &refused.json()["code"]), (412, &json!("precondition_failed")));
    }
    assert_eq!(read(&bridge, &reminder).await["title"], "Newer");
}
