//! Something to be done.

use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};

use super::category::Completion;
use super::connection::Whose;
use super::invalid::Invalid;
use super::recurrence::Recurrence;
use super::routine::Routine;
use super::timing::{Timing, Typed};
use super::when::{Dst, Moment, Span};

/// The event of a task that is due at a moment begins so long before it.
const BEFORE_DUE: TimeDelta = TimeDelta::minutes(30);

/// Something to be done: personal, and therefore sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// What is to be done.
    pub title: String,
    /// More about it, in Markdown; empty for nothing.
    pub notes: String,
    /// When; a task without has no event.
    pub dates: Option<Dates>,
    /// How it recurs, if it does: then its dates are those of its first occurrence.
    pub routine: Option<Routine>,
    /// How much it matters.
    pub priority: Priority,
    /// Through whose account its event goes, if that was said: else its doer's own.
    pub whose: Option<Whose>,
    /// Google's id of the calendar that its event goes to.
    pub calendar: Option<String>,
    /// Whether its event has a Meet link.
    pub meet: Option<bool>,
    /// What becomes of its event when it is done.
    pub completion: Option<Completion>,
    /// Since when it is done; one that recurs, since when nothing of it is left.
    pub completed: Option<DateTime<Utc>>,
    /// How many events it had so far, which the next one's name is made of.
    pub events: u32,
}

/// When a task is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dates {
    /// By the end of this; its event takes the last half hour before, or the whole day.
    Due(Timing),
    /// Throughout this.
    Planned(Timing),
}

/// How much a task matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Priority {
    /// Less than others.
    Low,
    /// As much as others.
    #[default]
    Normal,
    /// More than others.
    High,
}

impl Task {
    /// When it is to be done next: of one that recurs the occurrence at hand, or the last if all are done.
    pub fn at_hand(&self) -> Result<Option<Dates>, Invalid> {
        let (Some(dates), Some(routine)) = (self.dates, &self.routine) else {
            return Ok(self.dates);
        };
        let first = dates.timing();
        let found = match routine.at_hand(&first)? {
            None => routine.last(&first)?,
            found => found,
        };
        Ok(Some(found.map_or(dates, |occurrence| dates.at(occurrence.timing))))
    }

    /// Begins its series anew at the occurrence at hand: what is done belongs to it no longer. Says
    /// whether anything is left.
    pub fn begin_anew(&mut self) -> Result<bool, Invalid> {
        let (Some(dates), Some(routine)) = (self.dates, &self.routine) else { return Ok(true) };
        let Some((timing, rest)) = routine.rest(&dates.timing())? else { return Ok(false) };
        self.dates = Some(dates.at(timing));
        self.routine = Some(rest);
        Ok(true)
    }
}

impl Dates {
    /// Reads by when, as it was typed into `due`: a moment or a day.
    pub fn due(
        due: &str,
        time_zone: Option<&str>,
        dst: Option<&str>,
    ) -> Result<Self, Vec<Invalid>> {
        if !due.contains(['T', 't', ' ', ':']) {
            let day = Timing::read(Typed { start: due, end: None, time_zone, dst });
            let named = |fault: Invalid| match &*fault.field {
                "start" | "end" => Invalid { field: "due".into(), ..fault },
                _ => fault,
            };
            return day.map(Self::Due).map_err(|faults| faults.into_iter().map(named).collect());
        }
        let zone = time_zone.map(|zone| ("time_zone", zone));
        let dst = dst.map_or(Ok(Dst::Compatible), str::parse);
        let end = dst.and_then(|dst| Moment::read("due", due, zone, dst));
        let span = end.and_then(|end| {
            let begins = end.instant() - BEFORE_DUE;
            let start = match end.zone() {
                Some(zone) => Moment::at(begins, zone),
                None => Moment::from_parts(begins, end.wall() - BEFORE_DUE, None)?,
            };
            Span::new(start, end)
        });
        span.map(|span| Self::Due(Timing::Span(span))).map_err(|fault| vec![fault])
    }

    /// The same kind of dates, at another time.
    #[must_use]
    pub fn at(self, timing: Timing) -> Self {
        match self {
            Self::Due(_) => Self::Due(timing),
            Self::Planned(_) => Self::Planned(timing),
        }
    }

    /// How what has these dates first recurs, from its lines. They count from where its event begins.
    pub fn recurrence(&self, lines: &[String]) -> Result<Recurrence, Invalid> {
        Recurrence::read(lines, &self.timing()).map_err(|fault| match (&*fault.field, self) {
            ("start", Self::Due(_)) => Invalid { field: "due".into(), ..fault },
            _ => fault,
        })
    }

    /// When its event is.
    pub fn timing(&self) -> Timing {
        match self {
            Self::Due(timing) | Self::Planned(timing) => *timing,
        }
    }
}

impl Priority {
    /// Every choice there is.
    pub const ALL: [Self; 3] = [Self::Low, Self::Normal, Self::High];

    /// The choice's name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
        }
    }
}

impl FromStr for Priority {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        let chosen = Self::ALL.into_iter().find(|choice| choice.as_str() == name);
        chosen.ok_or_else(|| Invalid::new("priority", "`low`, `normal` or `high`"))
    }
}
