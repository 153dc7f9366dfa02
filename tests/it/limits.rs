//! Google's quota: what may be spent when, and that it is spent.
//!
//! Calls are made in virtual time against a Google that counts over a sliding minute, as its manual
//! says it does.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use calbridge::clock::{Clock, ManualClock};
use calbridge::limits::{Allowance, Held, Limits, Refusal, Settings};
use calbridge::model::connection::AccountTag;
use calbridge::model::id::ConnectionId;
use calbridge::random::CountingRandom;
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use tokio::task::JoinSet;

use crate::virtual_time::play;
use google::{Google, Quota};

mod day;
mod google;
mod nodes;

/// Google's numbers, and ours.
pub fn usual() -> Settings {
    Settings {
        user: allowance(600, 20),
        project: allowance(10_000, 500),
        park: TimeDelta::hours(1),
        daily_warning: 800_000,
    }
}

/// A limit of so many units a minute, of which 90 % are aimed at.
pub fn allowance(limit: u32, burst: u32) -> Allowance {
    let number = |number| NonZeroU32::new(number).expect("more than nothing");
    Allowance { limit: number(limit), aim_percent: number(90), burst: number(burst) }
}

/// A morning, and its clock.
pub fn morning() -> Arc<ManualClock> {
    Arc::new(ManualClock::at("2026-11-02T08:00:00Z".parse().expect("a moment")))
}

/// The account with this number.
pub fn account(number: usize) -> AccountTag {
    u128::try_from(number).expect("a small number").to_be_bytes()
}

fn minutes(minutes: i64) -> TimeDelta {
    TimeDelta::minutes(minutes)
}

/// One of an account's jobs: makes calls of `units` one after the other until `end`.
pub async fn work(
    limits: Limits,
    google: Arc<Google>,
    payer: AccountTag,
    units: u32,
    end: DateTime<Utc>,
) {
    while google.now() < end {
        match limits.pay(Some(payer), units).await {
            Ok(_) => google.call(&limits, payer, units),
            Err(Held(wait)) => google.sleep(wait).await,
        }
    }
}

/// Lets `accounts` work for a while, each with so many jobs at once.
async fn busy(
    limits: &Limits,
    google: &Arc<Google>,
    accounts: usize,
    jobs: usize,
    time: TimeDelta,
) {
    let end = google.now() + time;
    let mut all = JoinSet::new();
    for number in 0..accounts * jobs {
        let payer = account(number % accounts);
        all.spawn(work(limits.clone(), google.clone(), payer, 1, end));
    }
    all.join_all().await;
}

