//! What is taken as a reminder, who may make it, and who finds it.

use calbridge::model::key::Scope;
use chrono::TimeDelta;
use hyper::Method;
use serde_json::{Value, json};

use super::{NO_ANSWER, REMINDERS, call, daily, make, path_of, refused, say, start};
use crate::accounts::link;
use crate::bridge::{ANA, Answer, Bridge, with};
use crate::jwt::application::{Shop, Way};

const BEN: &str = "ben@example.com";

#[tokio::test]
async fn what_cannot_be_a_reminder_is_refused_by_name() {
    let bridge = start().await;
    let task = json!({ "title": "Paint", "due": "2026-11-30T14:00:00Z" });
    let task = bridge.send_json(Method::POST, "/api/v1/tasks", &task, &[]).await.json();
    let before = json!({ "title": "Soon", "task": task["id"], "minutes_before": 30 });
    for (body, members, pointer) in [
        (call(), json!({ "title": "" }), "/title"),
        (call(), json!({ "at": null }), "/at"),
        (call(), json!({ "at": "tomorrow" }), "/at"),
        (call(), json!({ "at": "2026-11-02T10:00:00" }), "/at"),
        (call(), json!({ "time_zone": "Europe/Lisbo" }), "/time_zone"),
        (call(), json!({ "dst": "never" }), "/dst"),
        (call(), json!({ "minutes_before": 5 }), "/at"),
        (call(), json!({ "recurrence": ["RRULE:FREQ=DAILY"] }), "/time_zone"),
        (daily(), json!({ "recurrence": ["RRULE:FREQ=HOURLY"] }), "/recurrence/0"),
        (daily(), json!({ "recurrence": ["RRULE:FREQ=WEEKLY;BYDAY=TU"] }), "/at"),
        (call(), json!({ "deliver": [] }), "/deliver"),
        (call(), json!({ "deliver": ["pigeon"] }), "/deliver"),
        (call(), json!({ "to": ["ana"] }), "/to/0"),
        (call(), json!({ "to": [ANA, "Ana@example.com"] }), "/to/1"),
        (call(), json!({ "to": vec![ANA; 11] }), "/to"),
        (call(), json!({ "deliver": ["mail"] }), "/to"),
        (call(), json!({ "category": task["id"] }), "/category"),
        (call(), json!({ "task": task["id"] }), "/at"),
        (before.clone(), json!({ "minutes_before": null }), "/minutes_before"),
        (before.clone(), json!({ "minutes_before": 40_321 }), "/minutes_before"),
        (before.clone(), json!({ "task": null }), "/minutes_before"),
        (before.clone(), json!({ "event": task["id"] }), "/event"),
        (before.clone(), json!({ "recurrence": ["RRULE:FREQ=DAILY"] }), "/recurrence"),
        (before.clone(), json!({ "task": "0123456789abcdefghijklmn08" }), "/task"),
        (before.clone(), json!({ "task": null, "event": task["id"] }), "/event"),
        (before.clone(), json!({ "user": "u-ben" }), "/task"),
    ] {
        let told = refused(&bridge, Method::POST, REMINDERS, &with(body, &members)).await;
        assert_eq!(told, [pointer], "{members}");
    }
    let own = make(&bridge, &call()).await;
    let relative = make(&bridge, &before).await;
    for (reminder, body, pointer) in [
        (&own, json!({ "minutes_before": 5 }), "/minutes_before"),
        (&own, json!({ "time_zone": "Europe/Lisbon" }), "/time_zone"),
        (&own, json!({ "recurrence": ["RRULE:FREQ=DAILY"] }), "/time_zone"),
        (&own, json!({ "deliver": ["mail"] }), "/to"),
        (&own, json!({ "category": task["id"] }), "/category"),
        (&relative, json!({ "at": "2026-11-02T10:00:00Z" }), "/at"),
        (&relative, json!({ "recurrence": ["RRULE:FREQ=DAILY"] }), "/recurrence"),
    ] {
        let told = refused(&bridge, Method::PATCH, &path_of(reminder), &body).await;
        assert_eq!(told, [pointer], "{body}");
    }
}

#[tokio::test]
async fn whoever_does_a_task_may_be_reminded_of_it_too() {
    let bridge = start().await;
    let task = json!({
        "title": "Paint", "due": "2026-11-30T14:00:00Z", "user": "u-ben", "assignee": "u-cleo"
    });
    let task = bridge.send_json(Method::POST, "/api/v1/tasks", &task, &[]).await.json();
    let before = json!({ "title": "Soon", "task": task["id"], "minutes_before": 30 });
    for user in ["u-ben", "u-cleo"] {
        let made = make(&bridge, &with(before.clone(), &json!({ "user": user }))).await;
        assert_eq!(made["deliver"], json!(["google"]), "no mail server is set up");
    }
    let stranger = with(before, &json!({ "user": "u-dan" }));
    assert_eq!(refused(&bridge, Method::POST, REMINDERS, &stranger).await, ["/task"]);
}

