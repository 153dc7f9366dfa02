//! What lies in the tables: shapes of their own, so that the model may change without the database.
//!
//! A row travels as JSON, and PostgreSQL turns it into columns and back by their names: a thousand
//! rows are one argument of one statement, and each table's columns are written down once.

mod access;
mod audit;
mod connections;
mod events;
mod items;
mod jobs;

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use data_encoding::HEXLOWER;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(super) use access::{ApiKeyRow, TicketRow, ticket_kind};
pub(super) use audit::{AuditRow, HeadRow};
pub(super) use connections::ConnectionRow;
pub(super) use events::{EventRow, RequestRow};
pub(super) use items::{ItemRow, thing_bytes};
pub(super) use jobs::{JobRow, LineRow, thing_of};

use crate::model::id::Id;
use crate::model::owner::{Owner, UserId};
use crate::model::sealed::Sealed;
use crate::store::StoreError;

/// Rows as one argument.
pub(super) fn written<R: Serialize>(rows: &R) -> String {
    serde_json::to_string(rows).expect("rows of plain values can be written")
}

/// A row as PostgreSQL tells it.
pub(super) fn read<R: DeserializeOwned>(row: &str) -> Result<R, StoreError> {
    // The error's own text would quote the row.
    serde_json::from_str(row).map_err(|_| damaged("a row has columns that cannot be read"))
}

pub(super) fn damaged(what: &str) -> StoreError {
    StoreError::Damaged(what.to_owned())
}

/// Bytes; in JSON as PostgreSQL writes them, `\x` and hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hex(pub Vec<u8>);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("\\x{}", HEXLOWER.encode_display(&self.0)))
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let bytes = text.strip_prefix("\\x").map(|digits| HEXLOWER.decode(digits.as_bytes()));
        bytes.and_then(Result::ok).map(Self).ok_or_else(|| D::Error::custom("not bytes"))
    }
}

impl<Noun> From<Id<Noun>> for Hex {
    fn from(id: Id<Noun>) -> Self {
        Self(id_bytes(id))
    }
}

impl Hex {
    /// The id that these bytes are.
    pub(super) fn id<Noun>(&self) -> Result<Id<Noun>, StoreError> {
        number(&self.0).map(Id::from_u128)
    }

    /// The bytes, if they are as many as there must be.
    fn exactly<const N: usize>(self) -> Result<[u8; N], StoreError> {
        self.0.try_into().map_err(|_| damaged("a row has bytes of another length"))
    }
}

impl From<&Sealed> for Hex {
    fn from(sealed: &Sealed) -> Self {
        Self(sealed.as_bytes().to_vec())
    }
}

impl From<Hex> for Sealed {
    fn from(row: Hex) -> Self {
        Self::from_bytes(row.0)
    }
}

/// An id as it is stored.
pub(super) fn id_bytes<Noun>(id: Id<Noun>) -> Vec<u8> {
    id.as_u128().to_be_bytes().to_vec()
}

/// The number of a stored id.
pub(super) fn number(bytes: &[u8]) -> Result<u128, StoreError> {
    let bytes = bytes.try_into().map_err(|_| damaged("a row has an id of another length"))?;
    Ok(u128::from_be_bytes(bytes))
}

/// A moment as it is stored. What lies before 1678 or after 2262 is stored as that.
pub(super) fn nanos(time: DateTime<Utc>) -> i64 {
    let end = if time.timestamp() < 0 { i64::MIN } else { i64::MAX };
    time.timestamp_nanos_opt().unwrap_or(end)
}

/// A stored moment.
pub(super) fn time(nanos: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_nanos(nanos)
}

/// Whose a thing is, as it is stored.
pub(super) fn owner_text(owner: &Owner) -> String {
    match owner {
        Owner::Application => String::new(),
        Owner::User(user) => user.as_str().to_owned(),
    }
}

pub(super) fn owner(text: String) -> Result<Owner, StoreError> {
    if text.is_empty() {
        return Ok(Owner::Application);
    }
    let user = UserId::try_from(text).map_err(|_| damaged("a row names a user who cannot be"))?;
    Ok(Owner::User(user))
}

pub(super) fn count(number: i64) -> Result<u32, StoreError> {
    u32::try_from(number).map_err(|_| damaged("a row has a count that is none"))
}
