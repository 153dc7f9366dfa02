//! When calendars are taken.

use axum::http::Method;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{EVENTS_SCOPE, PRIMARY, Reply, World};

const FREE_BUSY: &str = "/calendar/v3/freeBusy";
const ONLY_FREE_BUSY: &str = "https://www.googleapis.com/auth/calendar.freebusy";

fn lasting(from: &str, to: &str, members: &Value) -> Value {
    let mut event = json!({"start": {"dateTime": from}, "end": {"dateTime": to}});
    event.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    event
}

/// A query of the first of April; `members` are added to it.
fn of_the_first(ids: &[&str], members: &Value) -> Value {
    let items: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
    let mut query = json!({
        "timeMin": "2026-04-01T00:00:00Z", "timeMax": "2026-04-02T00:00:00+00:00", "items": items,
    });
    query.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    query
}

impl World {
    async fn insert_lasting(&self, token: &str, from: &str, to: &str, members: Value) {
        let event = lasting(from, to, &members);
        let reply = self.api(token, Method::POST, PRIMARY, event).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
    }

    async fn free_busy(&self, token: &str, query: Value) -> Reply {
        self.api(token, Method::POST, FREE_BUSY, query).await
    }
}

#[tokio::test]
async fn busy_times_are_merged_and_cut_to_the_range() {
    let world = World::new().await;
    let token = world.anas_token().await;
    let times = [
        ("2026-04-01T10:00:00Z", "2026-04-01T11:00:00Z"),
        ("2026-04-01T10:30:00Z", "2026-04-01T12:00:00Z"),
        ("2026-04-01T12:00:00Z", "2026-04-01T12:30:00Z"),
        ("2026-04-01T15:00:00Z", "2026-04-01T16:00:00Z"),
        ("2026-03-31T22:00:00Z", "2026-04-01T01:00:00Z"),
        ("2026-04-01T23:30:00Z", "2026-04-03T00:00:00Z"),
        ("2026-04-02T00:00:00Z", "2026-04-02T01:00:00Z"),
    ];
    for (from, to) in times {
        world.insert_lasting(&token, from, to, json!({})).await;
    }
    let answer = world.free_busy(&token, of_the_first(&["primary"], &json!({}))).await.json();
    let span = |from: &str, to: &str| json!({"start": from, "end": to});
    let wanted = json!({
        "kind": "calendar#freeBusy",
        "timeMin": "2026-04-01T00:00:00.000Z",
        "timeMax": "2026-04-02T00:00:00.000Z",
        "calendars": {"primary": {"busy": [
            span("2026-04-01T00:00:00Z", "2026-04-01T01:00:00Z"),
            span("2026-04-01T10:00:00Z", "2026-04-01T12:30:00Z"),
            span("2026-04-01T15:00:00Z", "2026-04-01T16:00:00Z"),
            span("2026-04-01T23:30:00Z", "2026-04-02T00:00:00Z"),
        ]}},
    });
    assert_eq!(answer, wanted);
    world.end().await;
}

#[tokio::test]
async fn what_takes_no_time_is_not_busy() {
    let world = World::new().await;
    let token = world.anas_token().await;
    let (from, to) = ("2026-04-01T10:00:00Z", "2026-04-01T11:00:00Z");
    let declined = json!([{"email": "ana@example.com", "responseStatus": "declined"}]);
    let others = json!([{"email": "x@example.org", "responseStatus": "declined"}]);
    world.insert_lasting(&token, from, to, json!({"transparency": "transparent"})).await;
    world.insert_lasting(&token, from, to, json!({"attendees": declined})).await;
    world.insert_lasting(&token, from, to, json!({"id": "cance11ed"})).await;
    world.api(&token, Method::DELETE, &format!("{PRIMARY}/cance11ed"), Value::Null).await;
    let query = || of_the_first(&["ana@example.com"], &json!({}));
    let busy = |reply: &Reply| reply.json()["calendars"]["ana@example.com"]["busy"].clone();
    assert_eq!(busy(&world.free_busy(&token, query()).await), json!([]));

    let tentative = json!({"status": "tentative", "attendees": others});
    world.insert_lasting(&token, from, to, tentative).await;
    assert_eq!(busy(&world.free_busy(&token, query()).await), json!([{"start": from, "end": to}]));
    world.end().await;
}

