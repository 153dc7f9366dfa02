//! What opens the door: API keys of backends, and one-use or short-lived tickets of people.

use chrono::{DateTime, Utc};

use super::id::KeyId;
use super::invalid::Invalid;
use super::sealed::Sealed;

/// An API key, as stored: its secret half only as a keyed hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its public half.
    pub id: KeyId,
    /// What its maker calls it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Keeps the events of several backends apart; empty by default.
    pub source: String,
    /// Keyed hash of the secret half.
    pub secret: Digest,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// From when on it opens nothing.
    pub expires: Option<DateTime<Utc>>,
    /// When it was taken back.
    pub revoked: Option<DateTime<Utc>>,
}

/// A keyed hash.
pub type Digest = [u8; 32];

/// What a caller may do. What may write may read too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// See events and the jobs about them.
    EventsRead,
    /// Create, change and cancel events.
    EventsWrite,
    /// See tasks.
    TasksRead,
    /// Create, change and complete tasks.
    TasksWrite,
    /// See linked accounts.
    ConnectionsRead,
    /// Link accounts, choose their calendars, let go of them.
    ConnectionsAdmin,
    /// See how the bridge stands: its jobs, keys, audit and metrics.
    AdminRead,
    /// Everything.
    Admin,
}

impl Scope {
    /// Every scope there is.
    pub const ALL: [Self; 8] = [
        Self::EventsRead,
        Self::EventsWrite,
        Self::TasksRead,
        Self::TasksWrite,
        Self::ConnectionsRead,
        Self::ConnectionsAdmin,
        Self::AdminRead,
        Self::Admin,
    ];

    /// The scope's name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EventsRead => "events:read",
            Self::EventsWrite => "events:write",
            Self::TasksRead => "tasks:read",
            Self::TasksWrite => "tasks:write",
            Self::ConnectionsRead => "connections:read",
            Self::ConnectionsAdmin => "connections:admin",
            Self::AdminRead => "admin:read",
            Self::Admin => "admin",
        }
    }

    /// Whether who has this may do `wanted`.
    pub fn includes(self, wanted: Self) -> bool {
        self == wanted
            || match self {
                Self::Admin => true,
                Self::EventsWrite => wanted == Self::EventsRead,
                Self::TasksWrite => wanted == Self::TasksRead,
                Self::ConnectionsAdmin => wanted == Self::ConnectionsRead,
                Self::EventsRead | Self::TasksRead | Self::ConnectionsRead | Self::AdminRead => {
                    false
                }
            }
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.as_str())
    }
}

impl std::str::FromStr for Scope {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name).ok_or_else(|| {
            let names = Self::ALL.map(|scope| format!("`{scope}`")).join(", ");
            Invalid::new("scopes", format!("each one of {names}"))
        })
    }
}

/// Something a person's browser holds that opens one thing for a while. Known by a keyed hash of
/// what the browser holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// What it opens.
    pub kind: TicketKind,
    /// Keyed hash of what its holder shows.
    pub digest: Digest,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// From when on it is void.
    pub expires: DateTime<Utc>,
    /// What its maker needs to know again.
    pub payload: Option<Sealed>,
}

/// What a ticket opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TicketKind {
    /// An admin session, once.
    SetupCode,
    /// The setup page, again and again.
    Session,
    /// The end of one OAuth consent, once: `state`.
    Consent,
    /// The beginning of a consent by the user it was made for, once.
    Link,
    /// What came of such a consent, told once to the backend that asked for it.
    Receipt,
}

impl TicketKind {
    /// Every kind there is.
    pub const ALL: [Self; 5] =
        [Self::SetupCode, Self::Session, Self::Consent, Self::Link, Self::Receipt];

    /// The kind's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SetupCode => "setup_code",
            Self::Session => "session",
            Self::Consent => "consent",
            Self::Link => "link",
            Self::Receipt => "receipt",
        }
    }
}

impl std::str::FromStr for TicketKind {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == name)
            .ok_or_else(|| Invalid::new("ticket_kind", "the name of a kind of ticket"))
    }
}
