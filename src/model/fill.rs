//! How full something is that has a limit.

/// How much of a limit is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// The most there may be.
    pub limit: u64,
    /// What there is.
    pub used: u64,
}

impl Fill {
    /// What is left of the limit.
    pub fn left(self) -> u64 {
        self.limit.saturating_sub(self.used)
    }
}

/// How busy those are who work jobs off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crew {
    /// Jobs that run.
    pub workers: Fill,
    /// Jobs that run of one connection, of the one that has most of them.
    pub connection: Fill,
    /// Jobs that run of one calendar, of the one that has most of them.
    pub calendar: Fill,
    /// How many may run at present of the calendar that may have most, of those that have any.
    pub widest: u64,
    /// Calendars of which fewer may run than of one that nothing is known of.
    pub narrowed: u64,
}
