//! The one thread that writes. It gathers the steps that wait, writes them as one batch, syncs, and
//! only then answers, so that many callers share one sync and nothing is acknowledged before it is
//! on disk.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use sled::Tree;
use tokio::sync::{Semaphore, oneshot, watch};

use super::head::{Head, HeadFile};
use super::ledger::{Ledger, failed};
use super::recall::Recall;
use super::sync;
use crate::store::{Changes, StoreError};

/// A batch takes no more steps than this,
const MOST_STEPS: usize = 512;
/// nor begins another once it has this many bytes.
const MOST_BYTES: usize = 1 << 20;
/// How many steps may wait; who brings more waits before the door.
const WAITING: usize = 4096;
/// The head file is synced after this many batches,
const SYNC_HEAD_EVERY: u64 = 256;
/// or when the store has grown by this much, so that a cut of its end is seen,
const SYNC_HEAD_EVERY_BYTES: u64 = 1 << 20;
/// or when nothing happened for this long.
const SYNC_HEAD_AFTER: Duration = Duration::from_secs(1);

/// A step, done on the ledger; what it returns tells its caller once the batch is on disk.
type Step = Box<dyn FnOnce(&mut Ledger) -> Answer + Send>;
type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// How sled's flush is made durable.
#[derive(Debug)]
pub(super) enum Durability {
    /// sled syncs through our function.
    Interposed,
    /// The linker took another function: we sync this handle of the `db` file after each flush.
    OwnSync(File),
}

/// The way to the writing thread.
#[derive(Debug)]
pub(super) struct Committer {
    steps: Option<Sender<Step>>,
    door: Arc<Semaphore>,
    failure: watch::Receiver<Option<StoreError>>,
    thread: Option<JoinHandle<Option<HeadFile>>>,
}

/// What the thread works with.
pub(super) struct Desk {
    pub tree: Tree,
    pub ledger: Ledger,
    pub durability: Durability,
    pub head: HeadFile,
    pub db_file: PathBuf,
    pub changes: Arc<Changes>,
    pub recall: Arc<Recall>,
}

impl Committer {
    /// Starts the thread.
    pub(super) fn start(desk: Desk) -> std::io::Result<Self> {
        let (steps, waiting) = channel();
        let (fail, failure) = watch::channel(None);
        let work = move || {
            let mut desk = desk;
            let ended = catch_unwind(AssertUnwindSafe(|| desk.work(&waiting)));
            let ended = ended.unwrap_or_else(|_| Err(StoreError::Failed("it panicked".into())));
            match ended {
                Ok(()) => Some(desk.head),
                Err(error) => {
                    desk.head.distrust();
                    tracing::error!(error = &error as &dyn std::error::Error, "the store stopped");
                    fail.send_replace(Some(error));
                    None
                }
            }
        };
        let thread = std::thread::Builder::new().name("committer".into()).spawn(work)?;
        let door = Arc::new(Semaphore::new(WAITING));
        Ok(Self { steps: Some(steps), door, failure, thread: Some(thread) })
    }

    /// Does `step` and answers once it is on disk.
    pub(super) async fn commit<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut Ledger) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.check()?;
        let place = Arc::clone(&self.door).acquire_owned().await.map_err(|_| closed())?;
        let (answer, answered) = oneshot::channel();
        let step: Step = Box::new(move |ledger| {
            let done = ledger.whole(step);
            Box::new(move |written| {
                drop(place);
                // An error means that the caller no longer waits.
                let _ = answer.send(written.and(done));
            })
        });
        let steps = self.steps.as_ref().ok_or_else(closed)?;
        steps.send(step).map_err(|_| self.failure())?;
        answered.await.map_err(|_| self.failure())?
    }

    /// Refuses once anything failed.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.failure.borrow().clone().map_or(Ok(()), Err)
    }

    /// Returns once anything failed, and says what.
    pub(super) async fn failed(&self) -> StoreError {
        let mut failure = self.failure.clone();
        match failure.wait_for(Option::is_some).await {
            Ok(failure) => failure.clone().unwrap_or_else(closed),
            // The thread ended without a failure: it was closed, and will never fail.
            Err(_) => std::future::pending().await,
        }
    }

    /// Lets the thread finish what waits, and ends it. Returns the head file, if nothing
    /// failed.
    pub(super) fn stop(&mut self) -> Option<HeadFile> {
        self.steps = None;
        self.thread.take()?.join().ok().flatten()
    }

    fn failure(&self) -> StoreError {
        self.failure.borrow().clone().unwrap_or_else(closed)
    }
}

fn closed() -> StoreError {
    StoreError::Failed("it is closed".to_owned())
}

impl Desk {
    /// Works until nobody can bring more, or anything fails.
    fn work(&mut self, waiting: &Receiver<Step>) -> Result<(), StoreError> {
        loop {
            let first = if self.head.head == self.head.synced {
                waiting.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                waiting.recv_timeout(SYNC_HEAD_AFTER)
            };
            match first {
                Ok(first) => self.batch(first, waiting)?,
                Err(RecvTimeoutError::Timeout) => self.head.sync().map_err(head_failed)?,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    fn batch(&mut self, first: Step, waiting: &Receiver<Step>) -> Result<(), StoreError> {
        let mut answers = vec![first(&mut self.ledger)];
        while answers.len() < MOST_STEPS
            && self.ledger.bytes() < MOST_BYTES
            && let Ok(step) = waiting.try_recv()
        {
            answers.push(step(&mut self.ledger));
        }
        let written = self.write();
        if written.is_ok() {
            if self.ledger.take_recalled() {
                self.recall.clear();
            }
            // Before the answers: whoever begins to listen after one hears of nothing older.
            self.changes.tell(self.ledger.take_told());
        }
        for answer in answers {
            answer(written.clone());
        }
        written?;
        self.note_head()
    }

    /// Writes down how far the store is. It is on disk already: the head is never ahead.
    fn note_head(&mut self) -> Result<(), StoreError> {
        let sequence = self.ledger.sequence();
        if sequence == self.head.head.sequence {
            return Ok(());
        }
        let db_bytes = length(&self.db_file)?;
        let head = Head { sequence, db_bytes, ..self.head.head };
        self.head.note(head).map_err(head_failed)?;
        let synced = self.head.synced;
        if sequence >= synced.sequence + SYNC_HEAD_EVERY
            || db_bytes >= synced.db_bytes + SYNC_HEAD_EVERY_BYTES
        {
            self.head.sync().map_err(head_failed)?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), StoreError> {
        let Some(batch) = self.ledger.take_batch()? else { return Ok(()) };
        self.tree.apply_batch(batch).map_err(failed)?;
        flush(&self.tree, &self.durability)
    }
}

/// Makes everything written to the tree durable.
pub(super) fn flush(tree: &Tree, durability: &Durability) -> Result<(), StoreError> {
    tree.flush().map_err(failed)?;
    if let Durability::OwnSync(db) = durability {
        db.sync_data().map_err(|error| StoreError::Failed(format!("sync: {error}")))?;
    }
    // sled's own thread syncs too, and only logs when that fails.
    if sync::failures() > 0 {
        return Err(StoreError::Failed("a sync failed".to_owned()));
    }
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
fn head_failed(error: std::io::Error) -> StoreError {
    StoreError::Failed(format!("store.head: {error}"))
}

fn length(db_file: &Path) -> Result<u64, StoreError> {
    let found = std::fs::metadata(db_file);
    found.map(|found| found.len()).map_err(|error| StoreError::Failed(format!("store/db: {error}")))
}
