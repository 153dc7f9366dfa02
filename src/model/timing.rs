//! When an entry is: from one moment to another, or whole days.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::invalid::Invalid;
use super::when::{Dst, Moment, Span, instant_of, read_day};

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

/// The start that a series gives one of its instances: what the instance is known by, however it is
/// moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Original {
    /// Of a series of spans.
    Moment(DateTime<Utc>),
    /// Of a series of whole days.
    Day(NaiveDate),
}

/// What was typed into the members that say when an entry is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Typed<'a> {
    /// `start`: a date and a time, or a day.
    pub start: &'a str,
    /// `end`: of the same kind; of whole days the first day after, and left out for one day only.
    pub end: Option<&'a str>,
    /// `time_zone`, for times that carry no offset.
    pub time_zone: Option<&'a str>,
    /// `dst`: which moment is meant when clocks are set.
    pub dst: Option<&'a str>,
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
    /// Reads what was typed, with every fault of all members.
    pub fn read(typed: Typed<'_>) -> Result<Self, Vec<Invalid>> {
        let first = read_day("start", typed.start);
        let after = typed.end.and_then(|end| read_day("end", end));
        match (first, after, typed.end) {
            (Some(first), after, None) | (Some(first), after @ Some(_), _) => {
                whole_days(first, after, &typed)
            }
            (Some(first), None, Some(_)) => {
                let mixed = "must be a day without a time, as the start is, or give both a time";
                Err(first.err().into_iter().chain([Invalid::new("end", mixed)]).collect())
            }
            (None, Some(_), _) => {
                let mixed = "has no time, though the start has one: give both a time, or neither";
                let start = span_faults(&typed, typed.start).into_iter();
                Err(start.chain([Invalid::new("end", mixed)]).collect())
            }
            (None, None, Some(end)) => read_span(&typed, end).map(Self::Span),
            (None, None, None) => {
                let missing = "is required, unless the start is a day without a time";
                let start = span_faults(&typed, typed.start).into_iter();
                Err(start.chain([Invalid::new("end", missing)]).collect())
            }
        }
    }

    /// When it begins; whole days begin when the first clock on Earth shows them.
    pub fn starts(&self) -> DateTime<Utc> {
        match self {
            Self::Span(span) => span.start().instant(),
            Self::Days(days) => days.first.and_time(NaiveTime::MIN).and_utc() - FIRST_CLOCK,
        }
    }

    /// When it begins; whole days begin at midnight in the zone, or in UTC.
    pub fn begins_in(&self, zone: Option<Tz>) -> DateTime<Utc> {
        match self {
            Self::Span(span) => span.start().instant(),
            Self::Days(days) => midnight(days.first, zone),
        }
    }

    /// When it ends; whole days end at midnight in the zone, or in UTC.
    pub fn ends_in(&self, zone: Option<Tz>) -> DateTime<Utc> {
        match self {
            Self::Span(span) => span.end().instant(),
            Self::Days(days) => midnight(days.after, zone),
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

impl Original {
    /// Reads a start of a series whose first occurrence is at `timing`: as it would be typed for the
    /// series, or in the basic form.
    pub fn read(raw: &str, timing: &Timing) -> Result<Self, Invalid> {
        let read = match (raw.parse::<Self>(), timing) {
            (Ok(original), _) => Ok(original),
            (Err(_), Timing::Days(_)) => read_day("instance", raw)
                .unwrap_or_else(|| {
                    Err(Invalid::new("instance", "must be a day such as `2025-10-30`"))
                })
                .map(Self::Day),
            (Err(_), Timing::Span(span)) => {
                let zone = span.start().zone().map(|zone| ("instance", zone.name()));
                Moment::read("instance", raw, zone, Dst::default())
                    .map(|moment| Self::Moment(moment.instant()))
            }
        }?;
        match (read, timing) {
            (Self::Day(_), Timing::Days(_)) | (Self::Moment(_), Timing::Span(_)) => Ok(read),
            (_, Timing::Days(_)) => {
                Err(Invalid::new("instance", "must be a day, as the series has"))
            }
            (_, Timing::Span(_)) => {
                Err(Invalid::new("instance", "must have a time, as the series has"))
            }
        }
    }

    /// The moment at which the first clock on Earth may show it.
    pub fn starts(&self) -> DateTime<Utc> {
        match self {
            Self::Moment(moment) => *moment,
            Self::Day(day) => day.and_time(NaiveTime::MIN).and_utc() - FIRST_CLOCK,
        }
    }
}

/// In the basic form of ISO 8601, which is also what Google puts behind its series' id.
impl fmt::Display for Original {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Moment(moment) => write!(out, "{}", moment.format("%Y%m%dT%H%M%SZ")),
            Self::Day(day) => write!(out, "{}", day.format("%Y%m%d")),
        }
    }
}

