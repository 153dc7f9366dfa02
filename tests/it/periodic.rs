//! What recurs: once a turn, whatever the clock does and however many share the store.

mod pruning;

use std::sync::{Arc, Mutex};

use calbridge::clock::ManualClock;
use calbridge::model::id::InstanceId;
use calbridge::queue::periodic::{Periodic, Recurring};
use calbridge::store::memory::MemoryStore;
use calbridge::store::{Beat, Store};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::bridge::{ANA, Bridge, Choices, brew, morning, tea, with};
use crate::effect::mortal::MortalStore;

const HOUR: TimeDelta = TimeDelta::hours(1);

/// Something that comes every hour, and the moments at which it came.
struct Chime {
    clock: Arc<ManualClock>,
    store: Arc<dyn Store>,
    rung: Arc<Mutex<Vec<DateTime<Utc>>>>,
}

impl Chime {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at(morning()));
        let store = Arc::new(MemoryStore::new(InstanceId::from_u128(1)));
        Self { clock, store, rung: Arc::default() }
    }

    /// One process's table, which makes up for so many missed turns.
    fn process(&self, makes_up: u64) -> Periodic {
        let rung = Arc::clone(&self.rung);
        let chime = Recurring {
            name: "chime",
            every: HOUR,
            makes_up,
            work: Box::new(move |at| {
                rung.lock().expect("a list").push(at);
                Box::pin(async {})
            }),
        };
        Periodic::new(Arc::clone(&self.store), self.clock.clone(), vec![chime])
    }

    /// How many hours after the first turn it rang since the last look.
    fn hours(&self) -> Vec<i64> {
        let rung = std::mem::take(&mut *self.rung.lock().expect("a list"));
        rung.into_iter().map(|at| (at - morning()).num_hours()).collect()
    }
}

#[tokio::test]
async fn a_turn_comes_at_once_and_then_once_a_period() {
    let chime = Chime::new();
    let process = chime.process(0);
    assert_eq!(process.take_turns().await, morning() + HOUR);
    for _ in 0..3 {
        process.take_turns().await;
    }
    assert_eq!(chime.hours(), [0]);
    chime.clock.advance(TimeDelta::minutes(59));
    process.take_turns().await;
    assert_eq!(chime.hours(), Vec::<i64>::new());
    chime.clock.advance(TimeDelta::minutes(1));
    process.take_turns().await;
    assert_eq!(chime.hours(), [1]);
}

#[tokio::test]
async fn a_turn_taken_late_moves_no_other() {
    let chime = Chime::new();
    let process = chime.process(0);
    process.take_turns().await;
    chime.clock.advance(TimeDelta::minutes(95));
    assert_eq!(process.take_turns().await, morning() + HOUR * 2);
    chime.clock.advance(TimeDelta::minutes(25));
    process.take_turns().await;
    assert_eq!(chime.hours(), [0, 1, 2]);
}

#[tokio::test]
async fn of_turns_missed_in_a_stop_only_the_newest_is_served_where_nothing_is_made_up() {
    let chime = Chime::new();
    chime.process(0).take_turns().await;
    chime.clock.advance(HOUR * 7);
    chime.process(0).take_turns().await;
    assert_eq!(chime.hours(), [0, 7]);
}

#[tokio::test]
async fn turns_missed_in_a_stop_are_made_up_to_a_bound_in_order() {
    let chime = Chime::new();
    chime.process(3).take_turns().await;
    chime.clock.advance(HOUR * 2);
    chime.process(3).take_turns().await;
    assert_eq!(chime.hours(), [0, 1, 2]);
    chime.clock.advance(HOUR * 9);
    chime.process(3).take_turns().await;
    assert_eq!(chime.hours(), [8, 9, 10, 11]);
}

#[tokio::test]
async fn two_that_both_take_themselves_for_the_leader_serve_a_turn_once() {
    let chime = Chime::new();
    let (one, other) = (chime.process(2), chime.process(2));
    for hour in 0..5 {
        tokio::join!(one.take_turns(), other.take_turns());
        assert_eq!(chime.hours(), [hour]);
        chime.clock.advance(HOUR);
    }
}

