//! The dispatcher beside a model that looks at every line each time: none is lost, none is in two
//! places, and nothing passes what is shut or full.

use std::collections::{BTreeMap, BTreeSet};

use calbridge::model::id::ConnectionId;
use calbridge::model::job::{Class, Lane, Line, Obstacle, Until};
use calbridge::queue::dispatcher::{Begun, Caps, Dispatcher, Met};
use calbridge::random::CountingRandom;
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::Quotas;
use crate::bridge::morning;

const WORKERS: usize = 6;
const PER_CONNECTION: usize = 3;
const PER_LANE: usize = 8;
const CLASSES: [Class; 3] = [Class::Interactive, Class::Normal, Class::Bulk];

/// What may happen.
#[derive(Clone, Debug)]
enum Step {
    LookAt(Line),
    LookLater(Line, i64),
    /// A pick whose line has so many jobs due, and more after so many seconds.
    Pick(usize, Option<i64>),
    End(usize, u64, Wall),
    Pass(i64),
    Change(u128),
    Forget,
    Close(u128, i64),
    CloseProject(i64),
}

#[derive(Clone, Copy, Debug)]
enum Wall {
    None,
    Unknown,
    Lane(i64),
    Connection,
    Google(i64),
}

fn lines() -> impl Strategy<Value = Line> {
    let lanes = prop_oneof![
        9 => (1..4_u128, 1..4_u64).prop_map(|(connection, calendar)| Lane::Calendar {
            connection: ConnectionId::from_u128(connection),
            calendar,
        }),
        1 => Just(Lane::Grants),
    ];
    (prop::sample::select(&CLASSES), prop::sample::select(&["ana", "ben", "cleo"]), lanes)
        .prop_map(|(class, user, lane)| Line { lane, ..super::line(class, user, 1) })
}

fn walls() -> impl Strategy<Value = Wall> {
    prop_oneof![
        6 => Just(Wall::None),
        1 => Just(Wall::Unknown),
        1 => (1..40_i64).prop_map(Wall::Lane),
        1 => Just(Wall::Connection),
        1 => (1..20_i64).prop_map(Wall::Google),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => lines().prop_map(Step::LookAt),
        3 => (lines(), 1..30_i64).prop_map(|(line, secs)| Step::LookLater(line, secs)),
        10 => (0..4_usize, prop::option::of(-1..20_i64)).prop_map(|(due, next)| Step::Pick(due, next)),
        8 => (0..8_usize, 0..9_u64, walls()).prop_map(|(which, units, wall)| Step::End(which, units, wall)),
        4 => (-5..30_i64).prop_map(Step::Pass),
        1 => (1..4_u128).prop_map(Step::Change),
        1 => Just(Step::Forget),
        1 => (1..4_u128, 1..20_i64).prop_map(|(connection, secs)| Step::Close(connection, secs)),
        1 => (1..5_i64).prop_map(Step::CloseProject),
    ]
}

/// A run that goes on.
struct Running {
    line: Line,
    begun: Begun,
    began: u64,
    probe: bool,
}

/// What ought to be.
#[derive(Default)]
struct Model {
    ready: BTreeSet<Line>,
    asleep: BTreeMap<Line, DateTime<Utc>>,
    /// Until when, and since which event.
    shut: BTreeMap<Lane, (DateTime<Utc>, u64)>,
    google: Option<(DateTime<Utc>, u64)>,
    parked: BTreeSet<ConnectionId>,
    changed: BTreeMap<ConnectionId, u64>,
    events: u64,
}

struct Both {
    model: Model,
    dispatcher: Dispatcher,
    running: Vec<Running>,
    quotas: Quotas,
    now: DateTime<Utc>,
    /// The time of the last look.
    seen: DateTime<Utc>,
}

fn connection_of(line: &Line) -> Option<ConnectionId> {
    match line.lane {
        Lane::Calendar { connection, .. } => Some(connection),
        Lane::Grants | Lane::Reminders | Lane::Mail => None,
    }
}

/// The last of several places is kept for what somebody waits for.
fn usable(most: usize, class: Class) -> usize {
    if class == Class::Interactive || most == 1 { most } else { most - 1 }
}

