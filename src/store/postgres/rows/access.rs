//! Rows of keys and tickets.

use serde::{Deserialize, Serialize};

use super::{Hex, damaged, nanos, time};
use crate::model::key::{ApiKey, Ticket, TicketKind};
use crate::store::StoreError;

/// An API key.
#[derive(Debug, Serialize, Deserialize)]
pub(in super::super) struct ApiKeyRow {
    id: Hex,
    name: String,
    scopes: Vec<String>,
    source: String,
    secret: Hex,
    created: i64,
    expires: Option<i64>,
    revoked: Option<i64>,
}

impl From<&ApiKey> for ApiKeyRow {
    fn from(key: &ApiKey) -> Self {
        Self {
            id: key.id.into(),
            name: key.name.clone(),
            scopes: key.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
            source: key.source.clone(),
            secret: Hex(key.secret.to_vec()),
            created: nanos(key.created),
            expires: key.expires.map(nanos),
            revoked: key.revoked.map(nanos),
        }
    }
}

impl TryFrom<ApiKeyRow> for ApiKey {
    type Error = StoreError;

    fn try_from(row: ApiKeyRow) -> Result<Self, StoreError> {
        let scopes: Result<_, _> = row.scopes.iter().map(|scope| scope.parse()).collect();
        Ok(Self {
            id: row.id.id()?,
            name: row.name,
            scopes: scopes.map_err(|_| damaged("a key has a scope that is none"))?,
            source: row.source,
            secret: row.secret.exactly()?,
            created: time(row.created),
            expires: row.expires.map(time),
            revoked: row.revoked.map(time),
        })
    }
}

/// A ticket.
#[derive(Debug, Serialize, Deserialize)]
pub(in super::super) struct TicketRow {
    kind: i16,
    digest: Hex,
    created: i64,
    expires: i64,
    payload: Option<Hex>,
}

/// What a ticket opens, as it is stored. A number is never changed.
pub(in super::super) fn ticket_kind(kind: TicketKind) -> i16 {
    match kind {
        TicketKind::SetupCode => 0,
        TicketKind::Session => 1,
        TicketKind::Consent => 2,
        TicketKind::Link => 3,
        TicketKind::Receipt => 4,
    }
}

impl From<&Ticket> for TicketRow {
    fn from(ticket: &Ticket) -> Self {
        Self {
            kind: ticket_kind(ticket.kind),
            digest: Hex(ticket.digest.to_vec()),
            created: nanos(ticket.created),
            expires: nanos(ticket.expires),
            payload: ticket.payload.as_ref().map(Hex::from),
        }
    }
}

impl TryFrom<TicketRow> for Ticket {
    type Error = StoreError;

    fn try_from(row: TicketRow) -> Result<Self, StoreError> {
        let kind = TicketKind::ALL.into_iter().find(|kind| ticket_kind(*kind) == row.kind);
        Ok(Self {
            kind: kind.ok_or_else(|| damaged("a ticket is of a kind that is none"))?,
            digest: row.digest.exactly()?,
            created: time(row.created),
            expires: time(row.expires),
            payload: row.payload.map(Into::into),
        })
    }
}
