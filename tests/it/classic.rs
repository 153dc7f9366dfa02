//! `POST /api/create-calendar-event` and its neighbours: what is taken, what is refused, and how a
//! repetition is known.

use chrono::TimeDelta;
use hyper::Method;
use serde_json::{Value, json};

use calbridge::app::access::{self, Caller};
use calbridge::simulator::{Fault, FaultKind};

use crate::bridge::{ANA, Bridge, Choices, tea, with};

const CREATE: &str = "/api/create-calendar-event";

/// The body is refused, and the errors point at these fields.
async fn refused(bridge: &Bridge, body: &Value, fields: &[&str]) -> Value {
    let answer = bridge.post(body, &[]).await;
    assert_eq!(answer.status, 400, "{body}: {}", answer.text);
    let told = answer.json();
    assert_eq!(told["success"], false);
    assert!(told["message"].as_str().is_some_and(|message| !message.is_empty()), "{told}");
    let pointers: Vec<String> = told["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .map(|error| {
            error["pointer"].as_str().expect("a pointer").trim_start_matches('/').to_owned()
        })
        .collect();
    assert_eq!(pointers, fields, "{body}: {told}");
    told
}

#[tokio::test]
async fn every_fault_of_a_body_is_named_with_its_field() {
    let bridge = Bridge::connected().await;
    refused(&bridge, &json!({}), &["endDateTime", "startDateTime", "summary"]).await;
    refused(&bridge, &with(tea(), &json!({ "summary": "" })), &["summary"]).await;
    refused(&bridge, &with(tea(), &json!({ "summary": "x".repeat(1025) })), &["summary"]).await;
    refused(&bridge, &with(tea(), &json!({ "description": "x".repeat(8193) })), &["description"])
        .await;
    refused(
        &bridge,
        &with(tea(), &json!({ "attendeeEmail": "not an address" })),
        &["attendeeEmail"],
    )
    .await;
    refused(&bridge, &with(tea(), &json!({ "notify": "everybody" })), &["notify"]).await;
    refused(&bridge, &with(tea(), &json!({ "summary": 7 })), &["summary"]).await;
    refused(
        &bridge,
        &with(tea(), &json!({ "endDateTime": "2026-11-30T14:00:00" })),
        &["endDateTime"],
    )
    .await;
    refused(
        &bridge,
        &with(tea(), &json!({ "startDateTime": "soon", "endDateTime": "later" })),
        &["startDateTime", "endDateTime"],
    )
    .await;
    let told =
        refused(&bridge, &with(tea(), &json!({ "timeZone": "Europe/Lisbom" })), &["timeZone"])
            .await;
    assert!(told["message"].as_str().expect("text").contains("Europe/Lisbon"), "{told}");
    assert_eq!(
        bridge.tied.app.store.count_jobs().await.expect("a store").live,
        0,
        "nothing is stored"
    );
}

#[tokio::test]
async fn times_mean_what_was_typed() {
    let bridge = Bridge::connected().await;
    let zoned = |start: &str, end: &str, zone: Value| {
        let mut body = tea();
        body["startDateTime"] = start.into();
        body["endDateTime"] = end.into();
        body["timeZone"] = zone;
        body
    };
    // Neither offset nor zone; an offset that contradicts its zone.
    refused(
        &bridge,
        &zoned("2026-11-30T14:00:00", "2026-11-30T15:00:00", Value::Null),
        &["startDateTime", "endDateTime"],
    )
    .await;
    let told = refused(
        &bridge,
        &zoned("2026-11-30T14:00:00+02:00", "2026-11-30T15:00:00+00:00", json!("Europe/Lisbon")),
        &["startDateTime"],
    )
    .await;
    assert!(told["message"].as_str().expect("text").contains("+00:00"), "{told}");

    // In a gap the wall time moves on (RFC 5545 §3.3.5), unless that is refused.
    let gap = zoned("2027-03-28T01:30:00", "2027-03-28T03:00:00", json!("Europe/Lisbon"));
    refused(&bridge, &with(gap.clone(), &json!({ "dst": "reject" })), &["startDateTime"]).await;
    let made = bridge.post(&gap, &[]).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let event = bridge.event(&made.json()["id"]).await;
    assert_eq!(event["start"]["instant"], "2027-03-28T01:30:00Z");
    assert_eq!(event["start"]["wall"], "2027-03-28T02:30:00");
    assert_eq!(event["start"]["time_zone"], "Europe/Lisbon");

    // `Z` names an instant and agrees with any zone; an offset alone is enough.
    let instant = bridge
        .post(&zoned("2026-11-30T14:00:00Z", "2026-11-30T15:00:00Z", json!("Asia/Kolkata")), &[])
        .await;
    assert_eq!(bridge.event(&instant.json()["id"]).await["start"]["wall"], "2026-11-30T19:30:00");
    let offset = bridge
        .post(&zoned("2026-11-30T14:00:00+05:30", "2026-11-30T15:00:00+05:30", Value::Null), &[])
        .await;
    assert_eq!(
        bridge.event(&offset.json()["id"]).await["start"]["instant"],
        "2026-11-30T08:30:00Z"
    );
}

