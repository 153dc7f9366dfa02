//! The whole way: events through the real `calbridge serve` into a simulated calendar that answers at
//! once, what that costs, how long one takes while there is little to do, what the process uses
//! when there is nothing, and how soon it is done with what kills left.
//!
//! `cargo bench --bench end_to_end`. Figures of another kind of bridge stand in
//! `docs/benchmarks.md`.

#![expect(clippy::disallowed_methods, reason = "a bench measures real time")]

#[expect(dead_code, reason = "the tests' harness, of which a bench needs a part")]
#[path = "../tests/it"]
mod it {
    pub mod bridge;
    pub mod process;
}
#[expect(dead_code, reason = "other benches need the rest")]
mod load;
mod usage;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use calbridge::simulator::{Fault, FaultKind, Quota, Settings};
use hyper::Method;

use it::{bridge, process};
use load::{End, Posts};
use process::{Browser, Process, Simulated};

const EVENTS: u64 = 10_000;
const CLIENTS: usize = 64;
/// Events that are sent one after the other, each waited for.
const ALONE: u64 = 300;
/// How long nothing is asked of the process.
const IDLE: Duration = Duration::from_secs(20);
/// The process is killed so often while it works on what a client was told is accepted, each time after it is
/// done with so many events.
const KILLS: u64 = 20;
const EACH: u64 = 100;
/// What is left to do after the last time.
const LEFT: u64 = 1_000;
/// How often the backlog is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// Quotas are not what this is about.
const SETTINGS: &str = "classic.requests = 1000000\n\
    google.user_calls_per_minute = 1000000\ngoogle.project_calls_per_minute = 1000000\n\
    google.user_burst = 1000\ngoogle.project_burst = 1000\n";

#[tokio::main]
async fn main() {
    let settings = Settings { quota: Quota::unlimited(), ..Settings::default() };
    let google = Simulated::with(settings, "127.0.0.1");
    let mut process = Process::start(&google, SETTINGS).await;
    let pid = process.id();
    println!("| what | measured |\n|---|---|");
    rest("fresh", pid).await;
    process.connect(bridge::ANA).await;
    let key = process.new_key().await;
    let posts = Posts {
        address: process.home.base.trim_start_matches("http://").to_owned(),
        key: key.clone(),
        number: Arc::new(AtomicU64::new(0)),
        prefer: "respond-async",
    };

    // One after the other: the answer comes when the event and its Meet link are there.
    let one = Posts { prefer: "wait=30", ..posts.clone() };
    let waits = one.send(1, End::At(ALONE)).waits;
    let at = |part: usize| waits[(waits.len() - 1) * part / 100];
    println!("| POST until the event is in the calendar, p50 | {:.1?} |", at(50));
    println!("| … p99 | {:.1?} |", at(99));

    let before = usage::cpu_seconds(pid);
    let begun = Instant::now();
    let posts = Posts { number: Arc::new(AtomicU64::new(ALONE)), ..posts };
    let sent = posts.send(CLIENTS, End::At(ALONE + EVENTS));
    wait_until_left(&process.home.base, &key, 0).await;
    let took = begun.elapsed().as_secs_f64();
    let cpu = usage::cpu_seconds(pid) - before;
    let thousands = f64::from(u32::try_from(EVENTS).expect("few")) / 1000.0;
    println!("| accepted | {:.0}/s |", thousands * 1000.0 / sent.took.as_secs_f64());
    println!("| into the calendar | {:.0} events/s |", thousands * 1000.0 / took);
    println!("| processor | {:.2} s for 1,000 events |", cpu / thousands);
    rest("after 10,000 events", pid).await;

    google.google.add_fault(Fault::new(FaultKind::LostAnswer).probability(0.2));
    let (first, all) = (ALONE + EVENTS, ALONE + EVENTS + KILLS * EACH + LEFT);
    let posts = Posts { number: Arc::new(AtomicU64::new(first)), ..posts };
    posts.send(CLIENTS, End::At(all));
    for kill in 0..KILLS {
        wait_until_left(&process.home.base, &key, LEFT + (KILLS - kill - 1) * EACH).await;
        process.kill().await;
        process.restart().await;
    }
    let restarted = Instant::now();
    wait_until_left(&process.home.base, &key, 0).await;
    let took = restarted.elapsed().as_secs_f64();
    println!(
        "| done with what {KILLS} kills left, a fifth of the answers lost | after {took:.1} s |"
    );
    let there = google.google.events(bridge::ANA).len();
    assert_eq!(there, usize::try_from(all).expect("few"), "each event is there once");
}

/// Returns once no more than so many jobs wait or run.
async fn wait_until_left(base: &str, key: &str, left: u64) {
    let browser = Browser::default();
    loop {
        let told = browser.ask(Method::GET, &format!("{base}/api/v1/status"), key).await;
        if told.json()["jobs"]["live"].as_u64().expect("a number") <= left {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Tells what the process uses while nothing is asked of it.
async fn rest(when: &str, pid: u32) {
    let before = usage::cpu_seconds(pid);
    tokio::time::sleep(IDLE).await;
    let cpu = (usage::cpu_seconds(pid) - before) / IDLE.as_secs_f64() * 100.0;
    let resident = usage::resident_mb(pid);
    println!("| idle, {when} | {resident:.0} MB resident, {cpu:.1} % of a processor |");
}
