//! The power is cut under a store at work, again and again: what was acknowledged is there, what was
//! finished stays finished, and the store opens and works on.
//!
//! A process works on a disk that we made (`power/disk.rs`) until the power goes at a moment that
//! chance chose. What the disk then holds is opened and held against the steps that the process said
//! were acknowledged (`power/work.rs`), and is the disk of the next process.
#![expect(clippy::unwrap_used, reason = "a test ends where it goes wrong")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use calbridge::model::id::InstanceId;
use calbridge::random::{CountingRandom, Random};
use calbridge::store::StoreError;
use calbridge::store::contract::examples::NOON;
use calbridge::store::sled::{OpenError, Options, SledStore};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::task::JoinSet;

use disk::Disk;
use mounted::Mounted;
use work::{Expected, HANDS, Work};

mod disk;
mod mounted;
mod work;

const KIB: usize = 1024;
/// Where the store lies on the disk: below a directory that is not there at first either.
const DATA_DIR: &str = "lib/calbridge";

/// What a process is to do.
#[derive(Clone, Copy, Debug)]
struct Orders {
    bytes: usize,
    /// How many steps each hand takes before the store is closed and opened again.
    rounds: u64,
    /// How many each hand has taken in earlier lives.
    done: [u64; HANDS],
}

/// What came of some cuts.
#[derive(Debug, Default)]
struct Tally {
    cuts: u64,
    acknowledged: u64,
    /// Steps that were not acknowledged and survived.
    further: u64,
}

impl Tally {
    fn tell(&self, of: &str) {
        let Self { cuts, acknowledged, further } = self;
        println!(
            "\n{of}: {cuts} power cuts, {acknowledged} steps acknowledged, none lost; {further} that \
             were not acknowledged survived"
        );
    }
}

#[tokio::test]
async fn no_power_cut_loses_anything_of_events_of_1_kb() {
    lives(KIB, 1000).await.tell("1 KB");
}

#[tokio::test]
async fn no_power_cut_loses_anything_of_events_of_30_kb() {
    lives(30 * KIB, 2000).await.tell("30 KB");
}

/// Cuts the power of several disks, five times each.
async fn lives(bytes: usize, seed: u64) -> Tally {
    let mut tally = Tally::default();
    for seed in (seed..).step_by(10).take(disks()) {
        let chance = CountingRandom::new(seed);
        let below = |bound| (&chance as &dyn Random).below(bound);
        let mut expected = Expected::new(bytes);
        let mut disk = Disk::empty();
        for life in 0..5 {
            // The work of some seconds, or just the opening of what the cut before left.
            let changes = if life % 2 == 0 { 100 + below(600) } else { 1 + below(80) };
            let rounds = if below(3) == 0 { 5 } else { u64::MAX };
            let orders = Orders { bytes, rounds, done: expected.done };
            disk.cut_after(changes);
            let (acknowledged, after) = cut_once(disk, orders, seed + life);
            match judge(&after, &mut expected, acknowledged).await {
                Ok(further) => tally.further += further,
                Err(wrong) => panic!("seed {seed}, life {life}: {wrong}"),
            }
            tally.cuts += 1;
            tally.acknowledged += acknowledged.iter().sum::<u64>();
            disk = after;
        }
    }
    tally
}

/// Lets a process work until the power goes. Returns how many steps of each hand it said were done,
/// and what is left of the disk.
fn cut_once(disk: Disk, orders: Orders, seed: u64) -> ([u64; HANDS], Disk) {
    let disk = Arc::new(disk);
    let place = TempDir::new().unwrap();
    let mounted = Mounted::new(&disk, place.path()).unwrap();
    let mut child = worker(&place.path().join(DATA_DIR), orders);
    let acknowledged = until_the_cut(&disk, &mut child);
    child.wait().unwrap();
    drop(mounted);
    let after = disk.after_the_cut(seed);
    (acknowledged.unwrap_or_else(|told| panic!("{told}")), after)
}

