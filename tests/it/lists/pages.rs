//! Every list that has pages, read from page to page while others write: what is there and asked for
//! from the first page to the last is shown once, and nothing is shown twice.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Body;
use calbridge::model::id::InstanceId;
use calbridge::model::key::Scope;
use calbridge::random::{CountingRandom, Random};
use calbridge::store::Store;
use calbridge::store::memory::MemoryStore;
use chrono::TimeDelta;
use hyper::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bridge::{ANA, Bridge, Choices, brew, with};
use crate::postgres::server;

/// Nobody is held up for coming often.
const SETTINGS: &str = "[limits]\nwrites = 1000000\nreads = 1000000";
/// What stays in November is asked for, and what goes beyond it no more.
const NOVEMBER: &str = "from=2026-11-03T00:00:00Z&to=2026-12-01T00:00:00Z";
/// More things than this are not there when reading begins.
const MOST: u64 = 40;

/// A list, and how things come onto it, change on it and leave it.
struct List {
    path: &'static str,
    query: &'static str,
    /// What the `next` of a page is sent as.
    next: &'static str,
    /// Where its things are made.
    things: &'static str,
    /// What a thing is called on the list, of the members that its making is answered with.
    name: &'static str,
    /// A thing to be made: each number is another.
    made: fn(u64) -> Value,
    /// Changes to a thing that is to stay on the list: each number is another.
    changed: fn(u64) -> Value,
    /// Changes after which it is asked for no more.
    away: Option<fn() -> Value>,
    /// Whether what is deleted is still shown.
    keeps_deleted: bool,
}

const LISTS: [List; 6] = [
    List {
        path: "/api/v1/events",
        query: "source=api",
        next: "cursor",
        things: "/api/v1/events",
        name: "id",
        made: event,
        changed: event_at,
        away: None,
        keeps_deleted: true,
    },
    List {
        path: "/api/v1/events",
        query: NOVEMBER,
        next: "cursor",
        things: "/api/v1/events",
        name: "id",
        made: event,
        changed: event_at,
        away: Some(
            || json!({ "start": "2027-01-30T14:00:00", "end": "2027-01-30T15:00:00", "time_zone": "Europe/Lisbon" }),
        ),
        keeps_deleted: true,
    },
    List {
        path: "/api/v1/tasks",
        query: NOVEMBER,
        next: "cursor",
        things: "/api/v1/tasks",
        name: "id",
        made: |n| with(json!({ "title": format!("task {n}") }), &task_at(n)),
        changed: task_at,
        away: Some(|| json!({ "due": "2027-01-30T14:00:00Z" })),
        keeps_deleted: false,
    },
    List {
        path: "/api/v1/reminders",
        query: NOVEMBER,
        next: "cursor",
        things: "/api/v1/reminders",
        name: "id",
        made: |n| with(json!({ "deliver": ["google"] }), &reminder_at(n)),
        changed: reminder_at,
        away: Some(|| json!({ "at": "2027-01-30T14:00:00Z" })),
        keeps_deleted: false,
    },
    List {
        path: "/api/v1/categories",
        query: "",
        next: "cursor",
        things: "/api/v1/categories",
        name: "id",
        made: category,
        changed: category,
        away: None,
        keeps_deleted: false,
    },
    List {
        path: "/api/v1/jobs",
        query: "state=live",
        next: "after",
        things: "/api/v1/events",
        name: "job_id",
        made: event,
        changed: event_at,
        away: None,
        keeps_deleted: true,
    },
];

/// A moment in November that is as likely before as after another.
fn moment(n: u64) -> String {
    format!("2026-11-{:02}T{:02}:00:00", 4 + n * 7 % 25, n * 5 % 22)
}

fn event_at(n: u64) -> Value {
    let end = moment(n).replace(":00:00", ":30:00");
    json!({ "summary": format!("new {n}"), "start": moment(n), "end": end, "time_zone": "UTC" })
}

fn event(n: u64) -> Value {
    with(brew(), &event_at(n))
}

fn task_at(n: u64) -> Value {
    json!({ "due": format!("{}Z", moment(n)), "priority": if n.is_multiple_of(2) { "high" } else { "low" } })
}

fn reminder_at(n: u64) -> Value {
    json!({ "title": format!("reminder {n}"), "at": format!("{}Z", moment(n)) })
}

fn category(n: u64) -> Value {
    json!({ "name": format!("{} of {n}", char::from(b'a' + u8::try_from(n % 26).expect("small"))) })
}

/// A thing on the list.
#[derive(Clone)]
struct Thing {
    path: String,
    name: String,
}

/// What was written so far.
#[derive(Default)]
struct Written {
    /// Everything that was made, whether or not it is there.
    things: Vec<Thing>,
    /// What left, or is about to.
    left: BTreeSet<String>,
    /// How many pages were read.
    pages: usize,
    over: bool,
}

impl Written {
    /// What is there and stays, as far as anybody knows.
    fn there(&self) -> BTreeSet<String> {
        let names = self.things.iter().map(|thing| thing.name.clone());
        names.filter(|name| !self.left.contains(name)).collect()
    }
}

/// A list in one store.
struct Tried<'a> {
    list: &'a List,
    bridge: &'a Bridge,
    written: RefCell<Written>,
}

