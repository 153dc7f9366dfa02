//! The entries that stand for reminders in calendars: one for each, kept in step with it.

use calbridge::simulator::{Fault, FaultKind};
use chrono::TimeDelta;
use hyper::Method;
use serde_json::{Value, json};

use super::{
    REMINDERS, at, call, change, chosen, daily, log, mailing, make, path_of, read, refused, rows,
    say, start,
};
use crate::accounts::link;
use crate::bridge::{ANA, Bridge, Choices, with};

const BEN: &str = "ben@example.com";

async fn connected() -> Bridge {
    with_account(start().await).await
}

async fn with_account(bridge: Bridge) -> Bridge {
    bridge.connect(ANA).await.expect("the account can be connected");
    bridge
}

fn committed(bridge: &Bridge, method: &str) -> usize {
    let ledger = bridge.google.ledger();
    ledger.iter().filter(|entry| entry.method == method && entry.committed).count()
}

/// The begin of the only entry in an account's calendar.
fn begins(bridge: &Bridge, account: &str) -> String {
    let events = bridge.google.events(account);
    assert_eq!(events.len(), 1, "{events:?}");
    let begins = events[0]["start"]["dateTime"].as_str().expect("a time");
    super::moment(begins).to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

#[tokio::test]
async fn a_reminders_whole_life_is_one_entry_and_no_mail_to_anyone() {
    let bridge = start().await;
    link(&bridge, "u-ben", BEN).await;
    bridge.fault(Fault::new(FaultKind::ServerError).times(500));
    let reminder = make(&bridge, &with(call(), &json!({ "user": "u-ben" }))).await;
    for n in 1..=10 {
        change(&bridge, &reminder, &json!({ "title": format!("Call {n}") })).await;
        bridge.work().await;
    }
    assert_eq!(bridge.titles(BEN), Vec::<String>::new(), "Google is down");
    bridge.google.clear_faults();
    at(&bridge, "2026-11-02T09:55:00Z").await;
    assert_eq!(bridge.titles(BEN), ["Call 10"]);
    assert_eq!(begins(&bridge, BEN), "2026-11-02T10:00:00Z");
    assert_eq!(committed(&bridge, "calendar.events.insert"), 1);
    at(&bridge, "2026-11-02T09:56:00Z").await;
    let shown = bridge.event(&read(&bridge, &reminder).await["event_id"]).await;
    assert_eq!((&shown["state"], &shown["user"]), (&json!("confirmed"), &json!("u-ben")));
    assert_eq!(
        (&shown["source"]["kind"], &shown["source"]["id"]),
        (&json!("reminder"), &reminder["id"])
    );
    let popup = json!([{ "method": "popup", "minutes": 0 }]);
    assert_eq!((&shown["reminders"], &shown["meet"]["state"]), (&popup, &json!("ready")));
    assert_eq!(shown["end"]["instant"], "2026-11-02T10:15:00Z");

    at(&bridge, "2026-11-02T10:00:00Z").await;
    assert_eq!(begins(&bridge, BEN), "2026-11-02T10:00:00Z", "what was stays");
    say(&bridge, &reminder, "snooze", &json!({ "minutes": 30 })).await;
    bridge.work().await;
    assert_eq!(begins(&bridge, BEN), "2026-11-02T10:30:00Z");
    say(&bridge, &reminder, "dismiss", &Value::Null).await;
    bridge.work().await;
    assert_eq!(bridge.titles(BEN), Vec::<String>::new(), "nobody wants to hear of it");
    change(&bridge, &reminder, &json!({ "at": "2026-11-03T10:00:00Z" })).await;
    bridge.run_until_idle().await;
    assert_eq!(begins(&bridge, BEN), "2026-11-03T10:00:00Z");
    let expected = rows(&[
        ("2026-11-02T10:00:00Z", "told"),
        ("2026-11-02T10:30:00Z", "dismissed"),
        ("2026-11-03T10:00:00Z", "told"),
    ]);
    assert_eq!(log(&bridge, &reminder).await, expected);
    let gone = bridge.send_json(Method::DELETE, &path_of(&reminder), &Value::Null, &[]).await;
    assert_eq!(gone.status, 204, "{}", gone.text);
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(BEN), Vec::<String>::new());
    assert_eq!(committed(&bridge, "calendar.events.insert"), 2);
    assert_eq!(bridge.google.outbox().len(), 0);
}

