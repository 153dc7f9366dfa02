//! How many letters the server takes in a minute.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;

use super::Paced;
use crate::clock::Clock;
use crate::limits::{Allowance, Bucket, CELLS, Minute, Ticking};
use crate::model::fill::Fill;

/// This part of a minute's letters may go at once after a rest.
const BURST: u32 = 10;

/// Counts letters.
pub(super) struct Pace {
    per_minute: NonZeroU32,
    places: Bucket,
    taken: Mutex<Minute>,
    ticking: Ticking,
}

impl Pace {
    /// So many in a minute.
    pub(super) fn new(per_minute: NonZeroU32, clock: Arc<dyn Clock>) -> Self {
        let ticking = Ticking::on(clock);
        let burst = NonZeroU32::new(per_minute.get().div_ceil(BURST)).unwrap_or(NonZeroU32::MIN);
        let aim_percent = NonZeroU32::new(100).expect("it is not nothing");
        let allowance = Allowance { limit: per_minute, aim_percent, burst };
        let (places, taken) = (Bucket::full(allowance, &ticking), Mutex::default());
        Self { per_minute, places, taken, ticking }
    }

    /// Takes a place, or tells after what time there is one.
    pub(super) fn take(&self) -> Result<(), TimeDelta> {
        self.places.take(CELLS).map_err(delta)?;
        let mut taken = self.taken.lock().expect("no one panics while counting");
        taken.add(1, self.ticking.passed());
        Ok(())
    }

    /// How many places are taken, and when there is one.
    pub(super) fn report(&self) -> Paced {
        let mut taken = self.taken.lock().expect("no one panics while counting");
        let (limit, used) = (u64::from(self.per_minute.get()), taken.sum(self.ticking.passed()));
        Paced { fill: Fill { limit, used }, next: self.places.wait(CELLS) }
    }
}

fn delta(wait: Duration) -> TimeDelta {
    TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX)
}
