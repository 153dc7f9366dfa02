//! When a recurring event happens: RRULE, EXRULE, RDATE and EXDATE lines over a start, as RFC 5545
//! has it, in the wall time of a zone.
//!
//! The start itself always counts, named by the rule or not, unless it is excluded: so Google does.

use std::collections::BTreeSet;
use std::collections::btree_set::Range;
use std::iter::Peekable;

use chrono::{
    DateTime, Datelike, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta,
    TimeZone, Utc,
};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::recurrence_rule::Rule;
use super::recurrence_walk::Walk;

/// No occurrence lies behind the end of this year.
pub(super) const LAST_YEAR: i32 = 9999;

/// A line that says nothing Google would take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadRule;

/// When the first occurrence begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Start {
    /// A whole day. Its occurrences are the midnights of days in UTC.
    Day(NaiveDate),
    Wall(NaiveDateTime, Tz),
}

impl Start {
    pub(super) fn day(&self) -> NaiveDate {
        self.wall().date()
    }

    pub(super) fn wall(&self) -> NaiveDateTime {
        match self {
            Self::Day(day) => day.and_time(NaiveTime::MIN),
            Self::Wall(wall, _) => *wall,
        }
    }

    /// When the clocks of the start's zone show `wall`.
    pub(super) fn moment(&self, wall: NaiveDateTime) -> DateTime<Utc> {
        match self {
            Self::Day(_) => wall.and_utc(),
            Self::Wall(_, zone) => moment(wall, *zone),
        }
    }
}

/// When the clocks of `zone` show `wall`: of two moments the first; a time that is left out in a
/// gap counts by the offset before the gap (RFC 5545 §3.3.5).
pub(super) fn moment(wall: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    match zone.from_local_datetime(&wall) {
        LocalResult::Single(moment) | LocalResult::Ambiguous(moment, _) => moment.to_utc(),
        LocalResult::None => {
            // Read as UTC and set back by more than any zone is ahead, it is before the gap: also
            // where a whole day was left out, as in the Pacific.
            let before = wall - TimeDelta::hours(16);
            let offset = zone.offset_from_utc_datetime(&before).fix();
            (wall - offset).and_utc()
        }
    }
}

/// A date or a time as iCalendar writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Day(NaiveDate),
    Wall(NaiveDateTime),
    Moment(DateTime<Utc>),
}

impl Value {
    pub(super) fn read(text: &str) -> Result<Self, BadRule> {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let day = |text: &str| {
            let day = NaiveDate::parse_from_str(text, "%Y%m%d").map_err(|_| BadRule)?;
            if text.len() == 8 && digits(text) && day.year() > 0 { Ok(day) } else { Err(BadRule) }
        };
        let Some((date, time)) = text.split_once(['T', 't']) else {
            return day(text).map(Self::Day);
        };
        let utc = time.strip_suffix(['Z', 'z']);
        let time = utc.unwrap_or(time);
        if time.len() != 6 || !digits(time) {
            return Err(BadRule);
        }
        let time = NaiveTime::parse_from_str(time, "%H%M%S").map_err(|_| BadRule)?;
        let wall = day(date)?.and_time(time);
        Ok(if utc.is_some() { Self::Moment(wall.and_utc()) } else { Self::Wall(wall) })
    }
}

/// A series.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Recurrence {
    start: Start,
    rules: Vec<Rule>,
    rules_out: Vec<Rule>,
    dates: BTreeSet<DateTime<Utc>>,
    dates_out: BTreeSet<DateTime<Utc>>,
}

impl Recurrence {
    /// Reads the lines of an event's `recurrence`.
    pub(super) fn read<'a>(
        lines: impl IntoIterator<Item = &'a str>,
        start: Start,
    ) -> Result<Self, BadRule> {
        if !(1..=LAST_YEAR).contains(&start.day().year()) {
            return Err(BadRule);
        }
        let mut series = Self {
            start,
            rules: Vec::new(),
            rules_out: Vec::new(),
            dates: BTreeSet::from([start.moment(start.wall())]),
            dates_out: BTreeSet::new(),
        };
        for line in lines {
            let (head, text) = line.split_once(':').ok_or(BadRule)?;
            let (name, parameters) = match head.split_once(';') {
                Some((name, parameters)) => (name, Some(parameters)),
                None => (head, None),
            };
            match (name.to_ascii_uppercase().as_str(), parameters) {
                ("RRULE", None) => series.rules.push(Rule::read(text, &start)?),
                ("EXRULE", None) => series.rules_out.push(Rule::read(text, &start)?),
                ("RDATE", parameters) => {
                    for date in dates(parameters, text, &start)? {
                        series.dates.insert(date.ok_or(BadRule)?);
                    }
                }
                ("EXDATE", parameters) => {
                    series.dates_out.extend(dates(parameters, text, &start)?.into_iter().flatten());
                }
                _ => return Err(BadRule),
            }
        }
        Ok(series)
    }

    /// Its occurrences from `from` on and before `until`, in order, each once.
    pub(super) fn between(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Occurrences<'_> {
        // A wall time is within a day of the moment it names, a gap's included.
        let days = TimeDelta::days(2);
        let day = |moment: Option<DateTime<Utc>>, end: NaiveDate| {
            moment.map_or(end, |moment| moment.date_naive())
        };
        let first = day(from.checked_sub_signed(days), NaiveDate::MIN);
        let last = day(until.checked_add_signed(days), NaiveDate::MAX);
        let walk = |rule| Walk::new(rule, &self.start, first, last).peekable();
        let dates = if from < until { self.dates.range(from..until) } else { Range::default() };
        Occurrences {
            from,
            until,
            dates: dates.peekable(),
            dates_out: &self.dates_out,
            rules: self.rules.iter().map(walk).collect(),
            rules_out: self.rules_out.iter().map(walk).collect(),
        }
    }

    /// Its rule, if it has one only and none that takes out.
    pub(super) fn only_rule(&self) -> Option<&Rule> {
        match &self.rules[..] {
            [rule] if self.rules_out.is_empty() => Some(rule),
            _ => None,
        }
    }

    /// Whether one of its occurrences begins at `moment`.
    pub(super) fn has(&self, moment: DateTime<Utc>) -> bool {
        self.between(moment, moment + TimeDelta::seconds(1)).next() == Some(moment)
    }
}

