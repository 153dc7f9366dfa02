//! What people see of background work, and what they can do about it: take it back, let it run again,
//! put it off.

use chrono::{DateTime, TimeDelta, Utc};

use super::access::Caller;
use super::{App, Error};
use crate::model::id::JobId;
use crate::model::invalid::Invalid;
use crate::model::job::Job;
use crate::model::owner::Owner;
use crate::store::Touched;
pub use crate::store::Which;

/// A job can be put off for this long.
const LONGEST_SNOOZE: TimeDelta = TimeDelta::days(366);

/// A part of a list of jobs.
#[derive(Debug)]
pub struct Page {
    /// The jobs.
    pub jobs: Vec<Job>,
    /// After which to go on; none at the end.
    pub next: Option<JobId>,
}

/// The job, if it is about something of the caller's.
pub async fn get(app: &App, caller: &Caller, id: JobId) -> Result<Job, Error> {
    let job = app.store.job(id).await?;
    job.filter(|job| caller.sees(&job.line.owner)).ok_or(Error::NotFound("job"))
}

/// Jobs in this state, of one owner if one is named, those asked for first first.
pub async fn list(
    app: &App,
    which: Which,
    owner: Option<&Owner>,
    after: Option<JobId>,
    most: usize,
) -> Result<Page, Error> {
    let (jobs, next) = app.store.jobs(which, owner, after, most).await?;
    Ok(Page { jobs, next })
}

/// Takes a waiting job back. Its event stays as it is known, and says so; a change of the event makes
/// another job, and [`retry`] lets this one run after all.
pub async fn cancel(app: &App, id: JobId) -> Result<Job, Error> {
    let job = touched(
        app.store.cancel(id, app.clock.now()).await?,
        "only a waiting job can be cancelled",
    )?;
    tracing::info!(job.id = %id, job.kind = job.kind.as_str(), "job cancelled");
    Ok(job)
}

/// Lets a job that was given up or cancelled run again, as if it were new.
pub async fn retry(app: &App, id: JobId) -> Result<Job, Error> {
    let rule = "only a job that was given up or cancelled can be retried";
    let job = touched(app.store.replay(id, app.clock.now()).await?, rule)?;
    tracing::info!(job.id = %id, job.kind = job.kind.as_str(), "job runs again");
    Ok(job)
}

/// Puts a waiting job off until then, or brings it forward.
pub async fn snooze(app: &App, id: JobId, until: DateTime<Utc>) -> Result<Job, Error> {
    let now = app.clock.now();
    if until > now + LONGEST_SNOOZE {
        return Err(Invalid::new("until", "at most a year from now").into());
    }
    let done = app.store.put_off(id, until.max(now), now).await?;
    touched(done, "only a waiting job can be put off")
}

fn touched(touched: Touched, rule: &'static str) -> Result<Job, Error> {
    match touched {
        Touched::Yes(job) => Ok(job),
        Touched::Running => Err(Error::JobRunning),
        Touched::Not(state) => Err(Error::JobState { rule, state: Which::of(state) }),
        Touched::Missing => Err(Error::NotFound("job")),
    }
}
