//! An event as its owner may see it, now or once it has come to rest.

use chrono::{DateTime, Utc};
use tokio::sync::broadcast::error::RecvError;

use super::View;
use crate::app::{App, Error, connections};
use crate::model::event::{Copied, Event};
use crate::model::job::{Cause, JobState};
use crate::store::Change;

/// The event as it is once it has settled, an obstacle only a person can clear stands in its way,
/// the process is about to end, or it is `until`.
pub async fn wait(app: &App, event: Event, until: DateTime<Utc>) -> Result<Event, Error> {
    // Who does not wait is told what was just written or read.
    if is_over(app, &event, until) {
        return Ok(event);
    }
    let mut changes = app.store.changes();
    let id = event.id;
    let connection = event.placement.connection;
    loop {
        let event = app.store.event(id).await?.ok_or(Error::NotFound("event"))?;
        if is_over(app, &event, until) {
            return Ok(event);
        }
        let placed = app.store.connection(connection).await?;
        let stuck = placed.is_none_or(|placed| connections::obstacle(app, &placed).is_some());
        if stuck || is_left_alone(app, &event).await? {
            return Ok(event);
        }
        loop {
            tokio::select! {
                biased;
                change = changes.recv() => match change {
                    Ok(Change::Event(told)) if told == id => break,
                    Ok(Change::Connection(told)) if told == connection => break,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => break,
                    Err(RecvError::Closed) => return Ok(event),
                },
                () = app.clock.sleep_until(until) => break,
                () = app.stopping.cancelled() => break,
            }
        }
    }
}

/// The same of a view: who does not wait is shown what is in hand, and nothing is read once more.
pub async fn settled(app: &App, shown: View, until: DateTime<Utc>) -> Result<View, Error> {
    if is_over(app, &shown.event, until) {
        return Ok(shown);
    }
    view(app, wait(app, shown.event, until).await?).await
}

/// Whether nobody waits any more.
fn is_over(app: &App, event: &Event, until: DateTime<Utc>) -> bool {
    event.is_settled() || app.clock.now() >= until || app.stopping.is_cancelled()
}

/// Whether the job that writes the event was given up or taken back: then only a person brings it on.
async fn is_left_alone(app: &App, event: &Event) -> Result<bool, Error> {
    let job = app.store.job(event.job).await?;
    Ok(job
        .is_some_and(|job| matches!(job.state, JobState::Dead { .. } | JobState::Cancelled { .. })))
}

/// The event with what only the vault can tell.
pub async fn view(app: &App, event: Event) -> Result<View, Error> {
    let content = app.content(&event)?;
    let links = app.links(&event)?;
    let refused = matches!(event.known.copy, Copied::Refused(_));
    if event.is_settled() && !refused {
        return Ok(View { event, content, links, obstacle: None, job: None });
    }
    let connection = app.store.connection(event.placement.connection).await?;
    let job = app.store.job(event.job).await?;
    let state = job.as_ref().map(|job| job.state);
    let cancelled = matches!(state, Some(JobState::Cancelled { .. })).then(taken_back);
    let waits_for_meet = event.known.applied == event.wanted.revision && !event.is_settled();
    let obstacle = connection
        .as_ref()
        .and_then(|connection| connections::obstacle(app, connection))
        .or(cancelled)
        .or(job.and_then(|job| job.cause))
        .or(waits_for_meet.then(meet_pending));
    Ok(View { event, content, links, obstacle: obstacle.filter(|_| !refused), job: state })
}

/// Why an event waits that Google has, but without its Meet link.
pub fn meet_pending() -> Cause {
    Cause::new("meet_pending", "Google is still making the Meet link")
}

/// Why an event waits whose job was taken back.
fn taken_back() -> Cause {
    let text = "the job that writes it was cancelled; retry the job, or change the event";
    Cause::new("job_cancelled", text)
}
