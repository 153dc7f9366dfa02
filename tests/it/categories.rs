//! Categories: what they give to events, and how they are made, listed, changed and deleted.

use calbridge::model::key::Scope;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::bridge::{ANA, Answer, Bridge, with};

const CATEGORIES: &str = "/api/v1/categories";
const TEAM: &str = "team@group.calendar.google.com";

async fn make(bridge: &Bridge, members: &Value) -> Value {
    let body = with(json!({ "name": "Work" }), members);
    let made = bridge.send_json(Method::POST, CATEGORIES, &body, &[]).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.json()
}

fn path_of(category: &Value) -> String {
    format!("{CATEGORIES}/{}", category["id"].as_str().expect("an id"))
}

async fn event(bridge: &Bridge, category: &Value, members: &Value) -> Answer {
    let body = json!({
        "summary": "Tea",
        "start": "2026-11-30T14:00:00",
        "end": "2026-11-30T15:00:00",
        "time_zone": "Europe/Lisbon",
        "guests": ["gus@example.org"],
        "category": category["id"],
    });
    bridge.send_json(Method::POST, "/api/v1/events", &with(body, members), &[]).await
}

#[tokio::test]
async fn an_event_takes_from_its_category_what_it_leaves_out() {
    let bridge = Bridge::connected().await;
    let reminders = json!([{ "method": "popup", "minutes": 10 }]);
    let category = make(
        &bridge,
        &json!({ "color": "tomato", "visibility": "private", "reminders": reminders, "notify": "all", "meet": false }),
    )
    .await;
    let taken = event(&bridge, &category, &json!({})).await;
    assert_eq!(taken.status, 202, "{}", taken.text);
    let taken = taken.json();
    for (member, expected) in [
        ("color", json!("tomato")),
        ("visibility", json!("private")),
        ("reminders", reminders.clone()),
        ("notify", json!("all")),
        ("category", category["id"].clone()),
    ] {
        assert_eq!(taken[member], expected, "{member}");
    }
    assert_eq!(taken["meet"]["state"], "none");
    let own = json!({
        "summary": "Own", "color": "sage", "visibility": "public", "notify": "none", "meet": true,
        "reminders": [{ "method": "email", "minutes": 60 }],
    });
    let own = event(&bridge, &category, &own).await.json();
    assert_eq!((&own["color"], &own["visibility"]), (&json!("sage"), &json!("public")));
    assert_eq!((&own["notify"], &own["meet"]["state"]), (&json!("none"), &json!("pending")));
    assert_eq!(own["reminders"][0]["minutes"], 60);
    bridge.run_until_idle().await;
    let written = bridge.google.events(ANA);
    let tea = written.iter().find(|event| event["summary"] == "Tea").expect("it is there");
    assert!(tea["conferenceData"].is_null(), "{tea}");
}

#[tokio::test]
async fn a_tasks_event_takes_from_its_category_what_the_task_leaves_out() {
    let mut bridge = Bridge::connected().await;
    bridge.key = bridge.key_for(&[Scope::EventsWrite, Scope::TasksWrite]).await;
    let reminders = json!([{ "method": "popup", "minutes": 10 }]);
    let says = json!({ "visibility": "private", "reminders": reminders, "meet": false });
    let category = make(&bridge, &says).await;
    let task = async |title: &str, members: &Value| {
        let due =
            json!({ "title": title, "due": "2026-11-30T14:00:00Z", "category": category["id"] });
        let made = bridge.send_json(Method::POST, "/api/v1/tasks", &with(due, members), &[]).await;
        assert_eq!(made.status, 201, "{}", made.text);
        bridge.event(&made.json()["event_id"]).await
    };
    for (title, members, meet) in
        [("Taken", json!({}), "none"), ("Own", json!({ "meet": true }), "pending")]
    {
        let event = task(title, &members).await;
        assert_eq!((&event["visibility"], &event["reminders"]), (&json!("private"), &reminders));
        assert_eq!((&event["meet"]["state"], &event["category"]), (&json!(meet), &category["id"]));
    }
    bridge.run_until_idle().await;
    let written = bridge.google.events(ANA);
    assert_eq!(written.len(), 2);
    for event in &written {
        let overrides = &event["reminders"]["overrides"];
        assert_eq!((&event["visibility"], overrides), (&json!("private"), &reminders), "{event}");
        let linked = !event["conferenceData"].is_null();
        assert_eq!(linked, event["summary"] == "Own", "{event}");
    }
    let change = json!({ "calendar": TEAM });
    bridge.send_json(Method::PATCH, &path_of(&category), &change, &[]).await;
    for (members, calendar) in [(json!({}), TEAM), (json!({ "calendar": ANA }), ANA)] {
        assert_eq!(task("Placed", &members).await["placement"]["calendar"], calendar);
    }
}

