//! `calendar.events.quickAdd`: an event from a line of English.
//!
//! Understood are a day (`today`, `tomorrow`, a weekday, `June 3rd`, `3 June 2027`, `2027-06-03`) and a
//! time or two (`10am`, `10:25`, `10am-10:25am`, `from 9 am to 5 pm`), anywhere in the line; the rest is
//! the title. Google understands more.

use axum::http::StatusCode;
use chrono::{Datelike, Days, DurationRound, Month, NaiveDate, NaiveTime, TimeDelta, Weekday};
use serde_json::{Map, json};

use super::answer::{Answer, Refusal};
use super::calendar::Role;
use super::call::Desk;
use super::generator::BASE32HEX;

/// What was found in a line.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    title: Vec<String>,
    day: Option<NaiveDate>,
    times: Vec<NaiveTime>,
}

pub(super) fn quick_add(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    let zone = desk.calendar_as(Role::Writer)?.time_zone;
    let text = desk.asked.parameters.get("text").unwrap_or_default().to_owned();
    if text.trim().is_empty() {
        let refusal =
            Refusal::new(StatusCode::BAD_REQUEST, "global", "required", "Required parameter: text");
        return Err(refusal.at("parameter", "text"));
    }
    let now = desk.now.with_timezone(&zone).naive_local();
    let found = read(&text, now.date());
    let mut body = Map::new();
    body.insert("summary".to_owned(), found.title.join(" ").into());
    let day = found.day.unwrap_or(now.date());
    let (start, end) = match found.times[..] {
        [] if found.day.is_some() => {
            (json!({"date": day.to_string()}), json!({"date": (day + Days::new(1)).to_string()}))
        }
        ref times => {
            let hour = TimeDelta::hours(1);
            let next = now.duration_trunc(hour).unwrap_or(now) + hour;
            let start = times.first().map_or(next, |time| day.and_time(*time));
            let end = match times.get(1).map(|time| day.and_time(*time)) {
                Some(end) if end > start => end,
                Some(end) => end + Days::new(1),
                None => start + hour,
            };
            let point = |wall: chrono::NaiveDateTime| json!({"dateTime": wall.format("%Y-%m-%dT%H:%M:%S").to_string(), "timeZone": zone.name()});
            (point(start), point(end))
        }
    };
    body.extend([("start".to_owned(), start), ("end".to_owned(), end)]);
    let checked = desk.checked_event(&Map::new(), &body, None)?;
    let id = desk.state.generator.letters(BASE32HEX, 26);
    desk.call.event = Some(id.clone());
    let uid = format!("{id}@google.com");
    let event = desk.new_event(id, uid, checked)?;
    let event = desk.store(event)?;
    desk.shown(&event)
}

fn read(text: &str, today: NaiveDate) -> Found {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut found = Found::default();
    let mut place = 0;
    while let Some(rest) = words.get(place..).filter(|rest| !rest.is_empty()) {
        // A word that leads to a day or a time goes with it.
        let lead = usize::from(
            ["on", "at", "from", "to", "until", "-"].contains(&lower(rest[0]).as_str()),
        );
        if found.day.is_none()
            && let Some((day, used)) = day(&rest[lead..], today)
        {
            found.day = Some(day);
            place += lead + used;
        } else if found.times.len() < 2
            && let Some((times, used)) = times(&rest[lead..])
        {
            found.times.extend(times);
            place += lead + used;
        } else {
            found.title.push(rest[0].to_owned());
            place += 1;
        }
    }
    found.times.truncate(2);
    found
}

fn lower(word: &str) -> String {
    word.trim_end_matches([',', '.', ':']).to_ascii_lowercase()
}

/// A day at the head of `words`, and how many of them it takes.
fn day(words: &[&str], today: NaiveDate) -> Option<(NaiveDate, usize)> {
    let first = lower(words.first()?);
    if let Ok(day) = NaiveDate::parse_from_str(&first, "%Y-%m-%d") {
        return Some((day, 1));
    }
    match first.as_str() {
        "today" => return Some((today, 1)),
        "tomorrow" => return Some((today + Days::new(1), 1)),
        _ => {}
    }
    if let Ok(weekday) = first.parse::<Weekday>() {
        let ahead = weekday.days_since(today.weekday()).max(1);
        let ahead = if weekday == today.weekday() { 7 } else { ahead };
        return Some((today + Days::new(ahead.into()), 1));
    }
    let second = lower(words.get(1)?);
    let (month, number) = match (first.parse::<Month>(), second.parse::<Month>()) {
        (Ok(month), _) => (month, ordinal(&second)?),
        (_, Ok(month)) => (month, ordinal(&first)?),
        _ => return None,
    };
    let year = words.get(2).and_then(|word| lower(word).parse::<i32>().ok());
    if let Some(year) = year.filter(|year| (1970..=2099).contains(year)) {
        return Some((NaiveDate::from_ymd_opt(year, month.number_from_month(), number)?, 3));
    }
    let this_year = NaiveDate::from_ymd_opt(today.year(), month.number_from_month(), number)?;
    let day = if this_year < today { this_year.with_year(today.year() + 1)? } else { this_year };
    Some((day, 2))
}

/// `3`, `3rd`, `21st`.
fn ordinal(word: &str) -> Option<u32> {
    let digits = ["st", "nd", "rd", "th"].iter().find_map(|end| word.strip_suffix(end));
    digits.unwrap_or(word).parse().ok()
}

/// One time, or two joined by a dash, at the head of `words`.
fn times(words: &[&str]) -> Option<(Vec<NaiveTime>, usize)> {
    let first = lower(words.first()?);
    if let Some((from, to)) = first.split_once('-') {
        return Some((vec![time(from)?, time(to)?], 1));
    }
    let half = words.get(1).map(|word| lower(word)).filter(|word| word == "am" || word == "pm");
    if let Some(half) = half {
        return Some((vec![time(&format!("{first}{half}"))?], 2));
    }
    Some((vec![time(&first)?], 1))
}

/// `10am`, `10:25pm`, `14:00`. A bare number is none.
fn time(word: &str) -> Option<NaiveTime> {
    let (digits, half) = match (word.strip_suffix("am"), word.strip_suffix("pm")) {
        (Some(digits), _) => (digits, Some(0)),
        (_, Some(digits)) => (digits, Some(12)),
        _ => (word, None),
    };
    let (hour, minute) = match digits.split_once(':') {
        Some((hour, minute)) => (hour, minute),
        None if half.is_some() => (digits, "0"),
        None => return None,
    };
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    match half {
        Some(_) if !(1..=12).contains(&hour) => None,
        Some(half) => NaiveTime::from_hms_opt(hour % 12 + half, minute, 0),
        None => NaiveTime::from_hms_opt(hour, minute, 0),
    }
}
