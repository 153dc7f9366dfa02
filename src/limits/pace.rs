//! Time as governor reads it, and buckets that fill with it.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use governor::clock::{Clock as Pace, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::{Quota, RateLimiter};

use super::Allowance;
use crate::clock::Clock;

/// Parts of a unit, so that a charge stays true when it is divided by a factor.
pub const CELLS: u64 = 1_000;

/// Our clock as governor reads one: the time that has passed since the first look at it. A clock
/// that is set back stands for a moment and then goes on, so that nobody waits until it has caught
/// up with itself.
#[derive(Clone)]
pub struct Ticking {
    clock: Arc<dyn Clock>,
    seen: Arc<Mutex<Seen>>,
}

struct Seen {
    at: DateTime<Utc>,
    passed: Duration,
}

impl Ticking {
    /// Begins to count at zero.
    pub fn on(clock: Arc<dyn Clock>) -> Self {
        let seen = Seen { at: clock.now(), passed: Duration::ZERO };
        Self { clock, seen: Arc::new(Mutex::new(seen)) }
    }

    /// What has passed by now.
    pub fn passed(&self) -> Duration {
        let now = self.clock.now();
        let mut seen = self.seen.lock().expect("no one panics while reading the clock");
        let since = (now - seen.at).to_std().unwrap_or_default();
        seen.passed += since;
        seen.at = now;
        seen.passed
    }

    /// Returns after `wait`, or sooner if the clock is set forward; that it is set back makes the
    /// wait no longer.
    pub async fn sleep(&self, wait: Duration) {
        let wait = TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX);
        tokio::select! {
            biased;
            () = self.clock.sleep_until(self.clock.now() + wait) => {}
            () = self.clock.sleep(wait) => {}
        }
    }
}

impl Pace for Ticking {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(self.passed())
    }
}

/// A bucket that an allowance fills. It is never made anew, since that would fill it.
pub struct Bucket {
    cells: RateLimiter<Asking, Till, Ticking, NoOpMiddleware<Nanos>>,
    ticking: Ticking,
    most: u64,
}

/// How a bucket is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Asking {
    /// To give.
    Take,
    /// When it could give.
    Look,
}

impl Bucket {
    /// A full bucket.
    pub fn full(allowance: Allowance, ticking: &Ticking) -> Self {
        let most = u64::from(allowance.burst.get()) * CELLS;
        let each = 60_000_000_000_u64.div_ceil(allowance.aim() * CELLS);
        let quota = Quota::with_period(Duration::from_nanos(each))
            .expect("a minute is longer than nothing")
            .allow_burst(number(most));
        let cells = RateLimiter::new(quota, Till::default(), ticking.clone());
        Self { cells, ticking: ticking.clone(), most }
    }

    /// A bucket that has just been emptied.
    pub fn empty(allowance: Allowance, ticking: &Ticking) -> Self {
        let bucket = Self::full(allowance, ticking);
        bucket.take(bucket.most).expect("a full bucket gives all it has");
        bucket
    }

    /// The most it gives at once, in cells.
    pub fn most(&self) -> u64 {
        self.most
    }

    /// Takes so many cells, at most [`most`](Self::most), or tells after what wait they are there.
    pub fn take(&self, cells: u64) -> Result<(), Duration> {
        self.ask(Asking::Take, cells)
    }

    /// After what wait so many cells are there: none if they are there now.
    pub fn wait(&self, cells: u64) -> Duration {
        self.ask(Asking::Look, cells.min(self.most)).err().unwrap_or_default()
    }

    fn ask(&self, asking: Asking, cells: u64) -> Result<(), Duration> {
        let asked = self.cells.check_key_n(&asking, number(cells));
        asked.expect("nobody asks for more than it holds").map_err(|not_until| {
            let earliest = not_until.earliest_possible();
            earliest.duration_since(Pace::now(&self.ticking)).into()
        })
    }
}

fn number(cells: u64) -> NonZeroU32 {
    let number = u32::try_from(cells).expect("settings keep a bucket below a u32 of cells");
    NonZeroU32::new(number).expect("nobody asks for nothing")
}

/// Where one bucket's state lies. governor can only take; a look is a taking that leaves no trace.
#[derive(Default)]
struct Till(Mutex<Option<Nanos>>);

impl Till {
    fn state(&self) -> MutexGuard<'_, Option<Nanos>> {
        self.0.lock().expect("no one panics while taking")
    }
}

impl StateStore for Till {
    type Key = Asking;

    fn measure_and_replace<T, F, E>(&self, asking: &Asking, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut state = self.state();
        let (answer, next) = measure(*state)?;
        if *asking == Asking::Take {
            *state = Some(next);
        }
        Ok(answer)
    }
}
