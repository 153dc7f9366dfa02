//! How an entry recurs, in the words of RFC 5545.
//!
//! A series keeps its wall time: each start is one that the clock on the wall shows, read in the zone
//! as every other wall time is. Whole days stay days.

mod dates;
mod rule;
mod split;

use std::collections::BTreeSet;
use std::iter::Peekable;

use chrono::{
    DateTime, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Timelike,
    Utc,
};
use chrono_tz::Tz;

use super::invalid::Invalid;
use super::timing::{Days, Original, Timing};
use super::when::{Moment, Span, instant_of};
use rule::{End, Rule as Recurring};

pub use split::Split;

/// What is wrong, in words for its writer.
type Rule = String;

const MOST_LINES: usize = 20;
/// Single starts, those left out included.
const MOST_DATES: usize = 1_000;
/// As large as 1,000 starts are.
const LONGEST_LINE: usize = 20_000;
/// No series has so many occurrences in all years that can be typed, day by day.
const MOST_STEPS: usize = 50_000;

/// `RRULE`, `RDATE` and `EXDATE` lines, as Google takes them, and the instances that stand apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recurrence {
    lines: Vec<String>,
    exceptions: BTreeSet<Original>,
}

/// One of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// What it is known by.
    pub original: Original,
    /// When it is.
    pub timing: Timing,
    /// What clocks that are set do to its start.
    pub effect: Option<Effect>,
}

/// What clocks that are set do to a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// They skip its wall time: it begins later by as much as they are set forward.
    Skipped,
    /// They show its wall time twice: it begins the first time.
    Repeated,
}

impl Recurrence {
    /// Reads the lines of a series whose first occurrence is at `timing`.
    pub fn read(lines: &[String], timing: &Timing) -> Result<Self, Invalid> {
        let series = Series::read(lines, timing)?;
        series.agrees_with_start()?;
        Ok(Self { lines: series.lines(), exceptions: BTreeSet::new() })
    }

    /// A recurrence that was read once and taken apart since.
    pub fn from_parts(lines: Vec<String>, exceptions: BTreeSet<Original>) -> Self {
        Self { lines, exceptions }
    }

    /// The lines, each in its normal form.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// The instances that have an event of their own, moved, rewritten or cancelled.
    pub fn exceptions(&self) -> &BTreeSet<Original> {
        &self.exceptions
    }

    /// Up to `most` occurrences that begin at `from` or later, of the series that begins at `timing`.
    pub fn expand(
        &self,
        timing: &Timing,
        from: Option<DateTime<Utc>>,
        most: usize,
    ) -> Result<Vec<Occurrence>, Invalid> {
        let series = Series::read(&self.lines, timing)?;
        let starts = series.starts()?;
        let later = |original: &Original| from.is_none_or(|from| original.starts() >= from);
        starts.filter(later).take(most).map(|original| series.occurrence(original)).collect()
    }

    /// The occurrence that is known by `original`; none if the series has no such.
    pub fn occurrence(
        &self,
        timing: &Timing,
        original: Original,
    ) -> Result<Option<Occurrence>, Invalid> {
        let series = Series::read(&self.lines, timing)?;
        let found = series.starts()?.find(|start| *start >= original);
        found.filter(|start| *start == original).map(|start| series.occurrence(start)).transpose()
    }

    /// When the last occurrence is over; none of a series that goes on.
    pub fn over(&self, timing: &Timing) -> Result<Option<DateTime<Utc>>, Invalid> {
        let series = Series::read(&self.lines, timing)?;
        if series.rule.as_ref().is_some_and(|rule| matches!(rule.end, End::Never)) {
            return Ok(None);
        }
        let last = series.starts()?.last().map(|last| series.occurrence(last)).transpose()?;
        Ok(Some(last.map_or(timing.over(), |last| last.timing.over())))
    }
}

/// A recurrence with the timing of its first occurrence.
struct Series {
    clock: Clock,
    timing: Timing,
    start: NaiveDateTime,
    rule: Option<Recurring>,
    added: BTreeSet<Original>,
    left_out: BTreeSet<Original>,
}

impl Series {
    fn read(lines: &[String], timing: &Timing) -> Result<Self, Invalid> {
        let (clock, start) = Clock::of(timing)?;
        let mut series = Self {
            clock,
            timing: *timing,
            start,
            rule: None,
            added: BTreeSet::new(),
            left_out: BTreeSet::new(),
        };
        if lines.len() > MOST_LINES {
            return Err(Invalid::new("recurrence", format!("at most {MOST_LINES} lines")));
        }
        for (number, line) in lines.iter().enumerate() {
            series.take(line).map_err(|rule| Invalid::new(format!("recurrence/{number}"), rule))?;
        }
        if series.added.len() + series.left_out.len() > MOST_DATES {
            let rule = format!("at most {MOST_DATES} single starts in RDATE and EXDATE together");
            return Err(Invalid::new("recurrence", rule));
        }
        if series.rule.is_none() && series.added.is_empty() {
            let rule = "must say when it recurs: by an RRULE line, or by RDATE";
            return Err(Invalid::new("recurrence", rule));
        }
        Ok(series)
    }

