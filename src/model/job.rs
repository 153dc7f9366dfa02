//! Background work: what it is for, where it waits, and how a run of it ends.

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use super::id::{ConnectionId, EventId, ItemId, JobId};
use super::owner::Owner;
use super::sealed::Sealed;

/// A piece of background work, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its name; later ones are greater.
    pub id: JobId,
    /// What it is for.
    pub kind: Kind,
    /// Where it waits.
    pub line: Line,
    /// When it was first asked for.
    pub created: DateTime<Utc>,
    /// When it may run next.
    pub due: DateTime<Utc>,
    /// Attempts spent: runs that failed for a reason nobody could explain away.
    pub spent: u32,
    /// Runs in a row that came to nothing, whatever the reason: what the backoff grows with.
    pub tries: u32,
    /// When the first attempt was spent.
    pub failing_since: Option<DateTime<Utc>>,
    /// Where it stands.
    pub state: JobState,
    /// Why its last run came to nothing.
    pub cause: Option<Cause>,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// It waits for its moment, or runs.
    Live,
    /// Its work is done.
    Done {
        /// Since when.
        at: DateTime<Utc>,
    },
    /// It was given up, and keeps its cause: a dead letter.
    Dead {
        /// Since when.
        at: DateTime<Utc>,
    },
    /// A person took it back before it ran.
    Cancelled {
        /// Since when.
        at: DateTime<Utc>,
    },
}

/// What a job is for: a thing, not a change. There is at most one live job of each kind and thing.
/// A stored kind is never renamed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Makes Google's copy of the event agree with what is wanted.
    PushEvent {
        /// Which event.
        event: EventId,
    },
    /// Looks after a Meet link that Google still makes.
    FollowMeet {
        /// Which event.
        event: EventId,
    },
    /// Tells Google that a grant is over. The one kind here that carries what it needs, since the
    /// connection has already forgotten it.
    RevokeGrant {
        /// The connection that was taken away.
        connection: ConnectionId,
        /// The version the connection had then, which the token is sealed with.
        version: u32,
    },
    /// Tells a reminder's occurrence when it is due.
    FireReminder {
        /// Which reminder.
        reminder: ItemId,
    },
    /// Sends the mail of a delivery.
    SendMail {
        /// Which delivery.
        delivery: ItemId,
    },
}

impl Kind {
    /// The kind's name.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::PushEvent { .. } => "push_event",
            Self::FollowMeet { .. } => "follow_meet",
            Self::RevokeGrant { .. } => "revoke_grant",
            Self::FireReminder { .. } => "fire_reminder",
            Self::SendMail { .. } => "send_mail",
        }
    }

    /// The event it is about. At most one job of an event runs at a time, whatever its kind.
    pub fn event(&self) -> Option<EventId> {
        match self {
            Self::PushEvent { event } | Self::FollowMeet { event } => Some(*event),
            Self::RevokeGrant { .. } | Self::FireReminder { .. } | Self::SendMail { .. } => None,
        }
    }

    /// The reminder that it tells.
    pub fn reminder(&self) -> Option<ItemId> {
        match self {
            Self::FireReminder { reminder } => Some(*reminder),
            Self::PushEvent { .. }
            | Self::FollowMeet { .. }
            | Self::RevokeGrant { .. }
            | Self::SendMail { .. } => None,
        }
    }

    /// Every kind of work there is about an event.
    pub fn about(event: EventId) -> [Self; 2] {
        [Self::PushEvent { event }, Self::FollowMeet { event }]
    }
}

/// Work to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// Its name.
    pub id: JobId,
    /// What it is for.
    pub kind: Kind,
    /// Where it shall wait.
    pub line: Line,
    /// When it was asked for.
    pub created: DateTime<Utc>,
    /// When it may run first.
    pub due: DateTime<Utc>,
    /// What a delivery carries; none for level-triggered kinds.
    pub payload: Option<Sealed>,
}

/// What is paced and blocked together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// One calendar of one connection.
    Calendar {
        /// Whose calendar.
        connection: ConnectionId,
        /// Which: see [`Placement`](super::event::Placement).
        calendar: u64,
    },
    /// Word to Google about grants, which no calendar's trouble may hold up.
    Grants,
    /// Reminders that come due: nothing of Google's holds them up.
    Reminders,
    /// Mail, which waits for its server alone.
    Mail,
}

impl Lane {
    /// Whether what waits here calls Google. What does not is served by workers of its own, whom nothing
    /// that stands before Google holds up.
    pub fn leads_to_google(self) -> bool {
        match self {
            Self::Calendar { .. } | Self::Grants => true,
            Self::Reminders | Self::Mail => false,
        }
    }
}

/// How soon somebody looks for the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// A person, or a request, waits for it.
    Interactive,
    /// Nobody waits, but soon is better.
    Normal,
    /// Part of a mass.
    Bulk,
}

/// The waiting jobs of one class, one owner and one lane.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Line {
    /// How soon somebody looks for the result.
    pub class: Class,
    /// Whose jobs.
    pub owner: Owner,
    /// Where they lead.
    pub lane: Lane,
}

/// A job taken for a run, hidden from others until the lease ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The job as it was when taken.
    pub job: Job,
    /// What a delivery carries.
    pub payload: Option<Sealed>,
    /// Different at each claim of a job: only the newest may settle.
    pub fence: u64,
    /// When the lease ends.
    pub until: DateTime<Utc>,
}

/// Why something did not come about: a stable code and a sentence for people. Neither holds a
/// secret or anything personal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Stable, `snake_case`.
    pub code: Cow<'static, str>,
    /// What happened and what to do.
    pub text: Cow<'static, str>,
}

impl Cause {
    /// The cause `code`, told in `text`.
    pub fn new(code: impl Into<Cow<'static, str>>, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code: code.into(), text: text.into() }
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The thing is as wanted.
    Done,
    /// It failed, and nobody knows why it should not work next time: spends an attempt.
    Retry(Cause),
    /// Nobody's fault; spends none.
    Snooze(Until, Cause),
    /// An obstacle stands before more than this job, which stays ready and spends no attempt.
    Block(Obstacle, Cause),
    /// It will never work: a dead letter.
    GiveUp(Cause),
}

/// How long to snooze.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Until this moment.
    Moment(DateTime<Utc>),
    /// For as long as the backoff says: longer with every try that comes to nothing.
    Backoff,
}

/// What an obstacle shuts, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The job's own lane: Google asked for patience there.
    Lane(Until),
    /// Everything of one connection, until the connection changes.
    Connection(ConnectionId),
    /// All of Google: an outage, or a fault only the operator can mend. One run is let through when
    /// the time is over, to see whether it still stands.
    Google(Until),
}
