//! Which line is served next: by class, by turns, and by what is shut at present.
//!
//! A line waits before its lane's door, then before its connection's, then for its turn among all.
//! Of each class a door lets one line go on at a time, the one whose turn it is there: what happens at
//! a door touches that one line, however many wait behind it.
//!
//! Lives in memory alone. At a start every line is looked at once, and an obstacle that still
//! stands is found again by the one run that meets it.

mod passage;

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use super::books::Books;
use super::door::{self, Door, Shut, Way};
use super::gates::Gates;
use super::waiting::Waiting;
use crate::model::fill::{Crew, Fill};
use crate::model::id::ConnectionId;
use crate::model::job::{Class, Lane, Line, Obstacle};
use crate::random::Random;

/// The classes, and how much more a unit of service costs each than the first: 16 : 4 : 1 in turns.
const CLASSES: [(Class, u64); 3] = [(Class::Interactive, 1), (Class::Normal, 4), (Class::Bulk, 16)];
/// What a run is taken to cost until it is over.
const ESTIMATE: u64 = 1;

/// How much may run at once.
#[derive(Clone, Copy, Debug)]
pub struct Caps {
    /// In all. The last place is kept for interactive work.
    pub workers: usize,
    /// Of one connection. The last place is kept for interactive work.
    pub per_connection: usize,
    /// Of one lane, at the most: how many at present follows what its runs meet. The last place is kept
    /// for interactive work.
    pub per_lane: usize,
}

/// Decides whose turn it is.
#[derive(Debug)]
pub struct Dispatcher {
    caps: Caps,
    /// Lines that wait for nothing but their turn, by class.
    ring: [Waiting; 3],
    /// What owners and lines were served, by class.
    books: [Books; 3],
    /// The round of each class's next turn.
    rounds: [u64; 3],
    /// The round in which a class was served last.
    round: u64,
    doors: HashMap<Way, Door>,
    /// Where each line is that is anywhere here, so that none is in two places.
    places: HashMap<Line, Place>,
    /// What is to be looked at again when its moment comes.
    timers: BTreeSet<(DateTime<Utc>, Timer)>,
    /// Doors behind which something runs.
    at_work: BTreeSet<Way>,
    /// Jobs that run.
    running: u64,
    /// Lanes that are narrower than new ones.
    narrowed: BTreeSet<Lane>,
    /// Connections that wait for a change.
    parked: BTreeSet<ConnectionId>,
    google: Shut,
    /// When somebody last mended what may have stood before all of Google, in the count of events.
    mended: u64,
    /// One run was let through to see whether Google is still out of reach.
    probing: bool,
    /// When the project's quota allows another call.
    project_opens: Option<DateTime<Utc>>,
    /// Counts walls met and connections changed: what came before a run tells nothing against it.
    events: u64,
    /// The time as of late.
    now: DateTime<Utc>,
}

/// The line whose turn it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pick {
    /// Which.
    pub line: Line,
    /// How many of its jobs may run now: more than one only while nobody else waits.
    pub most: usize,
}

/// What a run is ended with: what was known when it began.
#[derive(Clone, Copy, Debug)]
pub struct Begun {
    event: u64,
    /// It was let through to see whether Google is still out of reach.
    probe: bool,
}

/// What a run met.
#[derive(Clone, Copy, Debug)]
pub enum Met {
    /// Nothing that would stand before others.
    Nothing,
    /// A wall.
    Wall(Obstacle),
    /// It was cut short, and tells nothing.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Asleep(DateTime<Utc>),
    BeforeLane,
    BeforeConnection,
    InRing,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Door(Way),
    Line(Line),
}

