//! The engine's choices: whose turn it is, what is shut, and how long to wait.

use std::collections::{BTreeSet, HashMap};

use calbridge::model::id::ConnectionId;
use calbridge::model::job::{Class, Lane, Line, Obstacle, Until};
use calbridge::model::owner::{Owner, UserId};
use calbridge::queue::Gates;
use calbridge::queue::backoff::{self, PATIENCE, UNEXPLAINED};
use calbridge::queue::dispatcher::{Begun, Caps, Dispatcher, Met};
use calbridge::random::CountingRandom;
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use crate::bridge::morning;

mod model;
mod worker;

const ANAS: ConnectionId = ConnectionId::from_u128(1);

fn line(class: Class, user: &str, calendar: u64) -> Line {
    let owner = Owner::User(UserId::try_from(user.to_owned()).expect("a user"));
    Line { class, owner, lane: Lane::Calendar { connection: ANAS, calendar } }
}

fn tea() -> Line {
    line(Class::Interactive, "ana", 1)
}

/// What quotas allow: everything, but for what a test closes.
#[derive(Default)]
struct Quotas {
    connections: HashMap<ConnectionId, DateTime<Utc>>,
    project: Option<DateTime<Utc>>,
}

impl Gates for Quotas {
    fn not_before(&self, connection: ConnectionId, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.connections.get(&connection).copied().filter(|opens| *opens > now)
    }

    fn project_not_before(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.project.filter(|opens| *opens > now)
    }
}

/// A dispatcher with time and quotas in hand.
struct Desk {
    dispatcher: Dispatcher,
    quotas: Quotas,
    free: usize,
    now: DateTime<Utc>,
}

impl Desk {
    fn new(per_connection: usize) -> Self {
        let caps = Caps { workers: 100, per_connection, per_lane: 8 };
        let quotas = Quotas::default();
        Self { dispatcher: Dispatcher::new(caps), quotas, free: 100, now: morning() }
    }

    fn with(lines: &[Line]) -> Self {
        let mut desk = Self::new(8);
        for line in lines {
            desk.dispatcher.look_at(line.clone());
        }
        desk
    }

    fn pick(&mut self) -> Option<Line> {
        self.dispatcher.pick(self.now, self.free, &self.quotas).map(|pick| pick.line)
    }

    fn begin(&mut self, line: &Line) -> Begun {
        self.dispatcher.begin(line)
    }

    fn end(&mut self, line: &Line, begun: Begun, obstacle: Option<Obstacle>) {
        let met = obstacle.map_or(Met::Nothing, Met::Wall);
        self.dispatcher.end(line, begun, 1, met, self.now, &CountingRandom::new(1));
    }

    /// Serves the next line, which has more to do, for one unit.
    fn serve(&mut self) -> Line {
        self.serve_at(|_| 1)
    }

    /// Serves the next line, which has more to do, for what its runs cost.
    fn serve_at(&mut self, cost: impl Fn(&Line) -> u64) -> Line {
        let line = self.pick().expect("there is always work");
        let begun = self.begin(&line);
        self.dispatcher.look_at(line.clone());
        let random = CountingRandom::new(1);
        self.dispatcher.end(&line, begun, cost(&line), Met::Nothing, self.now, &random);
        line
    }

    /// Begins a run of the next line.
    fn start(&mut self) -> (Line, Begun) {
        let line = self.pick().expect("work, and room for it");
        let begun = self.begin(&line);
        (line, begun)
    }

