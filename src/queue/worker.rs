//! Takes due jobs, runs them, and writes down how each ended.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::broadcast::{self, error::RecvError, error::TryRecvError};
use tokio::sync::watch;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::backoff;
use super::dispatcher::{Begun, Caps, Dispatcher, Met, Pick};
use super::gates::Gates;
use crate::clock::Clock;
use crate::model::fill::Crew;
use crate::model::job::{Cause, Claim, End, Lane, Line, NewJob, Until};
use crate::random::Random;
use crate::store::{Change, Fate, Learned, Ran, Settled, Store, StoreError};

/// What a run says of itself.
#[derive(Clone, Debug)]
pub struct Run {
    /// How it ended.
    pub end: End,
    /// What it learned of its event.
    pub learned: Option<Learned>,
    /// Work that follows.
    pub then: Option<NewJob>,
    /// What it cost, in units of Google's quota.
    pub units: u64,
}

/// A job is given up after this many attempts that nobody could explain …
const MOST_ATTEMPTS: u32 = 25;
/// … but not before it failed for this long.
const LEAST_DAYS_OF_FAILURE: TimeDelta = TimeDelta::days(3);

/// A job that is about to run, or runs.
#[derive(Debug)]
struct Taken {
    claim: Claim,
    /// Gone once the dispatcher was told of the end.
    begun: Mutex<Option<Begun>>,
}

/// The runs that go on.
#[derive(Default)]
struct InHand {
    tasks: JoinSet<()>,
    runs: BTreeMap<Id, (Arc<Taken>, AbortHandle)>,
}

type Runner = dyn Fn(Claim) -> Pin<Box<dyn Future<Output = Run> + Send>> + Send + Sync;

/// What is done, how much of it at once, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Whose lanes: jobs that wait elsewhere are left to others.
    pub lanes: fn(Lane) -> bool,
    /// Jobs that run at once.
    pub workers: usize,
    /// Of these, jobs of one connection.
    pub per_connection: usize,
    /// Of these, jobs of one lane, at the most.
    pub per_lane: usize,
    /// How long a job is hidden from other workers while it runs.
    pub lease: TimeDelta,
    /// How long jobs in hand may go on after the stop.
    pub drain: TimeDelta,
}

/// Works off jobs of a store.
#[derive(Clone)]
pub struct Worker {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    limits: Limits,
    gates: Arc<dyn Gates>,
    dispatcher: Arc<Mutex<Dispatcher>>,
    changes: Arc<Mutex<broadcast::Receiver<Change>>>,
    /// Says when what stood before all of Google may be mended.
    mended: Arc<Mutex<watch::Receiver<u64>>>,
    runner: Arc<Runner>,
}

impl Worker {
    /// A worker that runs jobs with `runner`. It has looked at every line the store has.
    pub async fn new<F, R>(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        limits: Limits,
        gates: Arc<dyn Gates>,
        runner: F,
    ) -> Result<Self, StoreError>
    where
        F: Fn(Claim) -> R + Send + Sync + 'static,
        R: Future<Output = Run> + Send + 'static,
    {
        let changes = store.changes();
        let Limits { workers, per_connection, per_lane, .. } = limits;
        let caps = Caps { workers, per_connection, per_lane };
        let worker = Self {
            dispatcher: Arc::new(Mutex::new(Dispatcher::new(caps))),
            changes: Arc::new(Mutex::new(changes)),
            mended: Arc::new(Mutex::new(watch::Sender::new(0).subscribe())),
            runner: Arc::new(move |claim| Box::pin(runner(claim))),
            store,
            clock,
            random,
            limits,
            gates,
        };
        worker.look_at_everything().await?;
        Ok(worker)
    }

    /// The same, which tries everything anew whenever `mended` tells something.
    #[must_use]
    pub fn heeding(mut self, mended: watch::Receiver<u64>) -> Self {
        self.mended = Arc::new(Mutex::new(mended));
        self
    }

