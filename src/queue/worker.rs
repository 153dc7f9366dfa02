//! Takes due jobs, runs them, and writes down how each ended.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::broadcast::{self, error::RecvError, error::TryRecvError};
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

use super::backoff;
use super::dispatcher::{Begun, Dispatcher};
use crate::clock::Clock;
use crate::model::job::{Cause, Claim, End, Line, Obstacle, Until};
use crate::random::Random;
use crate::store::{Change, Fate, Learned, Ran, Settled, Store, StoreError};

/// What a run says of itself: how it ended, and what it learned of its event.
pub type Run = (End, Option<Learned>);

/// A job is given up after this many attempts that nobody could explain …
const MOST_ATTEMPTS: u32 = 25;
/// … but not before it failed for this long.
const LEAST_DAYS_OF_FAILURE: TimeDelta = TimeDelta::days(3);

/// A job that is about to run.
#[derive(Clone, Debug)]
struct Taken {
    claim: Claim,
    begun: Begun,
}

type Runner = dyn Fn(Claim) -> Pin<Box<dyn Future<Output = Run> + Send>> + Send + Sync;

/// How much is done at once, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Jobs that run at once.
    pub workers: usize,
    /// Of these, jobs of one connection.
    pub per_connection: usize,
    /// How long a job is hidden from other workers while it runs.
    pub lease: TimeDelta,
    /// How long jobs in hand may go on after the stop.
    pub drain: TimeDelta,
}

/// Works off the jobs of a store.
#[derive(Clone)]
pub struct Worker {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    limits: Limits,
    dispatcher: Arc<Mutex<Dispatcher>>,
    changes: Arc<Mutex<broadcast::Receiver<Change>>>,
    runner: Arc<Runner>,
}

impl Worker {
    /// A worker that runs jobs with `runner`. It has looked at every line the store has.
    pub async fn new<F, R>(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        limits: Limits,
        runner: F,
    ) -> Result<Self, StoreError>
    where
        F: Fn(Claim) -> R + Send + Sync + 'static,
        R: Future<Output = Run> + Send + 'static,
    {
        let changes = store.changes();
        let worker = Self {
            dispatcher: Arc::new(Mutex::new(Dispatcher::new(limits.per_connection))),
            changes: Arc::new(Mutex::new(changes)),
            runner: Arc::new(move |claim| Box::pin(runner(claim))),
            store,
            clock,
            random,
            limits,
        };
        worker.look_at_everything().await?;
        Ok(worker)
    }

