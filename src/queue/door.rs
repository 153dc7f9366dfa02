//! What a line passes on its way to a run: its lane, and its connection. Each lets through so many at
//! a time, and may be shut.

use chrono::{DateTime, TimeDelta, Utc};

use super::backoff;
use super::waiting::{Ticket, Waiting};
use crate::model::id::ConnectionId;
use crate::model::job::{Class, Lane, Until};
use crate::random::Random;

/// So many runs without trouble let a lane have one more at once.
const CLEAN: u32 = 20;
/// A lane is narrowed no more often than this: runs that were in flight together tell of one wall.
const NARROWED_EACH: TimeDelta = TimeDelta::seconds(1);

/// A door's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Way {
    /// To one lane.
    Lane(Lane),
    /// To one connection, which a calendar's lane leads to.
    Connection(ConnectionId),
}

/// A door, and who waits before it.
#[derive(Debug)]
pub(super) struct Door {
    /// Runs that are behind it.
    pub(super) running: usize,
    /// How many there may be.
    most: usize,
    /// How many there may ever be.
    widest: usize,
    /// Shut by the time.
    pub(super) shut: Shut,
    /// Shut until somebody opens it.
    pub(super) parked: bool,
    /// When it was last opened by somebody, in the count of events.
    pub(super) changed: u64,
    /// Who waits, by class.
    pub(super) waiting: [Waiting; 3],
    /// Who was let go on, by class, and may still be called back.
    pub(super) ahead: [Option<Ticket>; 3],
    /// How many there were when nothing was known.
    first: usize,
    /// Runs without trouble since the door last became wider or narrower.
    clean: u32,
    /// When it last became narrower, by the clock and in the count of events.
    narrowed: Option<(DateTime<Utc>, u64)>,
}

/// How long something stays shut, and how often in a row it was.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shut {
    pub(super) until: Option<DateTime<Utc>>,
    times: u32,
    /// When the wall was last met, in the count of events.
    since: u64,
}

impl Door {
    /// The door of a lane, whose width follows what happens behind it and is never more than `widest`.
    pub(super) fn of_lane(widest: usize) -> Self {
        Self { widest, ..Self::new(first_of(widest)) }
    }

    /// A door of a fixed width.
    pub(super) fn new(most: usize) -> Self {
        Self {
            running: 0,
            most,
            widest: most,
            shut: Shut::default(),
            parked: false,
            changed: 0,
            waiting: Default::default(),
            ahead: Default::default(),
            first: most,
            clean: 0,
            narrowed: None,
        }
    }

    /// How many more of this class may pass now.
    pub(super) fn room(&self, class: Class, now: DateTime<Utc>) -> usize {
        if self.parked || self.shut.until.is_some_and(|until| until > now) {
            return 0;
        }
        usable(self.most, class).saturating_sub(self.running)
    }

    /// How many may be behind it at once.
    pub(super) fn width(&self) -> usize {
        self.most
    }

    /// Whether there may be fewer than when nothing was known.
    pub(super) fn is_narrowed(&self) -> bool {
        self.most < self.first
    }

    pub(super) fn nobody_waits(&self) -> bool {
        self.waiting.iter().all(Waiting::is_empty)
    }

    /// Whether a new door would do as well. One that was narrowed is kept until it has recovered.
    pub(super) fn is_idle(&self) -> bool {
        self.running == 0
            && !self.parked
            && self.shut.until.is_none()
            && !self.is_narrowed()
            && self.nobody_waits()
            && self.ahead.iter().all(Option::is_none)
    }

    /// A run that began at `begun` met no wall.
    pub(super) fn was_clean(&mut self, begun: u64) {
        self.shut.open(begun);
        if self.narrowed.is_some_and(|(_, event)| event > begun) {
            return;
        }
        self.clean += 1;
        if self.clean >= CLEAN && self.most < self.widest {
            self.clean = 0;
            self.most += 1;
        }
    }

    /// A run met the lane's own wall.
    pub(super) fn narrow(&mut self, event: u64, now: DateTime<Utc>) {
        self.clean = 0;
        if self.narrowed.is_none_or(|(last, _)| last + NARROWED_EACH <= now || last > now) {
            self.narrowed = Some((now, event));
            self.most = (self.most / 2).max(1);
        }
    }
}

/// How many runs of a lane there are at once before anything is known of it. Not one: at 300 ms a call
/// that would leave two thirds of a user's quota unused.
pub(super) fn first_of(widest: usize) -> usize {
    (widest / 2).max(1)
}

/// How many of `most` places a class may have: the last is kept for what somebody waits for.
pub(super) fn usable(most: usize, class: Class) -> usize {
    if class == Class::Interactive || most <= 1 { most } else { most - 1 }
}

impl Shut {
    /// A wall was met, the `event`th event: nobody passes for a while.
    pub(super) fn shut(
        &mut self,
        until: Until,
        event: u64,
        now: DateTime<Utc>,
        random: &dyn Random,
    ) -> DateTime<Utc> {
        // Several runs may be in flight when a wall goes up; together they hit it once.
        if self.until.is_none_or(|standing| standing <= now) {
            self.times += 1;
        }
        self.since = event;
        let moment = match until {
            Until::Moment(moment) => moment,
            Until::Backoff => now + backoff::delay(self.times - 1, backoff::PATIENCE, random),
        };
        let moment = moment.max(now + TimeDelta::milliseconds(1));
        *self.until.insert(self.until.map_or(moment, |standing| standing.max(moment)))
    }

    /// Nobody passes before `moment`, which says nothing of a wall.
    pub(super) fn rest(&mut self, moment: DateTime<Utc>) {
        self.until = Some(moment);
    }

    /// A run got through that began at `begun`. One that began before the wall was met says nothing
    /// of it.
    pub(super) fn open(&mut self, begun: u64) {
        if begun >= self.since {
            *self = Self::default();
        }
    }
}
