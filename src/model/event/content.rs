//! What a calendar entry says.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::super::id::{EventId, ItemId};
use super::super::invalid::Invalid;
use super::super::recurrence::Recurrence;
use super::super::timing::Timing;
use super::choices::{AlertBy, Color, Notify, Transparency, Visibility};

/// What an entry says: personal, and therefore sealed wherever it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Google's id of the calendar it lives in.
    pub calendar: String,
    /// Its title.
    pub summary: String,
    /// Its notes, as Google shows them; empty for none.
    pub description: String,
    /// Where it takes place; empty for nowhere in particular.
    pub location: String,
    /// When it is, or, if it recurs, when it is first.
    pub timing: Timing,
    /// How it recurs.
    pub recurrence: Option<Recurrence>,
    /// Who is invited.
    pub guests: Vec<Guest>,
    /// Its colour; none for the calendar's.
    pub color: Option<Color>,
    /// Who may read it.
    pub visibility: Visibility,
    /// Whether it takes time.
    pub transparency: Transparency,
    /// When its owner is reminded of it; none for the calendar's own habit.
    pub alerts: Option<Vec<Alert>>,
    /// Where people meet online.
    pub meeting: Meeting,
    /// Who gets mail about it from Google.
    pub notify: Notify,
    /// What it is filed under.
    pub category: Option<ItemId>,
    /// Its name in the calling application's words.
    pub external_id: Option<String>,
    /// The series that it goes on from.
    pub follows: Option<EventId>,
    /// What Google's copy may still have of it, and shall have no longer.
    pub leaving: Leaving,
}

/// Somebody who is invited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// The address that the invitation goes to.
    pub email: String,
    /// Whether it can take place without them.
    pub optional: bool,
}

/// A word before an entry begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alert {
    by: AlertBy,
    minutes: u32,
}

/// Where people meet online.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Meeting {
    /// Nowhere.
    #[default]
    None,
    /// In a meeting that Google makes.
    Meet,
    /// Where the caller says.
    Own {
        /// The address to join at.
        uri: String,
        /// What the address is called; empty for nothing in particular.
        label: String,
    },
}

/// What earlier revisions may have put into Google's copy and the present one does not want there. All
/// else that a copy has beside the content was put there by people, and stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leaving {
    /// Addresses of guests, in lower case.
    pub guests: BTreeSet<String>,
    /// What is said no more.
    pub parts: BTreeSet<Part>,
}

/// What an entry may say or not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Its notes.
    Description,
    /// Where it takes place.
    Location,
    /// How it recurs.
    Recurrence,
    /// Its colour.
    Color,
    /// Who may read it.
    Visibility,
    /// Whether it takes time.
    Transparency,
    /// When its owner is reminded of it.
    Alerts,
    /// Where people meet online.
    Meeting,
}

impl Guest {
    /// Somebody without whom it cannot take place.
    pub fn new(email: impl Into<String>) -> Self {
        Self { email: email.into(), optional: false }
    }

    /// What the guest is told from others by: upper and lower case are one.
    pub fn key(&self) -> String {
        self.email.to_lowercase()
    }
}

impl Alert {
    /// Google takes no more of them for an entry.
    pub const MOST: usize = 5;
    /// Google takes none earlier than four weeks before.
    pub const MOST_MINUTES: u32 = 40_320;

    /// A word so many minutes before the entry begins.
    pub fn new(by: AlertBy, minutes: u32) -> Result<Self, Invalid> {
        if minutes > Self::MOST_MINUTES {
            return Err(Invalid::new("minutes", "0 to 40,320, which is four weeks"));
        }
        Ok(Self { by, minutes })
    }

    /// How the word comes.
    pub fn by(self) -> AlertBy {
        self.by
    }

    /// How many minutes before the beginning.
    pub fn minutes(self) -> u32 {
        self.minutes
    }
}

impl Part {
    /// Every part there is.
    pub const ALL: [Self; 8] = [
        Self::Description,
        Self::Location,
        Self::Recurrence,
        Self::Color,
        Self::Visibility,
        Self::Transparency,
        Self::Alerts,
        Self::Meeting,
    ];
}

impl Content {
    /// What is in `calendar`, is called `summary`, is `timing`, and says nothing else.
    pub fn new(calendar: impl Into<String>, summary: impl Into<String>, timing: Timing) -> Self {
        Self {
            calendar: calendar.into(),
            summary: summary.into(),
            description: String::new(),
            location: String::new(),
            timing,
            recurrence: None,
            guests: Vec::new(),
            color: None,
            visibility: Visibility::default(),
            transparency: Transparency::default(),
            alerts: None,
            meeting: Meeting::None,
            notify: Notify::None,
            category: None,
            external_id: None,
            follows: None,
            leaving: Leaving::default(),
        }
    }

    /// When it is over for good. What has no end goes on until the last year that can be written.
    pub fn over(&self) -> DateTime<Utc> {
        match &self.recurrence {
            None => self.timing.over(),
            Some(rule) => rule.over(&self.timing).ok().flatten().unwrap_or(END_OF_TIME),
        }
    }

    /// Whether the same is wanted as in `other`, whatever Google's copies still have.
    pub fn wants_the_same(&self, other: &Self) -> bool {
        let plain = |content: &Self| Self { leaving: Leaving::default(), ..content.clone() };
        plain(self) == plain(other)
    }

    /// This content as the one that follows `before`, which Google's copy says by now if it is
    /// `settled`; if not, what `before` had yet to take out of the copy is still to go.
    #[must_use]
    pub fn following(self, before: &Self, settled: bool) -> Self {
        let mut leaving = if settled { Leaving::default() } else { before.leaving.clone() };
        leaving.guests.extend(before.guests.iter().map(Guest::key));
        leaving.parts.extend(Part::ALL.into_iter().filter(|part| before.says(*part)));
        if before.has_own_meeting() && !self.has_own_meeting() {
            // Where Google took no conference, its address was written there.
            leaving.parts.extend([Part::Location, Part::Description]);
        }
        for guest in &self.guests {
            leaving.guests.remove(&guest.key());
        }
        leaving.parts.retain(|part| !self.says(*part));
        Self { leaving, ..self }
    }

    fn has_own_meeting(&self) -> bool {
        matches!(self.meeting, Meeting::Own { .. })
    }

    fn says(&self, part: Part) -> bool {
        match part {
            Part::Description => !self.description.is_empty(),
            Part::Location => !self.location.is_empty(),
            Part::Recurrence => self.recurrence.is_some(),
            Part::Color => self.color.is_some(),
            Part::Visibility => self.visibility != Visibility::Default,
            Part::Transparency => self.transparency != Transparency::Opaque,
            Part::Alerts => self.alerts.is_some(),
            Part::Meeting => self.meeting != Meeting::None,
        }
    }
}

/// The end of the last year that can be written.
const END_OF_TIME: DateTime<Utc> = chrono::NaiveDate::from_ymd_opt(2100, 1, 1)
    .expect("a day")
    .and_time(chrono::NaiveTime::MIN)
    .and_utc();