impl Tried<'_> {
    async fn make(&self, n: u64) {
        let body = (self.list.made)(n);
        let made = self.bridge.router_send(Method::POST, self.list.things, &body).await;
        assert!(matches!(made.status, 201 | 202), "{}", made.text);
        let made = made.json();
        let text = |member: &str| made[member].as_str().expect("an id").to_owned();
        let path = format!("{}/{}", self.list.things, text("id"));
        self.written.borrow_mut().things.push(Thing { path, name: text(self.list.name) });
    }

    /// Writes by chance until the reader is done.
    async fn write(&self, chance: &dyn Random) {
        for n in 0.. {
            if self.written.borrow().over {
                return;
            }
            let which = usize::try_from(chance.below(20)).expect("small");
            let thing = self.written.borrow().things[which].clone();
            match (chance.below(8), self.list.away) {
                (0..=2, _) => self.edit(&thing, &(self.list.changed)(1_000 + n)).await,
                (3, Some(away)) => {
                    self.leaves(&thing);
                    self.edit(&thing, &away()).await;
                }
                (4, _) => {
                    if !self.list.keeps_deleted {
                        self.leaves(&thing);
                    }
                    let gone = self.bridge.router_send(Method::DELETE, &thing.path, &Value::Null);
                    let gone = gone.await;
                    assert!(matches!(gone.status, 200..=204 | 404 | 409), "{}", gone.text);
                }
                (5, _) => self.make(n).await,
                _ => self.bridge.pass(TimeDelta::milliseconds(1)),
            }
            tokio::task::yield_now().await;
        }
    }

    /// The thing is asked for no more, from now or from soon on.
    fn leaves(&self, thing: &Thing) {
        self.written.borrow_mut().left.insert(thing.name.clone());
    }

    async fn edit(&self, thing: &Thing, body: &Value) {
        let edited = self.bridge.router_send(Method::PATCH, &thing.path, body).await;
        assert!(matches!(edited.status, 200 | 202 | 404 | 409), "{}", edited.text);
    }

    /// The names on every page.
    async fn walk(&self, limit: u64) -> Vec<String> {
        let List { path, query, next, .. } = self.list;
        let (mut found, mut cursor) = (Vec::new(), String::new());
        for _ in 0..1000 {
            let page = format!("{path}?{query}&limit={limit}{cursor}");
            let page = self.bridge.request(Method::GET, &page).body(Body::empty());
            let page = self.bridge.router_ask(page.expect("a request")).await;
            assert_eq!(page.status, 200, "{}", page.text);
            let page = page.json();
            for thing in page["data"].as_array().expect("a list") {
                found.push(thing["id"].as_str().expect("an id").to_owned());
            }
            self.written.borrow_mut().pages += 1;
            match page["next"].as_str() {
                Some(place) => cursor = format!("&{next}={place}"),
                None => return found,
            }
            // Whoever writes has a turn, whatever the store.
            tokio::task::yield_now().await;
        }
        panic!("the list has no end");
    }

    async fn read(&self, limit: u64) {
        for _ in 0..3 {
            let before = self.written.borrow().there();
            let found = self.walk(limit).await;
            let once: BTreeSet<_> = found.iter().cloned().collect();
            let list = self.list.path;
            assert_eq!(once.len(), found.len(), "{list}: something is shown twice");
            let written = self.written.borrow();
            let missing: Vec<_> = before.difference(&once).collect();
            let missing: Vec<_> =
                missing.into_iter().filter(|name| !written.left.contains(*name)).collect();
            assert!(missing.is_empty(), "{list}: {missing:?} are left out");
        }
        self.written.borrow_mut().over = true;
    }
}

/// Tries every list in stores that `open` makes, one for each.
async fn every_list(seed: u64, open: impl AsyncFn() -> Arc<dyn Store>) {
    for list in &LISTS {
        let chance: &dyn Random = &CountingRandom::new(seed);
        let choices = Choices {
            store: Some(open().await),
            settings: SETTINGS.to_owned(),
            seed,
            in_memory: true,
            ..Choices::default()
        };
        let mut bridge = Box::pin(Bridge::with(choices)).await;
        bridge.connect(ANA).await.expect("connected");
        bridge.key = bridge.key_for(&[Scope::EventsWrite, Scope::TasksWrite, Scope::Admin]).await;
        let tried = Tried { list, bridge: &bridge, written: RefCell::default() };
        for n in 0..20 + chance.below(MOST - 20) {
            if chance.below(2) == 0 {
                bridge.pass(TimeDelta::milliseconds(1));
            }
            tried.make(n).await;
        }
        let limit = 1 + chance.below(9);
        let other = CountingRandom::new(seed + 1_000);
        tokio::join!(tried.write(chance), tried.write(&other), tried.read(limit));
        let written = tried.written.borrow();
        assert!(written.pages > 6, "{}: {} pages are too few", list.path, written.pages);
    }
}

#[tokio::test]
async fn pages_under_concurrent_writes_have_no_gap_and_no_double_in_memory() {
    for seed in 0..4 {
        every_list(seed, async || {
            let store: Arc<dyn Store> = Arc::new(MemoryStore::new(InstanceId::from_u128(9)));
            store
        })
        .await;
    }
}

#[tokio::test]
async fn pages_under_concurrent_writes_have_no_gap_and_no_double_on_disk() {
    for seed in 0..4 {
        let dir = TempDir::new().expect("a directory");
        let nth = RefCell::new(0);
        every_list(seed, async || {
            *nth.borrow_mut() += 1;
            let place = dir.path().join(nth.borrow().to_string());
            std::fs::create_dir(&place).expect("a directory");
            let store: Arc<dyn Store> = Arc::new(crate::store::open(&place).expect("a store"));
            store
        })
        .await;
    }
}

#[tokio::test]
async fn pages_under_concurrent_writes_have_no_gap_and_no_double_on_postgresql() {
    let server = server::shared().await;
    for seed in 0..2 {
        every_list(seed, async || {
            let store: Arc<dyn Store> =
                Arc::new(Box::pin(server.open(&server.database().await, 1)).await);
            store
        })
        .await;
    }
}
