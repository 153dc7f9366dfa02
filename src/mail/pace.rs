//! How many letters the server takes in a minute.

use std::num::NonZeroU32;
use std::sync::Arc;

use chrono::TimeDelta;
use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::clock::Clock;
use crate::limits::Ticking;

/// This part of a minute's letters may go at once after a rest.
const BURST: u32 = 10;

/// Counts letters.
pub(super) struct Pace {
    places: RateLimiter<NotKeyed, InMemoryState, Ticking, NoOpMiddleware<Nanos>>,
    ticking: Ticking,
}

impl Pace {
    /// So many in a minute.
    pub(super) fn new(per_minute: NonZeroU32, clock: Arc<dyn Clock>) -> Self {
        let ticking = Ticking::on(clock);
        let burst = NonZeroU32::new(per_minute.get().div_ceil(BURST)).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_minute(per_minute).allow_burst(burst);
        Self { places: RateLimiter::direct_with_clock(quota, ticking.clone()), ticking }
    }

    /// Takes a place, or tells after what time there is one.
    pub(super) fn take(&self) -> Result<(), TimeDelta> {
        self.places.check().map_err(|full| {
            let wait = full.wait_time_from(self.ticking.now());
            TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX)
        })
    }
}
