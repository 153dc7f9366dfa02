//! Many tasks in one request: each judged on its own, all of them on disk together.

use calbridge::model::job::Class;
use calbridge::model::key::Scope;
use hyper::Method;
use serde_json::{Value, json};

use super::{TASKS, connected, nothing, paint, path_of};
use crate::bridge::{ANA, Answer, Bridge, Choices, with};

const BATCH: &str = "/api/v1/tasks/batch";

fn titled(title: &str) -> Value {
    with(paint(), &json!({ "title": title }))
}

async fn send(bridge: &Bridge, items: &[Value], headers: &[(&str, &str)]) -> Answer {
    bridge.send_json(Method::POST, BATCH, &json!({ "tasks": items }), headers).await
}

fn sorted(bridge: &Bridge) -> Vec<String> {
    let mut titles = bridge.titles(ANA);
    titles.sort();
    titles
}

#[tokio::test]
async fn a_batch_of_tasks_is_answered_item_by_item_and_the_valid_ones_have_their_events() {
    let bridge = connected().await;
    let items = [
        titled("one"),
        with(titled("bad date"), &json!({ "due": "2026-11-31", "time_zone": null })),
        json!([1]),
        json!({ "title": "no date" }),
        with(titled("no category"), &json!({ "category": "0123456789abcdefghijklmn08" })),
        with(titled("two"), &json!({ "colour": "red" })),
        with(titled("too much"), &json!({ "notes": "&".repeat(8_000) })),
    ];
    let answer = send(&bridge, &items, &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let body = answer.json();
    assert_eq!((&body["accepted"], &body["refused"]), (&json!(2), &json!(5)));
    let of = |n: usize| &body["results"][n];
    let statuses: Vec<_> = (0..7).map(|n| of(n)["status"].clone()).collect();
    assert_eq!(statuses, [201, 422, 422, 201, 422, 422, 422]);
    let pointer = |n: usize| of(n)["problem"]["errors"][0]["pointer"].clone();
    assert_eq!(
        [pointer(1), pointer(4), pointer(5), pointer(6)],
        ["/due", "/category", "/colour", "/notes"]
    );
    assert_eq!((&of(0)["state"], &of(0)["replayed"]), (&json!("open"), &json!(false)));
    assert_eq!(bridge.get(&path_of(of(3))).await.json()["title"], "no date");
    bridge.run_until_idle().await;
    assert_eq!(sorted(&bridge), ["one"]);
}

#[tokio::test]
async fn a_batch_sent_again_makes_no_task_twice_and_finds_those_it_made() {
    let bridge = connected().await;
    let own = with(titled("own"), &json!({ "idempotency_key": "mine" }));
    let items = [titled("one"), own.clone(), titled("two")];
    let key = [("idempotency-key", "night")];
    let first = send(&bridge, &items, &key).await.json();
    let again = send(&bridge, &items, &key).await.json();
    let told = |body: &Value, member: &str| -> Vec<Value> {
        let results = body["results"].as_array().expect("results");
        results.iter().map(|item| item[member].clone()).collect()
    };
    assert_eq!(told(&first, "id"), told(&again, "id"));
    assert_eq!(told(&first, "replayed"), [false; 3]);
    assert_eq!(
        (told(&again, "replayed"), told(&again, "status")),
        (vec![json!(true); 3], vec![json!(200); 3])
    );
    let elsewhere = send(&bridge, &[own], &[]).await.json();
    assert_eq!(elsewhere["results"][0]["id"], first["results"][1]["id"], "by its own key");
    let other = with(titled("other"), &json!({ "idempotency_key": "mine" }));
    let other = send(&bridge, &[other, with(titled("x"), &json!({ "idempotency_key": 7 }))], &[])
        .await
        .json();
    assert_eq!(other["results"][0]["problem"]["code"], "idempotency_key_reused", "{other}");
    assert_eq!(other["results"][1]["problem"]["errors"][0]["pointer"], "/idempotency_key");
    bridge.run_until_idle().await;
    assert_eq!(sorted(&bridge), ["one", "own", "two"]);
}

#[tokio::test]
async fn a_batch_holds_a_thousand_tasks_and_no_more() {
    let bridge = connected().await;
    let items: Vec<Value> = (0..1000).map(|n| titled(&format!("task {n}"))).collect();
    let answer = send(&bridge, &items, &[]).await;
    assert_eq!((answer.status, &answer.json()["accepted"]), (200, &json!(1000)));
    assert_eq!(bridge.tied.app.store.count_jobs().await.expect("counts").live, 1000);
    let lines = bridge.tied.app.store.lines().await.expect("a store that works");
    assert!(lines.iter().all(|line| line.class == Class::Bulk), "who waits for one comes first");
    let more: Vec<Value> = (0..1001).map(|n| titled(&format!("task {n}"))).collect();
    for items in [&more[..], &[]] {
        let answer = send(&bridge, items, &[]).await;
        assert_eq!((answer.status, &answer.json()["code"]), (422, &json!("invalid")));
    }
}

#[tokio::test]
async fn a_task_whose_job_would_be_one_too_many_is_refused_and_nothing_of_it_is_stored() {
    let settings = "[queue]\nmax_jobs_per_owner = 2\n".to_owned();
    let mut bridge = Bridge::with(Choices { settings, ..Choices::default() }).await;
    bridge.key = bridge.key_for(&[Scope::TasksWrite]).await;
    bridge.connect(ANA).await.expect("the account can be connected");
    let items = [titled("one"), titled("two"), titled("three"), json!({ "title": "no event" })];
    let body = send(&bridge, &items, &[]).await.json();
    assert_eq!(body["results"][2]["problem"]["code"], "owner_backlog_full", "{body}");
    assert_eq!((&body["accepted"], &body["results"][3]["status"]), (&json!(3), &json!(201)));
    let listed = bridge.get(TASKS).await.json();
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(3));
    bridge.run_until_idle().await;
    assert_eq!(sorted(&bridge), ["one", "two"]);
    assert_ne!(bridge.titles(ANA), nothing());
}
