//! One `RRULE`: what it may say, in which order it is written, and the wall times that it names.
//!
//! The crate that walks through a rule is given wall times as though they were UTC: what they mean in
//! a zone is decided in one place, with all other wall times.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDateTime, TimeZone, Timelike};

use super::{Clock, Rule as Broken};
use crate::model::timing::Original;

/// What a rule may say, in the order in which it is written.
const PARTS: [&str; 14] = [
    "FREQ",
    "INTERVAL",
    "COUNT",
    "UNTIL",
    "WKST",
    "BYMONTH",
    "BYWEEKNO",
    "BYYEARDAY",
    "BYMONTHDAY",
    "BYDAY",
    "BYHOUR",
    "BYMINUTE",
    "BYSECOND",
    "BYSETPOS",
];
const WEEKDAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
/// A series that goes on for longer ends by `UNTIL`, or not at all.
const MOST_COUNTED: i32 = 10_000;
const LONGEST_INTERVAL: i32 = 999;
/// No wall time later than this year can be typed.
const LAST_YEAR: i32 = 2099;

/// A rule that was checked.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    /// Every part but where it ends, by its place in the order.
    parts: BTreeMap<usize, String>,
    pub(super) end: End,
}

/// Where a rule ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Never,
    /// After so many occurrences.
    After(u32),
    /// With the last one that is not later.
    At(Original),
}

impl Rule {
    /// Reads what stands behind `RRULE:` of a series that begins at `start` on this clock.
    pub(super) fn read(text: &str, start: NaiveDateTime, clock: Clock) -> Result<Self, Broken> {
        let said = split(text)?;
        let frequency = match said.get("FREQ").map(String::as_str) {
            Some(name @ ("DAILY" | "WEEKLY" | "MONTHLY" | "YEARLY")) => name.to_owned(),
            Some("HOURLY" | "MINUTELY" | "SECONDLY") => {
                return Err("FREQ: Google has no series that recur within a day".into());
            }
            _ => return Err("FREQ must be `DAILY`, `WEEKLY`, `MONTHLY` or `YEARLY`".into()),
        };
        let end = match (said.get("COUNT"), said.get("UNTIL")) {
            (Some(_), Some(_)) => {
                return Err("COUNT and UNTIL both say where it ends: leave one out".into());
            }
            (Some(count), None) => {
                let count = number("COUNT", count, 1, MOST_COUNTED)?;
                End::After(count.unsigned_abs())
            }
            (None, Some(until)) => End::At(until_of(until, start, clock)?),
            (None, None) => End::Never,
        };
        let mut parts = BTreeMap::new();
        for (place, name) in PARTS.into_iter().enumerate() {
            let Some(text) = said.get(name) else { continue };
            if let Some(value) = part(name, text, start, clock)? {
                parts.insert(place, value);
            }
        }
        let rule = Self { parts, end };
        rule.fits_together(&frequency)?;
        Ok(rule)
    }

    /// What may not stand together (RFC 5545 §3.3.10).
    fn fits_together(&self, frequency: &str) -> Result<(), Broken> {
        let has = |name: &str| self.part(name).is_some();
        let only = |name: &str, of: &str| Err(format!("{name} goes with {of} only"));
        let ranked =
            self.part("BYDAY").is_some_and(|days| days.contains(|c: char| c.is_ascii_digit()));
        if has("BYWEEKNO") && frequency != "YEARLY" {
            return only("BYWEEKNO", "FREQ=YEARLY");
        }
        if has("BYYEARDAY") && frequency != "YEARLY" {
            return only("BYYEARDAY", "FREQ=YEARLY");
        }
        if has("BYMONTHDAY") && frequency == "WEEKLY" {
            return Err("BYMONTHDAY does not go with FREQ=WEEKLY".into());
        }
        if ranked && !matches!(frequency, "MONTHLY" | "YEARLY") {
            return only("a number in BYDAY", "FREQ=MONTHLY or FREQ=YEARLY");
        }
        if ranked && has("BYWEEKNO") {
            return Err("a number in BYDAY does not go with BYWEEKNO".into());
        }
        let chosen =
            ["BYMONTH", "BYWEEKNO", "BYYEARDAY", "BYMONTHDAY", "BYDAY"].into_iter().any(has);
        if has("BYSETPOS") && !chosen {
            return Err("BYSETPOS chooses among what another BY… part names: add one".into());
        }
        Ok(())
    }

    fn part(&self, name: &str) -> Option<&str> {
        let place = PARTS.iter().position(|part| *part == name)?;
        self.parts.get(&place).map(String::as_str)
    }

    /// The rule with everything in its order and in capitals, without what goes without saying.
    pub(super) fn text(&self) -> String {
        self.written(true)
    }

    fn written(&self, with_until: bool) -> String {
        let mut parts = self.parts.clone();
        match self.end {
            End::After(count) => {
                parts.insert(2, count.to_string());
            }
            End::At(last) if with_until => {
                parts.insert(3, last.to_string());
            }
            End::At(_) | End::Never => {}
        }
        let parts: Vec<String> =
            parts.iter().map(|(place, value)| format!("{}={value}", PARTS[*place])).collect();
        parts.join(";")
    }

