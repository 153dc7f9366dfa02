//! Promise 6: fair. Whole bridges under load in virtual time, with a calendar for each user and with
//! one that all share.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};

use calbridge::clock::{Clock, ManualClock};
use calbridge::limits::{Allowance, Limits, Settings};
use calbridge::model::job::Class;
use calbridge::simulator::Quota;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinSet;

use crate::bridge::morning;
use crate::load::{LATENCY, WORKERS, load};
use crate::virtual_time::play;

const USERS: usize = 100;

/// Whose calendar is written.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Calendars {
    Own,
    Shared,
}

impl Calendars {
    fn accounts(self, users: usize) -> usize {
        match self {
            Self::Own => users,
            Self::Shared => 1,
        }
    }

    fn of(self, user: usize) -> usize {
        match self {
            Self::Own => user,
            Self::Shared => 0,
        }
    }
}

/// One user's import of 100,000 events, and what another wants meanwhile.
fn an_import_holds_nobody_up(calendars: Calendars) {
    load(calendars.accounts(2), Quota::default(), async |load| {
        load.accept(0, 0, 100_000, Class::Bulk).await;
        load.begin().await;
        for _ in 0..20 {
            load.pass(TimeDelta::milliseconds(3_137)).await;
            let asked = load.bridge.clock.now();
            let event = load.accept_now(1, Class::Interactive).await;
            load.pass(TimeDelta::seconds(3)).await;
            let written = load.written(&event).expect("it was written within three seconds");
            let waited = written - LATENCY - asked;
            assert!(waited <= TimeDelta::seconds(1), "{calendars:?}: {waited} at {asked}");
        }
    });
}

#[test]
fn an_import_to_another_calendar_holds_nobody_up() {
    an_import_holds_nobody_up(Calendars::Own);
}

#[test]
fn an_import_to_the_same_calendar_holds_nobody_up() {
    an_import_holds_nobody_up(Calendars::Shared);
}

/// Jain's index of what each got: 1 if all got the same, 1/n if one got all.
fn jain(shares: &[f64]) -> f64 {
    let (sum, squares): (f64, f64) = shares
        .iter()
        .fold((0.0, 0.0), |(sum, squares), share| (sum + share, squares + share * share));
    let users = f64::from(u32::try_from(shares.len()).expect("not that many"));
    sum * sum / (users * squares)
}

/// A hundred users with much to do, some with three times as much as others, for as long as FIFO
/// takes for so many calls.
fn everybody_gets_the_same(calendars: Calendars, calls: usize) {
    let time = fifo(calendars, calls);
    assert!(time >= TimeDelta::minutes(2), "long enough for several minutes");
    load(calendars.accounts(USERS), Quota::default(), async |load| {
        let least = 2 * calls / USERS;
        for n in 0..USERS {
            let backlog = if n % 2 == 0 { least } else { least * 3 };
            load.accept(n, calendars.of(n), backlog, Class::Bulk).await;
        }
        let began = load.begin().await;
        load.pass(time).await;
        let served = load.served(began);
        assert_eq!(served.len(), USERS, "everybody got something");
        assert!(served.values().all(|calls| calls.len() < least), "all had something to do");
        let all: usize = served.values().map(Vec::len).sum();
        assert!(all * 100 >= calls * 95, "{all} calls in the time in which FIFO makes {calls}");
        for seconds in 0..=(time - TimeDelta::minutes(1)).num_seconds() {
            let from = began + TimeDelta::seconds(seconds);
            let index = jain(&shares(&served, from));
            assert!(index >= 0.95, "{calendars:?}: {index} in the minute from {from}");
        }
    });
}

/// What each owner got in the minute from `from`.
fn shares(served: &BTreeMap<usize, Vec<DateTime<Utc>>>, from: DateTime<Utc>) -> Vec<f64> {
    let minute = from..from + TimeDelta::minutes(1);
    let count =
        |calls: &Vec<DateTime<Utc>>| calls.iter().filter(|call| minute.contains(call)).count();
    let counts = served.values().map(count);
    counts.map(|calls| f64::from(u32::try_from(calls).expect("not that many"))).collect()
}

#[test]
fn a_hundred_users_with_calendars_of_their_own_get_the_same() {
    everybody_gets_the_same(Calendars::Own, 20_000);
}

#[test]
fn a_hundred_users_of_one_calendar_get_the_same() {
    everybody_gets_the_same(Calendars::Shared, 2_000);
}

/// How long as many workers take at the same quota for so many calls, in the plain order of their
/// coming: the users' by turns, which is the best that can come to a queue without a sense of fairness.
fn fifo(calendars: Calendars, calls: usize) -> TimeDelta {
    let clock = Arc::new(ManualClock::at(morning()));
    play(&clock, async {
        let number = |number| NonZeroU32::new(number).expect("not nothing");
        let allowance = |limit, burst| Allowance {
            limit: number(limit),
            aim_percent: number(90),
            burst: number(burst),
        };
        let settings = Settings {
            user: allowance(600, 20),
            project: allowance(10_000, 500),
            park: TimeDelta::hours(1),
            daily_warning: u64::MAX,
        };
        let limits = Limits::new(settings, clock.clone());
        let waiting: VecDeque<usize> = (0..calls).map(|call| call % USERS).collect();
        let waiting = Arc::new(Mutex::new(waiting));
        let mut workers = JoinSet::new();
        for _ in 0..WORKERS {
            let (waiting, limits, clock) = (waiting.clone(), limits.clone(), clock.clone());
            workers.spawn(async move {
                loop {
                    let next = waiting.lock().expect("no one panics").pop_front();
                    let Some(user) = next else { return };
                    let account = u8::try_from(calendars.of(user)).expect("a hundred");
                    let call = limits.pay(Some([account; 16]), 1).await.expect("nobody is held");
                    clock.sleep(LATENCY).await;
                    drop(call);
                }
            });
        }
        workers.join_all().await;
        clock.now() - morning()
    })
}
