//! Tasks: their life, and the one event that stands for each in its doer's calendar.

mod batch;
mod placed;
mod recurring;

use calbridge::model::key::Scope;
use calbridge::simulator::{Fault, FaultKind};
use chrono::TimeDelta;
use hyper::Method;
use serde_json::{Value, json};

use crate::accounts::link;
use crate::bridge::{ANA, Answer, Bridge, with};
use crate::jwt::application::{Shop, Way};

const TASKS: &str = "/api/v1/tasks";
const BEN: &str = "ben@example.com";

/// A bridge whose key may write tasks.
async fn start() -> Bridge {
    let mut bridge = Bridge::start().await;
    bridge.key = bridge.key_for(&[Scope::EventsWrite, Scope::TasksWrite]).await;
    bridge
}

/// And whose server has an account.
async fn connected() -> Bridge {
    let bridge = start().await;
    bridge.connect(ANA).await.expect("the account can be connected");
    bridge
}

fn paint() -> Value {
    json!({ "title": "Paint", "due": "2026-11-30T14:00:00", "time_zone": "Europe/Lisbon" })
}

async fn make(bridge: &Bridge, members: &Value) -> Value {
    let made = bridge.send_json(Method::POST, TASKS, &with(paint(), members), &[]).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.json()
}

fn path_of(task: &Value) -> String {
    format!("{TASKS}/{}", task["id"].as_str().expect("an id"))
}

async fn change(bridge: &Bridge, task: &Value, members: &Value) -> Value {
    let changed = bridge.send_json(Method::PATCH, &path_of(task), members, &[]).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    changed.json()
}

async fn say(bridge: &Bridge, task: &Value, word: &str) -> Value {
    let path = format!("{}/{word}", path_of(task));
    let said = bridge.send_json(Method::POST, &path, &Value::Null, &[]).await;
    assert_eq!(said.status, 200, "{}", said.text);
    said.json()
}

async fn delete(bridge: &Bridge, task: &Value) {
    let gone = bridge.send_json(Method::DELETE, &path_of(task), &Value::Null, &[]).await;
    assert_eq!(gone.status, 204, "{}", gone.text);
}

fn committed(bridge: &Bridge, method: &str) -> usize {
    let ledger = bridge.google.ledger();
    ledger.iter().filter(|entry| entry.method == method && entry.committed).count()
}

fn nothing() -> Vec<String> {
    Vec::new()
}

/// Google is down, while the task's title is changed ten times.
async fn ten_edits_in_an_outage(bridge: &Bridge, task: &Value, word: &str) {
    bridge.fault(Fault::new(FaultKind::ServerError).times(500));
    for n in 1..=10 {
        change(bridge, task, &json!({ "title": format!("{word} {n}") })).await;
        bridge.work().await;
    }
}

