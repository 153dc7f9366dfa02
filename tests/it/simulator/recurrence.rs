//! Recurring events: instances, exceptions, lists of them, and what happens when a series changes.

use axum::http::Method;
use serde_json::{Value, json};

use super::{PRIMARY, Reply, World};

const SERIES: &str = "standup0";

/// Every day at half past nine in New York, from 6 March 2026 on: the clocks go forward on the 8th.
fn standup(lines: &[&str]) -> Value {
    json!({
        "id": SERIES,
        "summary": "Stand-up",
        "start": {"dateTime": "2026-03-06T09:30:00", "timeZone": "America/New_York"},
        "end": {"dateTime": "2026-03-06T09:45:00", "timeZone": "America/New_York"},
        "recurrence": lines,
    })
}

/// Ana, who has a token.
struct Ana {
    world: World,
    token: String,
}

impl Ana {
    async fn new() -> Self {
        let world = World::new().await;
        let token = world.connect().await.0;
        Self { world, token }
    }

    /// With a stand-up of five days, and what was inserted.
    async fn with_standup() -> Self {
        let ana = Self::new().await;
        let made = ana.insert(standup(&["RRULE:FREQ=DAILY;COUNT=5"])).await;
        assert_eq!(made.status, 200, "{}", made.text);
        ana
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> Reply {
        self.world.api(&self.token, method, &format!("{PRIMARY}{path}"), body).await
    }

    async fn insert(&self, body: Value) -> Reply {
        self.call(Method::POST, "", body).await
    }

    async fn get(&self, id: &str) -> Reply {
        self.call(Method::GET, &format!("/{id}"), Value::Null).await
    }

    async fn patch(&self, id: &str, body: Value) -> Value {
        let reply = self.call(Method::PATCH, &format!("/{id}"), body).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.json()
    }

    async fn delete(&self, id: &str) -> u16 {
        self.call(Method::DELETE, &format!("/{id}"), Value::Null).await.status
    }

    async fn page(&self, path: &str) -> Value {
        let reply = self.call(Method::GET, path, Value::Null).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.json()
    }

    async fn items(&self, path: &str) -> Vec<Value> {
        self.page(path).await["items"].as_array().unwrap().clone()
    }

    /// The list, short: what stands behind `standup0`, with an exclamation mark if cancelled.
    async fn told(&self, path: &str) -> Vec<String> {
        self.items(path).await.iter().map(short).collect()
    }
}

fn short(item: &Value) -> String {
    let id = item["id"].as_str().unwrap().trim_start_matches(SERIES);
    let id = id.trim_start_matches("_202603").trim_end_matches("00Z");
    format!("{id}{}", if item["status"] == "cancelled" { "!" } else { "" })
}

#[tokio::test]
async fn a_series_keeps_its_wall_time_when_the_clocks_change() {
    let ana = Ana::with_standup().await;
    let items = ana.items("/standup0/instances").await;
    let starts: Vec<&Value> = items.iter().map(|item| &item["start"]["dateTime"]).collect();
    // Shown in the zone of the calendar, Lisbon's.
    let hours = ["06T14:30", "07T14:30", "08T13:30", "09T13:30", "10T13:30"];
    assert_eq!(starts, hours.map(|hour| json!(format!("2026-03-{hour}:00Z"))).each_ref());
    let third = &items[2];
    assert_eq!(third["id"], "standup0_20260308T133000Z");
    assert_eq!(third["recurringEventId"], SERIES);
    assert_eq!(third["originalStartTime"], third["start"]);
    assert_eq!(third["start"]["timeZone"], "America/New_York");
    assert_eq!((&third["recurrence"], &third["summary"]), (&Value::Null, &json!("Stand-up")));
    assert_eq!(third["iCalUID"], "standup0@google.com");
    assert_eq!(ana.get("standup0_20260308T133000Z").await.json(), *third);
    assert_eq!(ana.get("standup0_20260308T143000Z").await.status, 404);
    assert_eq!(ana.get("standup0_20260308").await.status, 404);
    assert_eq!(ana.get("standup0_20260311T133000Z").await.status, 404);
    ana.world.end().await;
}

#[tokio::test]
async fn an_all_day_series_has_days() {
    let ana = Ana::new().await;
    let body = json!({
        "id": SERIES,
        "start": {"date": "2024-02-29"},
        "end": {"date": "2024-03-02"},
        "recurrence": ["RRULE:FREQ=YEARLY;UNTIL=20360301", "EXDATE;VALUE=DATE:20280229", "RDATE:20250301"],
    });
    assert_eq!(ana.insert(body).await.status, 200);
    let items = ana.items("/standup0/instances").await;
    let days: Vec<_> = items.iter().map(|item| item["start"]["date"].as_str().unwrap()).collect();
    assert_eq!(days, ["2024-02-29", "2025-03-01", "2032-02-29", "2036-02-29"]);
    assert_eq!(items[1]["id"], "standup0_20250301");
    assert_eq!(items[1]["end"], json!({"date": "2025-03-03"}));
    assert_eq!(items[1]["originalStartTime"], json!({"date": "2025-03-01"}));
    assert_eq!(ana.get("standup0_20250301").await.json(), items[1]);
    ana.world.end().await;
}

#[tokio::test]
async fn a_start_that_the_rule_does_not_name_counts_all_the_same() {
    let ana = Ana::new().await;
    // 6 March is a Friday.
    ana.insert(standup(&["RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=2"])).await;
    assert_eq!(ana.told("/standup0/instances").await, ["06T1430", "09T1330", "16T1330"]);
    ana.world.end().await;
}

#[tokio::test]
async fn what_google_would_not_take_is_refused() {
    let ana = Ana::new().await;
    let bad = [
        "RRULE",
        "RRULE:",
        "RRULE=WEEKLY",
        "FREQ=DAILY",
        "DTSTART:20260306T093000",
        "DTEND:20260306T093000",
        "RRULE:COUNT=3",
        "RRULE:FREQ=HOURLY",
        "RRULE:FREQ=MINUTELY",
        "RRULE:FREQ=SECONDLY",
        "RRULE:FREQ=DAILY;INTERVAL=0",
        "RRULE:FREQ=DAILY;COUNT=0",
        "RRULE:FREQ=DAILY;COUNT=2;UNTIL=20260401T000000Z",
        "RRULE:FREQ=DAILY;UNTIL=20260401T000000",
        "RRULE:FREQ=DAILY;UNTIL=2026-04-01",
        "RRULE:FREQ=DAILY;UNTIL=20260231",
        "RRULE:FREQ=DAILY;COUNT=2;COUNT=3",
        "RRULE:FREQ=DAILY;BYEASTER=0",
        "RRULE:FREQ=DAILY;BYSETPOS=1",
        "RRULE:FREQ=WEEKLY;BYDAY=1MO",
        "RRULE:FREQ=WEEKLY;BYDAY=XX",
        "RRULE:FREQ=WEEKLY;BYDAY=ü",
        "RRULE:FREQ=WEEKLY;BYMONTHDAY=1",
        "RRULE:FREQ=MONTHLY;BYMONTHDAY=32",
        "RRULE:FREQ=MONTHLY;BYWEEKNO=3",
        "RRULE:FREQ=YEARLY;BYMONTH=13",
        "RRULE:FREQ=DAILY;",
        "EXDATE:tomorrow",
        "EXDATE;TZID:20260306T093000",
        "RDATE;VALUE=PERIOD:20260306T093000Z/PT1H",
        "RDATE:20260306",
    ];
    for line in bad {
        let reply = ana.insert(standup(&["RRULE:FREQ=DAILY;COUNT=2", line])).await;
        assert_eq!((reply.status, reply.reason()), (400, "invalid".to_owned()), "{line}");
    }
    assert_eq!(ana.insert(standup(&["RRULE:FREQ=DAILY", "RRULE"])).await.status, 400);
    let mut without_zone = standup(&["RRULE:FREQ=DAILY"]);
    without_zone["start"] = json!({"dateTime": "2026-03-06T09:30:00Z"});
    let reply = ana.insert(without_zone).await;
    assert_eq!((reply.status, reply.reason()), (400, "required".to_owned()));
    ana.world.end().await;
}

#[tokio::test]
async fn until_is_a_day_or_a_moment_in_utc() {
    let ana = Ana::new().await;
    ana.insert(standup(&["RRULE:FREQ=DAILY;UNTIL=20260308T133000Z"])).await;
    assert_eq!(ana.told("/standup0/instances").await, ["06T1430", "07T1430", "08T1330"]);
    let shorter = ["RRULE:FREQ=DAILY;UNTIL=20260308T132959Z"];
    ana.patch(SERIES, json!({"recurrence": shorter})).await;
    assert_eq!(ana.told("/standup0/instances").await, ["06T1430", "07T1430"]);
    // A day ends a timed series when it begins.
    ana.patch(SERIES, json!({"recurrence": ["RRULE:FREQ=DAILY;UNTIL=20260309"]})).await;
    assert_eq!(ana.told("/standup0/instances").await, ["06T1430", "07T1430", "08T1330"]);
    ana.world.end().await;
}

#[tokio::test]
async fn dates_are_left_out_in_every_form() {
    let ana = Ana::new().await;
    let lines = [
        "RRULE:FREQ=DAILY;COUNT=5",
        "EXDATE;TZID=America/New_York:20260307T093000",
        "EXDATE:20260308T133000Z",
        "EXDATE;TZID=Europe/Berlin:20260309T143000",
        // A day excludes nothing of a timed series.
        "EXDATE:20260310",
        "RDATE;TZID=Europe/Lisbon:20260320T080000,20260310T133000",
    ];
    ana.insert(standup(&lines)).await;
    assert_eq!(ana.told("/standup0/instances").await, ["06T1430", "10T1330", "20T0800"]);
    ana.world.end().await;
}

#[tokio::test]
async fn an_instance_is_moved_and_another_cancelled() {
    let ana = Ana::with_standup().await;
    let before = ana.get("standup0_20260307T143000Z").await.json();
    let moved = ana
        .patch(
            "standup0_20260307T143000Z",
            json!({
                "summary": "Late",
                "start": {"dateTime": "2026-03-12T16:00:00Z"},
                "end": {"dateTime": "2026-03-12T17:00:00Z"},
            }),
        )
        .await;
    assert_eq!(moved["id"], before["id"]);
    assert_eq!(moved["originalStartTime"], before["start"]);
    assert_eq!((&moved["recurringEventId"], &moved["recurrence"]), (&json!(SERIES), &Value::Null));
    assert_ne!(moved["etag"], before["etag"]);
    assert_eq!(ana.delete("standup0_20260309T133000Z").await, 204);
    assert_eq!(ana.delete("standup0_20260309T133000Z").await, 410);
    assert_eq!(ana.get("standup0_20260309T133000Z").await.json()["status"], "cancelled");

    let left = ["06T1430", "07T1430", "08T1330", "10T1330"];
    assert_eq!(ana.told("/standup0/instances").await, left);
    let all = ["06T1430", "07T1430", "08T1330", "09T1330!", "10T1330"];
    assert_eq!(ana.told("/standup0/instances?showDeleted=true").await, all);
    // By its own time the moved one is elsewhere; by the series' it is where it was.
    let march_12 = "timeMin=2026-03-12T00:00:00Z&timeMax=2026-03-13T00:00:00Z";
    assert_eq!(ana.told(&format!("/standup0/instances?{march_12}")).await, ["07T1430"]);
    let march_7 = "timeMin=2026-03-07T00:00:00Z&timeMax=2026-03-08T00:00:00Z";
    assert!(ana.told(&format!("/standup0/instances?{march_7}")).await.is_empty());
    let original = "originalStart=2026-03-07T09:30:00-05:00";
    assert_eq!(ana.items(&format!("/standup0/instances?{original}")).await, [moved]);
    // A change of the series leaves what was changed of an instance.
    ana.patch(SERIES, json!({"summary": "Sit-down"})).await;
    let titles = ana.items("/standup0/instances").await;
    let titles: Vec<&Value> = titles.iter().map(|item| &item["summary"]).collect();
    assert_eq!(titles, ["Sit-down", "Late", "Sit-down", "Sit-down"]);
    ana.world.end().await;
}

#[tokio::test]
async fn instances_come_in_pages() {
    let ana = Ana::with_standup().await;
    ana.delete("standup0_20260307T143000Z").await;
    let (mut told, mut token) = (Vec::new(), String::new());
    loop {
        let page = ana.page(&format!("/standup0/instances?maxResults=2{token}")).await;
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 2 && page["nextSyncToken"].is_null());
        told.extend(items.iter().map(short));
        let Some(next) = page["nextPageToken"].as_str() else { break };
        token = format!("&pageToken={next}");
    }
    assert_eq!(told, ["06T1430", "08T1330", "09T1330", "10T1330"]);
    assert_eq!(ana.call(Method::GET, "/unknown/instances", Value::Null).await.status, 404);
    ana.world.end().await;
}

