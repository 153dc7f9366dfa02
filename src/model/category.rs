//! What several events and tasks have in common, and take from it where they say nothing.

use std::str::FromStr;

use super::event::{Alert, Color, Notify, Visibility};
use super::invalid::Invalid;

/// What several events and tasks have in common: personal, and therefore sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Category {
    /// What people call it.
    pub name: String,
    /// The colour of its events.
    pub color: Option<Color>,
    /// Google's id of the calendar that its events go to.
    pub calendar: Option<String>,
    /// Who may read its events.
    pub visibility: Option<Visibility>,
    /// When people are reminded of its events.
    pub alerts: Option<Vec<Alert>>,
    /// Who gets mail about its events.
    pub notify: Option<Notify>,
    /// Whether its events have a Meet link.
    pub meet: Option<bool>,
    /// What its tasks' events become when a task is done.
    pub completion: Option<Completion>,
}

/// What becomes of a task's event when the task is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Completion {
    /// It stays as it is.
    Keep,
    /// A ✓ stands before its title.
    #[default]
    Mark,
    /// It is taken out of the calendar.
    Remove,
}

impl Completion {
    /// Every choice there is.
    pub const ALL: [Self; 3] = [Self::Keep, Self::Mark, Self::Remove];

    /// The choice's name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Mark => "mark",
            Self::Remove => "remove",
        }
    }
}

impl FromStr for Completion {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        let chosen = Self::ALL.into_iter().find(|choice| choice.as_str() == name);
        chosen.ok_or_else(|| Invalid::new("completion", "`keep`, `mark` or `remove`"))
    }
}