#[tokio::test]
async fn a_tasks_whole_life_is_one_event_at_a_time_and_no_mail_to_anyone() {
    let bridge = start().await;
    link(&bridge, "u-ben", BEN).await;
    link(&bridge, "u-cleo", ANA).await;
    bridge.fault(Fault::new(FaultKind::ServerError).times(500));
    let task = make(&bridge, &json!({ "user": "u-ben" })).await;
    ten_edits_in_an_outage(&bridge, &task, "Draw").await;
    assert_eq!(bridge.titles(BEN), nothing(), "Google is down");
    bridge.google.clear_faults();
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(BEN), ["Draw 10"]);
    assert_eq!(committed(&bridge, "calendar.events.insert"), 1);

    // Once more, when the event is there.
    ten_edits_in_an_outage(&bridge, &task, "Paint").await;
    assert_eq!(bridge.titles(BEN), ["Draw 10"], "Google is down");
    bridge.google.clear_faults();
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(BEN), ["Paint 10"]);
    assert_eq!(committed(&bridge, "calendar.events.insert"), 1);
    assert_eq!(committed(&bridge, "calendar.events.patch"), 1, "the last state alone");
    assert_eq!(bridge.google.outbox().len(), 0);

    let given = change(&bridge, &task, &json!({ "assignee": "u-cleo" })).await;
    assert_ne!(given["event_id"], task["event_id"], "a new placement is a new event");
    bridge.run_until_idle().await;
    assert_eq!((bridge.titles(BEN), bridge.titles(ANA)), (nothing(), vec!["Paint 10".to_owned()]));
    let done = say(&bridge, &task, "complete").await;
    assert!(done["state"] == "done" && done["completed"].is_string(), "{done}");
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), ["✓ Paint 10"]);
    let open = say(&bridge, &task, "reopen").await;
    assert_eq!((&open["state"], &open["completed"]), (&json!("open"), &Value::Null));
    bridge.run_until_idle().await;
    let event = &bridge.google.events(ANA)[0];
    assert_eq!((&event["summary"], &event["attendees"]), (&json!("Paint 10"), &Value::Null));
    assert_eq!(bridge.google.events(ANA).len(), 1);
    let shown = bridge.event(&open["event_id"]).await;
    assert_eq!((&shown["state"], &shown["source"]["kind"]), (&json!("confirmed"), &json!("task")));
    assert_eq!((&shown["source"]["id"], &shown["user"]), (&task["id"], &json!("u-cleo")));

    delete(&bridge, &task).await;
    bridge.run_until_idle().await;
    assert_eq!((bridge.titles(BEN), bridge.titles(ANA)), (nothing(), nothing()));
    assert_eq!(bridge.get(&path_of(&task)).await.status, 404);
    assert_eq!(committed(&bridge, "calendar.events.insert"), 2, "one for each who had it");
    assert_eq!(committed(&bridge, "calendar.events.delete"), 2);
    assert_eq!(bridge.google.outbox().len(), 0);
}

#[tokio::test]
async fn a_task_without_an_account_is_stored_and_its_event_comes_with_the_account() {
    let bridge = start().await;
    let task = make(&bridge, &json!({})).await;
    let undated = json!({ "title": "Think" });
    let undated = bridge.send_json(Method::POST, TASKS, &undated, &[]).await.json();
    assert_eq!((&task["waits_for"], &task["event_id"]), (&json!("connection"), &Value::Null));
    assert_eq!(undated["waits_for"], Value::Null);
    let task = change(&bridge, &task, &json!({ "title": "Paint it" })).await;
    assert_eq!(task["waits_for"], "connection");
    let gone = make(&bridge, &json!({ "title": "Never" })).await;
    delete(&bridge, &gone).await;
    bridge.connect(ANA).await.expect("the account can be connected");
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), ["Paint it"]);
    let placed = bridge.get(&path_of(&task)).await.json();
    assert_eq!(placed["waits_for"], Value::Null);
    assert_eq!(bridge.event(&placed["event_id"]).await["state"], "confirmed");
    assert_eq!(bridge.get(&path_of(&undated)).await.json()["event_id"], Value::Null);
}

#[tokio::test]
async fn notes_are_shown_as_google_shows_them_and_lead_nobody_astray() {
    let bridge = connected().await;
    let notes = "# Plan\n\n**Bold** and [site](https://example.com), [trap](javascript:alert(1))\n\n\
                 - one\n- two\n\n<script>alert(1)</script><img src=x onerror=alert(1)>";
    let task = make(&bridge, &json!({ "notes": notes })).await;
    assert_eq!(task["notes"], notes, "as it was written");
    bridge.run_until_idle().await;
    let shown = bridge.google.events(ANA)[0]["description"].clone();
    let shown = shown.as_str().expect("a description");
    for kept in ["<p>Plan</p>", "<strong>Bold</strong>", "https://example.com", "<li>one</li>"] {
        assert!(shown.contains(kept), "{kept}: {shown}");
    }
    for lost in ["script", "<img", "onerror", "<h1"] {
        assert!(!shown.contains(lost), "{lost}: {shown}");
    }
    let long = json!({ "notes": "&".repeat(8_000) });
    let refused = bridge.send_json(Method::PATCH, &path_of(&task), &long, &[]).await;
    assert_eq!(refused.json()["errors"][0]["pointer"], "/notes", "{}", refused.text);
}

