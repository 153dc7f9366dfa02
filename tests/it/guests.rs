//! Promise 9: guests whom we invited and want no more go; those whom a person added stay, and so does
//! what anybody answered; nobody gets mail who was not meant to.

use std::sync::Arc;

use calbridge::model::id::InstanceId;
use calbridge::model::key::Scope;
use calbridge::simulator::{Fault, FaultKind};
use calbridge::store::memory::MemoryStore;
use chrono::TimeDelta;
use hyper::Method;
use serde_json::{Map, Value, json};

use crate::accounts::link;
use crate::bridge::{ANA, Bridge, Choices, with};
use crate::effect::mortal::{Death, MortalStore};

const EVENTS: &str = "/api/v1/events";
const GUS: &str = "gus@example.org";
const BEA: &str = "bea@example.org";
const ZOE: &str = "zoe@example.org";

fn tea(members: &Value) -> Value {
    let body = json!({
        "summary": "Tea",
        "start": "2026-11-30T14:00:00Z",
        "end": "2026-11-30T15:00:00Z",
        "meet": false,
    });
    with(body, members)
}

async fn create(bridge: &Bridge, members: &Value) -> String {
    let answer = bridge.send_json(Method::POST, EVENTS, &tea(members), &[]).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    bridge.run_until_idle().await;
    format!("{EVENTS}/{}", answer.json()["id"].as_str().expect("an id"))
}

async fn change(bridge: &Bridge, path: &str, members: &Value) {
    let answer = bridge.send_json(Method::PATCH, path, members, &[]).await;
    assert!(matches!(answer.status, 200 | 202), "{}", answer.text);
    bridge.run_until_idle().await;
}

/// The guests at Google, each with the answer given.
fn guests(bridge: &Bridge) -> Vec<(String, String)> {
    guests_of(&bridge.google.events(ANA)[0])
}

fn guests_of(event: &Value) -> Vec<(String, String)> {
    let text = |guest: &Value, name: &str| guest[name].as_str().unwrap_or_default().to_owned();
    let guests = event["attendees"].as_array().cloned().unwrap_or_default();
    guests.iter().map(|guest| (text(guest, "email"), text(guest, "responseStatus"))).collect()
}

fn told(guests: &[(&str, &str)]) -> Vec<(String, String)> {
    guests.iter().map(|(email, answer)| ((*email).to_owned(), (*answer).to_owned())).collect()
}

/// A person changes the guests on Google's own page.
fn by_hand(bridge: &Bridge, change: impl Fn(&mut Vec<Value>)) {
    let event = &bridge.google.events(ANA)[0];
    let mut attendees = event["attendees"].as_array().cloned().unwrap_or_default();
    change(&mut attendees);
    let members = Map::from_iter([("attendees".to_owned(), attendees.into())]);
    assert!(bridge.google.edit_event(ANA, event["id"].as_str().expect("an id"), members));
}

fn answer(attendees: &mut [Value], email: &str, answer: &str) {
    let guest = attendees.iter_mut().find(|guest| guest["email"] == email).expect("a guest");
    guest["responseStatus"] = answer.into();
    guest["comment"] = "With pleasure".into();
}

#[tokio::test]
async fn promise_9_who_accepted_and_whom_a_person_added_survive_every_later_patch() {
    let bridge = Bridge::connected().await;
    let path = create(&bridge, &json!({"guests": [GUS, BEA]})).await;
    by_hand(&bridge, |attendees| {
        answer(attendees, GUS, "accepted");
        attendees.push(json!({"email": ZOE, "responseStatus": "tentative"}));
    });
    let all = told(&[(GUS, "accepted"), (BEA, "needsAction"), (ZOE, "tentative")]);
    for edit in [
        json!({"summary": "Coffee"}),
        json!({"start": "2026-12-01T14:00:00Z", "end": "2026-12-01T15:00:00Z"}),
        json!({"location": "The garden"}),
        json!({"location": null, "color": "sage"}),
        json!({"meet": true}),
        json!({"guests": [BEA, {"email": "GUS@example.org"}]}),
        json!({"start": "2026-12-01", "end": "2026-12-02"}),
        json!({"guests": [{"email": GUS, "optional": true}, BEA]}),
        json!({"guests": [GUS, BEA], "notify": "all"}),
        json!({"recurrence": null, "reminders": [], "notify": "none"}),
    ] {
        change(&bridge, &path, &edit).await;
        assert_eq!(guests(&bridge), all, "{edit}");
    }
    let gus = &bridge.google.events(ANA)[0]["attendees"][0];
    assert_eq!(gus["comment"], "With pleasure", "all that was answered stays: {gus}");
    change(&bridge, &path, &json!({"guests": [GUS]})).await;
    assert_eq!(guests(&bridge), told(&[(GUS, "accepted"), (ZOE, "tentative")]));
    change(&bridge, &path, &json!({"guests": []})).await;
    assert_eq!(guests(&bridge), told(&[(ZOE, "tentative")]));
}

