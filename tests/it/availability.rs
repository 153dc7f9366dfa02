//! When accounts are busy: told to those who may know, and not by what.

use std::sync::Arc;

use calbridge::clock::ManualClock;
use calbridge::simulator::{Fault, FaultKind, Settings, Simulator};
use hyper::Method;
use serde_json::{Value, json};

use crate::accounts::link;
use crate::bridge::{ANA, Answer, Bridge, Choices, morning, with};
use crate::jwt::application::{Shop, Way};

const AVAILABILITY: &str = "/api/v1/availability";
const EVENTS: &str = "/api/v1/events";
const BEN: &str = "ben@example.com";

/// The last of November, whole.
fn day(members: &Value) -> Value {
    with(json!({"from": "2026-11-30T00:00:00Z", "to": "2026-12-01T00:00:00Z"}), members)
}

fn event(members: &Value) -> Value {
    let body = json!({
        "summary": "Secret tea",
        "start": "2026-11-30T14:00:00Z",
        "end": "2026-11-30T15:00:00Z",
        "meet": false,
    });
    with(body, members)
}

async fn ask(bridge: &Bridge, members: &Value) -> Answer {
    bridge.send_json(Method::POST, AVAILABILITY, &day(members), &[]).await
}

async fn create(bridge: &Bridge, members: &Value) -> Answer {
    let answer = bridge.send_json(Method::POST, EVENTS, &event(members), &[]).await;
    bridge.run_until_idle().await;
    answer
}

fn span(start: &str, end: &str) -> Value {
    json!({"start": format!("2026-11-30T{start}:00Z"), "end": format!("2026-11-30T{end}:00Z")})
}

/// A bridge that knows the server's account and those of two users.
async fn three() -> Bridge {
    let bridge = Bridge::start().await;
    link(&bridge, "u-ben", BEN).await;
    link(&bridge, "u-eve", ANA).await;
    bridge.connect(ANA).await.expect("the server's account");
    bridge
}

