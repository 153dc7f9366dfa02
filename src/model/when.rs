//! Time as it was typed: a wall time in a zone, or an instant, and the span between two.
//!
//! What is typed is read once, against its zone, and both readings are kept: the instant, and what
//! the clock on the wall shows then.

use std::str::FromStr;

use chrono::{
    DateTime, Datelike, FixedOffset, MappedLocalTime, NaiveDate, NaiveDateTime, Offset, TimeZone,
    Utc,
};
use chrono_tz::{GapInfo, TZ_VARIANTS, Tz};

use super::invalid::Invalid;

/// A moment, kept as it was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    instant: DateTime<Utc>,
    wall: NaiveDateTime,
    zone: Option<Tz>,
}

/// From one moment to a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    start: Moment,
    end: Moment,
}

/// Which moment is meant by a wall time that clocks skip, or show twice, when they are set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dst {
    /// As RFC 5545 §3.3.5 has it: a skipped time moves forward by as much as the clocks did; of a
    /// time shown twice, the first is meant.
    #[default]
    Compatible,
    /// The earlier of the two moments it could be: a skipped time moves back.
    Earlier,
    /// The later of the two moments it could be: a skipped time moves forward.
    Later,
    /// Neither: it is refused.
    Reject,
}

/// Years that can be typed. chrono-tz knows when clocks are set until the end of 2099; later summer
/// times would silently be an hour off.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=2099;

/// A zone's name this near to what was typed is worth proposing.
const NEAR: f64 = 0.8;

/// No zone's name is longer; what is longer is compared with none, since that takes time.
const LONGEST_ZONE: usize = 64;

impl Moment {
    /// Reads what was typed into `field`: ISO 8601 with date and time, and either `Z`, an offset,
    /// or a `zone` (the name of its field, and an IANA name in any case) beside it.
    ///
    /// `Z` names an instant and agrees with every zone. Another offset must be the zone's at that
    /// moment, and says which is meant of a wall time shown twice. `dst` decides the rest.
    pub fn read(
        field: &'static str,
        raw: &str,
        zone: Option<(&'static str, &str)>,
        dst: Dst,
    ) -> Result<Self, Invalid> {
        let zone = zone.map(|(field, name)| zone_named(field, name)).transpose()?;
        let typed = Typed::parse(raw).map_err(|rule| Invalid::new(field, rule))?;
        let instant = match (typed.offset, zone) {
            (Written::Utc, _) => Ok(typed.wall.and_utc()),
            (Written::Offset(offset), None) => before_utc(typed.wall, offset),
            (Written::Offset(offset), Some(zone)) => in_agreement(typed.wall, offset, zone),
            (Written::Nothing, Some(zone)) => on_the_wall(typed.wall, zone, dst),
            (Written::Nothing, None) => Err(
                "names no place on Earth: add `Z` or an offset such as `+01:00`, or name a time zone"
                    .into(),
            ),
        };
        let instant = instant.map_err(|rule| Invalid::new(field, rule))?;
        let wall = zone.map_or(typed.wall, |zone| instant.with_timezone(&zone).naive_local());
        if !YEARS.contains(&wall.year()) || !YEARS.contains(&instant.year()) {
            return Err(Invalid::new(field, "must lie in the years 1970 to 2099"));
        }
        Ok(Self { instant, wall, zone })
    }

    /// The moment that was read once and taken apart since. Nothing is decided anew: a zone whose
    /// rules have changed in between changes neither reading.
    pub fn from_parts(
        instant: DateTime<Utc>,
        wall: NaiveDateTime,
        zone: Option<&str>,
    ) -> Result<Self, Invalid> {
        let zone = zone.map(|name| zone_named("zone", name)).transpose()?;
        Ok(Self { instant, wall, zone })
    }

    /// What clocks in `zone` show at `instant`.
    pub fn at(instant: DateTime<Utc>, zone: Tz) -> Self {
        Self { instant, wall: instant.with_timezone(&zone).naive_local(), zone: Some(zone) }
    }

    /// The moment on the world's clock.
    pub fn instant(&self) -> DateTime<Utc> {
        self.instant
    }

    /// What the clock on the wall shows then.
    pub fn wall(&self) -> NaiveDateTime {
        self.wall
    }

    /// How far the zone's clocks are ahead of UTC then; none without a zone.
    pub fn offset(&self) -> Option<FixedOffset> {
        self.zone.map(|zone| zone.offset_from_utc_datetime(&self.instant.naive_utc()).fix())
    }

    /// The zone it was typed in; none if only an offset was.
    pub fn zone(&self) -> Option<Tz> {
        self.zone
    }
}

impl Span {
    /// From `start` to `end`, which must be later.
    pub fn new(start: Moment, end: Moment) -> Result<Self, Invalid> {
        if end.instant <= start.instant {
            return Err(Invalid::new("end", "must be later than the start"));
        }
        Ok(Self { start, end })
    }