#[tokio::test]
async fn a_list_shows_series_or_instances_and_deleted_ones_if_asked() {
    let ana = Ana::with_standup().await;
    ana.insert(json!({
        "id": "plain",
        "start": {"date": "2026-03-08"},
        "end": {"date": "2026-03-09"},
    }))
    .await;
    ana.delete("standup0_20260307T143000Z").await;
    ana.patch("standup0_20260309T133000Z", json!({"summary": "Long"})).await;

    let cancelled = json!({
        "kind": "calendar#event",
        "etag": ana.get("standup0_20260307T143000Z").await.json()["etag"],
        "id": "standup0_20260307T143000Z",
        "status": "cancelled",
        "recurringEventId": SERIES,
        "originalStartTime": {"dateTime": "2026-03-07T14:30:00Z", "timeZone": "America/New_York"},
    });
    let items = ana.items("").await;
    let told: Vec<String> = items.iter().map(short).collect();
    assert_eq!(told, ["", "plain", "07T1430!", "09T1330"]);
    assert_eq!(items[2], cancelled);
    let told = ana.told("?showDeleted=true").await;
    assert_eq!(told, ["", "plain", "07T1430!", "09T1330"]);
    let by_start = "?singleEvents=true&orderBy=startTime";
    let told = ana.told(by_start).await;
    assert_eq!(told, ["06T1430", "plain", "08T1330", "09T1330", "10T1330"]);
    let told = ana.told(&format!("{by_start}&showDeleted=true")).await;
    assert_eq!(told, ["06T1430", "07T1430!", "plain", "08T1330", "09T1330", "10T1330"]);
    // A series is in a time range if one of its instances is.
    let range = "timeMin=2026-03-10T13:00:00Z&timeMax=2026-03-11T00:00:00Z";
    assert_eq!(ana.told(&format!("?{range}")).await, [""]);
    assert_eq!(ana.told(&format!("?singleEvents=true&{range}")).await, ["10T1330"]);
    assert!(ana.told("?timeMin=2026-03-11T00:00:00Z").await.is_empty());

    for order in ["", "&orderBy=updated", "&orderBy=startTime"] {
        let whole = ana.told(&format!("?singleEvents=true{order}")).await;
        let (mut paged, mut token) = (Vec::new(), String::new());
        loop {
            let path = format!("?singleEvents=true&maxResults=2{order}{token}");
            let page = ana.page(&path).await;
            paged.extend(page["items"].as_array().unwrap().iter().map(short));
            let Some(next) = page["nextPageToken"].as_str() else { break };
            token = format!("&pageToken={next}");
        }
        assert_eq!(paged, whole);
        assert_eq!(paged.len(), 5);
    }
    ana.world.end().await;
}

