//! The whole bridge in bad weather: callers who lose their answers, people who change what is theirs,
//! a Google that fails in every way it can, a process that dies at any of its steps. Then it is quiet,
//! and everything that was promised must be true (promises 1 to 6 and 9).
//!
//! A history follows from its seed alone. `SIMULATION_SEED=n cargo test --release simulation` plays
//! one seed and prints it; `docs/decisions/0012-simulation.md` says what is and is not simulated.

mod backend;
mod fragile;
mod history;
mod judge;
mod turns;
mod watch;
mod weather;
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use calbridge::clock::{Clock, ManualClock};
use calbridge::store::JobStore;
use chrono::TimeDelta;

use crate::bridge::morning;
use crate::virtual_time::play;
use backend::{Backend, Journal};
use history::Chance;
use world::World;

/// Seeds in an ordinary run, and in a long one.
const SEEDS: u64 = 300;
const MANY_SEEDS: u64 = 20_000;
/// Every so manieth seed is played twice, and must tell the same story.
const TWICE: u64 = 50;
/// What has not come to rest after this long never will.
const PATIENCE: TimeDelta = TimeDelta::days(2);

/// Plays a seed: the whole history, and what was broken in it.
fn history_of(seed: u64) -> (String, Vec<String>) {
    let clock = Arc::new(ManualClock::at(morning()));
    play(&clock, tell(seed, clock.clone()))
}

async fn tell(seed: u64, clock: Arc<ManualClock>) -> (String, Vec<String>) {
    let chance = Chance::of(seed, 0);
    let backends = 1 + chance.below(3) as usize;
    let world = World::new(seed, clock, backends).await;
    let journal = Journal::default();
    let working = async {
        let work = async |number: usize| {
            let chance = Chance::of(seed, 100 + number as u64);
            let backend = Backend { world: &world, journal: &journal, number, chance };
            if number < backends {
                backend.work(2 + backend.chance.below(4) as usize).await;
            }
        };
        let storm = async {
            world.clock.sleep(TimeDelta::minutes(4)).await;
            world.be_quiet();
        };
        tokio::join!(work(0), work(1), work(2), storm);
        come_to_rest(&world).await;
        judge::judge(&world, &journal).await;
        turns::judge_turns(&world).await;
        world.over.cancel();
    };
    tokio::join!(
        working,
        world.keep(),
        weather::storm(&world),
        weather::people(&world, &journal),
        weather::owner(&world),
    );
    world.history.end()
}

/// Lets everything that was accepted be done.
async fn come_to_rest(world: &World) {
    let until = world.clock.now() + PATIENCE;
    while world.clock.now() < until {
        let live = world.store().count_jobs().await.expect("memory works").live;
        if live == 0 {
            return;
        }
        world.clock.sleep(TimeDelta::seconds(10)).await;
    }
}

/// Plays a seed, twice if it is one of those, and says what is wrong with it.
fn fault_of(seed: u64) -> Option<Fault> {
    let Ok((story, broken)) = std::panic::catch_unwind(|| history_of(seed)) else {
        return Some(Fault { seed, story: String::new(), broken: vec!["it panicked".to_owned()] });
    };
    if !broken.is_empty() {
        return Some(Fault { seed, story, broken });
    }
    if seed.is_multiple_of(TWICE) {
        let (again, _) = history_of(seed);
        let differs = story.lines().zip(again.lines()).find(|(one, other)| one != other);
        if story != again {
            return Some(Fault { seed, broken: vec![format!("two stories: {differs:?}")], story });
        }
    }
    None
}

/// A seed in which a promise was broken.
struct Fault {
    seed: u64,
    story: String,
    broken: Vec<String>,
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long to test is the caller's to say")]
fn what_was_promised_holds_in_any_weather() {
    if let Ok(seed) = std::env::var("SIMULATION_SEED") {
        let (story, broken) = history_of(seed.parse().expect("a number"));
        println!("{story}");
        assert!(broken.is_empty(), "{broken:#?}");
        return;
    }
    let seeds = if std::env::var("TEST_LONG").is_ok() { MANY_SEEDS } else { SEEDS };
    let mut faults = play_all(seeds);
    faults.sort_by_key(|fault| fault.seed);
    let Some(first) = faults.first() else { return };
    println!("{}", first.story);
    for Fault { seed, broken, .. } in &faults {
        println!("seed {seed}: {}", broken.join("; "));
    }
    panic!("to replay: SIMULATION_SEED={} cargo test --release simulation", first.seed);
}

/// Plays seeds on as many threads as there are cores, each history on one.
fn play_all(seeds: u64) -> Vec<Fault> {
    let next = AtomicU64::new(0);
    let play_some = || {
        let seeds = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed))
            .take_while(|seed| *seed < seeds);
        seeds.filter_map(fault_of).collect::<Vec<_>>()
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let players: Vec<_> = (0..threads).map(|_| scope.spawn(play_some)).collect();
        players.into_iter().flat_map(|player| player.join().expect("no player panics")).collect()
    })
}
