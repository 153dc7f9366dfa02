//! Where calls wait until there is room for them: one gate for each payer, and one for the project.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use super::factor::{Factor, WHOLE};
use super::minute::Minute;
use super::pace::{Bucket, CELLS, Ticking};
use super::{Allowance, Held, Used};

/// Whoever is held for longer than this is told so, and comes back; nobody waits for hours with a
/// job in hand.
const PATIENCE: Duration = Duration::from_secs(5);
/// Where the calls under way alone fill Google's minute, it is looked at again after so long.
const ANSWERED_SOON: Duration = Duration::from_secs(1);

pub(super) struct Gate {
    allowance: Allowance,
    ticking: Ticking,
    bucket: Bucket,
    /// First come, first served.
    turn: tokio::sync::Mutex<()>,
    /// Units that wait for their turn.
    waiting: AtomicU64,
    standing: Mutex<Standing>,
}

struct Standing {
    factor: Factor,
    /// What calls weigh that are under way …
    under_way: u64,
    /// … and those that came to an end. A call reaches Google some time between its sending and its
    /// answer, so Google may count it until a minute after that.
    over: Minute,
    /// What Google took of it.
    taken: Minute,
    /// Google asked for quiet until then.
    held: Duration,
}

/// Counts what waits at a gate for as long as it waits.
struct Waiting<'a>(&'a Gate, u64);

impl<'a> Waiting<'a> {
    fn at(gate: &'a Gate, units: u64) -> Self {
        gate.waiting.fetch_add(units, Ordering::Relaxed);
        Self(gate, units)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(self.1, Ordering::Relaxed);
    }
}

impl Gate {
    /// A gate whose burst has been spent, as whoever was here before may have done.
    pub(super) fn after_others(allowance: Allowance, ticking: &Ticking) -> Self {
        Self::with(Bucket::empty(allowance, ticking), allowance, ticking)
    }

    /// A gate that nobody has gone through lately.
    pub(super) fn rested(allowance: Allowance, ticking: &Ticking) -> Self {
        Self::with(Bucket::full(allowance, ticking), allowance, ticking)
    }

    fn with(bucket: Bucket, allowance: Allowance, ticking: &Ticking) -> Self {
        Self {
            allowance,
            ticking: ticking.clone(),
            bucket,
            turn: tokio::sync::Mutex::default(),
            waiting: AtomicU64::new(0),
            standing: Mutex::new(Standing {
                factor: Factor::whole(),
                under_way: 0,
                over: Minute::default(),
                taken: Minute::default(),
                held: Duration::ZERO,
            }),
        }
    }

    /// Goes through with `units`, each of which costs `share` times as much as it would alone, and
    /// then through `next`, before anybody else goes through here. They are under way from then on,
    /// until [`over`](Self::over) is told.
    pub(super) async fn pass(
        &self,
        units: u64,
        share: u64,
        next: impl Future<Output = Result<(), Held>>,
    ) -> Result<(), Held> {
        let waiting = Waiting::at(self, units);
        let turn = self.turn.lock().await;
        self.charge(units, share).await?;
        drop(waiting);
        next.await?;
        self.standing().under_way += units * share;
        drop(turn);
        Ok(())
    }

    /// The call that went through with `units` at this `share` is answered, or will never be.
    pub(super) fn over(&self, units: u64, share: u64) {
        let passed = self.ticking.passed();
        let mut standing = self.standing();
        standing.under_way -= units * share;
        standing.over.add(units * share, passed);
    }

    /// Waits until the bucket gives what `units` cost, and Google's minute has room for them. What is
    /// more than the bucket holds is paid in parts.
    async fn charge(&self, units: u64, share: u64) -> Result<(), Held> {
        let mut left = self.cost(units, share);
        while left > 0 {
            let held = self.held(units * share);
            if held > PATIENCE {
                return Err(Held(held));
            }
            let part = left.min(self.bucket.most());
            let wait = match held {
                Duration::ZERO => match self.bucket.take(part) {
                    Ok(()) => {
                        left -= part;
                        continue;
                    }
                    Err(wait) => wait,
                },
                held => held,
            };
            self.ticking.sleep(wait).await;
        }
        Ok(())
    }

    /// After what wait one more unit could go through, behind all that wait.
    pub(super) fn wait(&self, share: u64) -> Duration {
        let units = self.waiting.load(Ordering::Relaxed) + 1;
        self.held(units * share).max(self.bucket.wait(self.cost(units, share)))
    }

    /// Google took `units`.
    pub(super) fn taken(&self, units: u64) {
        self.standing().taken.add(units, self.ticking.passed());
    }

    /// Google said that this was too much.
    pub(super) fn slow_down(&self, share: u64) {
        let passed = self.ticking.passed();
        let mut standing = self.standing();
        let taken = standing.taken.sum(passed) * share;
        standing.factor.cut(taken, self.allowance.aim(), passed);
    }

    /// Nobody goes through for so long.
    pub(super) fn hold(&self, quiet: Duration) {
        let passed = self.ticking.passed();
        let mut standing = self.standing();
        standing.held = standing.held.max(passed + quiet);
    }

    /// How it stands, for people.
    pub(super) fn used(&self, share: u64) -> Used {
        let (passed, next) = (self.ticking.passed(), self.wait(share));
        let mut standing = self.standing();
        let limit = u64::from(self.allowance.limit.get()) / share;
        let used = standing.counted(passed) / share;
        let left = limit.saturating_sub(used);
        let waiting = self.waiting.load(Ordering::Relaxed);
        Used { limit, used, left, waiting, next, factor: standing.factor.at(passed) }
    }

    /// Whether it is as good as a rested one.
    pub(super) fn is_at_rest(&self) -> bool {
        let passed = self.ticking.passed();
        let idle = self.waiting.load(Ordering::Relaxed) == 0 && self.turn.try_lock().is_ok();
        let mut standing = self.standing();
        idle && standing.held <= passed
            && standing.counted(passed) == 0
            && standing.factor.at(passed) == WHOLE
            && self.bucket.wait(self.bucket.most()).is_zero()
    }

    /// For how long nobody goes through with what weighs so much.
    fn held(&self, weight: u64) -> Duration {
        let (passed, limit) = (self.ticking.passed(), u64::from(self.allowance.limit.get()));
        let mut standing = self.standing();
        let quiet = standing.held.saturating_sub(passed);
        // What weighs more than the limit goes through alone.
        let counted = standing.counted(passed) + weight.min(limit);
        quiet.max(match counted.saturating_sub(limit) {
            0 => Duration::ZERO,
            surplus => standing.over.until_gone(surplus, passed).unwrap_or(ANSWERED_SOON),
        })
    }

    /// What `units` cost now, in cells.
    fn cost(&self, units: u64, share: u64) -> u64 {
        let factor = self.standing().factor.at(self.ticking.passed());
        (units * share * CELLS * WHOLE).div_ceil(factor)
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().expect("no one panics at a gate")
    }
}

impl Standing {
    /// What Google may count in its minute.
    fn counted(&mut self, passed: Duration) -> u64 {
        self.under_way + self.over.sum(passed)
    }
}
