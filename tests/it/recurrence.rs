//! Series: what their lines may say, and when they happen (promise 10; RFC 5545).

use calbridge::model::invalid::Invalid;
use calbridge::model::recurrence::{Effect, Occurrence, Recurrence};
use calbridge::model::timing::{Original, Timing, Typed};

/// A series of hours that begins at this wall time in Lisbon.
fn lisbon(start: &str) -> Timing {
    zoned(start, "Europe/Lisbon")
}

fn zoned(start: &str, zone: &str) -> Timing {
    let end = format!("{}:59", &start[..13]);
    let (end, time_zone) = (Some(end.as_str()), Some(zone));
    Timing::read(Typed { start, end, time_zone, dst: None }).expect("an hour")
}

fn day(start: &str) -> Timing {
    Timing::read(Typed { start, ..Typed::default() }).expect("a day")
}

fn read(lines: &[&str], timing: &Timing) -> Result<Recurrence, Invalid> {
    let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    Recurrence::read(&lines, timing)
}

fn occurrences(lines: &[&str], timing: &Timing, most: usize) -> Vec<Occurrence> {
    let series = read(lines, timing).unwrap_or_else(|invalid| panic!("{lines:?}: {invalid}"));
    series.expand(timing, None, most).expect("what was read can be followed")
}

/// The starts as the clock on the wall shows them, or the calendar.
fn walls(lines: &[&str], timing: &Timing, most: usize) -> Vec<String> {
    let wall = |occurrence: &Occurrence| match &occurrence.timing {
        Timing::Span(span) => span.start().wall().format("%m-%d %H:%M").to_string(),
        Timing::Days(days) => days.first().format("%m-%d").to_string(),
    };
    occurrences(lines, timing, most).iter().map(wall).collect()
}

#[track_caller]
fn refused(lines: &[&str], timing: &Timing, field: &str, words: &[&str]) {
    let invalid = read(lines, timing).expect_err(&format!("{lines:?}"));
    assert_eq!(invalid.field, field, "{lines:?}: {invalid}");
    for word in words {
        assert!(invalid.rule.contains(word), "{lines:?}: `{invalid}` does not say `{word}`");
    }
}

#[test]
fn promise_10_a_series_keeps_its_wall_time_when_clocks_are_set() {
    let told = occurrences(&["RRULE:FREQ=WEEKLY;COUNT=3"], &lisbon("2026-10-18T14:00"), 9);
    let shown = |occurrence: &Occurrence| {
        let Timing::Span(span) = &occurrence.timing else { panic!("a span") };
        let (start, end) = (span.start(), span.end());
        format!(
            "{} {} {}",
            start.wall(),
            start.instant().format("%H:%MZ"),
            end.instant().format("%H:%MZ")
        )
    };
    let told: Vec<String> = told.iter().map(shown).collect();
    assert_eq!(
        told,
        [
            "2026-10-18 14:00:00 13:00Z 13:59Z",
            "2026-10-25 14:00:00 14:00Z 14:59Z",
            "2026-11-01 14:00:00 14:00Z 14:59Z",
        ]
    );
}

#[test]
fn promise_10_a_skipped_start_moves_forward_and_one_shown_twice_is_the_first_both_marked() {
    // Lisbon: 2026-03-29 has no 01:30, 2026-10-25 has two.
    let spring = occurrences(&["RRULE:FREQ=DAILY;COUNT=3"], &lisbon("2026-03-28T01:30"), 9);
    let effects: Vec<_> = spring.iter().map(|occurrence| occurrence.effect).collect();
    assert_eq!(effects, [None, Some(Effect::Skipped), None]);
    assert_eq!(
        walls(&["RRULE:FREQ=DAILY;COUNT=3"], &lisbon("2026-03-28T01:30"), 9),
        ["03-28 01:30", "03-29 02:30", "03-30 01:30"]
    );
    let autumn = occurrences(&["RRULE:FREQ=DAILY;COUNT=3"], &lisbon("2026-10-24T01:30"), 9);
    let effects: Vec<_> = autumn.iter().map(|occurrence| occurrence.effect).collect();
    assert_eq!(effects, [None, Some(Effect::Repeated), None]);
    let twice = autumn[1].original;
    assert_eq!(twice, Original::Moment("2026-10-25T00:30:00Z".parse().expect("a moment")));
    // Apia left out the whole of 2011-12-30: its occurrence is that of the day after.
    assert_eq!(
        walls(&["RRULE:FREQ=DAILY;COUNT=4"], &zoned("2011-12-29T08:00", "Pacific/Apia"), 9),
        ["12-29 08:00", "12-31 08:00", "01-01 08:00"]
    );
}

