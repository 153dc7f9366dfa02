//! Jobs on `/api/v1`: what waits, what was given up, and what a person does about it.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;
use validator::Validate;

use super::Door;
use super::body::{Body, unreadable_query};
use super::events::{CauseBody, utc};
use super::openapi::{Id, word};
use super::problem::{Code, FieldError, Problem};
use crate::app::access::Caller;
use crate::app::jobs::{self, Which};
use crate::model::id::JobId;
use crate::model::invalid::Invalid;
use crate::model::job::{Job, JobState};
use crate::model::owner::{Owner, UserId};
use crate::model::when::read_instant;

/// No page of a list is longer.
const LONGEST_PAGE: usize = 500;
/// So long is a page if the caller does not say.
const USUAL_PAGE: usize = 100;

/// A job, as shown.
#[derive(Serialize, ToSchema)]
pub struct JobBody {
    object: &'static str,
    #[schema(value_type = Id)]
    id: String,
    kind: &'static str,
    #[schema(schema_with = states)]
    state: &'static str,
    /// `application`, or `user:` and the application's own word for the user.
    owner: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Id, nullable = false)]
    event_id: Option<String>,
    #[schema(format = DateTime)]
    created: String,
    /// When it may run next.
    #[schema(format = DateTime)]
    due: String,
    /// Attempts spent on failures that nobody could explain.
    attempts: u32,
    /// Runs in a row that came to nothing, whatever the reason.
    tries: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    finished: Option<String>,
    /// Why its last run came to nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<CauseBody>,
}

/// A page of jobs, as shown.
#[derive(Serialize, ToSchema)]
pub struct JobsBody {
    object: &'static str,
    data: Vec<JobBody>,
    /// What to send as `after` for the next page, which may be empty; none at the end.
    #[schema(value_type = Option<Id>)]
    next: Option<String>,
}

fn states() -> Object {
    word(Which::ALL.map(Which::as_str))
}

/// Which jobs are to be listed.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// Those in this state: by default, those that wait or run.
    #[param(schema_with = states)]
    state: Option<String>,
    /// Those of `application`, or of `user:` and the user's id.
    #[param(pattern = "^(application|user:[!-~]{1,128})$")]
    owner: Option<String>,
    /// The `next` of the page before, as it came.
    #[param(value_type = Option<Id>)]
    after: Option<String>,
    /// So many on a page.
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: Option<usize>,
}

/// Until when a job is to wait.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Snooze {
    /// RFC 3339, of the years 1970 to 2099.
    #[validate(required(message = "is required: RFC 3339, such as 2025-10-30T14:00:00Z"))]
    #[schema(required, value_type = String, format = DateTime)]
    until: Option<String>,
}

/// `GET /api/v1/jobs/{id}`: shows a job.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{id}",
    operation_id = "show_job",
    tag = "Jobs",
    params(("id" = Id, Path)),
    responses((status = 200, description = "The job.", body = JobBody))
)]
pub async fn show(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<JobBody>, Problem> {
    let job = jobs::get(&door.app, &caller, job_id(&id)?).await?;
    Ok(Json(JobBody::from(&job)))
}

/// `GET /api/v1/jobs`: those in a state, in the order in which they were asked for.
#[utoipa::path(
    get,
    path = "/api/v1/jobs",
    operation_id = "list_jobs",
    tag = "Jobs",
    params(Listing),
    responses((status = 200, description = "A page of jobs.", body = JobsBody))
)]
pub async fn list(
    State(door): State<Door>,
    listing: Result<Query<Listing>, QueryRejection>,
) -> Result<Json<JobsBody>, Problem> {
    let Query(listing) = listing.map_err(|error| unreadable_query(&error))?;
    let which = listing.state.as_deref().map_or(Ok(Which::Live), str::parse).map_err(refused)?;
    let owner = listing.owner.as_deref().map(owner_from).transpose().map_err(refused)?;
    let after = listing.after.as_deref().map(cursor_from).transpose().map_err(refused)?;
    let most = listing.limit.unwrap_or(USUAL_PAGE);
    if !(1..=LONGEST_PAGE).contains(&most) {
        return Err(refused(Invalid::new("limit", "1 to 500")));
    }
    let page = jobs::list(&door.app, which, owner.as_ref(), after, most).await?;
    Ok(Json(JobsBody {
        object: "list",
        data: page.jobs.iter().map(JobBody::from).collect(),
        next: page.next.map(|id| id.to_string()),
    }))
}

