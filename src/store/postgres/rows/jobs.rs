//! Rows of background work.

use serde::{Deserialize, Serialize};

use super::{Hex, count, damaged, id_bytes, nanos, owner, owner_text, time};
use crate::model::job::{Class, Job, JobState, Kind, Lane, Line};
use crate::store::StoreError;
use crate::store::rows::CauseRow;

/// A job but for its lease, and for what it carries.
#[derive(Debug, Serialize, Deserialize)]
pub(in super::super) struct JobRow {
    id: Hex,
    kind: String,
    thing: Hex,
    event: Option<Hex>,
    #[serde(flatten)]
    line: LineRow,
    created: i64,
    due: i64,
    spent: i64,
    tries: i64,
    failing_since: Option<i64>,
    state: String,
    ended: Option<i64>,
    cause: Option<CauseRow>,
}

/// Where jobs wait.
#[derive(Debug, Serialize, Deserialize)]
pub(in super::super) struct LineRow {
    pub class: i16,
    pub owner: String,
    pub connection: Hex,
    pub calendar: i64,
}

const CLASSES: [Class; 3] = [Class::Interactive, Class::Normal, Class::Bulk];

impl From<&Line> for LineRow {
    fn from(line: &Line) -> Self {
        let class = match line.class {
            Class::Interactive => 0,
            Class::Normal => 1,
            Class::Bulk => 2,
        };
        let (connection, calendar) = match line.lane {
            Lane::Calendar { connection, calendar } => (id_bytes(connection), calendar),
            Lane::Grants => (Vec::new(), 0),
            Lane::Reminders => (Vec::new(), 1),
            Lane::Mail => (Vec::new(), 2),
        };
        Self {
            class,
            owner: owner_text(&line.owner),
            connection: Hex(connection),
            calendar: calendar.cast_signed(),
        }
    }
}

impl TryFrom<LineRow> for Line {
    type Error = StoreError;

    fn try_from(row: LineRow) -> Result<Self, StoreError> {
        let class = usize::try_from(row.class).ok().and_then(|class| CLASSES.get(class));
        let lane = match (row.connection.0.is_empty(), row.calendar) {
            (true, 0) => Lane::Grants,
            (true, 1) => Lane::Reminders,
            (true, 2) => Lane::Mail,
            (true, _) => return Err(damaged("a row names a lane that is none")),
            (false, calendar) => Lane::Calendar {
                connection: row.connection.id()?,
                calendar: calendar.cast_unsigned(),
            },
        };
        Ok(Self {
            class: *class.ok_or_else(|| damaged("a row names a class that is none"))?,
            owner: owner(row.owner)?,
            lane,
        })
    }
}

/// What a kind is about, as it is stored.
pub(in super::super) fn thing_of(kind: &Kind) -> Vec<u8> {
    match kind {
        Kind::PushEvent { event } | Kind::FollowMeet { event } => id_bytes(*event),
        Kind::RevokeGrant { connection, version } => {
            let mut thing = id_bytes(*connection);
            thing.extend(version.to_be_bytes());
            thing
        }
        Kind::FireReminder { reminder: item } | Kind::SendMail { delivery: item } => {
            id_bytes(*item)
        }
    }
}

fn kind_of(name: &str, thing: &Hex) -> Result<Kind, StoreError> {
    Ok(match name {
        "push_event" => Kind::PushEvent { event: thing.id()? },
        "follow_meet" => Kind::FollowMeet { event: thing.id()? },
        "revoke_grant" => {
            let (connection, version) =
                thing.0.split_last_chunk().ok_or_else(|| damaged("a job's thing is cut short"))?;
            Kind::RevokeGrant {
                connection: Hex(connection.to_vec()).id()?,
                version: u32::from_be_bytes(*version),
            }
        }
        "fire_reminder" => Kind::FireReminder { reminder: thing.id()? },
        "send_mail" => Kind::SendMail { delivery: thing.id()? },
        _ => return Err(damaged("a job is of a kind that this release does not know")),
    })
}

impl From<&Job> for JobRow {
    fn from(job: &Job) -> Self {
        let (state, ended) = match job.state {
            JobState::Live => ("live", None),
            JobState::Done { at } => ("done", Some(at)),
            JobState::Dead { at } => ("dead", Some(at)),
            JobState::Cancelled { at } => ("cancelled", Some(at)),
        };
        Self {
            id: job.id.into(),
            kind: job.kind.as_str().to_owned(),
            thing: Hex(thing_of(&job.kind)),
            event: job.kind.event().map(Hex::from),
            line: (&job.line).into(),
            created: nanos(job.created),
            due: nanos(job.due),
            spent: job.spent.into(),
            tries: job.tries.into(),
            failing_since: job.failing_since.map(nanos),
            state: state.to_owned(),
            ended: ended.map(nanos),
            cause: job.cause.as_ref().map(CauseRow::from),
        }
    }
}

impl TryFrom<JobRow> for Job {
    type Error = StoreError;

    fn try_from(row: JobRow) -> Result<Self, StoreError> {
        let state = match (row.state.as_str(), row.ended.map(time)) {
            ("live", None) => JobState::Live,
            ("done", Some(at)) => JobState::Done { at },
            ("dead", Some(at)) => JobState::Dead { at },
            ("cancelled", Some(at)) => JobState::Cancelled { at },
            _ => return Err(damaged("a job is in a state that is none")),
        };
        Ok(Self {
            id: row.id.id()?,
            kind: kind_of(&row.kind, &row.thing)?,
            line: row.line.try_into()?,
            created: time(row.created),
            due: time(row.due),
            spent: count(row.spent)?,
            tries: count(row.tries)?,
            failing_since: row.failing_since.map(time),
            state,
            cause: row.cause.map(Into::into),
        })
    }
}