#[tokio::test]
async fn a_clock_set_forward_a_year_and_back_skips_and_then_goes_on() {
    let chime = Chime::new();
    let process = chime.process(0);
    process.take_turns().await;
    chime.clock.advance(TimeDelta::days(365));
    process.take_turns().await;
    assert_eq!(chime.hours(), [0, 365 * 24]);
    chime.clock.set(morning() + HOUR);
    let next = process.take_turns().await;
    assert_eq!(chime.hours(), [1], "not first in a year");
    assert_eq!(next, morning() + HOUR * 2);
    chime.clock.set(morning() - TimeDelta::days(365));
    process.take_turns().await;
    assert_eq!(chime.hours(), [-365 * 24]);
}

#[tokio::test]
async fn only_the_leader_takes_turns_from_the_moment_it_leads() {
    let chime = Chime::new();
    let process = chime.process(0);
    let (beats, beating) = watch::channel(Beat { nodes: 2, leads: false });
    let stop = CancellationToken::new();
    let test = async {
        let until_idle = async || {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        };
        until_idle().await;
        chime.clock.advance(HOUR);
        until_idle().await;
        assert_eq!(chime.hours(), Vec::<i64>::new(), "another one leads");
        beats.send_replace(Beat { nodes: 1, leads: true });
        until_idle().await;
        assert_eq!(chime.hours(), [1]);
        chime.clock.advance(HOUR);
        until_idle().await;
        assert_eq!(chime.hours(), [2]);
        beats.send_replace(Beat { nodes: 2, leads: false });
        until_idle().await;
        chime.clock.advance(HOUR);
        until_idle().await;
        assert_eq!(chime.hours(), Vec::<i64>::new());
        stop.cancel();
    };
    tokio::join!(process.run(beating, &stop), test);
}

#[tokio::test]
async fn what_is_over_is_forgotten_when_its_time_has_come_and_not_before() {
    let settings = "[retention]\ndone_days = 2\nevents_days = 5\ntombstones_days = 4\n".into();
    let bridge = Bridge::with(Choices { settings, ..Choices::default() }).await;
    bridge.connect(ANA).await.expect("connected");
    let soon =
        json!({ "startDateTime": "2026-11-02T14:00:00", "endDateTime": "2026-11-02T15:00:00" });
    let past = bridge.post(&with(tea(), &soon), &[]).await.json();
    let gone = bridge.post(&tea(), &[]).await.json();
    let kept = bridge.post(&tea(), &[]).await.json();
    let path = |made: &serde_json::Value| {
        format!("/api/v1/events/{}", made["id"].as_str().expect("an id"))
    };
    bridge.send_json(hyper::Method::DELETE, &path(&gone), &json!(null), &[]).await;
    bridge.run_until_idle().await;
    // What is still there after so many days: the job, the cancelled event, the past one.
    for (days, left) in [(1, [200; 3]), (2, [404, 200, 200]), (4, [404, 404, 200]), (6, [404; 3])] {
        bridge.clock.set(morning() + TimeDelta::days(days) + TimeDelta::hours(1));
        bridge.tied.periodic.take_turns().await;
        let job = format!("/api/v1/jobs/{}", past["jobId"].as_str().expect("an id"));
        let mut found = Vec::new();
        for path in [job, path(&gone), path(&past)] {
            found.push(bridge.get(&path).await.status);
        }
        assert_eq!(found, left, "after {days} days");
    }
    assert_eq!(bridge.get(&path(&kept)).await.status, 200);
    assert_eq!(bridge.titles(ANA).len(), 2, "Google's copies are none of its business");
}

#[tokio::test]
async fn much_that_is_over_is_forgotten_in_one_turn() {
    let bridge = Bridge::connected().await;
    let items: Vec<_> =
        (0..1000).map(|n| with(brew(), &json!({ "summary": format!("event {n}") }))).collect();
    let body = json!({ "events": items });
    bridge.send_json(hyper::Method::POST, "/api/v1/events/batch", &body, &[]).await;
    while bridge.tied.app.store.count_jobs().await.expect("counts").live > 0 {
        bridge.work().await;
        bridge.pass(TimeDelta::minutes(1));
    }
    bridge.pass(TimeDelta::days(8));
    bridge.tied.periodic.take_turns().await;
    assert_eq!(bridge.tied.app.store.count_jobs().await.expect("counts").done, 0);
}

