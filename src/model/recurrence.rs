//! How an entry recurs, in the words of RFC 5545.

/// `RRULE`, `RDATE` and `EXDATE` lines, as Google takes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recurrence {
    lines: Vec<String>,
}

impl Recurrence {
    /// Lines that were read once and taken apart since.
    pub fn from_lines(lines: Vec<String>) -> Self {
        Self { lines }
    }

    /// The lines.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }
}