#[tokio::test]
async fn promise_9_who_accepted_and_whom_a_person_added_survive_an_upsert_and_the_loss_of_the_store()
 {
    let bridge = Bridge::connected().await;
    let named =
        |members: &Value| with(json!({"guests": [GUS, BEA], "external_id": "order/7"}), members);
    create(&bridge, &named(&json!({}))).await;
    by_hand(&bridge, |attendees| {
        answer(attendees, GUS, "accepted");
        attendees.push(json!({"email": ZOE, "responseStatus": "tentative"}));
    });
    let all = told(&[(GUS, "accepted"), (BEA, "needsAction"), (ZOE, "tentative")]);
    create(&bridge, &named(&json!({"summary": "Coffee"}))).await;
    assert_eq!((guests(&bridge), bridge.titles(ANA)), (all.clone(), vec!["Coffee".to_owned()]));

    let google = Some((bridge.google.clone(), bridge.clock.clone()));
    let place = Some(bridge.place.clone());
    let second = Bridge::with(Choices { google, place, seed: 77, ..Choices::default() }).await;
    second.connect(ANA).await.expect("connected again");
    let patches = second.calls("calendar.events.patch");
    let path = create(&second, &named(&json!({"summary": "Cocoa"}))).await;
    assert_eq!((guests(&second), second.titles(ANA)), (all, vec!["Cocoa".to_owned()]));
    assert_eq!(second.calls("calendar.events.patch"), patches + 1, "the first after the loss");
    let gus = &second.google.events(ANA)[0]["attendees"][0];
    assert_eq!(gus["comment"], "With pleasure", "all that was answered stays: {gus}");
    change(&second, &path, &json!({"guests": [GUS]})).await;
    assert_eq!(guests(&second), told(&[(GUS, "accepted"), (ZOE, "tentative")]));
    assert_eq!(second.google.outbox().len(), 0, "{:?}", second.google.outbox());
}

#[tokio::test]
async fn promise_9_whom_a_person_invites_again_after_we_let_them_go_stays() {
    let bridge = Bridge::connected().await;
    let path = create(&bridge, &json!({"guests": [GUS, BEA]})).await;
    change(&bridge, &path, &json!({"guests": [GUS]})).await;
    by_hand(&bridge, |attendees| {
        attendees.push(json!({"email": BEA, "responseStatus": "accepted"}));
    });
    for summary in ["Coffee", "Cocoa"] {
        change(&bridge, &path, &json!({"summary": summary})).await;
        assert_eq!(guests(&bridge), told(&[(GUS, "needsAction"), (BEA, "accepted")]), "{summary}");
    }
}

#[tokio::test]
async fn promise_9_who_went_while_google_was_down_goes_though_later_edits_say_nothing_of_it() {
    let bridge = Bridge::connected().await;
    let path = create(&bridge, &json!({"guests": [GUS, BEA]})).await;
    by_hand(&bridge, |attendees| {
        attendees.push(json!({"email": ZOE, "responseStatus": "accepted"}));
    });
    bridge.fault(Fault::new(FaultKind::ServerError).method("calendar.events.get").times(1));
    for edit in [
        json!({"guests": [GUS]}),
        json!({"guests": [GUS, "eve@example.org"]}),
        json!({"guests": [GUS]}),
        json!({"summary": "Coffee"}),
    ] {
        assert_eq!(bridge.router_send(Method::PATCH, &path, &edit).await.status, 202);
        bridge.work().await;
    }
    bridge.pass(TimeDelta::minutes(30));
    bridge.run_until_idle().await;
    assert_eq!(guests(&bridge), told(&[(GUS, "needsAction"), (ZOE, "accepted")]));
}

