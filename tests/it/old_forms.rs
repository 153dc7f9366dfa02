//! What was written before events could say all they say is still read.

use calbridge::clock::Clock;
use calbridge::model::event::{Event, Meet, Source};
use calbridge::model::id::{EventId, ItemId, JobId};
use calbridge::model::item::Item;
use calbridge::model::job::{Class, Kind, Line, NewJob};
use calbridge::model::key::Scope;
use calbridge::model::owner::Owner;
use calbridge::store::{Accept, Backlog, Record, Step};
use calbridge::vault::Place;
use chrono::{DateTime, NaiveDateTime, Utc};
use hyper::Method;
use serde::Serialize;
use serde_json::json;

use crate::bridge::{ANA, Bridge, tea};

type MomentForm = (DateTime<Utc>, NaiveDateTime, Option<String>);

/// A content, in the first form.
#[derive(Serialize)]
struct FirstForm {
    calendar: String,
    summary: String,
    description: String,
    start: MomentForm,
    end: MomentForm,
    guests: Vec<String>,
    meet: bool,
    notify: String,
}

/// A record of an event in an export, in the first form.
#[derive(Serialize)]
enum FirstRecord {
    Event(u128, FirstRow, (u32, Vec<u8>)),
}

#[derive(Serialize)]
struct FirstRow {
    owner: Option<String>,
    connection: u128,
    calendar: u64,
    created: (i64, u32),
    job: u128,
    live: (Option<u128>, Option<u128>),
    revision: u32,
    present: bool,
    fingerprint: [u8; 16],
    since: (i64, u32),
    over: (i64, u32),
    google_id: u128,
    generation: u32,
    applied: u32,
    copy: Variant,
    meet: Variant,
    version: u32,
    links: Option<Vec<u8>>,
}

/// The first of several words, which carries nothing.
#[derive(Serialize)]
enum Variant {
    First,
}

fn moment(hour: u32) -> MomentForm {
    let wall = format!("2026-11-30T{hour}:00:00").parse::<NaiveDateTime>().expect("a wall time");
    (wall.and_utc(), wall, Some("Europe/Lisbon".into()))
}

fn first_form() -> Vec<u8> {
    let form = FirstForm {
        calendar: ANA.into(),
        summary: "Old tea".into(),
        description: "With milk".into(),
        start: moment(14),
        end: moment(15),
        guests: vec!["gus@example.org".into()],
        meet: true,
        notify: "none".into(),
    };
    postcard::to_extend(&form, vec![1]).expect("it can be written")
}

#[tokio::test]
async fn a_content_of_the_first_form_is_written_to_google_shown_and_changed() {
    let bridge = Bridge::connected().await;
    let made = bridge.accept(&tea()).await;
    bridge.run_until_idle().await;
    let app = &bridge.tied.app;
    let present: EventId = made["id"].as_str().expect("an id").parse().expect("an id");
    let first = app.store.event(present).await.expect("a store").expect("an event");
    let (id, owner) = (EventId::from_u128(77), Owner::Application);
    let place = Place {
        kind: "event",
        owner: &owner.to_bytes(),
        record: &id.as_u128().to_be_bytes(),
        field: "content",
        version: 1,
    };
    let mut old = Event { id, job: JobId::from_u128(99), ..first.clone() };
    old.wanted.content = app.vault.seal(&place, &first_form()).expect("sealed");
    old.known = calbridge::store::contract::examples::known(0);
    let line = Line { class: Class::Interactive, owner, lane: old.lane() };
    let kind = Kind::PushEvent { event: id };
    let now = old.created;
    let job = NewJob { id: old.job, kind, line, created: now, due: now, payload: None };
    let backlog = Backlog { all: 10, owner: 10 };
    let accept = Accept { event: old, job, request: None };
    app.store.accept(vec![accept], backlog, now).await.expect("taken in");
    bridge.run_until_idle().await;
    let shown = bridge.event(&json!(id.to_string())).await;
    assert_eq!((&shown["summary"], &shown["state"]), (&json!("Old tea"), &json!("confirmed")));
    assert_eq!(shown["start"]["wall"], "2026-11-30T14:00:00");
    assert_eq!(shown["guests"], json!([{"email": "gus@example.org", "optional": false}]));
    assert_eq!((&shown["location"], &shown["visibility"]), (&json!(""), &json!("default")));
    assert_eq!(shown["meet"]["state"], "ready");
    let path = format!("/api/v1/events/{id}");
    let edit = json!({"location": "The garden", "description": null});
    assert_eq!(bridge.send_json(Method::PATCH, &path, &edit, &[]).await.status, 202);
    bridge.run_until_idle().await;
    let seen = bridge.google.events(ANA);
    let seen = seen.iter().find(|event| event["summary"] == "Old tea").expect("it is there");
    assert_eq!((&seen["location"], seen.get("description")), (&json!("The garden"), None));
}

