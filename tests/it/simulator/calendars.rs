//! Secondary calendars, lists of calendars, and who may do what with one.

use axum::http::Method;
use serde_json::{Value, json};

use super::{World, tea};

const CALENDARS: &str = "/calendar/v3/calendars";
const LIST: &str = "/calendar/v3/users/me/calendarList";

/// A simulator with a calendar of ana's beside her own: its id, and tokens of ana's and ben's.
async fn with_calendar() -> (World, String, String, String) {
    let world = World::new().await;
    let (ana, ben) =
        (world.token_of("ana@example.com").await, world.token_of("ben@example.com").await);
    let made = world.api(&ana, Method::POST, CALENDARS, json!({"summary": "Team"})).await.json();
    let id = made["id"].as_str().expect("an id").to_owned();
    assert!(id.ends_with("@group.calendar.google.com"), "{id}");
    (world, id, ana, ben)
}

async fn share(world: &World, owner: &str, id: &str, role: &str) {
    let body = json!({"role": role, "scope": {"type": "user", "value": "ben@example.com"}});
    let told = world.api(owner, Method::POST, &format!("{CALENDARS}/{id}/acl"), body).await;
    assert_eq!(told.status, 200, "{}", told.text);
}

#[tokio::test]
async fn a_calendar_is_made_changed_and_deleted() {
    let (world, id, ana, _) = with_calendar().await;
    let path = format!("{CALENDARS}/{id}");
    let change = json!({"description": "All of us", "timeZone": "Asia/Kolkata"});
    let changed = world.api(&ana, Method::PATCH, &path, change).await.json();
    assert_eq!(
        (&changed["summary"], &changed["timeZone"]),
        (&json!("Team"), &json!("Asia/Kolkata"))
    );
    let made = world.api(&ana, Method::POST, &format!("{path}/events"), tea()).await.json();
    assert_eq!(made["organizer"], json!({"email": id, "displayName": "Team", "self": true}));
    assert_eq!(made["creator"], json!({"email": "ana@example.com"}));
    assert_eq!(made["start"]["dateTime"], "2026-04-01T14:30:00+05:30");
    assert_eq!(world.api(&ana, Method::DELETE, &path, Value::Null).await.status, 204);
    assert_eq!(world.api(&ana, Method::GET, &path, Value::Null).await.status, 404);
    let primary = format!("{CALENDARS}/primary");
    assert_eq!(world.api(&ana, Method::DELETE, &primary, Value::Null).await.status, 403);
    world.end().await;
}

#[tokio::test]
async fn a_role_says_what_somebody_may_do() {
    let (world, id, ana, ben) = with_calendar().await;
    let events = format!("{CALENDARS}/{id}/events");
    assert_eq!(world.api(&ben, Method::GET, &events, Value::Null).await.status, 404);
    share(&world, &ana, &id, "reader").await;
    assert_eq!(world.api(&ben, Method::GET, &events, Value::Null).await.status, 200);
    let told = world.api(&ben, Method::POST, &events, tea()).await;
    assert_eq!((told.status, told.reason().as_str()), (403, "requiredAccessLevel"));
    let mut secret = tea();
    secret["visibility"] = "private".into();
    let made = world.api(&ana, Method::POST, &events, secret).await.json();
    let seen = world.api(&ben, Method::GET, &events, Value::Null).await.json();
    assert_eq!(
        (&seen["items"][0]["id"], &seen["items"][0]["summary"]),
        (&made["id"], &Value::Null)
    );
    share(&world, &ana, &id, "writer").await;
    assert_eq!(world.api(&ben, Method::POST, &events, tea()).await.status, 200);
    let rules = format!("{CALENDARS}/{id}/acl");
    assert_eq!(world.api(&ben, Method::GET, &rules, Value::Null).await.status, 403);
    let rule = format!("{rules}/user:ben@example.com");
    assert_eq!(world.api(&ana, Method::DELETE, &rule, Value::Null).await.status, 204);
    assert_eq!(world.api(&ben, Method::GET, &events, Value::Null).await.status, 404);
    world.end().await;
}