#[tokio::test]
async fn promise_9_a_guest_whose_invitation_was_written_but_never_heard_of_can_still_be_let_go() {
    let store = MortalStore::over(Arc::new(MemoryStore::new(InstanceId::from_u128(1))));
    let dead = Bridge::with(Choices { store: Some(store.clone()), ..Choices::default() }).await;
    dead.connect(ANA).await.expect("connected");
    let path = create(&dead, &json!({"guests": [GUS]})).await;
    dead.router_send(Method::PATCH, &path, &json!({"guests": [GUS, BEA]})).await;
    store.around.doom(Death::Before("settle"));
    while dead.tied.worker.drain().await.is_ok_and(|next| next.is_none()) {}
    assert_eq!(guests(&dead).len(), 2, "Google has it");
    let google = Some((dead.google.clone(), dead.clock.clone()));
    let (store, place) = (Some(store.left_behind()), Some(dead.place.clone()));
    let bridge =
        Bridge::with(Choices { store, google, place, seed: 2, ..Choices::default() }).await;
    change(&bridge, &path, &json!({"guests": [GUS]})).await;
    assert_eq!(guests(&bridge), told(&[(GUS, "needsAction")]));
}

#[tokio::test]
async fn promise_9_nobody_gets_mail_unless_it_is_asked_for() {
    let bridge = Bridge::connected().await;
    let path = create(&bridge, &json!({"guests": [GUS]})).await;
    for edit in [json!({"summary": "Coffee"}), json!({"guests": [GUS, BEA]}), json!({"guests": []})]
    {
        change(&bridge, &path, &edit).await;
    }
    assert_eq!(bridge.google.outbox().len(), 0, "{:?}", bridge.google.outbox());
    change(&bridge, &path, &json!({"guests": [GUS], "notify": "all"})).await;
    assert!(bridge.google.outbox().iter().any(|mail| format!("{mail:?}").contains(GUS)));
}

/// A bridge whose users Ana and Ben have accounts, and the category of a caller who has mail sent
/// about everything.
async fn loud() -> (Bridge, Value) {
    let mut bridge = Bridge::start().await;
    bridge.key = bridge.key_for(&[Scope::EventsWrite, Scope::TasksWrite]).await;
    link(&bridge, "u-ben", "ben@example.com").await;
    link(&bridge, "u-ana", ANA).await;
    let category = json!({"name": "Loud", "notify": "all"});
    let category = send(&bridge, Method::POST, "/api/v1/categories", &category).await;
    (bridge, category["id"].clone())
}

/// Sends it, and lets Google have whatever comes of it.
async fn send(bridge: &Bridge, method: Method, path: &str, body: &Value) -> Value {
    let sent = bridge.send_json(method.clone(), path, body, &[]).await;
    assert!((200..300).contains(&sent.status), "{method} {path} {body}: {}", sent.text);
    // So many calls in one moment use up what may be called at once.
    bridge.pass(TimeDelta::minutes(1));
    bridge.work().await;
    if sent.text.is_empty() { Value::Null } else { sent.json() }
}

fn invite_zoe(bridge: &Bridge) {
    by_hand(bridge, |attendees| {
        attendees.push(json!({"email": ZOE, "responseStatus": "accepted"}));
    });
}

/// Does all of it, one after the other: Zoe stays, and nobody hears of it.
async fn zoe_is_left_in_peace(bridge: &Bridge, path: &str, deeds: &[(Method, &str, Value)]) {
    for (method, word, body) in deeds {
        send(bridge, method.clone(), &format!("{path}{word}"), body).await;
        assert_eq!(guests(bridge), told(&[(ZOE, "accepted")]), "{method} {word} {body}");
        assert_eq!(bridge.google.outbox().len(), 0, "{method} {word} {body}");
    }
}

