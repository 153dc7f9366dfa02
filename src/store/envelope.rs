//! What is sealed, wherever it lies: walked through when a key is exchanged.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use data_encoding::HEXLOWER;

use super::{Keystone, StoreError};
use crate::model::id::{ConnectionId, EventId, ItemId, JobId};
use crate::model::invalid::Invalid;
use crate::model::job::Kind;
use crate::model::key::{Digest, TicketKind};
use crate::model::owner::Owner;
use crate::model::sealed::Sealed;

/// Where an envelope lies. Their order is the one in which a store tells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Spot {
    /// Who a connection is.
    Profile(ConnectionId),
    /// A connection's refresh token.
    Token(ConnectionId),
    /// What a ticket's maker needs to know again.
    Ticket(TicketKind, Digest),
    /// What an event says.
    Content(EventId),
    /// Google's links to an event.
    Links(EventId),
    /// What a job carries.
    Payload(JobId),
    /// What is personal of the act of this number.
    Detail(u64),
    /// What an item says.
    Item(ItemId),
}

/// An envelope, and what it is bound to besides its spot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Where it lies.
    pub spot: Spot,
    /// What else it is bound to.
    pub bound: Bound,
    /// The envelope itself.
    pub sealed: Sealed,
}

/// What an envelope is bound to that its spot does not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Whose record, and which version of it.
    Record(Owner, u32),
    /// Whose work, and what for.
    Work(Owner, Kind),
    /// The tag of an act.
    Act(Digest),
    /// Nothing.
    Spot,
}

/// An envelope to be put in place of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reseal {
    /// Where.
    pub spot: Spot,
    /// What lay there when it was read.
    pub was: Sealed,
    /// What shall lie there now.
    pub now: Sealed,
}

/// Every envelope there is but the keystone's, which has its own way.
#[async_trait]
pub trait EnvelopeStore {
    /// The first `most` envelopes whose spots come behind `after`, in the order of their spots.
    async fn envelopes(
        &self,
        after: Option<Spot>,
        most: usize,
    ) -> Result<Vec<Envelope>, StoreError>;

    /// Puts envelopes in place of others, each only where the other still lies, all of them in one
    /// step. Returns how many. Nobody is told: what the records say is the same.
    async fn reseal(&self, reseals: Vec<Reseal>) -> Result<usize, StoreError>;

    /// Replaces what opens the vault, if it is still `was`.
    async fn relay_keystone(&self, was: &Keystone, now: Keystone) -> Result<bool, StoreError>;
}

/// Spots of one kind, which a store finds in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shelf {
    Profiles,
    Tokens,
    Tickets,
    Contents,
    Links,
    Payloads,
    Details,
    Items,
}

impl Shelf {
    /// Every shelf, in the order of their spots.
    pub(super) const ALL: [Self; 8] = [
        Self::Profiles,
        Self::Tokens,
        Self::Tickets,
        Self::Contents,
        Self::Links,
        Self::Payloads,
        Self::Details,
        Self::Items,
    ];

    /// The shelves that are not read through, and where on each to go on.
    pub(super) fn behind(after: Option<Spot>) -> impl Iterator<Item = (Self, Option<Spot>)> {
        let first = after.map_or(Self::Profiles, Spot::shelf);
        let rest = Self::ALL.into_iter().filter(move |shelf| *shelf >= first);
        rest.map(move |shelf| (shelf, after.filter(|_| shelf == first)))
    }
}

impl Spot {
    /// Where to look for it.
    pub(super) fn shelf(self) -> Shelf {
        match self {
            Self::Profile(_) => Shelf::Profiles,
            Self::Token(_) => Shelf::Tokens,
            Self::Ticket(..) => Shelf::Tickets,
            Self::Content(_) => Shelf::Contents,
            Self::Links(_) => Shelf::Links,
            Self::Payload(_) => Shelf::Payloads,
            Self::Detail(_) => Shelf::Details,
            Self::Item(_) => Shelf::Items,
        }
    }
}

impl fmt::Display for Spot {
    /// A word for logs and cursors: which field of what.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Profile(id) => write!(out, "profile-{id}"),
            Self::Token(id) => write!(out, "token-{id}"),
            Self::Ticket(kind, digest) => {
                write!(out, "{}-{}", kind.as_str(), HEXLOWER.encode(digest))
            }
            Self::Content(id) => write!(out, "content-{id}"),
            Self::Links(id) => write!(out, "links-{id}"),
            Self::Payload(id) => write!(out, "payload-{id}"),
            Self::Detail(seq) => write!(out, "audit-{seq}"),
            Self::Item(id) => write!(out, "item-{id}"),
        }
    }
}

impl FromStr for Spot {
    type Err = Invalid;

    fn from_str(written: &str) -> Result<Self, Invalid> {
        let refused = || Invalid::new("after", "what the step before told");
        let (field, name) = written.split_once('-').ok_or_else(refused)?;
        Ok(match field {
            "profile" => Self::Profile(name.parse()?),
            "token" => Self::Token(name.parse()?),
            "content" => Self::Content(name.parse()?),
            "links" => Self::Links(name.parse()?),
            "payload" => Self::Payload(name.parse()?),
            "item" => Self::Item(name.parse()?),
            "audit" => Self::Detail(name.parse().map_err(|_| refused())?),
            kind => {
                let digest = HEXLOWER.decode(name.as_bytes()).map_err(|_| refused())?;
                let digest = digest.try_into().map_err(|_| refused())?;
                Self::Ticket(kind.parse()?, digest)
            }
        })
    }
}