#[test]
fn a_rule_names_the_days_that_rfc_5545_says_it_does() {
    let cases: [(&str, &str, &[&str]); 9] = [
        ("FREQ=DAILY;INTERVAL=10;COUNT=3", "2026-01-01T09:00", &["01-01", "01-11", "01-21"]),
        (
            "FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=TU,SU;COUNT=4",
            "2026-01-06T09:00",
            &["01-06", "01-18", "01-20", "02-01"],
        ),
        (
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;COUNT=4",
            "2026-01-06T09:00",
            &["01-06", "01-11", "01-20", "01-25"],
        ),
        ("FREQ=MONTHLY;BYDAY=-1FR;COUNT=3", "2026-01-30T09:00", &["01-30", "02-27", "03-27"]),
        ("FREQ=MONTHLY;BYDAY=1MO;COUNT=2", "2026-01-05T09:00", &["01-05", "02-02"]),
        ("FREQ=MONTHLY;BYMONTHDAY=31;COUNT=3", "2026-01-31T09:00", &["01-31", "03-31", "05-31"]),
        (
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=3",
            "2026-01-30T09:00",
            &["01-30", "02-27", "03-31"],
        ),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;COUNT=2", "2028-02-29T09:00", &["02-29", "02-29"]),
        ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO;COUNT=2", "2026-05-11T09:00", &["05-11", "05-17"]),
    ];
    for (rule, start, days) in cases {
        let days: Vec<String> = days.iter().map(|day| format!("{day} 09:00")).collect();
        assert_eq!(walls(&[&format!("RRULE:{rule}")], &lisbon(start), 9), days, "{rule}");
    }
}

#[test]
fn single_starts_are_added_and_left_out_and_the_first_always_counts() {
    let rule = "RRULE:FREQ=DAILY;COUNT=3";
    let start = lisbon("2026-07-01T09:00");
    // As Google writes them, in another zone, in UTC (Lisbon is an hour ahead) and as wall times.
    let left_out = [
        "EXDATE;TZID=Europe/Lisbon:20260702T090000",
        "EXDATE;TZID=Europe/Berlin:20260702T100000",
        "EXDATE:20260702T080000Z",
        "exdate;value=date-time:20260702T090000",
    ];
    for line in left_out {
        assert_eq!(walls(&[rule, line], &start, 9), ["07-01 09:00", "07-03 09:00"], "{line}");
    }
    let added = "RDATE;TZID=Europe/Lisbon:20260702T180000,20260701T090000";
    assert_eq!(
        walls(&[rule, added], &start, 9),
        ["07-01 09:00", "07-02 09:00", "07-02 18:00", "07-03 09:00"]
    );
    let others = "RDATE;TZID=Europe/Lisbon:20260702T180000";
    assert_eq!(walls(&[others], &start, 9), ["07-01 09:00", "07-02 18:00"]);
}

#[test]
fn whole_days_recur_as_days() {
    let week =
        Timing::read(Typed { start: "2026-03-27", end: Some("2026-03-29"), ..Typed::default() });
    let week = week.expect("two days");
    let told =
        occurrences(&["RRULE:FREQ=WEEKLY;UNTIL=20260410", "EXDATE;VALUE=DATE:20260403"], &week, 9);
    let days = |occurrence: &Occurrence| match occurrence.timing {
        Timing::Days(days) => format!("{} {}", days.first(), days.after()),
        Timing::Span(_) => panic!("days became a span"),
    };
    let told: Vec<String> = told.iter().map(days).collect();
    assert_eq!(told, ["2026-03-27 2026-03-29", "2026-04-10 2026-04-12"]);
}

