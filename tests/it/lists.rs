//! Lists of events: whose, from when to when, by what they say and where they stand, page by page.

mod pages;

use calbridge::model::key::Scope;
use chrono::TimeDelta;
use hyper::Method;
use serde_json::{Value, json};

use crate::accounts::link;
use crate::bridge::{ANA, Answer, Bridge, brew, with};
use crate::jwt::application::{Shop, Way};

const EVENTS: &str = "/api/v1/events";
const BEN: &str = "ben@example.com";

async fn create(bridge: &Bridge, members: &Value) -> Value {
    let answer = bridge.router_send(Method::POST, EVENTS, &with(brew(), members)).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.json()
}

/// Takes an event in, and the next one later.
async fn create_first(bridge: &Bridge, members: &Value) -> Value {
    let made = create(bridge, members).await;
    bridge.pass(TimeDelta::milliseconds(1));
    made
}

async fn page(bridge: &Bridge, query: &str) -> Value {
    let answer = bridge.get(&format!("{EVENTS}?{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text);
    answer.json()
}

fn titles(page: &Value) -> Vec<&str> {
    let data = page["data"].as_array().expect("a list");
    data.iter().map(|event| event["summary"].as_str().expect("a title")).collect()
}

/// The events of every page.
async fn walk(bridge: &Bridge, query: &str) -> Vec<Value> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    for _ in 0..1000 {
        let page = page(bridge, &format!("{query}{cursor}")).await;
        found.extend(page["data"].as_array().expect("a list").iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
    panic!("the list has no end");
}

fn refused_at(answer: &Answer) -> (u16, Value) {
    (answer.status, answer.json()["errors"][0]["pointer"].clone())
}

#[tokio::test]
async fn events_are_listed_page_by_page_in_the_order_they_came() {
    let bridge = Bridge::connected().await;
    for title in ["one", "two", "three", "four", "five"] {
        create_first(&bridge, &json!({ "summary": title })).await;
    }
    let first = page(&bridge, "limit=2").await;
    assert_eq!(titles(&first), ["one", "two"]);
    assert_eq!(first["object"], "list");
    let shown = bridge.event(&first["data"][0]["id"]).await;
    assert_eq!(first["data"][0], shown, "as it is shown alone");
    let all = walk(&bridge, "limit=2").await;
    let all: Vec<_> = all.iter().map(|event| &event["summary"]).collect();
    assert_eq!(all, ["one", "two", "three", "four", "five"]);
    assert_eq!(page(&bridge, "limit=5").await["next"], Value::Null);
    bridge.run_until_idle().await;
}

#[tokio::test]
async fn a_list_is_narrowed_by_time_and_by_what_the_events_are() {
    let mut bridge = Bridge::connected().await;
    bridge.key = bridge.key_for(&[Scope::EventsWrite, Scope::TasksWrite]).await;
    let at = |hour: u32| json!({ "start": format!("2026-11-30T{hour:02}:00:00Z"), "end": format!("2026-11-30T{:02}:00:00Z", hour + 1) });
    create_first(&bridge, &with(at(9), &json!({ "summary": "early" }))).await;
    create_first(&bridge, &with(at(12), &json!({ "summary": "noon" }))).await;
    let day = json!({ "summary": "all day", "start": "2026-11-30", "end": "2026-12-01" });
    assert_eq!(bridge.router_send(Method::POST, EVENTS, &day).await.status, 202);
    bridge.pass(TimeDelta::milliseconds(1));
    let past =
        json!({ "summary": "past", "start": "2026-10-30T14:00:00", "end": "2026-10-30T15:00:00" });
    create_first(&bridge, &past).await;
    let weekly = json!({ "summary": "weekly", "recurrence": ["RRULE:FREQ=WEEKLY"] });
    create_first(&bridge, &weekly).await;
    let named = json!({ "summary": "named", "external_id": "order/7", "start": "2027-01-30T14:00:00", "end": "2027-01-30T15:00:00" });
    create_first(&bridge, &named).await;
    let mut categories = Vec::new();
    for name in ["work", "home"] {
        let made = json!({ "name": name });
        let made = bridge.router_send(Method::POST, "/api/v1/categories", &made).await;
        let id = made.json()["id"].as_str().expect("an id").to_owned();
        let day = json!({ "summary": name, "category": id, "start": "2026-12-24T14:00:00", "end": "2026-12-24T15:00:00" });
        create_first(&bridge, &day).await;
        categories.push(id);
    }
    let task = json!({ "title": "of a task", "due": "2026-12-24T18:00:00Z" });
    let task = bridge.router_send(Method::POST, "/api/v1/tasks", &task).await;
    assert_eq!(task.status, 201, "{}", task.text);
    let eve = "from=2026-12-24T00:00:00Z&to=2026-12-25T00:00:00Z";
    for (query, expected) in [
        ("from=2026-11-30T10:00:00Z&to=2026-11-30T12:00:00Z", vec!["all day"]),
        ("from=2026-11-30T09:30:00Z&to=2026-11-30T12:30:00Z", vec!["early", "noon", "all day"]),
        ("from=2026-11-02T07:00:00Z&to=2026-11-02T09:00:00Z", vec![]),
        ("to=2026-11-01T00:00:00Z", vec!["past"]),
        ("from=2027-06-01T00:00:00Z", vec!["weekly"]),
        ("from=2027-01-30T15:00:00%2B01:00&to=2027-01-30T23:00:00Z", vec!["weekly", "named"]),
        ("source=api&to=2026-11-30T09:30:00Z", vec!["early", "all day", "past"]),
        ("source=task", vec!["of a task"]),
        (&*format!("source=api&{eve}"), vec!["weekly", "work", "home"]),
        (&*format!("category={}", categories[0]), vec!["work"]),
        (&*format!("category={}&source=task", categories[1]), vec![]),
        ("external_id=order/7", vec!["named"]),
        ("external_id=order/7&to=2026-12-30T00:00:00Z", vec![]),
        ("external_id=order/8", vec![]),
        ("category=00000000000000000000000008", vec![]),
    ] {
        let found = walk(&bridge, query).await;
        let found: Vec<_> = found.iter().map(|event| event["summary"].clone()).collect();
        assert_eq!(found, expected, "{query}");
    }
    bridge.run_until_idle().await;
}

#[tokio::test]
async fn a_list_is_narrowed_by_where_the_events_stand() {
    let bridge = Bridge::connected().await;
    let cancelled = create_first(&bridge, &json!({ "summary": "cancelled" })).await;
    create_first(&bridge, &json!({ "summary": "confirmed" })).await;
    let path = format!("{EVENTS}/{}", cancelled["id"].as_str().expect("an id"));
    bridge.run_until_idle().await;
    bridge.send_json(Method::DELETE, &path, &Value::Null, &[]).await;
    bridge.run_until_idle().await;
    create_first(&bridge, &json!({ "summary": "pending" })).await;
    for (states, expected) in [
        ("pending", vec!["pending"]),
        ("confirmed", vec!["confirmed"]),
        ("cancelled,pending", vec!["cancelled", "pending"]),
        ("failed", vec![]),
    ] {
        assert_eq!(titles(&page(&bridge, &format!("state={states}")).await), expected, "{states}");
    }
    assert_eq!(titles(&page(&bridge, "").await), ["cancelled", "confirmed", "pending"]);
    bridge.run_until_idle().await;
}

#[tokio::test]
async fn a_search_looks_into_everything_that_an_event_says() {
    let bridge = Bridge::connected().await;
    create_first(&bridge, &json!({ "summary": "Blue Whale" })).await;
    create_first(&bridge, &json!({ "summary": "two", "description": "of whales" })).await;
    create_first(&bridge, &json!({ "summary": "three", "location": "Whale Bay" })).await;
    create_first(&bridge, &json!({ "summary": "four", "guests": ["ishmael@whale.example"] })).await;
    create_first(&bridge, &json!({ "summary": "five" })).await;
    let range = "from=2026-11-01T00:00:00Z&to=2026-12-01T00:00:00Z";
    let found = page(&bridge, &format!("q=WHALE&{range}")).await;
    assert_eq!(titles(&found), ["Blue Whale", "two", "three", "four"]);
    assert_eq!(titles(&page(&bridge, &format!("q=whale&limit=1&{range}")).await), ["Blue Whale"]);
    for query in ["q=whale", "q=whale&from=2026-11-01T00:00:00Z"] {
        let answer = bridge.get(&format!("{EVENTS}?{query}")).await;
        assert_eq!(refused_at(&answer), (422, json!("/q")), "{query}");
    }
    let answer = bridge.get(&format!("{EVENTS}?q=whale&everyone=true&{range}")).await;
    assert_eq!(refused_at(&answer), (422, json!("/q")));
    bridge.run_until_idle().await;
}

#[tokio::test]
async fn a_search_reads_five_thousand_events_and_no_more() {
    let bridge = Bridge::connected().await;
    let range = "from=2026-11-01T00:00:00Z&to=2026-12-01T00:00:00Z";
    for _ in 0..5 {
        let items = vec![brew(); 1000];
        let body = json!({ "events": items });
        let answer = bridge.router_send(Method::POST, "/api/v1/events/batch", &body).await;
        assert_eq!(answer.json()["accepted"], 1000, "{}", answer.text);
    }
    assert_eq!(titles(&page(&bridge, &format!("q=coffee&{range}")).await), [""; 0]);
    create_first(&bridge, &json!({ "summary": "coffee" })).await;
    let answer = bridge.get(&format!("{EVENTS}?q=coffee&{range}")).await;
    assert_eq!(refused_at(&answer), (422, json!("/q")));
    let detail = answer.json()["detail"].as_str().expect("a sentence").to_owned();
    assert!(detail.contains("closer"), "{detail}");
}

#[tokio::test]
async fn a_list_that_cannot_be_is_refused_by_name() {
    let bridge = Bridge::connected().await;
    for (query, pointer) in [
        ("from=yesterday", "/from"),
        ("from=9999-01-01T00:00:00Z", "/from"),
        ("to=2026-11-30T10:00:00+01:00", "/to"),
        ("from=2026-11-30T10:00:00Z&to=2026-11-30T10:00:00Z", "/to"),
        ("state=asleep", "/state"),
        ("source=crm", "/source"),
        ("category=work", "/category"),
        ("user=%20", "/user"),
        ("user=u-ben&everyone=true", "/everyone"),
        ("everyone=true&external_id=7", "/external_id"),
        ("limit=0", "/limit"),
        ("limit=501", "/limit"),
        ("q=", "/q"),
    ] {
        let answer = bridge.get(&format!("{EVENTS}?{query}")).await;
        assert_eq!(refused_at(&answer), (422, json!(pointer)), "{query}: {}", answer.text);
    }
    assert_eq!(bridge.get(&format!("{EVENTS}?order=up")).await.status, 422);
}

#[tokio::test]
async fn a_cursor_is_taken_whole_and_by_its_own_list_alone() {
    let bridge = Bridge::connected().await;
    for _ in 0..3 {
        create_first(&bridge, &json!({})).await;
    }
    let next = page(&bridge, "limit=1&state=pending").await["next"].clone();
    let next = next.as_str().expect("there is more").to_owned();
    let ask = async |query: String| bridge.get(&format!("{EVENTS}?{query}")).await;
    assert_eq!(ask(format!("limit=2&state=pending&cursor={next}")).await.status, 200);
    let other = ask(format!("cursor={next}")).await;
    assert_eq!(refused_at(&other), (422, json!("/cursor")));
    let said = |answer: &Answer| answer.json()["errors"][0]["message"].to_string();
    assert!(said(&other).contains("another list"), "{}", other.text);
    let swapped = next.replacen(&next[..1], if next.starts_with('B') { "C" } else { "B" }, 1);
    for garbled in [&next[1..], &next[..20], "", "later", "%F0%9F%90%8B", &swapped] {
        let answer = ask(format!("state=pending&cursor={garbled}")).await;
        assert_eq!(refused_at(&answer), (422, json!("/cursor")), "{garbled}");
        assert!(said(&answer).contains("whole"), "{garbled}: {}", answer.text);
    }
    bridge.run_until_idle().await;
}

#[tokio::test]
async fn a_user_lists_nobody_elses_events() {
    let shop = Shop::signing(Way::EdDsa).await;
    let bridge = &shop.bridge;
    link(bridge, "u-ben", BEN).await;
    bridge.connect(ANA).await.expect("the server's account");
    create_first(bridge, &json!({ "summary": "ours" })).await;
    create_first(bridge, &json!({ "summary": "of Ben", "user": "u-ben", "external_id": "7" }))
        .await;
    assert_eq!(titles(&page(bridge, "").await), ["ours"]);
    assert_eq!(titles(&page(bridge, "user=u-ben").await), ["of Ben"]);
    assert_eq!(titles(&page(bridge, "user=u-ben&external_id=7").await), ["of Ben"]);
    assert_eq!(titles(&page(bridge, "user=u-cy").await), [""; 0]);
    assert_eq!(titles(&page(bridge, "everyone=true").await), ["ours", "of Ben"]);
    let as_user = async |user: &str, query: &str| {
        let request = hyper::Request::get(format!("{EVENTS}?{query}"))
            .header("host", "localhost:3001")
            .header("authorization", format!("Bearer {}", shop.token(user)));
        bridge.send(request.body(axum::body::Body::empty()).expect("a request")).await
    };
    for query in ["", "user=u-ben", "external_id=7"] {
        assert_eq!(titles(&as_user("u-ben", query).await.json()), ["of Ben"], "{query}");
    }
    for query in ["", "external_id=7"] {
        assert_eq!(titles(&as_user("u-cy", query).await.json()), [""; 0], "{query}");
    }
    for query in ["user=u-cy", "everyone=true"] {
        let answer = as_user("u-ben", query).await;
        assert_eq!((answer.status, &answer.json()["code"]), (403, &json!("not_for_users")));
    }
    bridge.run_until_idle().await;
}
