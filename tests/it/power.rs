//! The power is cut under a store at work, again and again: what was acknowledged is there, what was
//! finished stays finished, and the store opens and works on.
//!
//! A process works on a disk that we made ([`disk`]) until the power goes at a moment that chance
//! chose. What the disk then holds is opened and held against the steps that the process said were
//! acknowledged ([`work`]), and is the disk of the next process.
#![expect(clippy::unwrap_used, reason = "a test ends where it goes wrong")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use calbridge::model::id::InstanceId;
use calbridge::random::{CountingRandom, Random};
use calbridge::store::contract::examples::NOON;
use calbridge::store::sled::{OpenError, Options, SledStore};
use calbridge::store::{Retention, Store, StoreError};
use chrono::TimeDelta;
use tempfile::TempDir;
use tokio::task::JoinSet;

use cut::{DATA_DIR, Orders, Way};
use disk::Disk;
use work::{Expected, HANDS, Work};

mod cut;
mod disk;
mod mounted;
mod recorded;
mod work;

const KIB: usize = 1024;
/// Nothing is ever forgotten.
const FOR_EVER: Retention = Retention {
    done: TimeDelta::days(1_000),
    dead: TimeDelta::days(1_000),
    past: TimeDelta::days(1_000),
    tombstones: TimeDelta::days(1_000),
};

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

/// Some disks, whose power is cut several times each.
#[derive(Clone, Copy, Debug)]
struct Plan {
    way: Way,
    bytes: usize,
    disks: usize,
    /// The first seed; every cut has its own.
    seed: u64,
    /// How many steps each hand takes before the store is closed and opened again.
    rounds: u64,
    /// After how many of a hand's steps it is made anew; never if 0.
    renewal: u64,
    /// Of each life, how many changes and syncs of the disk it lasts: at least, and less than.
    lives: &'static [(u64, u64)],
}

/// Long lives at work, and short ones that end while what the cut before left is being opened.
const AT_WORK: &[(u64, u64)] = &[(100, 700), (1, 80), (100, 700), (1, 80), (100, 700)];

#[tokio::test]
async fn no_power_cut_loses_anything_of_events_of_1_kb() {
    let plan = Plan {
        way: Way::best(),
        bytes: KIB,
        disks: 4,
        seed: 1000,
        rounds: u64::MAX,
        renewal: 0,
        lives: AT_WORK,
    };
    plan.carry_out().await.tell("at work, 1 KB");
}

#[tokio::test]
async fn no_power_cut_loses_anything_of_events_of_30_kb() {
    let plan = Plan {
        way: Way::best(),
        bytes: 30 * KIB,
        disks: 4,
        seed: 2000,
        rounds: u64::MAX,
        renewal: 0,
        lives: AT_WORK,
    };
    plan.carry_out().await.tell("at work, 30 KB");
}

#[tokio::test]
async fn a_store_that_was_being_made_at_the_power_cut_is_made_or_not() {
    let lives = &[(1, 60), (60, 200)];
    let plan = Plan {
        way: Way::best(),
        bytes: KIB,
        disks: 10,
        seed: 3000,
        rounds: u64::MAX,
        renewal: 0,
        lives,
    };
    plan.carry_out().await.tell("being made");
}

#[tokio::test]
async fn a_store_that_was_being_closed_or_opened_at_the_power_cut_loses_nothing() {
    let lives = &[(60, 300), (20, 300), (20, 300), (20, 300), (20, 300)];
    let plan =
        Plan { way: Way::best(), bytes: KIB, disks: 2, seed: 4000, rounds: 3, renewal: 0, lives };
    plan.carry_out().await.tell("being closed and opened");
}

#[tokio::test]
async fn a_store_that_was_being_made_anew_at_the_power_cut_loses_nothing() {
    let lives = &[(100, 500), (60, 300), (1, 80), (60, 300), (60, 300)];
    let rounds = u64::MAX;
    let plan =
        Plan { way: Way::best(), bytes: KIB, disks: 4, seed: 7000, rounds, renewal: 2, lives };
    plan.carry_out().await.tell("being made anew");
}

/// What machines without FUSE see instead of the tests above, kept alive on those that have it.
#[tokio::test]
async fn no_power_cut_loses_anything_of_what_was_recorded() {
    let way = Way::Recorded;
    let (rounds, lives) = (u64::MAX, AT_WORK);
    let plan = Plan { way, bytes: KIB, disks: 2, seed: 6000, rounds, renewal: 9, lives };
    plan.carry_out().await.tell("recorded");
}