#[tokio::test]
async fn a_thing_has_fifty_reminders_and_no_more() {
    let bridge = start().await;
    let task = json!({ "title": "Paint", "due": "2026-11-30T14:00:00Z" });
    let task = bridge.send_json(Method::POST, "/api/v1/tasks", &task, &[]).await.json();
    let before = json!({ "title": "Soon", "task": task["id"], "minutes_before": 30 });
    for _ in 0..50 {
        make(&bridge, &before).await;
    }
    assert_eq!(refused(&bridge, Method::POST, REMINDERS, &before).await, ["/task"]);
}

#[tokio::test]
async fn a_repeated_request_makes_one_reminder() {
    let bridge = start().await;
    let send = async |body: &Value| {
        bridge.send_json(Method::POST, REMINDERS, body, &[("idempotency-key", "once")]).await
    };
    let (first, again) = (send(&call()).await, send(&call()).await);
    assert_eq!((first.status, again.status), (201, 200), "{}", again.text);
    assert_eq!(first.json(), again.json());
    assert_eq!(again.header("idempotent-replayed"), "true");
    let other = send(&with(call(), &json!({ "title": "Other" }))).await;
    assert_eq!(other.json()["code"], "idempotency_key_reused", "{}", other.text);
    let gone = bridge.send_json(Method::DELETE, &path_of(&first.json()), &Value::Null, &[]).await;
    assert_eq!(gone.status, 204);
    assert_eq!(send(&call()).await.json()["state"], "deleted", "it is not made again");
}

/// The titles on every page of a list.
async fn listed(bridge: &Bridge, query: &str) -> Vec<String> {
    let (mut titles, mut path) = (Vec::new(), format!("{REMINDERS}?limit=1&{query}"));
    loop {
        let page = bridge.get(&path).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let page = page.json();
        for reminder in page["data"].as_array().expect("a list") {
            titles.push(reminder["title"].as_str().expect("a title").to_owned());
        }
        let Some(next) = page["next"].as_str() else { return titles };
        path = format!("{REMINDERS}?limit=1&{query}&cursor={next}");
    }
}

#[tokio::test]
async fn reminders_are_listed_by_whose_they_are_where_they_stand_and_what_they_belong_to() {
    let bridge = start().await;
    let task = json!({ "title": "Paint", "due": "2026-11-30T14:00:00Z", "user": "u-ben" });
    let task = bridge.send_json(Method::POST, "/api/v1/tasks", &task, &[]).await.json();
    let ben = json!({ "user": "u-ben" });
    let mut made = Vec::new();
    for (title, members) in [
        ("one", json!({ "at": "2026-11-03T10:00:00Z" })),
        ("two", json!({ "at": "2026-11-04T10:00:00Z" })),
        ("three", json!({ "at": null, "task": task["id"], "minutes_before": 60 })),
        ("four", json!({ "at": "2026-11-06T10:00:00Z" })),
    ] {
        let body = with(with(call(), &ben), &with(members, &json!({ "title": title })));
        made.push(make(&bridge, &body).await);
        bridge.pass(TimeDelta::seconds(1));
    }
    make(&bridge, &with(call(), &json!({ "title": "five" }))).await;
    let other = json!({ "at": null, "task": task["id"], "minutes_before": 5, "title": "six" });
    make(&bridge, &with(with(call(), &ben), &other)).await;
    say(&bridge, &made[3], "dismiss", &Value::Null).await;
    let task = task["id"].as_str().expect("an id");
    let from = "from=2026-11-04T00:00:00Z";
    for (query, titles) in [
        ("user=u-ben", vec!["one", "two", "three", "four", "six"]),
        ("", vec!["five"]),
        ("user=u-ben&state=scheduled", vec!["one", "two", "three", "six"]),
        ("user=u-ben&state=dismissed", vec!["four"]),
        (&format!("user=u-ben&task={task}"), vec!["three", "six"]),
        (&format!("user=u-ben&task={task}&state=over"), vec![]),
        (&format!("user=u-ben&task={task}&to=2026-11-30T13:30:00Z"), vec!["three"]),
        (&format!("task={task}"), vec![]),
        (&format!("user=u-ben&event={task}"), vec![]),
        (&format!("user=u-ben&{from}"), vec!["two", "three", "six"]),
        (&format!("user=u-ben&{from}&to=2026-11-05T00:00:00Z"), vec!["two"]),
    ] {
        assert_eq!(listed(&bridge, query).await, titles, "{query}");
    }
    let strange = bridge.get(&format!("{REMINDERS}?task={task}&limit=1")).await.json();
    assert_eq!((&strange["data"], &strange["next"]), (&json!([]), &Value::Null), "not a sign");
    for (query, pointer) in [
        ("state=late", "/state"),
        ("from=soon", "/from"),
        ("limit=0", "/limit"),
        ("task=x", "/task"),
    ] {
        let refused = bridge.get(&format!("{REMINDERS}?{query}")).await;
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{}", refused.text);
    }
}