impl Dispatcher {
    /// A dispatcher that knows no line yet.
    pub fn new(caps: Caps) -> Self {
        Self {
            caps,
            ring: Default::default(),
            books: Default::default(),
            rounds: [0; 3],
            round: 0,
            doors: HashMap::new(),
            places: HashMap::new(),
            timers: BTreeSet::new(),
            at_work: BTreeSet::new(),
            running: 0,
            narrowed: BTreeSet::new(),
            parked: BTreeSet::new(),
            google: Shut::default(),
            mended: 0,
            probing: false,
            project_opens: None,
            events: 0,
            now: DateTime::UNIX_EPOCH,
        }
    }

    /// A job of `line` may be due now.
    pub fn look_at(&mut self, line: Line) {
        match self.places.get(&line) {
            None => {}
            Some(Place::Asleep(moment)) => {
                self.timers.remove(&(*moment, Timer::Line(line.clone())));
            }
            // It has its reason to wait.
            Some(_) => return,
        }
        self.books[at(line.class)].enter(&line.owner);
        self.wait_before_lane(line);
    }

    /// `line` has nothing due before `moment`.
    pub fn look_later(&mut self, line: Line, moment: DateTime<Utc>) {
        if !self.places.contains_key(&line) {
            self.places.insert(line.clone(), Place::Asleep(moment));
            self.timers.insert((moment, Timer::Line(line)));
        }
    }

    /// The connection changed: whatever waited for that may be tried again.
    pub fn connection_changed(&mut self, connection: ConnectionId) {
        self.events += 1;
        self.parked.remove(&connection);
        let way = Way::Connection(connection);
        if let Some(door) = self.doors.get_mut(&way) {
            door.parked = false;
            door.changed = self.events;
            self.let_on_all(way);
        }
    }

    /// Whatever waits for its connection may be tried again: word of a change may have been missed.
    pub fn forget_parked(&mut self) {
        for connection in std::mem::take(&mut self.parked) {
            self.connection_changed(connection);
        }
        // Nor does a run that goes on at present know whether its connection changed.
        self.events += 1;
        for door in self.doors.values_mut() {
            door.changed = self.events;
        }
    }

    /// The line whose turn it is at `now`, if `free` workers are left. It is the caller's from here
    /// on, until [`look_at`] or [`look_later`] gives it back; what was learned of its lane is kept until
    /// a run ends, or [`found_nothing`] tells that none begins.
    ///
    /// [`look_at`]: Self::look_at
    /// [`look_later`]: Self::look_later
    /// [`found_nothing`]: Self::found_nothing
    pub fn pick(&mut self, now: DateTime<Utc>, free: usize, gates: &dyn Gates) -> Option<Pick> {
        self.wake(now);
        if self.probing || self.google.until.is_some_and(|until| until > now) {
            return None;
        }
        self.project_opens = gates.project_not_before(now).filter(|opens| *opens > now);
        if self.project_opens.is_some() {
            return None;
        }
        while let Some(class) = self.class_in_turn(free) {
            let taken = self.ring[class].take(&self.books[class]);
            let line = taken.expect("a class in turn has a line").line;
            match self.refusing(&line, now, gates) {
                Some(way) => {
                    self.call_back(&line, way);
                    // Sees to it that somebody looks again when the door opens.
                    self.let_on(way, class);
                    // Others behind the same connection may have the place that it gave up.
                    if let (Way::Lane(_), Some(connection)) = (way, connection_of(&line)) {
                        self.let_on(connection, class);
                    }
                }
                None => return Some(self.hand_over(line, free)),
            }
        }
        None
    }

    /// The next moment at which [`pick`](Self::pick) may find more than now.
    pub fn next_moment(&self) -> Option<DateTime<Utc>> {
        if self.probing {
            return None;
        }
        let first = self.timers.first().map(|(moment, _)| *moment);
        let opens = self.google.until.max(self.project_opens).filter(|opens| *opens > self.now);
        match opens {
            Some(opens) if self.ring.iter().any(|lines| !lines.is_empty()) => Some(opens),
            Some(opens) => first.map(|first| first.max(opens)),
            None => first,
        }
    }

