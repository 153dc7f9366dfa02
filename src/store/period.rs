//! What recurs, as stores keep it, and the grid that its turns lie on.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::StoreError;

/// A day's tally is kept for so many days.
const TALLY_DAYS: TimeDelta = TimeDelta::days(40);

/// What recurs.
#[async_trait]
pub trait PeriodStore {
    /// Takes the turn of `name`, which comes every `every`, if it is due at `now`: of several callers
    /// one gets it. The first turn ever is due at once; the next ones lie on its grid, however late
    /// one is taken. A next turn that is further off than two periods belongs to another period, or
    /// to a clock that was set back: it is due at once too, and a grid begins anew.
    async fn take_turn(
        &self,
        name: &str,
        every: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Turn, StoreError>;

    /// Adds calls to a day's tally and returns what it is then.
    async fn tally(&self, day: NaiveDate, calls: u64) -> Result<u64, StoreError>;
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// This caller's.
    Due {
        /// The newest moment of the grid.
        at: DateTime<Utc>,
        /// How many moments before it nobody took.
        missed: u64,
    },
    /// Nobody's before this moment.
    NotBefore(DateTime<Utc>),
}

impl Turn {
    /// The turn at `now` where the next was to come at `next`, and when the one after it comes.
    pub(super) fn take(
        next: Option<DateTime<Utc>>,
        every: TimeDelta,
        now: DateTime<Utc>,
    ) -> (Self, DateTime<Utc>) {
        // In whole milliseconds, and at least one: a period of nothing would come infinitely often.
        let every = TimeDelta::milliseconds(every.num_milliseconds().max(1));
        // Clocks of two processes differ a little, and one may be set back a little between turns.
        match next.filter(|next| *next <= now + every * 2) {
            Some(next) if next > now => (Self::NotBefore(next), next),
            Some(next) => {
                let missed = (now - next).num_milliseconds() / every.num_milliseconds();
                let at = next + TimeDelta::milliseconds(missed * every.num_milliseconds());
                (Self::Due { at, missed: missed.unsigned_abs() }, at + every)
            }
            None => (Self::Due { at: now, missed: 0 }, now + every),
        }
    }
}

/// The first day whose tally is kept at `now`.
pub(super) fn first_tally(now: DateTime<Utc>) -> NaiveDate {
    (now - TALLY_DAYS).date_naive()
}
