//! Who did what, written down in a chain that shows what was changed later.

use chrono::{DateTime, Utc};

use super::connection::{Connection, Health, Means};
use super::id::{ConnectionId, KeyId, digest_of};
use super::invalid::Invalid;
use super::key::{ApiKey, Digest};
use super::sealed::Sealed;

/// Something that was done, before it has its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// When.
    pub at: DateTime<Utc>,
    /// By whom.
    pub actor: Actor,
    /// What.
    pub action: Action,
    /// To what.
    pub subject: Option<Subject>,
    /// What the subject's row says from then on, as a digest.
    pub row: Option<Digest>,
    /// What is personal of it.
    pub detail: Option<Sealed>,
    /// Keyed hash of all the above, of the detail as it was before it was sealed: so a change shows
    /// that was made by whoever has the store but not the key, and a detail may be sealed anew.
    pub tag: Digest,
}

/// Who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// A program with this API key.
    Key(KeyId),
    /// A user of the calling application, by a keyed hash of its id, which is in the sealed detail.
    User(Digest),
    /// An administrator at the pages.
    Administrator,
    /// Whoever may run programs as the daemon's own user.
    Console,
    /// The bridge itself.
    Bridge,
    /// Whoever put the whole store back from an export.
    Import,
}

/// To what it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// An API key.
    Key(KeyId),
    /// A connection.
    Connection(ConnectionId),
}

/// What was done. The names are kept for ever: other programs read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The chain begins.
    AuditBegun,
    /// A row was there before the chain, or was taken as it is by an administrator.
    RowAdopted,
    /// What was found wrong was taken note of, and the head file written anew.
    AuditAccepted,
    /// The chain was written to a file.
    AuditExported,
    /// An API key was made.
    ApiKeyCreated,
    /// An API key was taken back.
    ApiKeyRevoked,
    /// A setup code was made; earlier ones are void.
    SetupCodeCreated,
    /// The administrator's password was set.
    PasswordSet,
    /// An administrator's session was opened.
    SessionOpened,
    /// An administrator's session was ended.
    SessionClosed,
    /// A code or password did not open a session.
    SessionRefused,
    /// A link was made by which a user connects an account.
    LinkCreated,
    /// Such a link was used.
    LinkUsed,
    /// An account was linked.
    ConnectionLinked,
    /// An account was linked anew.
    ConnectionReconnected,
    /// An account was let go.
    ConnectionDisconnected,
    /// A connection's default calendar was chosen.
    ConnectionCalendarChosen,
    /// Google no longer honours a connection's grant.
    ConnectionNeedsReconnect,
    /// A connection works again without anybody's doing.
    ConnectionRecovered,
    /// The OAuth client was exchanged.
    ClientRotated,
    /// The vault has a new master key.
    VaultRotated,
    /// Everything was sealed anew under the master key.
    VaultRewrapped,
    /// Master keys were retired.
    VaultRetired,
    /// The store was written to a file.
    ExportMade,
    /// Writes are refused from now on.
    WritesFrozen,
    /// Writes are taken again.
    WritesThawed,
    /// Everything that opens a door was voided at once.
    EverythingRevoked,
    /// Every secret was exchanged at once.
    EverythingRotated,
}

impl Action {
    /// Every action there is.
    pub const ALL: [Self; 28] = [
        Self::AuditBegun,
        Self::RowAdopted,
        Self::AuditAccepted,
        Self::AuditExported,
        Self::ApiKeyCreated,
        Self::ApiKeyRevoked,
        Self::SetupCodeCreated,
        Self::PasswordSet,
        Self::SessionOpened,
        Self::SessionClosed,
        Self::SessionRefused,
        Self::LinkCreated,
        Self::LinkUsed,
        Self::ConnectionLinked,
        Self::ConnectionReconnected,
        Self::ConnectionDisconnected,
        Self::ConnectionCalendarChosen,
        Self::ConnectionNeedsReconnect,
        Self::ConnectionRecovered,
        Self::ClientRotated,
        Self::VaultRotated,
        Self::VaultRewrapped,
        Self::VaultRetired,
        Self::ExportMade,
        Self::WritesFrozen,
        Self::WritesThawed,
        Self::EverythingRevoked,
        Self::EverythingRotated,
    ];

