//! How often one API key may knock at a route.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use governor::clock::Clock as Pace;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use super::problem::Problem;
use crate::app::{App, Ticking};
use crate::model::id::KeyId;

/// A limit that each API key has for itself.
pub struct Limit {
    keys: RateLimiter<KeyId, DashMapStateStore<KeyId>, Ticking, NoOpMiddleware<Nanos>>,
    ticking: Ticking,
}

impl Limit {
    /// `requests` in each `window`, all of which may come at once.
    pub fn new(requests: NonZeroU32, window: Duration, app: &App) -> Self {
        let quota = Quota::with_period(window / requests.get())
            .expect("a window is longer than nothing")
            .allow_burst(requests);
        let ticking = Ticking::on(Arc::clone(&app.clock));
        Self {
            keys: RateLimiter::new(quota, DashMapStateStore::default(), ticking.clone()),
            ticking,
        }
    }

    /// Counts one request of this key, or refuses it.
    pub fn check(&self, key: KeyId) -> Result<(), Problem> {
        self.keys.check_key(&key).map_err(|not_yet| {
            let wait = not_yet.wait_time_from(self.ticking.now());
            let secs = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            let detail =
                format!("this API key sent more requests than it may; try again in {secs} s");
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail)
                .retry_after(secs.max(1))
        })
    }
}