#[tokio::test]
async fn an_idle_grant_is_used_every_week() {
    let bridge = Bridge::connected().await;
    for week in 1..=3 {
        bridge.tied.periodic.take_turns().await;
        assert_eq!(bridge.google.token_calls("refresh_token"), week);
        bridge.pass(TimeDelta::days(6));
        bridge.tied.periodic.take_turns().await;
        assert_eq!(bridge.google.token_calls("refresh_token"), week, "not twice a week");
        bridge.pass(TimeDelta::days(1));
    }
}

#[tokio::test]
async fn an_event_that_was_over_before_it_came_is_kept_as_long_as_any() {
    let bridge = Bridge::connected().await;
    let long_ago =
        json!({ "startDateTime": "2020-11-02T14:00:00", "endDateTime": "2020-11-02T15:00:00" });
    let made = bridge.post(&with(tea(), &long_ago), &[]).await.json();
    bridge.run_until_idle().await;
    for (days, status) in [(399, 200), (2, 404)] {
        bridge.pass(TimeDelta::days(days));
        bridge.tied.periodic.take_turns().await;
        let path = format!("/api/v1/events/{}", made["id"].as_str().expect("an id"));
        assert_eq!(bridge.get(&path).await.status, status);
    }
}

/// Lets everything run that waits for nothing but others.
async fn settle_down() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_process_says_that_it_lives_and_hears_who_shares_its_work() {
    let store = MortalStore::over(Arc::new(MemoryStore::new(InstanceId::from_u128(1))));
    let bridge = Bridge::with(Choices { store: Some(store.clone()), ..Choices::default() }).await;
    let (beats, beating) = watch::channel(Beat { nodes: 1, leads: false });
    let test = async {
        settle_down().await;
        assert_eq!(*beating.borrow(), Beat::ALONE);
        store.around.share(Beat { nodes: 3, leads: false });
        bridge.pass(TimeDelta::seconds(5));
        settle_down().await;
        assert_eq!(*beating.borrow(), Beat { nodes: 3, leads: false });
        assert_eq!(bridge.tied.app.limits.report().nodes, 3, "the quota is shared at once");
        store.around.share(Beat { nodes: 2, leads: true });
        bridge.pass(TimeDelta::seconds(5));
        settle_down().await;
        store.around.kill();
        bridge.pass(TimeDelta::seconds(14));
        settle_down().await;
        assert!(beating.borrow().leads, "its lease still holds");
        bridge.pass(TimeDelta::seconds(5));
        settle_down().await;
        assert!(!beating.borrow().leads, "others may lead by now");
    };
    tokio::select! {
        () = bridge.tied.live(TimeDelta::seconds(15), None, &beats) => panic!("it goes on"),
        () = test => {}
    }
}

#[tokio::test]
async fn calls_to_google_are_tallied_by_day_for_all_who_share_the_store() {
    let store = Arc::new(MemoryStore::new(InstanceId::from_u128(1)));
    let bridge = Bridge::with(Choices { store: Some(store), ..Choices::default() }).await;
    bridge.connect(ANA).await.expect("connected");
    bridge.post(&tea(), &[]).await;
    let calls = bridge.google.ledger();
    let calls = calls.iter().filter(|entry| entry.method.starts_with("calendar.")).count();
    let calls = u64::try_from(calls).expect("a number");
    let store = &bridge.tied.app.store;
    let today = morning().date_naive();
    for _ in 0..2 {
        bridge.tied.count_calls().await;
        assert_eq!(store.tally(today, 0).await.expect("a store"), calls);
    }
    store.tally(today, 1000).await.expect("a store");
    bridge.tied.count_calls().await;
    assert_eq!(bridge.tied.app.limits.report().calls, 1000 + calls, "others count too");
}