    /// The action's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AuditBegun => "audit.begun",
            Self::RowAdopted => "audit.row_adopted",
            Self::AuditAccepted => "audit.accepted",
            Self::AuditExported => "audit.exported",
            Self::ApiKeyCreated => "api_key.created",
            Self::ApiKeyRevoked => "api_key.revoked",
            Self::SetupCodeCreated => "setup_code.created",
            Self::PasswordSet => "password.set",
            Self::SessionOpened => "session.opened",
            Self::SessionClosed => "session.closed",
            Self::SessionRefused => "session.refused",
            Self::LinkCreated => "link.created",
            Self::LinkUsed => "link.used",
            Self::ConnectionLinked => "connection.linked",
            Self::ConnectionReconnected => "connection.reconnected",
            Self::ConnectionDisconnected => "connection.disconnected",
            Self::ConnectionCalendarChosen => "connection.calendar_chosen",
            Self::ConnectionNeedsReconnect => "connection.needs_reconnect",
            Self::ConnectionRecovered => "connection.recovered",
            Self::ClientRotated => "client.rotated",
            Self::VaultRotated => "vault.rotated",
            Self::VaultRewrapped => "vault.rewrapped",
            Self::VaultRetired => "vault.retired",
            Self::ExportMade => "export.made",
            Self::WritesFrozen => "writes.frozen",
            Self::WritesThawed => "writes.thawed",
            Self::EverythingRevoked => "everything.revoked",
            Self::EverythingRotated => "everything.rotated",
        }
    }
}

impl std::str::FromStr for Action {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|action| action.as_str() == name).ok_or_else(|| {
            Invalid::new("action", "the name of an action, such as `api_key.created`")
        })
    }
}

impl Actor {
    /// The kind of actor, and which of the kind.
    pub fn to_parts(self) -> (&'static str, Option<Digest>) {
        match self {
            Self::Key(id) => {
                let mut which = [0; 32];
                which[16..].copy_from_slice(&id.as_u128().to_be_bytes());
                ("key", Some(which))
            }
            Self::User(tag) => ("user", Some(tag)),
            Self::Administrator => ("administrator", None),
            Self::Console => ("console", None),
            Self::Bridge => ("bridge", None),
            Self::Import => ("import", None),
        }
    }

    /// The actor that was taken apart; none if there is none of this kind.
    pub fn from_parts(kind: &str, which: Option<Digest>) -> Option<Self> {
        match (kind, which) {
            ("key", Some(which)) => {
                let id = which.last_chunk().expect("a digest has 32 bytes");
                Some(Self::Key(KeyId::from_u128(u128::from_be_bytes(*id))))
            }
            ("user", Some(tag)) => Some(Self::User(tag)),
            ("administrator", None) => Some(Self::Administrator),
            ("console", None) => Some(Self::Console),
            ("bridge", None) => Some(Self::Bridge),
            ("import", None) => Some(Self::Import),
            _ => None,
        }
    }
}

impl Subject {
    /// The kind of subject, and its number.
    pub fn to_parts(self) -> (&'static str, u128) {
        match self {
            Self::Key(id) => ("api_key", id.as_u128()),
            Self::Connection(id) => ("connection", id.as_u128()),
        }
    }

    /// The subject that was taken apart; none if there is none of this kind.
    pub fn from_parts(kind: &str, id: u128) -> Option<Self> {
        match kind {
            "api_key" => Some(Self::Key(KeyId::from_u128(id))),
            "connection" => Some(Self::Connection(ConnectionId::from_u128(id))),
            _ => None,
        }
    }
}