#[tokio::test]
async fn what_is_no_json_or_too_large_or_unknown_is_refused() {
    let bridge = Bridge::connected().await;
    let plain =
        bridge.send_raw(Method::POST, CREATE, "{}", &[("content-type", "text/plain")]).await;
    assert_eq!((plain.status, plain.json()["code"].clone()), (415, json!("not_json")));
    let broken = bridge
        .send_raw(Method::POST, CREATE, "{\"summary\":", &[("content-type", "application/json")])
        .await;
    assert_eq!((broken.status, broken.json()["code"].clone()), (400, json!("malformed_json")));
    let large = format!("{{\"summary\": \"{}\"}}", "x".repeat(256 * 1024));
    let large = bridge
        .send_raw(Method::POST, CREATE, &large, &[("content-type", "application/json")])
        .await;
    assert_eq!((large.status, large.json()["code"].clone()), (413, json!("body_too_large")));
    for answer in [&plain, &broken, &large] {
        assert_eq!(answer.json()["success"], false);
        assert_eq!(answer.json()["request_id"], answer.header("x-request-id"));
        assert!(!answer.header("x-request-id").is_empty());
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    let more = bridge.post(&with(tea(), &json!({ "colour": "red" })), &[]).await;
    assert_eq!(more.status, 200, "unknown members are ignored here: {}", more.text);
}

#[tokio::test]
async fn without_a_key_nothing_is_taken() {
    let bridge = Bridge::connected().await;
    let without = bridge.send_raw(Method::POST, CREATE, "{}", &[("authorization", "")]).await;
    assert_eq!((without.status, without.json()["code"].clone()), (401, json!("no_api_key")));
    assert!(!without.header("www-authenticate").is_empty());
    let wrong = format!("Bearer {}x", bridge.key);
    let wrong = bridge.send_raw(Method::POST, CREATE, "{}", &[("authorization", &wrong)]).await;
    assert_eq!((wrong.status, wrong.json()["code"].clone()), (401, json!("unknown_api_key")));
    let app = &bridge.tied.app;
    let id = app.store.keys().await.expect("a store")[0].id;
    access::revoke_key(app, &Caller::console(), id).await.expect("revoked");
    assert_eq!(bridge.post(&tea(), &[]).await.status, 401, "a revoked key opens nothing");
}

#[tokio::test]
async fn without_an_account_nothing_is_stored() {
    let bridge = Bridge::start().await;
    let answer = bridge.post(&tea(), &[("idempotency-key", "k")]).await;
    assert_eq!((answer.status, answer.json()["code"].clone()), (409, json!("not_connected")));
    assert!(answer.json()["message"].as_str().expect("text").contains("/google-calendar-setup"));
    bridge.connect(ANA).await.expect("connected");
    let later = bridge.post(&tea(), &[("idempotency-key", "k")]).await;
    assert_eq!((later.status, later.header("idempotent-replayed")), (200, ""), "{}", later.text);
}

#[tokio::test]
async fn a_repeated_request_finds_what_the_first_one_made() {
    let bridge = Bridge::connected().await;
    let key = [("idempotency-key", "order-7")];
    let first = bridge.post(&tea(), &key).await;
    let again = bridge.post(&tea(), &key).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, "true"));
    assert_eq!(first.json()["id"], again.json()["id"]);
    assert_eq!(bridge.titles(ANA), ["Tea"]);
    let other = bridge.post(&with(tea(), &json!({ "summary": "Cake" })), &key).await;
    assert_eq!(
        (other.status, other.json()["code"].clone()),
        (422, json!("idempotency_key_reused"))
    );
    let bad = bridge.post(&tea(), &[("idempotency-key", "")]).await;
    assert_eq!((bad.status, bad.json()["code"].clone()), (400, json!("bad_idempotency_key")));
}