impl Both {
    fn new() -> Self {
        let caps = Caps { workers: WORKERS, per_connection: PER_CONNECTION, per_lane: PER_LANE };
        Self {
            model: Model::default(),
            dispatcher: Dispatcher::new(caps),
            running: Vec::new(),
            quotas: Quotas::default(),
            now: morning(),
            seen: morning(),
        }
    }

    fn free(&self) -> usize {
        WORKERS - self.running.len()
    }

    /// Whether a job of `line` may begin now.
    fn may_run(&self, line: &Line) -> bool {
        let (now, class) = (self.now, line.class);
        let behind = |same: &dyn Fn(&Line) -> bool| {
            self.running.iter().filter(|running| same(&running.line)).count()
        };
        let connection_is_open = connection_of(line).is_none_or(|connection| {
            !self.model.parked.contains(&connection)
                && self.quotas.connections.get(&connection).is_none_or(|opens| *opens <= now)
                && behind(&|other| connection_of(other) == Some(connection))
                    < usable(PER_CONNECTION, class)
        });
        connection_is_open
            && self.running.len() < usable(WORKERS, class)
            && self.quotas.project.is_none_or(|opens| opens <= now)
            && !self.running.iter().any(|running| running.probe)
            && self.model.google.is_none_or(|(until, _)| until <= now)
            && self.model.shut.get(&line.lane).is_none_or(|(until, _)| *until <= now)
            && behind(&|other| other.lane == line.lane) < usable(self.dispatcher.width(line), class)
    }

    fn wake(&mut self) {
        let now = self.now;
        // A clock that was set back: all are looked at anew.
        let anew = now < self.seen;
        self.seen = now;
        let due = |moment: &DateTime<Utc>| anew || *moment <= now;
        let woken = self.model.asleep.iter().filter(|(_, moment)| due(moment));
        let woken: Vec<Line> = woken.map(|(line, _)| line.clone()).collect();
        for line in woken {
            self.model.asleep.remove(&line);
            self.model.ready.insert(line);
        }
    }

    fn pick(&mut self, due: usize, next: Option<i64>) -> Result<(), TestCaseError> {
        self.wake();
        let picked = self.dispatcher.pick(self.now, self.free(), &self.quotas);
        let Some(pick) = picked else {
            let missed = self.model.ready.iter().find(|line| self.may_run(line));
            prop_assert_eq!(missed, None, "it was ready and nothing stood before it");
            let moment = self.dispatcher.next_moment();
            let late =
                self.model.asleep.values().find(|asleep| moment.is_none_or(|m| m > **asleep));
            let excused = self.model.google.is_some() || self.quotas.project.is_some();
            prop_assert!(excused || late.is_none(), "nobody looks before {moment:?}");
            return Ok(());
        };
        let line = pick.line;
        prop_assert!(self.model.ready.remove(&line), "not ready, or picked twice: {line:?}");
        for job in 0..due.min(pick.most) {
            prop_assert!(self.may_run(&line), "job {job} of {line:?}");
            let probe = self.model.google.is_some();
            let (begun, at) = (self.dispatcher.begin(&line), self.model.events);
            self.running.push(Running { line: line.clone(), begun, began: at, probe });
        }
        match next {
            Some(secs) if secs <= 0 => self.look_at(line),
            Some(secs) => self.look_later(line, secs),
            None => {}
        }
        Ok(())
    }

    fn look_at(&mut self, line: Line) {
        self.dispatcher.look_at(line.clone());
        self.model.asleep.remove(&line);
        self.model.ready.insert(line);
    }

    fn look_later(&mut self, line: Line, secs: i64) {
        let moment = self.now + TimeDelta::seconds(secs);
        self.dispatcher.look_later(line.clone(), moment);
        if !self.model.ready.contains(&line) {
            self.model.asleep.entry(line).or_insert(moment);
        }
    }