#[tokio::test]
async fn promise_9_a_guest_whom_a_person_added_to_a_tasks_event_stays_and_gets_no_mail() {
    let (bridge, category) = loud().await;
    let task = json!({
        "title": "Paint", "due": "2026-11-30T14:00:00Z", "user": "u-ana", "category": category,
    });
    let task = send(&bridge, Method::POST, "/api/v1/tasks", &task).await;
    let path = format!("/api/v1/tasks/{}", task["id"].as_str().expect("an id"));
    invite_zoe(&bridge);
    let deeds = [
        (Method::PATCH, "", json!({"title": "Paint more"})),
        (Method::PATCH, "", json!({"notes": "With a *brush*"})),
        (Method::PATCH, "", json!({"due": "2026-12-01T14:00:00Z"})),
        (Method::POST, "/complete", Value::Null),
        (Method::POST, "/reopen", Value::Null),
        (Method::PATCH, "", json!({"due": "2026-12-02"})),
    ];
    zoe_is_left_in_peace(&bridge, &path, &deeds).await;
    send(&bridge, Method::PATCH, &path, &json!({"assignee": "u-ben"})).await;
    assert_eq!((bridge.titles(ANA).len(), bridge.google.outbox().len()), (0, 0), "it moved");
    send(&bridge, Method::PATCH, &path, &json!({"assignee": null})).await;
    invite_zoe(&bridge);
    send(&bridge, Method::DELETE, &path, &Value::Null).await;
    assert_eq!((bridge.titles(ANA).len(), bridge.google.outbox().len()), (0, 0), "it went");
}

/// A task for nine weeks whose series Zoe was invited to by a person. Returns its path.
async fn choir_with_zoe(bridge: &Bridge, category: &Value) -> String {
    let task = json!({
        "title": "Choir", "due": "2026-11-05T14:00:00", "time_zone": "Europe/Lisbon",
        "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=9"], "user": "u-ana", "category": category,
    });
    let task = send(bridge, Method::POST, "/api/v1/tasks", &task).await;
    let path = format!("/api/v1/tasks/{}", task["id"].as_str().expect("an id"));
    invite_zoe(bridge);
    path
}

#[tokio::test]
async fn promise_9_a_guest_whom_a_person_added_to_a_tasks_series_stays_and_gets_no_mail() {
    let (bridge, category) = loud().await;
    let path = choir_with_zoe(&bridge, &category).await;
    let deeds = [
        (Method::PATCH, "", json!({"title": "Late choir"})),
        (Method::POST, "/complete", Value::Null),
        (Method::POST, "/reopen", Value::Null),
        (Method::POST, "/complete", Value::Null),
        (Method::PATCH, "", json!({"completion": "remove"})),
        (Method::POST, "/complete", Value::Null),
        // The series ends here, and another goes on.
        (Method::PATCH, "", json!({"due": "2026-11-20T18:00:00", "time_zone": "Europe/Lisbon"})),
    ];
    zoe_is_left_in_peace(&bridge, &path, &deeds).await;
    send(&bridge, Method::DELETE, &path, &Value::Null).await;
    assert_eq!(bridge.google.outbox().len(), 0);
}

/// The guests of each event at Google, those that begin first first; of a series, those of all of it.
fn all_guests(bridge: &Bridge) -> Vec<Vec<(String, String)>> {
    let mut events = bridge.google.events(ANA);
    events.retain(|event| event["recurringEventId"].is_null());
    events.sort_by_key(|event| event["start"].to_string());
    events.iter().map(guests_of).collect()
}

#[tokio::test]
async fn promise_9_a_guest_whom_a_person_added_to_a_tasks_series_is_a_guest_of_what_follows_it() {
    let (bridge, category) = loud().await;
    let path = choir_with_zoe(&bridge, &category).await;
    let zoe = told(&[(ZOE, "accepted")]);
    for (due, series) in [("2026-11-12T18:00:00", 2), ("2026-11-19T19:00:00", 3)] {
        send(&bridge, Method::POST, &format!("{path}/complete"), &Value::Null).await;
        bridge.fault(Fault::new(FaultKind::LostAnswer).method("calendar.events.insert").times(1));
        let moved = json!({"due": due, "time_zone": "Europe/Lisbon"});
        send(&bridge, Method::PATCH, &path, &moved).await;
        bridge.run_until_idle().await;
        assert_eq!(all_guests(&bridge), vec![zoe.clone(); series], "{due}");
        send(&bridge, Method::PATCH, &path, &json!({"title": due})).await;
        assert_eq!(all_guests(&bridge), vec![zoe.clone(); series], "{due}");
    }
    assert_eq!(bridge.google.outbox().len(), 0, "{:?}", bridge.google.outbox());
}

