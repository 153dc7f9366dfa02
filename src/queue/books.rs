//! What the owners of one class were served, and inside that their lines.

use std::collections::HashMap;

use super::accounts::Accounts;
use crate::model::job::Line;
use crate::model::owner::Owner;

/// The accounts of one class. Who competes with nobody owes nobody a turn: the accounts of owners are
/// kept while the class has anything to do, and those of an owner's lines while that owner has.
#[derive(Debug, Default)]
pub(super) struct Books {
    owners: Accounts<Owner>,
    lines: HashMap<Owner, Lines>,
}

#[derive(Debug, Default)]
struct Lines {
    /// Lines that wait somewhere, and runs that go on.
    busy: usize,
    accounts: Accounts<Line>,
}

impl Books {
    /// A line of `owner` waits from now on, or a run of it begins.
    pub(super) fn enter(&mut self, owner: &Owner) {
        if let Some(lines) = self.lines.get_mut(owner) {
            lines.busy += 1;
        } else {
            let lines = Lines { busy: 1, ..Lines::default() };
            self.lines.insert(owner.clone(), lines);
        }
    }

    /// A line of `owner` waits no more, or a run of it is over.
    pub(super) fn leave(&mut self, owner: &Owner) {
        let lines = self.lines.get_mut(owner).expect("who leaves has entered");
        lines.busy -= 1;
        if lines.busy == 0 {
            self.lines.remove(owner);
        }
        if self.lines.is_empty() {
            self.owners.forget();
        }
    }

    /// The round in which a turn comes for `owner`, if it asks now.
    pub(super) fn turn(&self, owner: &Owner) -> u64 {
        self.owners.turn(owner)
    }

    /// The round by which the debt of `owner` is paid.
    pub(super) fn owed(&self, owner: &Owner) -> u64 {
        self.owners.owed(owner)
    }

    /// The round of its owner in which a turn comes for `line`, if it asks now.
    pub(super) fn turn_of_line(&self, line: &Line) -> u64 {
        self.lines.get(&line.owner).map_or(0, |lines| lines.accounts.turn(line))
    }

    /// The round of its owner by which the debt of `line` is paid.
    pub(super) fn owed_by_line(&self, line: &Line) -> u64 {
        self.lines.get(&line.owner).map_or(0, |lines| lines.accounts.owed(line))
    }

    /// It is the turn of `line`.
    pub(super) fn reach(&mut self, line: &Line) {
        self.owners.reach(self.owners.turn(&line.owner));
        if let Some(Lines { accounts, .. }) = self.lines.get_mut(&line.owner) {
            accounts.reach(accounts.turn(line));
        }
    }

    /// `line` was served `units`, and its owner with it.
    pub(super) fn charge(&mut self, line: &Line, units: u64) {
        self.owners.charge(&line.owner, units);
        if let Some(Lines { accounts, .. }) = self.lines.get_mut(&line.owner) {
            accounts.charge(line, units);
        }
    }
}