/// The test of the tests above: they see what is lost.
#[tokio::test]
async fn without_the_syncs_that_calbridge_makes_real_most_power_cuts_lose_something() {
    let way = Way::best();
    let (mut cuts, mut losses) = (0, Vec::new());
    for (bytes, seed) in (5000..).take(10 * more()).flat_map(|n| [(KIB, n), (30 * KIB, n + 500)]) {
        let disk = Disk::empty();
        // Where sled's own function is called in our place, it brings nothing to the disk for sure;
        // `fsync`, which sled calls too, works.
        disk.be_deaf_to("db");
        disk.cut_after(between(seed, (150, 700)));
        let orders = Orders { bytes, rounds: u64::MAX, renewal: 0, done: [0; HANDS] };
        let (acknowledged, after) = way.cut(disk, orders, seed);
        cuts += 1;
        losses.extend(judge(&after, &mut Expected::new(bytes), acknowledged).await.err());
    }
    println!("\nwithout real syncs: {cuts} power cuts, {} stores lost something", losses.len());
    assert!(losses.len() * 2 > cuts, "of {cuts} cuts only these lost something: {losses:#?}");
}

impl Plan {
    async fn carry_out(self) -> Tally {
        let mut tally = Tally::default();
        for seed in (self.seed..).step_by(10).take(self.disks * more()) {
            let mut expected = Expected::new(self.bytes);
            let mut disk = Disk::empty();
            for (seed, changes) in (seed..).zip(self.lives) {
                disk.cut_after(between(seed, *changes));
                let Self { way, bytes, rounds, renewal, .. } = self;
                let orders = Orders { bytes, rounds, renewal, done: expected.done };
                let (acknowledged, after) = way.cut(disk, orders, seed);
                match judge(&after, &mut expected, acknowledged).await {
                    Ok(further) => tally.further += further,
                    Err(wrong) => panic!("seed {seed}: {wrong}"),
                }
                tally.cuts += 1;
                tally.acknowledged += acknowledged.iter().sum::<u64>();
                disk = after;
            }
        }
        tally
    }
}

/// What chance says under a seed: at least `least`, and less than `bound`.
fn between(seed: u64, (least, bound): (u64, u64)) -> u64 {
    let random = CountingRandom::new(seed);
    least + (&random as &dyn Random).below(bound - least)
}

/// Opens a copy of what a disk holds, and compares. Returns how many steps survived that were not
/// acknowledged, or what is wrong.
async fn judge(
    disk: &Disk,
    expected: &mut Expected,
    acknowledged: [u64; HANDS],
) -> Result<u64, String> {
    // In memory, where a sync costs nothing: here nobody cuts the power.
    let copy = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap();
    disk.unpack(copy.path());
    let store = open(&copy.path().join(DATA_DIR)).map_err(|error| error.to_string())?;
    expected.compare(&store, acknowledged).await
}

fn open(data_dir: &Path) -> Result<SledStore, OpenError> {
    // The disk does not say how large it is.
    let free_space = Arc::new(|_: &Path| Ok(u64::MAX));
    let options = Options { min_free: 0, free_space, renew_from: 0, ..Options::default() };
    SledStore::open(data_dir, InstanceId::from_u128(1), NOON, &options)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the process that works while the tests here cut its power"]
async fn works_until_the_power_is_cut() {
    let mut told = std::io::stdin().lines().map_while(Result::ok);
    let data_dir = PathBuf::from(told.next().unwrap());
    let numbers: Vec<u64> =
        told.next().unwrap().split(' ').map(|word| word.parse().unwrap()).collect();
    let [bytes, rounds, renewal, done @ ..] = &numbers[..] else { panic!("{numbers:?}") };
    let bytes = usize::try_from(*bytes).unwrap();
    let done = <[u64; HANDS]>::try_from(done).unwrap();
    let orders = Orders { bytes, rounds: *rounds, renewal: *renewal, done };
    let failed = work(&data_dir, orders).await;
    // On a line of its own, whatever the test runner has written before.
    println!("\nfailed {failed}");
    // The power is gone, and soon this process.
    std::future::pending::<()>().await;
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
            hands.spawn(take_steps(Arc::clone(&store), hand, done, orders));
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
    hand: usize,
    from: u64,
    Orders { bytes, rounds, renewal, .. }: Orders,
) -> Result<(), StoreError> {
    let work = Work { hand, bytes };
    for n in from..from.saturating_add(rounds) {
        work.step(&*store, n).await?;
        println!("\ndid {hand}");
        if n.checked_rem(renewal) == Some(0) {
            // Nothing is over, and all that is there is copied.
            store.prune(NOON, FOR_EVER, 1).await?;
        }
    }
    Ok(())
}

/// 1, or 10 if the variable `TEST_LONG` is set.
#[expect(clippy::disallowed_methods, reason = "asks about the test, not about a setting")]
fn more() -> usize {
    if std::env::var("TEST_LONG").is_ok() { 10 } else { 1 }
}
