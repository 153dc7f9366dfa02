//! Rows of events and of the requests that brought them.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::{
    ByRow, CauseRow, HistoryRow, OwnerRow, Row, TimeRow, bytes, bytes_of, sealed, time, unreadable,
};
use crate::model::event::{
    Copied, Event, Fingerprint, Instance, Known, Meet, Placement, Presence, Source, Wanted,
};
use crate::model::id::{ConnectionId, EventId, GoogleId, ItemId, JobId};
use crate::model::job::Kind;
use crate::model::key::Digest;
use crate::model::owner::Owner;
use crate::model::sealed::Sealed;
use crate::model::timing::Original;
use crate::store::{EventFilter, History, Request, StoreError};

/// An event but for its content; its id is its key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::store) struct EventRow {
    pub first: FirstEventRow,
    more: MoreRow,
    /// What happened to it.
    pub history: HistoryRow,
}

/// When an event begins and is over: what its row in a list tells.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct SpanRow {
    starts: TimeRow,
    over: TimeRow,
}

impl Row for SpanRow {
    const NOUN: &'static str = "an event's times";
}

impl SpanRow {
    /// Whether the filter lets such an event through, as far as that decides.
    pub(in crate::store) fn lies_in(&self, filter: &EventFilter) -> Result<bool, StoreError> {
        Ok(filter.lets_span(self.starts.try_into()?, self.over.try_into()?))
    }
}

/// What was written of an event first. What is written since stands behind it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::store) struct FirstEventRow {
    owner: OwnerRow,
    connection: u128,
    calendar: u64,
    created: TimeRow,
    job: u128,
    /// The live jobs about it.
    pub live: LiveRow,
    /// The wanted revision, which its content must have too.
    pub revision: u32,
    present: bool,
    fingerprint: Fingerprint,
    since: TimeRow,
    over: TimeRow,
    google_id: u128,
    generation: u32,
    applied: u32,
    copy: CopyRow,
    meet: MeetRow,
    version: u32,
    pub links: Option<Vec<u8>>,
}

/// What is written of an event since it can be found by its time.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct MoreRow {
    /// None of an event that was written before: it begins some time between its making and its end.
    starts: Option<TimeRow>,
    category: Option<u128>,
    source: SourceRow,
    instance: Option<InstanceRow>,
    by: ByRow,
}

/// What an event was made for; in a form that people read, in words of `snake_case`.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SourceRow {
    #[default]
    Api,
    Task(u128),
    Reminder(u128),
}

/// Which occurrence of a series an event stands for.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct InstanceRow {
    series: u128,
    original: OriginalRow,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum OriginalRow {
    Moment(TimeRow),
    /// Days since 1970.
    Day(i32),
}

/// The live jobs about an event, of each kind one at most.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(in crate::store) struct LiveRow {
    push: Option<u128>,
    follow: Option<u128>,
}

impl LiveRow {
    /// The live job of this kind.
    pub(in crate::store) fn get(&self, kind: &Kind) -> Option<JobId> {
        let job = match kind {
            Kind::PushEvent { .. } => self.push,
            Kind::FollowMeet { .. } => self.follow,
            Kind::RevokeGrant { .. } | Kind::FireReminder { .. } | Kind::SendMail { .. } => None,
        };
        job.map(JobId::from_u128)
    }

    /// Makes `job` the live one of its kind; none to have none. What is about no event changes nothing.
    pub(in crate::store) fn set(&mut self, kind: &Kind, job: Option<JobId>) {
        let job = job.map(JobId::as_u128);
        match kind {
            Kind::PushEvent { .. } => self.push = job,
            Kind::FollowMeet { .. } => self.follow = job,
            Kind::RevokeGrant { .. } | Kind::FireReminder { .. } | Kind::SendMail { .. } => {}
        }
    }

    /// Whether there is none.
    pub(in crate::store) fn is_empty(&self) -> bool {
        self.push.is_none() && self.follow.is_none()
    }
}

/// Where Google's copy stands; in a form that people read, in words of `snake_case`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::store) enum CopyRow {
    Awaited,
    Present,
    RemovedInGoogle,
    Cancelled,
    Refused(CauseRow),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum MeetRow {
    Unwanted,
    Pending { tries: u32, since: Option<TimeRow> },
    Ready,
    Failed(CauseRow),
}

impl Row for EventRow {
    const NOUN: &'static str = "an event";
    const VERSION: u8 = 2;

    fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let read = match bytes.split_first() {
            Some((&1, row)) => {
                postcard::from_bytes(row).map(|first: FirstEventRow| Self::from(first))
            }
            Some((&Self::VERSION, row)) => postcard::from_bytes(row),
            _ => return Err(unreadable::<Self>()),
        };
        read.map_err(|_| unreadable::<Self>())
    }
}

