//! Series: changed as a whole, in one instance, or from one instance on; what Google shows is always
//! what was asked for, once.

use calbridge::simulator::{Fault, FaultKind};
use hyper::Method;
use serde_json::{Value, json};

use crate::bridge::{ANA, Answer, Bridge, with};

const EVENTS: &str = "/api/v1/events";

/// Four Thursdays at two in Lisbon.
fn thursdays() -> Value {
    json!({
        "summary": "Choir",
        "start": "2026-11-05T14:00:00",
        "end": "2026-11-05T15:00:00",
        "time_zone": "Europe/Lisbon",
        "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"],
        "meet": false,
    })
}

async fn create(bridge: &Bridge, body: &Value) -> Value {
    let answer = bridge.send_json(Method::POST, EVENTS, body, &[]).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    bridge.run_until_idle().await;
    answer.json()
}

fn path(event: &Value, query: &str) -> String {
    format!("{EVENTS}/{}{query}", event["id"].as_str().expect("an id"))
}

async fn change(bridge: &Bridge, event: &Value, query: &str, members: &Value) -> Value {
    let answer = bridge.send_json(Method::PATCH, &path(event, query), members, &[]).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    bridge.run_until_idle().await;
    answer.json()
}

async fn delete(bridge: &Bridge, event: &Value, query: &str) -> Answer {
    let answer = bridge.send_json(Method::DELETE, &path(event, query), &json!({}), &[]).await;
    bridge.run_until_idle().await;
    answer
}

/// Every entry of the calendar as people see it, series as their instances: day, time and title.
pub async fn calendar(bridge: &Bridge) -> Vec<String> {
    let mut found = Vec::new();
    for event in bridge.google.events(ANA) {
        if event["recurringEventId"].is_string() {
            continue;
        }
        let id = event["id"].as_str().expect("an id");
        let recurs = event["recurrence"].is_array();
        let told = if recurs { bridge.instances(id).await } else { vec![event.clone()] };
        found.extend(told.iter().map(|item| {
            let start = &item["start"];
            let at = start["dateTime"].as_str().or(start["date"].as_str()).expect("a start");
            let at: String = at.chars().take(16).collect();
            format!("{at} {}", item["summary"].as_str().expect("a title"))
        }));
    }
    found.sort();
    found
}

#[tokio::test]
async fn a_series_is_one_event_in_google_with_all_its_instances() {
    let bridge = Bridge::connected().await;
    let made = create(&bridge, &thursdays()).await;
    assert_eq!(made["recurrence"], json!(["RRULE:FREQ=WEEKLY;COUNT=4"]));
    assert_eq!(
        calendar(&bridge).await,
        [
            "2026-11-05T14:00 Choir",
            "2026-11-12T14:00 Choir",
            "2026-11-19T14:00 Choir",
            "2026-11-26T14:00 Choir"
        ]
    );
    assert_eq!(bridge.calls("calendar.events.insert"), 1);
}

#[tokio::test]
async fn what_an_instance_does_not_say_any_more_is_gone_from_it_alone() {
    let bridge = Bridge::connected().await;
    let says = json!({"guests": ["gus@example.org", "bea@example.org"], "location": "Hall"});
    let made = create(&bridge, &with(thursdays(), &says)).await;
    let less = json!({"guests": ["gus@example.org"], "location": null});
    change(&bridge, &made, "?instance=2026-11-12T14:00:00", &less).await;
    let series = made_at_google(&bridge);
    let told = bridge.instances(series.as_str().expect("an id")).await;
    let said =
        |n: usize| (told[n]["attendees"].as_array().map(Vec::len), told[n]["location"].clone());
    assert_eq!(said(0), (Some(2), json!("Hall")));
    assert_eq!(said(1), (Some(1), Value::Null), "{}", told[1]);
    assert_eq!(said(2), (Some(2), json!("Hall")));
}

/// Google's id of the one series there is.
fn made_at_google(bridge: &Bridge) -> Value {
    let events = bridge.google.events(ANA);
    let series = events.iter().find(|event| event["recurrence"].is_array());
    series.expect("a series")["id"].clone()
}