    /// Begins a run of the next line, which has more to do.
    fn start_more(&mut self) -> (Line, Begun) {
        let (line, begun) = self.start();
        self.dispatcher.look_at(line.clone());
        (line, begun)
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
    let mut served = HashMap::new();
    for _ in 0..210 {
        *served.entry(desk.serve().class).or_insert(0) += 1;
    }
    let of = |class| served[&class];
    assert_eq!((of(Class::Interactive), of(Class::Normal), of(Class::Bulk)), (160, 40, 10));
}

#[test]
fn owners_of_one_class_take_turns() {
    let mut desk = Desk::with(&[line(Class::Bulk, "ana", 1), line(Class::Bulk, "ben", 1)]);
    let owners: Vec<Owner> = (0..6).map(|_| desk.serve().owner).collect();
    assert!(owners.windows(2).all(|pair| pair[0] != pair[1]), "{owners:?}");
}

/// In each place where lines wait, of two owners and of one: among all, before one connection, and
/// before one lane.
#[test]
fn turns_are_paid_in_units_of_quota() {
    let to = |connection, calendar| Lane::Calendar { connection, calendar };
    let other = ConnectionId::from_u128(2);
    let of_two = [("ben", to(other, 1)), ("ben", to(ANAS, 2)), ("ben", to(ANAS, 1))];
    let of_one = [("ana", to(other, 1)), ("ana", to(ANAS, 2))];
    for (owner, lane) in of_two.into_iter().chain(of_one) {
        let dear = line(Class::Bulk, "ana", 1);
        let cheap = Line { lane, ..line(Class::Bulk, owner, 1) };
        let mut desk = Desk::with(&[dear.clone(), cheap.clone()]);
        let cost = |line: &Line| if *line == dear { 4 } else { 1 };
        let mut units = HashMap::new();
        for _ in 0..500 {
            let served = desk.serve_at(cost);
            *units.entry(served.clone()).or_insert(0) += cost(&served);
        }
        assert!(units[&dear].abs_diff(units[&cheap]) <= 4, "{owner}, {lane:?}: {units:?}");
    }
}

#[test]
fn an_owner_with_many_lines_has_the_turns_of_one() {
    let mut lines: Vec<Line> = (0..9).map(|calendar| line(Class::Bulk, "ana", calendar)).collect();
    lines.push(line(Class::Bulk, "ben", 100));
    let mut desk = Desk::with(&lines);
    let mut served = HashMap::new();
    for _ in 0..900 {
        *served.entry(desk.serve()).or_insert(0) += 1;
    }
    assert_eq!(served.remove(&lines[9]), Some(450), "Ben's only one");
    assert!(
        served.values().all(|turns| *turns == 50),
        "Ana's, one as often as another: {served:?}"
    );
}

#[test]
fn who_comes_anew_owes_nothing_and_is_owed_nothing() {
    let (ana, ben) = (line(Class::Bulk, "ana", 1), line(Class::Bulk, "ben", 1));
    let mut desk = Desk::with(std::slice::from_ref(&ana));
    for _ in 0..1_000 {
        desk.serve();
    }
    desk.dispatcher.look_at(ben.clone());
    let bens = (0..20).filter(|_| desk.serve() == ben).count();
    assert!((9..=11).contains(&bens), "{bens} of 20 turns");
}

#[test]
fn a_class_that_comes_anew_is_owed_nothing() {
    let normal = line(Class::Normal, "ana", 1);
    let mut desk = Desk::with(std::slice::from_ref(&normal));
    for _ in 0..1_000 {
        desk.serve();
    }
    desk.dispatcher.look_at(tea());
    let turns = (0..100).filter(|_| desk.serve() == normal).count();
    assert!((19..=21).contains(&turns), "{turns} of 100 turns");
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
fn runs_that_meet_one_wall_together_wait_as_one_would() {
    let lines: Vec<Line> = (0..4).map(|calendar| line(Class::Normal, "ana", calendar)).collect();
    let mut desk = Desk::with(&lines);
    let runs: Vec<_> = (0..4).map(|_| desk.start_more()).collect();
    for (line, begun) in runs {
        desk.end(&line, begun, Some(Obstacle::Google(Until::Backoff)));
    }
    let next = desk.dispatcher.next_moment().expect("another look");
    assert!(next - desk.now <= TimeDelta::seconds(1), "{}", next - desk.now);
}

#[test]
fn what_a_run_says_of_google_from_before_it_was_mended_counts_no_more() {
    let mut desk = Desk::with(&[tea()]);
    let early = desk.start_more();
    desk.dispatcher.google_mended();
    let wall = Obstacle::Google(Until::Moment(desk.now + TimeDelta::hours(1)));
    desk.end(&early.0, early.1, Some(wall));
    assert!(!desk.dispatcher.google_is_shut());
    desk.meet(&tea(), wall);
    assert!(desk.dispatcher.google_is_shut(), "what a later run says does");
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
fn a_connection_has_so_many_runs_at_once_and_the_last_is_kept_for_who_waits() {
    let mut desk = Desk::new(3);
    for calendar in 0..4 {
        desk.dispatcher.look_at(line(Class::Normal, "ana", calendar));
    }
    let (first, second) = (desk.start(), desk.start());
    assert_eq!(desk.pick(), None, "the last place is not for them");
    desk.dispatcher.look_at(tea());
    let urgent = desk.start();
    assert_eq!(urgent.0, tea());
    desk.dispatcher.look_at(line(Class::Interactive, "ana", 5));
    assert_eq!(desk.pick(), None, "there are no more");
    desk.end(&first.0, first.1, None);
    assert_eq!(desk.start().0.class, Class::Interactive);
    desk.end(&second.0, second.1, None);
    assert_eq!(desk.pick(), None, "the last place is not for them");
    desk.end(&urgent.0, urgent.1, None);
    assert_eq!(desk.start().0.class, Class::Normal);
}

#[test]
fn the_last_free_worker_is_kept_for_who_waits() {
    let mut desk = Desk::with(&[line(Class::Bulk, "ana", 1)]);
    desk.free = 1;
    assert_eq!(desk.pick(), None);
    desk.dispatcher.look_at(tea());
    assert_eq!(desk.pick(), Some(tea()));
}

#[test]
fn a_lane_is_narrowed_by_its_walls_and_widened_by_clean_runs() {
    let mut desk = Desk::with(&[tea()]);
    assert_eq!(desk.dispatcher.width(&tea()), 4);
    let (one, other) = (desk.start_more(), desk.start_more());
    let wall = Obstacle::Lane(Until::Moment(desk.now + TimeDelta::seconds(2)));
    desk.end(&one.0, one.1, Some(wall));
    desk.end(&other.0, other.1, Some(wall));
    assert_eq!(desk.dispatcher.width(&tea()), 2, "both met the same wall");
    for expected in [1, 1] {
        desk.pass(2);
        let run = desk.start_more();
        desk.end(
            &run.0,
            run.1,
            Some(Obstacle::Lane(Until::Moment(desk.now + TimeDelta::seconds(2)))),
        );
        assert_eq!(desk.dispatcher.width(&tea()), expected);
    }
    desk.pass(2);
    for _ in 0..19 {
        desk.serve();
    }
    assert_eq!(desk.dispatcher.width(&tea()), 1);
    desk.serve();
    let _runs_on = desk.start_more();
    for _ in 0..200 {
        desk.serve();
    }
    assert_eq!(desk.dispatcher.width(&tea()), 8, "and no wider");
}

#[test]
fn a_run_that_began_before_the_wall_widens_nothing() {
    let mut desk = Desk::with(&[tea()]);
    let (early, late) = (desk.start_more(), desk.start_more());
    desk.end(
        &late.0,
        late.1,
        Some(Obstacle::Lane(Until::Moment(desk.now + TimeDelta::seconds(2)))),
    );
    desk.pass(2);
    for _ in 0..19 {
        desk.serve();
    }
    desk.end(&early.0, early.1, None);
    assert_eq!(desk.dispatcher.width(&tea()), 2);
    desk.serve();
    assert_eq!(desk.dispatcher.width(&tea()), 3);
}

#[test]
fn a_run_that_began_before_the_wall_does_not_open_it() {
    let mut desk = Desk::with(&[tea()]);
    let (early, late) = (desk.start_more(), desk.start_more());
    desk.end(&late.0, late.1, Some(Obstacle::Lane(Until::Moment(desk.now + TimeDelta::hours(1)))));
    desk.end(&early.0, early.1, None);
    assert_eq!(desk.pick(), None);
}

#[test]
fn a_line_without_quota_waits_for_it_and_holds_nobody_up() {
    let bens = Lane::Calendar { connection: ConnectionId::from_u128(2), calendar: 1 };
    let ben = Line { lane: bens, ..line(Class::Bulk, "ben", 1) };
    let mut desk = Desk::with(&[tea(), ben.clone()]);
    let opens = desk.now + TimeDelta::seconds(3);
    desk.quotas.connections.insert(ANAS, opens);
    assert_eq!(desk.pick(), Some(ben.clone()));
    assert_eq!((desk.pick(), desk.dispatcher.next_moment()), (None, Some(opens)));
    desk.pass(3);
    desk.dispatcher.look_at(ben);
    let project = desk.now + TimeDelta::seconds(1);
    desk.quotas.project = Some(project);
    assert_eq!((desk.pick(), desk.dispatcher.next_moment()), (None, Some(project)));
    desk.pass(1);
    assert_eq!(desk.pick(), Some(tea()));
}

#[test]
fn jobs_are_taken_together_only_while_nobody_else_waits() {
    let bulk = line(Class::Bulk, "ana", 1);
    let mut desk = Desk::with(std::slice::from_ref(&bulk));
    let most = |desk: &mut Desk, free| {
        desk.dispatcher.pick(desk.now, free, &desk.quotas).map(|pick| pick.most)
    };
    assert_eq!(most(&mut desk, 100), Some(3), "a lane's first width, less the place that is kept");
    desk.dispatcher.look_at(bulk.clone());
    assert_eq!(most(&mut desk, 3), Some(2), "the free workers, less the one that is kept");
    desk.dispatcher.look_at(bulk);
    desk.dispatcher.look_at(line(Class::Bulk, "ben", 1));
    assert_eq!(most(&mut desk, 100), Some(1));
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

#[test]
fn who_failed_together_does_not_come_back_together() {
    let wait = |seed| backoff::delay(6, PATIENCE, &CountingRandom::new(seed));
    let waits: BTreeSet<TimeDelta> = (0..20).map(wait).collect();
    assert!(waits.len() > 15, "{waits:?}");
}

/// 25 attempts that nobody can explain take about three days, which is when a job may be given up.
#[test]
fn unexplained_failures_are_given_three_days() {
    let random = CountingRandom::new(1);
    let total: TimeDelta = (0..25).map(|spent| backoff::delay(spent, UNEXPLAINED, &random)).sum();
    assert!(total >= TimeDelta::days(2) && total <= TimeDelta::days(4), "{total}");
}
