//! One RRULE or EXRULE: what it says, and whether RFC 5545 §3.3.10 lets it say so.
//!
//! Refused, too: rules that repeat within a day, which Google does not take, and every part it
//! does not know.

use std::num::NonZeroU32;

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, Timelike, Utc, Weekday};
use serde::{Deserialize, Serialize};

use super::recurrence::{BadRule, Start, Value};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Frequency {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// Where a rule ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum End {
    Never,
    After(u32),
    /// The last moment that may still be one.
    At(DateTime<Utc>),
}

/// A weekday, or the nth (from the end, if negative) of its kind in a month or a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Day {
    pub(super) nth: Option<i32>,
    pub(super) weekday: Weekday,
}

/// A rule, with what it leaves unsaid filled in from the start of its event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rule {
    pub(super) frequency: Frequency,
    pub(super) interval: NonZeroU32,
    pub(super) end: End,
    pub(super) week_start: Weekday,
    pub(super) months: Vec<i32>,
    pub(super) weeks: Vec<i32>,
    pub(super) year_days: Vec<i32>,
    pub(super) month_days: Vec<i32>,
    pub(super) days: Vec<Day>,
    /// Which of the matches of a period count: 1 is the first, -1 the last.
    pub(super) positions: Vec<i32>,
    /// The times of day, in order.
    pub(super) times: Vec<NaiveTime>,
}

/// The parts of a rule as written.
#[derive(Default)]
struct Parts<'a> {
    said: Vec<(String, &'a str)>,
}

impl<'a> Parts<'a> {
    fn read(text: &'a str) -> Result<Self, BadRule> {
        let mut said: Vec<(String, &str)> = Vec::new();
        for part in text.split(';') {
            let (name, value) = part.split_once('=').ok_or(BadRule)?;
            let name = name.to_ascii_uppercase();
            if !KNOWN.contains(&name.as_str()) || said.iter().any(|(other, _)| *other == name) {
                return Err(BadRule);
            }
            said.push((name, value));
        }
        Ok(Self { said })
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.said.iter().find(|(other, _)| other == name).map(|(_, value)| *value)
    }

    /// The numbers of a list, each at most `most` from zero, and above it unless `signed`.
    fn numbers(
        &self,
        name: &str,
        least: i32,
        most: i32,
        signed: bool,
    ) -> Result<Vec<i32>, BadRule> {
        let Some(text) = self.get(name) else { return Ok(Vec::new()) };
        let fits = |number: &i32| {
            (least..=most).contains(number) || (signed && (-most..=-least).contains(number))
        };
        let read = |item: &str| item.parse().ok().filter(fits).ok_or(BadRule);
        text.split(',').map(read).collect()
    }

    fn positive(&self, name: &str) -> Result<Option<NonZeroU32>, BadRule> {
        let read = |text: &str| text.parse().map_err(|_| BadRule);
        self.get(name).map(read).transpose()
    }
}