#[tokio::test]
async fn a_repeated_request_joins_the_wait_of_the_first() {
    let bridge = Bridge::connected().await;
    let key = [("idempotency-key", "order-7"), ("prefer", "respond-async")];
    let first = bridge.post(&tea(), &key).await;
    assert_eq!(first.status, 202);
    let again = bridge.post(&tea(), &key[..1]).await;
    assert_eq!(again.status, 200, "{}", again.text);
    assert_eq!(again.json()["id"], first.json()["id"]);
}

#[tokio::test]
async fn after_72_hours_a_key_with_another_body_makes_a_new_event() {
    let bridge = Bridge::connected().await;
    let key = [("idempotency-key", "order-7")];
    let first = bridge.post(&tea(), &key).await.json();
    bridge.pass(TimeDelta::hours(72));
    let same = bridge.post(&tea(), &key).await.json();
    assert_eq!(same["id"], first["id"], "the same request is still the same event");
    bridge.pass(TimeDelta::hours(72));
    let other = bridge.post(&with(tea(), &json!({ "summary": "Cake" })), &key).await;
    assert_eq!(other.status, 200, "{}", other.text);
    assert_ne!(other.json()["id"], first["id"]);
    assert_eq!(bridge.titles(ANA).len(), 2);
}

#[tokio::test]
async fn prefer_says_how_long_to_wait() {
    let bridge = Bridge::connected().await;
    bridge.fault(Fault::new(FaultKind::MeetPending).times(1).secs(20));
    let start = bridge.tied.app.clock.now();
    let short = bridge.post(&tea(), &[("prefer", "wait=3")]).await;
    assert_eq!(short.status, 202, "{}", short.text);
    assert_eq!(short.header("preference-applied"), "wait=3");
    assert_eq!(bridge.tied.app.clock.now() - start, TimeDelta::seconds(3));
    assert_eq!(
        short.header("location"),
        format!("/api/v1/events/{}", short.json()["id"].as_str().expect("an id"))
    );

    bridge.fault(Fault::new(FaultKind::MeetPending).times(1).secs(20));
    let long =
        bridge.post(&with(tea(), &json!({ "summary": "Cake" })), &[("prefer", "wait=40")]).await;
    assert_eq!(long.status, 200, "{}", long.text);

    let at_once = bridge.accept(&with(tea(), &json!({ "summary": "Toast" }))).await;
    assert_eq!(
        (at_once["success"].clone(), at_once["eventId"].clone()),
        (json!(true), Value::Null)
    );
    assert!(at_once["jobId"].is_string());
    bridge.run_until_idle().await;
}

#[tokio::test]
async fn guests_get_no_surprise_mail() {
    let bridge = Bridge::connected().await;
    let guest = with(tea(), &json!({ "attendeeEmail": "guest@example.org" }));
    let quiet = bridge.post(&guest, &[]).await.json();
    assert_eq!(quiet["warnings"], json!(["guests_not_notified"]));
    assert_eq!(bridge.google.outbox().len(), 0);
    let loud = bridge.post(&with(guest.clone(), &json!({ "notify": "all" })), &[]).await.json();
    assert!(loud.get("warnings").is_none(), "{loud}");
    assert_eq!(bridge.google.outbox().len(), 1);
    let over = json!({ "notify": "all", "startDateTime": "2026-01-05T14:00:00", "endDateTime": "2026-01-05T15:00:00" });
    assert_eq!(bridge.post(&with(guest, &over), &[]).await.status, 200);
    assert_eq!(bridge.google.outbox().len(), 1, "nobody wants mail about an event that is over");
}

#[tokio::test]
async fn a_key_has_a_hundred_requests_in_fifteen_minutes() {
    let bridge = Bridge::connected().await;
    for _ in 0..100 {
        assert_eq!(bridge.post(&json!({}), &[]).await.status, 400);
    }
    let answer = bridge.post(&tea(), &[]).await;
    assert_eq!((answer.status, answer.json()["code"].clone()), (429, json!("too_many_requests")));
    assert_eq!(answer.json()["success"], false);
    let wait: i64 = answer.header("retry-after").parse().expect("seconds");
    assert!((1..=900).contains(&wait));
    bridge.pass(TimeDelta::seconds(wait));
    assert_eq!(bridge.post(&tea(), &[]).await.status, 200);
}

#[tokio::test]
async fn the_limit_is_a_setting() {
    let settings = "[classic]\nrequests = 2\nwindow_secs = 60".into();
    let bridge = Bridge::with(Choices { settings, ..Choices::default() }).await;
    for expected in [400, 400, 429] {
        assert_eq!(bridge.post(&json!({}), &[]).await.status, expected);
    }
}