#[tokio::test]
async fn an_endless_series_is_told_two_years_ahead_of_now_if_daily() {
    let ana = Ana::new().await;
    ana.insert(standup(&["RRULE:FREQ=DAILY"])).await;
    // It is noon on 27 March: the 22 until then are past.
    let told = ana.items("/standup0/instances?maxResults=2500").await;
    assert_eq!(told.len(), 21 + 730);
    assert_eq!(ana.items("?singleEvents=true&maxResults=2500").await.len(), 21 + 730);
    let later = "timeMin=2099-01-01T00:00:00Z";
    assert_eq!(ana.items(&format!("/standup0/instances?maxResults=2500&{later}")).await.len(), 730);
    ana.world.end().await;
}

#[tokio::test]
async fn a_deleted_series_takes_its_instances_along() {
    let ana = Ana::with_standup().await;
    ana.patch("standup0_20260309T133000Z", json!({"summary": "Long"})).await;
    ana.delete("standup0_20260307T143000Z").await;
    assert_eq!(ana.delete(SERIES).await, 204);
    for id in ["standup0_20260306T143000Z", "standup0_20260309T133000Z"] {
        assert_eq!(ana.get(id).await.json()["status"], "cancelled", "{id}");
        assert_eq!(ana.delete(id).await, 410);
    }
    assert!(ana.told("").await.is_empty());
    assert!(ana.told("?singleEvents=true").await.is_empty());
    assert!(ana.told("/standup0/instances").await.is_empty());
    assert_eq!(ana.told("?showDeleted=true").await.len(), 3);
    // Back again, the series is whole.
    ana.patch(SERIES, json!({"status": "confirmed"})).await;
    assert_eq!(ana.told("/standup0/instances").await.len(), 5);
    ana.world.end().await;
}