    /// Its first moment.
    pub fn start(&self) -> &Moment {
        &self.start
    }

    /// The moment it is over.
    pub fn end(&self) -> &Moment {
        &self.end
    }
}

impl Dst {
    /// Every choice there is.
    pub const ALL: [Self; 4] = [Self::Compatible, Self::Earlier, Self::Later, Self::Reject];

    /// The choice's name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compatible => "compatible",
            Self::Earlier => "earlier",
            Self::Later => "later",
            Self::Reject => "reject",
        }
    }
}

impl FromStr for Dst {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|dst| dst.as_str() == name)
            .ok_or_else(|| Invalid::new("dst", "`compatible`, `earlier`, `later` or `reject`"))
    }
}

/// Reads an instant that was typed into `field`: as [`Moment::read`] does, where no zone stands beside it.
pub fn read_instant(field: &'static str, raw: &str) -> Result<DateTime<Utc>, Invalid> {
    Moment::read(field, raw, None, Dst::default()).map(|moment| moment.instant()).map_err(|_| {
        let rule = "must be a moment in the years 1970 to 2099 with `Z` or an offset, such as \
                    `2025-10-30T14:00:00Z`";
        // What decodes an address makes a space of a `+`.
        let hint = if raw.contains(' ') { "; in an address a `+` is written %2B" } else { "" };
        Invalid::new(field, format!("{rule}{hint}"))
    })
}

/// The zone called `name`, in any case; a name that is nearly one is proposed.
pub fn zone_named(field: &'static str, name: &str) -> Result<Tz, Invalid> {
    if let Ok(zone) = name.parse() {
        return Ok(zone);
    }
    if let Some(zone) = TZ_VARIANTS.iter().find(|zone| zone.name().eq_ignore_ascii_case(name)) {
        return Ok(*zone);
    }
    let wanted = name.to_ascii_lowercase().replace(' ', "_");
    let nearness = |zone: &Tz| {
        let known = zone.name().to_ascii_lowercase();
        let city = known.rsplit('/').next().unwrap_or(&known);
        strsim::normalized_levenshtein(&wanted, &known)
            .max(strsim::normalized_levenshtein(&wanted, city))
    };
    let nearest = TZ_VARIANTS
        .iter()
        .filter(|_| wanted.len() <= LONGEST_ZONE)
        .map(|zone| (nearness(zone), zone))
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .filter(|(nearness, _)| *nearness >= NEAR);
    Err(match nearest {
        Some((_, zone)) => Invalid::new(
            field,
            format!("is not the name of an IANA time zone; did you mean `{}`?", zone.name()),
        ),
        None => {
            Invalid::new(field, "must be the name of an IANA time zone, such as `Europe/Lisbon`")
        }
    })
}

/// A moment as typed, before any zone is looked at.
struct Typed {
    wall: NaiveDateTime,
    offset: Written,
}

/// What stood behind the time.
#[derive(Clone, Copy)]
enum Written {
    Nothing,
    Utc,
    Offset(FixedOffset),
}

/// What is missing, or wrong, in words for its writer.
type Rule = String;

