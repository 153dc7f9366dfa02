//! A month of one calendar, week by week, and what comes next in it.

use askama::Template;
use axum::extract::{Path, State as Shared};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use super::happenings::{Happening, happenings};
use crate::simulator::Simulator;
use crate::simulator::call::{self, Asked};

/// Entries shown on a day before "more".
const SHOWN_A_DAY: usize = 4;
/// Entries shown of what comes next, and how far it looks.
const NEXT_SHOWN: usize = 8;
const NEXT_DAYS: i64 = 92;

#[derive(Template)]
#[template(path = "simulator/month.html")]
struct MonthPage {
    summary: String,
    owner: String,
    zone: &'static str,
    title: String,
    previous: String,
    next: String,
    this: String,
    deleted: bool,
    weeks: Vec<Vec<Day>>,
    /// The month has today in it.
    present: bool,
    listed: Vec<Happening>,
}

struct Day {
    date: NaiveDate,
    number: u32,
    /// `Wed 1 April`.
    name: String,
    inside: bool,
    today: bool,
    shown: Vec<Entry>,
    more: Vec<Entry>,
}

struct Entry {
    what: Happening,
    /// It began on an earlier day; it goes on after this one.
    from_before: bool,
    goes_on: bool,
}

pub(super) async fn show(
    Shared(simulator): Shared<Simulator>,
    Path(calendar): Path<String>,
    asked: Asked,
) -> Response {
    let state = simulator.state();
    let now = simulator.now();
    let Some(calendar) = state.calendars.get(&calendar) else {
        return call::unknown_path().into_response();
    };
    let today = now.with_timezone(&calendar.time_zone).date_naive();
    let month = asked.parameters.get("month").and_then(read_month).unwrap_or(today);
    let Some((first, previous, next)) = around(month) else {
        return call::unknown_path().into_response();
    };
    let monday = first - Days::new(first.weekday().num_days_from_monday().into());
    let days = (next - monday).num_days();
    let weeks = days / 7 + i64::from(days % 7 > 0);
    let end = monday + TimeDelta::weeks(weeks);
    let deleted = asked.parameters.get("deleted") == Some("1");
    let zone = calendar.time_zone;
    let all = happenings(calendar, midnight(monday, zone), midnight(end, zone), deleted);
    let week = |start: NaiveDate| {
        start.iter_days().take(7).map(|date| day(date, first, today, &all)).collect()
    };
    // The present month is followed by what comes next, any other by what it holds.
    let (from, until) = if today.year() == first.year() && today.month() == first.month() {
        (now, now + TimeDelta::days(NEXT_DAYS))
    } else {
        (midnight(first, zone), midnight(next, zone))
    };
    let mut listed = happenings(calendar, from, until, false);
    listed.truncate(NEXT_SHOWN);
    super::page(&MonthPage {
        summary: calendar.summary.clone(),
        owner: calendar.owner.clone(),
        zone: zone.name(),
        title: first.format("%B %Y").to_string(),
        previous: previous.format("%Y-%m").to_string(),
        next: next.format("%Y-%m").to_string(),
        this: first.format("%Y-%m").to_string(),
        deleted,
        weeks: monday.iter_weeks().take_while(|start| *start < end).map(week).collect(),
        present: from == now,
        listed,
    })
}

/// The first days of a date's month, and of those before and after it.
fn around(month: NaiveDate) -> Option<(NaiveDate, NaiveDate, NaiveDate)> {
    let first = month.with_day(1)?;
    let one = Months::new(1);
    // The grid needs days on both sides of the month, which the first and last of all have not.
    let previous = first.checked_sub_months(one).filter(|month| month.year() > -9999)?;
    Some((first, previous, first.checked_add_months(one).filter(|month| month.year() < 9999)?))
}

fn read_month(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d").ok()
}

fn midnight(date: NaiveDate, zone: Tz) -> DateTime<Utc> {
    let wall = date.and_time(NaiveTime::MIN);
    zone.from_local_datetime(&wall)
        .earliest()
        .map_or_else(|| wall.and_utc(), |moment| moment.to_utc())
}

fn day(date: NaiveDate, first: NaiveDate, today: NaiveDate, all: &[Happening]) -> Day {
    let here = all.iter().filter(|what| what.days.0 <= date && date <= what.days.1);
    let mut here: Vec<Entry> = here
        .map(|what| Entry {
            from_before: what.days.0 < date,
            goes_on: date < what.days.1,
            what: what.clone(),
        })
        .collect();
    // Whole days and what lasts for days stand above the day's own times.
    here.sort_by_key(|entry| !(entry.what.whole_days || entry.from_before || entry.goes_on));
    // One more entry takes no more room than the words "1 more".
    let shown = if here.len() > SHOWN_A_DAY + 1 { SHOWN_A_DAY } else { here.len() };
    let more = here.split_off(shown);
    Day {
        date,
        number: date.day(),
        name: date.format("%a %-d %B").to_string(),
        inside: (date.year(), date.month()) == (first.year(), first.month()),
        today: date == today,
        shown: here,
        more,
    }
}
