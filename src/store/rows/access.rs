//! Rows of keys, tickets and what opens the vault.

use serde::{Deserialize, Serialize};

use super::{Row, TimeRow, bytes_of, sealed, time, unreadable};
use crate::model::id::KeyId;
use crate::model::key::{ApiKey, Digest, Ticket, TicketKind};
use crate::model::sealed::Sealed;
use crate::store::{Keystone, StoreError};

#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct ApiKeyRow {
    id: u128,
    name: String,
    scopes: Vec<String>,
    source: String,
    secret: Digest,
    created: TimeRow,
    expires: Option<TimeRow>,
    revoked: Option<TimeRow>,
}

impl Row for ApiKeyRow {
    const NOUN: &'static str = "an API key";
}

impl From<&ApiKey> for ApiKeyRow {
    fn from(key: &ApiKey) -> Self {
        Self {
            id: key.id.as_u128(),
            name: key.name.clone(),
            scopes: key.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
            source: key.source.clone(),
            secret: key.secret,
            created: key.created.into(),
            expires: key.expires.map(TimeRow::from),
            revoked: key.revoked.map(TimeRow::from),
        }
    }
}

impl TryFrom<ApiKeyRow> for ApiKey {
    type Error = StoreError;

    fn try_from(row: ApiKeyRow) -> Result<Self, StoreError> {
        let scopes: Result<_, _> = row.scopes.iter().map(|scope| scope.parse()).collect();
        Ok(Self {
            id: KeyId::from_u128(row.id),
            name: row.name,
            scopes: scopes.map_err(|_| unreadable::<ApiKeyRow>())?,
            source: row.source,
            secret: row.secret,
            created: row.created.try_into()?,
            expires: time(row.expires)?,
            revoked: time(row.revoked)?,
        })
    }
}

/// A ticket; its kind and digest are its key.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct TicketRow {
    created: TimeRow,
    expires: TimeRow,
    payload: Option<Vec<u8>>,
}

impl Row for TicketRow {
    const NOUN: &'static str = "a ticket";
}

impl From<&Ticket> for TicketRow {
    fn from(ticket: &Ticket) -> Self {
        Self {
            created: ticket.created.into(),
            expires: ticket.expires.into(),
            payload: bytes_of(ticket.payload.as_ref()),
        }
    }
}

impl TicketRow {
    /// The ticket that lies under this kind and digest.
    pub(in crate::store) fn under(
        self,
        kind: TicketKind,
        digest: Digest,
    ) -> Result<Ticket, StoreError> {
        Ok(Ticket {
            kind,
            digest,
            created: self.created.try_into()?,
            expires: self.expires.try_into()?,
            payload: sealed(self.payload),
        })
    }
}

/// What a ticket opens, where that is not in its key.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) enum TicketKindRow {
    SetupCode,
    Session,
    Consent,
    Link,
    Receipt,
}

impl From<TicketKind> for TicketKindRow {
    fn from(kind: TicketKind) -> Self {
        match kind {
            TicketKind::SetupCode => Self::SetupCode,
            TicketKind::Session => Self::Session,
            TicketKind::Consent => Self::Consent,
            TicketKind::Link => Self::Link,
            TicketKind::Receipt => Self::Receipt,
        }
    }
}

impl From<TicketKindRow> for TicketKind {
    fn from(row: TicketKindRow) -> Self {
        match row {
            TicketKindRow::SetupCode => Self::SetupCode,
            TicketKindRow::Session => Self::Session,
            TicketKindRow::Consent => Self::Consent,
            TicketKindRow::Link => Self::Link,
            TicketKindRow::Receipt => Self::Receipt,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct KeystoneRow {
    canary: Vec<u8>,
    index_key: Vec<u8>,
}

impl Row for KeystoneRow {
    const NOUN: &'static str = "the vault's keystone";
}

impl From<&Keystone> for KeystoneRow {
    fn from(keystone: &Keystone) -> Self {
        Self {
            canary: keystone.canary.as_bytes().to_vec(),
            index_key: keystone.index_key.as_bytes().to_vec(),
        }
    }
}

impl From<KeystoneRow> for Keystone {
    fn from(row: KeystoneRow) -> Self {
        Self {
            canary: Sealed::from_bytes(row.canary),
            index_key: Sealed::from_bytes(row.index_key),
        }
    }
}
