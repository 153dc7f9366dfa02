//! Lines that wait at one place, in the order of their owners' turns, and of their own inside that.

use std::collections::{BTreeMap, HashMap};

use super::books::Books;
use crate::model::job::Line;
use crate::model::owner::Owner;

/// A round, and the order of arrival in it.
type Place = (u64, u64);

/// Lines of one class that wait at one place.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    order: BTreeMap<Place, Owner>,
    owners: HashMap<Owner, Lines>,
    arrivals: u64,
}

/// A line that was taken, and where it had waited.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) line: Line,
    owner_place: Place,
    place: Place,
}

/// The lines of one owner.
#[derive(Debug, Default)]
struct Lines {
    place: Place,
    order: BTreeMap<Place, Line>,
    places: HashMap<Line, Place>,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// `line` waits from now on.
    pub(super) fn put(&mut self, line: Line, books: &Books) {
        self.arrivals += 1;
        let lines = self.owners.entry(line.owner.clone()).or_default();
        if lines.order.is_empty() {
            lines.place = (books.turn(&line.owner), self.arrivals);
            self.order.insert(lines.place, line.owner.clone());
        }
        let place = (books.turn_of_line(&line), self.arrivals);
        lines.order.insert(place, line.clone());
        lines.places.insert(line, place);
    }

    /// The round of the next turn here.
    pub(super) fn first(&mut self, books: &Books) -> Option<u64> {
        loop {
            let (place, owner) = self.order.first_key_value()?;
            let (place, owed) = (*place, books.owed(owner));
            if owed <= place.0 {
                return Some(place.0);
            }
            // Served elsewhere meanwhile, or more than was thought.
            let owner = self.order.remove(&place).expect("it was just seen");
            let lines = self.owners.get_mut(&owner).expect("an owner that waits has lines");
            lines.place = (owed, place.1);
            self.order.insert(lines.place, owner);
        }
    }

    /// Whether the turn of one that waits here comes before that of `ahead`, which was let go on: it may
    /// have been charged since, or be outrun by who has just come.
    pub(super) fn outruns(&mut self, ahead: &Line, books: &Books) -> bool {
        let Some(first) = self.first(books) else { return false };
        if first < books.owed(&ahead.owner) {
            return true;
        }
        let (_, owner) = self.order.first_key_value().expect("it was just seen");
        if *owner != ahead.owner {
            return false;
        }
        let lines = self.owners.get_mut(owner).expect("an owner that waits has lines");
        lines.fairest(books).1.0 < books.owed_by_line(ahead)
    }

    /// The line whose turn it is.
    pub(super) fn take(&mut self, books: &Books) -> Option<Ticket> {
        self.first(books)?;
        let (owner_place, owner) = self.order.first_key_value()?;
        let (owner_place, owner) = (*owner_place, owner.clone());
        let lines = self.owners.get_mut(&owner).expect("an owner that waits has lines");
        let (line, place) = lines.fairest(books);
        self.remove(&line);
        Some(Ticket { line, owner_place, place })
    }

    /// A line that was taken waits again, where it did before.
    pub(super) fn put_back(&mut self, ticket: Ticket) {
        let Ticket { line, owner_place, place } = ticket;
        let owner = line.owner.clone();
        let lines = self.owners.entry(owner.clone()).or_default();
        if lines.order.is_empty() || owner_place < lines.place {
            self.order.remove(&lines.place);
            lines.place = owner_place;
            self.order.insert(owner_place, owner);
        }
        lines.order.insert(place, line.clone());
        lines.places.insert(line, place);
    }

    /// Takes `line` away, if it waits here.
    pub(super) fn remove(&mut self, line: &Line) {
        let Some(lines) = self.owners.get_mut(&line.owner) else { return };
        if let Some(place) = lines.places.remove(line) {
            lines.order.remove(&place);
        }
        if lines.order.is_empty() {
            self.order.remove(&lines.place);
            self.owners.remove(&line.owner);
        }
    }
}

impl Lines {
    /// The line whose turn it is, and where it waits.
    fn fairest(&mut self, books: &Books) -> (Line, Place) {
        loop {
            let (place, line) =
                self.order.first_key_value().expect("an owner that waits has lines");
            let (place, line) = (*place, line.clone());
            let owed = books.owed_by_line(&line);
            if owed <= place.0 {
                return (line, place);
            }
            self.order.remove(&place);
            let place = (owed, place.1);
            self.order.insert(place, line.clone());
            self.places.insert(line, place);
        }
    }
}
