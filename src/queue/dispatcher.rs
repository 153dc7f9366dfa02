//! Which line is served next: by class, by turns, and by what is shut at present.
//!
//! Lives in memory alone. At a start every line is looked at once, and an obstacle that still
//! stands is found again by the one run that meets it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};

use super::backoff;
use crate::model::id::ConnectionId;
use crate::model::job::{Class, Lane, Line, Obstacle, Until};
use crate::random::Random;

/// How many turns each class gets before the others have had theirs.
const TURNS: [(Class, u32); 3] = [(Class::Interactive, 16), (Class::Normal, 4), (Class::Bulk, 1)];

/// Decides whose turn it is.
#[derive(Debug)]
pub struct Dispatcher {
    /// Lines that may have a due job, in the order of their turns.
    ready: HashMap<Class, VecDeque<Line>>,
    /// Lines that have none before some moment.
    asleep: BTreeSet<(DateTime<Utc>, Line)>,
    /// Lines that wait for their connection to change.
    parked: BTreeMap<ConnectionId, BTreeSet<Line>>,
    /// Lines that wait for one of their connection's runs to end.
    crowded: HashMap<ConnectionId, BTreeSet<Line>>,
    /// Every line above, so that none is in two places.
    held: HashSet<Line>,
    turns_left: HashMap<Class, u32>,
    shut_lanes: HashMap<Lane, Shut>,
    google: Shut,
    in_flight: HashMap<ConnectionId, usize>,
    per_connection: usize,
    /// Counts the changes of connections.
    changes: u64,
    /// The number of each connection's last change.
    changed: HashMap<ConnectionId, u64>,
}

/// What a run is ended with: how many changes of connections there had been when it began.
#[derive(Clone, Copy, Debug)]
pub struct Begun(u64);

/// How long something stays shut, and how often in a row it was.
#[derive(Clone, Copy, Debug, Default)]
struct Shut {
    until: Option<DateTime<Utc>>,
    times: u32,
    /// One run was let through to see whether it still is.
    probing: bool,
}

impl Dispatcher {
    /// A dispatcher that knows no line yet and runs up to `per_connection` jobs of a connection at
    /// once.
    pub fn new(per_connection: usize) -> Self {
        Self {
            ready: HashMap::new(),
            asleep: BTreeSet::new(),
            parked: BTreeMap::new(),
            crowded: HashMap::new(),
            held: HashSet::new(),
            turns_left: HashMap::new(),
            shut_lanes: HashMap::new(),
            google: Shut::default(),
            in_flight: HashMap::new(),
            per_connection,
            changes: 0,
            changed: HashMap::new(),
        }
    }

    /// A job of `line` may be due now.
    pub fn look_at(&mut self, line: Line) {
        if self.held.contains(&line) {
            // Asleep lines are woken; ready, parked and crowded ones have their reason to wait.
            let before = self.asleep.len();
            self.asleep.retain(|(_, sleeping)| *sleeping != line);
            if self.asleep.len() == before {
                return;
            }
        }
        self.held.insert(line.clone());
        self.ready.entry(line.class).or_default().push_back(line);
    }

    /// `line` has nothing due before `moment`.
    pub fn look_later(&mut self, line: Line, moment: DateTime<Utc>) {
        if self.held.insert(line.clone()) {
            self.asleep.insert((moment, line));
        }
    }

    /// The connection changed: whatever waited for that may be tried again.
    pub fn connection_changed(&mut self, connection: ConnectionId) {
        self.changes += 1;
        self.changed.insert(connection, self.changes);
        for line in self.parked.remove(&connection).into_iter().flatten() {
            self.held.remove(&line);
            self.look_at(line);
        }
    }

    /// Whatever waits for its connection may be tried again: word of a change may have been missed.
    pub fn forget_parked(&mut self) {
        let connections: Vec<_> = self.parked.keys().copied().collect();
        for connection in connections {
            self.connection_changed(connection);
        }
    }

    /// The line whose turn it is at `now`. It is the caller's from here on, until [`look_at`] or
    /// [`look_later`] gives it back.
    ///
    /// [`look_at`]: Self::look_at
    /// [`look_later`]: Self::look_later
    pub fn pick(&mut self, now: DateTime<Utc>) -> Option<Line> {
        self.wake(now);
        if self.google.probing {
            return None;
        }
        if let Some(until) = self.google.until
            && until > now
        {
            return None;
        }
        loop {
            let class = self.class_in_turn()?;
            let line = self.ready.get_mut(&class).and_then(VecDeque::pop_front)?;
            if let Some(until) = self.shut_lanes.get(&line.lane).and_then(|shut| shut.until)
                && until > now
            {
                self.asleep.insert((until, line));
                continue;
            }
            if let Some(connection) = connection_of(&line)
                && self.in_flight.get(&connection).copied().unwrap_or(0) >= self.per_connection
            {
                self.crowded.entry(connection).or_default().insert(line);
                continue;
            }
            *self.turns_left.entry(class).or_default() -= 1;
            self.held.remove(&line);
            return Some(line);
        }
    }