#[tokio::test]
async fn several_users_are_told_apart_and_the_time_they_share_is_told() {
    let bridge = three().await;
    create(&bridge, &json!({"user": "u-ben"})).await;
    let late =
        json!({"user": "u-eve", "start": "2026-11-30T14:30:00Z", "end": "2026-11-30T16:00:00Z"});
    create(&bridge, &late).await;
    // Whoever is busy for shorter, within another's time, makes nobody free.
    let long =
        json!({"user": "u-ben", "start": "2026-11-30T18:00:00Z", "end": "2026-11-30T20:00:00Z"});
    create(&bridge, &long).await;
    let within =
        json!({"user": "u-eve", "start": "2026-11-30T18:30:00Z", "end": "2026-11-30T19:00:00Z"});
    create(&bridge, &within).await;
    let answer = ask(&bridge, &json!({"users": ["u-eve", "u-ben", "u-eve"]})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let told = answer.json();
    assert_eq!(
        told["accounts"],
        json!([
            {"user": "u-eve", "busy": [span("14:30", "16:00"), span("18:30", "19:00")]},
            {"user": "u-ben", "busy": [span("14:00", "15:00"), span("18:00", "20:00")]},
        ])
    );
    let evening = json!({"start": "2026-11-30T20:00:00Z", "end": "2026-12-01T00:00:00Z"});
    assert_eq!(told["free"], json!([span("00:00", "14:00"), span("16:00", "18:00"), evening]));
    assert!(!answer.text.contains("tea"), "{}", answer.text);
}

#[tokio::test]
async fn the_servers_account_is_asked_for_where_nobody_is_named() {
    let bridge = three().await;
    create(&bridge, &json!({})).await;
    let told = ask(&bridge, &json!({})).await.json();
    assert_eq!(told["accounts"], json!([{"user": null, "busy": [span("14:00", "15:00")]}]));
    let told = ask(&bridge, &json!({"users": ["u-ben"], "connection": "server"})).await.json();
    assert_eq!(told["accounts"].as_array().map(Vec::len), Some(2), "{told}");
}

#[tokio::test]
async fn promise_8_a_user_is_told_of_their_own_time_alone() {
    let shop = Shop::signing(Way::EdDsa).await;
    let bridge = &shop.bridge;
    link(bridge, "u-ben", BEN).await;
    link(bridge, "u-eve", ANA).await;
    bridge.connect(ANA).await.expect("the server's account");
    let token = shop.token("u-ben");
    let token = format!("Bearer {token}");
    let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
    let asked = async |members: Value| {
        bridge.send_raw(Method::POST, AVAILABILITY, &day(&members).to_string(), &headers).await
    };
    let own = asked(json!({})).await;
    assert_eq!((own.status, &own.json()["accounts"][0]["user"]), (200, &json!("u-ben")));
    let seen = bridge.google.ledger().len();
    for members in [
        json!({"users": ["u-eve"]}),
        json!({"users": ["u-ben", "u-eve"]}),
        json!({"users": ["u-nobody"]}),
        json!({"connection": "server"}),
    ] {
        let refused = asked(members.clone()).await;
        assert_eq!(
            (refused.status, &refused.json()["code"]),
            (403, &json!("not_for_users")),
            "{members}"
        );
    }
    assert_eq!(bridge.google.ledger().len(), seen, "Google was not asked");
}

#[tokio::test]
async fn an_account_that_cannot_be_asked_hides_no_other() {
    let bridge = three().await;
    create(&bridge, &json!({"user": "u-ben"})).await;
    let told = ask(&bridge, &json!({"users": ["u-nobody", "u-ben"]})).await.json();
    let [nobody, ben] = [&told["accounts"][0], &told["accounts"][1]];
    assert_eq!(
        (&nobody["busy"], &nobody["reason"]["code"]),
        (&Value::Null, &json!("not_connected"))
    );
    assert_eq!(ben["busy"], json!([span("14:00", "15:00")]));
    assert_eq!(told["free"], Value::Null, "nobody knows");
}

#[tokio::test]
async fn a_question_that_makes_no_sense_is_told_what_is_wrong_with_it() {
    let bridge = Bridge::connected().await;
    let crowd: Vec<String> = (0..21).map(|n| format!("u{n}")).collect();
    for (members, pointer) in [
        (json!({"to": "2026-11-29T00:00:00Z"}), "/to"),
        (json!({"to": "2027-03-01T00:00:00Z"}), "/to"),
        (json!({"from": "2026-11-30T00:00:00"}), "/from"),
        (json!({"users": crowd}), "/users"),
        (json!({"users": ["two words"]}), "/users/0"),
        (json!({"connection": "theirs"}), "/connection"),
    ] {
        let answer = ask(&bridge, &members).await;
        assert_eq!(answer.status, 422, "{members}: {}", answer.text);
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{members}");
    }
}

#[tokio::test]
async fn an_event_may_be_taken_in_marked_or_refused_where_the_time_is_taken() {
    let bridge = Bridge::connected().await;
    create(&bridge, &json!({})).await;
    let overlapping = json!({"start": "2026-11-30T14:30:00Z", "end": "2026-11-30T15:30:00Z"});
    let wish = |on_conflict: &str| with(overlapping.clone(), &json!({"on_conflict": on_conflict}));

    let refused = create(&bridge, &wish("reject")).await;
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("conflict")));
    assert!(refused.text.contains("2026-11-30T14:30:00Z"), "it names the time: {}", refused.text);
    assert_eq!(bridge.titles(ANA).len(), 1);

    let warned = create(&bridge, &wish("warn")).await;
    assert_eq!((warned.status, &warned.json()["warnings"]), (202, &json!(["conflict"])));
    let allowed = create(&bridge, &wish("allow")).await;
    assert_eq!((allowed.status, allowed.json().get("warnings")), (202, None));
    assert_eq!(bridge.titles(ANA).len(), 3);

    let after = json!({"start": "2026-11-30T15:30:00Z", "end": "2026-11-30T16:00:00Z", "on_conflict": "reject"});
    assert_eq!(create(&bridge, &after).await.status, 202, "the end is excluded");
    let beside = with(wish("reject"), &json!({"transparency": "transparent"}));
    assert_eq!(create(&bridge, &beside).await.status, 202, "it takes nobody's time");
    assert_eq!(create(&bridge, &json!({"on_conflict": "panic"})).await.status, 422);
}

#[tokio::test]
async fn a_request_that_is_repeated_is_not_in_its_own_way() {
    let bridge = Bridge::connected().await;
    let body = event(&json!({"on_conflict": "reject"}));
    let key = [("idempotency-key", "order-7")];
    assert_eq!(bridge.send_json(Method::POST, EVENTS, &body, &key).await.status, 202);
    bridge.run_until_idle().await;
    let again = bridge.send_json(Method::POST, EVENTS, &body, &key).await;
    assert_eq!(
        (again.status, again.header("idempotent-replayed")),
        (200, "true"),
        "{}",
        again.text
    );
}

#[tokio::test]
async fn whole_days_are_those_of_the_calendars_own_clock() {
    let bridge = Bridge::connected().await;
    // In Lisbon, whose clocks are an hour ahead in summer, that is the first of July.
    create(&bridge, &json!({"start": "2027-06-30T23:15:00Z", "end": "2027-06-30T23:30:00Z"})).await;
    let day = |day: &str| {
        json!({
            "summary": "Fair", "start": day, "meet": false, "on_conflict": "reject",
        })
    };
    for (start, status) in [("2027-06-30", 202), ("2027-07-01", 409), ("2027-07-03", 202)] {
        let answer = bridge.send_json(Method::POST, EVENTS, &day(start), &[]).await;
        assert_eq!(answer.status, status, "{start}: {}", answer.text);
    }
    bridge.run_until_idle().await;
}

