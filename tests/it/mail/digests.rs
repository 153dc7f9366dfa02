//! Digests: what the next day holds, by mail.

use calbridge::model::key::Scope;
use chrono::TimeDelta;
use hyper::Method;
use serde_json::{Value, json};

use super::Postbox;
use crate::bridge::{ANA, Bridge, Choices, brew, with};

async fn desk(postbox: &Postbox) -> Bridge {
    let mut bridge =
        Bridge::with(Choices { settings: postbox.settings(), ..Choices::default() }).await;
    bridge.key = bridge.key_for(&[Scope::EventsWrite, Scope::TasksWrite]).await;
    bridge.connect(ANA).await.expect("an account");
    bridge
}

async fn make(bridge: &Bridge, noun: &str, body: &Value) -> Value {
    let path = format!("/api/v1/{noun}");
    let made = bridge.send_json(Method::POST, &path, body, &[]).await;
    assert!((200..300).contains(&made.status), "{body}: {}", made.text);
    made.json()
}

/// A digest of each day at half past seven in Lisbon, the first on the third.
fn daily() -> Value {
    json!({
        "title": "Your day", "digest": true, "to": ["ana@mail.test"], "deliver": ["mail"],
        "at": "2026-11-03T07:30:00", "time_zone": "Europe/Lisbon",
        "recurrence": ["RRULE:FREQ=DAILY;COUNT=2"],
    })
}

/// The texts of the mails, as lines.
fn texts(postbox: &Postbox) -> Vec<String> {
    let text = |mail: &Value| mail["text"].as_str().expect("a text").replace("\r\n", "\n");
    postbox.mails().iter().map(text).collect()
}

#[tokio::test]
async fn a_digest_tells_the_events_and_tasks_of_the_day_and_what_is_overdue() {
    let postbox = Postbox::start().await;
    let bridge = desk(&postbox).await;
    let event = |title: &str, start: &str, end: &str| {
        with(brew(), &json!({"summary": title, "start": start, "end": end}))
    };
    make(&bridge, "events", &event("Tea", "2026-11-03T14:00:00", "2026-11-03T15:00:00")).await;
    make(&bridge, "events", &event("Early", "2026-11-03T05:00:00", "2026-11-03T06:00:00")).await;
    make(&bridge, "events", &event("Night", "2026-11-04T01:00:00", "2026-11-04T02:00:00")).await;
    make(&bridge, "events", &event("Later", "2026-11-04T09:00:00", "2026-11-04T10:00:00")).await;
    let standup = event("Stand-up", "2026-10-26T09:15:00", "2026-10-26T09:30:00");
    let lines = json!({"recurrence": ["RRULE:FREQ=WEEKLY;BYDAY=MO,TU"]});
    make(&bridge, "events", &with(standup, &lines)).await;
    let whole = json!({"summary": "Holiday", "start": "2026-11-03", "end": "2026-11-04", "time_zone": null});
    make(&bridge, "events", &with(brew(), &whole)).await;
    let zone = "Europe/Lisbon";
    for task in [
        json!({"title": "Report", "due": "2026-11-03T17:00:00", "time_zone": zone}),
        json!({"title": "Rent", "due": "2026-11-01"}),
        json!({"title": "Shopping", "due": "2026-11-03"}),
        json!({"title": "Next week", "due": "2026-11-10"}),
        json!({"title": "Some day"}),
    ] {
        make(&bridge, "tasks", &task).await;
    }
    make(&bridge, "reminders", &daily()).await;
    bridge.run_until_idle().await;
    let texts = texts(&postbox);
    let told = "Tuesday, 3 November 2026 (Europe/Lisbon)\n\n\
        Events\n  all day  Holiday\n  09:15 to 09:30  Stand-up\n  14:00 to 15:00  Tea\n  \
        2026-11-04 01:00 to 2026-11-04 02:00  Night\n\n\
        Tasks\n  today  Shopping\n  17:00  Report\n\n\
        Overdue\n  2026-11-01  Rent\n";
    assert_eq!(texts[0].trim_end(), told.trim_end());
    assert!(texts[1].contains("Later") && !texts[1].contains("Tea"), "{}", texts[1]);
    assert_eq!(postbox.mails()[0]["headers"]["Subject"], "Your day");
}