impl From<FirstEventRow> for EventRow {
    fn from(first: FirstEventRow) -> Self {
        Self { first, more: MoreRow::default(), history: HistoryRow::default() }
    }
}

/// What an event says, and in which revision.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct ContentRow {
    pub revision: u32,
    #[serde(with = "bytes")]
    pub content: Vec<u8>,
}

impl Row for ContentRow {
    const NOUN: &'static str = "an event's content";
}

impl From<&Wanted> for ContentRow {
    fn from(wanted: &Wanted) -> Self {
        Self { revision: wanted.revision, content: wanted.content.as_bytes().to_vec() }
    }
}

impl EventRow {
    /// The row of an event that no live job is about yet, and to which nothing happened.
    pub(in crate::store) fn new(event: &Event) -> Self {
        let Event { id: _, owner, placement, created, source, instance, job, wanted, known } =
            event;
        let more = MoreRow {
            starts: Some(wanted.starts.into()),
            category: wanted.category.map(ItemId::as_u128),
            source: (*source).into(),
            instance: instance.map(InstanceRow::from),
            by: wanted.by.into(),
        };
        let first = FirstEventRow {
            owner: owner.into(),
            connection: placement.connection.as_u128(),
            calendar: placement.calendar,
            created: (*created).into(),
            job: job.as_u128(),
            live: LiveRow::default(),
            revision: wanted.revision,
            present: wanted.presence == Presence::Present,
            fingerprint: wanted.fingerprint,
            since: wanted.since.into(),
            over: wanted.over.into(),
            google_id: known.google_id.as_u128(),
            generation: known.generation,
            applied: known.applied,
            copy: (&known.copy).into(),
            meet: (&known.meet).into(),
            version: known.version,
            links: bytes_of(known.links.as_ref()),
        };
        Self { first, more, history: HistoryRow::default() }
    }

    /// The row of an event to which this happened, but that no live job is about yet.
    pub(in crate::store) fn of(event: &Event, history: &History) -> Self {
        Self { history: history.into(), ..Self::new(event) }
    }

    /// The event that lies under `id`, with its content.
    pub(in crate::store) fn under(
        self,
        id: EventId,
        content: ContentRow,
    ) -> Result<Event, StoreError> {
        let Self { first, more, history: _ } = self;
        let created: DateTime<Utc> = first.created.try_into()?;
        let over: DateTime<Utc> = first.over.try_into()?;
        Ok(Event {
            id,
            owner: first.owner.try_into()?,
            placement: Placement {
                connection: ConnectionId::from_u128(first.connection),
                calendar: first.calendar,
            },
            created,
            source: more.source.into(),
            instance: more.instance.map(Instance::try_from).transpose()?,
            job: JobId::from_u128(first.job),
            wanted: Wanted {
                revision: first.revision,
                presence: if first.present { Presence::Present } else { Presence::Absent },
                fingerprint: first.fingerprint,
                content: Sealed::from_bytes(content.content),
                since: first.since.try_into()?,
                starts: time(more.starts)?.unwrap_or(created.min(over)),
                over,
                category: more.category.map(ItemId::from_u128),
                by: more.by.try_into()?,
            },
            known: Known {
                google_id: GoogleId::from_u128(first.google_id),
                generation: first.generation,
                applied: first.applied,
                copy: first.copy.into(),
                meet: first.meet.try_into()?,
                version: first.version,
                links: sealed(first.links),
            },
        })
    }

    /// The event that lies under `id`, without what it says.
    pub(in crate::store) fn bare(&self, id: EventId) -> Result<Event, StoreError> {
        let content = ContentRow { revision: self.first.revision, content: Vec::new() };
        self.clone().under(id, content)
    }

    /// Whose it is.
    pub(in crate::store) fn owner(&self) -> Result<Owner, StoreError> {
        self.first.owner.clone().try_into()
    }

    /// What its row in a list tells.
    pub(in crate::store) fn span(&self) -> SpanRow {
        let FirstEventRow { created, over, .. } = self.first;
        SpanRow { starts: self.more.starts.unwrap_or(created.min(over)), over }
    }

    /// When the event was taken in.
    pub(in crate::store) fn created(&self) -> Result<DateTime<Utc>, StoreError> {
        self.first.created.try_into()
    }

    /// Names the newest job that writes it.
    pub(in crate::store) fn write_with(&mut self, job: JobId) {
        self.first.job = job.as_u128();
    }

