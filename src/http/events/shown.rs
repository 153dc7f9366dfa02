//! Events as callers see them.

use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;

use super::members::{ConferenceBody, FullGuest, ReminderBody};
use crate::app::events::View;
use crate::app::events::list::SourceKind;
use crate::http::etag::ETag;
use crate::http::openapi::{word, words};
use crate::model::event::{
    Alert, Color, Content, Copied, Instance, Meet, Notify, Source, Transparency, Visibility,
};
use crate::model::job::Cause;
use crate::model::owner::Owner;
use crate::model::timing::{Original, Timing};
use crate::model::when::Moment;

/// An event, as shown.
#[derive(Serialize, ToSchema)]
pub struct EventBody {
    #[schema(schema_with = an_event)]
    object: &'static str,
    id: String,
    /// What it is known by as it stands: what to send as `If-Match`.
    #[schema(value_type = String)]
    pub etag: ETag,
    #[schema(schema_with = words::event_state)]
    state: &'static str,
    revision: u32,
    created: String,
    summary: String,
    description: String,
    location: String,
    start: PointBody,
    end: PointBody,
    /// How it recurs, as RFC 5545 writes it; empty if it does not.
    recurrence: Vec<String>,
    /// Which occurrence of a series it stands for, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<InstanceBody>,
    /// The series that it goes on from, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    follows: Option<String>,
    guests: Vec<FullGuest>,
    #[schema(schema_with = color)]
    color: Option<&'static str>,
    #[schema(schema_with = visibility)]
    visibility: &'static str,
    #[schema(schema_with = transparency)]
    transparency: &'static str,
    /// Null for the calendar's own.
    reminders: Option<Vec<ReminderBody>>,
    /// A place of the caller's own to meet online.
    conference: Option<ConferenceBody>,
    #[schema(schema_with = notify)]
    notify: &'static str,
    category: Option<String>,
    external_id: Option<String>,
    source: SourceBody,
    /// Whose it is, if a user's.
    user: Option<String>,
    placement: PlacementBody,
    google: GoogleBody,
    meet: MeetBody,
    job_id: String,
    /// Why it is not as wanted yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_for: Option<CauseBody>,
    /// What is worth knowing, though nothing failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<&'static str>,
}

fn an_event() -> Object {
    word(["event"])
}

fn color() -> Object {
    words::told("One of Google's colours; null for the calendar's.", words::color())
}

fn visibility() -> Object {
    word(Visibility::ALL.map(Visibility::as_str))
}

fn transparency() -> Object {
    word(Transparency::ALL.map(Transparency::as_str))
}

/// Whom Google mails, as it is shown: never null.
pub fn notify() -> Object {
    word(Notify::ALL.map(Notify::as_str))
}

fn sources() -> Object {
    word(SourceKind::ALL.map(SourceKind::as_str))
}

/// Where it lives at Google, fixed when it was accepted.
#[derive(Serialize, ToSchema)]
struct PlacementBody {
    /// The connection's id.
    connection: String,
    /// Google's id of the calendar.
    calendar: String,
}

/// When it begins or ends.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum PointBody {
    /// At a moment.
    Moment {
        /// In UTC.
        instant: String,
        /// What the clock on the wall shows then.
        wall: String,
        /// An IANA zone; null if only an offset was written.
        time_zone: Option<String>,
    },
    /// With a day; of an end, the first day after.
    Day {
        /// The day.
        date: String,
    },
}

/// Which occurrence of a series an event stands for.
#[derive(Serialize, ToSchema)]
struct InstanceBody {
    /// The series' id.
    series: String,
    /// When the series has it.
    original_start: String,
}