/// A day typed without a time, `YYYY-MM-DD`; none if what was typed into `field` is something else.
pub(super) fn read_day(field: &'static str, raw: &str) -> Option<Result<NaiveDate, Invalid>> {
    let day = day(raw)?.and_then(|day| {
        let known = YEARS.contains(&day.year());
        if known { Ok(day) } else { Err("must lie in the years 1970 to 2099".into()) }
    });
    Some(day.map_err(|rule| Invalid::new(field, rule)))
}

/// `YYYY-MM-DD`, if a calendar has such a day; all else is none.
fn day(raw: &str) -> Option<Result<NaiveDate, Rule>> {
    let (year, month, day) = read_date(raw)?;
    let date = NaiveDate::from_ymd_opt(year, month, day);
    Some(date.ok_or_else(|| "is a day that no calendar has".into()))
}

impl Typed {
    fn parse(raw: &str) -> Result<Self, Rule> {
        let shape = || -> Rule {
            "must be a date and a time as in `2025-10-30T14:00:00`, with `Z`, an offset or a time \
             zone"
                .into()
        };
        let (date, rest) = raw.split_at_checked("YYYY-MM-DD".len()).ok_or_else(shape)?;
        let date = day(date).ok_or_else(shape)??;
        if rest.is_empty() {
            return Err("is a day without a time: add one, as in `2025-10-30T14:00:00`".into());
        }
        let rest = rest.strip_prefix(['T', 't']).ok_or_else(shape)?;
        let behind = rest.find(|letter: char| !matches!(letter, '0'..='9' | ':' | '.'));
        let (time, offset) = rest.split_at(behind.unwrap_or(rest.len()));
        let offset = read_offset(offset).ok_or_else(|| -> Rule {
            "ends in an offset that cannot be read: write `Z`, or hours and minutes as in `+01:00`"
                .into()
        })?;
        let (hour, minute, second, nanos) = read_time(time).ok_or_else(shape)?;
        let wall = date.and_hms_nano_opt(hour, minute, second, nanos).ok_or_else(|| -> Rule {
            "has a time that no clock shows: hours end at 23, minutes and seconds at 59".into()
        })?;
        Ok(Self { wall, offset })
    }
}

/// A number of exactly `width` digits.
fn digits(raw: &str, width: usize) -> Option<u32> {
    let right = raw.len() == width && raw.bytes().all(|byte| byte.is_ascii_digit());
    right.then(|| raw.parse().ok()).flatten()
}

/// `YYYY-MM-DD`; all else is none.
fn read_date(raw: &str) -> Option<(i32, u32, u32)> {
    let mut parts = raw.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    Some((i32::try_from(digits(year, 4)?).ok()?, digits(month, 2)?, digits(day, 2)?))
}

/// `HH:MM`, `HH:MM:SS` or `HH:MM:SS.` and up to nine digits; all else is none.
fn read_time(raw: &str) -> Option<(u32, u32, u32, u32)> {
    let (clock, fraction) = match raw.split_once('.') {
        Some((clock, fraction)) if clock.len() == "HH:MM:SS".len() => (clock, Some(fraction)),
        Some(_) => return None,
        None => (raw, None),
    };
    let mut parts = clock.split(':');
    let (hour, minute) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let second = parts.next().map_or(Some(0), |second| digits(second, 2))?;
    if parts.next().is_some() {
        return None;
    }
    let nanos = match fraction {
        Some(fraction) if (1..=9).contains(&fraction.len()) => {
            digits(&format!("{fraction:0<9}"), 9)?
        }
        Some(_) => return None,
        None => 0,
    };
    Some((hour, minute, second, nanos))
}