#[tokio::test]
async fn a_narrow_scope_reaches_only_its_calendars() {
    let (world, id, ana, ben) = with_calendar().await;
    share(&world, &ana, &id, "writer").await;
    let token_for = async |scope: &str| {
        let scope = format!("https://www.googleapis.com/auth/{scope}");
        let path = world.consent_path(&[("scope", &scope)]);
        let decision = [("decision", "allow"), ("user", "ben@example.com")];
        let code = super::parameter(&world.decide(&path, &decision).await, "code").expect("a code");
        let tokens = world.exchange(&code, super::VERIFIER).await.json();
        tokens["access_token"].as_str().expect("a token").to_owned()
    };
    let status = async |token: &str, calendar: &str| {
        let path = format!("{CALENDARS}/{calendar}/events");
        world.api(token, Method::GET, &path, Value::Null).await.status
    };
    let owned = token_for("calendar.events.owned").await;
    assert_eq!((status(&owned, "primary").await, status(&owned, &id).await), (200, 403));
    let made = token_for("calendar.app.created").await;
    let own = world.api(&made, Method::POST, CALENDARS, json!({"summary": "Ours"})).await.json();
    let own = own["id"].as_str().expect("an id");
    assert_eq!((status(&made, own).await, status(&made, "primary").await), (200, 403));
    let public = token_for("calendar.events.public.readonly").await;
    assert_eq!((status(&public, "primary").await, status(&ben, "primary").await), (403, 200));
    let everybody = json!({"role": "reader", "scope": {"type": "default"}});
    world.api(&ben, Method::POST, &format!("{CALENDARS}/primary/acl"), everybody).await;
    assert_eq!(status(&public, "primary").await, 200);
    world.end().await;
}

#[tokio::test]
async fn a_change_of_access_ends_the_sync_tokens_of_the_calendar() {
    let (world, id, ana, ben) = with_calendar().await;
    share(&world, &ana, &id, "writer").await;
    let events = format!("{CALENDARS}/{id}/events");
    let page = world.api(&ben, Method::GET, &events, Value::Null).await.json();
    let token = page["nextSyncToken"].as_str().expect("a sync token");
    let sync = format!("{events}?syncToken={token}");
    assert_eq!(world.api(&ben, Method::GET, &sync, Value::Null).await.status, 200);
    share(&world, &ana, &id, "reader").await;
    let told = world.api(&ben, Method::GET, &sync, Value::Null).await;
    assert_eq!((told.status, told.reason().as_str()), (410, "fullSyncRequired"));
    world.end().await;
}

