//! Rows of calendar entries.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{Hex, count, nanos, owner, owner_text, time};
use crate::model::event::{Event, Instance, Known, Meet, Placement, Presence, Source, Wanted};
use crate::model::id::EventId;
use crate::model::sealed::Sealed;
use crate::model::timing::Original;
use crate::store::rows::{ByRow, CauseRow, CopyRow, HistoryRow};
use crate::store::{History, Request, StoreError};

/// An event but for its content, which has a table of its own.
#[derive(Debug, Serialize, Deserialize)]
pub(in super::super) struct EventRow {
    id: Hex,
    owner: String,
    connection: Hex,
    calendar: i64,
    created: i64,
    source: SourceRow,
    instance: Option<InstanceRow>,
    job: Hex,
    /// What happened to it.
    pub history: HistoryRow,
    #[serde(flatten)]
    wanted: WantedRow,
    #[serde(flatten)]
    known: KnownRow,
}

/// What its owner asks for.
#[derive(Debug, Serialize, Deserialize)]
pub(in super::super) struct WantedRow {
    revision: i64,
    present: bool,
    fingerprint: Hex,
    since: i64,
    asked_by: ByRow,
    starts_at: i64,
    over_at: i64,
    category: Option<Hex>,
}

/// What it was made for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SourceRow {
    Api,
    Task(Hex),
    Reminder(Hex),
}

/// Which occurrence of a series it stands for.
#[derive(Debug, Serialize, Deserialize)]
struct InstanceRow {
    series: Hex,
    original: OriginalRow,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OriginalRow {
    Moment(i64),
    Day(NaiveDate),
}

/// What is known of Google's copy.
#[derive(Debug, Serialize, Deserialize)]
pub(in super::super) struct KnownRow {
    google_id: Hex,
    generation: i64,
    applied: i64,
    copy: CopyRow,
    meet: MeetRow,
    version: i64,
    links: Option<Hex>,
}

/// What the end of a run writes.
#[derive(Debug, Serialize)]
pub(in super::super) struct RanRow {
    #[serde(flatten)]
    known: KnownRow,
    history: HistoryRow,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum MeetRow {
    Unwanted,
    Pending { tries: u32, since: Option<i64> },
    Ready,
    Failed(CauseRow),
}

impl EventRow {
    /// The row of an event to which this happened.
    pub(in super::super) fn of(event: &Event, history: &History) -> Self {
        let Event { id, owner, placement, created, source, instance, job, wanted, known } = event;
        Self {
            id: (*id).into(),
            owner: owner_text(owner),
            connection: placement.connection.into(),
            calendar: placement.calendar.cast_signed(),
            created: nanos(*created),
            source: (*source).into(),
            instance: instance.map(InstanceRow::from),
            job: (*job).into(),
            history: history.into(),
            wanted: wanted.into(),
            known: known.into(),
        }
    }

    /// The columns that the end of a run writes.
    pub(in super::super) fn run(known: &Known, history: &History) -> RanRow {
        RanRow { known: known.into(), history: history.into() }
    }

    /// The event, with its content.
    pub(in super::super) fn with(self, content: Vec<u8>) -> Result<Event, StoreError> {
        let wanted = self.wanted;
        Ok(Event {
            id: self.id.id()?,
            owner: owner(self.owner)?,
            placement: Placement {
                connection: self.connection.id()?,
                calendar: self.calendar.cast_unsigned(),
            },
            created: time(self.created),
            source: self.source.try_into()?,
            instance: self.instance.map(Instance::try_from).transpose()?,
            job: self.job.id()?,
            wanted: Wanted {
                revision: count(wanted.revision)?,
                presence: if wanted.present { Presence::Present } else { Presence::Absent },
                fingerprint: wanted.fingerprint.exactly()?,
                content: Sealed::from_bytes(content),
                since: time(wanted.since),
                by: wanted.asked_by.try_into()?,
                starts: time(wanted.starts_at),
                over: time(wanted.over_at),
                category: wanted.category.map(|category| category.id()).transpose()?,
            },
            known: self.known.try_into()?,
        })
    }
}

impl From<Source> for SourceRow {
    fn from(source: Source) -> Self {
        match source {
            Source::Api => Self::Api,
            Source::Task(task) => Self::Task(task.into()),
            Source::Reminder(reminder) => Self::Reminder(reminder.into()),
        }
    }
}

impl TryFrom<SourceRow> for Source {
    type Error = StoreError;

