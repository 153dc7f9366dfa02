//! How much of its quota somebody spends while Google wants less: down fast, up slowly.
//!
//! Google counts over a sliding minute, so that what is too much shows up to a minute late. Whoever
//! only goes down and up overshoots for that minute, again and again. So a factor that was cut more
//! than twice remembers at how much Google said no, stays a little below that for two minutes, and
//! only then feels its way up.

use std::time::Duration;

/// All of the quota: a factor is told in thousandths.
pub(super) const WHOLE: u64 = 1_000;
/// It never goes lower, so that it is seen when Google allows more.
const LEAST: u64 = 50;
/// What an error leaves of it.
const CUT: u64 = 700;
/// Errors that are closer together than this are one.
const ONE_ERROR: Duration = Duration::from_secs(1);
/// What a second without an error gives back.
const GROWTH: u64 = 20;
/// One or two errors may have had any reason.
const BELIEVED: u32 = 3;
/// For how long what the errors taught is believed.
const BELIEF: Duration = Duration::from_mins(2);
/// How much of what Google took in the minute before an error is taken to be safe.
const SAFE: u64 = 920;

/// The part of a quota that is spent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Factor {
    /// What it was at `since`.
    value: u64,
    /// When the last error came.
    since: Duration,
    /// When it was last cut, and how often since it was whole.
    cut: Duration,
    cuts: u32,
    /// What was safe at the last error.
    ceiling: u64,
}

impl Factor {
    /// All of the quota.
    pub(super) fn whole() -> Self {
        let never = Duration::ZERO;
        Self { value: WHOLE, since: never, cut: never, cuts: 0, ceiling: WHOLE }
    }

    /// Its value at `passed`, from [`LEAST`] to [`WHOLE`].
    pub(super) fn at(&self, passed: Duration) -> u64 {
        let clean = passed.saturating_sub(self.since);
        let believed = (self.value + growth(clean.min(BELIEF))).min(self.ceiling.max(self.value));
        (believed + growth(clean.saturating_sub(BELIEF))).min(WHOLE)
    }

    /// Google said no. In the minute before it took `taken` of `aim` units.
    pub(super) fn cut(&mut self, taken: u64, aim: u64, passed: Duration) {
        self.value = self.at(passed);
        self.since = passed;
        if self.value == WHOLE {
            self.cuts = 0;
        }
        if self.cuts == 0 || self.cut + ONE_ERROR <= passed {
            self.value = (self.value * CUT / WHOLE).max(LEAST);
            self.cut = passed;
            self.cuts += 1;
        }
        self.ceiling = match self.cuts {
            BELIEVED.. => (taken * SAFE / aim).clamp(LEAST, WHOLE),
            _ => WHOLE,
        };
    }
}

/// What so much time without an error gives back, by whole seconds: no part of one was clean to its
/// end.
fn growth(time: Duration) -> u64 {
    GROWTH.saturating_mul(time.as_secs()).min(WHOLE)
}
