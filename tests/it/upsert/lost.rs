//! Names that are sent again after the store was lost, for what is more than a single event.

use hyper::Method;
use serde_json::{Value, json};

use super::{after_loss, ids_at_google, order, path_of, settle};
use crate::accounts::lend;
use crate::bridge::{Bridge, with};
use crate::series::calendar;

/// Five Mondays at two in Lisbon.
fn mondays(title: &str) -> Value {
    with(order(1, title), &json!({ "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=5"] }))
}

/// What the caller has to say of the second Monday.
fn concert() -> Value {
    json!({
        "summary": "Concert", "start": "2026-12-08T18:00:00", "end": "2026-12-08T20:00:00",
        "time_zone": "Europe/Lisbon",
    })
}

/// Changes an instance, or takes it out.
async fn instance(bridge: &Bridge, series: &Value, day: &str, body: Option<&Value>) -> Value {
    let path = format!("{}?instance=2026-12-{day}T14:00:00", path_of(series));
    let answer = match body {
        Some(body) => bridge.router_send(Method::PATCH, &path, body).await,
        None => bridge.router_send(Method::DELETE, &path, &Value::Null).await,
    };
    assert!(matches!(answer.status, 200 | 202), "{}", answer.text);
    bridge.run_until_idle().await;
    answer.json()
}

#[tokio::test]
async fn a_series_keeps_what_stood_apart_in_it_and_is_not_made_twice() {
    let bridge = Bridge::connected().await;
    let series = settle(&bridge, &mondays("Choir")).await;
    instance(&bridge, &series, "07", Some(&concert())).await;
    instance(&bridge, &series, "14", None).await;
    // A person moves the fourth, and takes out the fifth.
    lend(&bridge, "u-ana").await;
    let at_google = series["google"]["event_id"].as_str().expect("Google has it");
    let path = |day: &str| format!("calendars/primary/events/{at_google}_202612{day}T140000Z");
    let moved = json!({
        "start": { "dateTime": "2026-12-22T10:00:00Z" }, "end": { "dateTime": "2026-12-22T11:00:00Z" },
    });
    bridge.at_google("u-ana", Method::PATCH, &path("21"), &moved).await;
    bridge.at_google("u-ana", Method::DELETE, &path("28"), &Value::Null).await;
    let before = ids_at_google(&bridge);
    let kept = |title: &str| {
        let mut all = vec![format!("2026-11-30T14:00 {title}")];
        all.extend(["2026-12-08T18:00 Concert".to_owned(), "2026-12-22T10:00 Choir".to_owned()]);
        all
    };
    assert_eq!(calendar(&bridge).await, kept("Choir"));

    let second = after_loss(&bridge).await;
    for title in ["Choir", "Singing"] {
        let again = settle(&second, &mondays(title)).await;
        assert_eq!((&again["id"], &again["state"]), (&series["id"], &json!("confirmed")));
        assert_eq!(calendar(&second).await, kept(title), "what stands apart stays");
    }
    // The caller says again what it had said.
    instance(&second, &series, "07", Some(&concert())).await;
    instance(&second, &series, "14", None).await;
    assert_eq!(calendar(&second).await, kept("Singing"));
    // What a person took out stays out, whatever is said of it.
    let gone = instance(&second, &series, "28", Some(&json!({ "summary": "Party" }))).await;
    assert_eq!(second.event(&gone["id"]).await["state"], "removed_in_google");
    assert_eq!(calendar(&second).await, kept("Singing"));
    settle(&second, &mondays("Choir")).await;
    assert_eq!(calendar(&second).await, kept("Choir"));
    assert_eq!(ids_at_google(&second), before, "the same events, and no second one");
}
