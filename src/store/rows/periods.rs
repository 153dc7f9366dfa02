//! Rows of what recurs.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Row, TimeRow};
use crate::store::StoreError;

/// When the next turn comes; the name is the key.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct PeriodRow {
    next: TimeRow,
}

impl Row for PeriodRow {
    const NOUN: &'static str = "what recurs";
}

impl PeriodRow {
    pub(in crate::store) fn new(next: DateTime<Utc>) -> Self {
        Self { next: next.into() }
    }

    pub(in crate::store) fn next(&self) -> Result<DateTime<Utc>, StoreError> {
        self.next.try_into()
    }
}
