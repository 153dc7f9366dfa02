//! Rows of what recurs.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Row, TimeRow};
use crate::store::StoreError;

/// When the next turn comes; the name is the key.
#[derive(Debug, Serialize, Deserialize)]
pub(in super::super) struct PeriodRow {
    next: TimeRow,
}

impl Row for PeriodRow {
    const NOUN: &'static str = "what recurs";
}

impl PeriodRow {
    pub(in super::super) fn new(next: DateTime<Utc>) -> Self {
        Self { next: next.into() }
    }

    pub(in super::super) fn next(&self) -> Result<DateTime<Utc>, StoreError> {
        self.next.try_into()
    }
}
