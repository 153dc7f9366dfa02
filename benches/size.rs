//! How much room the store on disk takes, and how soon a large one is open again.
//!
//! `cargo bench --bench size`; with `-- --check` it fails beyond its bounds. `-- --jobs 100000` loads fewer
//! jobs, and runs as many cycles. A process of its own loads the store and is killed, another opens it.

#![expect(clippy::disallowed_methods, reason = "a bench measures real time")]

mod sample;
#[expect(dead_code, reason = "other benches need the rest")]
mod table;
#[expect(dead_code, reason = "other benches need the rest")]
mod usage;
mod work;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Instant;

use calbridge::store::contract::examples::{KEEP_NOTHING, NOON, ROOM, after};
use calbridge::store::sled::{Options, SledStore};
use calbridge::store::{EventStore, JobStore, Store};
use chrono::TimeDelta;
use tempfile::TempDir;

use sample::Sample;
use table::{bounded, show};

/// Jobs that wait, and cycles of jobs that come and go.
const JOBS: u64 = 1_000_000;
/// How many jobs are taken in at once.
const BATCH: usize = 256;
/// How many records are forgotten in one step.
const FORGET: usize = 4_096;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    let jobs = words.iter().position(|word| *word == "--jobs").map(|at| words[at + 1]);
    let jobs = jobs.map_or(JOBS, |jobs| jobs.parse().expect("a number of jobs"));
    if let ["in", work, dir, ..] = words[..] {
        let dir = Path::new(dir);
        match work {
            "load" => load(dir, jobs).await,
            "open" => open(dir).await,
            "churn" => churn(dir, jobs).await,
            "flow" => flow(dir, jobs).await,
            _ => drain(dir, jobs).await,
        }
        return ExitCode::SUCCESS;
    }
    let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let mut rows = Vec::new();
    let mut loader = Part::start("load", dir.path(), jobs);
    let in_time = loader.line();
    loader.child.kill().expect("it runs");
    drop(loader);
    let disk = disk(dir.path());
    for how in ["killed", "closed"] {
        let told = Part::start("open", dir.path(), jobs).line();
        let figures: Vec<f64> =
            told.split(' ').map(|word| word.parse().expect("a figure")).collect();
        let [secs, resident] = figures[..] else { panic!("not understood: {told}") };
        let bound = 3.0 * disk / 1e9;
        let name = format!("first claim of {jobs} jobs, {how}");
        rows.push(bounded(name, &format!("{secs:.2} s"), secs, bound));
        let name = format!("resident after it, {how}");
        rows.push(bounded(name, &format!("{resident:.0} MB"), resident, 250.0));
    }
    let told = format!("{:.0} MB, {in_time}", disk / 1e6);
    rows.push(bounded("disk to live data, loaded".to_owned(), &told, disk / live(dir.path()), 2.6));
    Part::start("churn", dir.path(), jobs).line();
    let churned = self::disk(dir.path());
    let told = format!("{:.0} MB", churned / 1e6);
    let ratio = churned / live(dir.path());
    rows.push(bounded("disk to live data, churned".to_owned(), &told, ratio, 3.5));
    let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let most = Part::start("flow", dir.path(), jobs).line();
    let left = self::disk(dir.path());
    let name = format!("disk after {jobs} jobs that came, went and were forgotten as they went");
    rows.push(bounded(name, &format!("{:.0} MB, {most} before", left / 1e6), left / 1e6, 96.0));
    let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    Part::start("drain", dir.path(), jobs).line();
    let left = self::disk(dir.path());
    let name = format!("disk after {jobs} jobs that came, went and were forgotten at the end");
    rows.push(bounded(name, &format!("{:.0} MB", left / 1e6), left / 1e6, 96.0));
    show(&rows)
}

/// A process that does one part and says a line when it is done.
struct Part {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Part {
    fn start(work: &str, dir: &Path, jobs: u64) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["in", work]).arg(dir).args(["--jobs", &jobs.to_string()]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("this program starts");
        let lines = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, lines }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.child.wait().expect("it ends");
    }
}