    /// From when on the time counts after which it may be forgotten, and whether it was cancelled.
    pub(in crate::store) fn idle_since(&self) -> Result<(bool, DateTime<Utc>), StoreError> {
        let first = &self.first;
        let since = if first.present { first.over } else { first.since };
        Ok((!first.present, since.try_into()?))
    }

    /// Replaces what is known of Google's copy.
    pub(in crate::store) fn learn(&mut self, known: &Known) {
        let first = &mut self.first;
        first.google_id = known.google_id.as_u128();
        first.generation = known.generation;
        first.applied = known.applied;
        first.copy = (&known.copy).into();
        first.meet = (&known.meet).into();
        first.version = known.version;
        first.links = bytes_of(known.links.as_ref());
    }
}

impl From<Source> for SourceRow {
    fn from(source: Source) -> Self {
        match source {
            Source::Api => Self::Api,
            Source::Task(task) => Self::Task(task.as_u128()),
            Source::Reminder(reminder) => Self::Reminder(reminder.as_u128()),
        }
    }
}

impl From<SourceRow> for Source {
    fn from(row: SourceRow) -> Self {
        match row {
            SourceRow::Api => Self::Api,
            SourceRow::Task(task) => Self::Task(ItemId::from_u128(task)),
            SourceRow::Reminder(reminder) => Self::Reminder(ItemId::from_u128(reminder)),
        }
    }
}

impl From<Instance> for InstanceRow {
    fn from(instance: Instance) -> Self {
        let original = match instance.original {
            Original::Moment(moment) => OriginalRow::Moment(moment.into()),
            Original::Day(day) => OriginalRow::Day(day.to_epoch_days()),
        };
        Self { series: instance.series.as_u128(), original }
    }
}

impl TryFrom<InstanceRow> for Instance {
    type Error = StoreError;

    fn try_from(row: InstanceRow) -> Result<Self, StoreError> {
        let original = match row.original {
            OriginalRow::Moment(moment) => Original::Moment(moment.try_into()?),
            OriginalRow::Day(day) => {
                let day = NaiveDate::from_epoch_days(day);
                Original::Day(day.ok_or_else(unreadable::<EventRow>)?)
            }
        };
        Ok(Self { series: EventId::from_u128(row.series), original })
    }
}

impl From<&Copied> for CopyRow {
    fn from(copy: &Copied) -> Self {
        match copy {
            Copied::Awaited => Self::Awaited,
            Copied::Present => Self::Present,
            Copied::RemovedInGoogle => Self::RemovedInGoogle,
            Copied::Cancelled => Self::Cancelled,
            Copied::Refused(cause) => Self::Refused(cause.into()),
        }
    }
}

impl From<CopyRow> for Copied {
    fn from(row: CopyRow) -> Self {
        match row {
            CopyRow::Awaited => Self::Awaited,
            CopyRow::Present => Self::Present,
            CopyRow::RemovedInGoogle => Self::RemovedInGoogle,
            CopyRow::Cancelled => Self::Cancelled,
            CopyRow::Refused(cause) => Self::Refused(cause.into()),
        }
    }
}

impl From<&Meet> for MeetRow {
    fn from(meet: &Meet) -> Self {
        match meet {
            Meet::Unwanted => Self::Unwanted,
            Meet::Pending { tries, since } => {
                Self::Pending { tries: *tries, since: since.map(TimeRow::from) }
            }
            Meet::Ready => Self::Ready,
            Meet::Failed(cause) => Self::Failed(cause.into()),
        }
    }
}

impl TryFrom<MeetRow> for Meet {
    type Error = StoreError;

    fn try_from(row: MeetRow) -> Result<Self, StoreError> {
        Ok(match row {
            MeetRow::Unwanted => Self::Unwanted,
            MeetRow::Pending { tries, since } => Self::Pending { tries, since: time(since)? },
            MeetRow::Ready => Self::Ready,
            MeetRow::Failed(cause) => Self::Failed(cause.into()),
        })
    }
}

/// A request that may be repeated; its keyed hash is its key.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct RequestRow {
    pub body: Digest,
    expires: TimeRow,
    event: u128,
}

impl Row for RequestRow {
    const NOUN: &'static str = "a request";
}

impl RequestRow {
    pub(in crate::store) fn new(request: &Request, event: EventId) -> Self {
        let Request { key: _, body, expires } = request;
        Self { body: *body, expires: (*expires).into(), event: event.as_u128() }
    }

    pub(in crate::store) fn event(&self) -> EventId {
        EventId::from_u128(self.event)
    }

    pub(in crate::store) fn expires(&self) -> Result<DateTime<Utc>, StoreError> {
        self.expires.try_into()
    }
}
