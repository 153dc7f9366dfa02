//! How an entry recurs, in the words of RFC 5545.

use std::collections::BTreeSet;

use super::timing::Original;

/// `RRULE`, `RDATE` and `EXDATE` lines, as Google takes them, and the instances that stand apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recurrence {
    lines: Vec<String>,
    exceptions: BTreeSet<Original>,
}

impl Recurrence {
    /// A recurrence that was read once and taken apart since.
    pub fn from_parts(lines: Vec<String>, exceptions: BTreeSet<Original>) -> Self {
        Self { lines, exceptions }
    }

    /// The lines.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// The instances that have an event of their own, moved, rewritten or cancelled.
    pub fn exceptions(&self) -> &BTreeSet<Original> {
        &self.exceptions
    }
}
