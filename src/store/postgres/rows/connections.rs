//! Rows of linked accounts.

use serde::{Deserialize, Serialize};

use super::{Hex, count, nanos, owner, owner_text, time};
use crate::model::connection::{Connection, Health, Means};
use crate::store::StoreError;
use crate::store::rows::CauseRow;

/// A linked account.
#[derive(Debug, Serialize, Deserialize)]
pub(in super::super) struct ConnectionRow {
    id: Hex,
    owner: String,
    account: Hex,
    /// The OAuth client that the grant counts for; none where a service account acts.
    client: Option<Hex>,
    state: HealthRow,
    version: i64,
    profile: Hex,
    token: Option<Hex>,
    linked: i64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum HealthRow {
    Connected,
    ReconnectNeeded(CauseRow),
    Disconnected,
}

impl From<&Connection> for ConnectionRow {
    fn from(connection: &Connection) -> Self {
        Self {
            id: connection.id.into(),
            owner: owner_text(&connection.owner),
            account: Hex(connection.account.to_vec()),
            client: match connection.means {
                Means::Consent { client } => Some(Hex(client.to_vec())),
                Means::Delegation => None,
            },
            state: match &connection.state {
                Health::Connected => HealthRow::Connected,
                Health::ReconnectNeeded(cause) => HealthRow::ReconnectNeeded(cause.into()),
                Health::Disconnected => HealthRow::Disconnected,
            },
            version: connection.version.into(),
            profile: (&connection.profile).into(),
            token: connection.token.as_ref().map(Hex::from),
            linked: nanos(connection.linked),
        }
    }
}

impl TryFrom<ConnectionRow> for Connection {
    type Error = StoreError;

    fn try_from(row: ConnectionRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id.id()?,
            owner: owner(row.owner)?,
            account: row.account.exactly()?,
            means: match row.client {
                Some(client) => Means::Consent { client: client.exactly()? },
                None => Means::Delegation,
            },
            state: match row.state {
                HealthRow::Connected => Health::Connected,
                HealthRow::ReconnectNeeded(cause) => Health::ReconnectNeeded(cause.into()),
                HealthRow::Disconnected => Health::Disconnected,
            },
            version: count(row.version)?,
            profile: row.profile.into(),
            token: row.token.map(Into::into),
            linked: time(row.linked),
        })
    }
}