#[tokio::test]
async fn what_completion_does_to_the_event_is_said_by_the_task_or_else_by_its_category() {
    let bridge = connected().await;
    let removes = json!({ "name": "Chores", "completion": "remove", "color": "grape" });
    let removes = bridge.send_json(Method::POST, "/api/v1/categories", &removes, &[]).await.json();
    let mut tasks = Vec::new();
    for (title, members) in [
        ("Usual", json!({})),
        ("Kept", json!({ "completion": "keep", "category": removes["id"] })),
        ("Removed", json!({ "category": removes["id"] })),
    ] {
        tasks.push(make(&bridge, &with(json!({ "title": title }), &members)).await);
    }
    bridge.run_until_idle().await;
    let kept = bridge.get(&path_of(&tasks[1])).await.json();
    assert_eq!(bridge.event(&kept["event_id"]).await["color"], "grape", "its category's");
    let events = bridge.google.events(ANA);
    let color = |title: &str| {
        let found = events.iter().find(|event| event["summary"] == title);
        found.expect("it is there")["colorId"].clone()
    };
    assert_eq!((color("Kept"), color("Usual")), (json!("3"), Value::Null), "as Google knows it");
    for task in &tasks {
        say(&bridge, task, "complete").await;
        bridge.pass(TimeDelta::minutes(1));
        let again = say(&bridge, task, "complete").await;
        assert_eq!(again["version"], 2, "once more changes nothing");
    }
    bridge.run_until_idle().await;
    let mut titles = bridge.titles(ANA);
    titles.sort();
    assert_eq!(titles, ["Kept", "✓ Usual"]);
    say(&bridge, &tasks[2], "reopen").await;
    bridge.run_until_idle().await;
    assert!(bridge.titles(ANA).contains(&"Removed".to_owned()), "{:?}", bridge.titles(ANA));
    assert_eq!(bridge.google.events(ANA).len(), 3);
}

#[tokio::test]
async fn a_category_that_is_deleted_says_nothing_of_its_tasks_and_that_of_nobody_is_refused() {
    let bridge = connected().await;
    let removes = json!({ "name": "Chores", "completion": "remove" });
    let removes = bridge.send_json(Method::POST, "/api/v1/categories", &removes, &[]).await.json();
    let task = make(&bridge, &json!({ "category": removes["id"] })).await;
    let path = format!("/api/v1/categories/{}", removes["id"].as_str().expect("an id"));
    assert_eq!(bridge.send_json(Method::DELETE, &path, &Value::Null, &[]).await.status, 204);
    say(&bridge, &task, "complete").await;
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), ["✓ Paint"], "as is usual");
    let other = make(&bridge, &json!({})).await;
    let into = json!({ "category": removes["id"] });
    let refused = bridge.send_json(Method::PATCH, &path_of(&other), &into, &[]).await;
    assert_eq!(refused.json()["errors"][0]["pointer"], "/category", "{}", refused.text);
}

#[tokio::test]
async fn a_task_is_due_at_a_moment_or_on_a_day_or_planned_or_neither() {
    let bridge = connected().await;
    let moment = make(&bridge, &json!({ "meet": false })).await;
    assert_eq!(moment["due"]["wall"], "2026-11-30T14:00:00");
    let event = bridge.event(&moment["event_id"]).await;
    assert_eq!(event["start"]["wall"], "2026-11-30T13:30:00");
    assert_eq!((&event["end"], &event["meet"]["state"]), (&moment["due"], &json!("none")));
    let day = json!({ "title": "Day", "due": "2026-12-01" });
    let day = bridge.send_json(Method::POST, TASKS, &day, &[]).await.json();
    assert_eq!(day["due"]["date"], "2026-12-01");
    let event = bridge.event(&day["event_id"]).await;
    assert_eq!(
        (&event["start"]["date"], &event["end"]["date"]),
        (&json!("2026-12-01"), &json!("2026-12-02"))
    );
    assert_eq!(event["meet"]["state"], "pending", "a Meet link, unless the task says no");
    let planned =
        json!({ "due": null, "start": "2026-12-03T09:00:00Z", "end": "2026-12-03T11:00:00Z" });
    let planned = change(&bridge, &day, &planned).await;
    assert_eq!((&planned["due"], &planned["event_id"]), (&Value::Null, &day["event_id"]));
    assert_eq!(planned["end"]["instant"], "2026-12-03T11:00:00Z");
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA).len(), 2);
    let undated = change(&bridge, &day, &json!({ "start": null })).await;
    assert_eq!(undated["start"], Value::Null);
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), ["Paint"]);
    for (members, pointer) in [
        (json!({ "start": "2026-12-01" }), "/due"),
        (json!({ "priority": "urgent" }), "/priority"),
        (json!({ "category": moment["id"] }), "/category"),
        (json!({ "due": "2026-12-01T10:00:00", "time_zone": null }), "/due"),
        (json!({ "assignee": "two words" }), "/assignee"),
        (json!({ "completion": "maybe" }), "/completion"),
        (json!({ "titel": "Paint" }), ""),
    ] {
        let refused = bridge.send_json(Method::POST, TASKS, &with(paint(), &members), &[]).await;
        assert_eq!(refused.status, 422, "{members}: {}", refused.text);
        let told = refused.json()["errors"][0]["pointer"].clone();
        assert!(pointer.is_empty() || told == pointer, "{members}: {}", refused.text);
    }
}