    /// No job of `line` was there to run when it was its turn.
    pub fn found_nothing(&mut self, line: &Line) {
        for way in ways_of(line) {
            self.forget_idle(way);
        }
    }

    /// A job of `line` begins to run.
    pub fn begin(&mut self, line: &Line) -> Begun {
        let class = at(line.class);
        self.round = self.round.max(self.rounds[class]);
        self.books[class].enter(&line.owner);
        self.books[class].reach(line);
        self.charge(line, ESTIMATE);
        self.running += 1;
        for way in ways_of(line) {
            self.door(way).running += 1;
            self.at_work.insert(way);
        }
        let probe = self.google.until.is_some();
        self.probing |= probe;
        Begun { event: self.events, probe }
    }

    /// A job of `line` ended its run, which cost `units` of quota, and met something or not.
    pub fn end(
        &mut self,
        line: &Line,
        begun: Begun,
        units: u64,
        met: Met,
        now: DateTime<Utc>,
        random: &dyn Random,
    ) {
        self.wake(now);
        self.charge(line, units.saturating_sub(ESTIMATE));
        self.running -= 1;
        for way in ways_of(line) {
            let door = self.door(way);
            door.running -= 1;
            if door.running == 0 {
                self.at_work.remove(&way);
            }
        }
        if begun.probe {
            self.probing = false;
        }
        let own = Way::Lane(line.lane);
        match met {
            Met::Unknown => {}
            Met::Nothing => {
                let door = self.door(own);
                door.was_clean(begun.event);
                if !door.is_narrowed() {
                    self.narrowed.remove(&line.lane);
                }
                self.google.open(begun.event);
            }
            Met::Wall(Obstacle::Lane(until)) => {
                self.events += 1;
                let event = self.events;
                let door = self.door(own);
                door.narrow(event, now);
                let opens = door.shut.shut(until, event, now, random);
                if door.is_narrowed() {
                    self.narrowed.insert(line.lane);
                }
                self.timers.insert((opens, Timer::Door(own)));
            }
            Met::Wall(Obstacle::Google(_)) if begun.event < self.mended => {}
            Met::Wall(Obstacle::Google(until)) => {
                self.events += 1;
                self.google.shut(until, self.events, now, random);
            }
            Met::Wall(Obstacle::Connection(connection)) => self.park(connection, begun),
        }
        for way in ways_of(line) {
            self.let_on_all(way);
            self.forget_idle(way);
        }
        self.books[at(line.class)].leave(&line.owner);
    }

    /// Whether all of Google is taken to be out of reach.
    pub fn google_is_shut(&self) -> bool {
        self.google.until.is_some()
    }

    /// Somebody mended what may have stood before all of Google: it is tried at once. A run that goes
    /// on at present tells nothing of that.
    pub fn google_mended(&mut self) {
        self.google = Shut::default();
        self.events += 1;
        self.mended = self.events;
    }

    /// How many runs of the line's lane there may be at once, as far as is known.
    pub fn width(&self, line: &Line) -> usize {
        self.doors
            .get(&Way::Lane(line.lane))
            .map_or(door::first_of(self.caps.per_lane), Door::width)
    }

    /// How busy the workers are. Looks at what runs alone, however much waits.
    pub fn crew(&self) -> Crew {
        let (mut connection, mut calendar, mut widest) = (0, 0, 0);
        for way in &self.at_work {
            let Some(door) = self.doors.get(way) else { continue };
            match way {
                Way::Connection(_) => connection = door.running.max(connection),
                Way::Lane(Lane::Calendar { .. }) => {
                    calendar = door.running.max(calendar);
                    widest = door.width().max(widest);
                }
                Way::Lane(Lane::Grants | Lane::Reminders | Lane::Mail) => {}
            }
        }
        let Caps { workers, per_connection, per_lane } = self.caps;
        Crew {
            workers: Fill { limit: workers as u64, used: self.running },
            connection: Fill { limit: per_connection as u64, used: connection as u64 },
            calendar: Fill { limit: per_lane as u64, used: calendar as u64 },
            widest: widest as u64,
            narrowed: self.narrowed.len() as u64,
        }
    }