/// Some occurrences of a series, one after the other.
pub(super) struct Occurrences<'a> {
    /// No occurrence before this one is left.
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    dates: Peekable<Range<'a, DateTime<Utc>>>,
    dates_out: &'a BTreeSet<DateTime<Utc>>,
    rules: Vec<Peekable<Walk<'a>>>,
    rules_out: Vec<Peekable<Walk<'a>>>,
}

impl Occurrences<'_> {
    /// The next moment of the rules and dates, excluded or not.
    fn next_named(&mut self) -> Option<DateTime<Utc>> {
        let from = self.from;
        while self.dates.next_if(|date| **date < from).is_some() {}
        let mut next = self.dates.peek().map(|date| **date);
        for rule in &mut self.rules {
            while rule.next_if(|moment| *moment < from).is_some() {}
            let first = rule.peek().copied();
            next = next.into_iter().chain(first).min();
        }
        next.filter(|moment| *moment < self.until)
    }

    fn is_out(&mut self, moment: DateTime<Utc>) -> bool {
        let mut out = self.dates_out.contains(&moment);
        for rule in &mut self.rules_out {
            while rule.next_if(|other| *other < moment).is_some() {}
            out |= rule.peek() == Some(&moment);
        }
        out
    }
}

impl Iterator for Occurrences<'_> {
    type Item = DateTime<Utc>;

    fn next(&mut self) -> Option<DateTime<Utc>> {
        loop {
            let moment = self.next_named()?;
            self.from = moment + TimeDelta::seconds(1);
            if !self.is_out(moment) {
                return Some(moment);
            }
        }
    }
}

/// What an RDATE or EXDATE names. A time with an unknown zone counts as UTC, and a day does not meet
/// the times of a timed series: it is nothing there. Of a time, an all-day series takes the day.
fn dates(
    parameters: Option<&str>,
    text: &str,
    start: &Start,
) -> Result<Vec<Option<DateTime<Utc>>>, BadRule> {
    let (mut zone, mut kind) = (None, None);
    for parameter in parameters.into_iter().flat_map(|parameters| parameters.split(';')) {
        let (name, value) = parameter.split_once('=').ok_or(BadRule)?;
        let slot = match name.to_ascii_uppercase().as_str() {
            "TZID" => &mut zone,
            "VALUE" => &mut kind,
            _ => return Err(BadRule),
        };
        if slot.replace(value).is_some() {
            return Err(BadRule);
        }
    }
    let own_zone = match start {
        Start::Day(_) => Tz::UTC,
        Start::Wall(_, zone) => *zone,
    };
    let zone = zone.map_or(own_zone, |name: &str| name.parse().unwrap_or(Tz::UTC));
    let read = |item| {
        let value = Value::read(item)?;
        let is_day = matches!(value, Value::Day(_));
        match kind.map(str::to_ascii_uppercase).as_deref() {
            None => {}
            Some("DATE") if is_day => {}
            Some("DATE-TIME") if !is_day => {}
            Some(_) => return Err(BadRule),
        }
        let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
        Ok(match (value, start) {
            (Value::Day(day), Start::Day(_)) => Some(midnight(day)),
            (Value::Wall(wall), Start::Day(_)) => Some(midnight(wall.date())),
            (Value::Moment(time), Start::Day(_)) => Some(midnight(time.date_naive())),
            (Value::Day(_), Start::Wall(..)) => None,
            (Value::Wall(wall), Start::Wall(..)) => Some(moment(wall, zone)),
            (Value::Moment(moment), Start::Wall(..)) => Some(moment),
        })
    };
    text.split(',').map(read).collect()
}
