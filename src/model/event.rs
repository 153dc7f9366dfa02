//! One calendar entry: what is wanted, and what is known of Google's copy.

use chrono::{DateTime, Utc};

use super::id::{ConnectionId, EventId, GoogleId, JobId};
use super::invalid::Invalid;
use super::job::{Cause, Lane};
use super::owner::Owner;
use super::sealed::Sealed;
use super::when::Span;

/// What an entry says: personal, and therefore sealed wherever it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Google's id of the calendar it lives in.
    pub calendar: String,
    /// Its title.
    pub summary: String,
    /// Its notes, as Google shows them; empty for none.
    pub description: String,
    /// From when to when.
    pub span: Span,
    /// Who is invited, by e-mail address.
    pub guests: Vec<String>,
    /// Whether it shall have a Meet link.
    pub meet: bool,
    /// Who gets mail about it from Google.
    pub notify: Notify,
}

/// Who gets mail from Google about a change: its `sendUpdates`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notify {
    /// Nobody.
    None,
    /// Guests whose calendar is not Google's.
    External,
    /// Every guest.
    All,
}

impl Notify {
    /// Every choice there is.
    pub const ALL: [Self; 3] = [Self::None, Self::External, Self::All];

    /// The choice's name on the wire and in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::External => "external",
            Self::All => "all",
        }
    }
}

impl std::str::FromStr for Notify {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|notify| notify.as_str() == name)
            .ok_or_else(|| Invalid::new("notify", "`none`, `external` or `all`"))
    }
}

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
    /// The newest job that writes it.
    pub job: JobId,
    /// What its owner asks for.
    pub wanted: Wanted,
    /// What is known of Google's copy.
    pub known: Known,
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
    /// Title, notes, guests, times and calendar.
    pub content: Sealed,
    /// When it was asked for.
    pub since: DateTime<Utc>,
    /// When the entry is over: plain, so that what is long past can be forgotten.
    pub over: DateTime<Utc>,
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
    /// Its id at Google, stored before the first call that names it.
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
