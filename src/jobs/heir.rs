//! A task that was given to another has its event there before it goes here, so that no crash and no
//! outage leaves it in neither calendar.

use chrono::TimeDelta;

use super::visit::Visit;
use crate::app::Error;
use crate::model::event::{Copied, Event, Presence, Source};
use crate::model::job::{Cause, End, JobState, Until};

/// An event that waits looks again after half the time that it waited so far, within these bounds.
const SOONEST_LOOK: TimeDelta = TimeDelta::seconds(1);
const LATEST_LOOK: TimeDelta = TimeDelta::minutes(10);

/// Whether the event that the visit is made for is to go, and waits for the one that takes its place.
pub async fn waits(visit: &Visit) -> Result<Option<End>, Error> {
    if visit.event.wanted.presence == Presence::Present {
        return Ok(None);
    }
    let Some(heir) = heir_of(visit).await? else { return Ok(None) };
    if heir.wanted.presence == Presence::Absent || heir.known.copy != Copied::Awaited {
        return Ok(None);
    }
    let job = visit.app.store.job(heir.job).await?;
    if job.is_none_or(|job| job.state != JobState::Live) {
        // Nobody writes it any more: what is not wanted goes nonetheless.
        return Ok(None);
    }
    let now = visit.app.clock.now();
    let waited = now - visit.event.wanted.since;
    let until = now + (waited / 2).clamp(SOONEST_LOOK, LATEST_LOOK);
    let cause = Cause::new("moving", "its task's new event is on its way to Google first");
    Ok(Some(End::Snooze(Until::Moment(until), cause)))
}

/// The event that stands for the same task by now.
async fn heir_of(visit: &Visit) -> Result<Option<Event>, Error> {
    let Source::Task(task) = visit.event.source else { return Ok(None) };
    let item = visit.app.store.item(task).await?;
    let event = item.and_then(|item| item.event).filter(|event| *event != visit.event.id);
    match event {
        Some(event) => Ok(visit.app.store.event(event).await?),
        None => Ok(None),
    }
}