    fn take(&mut self, line: &str) -> Result<(), Rule> {
        if line.len() > LONGEST_LINE {
            return Err(format!("is longer than {LONGEST_LINE} characters"));
        }
        let line = line.trim().to_ascii_uppercase();
        let (head, text) =
            line.split_once(':').ok_or("must be a line such as `RRULE:FREQ=WEEKLY;BYDAY=MO`")?;
        let (name, parameters) = head.split_once(';').unwrap_or((head, ""));
        match name {
            "RRULE" if self.rule.is_some() => Err("is a second RRULE: make two series".into()),
            "RRULE" if parameters.is_empty() => {
                self.rule = Some(Recurring::read(text, self.start, self.clock)?);
                Ok(())
            }
            "RRULE" => Err("nothing may stand between RRULE and its colon".into()),
            "RDATE" => dates::read(parameters, text, self.clock, &mut self.added),
            "EXDATE" => dates::read(parameters, text, self.clock, &mut self.left_out),
            "EXRULE" => {
                Err("EXRULE is no longer part of iCalendar: name what is left out by EXDATE".into())
            }
            "DTSTART" | "DTEND" => {
                Err("the series begins with `start`: leave this line out".into())
            }
            _ => Err("must begin with RRULE, RDATE or EXDATE".into()),
        }
    }

    /// A start that is none of the rule's makes a series whose occurrences nobody agrees about
    /// (RFC 5545 §3.8.5.3).
    fn agrees_with_start(&self) -> Result<(), Invalid> {
        if let Timing::Span(span) = &self.timing
            && self.clock.original(self.start) != Original::Moment(span.start().instant())
        {
            let rule = "is the second of two times that the clock shows: a series begins the first";
            return Err(Invalid::new("start", rule));
        }
        if let Some(rule) = &self.rule {
            let walls = rule.walls(self.start).map_err(|rule| Invalid::new("recurrence", rule))?;
            match walls.into_iter().next() {
                Some(first) if first == self.start => {}
                Some(first) => {
                    let rule = format!(
                        "is none of the series' own: the first that its RRULE names is {}",
                        self.clock.shown(first)
                    );
                    return Err(Invalid::new("start", rule));
                }
                None => {
                    return Err(Invalid::new("recurrence", "names no day that there ever is"));
                }
            }
        }
        if self.starts()?.next().is_none() {
            return Err(Invalid::new("recurrence", "leaves every occurrence out"));
        }
        Ok(())
    }

    /// Every start of the rule's own, in order, each once, whether left out or not.
    fn of_rule(&self) -> Result<impl Iterator<Item = Original> + use<>, Invalid> {
        let broken = |rule| Invalid::new("recurrence", rule);
        let walls = self.rule.as_ref().map(|rule| rule.walls(self.start)).transpose();
        let clock = self.clock;
        let last = self.rule.as_ref().and_then(|rule| match rule.end {
            End::At(last) => Some(last),
            End::Never | End::After(_) => None,
        });
        let starts = walls.map_err(broken)?.into_iter().flatten();
        Ok(starts
            .take(MOST_STEPS)
            .map(move |wall| clock.original(wall))
            .take_while(move |start| last.is_none_or(|last| *start <= last)))
    }

    /// Every start, in order, each once.
    fn starts(&self) -> Result<impl Iterator<Item = Original> + use<>, Invalid> {
        let mut added = self.added.clone();
        added.insert(self.clock.original(self.start));
        let left_out = self.left_out.clone();
        let merged =
            Merged { rule: self.of_rule()?.peekable(), added: added.into_iter().peekable() };
        Ok(merged.filter(move |start| !left_out.contains(start)))
    }

    /// The occurrence that begins at this start, as long as the first.
    fn occurrence(&self, original: Original) -> Result<Occurrence, Invalid> {
        let (timing, effect) = match (&self.timing, original, self.clock) {
            (Timing::Span(span), Original::Moment(moment), Clock::Zone(zone)) => {
                let length = span.end().instant() - span.start().instant();
                let end = Moment::at(moment + length, span.end().zone().unwrap_or(zone));
                let span = Span::new(Moment::at(moment, zone), end)?;
                (Timing::Span(span), effect(self.start.time(), span.start().wall(), zone))
            }
            (Timing::Days(days), Original::Day(day), _) => {
                let length = days.after() - days.first();
                (Timing::Days(Days::new(day, day + length)?), None)
            }
            _ => return Err(Invalid::new("instance", "must be a start as the series has it")),
        };
        Ok(Occurrence { original, timing, effect })
    }