    fn park(&mut self, connection: ConnectionId, begun: Begun) {
        let door = self.door(Way::Connection(connection));
        // A connection that changed while the run went on may be mended by now: it waits for a
        // change only if none has come since the run looked.
        if door.changed <= begun.event {
            door.parked = true;
            self.parked.insert(connection);
        }
    }

    /// `line` and its owner and class were served.
    fn charge(&mut self, line: &Line, units: u64) {
        let class = at(line.class);
        self.rounds[class] += units * CLASSES[class].1;
        self.books[class].charge(line, units);
    }

    /// Looks again at whatever waited for a moment that has come.
    fn wake(&mut self, now: DateTime<Utc>) {
        // What a clock that was set back says of moments to come is worth nothing: all look anew.
        let anew = now < self.now;
        self.now = now;
        let mut doors = Vec::new();
        while let Some((moment, timer)) = self.timers.pop_first() {
            if moment > now && !anew {
                self.timers.insert((moment, timer));
                break;
            }
            match timer {
                Timer::Line(line) => {
                    self.books[at(line.class)].enter(&line.owner);
                    self.wait_before_lane(line);
                }
                Timer::Door(way @ Way::Lane(_)) => doors.push(way),
                Timer::Door(way @ Way::Connection(_)) => {
                    self.door(way).shut = Shut::default();
                    doors.push(way);
                }
            }
        }
        for way in doors {
            self.let_on_all(way);
            self.forget_idle(way);
        }
    }

    /// `line` goes to whoever asked for it; the next ones may go on.
    fn hand_over(&mut self, line: Line, free: usize) -> Pick {
        let class = at(line.class);
        self.places.remove(&line);
        self.books[class].leave(&line.owner);
        for way in ways_of(&line) {
            self.door(way).ahead[class] = None;
        }
        let most = self.most(&line, free);
        for way in ways_of(&line) {
            self.let_on(way, class);
        }
        Pick { line, most }
    }

    /// The class whose turn it is, of those that have a line and may have one of the `free` workers.
    fn class_in_turn(&self, free: usize) -> Option<usize> {
        let workers = self.caps.workers;
        let classes = CLASSES.into_iter().map(|(class, _)| class).filter(|class| {
            let kept = workers - door::usable(workers, *class);
            !self.ring[at(*class)].is_empty() && free > kept
        });
        classes.map(at).min_by_key(|class| self.rounds[*class])
    }

    /// How many jobs of `line` may run at once. While others wait they have their turns between.
    fn most(&mut self, line: &Line, free: usize) -> usize {
        let now = self.now;
        let alone = self.ring.iter().all(Waiting::is_empty)
            && ways_of(line).all(|way| self.door(way).nobody_waits());
        if !alone || self.google.until.is_some() {
            return 1;
        }
        let kept = self.caps.workers - door::usable(self.caps.workers, line.class);
        let rooms = ways_of(line).map(|way| self.door(way).room(line.class, now));
        rooms.min().unwrap_or(1).min(free - kept)
    }
}

fn at(class: Class) -> usize {
    match class {
        Class::Interactive => 0,
        Class::Normal => 1,
        Class::Bulk => 2,
    }
}

fn connection_of(line: &Line) -> Option<Way> {
    match line.lane {
        Lane::Calendar { connection, .. } => Some(Way::Connection(connection)),
        Lane::Grants | Lane::Reminders | Lane::Mail => None,
    }
}

/// The doors on the way of `line`, in their order.
fn ways_of(line: &Line) -> impl Iterator<Item = Way> + use<> {
    std::iter::once(Way::Lane(line.lane)).chain(connection_of(line))
}
