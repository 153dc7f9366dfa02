//! Makes one instance of a series agree with what is wanted of it.
//!
//! Google makes an instance from its series until it is changed: it is never inserted, and only there
//! once its series is. So the series is written first, whichever of the two jobs runs first.

use chrono::TimeDelta;

use super::push_event::{delete, update, write};
use super::visit::{Outcome, Visit};
use crate::app::Error;
use crate::google::oauth::AccessToken;
use crate::model::event::{Copied, Event, Presence};
use crate::model::id::EventId;
use crate::model::job::{Cause, End, Until};

/// An instance that waits for its series looks again after half the time that it waited so far, within
/// these bounds.
const SOONEST_LOOK: TimeDelta = TimeDelta::seconds(1);
const LATEST_LOOK: TimeDelta = TimeDelta::minutes(10);

/// Writes the instance of `series` that the visit is made for.
pub async fn agree(visit: &mut Visit, series: EventId, token: &AccessToken) -> Outcome {
    let found = visit.app.store.event(series).await.map_err(Error::from)?;
    let Some(series) = found.filter(|series| series.wanted.presence == Presence::Present) else {
        // With its series went everything that it had.
        return Ok(gone(visit, Copied::Cancelled));
    };
    match series.known.copy {
        Copied::Present if is_written(&series) => {}
        Copied::RemovedInGoogle | Copied::Cancelled => {
            return Ok(gone(visit, Copied::RemovedInGoogle));
        }
        Copied::Refused(_) if is_written(&series) => {
            let text = "Google refused its series; change the series, then retry this job";
            return Ok(End::GiveUp(Cause::new("series_refused", text)));
        }
        Copied::Present | Copied::Awaited | Copied::Refused(_) => {
            let now = visit.app.clock.now();
            let waited = now - visit.event.wanted.since;
            let until = now + (waited / 2).clamp(SOONEST_LOOK, LATEST_LOOK);
            let cause = Cause::new("series_pending", "its series is still on its way to Google");
            return Ok(End::Snooze(Until::Moment(until), cause));
        }
    }
    visit.known.google_id = series.known.google_id;
    match (visit.event.wanted.presence, &visit.known.copy) {
        (_, Copied::RemovedInGoogle) | (Presence::Absent, Copied::Cancelled) => Ok(visit.rest()),
        (Presence::Present, Copied::Cancelled) => revive(visit, token).await,
        (Presence::Absent, _) => delete(visit, token).await,
        (Presence::Present, Copied::Present)
            if visit.known.applied == visit.event.wanted.revision =>
        {
            Ok(visit.rest())
        }
        (Presence::Present, _) => update(visit, token).await,
    }
}

/// Brings back what we took out ourselves.
async fn revive(visit: &mut Visit, token: &AccessToken) -> Outcome {
    match visit.calendar(token).get(visit.name()).await {
        Ok(copy) => write(visit, token, copy).await,
        Err(failure) => visit.missing(failure),
    }
}

fn is_written(series: &Event) -> bool {
    series.known.applied == series.wanted.revision
}

fn gone(visit: &mut Visit, copy: Copied) -> End {
    visit.known.copy = copy;
    visit.rest()
}