/// Nothing, `Z`, `±HH:MM`, `±HHMM` or `±HH`. `-00:00` means what `Z` does (RFC 3339 §4.3).
fn read_offset(raw: &str) -> Option<Written> {
    if raw.is_empty() {
        return Some(Written::Nothing);
    }
    if matches!(raw, "Z" | "z" | "-00:00") {
        return Some(Written::Utc);
    }
    let (east, rest) = match raw.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match rest.len() {
        2 => (rest, "00"),
        4 => rest.split_at_checked(2)?,
        _ => rest.split_once(':')?,
    };
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    if minutes > 59 {
        return None;
    }
    let seconds = i32::try_from(hours * 3600 + minutes * 60).ok()?;
    FixedOffset::east_opt(east * seconds).map(Written::Offset)
}

/// The instant at which a clock that is `offset` ahead of UTC shows `wall`.
fn before_utc(wall: NaiveDateTime, offset: FixedOffset) -> Result<DateTime<Utc>, Rule> {
    let instant = wall.checked_sub_offset(offset).ok_or("lies beyond all calendars")?;
    Ok(instant.and_utc())
}

/// The instant named by a wall time with an offset, which must be the zone's then.
fn in_agreement(wall: NaiveDateTime, offset: FixedOffset, zone: Tz) -> Result<DateTime<Utc>, Rule> {
    let instant = before_utc(wall, offset)?;
    if zone.offset_from_utc_datetime(&instant.naive_utc()).fix() == offset {
        return Ok(instant);
    }
    let name = zone.name();
    Err(match zone.offset_from_local_datetime(&wall) {
        MappedLocalTime::Single(then) => {
            let then = then.fix();
            format!(
                "has the offset {offset}, but {name} is at {then} then: write {then}, or leave the offset out"
            )
        }
        MappedLocalTime::Ambiguous(first, second) => format!(
            "has the offset {offset}, but {name} is at {} and again at {} then: write one of them",
            first.fix(),
            second.fix()
        ),
        MappedLocalTime::None => {
            format!("{}: no offset fits it", skipped(wall, zone))
        }
    })
}

/// The instant meant by `wall` in the zone, as RFC 5545 §3.3.5 has it.
pub(super) fn instant_of(wall: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    // Where no zone's rules reach, a wall time is as good as one in UTC.
    on_the_wall(wall, zone, Dst::Compatible).unwrap_or_else(|_| wall.and_utc())
}

/// The instant at which clocks in the zone show `wall`, or the one that `dst` chooses.
fn on_the_wall(wall: NaiveDateTime, zone: Tz, dst: Dst) -> Result<DateTime<Utc>, Rule> {
    let offset = match (zone.offset_from_local_datetime(&wall), dst) {
        (MappedLocalTime::Single(only), _) => only.fix(),
        (MappedLocalTime::Ambiguous(first, _), Dst::Compatible | Dst::Earlier) => first.fix(),
        (MappedLocalTime::Ambiguous(_, second), Dst::Later) => second.fix(),
        (MappedLocalTime::Ambiguous(first, second), Dst::Reject) => {
            return Err(format!(
                "comes twice in {}, where clocks are set back that day: add the offset that is meant, {} or {}",
                zone.name(),
                first.fix(),
                second.fix()
            ));
        }
        (MappedLocalTime::None, Dst::Reject) => {
            return Err(format!("{}: choose another time", skipped(wall, zone)));
        }
        (MappedLocalTime::None, dst) => {
            let (before, after) = around_gap(wall, zone).ok_or("is unknown to its time zone")?;
            // A clock that had not been set yet would show this time later than one that had been.
            if dst == Dst::Earlier { after } else { before }
        }
    };
    before_utc(wall, offset)
}

/// The zone's offsets before and after the gap that swallows `wall`.
fn around_gap(wall: NaiveDateTime, zone: Tz) -> Option<(FixedOffset, FixedOffset)> {
    let gap = GapInfo::new(&wall, &zone)?;
    let (_, before) = gap.begin?;
    let after = gap.end?;
    Some((before.fix(), after.offset().fix()))
}

fn skipped(wall: NaiveDateTime, zone: Tz) -> String {
    let set = around_gap(wall, zone)
        .map(|(before, after)| format!(" from {before} to {after}"))
        .unwrap_or_default();
    format!("never comes in {}, where clocks are set forward{set} then", zone.name())
}
