//! The one thread that writes. It gathers the steps that wait, writes them as one batch, syncs, and
//! only then answers, so that many callers share one sync and nothing is acknowledged before it is
//! on disk. Between two batches it does what is to be done while nothing is written.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use sled::Tree;
use tokio::sync::{Semaphore, oneshot, watch};

use super::head::{Head, HeadFile};
use super::ledger::{Ledger, failed};
use super::open::Layout;
use super::recall::Recall;
use super::shown::Shown;
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
/// What is done between two batches. If it fails, so has the store.
type Errand = Box<dyn FnOnce(&mut Desk) -> Result<(), StoreError> + Send>;

/// What the thread is asked for.
enum Order {
    Step(Step),
    Errand(Errand),
}

/// How sled's flush is made durable.
#[derive(Debug)]
pub(super) enum Durability {
    /// sled syncs through our function.
    Interposed,
    /// The linker took another function: we sync this handle of the `db` file after each flush.
    OwnSync(File),
}

impl Durability {
    /// The same for another `db` file.
    pub(super) fn with(&self, db_file: &Path) -> std::io::Result<Self> {
        match self {
            Self::Interposed => Ok(Self::Interposed),
            Self::OwnSync(_) => Self::own(db_file),
        }
    }

    /// Our own sync of this `db` file.
    pub(super) fn own(db_file: &Path) -> std::io::Result<Self> {
        File::options().write(true).open(db_file).map(Self::OwnSync)
    }
}

/// The way to the writing thread.
#[derive(Debug)]
pub(super) struct Committer {
    orders: Option<Sender<Order>>,
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
    pub layout: Layout,
    /// As in [`Options`](super::Options).
    pub cache: u64,
    /// As in [`Options`](super::Options).
    pub boot: Option<String>,
    pub changes: Arc<Changes>,
    pub recall: Arc<Recall>,
    pub shown: Arc<Shown>,
}

impl Committer {
    /// Starts the thread.
    pub(super) fn start(desk: Desk) -> std::io::Result<Self> {
        let (orders, waiting) = channel();
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
        Ok(Self { orders: Some(orders), door, failure, thread: Some(thread) })
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
        self.order(Order::Step(step))?;
        answered.await.map_err(|_| self.failure())?
    }

    /// Does `errand` between two batches, and answers once it is done. If it fails, so has the store.
    pub(super) async fn between_batches<T: Send + 'static>(
        &self,
        errand: impl FnOnce(&mut Desk) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.check()?;
        let (answer, answered) = oneshot::channel();
        let errand: Errand = Box::new(move |desk| {
            let done = errand(desk)?;
            let _ = answer.send(done);
            Ok(())
        });
        self.order(Order::Errand(errand))?;
        answered.await.map_err(|_| self.failure())
    }

    fn order(&self, order: Order) -> Result<(), StoreError> {
        let orders = self.orders.as_ref().ok_or_else(closed)?;
        orders.send(order).map_err(|_| self.failure())
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
        self.orders = None;
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
    fn work(&mut self, waiting: &Receiver<Order>) -> Result<(), StoreError> {
        loop {
            let order = if self.head.head == self.head.synced {
                waiting.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                waiting.recv_timeout(SYNC_HEAD_AFTER)
            };
            match order {
                Ok(Order::Step(first)) => {
                    if let Some(errand) = self.batch(first, waiting)? {
                        errand(self)?;
                    }
                }
                Ok(Order::Errand(errand)) => errand(self)?,
                Err(RecvTimeoutError::Timeout) => self.head.sync().map_err(head_failed)?,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    /// Writes a batch. Returns the errand that came after its last step, if one did.
    fn batch(
        &mut self,
        first: Step,
        waiting: &Receiver<Order>,
    ) -> Result<Option<Errand>, StoreError> {
        let mut answers = vec![first(&mut self.ledger)];
        let mut errand = None;
        while answers.len() < MOST_STEPS
            && self.ledger.bytes() < MOST_BYTES
            && let Ok(order) = waiting.try_recv()
        {
            match order {
                Order::Step(step) => answers.push(step(&mut self.ledger)),
                Order::Errand(next) => {
                    errand = Some(next);
                    break;
                }
            }
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
        self.note_head()?;
        Ok(errand)
    }

    /// Writes down how far the store is. It is on disk already: the head is never ahead.
    fn note_head(&mut self) -> Result<(), StoreError> {
        let sequence = self.ledger.sequence();
        if sequence == self.head.head.sequence {
            return Ok(());
        }
        let db_bytes = length(&self.layout.db)?;
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
pub(super) fn head_failed(error: std::io::Error) -> StoreError {
    StoreError::Failed(format!("store.head: {error}"))
}

pub(super) fn length(db_file: &Path) -> Result<u64, StoreError> {
    let found = std::fs::metadata(db_file);
    found.map(|found| found.len()).map_err(|error| StoreError::Failed(format!("store/db: {error}")))
}
