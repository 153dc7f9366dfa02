//! What lies in the rows: shapes of their own, so that the model may change without the disk, each
//! behind a byte that tells its version. An old version is read as long as a release wrote it.

mod access;
mod administrator;
mod audit;
mod connections;
mod events;
mod history;
mod items;
mod jobs;
mod periods;

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub(super) use access::{ApiKeyRow, KeystoneRow, TicketKindRow, TicketRow};
pub(super) use administrator::{AdministratorRow, KeyUseRow};
pub(super) use audit::{AuditRow, HeadRow};
pub(super) use connections::{ConnectionRow, RefreshRow};
pub(super) use events::{ContentRow, CopyRow, EventRow, FirstEventRow, RequestRow, SpanRow};
pub(super) use history::{ByRow, HistoryRow};
pub(super) use items::ItemRow;
pub(super) use jobs::{JobRow, PayloadRow};

pub(super) use periods::PeriodRow;

use crate::model::job::Cause;
use crate::model::owner::{Owner, UserId};
use crate::model::sealed::Sealed;
use crate::store::StoreError;

/// A row's present shape.
pub(super) trait Row: Serialize + DeserializeOwned {
    /// What it holds, for error texts.
    const NOUN: &'static str;
    /// The version written before it.
    const VERSION: u8 = 1;

    /// The row as it is stored.
    fn encode(&self) -> Vec<u8> {
        postcard::to_extend(self, vec![Self::VERSION]).expect("a row of plain values is written")
    }

    /// The row as it was stored.
    fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        match bytes.split_first() {
            Some((version, row)) if *version == Self::VERSION => {
                postcard::from_bytes(row).map_err(|_| unreadable::<Self>())
            }
            _ => Err(unreadable::<Self>()),
        }
    }
}

pub(super) fn unreadable<R: Row>() -> StoreError {
    StoreError::Damaged(format!("a row of {} cannot be read", R::NOUN))
}

/// A moment, to the last digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct TimeRow(i64, u32);

impl From<DateTime<Utc>> for TimeRow {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time.timestamp(), time.timestamp_subsec_nanos())
    }
}

impl TryFrom<TimeRow> for DateTime<Utc> {
    type Error = StoreError;

    fn try_from(row: TimeRow) -> Result<Self, StoreError> {
        Self::from_timestamp(row.0, row.1)
            .ok_or_else(|| StoreError::Damaged("a row tells a time that is none".to_owned()))
    }
}

fn time(row: Option<TimeRow>) -> Result<Option<DateTime<Utc>>, StoreError> {
    row.map(DateTime::try_from).transpose()
}

/// Whose a thing is; none for the application.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct OwnerRow(Option<String>);

impl From<&Owner> for OwnerRow {
    fn from(owner: &Owner) -> Self {
        match owner {
            Owner::Application => Self(None),
            Owner::User(user) => Self(Some(user.as_str().to_owned())),
        }
    }
}

impl TryFrom<OwnerRow> for Owner {
    type Error = StoreError;

    fn try_from(row: OwnerRow) -> Result<Self, StoreError> {
        let Some(user) = row.0 else { return Ok(Self::Application) };
        UserId::try_from(user)
            .map(Self::User)
            .map_err(|_| StoreError::Damaged("a row names a user who cannot be".to_owned()))
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct CauseRow {
    code: String,
    text: String,
}

impl From<&Cause> for CauseRow {
    fn from(cause: &Cause) -> Self {
        Self { code: cause.code.to_string(), text: cause.text.to_string() }
    }
}

impl From<CauseRow> for Cause {
    fn from(row: CauseRow) -> Self {
        Self { code: Cow::Owned(row.code), text: Cow::Owned(row.text) }
    }
}

/// Bytes in one piece: a plain vector would be written and read byte by byte.
mod bytes {
    use std::fmt;

    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        from.deserialize_byte_buf(Whole)
    }

    struct Whole;

    impl Visitor<'_> for Whole {
        type Value = Vec<u8>;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("bytes")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_owned())
        }
    }
}

fn sealed(row: Option<Vec<u8>>) -> Option<Sealed> {
    row.map(Sealed::from_bytes)
}

fn bytes_of(sealed: Option<&Sealed>) -> Option<Vec<u8>> {
    sealed.map(|sealed| sealed.as_bytes().to_vec())
}
