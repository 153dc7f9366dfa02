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
fn fault_of(seed: u64) -> Option<String> {
    let (story, broken) = history_of(seed);
    if !broken.is_empty() {
        return Some(format!("{story}\nseed {seed}:\n{}", broken.join("\n")));
    }
    if seed.is_multiple_of(TWICE) {
        let (again, _) = history_of(seed);
        let differs = story.lines().zip(again.lines()).find(|(one, other)| one != other);
        if story != again {
            return Some(format!("seed {seed} tells two stories:\n{differs:?}"));
        }
    }
    None
}

#[test]
fn what_was_promised_holds_in_any_weather() {
    if let Ok(seed) = std::env::var("SIMULATION_SEED") {
        let (story, broken) = history_of(seed.parse().expect("a number"));
        println!("{story}");
        assert!(broken.is_empty(), "{broken:#?}");
        return;
    }
    let seeds = if std::env::var("TEST_LONG").is_ok() { MANY_SEEDS } else { SEEDS };
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let broken = std::thread::scope(|scope| {
        let players: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= seeds {
                            return None;
                        }
                        if let Some(fault) = fault_of(seed) {
                            next.store(seeds, Ordering::Relaxed);
                            return Some((seed, fault));
                        }
                    }
                })
            })
            .collect();
        players.into_iter().find_map(|player| player.join().expect("no player panics"))
    });
    if let Some((seed, fault)) = broken {
        panic!("{fault}\nto replay: SIMULATION_SEED={seed} cargo test --release simulation");
    }
}
