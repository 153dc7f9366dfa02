//! Jobs on `/api/v1`.

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;

use super::Door;
use super::events::{CauseBody, utc};
use super::problem::Problem;
use crate::app::access::Caller;
use crate::app::events;
use crate::model::id::JobId;
use crate::model::job::{Job, JobState};
use crate::model::key::Scope;

/// A job, as shown.
#[derive(Serialize)]
pub struct JobBody {
    object: &'static str,
    id: String,
    kind: &'static str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    created: String,
    /// When it may run next.
    due: String,
    /// Attempts spent on failures that nobody could explain.
    attempts: u32,
    /// Runs in a row that came to nothing, whatever the reason.
    tries: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished: Option<String>,
    /// Why its last run came to nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<CauseBody>,
}

/// `GET /api/v1/jobs/{id}`.
pub async fn show(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<JobBody>, Problem> {
    caller.must(Scope::EventsWrite)?;
    let id: JobId = id.parse().map_err(|_| crate::app::Error::NotFound("job"))?;
    let job = events::job(&door.app, &caller, id).await?;
    Ok(Json(JobBody::from(&job)))
}

impl From<&Job> for JobBody {
    fn from(job: &Job) -> Self {
        let (state, finished) = match job.state {
            JobState::Live => ("waiting", None),
            JobState::Done { at } => ("done", Some(at)),
            JobState::Dead { at } => ("given_up", Some(at)),
            JobState::Cancelled { at } => ("cancelled", Some(at)),
        };
        Self {
            object: "job",
            id: job.id.to_string(),
            kind: job.kind.as_str(),
            state,
            event_id: job.kind.event().map(|event| event.to_string()),
            created: utc(job.created),
            due: utc(job.due),
            attempts: job.spent,
            tries: job.tries,
            finished: finished.map(utc),
            cause: job.cause.as_ref().map(CauseBody::from),
        }
    }
}
