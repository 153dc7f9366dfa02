//! A rewrap of a hundred thousand records, under requests, killed again and again on the way.

use std::io::{BufRead, BufReader};
use std::sync::Arc;

use calbridge::app::{App, connections};
use calbridge::clock::SystemClock;
use calbridge::config::Config;
use calbridge::daemon::{Bridge, Parts};
use calbridge::google::Wires;
use calbridge::model::event::{
    Content, Copied, Event, Guest, Known, Meet, Meeting, Placement, Presence, Source, Wanted,
};
use calbridge::model::history::By;
use calbridge::model::id::{EventId, GoogleId, InstanceId, JobId};
use calbridge::model::owner::{Owner, UserId};
use calbridge::model::timing::Timing;
use calbridge::model::when::{Dst, Moment, Span};
use calbridge::random::OsRandom;
use calbridge::simulator::{Quota, Settings};
use calbridge::store::sled::{Options, SledStore};
use calbridge::store::{Backup, EventStore, History, Record, Spot};
use calbridge::vault::key_of;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::bridge::{ANA, tea, with};
use crate::process::{Browser, Home, Process, Simulated};

/// Events that were there before; of each tenth the links too.
const EVENTS: u128 = 100_000;
const AT_ONCE: usize = 2_000;
const CLIENTS: usize = 2;
const NOON: DateTime<Utc> = DateTime::from_timestamp(1_800_014_400, 0).unwrap();

/// The store of a process that does not run, with the vault over it.
async fn opened(home: &Home) -> (Arc<SledStore>, Bridge) {
    let options = Options { min_free: 0, ..Options::default() };
    let name = InstanceId::from_u128(1);
    let store = Arc::new(SledStore::open(&home.data_dir(), name, NOON, &options).unwrap());
    let text = std::fs::read_to_string(home.settings_file()).unwrap();
    let config = Config::from_toml(&text).unwrap().config;
    let (clock, random) = (Arc::new(SystemClock), Arc::new(OsRandom));
    let parts = Parts { store: store.clone(), clock, random, wires: Wires::Network };
    let bridge = Bridge::tie(&config, parts).await.unwrap();
    (store, bridge)
}

fn close(store: Arc<SledStore>, bridge: Bridge) {
    drop(bridge);
    Arc::into_inner(store).expect("nobody else has it").close().unwrap();
}

/// Keeps so many events that were written to Google long ago.
async fn load(home: &Home) {
    let (store, bridge) = opened(home).await;
    let app = &bridge.app;
    let linked = connections::of_server(app).await.unwrap().unwrap();
    let owner = Owner::User(UserId::try_from("bea".to_owned()).unwrap());
    let moment = |text| Moment::read("start", text, None, Dst::default()).unwrap();
    let (start, end) = (moment("2027-01-15T14:00:00Z"), moment("2027-01-15T15:00:00Z"));
    let span = Span::new(start, end).unwrap();
    let mut records = Vec::new();
    for n in 1..=EVENTS {
        let content = Content {
            description: "With milk, and long ago".into(),
            guests: vec![Guest::new("guest@example.com")],
            meeting: Meeting::Meet,
            ..Content::new("primary", format!("Old {n}"), Timing::Span(span))
        };
        let id = EventId::derived(&[&n.to_be_bytes()]);
        let mut event = Event {
            id,
            owner: owner.clone(),
            placement: Placement { connection: linked.id, calendar: 7 },
            created: NOON,
            source: Source::Api,
            instance: None,
            job: JobId::from_u128(n),
            wanted: Wanted {
                revision: 1,
                presence: Presence::Present,
                fingerprint: [0; 16],
                content: app.seal_content(&owner, id, 1, &content).unwrap(),
                since: NOON,
                by: By::Bridge,
                starts: NOON,
                over: NOON,
                category: None,
            },
            known: Known {
                google_id: GoogleId::from_u128(n),
                generation: 0,
                applied: 1,
                copy: Copied::Present,
                meet: Meet::Ready,
                version: 1,
                links: None,
            },
        };
        if n % 10 == 0 {
            let links = calbridge::app::Links { event: None, meet: Some(format!("meet {n}")) };
            event.known.links = Some(app.seal_links(&event, 1, &links).unwrap());
        }
        records.push(Record::Event(event, History::default()));
        if records.len() == AT_ONCE {
            store.restore(std::mem::take(&mut records)).await.unwrap();
        }
    }
    store.restore(records).await.unwrap();
    close(store, bridge);
}

/// Sends events until it is over, each until it is acknowledged. Returns their ids.
async fn send_events(
    base: String,
    key: String,
    client: usize,
    mut course: watch::Receiver<Course>,
) -> Vec<EventId> {
    let browser = Browser::default();
    let mut acknowledged = Vec::new();
    for n in 0.. {
        let name = format!("{client}-{n}");
        let body = with(tea(), &json!({ "summary": format!("New {name}") }));
        let headers = [("idempotency-key", &*name), ("prefer", "wait=10")];
        let answer = loop {
            let up = course.wait_for(|course| *course != Course::Down).await;
            if *up.unwrap() == Course::Over {
                return acknowledged;
            }
            if let Ok(answer) = browser.create(&base, &key, &body, &headers).await {
                break answer;
            }
            tokio::task::yield_now().await;
        };
        assert!(matches!(answer.status, 200 | 202), "{}", answer.text);
        acknowledged.push(answer.json()["id"].as_str().unwrap().parse().unwrap());
    }
    unreachable!("numbers do not end")
}

