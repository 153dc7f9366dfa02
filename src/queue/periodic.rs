//! What recurs: forgetting what is over.

use std::sync::Arc;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::store::{Retention, Store};

/// How often there is a look for things to forget.
const EVERY: TimeDelta = TimeDelta::minutes(1);
/// How many records go at once, so that nobody waits long behind them.
const MOST: usize = 500;

/// How long what is over is kept.
pub const RETENTION: Retention = Retention {
    done: TimeDelta::days(7),
    dead: TimeDelta::days(30),
    past: TimeDelta::days(400),
    tombstones: TimeDelta::days(400),
};

/// Forgets what is over, a little at a time, until `stop`. What one round missed is taken by the
/// next, so nothing is owed for time the process did not run.
pub async fn prune(store: Arc<dyn Store>, clock: Arc<dyn Clock>, stop: CancellationToken) {
    loop {
        match store.prune(clock.now(), RETENTION, MOST).await {
            Ok(MOST) => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "cannot forget what is over"
            ),
        }
        let next = clock.now() + EVERY;
        if stop.run_until_cancelled(clock.sleep_until(next)).await.is_none() {
            return;
        }
    }
}