#[tokio::test]
async fn one_instance_is_moved_renamed_and_cancelled_and_the_others_stay() {
    let bridge = Bridge::connected().await;
    let made = create(&bridge, &thursdays()).await;
    let moved = json!({
        "summary": "Dress rehearsal",
        "start": "2026-11-13T18:00:00", "end": "2026-11-13T20:00:00", "time_zone": "Europe/Lisbon",
    });
    let apart = change(&bridge, &made, "?instance=2026-11-12T14:00:00", &moved).await;
    assert_eq!(
        apart["instance"],
        json!({"series": made["id"], "original_start": "2026-11-12T14:00:00Z"})
    );
    // Named by what is shown, and cancelled.
    assert_eq!(delete(&bridge, &made, "?instance=2026-11-19T14:00:00Z").await.status, 202);
    let left =
        ["2026-11-05T14:00 Choir", "2026-11-13T18:00 Dress rehearsal", "2026-11-26T14:00 Choir"];
    assert_eq!(calendar(&bridge).await, left);
    // Again, and nothing happens; by its own id, and by its original start.
    assert_eq!(delete(&bridge, &made, "?instance=2026-11-19T14:00:00Z").await.status, 200);
    change(&bridge, &apart, "", &json!({"summary": "Concert"})).await;
    change(&bridge, &made, "?instance=20261112T140000Z&range=this", &json!({"location": "Hall"}))
        .await;
    let left = ["2026-11-05T14:00 Choir", "2026-11-13T18:00 Concert", "2026-11-26T14:00 Choir"];
    assert_eq!(calendar(&bridge).await, left);
    let shown = bridge.get(&path(&made, "?instance=2026-11-12T14:00:00")).await.json();
    assert_eq!((&shown["id"], &shown["location"]), (&apart["id"], &json!("Hall")));
    assert_eq!(shown["state"], "confirmed");
    // One that is as its series has it is shown, too, and one that there is not is not.
    let shown = bridge.get(&path(&made, "?instance=2026-11-26T14:00:00")).await.json();
    assert_eq!(
        (&shown["id"], &shown["start"]["instant"]),
        (&made["id"], &json!("2026-11-26T14:00:00Z"))
    );
    assert_eq!(bridge.get(&path(&made, "?instance=2026-11-27T14:00:00")).await.status, 404);
    assert_eq!(bridge.calls("calendar.events.insert"), 1);
}

#[tokio::test]
async fn a_series_that_is_renamed_keeps_its_exceptions() {
    let bridge = Bridge::connected().await;
    let made = create(&bridge, &thursdays()).await;
    change(&bridge, &made, "?instance=2026-11-12T14:00:00", &json!({"summary": "Solo"})).await;
    delete(&bridge, &made, "?instance=2026-11-19T14:00:00").await;
    change(&bridge, &made, "", &json!({"summary": "Big choir"})).await;
    assert_eq!(
        calendar(&bridge).await,
        ["2026-11-05T14:00 Big choir", "2026-11-12T14:00 Solo", "2026-11-26T14:00 Big choir"]
    );
}

#[tokio::test]
async fn a_series_that_moves_leaves_no_ghosts_and_brings_nothing_cancelled_back() {
    let bridge = Bridge::connected().await;
    let body = with(
        thursdays(),
        &json!({"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=5", "EXDATE:20261203T140000"]}),
    );
    let made = create(&bridge, &body).await;
    let apart =
        change(&bridge, &made, "?instance=2026-11-12T14:00:00", &json!({"summary": "Solo"})).await;
    delete(&bridge, &made, "?instance=2026-11-19T14:00:00").await;
    let later = json!({
        "start": "2026-11-05T16:00:00", "end": "2026-11-05T17:00:00", "time_zone": "Europe/Lisbon",
    });
    change(&bridge, &made, "?range=all", &later).await;
    assert_eq!(
        calendar(&bridge).await,
        ["2026-11-05T16:00 Choir", "2026-11-12T16:00 Choir", "2026-11-26T16:00 Choir"]
    );
    assert_eq!(bridge.event(&apart["id"]).await["state"], "cancelled");
    // Another day needs a rule that says so.
    let friday = json!({"start": "2026-11-06", "recurrence": ["RRULE:FREQ=WEEKLY;BYDAY=TH"]});
    let answer = bridge.send_json(Method::PATCH, &path(&made, ""), &friday, &[]).await;
    assert_eq!(answer.status, 422, "{}", answer.text);
    assert!(answer.text.contains("2026-11-12"), "{}", answer.text);
}