    /// Works until `stop`, then lets the jobs in hand finish, or hands them back if they take too
    /// long. One that is cut off nonetheless comes back when its lease is over.
    pub async fn run(self, stop: CancellationToken) {
        let mut in_hand = JoinSet::new();
        let mut claims: HashMap<Id, Taken> = HashMap::new();
        let mut changes = self.store.changes();
        loop {
            let next =
                if in_hand.len() < self.limits.workers { self.next().await } else { Ok(None) };
            match next {
                Ok(Some(taken)) => {
                    let task = in_hand.spawn(self.clone().work(taken.clone()));
                    claims.insert(task.id(), taken);
                    continue;
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "cannot claim a job");
                }
            }
            let idle = in_hand.is_empty();
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.rest(&mut changes), if in_hand.len() < self.limits.workers => {}
                Some(ended) = in_hand.join_next_with_id(), if !idle => self.ended(ended, &mut claims).await,
            }
        }
        self.finish(in_hand, claims).await;
    }

    /// Does everything that is due now, one job after the other, and returns the next moment at
    /// which there may be more: for tests that hold the clock.
    pub async fn drain(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        while let Some(taken) = self.next().await? {
            self.clone().work(taken).await;
        }
        Ok(self.dispatcher().next_moment())
    }

    /// Whether all of Google is taken to be out of reach.
    pub fn google_is_shut(&self) -> bool {
        self.dispatcher().google_is_shut()
    }

    /// Takes the job whose turn it is.
    async fn next(&self) -> Result<Option<Taken>, StoreError> {
        self.catch_up().await?;
        loop {
            let now = self.clock.now();
            let Some(line) = self.dispatcher().pick(now) else { return Ok(None) };
            let claimed = match self.store.claim(&line, 1, now, now + self.limits.lease).await {
                Ok(claimed) => claimed,
                Err(error) => {
                    let later = now + backoff::delay(0, backoff::PATIENCE, &*self.random);
                    self.dispatcher().look_later(line, later);
                    return Err(error);
                }
            };
            let mut dispatcher = self.dispatcher();
            match claimed.next {
                Some(moment) if moment <= now => dispatcher.look_at(line),
                Some(moment) => dispatcher.look_later(line, moment),
                None => {}
            }
            if let Some(claim) = claimed.claims.into_iter().next() {
                let begun = dispatcher.begin(&claim.job.line);
                return Ok(Some(Taken { claim, begun }));
            }
        }
    }

    /// Runs a job, and writes down how it ended.
    async fn work(self, taken: Taken) {
        let (end, learned) = (self.runner)(taken.claim.clone()).await;
        self.settle(&taken, end, learned).await;
    }

    async fn settle(&self, Taken { claim, begun }: &Taken, end: End, learned: Option<Learned>) {
        let now = self.clock.now();
        let (fate, obstacle) = self.judge(claim, end, now);
        log(claim, &fate);
        // First the wall, then the word that the job is ready again: nobody shall run into it.
        self.dispatcher().end(&claim.job.line, *begun, obstacle, now, &*self.random);
        match self.store.settle(claim, Ran { fate, learned, then: None }, now).await {
            Ok(Settled::Yes) => {}
            Ok(Settled::LeaseLost) => {
                tracing::warn!(job.id = %claim.job.id, "the job outran its lease; what it did is done again");
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, job.id = %claim.job.id, "cannot settle a job");
                self.dispatcher().look_later(claim.job.line.clone(), claim.until);
            }
        }
    }

    fn judge(&self, claim: &Claim, end: End, now: DateTime<Utc>) -> (Fate, Option<Obstacle>) {
        let job = &claim.job;
        match end {
            End::Done => (Fate::Done, None),
            End::GiveUp(cause) => (Fate::Dead(cause), None),
            End::Block(obstacle, cause) => {
                (Fate::HandedBack { cause: Some(cause) }, Some(obstacle))
            }
            End::Snooze(until, cause) => {
                let due = match until {
                    Until::Moment(moment) => moment,
                    Until::Backoff => {
                        now + backoff::delay(job.tries, backoff::PATIENCE, &*self.random)
                    }
                };
                (Fate::Again { due, spends: false, cause }, None)
            }
            End::Retry(cause) => {
                let failing_since = job.failing_since.unwrap_or(now);
                if job.spent + 1 >= MOST_ATTEMPTS && failing_since + LEAST_DAYS_OF_FAILURE <= now {
                    return (Fate::Dead(cause), None);
                }
                let due = now + backoff::delay(job.spent, backoff::UNEXPLAINED, &*self.random);
                (Fate::Again { due, spends: true, cause }, None)
            }
        }
    }

    /// Waits until there may be something to do: a change, or the next moment.
    async fn rest(&self, changes: &mut broadcast::Receiver<Change>) {
        let next = self.dispatcher().next_moment();
        let moment = async {
            match next {
                Some(moment) => self.clock.sleep_until(moment).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = moment => {}
            change = changes.recv() => {
                if matches!(change, Err(RecvError::Closed)) {
                    std::future::pending::<()>().await;
                }
                // The other receiver has all of them, and is read next.
                while changes.try_recv().is_ok() {}
            }
        }
    }

    async fn catch_up(&self) -> Result<(), StoreError> {
        loop {
            let change = self.changes.lock().expect("no one panics while listening").try_recv();
            match change {
                Ok(Change::Line(line)) => self.dispatcher().look_at(line),
                Ok(Change::Connection(connection)) => {
                    self.dispatcher().connection_changed(connection);
                }
                Ok(Change::Event(_)) => {}
                Err(TryRecvError::Lagged(_)) => self.look_at_everything().await?,
                Err(TryRecvError::Empty | TryRecvError::Closed) => return Ok(()),
            }
        }
    }

    async fn look_at_everything(&self) -> Result<(), StoreError> {
        let lines: Vec<Line> = self.store.lines().await?;
        let mut dispatcher = self.dispatcher();
        dispatcher.forget_parked();
        for line in lines {
            dispatcher.look_at(line);
        }
        Ok(())
    }

    /// Sees to a run that was over, or cut short by a panic.
    async fn ended(
        &self,
        ended: Result<(Id, ()), tokio::task::JoinError>,
        claims: &mut HashMap<Id, Taken>,
    ) {
        match ended {
            Ok((id, ())) => drop(claims.remove(&id)),
            Err(error) => {
                if let Some(taken) = claims.remove(&error.id()) {
                    tracing::error!(job.id = %taken.claim.job.id, "a job panicked");
                    let cause =
                        Cause::new("internal", "calbridge failed here; the log has the details");
                    self.settle(&taken, End::Retry(cause), None).await;
                }
            }
        }
    }

    async fn finish(&self, mut in_hand: JoinSet<()>, mut claims: HashMap<Id, Taken>) {
        let limit = self.clock.now() + self.limits.drain;
        loop {
            tokio::select! {
                ended = in_hand.join_next_with_id() => match ended {
                    Some(ended) => self.ended(ended, &mut claims).await,
                    None => return,
                },
                () = self.clock.sleep_until(limit) => break,
            }
        }
        tracing::warn!(jobs = in_hand.len(), "handing back the jobs that did not finish in time");
        in_hand.shutdown().await;
        for Taken { claim, .. } in claims.values() {
            let ran = Ran { fate: Fate::HandedBack { cause: None }, learned: None, then: None };
            if let Err(error) = self.store.settle(claim, ran, self.clock.now()).await {
                tracing::error!(error = &error as &dyn std::error::Error, "cannot hand back a job");
            }
        }
    }

    fn dispatcher(&self) -> MutexGuard<'_, Dispatcher> {
        self.dispatcher.lock().expect("no one panics while dispatching")
    }
}

fn log(claim: &Claim, fate: &Fate) {
    let job = &claim.job;
    match fate {
        Fate::Done => tracing::debug!(job.id = %job.id, job.kind = job.kind.as_str(), "job done"),
        Fate::Again { cause, due, .. } => {
            tracing::info!(job.id = %job.id, job.kind = job.kind.as_str(), cause = %cause.code, %due, "job runs again");
        }
        Fate::HandedBack { cause } => {
            let cause = cause.as_ref().map_or("stop", |cause| &cause.code);
            tracing::info!(job.id = %job.id, job.kind = job.kind.as_str(), cause, "job waits");
        }
        Fate::Dead(cause) => {
            tracing::error!(job.id = %job.id, job.kind = job.kind.as_str(), cause = %cause.code, "job given up: {}", cause.text);
        }
    }
}