/// The titles on every page of a list.
async fn listed(bridge: &Bridge, query: &str) -> Vec<String> {
    let (mut titles, mut path) = (Vec::new(), format!("{TASKS}?limit=2&{query}"));
    loop {
        let page = bridge.get(&path).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let page = page.json();
        for task in page["data"].as_array().expect("a list") {
            titles.push(task["title"].as_str().expect("a title").to_owned());
        }
        let Some(next) = page["next"].as_str() else { return titles };
        path = format!("{TASKS}?limit=2&{query}&cursor={next}");
    }
}

#[tokio::test]
async fn tasks_are_listed_for_those_who_own_or_do_them() {
    let bridge = start().await;
    let mut categories = Vec::new();
    for name in ["Chores", "Work"] {
        let made = json!({ "name": name, "user": "u-ben" });
        let made = bridge.send_json(Method::POST, "/api/v1/categories", &made, &[]).await.json();
        categories.push(made["id"].clone());
    }
    let (chores, work) = (&categories[0], &categories[1]);
    for (title, day, members) in [
        ("one", 1, json!({ "user": "u-ben", "category": chores })),
        ("two", 2, json!({ "user": "u-ben", "assignee": "u-cleo", "category": work })),
        ("three", 3, json!({ "user": "u-ben", "priority": "high", "category": chores })),
        ("four", 4, json!({ "user": "u-cleo" })),
        ("five", 5, json!({})),
    ] {
        let dated = json!({ "title": title, "due": format!("2026-12-0{day}T10:00:00Z") });
        let task = make(&bridge, &with(dated, &members)).await;
        bridge.pass(TimeDelta::seconds(1));
        if title == "three" {
            say(&bridge, &task, "complete").await;
        }
    }
    let gone = make(&bridge, &json!({ "user": "u-ben", "title": "gone" })).await;
    delete(&bridge, &gone).await;
    assert_eq!(listed(&bridge, "user=u-ben").await, ["one", "two", "three"]);
    assert_eq!(listed(&bridge, "user=u-cleo").await, ["two", "four"]);
    assert_eq!(listed(&bridge, "").await, ["five"]);
    assert_eq!(listed(&bridge, "user=u-ben&state=open").await, ["one", "two"]);
    assert_eq!(listed(&bridge, "user=u-ben&state=done").await, ["three"]);
    for (category, query, expected) in [
        (chores, "", vec!["one", "three"]),
        (chores, "&state=done", vec!["three"]),
        (work, "", vec!["two"]),
    ] {
        let query = format!("user=u-ben&category={}{query}", category.as_str().expect("an id"));
        assert_eq!(listed(&bridge, &query).await, expected, "{query}");
    }
    let range = "user=u-ben&from=2026-12-02T00:00:00Z&to=2026-12-03T00:00:00Z";
    assert_eq!(listed(&bridge, range).await, ["two"]);
    for (query, pointer) in
        [("state=late", "/state"), ("from=soon", "/from"), ("limit=0", "/limit")]
    {
        let refused = bridge.get(&format!("{TASKS}?{query}")).await;
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{}", refused.text);
    }
}

