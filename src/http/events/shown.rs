//! Events as callers see them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::app::events::View;
use crate::http::etag::ETag;
use crate::model::event::{Copied, Meet, Notify};
use crate::model::job::{Cause, JobState};
use crate::model::owner::Owner;
use crate::model::when::Moment;

/// An event, as shown.
#[derive(Serialize, ToSchema)]
pub struct EventBody {
    object: &'static str,
    id: String,
    /// What it is known by as it stands: what to send as `If-Match`.
    #[schema(value_type = String)]
    pub etag: ETag,
    state: &'static str,
    revision: u32,
    created: String,
    summary: String,
    description: String,
    start: MomentBody,
    end: MomentBody,
    guests: Vec<String>,
    notify: &'static str,
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
    warnings: Vec<&'static str>,
}

/// Where it lives at Google, fixed when it was accepted.
#[derive(Serialize, ToSchema)]
struct PlacementBody {
    /// The connection's id.
    connection: String,
    /// Google's id of the calendar.
    calendar: String,
}

#[derive(Serialize, ToSchema)]
struct MomentBody {
    /// In UTC.
    instant: String,
    /// What the clock on the wall shows then.
    wall: String,
    time_zone: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct GoogleBody {
    event_id: Option<String>,
    link: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct MeetBody {
    state: &'static str,
    link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<CauseBody>,
}

/// Why something is not as wanted.
#[derive(Serialize, ToSchema)]
pub struct CauseBody {
    code: String,
    text: String,
}

/// Where an event stands, in one word.
pub fn state_of(view: &View) -> &'static str {
    let event = &view.event;
    match &event.known.copy {
        _ if matches!(view.job, Some(JobState::Dead { .. })) => "failed",
        _ if matches!(view.job, Some(JobState::Cancelled { .. })) => "stopped",
        _ if event.known.applied < event.wanted.revision => "pending",
        Copied::Awaited => "pending",
        Copied::Present => "confirmed",
        Copied::RemovedInGoogle => "removed_in_google",
        Copied::Cancelled => "cancelled",
        Copied::Refused(_) if view.job == Some(JobState::Live) => "pending",
        Copied::Refused(_) => "failed",
    }
}

impl From<&View> for EventBody {
    fn from(view: &View) -> Self {
        let View { event, content, links, .. } = view;
        let in_google = matches!(event.known.copy, Copied::Present);
        let unannounced = !content.guests.is_empty() && content.notify == Notify::None;
        let (meet, reason) = match &event.known.meet {
            Meet::Unwanted => ("none", None),
            Meet::Pending { .. } => ("pending", None),
            Meet::Ready => ("ready", None),
            Meet::Failed(cause) => ("failed", Some(cause.into())),
        };
        let mut body = Self {
            object: "event",
            id: event.id.to_string(),
            etag: ETag::default(),
            state: state_of(view),
            revision: event.wanted.revision,
            created: utc(event.created),
            summary: content.summary.clone(),
            description: content.description.clone(),
            start: content.span.start().into(),
            end: content.span.end().into(),
            guests: content.guests.clone(),
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
                event_id: in_google.then(|| event.known.google_id.to_string()),
                link: links.event.clone(),
            },
            meet: MeetBody { state: meet, link: links.meet.clone(), reason },
            job_id: event.job.to_string(),
            waits_for: view.obstacle.as_ref().map(CauseBody::from),
            warnings: if unannounced { vec!["guests_not_notified"] } else { Vec::new() },
        };
        body.etag = ETag::of(event.wanted.revision, event.known.version, &body);
        body
    }
}

impl From<&Moment> for MomentBody {
    fn from(moment: &Moment) -> Self {
        Self {
            instant: utc(moment.instant()),
            wall: moment.wall().format("%Y-%m-%dT%H:%M:%S").to_string(),
            time_zone: moment.zone().map(|zone| zone.name().to_owned()),
        }
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
