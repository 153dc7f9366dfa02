//! What an event can say, on its way to Google and back to nothing.

use calbridge::model::key::Scope;
use calbridge::simulator::{Fault, FaultKind};
use chrono::TimeDelta;
use hyper::Method;
use serde_json::{Map, Value, json};

use crate::bridge::{ANA, Answer, Bridge, Choices, with};

const EVENTS: &str = "/api/v1/events";

/// A day's tea, with more members.
fn tea(members: &Value) -> Value {
    let body = json!({
        "summary": "Tea",
        "start": "2026-11-30T14:00:00",
        "end": "2026-11-30T15:00:00",
        "time_zone": "Europe/Lisbon",
    });
    with(body, members)
}

async fn create(bridge: &Bridge, members: &Value) -> Value {
    let answer = bridge.send_json(Method::POST, EVENTS, &tea(members), &[]).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    bridge.run_until_idle().await;
    answer.json()
}

async fn change(bridge: &Bridge, made: &Value, members: &Value) -> Answer {
    let path = format!("{EVENTS}/{}", made["id"].as_str().expect("an id"));
    let answer = bridge.send_json(Method::PATCH, &path, members, &[]).await;
    bridge.run_until_idle().await;
    answer
}

/// What Google has, which is one event.
#[track_caller]
fn copy(bridge: &Bridge) -> Value {
    let events = bridge.google.events(ANA);
    assert_eq!(events.len(), 1, "{events:?}");
    events[0].clone()
}

fn everything() -> Value {
    json!({
        "description": "With milk",
        "location": "The garden",
        "guests": ["gus@example.org", {"email": "opal@example.org", "optional": true}],
        "color": "tomato",
        "visibility": "private",
        "transparency": "transparent",
        "reminders": [{"method": "popup", "minutes": 10}, {"method": "email", "minutes": 40_320}],
        "conference": {"uri": "https://meet.example/room-1", "label": "Room 1"},
        "external_id": "order-7",
    })
}

#[tokio::test]
async fn everything_an_event_says_reaches_google_and_is_shown() {
    let bridge = Bridge::connected().await;
    let made = create(&bridge, &everything()).await;
    let seen = copy(&bridge);
    assert_eq!(seen["location"], "The garden");
    assert_eq!(seen["colorId"], "11");
    assert_eq!(
        (&seen["visibility"], &seen["transparency"]),
        (&json!("private"), &json!("transparent"))
    );
    assert_eq!(
        seen["reminders"],
        json!({"useDefault": false, "overrides": everything()["reminders"]})
    );
    let guests = seen["attendees"].as_array().expect("guests");
    let optional: Vec<_> = guests.iter().map(|guest| guest["optional"].clone()).collect();
    assert_eq!(optional, [Value::Null, json!(true)], "{guests:?}");
    let entry = &seen["conferenceData"]["entryPoints"][0];
    assert_eq!(
        (&entry["uri"], &entry["label"]),
        (&json!("https://meet.example/room-1"), &json!("Room 1"))
    );
    let shown = bridge.event(&made["id"]).await;
    for (name, value) in everything().as_object().expect("members") {
        if name != "guests" {
            assert_eq!(&shown[name], value, "{name}");
        }
    }
    assert_eq!(shown["guests"][1], json!({"email": "opal@example.org", "optional": true}));
    assert_eq!((&shown["state"], &shown["meet"]["state"]), (&json!("confirmed"), &json!("none")));
}

#[tokio::test]
async fn a_fraction_of_a_second_is_shown_as_it_was_typed() {
    let bridge = Bridge::connected().await;
    let typed = json!({"start": "2026-07-30T14:00:00.25", "end": "2026-07-30T14:30:00.000001"});
    let made = create(&bridge, &typed).await;
    let shown = bridge.event(&made["id"]).await;
    let told = |point: &str| json!([shown[point]["instant"], shown[point]["wall"]]);
    assert_eq!(told("start"), json!(["2026-07-30T13:00:00.250Z", "2026-07-30T14:00:00.250"]));
    assert_eq!(told("end"), json!(["2026-07-30T13:30:00.000001Z", "2026-07-30T14:30:00.000001"]));
}