fn quota(of_user: u32, of_project: u32) -> Quota {
    Quota { user: of_user.into(), project: of_project.into() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn promise_5_no_minute_holds_more_than_google_allows_whatever_is_asked(
        demand in prop::collection::vec((0_usize..6, 1_u32..4, 0_i64..4_000, any::<bool>()), 1..300),
        restart in prop::option::of(0_usize..300),
    ) {
        let clock = morning();
        let google = Google::with(&clock, quota(60, 200));
        play(&clock.clone(), async {
            let small = Settings { user: allowance(60, 3), project: allowance(200, 10), ..usual() };
            let mut limits = Limits::new(small, clock.clone());
            let mut all = JoinSet::new();
            for (at, (payer, units, pause, flood)) in demand.into_iter().enumerate() {
                if restart == Some(at) {
                    all.shutdown().await;
                    limits = Limits::new(small, clock.clone());
                }
                for _ in 0..if flood { 20 } else { 1 } {
                    let (limits, google) = (limits.clone(), google.clone());
                    all.spawn(async move {
                        limits.pay(Some(account(payer)), units).await.expect("nobody was refused");
                        google.call(&limits, account(payer), units);
                    });
                }
                google.sleep(Duration::from_millis(pause.unsigned_abs())).await;
            }
            all.join_all().await;
        });
        prop_assert_eq!(google.refused(), 0);
    }

    #[test]
    fn calls_that_are_long_on_their_way_do_not_make_a_minute_too_full(
        demand in prop::collection::vec((0_usize..2, 1_u32..4, 0_i64..1_000, 0_u64..30_000), 1..300),
    ) {
        let clock = morning();
        let google = Google::with(&clock, quota(60, 200));
        play(&clock.clone(), async {
            let small = Settings { user: allowance(60, 3), project: allowance(200, 10), ..usual() };
            let limits = Limits::new(small, clock.clone());
            let mut all = JoinSet::new();
            for (payer, units, pause, way) in demand {
                let (limits, at) = (limits.clone(), google.clone());
                all.spawn(async move {
                    let payer = account(payer);
                    let paid = loop {
                        match limits.pay(Some(payer), units).await {
                            Ok(paid) => break paid,
                            Err(Held(wait)) => at.sleep(wait).await,
                        }
                    };
                    at.sleep(Duration::from_millis(way)).await;
                    at.call(&limits, payer, units);
                    at.sleep(Duration::from_millis(way / 3)).await;
                    drop(paid);
                });
                google.sleep(Duration::from_millis(pause.unsigned_abs())).await;
            }
            all.join_all().await;
        });
        prop_assert_eq!(google.refused(), 0);
    }
}

/// So many accounts, each with so many jobs at work, never break Google's quotas, and use at least so
/// much of them in each minute.
fn use_in_each_minute(accounts: usize, jobs: usize, least: u64) {
    let clock = morning();
    let google = Google::with(&clock, quota(600, 10_000));
    play(&clock.clone(), async {
        let limits = Limits::new(usual(), clock.clone());
        busy(&limits, &google, accounts, jobs, minutes(4)).await;
    });
    assert_eq!(google.refused(), 0);
    for taken in google.taken_by_minute() {
        assert!(taken >= least, "{taken} in a minute");
    }
}

#[test]
fn a_busy_account_uses_its_quota() {
    use_in_each_minute(1, 8, 510);
}

#[test]
fn busy_accounts_use_the_projects_quota() {
    use_in_each_minute(100, 2, 8_500);
}

#[test]
fn accounts_that_wait_for_the_project_take_turns_however_much_each_wants() {
    let clock = morning();
    let google = Google::with(&clock, quota(600, 200));
    play(&clock.clone(), async {
        let limits =
            Limits::new(Settings { project: allowance(200, 10), ..usual() }, clock.clone());
        let mut all = JoinSet::new();
        for number in 0..50 {
            // The first has forty-six jobs at work, four others have one each.
            let payer = account(usize::saturating_sub(number, 45));
            let end = google.now() + minutes(10);
            all.spawn(work(limits.clone(), google.clone(), payer, 1, end));
        }
        google.sleep(Duration::from_mins(3)).await;
        all.shutdown().await;
    });
    let served = google.served();
    assert_eq!(served.len(), 5);
    let (least, most) = (served.values().min().unwrap(), served.values().max().unwrap());
    assert!(most - least <= 1, "{served:?}");
}

#[test]
fn promise_5_when_google_allows_an_account_half_it_is_found_out_within_two_minutes() {
    let clock = morning();
    let google = Google::with(&clock, quota(300, 10_000));
    play(&clock.clone(), async {
        let limits = Limits::new(usual(), clock.clone());
        busy(&limits, &google, 1, 8, minutes(2)).await;
        let before = (google.refused(), google.taken());
        busy(&limits, &google, 1, 8, minutes(10)).await;
        let (refused, taken) = (google.refused() - before.0, google.taken() - before.1);
        assert!(taken >= 2_550, "{taken} of 3000 in ten minutes");
        assert!(refused * 33 <= taken, "{refused} refused beside {taken}");

        // Google allows more again: it is felt out.
        google.allow(quota(600, 10_000));
        busy(&limits, &google, 1, 8, minutes(4)).await;
        let before = google.taken();
        busy(&limits, &google, 1, 8, minutes(2)).await;
        let taken = google.taken() - before;
        assert!(taken >= 1_020, "{taken} of 1200 in two minutes");
    });
}

#[test]
fn promise_5_when_google_allows_the_project_half_it_is_found_out_within_two_minutes() {
    let clock = morning();
    let google = Google::with(&clock, quota(600, 5_000));
    play(&clock.clone(), async {
        let limits = Limits::new(usual(), clock.clone());
        busy(&limits, &google, 200, 1, minutes(2)).await;
        let before = (google.refused(), google.taken());
        busy(&limits, &google, 200, 1, minutes(6)).await;
        let (refused, taken) = (google.refused() - before.0, google.taken() - before.1);
        assert!(taken >= 25_500, "{taken} of 30000 in six minutes");
        assert!(refused * 33 <= taken, "{refused} refused beside {taken}");
        let served = google.served();
        let (least, most) = (served.values().min().unwrap(), served.values().max().unwrap());
        assert!(least * 3 >= most * 2, "served from {least} to {most}");
    });
}

#[test]
fn one_account_that_is_refused_slows_no_other() {
    let clock = morning();
    let google = Google::with(&clock, quota(600, 10_000));
    google.restrict(account(0), 100);
    play(&clock.clone(), async {
        let limits = Limits::new(usual(), clock.clone());
        busy(&limits, &google, 5, 4, minutes(5)).await;
    });
    let served = google.served();
    for number in 1..5 {
        assert!(served[&account(number)] >= 2_550, "{served:?}");
    }
    assert!(served[&account(0)] >= 350, "{served:?}");
}

#[tokio::test]
async fn an_account_is_left_alone_for_as_long_as_google_asks() {
    let clock = morning();
    let limits = Limits::new(usual(), clock.clone());
    let connection = ConnectionId::random(&CountingRandom::new(1));
    limits.know(connection, account(1));
    clock.advance(minutes(1));
    let now = clock.now();
    assert_eq!(limits.not_before(connection, now), None);

    limits.refused(Some(account(1)), Refusal::User, Some(Duration::from_secs(40)));
    assert_eq!(limits.not_before(connection, now), Some(now + TimeDelta::seconds(40)));
    // Who has a job in hand does not wait that long with it.
    let paid = limits.pay(Some(account(1)), 1).await;
    assert_eq!(paid.err(), Some(Held(Duration::from_secs(40))));
    assert_eq!(limits.project_not_before(now), None);
    assert!(limits.pay(Some(account(2)), 1).await.is_ok());

    clock.advance(TimeDelta::seconds(40));
    assert_eq!(limits.not_before(connection, clock.now()), None);
    assert!(limits.pay(Some(account(1)), 1).await.is_ok());
}

#[tokio::test]
async fn what_is_not_paid_for_yet_is_told_to_the_moment_and_costs_nothing() {
    let clock = morning();
    let limits = Limits::new(usual(), clock.clone());
    let connection = ConnectionId::random(&CountingRandom::new(1));
    limits.know(connection, account(1));
    clock.advance(minutes(1));
    for _ in 0..20 {
        limits.pay(Some(account(1)), 1).await.expect("the burst is whole");
    }
    for _ in 0..1_000 {
        let moment = limits.not_before(connection, clock.now()).expect("the burst is spent");
        assert_eq!((moment - clock.now()).num_milliseconds(), 111);
        clock.set(moment);
        assert_eq!(limits.not_before(connection, moment), None);
        limits.pay(Some(account(1)), 1).await.expect("nobody was refused");
        assert_eq!(clock.now(), moment);
    }
}

#[tokio::test]
async fn an_account_at_a_limit_of_calendar_rests_for_the_time_in_the_settings() {
    let clock = morning();
    let limits = Limits::new(usual(), clock.clone());
    let connection = ConnectionId::random(&CountingRandom::new(1));
    limits.know(connection, account(1));
    limits.refused(Some(account(1)), Refusal::Quota, None);
    let now = clock.now();
    assert_eq!(limits.not_before(connection, now), Some(now + TimeDelta::hours(1)));
}

#[tokio::test]
async fn a_day_without_calls_left_ends_at_midnight_in_california() {
    // Half past eleven in the evening there, in winter.
    let clock = Arc::new(ManualClock::at("2026-11-03T07:30:00Z".parse().expect("a moment")));
    let limits = Limits::new(usual(), clock.clone());
    limits.refused(Some(account(1)), Refusal::Day, None);
    let now = clock.now();
    assert_eq!(limits.project_not_before(now), Some(now + minutes(30)));
}

#[tokio::test]
async fn a_clock_set_back_by_a_year_makes_nobody_wait_a_year() {
    let clock = morning();
    let limits = Limits::new(usual(), clock.clone());
    let connection = ConnectionId::random(&CountingRandom::new(1));
    limits.know(connection, account(1));
    clock.advance(minutes(1));
    for _ in 0..20 {
        limits.pay(Some(account(1)), 1).await.expect("the burst is whole");
    }
    clock.jump(TimeDelta::days(-365));
    let wait =
        limits.not_before(connection, clock.now()).expect("the burst is spent") - clock.now();
    assert_eq!(wait.num_milliseconds(), 111);
    clock.advance(wait);
    assert_eq!(limits.not_before(connection, clock.now()), None);
}

#[tokio::test]
async fn calls_are_counted_by_googles_day_until_they_are_written_down() {
    let clock = Arc::new(ManualClock::at("2026-07-02T06:58:00Z".parse().expect("a moment")));
    let limits = Limits::new(usual(), clock.clone());
    clock.advance(minutes(1));
    let pay = async |calls: usize| {
        for _ in 0..calls {
            limits.pay(Some(account(1)), 3).await.expect("nobody was refused");
        }
    };
    pay(3).await;
    clock.advance(minutes(2));
    pay(2).await;
    let (first, second) = ("2026-07-01".parse().unwrap(), "2026-07-02".parse().unwrap());
    assert_eq!(limits.report().calls, 2);
    assert_eq!(limits.take_uncounted(), (first, 3));
    assert_eq!(limits.take_uncounted(), (second, 2));
    assert_eq!(limits.take_uncounted(), (second, 0));
    // The store could not take the second day's, and then counts those of other processes too.
    limits.give_back(second, 2);
    assert_eq!(limits.take_uncounted(), (second, 2));
    limits.counted(second, 1_000);
    pay(1).await;
    let report = limits.report();
    assert_eq!((report.day, report.calls), (second, 1_001));
}

#[tokio::test]
async fn accounts_that_are_at_rest_are_forgotten() {
    let clock = morning();
    let limits = Limits::new(usual(), clock.clone());
    clock.advance(minutes(1));
    let random = CountingRandom::new(1);
    for number in 0..1_000 {
        limits.know(ConnectionId::random(&random), account(number));
        limits.pay(Some(account(number)), 1).await.expect("nobody was refused");
        clock.advance(TimeDelta::seconds(30));
    }
    assert!(limits.report().remembered <= 64);
}
