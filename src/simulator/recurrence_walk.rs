//! The moments of one rule, in order.

use std::collections::VecDeque;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, Utc, Weekday};

use super::recurrence::{LAST_YEAR, Start};
use super::recurrence_rule::{End, Frequency, Rule};

/// The calendar repeats every 400 years: a rule that found nothing for so many periods in a row
/// never will.
const DAYS: u32 = 146_097;
const WEEKS: u32 = DAYS / 7;
const MONTHS: u32 = 4_800;
const YEARS: u32 = 400;

/// Walks along a rule from a day on.
#[derive(Clone, Debug)]
pub(super) struct Walk<'a> {
    rule: &'a Rule,
    start: &'a Start,
    /// How many times the interval the next period is away from the first.
    steps: u32,
    /// No period that begins after this day is looked at.
    last: NaiveDate,
    found: VecDeque<DateTime<Utc>>,
    count: u32,
    /// Periods without a match since the last one.
    empty: u32,
    ended: bool,
}

impl<'a> Walk<'a> {
    /// The moments from about `from` to about `last`: some before and behind may come, too. What was
    /// counted before `from` has to be walked, if the rule ends by count.
    pub(super) fn new(rule: &'a Rule, start: &'a Start, from: NaiveDate, last: NaiveDate) -> Self {
        let steps = match rule.end {
            End::After(_) => 0,
            _ => steps_before(rule, start.day(), from),
        };
        let found = VecDeque::new();
        Self { rule, start, steps, last, found, count: 0, empty: 0, ended: false }
    }

    /// Looks at the next period.
    fn advance(&mut self) {
        let Some(days) = period(self.rule, self.start.day(), self.steps)
            .filter(|days| days.first <= self.last && days.first.year() <= LAST_YEAR)
        else {
            self.ended = true;
            return;
        };
        self.steps += 1;
        let walls = self.matches(days);
        if walls.is_empty() {
            self.empty += 1;
            let cycle = match self.rule.frequency {
                Frequency::Daily => DAYS,
                Frequency::Weekly => WEEKS,
                Frequency::Monthly => MONTHS,
                Frequency::Yearly => YEARS,
            };
            self.ended = self.empty > cycle;
            return;
        }
        self.empty = 0;
        let begin = self.start.wall();
        for wall in walls.into_iter().filter(|wall| *wall >= begin) {
            let moment = self.start.moment(wall);
            let over = match self.rule.end {
                End::Never => false,
                End::After(count) => self.count >= count,
                End::At(end) => moment > end,
            };
            if over {
                self.ended = true;
                break;
            }
            self.count += 1;
            self.found.push_back(moment);
        }
        // A time in a gap moves behind those that follow the gap.
        self.found.make_contiguous().sort_unstable();
    }

    /// The wall times of a period that the rule names.
    fn matches(&self, days: Period) -> Vec<NaiveDateTime> {
        let rule = self.rule;
        let days = days.first.iter_days().take(days.length).filter(|day| takes(rule, *day));
        let all: Vec<NaiveDateTime> =
            days.flat_map(|day| rule.times.iter().map(move |time| day.and_time(*time))).collect();
        if rule.positions.is_empty() {
            return all;
        }
        let chosen = |index: usize| {
            rule.positions.iter().any(|position| {
                let distance = position.unsigned_abs() as usize;
                if *position > 0 { distance == index + 1 } else { distance == all.len() - index }
            })
        };
        (0..all.len()).filter(|index| chosen(*index)).map(|index| all[index]).collect()
    }
}

impl Iterator for Walk<'_> {
    type Item = DateTime<Utc>;

    fn next(&mut self) -> Option<DateTime<Utc>> {
        while self.found.is_empty() && !self.ended {
            self.advance();
        }
        self.found.pop_front()
    }
}

/// Some days in a row.
#[derive(Clone, Copy)]
struct Period {
    first: NaiveDate,
    length: usize,
}