    /// The wall times that the rule names from `start` on, those in order that a year we know has.
    /// Where it ends by `UNTIL` is not looked at.
    pub(super) fn walls(
        &self,
        start: NaiveDateTime,
    ) -> Result<impl Iterator<Item = NaiveDateTime> + use<>, Broken> {
        let begins = rrule::Tz::UTC.from_utc_datetime(&start);
        let rule: rrule::RRule<rrule::Unvalidated> =
            self.written(false).parse().map_err(|error| format!("cannot be read: {error}"))?;
        let set = rule.build(begins).map_err(|error| format!("cannot be followed: {error}"))?;
        let walls = set.limit().into_iter().map(|wall| wall.naive_utc());
        Ok(walls.take_while(|wall| wall.year() <= LAST_YEAR))
    }
}

/// The parts by their names, each once.
fn split(text: &str) -> Result<BTreeMap<String, String>, Broken> {
    let mut said = BTreeMap::new();
    for part in text.to_ascii_uppercase().trim_end_matches(';').split(';') {
        let (name, value) = part
            .split_once('=')
            .ok_or("must be parts such as `FREQ=WEEKLY`, with semicolons between them")?;
        if !PARTS.contains(&name) {
            return Err(
                "says something that RFC 5545 does not know: FREQ, INTERVAL, COUNT, UNTIL, \
                        WKST and BY… are parts of a rule"
                    .into(),
            );
        }
        if said.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(format!("says {name} twice"));
        }
    }
    Ok(said)
}

/// One part as it is written; none for what goes without saying, or stands elsewhere.
fn part(
    name: &str,
    text: &str,
    start: NaiveDateTime,
    clock: Clock,
) -> Result<Option<String>, Broken> {
    Ok(Some(match name {
        "INTERVAL" => match number(name, text, 1, LONGEST_INTERVAL)? {
            1 => return Ok(None),
            interval => interval.to_string(),
        },
        "COUNT" | "UNTIL" => return Ok(None),
        "WKST" if text == "MO" => return Ok(None),
        "WKST" if !WEEKDAYS.contains(&text) => {
            return Err("WKST must be a weekday: MO, TU, WE, TH, FR, SA or SU".into());
        }
        "BYMONTH" => numbers(name, text, 1, 12)?,
        "BYWEEKNO" => numbers(name, text, -53, 53)?,
        "BYYEARDAY" | "BYSETPOS" => numbers(name, text, -366, 366)?,
        "BYMONTHDAY" => numbers(name, text, -31, 31)?,
        "BYDAY" => weekdays(text)?,
        "BYHOUR" => return time_of_day(name, text, start.hour(), clock),
        "BYMINUTE" => return time_of_day(name, text, start.minute(), clock),
        "BYSECOND" => return time_of_day(name, text, start.second(), clock),
        _ => text.to_owned(),
    }))
}

/// The start says the time of day. A part that says the same is left out, another refused.
fn time_of_day(
    name: &str,
    text: &str,
    of_start: u32,
    clock: Clock,
) -> Result<Option<String>, Broken> {
    match clock {
        Clock::Days => Err(format!("{name} means nothing to whole days: leave it out")),
        Clock::Zone(_) if text.parse() == Ok(of_start) => Ok(None),
        Clock::Zone(_) => Err(format!(
            "{name}: the time of day is that of the start; make one series for each other"
        )),
    }
}

fn number(name: &str, text: &str, least: i32, most: i32) -> Result<i32, Broken> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let plain = (1..=6).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = plain.then(|| text.parse().ok()).flatten();
    // Lists that count from the end, too, know no zero.
    number
        .filter(|number| (least..=most).contains(number) && (*number != 0 || least > 0))
        .ok_or_else(|| match least {
            1.. => format!("{name} must be a number from {least} to {most}"),
            _ => {
                format!("{name} must be numbers from 1 to {most}, or below 0 to count from the end")
            }
        })
}

fn numbers(name: &str, text: &str, least: i32, most: i32) -> Result<String, Broken> {
    let read = text.split(',').map(|item| number(name, item, least, most));
    let mut list = read.collect::<Result<Vec<i32>, Broken>>()?;
    list.sort_unstable();
    list.dedup();
    let list: Vec<String> = list.iter().map(i32::to_string).collect();
    Ok(list.join(","))
}

/// Weekdays, each with the number of its place in the month or year, if it has one.
fn weekdays(text: &str) -> Result<String, Broken> {
    let mut list = Vec::new();
    for item in text.split(',') {
        let (place, name) =
            item.split_at_checked(item.len().saturating_sub(2)).unwrap_or(("", item));
        let weekday = WEEKDAYS.iter().position(|weekday| *weekday == name).ok_or_else(|| {
            "BYDAY must be weekdays such as `MO,TU`, or with a place such as `-1FR`".to_owned()
        })?;
        let place = match place {
            "" => 0,
            place => number("BYDAY", place, -53, 53)?,
        };
        list.push((place, weekday));
    }
    list.sort_unstable();
    list.dedup();
    let written = list.iter().map(|(place, weekday)| match place {
        0 => WEEKDAYS[*weekday].to_owned(),
        place => format!("{place}{}", WEEKDAYS[*weekday]),
    });
    Ok(written.collect::<Vec<String>>().join(","))
}

/// The last start there may be. A day is meant whole, wherever the series is.
fn until_of(text: &str, start: NaiveDateTime, clock: Clock) -> Result<Original, Broken> {
    let last = super::dates::read_one(text, clock, None)
        .or_else(|| super::dates::read_day(text).map(|day| clock.end_of(day)))
        .ok_or("UNTIL must be a moment such as `20251231T225959Z`, or a day such as `20251231`")?;
    if last < clock.original(start) {
        return Err("UNTIL lies before the start".into());
    }
    Ok(last)
}
