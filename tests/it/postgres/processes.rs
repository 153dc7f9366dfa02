//! The real thing: two `calbridge serve` on one database, one of them killed; and a database that is
//! lost and comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use calbridge::simulator::{Fault, FaultKind, Quota, Settings};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::server::{self, Server};
use crate::bridge::{ANA, Answer, tea, with};
use crate::process::{Browser, Home, Process, Simulated};

const CLIENTS: u64 = 8;
const EVENTS_EACH: u64 = 12;
const INSERT: &str = "calendar.events.insert";
/// So many calls to Google at once: as many as one account's calls run at once, at most.
const IN_HAND: u64 = 3;

fn settings(url: &str) -> String {
    format!(
        "namespace = \"shared\"\nclassic.requests = 1000000\nstore.kind = \"postgres\"\n\
         store.postgres_url = \"{url}\"\nstore.node_lease_secs = 3"
    )
}

/// A second process beside `first`, with the same master key.
async fn beside(first: &Process, google: &Simulated, settings: &str) -> Process {
    let home = Home::new(google, settings);
    std::fs::copy(first.home.key_file(), home.key_file()).unwrap();
    Process::start_in(home).await
}

fn body(number: u64) -> Value {
    with(tea(), &json!({"summary": format!("Event {number}")}))
}

/// Where events are sent, and with what.
struct Target {
    browser: Browser,
    bases: [String; 2],
    key: String,
    /// How many were acknowledged.
    count: watch::Sender<u64>,
}

impl Target {
    /// Sends an event until it is acknowledged, now to the one process and now to the other.
    async fn send(&self, number: u64, preference: &str) -> Answer {
        let key = format!("event-{number}");
        let headers = [("idempotency-key", &*key), ("prefer", preference)];
        for turn in number.. {
            let base = &self.bases[usize::from(turn % 2 == 0)];
            if let Ok(answer) = self.browser.create(base, &self.key, &body(number), &headers).await
                && answer.status < 300
            {
                return answer;
            }
        }
        unreachable!("there are more numbers")
    }
}

#[tokio::test]
async fn whatever_was_accepted_arrives_once_although_the_leader_is_killed() {
    let google =
        Simulated::with(Settings { quota: Quota::unlimited(), ..Settings::default() }, "127.0.0.1");
    let url = server::shared().await.database().await;
    let mut leader = Process::start(&google, &settings(&url)).await;
    leader.line_with("leads=true").await;
    leader.connect(ANA).await;
    let key = leader.new_key().await;
    let mut heir = beside(&leader, &google, &settings(&url)).await;
    leader.line_with("nodes=2 leads=true").await;

    let (count, mut counted) = watch::channel(0);
    let bases = [leader.home.base.clone(), heir.home.base.clone()];
    let target = Arc::new(Target { browser: Browser::default(), bases, key, count });
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let target = Arc::clone(&target);
        clients.spawn(async move {
            let mut made = Vec::new();
            for number in client * EVENTS_EACH..(client + 1) * EVENTS_EACH {
                let answer = target.send(number, "respond-async").await;
                made.push((number, answer.json()["id"].clone()));
                target.count.send_modify(|count| *count += 1);
            }
            made
        });
    }
    counted.wait_for(|count| *count > CLIENTS * EVENTS_EACH / 3).await.unwrap();
    leader.kill().await;
    heir.line_with("nodes=1 leads=true").await;
    let made: BTreeMap<u64, Value> = clients.join_all().await.into_iter().flatten().collect();
    assert_eq!(made.len() as u64, CLIENTS * EVENTS_EACH);

    let mut wanted = Vec::new();
    for (number, id) in &made {
        loop {
            let answer = target.send(*number, "wait=30").await;
            assert_eq!(answer.json()["id"], *id, "event {number} is another now");
            if answer.status == 200 {
                break;
            }
        }
        wanted.push(format!("Event {number}"));
    }
    let title = |event: &Value| event["summary"].as_str().unwrap().to_owned();
    let mut there: Vec<_> = google.google.events(ANA).iter().map(title).collect();
    wanted.sort();
    there.sort();
    assert_eq!(there, wanted, "the calendar and what was accepted differ");
    let mut inserts = BTreeMap::new();
    for call in google.google.ledger() {
        if call.method == INSERT && call.committed {
            *inserts.entry(call.event).or_insert(0) += 1;
        }
    }
    assert!(inserts.values().all(|times| *times == 1), "an event was inserted twice: {inserts:?}");
    assert_eq!(inserts.len(), made.len());
    assert_eq!(heir.stop().await.code(), Some(0), "it stops in order");
}