    /// Works until `stop`, then lets the jobs in hand finish, or hands them back if they take too
    /// long. One that is cut off nonetheless comes back when its lease is over.
    pub async fn run(self, stop: CancellationToken) {
        let mut in_hand = InHand::default();
        let mut changes = self.store.changes();
        let mut renewal = self.clock.now();
        loop {
            let free = self.limits.workers.saturating_sub(in_hand.tasks.len());
            let idle = in_hand.tasks.is_empty();
            if idle {
                renewal = self.clock.now() + self.limits.lease / 3;
            }
            match if free > 0 { self.next(free, free).await } else { Ok(Vec::new()) } {
                Ok(taken) if taken.is_empty() => {}
                Ok(taken) => {
                    for taken in taken {
                        in_hand.begin(&self, taken);
                    }
                    // Lets them pay for their first calls, so that the next pick sees what is left.
                    tokio::task::yield_now().await;
                    continue;
                }
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "cannot claim a job");
                }
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = in_hand.tasks.join_next_with_id(), if !idle => {
                    self.ended(ended, &mut in_hand.runs).await;
                }
                () = self.clock.sleep_until(renewal), if !idle => {
                    self.renew(&in_hand.runs).await;
                    renewal = self.clock.now() + self.limits.lease / 3;
                }
                () = self.rest(&mut changes), if free > 0 => {}
            }
        }
        self.finish(in_hand).await;
    }

    /// Does everything that is due now, one job after the other, and returns the next moment at
    /// which there may be more: for tests that hold the clock.
    pub async fn drain(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        loop {
            let next = self.next(self.limits.workers, 1).await?;
            if next.is_empty() {
                return Ok(self.dispatcher().next_moment());
            }
            for taken in next {
                self.clone().work(Arc::new(taken)).await;
            }
        }
    }

    /// Whether all of Google is taken to be out of reach.
    pub fn google_is_shut(&self) -> bool {
        self.dispatcher().google_is_shut()
    }

    /// Tells how busy it is, whenever it is asked. Holds on to nothing else of it.
    pub fn watch(&self) -> impl Fn() -> Crew + Send + Sync + use<> {
        let dispatcher = Arc::clone(&self.dispatcher);
        move || dispatcher.lock().expect("no one panics while dispatching").crew()
    }

    /// Takes up to `most` jobs of the line whose turn it is, while `free` workers have nothing to do.
    async fn next(&self, free: usize, most: usize) -> Result<Vec<Taken>, StoreError> {
        self.catch_up().await?;
        loop {
            let now = self.clock.now();
            let picked = self.dispatcher().pick(now, free, &*self.gates);
            let Some(Pick { line, most: allowed }) = picked else { return Ok(Vec::new()) };
            let until = now + self.limits.lease;
            let claimed = match self.store.claim(&line, most.min(allowed), now, until).await {
                Ok(claimed) => claimed,
                Err(error) => {
                    let later = now + backoff::delay(0, backoff::PATIENCE, &*self.random);
                    let mut dispatcher = self.dispatcher();
                    dispatcher.found_nothing(&line);
                    dispatcher.look_later(line, later);
                    return Err(error);
                }
            };
            let mut dispatcher = self.dispatcher();
            // Begun first: what is charged decides where the line comes to wait.
            let taken: Vec<Taken> = claimed
                .claims
                .into_iter()
                .map(|claim| Taken { begun: Mutex::new(Some(dispatcher.begin(&line))), claim })
                .collect();
            if taken.is_empty() {
                dispatcher.found_nothing(&line);
            }
            match claimed.next {
                Some(moment) if moment <= now => dispatcher.look_at(line),
                Some(moment) => dispatcher.look_later(line, moment),
                None => {}
            }
            if !taken.is_empty() {
                return Ok(taken);
            }
        }
    }

    /// Runs a job, and writes down how it ended.
    async fn work(self, taken: Arc<Taken>) {
        let run = (self.runner)(taken.claim.clone()).await;
        self.settle(&taken, run).await;
    }

    async fn settle(&self, taken: &Taken, run: Run) {
        let (claim, now) = (&taken.claim, self.clock.now());
        let Run { end, learned, then, units } = run;
        let (fate, met) = self.judge(claim, end, now);
        log(claim, &fate);
        // First the wall, then the word that the job is ready again: nobody shall run into it.
        self.is_over(taken, units, met, now);
        match self.store.settle(claim, Ran { fate, learned, then }, now).await {
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

    /// Tells the dispatcher, once.
    fn is_over(&self, taken: &Taken, units: u64, met: Met, now: DateTime<Utc>) {
        let begun = taken.begun.lock().expect("no one panics while taking it").take();
        if let Some(begun) = begun {
            let line = &taken.claim.job.line;
            self.dispatcher().end(line, begun, units, met, now, &*self.random);
        }
    }

    /// Prolongs the leases of what is in hand. What another worker has by now is cut short: both
    /// would do the same, and only the other may write it down.
    async fn renew(&self, runs: &BTreeMap<Id, (Arc<Taken>, AbortHandle)>) {
        let claims: Vec<Claim> = runs.values().map(|(taken, _)| taken.claim.clone()).collect();
        match self.store.renew(&claims, self.clock.now() + self.limits.lease).await {
            Ok(lost) => {
                for (taken, task) in runs.values() {
                    if lost.contains(&taken.claim.job.id) {
                        task.abort();
                    }
                }
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot renew leases");
            }
        }
    }

    fn judge(&self, claim: &Claim, end: End, now: DateTime<Utc>) -> (Fate, Met) {
        let job = &claim.job;
        match end {
            End::Done => (Fate::Done, Met::Nothing),
            End::GiveUp(cause) => (Fate::Dead(cause), Met::Nothing),
            End::Block(obstacle, cause) => {
                (Fate::HandedBack { cause: Some(cause) }, Met::Wall(obstacle))
            }
            End::Snooze(until, cause) => {
                let due = match until {
                    Until::Moment(moment) => moment,
                    Until::Backoff => {
                        now + backoff::delay(job.tries, backoff::PATIENCE, &*self.random)
                    }
                };
                (Fate::Again { due, spends: false, cause }, Met::Nothing)
            }
            End::Retry(cause) => {
                let failing_since = job.failing_since.unwrap_or(now);
                if job.spent + 1 >= MOST_ATTEMPTS && failing_since + LEAST_DAYS_OF_FAILURE <= now {
                    return (Fate::Dead(cause), Met::Nothing);
                }
                let due = now + backoff::delay(job.spent, backoff::UNEXPLAINED, &*self.random);
                (Fate::Again { due, spends: true, cause }, Met::Nothing)
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
        let mut word = self.mended.lock().expect("no one panics while listening").clone();
        let mended = async {
            if word.changed().await.is_err() {
                std::future::pending::<()>().await; // nobody is left who could say so
            }
        };
        tokio::select! {
            biased;
            () = moment => {}
            () = mended => {}
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
        if self.was_mended() {
            self.dispatcher().google_mended();
            self.look_at_everything().await?;
        }
        loop {
            let change = self.changes.lock().expect("no one panics while listening").try_recv();
            match change {
                Ok(Change::Line(line)) if (self.limits.lanes)(line.lane) => {
                    self.dispatcher().look_at(line);
                }
                Ok(Change::Connection(connection)) => {
                    self.dispatcher().connection_changed(connection);
                }
                Ok(Change::Line(_) | Change::Event(_) | Change::Audit) => {}
                Err(TryRecvError::Lagged(_)) => self.look_at_everything().await?,
                Err(TryRecvError::Empty | TryRecvError::Closed) => return Ok(()),
            }
        }
    }

    /// Whether that was said since it was last asked.
    fn was_mended(&self) -> bool {
        let mut mended = self.mended.lock().expect("no one panics while listening");
        let told = mended.has_changed().unwrap_or(false);
        mended.mark_unchanged();
        told
    }

    async fn look_at_everything(&self) -> Result<(), StoreError> {
        let lines: Vec<Line> = self.store.lines().await?;
        let mut dispatcher = self.dispatcher();
        dispatcher.forget_parked();
        for line in lines.into_iter().filter(|line| (self.limits.lanes)(line.lane)) {
            dispatcher.look_at(line);
        }
        Ok(())
    }

    /// Sees to a run that was over, or cut short by a panic or by the loss of its lease.
    async fn ended(
        &self,
        ended: Result<(Id, ()), JoinError>,
        runs: &mut BTreeMap<Id, (Arc<Taken>, AbortHandle)>,
    ) {
        let error = match ended {
            Ok((id, ())) => return drop(runs.remove(&id)),
            Err(error) => error,
        };
        let Some((taken, _)) = runs.remove(&error.id()) else { return };
        if error.is_cancelled() {
            tracing::warn!(job.id = %taken.claim.job.id, "the job's lease was lost; another worker has it");
            self.is_over(&taken, 0, Met::Unknown, self.clock.now());
        } else {
            tracing::error!(job.id = %taken.claim.job.id, "a job panicked");
            let cause = Cause::new("internal", "calbridge failed here; the log has the details");
            let end = End::Retry(cause);
            self.settle(&taken, Run { end, learned: None, then: None, units: 0 }).await;
        }
    }

    async fn finish(&self, in_hand: InHand) {
        let InHand { mut tasks, mut runs } = in_hand;
        let limit = self.clock.now() + self.limits.drain;
        loop {
            tokio::select! {
                biased;
                ended = tasks.join_next_with_id() => match ended {
                    Some(ended) => self.ended(ended, &mut runs).await,
                    None => return,
                },
                () = self.clock.sleep_until(limit) => break,
            }
        }
        tracing::warn!(jobs = tasks.len(), "handing back the jobs that did not finish in time");
        tasks.shutdown().await;
        for (taken, _) in runs.values() {
            let ran = Ran { fate: Fate::HandedBack { cause: None }, learned: None, then: None };
            if let Err(error) = self.store.settle(&taken.claim, ran, self.clock.now()).await {
                tracing::error!(error = &error as &dyn std::error::Error, "cannot hand back a job");
            }
        }
    }

    fn dispatcher(&self) -> MutexGuard<'_, Dispatcher> {
        self.dispatcher.lock().expect("no one panics while dispatching")
    }
}

impl InHand {
    fn begin(&mut self, worker: &Worker, taken: Taken) {
        let taken = Arc::new(taken);
        let task = self.tasks.spawn(worker.clone().work(Arc::clone(&taken)));
        self.runs.insert(task.id(), (taken, task));
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