impl Act {
    /// All that the tag and the chain cover, besides the detail and the tag itself.
    pub fn covered(&self) -> Digest {
        let Self { at, actor, action, subject, row, detail: _, tag: _ } = self;
        let (actor, which) = actor.to_parts();
        let (subject, id) = subject.map_or(("", 0), Subject::to_parts);
        digest_of(&[
            &moment(*at),
            actor.as_bytes(),
            which.as_ref().map_or(&[], <[u8; 32]>::as_slice),
            action.as_str().as_bytes(),
            subject.as_bytes(),
            &id.to_be_bytes(),
            row.as_ref().map_or(&[], <[u8; 32]>::as_slice),
        ])
    }
}

/// An act in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number; the first has 1, and none is left out.
    pub seq: u64,
    /// What was done.
    pub act: Act,
    /// The digest of the entry before it; zeros before the first.
    pub previous: Digest,
    /// SHA-256 over its number, what was done and `previous`.
    pub digest: Digest,
}

impl Entry {
    /// The act as the entry after `head`.
    pub fn after(head: &Head, act: Act) -> Self {
        let mut entry = Self { seq: head.seq + 1, act, previous: head.digest, digest: [0; 32] };
        entry.digest = entry.computed();
        entry
    }

    /// What its digest must be.
    pub fn computed(&self) -> Digest {
        let Self { seq, act, previous, digest: _ } = self;
        digest_of(&[&seq.to_be_bytes(), previous, &act.covered(), &act.tag])
    }
}

/// The end of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The last entry's number; 0 if there is none.
    pub seq: u64,
    /// The last entry's digest; zeros if there is none.
    pub digest: Digest,
    /// Whether writes are refused.
    pub freeze: Freeze,
}

/// Whether writes are refused, and which entry says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freeze {
    /// Whether they are.
    pub on: bool,
    /// The last entry that froze or thawed; 0 if none did.
    pub seq: u64,
}

impl Head {
    /// The end of a chain without entries.
    pub const START: Self = Self { seq: 0, digest: [0; 32], freeze: Freeze { on: false, seq: 0 } };

    /// The end of the chain that has this entry too. Entries may come in any order.
    #[must_use]
    pub fn with(mut self, entry: &Entry) -> Self {
        if entry.seq > self.seq {
            self.seq = entry.seq;
            self.digest = entry.digest;
        }
        let on = match entry.act.action {
            Action::WritesFrozen => true,
            Action::WritesThawed => false,
            _ => return self,
        };
        if entry.seq > self.freeze.seq {
            self.freeze = Freeze { on, seq: entry.seq };
        }
        self
    }
}

impl ApiKey {
    /// What the chain remembers of the key's row.
    pub fn digest(&self) -> Digest {
        let Self { id, name, scopes, source, secret, created, expires, revoked } = self;
        let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
        digest_of(&[
            b"api_key",
            &id.as_u128().to_be_bytes(),
            name.as_bytes(),
            scopes.join(" ").as_bytes(),
            source.as_bytes(),
            secret,
            &moment(*created),
            &expires.map(moment).unwrap_or_default(),
            &revoked.map(moment).unwrap_or_default(),
        ])
    }
}

impl Connection {
    /// What the chain remembers of the connection's row. What is sealed is not part of it, so that it
    /// may be sealed anew: it opens in a row of this id and version only.
    pub fn digest(&self) -> Digest {
        let Self { id, owner, account, means, state, version, profile: _, token, linked } = self;
        let cause = match state {
            Health::ReconnectNeeded(cause) => Some(cause),
            Health::Connected | Health::Disconnected => None,
        };
        let client = match means {
            Means::Consent { client } => client.as_slice(),
            Means::Delegation => &[],
        };
        digest_of(&[
            b"connection",
            &id.as_u128().to_be_bytes(),
            &owner.to_bytes(),
            account,
            client,
            state.as_str().as_bytes(),
            cause.map_or(b"", |cause| cause.code.as_bytes()),
            cause.map_or(b"", |cause| cause.text.as_bytes()),
            &version.to_be_bytes(),
            &[u8::from(token.is_some())],
            &moment(*linked),
        ])
    }
}

/// A moment, to the last digit.
fn moment(at: DateTime<Utc>) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&at.timestamp().to_be_bytes());
    bytes[8..].copy_from_slice(&at.timestamp_subsec_nanos().to_be_bytes());
    bytes
}
