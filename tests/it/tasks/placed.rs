//! Where the event of a task is, when it comes there, and who is told.

use calbridge::model::key::Scope;
use calbridge::simulator::{Fault, FaultKind};
use chrono::TimeDelta;
use hyper::Method;
use serde_json::{Value, json};

use super::{BEN, TASKS, change, connected, make, nothing, paint, path_of, start};
use crate::accounts::link;
use crate::bridge::{ANA, Bridge, Choices, with};

const INSERT: &str = "calendar.events.insert";

/// A task of Ben's, in his calendar, and Cleo's account beside his.
async fn bens_task(bridge: &Bridge) -> Value {
    link(bridge, "u-ben", BEN).await;
    link(bridge, "u-cleo", ANA).await;
    let task = make(bridge, &json!({ "user": "u-ben" })).await;
    bridge.run_until_idle().await;
    task
}

#[tokio::test]
async fn what_is_given_to_another_is_there_before_it_goes_here() {
    let bridge = start().await;
    let task = bens_task(&bridge).await;
    let slow = Fault::new(FaultKind::UserRateLimited).user(ANA).method(INSERT).times(6);
    bridge.fault(slow);
    change(&bridge, &task, &json!({ "assignee": "u-cleo" })).await;
    for _ in 0..500 {
        bridge.work().await;
        let (here, there) = (bridge.titles(BEN), bridge.titles(ANA));
        assert_ne!(here.len() + there.len(), 0, "it is in neither calendar");
        bridge.pass(TimeDelta::seconds(7));
    }
    assert_eq!((bridge.titles(BEN), bridge.titles(ANA)), (nothing(), vec!["Paint".to_owned()]));
    assert_eq!(bridge.google.outbox().len(), 0);
}

#[tokio::test]
async fn what_is_given_on_and_back_at_once_ends_where_it_belongs() {
    let bridge = start().await;
    let task = bens_task(&bridge).await;
    change(&bridge, &task, &json!({ "assignee": "u-cleo" })).await;
    change(&bridge, &task, &json!({ "assignee": null })).await;
    bridge.run_until_idle().await;
    assert_eq!((bridge.titles(BEN), bridge.titles(ANA)), (vec!["Paint".to_owned()], nothing()));
}

#[tokio::test]
async fn what_google_refuses_there_still_goes_here() {
    let mut bridge = start().await;
    bridge.expect_dead(1);
    let task = bens_task(&bridge).await;
    bridge.fault(Fault::status(400).user(ANA).method(INSERT).times(1));
    let given = change(&bridge, &task, &json!({ "assignee": "u-cleo" })).await;
    bridge.run_until_idle().await;
    assert_eq!((bridge.titles(BEN), bridge.titles(ANA)), (nothing(), nothing()));
    assert_eq!(bridge.event(&given["event_id"]).await["state"], "failed", "and that is told");
}

#[tokio::test]
async fn what_nobody_writes_there_any_more_still_goes_here() {
    let mut bridge = start().await;
    let task = bens_task(&bridge).await;
    change(&bridge, &task, &json!({ "assignee": "u-cleo" })).await;
    bridge.key = bridge.key_for(&[Scope::Admin]).await;
    let jobs = bridge
        .router_send(Method::GET, "/api/v1/jobs?state=live&owner=user:u-cleo", &Value::Null)
        .await;
    let job = jobs.json()["data"][0]["id"].clone();
    let path = format!("/api/v1/jobs/{}/cancel", job.as_str().expect("an id"));
    let cancelled = bridge.router_send(Method::POST, &path, &Value::Null).await;
    assert_eq!(cancelled.status, 200, "{}", cancelled.text);
    bridge.run_until_idle().await;
    assert_eq!((bridge.titles(BEN), bridge.titles(ANA)), (nothing(), nothing()));
}

#[tokio::test]
async fn whoever_prefers_to_wait_is_answered_when_google_has_it() {
    let bridge = connected().await;
    let wait = [("prefer", "wait=10")];
    let made = bridge.send_json(Method::POST, TASKS, &paint(), &wait).await;
    assert_eq!((made.status, bridge.titles(ANA)), (201, vec!["Paint".to_owned()]));
    let path = path_of(&made.json());
    let edit = json!({ "title": "Paint more" });
    let edited = bridge.send_json(Method::PATCH, &path, &edit, &wait).await;
    assert_eq!((edited.status, bridge.titles(ANA)), (200, vec!["Paint more".to_owned()]));
    let done = format!("{path}/complete");
    let done = bridge.send_json(Method::POST, &done, &Value::Null, &wait).await;
    assert_eq!((done.status, bridge.titles(ANA)), (200, vec!["✓ Paint more".to_owned()]));
    let open = format!("{path}/reopen");
    for prefer in ["respond-async", "wait=0"] {
        let open = bridge.send_json(Method::POST, &open, &Value::Null, &[("prefer", prefer)]).await;
        assert_eq!(
            (open.status, bridge.titles(ANA)),
            (200, vec!["✓ Paint more".to_owned()]),
            "{prefer}"
        );
    }
    bridge.run_until_idle().await;
}

