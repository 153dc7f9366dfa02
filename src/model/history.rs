//! What happened to an event: who asked for what, and what came of it. Nothing in it is personal.

use chrono::{DateTime, Utc};

use super::id::KeyId;
use super::job::Cause;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When, to the millisecond; the first time if it happened several times on end.
    pub at: DateTime<Utc>,
    /// What.
    pub what: What,
    /// The revision that it was about.
    pub revision: u32,
    /// Who asked for it; nobody for what the bridge did by itself.
    pub by: Option<By>,
    /// Why it came to nothing, or not to all that was wanted.
    pub cause: Option<Cause>,
    /// How often on end.
    pub times: u32,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It was taken in.
    Accepted,
    /// Something else was asked for.
    Changed,
    /// Somebody wanted it no more.
    Cancelled,
    /// Somebody wanted it again.
    Revived,
    /// It was written to Google.
    Written,
    /// It was taken out of the calendar.
    Withdrawn,
    /// It was found that a person took it out of the calendar.
    RemovedInGoogle,
    /// Its Meet link is there.
    MeetReady,
    /// It gets no Meet link.
    MeetFailed,
    /// A run came to nothing, and another follows.
    PutOff,
    /// There will be no other run.
    GivenUp,
}

/// Who asked for a revision of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A program, with this API key.
    Key(KeyId),
    /// The event's owner, one of the application's users.
    User,
    /// An administrator.
    Administrator,
    /// Whoever sits at the server itself.
    Console,
    /// The bridge itself.
    Bridge,
}

impl What {
    /// Everything that can happen.
    pub const ALL: [Self; 11] = [
        Self::Accepted,
        Self::Changed,
        Self::Cancelled,
        Self::Revived,
        Self::Written,
        Self::Withdrawn,
        Self::RemovedInGoogle,
        Self::MeetReady,
        Self::MeetFailed,
        Self::PutOff,
        Self::GivenUp,
    ];

    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Changed => "changed",
            Self::Cancelled => "cancelled",
            Self::Revived => "revived",
            Self::Written => "written",
            Self::Withdrawn => "withdrawn",
            Self::RemovedInGoogle => "removed_in_google",
            Self::MeetReady => "meet_ready",
            Self::MeetFailed => "meet_failed",
            Self::PutOff => "put_off",
            Self::GivenUp => "given_up",
        }
    }
}
