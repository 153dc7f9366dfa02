//! How fast the store on disk takes events in and lets jobs end, held against the least that any
//! store must do: append as many bytes and sync.
//!
//! `cargo bench --bench store`; with `-- --check` it fails below its floors. Rounds of the limit and of the
//! store take turns on the same disk; each figure is the median of the rounds' ratios.

#![expect(clippy::disallowed_methods, reason = "a bench measures real time")]

mod group_commit;
#[expect(dead_code, reason = "other benches need the rest")]
mod sample;
#[expect(dead_code, reason = "other benches need the rest")]
mod table;
mod work;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use calbridge::store::contract::examples::{NOON, ROOM};
use calbridge::store::sled::{Options, SledStore};
use calbridge::store::{Accepted, EventStore, JobStore};
use tempfile::TempDir;
use tokio::task::JoinSet;

use group_commit::GroupCommit;
use sample::Sample;
use table::{Row, median, show};

const ROUNDS: usize = 7;
const TURN: Duration = Duration::from_secs(1);
/// Producers, the aim and the floor.
const CROWDS: [(usize, f64, f64); 3] = [(1, 0.25, 0.33), (16, 0.20, 0.18), (256, 0.05, 0.028)];
/// What the keys and rows of one event come to, as it is taken in.
const ACCEPTED: usize = 1_450;
/// What those come to that its job's end changes.
const ENDED: usize = 430;
/// Jobs that are claimed at once, and settled at once.
const BATCH: usize = 64;

#[tokio::main]
async fn main() -> ExitCode {
    let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let limit = Arc::new(GroupCommit::create(&dir.path().join("limit")));
    let store =
        SledStore::open(&dir.path().join("data"), sample::name(), NOON, &Options::default());
    let store = Arc::new(store.expect("a store"));
    let sample = Arc::new(Sample::default());

    let mut rounds: [Vec<(f64, f64)>; CROWDS.len() + 1] = Default::default();
    for _ in 0..ROUNDS {
        for (found, (crowd, ..)) in rounds.iter_mut().zip(CROWDS) {
            found.push((
                append(crowd, ACCEPTED, &limit).await,
                accept(crowd, &store, &sample).await,
            ));
        }
        let limit = append(BATCH, ENDED, &limit).await;
        rounds[CROWDS.len()].push((limit, work_off(&store).await));
    }
    let names = CROWDS.map(|(crowd, ..)| format!("accept, {crowd} producers"));
    let names = names.into_iter().chain([format!("claim and settle, {BATCH} at once")]);
    let bounds = CROWDS.map(|(_, aim, floor)| (aim, floor)).into_iter().chain([(0.12, 0.075)]);
    let measured = names.zip(bounds).zip(rounds);
    let rows: Vec<Row> =
        measured.map(|((name, (aim, floor)), rounds)| row(name, aim, floor, &rounds)).collect();
    show(&rows)
}

fn row(name: String, aim: f64, floor: f64, rounds: &[(f64, f64)]) -> Row {
    let of = |pick: fn(&(f64, f64)) -> f64| median(rounds.iter().map(pick).collect());
    let told = format!("{:.0}/s of {:.0}/s", of(|(_, ours)| *ours), of(|(limit, _)| *limit));
    Row { name, told, ratio: of(|(limit, ours)| ours / limit), floor, aim }
}

/// Records of so many bytes appended per second, by so many at once.
async fn append(crowd: usize, bytes: usize, limit: &Arc<GroupCommit>) -> f64 {
    let limit = Arc::clone(limit);
    rate(crowd, move || {
        let limit = Arc::clone(&limit);
        async move { limit.append(vec![7; bytes]).await }
    })
    .await
}

/// Events taken in per second from so many callers at once.
async fn accept(crowd: usize, store: &Arc<SledStore>, sample: &Arc<Sample>) -> f64 {
    let (store, sample) = (Arc::clone(store), Arc::clone(sample));
    rate(crowd, move || {
        let (store, sample) = (Arc::clone(&store), Arc::clone(&sample));
        async move {
            let accepted = store.accept(vec![sample.next()], ROOM, NOON).await;
            let accepted = accepted.expect("the store works");
            assert!(matches!(accepted[..], [Accepted::New(_)]), "every event is new");
        }
    })
    .await
}

/// How often per second `work` ends, if so many do it again and again.
async fn rate<W>(crowd: usize, work: impl Fn() -> W + Clone + Send + 'static) -> f64
where
    W: Future<Output = ()> + Send,
{
    let done = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let mut all = JoinSet::new();
    for _ in 0..crowd {
        let (work, done) = (work.clone(), Arc::clone(&done));
        all.spawn(async move {
            while begun.elapsed() < TURN {
                work().await;
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    all.join_all().await;
    count(done.load(Ordering::Relaxed)) / begun.elapsed().as_secs_f64()
}

/// Jobs per second that are taken and ended, [`BATCH`] at a time.
async fn work_off(store: &Arc<SledStore>) -> f64 {
    let mut lines = store.lines().await.expect("the store works").into_iter().cycle();
    let begun = Instant::now();
    let mut ended = 0;
    while begun.elapsed() < TURN {
        let line = lines.next().expect("more was taken in than a turn can end");
        ended += work::end_some(store, &line, BATCH).await;
    }
    count(ended) / begun.elapsed().as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn count(events: u64) -> f64 {
    events as f64
}
