//! Time as it was typed: a wall time in a zone, or an instant, and the span between two.

use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;

use super::invalid::Invalid;

/// A moment, kept as it was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    instant: DateTime<Utc>,
    wall: NaiveDateTime,
    zone: Option<Tz>,
}

/// From one moment to a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    start: Moment,
    end: Moment,
}

impl Moment {
    /// The moment on the world's clock.
    pub fn instant(&self) -> DateTime<Utc> {
        self.instant
    }

    /// What the clock on the wall shows then.
    pub fn wall(&self) -> NaiveDateTime {
        self.wall
    }

    /// The zone it was typed in; none if only an offset was.
    pub fn zone(&self) -> Option<Tz> {
        self.zone
    }
}

impl Span {
    /// From `start` to `end`, which must be later.
    pub fn new(start: Moment, end: Moment) -> Result<Self, Invalid> {
        if end.instant <= start.instant {
            return Err(Invalid::new("end", "must be later than the start"));
        }
        Ok(Self { start, end })
    }

    /// Its first moment.
    pub fn start(&self) -> &Moment {
        &self.start
    }

    /// The moment it is over.
    pub fn end(&self) -> &Moment {
        &self.end
    }
}