#[tokio::test]
async fn a_whole_day_whose_midnight_clocks_skip_begins_when_they_do() {
    let mut people = Settings::default();
    people.users[0].time_zone = "Africa/Cairo".to_owned();
    let clock = Arc::new(ManualClock::at(morning()));
    let google = Some((Simulator::with_manual_clock(people, clock.clone()), clock));
    let bridge = Bridge::with(Choices { google, ..Choices::default() }).await;
    bridge.connect(ANA).await.expect("the account can be connected");
    // In Cairo the last of April begins at 01:00, which is 22:00 of the evening before in UTC.
    create(&bridge, &json!({"start": "2027-04-29T22:15:00Z", "end": "2027-04-29T22:30:00Z"})).await;
    for (start, status) in [("2027-04-29", 202), ("2027-04-30", 409), ("2027-05-01", 202)] {
        let day = json!({
            "summary": "Fair", "start": start, "meet": false, "on_conflict": "reject",
        });
        let answer = bridge.send_json(Method::POST, EVENTS, &day, &[]).await;
        assert_eq!(answer.status, status, "{start}: {}", answer.text);
    }
    bridge.run_until_idle().await;
}

#[tokio::test]
async fn where_google_cannot_be_asked_only_who_insists_is_refused() {
    let bridge = Bridge::connected().await;
    let down = || Fault::new(FaultKind::ServerError).method("calendar.freebusy.query").times(1);
    bridge.fault(down());
    let warned = create(&bridge, &json!({"on_conflict": "warn"})).await;
    assert_eq!(
        (warned.status, &warned.json()["warnings"]),
        (202, &json!(["availability_unknown"]))
    );
    bridge.fault(down());
    let later = json!({"on_conflict": "reject", "start": "2026-12-07T14:00:00Z", "end": "2026-12-07T15:00:00Z"});
    let refused = create(&bridge, &later).await;
    assert!((500..600).contains(&refused.status), "{}", refused.text);
    assert_eq!(bridge.titles(ANA).len(), 1);
}

#[tokio::test]
async fn nobody_looks_out_a_thousand_times_for_one_batch() {
    let bridge = Bridge::connected().await;
    let items = json!({"events": [event(&json!({})), event(&json!({"on_conflict": "reject"}))]});
    let answer = bridge.send_json(Method::POST, "/api/v1/events/batch", &items, &[]).await;
    let told = answer.json();
    assert_eq!((answer.status, &told["accepted"], &told["refused"]), (200, &json!(1), &json!(1)));
    let problem = &told["results"][1]["problem"]["errors"][0];
    assert_eq!(problem["pointer"], "/on_conflict", "{told}");
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA).len(), 1);
}

#[tokio::test]
async fn every_occurrence_of_a_series_first_year_is_looked_at() {
    let bridge = Bridge::connected().await;
    create(&bridge, &json!({"start": "2027-06-14T14:30:00Z", "end": "2027-06-14T15:00:00Z"})).await;
    let series = |rule: &str, hour: u32, on_conflict: &str| {
        json!({
            "start": format!("2026-11-30T{hour}:00:00"), "end": format!("2026-11-30T{hour}:45:00"),
            "time_zone": "UTC", "recurrence": [rule], "on_conflict": on_conflict,
        })
    };
    let mondays = "RRULE:FREQ=WEEKLY";
    let refused = create(&bridge, &series(mondays, 14, "reject")).await;
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("conflict")));
    assert!(refused.text.contains("2027-06-14T14:30:00Z"), "it names the time: {}", refused.text);
    let without = json!({ "recurrence": [mondays, "EXDATE:20270614T140000Z"] });
    let beside = with(series(mondays, 14, "reject"), &without);
    assert_eq!(create(&bridge, &beside).await.status, 202, "that occurrence is left out");
    assert_eq!(create(&bridge, &series(mondays, 16, "reject")).await.status, 202, "another hour");
    let asked = bridge.calls("calendar.freebusy.query");
    let warned = create(&bridge, &series("RRULE:FREQ=DAILY", 14, "warn")).await;
    assert_eq!(warned.json()["warnings"], json!(["conflict"]), "{}", warned.text);
    let asked = bridge.calls("calendar.freebusy.query") - asked;
    assert!(asked <= 8, "a year is looked at in stretches, not day by day: {asked}");
}
