//! How lines get from door to door.

use chrono::{DateTime, Utc};

use super::{CLASSES, Caps, Dispatcher, Place, Timer, at, connection_of, ways_of};
use crate::model::job::Line;
use crate::queue::door::{Door, Way};
use crate::queue::gates::Gates;

impl Dispatcher {
    pub(super) fn wait_before_lane(&mut self, line: Line) {
        let (class, first) = (at(line.class), Way::Lane(line.lane));
        self.places.insert(line.clone(), Place::BeforeLane);
        let (books, widest) = (&self.books[class], self.caps.per_lane);
        let door = self.doors.entry(first).or_insert_with(|| Door::of_lane(widest));
        door.waiting[class].put(line, books);
        self.let_on(first, class);
    }

    pub(super) fn let_on_all(&mut self, way: Way) {
        for (class, _) in CLASSES {
            self.let_on(way, at(class));
        }
    }

    /// Lets the line of this class go on whose turn it is before this door, if any may.
    pub(super) fn let_on(&mut self, way: Way, class: usize) {
        let (books, now) = (&self.books[class], self.now);
        let Some(door) = self.doors.get_mut(&way) else { return };
        if door.waiting[class].is_empty() {
            return;
        }
        if door.room(CLASSES[class].0, now) == 0 {
            // Shut still, or again by a clock that was set back.
            let opens = door.shut.until.filter(|opens| *opens > now);
            self.timers.extend(opens.map(|opens| (opens, Timer::Door(way))));
            return;
        }
        if let Some(ahead) = &door.ahead[class] {
            if !door.waiting[class].outruns(&ahead.line, books) {
                return;
            }
            let line = ahead.line.clone();
            self.call_back(&line, way);
        }
        let books = &self.books[class];
        let door = self.doors.get_mut(&way).expect("it is there");
        let Some(ticket) = door.waiting[class].take(books) else { return };
        let line = ticket.line.clone();
        door.ahead[class] = Some(ticket);
        if let (Way::Lane(_), Some(connection)) = (way, connection_of(&line)) {
            self.places.insert(line.clone(), Place::BeforeConnection);
            let most = self.caps.per_connection;
            let door = self.doors.entry(connection).or_insert_with(|| Door::new(most));
            door.waiting[class].put(line, books);
            self.let_on(connection, class);
        } else {
            self.places.insert(line.clone(), Place::InRing);
            if self.ring[class].is_empty() {
                self.rounds[class] = self.rounds[class].max(self.round);
            }
            self.ring[class].put(line, books);
        }
    }

    /// Puts a line back before this door, which it had passed, in its old place.
    pub(super) fn call_back(&mut self, line: &Line, way: Way) {
        let class = at(line.class);
        self.ring[class].remove(line);
        if let (Way::Lane(_), Some(connection)) = (way, connection_of(line)) {
            let door = self.door(connection);
            door.waiting[class].remove(line);
            door.ahead[class].take_if(|ahead| ahead.line == *line);
        }
        let door = self.door(way);
        if let Some(ticket) = door.ahead[class].take() {
            door.waiting[class].put_back(ticket);
        }
        let place = match way {
            Way::Lane(_) => Place::BeforeLane,
            Way::Connection(_) => Place::BeforeConnection,
        };
        self.places.insert(line.clone(), place);
    }

    /// The door that does not let `line` through now, if one does not.
    pub(super) fn refusing(
        &mut self,
        line: &Line,
        now: DateTime<Utc>,
        gates: &dyn Gates,
    ) -> Option<Way> {
        let shut = ways_of(line).find(|way| self.door(*way).room(line.class, now) == 0);
        if let (None, Some(way @ Way::Connection(connection))) = (shut, connection_of(line))
            && let Some(opens) = gates.not_before(connection, now).filter(|opens| *opens > now)
        {
            self.door(way).shut.rest(opens);
            self.timers.insert((opens, Timer::Door(way)));
            return Some(way);
        }
        shut
    }

    pub(super) fn door(&mut self, way: Way) -> &mut Door {
        let Caps { per_connection, per_lane, .. } = self.caps;
        self.doors.entry(way).or_insert_with(|| match way {
            Way::Lane(_) => Door::of_lane(per_lane),
            Way::Connection(_) => Door::new(per_connection),
        })
    }

    pub(super) fn forget_idle(&mut self, way: Way) {
        if self.doors.get(&way).is_some_and(Door::is_idle) {
            self.doors.remove(&way);
        }
    }
}