/// `POST /api/v1/jobs/{id}/cancel`: takes a waiting job back.
#[utoipa::path(
    post,
    path = "/api/v1/jobs/{id}/cancel",
    operation_id = "cancel_job",
    tag = "Jobs",
    params(("id" = Id, Path)),
    responses((status = 200, description = "The job as it is now.", body = JobBody)),
    extensions(("x-codes" = json!([Code::JobRunning, Code::JobState])))
)]
pub async fn cancel(
    State(door): State<Door>,
    Path(id): Path<String>,
) -> Result<Json<JobBody>, Problem> {
    let job = jobs::cancel(&door.app, job_id(&id)?).await?;
    Ok(Json(JobBody::from(&job)))
}

/// `POST /api/v1/jobs/{id}/retry`: lets a job that was given up or cancelled run again.
#[utoipa::path(
    post,
    path = "/api/v1/jobs/{id}/retry",
    operation_id = "retry_job",
    tag = "Jobs",
    params(("id" = Id, Path)),
    responses((status = 200, description = "The job as it is now.", body = JobBody)),
    extensions(("x-codes" = json!([Code::JobRunning, Code::JobState])))
)]
pub async fn retry(
    State(door): State<Door>,
    Path(id): Path<String>,
) -> Result<Json<JobBody>, Problem> {
    let job = jobs::retry(&door.app, job_id(&id)?).await?;
    Ok(Json(JobBody::from(&job)))
}

/// `POST /api/v1/jobs/{id}/snooze`: puts a waiting job off, or brings it forward.
#[utoipa::path(
    post,
    path = "/api/v1/jobs/{id}/snooze",
    operation_id = "snooze_job",
    tag = "Jobs",
    params(("id" = Id, Path)),
    request_body = Snooze,
    responses((status = 200, description = "The job as it is now.", body = JobBody)),
    extensions(("x-codes" = json!([Code::JobRunning, Code::JobState])))
)]
pub async fn snooze(
    State(door): State<Door>,
    Path(id): Path<String>,
    body: Body<Snooze>,
) -> Result<Json<JobBody>, Problem> {
    let until = body.value.until.as_deref().unwrap_or_default();
    let until = read_instant("until", until).map_err(refused)?;
    let job = jobs::snooze(&door.app, job_id(&id)?, until).await?;
    Ok(Json(JobBody::from(&job)))
}

/// Ids that cannot be are told as those that are not.
fn job_id(id: &str) -> Result<JobId, Problem> {
    id.parse().map_err(|_| crate::app::Error::NotFound("job").into())
}

fn cursor_from(cursor: &str) -> Result<JobId, Invalid> {
    cursor.parse().map_err(|_| Invalid::new("after", "the `next` of the page before, as it came"))
}

fn owner_from(text: &str) -> Result<Owner, Invalid> {
    if text == "application" {
        return Ok(Owner::Application);
    }
    let user = text.strip_prefix("user:").map(|user| UserId::try_from(user.to_owned()));
    let Some(Ok(user)) = user else {
        return Err(Invalid::new("owner", "`application`, or `user:` and the user's id"));
    };
    Ok(Owner::User(user))
}

fn owner_text(owner: &Owner) -> String {
    match owner {
        Owner::Application => "application".to_owned(),
        Owner::User(user) => format!("user:{}", user.as_str()),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands where an error is mapped")]
fn refused(invalid: Invalid) -> Problem {
    Problem::fields(vec![FieldError::from(&invalid)])
}

impl From<&Job> for JobBody {
    fn from(job: &Job) -> Self {
        let finished = match job.state {
            JobState::Live => None,
            JobState::Done { at } | JobState::Dead { at } | JobState::Cancelled { at } => Some(at),
        };
        Self {
            object: "job",
            id: job.id.to_string(),
            kind: job.kind.as_str(),
            state: Which::of(job.state).as_str(),
            owner: owner_text(&job.line.owner),
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
