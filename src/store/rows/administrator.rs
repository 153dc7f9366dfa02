//! Rows of the administrator's account and of keys' uses.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Row, TimeRow};
use crate::model::administrator::Administrator;
use crate::store::StoreError;

#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct AdministratorRow {
    password: String,
    set: TimeRow,
}

impl Row for AdministratorRow {
    const NOUN: &'static str = "the administrator's account";
}

impl From<&Administrator> for AdministratorRow {
    fn from(administrator: &Administrator) -> Self {
        Self { password: administrator.password.clone(), set: administrator.set.into() }
    }
}

impl TryFrom<AdministratorRow> for Administrator {
    type Error = StoreError;

    fn try_from(row: AdministratorRow) -> Result<Self, StoreError> {
        Ok(Self { password: row.password, set: row.set.try_into()? })
    }
}

/// When a key was used last; the key's id is its key.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct KeyUseRow(TimeRow);

impl Row for KeyUseRow {
    const NOUN: &'static str = "a key's use";
}

impl KeyUseRow {
    /// A row that tells this moment.
    pub(in crate::store) fn new(at: DateTime<Utc>) -> Self {
        Self(at.into())
    }

    /// The moment.
    pub(in crate::store) fn at(self) -> Result<DateTime<Utc>, StoreError> {
        self.0.try_into()
    }
}
