//! What recurs, in one table: its name, how often it comes, what becomes of turns that were missed,
//! and the work itself.
//!
//! The store keeps whose turn it is, so a turn is taken once, however many processes share a store
//! and however often they start. Only the process that leads asks for turns.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::store::{Beat, Retention, Store, StoreError, Turn};

/// After a failure of the store, turns are asked for again after this long.
const PATIENCE: TimeDelta = TimeDelta::seconds(10);
/// How many records are forgotten at once, so that nobody waits long behind them.
const MOST_FORGOTTEN: usize = 500;
/// After each step of forgetting the store is left alone for this many times as long as the step
/// took: a fifth of its time at most goes into it.
const REST: i32 = 4;
/// No step takes longer; a clock that says so was set.
const LONGEST_STEP: TimeDelta = TimeDelta::seconds(10);

/// Something that recurs.
pub struct Recurring {
    /// Its name in the store; never changed.
    pub name: &'static str,
    /// How often its turn comes.
    pub every: TimeDelta,
    /// Of the turns that came while nobody could take them, how many are made up for, the latest
    /// ones. The turn that is due now comes on top.
    pub makes_up: u64,
    /// What is done at a turn, told the moment it was due.
    pub work: Work,
}

/// What is done at a turn.
pub type Work =
    Box<dyn Fn(DateTime<Utc>) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Takes the turns of everything that recurs.
pub struct Periodic {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    table: Vec<Recurring>,
}

impl Periodic {
    /// With this table.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, table: Vec<Recurring>) -> Self {
        Self { store, clock, table }
    }

    /// Takes turns while this process leads, until `stop`. Work in hand at the stop is cut off: none
    /// of it may mind.
    pub async fn run(&self, mut beats: watch::Receiver<Beat>, stop: &CancellationToken) {
        let turns = async {
            while beats.wait_for(|beat| beat.leads).await.is_ok() {
                let next = self.take_turns().await;
                self.clock.sleep_until(next).await;
            }
        };
        // Without beats nobody leads any more.
        stop.run_until_cancelled(turns).await;
    }

    /// Does whatever is due, and returns when to look again.
    pub async fn take_turns(&self) -> DateTime<Utc> {
        let mut next = None;
        for recurring in &self.table {
            let moment = match self.take_turn(recurring).await {
                Ok(moment) => moment,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        name = recurring.name,
                        "cannot take a turn"
                    );
                    self.clock.now() + PATIENCE
                }
            };
            next = Some(next.map_or(moment, |next: DateTime<Utc>| next.min(moment)));
        }
        // A clock that is set back is noticed after the shortest period at the latest.
        let shortest = self.table.iter().map(|recurring| recurring.every).min();
        let latest = self.clock.now() + shortest.unwrap_or(PATIENCE);
        next.map_or(latest, |next| next.min(latest))
    }

    async fn take_turn(&self, recurring: &Recurring) -> Result<DateTime<Utc>, StoreError> {
        let Recurring { name, every, makes_up, work } = recurring;
        match self.store.take_turn(name, *every, self.clock.now()).await? {
            Turn::NotBefore(moment) => Ok(moment),
            Turn::Due { at, missed } => {
                let late = missed.min(*makes_up);
                let late = i32::try_from(late).unwrap_or(i32::MAX);
                for turns in (0..=late).rev() {
                    work(at - *every * turns).await;
                }
                Ok(at + *every)
            }
        }
    }
}

/// Forgets what is over, a little at a time, and in all for a fifth of the time at most. What one
/// turn leaves is taken by the next.
pub async fn prune(store: &dyn Store, clock: &dyn Clock, keep: Retention) {
    loop {
        let began = clock.now();
        match store.prune(began, keep, MOST_FORGOTTEN).await {
            Ok(forgotten) if forgotten < MOST_FORGOTTEN => return,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "cannot forget what is over"
                );
                return;
            }
        }
        let took = (clock.now() - began).clamp(TimeDelta::zero(), LONGEST_STEP);
        clock.sleep_until(clock.now() + took * REST).await;
    }
}