#[tokio::test]
async fn promise_9_guests_of_a_series_go_on_with_what_follows_it_but_for_those_who_are_let_go() {
    let bridge = Bridge::connected().await;
    let lines = json!({
        "guests": [GUS, BEA], "time_zone": "Europe/Lisbon", "recurrence": ["RRULE:FREQ=DAILY;COUNT=9"],
    });
    let path = create(&bridge, &lines).await;
    by_hand(&bridge, |attendees| {
        answer(attendees, GUS, "accepted");
        attendees.push(json!({"email": ZOE, "responseStatus": "tentative", "optional": true}));
    });
    // Google is not there while the series is cut, and what follows is cut again.
    bridge.fault(Fault::new(FaultKind::ServerError).method("calendar.events.get").times(2));
    let first = format!("{path}?instance=2026-12-03T14:00:00Z&range=following");
    let first = bridge.router_send(Method::PATCH, &first, &json!({"guests": [GUS]})).await;
    assert_eq!(first.status, 202, "{}", first.text);
    bridge.work().await;
    let second = format!(
        "{EVENTS}/{}?instance=2026-12-06T14:00:00Z&range=following",
        first.json()["id"].as_str().expect("an id")
    );
    let eve = json!({"guests": [GUS, "eve@example.org"]});
    let second = bridge.router_send(Method::PATCH, &second, &eve).await;
    assert_eq!(second.status, 202, "{}", second.text);
    bridge.pass(TimeDelta::minutes(30));
    bridge.run_until_idle().await;
    let zoe = (ZOE, "tentative");
    let expected = [
        told(&[(GUS, "accepted"), (BEA, "needsAction"), zoe]),
        told(&[(GUS, "accepted"), zoe]),
        told(&[(GUS, "accepted"), zoe, ("eve@example.org", "needsAction")]),
    ];
    assert_eq!(all_guests(&bridge), expected);
    let last = bridge
        .google
        .events(ANA)
        .into_iter()
        .find(|event| guests_of(event).len() == 3 && event.to_string().contains("eve@"));
    let attendees = &last.expect("the last series")["attendees"];
    assert_eq!(
        (&attendees[0]["comment"], &attendees[1]["optional"]),
        (&json!("With pleasure"), &json!(true))
    );
    assert_eq!(bridge.google.outbox().len(), 0, "{:?}", bridge.google.outbox());
}

#[tokio::test]
async fn promise_9_a_guest_whom_a_person_added_to_a_reminders_entry_stays_and_gets_no_mail() {
    let (bridge, category) = loud().await;
    for recurrence in [Value::Null, json!(["RRULE:FREQ=DAILY;COUNT=9"])] {
        let reminder = json!({
            "title": "Call", "at": "2026-11-05T10:00:00", "time_zone": "Europe/Lisbon",
            "recurrence": recurrence, "deliver": ["google"], "user": "u-ana", "category": category,
        });
        let reminder = send(&bridge, Method::POST, "/api/v1/reminders", &reminder).await;
        let path = format!("/api/v1/reminders/{}", reminder["id"].as_str().expect("an id"));
        invite_zoe(&bridge);
        let later = json!({"at": "2026-11-05T16:00:00", "time_zone": "Europe/Lisbon"});
        let mut deeds = vec![
            (Method::PATCH, "", json!({"title": "Call again"})),
            (Method::PATCH, "", json!({"text": "It is urgent"})),
            (Method::PATCH, "", later),
        ];
        if recurrence.is_null() {
            deeds.push((Method::POST, "/snooze", json!({"until": "2026-11-06T10:00:00Z"})));
        }
        zoe_is_left_in_peace(&bridge, &path, &deeds).await;
        send(&bridge, Method::POST, &format!("{path}/dismiss"), &Value::Null).await;
        send(&bridge, Method::DELETE, &path, &Value::Null).await;
        assert_eq!((bridge.titles(ANA).len(), bridge.google.outbox().len()), (0, 0), "it went");
    }
}
