//! Rows of linked accounts.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{CauseRow, OwnerRow, Row, TimeRow, bytes_of, sealed};
use crate::model::connection::{AccountTag, ClientTag, Connection, Health, Means};
use crate::model::id::ConnectionId;
use crate::model::sealed::Sealed;
use crate::store::StoreError;

#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct ConnectionRow {
    id: u128,
    owner: OwnerRow,
    account: AccountTag,
    means: MeansRow,
    health: HealthRow,
    version: u32,
    profile: Vec<u8>,
    token: Option<Vec<u8>>,
    linked: TimeRow,
}

/// When a connection's grant was honoured last; the connection is the key.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct RefreshRow {
    at: TimeRow,
}

impl Row for RefreshRow {
    const NOUN: &'static str = "a connection's last refresh";
}

impl RefreshRow {
    pub(in crate::store) fn new(at: DateTime<Utc>) -> Self {
        Self { at: at.into() }
    }

    pub(in crate::store) fn at(&self) -> Result<DateTime<Utc>, StoreError> {
        self.at.try_into()
    }
}

#[derive(Debug, Serialize, Deserialize)]
enum MeansRow {
    Consent(ClientTag),
    Delegation,
}

#[derive(Debug, Serialize, Deserialize)]
enum HealthRow {
    Connected,
    ReconnectNeeded(CauseRow),
    Disconnected,
}

impl Row for ConnectionRow {
    const NOUN: &'static str = "a connection";
}

impl From<&Connection> for ConnectionRow {
    fn from(connection: &Connection) -> Self {
        Self {
            id: connection.id.as_u128(),
            owner: (&connection.owner).into(),
            account: connection.account,
            means: match connection.means {
                Means::Consent { client } => MeansRow::Consent(client),
                Means::Delegation => MeansRow::Delegation,
            },
            health: match &connection.state {
                Health::Connected => HealthRow::Connected,
                Health::ReconnectNeeded(cause) => HealthRow::ReconnectNeeded(cause.into()),
                Health::Disconnected => HealthRow::Disconnected,
            },
            version: connection.version,
            profile: connection.profile.as_bytes().to_vec(),
            token: bytes_of(connection.token.as_ref()),
            linked: connection.linked.into(),
        }
    }
}

impl TryFrom<ConnectionRow> for Connection {
    type Error = StoreError;

    fn try_from(row: ConnectionRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: ConnectionId::from_u128(row.id),
            owner: row.owner.try_into()?,
            account: row.account,
            means: match row.means {
                MeansRow::Consent(client) => Means::Consent { client },
                MeansRow::Delegation => Means::Delegation,
            },
            state: match row.health {
                HealthRow::Connected => Health::Connected,
                HealthRow::ReconnectNeeded(cause) => Health::ReconnectNeeded(cause.into()),
                HealthRow::Disconnected => Health::Disconnected,
            },
            version: row.version,
            profile: Sealed::from_bytes(row.profile),
            token: sealed(row.token),
            linked: row.linked.try_into()?,
        })
    }
}
