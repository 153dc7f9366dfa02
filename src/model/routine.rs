//! How a task recurs, and how far it got.

use chrono::TimeDelta;

use super::invalid::Invalid;
use super::recurrence::{Occurrence, Recurrence};
use super::timing::{Original, Timing};

/// Of what was done before the series began as it is now, no more is kept.
const MOST_BEFORE: usize = 200;

/// How a task recurs, and which of its occurrences are done. They are done one after the other: the
/// occurrence at hand is the first behind the last that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routine {
    /// When it recurs.
    pub recurrence: Recurrence,
    /// Occurrences of the series as it is now that are done, in their order.
    pub done: Vec<Original>,
    /// Those that were done before the series began as it is now.
    pub before: Vec<Original>,
}

impl Routine {
    /// So many occurrences of one series are done one by one before it is begun anew: a series keeps
    /// the list of all its instances that stand apart, and its record has an end.
    pub const MOST_DONE: usize = 200;

    /// A routine of which nothing is done.
    pub fn new(recurrence: Recurrence) -> Self {
        Self { recurrence, done: Vec::new(), before: Vec::new() }
    }

    /// The occurrence at hand, where the first is at `timing`; none if all are done.
    pub fn at_hand(&self, timing: &Timing) -> Result<Option<Occurrence>, Invalid> {
        let from = self.done.last().map(|last| last.starts() + TimeDelta::seconds(1));
        Ok(self.recurrence.expand(timing, from, 1)?.pop())
    }

    /// The occurrence that was done last of the series as it is now.
    pub fn last(&self, timing: &Timing) -> Result<Option<Occurrence>, Invalid> {
        let last = self.done.last().map(|last| self.recurrence.occurrence(timing, *last));
        Ok(last.transpose()?.flatten())
    }

    /// What follows the occurrences that are done, as a series of its own, and when that begins; none
    /// if nothing follows.
    pub fn rest(&self, timing: &Timing) -> Result<Option<(Timing, Self)>, Invalid> {
        let Some(next) = self.at_hand(timing)? else { return Ok(None) };
        if self.done.is_empty() {
            return Ok(Some((*timing, self.clone())));
        }
        let split = self.recurrence.split(timing, next.original)?;
        Ok(split.map(|split| (split.first.timing, self.anew(split.after))))
    }

    /// The same task, recurring in another way from now on.
    #[must_use]
    pub fn anew(&self, recurrence: Recurrence) -> Self {
        let mut before = [&*self.before, &*self.done].concat();
        before.drain(..before.len().saturating_sub(MOST_BEFORE));
        Self { recurrence, done: Vec::new(), before }
    }
}
