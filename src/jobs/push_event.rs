//! Makes Google's copy of an event agree with what is wanted: exactly one event.
//!
//! Whatever happened to earlier runs, a run looks before it believes: the id at Google is fixed
//! before the first call, an insert that may have arrived is read back, and only a stamp of our own
//! makes an event ours (promise 2).

use super::Report;
use super::follow_meet::first_look;
use super::instance;
use super::verdict::{cause_of, end_of_own};
use super::visit::{Outcome, Visit};
use crate::app::{App, events};
use crate::google::error::{Failure, Verdict};
use crate::google::events::{Copy, members};
use crate::google::oauth::AccessToken;
use crate::model::event::{Copied, Instance, Meet, Notify, Presence};
use crate::model::id::EventId;
use crate::model::job::{Cause, End, Job, Until};
use crate::store::Learned;

/// Runs `job` once, which writes the event `id`.
pub async fn run(app: App, job: &Job, id: EventId) -> Report {
    let mut visit = match Visit::prepare(app, job, id).await {
        Ok(visit) => visit,
        Err(error) => return Report::of(end_of_own(&error)),
    };
    let seen = visit.event.wanted.revision;
    let end = visit.go(|visit, token| Box::pin(agree(visit, token))).await;
    if let End::GiveUp(cause) = &end {
        visit.known.copy = Copied::Refused(cause.clone());
        visit.known.applied = seen;
    }
    let learned = Some(Learned { seen, known: visit.known });
    Report { end, learned, then: visit.then }
}

async fn agree(visit: &mut Visit, token: &AccessToken) -> Outcome {
    if let Some(Instance { series, .. }) = visit.event.instance {
        return instance::agree(visit, series, token).await;
    }
    let applied = visit.known.applied == visit.event.wanted.revision;
    match (visit.event.wanted.presence, &visit.known.copy) {
        (_, Copied::Cancelled | Copied::RemovedInGoogle) => Ok(visit.rest()),
        (Presence::Absent, Copied::Present) => delete(visit, token).await,
        (Presence::Absent, Copied::Awaited | Copied::Refused(_)) => withdraw(visit, token).await,
        (Presence::Present, Copied::Awaited | Copied::Refused(_)) => insert(visit, token).await,
        (Presence::Present, Copied::Present) if applied => {
            if matches!(visit.known.meet, Meet::Pending { .. }) {
                visit.leave_meet_to(visit.app.clock.now());
            }
            Ok(visit.rest())
        }
        (Presence::Present, Copied::Present) => update(visit, token).await,
    }
}

/// Writes the event for the first time, or finds that an earlier run did.
async fn insert(visit: &mut Visit, token: &AccessToken) -> Outcome {
    loop {
        let request = match visit.known.meet {
            Meet::Pending { tries, .. } => Some(visit.request_id(tries)),
            _ => None,
        };
        let (id, stamp, notify) = (visit.known.google_id, visit.stamp(), notify(visit));
        let inserted = visit
            .calendar(token)
            .insert(id, &visit.content, &stamp, request.as_deref(), notify)
            .await;
        let failure = match inserted {
            Ok(copy) => return written(visit, &copy),
            Err(failure) => failure,
        };
        match failure.verdict {
            Verdict::ConferenceNotAllowed if request.is_some() => {
                visit.known.meet = Meet::Failed(cause_of(&failure));
            }
            Verdict::Duplicate | Verdict::Unknown | Verdict::Outage => {
                return read_back(visit, token, failure).await;
            }
            _ => return Err(failure.into()),
        }
    }
}