fn opened(dir: &Path) -> Arc<SledStore> {
    let store = SledStore::open(dir, sample::name(), NOON, &Options::default());
    Arc::new(store.expect("a store"))
}

fn close(store: Arc<SledStore>) {
    Arc::into_inner(store).expect("nobody else has it").close().expect("it closes");
}

/// Takes jobs in and waits to be killed.
async fn load(dir: &Path, jobs: u64) {
    let (store, sample) = (opened(dir), Sample::default());
    let begun = Instant::now();
    for _ in 0..jobs / 256 {
        store.accept(sample.many(BATCH), ROOM, NOON).await.expect("the store works");
    }
    println!("loaded in {:.0} s", begun.elapsed().as_secs_f64());
    std::future::pending::<()>().await;
}

/// Opens the store, takes a job, and tells how long that took and what is in memory then.
async fn open(dir: &Path) {
    let begun = Instant::now();
    let store = opened(dir);
    let lines = store.lines().await.expect("the store works");
    let claimed = store.claim(&lines[0], 1, NOON, after(60)).await.expect("the store works");
    assert_eq!(claimed.claims.len(), 1, "a job waits");
    let took = begun.elapsed().as_secs_f64();
    println!("{took} {}", usage::resident_mb(std::process::id()));
    close(store);
}

/// Lets a third as many jobs come as wait, and as many go, and forgets those at once.
async fn churn(dir: &Path, jobs: u64) {
    let (store, sample) = (opened(dir), Sample::from(jobs));
    let mut ended = 0;
    while ended < jobs / 3 {
        ended += cycle(&store, &sample).await;
        forget(&store).await;
    }
    close(store);
    println!("done");
}

/// Lets so many jobs come and go, and forgets them as time passes.
async fn flow(dir: &Path, jobs: u64) {
    let (store, sample) = (opened(dir), Sample::default());
    let (mut ended, mut most) = (0, 0.0_f64);
    while ended < jobs {
        ended += cycle(&store, &sample).await;
        forget(&store).await;
        most = most.max(disk(dir));
    }
    close(store);
    println!("at most {:.0} MB", most / 1e6);
}

/// Lets so many jobs come and go, and then forgets them all.
async fn drain(dir: &Path, jobs: u64) {
    let (store, sample) = (opened(dir), Sample::default());
    let mut ended = 0;
    while ended < jobs {
        ended += cycle(&store, &sample).await;
    }
    forget(&store).await;
    close(store);
    println!("done");
}

/// Lets some jobs come, and as many go. Returns how many.
async fn cycle(store: &Arc<SledStore>, sample: &Sample) -> u64 {
    store.accept(sample.many(BATCH), ROOM, NOON).await.expect("the store works");
    let mut ended = 0;
    for line in store.lines().await.expect("the store works") {
        ended += work::end_some(store, &line, 2).await;
    }
    ended
}

/// Forgets whatever is over, as is done when its time has passed.
async fn forget(store: &Arc<SledStore>) {
    let later = NOON + TimeDelta::days(1_000);
    while store.prune(later, KEEP_NOTHING, FORGET).await.expect("the store works") == FORGET {}
}

/// Bytes that the store's files take.
fn disk(dir: &Path) -> f64 {
    let mut bytes = 0;
    let mut left = vec![dir.to_owned()];
    while let Some(dir) = left.pop() {
        for entry in std::fs::read_dir(dir).expect("a directory") {
            let entry = entry.expect("an entry");
            let found = entry.metadata().expect("what it is");
            if found.is_dir() {
                left.push(entry.path());
            } else {
                bytes += found.len();
            }
        }
    }
    float(bytes)
}

/// Bytes of keys and rows.
fn live(dir: &Path) -> f64 {
    let config = sled::Config::new().path(dir.join("store")).segment_size(4 << 20);
    let tree = config.mode(sled::Mode::LowSpace).open().expect("a store");
    let bytes = tree.iter().map(|row| {
        let (key, row) = row.expect("a row");
        u64::try_from(key.len() + row.len()).expect("small")
    });
    float(bytes.sum())
}

#[expect(clippy::cast_precision_loss, reason = "bytes stay far below 2^52")]
fn float(bytes: u64) -> f64 {
    bytes as f64
}