    /// The next moment at which [`pick`](Self::pick) may find more than now.
    pub fn next_moment(&self) -> Option<DateTime<Utc>> {
        let first = self.asleep.first().map(|(moment, _)| *moment);
        match self.google.until {
            None => first,
            Some(_) if self.google.probing => None,
            Some(until) if self.ready.values().any(|lines| !lines.is_empty()) => Some(until),
            Some(until) => first.map(|first| first.max(until)),
        }
    }

    /// A job of `line` begins to run.
    pub fn begin(&mut self, line: &Line) -> Begun {
        self.google.probing = self.google.until.is_some();
        if let Some(connection) = connection_of(line) {
            *self.in_flight.entry(connection).or_default() += 1;
        }
        Begun(self.changes)
    }

    /// A job of `line` ended its run, and met this obstacle or none.
    pub fn end(
        &mut self,
        line: &Line,
        begun: Begun,
        obstacle: Option<Obstacle>,
        now: DateTime<Utc>,
        random: &dyn Random,
    ) {
        if let Some(connection) = connection_of(line) {
            if let Some(running) = self.in_flight.get_mut(&connection) {
                *running -= 1;
                if *running == 0 {
                    self.in_flight.remove(&connection);
                }
            }
            for line in self.crowded.remove(&connection).into_iter().flatten() {
                self.held.remove(&line);
                self.look_at(line);
            }
        }
        self.google.probing = false;
        match obstacle {
            None => {
                self.shut_lanes.remove(&line.lane);
                self.google = Shut::default();
            }
            Some(Obstacle::Lane(until)) => {
                self.shut_lanes.entry(line.lane).or_default().shut(until, now, random);
            }
            Some(Obstacle::Google(until)) => self.google.shut(until, now, random),
            // A connection that changed while the run went on may be mended by now: the line waits
            // for a change only if none has come since the run looked.
            Some(Obstacle::Connection(connection))
                if self.changed.get(&connection).is_some_and(|change| *change > begun.0) => {}
            Some(Obstacle::Connection(connection)) => {
                self.take_out(line);
                self.held.insert(line.clone());
                self.parked.entry(connection).or_default().insert(line.clone());
            }
        }
    }

    /// Whether all of Google is taken to be out of reach.
    pub fn google_is_shut(&self) -> bool {
        self.google.until.is_some()
    }

    fn wake(&mut self, now: DateTime<Utc>) {
        while let Some((moment, line)) = self.asleep.pop_first() {
            if moment > now {
                self.asleep.insert((moment, line));
                return;
            }
            self.ready.entry(line.class).or_default().push_back(line);
        }
    }

    fn take_out(&mut self, line: &Line) {
        if self.held.remove(line) {
            self.asleep.retain(|(_, other)| other != line);
            self.ready.values_mut().for_each(|lines| lines.retain(|other| other != line));
            for lines in self.crowded.values_mut() {
                lines.remove(line);
            }
        }
    }

    /// The first class that has a line and a turn left; when no class has both, all get new turns.
    fn class_in_turn(&mut self) -> Option<Class> {
        let waits = |ready: &HashMap<Class, VecDeque<Line>>, class| {
            ready.get(&class).is_some_and(|l| !l.is_empty())
        };
        for _ in 0..2 {
            for (class, _) in TURNS {
                if waits(&self.ready, class)
                    && self.turns_left.get(&class).copied().unwrap_or(0) > 0
                {
                    return Some(class);
                }
            }
            self.turns_left = TURNS.into_iter().collect();
        }
        None
    }
}

impl Shut {
    fn shut(&mut self, until: Until, now: DateTime<Utc>, random: &dyn Random) {
        // Several runs may be in flight when a wall goes up; together they hit it once.
        if self.until.is_none_or(|standing| standing <= now) {
            self.times += 1;
        }
        let moment = match until {
            Until::Moment(moment) => moment,
            Until::Backoff => now + backoff::delay(self.times - 1, backoff::PATIENCE, random),
        };
        self.until = self.until.max(Some(moment.max(now + TimeDelta::milliseconds(1))));
    }
}

fn connection_of(line: &Line) -> Option<ConnectionId> {
    match line.lane {
        Lane::Calendar { connection, .. } => Some(connection),
        Lane::Grants => None,
    }
}