#[tokio::test]
async fn this_and_following_ends_the_old_series_and_begins_one_that_follows_it() {
    let bridge = Bridge::connected().await;
    let made =
        create(&bridge, &with(thursdays(), &json!({"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=5"]})))
            .await;
    let early =
        change(&bridge, &made, "?instance=2026-11-12T14:00:00", &json!({"summary": "Solo"})).await;
    let late =
        change(&bridge, &made, "?instance=2026-12-03T14:00:00", &json!({"summary": "Duet"})).await;
    delete(&bridge, &made, "?instance=2026-11-26T14:00:00").await;
    let query = "?instance=2026-11-19T14:00:00&range=following";
    let moved = json!({
        "summary": "Orchestra",
        "start": "2026-11-19T10:00:00", "end": "2026-11-19T11:30:00", "time_zone": "Europe/Lisbon",
    });
    let next = change(&bridge, &made, query, &moved).await;
    assert_eq!(next["follows"], made["id"]);
    assert_ne!(next["id"], made["id"]);
    let all = [
        "2026-11-05T14:00 Choir",
        "2026-11-12T14:00 Solo",
        "2026-11-19T10:00 Orchestra",
        "2026-12-03T10:00 Orchestra",
    ];
    assert_eq!(calendar(&bridge).await, all);
    assert_eq!(bridge.event(&early["id"]).await["state"], "confirmed");
    assert_eq!(bridge.event(&late["id"]).await["state"], "cancelled");
    // The same request again finds what the first one made.
    let again = bridge.send_json(Method::PATCH, &path(&made, query), &moved, &[]).await;
    assert_eq!((again.status, &again.json()["id"]), (200, &next["id"]), "{}", again.text);
    bridge.run_until_idle().await;
    assert_eq!(calendar(&bridge).await, all);
    assert_eq!(bridge.calls("calendar.events.insert"), 2);
    // And all that follow are cancelled.
    assert_eq!(
        delete(&bridge, &made, "?instance=2026-11-12T14:00:00&range=following").await.status,
        202
    );
    assert_eq!(calendar(&bridge).await, [all[0], all[2], all[3]]);
}

#[tokio::test]
async fn a_series_is_cut_in_one_step_though_google_is_down_and_written_once_though_answers_are_lost()
 {
    let bridge = Bridge::connected().await;
    let made = create(&bridge, &thursdays()).await;
    for kind in [FaultKind::LostAnswer, FaultKind::ServerError] {
        bridge.fault(Fault::new(kind).method("calendar.events.patch").times(1));
    }
    bridge.fault(Fault::new(FaultKind::LostAnswer).method("calendar.events.insert").times(1));
    let members = json!({"summary": "Orchestra"});
    change(&bridge, &made, "?instance=2026-11-19T14:00:00&range=following", &members).await;
    assert_eq!(
        calendar(&bridge).await,
        [
            "2026-11-05T14:00 Choir",
            "2026-11-12T14:00 Choir",
            "2026-11-19T14:00 Orchestra",
            "2026-11-26T14:00 Orchestra"
        ]
    );
    assert_eq!(bridge.google.events(ANA).len(), 2);
}