#[tokio::test]
async fn a_series_is_one_entry_that_recurs() {
    let bridge = connected().await;
    let members = json!({ "recurrence": ["RRULE:FREQ=DAILY;COUNT=3"], "meet": false });
    let reminder = make(&bridge, &with(daily(), &members)).await;
    bridge.run_until_idle().await;
    let entry = bridge.google.events(ANA)[0].clone();
    assert_eq!(entry["recurrence"], members["recurrence"]);
    assert_eq!(entry["start"]["timeZone"], "Europe/Lisbon");
    assert_eq!(entry["conferenceData"], Value::Null, "no Meet link, as was said");
    assert_eq!(bridge.titles(ANA).len(), 1);
    assert_eq!(committed(&bridge, "calendar.events.insert"), 1);
    assert_eq!(committed(&bridge, "calendar.events.patch"), 0, "ringing changes nothing");
    assert_eq!(log(&bridge, &reminder).await.len(), 3);
}

#[tokio::test]
async fn what_a_category_says_holds_for_the_entry() {
    let bridge = connected().await;
    let quiet = json!({ "name": "Quiet", "color": "grape", "meet": false });
    let quiet = bridge.send_json(Method::POST, "/api/v1/categories", &quiet, &[]).await.json();
    let reminder = make(&bridge, &with(call(), &json!({ "category": quiet["id"] }))).await;
    let entry = bridge.event(&reminder["event_id"]).await;
    assert_eq!((&entry["color"], &entry["meet"]["state"]), (&json!("grape"), &json!("none")));
    let asks =
        make(&bridge, &with(call(), &json!({ "category": quiet["id"], "meet": true }))).await;
    assert_eq!(bridge.event(&asks["event_id"]).await["meet"]["state"], "pending");
}

#[tokio::test]
async fn an_entry_waits_for_an_account_and_comes_with_it() {
    let bridge = start().await;
    let reminder = make(&bridge, &call()).await;
    assert_eq!(
        (&reminder["waits_for"], &reminder["event_id"]),
        (&json!("connection"), &Value::Null)
    );
    let gone = make(&bridge, &with(call(), &json!({ "title": "Never" }))).await;
    bridge.send_json(Method::DELETE, &path_of(&gone), &Value::Null, &[]).await;
    bridge.connect(ANA).await.expect("the account can be connected");
    bridge.work().await;
    assert_eq!(bridge.titles(ANA), ["Call"]);
    let placed = read(&bridge, &reminder).await;
    assert_eq!((&placed["waits_for"], placed["event_id"].is_string()), (&Value::Null, true));
}

#[tokio::test]
async fn an_entry_that_could_not_be_made_with_the_account_is_there_within_the_hour() {
    let settings = "[queue]\nmax_jobs_per_owner = 6\n".to_owned();
    let bridge = chosen(Choices { settings, ..Choices::default() }).await;
    bridge.tied.periodic.take_turns().await;
    for _ in 0..4 {
        make(&bridge, &call()).await;
    }
    bridge.connect(ANA).await.expect("the account can be connected");
    bridge.work().await;
    assert_eq!(bridge.titles(ANA).len(), 2, "no more jobs may wait");
    bridge.pass(TimeDelta::hours(1));
    bridge.tied.periodic.take_turns().await;
    bridge.work().await;
    assert_eq!(bridge.titles(ANA).len(), 4);
}

