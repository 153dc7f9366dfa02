//! The whole way: events through the real `calbridge serve` into a simulated calendar that answers at
//! once, what that costs, how long one takes while there is little to do, what the process uses
//! when there is nothing, and how soon it is done with what kills left.
//!
//! `cargo bench --bench end_to_end`; with `-- --check` it fails beyond its bounds. Figures of another kind of bridge stand in
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
#[expect(dead_code, reason = "other benches need the rest")]
mod table;
mod usage;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use calbridge::simulator::{Fault, FaultKind, Quota, Settings};
use hyper::Method;

use it::{bridge, process};
use load::{End, Posts};
use process::{Browser, Process, Simulated};
use table::{Row, bounded, show};

const EVENTS: u64 = 10_000;
const CLIENTS: usize = 64;
/// Events that are sent one after the other, each waited for.
const ALONE: u64 = 300;
/// Events that one client sends as soon as the last is accepted.
const ONE: u64 = 3_000;
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
async fn main() -> ExitCode {
    let settings = Settings { quota: Quota::unlimited(), ..Settings::default() };
    let google = Simulated::with(settings, "127.0.0.1");
    let mut process = Process::start(&google, SETTINGS).await;
    let pid = process.id();
    println!("| what | measured |\n|---|---|");
    let mut bounds = Vec::from(rest("fresh", pid, 30.0).await);
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

    let from = |first| Posts { number: Arc::new(AtomicU64::new(first)), ..posts.clone() };
    let sent = from(ALONE).send(1, End::At(ALONE + ONE));
    println!("| accepted from one client | {:.0}/s |", rate(ONE, sent.took));
    wait_until_left(&process.home.base, &key, 0).await;

    let before = usage::cpu_seconds(pid);
    let begun = Instant::now();
    let sent = from(ALONE + ONE).send(CLIENTS, End::At(ALONE + ONE + EVENTS));
    wait_until_left(&process.home.base, &key, 0).await;
    let took = begun.elapsed();
    let cpu = usage::cpu_seconds(pid) - before;
    println!("| accepted from {CLIENTS} clients | {:.0}/s |", rate(EVENTS, sent.took));
    println!("| into the calendar | {:.0} events/s |", rate(EVENTS, took));
    let cpu = cpu / rate(EVENTS, Duration::from_secs(1_000));
    println!("| processor | {cpu:.2} s for 1,000 events |");
    bounds.extend(rest("after 10,000 events", pid, 60.0).await);

    google.google.add_fault(Fault::new(FaultKind::LostAnswer).probability(0.2));
    let first = ALONE + ONE + EVENTS;
    let all = first + KILLS * EACH + LEFT;
    from(first).send(CLIENTS, End::At(all));
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
    show(&bounds)
}

/// So many a second.
fn rate(number: u64, took: Duration) -> f64 {
    f64::from(u32::try_from(number).expect("few")) / took.as_secs_f64()
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

/// What the process uses while nothing is asked of it.
async fn rest(when: &str, pid: u32, most_mb: f64) -> [Row; 2] {
    let before = usage::cpu_seconds(pid);
    tokio::time::sleep(IDLE).await;
    let cpu = (usage::cpu_seconds(pid) - before) / IDLE.as_secs_f64() * 100.0;
    let resident = usage::resident_mb(pid);
    let memory = format!("resident, idle and {when}");
    let processor = format!("processor, idle and {when}");
    [
        bounded(memory, &format!("{resident:.0} MB"), resident, most_mb),
        // Of a process that used nothing there is no ratio.
        bounded(processor, &format!("{cpu:.1} %"), cpu.max(0.01), 0.5),
    ]
}