#[tokio::test]
async fn a_repeated_request_makes_one_task_and_one_event() {
    let bridge = connected().await;
    let send = async |body: &Value| {
        bridge.send_json(Method::POST, TASKS, body, &[("idempotency-key", "once")]).await
    };
    let (first, again) = (send(&paint()).await, send(&paint()).await);
    assert_eq!((first.status, again.status), (201, 200), "{}", again.text);
    assert_eq!(first.json(), again.json());
    assert_eq!(again.header("idempotent-replayed"), "true");
    let other = send(&with(paint(), &json!({ "title": "Other" }))).await;
    assert_eq!(other.json()["code"], "idempotency_key_reused", "{}", other.text);
    delete(&bridge, &first.json()).await;
    assert_eq!(send(&paint()).await.json()["state"], "deleted", "it is not made again");
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), nothing());
}

#[tokio::test]
async fn a_change_of_what_was_not_seen_is_refused() {
    let bridge = connected().await;
    let task = make(&bridge, &json!({})).await;
    let seen = [("if-match", task["etag"].as_str().expect("an etag"))];
    change(&bridge, &task, &json!({ "title": "Newer" })).await;
    let late = json!({ "title": "Late" });
    let refused = bridge.send_json(Method::PATCH, &path_of(&task), &late, &seen).await;
    assert_eq!(
        (refused.status, refused.json()["code"].as_str()),
        (412, Some("precondition_failed"))
    );
    let refused = bridge.send_json(Method::DELETE, &path_of(&task), &Value::Null, &seen).await;
    assert_eq!(refused.status, 412);
    assert_eq!(bridge.get(&path_of(&task)).await.json()["title"], "Newer");
}

async fn as_user(shop: &Shop, user: &str, method: Method, path: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {}", shop.token(user));
    let headers = [("authorization", &*bearer), ("content-type", "application/json")];
    shop.bridge.send_raw(method, path, &body.to_string(), &headers).await
}

#[tokio::test]
async fn users_act_on_their_own_tasks_and_those_given_to_them_alone() {
    let shop = Shop::signing(Way::Hs256).await;
    let key = shop.bridge.key_for(&[Scope::TasksWrite]).await;
    let bens = as_user(&shop, "u-ben", Method::POST, TASKS, &paint()).await;
    assert_eq!(bens.status, 201, "{}", bens.text);
    let path = path_of(&bens.json());
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::PATCH, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::POST, format!("{path}/complete")),
        (Method::POST, format!("{path}/reopen")),
    ] {
        let foreign = as_user(&shop, "u-cleo", method, &path, &json!({})).await;
        assert_eq!(foreign.status, 404, "{path}: {}", foreign.text);
    }
    let foreign =
        as_user(&shop, "u-cleo", Method::GET, "/api/v1/tasks?user=u-ben", &json!({})).await;
    assert_eq!(foreign.json()["code"], "not_for_users", "{}", foreign.text);
    for members in [json!({ "user": "u-cleo" }), json!({ "assignee": "u-cleo" })] {
        let refused = as_user(&shop, "u-ben", Method::POST, TASKS, &with(paint(), &members)).await;
        assert_eq!(refused.json()["code"], "not_for_users", "{members}: {}", refused.text);
    }
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", &*bearer), ("content-type", "application/json")];
    let give = json!({ "assignee": "u-cleo" }).to_string();
    let given = shop.bridge.send_raw(Method::PATCH, &path, &give, &headers).await;
    assert_eq!(given.status, 200, "{}", given.text);
    let mine = as_user(&shop, "u-cleo", Method::GET, TASKS, &json!({})).await.json();
    assert_eq!(mine["data"][0]["id"], bens.json()["id"]);
    let done = format!("{path}/complete");
    assert_eq!(as_user(&shop, "u-cleo", Method::POST, &done, &json!({})).await.status, 200);
    assert_eq!(as_user(&shop, "u-dan", Method::GET, &path, &json!({})).await.status, 404);
    // A category of somebody else's is none, and is not told from one that is not there.
    let category = json!({ "name": "Of Ben" });
    let category =
        as_user(&shop, "u-ben", Method::POST, "/api/v1/categories", &category).await.json();
    for id in [category["id"].clone(), json!("0123456789abcdefghijklmn08")] {
        let body = with(paint(), &json!({ "category": id }));
        let refused = as_user(&shop, "u-cleo", Method::POST, TASKS, &body).await;
        assert_eq!(refused.json()["errors"][0]["pointer"], "/category", "{}", refused.text);
    }
}
