//! How many calls a day has seen. Google counts days by the Pacific clock (Calendar API, "Manage
//! quotas").

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::America::Los_Angeles;

/// Counts calls by day, until somebody writes them down.
#[derive(Debug, Default)]
pub(super) struct Days {
    uncounted: BTreeMap<NaiveDate, u64>,
    /// The newest day that was written down, and its calls in all.
    counted: Option<(NaiveDate, u64)>,
    /// The day that was warned about.
    warned: Option<NaiveDate>,
}

impl Days {
    /// Counts `calls` on `day`.
    pub(super) fn add(&mut self, day: NaiveDate, calls: u64) {
        if calls > 0 {
            *self.uncounted.entry(day).or_default() += calls;
        }
    }

    /// Hands out what was not written down yet, the oldest day first.
    pub(super) fn take(&mut self, today: NaiveDate) -> (NaiveDate, u64) {
        self.uncounted.pop_first().unwrap_or((today, 0))
    }

    /// `day` has `total` calls by now, written down.
    pub(super) fn counted(&mut self, day: NaiveDate, total: u64) {
        if self.counted.is_none_or(|(newest, _)| newest <= day) {
            self.counted = Some((day, total));
        }
    }

    /// The calls of `day`, as far as is known here.
    pub(super) fn calls(&self, day: NaiveDate) -> u64 {
        let counted = self.counted.filter(|(counted, _)| *counted == day);
        let uncounted = self.uncounted.get(&day).copied().unwrap_or_default();
        counted.map_or(0, |(_, calls)| calls) + uncounted
    }

    /// Whether it is to be told now that `day` has reached `threshold`: once a day.
    pub(super) fn warns(&mut self, day: NaiveDate, threshold: u64) -> bool {
        let warns = self.calls(day) >= threshold && self.warned.is_none_or(|warned| warned < day);
        if warns {
            self.warned = Some(day);
        }
        warns
    }
}

/// Google's day at `now`.
pub(super) fn day_of(now: DateTime<Utc>) -> NaiveDate {
    now.with_timezone(&Los_Angeles).date_naive()
}

/// How long Google's day at `now` still lasts.
pub(super) fn rest_of_day(now: DateTime<Utc>) -> TimeDelta {
    let tomorrow = day_of(now) + TimeDelta::days(1);
    let midnight = tomorrow.and_hms_opt(0, 0, 0).expect("midnight is a time");
    // No Pacific midnight was ever skipped; if one is, an hour is as good a guess as any.
    midnight
        .and_local_timezone(Los_Angeles)
        .earliest()
        .map_or(TimeDelta::hours(1), |midnight| midnight.to_utc() - now)
}