#[tokio::test]
async fn exceptions_end_when_the_series_has_no_such_instance_any_more() {
    let ana = Ana::with_standup().await;
    ana.patch("standup0_20260309T133000Z", json!({"summary": "Long"})).await;
    ana.delete("standup0_20260307T143000Z").await;
    ana.patch(SERIES, json!({"recurrence": ["RRULE:FREQ=DAILY;COUNT=3"]})).await;
    assert_eq!(ana.told("").await, ["", "07T1430!"]);
    assert_eq!(ana.told("/standup0/instances").await, ["06T1430", "08T1330"]);
    // An hour later: other instances, which nobody cancelled.
    let at = |time: &str| json!({"dateTime": format!("2026-03-06T{time}:00"), "timeZone": "America/New_York"});
    ana.patch(SERIES, json!({"start": at("10:30"), "end": at("10:45")})).await;
    assert_eq!(ana.told("/standup0/instances").await, ["06T1530", "07T1530", "08T1430"]);
    assert_eq!(ana.told("").await, [""]);
    ana.patch(SERIES, json!({"start": at("09:30"), "end": at("09:45")})).await;
    assert_eq!(ana.told("/standup0/instances").await, ["06T1430", "07T1430", "08T1330"]);
    ana.world.end().await;
}

#[tokio::test]
async fn a_sync_tells_of_instances_or_of_the_series() {
    let ana = Ana::with_standup().await;
    let mut tokens = Vec::new();
    for single in ["false", "true"] {
        let page = ana.page(&format!("?singleEvents={single}")).await;
        tokens.push((single, page["nextSyncToken"].as_str().unwrap().to_owned()));
    }
    let mut expect = async |series: &[&str], instances: &[&str]| {
        for ((single, token), wanted) in tokens.iter_mut().zip([series, instances]) {
            let page = ana.page(&format!("?singleEvents={single}&syncToken={token}")).await;
            let items = page["items"].as_array().unwrap();
            assert_eq!(items.iter().map(short).collect::<Vec<_>>(), wanted, "{single}");
            page["nextSyncToken"].as_str().unwrap().clone_into(token);
        }
    };
    ana.delete("standup0_20260307T143000Z").await;
    expect(&["07T1430!"], &["07T1430!"]).await;
    ana.patch("standup0_20260308T133000Z", json!({"summary": "Long"})).await;
    expect(&["08T1330"], &["08T1330"]).await;
    ana.patch(SERIES, json!({"summary": "Sit-down"})).await;
    expect(&[""], &["06T1430", "09T1330", "10T1330"]).await;
    ana.patch(SERIES, json!({"recurrence": ["RRULE:FREQ=DAILY;COUNT=4"]})).await;
    expect(&[""], &["06T1430", "09T1330", "10T1330!"]).await;
    ana.patch(SERIES, json!({"recurrence": ["RRULE:FREQ=DAILY;COUNT=2"]})).await;
    expect(&["", "08T1330!"], &["06T1430", "09T1330!", "08T1330!"]).await;
    ana.delete(SERIES).await;
    expect(&["!", "07T1430!"], &["06T1430!", "07T1430!"]).await;
    ana.world.end().await;
}