const KNOWN: &[&str] = &[
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

impl Rule {
    /// Reads what stands behind `RRULE:` of an event that starts at `start`.
    pub(super) fn read(text: &str, start: &Start) -> Result<Self, BadRule> {
        let parts = Parts::read(text)?;
        let frequency = match parts.get("FREQ").ok_or(BadRule)?.to_ascii_uppercase().as_str() {
            "DAILY" => Frequency::Daily,
            "WEEKLY" => Frequency::Weekly,
            "MONTHLY" => Frequency::Monthly,
            "YEARLY" => Frequency::Yearly,
            _ => return Err(BadRule),
        };
        let mut rule = Self {
            frequency,
            interval: parts.positive("INTERVAL")?.unwrap_or(NonZeroU32::MIN),
            end: end(&parts, start)?,
            week_start: parts.get("WKST").map_or(Ok(Weekday::Mon), weekday)?,
            months: parts.numbers("BYMONTH", 1, 12, false)?,
            weeks: parts.numbers("BYWEEKNO", 1, 53, true)?,
            year_days: parts.numbers("BYYEARDAY", 1, 366, true)?,
            month_days: parts.numbers("BYMONTHDAY", 1, 31, true)?,
            days: days(parts.get("BYDAY"))?,
            positions: parts.numbers("BYSETPOS", 1, 366, true)?,
            times: times(&parts, start)?,
        };
        rule.check(
            parts.said.iter().any(|(name, _)| name.starts_with("BY") && name != "BYSETPOS"),
        )?;
        rule.complete(start.day());
        Ok(rule)
    }

    /// What may not stand together.
    fn check(&self, has_other_parts: bool) -> Result<(), BadRule> {
        let yearly = self.frequency == Frequency::Yearly;
        let counts_days = yearly || self.frequency == Frequency::Monthly;
        let counted = self.days.iter().any(|day| day.nth.is_some());
        let fits = (yearly || (self.weeks.is_empty() && self.year_days.is_empty()))
            && (self.frequency != Frequency::Weekly || self.month_days.is_empty())
            && (!counted || (counts_days && self.weeks.is_empty()))
            && (self.positions.is_empty() || has_other_parts);
        if fits { Ok(()) } else { Err(BadRule) }
    }

    fn complete(&mut self, start: NaiveDate) {
        let days_said = [&self.weeks, &self.year_days, &self.month_days];
        if !self.days.is_empty() || days_said.iter().any(|list| !list.is_empty()) {
            return;
        }
        let number = |number: u32| i32::try_from(number).unwrap_or_default();
        match self.frequency {
            Frequency::Daily => {}
            Frequency::Weekly => self.days.push(Day { nth: None, weekday: start.weekday() }),
            Frequency::Monthly => self.month_days.push(number(start.day())),
            Frequency::Yearly => {
                if self.months.is_empty() {
                    self.months.push(number(start.month()));
                }
                self.month_days.push(number(start.day()));
            }
        }
    }
}

/// COUNT or UNTIL, never both. A day alone ends a timed series when it begins in UTC, as in the
/// library for RFC 2445 that Google published; a UTC moment ends an all-day series with its day.
/// A moment without zone is refused, as Google does.
fn end(parts: &Parts<'_>, start: &Start) -> Result<End, BadRule> {
    match (parts.positive("COUNT")?, parts.get("UNTIL")) {
        (None, None) => Ok(End::Never),
        (Some(count), None) => Ok(End::After(count.get())),
        (None, Some(text)) => match (Value::read(text)?, start) {
            (Value::Day(day), _) => Ok(End::At(day.and_time(NaiveTime::MIN).and_utc())),
            (Value::Moment(moment), Start::Wall(..)) => Ok(End::At(moment)),
            (Value::Moment(moment), Start::Day(_)) => {
                Ok(End::At(moment.date_naive().and_time(NaiveTime::MIN).and_utc()))
            }
            (Value::Wall(_), _) => Err(BadRule),
        },
        (Some(_), Some(_)) => Err(BadRule),
    }
}

fn weekday(text: &str) -> Result<Weekday, BadRule> {
    match text.to_ascii_uppercase().as_str() {
        "MO" => Ok(Weekday::Mon),
        "TU" => Ok(Weekday::Tue),
        "WE" => Ok(Weekday::Wed),
        "TH" => Ok(Weekday::Thu),
        "FR" => Ok(Weekday::Fri),
        "SA" => Ok(Weekday::Sat),
        "SU" => Ok(Weekday::Sun),
        _ => Err(BadRule),
    }
}

fn days(text: Option<&str>) -> Result<Vec<Day>, BadRule> {
    let read = |item: &str| {
        let (nth, name) = item.split_at_checked(item.len().wrapping_sub(2)).ok_or(BadRule)?;
        let nth = match nth {
            "" => None,
            nth => Some(
                nth.parse()
                    .ok()
                    .filter(|nth: &i32| *nth != 0 && (-53..=53).contains(nth))
                    .ok_or(BadRule)?,
            ),
        };
        Ok(Day { nth, weekday: weekday(name)? })
    };
    text.map_or(Ok(Vec::new()), |text| text.split(',').map(read).collect())
}

/// Every time of day the rule names; a whole day has none to name.
fn times(parts: &Parts<'_>, start: &Start) -> Result<Vec<NaiveTime>, BadRule> {
    let of_day = |name, most, unsaid: u32| {
        let said = parts.numbers(name, 0, most, false)?;
        let said: Vec<u32> = said.into_iter().filter_map(|number| number.try_into().ok()).collect();
        Ok(if said.is_empty() { vec![unsaid] } else { said })
    };
    let begins = start.wall().time();
    let hours = of_day("BYHOUR", 23, begins.hour())?;
    let minutes = of_day("BYMINUTE", 59, begins.minute())?;
    let seconds = of_day("BYSECOND", 59, begins.second())?;
    if let Start::Day(_) = start {
        return Ok(vec![NaiveTime::MIN]);
    }
    let mut times = Vec::new();
    for hour in hours {
        for minute in &minutes {
            times.extend(
                seconds.iter().filter_map(|second| NaiveTime::from_hms_opt(hour, *minute, *second)),
            );
        }
    }
    times.sort_unstable();
    times.dedup();
    Ok(times)
}
