//! Promise 10: time means what was typed.

mod door;

use calbridge::model::invalid::Invalid;
use calbridge::model::recurrence::{Effect, Recurrence};
use calbridge::model::timing::{Timing, Typed};
use calbridge::model::when::{Dst, Moment, Span};
use chrono::{DateTime, MappedLocalTime, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use proptest::prelude::*;

fn read(raw: &str, zone: Option<&str>, dst: Dst) -> Result<Moment, Invalid> {
    Moment::read("start", raw, zone.map(|zone| ("zone", zone)), dst)
}

/// The moment as UTC and as the wall shows it, in one line.
fn shown(raw: &str, zone: Option<&str>, dst: Dst) -> String {
    match read(raw, zone, dst) {
        Ok(moment) => format!(
            "{} | {}",
            moment.instant().format("%Y-%m-%dT%H:%M:%S%.fZ"),
            moment.wall().format("%Y-%m-%dT%H:%M:%S%.f")
        ),
        Err(invalid) => format!("{invalid}"),
    }
}

#[track_caller]
fn refused(raw: &str, zone: Option<&str>, field: &str, words: &[&str]) {
    let invalid = read(raw, zone, Dst::Compatible).expect_err(raw);
    assert_eq!(invalid.field, field, "{raw}: {invalid}");
    for word in words {
        assert!(invalid.rule.contains(word), "{raw}: `{invalid}` does not say `{word}`");
    }
}

#[test]
fn promise_10_a_wall_time_in_a_zone_is_kept_as_typed() {
    let cases = [
        ("2025-10-30T14:00:00", "2025-10-30T14:00:00Z | 2025-10-30T14:00:00"),
        ("2025-07-30T14:00:00", "2025-07-30T13:00:00Z | 2025-07-30T14:00:00"),
        ("2025-07-30T14:00", "2025-07-30T13:00:00Z | 2025-07-30T14:00:00"),
        ("2025-07-30t14:00:00.25", "2025-07-30T13:00:00.250Z | 2025-07-30T14:00:00.250"),
        ("2025-07-30T14:00:00+01:00", "2025-07-30T13:00:00Z | 2025-07-30T14:00:00"),
        ("2025-07-30T14:00:00+0100", "2025-07-30T13:00:00Z | 2025-07-30T14:00:00"),
        ("2025-07-30T14:00:00+01", "2025-07-30T13:00:00Z | 2025-07-30T14:00:00"),
        // The last summer that the compiled-in zones know.
        ("2099-07-01T12:00", "2099-07-01T11:00:00Z | 2099-07-01T12:00:00"),
    ];
    for (raw, expected) in cases {
        assert_eq!(shown(raw, Some("Europe/Lisbon"), Dst::Compatible), expected, "{raw}");
    }
}

#[test]
fn promise_10_z_names_an_instant_and_agrees_with_any_zone() {
    let cases = [
        (None, "2025-07-30T14:00:00Z | 2025-07-30T14:00:00"),
        (Some("Europe/Lisbon"), "2025-07-30T14:00:00Z | 2025-07-30T15:00:00"),
        (Some("Asia/Kathmandu"), "2025-07-30T14:00:00Z | 2025-07-30T19:45:00"),
        (Some("Pacific/Kiritimati"), "2025-07-30T14:00:00Z | 2025-07-31T04:00:00"),
    ];
    for (zone, expected) in cases {
        for raw in ["2025-07-30T14:00:00Z", "2025-07-30T14:00:00.000z", "2025-07-30T14:00-00:00"] {
            assert_eq!(shown(raw, zone, Dst::Reject), expected, "{raw} {zone:?}");
        }
    }
}

#[test]
fn promise_10_an_offset_alone_is_enough() {
    assert_eq!(
        shown("2025-07-30T14:00:00-03:30", None, Dst::Compatible),
        "2025-07-30T17:30:00Z | 2025-07-30T14:00:00"
    );
    assert_eq!(read("2025-07-30T14:00-03:30", None, Dst::Compatible).unwrap().zone(), None);
}

#[test]
fn promise_10_a_time_skipped_by_the_clocks_goes_where_it_is_told() {
    // Lisbon, 2026-03-29: 01:00 WET becomes 02:00 WEST. Apia skipped the whole of 2011-12-30.
    let cases = [
        (
            "2026-03-29T01:30",
            "Europe/Lisbon",
            Dst::Compatible,
            "2026-03-29T01:30:00Z | 2026-03-29T02:30:00",
        ),
        (
            "2026-03-29T01:30",
            "Europe/Lisbon",
            Dst::Later,
            "2026-03-29T01:30:00Z | 2026-03-29T02:30:00",
        ),
        (
            "2026-03-29T01:30",
            "Europe/Lisbon",
            Dst::Earlier,
            "2026-03-29T00:30:00Z | 2026-03-29T00:30:00",
        ),
        (
            "2026-03-29T01:00",
            "Europe/Lisbon",
            Dst::Compatible,
            "2026-03-29T01:00:00Z | 2026-03-29T02:00:00",
        ),
        (
            "2026-03-29T00:59:59",
            "Europe/Lisbon",
            Dst::Reject,
            "2026-03-29T00:59:59Z | 2026-03-29T00:59:59",
        ),
        (
            "2026-03-29T02:00",
            "Europe/Lisbon",
            Dst::Reject,
            "2026-03-29T01:00:00Z | 2026-03-29T02:00:00",
        ),
        (
            "2026-03-08T02:30",
            "America/New_York",
            Dst::Compatible,
            "2026-03-08T07:30:00Z | 2026-03-08T03:30:00",
        ),
        (
            "2026-10-04T02:15",
            "Australia/Lord_Howe",
            Dst::Compatible,
            "2026-10-03T15:45:00Z | 2026-10-04T02:45:00",
        ),
        (
            "2011-12-30T12:00",
            "Pacific/Apia",
            Dst::Compatible,
            "2011-12-30T22:00:00Z | 2011-12-31T12:00:00",
        ),
    ];
    for (raw, zone, dst, expected) in cases {
        assert_eq!(shown(raw, Some(zone), dst), expected, "{raw} {zone} {}", dst.as_str());
    }
    assert_eq!(
        shown("2026-03-29T01:30", Some("Europe/Lisbon"), Dst::Reject),
        "start: never comes in Europe/Lisbon, where clocks are set forward from +00:00 to +01:00 then: \
         choose another time"
    );
}

#[test]
fn promise_10_a_time_the_clocks_show_twice_is_the_one_it_is_told() {
    // Lisbon, 2026-10-25: 02:00 WEST becomes 01:00 WET.
    let cases = [
        ("2026-10-25T01:30", Dst::Compatible, "2026-10-25T00:30:00Z | 2026-10-25T01:30:00"),
        ("2026-10-25T01:30", Dst::Earlier, "2026-10-25T00:30:00Z | 2026-10-25T01:30:00"),
        ("2026-10-25T01:30", Dst::Later, "2026-10-25T01:30:00Z | 2026-10-25T01:30:00"),
        ("2026-10-25T01:30+01:00", Dst::Reject, "2026-10-25T00:30:00Z | 2026-10-25T01:30:00"),
        ("2026-10-25T01:30+00:00", Dst::Reject, "2026-10-25T01:30:00Z | 2026-10-25T01:30:00"),
        ("2026-10-25T02:00", Dst::Reject, "2026-10-25T02:00:00Z | 2026-10-25T02:00:00"),
        ("2026-10-25T00:59:59", Dst::Reject, "2026-10-24T23:59:59Z | 2026-10-25T00:59:59"),
    ];
    for (raw, dst, expected) in cases {
        assert_eq!(shown(raw, Some("Europe/Lisbon"), dst), expected, "{raw} {}", dst.as_str());
    }
    assert_eq!(
        shown("2026-10-25T01:30", Some("Europe/Lisbon"), Dst::Reject),
        "start: comes twice in Europe/Lisbon, where clocks are set back that day: add the offset that is \
         meant, +01:00 or +00:00"
    );
}

#[test]
fn promise_10_an_offset_that_contradicts_its_zone_is_refused_with_the_right_one() {
    let lisbon = Some("Europe/Lisbon");
    refused(
        "2025-07-30T14:00:00+02:00",
        lisbon,
        "start",
        &["+02:00", "Europe/Lisbon", "at +01:00 then"],
    );
    refused("2025-07-30T14:00:00+00:00", lisbon, "start", &["at +01:00 then"]);
    refused("2025-01-30T14:00:00+01:00", lisbon, "start", &["at +00:00 then"]);
    refused("2026-10-25T01:30+02:00", lisbon, "start", &["+01:00", "+00:00", "one of them"]);
    // In a gap no offset is the zone's: either would name another wall time.
    refused("2026-03-29T01:30+00:00", lisbon, "start", &["never comes", "+00:00 to +01:00"]);
    refused("2026-03-29T01:30+01:00", lisbon, "start", &["never comes"]);
}

#[test]
fn promise_10_neither_offset_nor_zone_is_refused() {
    refused("2025-10-30T14:00:00", None, "start", &["offset", "time zone"]);
    refused("2025-10-30", Some("Europe/Lisbon"), "start", &["a day without a time"]);
}

#[test]
fn what_is_no_moment_is_refused_by_rule() {
    let lisbon = Some("Europe/Lisbon");
    for raw in [
        "",
        "now",
        "30.10.2025 14:00",
        "2025-10-30 14:00",
        "2025-10-30T",
        "2025-10-30T14",
        "2025-10-30T1:00",
        "2025-10-30T14:00:00.",
        "2025-10-30T14:00:00.1234567890",
        "2025-10-30T14:00.5",
        "2025-10-30T14:00:00:00",
        "+2025-10-30T14:00",
        "2025-1-30T14:00",
        "20251030T140000Z",
        "２０２５-10-30T14:00",
        "2025-10-3éT14:00",
    ] {
        refused(raw, lisbon, "start", &["2025-10-30T14:00:00"]);
    }
    for raw in ["2025-02-29T14:00", "2025-13-01T14:00", "2025-00-10T14:00", "2025-02-30"] {
        refused(raw, lisbon, "start", &["no calendar has"]);
    }
    for raw in ["2025-10-30T24:00", "2025-10-30T14:60", "2025-10-30T23:59:60Z"] {
        refused(raw, lisbon, "start", &["no clock shows"]);
    }
    for raw in [
        "14:00 ",
        "14:00+1",
        "14:00+24:00",
        "14:00+01:60",
        "14:00+1:00",
        "14:00 Z",
        "14:00ZZ",
        "14:00é",
    ] {
        refused(&format!("2025-10-30T{raw}"), lisbon, "start", &["cannot be read"]);
    }
    for raw in [
        "1969-12-31T23:00Z",
        "0000-01-01T00:00Z",
        "1970-01-01T00:00+05:00",
        "2099-12-31T23:00-02:00",
        "9999-07-01T12:00Z",
    ] {
        refused(raw, None, "start", &["1970 to 2099"]);
    }
    refused("2099-12-31T23:00Z", Some("Asia/Tokyo"), "start", &["1970 to 2099"]);
}

#[test]
fn a_zone_is_known_in_any_case_and_a_mistyped_one_gets_the_nearest_name() {
    let zone = read("2025-10-30T14:00", Some("europe/LISBON"), Dst::Compatible).unwrap().zone();
    assert_eq!(zone, Some(Tz::Europe__Lisbon));
    let cases = [
        ("Europe/Lisboa", "`Europe/Lisbon`"),
        ("Lisbon", "`Europe/Lisbon`"),
        ("america/new york", "`America/New_York`"),
        ("Asia/Calcuta", "`Asia/Calcutta`"),
    ];
    for (typed, proposed) in cases {
        refused("2025-10-30T14:00", Some(typed), "zone", &["did you mean", proposed]);
        // An instant does not excuse a zone that is none.
        refused("2025-10-30T14:00Z", Some(typed), "zone", &[proposed]);
    }
    refused("2025-10-30T14:00", Some("Middle-earth/Shire"), "zone", &["such as `Europe/Lisbon`"]);
    refused("2025-10-30T14:00", Some(""), "zone", &["such as `Europe/Lisbon`"]);
}

#[test]
fn every_choice_for_clock_changes_has_a_name_and_no_other_is_taken() {
    for dst in Dst::ALL {
        assert_eq!(dst.as_str().parse(), Ok(dst));
    }
    assert_eq!(Dst::default(), Dst::Compatible);
    assert_eq!("sooner".parse::<Dst>().unwrap_err().field, "dst");
}

#[test]
fn a_span_ends_after_it_starts_whatever_the_walls_show() {
    let zone = Some("Europe/Lisbon");
    let first = read("2026-10-25T01:45+01:00", zone, Dst::Compatible).unwrap();
    let second = read("2026-10-25T01:15+00:00", zone, Dst::Compatible).unwrap();
    let span = Span::new(first, second).expect("a quarter past the second time is later");
    assert_eq!((span.start(), span.end()), (&first, &second));
    assert_eq!(Span::new(second, first).unwrap_err().field, "end");
    assert_eq!(Span::new(first, first).unwrap_err().field, "end");
}

/// When the zone's offset changes from 2024 to 2034: the first instants of the new offset.
fn transitions(zone: Tz) -> Vec<DateTime<Utc>> {
    let offset = |at: DateTime<Utc>| zone.offset_from_utc_datetime(&at.naive_utc()).fix();
    let mut found = Vec::new();
    let mut day = Utc.with_ymd_and_hms(2024, 1, 1, 0, 0, 0).unwrap();
    while day < Utc.with_ymd_and_hms(2035, 1, 1, 0, 0, 0).unwrap() {
        let (mut before, mut after) = (day, day + TimeDelta::days(1));
        day = after;
        if offset(before) == offset(after) {
            continue;
        }
        while after - before > TimeDelta::seconds(1) {
            let middle = before + (after - before) / 2;
            let middle =
                middle - TimeDelta::nanoseconds(i64::from(middle.timestamp_subsec_nanos()));
            if offset(middle) == offset(before) { before = middle } else { after = middle }
        }
        found.push(after);
    }
    found
}

/// Checks every promise about one wall time in one zone, against chrono's own mapping.
fn holds(zone: Tz, wall: NaiveDateTime) {
    let raw = wall.format("%Y-%m-%dT%H:%M:%S").to_string();
    let name = zone.name();
    let read = |dst| read(&raw, Some(name), dst);
    let moved = |dst| read(dst).expect("only Reject refuses a wall time");
    let (compatible, earlier, later) =
        (moved(Dst::Compatible), moved(Dst::Earlier), moved(Dst::Later));
    for moment in [compatible, earlier, later] {
        // The wall is what a clock in the zone shows at the instant, and both survive a store.
        assert_eq!(
            moment.instant().with_timezone(&zone).naive_local(),
            moment.wall(),
            "{raw} {name}"
        );
        assert_eq!(moment.zone(), Some(zone));
        let again =
            Moment::from_parts(moment.instant(), moment.wall(), moment.zone().map(Tz::name));
        assert_eq!(again, Ok(moment));
        // `Z` and the zone's own offset name the same moment.
        let instant = moment.instant().format("%Y-%m-%dT%H:%M:%SZ").to_string();
        assert_eq!(self::read(&instant, Some(name), Dst::Reject), Ok(moment), "{instant} {name}");
        let offset =
            moment.instant().with_timezone(&zone).format("%Y-%m-%dT%H:%M:%S%:z").to_string();
        assert_eq!(self::read(&offset, Some(name), Dst::Reject), Ok(moment), "{offset} {name}");
    }
    match zone.from_local_datetime(&wall) {
        MappedLocalTime::Single(only) => {
            assert_eq!(read(Dst::Reject), Ok(compatible), "{raw} {name}");
            assert_eq!((earlier, later), (compatible, compatible), "{raw} {name}");
            assert_eq!(
                (compatible.instant(), compatible.wall()),
                (only.to_utc(), wall),
                "{raw} {name}"
            );
        }
        MappedLocalTime::Ambiguous(first, second) => {
            assert!(read(Dst::Reject).is_err(), "{raw} {name}");
            assert!(first < second, "{raw} {name}");
            assert_eq!((compatible, earlier.instant()), (earlier, first.to_utc()), "{raw} {name}");
            assert_eq!((later.instant(), later.wall()), (second.to_utc(), wall), "{raw} {name}");
        }
        MappedLocalTime::None => {
            assert!(read(Dst::Reject).is_err(), "{raw} {name}");
            assert_eq!(compatible, later, "{raw} {name}");
            assert!(earlier.wall() < wall && wall < later.wall(), "{raw} {name}");
            // Moved forward by the length of the gap, which is what the two offsets differ by.
            let (before, after) = (earlier.instant(), later.instant());
            let offset = |at: DateTime<Utc>| {
                zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc()
            };
            let gap = TimeDelta::seconds(i64::from(offset(after) - offset(before)));
            assert_eq!(later.wall() - wall, gap, "{raw} {name}");
            assert_eq!(wall - earlier.wall(), gap, "{raw} {name}");
        }
    }
}

#[test]
fn promise_10_around_every_clock_change_of_every_zone_from_2024_to_2034() {
    let mut changes = 0;
    for zone in TZ_VARIANTS {
        for change in transitions(zone) {
            changes += 1;
            let wall = change.with_timezone(&zone).naive_local();
            for minutes in [-121, -60, -30, -1, 0, 1, 29, 59, 60, 121] {
                holds(zone, wall + TimeDelta::minutes(minutes));
            }
        }
    }
    assert!(changes > 2_000, "only {changes} clock changes were found");
}

proptest! {
    #[test]
    fn promise_10_any_wall_time_in_any_zone(
        zone in prop::sample::select(TZ_VARIANTS.to_vec()),
        minutes in 0_i64..(11 * 366 * 24 * 60),
    ) {
        let start = Utc.with_ymd_and_hms(2024, 1, 1, 0, 0, 0).unwrap().naive_utc();
        holds(zone, start + TimeDelta::minutes(minutes));
    }

    #[test]
    fn reading_never_panics(raw in "\\PC{0,40}", zone in "\\PC{0,20}") {
        let _ = Moment::read("start", &raw, Some(("zone", &zone)), Dst::Compatible);
    }

    #[test]
    fn what_almost_looks_like_a_moment_never_panics(raw in "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.é]{0,12}[Zz+0-9:-]{0,7}") {
        if let Ok(moment) = read(&raw, Some("Africa/Casablanca"), Dst::Compatible) {
            prop_assert_eq!(
                moment.instant().with_timezone(&Tz::Africa__Casablanca).naive_local(),
                moment.wall()
            );
        }
    }
}

/// Whole days and series across every time that clocks are set in the zone.
fn series_hold(zone: Tz) {
    for at in transitions(zone) {
        let wall = at.with_timezone(&zone).naive_local();
        let day = wall.date() - TimeDelta::days(2);
        let name = zone.name();
        let days = day.to_string();
        let timing = Timing::read(Typed { start: &days, ..Typed::default() }).expect("a day");
        let daily = ["RRULE:FREQ=DAILY;COUNT=5".to_owned()];
        let series = Recurrence::read(&daily, &timing).expect("a series");
        let told = series.expand(&timing, None, 9).expect("occurrences");
        let firsts: Vec<_> = told
            .iter()
            .map(|one| match one.timing {
                Timing::Days(days) => (days.first() - day, days.after() - day),
                Timing::Span(_) => panic!("{name}: a day became a span"),
            })
            .collect();
        let right: Vec<_> = (0..5).map(|n| (TimeDelta::days(n), TimeDelta::days(n + 1))).collect();
        assert_eq!(firsts, right, "{name} {days}");
        // The wall time at which the clocks are set, and half an hour to each side of it.
        for minutes in [-30, 0, 30] {
            let time = (wall + TimeDelta::minutes(minutes)).time();
            let start = day.and_time(time).format("%Y-%m-%dT%H:%M:%S").to_string();
            let end = (day.and_time(time) + TimeDelta::minutes(20)).format("%FT%T").to_string();
            let typed = Typed { start: &start, end: Some(&end), time_zone: Some(name), dst: None };
            let timing = Timing::read(typed).expect("a span");
            let series = Recurrence::read(&daily, &timing).expect("a series");
            for (day, one) in day.iter_days().zip(series.expand(&timing, None, 9).expect("all")) {
                let Timing::Span(span) = one.timing else { panic!("{name}: a span became days") };
                let shown = span.start().wall();
                let meant = day.and_time(time);
                let mapped = zone.from_local_datetime(&meant);
                let effect = match mapped {
                    MappedLocalTime::Single(_) => None,
                    MappedLocalTime::Ambiguous(..) => Some(Effect::Repeated),
                    MappedLocalTime::None => Some(Effect::Skipped),
                };
                assert_eq!(one.effect, effect, "{name} {meant}");
                match mapped.earliest() {
                    Some(first) => assert_eq!(
                        (shown, span.start().instant()),
                        (meant, first.to_utc()),
                        "{name} {meant}"
                    ),
                    None => assert!(shown > meant, "{name} {meant}"),
                }
                assert_eq!(span.end().instant() - span.start().instant(), TimeDelta::minutes(20));
            }
        }
    }
}

#[test]
fn promise_10_series_and_whole_days_hold_in_every_zone_through_every_transition() {
    for zone in TZ_VARIANTS {
        series_hold(zone);
    }
}
