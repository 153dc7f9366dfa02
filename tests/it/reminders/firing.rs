//! When reminders ring, once each.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{at, call, chosen, daily, log, make, read, rows, start};
use crate::bridge::{Choices, with};

#[tokio::test]
async fn a_reminder_rings_once_at_its_moment_and_is_over() {
    let bridge = start().await;
    let reminder = make(&bridge, &call()).await;
    assert_eq!(
        (&reminder["state"], &reminder["next"]),
        (&json!("scheduled"), &json!("2026-11-02T10:00:00Z"))
    );
    at(&bridge, "2026-11-02T09:59:59Z").await;
    assert_eq!(log(&bridge, &reminder).await, rows(&[]));
    at(&bridge, "2026-11-02T10:00:00Z").await;
    let rang = read(&bridge, &reminder).await;
    assert_eq!((&rang["state"], &rang["next"]), (&json!("over"), &Value::Null));
    assert_eq!(rang["ringing"], "2026-11-02T10:00:00Z");
    at(&bridge, "2026-11-02T11:00:00Z").await;
    assert_eq!(log(&bridge, &reminder).await, rows(&[("2026-11-02T10:00:00Z", "told")]));
}

#[tokio::test]
async fn a_series_rings_at_the_wall_time_of_its_zone_and_never_for_what_had_passed() {
    let bridge = start().await;
    let body = with(daily(), &json!({ "at": "2026-10-20T10:00:00" }));
    let reminder = make(&bridge, &body).await;
    assert_eq!(reminder["next"], "2026-11-02T10:00:00Z", "what had passed is passed");
    for day in ["2026-11-02", "2026-11-03", "2026-11-04"] {
        at(&bridge, &format!("{day}T10:00:00Z")).await;
    }
    let expected = rows(&[
        ("2026-11-02T10:00:00Z", "told"),
        ("2026-11-03T10:00:00Z", "told"),
        ("2026-11-04T10:00:00Z", "told"),
    ]);
    assert_eq!(log(&bridge, &reminder).await, expected);
    assert_eq!(read(&bridge, &reminder).await["next"], "2026-11-05T10:00:00Z");
    let summer = with(
        daily(),
        &json!({ "at": "2027-03-27T10:00:00", "recurrence": ["RRULE:FREQ=DAILY;COUNT=2"] }),
    );
    let summer = make(&bridge, &summer).await;
    at(&bridge, "2027-03-27T10:00:00Z").await;
    assert_eq!(read(&bridge, &summer).await["next"], "2027-03-28T09:00:00Z", "clocks were set");
    at(&bridge, "2027-03-28T09:00:00Z").await;
    assert_eq!(read(&bridge, &summer).await["state"], "over");
}

#[tokio::test]
async fn what_came_due_while_nothing_ran_is_told_late_if_it_is_not_too_old() {
    let bridge = start().await;
    let late = make(&bridge, &call()).await;
    let old = make(&bridge, &with(call(), &json!({ "at": "2026-11-02T09:59:59Z" }))).await;
    at(&bridge, "2026-11-03T10:00:00Z").await;
    assert_eq!(log(&bridge, &late).await, rows(&[("2026-11-02T10:00:00Z", "told")]));
    assert_eq!(log(&bridge, &old).await, rows(&[("2026-11-02T09:59:59Z", "missed")]));
    let missed = read(&bridge, &old).await;
    assert_eq!((&missed["state"], &missed["ringing"]), (&json!("over"), &Value::Null));
    let path = format!("{}/deliveries", super::path_of(&old));
    let row = bridge.get(&path).await.json()["data"][0].clone();
    assert_eq!(row["cause"]["code"], "too_late", "{row}");
    let past = make(&bridge, &with(call(), &json!({ "at": "2026-11-03T09:59:00Z" }))).await;
    bridge.work().await;
    assert_eq!(log(&bridge, &past).await, rows(&[("2026-11-03T09:59:00Z", "told")]));
}

#[tokio::test]
async fn the_hours_of_catching_up_are_a_setting() {
    let settings = "[reminders]\ncatch_up_hours = 1\n".to_owned();
    let bridge = chosen(Choices { settings, ..Choices::default() }).await;
    let late = make(&bridge, &call()).await;
    at(&bridge, "2026-11-02T11:00:01Z").await;
    assert_eq!(log(&bridge, &late).await, rows(&[("2026-11-02T10:00:00Z", "missed")]));
}

#[tokio::test]
async fn of_a_series_that_was_missed_the_newest_is_told_and_no_more_than_fifty_are_written_down() {
    let bridge = start().await;
    let reminder = make(&bridge, &daily()).await;
    at(&bridge, "2026-11-05T12:00:00Z").await;
    let expected = rows(&[
        ("2026-11-02T10:00:00Z", "missed"),
        ("2026-11-03T10:00:00Z", "missed"),
        ("2026-11-04T10:00:00Z", "missed"),
        ("2026-11-05T10:00:00Z", "told"),
    ]);
    assert_eq!(log(&bridge, &reminder).await, expected);
    at(&bridge, "2027-03-01T12:00:00Z").await;
    let log = log(&bridge, &reminder).await;
    assert_eq!(log.len(), 4 + 51, "fifty were missed, and one is told");
    assert_eq!(log[4].0, "2027-01-10T10:00:00Z", "the latest of them");
    assert_eq!(log.last().map(|row| &*row.1), Some("told"));
    assert_eq!(read(&bridge, &reminder).await["next"], "2027-03-02T10:00:00Z");
}

#[tokio::test]
async fn clocks_that_are_set_back_ring_nothing_twice() {
    let bridge = start().await;
    let once = make(&bridge, &call()).await;
    let series = make(&bridge, &daily()).await;
    at(&bridge, "2026-11-04T10:00:00Z").await;
    let (rang, told) = (log(&bridge, &once).await, log(&bridge, &series).await);
    assert_eq!((rang.len(), told.len()), (1, 3));
    for back in [TimeDelta::days(2), TimeDelta::hours(1), TimeDelta::zero()] {
        bridge.clock.set(super::moment("2026-11-04T10:00:00Z") - back);
        bridge.work().await;
    }
    assert_eq!(log(&bridge, &once).await, rang);
    assert_eq!(log(&bridge, &series).await, told);
    at(&bridge, "2026-11-05T10:00:00Z").await;
    assert_eq!(log(&bridge, &series).await.len(), 4);
}
