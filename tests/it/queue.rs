//! The engine's choices: whose turn it is, what is shut, and how long to wait.

use calbridge::model::id::ConnectionId;
use calbridge::model::job::{Class, Lane, Line, Obstacle, Until};
use calbridge::model::owner::{Owner, UserId};
use calbridge::queue::backoff::{self, PATIENCE, UNEXPLAINED};
use calbridge::queue::dispatcher::{Begun, Dispatcher};
use calbridge::random::CountingRandom;
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use crate::bridge::morning;

const ANAS: ConnectionId = ConnectionId::from_u128(1);

fn line(class: Class, user: &str, calendar: u64) -> Line {
    let owner = Owner::User(UserId::try_from(user.to_owned()).expect("a user"));
    Line { class, owner, lane: Lane::Calendar { connection: ANAS, calendar } }
}

fn tea() -> Line {
    line(Class::Interactive, "ana", 1)
}

/// A dispatcher with time in hand.
struct Desk {
    dispatcher: Dispatcher,
    now: DateTime<Utc>,
}

impl Desk {
    fn new(per_connection: usize) -> Self {
        Self { dispatcher: Dispatcher::new(per_connection), now: morning() }
    }

    fn with(lines: &[Line]) -> Self {
        let mut desk = Self::new(8);
        for line in lines {
            desk.dispatcher.look_at(line.clone());
        }
        desk
    }

    fn pick(&mut self) -> Option<Line> {
        self.dispatcher.pick(self.now)
    }

    fn begin(&mut self, line: &Line) -> Begun {
        self.dispatcher.begin(line)
    }

    fn end(&mut self, line: &Line, begun: Begun, obstacle: Option<Obstacle>) {
        self.dispatcher.end(line, begun, obstacle, self.now, &CountingRandom::new(1));
    }

    /// Runs a job of `line` that meets `obstacle`; the line has more.
    fn meet(&mut self, line: &Line, obstacle: Obstacle) {
        let begun = self.begin(line);
        self.end(line, begun, Some(obstacle));
        self.dispatcher.look_at(line.clone());
    }

    fn pass(&mut self, secs: i64) {
        self.now += TimeDelta::seconds(secs);
    }
}

#[test]
fn classes_get_turns_by_weight_and_none_starves() {
    let lines = [
        line(Class::Bulk, "ana", 1),
        line(Class::Normal, "ana", 1),
        line(Class::Interactive, "ana", 1),
    ];
    let mut desk = Desk::with(&lines);
    let mut served = std::collections::HashMap::new();
    for _ in 0..210 {
        let next = desk.pick().expect("there is always work");
        *served.entry(next.class).or_insert(0) += 1;
        desk.dispatcher.look_at(next);
    }
    let of = |class| served[&class];
    assert_eq!((of(Class::Interactive), of(Class::Normal), of(Class::Bulk)), (160, 40, 10));
}

#[test]
fn owners_of_one_class_take_turns() {
    let mut desk = Desk::with(&[line(Class::Bulk, "ana", 1), line(Class::Bulk, "ben", 1)]);
    let owners: Vec<Owner> = (0..6)
        .map(|_| {
            let next = desk.pick().expect("there is always work");
            desk.dispatcher.look_at(next.clone());
            next.owner
        })
        .collect();
    assert!(owners.windows(2).all(|pair| pair[0] != pair[1]), "{owners:?}");
}

#[test]
fn a_line_is_picked_once_until_it_is_given_back() {
    let mut desk = Desk::with(&[tea(), tea()]);
    assert_eq!(desk.pick(), Some(tea()));
    assert_eq!(desk.pick(), None);
}

#[test]
fn a_line_sleeps_until_its_moment_unless_it_is_woken() {
    let mut desk = Desk::new(8);
    let moment = desk.now + TimeDelta::seconds(10);
    desk.dispatcher.look_later(tea(), moment);
    assert_eq!((desk.pick(), desk.dispatcher.next_moment()), (None, Some(moment)));
    desk.dispatcher.look_at(tea());
    assert_eq!(desk.pick(), Some(tea()));
    desk.dispatcher.look_later(tea(), moment);
    desk.pass(10);
    assert_eq!(desk.pick(), Some(tea()));
}