#[tokio::test]
async fn a_series_is_busy_when_its_instances_are() {
    let world = World::new().await;
    let token = world.anas_token().await;
    let daily = json!({
        "id": "da11e", "recurrence": ["RRULE:FREQ=DAILY"],
        "start": {"dateTime": "2026-03-20T10:00:00", "timeZone": "Europe/Lisbon"},
        "end": {"dateTime": "2026-03-20T10:30:00", "timeZone": "Europe/Lisbon"},
    });
    assert_eq!(world.api(&token, Method::POST, PRIMARY, daily).await.status, 200);
    let moved = json!({
        "start": {"dateTime": "2026-03-30T15:00:00Z"}, "end": {"dateTime": "2026-03-30T15:30:00Z"},
    });
    let instance = |moment: &str| format!("{PRIMARY}/da11e_{moment}");
    let second = instance("20260330T090000Z");
    assert_eq!(world.api(&token, Method::PATCH, &second, moved).await.status, 200);
    let third = instance("20260331T090000Z");
    assert_eq!(world.api(&token, Method::DELETE, &third, Value::Null).await.status, 204);
    // The clocks of Lisbon were set forward on the 29th.
    let days = json!({"timeMin": "2026-03-28T00:00:00Z", "timeMax": "2026-04-01T00:00:00Z"});
    let answer = world.free_busy(&token, of_the_first(&["primary"], &days)).await.json();
    let busy = answer["calendars"]["primary"]["busy"].as_array().unwrap();
    let starts: Vec<&str> = busy.iter().map(|span| span["start"].as_str().unwrap()).collect();
    let wanted = ["2026-03-28T10:00:00Z", "2026-03-29T09:00:00Z", "2026-03-30T15:00:00Z"];
    assert_eq!(starts, wanted);
    world.end().await;
}

#[tokio::test]
async fn times_are_told_in_the_zone_asked_for() {
    let world = World::new().await;
    let token = world.anas_token().await;
    world.insert_lasting(&token, "2026-04-01T10:00:00Z", "2026-04-01T11:00:00Z", json!({})).await;
    let there = of_the_first(&["primary"], &json!({"timeZone": "America/New_York"}));
    let answer = world.free_busy(&token, there).await.json();
    let busy = &answer["calendars"]["primary"]["busy"][0];
    assert_eq!(busy["start"], "2026-04-01T06:00:00-04:00");
    assert_eq!(busy["end"], "2026-04-01T07:00:00-04:00");
    world.end().await;
}

#[tokio::test]
async fn a_calendar_nobody_shared_is_an_error_of_its_own() {
    let world = World::new().await;
    let token = world.token_for("ana@example.com", ONLY_FREE_BUSY).await;
    let ids = ["ana@example.com", "ben@example.com", "team@example.com"];
    let answer = world.free_busy(&token, of_the_first(&ids, &json!({}))).await;
    assert_eq!(answer.status, 200);
    let calendars = &answer.json()["calendars"];
    let hidden = json!({"errors": [{"domain": "global", "reason": "notFound"}], "busy": []});
    assert_eq!(calendars["ana@example.com"], json!({"busy": []}));
    assert_eq!((&calendars["ben@example.com"], &calendars["team@example.com"]), (&hidden, &hidden));

    let ben = world.token_for("ben@example.com", "https://www.googleapis.com/auth/calendar").await;
    let rule =
        json!({"role": "freeBusyReader", "scope": {"type": "user", "value": "ana@example.com"}});
    let rules = "/calendar/v3/calendars/primary/acl";
    assert_eq!(world.api(&ben, Method::POST, rules, rule).await.status, 200);
    let answer = world.free_busy(&token, of_the_first(&ids, &json!({}))).await.json();
    assert_eq!(answer["calendars"]["ben@example.com"], json!({"busy": []}));

    let few = of_the_first(&ids, &json!({"calendarExpansionMax": 2}));
    let answer = world.free_busy(&token, few).await.json();
    let error = &answer["calendars"]["ana@example.com"]["errors"][0]["reason"];
    assert_eq!(error, "tooManyCalendarsRequested");

    let events_only = world.token_for("ana@example.com", EVENTS_SCOPE).await;
    let refused = world.free_busy(&events_only, of_the_first(&ids, &json!({}))).await;
    assert_eq!((refused.status, refused.reason().as_str()), (403, "insufficientPermissions"));
    world.end().await;
}

#[tokio::test]
async fn a_query_without_sense_is_refused() {
    let world = World::new().await;
    let token = world.anas_token().await;
    let first: DateTime<Utc> = "2026-04-01T00:00:00Z".parse().unwrap();
    let after = |days: i64| (first + chrono::TimeDelta::days(days)).to_rfc3339();
    let wrong = [
        (json!({"timeMax": null}), "required"),
        (json!({"timeMin": "2026-04-01"}), "badRequest"),
        (json!({"timeMax": after(0)}), "timeRangeEmpty"),
        (json!({"timeMax": after(93)}), "timeRangeTooLong"),
        (json!({"calendarExpansionMax": 51}), "invalid"),
        (json!({"groupExpansionMax": 101}), "invalid"),
        (json!({"timeZone": "Mars/Olympus"}), "invalid"),
        (json!({"items": [{}]}), "required"),
    ];
    for (members, reason) in wrong {
        let reply = world.free_busy(&token, of_the_first(&["primary"], &members)).await;
        assert_eq!((reply.status, reply.reason().as_str()), (400, reason), "{members}");
    }
    let long = of_the_first(&["primary"], &json!({"timeMax": after(92)}));
    assert_eq!(world.free_busy(&token, long).await.status, 200);
    world.end().await;
}