#[tokio::test]
async fn a_digest_of_an_empty_day_says_so_and_tells_nothing_of_others() {
    let postbox = Postbox::start().await;
    let bridge = desk(&postbox).await;
    make(&bridge, "tasks", &json!({"title": "Bo's", "due": "2026-11-03", "user": "bo"})).await;
    make(&bridge, "reminders", &daily()).await;
    bridge.pass(TimeDelta::days(1));
    bridge.work().await;
    let told = "Tuesday, 3 November 2026 (Europe/Lisbon)\n\nNothing is planned.";
    assert_eq!(texts(&postbox)[0].trim_end(), told);
}

#[tokio::test]
async fn a_digest_goes_by_mail_and_is_of_a_day() {
    let postbox = Postbox::start().await;
    let bridge = desk(&postbox).await;
    let task = make(&bridge, "tasks", &json!({"title": "Rent", "due": "2026-11-05"})).await;
    for (members, pointer) in [
        (json!({"deliver": ["google"]}), "/deliver"),
        (
            json!({"at": null, "time_zone": null, "recurrence": null, "minutes_before": 5, "task": task["id"]}),
            "/digest",
        ),
    ] {
        let body = with(daily(), &members);
        let refused = bridge.send_json(Method::POST, "/api/v1/reminders", &body, &[]).await;
        assert_eq!(refused.status, 422, "{}", refused.text);
        let told = refused.json();
        let errors = told["errors"].as_array().expect("errors");
        assert!(errors.iter().any(|error| error["pointer"] == pointer), "{told}");
    }
}

#[tokio::test]
async fn a_digest_is_switched_off_and_on_by_a_change() {
    let postbox = Postbox::start().await;
    let bridge = desk(&postbox).await;
    make(&bridge, "tasks", &json!({"title": "Rent", "due": "2026-11-03"})).await;
    let four = json!({"recurrence": ["RRULE:FREQ=DAILY;COUNT=4"], "text": "Look at the day."});
    let reminder = make(&bridge, "reminders", &with(daily(), &four)).await;
    let path = format!("/api/v1/reminders/{}", reminder["id"].as_str().expect("an id"));
    let change = async |members: Value| bridge.send_json(Method::PATCH, &path, &members, &[]).await;
    for (switch, shown) in [(json!(false), false), (json!(true), true), (Value::Null, false)] {
        let changed = change(json!({"digest": switch})).await;
        assert_eq!((changed.status, &changed.json()["digest"]), (200, &json!(shown)));
        bridge.pass(TimeDelta::days(1));
        bridge.work().await;
        let texts = texts(&postbox);
        let last = texts.last().expect("a mail");
        assert!(last.starts_with("Look at the day."), "{last}");
        assert_eq!(last.contains("Rent"), shown, "{last}");
    }
    // It is of a day and by mail, whichever of the three is changed.
    let by_entry = change(json!({"digest": true, "deliver": ["google"]})).await;
    assert_eq!(by_entry.json()["errors"][0]["pointer"], "/deliver", "{}", by_entry.text);
    assert_eq!(change(json!({"deliver": ["google"]})).await.status, 200);
    let digest = change(json!({"digest": true})).await;
    assert_eq!(digest.json()["errors"][0]["pointer"], "/deliver", "{}", digest.text);
    let task = make(&bridge, "tasks", &json!({"title": "Tax", "due": "2026-11-20"})).await;
    let before = json!({
        "title": "Tax", "task": task["id"], "minutes_before": 5, "deliver": ["mail"]
    });
    let before = make(&bridge, "reminders", &before).await;
    let path = format!("/api/v1/reminders/{}", before["id"].as_str().expect("an id"));
    let refused = bridge.send_json(Method::PATCH, &path, &json!({"digest": true}), &[]).await;
    assert_eq!(refused.json()["errors"][0]["pointer"], "/digest", "{}", refused.text);
}
