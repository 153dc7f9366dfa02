//! Scripted faults, armed as a script arms them.

use std::pin::pin;

use axum::http::Method;
use calbridge::clock::Clock;
use calbridge::simulator::Answered;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{EVENT_ID, PRIMARY, World, tea, tea_with};

impl World {
    /// Waits for `call`, and moves the clock whenever somebody waits for it. Tells how often.
    async fn moving_on(&self, call: impl Future<Output = super::Reply>) -> (super::Reply, u32) {
        let mut call = pin!(call);
        let mut moves = 0;
        loop {
            tokio::select! {
                biased;
                reply = &mut call => return (reply, moves),
                () = tokio::task::yield_now() => {}
            }
            if let Some(moment) = self.clock.next_waited_for() {
                self.clock.set(moment);
                moves += 1;
            }
        }
    }

    async fn arm(&self, fault: Value) -> super::Reply {
        let json = [("content-type", "application/json")];
        self.send(Method::POST, "/simulator/faults", &json, fault.to_string()).await.unwrap()
    }

    async fn armed(&self, fault: Value) {
        let reply = self.arm(fault).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
    }

    async fn insert(&self, token: &str) -> super::Reply {
        self.api(token, Method::POST, PRIMARY, tea()).await
    }

    async fn titles(&self, token: &str) -> Vec<String> {
        let list = self.api(token, Method::GET, PRIMARY, Value::Null).await.json();
        let items = list["items"].as_array().unwrap().iter();
        items.map(|item| item["summary"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn any_refusal_can_be_scripted_by_its_number() {
    let world = World::new().await;
    let (token, _) = world.connect().await;
    let usual = [
        (401, "authError"),
        (403, "forbidden"),
        (404, "notFound"),
        (409, "conflict"),
        (410, "deleted"),
        (412, "conditionNotMet"),
        (429, "rateLimitExceeded"),
        (500, "backendError"),
        (502, "backendError"),
        (503, "backendError"),
        (504, "backendError"),
    ];
    for (status, reason) in usual {
        world.armed(json!({"fault": "status", "status": status, "times": 1})).await;
        let refused = world.insert(&token).await;
        assert_eq!((refused.status, refused.reason().as_str()), (status, reason));
        assert_eq!(refused.json()["error"]["code"], status);
    }
    let gone = json!({"fault": "status", "status": 410, "reason": "fullSyncRequired",
        "message": "Start again.", "retry_after": 3, "times": 1});
    world.armed(gone).await;
    let refused = world.insert(&token).await;
    let error = &refused.json()["error"]["errors"][0];
    assert_eq!(
        (&error["domain"], &error["location"], &error["message"]),
        (&json!("calendar"), &json!("syncToken"), &json!("Start again."))
    );
    assert_eq!(refused.header("retry-after"), "3");

    world.armed(json!({"fault": "status", "status": 503, "body": "html", "times": 1})).await;
    let page = world.insert(&token).await;
    assert_eq!((page.status, page.header("content-type")), (503, "text/html; charset=UTF-8"));
    assert!(page.text.contains("503"));
    assert!(world.titles(&token).await.is_empty(), "a refusal does nothing");
    world.end().await;
}

#[tokio::test]
async fn the_token_endpoint_is_refused_in_the_words_of_oauth() {
    let world = World::new().await;
    let (_, refresh) = world.connect().await;
    world.armed(json!({"fault": "status", "status": 503, "method": "token", "times": 1})).await;
    let refused = world.refresh(&refresh).await;
    assert_eq!(
        (refused.status, &refused.json()["error"]),
        (503, &json!("temporarily_unavailable"))
    );
    let scripted = json!({"fault": "status", "status": 400, "reason": "invalid_rapt",
        "method": "token", "times": 1});
    world.armed(scripted).await;
    assert_eq!(world.refresh(&refresh).await.json()["error"], "invalid_rapt");
    assert_eq!(world.refresh(&refresh).await.status, 200);
    world.end().await;
}

#[tokio::test]
async fn a_change_can_be_made_and_answered_by_a_time_out() {
    let world = World::new().await;
    let (token, _) = world.connect().await;
    world.armed(json!({"fault": "timeout_after_commit", "times": 1})).await;
    assert!(world.titles(&token).await.is_empty(), "what changes nothing is not struck");
    let late = world.insert(&token).await;
    assert_eq!((late.status, late.reason().as_str()), (504, "backendError"));
    assert_eq!(world.titles(&token).await, ["Tea"]);
    let entries = world.simulator.ledger();
    let entry = entries.iter().find(|entry| entry.method == super::INSERT).unwrap();
    assert_eq!((entry.answered, entry.committed), (Answered::Status(504), true));
    assert_eq!(entry.faults, ["timeout_after_commit"]);
    world.end().await;
}

#[tokio::test]
async fn an_insert_without_an_id_can_be_made_twice() {
    let world = World::new().await;
    let (token, _) = world.connect().await;
    world.armed(json!({"fault": "duplicate_commit"})).await;
    let named = tea_with(json!({"id": EVENT_ID, "summary": "Named"}));
    assert_eq!(world.api(&token, Method::POST, PRIMARY, named).await.status, 200);
    assert_eq!(world.titles(&token).await, ["Named"], "an id of the caller's keeps it single");
    let told = world.insert(&token).await.json();
    assert_eq!(world.titles(&token).await, ["Named", "Tea", "Tea"]);
    let entries = world.simulator.ledger();
    let entry = entries.iter().rfind(|entry| entry.method == super::INSERT).unwrap();
    assert_eq!(entry.event.as_deref(), told["id"].as_str());
    world.end().await;
}

#[tokio::test]
async fn a_body_can_arrive_slowly_or_under_a_false_name() {
    let world = World::new().await;
    let (token, _) = world.connect().await;
    world.armed(json!({"fault": "wrong_content_type", "times": 1})).await;
    let odd = world.insert(&token).await;
    assert_eq!(odd.header("content-type"), "text/html; charset=UTF-8");
    assert_eq!(odd.json()["summary"], "Tea");

    world.armed(json!({"fault": "slow_body", "for_secs": 20, "times": 1})).await;
    let (reply, steps) = world.moving_on(world.insert(&token)).await;
    assert_eq!(reply.json()["summary"], "Tea");
    assert!(steps >= 9, "the body came in {steps} steps");
    assert!(world.clock.now() - super::noon() >= TimeDelta::seconds(18));
    world.end().await;
}

#[tokio::test]
async fn lists_can_lag_behind_and_lose_nothing() {
    let world = World::new().await;
    let (token, _) = world.connect().await;
    let named = tea_with(json!({"id": EVENT_ID}));
    world.api(&token, Method::POST, PRIMARY, named).await;
    world.clock.advance(TimeDelta::minutes(1));
    let path = format!("{PRIMARY}/{EVENT_ID}");
    world.api(&token, Method::PATCH, &path, json!({"summary": "Coffee"})).await;
    world.insert(&token).await;
    world.armed(json!({"fault": "stale_read", "for_ms": 10_000, "times": 1})).await;
    let stale = world.api(&token, Method::GET, PRIMARY, Value::Null).await.json();
    assert_eq!(stale["items"].as_array().unwrap().len(), 1);
    assert_eq!(stale["items"][0]["summary"], "Tea");
    let sync = stale["nextSyncToken"].as_str().unwrap();
    let next = format!("{PRIMARY}?syncToken={sync}");
    let changed = world.api(&token, Method::GET, &next, Value::Null).await.json();
    let summaries: Vec<&Value> =
        changed["items"].as_array().unwrap().iter().map(|item| &item["summary"]).collect();
    assert_eq!(summaries, ["Coffee", "Tea"], "what was not shown comes with the sync token");
    assert_eq!(world.titles(&token).await, ["Coffee", "Tea"]);
    world.end().await;
}

#[tokio::test]
async fn a_fault_strikes_in_its_window_or_on_the_nth_call() {
    let world = World::new().await;
    let (token, _) = world.connect().await;
    let status = async |world: &World, token: &str| {
        world.api(token, Method::GET, PRIMARY, Value::Null).await.status
    };
    let refuse = |members: Value| {
        let mut fault = json!({"fault": "server_error"});
        fault.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        fault
    };
    world.armed(refuse(json!({"from_secs": 10, "for_secs": 10}))).await;
    assert_eq!(status(&world, &token).await, 200);
    world.clock.advance(TimeDelta::seconds(10));
    assert_eq!(status(&world, &token).await, 500);
    world.clock.advance(TimeDelta::seconds(10));
    assert_eq!(status(&world, &token).await, 200);

    let window = json!({"from": "2026-03-27T13:00:00Z", "until": "2026-03-27T14:00:00+00:00"});
    world.armed(refuse(window)).await;
    assert_eq!(status(&world, &token).await, 200);
    world.clock.set("2026-03-27T13:30:00Z".parse().unwrap());
    let (token, _) = world.connect().await;
    assert_eq!(status(&world, &token).await, 500);
    world.clock.set("2026-03-27T14:00:00Z".parse().unwrap());
    assert_eq!(status(&world, &token).await, 200);

    world.armed(refuse(json!({"nth": 3}))).await;
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(status(&world, &token).await);
    }
    assert_eq!(answers, [200, 200, 500, 200]);
    world.end().await;
}

#[tokio::test]
async fn latencies_follow_their_percentiles() {
    let world = World::new().await;
    world
        .armed(json!({"fault": "slow", "method": "userinfo",
        "latency_ms": {"p50": 100, "p99": 900}}))
        .await;
    let mut held = Vec::new();
    for _ in 0..200 {
        let before = world.clock.now();
        world.moving_on(world.get("/v1/userinfo")).await;
        held.push((world.clock.now() - before).num_milliseconds());
    }
    held.sort_unstable();
    assert!((60..=180).contains(&held[100]), "half within {} ms", held[100]);
    assert!((600..=1800).contains(&held[198]), "99 of 100 within {} ms", held[198]);
    assert!(held[199] <= 1800);
    world.end().await;
}

#[tokio::test]
async fn a_fault_that_cannot_be_read_is_explained() {
    let world = World::new().await;
    let wrong = [
        (json!({"fault": "rate_limit"}), "fault", "Did you mean rate_limited?"),
        (json!({"fault": "slow", "probabilty": 0.5}), "probabilty", "Did you mean probability?"),
        (
            json!({"fault": "slow", "probability": 1.5}),
            "probability",
            "For 20 of 100 calls, write 0.2.",
        ),
        (
            json!({"fault": "slow", "times": "often"}),
            "times",
            "See /simulator/openapi.json for its type.",
        ),
        (json!({"fault": "slow", "nth": 2, "times": 1}), "nth", "Leave them out, or nth."),
        (json!({"fault": "status"}), "status", "Say {\"fault\": \"status\", \"status\": 503}."),
        (
            json!({"fault": "slow", "status": 503}),
            "status",
            "Say {\"fault\": \"status\", \"status\": 503}.",
        ),
        (
            json!([{"fault": "slow"}, {"fault": "status", "status": 200}]),
            "[1].status",
            "Say {\"fault\": \"status\", \"status\": 503}.",
        ),
        (
            json!({"fault": "slow", "latency_ms": {"p50": 5, "p99": 4}}),
            "latency_ms.p99",
            "Exchange the two?",
        ),
    ];
    for (fault, field, next) in wrong {
        let refused = world.arm(fault).await;
        let body = refused.json();
        assert_eq!((refused.status, &body["field"]), (400, &json!(field)), "{body}");
        assert_eq!(body["next"], next);
        let error = body["error"].as_str().unwrap();
        assert!(error.contains(field) && error.contains(next), "{error}");
    }
    let shown = world.get("/simulator/faults").await.json();
    assert_eq!(shown["armed"], json!([]), "of a list with a wrong one, none is armed");
    world.end().await;
}

#[tokio::test]
async fn armed_faults_are_shown_with_their_counts_and_disarmed_one_by_one() {
    let world = World::new().await;
    let (token, _) = world.connect().await;
    let faults = json!([
        {"fault": "server_error", "times": 2, "method": "calendar.events.*"},
        {"fault": "hang", "user": "ben@example.com"},
    ]);
    assert_eq!(world.arm(faults).await.json(), json!({"added": 2, "numbers": [1, 2]}));
    assert_eq!(world.insert(&token).await.status, 500);
    let shown = world.get("/simulator/faults").await.json();
    assert_eq!(shown["unused"].as_array().unwrap().len(), 1);
    let expected = json!({"fault": "server_error", "times": 2, "method": "calendar.events.*",
        "after": 0, "number": 1, "since": "2026-03-27T12:00:00Z", "seen": 1, "struck": 1, "spent": false});
    assert_eq!(shown["armed"][0], expected);
    let remove = |path: &'static str| world.send(Method::DELETE, path, &[], String::new());
    assert_eq!(remove("/simulator/faults?number=1").await.unwrap().status, 204);
    assert_eq!(remove("/simulator/faults?number=1").await.unwrap().status, 404);
    assert_eq!(world.insert(&token).await.status, 200);
    let shown = world.get("/simulator/faults").await.json();
    assert_eq!(shown["armed"][0]["fault"], "hang");
    world.end().await;
}
