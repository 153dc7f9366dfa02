//! How full the backlog is: with everybody's jobs, and with those of the owner who has most.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Mutex;

use super::App;
use crate::model::fill::Fill;
use crate::store::{Counts, StoreError};

/// The owners are not looked at more often than this …
const LOOK: TimeDelta = TimeDelta::minutes(1);
/// … nor for more than one of so many parts of the time: there may be millions of them.
const SELDOM: i32 = 100;

/// How full it is.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// How many jobs there are.
    pub jobs: Counts,
    /// Live jobs of everybody.
    pub all: Fill,
    /// Live jobs of the owner who has most, a minute ago or later.
    pub owner: Fill,
}

/// What was last seen of the owners.
#[derive(Clone, Debug, Default)]
pub struct Seen(Arc<Mutex<Option<Look>>>);

#[derive(Clone, Copy, Debug)]
struct Look {
    began: DateTime<Utc>,
    /// When it is time for another.
    holds_until: DateTime<Utc>,
    largest: u64,
}

/// How full the backlog is.
pub async fn report(app: &App) -> Result<Report, StoreError> {
    let (jobs, limits) = (app.store.count_jobs().await?, app.settings.backlog);
    let all = Fill { limit: limits.all, used: jobs.live };
    let owner = Fill { limit: limits.owner, used: largest(app).await? };
    Ok(Report { jobs, all, owner })
}

async fn largest(app: &App) -> Result<u64, StoreError> {
    // Held while looking: whoever asks meanwhile waits for the same answer.
    let mut seen = app.owners_seen.0.lock().await;
    let began = app.clock.now();
    if let Some(look) = *seen
        && (look.began..look.holds_until).contains(&began)
    {
        return Ok(look.largest);
    }
    let largest = app.store.largest_backlog().await?;
    let took = app.clock.now() - began;
    *seen = Some(Look { began, holds_until: began + LOOK.max(took * SELDOM), largest });
    Ok(largest)
}