/// Whether the process is to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    Up,
    Down,
    Over,
}

/// Begins a rewrap and kills the process once the rewrap says that it has come some way. Returns how
/// many records it had before it.
async fn kill_on_the_way(process: &mut Process) -> u64 {
    let mut child = process.home.command(&["vault", "rewrap"]).spawn().unwrap();
    let told = BufReader::new(child.stderr.take().unwrap());
    let (say, said) = tokio::sync::oneshot::channel();
    let reading = tokio::task::spawn_blocking(move || {
        let mut lines = told.lines().map(|line| line.unwrap());
        let first = lines.next();
        say.send(first.clone()).unwrap();
        first.into_iter().chain(lines).collect::<Vec<String>>()
    });
    let first = said.await.unwrap();
    process.kill().await;
    let status = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
    let lines = reading.await.unwrap();
    assert_eq!(status.code(), Some(69), "{lines:?}");
    let (_, of) = first.as_deref().and_then(|line| line.split_once(" of ")).expect("progress");
    of.trim_end_matches(" records").parse().unwrap()
}

/// Rewraps to the end, however long that takes, and returns what the verb says of it.
async fn to_the_end(home: &Home) -> Value {
    let mut verb = home.command(&["vault", "rewrap", "--json"]);
    let output = tokio::task::spawn_blocking(move || verb.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// How many records open with the active key, of those that there are.
async fn open_all(app: &App) -> (usize, usize) {
    let active = app.vault.ring().active_name();
    let (mut opened, mut all, mut after) = (0, 0, None);
    loop {
        let page = app.store.envelopes(after, AT_ONCE).await.unwrap();
        let Some(last) = page.last() else { return (opened, all) };
        after = Some(last.spot);
        all += page.len();
        for envelope in page {
            let opens = match envelope.spot {
                Spot::Content(id) => {
                    app.content(&app.store.event(id).await.unwrap().unwrap()).is_ok()
                }
                Spot::Links(id) => app.links(&app.store.event(id).await.unwrap().unwrap()).is_ok(),
                Spot::Profile(id) | Spot::Token(id) => {
                    let linked = app.store.connection(id).await.unwrap().unwrap();
                    let token = linked.token.as_ref().unwrap();
                    app.profile(&linked).is_ok()
                        && app.open_token(&linked.owner, id, linked.version, token).is_ok()
                }
                Spot::Ticket(..) | Spot::Payload(_) | Spot::Detail(_) | Spot::Item(_) => true,
            };
            opened += usize::from(opens && key_of(&envelope.sealed) == Some(active));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rewrap_that_is_killed_on_the_way_loses_nothing_and_leaves_nothing_on_the_old_key() {
    let quota = Quota::unlimited();
    let google = Simulated::with(Settings { quota, ..Settings::default() }, "127.0.0.1");
    let mut process = Process::start(&google, "classic.requests = 1000000").await;
    process.connect(ANA).await;
    let key = process.new_key().await;
    process.stop().await;
    load(&process.home).await;
    process.restart().await;
    process.home.told(&["vault", "rotate"]).await;

    let (course, seen) = watch::channel(Course::Up);
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (base, key) = (process.home.base.clone(), key.clone());
        clients.spawn(send_events(base, key, client, seen.clone()));
    }
    drop(seen);
    let mut left = Vec::new();
    for _ in 0..kills() {
        left.push(kill_on_the_way(&mut process).await);
        course.send_replace(Course::Down);
        process.restart().await;
        course.send_replace(Course::Up);
    }
    assert!(left[0] > 110_000, "{left:?}");
    assert!(left.is_sorted_by(|before, after| before > after), "each came some way: {left:?}");
    let done = to_the_end(&process.home).await;
    course.send_replace(Course::Over);
    let acknowledged = clients.join_all().await.concat();
    assert_eq!((&done["old"], &done["unreadable"]), (&json!(0), &json!([])));
    assert!(done["resealed"].as_u64().unwrap() > 0, "the last kill came before the end");
    let retired = process.home.told(&["vault", "retire"]).await;
    assert!(retired.ends_with(" is retired"), "{retired}");
    process.stop().await;

    let (store, bridge) = opened(&process.home).await;
    for id in &acknowledged {
        assert!(store.event(*id).await.unwrap().is_some(), "{id} was acknowledged");
    }
    let (opened, all) = open_all(&bridge.app).await;
    assert_eq!(opened, all, "every record opens, with the active key");
    assert!(all > 110_000 + acknowledged.len());
    close(store, bridge);
    println!(
        "{} kills during a rewrap that had so many records before it each time: {left:?}; then {}, and {} \
         requests acknowledged meanwhile",
        kills(),
        done["resealed"],
        acknowledged.len()
    );
    assert!(acknowledged.len() > CLIENTS, "requests were served meanwhile");
}

/// 5, or 20 if the variable `TEST_LONG` is set.
#[expect(clippy::disallowed_methods, reason = "asks about the test, not about a setting")]
fn kills() -> u64 {
    if std::env::var("TEST_LONG").is_ok() { 20 } else { 5 }
}
