//! When a series repeats, in words.

use chrono::{Month, Weekday};
use chrono_tz::Tz;

use crate::simulator::recurrence::Recurrence;
use crate::simulator::recurrence_rule::{Day, End, Frequency, Rule};

const WORKDAYS: &[Weekday] =
    &[Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri];

/// `Every week on Monday, 5 times`. Only of what people commonly say: other rules have no words.
pub(super) fn in_words(series: &Recurrence, zone: Tz) -> Option<String> {
    let rule = series.only_rule()?;
    let unsayable = [&rule.weeks, &rule.year_days, &rule.positions];
    if rule.times.len() != 1 || unsayable.iter().any(|part| !part.is_empty()) {
        return None;
    }
    Some(format!("{}{}{}", every(rule), on(rule)?, end(rule, zone)))
}

fn every(rule: &Rule) -> String {
    let unit = match rule.frequency {
        Frequency::Daily => "day",
        Frequency::Weekly => "week",
        Frequency::Monthly => "month",
        Frequency::Yearly => "year",
    };
    match rule.interval.get() {
        1 => format!("Every {unit}"),
        interval => format!("Every {interval} {unit}s"),
    }
}

/// On which days, and in which months.
fn on(rule: &Rule) -> Option<String> {
    let months: Option<Vec<&str>> = rule.months.iter().map(|month| month_name(*month)).collect();
    let months = months?;
    let days = match (&rule.days[..], &rule.month_days[..]) {
        ([], []) => None,
        ([], [day]) if *day > 0 && rule.frequency == Frequency::Yearly => {
            return Some(format!(" on {day} {}", listed(&months)));
        }
        ([], month_days) => {
            let days: Option<Vec<String>> = month_days.iter().map(|day| month_day(*day)).collect();
            Some(listed(&days?))
        }
        (days, []) => Some(weekdays(days)?),
        _ => return None,
    };
    let on = days.map_or_else(String::new, |days| format!(" on {days}"));
    let within = if months.is_empty() { String::new() } else { format!(" in {}", listed(&months)) };
    Some(format!("{on}{within}"))
}

fn weekdays(days: &[Day]) -> Option<String> {
    let mut days = days.to_vec();
    days.sort_by_key(|day| (day.nth, day.weekday.num_days_from_monday()));
    if days.iter().all(|day| day.nth.is_none())
        && days.iter().map(|day| day.weekday).eq(WORKDAYS.iter().copied())
    {
        return Some("workdays".to_owned());
    }
    let names: Option<Vec<String>> = days
        .iter()
        .map(|day| {
            let name = weekday_name(day.weekday);
            day.nth.map_or(Some(name.to_owned()), |nth| Some(format!("the {} {name}", place(nth)?)))
        })
        .collect();
    names.map(|names| listed(&names))
}

fn weekday_name(weekday: Weekday) -> &'static str {
    match weekday {
        Weekday::Mon => "Monday",
        Weekday::Tue => "Tuesday",
        Weekday::Wed => "Wednesday",
        Weekday::Thu => "Thursday",
        Weekday::Fri => "Friday",
        Weekday::Sat => "Saturday",
        Weekday::Sun => "Sunday",
    }
}

fn month_name(month: i32) -> Option<&'static str> {
    let month = u8::try_from(month).ok().and_then(|month| Month::try_from(month).ok())?;
    Some(month.name())
}

fn month_day(day: i32) -> Option<String> {
    match day {
        1.. => Some(format!("day {day}")),
        -1 => Some("the last day".to_owned()),
        _ => None,
    }
}

fn place(nth: i32) -> Option<&'static str> {
    match nth {
        1 => Some("first"),
        2 => Some("second"),
        3 => Some("third"),
        4 => Some("fourth"),
        5 => Some("fifth"),
        -1 => Some("last"),
        _ => None,
    }
}

/// `a, b and c`.
fn listed(words: &[impl AsRef<str>]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match &words[..] {
        [] => String::new(),
        [word] => (*word).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn end(rule: &Rule, zone: Tz) -> String {
    match rule.end {
        End::Never => String::new(),
        End::After(1) => ", once".to_owned(),
        End::After(count) => format!(", {count} times"),
        End::At(last) => format!(", until {}", last.with_timezone(&zone).format("%a %-d %b %Y")),
    }
}
