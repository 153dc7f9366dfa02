//! A moment at which somebody is told of something.

use std::collections::BTreeSet;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::invalid::Invalid;
use super::recurrence::Recurrence;
use super::timing::Timing;
use super::when::{Dst, Moment, Span};

/// The entry of a reminder in a calendar takes so long.
const LENGTH: TimeDelta = TimeDelta::minutes(15);
/// A series rings for what is no longer past than this when it is made or changed.
const GRACE: TimeDelta = TimeDelta::minutes(1);

/// A moment at which somebody is told: personal, and therefore sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reminder {
    /// What it reminds of.
    pub title: String,
    /// More about it; empty for nothing.
    pub text: String,
    /// When it comes due.
    pub when: When,
    /// How whoever is reminded is told.
    pub ways: BTreeSet<Way>,
    /// The addresses that its mail goes to.
    pub to: Vec<String>,
    /// Whether its mail tells what the owner's next day holds.
    pub digest: bool,
    /// Whether its entry in the calendar has a Meet link.
    pub meet: Option<bool>,
    /// Google's id of the calendar that its entry goes to.
    pub calendar: Option<String>,
    /// Until when its last occurrence was put off.
    pub snoozed: Option<DateTime<Utc>>,
    /// The occurrence that rings: it came due, and was neither put off nor dismissed since.
    pub ringing: Option<DateTime<Utc>>,
    /// The latest occurrence that was dealt with; none up to it ever rings again, whatever clocks say.
    pub dealt: Option<DateTime<Utc>>,
    /// Whether nobody wants to hear of what is left of it.
    pub dismissed: bool,
    /// How many events it had so far, which the next one's name is made of.
    pub events: u32,
}

/// When a reminder comes due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// At a moment of its own, where its entry in the calendar begins, and maybe again.
    At {
        /// The entry's first occurrence.
        first: Timing,
        /// How it recurs.
        recurrence: Option<Recurrence>,
    },
    /// Before what it belongs to.
    Before {
        /// So many minutes.
        minutes: u32,
        /// Where whole days begin at midnight; in UTC if it is not said.
        zone: Option<Tz>,
    },
}

/// How whoever is reminded is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// By a mail.
    Mail,
    /// By an entry in their calendar, which Google tells of.
    Google,
}

impl Reminder {
    /// It is put to new moments: what was dealt with before is no longer what it is about.
    pub fn begin(&mut self, now: DateTime<Utc>) {
        self.dealt = self.is_series().then(|| now - GRACE);
        self.snoozed = None;
        self.ringing = None;
        self.dismissed = false;
    }

    /// Whether it comes due again and again at moments of its own.
    pub fn is_series(&self) -> bool {
        matches!(self.when, When::At { recurrence: Some(_), .. })
    }

    /// Up to this occurrence, nothing of it rings any more.
    pub fn deal(&mut self, occurrence: DateTime<Utc>) {
        self.dealt = self.dealt.max(Some(occurrence));
    }
}

impl When {
    /// The most minutes before, which is four weeks: Google has no more either.
    pub const MOST_MINUTES: u32 = 40_320;

    /// Reads a moment of its own, and how it recurs, as they were typed.
    pub fn at(
        at: &str,
        time_zone: Option<&str>,
        dst: Option<&str>,
        recurrence: Option<&[String]>,
    ) -> Result<Self, Vec<Invalid>> {
        let named = |fault: Invalid| match &*fault.field {
            "start" => Invalid { field: "at".into(), ..fault },
            _ => fault,
        };
        let dst = dst.map_or(Ok(Dst::Compatible), str::parse).map_err(|fault| vec![fault])?;
        let zone = time_zone.map(|zone| ("time_zone", zone));
        let start = Moment::read("at", at, zone, dst).map_err(|fault| vec![fault])?;
        let first = entry(start).map_err(|fault| vec![named(fault)])?;
        let read = |lines| Recurrence::read(lines, &first);
        let recurrence = recurrence.map(read).transpose().map_err(|fault| vec![named(fault)])?;
        Ok(Self::At { first, recurrence })
    }

    /// So many minutes before.
    pub fn before(minutes: u32, zone: Option<Tz>) -> Result<Self, Invalid> {
        if minutes > Self::MOST_MINUTES {
            return Err(Invalid::new("minutes_before", "0 to 40,320, which is four weeks"));
        }
        Ok(Self::Before { minutes, zone })
    }
}

/// The entry that begins at this moment.
pub fn entry(start: Moment) -> Result<Timing, Invalid> {
    let ends = start.instant() + LENGTH;
    let end = match start.zone() {
        Some(zone) => Moment::at(ends, zone),
        None => Moment::from_parts(ends, start.wall() + LENGTH, None)?,
    };
    Span::new(start, end).map(Timing::Span)
}

impl Way {
    /// Every way there is.
    pub const ALL: [Self; 2] = [Self::Mail, Self::Google];

    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Google => "google",
        }
    }
}

impl FromStr for Way {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        let chosen = Self::ALL.into_iter().find(|way| way.as_str() == name);
        chosen.ok_or_else(|| Invalid::new("deliver", "`mail` or `google`"))
    }
}