#[tokio::test]
async fn what_is_taken_back_is_gone_at_google_and_what_people_added_stays() {
    let bridge = Bridge::connected().await;
    let made = create(&bridge, &everything()).await;
    let id = bridge.event(&made["id"]).await["google"]["event_id"].clone();
    let by_hand = json!({"guestsCanModify": true, "source": {"title": "Notes", "url": "https://notes.example/"}});
    let Value::Object(by_hand) = by_hand else { unreachable!() };
    assert!(bridge.google.edit_event(ANA, id.as_str().expect("an id"), by_hand));
    let bare = json!({
        "description": null, "location": null, "guests": null, "color": null, "visibility": null,
        "transparency": null, "reminders": null, "conference": null,
    });
    assert_eq!(change(&bridge, &made, &bare).await.status, 202);
    let seen = copy(&bridge);
    for name in
        ["description", "location", "colorId", "visibility", "transparency", "conferenceData"]
    {
        assert!(seen.get(name).is_none(), "{name}: {seen}");
    }
    assert_eq!(seen["reminders"], json!({"useDefault": true}));
    assert_eq!(seen.get("attendees").and_then(Value::as_array).map_or(0, Vec::len), 0);
    assert_eq!(
        (&seen["guestsCanModify"], &seen["source"]["title"]),
        (&json!(true), &json!("Notes"))
    );
}

#[tokio::test]
async fn what_the_caller_never_said_is_other_peoples() {
    let bridge = Bridge::connected().await;
    let made = create(&bridge, &json!({})).await;
    let id = bridge.event(&made["id"]).await["google"]["event_id"].clone();
    let by_hand = json!({
        "location": "Lisbon", "description": "Bring cake", "colorId": "3", "transparency": "transparent",
        "reminders": {"useDefault": false, "overrides": [{"method": "popup", "minutes": 3}]},
    });
    let Value::Object(by_hand) = by_hand else { unreachable!() };
    assert!(bridge.google.edit_event(ANA, id.as_str().expect("an id"), by_hand.clone()));
    for summary in ["Coffee", "Cocoa", "Chocolate"] {
        change(&bridge, &made, &json!({"summary": summary})).await;
        let seen = copy(&bridge);
        assert_eq!(seen["summary"], summary);
        for (name, value) in &by_hand {
            assert_eq!(&seen[name], value, "{name}");
        }
    }
}

#[tokio::test]
async fn whole_days_stay_whole_days_and_may_become_hours_and_days_again() {
    let bridge = Bridge::connected().await;
    let days = json!({
        "summary": "Fair", "start": "2026-12-30", "end": "2027-01-02", "meet": false,
    });
    let answer = bridge.send_json(Method::POST, EVENTS, &days, &[]).await;
    bridge.run_until_idle().await;
    let made = answer.json();
    assert_eq!(
        (&made["start"], &made["end"]),
        (&json!({"date": "2026-12-30"}), &json!({"date": "2027-01-02"}))
    );
    assert_eq!(copy(&bridge)["start"], json!({"date": "2026-12-30"}));
    let hours = json!({"start": "2026-12-30T09:00:00Z", "end": "2026-12-30T10:00:00Z"});
    change(&bridge, &made, &hours).await;
    assert!(copy(&bridge)["start"].get("date").is_none(), "{}", copy(&bridge)["start"]);
    change(&bridge, &made, &json!({"start": "2026-12-31"})).await;
    let seen = copy(&bridge);
    assert_eq!(
        (&seen["start"], &seen["end"]),
        (&json!({"date": "2026-12-31"}), &json!({"date": "2027-01-01"}))
    );
}

