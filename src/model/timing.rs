//! When an entry is: from one moment to another, or whole days.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

use super::invalid::Invalid;
use super::when::Span;

/// The first clock on Earth to show a day is this far ahead of UTC.
const FIRST_CLOCK: TimeDelta = TimeDelta::hours(14);
/// The last clock on Earth to show a day is this far behind UTC.
const LAST_CLOCK: TimeDelta = TimeDelta::hours(12);

/// When an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// From one moment to a later one.
    Span(Span),
    /// On whole days, wherever one is: they never pass through UTC.
    Days(Days),
}

/// Whole days, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    first: NaiveDate,
    after: NaiveDate,
}

impl Days {
    /// From `first` to the day before `after`, as RFC 5545 §3.6.1 and Google count.
    pub fn new(first: NaiveDate, after: NaiveDate) -> Result<Self, Invalid> {
        if after <= first {
            return Err(Invalid::new(
                "end",
                "must be a later day than the start: it is the first day after",
            ));
        }
        Ok(Self { first, after })
    }

    /// The first day.
    pub fn first(&self) -> NaiveDate {
        self.first
    }

    /// The first day that is none of them.
    pub fn after(&self) -> NaiveDate {
        self.after
    }
}

impl Timing {
    /// When it begins; whole days begin when the first clock on Earth shows them.
    pub fn starts(&self) -> DateTime<Utc> {
        match self {
            Self::Span(span) => span.start().instant(),
            Self::Days(days) => days.first.and_time(NaiveTime::MIN).and_utc() - FIRST_CLOCK,
        }
    }

    /// When it is over; whole days are over when the last clock on Earth has shown them.
    pub fn over(&self) -> DateTime<Utc> {
        match self {
            Self::Span(span) => span.end().instant(),
            Self::Days(days) => days.after.and_time(NaiveTime::MIN).and_utc() + LAST_CLOCK,
        }
    }
}
