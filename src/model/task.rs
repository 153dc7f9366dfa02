//! Something to be done.

use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};

use super::category::Completion;
use super::invalid::Invalid;
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
    /// How much it matters.
    pub priority: Priority,
    /// Google's id of the calendar that its event goes to.
    pub calendar: Option<String>,
    /// Whether its event has a Meet link.
    pub meet: Option<bool>,
    /// What becomes of its event when it is done.
    pub completion: Option<Completion>,
    /// Since when it is done.
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
