//! Whether a long queue is slower than a short one: whose turn it is, and a job's whole way through the
//! store on disk, from accept to end, with 1,000 and with 1,000,000 jobs of the same 200 users waiting; and
//! what a turn costs where not only the jobs are 1,000 times as many, but those who wait.
//!
//! `cargo bench --bench dispatch`; with `-- --check` it fails below its floors.

#![expect(clippy::disallowed_methods, reason = "a bench measures real time")]

#[expect(dead_code, reason = "other benches need the rest")]
mod sample;
#[expect(dead_code, reason = "other benches need the rest")]
mod table;
mod work;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use calbridge::model::id::ConnectionId;
use calbridge::model::job::{Class, Lane, Line};
use calbridge::queue::Gates;
use calbridge::queue::dispatcher::{Caps, Dispatcher, Met};
use calbridge::random::CountingRandom;
use calbridge::store::contract::examples::{NOON, ROOM, user};
use calbridge::store::sled::{Options, SledStore};
use calbridge::store::{EventStore, JobStore};
use chrono::{DateTime, Utc};
use tempfile::TempDir;

use sample::Sample;
use table::{Row, median, show};

const FEW: u64 = 1_000;
const MANY: u64 = 1_000_000;
/// Few who wait, and many.
const LINES: [u64; 2] = [10, 10_000];
const ROUNDS: usize = 7;
const PICKS: u32 = 20_000;
const TURN: Duration = Duration::from_secs(2);
/// How many jobs are taken in at once, claimed at once and ended at once.
const BATCH: usize = 64;
/// Of docs/decisions/0014-speed-floors.md.
const FLOORS: [f64; 3] = [0.9, 0.4, 0.40];

/// Nothing has to wait for its quota.
struct Open;

impl Gates for Open {
    fn not_before(&self, _: ConnectionId, _: DateTime<Utc>) -> Option<DateTime<Utc>> {
        None
    }

    fn project_not_before(&self, _: DateTime<Utc>) -> Option<DateTime<Utc>> {
        None
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let dirs = [(); 2].map(|()| TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory"));
    let stores = [filled(&dirs[0], FEW).await, filled(&dirs[1], MANY).await];
    let mut known = [Vec::new(), Vec::new()];
    for (known, (store, _)) in known.iter_mut().zip(&stores) {
        *known = store.lines().await.expect("the store works");
    }
    let queues = picks(known.map(dispatcher));
    let crowds = picks(LINES.map(|lines| dispatcher((0..lines).map(line))));
    let mut cycles = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for ((store, sample), cycles) in stores.iter().zip(&mut cycles) {
            cycles.push(cycle(store, sample).await);
        }
    }
    let row = |name: &str, of: [u64; 2], [few, many]: [f64; 2], floor, aim| Row {
        name: name.to_owned(),
        told: format!("{few:.0}/s with {}, {many:.0}/s with {}", of[0], of[1]),
        ratio: many / few,
        floor,
        aim,
    };
    let cycles = cycles.map(median);
    show(&[
        row("turns picked, by jobs", [FEW, MANY], queues, FLOORS[0], 0.9),
        row("accepted, claimed and ended, by jobs", [FEW, MANY], cycles, FLOORS[1], 0.25),
        row("turns picked, by lines", LINES, crowds, FLOORS[2], 0.4),
    ])
}

/// A dispatcher that knows these lines.
fn dispatcher(lines: impl IntoIterator<Item = Line>) -> Dispatcher {
    let mut dispatcher = Dispatcher::new(Caps { workers: 16, per_connection: 8, per_lane: 8 });
    for line in lines {
        dispatcher.look_at(line);
    }
    dispatcher
}

/// The line of one user among many.
fn line(number: u64) -> Line {
    let lane = Lane::Calendar { connection: ConnectionId::from_u128(number.into()), calendar: 7 };
    Line { class: Class::Bulk, owner: user(&format!("user-{number}")), lane }
}

/// Turns per second of each dispatcher.
fn picks(mut dispatchers: [Dispatcher; 2]) -> [f64; 2] {
    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (dispatcher, rates) in dispatchers.iter_mut().zip(&mut rates) {
            rates.push(pick(dispatcher));
        }
    }
    rates.map(median)
}

/// Turns per second: a line is picked, a job of it runs, and it waits for its next turn.
fn pick(dispatcher: &mut Dispatcher) -> f64 {
    let random = CountingRandom::new(1);
    let begun = Instant::now();
    for _ in 0..PICKS {
        let picked = dispatcher.pick(NOON, 16, &Open).expect("every line has a job");
        let run = dispatcher.begin(&picked.line);
        dispatcher.look_at(picked.line.clone());
        dispatcher.end(&picked.line, run, 1, Met::Nothing, NOON, &random);
    }
    f64::from(PICKS) / begun.elapsed().as_secs_f64()
}

/// A store in which so many jobs wait.
async fn filled(dir: &TempDir, jobs: u64) -> (Arc<SledStore>, Sample) {
    let store = SledStore::open(dir.path(), sample::name(), NOON, &Options::default());
    let (store, sample) = (store.expect("a store"), Sample::default());
    for _ in 0..jobs.div_ceil(500) {
        store.accept(sample.many(500), ROOM, NOON).await.expect("the store works");
    }
    (Arc::new(store), sample)
}

/// Jobs per second that are taken in, claimed and ended.
async fn cycle(store: &Arc<SledStore>, sample: &Sample) -> f64 {
    let mut lines = store.lines().await.expect("the store works").into_iter().cycle();
    let begun = Instant::now();
    let mut ended = 0_u32;
    while begun.elapsed() < TURN {
        store.accept(sample.many(BATCH), ROOM, NOON).await.expect("the store works");
        let mut left = BATCH;
        while left > 0 {
            let line = lines.next().expect("a line");
            let some = work::end_some(store, &line, left).await;
            left -= usize::try_from(some).expect("few");
        }
        ended += u32::try_from(BATCH).expect("few");
    }
    f64::from(ended) / begun.elapsed().as_secs_f64()
}
