//! What recurs while the bridge runs: the table of periodic work, the sign of life, and the count of
//! calls.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;

use super::Bridge;
use crate::app::{App, access, tasks, tokens};
use crate::clock::Clock;
use crate::queue::periodic::{self, Periodic, Recurring};
use crate::store::postgres::PostgresStore;
use crate::store::{Alive, Beat, Retention, StoreError};

/// How often the calls to Google are written down.
const COUNT: TimeDelta = TimeDelta::minutes(1);

/// Everything that recurs, and whose turn only one of many processes may take.
pub fn periodic(app: &App, keep: Retention) -> Periodic {
    let (store, clock) = (Arc::clone(&app.store), Arc::clone(&app.clock));
    let table = vec![
        Recurring {
            name: "prune",
            every: TimeDelta::minutes(1),
            makes_up: 0,
            work: {
                let (store, clock) = (Arc::clone(&store), Arc::clone(&clock));
                Box::new(move |_| {
                    let (store, clock) = (Arc::clone(&store), Arc::clone(&clock));
                    Box::pin(async move { periodic::prune(&*store, &*clock, keep).await })
                })
            },
        },
        Recurring {
            name: "touch_grants",
            every: TimeDelta::weeks(1),
            makes_up: 0,
            work: {
                let app = app.clone();
                Box::new(move |_| {
                    let app = app.clone();
                    Box::pin(async move { touch(&app).await })
                })
            },
        },
        Recurring {
            name: "place_tasks",
            every: TimeDelta::hours(1),
            makes_up: 0,
            work: {
                let app = app.clone();
                Box::new(move |_| {
                    let app = app.clone();
                    Box::pin(async move { place(&app).await })
                })
            },
        },
    ];
    Periodic::new(store, clock, table)
}

/// Uses the grants that nobody used for long.
async fn touch(app: &App) {
    if let Err(error) = tokens::touch(app).await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "the Google account's grant could not be refreshed"
        );
    }
}

/// Makes the events of tasks that could not be made when their doer's account was connected.
async fn place(app: &App) {
    if let Err(error) = tasks::place_all_waiting(app).await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "tasks that wait for their event are looked for later"
        );
    }
}

impl Bridge {
    /// Says once that this process lives, and tells `beats` and the limits what it learns. Returns when
    /// another process is taken for dead, unless it says so again.
    pub async fn beat(
        &self,
        life: TimeDelta,
        beats: &watch::Sender<Beat>,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let App { store, clock, limits, .. } = &self.app;
        let now = clock.now();
        let Alive { beat, lapse } = store.beat(now, now + life).await?;
        limits.share(beat.nodes, life);
        tell(beats, beat);
        Ok(lapse)
    }

    /// Says that this process lives, three times in each `life`, and tells `beats` and the limits what
    /// it learns. A process that cannot say so in time leads no more.
    pub async fn live(
        &self,
        life: TimeDelta,
        postgres: Option<&PostgresStore>,
        beats: &watch::Sender<Beat>,
    ) {
        let clock = &self.app.clock;
        let mut until: Option<DateTime<Utc>> = None;
        loop {
            let now = clock.now();
            // Whoever dies is found dead as soon as its time ends, not a third of `life` later.
            let lapse = match self.beat(life, beats).await {
                Ok(lapse) => {
                    until = Some(now + life);
                    lapse
                }
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the store takes no sign of life"
                    );
                    if until.is_none_or(|until| until <= clock.now()) {
                        let nodes = beats.borrow().nodes;
                        tell(beats, Beat { nodes, leads: false });
                    }
                    None
                }
            };
            let next = now + life / 3;
            tokio::select! {
                () = clock.sleep_until(lapse.map_or(next, |lapse| lapse.min(next))) => {}
                // What another process hands back need not wait.
                () = goodbye(postgres) => {}
            }
        }
    }

    /// Writes down, again and again, how many calls to Google this process made, and which API keys
    /// were used.
    pub async fn count(&self) {
        let clock = &self.app.clock;
        loop {
            self.count_calls().await;
            self.write_uses().await;
            clock.sleep_until(clock.now() + COUNT).await;
        }
    }

    /// Writes down which API keys were used since that was done last.
    pub async fn write_uses(&self) {
        if let Err(error) = access::write_uses(&self.app).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the last uses of API keys are written down later"
            );
        }
    }

    /// Writes down how many calls to Google were made since that was done last.
    pub async fn count_calls(&self) {
        let App { store, limits, .. } = &self.app;
        loop {
            let (day, calls) = limits.take_uncounted();
            match store.tally(day, calls).await {
                Ok(total) => limits.counted(day, total),
                Err(error) => {
                    limits.give_back(day, calls);
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the calls to Google are counted later"
                    );
                    return;
                }
            }
            if calls == 0 {
                return;
            }
        }
    }
}

/// Hears the other processes and tells them, where there can be any.
pub async fn hear(postgres: Option<&PostgresStore>, clock: &dyn Clock) {
    match postgres {
        Some(store) => store.run(clock).await,
        None => std::future::pending().await,
    }
}

async fn goodbye(postgres: Option<&PostgresStore>) {
    match postgres {
        Some(store) => store.goodbye().await,
        None => std::future::pending().await,
    }
}

fn tell(beats: &watch::Sender<Beat>, beat: Beat) {
    let changed = beats.send_if_modified(|told| std::mem::replace(told, beat) != beat);
    if changed {
        tracing::info!(nodes = beat.nodes, leads = beat.leads, "processes share the work");
    }
}
