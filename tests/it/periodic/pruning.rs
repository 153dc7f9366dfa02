//! How much is forgotten at once, and how long the store rests from it.

use std::sync::{Arc, Mutex};

use calbridge::clock::{Clock, ManualClock};
use calbridge::model::id::InstanceId;
use calbridge::queue::periodic::prune;
use calbridge::store::contract::examples::{NOON, ROOM, accept, claim_one, done, event};
use calbridge::store::memory::MemoryStore;
use calbridge::store::{EventStore, JobStore, Retention, Store, StoreError};
use chrono::{DateTime, TimeDelta, Utc};

use crate::surrounded::{Around, Surrounded};
use crate::virtual_time::play;

const HOUR: TimeDelta = TimeDelta::hours(1);
const YEAR: TimeDelta = TimeDelta::days(365);
/// Done jobs are over soon, and nothing else is.
const KEEP: Retention = Retention { done: HOUR, dead: YEAR, past: YEAR, tombstones: YEAR };

/// A step of forgetting.
#[derive(Clone, Copy, Debug)]
struct Step {
    began: DateTime<Utc>,
    ended: DateTime<Utc>,
    /// So many jobs were forgotten.
    jobs: u64,
}

/// A store whose steps of forgetting take as long as told, by the clock.
struct Slow {
    clock: Arc<ManualClock>,
    inside: Arc<dyn Store>,
    takes: fn(usize) -> TimeDelta,
    steps: Mutex<Vec<Step>>,
}

impl Slow {
    async fn jobs(&self) -> u64 {
        self.inside.count_jobs().await.expect("it counts").done
    }
}

impl Around for Slow {
    async fn step<T: Send>(
        &self,
        name: &'static str,
        effect: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        assert_eq!(name, "prune");
        let (began, before) = (self.clock.now(), self.jobs().await);
        let answer = effect.await;
        let jobs = before - self.jobs().await;
        let mut steps = self.steps.lock().expect("a list");
        self.clock.advance((self.takes)(steps.len()));
        steps.push(Step { began, ended: self.clock.now(), jobs });
        answer
    }

    async fn look<T: Send>(
        &self,
        effect: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        effect.await
    }
}

/// The steps of one turn in a store of so many done jobs.
fn steps_of(jobs: u128, takes: fn(usize) -> TimeDelta) -> Vec<Step> {
    let clock = Arc::new(ManualClock::at(NOON));
    play(&clock.clone(), async {
        let inside = Arc::new(MemoryStore::new(InstanceId::from_u128(1)));
        inside.accept((1..=jobs).map(accept).collect(), ROOM, NOON).await.expect("room");
        while let Some(claim) = claim_one(&*inside, &event(1), NOON).await {
            inside.settle(&claim, done(), NOON).await.expect("it settles");
        }
        let slow =
            Slow { clock: clock.clone(), inside: inside.clone(), takes, steps: Mutex::default() };
        let store = Surrounded { store: inside, around: slow };
        clock.advance(HOUR * 2);
        prune(&store, &*clock, KEEP).await;
        assert_eq!(store.around.jobs().await, 0, "a turn forgets all that is over");
        store.around.steps.into_inner().expect("a list")
    })
}

/// How long the store rested after each step but the last.
fn rests(steps: &[Step]) -> Vec<TimeDelta> {
    steps.windows(2).map(|two| two[1].began - two[0].ended).collect()
}

#[test]
fn a_turn_forgets_little_at_a_time_and_works_for_a_fifth_of_the_time() {
    let steps = steps_of(2_100, |step| TimeDelta::milliseconds([100, 3_000, 20, 500, 1][step]));
    let jobs: Vec<u64> = steps.iter().map(|step| step.jobs).collect();
    assert_eq!(jobs, [500, 500, 500, 500, 100], "nobody waits behind more");
    let wanted = [400, 12_000, 80, 2_000].map(TimeDelta::milliseconds);
    assert_eq!(rests(&steps), wanted, "the longer a step takes, the longer is the rest after it");
    let (first, last) = (steps[0], steps[3]);
    let worked: TimeDelta = steps[..4].iter().map(|step| step.ended - step.began).sum();
    let all = last.ended + (last.ended - last.began) * 4 - first.began;
    assert_eq!(worked * 5, all);
}

#[test]
fn a_clock_that_is_set_during_a_step_makes_no_long_rest() {
    let steps = steps_of(1_200, |step| HOUR * [5, -1, 0][step]);
    assert_eq!(rests(&steps), [40, 0].map(TimeDelta::seconds), "no step took five hours");
}
