//! Jobs in people's hands: seen, taken back, run again, put off.

use calbridge::model::key::Scope;
use calbridge::simulator::{Fault, FaultKind};
use chrono::TimeDelta;
use hyper::Method;
use serde_json::{Value, json};

use crate::bridge::{ANA, Answer, Bridge, tea, with};

const INSERT: &str = "calendar.events.insert";

/// A connected bridge whose key is an administrator's.
async fn administered() -> Bridge {
    let mut bridge = Bridge::connected().await;
    bridge.key = bridge.key_for(&[Scope::Admin]).await;
    bridge
}

async fn lay_hands(bridge: &Bridge, job: &Value, verb: &str, body: &Value) -> Answer {
    let path = format!("/api/v1/jobs/{}/{verb}", job.as_str().expect("an id"));
    bridge.router_send(Method::POST, &path, body).await
}

/// The ids on a page of the list.
fn ids(page: &Value) -> Vec<Value> {
    page["data"].as_array().expect("a list").iter().map(|job| job["id"].clone()).collect()
}

fn path_of(made: &Value) -> String {
    format!("/api/v1/events/{}", made["id"].as_str().expect("an id"))
}

#[tokio::test]
async fn jobs_are_listed_by_state_page_by_page() {
    let bridge = administered().await;
    let mut made = Vec::new();
    for title in ["one", "two", "three", "four", "five"] {
        bridge.pass(TimeDelta::milliseconds(1));
        made.push(bridge.accept(&with(tea(), &json!({ "summary": title }))).await["jobId"].clone());
    }
    let mut seen = Vec::new();
    let mut after = String::new();
    for _ in 0..9 {
        let page = bridge.get(&format!("/api/v1/jobs?state=live&limit=2{after}")).await.json();
        seen.extend(ids(&page));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(seen, made, "each once, in the order in which they were asked for");
    bridge.run_until_idle().await;
    assert!(ids(&bridge.get("/api/v1/jobs").await.json()).is_empty());
    assert_eq!(ids(&bridge.get("/api/v1/jobs?state=done").await.json()), made);
    let of_ana = bridge.get("/api/v1/jobs?state=done&owner=user:ana").await.json();
    assert!(ids(&of_ana).is_empty(), "they are the application's");
    let ours = bridge.get("/api/v1/jobs?state=done&owner=application").await.json();
    assert_eq!(ids(&ours).len(), 5);
}

#[tokio::test]
async fn a_list_that_cannot_be_is_refused_by_name() {
    let bridge = administered().await;
    for (query, pointer) in [
        ("state=asleep", "/state"),
        ("owner=ana", "/owner"),
        ("after=later", "/after"),
        ("limit=501", "/limit"),
    ] {
        let answer = bridge.get(&format!("/api/v1/jobs?{query}")).await;
        assert_eq!(answer.status, 422, "{query}: {}", answer.text);
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer);
    }
    assert_eq!(bridge.get("/api/v1/jobs?order=up").await.status, 422);
}

#[tokio::test]
async fn only_an_administrator_lists_or_touches_jobs() {
    let bridge = Bridge::connected().await;
    let made = bridge.accept(&tea()).await;
    assert_eq!(bridge.get("/api/v1/jobs").await.status, 403);
    for verb in ["cancel", "retry", "snooze"] {
        let body = json!({ "until": "2026-11-03T00:00:00Z" });
        assert_eq!(lay_hands(&bridge, &made["jobId"], verb, &body).await.status, 403, "{verb}");
    }
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), ["Tea"]);
}

#[tokio::test]
async fn a_cancelled_job_leaves_its_event_alone_until_it_is_retried() {
    let bridge = administered().await;
    let made = bridge.accept(&tea()).await;
    let cancelled = lay_hands(&bridge, &made["jobId"], "cancel", &Value::Null).await;
    assert_eq!((cancelled.status, &cancelled.json()["state"]), (200, &json!("cancelled")));
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), Vec::<String>::new());
    let event = bridge.event(&made["id"]).await;
    assert_eq!(event["state"], "stopped");
    assert_eq!(event["waits_for"]["code"], "job_cancelled");

    let retried = lay_hands(&bridge, &made["jobId"], "retry", &Value::Null).await;
    assert_eq!((retried.status, &retried.json()["state"]), (200, &json!("live")));
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), ["Tea"]);
    assert_eq!(bridge.event(&made["id"]).await["state"], "confirmed");
}