/// What an event was made for.
#[derive(Serialize, ToSchema)]
struct SourceBody {
    #[schema(schema_with = sources)]
    kind: &'static str,
    /// The task's or the reminder's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct GoogleBody {
    event_id: Option<String>,
    link: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct MeetBody {
    #[schema(inline)]
    state: MeetState,
    link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<CauseBody>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum MeetState {
    None,
    Pending,
    Ready,
    Failed,
}

/// Why something is not as wanted.
#[derive(Serialize, ToSchema)]
pub struct CauseBody {
    code: String,
    text: String,
}

impl From<&View> for EventBody {
    fn from(view: &View) -> Self {
        let View { event, content, links, .. } = view;
        let in_google = matches!(event.known.copy, Copied::Present);
        let (meet, reason) = match &event.known.meet {
            Meet::Unwanted => (MeetState::None, None),
            Meet::Pending { .. } => (MeetState::Pending, None),
            Meet::Ready => (MeetState::Ready, None),
            Meet::Failed(cause) => (MeetState::Failed, Some(cause.into())),
        };
        let (start, end) = points(&content.timing);
        let mut body = Self {
            object: "event",
            id: event.id.to_string(),
            etag: ETag::default(),
            state: view.state().as_str(),
            revision: event.wanted.revision,
            created: utc(event.created),
            summary: content.summary.clone(),
            description: content.description.clone(),
            location: content.location.clone(),
            start,
            end,
            recurrence: content
                .recurrence
                .as_ref()
                .map_or(Vec::new(), |rule| rule.lines().to_vec()),
            instance: event.instance.map(InstanceBody::from),
            follows: content.follows.map(|series| series.to_string()),
            guests: content.guests.iter().map(FullGuest::from).collect(),
            color: content.color.map(Color::as_str),
            visibility: content.visibility.as_str(),
            transparency: content.transparency.as_str(),
            reminders: content.alerts.as_deref().map(reminders),
            conference: ConferenceBody::of(&content.meeting),
            category: content.category.map(|category| category.to_string()),
            external_id: content.external_id.clone(),
            source: event.source.into(),
            notify: content.notify.as_str(),
            user: match &event.owner {
                Owner::Application => None,
                Owner::User(user) => Some(user.as_str().to_owned()),
            },
            placement: PlacementBody {
                connection: event.placement.connection.to_string(),
                calendar: content.calendar.clone(),
            },
            google: GoogleBody {
                event_id: in_google.then(|| event.google_name().to_string()),
                link: links.event.clone(),
            },
            meet: MeetBody { state: meet, link: links.meet.clone(), reason },
            job_id: event.job.to_string(),
            waits_for: view.obstacle.as_ref().map(CauseBody::from),
            warnings: unannounced(content),
        };
        body.etag = ETag::of(event.wanted.revision, event.known.version, &body);
        body
    }
}

/// The warning that Google itself gives: an event of which guests get no mail may never reach them.
pub fn unannounced(content: &Content) -> Vec<&'static str> {
    let silent = !content.guests.is_empty() && content.notify == Notify::None;
    if silent { vec!["guests_not_notified"] } else { Vec::new() }
}

/// A start of a series, as it is shown; it is understood when it is written so.
pub fn original_start(original: Original) -> String {
    match original {
        Original::Moment(moment) => utc(moment),
        Original::Day(day) => day.to_string(),
    }
}

/// When something begins and ends.
pub fn points(timing: &Timing) -> (PointBody, PointBody) {
    match timing {
        Timing::Span(span) => (span.start().into(), span.end().into()),
        Timing::Days(days) => {
            let day = |day: chrono::NaiveDate| PointBody::Day { date: day.to_string() };
            (day(days.first()), day(days.after()))
        }
    }
}

fn reminders(alerts: &[Alert]) -> Vec<ReminderBody> {
    alerts.iter().map(ReminderBody::from).collect()
}

impl From<&Moment> for PointBody {
    fn from(moment: &Moment) -> Self {
        Self::Moment {
            instant: utc(moment.instant()),
            wall: moment.wall().format("%Y-%m-%dT%H:%M:%S%.f").to_string(),
            time_zone: moment.zone().map(|zone| zone.name().to_owned()),
        }
    }
}

impl From<Instance> for InstanceBody {
    fn from(instance: Instance) -> Self {
        Self {
            series: instance.series.to_string(),
            original_start: original_start(instance.original),
        }
    }
}

impl From<Source> for SourceBody {
    fn from(source: Source) -> Self {
        let id = match source {
            Source::Api => None,
            Source::Task(id) | Source::Reminder(id) => Some(id.to_string()),
        };
        Self { kind: SourceKind::from(source).as_str(), id }
    }
}

impl From<&Cause> for CauseBody {
    fn from(cause: &Cause) -> Self {
        Self { code: cause.code.to_string(), text: cause.text.to_string() }
    }
}

/// A moment as it is written everywhere on this API.
pub fn utc(moment: chrono::DateTime<chrono::Utc>) -> String {
    moment.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}
