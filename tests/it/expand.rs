//! `POST /api/v1/recurrence/expand`: when a series would happen, before anybody takes it in.

use hyper::Method;
use serde_json::{Value, json};

use crate::bridge::{Answer, Bridge, with};

/// Half an hour in the night, in Lisbon.
fn night(start: &str, recurrence: &[&str]) -> Value {
    json!({
        "start": format!("{start}T01:30:00"),
        "end": format!("{start}T02:00:00"),
        "time_zone": "Europe/Lisbon",
        "recurrence": recurrence,
    })
}

async fn expand(bridge: &Bridge, body: &Value) -> Answer {
    bridge.send_json(Method::POST, "/api/v1/recurrence/expand", body, &[]).await
}

/// The occurrences that are told, each as `tell` puts it.
async fn told(bridge: &Bridge, body: &Value, tell: fn(&Value) -> String) -> Vec<String> {
    let answer = expand(bridge, body).await;
    assert_eq!(answer.status, 200, "{body}: {}", answer.text);
    answer.json()["data"].as_array().expect("a list").iter().map(tell).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

/// What the clock shows, how far it is ahead of UTC, and what is marked.
fn clock(one: &Value) -> String {
    format!("{} {} {}", text(&one["start"]["wall"]), text(&one["offset"]), text(&one["dst"]))
}

fn moment(one: &Value) -> String {
    text(&one["start"]["instant"]).to_owned()
}

fn day(one: &Value) -> String {
    format!("{} {}", text(&one["start"]["date"]), text(&one["end"]["date"]))
}

#[tokio::test]
async fn promise_10_what_clocks_do_to_a_start_is_marked() {
    let bridge = Bridge::start().await;
    let spring = night("2026-03-28", &["RRULE:FREQ=DAILY;COUNT=3"]);
    assert_eq!(
        told(&bridge, &spring, clock).await,
        [
            "2026-03-28T01:30:00 +00:00 -",
            "2026-03-29T02:30:00 +01:00 skipped",
            "2026-03-30T01:30:00 +01:00 -"
        ]
    );
    let autumn = night("2026-10-24", &["RRULE:FREQ=DAILY;COUNT=3"]);
    assert_eq!(
        told(&bridge, &autumn, clock).await,
        [
            "2026-10-24T01:30:00 +01:00 -",
            "2026-10-25T01:30:00 +01:00 repeated",
            "2026-10-26T01:30:00 +00:00 -"
        ]
    );
    let starts = told(&bridge, &autumn, |one| text(&one["original_start"]).to_owned()).await;
    assert_eq!(starts[1], "2026-10-25T00:30:00Z", "the first of the two");
}

#[tokio::test]
async fn a_series_ends_by_its_count_or_with_its_last_day_and_says_whether_it_goes_on() {
    let bridge = Bridge::start().await;
    for (rule, limit, many, more) in [
        ("RRULE:FREQ=DAILY;COUNT=3", 10, 3, false),
        ("RRULE:FREQ=DAILY;COUNT=3", 3, 3, false),
        ("RRULE:FREQ=DAILY;COUNT=3", 2, 2, true),
        ("RRULE:FREQ=DAILY;UNTIL=20261203", 10, 4, false),
        ("RRULE:FREQ=DAILY;UNTIL=20261203T013000Z", 10, 4, false),
        ("RRULE:FREQ=DAILY;UNTIL=20261203T012959Z", 10, 3, false),
        ("RRULE:FREQ=DAILY", 1000, 1000, true),
    ] {
        let body = with(night("2026-11-30", &[rule]), &json!({ "limit": limit }));
        let answer = expand(&bridge, &body).await.json();
        let found = answer["data"].as_array().map(Vec::len);
        assert_eq!((found, &answer["has_more"]), (Some(many), &json!(more)), "{rule}, {limit}");
    }
    let usual = expand(&bridge, &night("2026-11-30", &["RRULE:FREQ=DAILY"])).await.json();
    assert_eq!(
        (usual["data"].as_array().map(Vec::len), &usual["has_more"]),
        (Some(10), &json!(true))
    );
}

#[tokio::test]
async fn single_starts_are_added_and_left_out_and_it_begins_where_one_asks() {
    let bridge = Bridge::start().await;
    let lines = ["RRULE:FREQ=WEEKLY;COUNT=4", "EXDATE:20261207T013000", "RDATE:20261209T200000"];
    let body = night("2026-11-30", &lines);
    let all = [
        "2026-11-30T01:30:00Z",
        "2026-12-09T20:00:00Z",
        "2026-12-14T01:30:00Z",
        "2026-12-21T01:30:00Z",
    ];
    assert_eq!(told(&bridge, &body, moment).await, all);
    for (from, left) in [
        ("2026-12-09T20:00:00Z", &all[1..]),
        ("2026-12-09T21:00:01+01:00", &all[2..]),
        ("2027-01-01T00:00:00Z", &all[4..]),
    ] {
        let later = with(body.clone(), &json!({ "from": from }));
        assert_eq!(told(&bridge, &later, moment).await, left, "{from}");
    }
    let normal = expand(&bridge, &body).await.json()["recurrence"].clone();
    let kept = [
        "RRULE:FREQ=WEEKLY;COUNT=4",
        "RDATE;TZID=Europe/Lisbon:20261209T200000",
        "EXDATE;TZID=Europe/Lisbon:20261207T013000",
    ];
    assert_eq!(normal, json!(kept), "as they are kept");
}

#[tokio::test]
async fn whole_days_stay_days() {
    let bridge = Bridge::start().await;
    let body = json!({
        "start": "2026-10-24", "end": "2026-10-26",
        "recurrence": ["RRULE:FREQ=DAILY;INTERVAL=2;COUNT=3", "EXDATE;VALUE=DATE:20261026"],
    });
    assert_eq!(told(&bridge, &body, day).await, ["2026-10-24 2026-10-26", "2026-10-28 2026-10-30"]);
    assert_eq!(told(&bridge, &body, clock).await, ["- - -", "- - -"], "no clock has a say");
    let starts = told(&bridge, &body, |one| text(&one["original_start"]).to_owned()).await;
    assert_eq!(starts, ["2026-10-24", "2026-10-28"]);
}

#[tokio::test]
async fn what_is_no_series_is_refused_where_it_is_wrong() {
    let bridge = Bridge::start().await;
    let daily = || night("2026-11-30", &["RRULE:FREQ=DAILY"]);
    let twenty_one = vec!["RDATE:20261209T200000"; 21];
    for (members, pointer) in [
        (json!({ "recurrence": [] }), "/recurrence"),
        (json!({ "recurrence": null }), "/recurrence"),
        (json!({ "recurrence": twenty_one }), "/recurrence"),
        (json!({ "recurrence": ["RRULE:FREQ=DAILY", "RRULE:FREQ=DAILY"] }), "/recurrence/1"),
        (json!({ "recurrence": ["RRULE:FREQ=HOURLY"] }), "/recurrence/0"),
        (json!({ "recurrence": ["RRULE:FREQ=WEEKLY;BYDAY=TU"] }), "/start"),
        (json!({ "start": null }), "/start"),
        (
            json!({ "time_zone": null, "start": "2026-11-30T01:30:00Z", "end": "2026-11-30T02:00:00Z" }),
            "/time_zone",
        ),
        (json!({ "from": "tomorrow" }), "/from"),
        (json!({ "limit": 0 }), "/limit"),
        (json!({ "limit": 1001 }), "/limit"),
        (json!({ "recurence": [] }), "/recurence"),
    ] {
        let refused = expand(&bridge, &with(daily(), &members)).await;
        assert_eq!(refused.status, 422, "{members}: {}", refused.text);
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{members}: {}", refused.text);
    }
    assert_eq!(bridge.google.ledger().len(), 0, "Google has no part in it");
}