    fn end(&mut self, which: usize, units: u64, wall: Wall) {
        if self.running.is_empty() {
            return;
        }
        self.wake();
        let run = self.running.remove(which % self.running.len());
        let until = |secs| Until::Moment(self.now + TimeDelta::seconds(secs));
        // Only a calendar's run finds its connection broken.
        let connection = connection_of(&run.line);
        let wall = if connection.is_none() && matches!(wall, Wall::Connection) {
            Wall::None
        } else {
            wall
        };
        let connection = connection.unwrap_or(ConnectionId::from_u128(1));
        let met = match wall {
            Wall::None => Met::Nothing,
            Wall::Unknown => Met::Unknown,
            Wall::Lane(secs) => Met::Wall(Obstacle::Lane(until(secs))),
            Wall::Connection => Met::Wall(Obstacle::Connection(connection)),
            Wall::Google(secs) => Met::Wall(Obstacle::Google(until(secs))),
        };
        self.dispatcher.end(&run.line, run.begun, units, met, self.now, &CountingRandom::new(1));
        let (now, model) = (self.now, &mut self.model);
        let later = |standing: Option<(DateTime<Utc>, u64)>, secs: i64, event| {
            let moment = now + TimeDelta::seconds(secs);
            (standing.map_or(moment, |(until, _)| until.max(moment)), event)
        };
        match wall {
            Wall::None => {
                if model.shut.get(&run.line.lane).is_some_and(|(_, since)| run.began >= *since) {
                    model.shut.remove(&run.line.lane);
                }
                model.google.take_if(|(_, since)| run.began >= *since);
            }
            Wall::Unknown => {}
            Wall::Lane(secs) => {
                model.events += 1;
                let standing = model.shut.get(&run.line.lane).copied();
                model.shut.insert(run.line.lane, later(standing, secs, model.events));
            }
            Wall::Connection => {
                if model.changed.get(&connection).is_none_or(|event| *event <= run.began) {
                    model.parked.insert(connection);
                }
            }
            Wall::Google(secs) => {
                model.events += 1;
                model.google = Some(later(model.google, secs, model.events));
            }
        }
    }

    fn change(&mut self, connection: ConnectionId) {
        self.dispatcher.connection_changed(connection);
        self.model.events += 1;
        self.model.changed.insert(connection, self.model.events);
        self.model.parked.remove(&connection);
    }

    fn forget_parked(&mut self) {
        self.dispatcher.forget_parked();
        self.model.events += 10;
        self.model.parked.clear();
        for connection in (1..4).map(ConnectionId::from_u128) {
            self.model.changed.insert(connection, self.model.events);
        }
    }

    fn take(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::LookAt(line) => self.look_at(line),
            Step::LookLater(line, secs) => self.look_later(line, secs),
            Step::Pick(due, next) => return self.pick(due, next),
            Step::End(which, units, wall) => self.end(which, units, wall),
            Step::Pass(secs) => self.now += TimeDelta::seconds(secs),
            Step::Change(connection) => self.change(ConnectionId::from_u128(connection)),
            Step::Forget => self.forget_parked(),
            Step::Close(connection, secs) => {
                // What a quota says of a moment to come it does not take back.
                let opens = self.now + TimeDelta::seconds(secs);
                let connection = ConnectionId::from_u128(connection);
                let standing = self.quotas.connections.entry(connection).or_insert(opens);
                *standing = opens.max(*standing);
            }
            Step::CloseProject(secs) => {
                self.quotas.project =
                    self.quotas.project.max(Some(self.now + TimeDelta::seconds(secs)));
            }
        }
        Ok(())
    }

    /// Everything opens: every line that is still somewhere is served.
    fn empty(&mut self) -> Result<(), TestCaseError> {
        while !self.running.is_empty() {
            self.end(0, 1, Wall::None);
        }
        self.forget_parked();
        self.now += TimeDelta::hours(1);
        while !self.model.ready.is_empty() || !self.model.asleep.is_empty() {
            let before = self.model.ready.len() + self.model.asleep.len();
            self.pick(1, None)?;
            let after = self.model.ready.len() + self.model.asleep.len();
            prop_assert!(after < before, "lost: {:?} {:?}", self.model.ready, self.model.asleep);
            self.end(0, 1, Wall::None);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_line_is_lost_and_nothing_passes_what_is_shut(
        steps in prop::collection::vec(steps(), 1..120),
    ) {
        let mut both = Both::new();
        both.pick(0, None)?;
        for step in steps {
            both.take(step)?;
        }
        both.empty()?;
    }
}
