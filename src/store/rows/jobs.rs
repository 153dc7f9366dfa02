//! Rows of background work.

use serde::{Deserialize, Serialize};

use super::{CauseRow, OwnerRow, Row, TimeRow, bytes, time};
use crate::model::id::{ConnectionId, EventId, ItemId, JobId};
use crate::model::job::{Class, Job, JobState, Kind, Lane, Line};
use crate::model::sealed::Sealed;
use crate::store::StoreError;

/// A job; its id is its key.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct JobRow {
    kind: KindRow,
    class: ClassRow,
    owner: OwnerRow,
    lane: LaneRow,
    created: TimeRow,
    due: TimeRow,
    spent: u32,
    tries: u32,
    failing_since: Option<TimeRow>,
    state: StateRow,
    cause: Option<CauseRow>,
}

#[derive(Debug, Serialize, Deserialize)]
enum KindRow {
    PushEvent { event: u128 },
    FollowMeet { event: u128 },
    RevokeGrant { connection: u128, version: u32 },
    FireReminder { reminder: u128 },
    SendMail { delivery: u128 },
}

#[derive(Debug, Serialize, Deserialize)]
enum ClassRow {
    Interactive,
    Normal,
    Bulk,
}

#[derive(Debug, Serialize, Deserialize)]
enum LaneRow {
    Calendar { connection: u128, calendar: u64 },
    Grants,
    Reminders,
    Mail,
}

#[derive(Debug, Serialize, Deserialize)]
enum StateRow {
    Live,
    Done { at: TimeRow },
    Dead { at: TimeRow },
    Cancelled { at: TimeRow },
}

impl Row for JobRow {
    const NOUN: &'static str = "a job";
}

impl From<&Job> for JobRow {
    fn from(job: &Job) -> Self {
        Self {
            kind: match job.kind {
                Kind::PushEvent { event } => KindRow::PushEvent { event: event.as_u128() },
                Kind::FollowMeet { event } => KindRow::FollowMeet { event: event.as_u128() },
                Kind::RevokeGrant { connection, version } => {
                    KindRow::RevokeGrant { connection: connection.as_u128(), version }
                }
                Kind::FireReminder { reminder } => {
                    KindRow::FireReminder { reminder: reminder.as_u128() }
                }
                Kind::SendMail { delivery } => KindRow::SendMail { delivery: delivery.as_u128() },
            },
            class: match job.line.class {
                Class::Interactive => ClassRow::Interactive,
                Class::Normal => ClassRow::Normal,
                Class::Bulk => ClassRow::Bulk,
            },
            owner: (&job.line.owner).into(),
            lane: match job.line.lane {
                Lane::Calendar { connection, calendar } => {
                    LaneRow::Calendar { connection: connection.as_u128(), calendar }
                }
                Lane::Grants => LaneRow::Grants,
                Lane::Reminders => LaneRow::Reminders,
                Lane::Mail => LaneRow::Mail,
            },
            created: job.created.into(),
            due: job.due.into(),
            spent: job.spent,
            tries: job.tries,
            failing_since: job.failing_since.map(TimeRow::from),
            state: match job.state {
                JobState::Live => StateRow::Live,
                JobState::Done { at } => StateRow::Done { at: at.into() },
                JobState::Dead { at } => StateRow::Dead { at: at.into() },
                JobState::Cancelled { at } => StateRow::Cancelled { at: at.into() },
            },
            cause: job.cause.as_ref().map(CauseRow::from),
        }
    }
}

impl JobRow {
    /// The job that lies under `id`.
    pub(in crate::store) fn under(self, id: JobId) -> Result<Job, StoreError> {
        Ok(Job {
            id,
            kind: match self.kind {
                KindRow::PushEvent { event } => {
                    Kind::PushEvent { event: EventId::from_u128(event) }
                }
                KindRow::FollowMeet { event } => {
                    Kind::FollowMeet { event: EventId::from_u128(event) }
                }
                KindRow::RevokeGrant { connection, version } => {
                    Kind::RevokeGrant { connection: ConnectionId::from_u128(connection), version }
                }
                KindRow::FireReminder { reminder } => {
                    Kind::FireReminder { reminder: ItemId::from_u128(reminder) }
                }
                KindRow::SendMail { delivery } => {
                    Kind::SendMail { delivery: ItemId::from_u128(delivery) }
                }
            },
            line: Line {
                class: match self.class {
                    ClassRow::Interactive => Class::Interactive,
                    ClassRow::Normal => Class::Normal,
                    ClassRow::Bulk => Class::Bulk,
                },
                owner: self.owner.try_into()?,
                lane: match self.lane {
                    LaneRow::Calendar { connection, calendar } => {
                        Lane::Calendar { connection: ConnectionId::from_u128(connection), calendar }
                    }
                    LaneRow::Grants => Lane::Grants,
                    LaneRow::Reminders => Lane::Reminders,
                    LaneRow::Mail => Lane::Mail,
                },
            },
            created: self.created.try_into()?,
            due: self.due.try_into()?,
            spent: self.spent,
            tries: self.tries,
            failing_since: time(self.failing_since)?,
            state: match self.state {
                StateRow::Live => JobState::Live,
                StateRow::Done { at } => JobState::Done { at: at.try_into()? },
                StateRow::Dead { at } => JobState::Dead { at: at.try_into()? },
                StateRow::Cancelled { at } => JobState::Cancelled { at: at.try_into()? },
            },
            cause: self.cause.map(Into::into),
        })
    }
}

/// What a delivery carries.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct PayloadRow(#[serde(with = "bytes")] Vec<u8>);

impl Row for PayloadRow {
    const NOUN: &'static str = "what a job carries";
}

impl From<&Sealed> for PayloadRow {
    fn from(payload: &Sealed) -> Self {
        Self(payload.as_bytes().to_vec())
    }
}

impl From<PayloadRow> for Sealed {
    fn from(row: PayloadRow) -> Self {
        Self::from_bytes(row.0)
    }
}