/// Looks whether an insert arrived that brought no answer, or was refused because its id is taken.
async fn read_back(visit: &mut Visit, token: &AccessToken, failure: Failure) -> Outcome {
    let copy = match visit.calendar(token).get(visit.name()).await {
        Ok(copy) => copy,
        // Not there yet, or not there at all: the same id again, later.
        Err(missing) if missing.verdict == Verdict::NotFound => match failure.verdict {
            Verdict::Duplicate => return Ok(End::Retry(cause_of(&failure))),
            _ => return Err(failure.into()),
        },
        Err(other) => return Err(other.into()),
    };
    // Of a deleted event Google promises no more than its id.
    let bare = copy.cancelled && copy.stamp.is_none();
    if !visit.is_ours(&copy) && !bare {
        return Ok(step_aside(visit));
    }
    if copy.cancelled {
        return Ok(visit.removed());
    }
    if visit.event.wanted.revision == 1 {
        // A first revision found again under another fingerprint was changed by a later one that
        // this store has lost: it is taken as it stands.
        return written(visit, &copy);
    }
    visit.known.copy = Copied::Present;
    write(visit, token, copy).await
}

/// Somebody else's event holds our id: the next id, stored before it is used.
fn step_aside(visit: &mut Visit) -> End {
    visit.known.generation += 1;
    visit.known.google_id = events::google_id(
        visit.event.id,
        &visit.profile,
        &visit.content.calendar,
        visit.known.generation,
    );
    let cause = Cause::new(
        "foreign_event",
        "another event holds this event's id at Google; the next id is tried",
    );
    End::Snooze(Until::Moment(visit.app.clock.now()), cause)
}

/// Changes what Google has.
pub(super) async fn update(visit: &mut Visit, token: &AccessToken) -> Outcome {
    match visit.calendar(token).get(visit.name()).await {
        Ok(copy) if copy.cancelled => Ok(visit.removed()),
        Ok(copy) => write(visit, token, copy).await,
        Err(failure) => visit.missing(failure),
    }
}

/// Patches `copy`, as it was just read, unless it says what is wanted already. If somebody changed it
/// since, Google refuses, and the next run reads it again: what others wrote stays.
async fn write(visit: &mut Visit, token: &AccessToken, copy: Copy) -> Outcome {
    let stamp = visit.stamp();
    if copy.stamp.as_ref() == Some(&stamp) {
        return written(visit, &copy);
    }
    let members = members(&visit.content, &stamp, &copy.attendees);
    let (id, etag) = (visit.name(), copy.etag.as_deref());
    match visit.calendar(token).patch(id, members, etag, notify(visit)).await {
        Ok(copy) => written(visit, &copy),
        Err(failure) => visit.missing(failure),
    }
}

/// Google has the revision. What its Meet link still needs is left to a job of its own.
fn written(visit: &mut Visit, copy: &Copy) -> Outcome {
    visit.learn(copy)?;
    if matches!(visit.known.meet, Meet::Pending { .. }) {
        visit.leave_meet_to(first_look(copy, visit.app.clock.now()));
    }
    Ok(visit.rest())
}

/// Takes the event out of the calendar.
pub(super) async fn delete(visit: &mut Visit, token: &AccessToken) -> Outcome {
    match visit.calendar(token).delete(visit.name(), notify(visit)).await {
        Err(failure) if !matches!(failure.verdict, Verdict::NotFound | Verdict::Gone) => {
            Err(failure.into())
        }
        _ => Ok(withdrawn(visit)),
    }
}

/// Cancels an event that was never seen at Google, where an insert may nonetheless have arrived.
async fn withdraw(visit: &mut Visit, token: &AccessToken) -> Outcome {
    match visit.calendar(token).get(visit.name()).await {
        Ok(copy) if copy.cancelled || !visit.is_ours(&copy) => Ok(withdrawn(visit)),
        Ok(_) => delete(visit, token).await,
        // A read may lag behind the insert: only a delete that finds nothing is proof.
        Err(failure) if failure.verdict == Verdict::NotFound => delete(visit, token).await,
        Err(failure) if failure.verdict == Verdict::Gone => Ok(withdrawn(visit)),
        Err(failure) => Err(failure.into()),
    }
}

fn withdrawn(visit: &mut Visit) -> End {
    visit.known.copy = Copied::Cancelled;
    visit.rest()
}

/// Nobody wants mail about an event that is over.
fn notify(visit: &Visit) -> Notify {
    let over = visit.content.over() <= visit.app.clock.now();
    if over { Notify::None } else { visit.content.notify }
}
