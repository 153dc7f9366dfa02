//! Rows of what happened to events, in a form that people read: in words of `snake_case`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::CauseRow;
use crate::model::history::{By, Step, What};
use crate::model::id::KeyId;
use crate::store::{History, StoreError};

/// What happened to an event; a part of its row.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(in crate::store) struct HistoryRow(Vec<StepRow>);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct StepRow {
    /// Milliseconds since 1970.
    at: i64,
    what: WhatRow,
    revision: u32,
    by: Option<ByRow>,
    cause: Option<CauseRow>,
    times: u32,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WhatRow {
    Accepted,
    Changed,
    Cancelled,
    Revived,
    Written,
    Withdrawn,
    RemovedInGoogle,
    MeetReady,
    MeetFailed,
    PutOff,
    GivenUp,
}

/// Who asked for a revision. Of what was written before that was told, the bridge stands for whoever it
/// was.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::store) enum ByRow {
    /// The key's id as text, since not every form of a row has numbers of 128 bits.
    Key(String),
    User,
    Administrator,
    Console,
    #[default]
    Bridge,
}

impl From<&History> for HistoryRow {
    fn from(history: &History) -> Self {
        Self(history.steps.iter().map(StepRow::from).collect())
    }
}

impl TryFrom<HistoryRow> for History {
    type Error = StoreError;

    fn try_from(row: HistoryRow) -> Result<Self, StoreError> {
        let steps: Result<_, _> = row.0.into_iter().map(Step::try_from).collect();
        Ok(Self { steps: steps? })
    }
}

impl From<&Step> for StepRow {
    fn from(step: &Step) -> Self {
        Self {
            at: step.at.timestamp_millis(),
            what: step.what.into(),
            revision: step.revision,
            by: step.by.map(ByRow::from),
            cause: step.cause.as_ref().map(CauseRow::from),
            times: step.times,
        }
    }
}

impl TryFrom<StepRow> for Step {
    type Error = StoreError;

    fn try_from(row: StepRow) -> Result<Self, StoreError> {
        let at: Option<DateTime<Utc>> = DateTime::from_timestamp_millis(row.at);
        Ok(Self {
            at: at.ok_or_else(unreadable)?,
            what: row.what.into(),
            revision: row.revision,
            by: row.by.map(By::try_from).transpose()?,
            cause: row.cause.map(Into::into),
            times: row.times,
        })
    }
}

impl From<By> for ByRow {
    fn from(by: By) -> Self {
        match by {
            By::Key(id) => Self::Key(id.to_string()),
            By::User => Self::User,
            By::Administrator => Self::Administrator,
            By::Console => Self::Console,
            By::Bridge => Self::Bridge,
        }
    }
}

impl TryFrom<ByRow> for By {
    type Error = StoreError;

    fn try_from(row: ByRow) -> Result<Self, StoreError> {
        Ok(match row {
            ByRow::Key(id) => Self::Key(id.parse::<KeyId>().map_err(|_| unreadable())?),
            ByRow::User => Self::User,
            ByRow::Administrator => Self::Administrator,
            ByRow::Console => Self::Console,
            ByRow::Bridge => Self::Bridge,
        })
    }
}

impl From<What> for WhatRow {
    fn from(what: What) -> Self {
        match what {
            What::Accepted => Self::Accepted,
            What::Changed => Self::Changed,
            What::Cancelled => Self::Cancelled,
            What::Revived => Self::Revived,
            What::Written => Self::Written,
            What::Withdrawn => Self::Withdrawn,
            What::RemovedInGoogle => Self::RemovedInGoogle,
            What::MeetReady => Self::MeetReady,
            What::MeetFailed => Self::MeetFailed,
            What::PutOff => Self::PutOff,
            What::GivenUp => Self::GivenUp,
        }
    }
}

impl From<WhatRow> for What {
    fn from(row: WhatRow) -> Self {
        match row {
            WhatRow::Accepted => Self::Accepted,
            WhatRow::Changed => Self::Changed,
            WhatRow::Cancelled => Self::Cancelled,
            WhatRow::Revived => Self::Revived,
            WhatRow::Written => Self::Written,
            WhatRow::Withdrawn => Self::Withdrawn,
            WhatRow::RemovedInGoogle => Self::RemovedInGoogle,
            WhatRow::MeetReady => Self::MeetReady,
            WhatRow::MeetFailed => Self::MeetFailed,
            WhatRow::PutOff => Self::PutOff,
            WhatRow::GivenUp => Self::GivenUp,
        }
    }
}

fn unreadable() -> StoreError {
    StoreError::Damaged("what happened to an event cannot be read".to_owned())
}
