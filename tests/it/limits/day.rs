//! The warning that a day has seen many calls.

use calbridge::limits::{Limits, Settings};
use chrono::{DateTime, TimeDelta, Utc};

use super::{morning, usual};
use crate::telemetry::Page;

/// So many calls a day are told.
const THRESHOLD: u64 = 5;

fn at(moment: &str) -> DateTime<Utc> {
    moment.parse().expect("a moment")
}

/// The day of each warning there was.
fn warned(page: &Page) -> Vec<String> {
    let text = page.text();
    let lines = text.lines().filter(|line| line.contains("the day's calls to Google have reached"));
    let day = |line: &str| {
        assert!(line.contains("WARN") && line.contains("calls=5"), "{line}");
        let (_, day) = line.split_once("day=").expect("the day is told");
        day.chars().take("2026-11-02".len()).collect()
    };
    lines.map(day).collect()
}

#[tokio::test]
async fn the_log_tells_once_a_pacific_day_that_its_calls_reached_the_threshold() {
    let page = Page::default();
    let writer = page.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_env_filter("calbridge=warn")
        .with_writer(move || writer.clone())
        .finish();
    // With one subscriber alone, tracing asks whichever thread logs first whether anybody listens,
    // and remembers the answer; the tests beside this one would say no.
    let _other = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
    let _guard = tracing::subscriber::set_default(subscriber);

    // Midnight in California. A minute later there is quota to spend.
    let clock = morning();
    let limits = Limits::new(Settings { daily_warning: THRESHOLD, ..usual() }, clock.clone());
    clock.advance(TimeDelta::minutes(1));
    let call = async |times: u64| {
        for _ in 0..times {
            drop(limits.pay(None, 1).await.expect("there is quota"));
        }
    };
    let write_down = |of_others: u64| {
        let (day, calls) = limits.take_uncounted();
        limits.counted(day, calls + of_others);
    };
    call(THRESHOLD - 1).await;
    assert_eq!(warned(&page), [""; 0]);
    call(1).await;
    assert_eq!(warned(&page), ["2026-11-02"]);
    call(3).await;
    write_down(100);
    clock.set(at("2026-11-03T07:59:59Z"));
    call(THRESHOLD).await;
    write_down(108);
    assert_eq!(warned(&page), ["2026-11-02"], "not again on this day, which is not over");

    clock.set(at("2026-11-03T08:00:00Z"));
    call(THRESHOLD - 1).await;
    assert_eq!(warned(&page), ["2026-11-02"], "a day begins with nothing");
    write_down(1);
    assert_eq!(warned(&page), ["2026-11-02", "2026-11-03"], "others' calls count too");

    clock.set(at("2026-11-04T08:00:00Z"));
    limits.counted(at("2026-11-03T12:00:00Z").date_naive(), 1_000);
    call(THRESHOLD - 1).await;
    assert_eq!(warned(&page).len(), 2, "what comes late of a day that was told is not news");
}