#[tokio::test]
async fn whole_days_recur_and_are_cut_by_days() {
    let bridge = Bridge::connected().await;
    let body = json!({
        "summary": "Fair", "start": "2026-11-05", "end": "2026-11-07", "meet": false,
        "recurrence": ["RRULE:FREQ=MONTHLY;UNTIL=20270301"],
    });
    let made = create(&bridge, &body).await;
    change(&bridge, &made, "?instance=2026-12-05", &json!({"start": "2026-12-12"})).await;
    change(
        &bridge,
        &made,
        "?instance=2027-02-05&range=following",
        &json!({"summary": "Last fair"}),
    )
    .await;
    assert_eq!(
        calendar(&bridge).await,
        ["2026-11-05 Fair", "2026-12-12 Fair", "2027-01-05 Fair", "2027-02-05 Last fair"]
    );
}

#[tokio::test]
async fn cancelling_a_series_cancels_all_of_it_and_an_instance_waits_for_its_series() {
    let bridge = Bridge::connected().await;
    bridge.fault(Fault::new(FaultKind::ServerError).method("calendar.events.insert").times(2));
    let answer = bridge.router_send(Method::POST, EVENTS, &thursdays()).await;
    let made = answer.json();
    let solo = json!({"summary": "Solo"});
    let apart = bridge
        .router_send(Method::PATCH, &path(&made, "?instance=2026-11-12T14:00:00"), &solo)
        .await;
    assert_eq!(apart.status, 202, "{}", apart.text);
    bridge.run_until_idle().await;
    assert_eq!(calendar(&bridge).await.len(), 4);
    assert_eq!(calendar(&bridge).await[1], "2026-11-12T14:00 Solo");
    assert_eq!(delete(&bridge, &made, "").await.status, 202);
    assert!(bridge.google.events(ANA).is_empty());
    assert_eq!(bridge.event(&apart.json()["id"]).await["state"], "cancelled");
    assert_eq!(bridge.event(&made["id"]).await["state"], "cancelled");
}

#[tokio::test]
async fn what_makes_no_sense_of_a_series_is_refused() {
    let bridge = Bridge::connected().await;
    let made = create(&bridge, &thursdays()).await;
    let once =
        create(&bridge, &json!({"summary": "Tea", "start": "2026-11-30", "meet": false})).await;
    let cases = [
        (&made, "?range=this", json!({"summary": "x"}), 422, "instance"),
        (&made, "?range=some&instance=20261112T140000Z", json!({"summary": "x"}), 422, "following"),
        (&made, "?instance=2026-11-12", json!({"summary": "x"}), 422, "instance"),
        (&made, "?instance=2026-11-13T14:00:00", json!({"summary": "x"}), 404, "instance"),
        (
            &made,
            "?instance=2026-11-12T14:00:00",
            json!({"recurrence": ["RRULE:FREQ=DAILY"]}),
            422,
            "does not recur",
        ),
        (&once, "?instance=2026-11-30", json!({"summary": "x"}), 422, "does not recur"),
        (&once, "", json!({"recurrence": ["RRULE:FREQ=HOURLY"]}), 422, "within a day"),
    ];
    for (event, query, members, status, word) in cases {
        let answer = bridge.send_json(Method::PATCH, &path(event, query), &members, &[]).await;
        assert_eq!(answer.status, status, "{query}: {}", answer.text);
        assert!(answer.text.contains(word), "{query}: {}", answer.text);
    }
    let bad = with(thursdays(), &json!({"recurrence": ["RRULE:FREQ=DAILY;COUNT=0"]}));
    let answer = bridge.send_json(Method::POST, EVENTS, &bad, &[]).await;
    assert_eq!(answer.json()["errors"][0]["pointer"], "/recurrence/0", "{}", answer.text);
    // What happened once can become a series, and a series what happens once.
    change(&bridge, &once, "", &json!({"recurrence": ["RRULE:FREQ=DAILY;COUNT=2"]})).await;
    change(&bridge, &made, "", &json!({"recurrence": null})).await;
    assert_eq!(
        calendar(&bridge).await,
        ["2026-11-05T14:00 Choir", "2026-11-30 Tea", "2026-12-01 Tea"]
    );
}