#[tokio::test]
async fn a_guest_has_the_series_and_answers_one_instance() {
    let ana = Ana::new().await;
    let mut body = standup(&["RRULE:FREQ=DAILY;COUNT=3"]);
    body["attendees"] = json!([{"email": "ben@example.com"}]);
    ana.insert(body).await;
    let ben = ana.world.token_of("ben@example.com").await;
    let instance = format!("{PRIMARY}/standup0_20260307T143000Z");
    let answer = json!({"attendees": [{"email": "ben@example.com", "responseStatus": "declined"}]});
    let answered = ana.world.api(&ben, Method::PATCH, &instance, answer).await;
    assert_eq!(answered.status, 200);
    let seen = ana.get("standup0_20260307T143000Z").await.json();
    assert_eq!(seen["attendees"][0]["responseStatus"], "declined");
    let seen = ana.get("standup0_20260306T143000Z").await.json();
    assert_eq!(seen["attendees"][0]["responseStatus"], "needsAction");

    ana.delete("standup0_20260308T133000Z").await;
    let path = format!("{PRIMARY}/standup0/instances");
    let theirs = ana.world.api(&ben, Method::GET, &path, Value::Null).await.json();
    let theirs: Vec<String> = theirs["items"].as_array().unwrap().iter().map(short).collect();
    assert_eq!(theirs, ["06T1430", "07T1430"]);
    ana.world.end().await;
}