#[tokio::test]
async fn a_tasks_event_goes_through_the_account_that_is_named() {
    let bridge = start().await;
    let of_ben = with(paint(), &json!({ "user": "u-ben", "connection": "server" }));
    let refused = bridge.send_json(Method::POST, TASKS, &of_ben, &[]).await;
    assert_eq!(
        (refused.status, &refused.json()["code"]),
        (409, &json!("not_connected")),
        "{}",
        refused.text
    );
    link(&bridge, "u-ben", BEN).await;
    bridge.connect(ANA).await.expect("the account can be connected");
    let task = bridge.send_json(Method::POST, TASKS, &of_ben, &[]).await.json();
    assert_eq!(task["connection"], "server");
    bridge.run_until_idle().await;
    assert_eq!((bridge.titles(BEN), bridge.titles(ANA)), (nothing(), vec!["Paint".to_owned()]));
    assert_eq!(bridge.event(&task["event_id"]).await["user"], "u-ben");
    let own = make(&bridge, &json!({ "user": "u-ben", "connection": "own" })).await;
    bridge.run_until_idle().await;
    assert_eq!(
        (own["connection"].as_str(), bridge.titles(BEN)),
        (Some("own"), vec!["Paint".to_owned()])
    );
    let cleos =
        with(paint(), &json!({ "user": "u-ben", "assignee": "u-cleo", "connection": "own" }));
    let refused = bridge.send_json(Method::POST, TASKS, &cleos, &[]).await;
    assert_eq!(refused.status, 409, "whoever does it has none: {}", refused.text);
    let odd = with(paint(), &json!({ "connection": "theirs" }));
    let odd = bridge.send_json(Method::POST, TASKS, &odd, &[]).await;
    assert_eq!((odd.status, &odd.json()["errors"][0]["pointer"]), (422, &json!("/connection")));
}

#[tokio::test]
async fn a_task_whose_event_could_not_be_made_with_the_account_has_it_within_the_hour() {
    let settings = "[queue]\nmax_jobs_per_owner = 2\n".to_owned();
    let mut bridge = Bridge::with(Choices { settings, ..Choices::default() }).await;
    bridge.key = bridge.key_for(&[Scope::EventsWrite, Scope::TasksWrite]).await;
    bridge.tied.periodic.take_turns().await;
    for title in ["one", "two", "three", "four"] {
        make(&bridge, &json!({ "title": title })).await;
    }
    bridge.connect(ANA).await.expect("the account can be connected");
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA).len(), 2, "no more jobs may wait");
    bridge.pass(TimeDelta::hours(1));
    bridge.tied.periodic.take_turns().await;
    bridge.run_until_idle().await;
    let mut titles = bridge.titles(ANA);
    titles.sort();
    assert_eq!(titles, ["four", "one", "three", "two"]);
}

#[tokio::test]
async fn notes_that_are_taken_away_are_gone_from_the_calendar_too() {
    let bridge = connected().await;
    let task = make(&bridge, &json!({ "notes": "With a *brush*" })).await;
    bridge.run_until_idle().await;
    assert!(bridge.google.events(ANA)[0]["description"].is_string());
    let plain = change(&bridge, &task, &json!({ "notes": null })).await;
    assert_eq!(plain["notes"], "");
    bridge.run_until_idle().await;
    assert_eq!(bridge.google.events(ANA)[0].get("description"), None);
    let long = json!({ "notes": "x".repeat(8_193) });
    let refused = bridge.send_json(Method::PATCH, &path_of(&task), &long, &[]).await;
    assert_eq!(refused.json()["errors"][0]["pointer"], "/notes", "{}", refused.text);
}

#[tokio::test]
async fn the_history_of_a_tasks_event_names_who_asked_for_the_task() {
    let bridge = connected().await;
    let key = format!("key:{}", bridge.key.split('_').nth(1).expect("its public half"));
    let task = make(&bridge, &json!({})).await;
    change(&bridge, &task, &json!({ "title": "Paint it" })).await;
    let path = format!("/api/v1/events/{}/history", task["event_id"].as_str().expect("an id"));
    let told = bridge.get(&path).await.json();
    let by = |n: usize| &told["data"][n]["by"];
    assert_eq!((by(0), by(1)), (&json!(key), &json!(key)), "{told}");
    bridge.run_until_idle().await;
}
