//! Promise 5: never over quota. Whole bridges at Google's real limits, and at others, in virtual time.

use std::sync::Arc;
use std::time::Duration;

use calbridge::app::tokens;
use calbridge::clock::Clock;
use calbridge::google::Google;
use calbridge::limits::{Limits, Settings};
use calbridge::model::id::GoogleId;
use calbridge::model::job::{Class, Job, JobState};
use calbridge::simulator::{Entry, Quota};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::bridge::pipes_to;
use crate::limits::{allowance, usual};
use crate::load::{Load, is_rate_error, load};

const MINUTE: TimeDelta = TimeDelta::minutes(1);

/// Nothing given up, and no attempt spent.
fn unharmed(jobs: &[Job]) {
    let harmed =
        jobs.iter().find(|job| job.spent > 0 || matches!(job.state, JobState::Dead { .. }));
    assert_eq!(harmed, None, "rate errors are nobody's fault");
}

/// 50,000 events of 200 users, until all are done. Says when that began and ended.
async fn fifty_thousand(load: &mut Load) -> (DateTime<Utc>, DateTime<Utc>) {
    for n in 0..200 {
        load.accept(n, n, 250, Class::Bulk).await;
    }
    let began = load.begin().await;
    let ended = load.done().await;
    unharmed(&load.jobs().await);
    (began, ended)
}

/// Units a minute that were used, of calls that were answered well.
fn rate(calls: &[Entry], from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    let used = calls.iter().filter(|call| (from..to).contains(&call.time) && !is_rate_error(call));
    let minutes = (to - from).as_seconds_f64() / 60.0;
    f64::from(u32::try_from(used.count()).expect("not that many")) / minutes
}

/// How many calls were refused for coming too fast since `since`.
pub fn errors(calls: &[Entry], since: DateTime<Utc>) -> usize {
    calls.iter().filter(|call| call.time >= since && is_rate_error(call)).count()
}

#[test]
fn fifty_thousand_events_use_googles_limits_and_never_break_them() {
    load(200, Quota::default(), async |load| {
        let (began, ended) = fifty_thousand(load).await;
        let calls = load.calls(began);
        assert_eq!(errors(&calls, began + MINUTE), 0, "after the first minute");
        let rate = rate(&calls, began, ended);
        assert!(rate >= 0.85 * 10_000.0, "{rate} a minute");
    });
}

#[test]
fn a_google_that_allows_half_is_found_out_within_two_minutes() {
    let half =
        Quota { per_user_per_minute: 300, per_project_per_minute: 5_000, ..Quota::default() };
    load(200, half, async |load| {
        let (began, ended) = fifty_thousand(load).await;
        let calls = load.calls(began);
        let (first, later) = (errors(&calls, began), errors(&calls, began + MINUTE * 2));
        assert!(first > 0, "there was something to find out");
        let since = calls.iter().filter(|call| call.time >= began + MINUTE * 2).count();
        // Google is asked for more now and then, or nobody would ever know that it allows more.
        assert!(later * 300 <= since, "{later} of {since} calls refused, {first} in all");
        let rate = rate(&calls, began + MINUTE * 2, ended);
        assert!(rate >= 0.85 * 5_000.0, "{rate} a minute");
    });
}

#[test]
fn one_calendar_uses_its_users_quota() {
    load(1, Quota::default(), async |load| {
        load.accept(0, 0, 3_000, Class::Bulk).await;
        let began = load.begin().await;
        let ended = load.done().await;
        unharmed(&load.jobs().await);
        let calls = load.calls(began);
        assert_eq!(errors(&calls, began), 0);
        let rate = rate(&calls, began, ended);
        assert!(rate >= 0.85 * 600.0, "{rate} a minute");
    });
}

#[test]
fn a_calendar_that_google_slows_is_written_slowly_and_recovers() {
    let slow = Quota { per_calendar_writes_per_minute: Some(60), ..Quota::default() };
    load(1, slow, async |load| {
        load.accept(0, 0, 4_000, Class::Bulk).await;
        let began = load.begin().await;
        load.pass(MINUTE * 10).await;
        let calls = load.calls(began);
        let refused = errors(&calls, began + MINUTE * 2);
        let rate_then = rate(&calls, began + MINUTE * 2, began + MINUTE * 10);
        assert!(refused <= 20, "{refused} times refused in eight minutes");
        assert!(rate_then >= 0.85 * 60.0, "{rate_then} a minute");
        load.bridge.google.set_quota(Quota::default());
        let lifted = load.bridge.clock.now();
        let ended = load.done().await;
        unharmed(&load.jobs().await);
        let calls = load.calls(lifted);
        let rate = rate(&calls, lifted + MINUTE * 5, ended - TimeDelta::seconds(10));
        assert!(rate >= 0.85 * 600.0, "{rate} a minute once it has recovered");
    });
}

/// The most calls in any minute.
pub fn busiest_minute<'a>(calls: impl IntoIterator<Item = &'a Entry>) -> usize {
    let mut times: Vec<_> = calls.into_iter().map(|call| call.time).collect();
    times.sort_unstable();
    let since = |first: &DateTime<Utc>| times.partition_point(|time| *time < *first + MINUTE);
    times.iter().enumerate().map(|(at, first)| since(first) - at).max().unwrap_or(0)
}

#[test]
fn processes_that_share_the_work_keep_to_the_quota_of_one_at_google() {
    const ACCOUNTS: usize = 8;
    const OF_PROJECT: u32 = 1_200;
    for nodes in [1, 2, 4] {
        let quota = Quota { per_project_per_minute: OF_PROJECT, ..Quota::default() };
        load(ACCOUNTS, quota, async |load| {
            let began = load.begin().await;
            let end = began + MINUTE * 4;
            let (app, stop) = (&load.bridge.tied.app, CancellationToken::new());
            let mut all = JoinSet::new();
            for node in 0..nodes {
                let settings = Settings { project: allowance(OF_PROJECT, 60), ..usual() };
                let limits = Limits::new(settings, load.bridge.clock.clone());
                limits.share(u32::try_from(nodes).expect("a few"), TimeDelta::seconds(15));
                let google = Google::new(
                    app.google.endpoints().clone(),
                    pipes_to(&load.bridge.google, &stop),
                    Duration::from_secs(30),
                    load.bridge.clock.clone(),
                    limits,
                );
                for connection in load.connections.iter().skip(node).step_by(nodes) {
                    let connection = app.store.connection(connection.id).await;
                    let connection = connection.expect("a store").expect("it is connected");
                    let access = Arc::new(tokens::access(app, &connection).await.expect("a token"));
                    for _ in 0..4 {
                        let (google, access) = (google.clone(), access.clone());
                        let clock = load.bridge.clock.clone();
                        all.spawn(async move {
                            while clock.now() < end {
                                let events = google.events(&access, "primary");
                                let missing = events.get(GoogleId::from_u128(1)).await;
                                assert!(missing.is_err(), "there is no such event");
                            }
                        });
                    }
                }
            }
            all.join_all().await;
            let calls = load.calls(began);
            assert_eq!(errors(&calls, began), 0, "with {nodes}");
            let busiest = busiest_minute(&calls);
            assert!(busiest <= 1_200, "{busiest} in a minute with {nodes}");
            let rate = rate(&calls, began, end);
            assert!(rate >= 0.75 * f64::from(OF_PROJECT), "{rate} a minute with {nodes}");
            stop.cancel();
        });
    }
}
