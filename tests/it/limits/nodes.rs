//! Several processes on one store: together they spend no more than one would.

use std::sync::Arc;
use std::time::Duration;

use calbridge::clock::ManualClock;
use calbridge::limits::{Limits, Settings};
use chrono::TimeDelta;
use proptest::prelude::*;
use tokio::task::JoinSet;

use super::google::Google;
use super::{account, allowance, morning, quota, usual, work};
use crate::virtual_time::play;

const LEASE: TimeDelta = TimeDelta::seconds(15);
const BEAT: Duration = Duration::from_secs(5);
/// Accounts of each process.
const ACCOUNTS: usize = 20;

/// What happens to one process: when it starts, and how long it lives, in seconds.
#[derive(Clone, Copy, Debug)]
struct Life {
    start: u64,
    length: u64,
    /// Whether it says that it goes; else the others hear of it when its lease is over.
    leaves: bool,
}

/// Lets processes live as told, each as busy as it can be, and returns what Google refused and took.
fn live(lives: &[Life]) -> (u64, u64) {
    let clock = morning();
    let google = Google::with(&clock, quota(600, 2_000));
    play(&clock.clone(), async {
        let mut all = JoinSet::new();
        let told: Arc<[Life]> = lives.into();
        for number in 0..lives.len() {
            all.spawn(process(number, told.clone(), clock.clone(), google.clone()));
        }
        all.join_all().await;
    });
    (google.refused(), google.taken())
}

async fn process(number: usize, lives: Arc<[Life]>, clock: Arc<ManualClock>, google: Arc<Google>) {
    let began = google.now();
    let life = lives[number];
    google.sleep(Duration::from_secs(life.start)).await;
    let small = Settings { project: allowance(2_000, 100), ..usual() };
    let limits = Limits::new(small, clock);
    let end = began + Duration::from_secs(life.start + life.length);
    limits.share(nodes_at(&lives, life.start), LEASE);
    let mut all = JoinSet::new();
    for job in 0..ACCOUNTS {
        let payer = account(number * ACCOUNTS + job);
        all.spawn(work(limits.clone(), google.clone(), payer, 1, end));
    }
    while google.now() < end {
        google.sleep(BEAT).await;
        let passed = (google.now() - began).num_seconds().unsigned_abs();
        limits.share(nodes_at(&lives, passed), LEASE);
    }
    all.shutdown().await;
}

/// How many processes the store counts at this second.
fn nodes_at(lives: &[Life], second: u64) -> u32 {
    let counts = |life: &&Life| {
        let over = life.start + life.length + if life.leaves { 0 } else { 15 };
        (life.start..over).contains(&second)
    };
    u32::try_from(lives.iter().filter(counts).count()).expect("a few")
}

#[test]
fn promise_5_two_and_four_processes_keep_to_the_quota_of_one() {
    for nodes in [1, 2, 4] {
        let lives = vec![Life { start: 0, length: 240, leaves: true }; nodes];
        let (refused, taken) = live(&lives);
        assert_eq!(refused, 0, "with {nodes}");
        assert!(taken >= 4 * 1_700 - 500, "{taken} with {nodes}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn promise_5_nor_do_they_spend_more_while_processes_come_and_go(
        lives in prop::collection::vec(
            (0_u64..150, 5_u64..200, any::<bool>())
                .prop_map(|(start, length, leaves)| Life { start, length, leaves }),
            1..5,
        ),
    ) {
        prop_assert_eq!(live(&lives).0, 0);
    }
}