#[tokio::test]
async fn the_list_of_calendars_is_paged_and_synced() {
    let (world, id, ana, _) = with_calendar().await;
    let first = world.api(&ana, Method::GET, &format!("{LIST}?maxResults=1"), Value::Null).await;
    let first = first.json();
    assert_eq!(first["items"][0]["primary"], true);
    let page = first["nextPageToken"].as_str().expect("a page token");
    let path = format!("{LIST}?maxResults=1&pageToken={page}");
    let last = world.api(&ana, Method::GET, &path, Value::Null).await.json();
    assert_eq!(last["items"][0]["id"], id.as_str());
    let token = last["nextSyncToken"].as_str().expect("a sync token");

    let entry = format!("{LIST}/{id}");
    let change = json!({"summaryOverride": "Us", "hidden": true, "colorId": "1"});
    world.api(&ana, Method::PATCH, &entry, change).await;
    let sync = format!("{LIST}?syncToken={token}");
    let changed = world.api(&ana, Method::GET, &sync, Value::Null).await.json();
    assert_eq!(changed["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(changed["items"][0]["summaryOverride"], "Us");
    assert_eq!(changed["items"][0]["backgroundColor"], "#ac725e");
    let token = changed["nextSyncToken"].as_str().expect("a sync token");
    world.api(&ana, Method::DELETE, &format!("{CALENDARS}/{id}"), Value::Null).await;
    let sync = format!("{LIST}?syncToken={token}");
    let gone = world.api(&ana, Method::GET, &sync, Value::Null).await.json();
    assert_eq!((&gone["items"][0]["id"], &gone["items"][0]["deleted"]), (&json!(id), &json!(true)));
    let hides = format!("{sync}&showDeleted=false");
    assert_eq!(world.api(&ana, Method::GET, &hides, Value::Null).await.status, 400);
    world.end().await;
}

#[tokio::test]
async fn a_line_of_english_becomes_an_event() {
    let (world, _, ana, _) = with_calendar().await;
    // The world's clock stands on a Friday, 27 March 2026, noon.
    for (text, title, start, end) in [
        (
            "Appointment at Somewhere on June 3rd 10am-10:25am",
            "Appointment at Somewhere",
            "2026-06-03T10:00:00+01:00",
            "2026-06-03T10:25:00+01:00",
        ),
        ("Tea tomorrow at 14:00", "Tea", "2026-03-28T14:00:00Z", "2026-03-28T15:00:00Z"),
        (
            "Mon from 10 pm to 1 am: night shift",
            "night shift",
            "2026-03-30T22:00:00+01:00",
            "2026-03-31T01:00:00+01:00",
        ),
        ("Buy 3 apples", "Buy 3 apples", "2026-03-27T13:00:00Z", "2026-03-27T14:00:00Z"),
        ("2 March 2027 Fair", "Fair", "2027-03-02", "2027-03-03"),
    ] {
        let query = super::form(&[("text", text)]);
        let path = format!("{CALENDARS}/primary/events/quickAdd?{query}");
        let made = world.api(&ana, Method::POST, &path, Value::Null).await.json();
        let point = |name: &str| {
            let point = &made[name];
            point["dateTime"].as_str().or(point["date"].as_str()).unwrap_or_default().to_owned()
        };
        let told = (made["summary"].as_str().unwrap_or_default(), point("start"), point("end"));
        assert_eq!(told, (title, start.to_owned(), end.to_owned()), "{text}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_series_moves_with_the_instances_that_differ_from_it() {
    let (world, id, ana, _) = with_calendar().await;
    let events = format!("{CALENDARS}/primary/events");
    let mut series = tea();
    series["recurrence"] = json!(["RRULE:FREQ=DAILY;COUNT=3"]);
    let made = world.api(&ana, Method::POST, &events, series).await.json();
    let event = made["id"].as_str().expect("an id");
    let second = format!("{event}_20260402T090000Z");
    let path = format!("{events}/{second}");
    world.api(&ana, Method::PATCH, &path, json!({"summary": "Coffee"})).await;
    let third = format!("{events}/{event}_20260403T090000Z");
    world.api(&ana, Method::DELETE, &third, Value::Null).await;
    let path = format!("{events}/{event}/move?destination={id}");
    assert_eq!(world.api(&ana, Method::POST, &path, Value::Null).await.status, 200);
    let path = format!("{CALENDARS}/{id}/events/{event}/instances");
    let told = world.api(&ana, Method::GET, &path, Value::Null).await.json();
    let items = told["items"].as_array().expect("instances").iter();
    let shown: Vec<&str> = items.filter_map(|item| item["summary"].as_str()).collect();
    assert_eq!(shown, ["Tea", "Coffee"]);
    let left = world.api(&ana, Method::GET, &format!("{events}/{second}"), Value::Null).await;
    assert!(left.status == 404 || left.json()["status"] == "cancelled", "{}", left.text);
    world.end().await;
}

#[tokio::test]
async fn an_event_moves_to_another_calendar_and_an_import_invites_nobody() {
    let (world, id, ana, _) = with_calendar().await;
    let events = format!("{CALENDARS}/primary/events");
    let made = world.api(&ana, Method::POST, &events, tea()).await.json();
    let event = made["id"].as_str().expect("an id");
    let path = format!("{events}/{event}/move?destination={id}");
    let moved = world.api(&ana, Method::POST, &path, Value::Null).await.json();
    assert_eq!((&moved["id"], &moved["organizer"]["email"]), (&json!(event), &json!(id)));
    let left = world.api(&ana, Method::GET, &format!("{events}/{event}"), Value::Null).await;
    assert_eq!(left.json()["status"], "cancelled");

    let mut body = tea();
    body["iCalUID"] = "one@elsewhere".into();
    body["attendees"] = json!([{"email": "ben@example.com"}]);
    let import = format!("{events}/import");
    let first = world.api(&ana, Method::POST, &import, body.clone()).await.json();
    body["summary"] = "Coffee".into();
    let second = world.api(&ana, Method::POST, &import, body).await.json();
    assert_eq!((&first["id"], &second["summary"]), (&second["id"], &json!("Coffee")));
    assert!(world.simulator.events("ben@example.com").is_empty());
    world.end().await;
}