#[test]
fn a_shut_lane_holds_up_its_own_lines_alone() {
    let other = line(Class::Interactive, "ana", 2);
    let mut desk = Desk::with(&[tea(), other.clone()]);
    let shut = desk.pick().expect("the first");
    let until = desk.now + TimeDelta::seconds(30);
    desk.meet(&shut, Obstacle::Lane(Until::Moment(until)));
    assert_eq!(desk.pick(), Some(other));
    assert_eq!((desk.pick(), desk.dispatcher.next_moment()), (None, Some(until)));
    desk.pass(30);
    assert_eq!(desk.pick(), Some(shut));
}

#[test]
fn an_outage_is_probed_by_one_run_at_a_time() {
    let lines: Vec<Line> = (0..5).map(|calendar| line(Class::Normal, "ana", calendar)).collect();
    let mut desk = Desk::with(&lines);
    let first = desk.pick().expect("the first");
    desk.meet(&first, Obstacle::Google(Until::Moment(desk.now + TimeDelta::seconds(5))));
    assert!(desk.dispatcher.google_is_shut());
    assert_eq!(desk.pick(), None, "nobody runs into the wall");
    desk.pass(5);
    let probe = desk.pick().expect("one looks whether the wall still stands");
    let begun = desk.begin(&probe);
    assert_eq!(desk.pick(), None, "the others wait for its word");
    desk.end(&probe, begun, None);
    assert!(!desk.dispatcher.google_is_shut());
    assert_eq!(std::iter::from_fn(|| desk.pick()).count(), 4, "all others go on");
}

#[test]
fn an_outage_that_lasts_is_probed_less_and_less_often() {
    let mut desk = Desk::with(&[tea()]);
    let mut waits = Vec::new();
    for _ in 0..8 {
        let probe = desk.pick().expect("its time has come");
        desk.meet(&probe, Obstacle::Google(Until::Backoff));
        let next = desk.dispatcher.next_moment().expect("another look");
        waits.push(next - desk.now);
        desk.now = next;
    }
    assert!(waits[0] <= TimeDelta::seconds(1) && waits[7] >= PATIENCE / 2, "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= PATIENCE), "{waits:?}");
}

#[test]
fn a_line_waits_for_its_connection_to_change() {
    let mut desk = Desk::with(&[tea()]);
    let parked = desk.pick().expect("work");
    desk.meet(&parked, Obstacle::Connection(ANAS));
    desk.pass(1_000_000);
    assert_eq!((desk.pick(), desk.dispatcher.next_moment()), (None, None));
    desk.dispatcher.connection_changed(ANAS);
    assert_eq!(desk.pick(), Some(parked));
}

#[test]
fn a_connection_mended_while_a_run_found_it_broken_is_tried_again() {
    let mut desk = Desk::with(&[tea()]);
    let running = desk.pick().expect("work");
    let begun = desk.begin(&running);
    desk.dispatcher.connection_changed(ANAS);
    desk.end(&running, begun, Some(Obstacle::Connection(ANAS)));
    desk.dispatcher.look_at(running.clone());
    assert_eq!(desk.pick(), Some(running));
}

#[test]
fn a_connection_has_so_many_runs_at_once() {
    let mut desk = Desk::new(2);
    for calendar in 0..3 {
        desk.dispatcher.look_at(line(Class::Normal, "ana", calendar));
    }
    let running: Vec<(Line, Begun)> = (0..2)
        .map(|_| {
            let next = desk.pick().expect("room for two");
            let begun = desk.begin(&next);
            (next, begun)
        })
        .collect();
    assert_eq!(desk.pick(), None);
    let (ended, begun) = &running[0];
    desk.end(ended, *begun, None);
    assert!(desk.pick().is_some());
}

proptest! {
    #[test]
    fn a_backoff_doubles_up_to_its_ceiling_and_leaves_half_to_chance(tries in 0_u32..2_000, seed: u64) {
        for ceiling in [PATIENCE, UNEXPLAINED] {
            let wait = backoff::delay(tries, ceiling, &CountingRandom::new(seed));
            let whole = TimeDelta::seconds(1 << tries.min(20)).min(ceiling);
            prop_assert!(wait <= whole && wait >= whole / 2, "{wait} of {whole}");
        }
    }
}

/// 25 attempts that nobody can explain take about three days, which is when a job may be given up.
#[test]
fn unexplained_failures_are_given_three_days() {
    let random = CountingRandom::new(1);
    let total: TimeDelta = (0..25).map(|spent| backoff::delay(spent, UNEXPLAINED, &random)).sum();
    assert!(total >= TimeDelta::days(2) && total <= TimeDelta::days(4), "{total}");
}