/// The period so many intervals after the first, as long as the calendar reaches.
fn period(rule: &Rule, start: NaiveDate, steps: u32) -> Option<Period> {
    let distance = steps.checked_mul(rule.interval.get())?;
    match rule.frequency {
        Frequency::Daily => {
            Some(Period { first: start.checked_add_days(Days::new(distance.into()))?, length: 1 })
        }
        Frequency::Weekly => {
            let monday = week_of(start, rule.week_start)?;
            let days = Days::new(u64::from(distance) * 7);
            Some(Period { first: monday.checked_add_days(days)?, length: 7 })
        }
        Frequency::Monthly => {
            let first = start.with_day(1)?.checked_add_months(Months::new(distance))?;
            Some(Period { first, length: usize::from(first.num_days_in_month()) })
        }
        Frequency::Yearly => {
            let year = start.year().checked_add_unsigned(distance)?;
            let first = NaiveDate::from_ymd_opt(year, 1, 1)?;
            Some(Period { first, length: if first.leap_year() { 366 } else { 365 } })
        }
    }
}

/// How many periods can be left out because they end before `from`; rather too few than too many.
fn steps_before(rule: &Rule, start: NaiveDate, from: NaiveDate) -> u32 {
    let days = u32::try_from((from - start).num_days()).unwrap_or_default();
    let longest = match rule.frequency {
        Frequency::Daily => 1,
        Frequency::Weekly => 7,
        Frequency::Monthly => 31,
        Frequency::Yearly => 366,
    };
    (days / longest / rule.interval.get()).saturating_sub(2)
}

/// Whether the rule names this day, leaving aside whether its period is one of the rule's.
fn takes(rule: &Rule, day: NaiveDate) -> bool {
    let number = |number: u32| i32::try_from(number).unwrap_or_default();
    let named = |list: &[i32], number: i32, of: i32| {
        list.is_empty() || list.contains(&number) || list.contains(&(number - of - 1))
    };
    let (month_day, month_length) = (number(day.day()), i32::from(day.num_days_in_month()));
    let (year_day, year_length) = (number(day.ordinal()), if day.leap_year() { 366 } else { 365 });
    let by_month = rule.frequency == Frequency::Monthly || !rule.months.is_empty();
    let (place, length) =
        if by_month { (month_day, month_length) } else { (year_day, year_length) };
    let weekday_named = || {
        rule.days.iter().any(|named| {
            named.weekday == day.weekday()
                && named.nth.is_none_or(|nth| {
                    nth == (place - 1) / 7 + 1 || nth == -((length - place) / 7 + 1)
                })
        })
    };
    let week_named = || {
        let (week, weeks) = week_number(day, rule.week_start);
        named(&rule.weeks, week, weeks)
    };
    (rule.months.is_empty() || rule.months.contains(&number(day.month())))
        && named(&rule.month_days, month_day, month_length)
        && named(&rule.year_days, year_day, year_length)
        && (rule.days.is_empty() || weekday_named())
        && (rule.weeks.is_empty() || week_named())
}

/// The first day of the week that has `day`.
fn week_of(day: NaiveDate, week_start: Weekday) -> Option<NaiveDate> {
    day.checked_sub_days(Days::new(day.weekday().days_since(week_start).into()))
}

/// The number of the week that has `day`, and how many weeks its year has. A week belongs to the
/// year that has at least four of its days.
fn week_number(day: NaiveDate, week_start: Weekday) -> (i32, i32) {
    let fourth = |day| week_of(day, week_start)?.checked_add_days(Days::new(3));
    let Some(middle) = fourth(day) else { return (0, 0) };
    let week = i32::try_from(middle.ordinal0() / 7).unwrap_or_default() + 1;
    let year_end = NaiveDate::from_ymd_opt(middle.year(), 12, 31);
    let weeks = match year_end.and_then(fourth) {
        // The last days of the year may belong to the first week of the next.
        Some(last) if last.year() > middle.year() => last - Days::new(7),
        Some(last) => last,
        None => return (week, 0),
    };
    (week, i32::try_from(weeks.ordinal0() / 7).unwrap_or_default() + 1)
}