#[tokio::test]
async fn an_entry_moves_with_the_thing_it_stands_before_and_goes_with_it() {
    let bridge = connected().await;
    let task = json!({ "title": "Paint", "due": "2026-11-02T14:00:00Z", "meet": false });
    let task = bridge.send_json(Method::POST, "/api/v1/tasks", &task, &[]).await.json();
    let before = json!({
        "title": "Soon", "task": task["id"], "minutes_before": 60, "deliver": ["google"], "meet": false
    });
    make(&bridge, &before).await;
    bridge.work().await;
    let starts = || {
        let events = bridge.google.events(ANA);
        let soon = events.iter().find(|event| event["summary"] == "Soon")?;
        Some(super::moment(soon["start"]["dateTime"].as_str()?))
    };
    assert_eq!(starts(), Some(super::moment("2026-11-02T13:00:00Z")));
    let path = format!("/api/v1/tasks/{}", task["id"].as_str().expect("an id"));
    let moved = json!({ "due": "2026-11-02T16:00:00Z" });
    let moved = bridge.send_json(Method::PATCH, &path, &moved, &[]).await;
    assert_eq!(moved.status, 200, "{}", moved.text);
    bridge.work().await;
    assert_eq!(starts(), Some(super::moment("2026-11-02T15:00:00Z")));
    for (word, there) in [("complete", false), ("reopen", true)] {
        let said = format!("{path}/{word}");
        let answer = bridge.send_json(Method::POST, &said, &Value::Null, &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        // So many calls in one moment use up what may be called at once.
        bridge.pass(TimeDelta::minutes(1));
        bridge.work().await;
        assert_eq!(starts().is_some(), there, "{word}");
    }
}

#[tokio::test]
async fn a_task_that_is_given_to_another_leaves_the_entries_of_its_reminders_to_their_owner() {
    let bridge = start().await;
    link(&bridge, "u-ben", BEN).await;
    link(&bridge, "u-cleo", ANA).await;
    let task = json!({
        "title": "Paint", "due": "2026-11-02T14:00:00Z", "meet": false, "user": "u-ben"
    });
    let task = bridge.send_json(Method::POST, "/api/v1/tasks", &task, &[]).await.json();
    for (title, minutes) in [("Soon", 60), ("Sooner", 30)] {
        let before = json!({
            "title": title, "task": task["id"], "minutes_before": minutes, "deliver": ["google"],
            "meet": false, "user": "u-ben"
        });
        make(&bridge, &before).await;
    }
    // So many calls in one moment use up what may be called at once.
    let settle = async || {
        bridge.pass(TimeDelta::minutes(1));
        bridge.work().await;
    };
    settle().await;
    let path = format!("/api/v1/tasks/{}", task["id"].as_str().expect("an id"));
    // The inserts, deletes and patches that there were so far.
    for (edit, bens, cleos, calls) in [
        (json!({}), vec!["Soon", "Sooner", "Paint"], vec![], [3, 0, 0]),
        (json!({ "assignee": "u-cleo" }), vec!["Soon", "Sooner"], vec!["Paint"], [4, 1, 0]),
        (
            json!({ "due": "2026-11-02T16:00:00Z" }),
            vec!["Soon", "Sooner"],
            vec!["Paint"],
            [4, 1, 3],
        ),
        (json!({ "assignee": null }), vec!["Soon", "Sooner", "Paint"], vec![], [5, 2, 3]),
        (json!({ "due": null }), vec![], vec![], [5, 5, 3]),
    ] {
        let changed = bridge.send_json(Method::PATCH, &path, &edit, &[]).await;
        assert_eq!(changed.status, 200, "{}", changed.text);
        settle().await;
        assert_eq!(
            (bridge.titles(BEN), bridge.titles(ANA)),
            (texts(&bens), texts(&cleos)),
            "{edit}"
        );
        let counted = ["insert", "delete", "patch"]
            .map(|call| committed(&bridge, &format!("calendar.events.{call}")));
        assert_eq!(counted, calls, "{edit}");
    }
    assert_eq!(bridge.google.outbox().len(), 0);
}

fn texts(titles: &[&str]) -> Vec<String> {
    titles.iter().map(|title| (*title).to_owned()).collect()
}

#[tokio::test]
async fn a_reminder_before_something_that_recurs_has_no_entry_and_says_so() {
    let bridge = with_account(mailing().await).await;
    let standup = json!({
        "summary": "Standup", "start": "2026-11-02T12:00:00", "end": "2026-11-02T12:30:00",
        "time_zone": "Europe/Lisbon", "recurrence": ["RRULE:FREQ=DAILY"], "meet": false
    });
    let standup = bridge.send_json(Method::POST, "/api/v1/events", &standup, &[]).await.json();
    let before = json!({
        "title": "Soon", "event": standup["id"], "minutes_before": 10, "deliver": ["google"]
    });
    assert_eq!(refused(&bridge, Method::POST, REMINDERS, &before).await, ["/deliver"]);
    let mail = with(before.clone(), &json!({ "deliver": ["mail"], "to": [ANA] }));
    let bens = with(mail.clone(), &json!({ "user": "u-ben" }));
    assert_eq!(refused(&bridge, Method::POST, REMINDERS, &bens).await, ["/event"], "none of his");
    let mail = make(&bridge, &mail).await;
    let chore = json!({
        "title": "Chore", "due": "2026-11-30T14:00:00", "time_zone": "Europe/Lisbon",
        "recurrence": ["RRULE:FREQ=DAILY"], "meet": false
    });
    let chore = bridge.send_json(Method::POST, "/api/v1/tasks", &chore, &[]).await.json();
    let before = with(before, &json!({ "event": null, "task": chore["id"] }));
    assert_eq!(refused(&bridge, Method::POST, REMINDERS, &before).await, ["/deliver"]);
    let google = json!({ "deliver": ["mail", "google"] });
    assert_eq!(refused(&bridge, Method::PATCH, &path_of(&mail), &google).await, ["/deliver"]);
    let series = make(&bridge, &daily()).await;
    let path = format!("{}/snooze", path_of(&series));
    assert_eq!(refused(&bridge, Method::POST, &path, &json!({ "minutes": 5 })).await, ["/until"]);
}

/// An instance waits until its series is written, and looks again a little later.
async fn settle(bridge: &Bridge) {
    bridge.work().await;
    bridge.pass(TimeDelta::minutes(1));
    bridge.work().await;
}

/// The moments at which Google tells of the only series there is.
async fn told_of(bridge: &Bridge) -> Vec<String> {
    let events = bridge.google.events(ANA);
    let series = events.iter().find(|event| event["recurrence"].is_array()).expect("a series");
    let told = bridge.instances(series["id"].as_str().expect("an id")).await;
    let starts = told.iter().map(|entry| entry["start"]["dateTime"].as_str().expect("a time"));
    starts.map(|start| super::moment(start).format("%d %H:%M").to_string()).collect()
}

#[tokio::test]
async fn google_tells_of_no_occurrence_that_was_dismissed_before_it_came() {
    let bridge = connected().await;
    let members = json!({ "recurrence": ["RRULE:FREQ=DAILY;COUNT=4"], "meet": false });
    let reminder = make(&bridge, &with(daily(), &members)).await;
    settle(&bridge).await;
    assert_eq!(told_of(&bridge).await, ["02 10:00", "03 10:00", "04 10:00", "05 10:00"]);
    say(&bridge, &reminder, "dismiss", &Value::Null).await;
    settle(&bridge).await;
    assert_eq!(told_of(&bridge).await, ["03 10:00", "04 10:00", "05 10:00"]);
    at(&bridge, "2026-11-03T10:00:00Z").await;
    say(&bridge, &reminder, "dismiss", &Value::Null).await;
    settle(&bridge).await;
    assert_eq!(told_of(&bridge).await[0], "03 10:00", "what came stays as what was");
    say(&bridge, &reminder, "dismiss", &Value::Null).await;
    change(&bridge, &reminder, &json!({ "title": "Call again" })).await;
    settle(&bridge).await;
    assert_eq!(told_of(&bridge).await, ["03 10:00", "05 10:00"], "an edit brings nothing back");
    assert_eq!(read(&bridge, &reminder).await["next"], "2026-11-05T10:00:00Z");
    bridge.run_until_idle().await;
    let expected = rows(&[
        ("2026-11-02T10:00:00Z", "dismissed"),
        ("2026-11-03T10:00:00Z", "told"),
        ("2026-11-04T10:00:00Z", "dismissed"),
        ("2026-11-05T10:00:00Z", "told"),
    ]);
    assert_eq!(log(&bridge, &reminder).await, expected);
    assert_eq!(bridge.titles(ANA), ["Call again"]);
    bridge.send_json(Method::DELETE, &path_of(&reminder), &Value::Null, &[]).await;
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), Vec::<String>::new());
    assert_eq!(bridge.google.outbox().len(), 0);
}