#[tokio::test]
async fn a_meet_link_comes_unless_nobody_wants_one() {
    let bridge = Bridge::connected().await;
    let made = create(&bridge, &json!({})).await;
    assert_eq!(bridge.event(&made["id"]).await["meet"]["state"], "ready");
    let none = create(&bridge, &json!({"meet": false})).await;
    assert_eq!(bridge.event(&none["id"]).await["meet"]["state"], "none");
    let settings = "[events]\nmeet = false\n".into();
    let mut bridge = Bridge::with(Choices { settings, ..Choices::default() }).await;
    bridge.key = bridge.key_for(&[Scope::EventsWrite, Scope::TasksWrite]).await;
    bridge.connect(ANA).await.expect("connected");
    let made = create(&bridge, &json!({})).await;
    assert_eq!(bridge.event(&made["id"]).await["meet"]["state"], "none");
    assert!(copy(&bridge).get("conferenceData").is_none());
    for (members, state) in [(json!({}), "none"), (json!({"meet": true}), "ready")] {
        let task = with(json!({"title": "Brew", "due": "2026-11-30T14:00:00Z"}), &members);
        let task = bridge.send_json(Method::POST, "/api/v1/tasks", &task, &[]).await.json();
        bridge.run_until_idle().await;
        assert_eq!(bridge.event(&task["event_id"]).await["meet"]["state"], state, "of a task");
        let call = json!({"title": "Call", "at": "2026-11-30T09:00:00Z", "deliver": ["google"]});
        let call = with(call, &members);
        let call = bridge.send_json(Method::POST, "/api/v1/reminders", &call, &[]).await.json();
        bridge.run_until_idle().await;
        let event = bridge.event(&call["event_id"]).await;
        assert_eq!(event["meet"]["state"], state, "of a reminder");
    }
}

#[tokio::test]
async fn a_meeting_can_be_given_taken_and_replaced() {
    let bridge = Bridge::connected().await;
    let made = create(&bridge, &json!({"meet": false})).await;
    change(&bridge, &made, &json!({"meet": true})).await;
    let first = bridge.event(&made["id"]).await["meet"].clone();
    assert_eq!((&first["state"], &first["link"]), (&json!("ready"), &copy(&bridge)["hangoutLink"]));

    change(&bridge, &made, &json!({"conference": {"uri": "https://meet.example/room-2"}})).await;
    let shown = bridge.event(&made["id"]).await;
    assert_eq!((&shown["meet"]["state"], &shown["meet"]["link"]), (&json!("none"), &Value::Null));
    let seen = copy(&bridge);
    assert_eq!(seen["conferenceData"]["entryPoints"][0]["uri"], "https://meet.example/room-2");

    change(&bridge, &made, &json!({"meet": true})).await;
    let second = bridge.event(&made["id"]).await["meet"].clone();
    assert_eq!(
        (&second["state"], &second["link"]),
        (&json!("ready"), &copy(&bridge)["hangoutLink"])
    );
    assert_ne!(first["link"], second["link"]);

    change(&bridge, &made, &json!({"meet": false})).await;
    assert_eq!(bridge.event(&made["id"]).await["meet"]["state"], "none");
    assert!(copy(&bridge).get("conferenceData").is_none());
    change(&bridge, &made, &json!({"meet": true})).await;
    assert_eq!(bridge.event(&made["id"]).await["meet"]["state"], "ready", "asked for anew");
}

#[tokio::test]
async fn a_link_handed_out_stays_through_every_change() {
    let bridge = Bridge::connected().await;
    let made = create(&bridge, &json!({})).await;
    let link = bridge.event(&made["id"]).await["meet"]["link"].clone();
    for summary in ["Coffee", "Cocoa"] {
        change(&bridge, &made, &json!({"summary": summary})).await;
        assert_eq!(
            (&copy(&bridge)["hangoutLink"], &copy(&bridge)["summary"]),
            (&link, &json!(summary))
        );
    }
}

#[tokio::test]
async fn a_conference_that_google_does_not_take_is_written_where_people_look() {
    let bridge = Bridge::connected().await;
    let refused =
        Fault::new(FaultKind::CalendarForbidden).method("calendar.events.insert").times(1);
    bridge.fault(refused);
    let own = json!({"conference": {"uri": "https://meet.example/room-1"}});
    let made = create(&bridge, &own).await;
    let seen = copy(&bridge);
    assert_eq!(seen["location"], "https://meet.example/room-1");
    assert!(seen.get("conferenceData").is_none(), "{seen}");
    assert_eq!(bridge.event(&made["id"]).await["state"], "confirmed");
    change(&bridge, &made, &json!({"conference": null})).await;
    assert!(copy(&bridge).get("location").is_none(), "it goes as it came");
}