async fn as_user(shop: &Shop, user: &str, method: Method, path: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {}", shop.token(user));
    let headers = [("authorization", &*bearer), ("content-type", "application/json")];
    shop.bridge.send_raw(method, path, &body.to_string(), &headers).await
}

#[tokio::test]
async fn users_have_mail_sent_to_the_account_they_connected_and_to_nobody_else() {
    let shop = Shop::with_keys(Way::Hs256, &json!({ "keys": [] }), NO_ANSWER).await;
    let bridge = &shop.bridge;
    let mail = with(call(), &json!({ "deliver": ["mail"] }));
    let to = |addresses: Value| with(mail.clone(), &json!({ "to": addresses }));
    let send = async |body: &Value| as_user(&shop, "u-ben", Method::POST, REMINDERS, body).await;
    assert_eq!(send(&to(json!([BEN]))).await.json()["errors"][0]["pointer"], "/to");
    link(bridge, "u-ben", BEN).await;
    for strange in [json!([ANA]), json!([BEN, ANA])] {
        let refused = send(&to(strange)).await;
        assert_eq!(refused.status, 422, "{}", refused.text);
        assert_eq!(refused.json()["errors"][0]["pointer"], "/to");
    }
    let own = send(&mail).await;
    assert_eq!((own.status, &own.json()["to"]), (201, &json!([BEN])), "{}", own.text);
    let own = send(&to(json!(["BEN@example.com"]))).await;
    assert_eq!(own.status, 201, "{}", own.text);
    let path = path_of(&own.json());
    let refused = as_user(&shop, "u-ben", Method::PATCH, &path, &json!({ "to": [ANA] })).await;
    assert_eq!(refused.json()["errors"][0]["pointer"], "/to", "{}", refused.text);
    let silent = with(call(), &json!({ "to": [ANA] }));
    let silent = send(&silent).await;
    assert_eq!(silent.status, 422, "whether or not it is mailed today: {}", silent.text);
    let key = bridge.key_for(&[Scope::TasksWrite]).await;
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", &*bearer), ("content-type", "application/json")];
    let body = with(to(json!([ANA])), &json!({ "user": "u-ben" }));
    let any = bridge.send_raw(Method::POST, REMINDERS, &body.to_string(), &headers).await;
    assert_eq!((any.status, &any.json()["to"]), (201, &json!([ANA])), "{}", any.text);
    let other = with(call(), &json!({ "user": "u-cleo" }));
    assert_eq!(send(&other).await.json()["code"], "not_for_users");
    for id in [&any, &own] {
        let seen = as_user(&shop, "u-ben", Method::GET, &path_of(&id.json()), &Value::Null).await;
        assert_eq!(seen.status, 200);
        let seen = as_user(&shop, "u-cleo", Method::GET, &path_of(&id.json()), &Value::Null).await;
        assert_eq!(seen.status, 404);
    }
}

#[tokio::test]
async fn mail_is_refused_where_no_server_takes_it() {
    let bridge = start().await;
    let mail = json!({ "deliver": ["mail"], "to": [ANA] });
    let digest = json!({ "digest": true });
    let own = make(&bridge, &call()).await;
    for (method, path, body) in [
        (Method::POST, REMINDERS, &with(call(), &mail)),
        (Method::POST, REMINDERS, &with(daily(), &with(mail.clone(), &digest))),
        (Method::PATCH, &*path_of(&own), &mail),
    ] {
        let refused = bridge.send_json(method, path, body, &[]).await;
        let told = refused.json();
        assert_eq!((refused.status, &told["code"]), (409, &json!("mail_not_configured")), "{body}");
        assert!(told["detail"].as_str().expect("a detail").contains("`mail.host`"), "{told}");
    }
    let items = json!({ "reminders": [with(call(), &mail), call()] });
    let batch = format!("{REMINDERS}/batch");
    let answer = bridge.send_json(Method::POST, &batch, &items, &[]).await.json();
    let status = |item: usize| answer["results"][item]["status"].clone();
    assert_eq!((status(0), status(1)), (json!(409), json!(201)), "{answer}");
}