#[test]
fn an_event_of_an_old_export_begins_some_time_between_its_making_and_its_end() {
    let row = FirstRow {
        owner: Some("u-ana".into()),
        connection: 1,
        calendar: 7,
        created: (1_000, 0),
        job: 3,
        live: (None, None),
        revision: 2,
        present: true,
        fingerprint: [4; 16],
        since: (1_500, 0),
        over: (9_000, 5),
        google_id: 5,
        generation: 0,
        applied: 2,
        copy: Variant::First,
        meet: Variant::First,
        version: 1,
        links: None,
    };
    let record = FirstRecord::Event(77, row, (2, vec![1, 2, 3]));
    let bytes = postcard::to_extend(&record, vec![1]).expect("it can be written");
    let Record::Event(event, _) = Record::decode(&bytes).expect("it is read") else {
        panic!("not an event")
    };
    assert_eq!((event.id, event.wanted.revision), (EventId::from_u128(77), 2));
    assert_eq!((event.source, event.instance, event.wanted.category), (Source::Api, None, None));
    assert_eq!(event.wanted.starts, event.created);
    assert_eq!((event.wanted.over.timestamp(), &event.known.meet), (9_000, &Meet::Unwanted));
    assert_eq!(event.wanted.content.as_bytes(), [1, 2, 3]);
}

/// What a task says, in the first form.
#[derive(Serialize)]
struct FirstTask {
    title: String,
    notes: String,
    dates: Option<()>,
    priority: String,
    calendar: Option<String>,
    meet: Option<bool>,
    completion: Option<String>,
    completed: Option<DateTime<Utc>>,
    events: u32,
}

#[tokio::test]
async fn a_task_of_the_first_form_is_shown_and_changed() {
    let mut bridge = Bridge::connected().await;
    bridge.key = bridge.key_for(&[Scope::TasksWrite]).await;
    let path = "/api/v1/tasks";
    let made = bridge.send_json(Method::POST, path, &json!({ "title": "Think" }), &[]).await.json();
    let app = &bridge.tied.app;
    let id: ItemId = made["id"].as_str().expect("an id").parse().expect("an id");
    let item = app.store.item(id).await.expect("a store").expect("a task");
    let place = Place {
        kind: "item",
        owner: &item.owner.to_bytes(),
        record: &id.as_u128().to_be_bytes(),
        field: "body",
        version: 2,
    };
    let form = FirstTask {
        title: "Old thoughts".into(),
        notes: String::new(),
        dates: None,
        priority: "high".into(),
        calendar: None,
        meet: Some(false),
        completion: Some("remove".into()),
        completed: None,
        events: 3,
    };
    let plain = postcard::to_extend(&form, vec![1]).expect("it can be written");
    let sealed = Some(app.vault.seal(&place, &plain).expect("sealed"));
    let step = Step { items: vec![Item { version: 2, sealed, ..item }], ..Step::default() };
    let backlog = Backlog { all: 10, owner: 10 };
    app.store.keep(vec![step], backlog, bridge.clock.now()).await.expect("kept");
    let path = format!("{path}/{id}");
    let shown = bridge.get(&path).await.json();
    assert_eq!((&shown["title"], &shown["priority"]), (&json!("Old thoughts"), &json!("high")));
    assert_eq!((&shown["completion"], &shown["recurrence"]), (&json!("remove"), &json!([])));
    let changed = bridge.send_json(Method::PATCH, &path, &json!({ "priority": "low" }), &[]).await;
    assert_eq!((changed.status, &changed.json()["title"]), (200, &json!("Old thoughts")));
    assert_eq!(bridge.get(&path).await.json()["priority"], "low");
}