impl FromStr for Original {
    type Err = Invalid;

    fn from_str(written: &str) -> Result<Self, Invalid> {
        let day = || NaiveDate::parse_from_str(written, "%Y%m%d").map(Self::Day);
        NaiveDateTime::parse_from_str(written, "%Y%m%dT%H%M%SZ")
            .map(|moment| Self::Moment(moment.and_utc()))
            .or_else(|_| day())
            .map_err(|_| Invalid::new("instance", "a start as in `20251030T140000Z` or `20251030`"))
    }
}

/// When a day begins in the zone, or in UTC: where clocks skip midnight, when they do.
fn midnight(day: NaiveDate, zone: Option<Tz>) -> DateTime<Utc> {
    instant_of(day.and_time(NaiveTime::MIN), zone.unwrap_or(Tz::UTC))
}

/// Days as read, with every fault.
fn whole_days(
    first: Result<NaiveDate, Invalid>,
    after: Option<Result<NaiveDate, Invalid>>,
    typed: &Typed<'_>,
) -> Result<Timing, Vec<Invalid>> {
    let useless = [("time_zone", typed.time_zone), ("dst", typed.dst)];
    let mut faults: Vec<Invalid> = useless
        .into_iter()
        .filter(|(_, given)| given.is_some())
        .map(|(field, _)| Invalid::new(field, "means nothing to whole days: leave it out"))
        .collect();
    let after = after.or_else(|| {
        let next = first.as_ref().ok()?.succ_opt()?;
        Some(Ok(next))
    });
    match (first, after) {
        (Ok(first), Some(Ok(after))) => match Days::new(first, after) {
            Ok(days) if faults.is_empty() => return Ok(Timing::Days(days)),
            Ok(_) => {}
            Err(fault) => faults.push(fault),
        },
        (first, after) => {
            faults.extend(first.err());
            faults.extend(after.and_then(Result::err));
        }
    }
    Err(faults)
}

/// From the start to `end`, with every fault of both.
fn read_span(typed: &Typed<'_>, end: &str) -> Result<Span, Vec<Invalid>> {
    let (dst, fault) = read_dst(typed);
    let zone = typed.time_zone.map(|zone| ("time_zone", zone));
    let span = match (
        Moment::read("start", typed.start, zone, dst),
        Moment::read("end", end, zone, dst),
    ) {
        (Ok(start), Ok(end)) => Span::new(start, end).map_err(|invalid| vec![invalid]),
        // The zone is the same fault of both.
        (Err(one), Err(other)) if one.field == other.field => Err(vec![one]),
        (one, other) => Err(one.err().into_iter().chain(other.err()).collect()),
    };
    match (span, fault) {
        (Ok(span), None) => Ok(span),
        (span, fault) => Err(span.err().into_iter().flatten().chain(fault).collect()),
    }
}

/// What is wrong with a start that has a time, whatever the end.
fn span_faults(typed: &Typed<'_>, start: &str) -> Vec<Invalid> {
    let (dst, fault) = read_dst(typed);
    let zone = typed.time_zone.map(|zone| ("time_zone", zone));
    let start = Moment::read("start", start, zone, dst);
    start.err().into_iter().chain(fault).collect()
}

/// The choice, and what is wrong with it.
fn read_dst(typed: &Typed<'_>) -> (Dst, Option<Invalid>) {
    match typed.dst.map_or(Ok(Dst::default()), str::parse) {
        Ok(dst) => (dst, None),
        Err(fault) => (Dst::default(), Some(fault)),
    }
}