    fn try_from(row: SourceRow) -> Result<Self, StoreError> {
        Ok(match row {
            SourceRow::Api => Self::Api,
            SourceRow::Task(task) => Self::Task(task.id()?),
            SourceRow::Reminder(reminder) => Self::Reminder(reminder.id()?),
        })
    }
}

impl From<Instance> for InstanceRow {
    fn from(instance: Instance) -> Self {
        let original = match instance.original {
            Original::Moment(moment) => OriginalRow::Moment(nanos(moment)),
            Original::Day(day) => OriginalRow::Day(day),
        };
        Self { series: instance.series.into(), original }
    }
}

impl TryFrom<InstanceRow> for Instance {
    type Error = StoreError;

    fn try_from(row: InstanceRow) -> Result<Self, StoreError> {
        let original = match row.original {
            OriginalRow::Moment(moment) => Original::Moment(time(moment)),
            OriginalRow::Day(day) => Original::Day(day),
        };
        Ok(Self { series: row.series.id()?, original })
    }
}

impl From<&Wanted> for WantedRow {
    fn from(wanted: &Wanted) -> Self {
        Self {
            revision: wanted.revision.into(),
            present: wanted.presence == Presence::Present,
            fingerprint: Hex(wanted.fingerprint.to_vec()),
            since: nanos(wanted.since),
            asked_by: wanted.by.into(),
            starts_at: nanos(wanted.starts),
            over_at: nanos(wanted.over),
            category: wanted.category.map(Hex::from),
        }
    }
}

impl From<&Known> for KnownRow {
    fn from(known: &Known) -> Self {
        Self {
            google_id: known.google_id.into(),
            generation: known.generation.into(),
            applied: known.applied.into(),
            copy: (&known.copy).into(),
            meet: (&known.meet).into(),
            version: known.version.into(),
            links: known.links.as_ref().map(Hex::from),
        }
    }
}

impl TryFrom<KnownRow> for Known {
    type Error = StoreError;

    fn try_from(row: KnownRow) -> Result<Self, StoreError> {
        Ok(Self {
            google_id: row.google_id.id()?,
            generation: count(row.generation)?,
            applied: count(row.applied)?,
            copy: row.copy.into(),
            meet: row.meet.into(),
            version: count(row.version)?,
            links: row.links.map(Sealed::from),
        })
    }
}

impl From<&Meet> for MeetRow {
    fn from(meet: &Meet) -> Self {
        match meet {
            Meet::Unwanted => Self::Unwanted,
            Meet::Pending { tries, since } => {
                Self::Pending { tries: *tries, since: since.map(nanos) }
            }
            Meet::Ready => Self::Ready,
            Meet::Failed(cause) => Self::Failed(cause.into()),
        }
    }
}

impl From<MeetRow> for Meet {
    fn from(row: MeetRow) -> Self {
        match row {
            MeetRow::Unwanted => Self::Unwanted,
            MeetRow::Pending { tries, since } => Self::Pending { tries, since: since.map(time) },
            MeetRow::Ready => Self::Ready,
            MeetRow::Failed(cause) => Self::Failed(cause.into()),
        }
    }
}

/// A request that may be repeated.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in super::super) struct RequestRow {
    pub key: Hex,
    pub body: Hex,
    pub expires: i64,
    event: Hex,
}

impl RequestRow {
    pub(in super::super) fn new(request: &Request, event: EventId) -> Self {
        Self {
            key: Hex(request.key.to_vec()),
            body: Hex(request.body.to_vec()),
            expires: nanos(request.expires),
            event: event.into(),
        }
    }

    pub(in super::super) fn event(&self) -> Result<EventId, StoreError> {
        self.event.id()
    }
}

impl TryFrom<RequestRow> for Request {
    type Error = StoreError;

    fn try_from(row: RequestRow) -> Result<Self, StoreError> {
        Ok(Self { key: row.key.exactly()?, body: row.body.exactly()?, expires: time(row.expires) })
    }
}