#[tokio::test]
async fn events_go_to_their_categorys_calendar_and_no_later_change_moves_them() {
    let bridge = Bridge::connected().await;
    let category = make(&bridge, &json!({ "calendar": TEAM })).await;
    let taken = event(&bridge, &category, &json!({})).await.json();
    assert_eq!(taken["placement"]["calendar"], TEAM);
    let tried = json!({
        "summary": "Tea", "start": "2026-11-30T14:00:00Z", "end": "2026-11-30T15:00:00Z",
        "category": category["id"],
    });
    let tried =
        bridge.send_json(Method::POST, "/api/v1/events?dry_run=true", &tried, &[]).await.json();
    assert_eq!(tried["calendar"], TEAM);
    let named = event(&bridge, &category, &json!({ "calendar": ANA })).await.json();
    assert_eq!(named["placement"]["calendar"], ANA);
    let change = json!({ "calendar": null, "color": "grape" });
    let changed = bridge.send_json(Method::PATCH, &path_of(&category), &change, &[]).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let before = bridge.event(&taken["id"]).await;
    assert_eq!((&before["placement"]["calendar"], &before["color"]), (&json!(TEAM), &Value::Null));
    let later = event(&bridge, &category, &json!({})).await.json();
    assert_eq!((&later["placement"]["calendar"], &later["color"]), (&json!(ANA), &json!("grape")));
}

#[tokio::test]
async fn a_category_is_made_changed_and_deleted() {
    let bridge = Bridge::connected().await;
    let category = make(&bridge, &json!({ "color": "tomato", "completion": "remove" })).await;
    let path = path_of(&category);
    let shown = bridge.get(&path).await;
    assert_eq!((shown.status, shown.json()), (200, category.clone()));
    let known = [("if-none-match", category["etag"].as_str().expect("an etag"))];
    let again = bridge.send_json(Method::GET, &path, &Value::Null, &known).await;
    assert_eq!(again.status, 304);
    let change = json!({ "name": "Home", "color": null, "meet": true });
    let seen = [("if-match", category["etag"].as_str().expect("an etag"))];
    let changed = bridge.send_json(Method::PATCH, &path, &change, &seen).await.json();
    assert_eq!((&changed["name"], &changed["version"]), (&json!("Home"), &json!(2)));
    assert_eq!((&changed["color"], &changed["completion"]), (&Value::Null, &json!("remove")));
    let stale = bridge.send_json(Method::PATCH, &path, &json!({ "name": "Late" }), &seen).await;
    assert_eq!((stale.status, stale.json()["code"].as_str()), (412, Some("precondition_failed")));
    let same = bridge.send_json(Method::PATCH, &path, &change, &[]).await.json();
    assert_eq!(same["version"], 2, "the same once more changes nothing");
    let taken = event(&bridge, &category, &json!({ "color": "sage" })).await.json();
    let deleted = bridge.send_json(Method::DELETE, &path, &Value::Null, &[]).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT.as_u16(), "{}", deleted.text);
    assert_eq!(bridge.get(&path).await.status, 404);
    assert_eq!(bridge.event(&taken["id"]).await["color"], "sage", "what was made in it stays");
    let late = event(&bridge, &category, &json!({})).await;
    assert_eq!(late.status, 422, "{}", late.text);
    assert_eq!(late.json()["errors"][0]["pointer"], "/category");
    let into = json!({ "category": category["id"] });
    let events = format!("/api/v1/events/{}", taken["id"].as_str().expect("an id"));
    let late = bridge.send_json(Method::PATCH, &events, &into, &[]).await;
    assert_eq!(late.status, 422, "{}", late.text);
}

#[tokio::test]
async fn categories_are_listed_page_by_page_and_a_repeated_request_makes_one() {
    let bridge = Bridge::connected().await;
    for name in ["a", "b", "c", "d", "e"] {
        let body = json!({ "name": name });
        let key = [("idempotency-key", name)];
        let made = bridge.send_json(Method::POST, CATEGORIES, &body, &key).await;
        let again = bridge.send_json(Method::POST, CATEGORIES, &body, &key).await;
        assert_eq!((made.status, again.status), (201, 200), "{}", again.text);
        assert_eq!(again.header("idempotent-replayed"), "true");
        assert_eq!(again.json()["id"], made.json()["id"]);
    }
    let other = json!({ "name": "other" });
    let repeated_key =
        bridge.send_json(Method::POST, CATEGORIES, &other, &[("idempotency-key", "a")]).await;
    assert_eq!(
        (repeated_key.status, repeated_key.json()["code"].as_str()),
        (422, Some("idempotency_key_reused"))
    );
    make(&bridge, &json!({ "user": "u-ben", "name": "of Ben" })).await;
    let mut names = Vec::new();
    let mut path = format!("{CATEGORIES}?limit=2");
    loop {
        let page = bridge.get(&path).await.json();
        let data = page["data"].as_array().expect("a list");
        assert!(data.len() <= 2);
        names.extend(data.iter().map(|category| category["name"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("{CATEGORIES}?limit=2&cursor={next}");
    }
    names.sort_by_key(ToString::to_string);
    assert_eq!(names, ["a", "b", "c", "d", "e"]);
    let bens = bridge.get(&format!("{CATEGORIES}?user=u-ben")).await.json();
    assert_eq!((&bens["data"][0]["name"], &bens["next"]), (&json!("of Ben"), &Value::Null));
    let garbled = bridge.get(&format!("{CATEGORIES}?cursor=here")).await;
    assert_eq!(garbled.json()["errors"][0]["pointer"], "/cursor", "{}", garbled.text);
    for (member, value) in
        [("color", json!("red")), ("name", json!("")), ("calendar", json!("primary"))]
    {
        let body = with(json!({ "name": "Work" }), &json!({ member: value }));
        let refused = bridge.send_json(Method::POST, CATEGORIES, &body, &[]).await;
        assert_eq!(
            refused.json()["errors"][0]["pointer"],
            format!("/{member}"),
            "{}",
            refused.text
        );
    }
}