#[tokio::test]
async fn the_status_says_what_is_missing() {
    let bridge = Bridge::start().await;
    let status = bridge.get("/api/calendar-status").await.json();
    assert_eq!(
        status,
        json!({ "enabled": true, "authenticated": false, "setupUrl": "/google-calendar-setup" })
    );
    bridge.connect(ANA).await.expect("connected");
    assert_eq!(bridge.get("/api/calendar-status").await.json()["authenticated"], true);
    let whole = bridge.get("/api/v1/status").await.json();
    assert_eq!(
        (whole["connection"]["state"].clone(), whole["connection"]["email"].clone()),
        (json!("connected"), json!(ANA))
    );
    std::fs::remove_file(bridge.place.path().join("google-credentials.json")).expect("a file");
    assert_eq!(bridge.get("/api/calendar-status").await.json()["enabled"], false);
}

#[tokio::test]
async fn the_probes_answer_without_a_key_and_also_under_api() {
    let bridge = Bridge::start().await;
    for prefix in ["", "/api"] {
        for (path, expected) in [
            ("/livez", "ok"),
            ("/readyz", "ok"),
            ("/readyz?verbose", "[+] store ok"),
            ("/health", "healthy"),
        ] {
            let answer = bridge
                .send_raw(Method::GET, &format!("{prefix}{path}"), "", &[("authorization", "")])
                .await;
            assert_eq!(answer.status, 200);
            assert!(answer.text.contains(expected), "{prefix}{path}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn an_event_can_be_read_changed_and_cancelled() {
    let bridge = Bridge::connected().await;
    let made = bridge.post(&tea(), &[]).await.json();
    let path = format!("/api/v1/events/{}", made["id"].as_str().expect("an id"));
    let shown = bridge.get(&path).await;
    assert_eq!(shown.json()["summary"], "Tea");
    let edit = json!({ "summary": "Coffee", "start": "2026-12-01T09:00:00", "end": "2026-12-01T10:00:00", "time_zone": "Europe/Lisbon" });
    let edited = bridge.send_json(Method::PATCH, &path, &edit, &[("prefer", "wait=5")]).await;
    assert_eq!((edited.status, edited.header("preference-applied")), (200, "wait=5"));
    let event = &bridge.google.events(ANA)[0];
    assert_eq!(
        (&event["summary"], &event["hangoutLink"]),
        (&json!("Coffee"), &made["meetLink"]),
        "the link stays"
    );
    assert!(
        event["start"]["dateTime"].as_str().expect("a time").starts_with("2026-12-01T09:00:00")
    );

    let unknown = bridge.send_json(Method::PATCH, &path, &json!({ "sumary": "x" }), &[]).await;
    assert_eq!(unknown.status, 422, "{}", unknown.text);
    assert!(
        unknown.text.contains("sumary") && unknown.text.contains("summary"),
        "{}",
        unknown.text
    );
    let half = bridge
        .send_json(Method::PATCH, &path, &json!({ "start": "2026-12-01T09:00:00Z" }), &[])
        .await;
    assert_eq!(half.json()["errors"][0]["pointer"], "/end");

    let cancelled =
        bridge.send_json(Method::DELETE, &path, &Value::Null, &[("prefer", "wait=5")]).await;
    assert_eq!((cancelled.status, cancelled.json()["state"].clone()), (200, json!("cancelled")));
    assert_eq!(bridge.titles(ANA), Vec::<String>::new());
    assert_eq!(
        bridge.send_json(Method::PATCH, &path, &json!({ "summary": "x" }), &[]).await.status,
        404
    );
}

#[tokio::test]
async fn ids_that_are_not_or_cannot_be_are_told_alike() {
    let bridge = Bridge::start().await;
    for id in ["00000000000000000000000000", "nonsense", "zzzzzzzzzzzzzzzzzzzzzzzzzz"] {
        for path in ["events", "jobs"] {
            let answer = bridge.get(&format!("/api/v1/{path}/{id}")).await;
            assert_eq!((answer.status, answer.json()["code"].clone()), (404, json!("not_found")));
        }
    }
    assert_eq!(bridge.get("/api/v1/nothing").await.json()["code"], "no_such_route");
    let wrong = bridge.send_raw(Method::DELETE, "/livez", "", &[]).await;
    assert_eq!((wrong.status, wrong.json()["code"].clone()), (405, json!("method_not_allowed")));
}