#[tokio::test]
async fn a_change_of_an_event_whose_job_was_cancelled_makes_another_job() {
    let bridge = administered().await;
    let made = bridge.accept(&tea()).await;
    lay_hands(&bridge, &made["jobId"], "cancel", &Value::Null).await;
    let edit = json!({ "summary": "Coffee" });
    let edited = bridge.send_json(Method::PATCH, &path_of(&made), &edit, &[]).await.json();
    assert_ne!(edited["job_id"], made["jobId"]);
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), ["Coffee"]);
}

#[tokio::test]
async fn a_job_given_up_is_retried_as_if_it_were_new() {
    let bridge = administered().await;
    bridge.fault(Fault::new(FaultKind::CalendarForbidden).method(INSERT).times(1));
    let made = bridge.post(&tea(), &[]).await;
    assert_eq!(made.status, 422, "{}", made.text);
    let made = made.json();
    let dead = bridge.get("/api/v1/jobs?state=dead").await.json();
    assert_eq!(ids(&dead), [made["jobId"].clone()]);
    let retried = lay_hands(&bridge, &made["jobId"], "retry", &Value::Null).await.json();
    assert_eq!((&retried["state"], &retried["attempts"]), (&json!("live"), &json!(0)));
    assert_eq!(bridge.event(&made["id"]).await["state"], "pending");
    bridge.run_until_idle().await;
    assert_eq!(bridge.event(&made["id"]).await["state"], "confirmed");
    assert_eq!(bridge.titles(ANA), ["Tea"]);
}

#[tokio::test]
async fn a_job_is_put_off_and_brought_forward() {
    let bridge = administered().await;
    let made = bridge.accept(&tea()).await;
    let until = json!({ "until": "2026-11-05T08:00:00Z" });
    let later = lay_hands(&bridge, &made["jobId"], "snooze", &until).await;
    assert_eq!((later.status, &later.json()["due"]), (200, &until["until"]), "{}", later.text);
    bridge.work().await;
    assert_eq!(bridge.calls(INSERT), 0);
    bridge.pass(TimeDelta::days(1));
    let soon = json!({ "until": "2026-11-01T00:00:00Z" });
    assert_eq!(lay_hands(&bridge, &made["jobId"], "snooze", &soon).await.status, 200);
    bridge.work().await;
    assert_eq!(bridge.calls(INSERT), 1);
    bridge.run_until_idle().await;
}

#[tokio::test]
async fn a_snooze_needs_a_moment_within_a_year() {
    let bridge = administered().await;
    let made = bridge.accept(&tea()).await;
    for until in [json!("tomorrow"), json!("2028-01-01T00:00:00Z"), Value::Null] {
        let body = json!({ "until": until });
        let answer = lay_hands(&bridge, &made["jobId"], "snooze", &body).await;
        assert_eq!(answer.status, 422, "{until}: {}", answer.text);
        assert_eq!(answer.json()["errors"][0]["pointer"], "/until");
    }
    let never = json!({ "until": "9999-01-01T00:00:00Z" });
    let answer = lay_hands(&bridge, &made["jobId"], "snooze", &never).await;
    assert_eq!(answer.status, 422, "{}", answer.text);
    assert!(answer.text.contains("1970 to 2099"), "{}", answer.text);
    bridge.run_until_idle().await;
}

#[tokio::test]
async fn what_a_job_does_not_allow_is_told_with_the_reason() {
    let bridge = administered().await;
    bridge.fault(Fault::new(FaultKind::Slow).method(INSERT).times(1).secs(5));
    let made = bridge.accept(&tea()).await;
    let hands = async {
        while bridge.clock.next_waited_for().is_none() {
            tokio::task::yield_now().await;
        }
        let running = lay_hands(&bridge, &made["jobId"], "cancel", &Value::Null).await;
        assert_eq!((running.status, &running.json()["code"]), (409, &json!("job_running")));
        assert_eq!(running.header("retry-after"), "5");
        bridge.pass(TimeDelta::seconds(5));
    };
    tokio::join!(bridge.work(), hands);
    for verb in ["cancel", "retry"] {
        let done = lay_hands(&bridge, &made["jobId"], verb, &Value::Null).await;
        assert_eq!((done.status, &done.json()["code"]), (409, &json!("job_state")), "{verb}");
        assert!(done.json()["detail"].as_str().expect("a sentence").contains("done"));
    }
    for id in ["0", "00000000000000000000000001"] {
        let missing = lay_hands(&bridge, &json!(id), "cancel", &Value::Null).await;
        assert_eq!((missing.status, &missing.json()["code"]), (404, &json!("not_found")));
    }
}
