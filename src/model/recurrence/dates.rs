//! `RDATE` and `EXDATE` lines: single starts that a series has beside its rule, or leaves out.

use std::collections::BTreeSet;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeZone};
use chrono_tz::Tz;

use super::{Clock, Rule as Broken};
use crate::model::timing::Original;

/// The starts that a line names, in capitals: `parameters` stand before its colon, `text` behind it.
pub(super) fn read(
    parameters: &str,
    text: &str,
    clock: Clock,
    into: &mut BTreeSet<Original>,
) -> Result<(), Broken> {
    let mut zone = None;
    for parameter in parameters.split(';').filter(|parameter| !parameter.is_empty()) {
        match parameter.split_once('=') {
            Some(("TZID", name)) => {
                let known = chrono_tz::TZ_VARIANTS
                    .iter()
                    .find(|zone| zone.name().eq_ignore_ascii_case(name));
                zone = Some(*known.ok_or("TZID is not the name of an IANA time zone")?);
            }
            Some(("VALUE", "DATE")) if matches!(clock, Clock::Days) => {}
            Some(("VALUE", "DATE-TIME")) if matches!(clock, Clock::Zone(_)) => {}
            Some(("VALUE", _)) => {
                return Err("VALUE must be `DATE` for whole days, else `DATE-TIME`".into());
            }
            _ => return Err("TZID and VALUE are all that may stand before the colon".into()),
        }
    }
    for item in text.split(',') {
        let start = read_one(item, clock, zone).ok_or(match clock {
            Clock::Days => "must name days such as `20251030`",
            Clock::Zone(_) => "must name starts such as `20251030T140000`",
        })?;
        into.insert(start);
    }
    Ok(())
}

/// One start. A time without a zone is one of the series' own; of whole days, a time's day counts.
pub(super) fn read_one(text: &str, clock: Clock, zone: Option<Tz>) -> Option<Original> {
    let Some((day, time)) = text.split_once('T') else {
        return match clock {
            Clock::Days => read_day(text).map(Original::Day),
            Clock::Zone(_) => None,
        };
    };
    let day = read_day(day)?;
    let (time, utc) = match time.strip_suffix('Z') {
        Some(time) => (time, true),
        None => (time, false),
    };
    let digits = time.len() == 6 && time.bytes().all(|byte| byte.is_ascii_digit());
    let number = |at: usize| time.get(at..at + 2)?.parse().ok();
    let time = NaiveTime::from_hms_opt(number(0)?, number(2)?, number(4)?).filter(|_| digits)?;
    let wall = day.and_time(time);
    Some(match clock {
        Clock::Days => Original::Day(day),
        Clock::Zone(_) if utc => Original::Moment(wall.and_utc()),
        Clock::Zone(own) => Clock::Zone(zone.unwrap_or(own)).original(wall),
    })
}

/// `YYYYMMDD`.
pub(super) fn read_day(text: &str) -> Option<NaiveDate> {
    let digits = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| NaiveDate::parse_from_str(text, "%Y%m%d").ok()).flatten()
}

/// The lines that name these starts: as the clock on the wall shows them, which stays true when a
/// zone's rules change; in UTC only where the clock shows a time twice and the second is meant.
pub(super) fn lines(name: &str, starts: &BTreeSet<Original>, clock: Clock) -> Vec<String> {
    let (mut plain, mut utc) = (Vec::new(), Vec::new());
    for start in starts {
        match (start, clock) {
            (Original::Moment(moment), Clock::Zone(zone)) => {
                let wall: NaiveDateTime = zone.from_utc_datetime(&moment.naive_utc()).naive_local();
                if clock.original(wall) == *start {
                    plain.push(wall.format("%Y%m%dT%H%M%S").to_string());
                } else {
                    utc.push(start.to_string());
                }
            }
            (start, _) => plain.push(start.to_string()),
        }
    }
    let head = match clock {
        Clock::Days => format!("{name};VALUE=DATE"),
        Clock::Zone(zone) => format!("{name};TZID={}", zone.name()),
    };
    [(head, plain), (name.to_owned(), utc)]
        .into_iter()
        .filter(|(_, items)| !items.is_empty())
        .map(|(head, items)| format!("{head}:{}", items.join(",")))
        .collect()
}
