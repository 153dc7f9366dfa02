//! A count that slides with the last minute.

use std::collections::VecDeque;
use std::time::Duration;

const MINUTE: u64 = 60;

/// What was counted in the last minute, by whole seconds: what is a little older may still be in.
#[derive(Debug, Default)]
pub struct Minute {
    seconds: VecDeque<(u64, u64)>,
    sum: u64,
}

impl Minute {
    /// Counts `units` at `passed`.
    pub fn add(&mut self, units: u64, passed: Duration) {
        self.forget(passed);
        self.sum += units;
        match self.seconds.back_mut() {
            Some((second, counted)) if *second == passed.as_secs() => *counted += units,
            _ => self.seconds.push_back((passed.as_secs(), units)),
        }
    }

    /// What was counted in the minute before `passed`.
    pub fn sum(&mut self, passed: Duration) -> u64 {
        self.forget(passed);
        self.sum
    }

    /// After what wait at least `units` of those counted are not in the minute any more; none if
    /// there are not so many.
    pub fn until_gone(&mut self, units: u64, passed: Duration) -> Option<Duration> {
        self.forget(passed);
        let mut gone = 0;
        let (last, _) = self.seconds.iter().find(|(_, counted)| {
            gone += counted;
            gone >= units
        })?;
        Some(Duration::from_secs(last + MINUTE + 1).saturating_sub(passed))
    }

    fn forget(&mut self, passed: Duration) {
        while let Some((second, counted)) = self.seconds.front()
            && second + MINUTE < passed.as_secs()
        {
            self.sum -= counted;
            self.seconds.pop_front();
        }
    }
}