/// Opens a copy of what a disk holds, and compares. Returns how many steps survived that were not
/// acknowledged, or what is wrong.
async fn judge(
    disk: &Disk,
    expected: &mut Expected,
    acknowledged: [u64; HANDS],
) -> Result<u64, String> {
    let copy = TempDir::new().unwrap();
    disk.unpack(copy.path());
    let store = open(&copy.path().join(DATA_DIR)).map_err(|error| error.to_string())?;
    expected.compare(&store, acknowledged).await
}

fn open(data_dir: &Path) -> Result<SledStore, OpenError> {
    let options = Options { min_free: 0, ..Options::default() };
    SledStore::open(data_dir, InstanceId::from_u128(1), NOON, &options)
}

fn worker(data_dir: &Path, orders: Orders) -> Child {
    let arguments = ["--ignored", "--nocapture", "--exact", "power::works_until_the_power_is_cut"];
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let Orders { bytes, rounds, done } = orders;
    let done = done.map(|done| done.to_string()).join(" ");
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{}\n{bytes} {rounds} {done}", data_dir.display()).unwrap();
    child
}

/// Reads what the process says until the power goes and it is killed. Returns how many steps of each
/// hand were acknowledged.
fn until_the_cut(disk: &Disk, child: &mut Child) -> Result<[u64; HANDS], String> {
    let id = Pid::from_child(child);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            disk.wait_for_the_cut();
            // Nobody has asked yet how it ended, so the number is still its own.
            kill_process(id, Signal::KILL).unwrap();
        });
        let mut acknowledged = [0; HANDS];
        let mut failure = "nothing".to_owned();
        for line in lines.map_while(Result::ok) {
            if let Some(hand) = line.strip_prefix("did ") {
                acknowledged[hand.parse::<usize>().unwrap()] += 1;
            } else if line.starts_with("failed ") && !disk.is_off() {
                failure = line;
                break;
            }
        }
        if disk.is_off() {
            return Ok(acknowledged);
        }
        disk.cut();
        Err(format!("the process ended before the power did; it said: {failure}"))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the process that works while the tests here cut its power"]
async fn works_until_the_power_is_cut() {
    let mut told = std::io::stdin().lines().map_while(Result::ok);
    let data_dir = PathBuf::from(told.next().unwrap());
    let numbers: Vec<u64> =
        told.next().unwrap().split(' ').map(|word| word.parse().unwrap()).collect();
    let [bytes, rounds, done @ ..] = &numbers[..] else { panic!("{numbers:?}") };
    let bytes = usize::try_from(*bytes).unwrap();
    let done = <[u64; HANDS]>::try_from(done).unwrap();
    let orders = Orders { bytes, rounds: *rounds, done };
    let failed = work(&data_dir, orders).await;
    // On a line of its own, whatever the test runner has written before.
    println!("\nfailed {failed}");
    // The power is gone, and soon this process.
    std::future::pending().await
}

/// Works until anything fails, and says how.
async fn work(data_dir: &Path, mut orders: Orders) -> String {
    loop {
        let store = match open(data_dir) {
            Ok(store) => Arc::new(store),
            Err(error) => return error.to_string(),
        };
        let mut hands = JoinSet::new();
        for (hand, done) in orders.done.into_iter().enumerate() {
            let work = Work { hand, bytes: orders.bytes };
            hands.spawn(take_steps(Arc::clone(&store), work, done, orders.rounds));
        }
        while let Some(ended) = hands.join_next().await {
            if let Err(error) = ended.unwrap() {
                return error.to_string();
            }
        }
        orders.done = orders.done.map(|done| done + orders.rounds);
        if let Err(error) = Arc::into_inner(store).unwrap().close() {
            return error.to_string();
        }
    }
}

async fn take_steps(
    store: Arc<SledStore>,
    work: Work,
    from: u64,
    rounds: u64,
) -> Result<(), StoreError> {
    for n in from..from.saturating_add(rounds) {
        work.step(&*store, n).await?;
        println!("\ndid {}", work.hand);
    }
    Ok(())
}

/// 4, or 40 if the variable `TEST_LONG` is set.
#[expect(clippy::disallowed_methods, reason = "asks about the test, not about a setting")]
fn disks() -> usize {
    if std::env::var("TEST_LONG").is_ok() { 40 } else { 4 }
}