#[tokio::test]
async fn an_occurrence_that_was_moved_in_the_calendar_goes_when_it_is_dismissed() {
    let bridge = connected().await;
    let members = json!({ "recurrence": ["RRULE:FREQ=DAILY;COUNT=2"], "meet": false });
    let reminder = make(&bridge, &with(daily(), &members)).await;
    settle(&bridge).await;
    let entry = reminder["event_id"].as_str().expect("an entry");
    let path = format!("/api/v1/events/{entry}?instance=2026-11-02T10:00:00Z");
    let later = json!({ "start": "2026-11-02T16:00:00Z", "end": "2026-11-02T16:15:00Z" });
    let moved = bridge.send_json(Method::PATCH, &path, &later, &[]).await;
    assert_eq!(moved.status, 202, "{}", moved.text);
    settle(&bridge).await;
    assert_eq!(told_of(&bridge).await, ["02 16:00", "03 10:00"]);
    say(&bridge, &reminder, "dismiss", &Value::Null).await;
    settle(&bridge).await;
    assert_eq!(told_of(&bridge).await, ["03 10:00"]);
}

#[tokio::test]
async fn google_does_not_tell_of_what_was_put_off_and_a_mail_does() {
    let bridge = with_account(mailing().await).await;
    let members = json!({
        "recurrence": ["RRULE:FREQ=DAILY;COUNT=3"], "meet": false, "deliver": ["google", "mail"],
        "to": [ANA],
    });
    let reminder = make(&bridge, &with(daily(), &members)).await;
    settle(&bridge).await;
    say(&bridge, &reminder, "snooze", &json!({ "until": "2026-11-02T15:00:00Z" })).await;
    settle(&bridge).await;
    assert_eq!(told_of(&bridge).await, ["03 10:00", "04 10:00"]);
    at(&bridge, "2026-11-02T15:00:00Z").await;
    let expected =
        rows(&[("2026-11-02T10:00:00Z", "dismissed"), ("2026-11-02T15:00:00Z", "pending")]);
    assert_eq!(log(&bridge, &reminder).await, expected);
}