    /// The lines, each in its normal form: the same lines for all that mean the same.
    fn lines(&self) -> Vec<String> {
        let rule = self.rule.iter().map(|rule| format!("RRULE:{}", rule.text()));
        rule.chain(dates::lines("RDATE", &self.added, self.clock))
            .chain(dates::lines("EXDATE", &self.left_out, self.clock))
            .collect()
    }
}

/// What clocks in the zone do to a start that is meant at `time` and falls on `shown`.
fn effect(time: NaiveTime, shown: NaiveDateTime, zone: Tz) -> Option<Effect> {
    match zone.offset_from_local_datetime(&shown) {
        MappedLocalTime::Ambiguous(..) => Some(Effect::Repeated),
        _ if shown.time() == time => None,
        // A single start beside the rule may be at any time: only one that is skipped is moved.
        _ => {
            let day = |back: i64| shown.date() - TimeDelta::days(back);
            let skipped = |back| {
                let meant = day(back).and_time(time);
                zone.offset_from_local_datetime(&meant) == MappedLocalTime::None
                    && instant_of(meant, zone) == instant_of(shown, zone)
            };
            [0, 1].into_iter().any(skipped).then_some(Effect::Skipped)
        }
    }
}

/// Two lists of starts as one, in order, each start once.
struct Merged<Rule: Iterator<Item = Original>, Added: Iterator<Item = Original>> {
    rule: Peekable<Rule>,
    added: Peekable<Added>,
}

impl<Rule: Iterator<Item = Original>, Added: Iterator<Item = Original>> Iterator
    for Merged<Rule, Added>
{
    type Item = Original;

    fn next(&mut self) -> Option<Original> {
        let next = match (self.rule.peek(), self.added.peek()) {
            (Some(one), Some(other)) => *one.min(other),
            (one, other) => *one.or(other)?,
        };
        // A whole day that a zone leaves out makes one start of two.
        while self.rule.next_if_eq(&next).is_some() {}
        while self.added.next_if_eq(&next).is_some() {}
        Some(next)
    }
}

/// What shows the starts of a series.
#[derive(Clone, Copy, Debug)]
enum Clock {
    /// The calendar: whole days.
    Days,
    /// The clock on the wall.
    Zone(Tz),
}

impl Clock {
    /// The clock of a series, and what it shows at the start.
    fn of(timing: &Timing) -> Result<(Self, NaiveDateTime), Invalid> {
        match timing {
            Timing::Days(days) => Ok((Self::Days, days.first().and_time(NaiveTime::MIN))),
            Timing::Span(span) => {
                let start = span.start();
                let zone = start.zone().ok_or_else(|| {
                    Invalid::new("time_zone", "is required for a series: its wall time is kept")
                })?;
                if start.wall().nanosecond() != 0 {
                    return Err(Invalid::new("start", "of a series must be a whole second"));
                }
                Ok((Self::Zone(zone), start.wall()))
            }
        }
    }

    /// The start that this wall time means.
    fn original(self, wall: NaiveDateTime) -> Original {
        match self {
            Self::Days => Original::Day(wall.date()),
            Self::Zone(zone) => Original::Moment(instant_of(wall, zone)),
        }
    }

    /// What the clock shows at a start.
    fn wall(self, original: Original) -> NaiveDateTime {
        match (self, original) {
            (Self::Zone(zone), Original::Moment(moment)) => {
                moment.with_timezone(&zone).naive_local()
            }
            (Self::Days, Original::Moment(moment)) => moment.naive_utc(),
            (_, Original::Day(day)) => day.and_time(NaiveTime::MIN),
        }
    }

    /// The last start that a day may have.
    fn end_of(self, day: NaiveDate) -> Original {
        let next = self.original(day.and_time(NaiveTime::MIN) + TimeDelta::days(1));
        match next {
            Original::Moment(next) => Original::Moment(next - TimeDelta::seconds(1)),
            Original::Day(_) => Original::Day(day),
        }
    }

    /// A wall time as its writer would type it.
    fn shown(self, wall: NaiveDateTime) -> String {
        match self {
            Self::Days => wall.format("%Y-%m-%d").to_string(),
            Self::Zone(_) => wall.format("%Y-%m-%dT%H:%M:%S").to_string(),
        }
    }
}