#[tokio::test]
async fn ten_edits_while_google_is_down_are_one_change_to_the_last_of_them() {
    let bridge = Bridge::connected().await;
    let made = create(&bridge, &everything()).await;
    bridge.fault(Fault::new(FaultKind::ServerError).method("calendar.events.get").times(1));
    let path = format!("{EVENTS}/{}", made["id"].as_str().expect("an id"));
    for n in 0..10 {
        let colour = if n % 2 == 0 { json!("sage") } else { Value::Null };
        let edit = json!({"summary": format!("Tea {n}"), "color": colour, "location": null});
        let answer = bridge.router_send(Method::PATCH, &path, &edit).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
    }
    bridge.work().await;
    bridge.pass(TimeDelta::minutes(30));
    bridge.run_until_idle().await;
    let seen = copy(&bridge);
    assert_eq!(seen["summary"], "Tea 9");
    assert!(seen.get("colorId").is_none() && seen.get("location").is_none(), "{seen}");
    assert_eq!(bridge.calls("calendar.events.patch"), 1);
}

#[tokio::test]
async fn what_google_would_refuse_is_refused_before_it_is_asked() {
    let bridge = Bridge::connected().await;
    let six: Vec<Value> = (0..6).map(|n| json!({"method": "popup", "minutes": n})).collect();
    let crowd: Vec<String> = (0..201).map(|n| format!("guest{n}@example.org")).collect();
    for (members, pointer) in [
        (json!({"reminders": six}), "/reminders"),
        (json!({"reminders": [{"method": "popup", "minutes": 40_321}]}), "/reminders/0/minutes"),
        (json!({"reminders": [{"method": "pigeon", "minutes": 1}]}), "/reminders/0/method"),
        (json!({"guests": crowd}), "/guests"),
        (json!({"guests": ["gus@example.org", "nobody"]}), "/guests/1"),
        (json!({"guests": ["gus@example.org", {"email": "GUS@example.org"}]}), "/guests/1/email"),
        (json!({"color": "red"}), "/color"),
        (json!({"visibility": "secret"}), "/visibility"),
        (json!({"transparency": "glass"}), "/transparency"),
        (json!({"conference": {"uri": "javascript:alert(1)"}}), "/conference/uri"),
        (json!({"conference": {"uri": "https://meet.example/1"}, "meet": true}), "/meet"),
        (json!({"external_id": "two words"}), "/external_id"),
        (json!({"category": "fun"}), "/category"),
        (json!({"start": "2026-11-30"}), "/end"),
    ] {
        let answer = bridge.send_json(Method::POST, EVENTS, &tea(&members), &[]).await;
        let told = answer.json();
        let pointers: Vec<_> =
            told["errors"].as_array().expect("errors").iter().map(|e| &e["pointer"]).collect();
        assert_eq!(answer.status, 422, "{members}: {}", answer.text);
        assert!(pointers.contains(&&json!(pointer)), "{members}: {pointers:?}");
    }
    assert_eq!(bridge.tied.app.store.count_jobs().await.expect("a store").live, 0);
}

#[tokio::test]
async fn a_change_names_every_fault_and_changes_nothing() {
    let bridge = Bridge::connected().await;
    let made = create(&bridge, &json!({})).await;
    let faulty = json!({
        "summary": null, "start": null, "color": "red", "meet": null,
        "guests": ["nobody"], "reminders": [{"method": "popup", "minutes": 50_000}],
    });
    let answer = change(&bridge, &made, &faulty).await;
    let told = answer.json();
    let mut pointers: Vec<_> = told["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .map(|error| error["pointer"].as_str().unwrap_or_default())
        .collect();
    pointers.sort_unstable();
    let expected = ["/color", "/guests/0", "/meet", "/reminders/0/minutes", "/start", "/summary"];
    assert_eq!((answer.status, &pointers[..]), (422, &expected[..]), "{}", answer.text);
    assert_eq!(bridge.event(&made["id"]).await["revision"], 1);
    let alone = change(&bridge, &made, &json!({"time_zone": "Europe/Paris"})).await;
    assert_eq!(alone.status, 422, "{}", alone.text);
    let nothing = change(&bridge, &made, &Value::Object(Map::new())).await;
    assert_eq!(nothing.json()["revision"], 1, "{}", nothing.text);
}
