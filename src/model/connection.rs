//! A Google account linked to the bridge.

use std::str::FromStr;

use chrono::{DateTime, Utc};

use super::id::ConnectionId;
use super::invalid::Invalid;
use super::job::Cause;
use super::owner::Owner;
use super::sealed::Sealed;

/// A Google account linked by OAuth, or one that a service account acts for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Its name, kept through reconnects of the same account.
    pub id: ConnectionId,
    /// The application for the server's own connection, else the user who linked it.
    pub owner: Owner,
    /// Which Google account: a keyed hash of its `sub`, so that equal accounts can be told without
    /// opening anything.
    pub account: AccountTag,
    /// How the bridge came to speak for it.
    pub means: Means,
    /// What can be done with it.
    pub state: Health,
    /// Counts the changes of this record; part of what the sealed fields are bound to.
    pub version: u32,
    /// `sub`, e-mail address, default calendar and granted scopes.
    pub profile: Sealed,
    /// The refresh token; none once disconnected, and none where a service account acts.
    pub token: Option<Sealed>,
    /// When the account was last linked.
    pub linked: DateTime<Utc>,
}

/// A keyed hash of a Google account's `sub`.
pub type AccountTag = [u8; 16];

/// A keyed hash of an OAuth client's id.
pub type ClientTag = [u8; 16];

/// How the bridge came to speak for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Means {
    /// Its holder agreed. The grant counts for that OAuth client alone.
    Consent {
        /// Which client.
        client: ClientTag,
    },
    /// Its organisation lets a service account act for it. There is no token.
    Delegation,
}

/// Through whose account an event goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Its owner's own.
    Own,
    /// The server's.
    Server,
}

impl Whose {
    /// The choice's name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Server => "server",
        }
    }
}

impl FromStr for Whose {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        match name {
            "own" => Ok(Self::Own),
            "server" => Ok(Self::Server),
            _ => Err(Invalid::new("connection", "`own` or `server`")),
        }
    }
}

/// What can be done with a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Google honours its grant, as far as is known.
    Connected,
    /// Only a person can mend it, by connecting again.
    ReconnectNeeded(Cause),
    /// A person took it away.
    Disconnected,
}

impl Health {
    /// The word for one that works.
    pub const CONNECTED: &str = "connected";
    /// The word for one that a person must mend.
    pub const RECONNECT_NEEDED: &str = "reconnect_needed";
    /// The word for one that was taken away.
    pub const DISCONNECTED: &str = "disconnected";

    /// The word of the interfaces for it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Connected => Self::CONNECTED,
            Self::ReconnectNeeded(_) => Self::RECONNECT_NEEDED,
            Self::Disconnected => Self::DISCONNECTED,
        }
    }
}