#[test]
fn the_same_series_is_always_written_the_same() {
    let start = lisbon("2026-07-01T09:00");
    let written = |lines: &[&str]| read(lines, &start).expect("a series").lines().to_vec();
    let plain = ["RRULE:FREQ=WEEKLY;UNTIL=20260731T225959Z;BYDAY=WE,FR"];
    for other in [
        "rrule:byday=fr,we,WE;until=20260731;freq=weekly;interval=1;wkst=mo",
        "RRULE:FREQ=WEEKLY;BYHOUR=9;BYMINUTE=0;BYSECOND=0;BYDAY=FR,+0WE;UNTIL=20260731T235959;",
    ] {
        let other = other.replace("+0WE", "WE");
        assert_eq!(written(&[&other]), plain, "{other}");
    }
    let dates = ["RRULE:FREQ=DAILY", "EXDATE:20260703T080000Z", "EXDATE:20260702T090000"];
    let kept = ["RRULE:FREQ=DAILY", "EXDATE;TZID=Europe/Lisbon:20260702T090000,20260703T090000"];
    assert_eq!(written(&dates), kept);
    assert_eq!(written(&kept), kept);
    let days =
        read(&["RRULE:FREQ=DAILY;UNTIL=20260731T225959Z", "EXDATE:20260703"], &day("2026-07-01"));
    assert_eq!(
        days.expect("a series").lines(),
        ["RRULE:FREQ=DAILY;UNTIL=20260731", "EXDATE;VALUE=DATE:20260703"]
    );
}

#[test]
fn what_cannot_be_is_refused_by_the_line_and_the_rule_that_it_breaks() {
    let start = lisbon("2026-07-01T09:00");
    let rules: [(&str, &[&str]); 22] = [
        ("", &["FREQ=WEEKLY"]),
        ("BYDAY=MO", &["FREQ must be"]),
        ("FREQ=FORTNIGHTLY", &["FREQ must be", "WEEKLY"]),
        ("FREQ=HOURLY", &["FREQ", "within a day"]),
        ("FREQ=SECONDLY;INTERVAL=1", &["FREQ", "within a day"]),
        ("FREQ=DAILY;COUNT=3;UNTIL=20270101", &["COUNT and UNTIL"]),
        ("FREQ=DAILY;COUNT=0", &["COUNT", "from 1 to"]),
        ("FREQ=DAILY;COUNT=10001", &["COUNT", "10000"]),
        ("FREQ=DAILY;INTERVAL=0", &["INTERVAL", "from 1 to"]),
        ("FREQ=DAILY;UNTIL=tomorrow", &["UNTIL must be"]),
        ("FREQ=DAILY;UNTIL=20260630", &["UNTIL lies before"]),
        ("FREQ=DAILY;BYEASTER=1", &["does not know"]),
        ("FREQ=DAILY;FREQ=DAILY", &["FREQ twice"]),
        ("FREQ=DAILY;BYDAY=1WE", &["BYDAY", "MONTHLY"]),
        ("FREQ=WEEKLY;BYDAY=XX", &["BYDAY must be"]),
        ("FREQ=WEEKLY;BYDAY=é", &["BYDAY must be"]),
        ("FREQ=WEEKLY;BYMONTHDAY=1", &["BYMONTHDAY", "WEEKLY"]),
        ("FREQ=MONTHLY;BYMONTHDAY=0", &["BYMONTHDAY must be"]),
        ("FREQ=MONTHLY;BYWEEKNO=3", &["BYWEEKNO", "YEARLY"]),
        ("FREQ=MONTHLY;BYSETPOS=1", &["BYSETPOS", "add one"]),
        ("FREQ=DAILY;BYHOUR=9,17", &["BYHOUR", "of the start"]),
        ("FREQ=DAILY;WKST=DI", &["WKST must be"]),
    ];
    for (rule, words) in rules {
        refused(&["RRULE:FREQ=DAILY", ""], &start, "recurrence/1", &["a line such as"]);
        refused(&[&format!("RRULE:{rule}")], &start, "recurrence/0", words);
    }
    let lines: [(&[&str], &str, &[&str]); 12] = [
        (&[], "recurrence", &["RRULE", "RDATE"]),
        (&["EXDATE:20260702T090000"], "recurrence", &["RRULE", "RDATE"]),
        (&["RRULE:FREQ=DAILY", "RRULE:FREQ=WEEKLY"], "recurrence/1", &["second RRULE"]),
        (&["RRULE:FREQ=DAILY", "EXRULE:FREQ=WEEKLY"], "recurrence/1", &["EXDATE"]),
        (&["DTSTART:20260701T090000", "RRULE:FREQ=DAILY"], "recurrence/0", &["`start`"]),
        (&["RRULE:FREQ=DAILY", "EXDATE:20260702"], "recurrence/1", &["such as `20251030T140000`"]),
        (&["RRULE:FREQ=DAILY", "EXDATE:20260702T250000"], "recurrence/1", &["such as"]),
        (&["RRULE:FREQ=DAILY", "EXDATE:20260230T090000"], "recurrence/1", &["such as"]),
        (&["RRULE:FREQ=DAILY", "EXDATE;TZID=Mars/Base:20260702T090000"], "recurrence/1", &["TZID"]),
        (&["RRULE:FREQ=DAILY", "EXDATE;VALUE=DATE:20260702"], "recurrence/1", &["VALUE"]),
        (&["RRULE:FREQ=WEEKLY;BYDAY=TH"], "start", &["2026-07-02T09:00:00"]),
        (
            &["RRULE:FREQ=DAILY;COUNT=1", "EXDATE:20260701T090000"],
            "recurrence",
            &["every occurrence"],
        ),
    ];
    for (lines, field, words) in lines {
        refused(lines, &start, field, words);
    }
    refused(&["RRULE:FREQ=DAILY;BYHOUR=0"], &day("2026-07-01"), "recurrence/0", &["whole days"]);
    let instant = Timing::read(Typed {
        start: "2026-07-01T09:00Z",
        end: Some("2026-07-01T10:00Z"),
        ..Typed::default()
    });
    refused(&["RRULE:FREQ=DAILY"], &instant.expect("a span"), "time_zone", &["series"]);
}

