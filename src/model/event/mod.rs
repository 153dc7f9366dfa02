//! One calendar entry: what is wanted, and what is known of Google's copy.

mod choices;
mod content;

use std::fmt;

use chrono::{DateTime, Utc};

use super::history::By;
use super::id::{ConnectionId, EventId, GoogleId, ItemId, JobId};
use super::job::{Cause, Lane};
use super::owner::Owner;
use super::sealed::Sealed;
use super::timing::Original;

pub use choices::{AlertBy, Color, Notify, Transparency, Visibility};
pub use content::{Alert, Content, Guest, Leaving, Meeting, Part};

/// Our record of one calendar entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its name, as callers know it.
    pub id: EventId,
    /// Whose it is.
    pub owner: Owner,
    /// Where it lives at Google; later changes of defaults do not move it.
    pub placement: Placement,
    /// When it was accepted.
    pub created: DateTime<Utc>,
    /// What it was made for.
    pub source: Source,
    /// Which occurrence of a series it stands for, if it is not an entry of its own.
    pub instance: Option<Instance>,
    /// The newest job that writes it.
    pub job: JobId,
    /// What its owner asks for.
    pub wanted: Wanted,
    /// What is known of Google's copy.
    pub known: Known,
}

/// What an event was made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// A caller asked for it.
    #[default]
    Api,
    /// It shows a task.
    Task(ItemId),
    /// It carries a reminder.
    Reminder(ItemId),
}

/// One occurrence of a series, which differs from the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The series.
    pub series: EventId,
    /// When the series has it: its name for good, wherever it was moved to.
    pub original: Original,
}

/// An event's id at Google, as calls name it: an instance is known by its series' id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GoogleName {
    id: GoogleId,
    original: Option<Original>,
}

impl GoogleName {
    /// The event of this id, or the instance of the series of this id.
    pub fn new(id: GoogleId, instance: Option<Instance>) -> Self {
        Self { id, original: instance.map(|instance| instance.original) }
    }
}

impl From<GoogleId> for GoogleName {
    fn from(id: GoogleId) -> Self {
        Self::new(id, None)
    }
}

impl fmt::Display for GoogleName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.original {
            Some(original) => write!(out, "{}_{original}", self.id),
            None => write!(out, "{}", self.id),
        }
    }
}

/// Where an event lives at Google.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Whose calendar.
    pub connection: ConnectionId,
    /// Which of its calendars: a keyed hash of Google's calendar id, which may be an e-mail address
    /// and stands, sealed, in the event's content.
    pub calendar: u64,
}

/// What an event's owner asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// 1 at the start, one more with each change.
    pub revision: u32,
    /// Whether the event shall be there at all.
    pub presence: Presence,
    /// Short proof of what the content says: what the stamp in Google's copy is compared with.
    pub fingerprint: Fingerprint,
    /// All that it says.
    pub content: Sealed,
    /// When it was asked for.
    pub since: DateTime<Utc>,
    /// Who asked for it.
    pub by: By,
    /// When the entry begins: plain, so that it can be found by its time.
    pub starts: DateTime<Utc>,
    /// When the entry is over: plain, so that what is long past can be forgotten.
    pub over: DateTime<Utc>,
    /// What it is filed under.
    pub category: Option<ItemId>,
}

/// Whether an event shall be in the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It shall be there.
    Present,
    /// It was cancelled.
    Absent,
}

/// The first 128 bits of a keyed hash of a content.
pub type Fingerprint = [u8; 16];

/// What is known of Google's copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its id at Google, stored before the first call that names it; of an instance, its series'.
    pub google_id: GoogleId,
    /// How many foreign events stood in the way of that id.
    pub generation: u32,
    /// The newest revision that Google has; 0 if none yet.
    pub applied: u32,
    /// Where the copy stands.
    pub copy: Copied,
    /// Where its Meet link stands.
    pub meet: Meet,
    /// Counts what was learned; the sealed links are bound to it.
    pub version: u32,
    /// Google's links to the event and the meeting.
    pub links: Option<Sealed>,
}

/// Where Google's copy stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Copied {
    /// Not seen at Google yet.
    Awaited,
    /// In the calendar.
    Present,
    /// Taken out at Google by somebody, or never ours to begin with.
    RemovedInGoogle,
    /// Taken out because its owner cancelled it.
    Cancelled,
    /// Google's final no.
    Refused(Cause),
}

/// Where a Meet link stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meet {
    /// None is wanted.
    Unwanted,
    /// Asked for this many times, not there yet; `since` the first request that Google took.
    Pending {
        /// How many conferences were asked for so far, which goes into Google's `requestId`.
        tries: u32,
        /// When the present request was sent.
        since: Option<DateTime<Utc>>,
    },
    /// There is a link.
    Ready,
    /// There will be none.
    Failed(Cause),
}

impl Event {
    /// What its calls to Google are paced and blocked with.
    pub fn lane(&self) -> Lane {
        Lane::Calendar { connection: self.placement.connection, calendar: self.placement.calendar }
    }

    /// Whether Google's copy says what is wanted: nothing of earlier revisions is left in it.
    pub fn is_written(&self) -> bool {
        self.known.applied == self.wanted.revision
            && self.wanted.presence == Presence::Present
            && self.known.copy == Copied::Present
    }

    /// Its id at Google, as far as it is known which.
    pub fn google_name(&self) -> GoogleName {
        GoogleName::new(self.known.google_id, self.instance)
    }

    /// Whether the newest wanted revision has come to rest: in Google with its link settled, gone,
    /// or finally refused.
    pub fn is_settled(&self) -> bool {
        let applied = self.known.applied == self.wanted.revision;
        match &self.known.copy {
            Copied::Awaited => false,
            Copied::Present => applied && !matches!(self.known.meet, Meet::Pending { .. }),
            Copied::RemovedInGoogle | Copied::Cancelled | Copied::Refused(_) => applied,
        }
    }
}