#[tokio::test]
async fn fifty_clients_of_two_processes_who_say_one_name_make_one_event() {
    let google = Simulated::start();
    let url = server::shared().await.database().await;
    let mut first = Process::start(&google, &settings(&url)).await;
    first.connect(ANA).await;
    let key = first.new_key().await;
    let mut second = beside(&first, &google, &settings(&url)).await;
    let urls =
        [&first, &second].map(|process| format!("{}/api/v1/events", process.home.base.clone()));
    let order = json!({
        "external_id": "order-1", "summary": "Tea", "time_zone": "Europe/Lisbon",
        "start": "2026-12-01T09:00:00", "end": "2026-12-01T10:00:00",
    });
    let mut clients = JoinSet::new();
    for client in 0..50 {
        let (url, key, order) = (urls[client % 2].clone(), key.clone(), order.clone());
        clients.spawn(async move { Browser::default().post_json(&url, &key, &order).await });
    }
    let answers = clients.join_all().await;
    assert!(answers.iter().all(|answer| matches!(answer.status, 200..=202)), "{answers:?}");
    let ids: BTreeSet<_> = answers.iter().map(|answer| answer.json()["id"].to_string()).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let event = format!("{}/{}", urls[1], answers[0].json()["id"].as_str().expect("an id"));
    let is_there = |event: &Value| event["state"] == "confirmed";
    Browser::default().ask_until(&event, &key, is_there).await;
    for process in [&mut first, &mut second] {
        assert_eq!(process.stop().await.code(), Some(0), "it stops in order");
    }
    let made = google.google.ledger().into_iter();
    let made = made.filter(|call| call.method == INSERT && call.committed).count();
    assert_eq!((google.google.events(ANA).len(), made), (1, 1));
}

#[tokio::test]
async fn what_a_process_that_is_stopped_had_in_hand_is_taken_over_at_once() {
    let google = Simulated::start();
    let url = server::shared().await.database().await;
    let settings = settings(&url) + "\nqueue.lease_secs = 600\nstop.drain_secs = 1";
    // Whoever waited for the end of a lease of the first would wait longer than this test does. The
    // second's own is short: it calls Google only when that is over.
    let long = settings.replace("node_lease_secs = 3", "node_lease_secs = 300");
    let mut leader = Process::start(&google, &long).await;
    leader.line_with("leads=true").await;
    let browser = leader.connect(ANA).await;
    let key = leader.new_key().await;
    google.google.add_fault(Fault::new(FaultKind::Hang).method(INSERT).times(IN_HAND));
    let ask = async |base: &str, number: u64, preference: &str| {
        let once = format!("event-{number}");
        let headers = [("idempotency-key", &*once), ("prefer", preference)];
        browser.create(base, &key, &body(number), &headers).await.unwrap()
    };
    let mut made = Vec::new();
    for number in 1..=IN_HAND {
        let answer = ask(&leader.home.base, number, "respond-async").await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        made.push(answer.json()["id"].clone());
    }
    // Each call has begun once the fault is used up.
    while !google.google.unused_faults().is_empty() {
        assert_eq!(ask(&leader.home.base, 1, "respond-async").await.json()["id"], made[0]);
    }
    let mut heir = beside(&leader, &google, &settings).await;
    heir.line_with("nodes=2 leads=false").await;
    assert_eq!(google.google.events(ANA).len(), 0, "the leader still has them");

    assert_eq!(leader.stop().await.code(), Some(0), "it stops in order");
    leader.line_with("handing back the jobs that did not finish in time").await;
    heir.line_with("nodes=1 leads=true").await;
    for (number, id) in (1..).zip(&made) {
        let answer = ask(&heir.home.base, number, "wait=30").await;
        assert_eq!((answer.status, &answer.json()["id"]), (200, id), "{}", answer.text);
    }
    let ledger = google.google.ledger().into_iter();
    let inserts = ledger.filter(|call| call.method == INSERT && call.committed);
    let inserted: BTreeSet<_> = inserts.clone().map(|call| call.event).collect();
    assert_eq!((inserts.count(), inserted.len()), (made.len(), made.len()), "each once");
    assert_eq!(google.google.events(ANA).len(), made.len());
    assert_eq!(heir.stop().await.code(), Some(0), "it stops in order");
}

#[tokio::test]
async fn a_lost_database_is_waited_for() {
    let google = Simulated::start();
    let server = Server::start().await;
    let url = server.database().await;
    let mut process = Process::start(&google, &settings(&url)).await;
    process.connect(ANA).await;
    let (key, base) = (process.new_key().await, process.home.base.clone());
    let browser = Browser::default();

    server.stop();
    let refused = browser.create(&base, &key, &body(1), &[]).await.unwrap();
    assert_eq!(refused.status, 503, "{}", refused.text);
    assert_ne!(refused.header("retry-after"), "");
    let ready = browser.get(&format!("{base}/readyz?verbose")).await;
    assert_eq!(ready.status, 503);
    assert!(ready.text.contains("the database is not available"), "{}", ready.text);
    assert_eq!(browser.get(&format!("{base}/livez")).await.status, 200);

    server.start_again();
    let made = loop {
        let headers = [("idempotency-key", "after"), ("prefer", "wait=30")];
        let answer = browser.create(&base, &key, &body(2), &headers).await.unwrap();
        if answer.status == 200 {
            break answer;
        }
        assert_eq!(answer.status, 503, "{}", answer.text);
    };
    assert!(made.json()["meetLink"].is_string());
    assert_eq!(google.google.events(ANA).len(), 1);
    assert_eq!(process.stop().await.code(), Some(0), "it stops in order");
}

#[tokio::test]
async fn a_database_that_is_not_there_is_told_at_the_start() {
    let google = Simulated::start();
    let place = tempfile::tempdir().unwrap();
    let url = format!("postgres://calbridge@localhost/none?host={}", place.path().display());
    let output = Home::new(&google, &settings(&url)).cli(&["serve"]).await;
    assert_eq!(output.status.code(), Some(69), "{output:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("the database cannot be used"), "{told}");
}