#[test]
fn a_rule_that_finds_nothing_more_comes_to_an_end() {
    for rule in [
        "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "RRULE:FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30",
        "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
    ] {
        refused(&[rule], &lisbon("2026-07-01T09:00"), "recurrence", &["no day that there ever is"]);
    }
    // A leap day every hundred years: 2100 has none, and no year behind it can be typed.
    let rare = occurrences(
        &["RRULE:FREQ=YEARLY;INTERVAL=100;BYMONTH=2;BYMONTHDAY=29"],
        &lisbon("2000-02-29T09:00"),
        9,
    );
    assert_eq!(rare.len(), 1);
    // Nor does a series without end: it ends with the years that can be typed.
    let all = occurrences(&["RRULE:FREQ=DAILY"], &day("2026-01-01"), usize::MAX);
    assert_eq!(
        all.last().expect("days").original,
        Original::Day("2099-12-31".parse().expect("a day"))
    );
}

#[test]
fn a_series_is_over_with_its_last_occurrence_or_never() {
    let over = |lines: &[&str], timing: &Timing| {
        let series = read(lines, timing).expect("a series");
        series.over(timing).expect("a series").map(|over| over.format("%FT%RZ").to_string())
    };
    let start = lisbon("2026-07-01T09:00");
    assert_eq!(over(&["RRULE:FREQ=DAILY"], &start), None);
    assert_eq!(over(&["RRULE:FREQ=DAILY;COUNT=2"], &start).as_deref(), Some("2026-07-02T08:59Z"));
    let until = "RRULE:FREQ=DAILY;UNTIL=20260703T120000Z";
    assert_eq!(over(&[until], &start).as_deref(), Some("2026-07-03T08:59Z"));
    assert_eq!(
        over(&[until, "RDATE:20270101T090000"], &start).as_deref(),
        Some("2027-01-01T09:59Z")
    );
    // The last clock on Earth has shown the day.
    assert_eq!(
        over(&["RRULE:FREQ=DAILY;COUNT=2"], &day("2026-07-01")).as_deref(),
        Some("2026-07-03T12:00Z")
    );
}
