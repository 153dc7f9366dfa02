//! Makes Google's copy of an event agree with what is wanted: exactly one event.
//!
//! Whatever happened to earlier runs, a run looks before it believes: the id at Google is fixed
//! before the first call, an insert that may have arrived is read back, and only a stamp of our own
//! makes an event ours (promise 2).

use super::Report;
use super::follow_meet::first_look;
use super::guests;
use super::heir;
use super::instance;
use super::verdict::{cause_of, end_of_own};
use super::visit::{Outcome, Visit};
use crate::app::{App, events};
use crate::google::error::{Failure, Verdict};
use crate::google::events::{Conference, Copy, Shown, changed_members, new_members};
use crate::google::oauth::AccessToken;
use crate::model::event::{Copied, Instance, Meet, Meeting, Notify, Presence};
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
    visit.settle_meeting();
    if let Some(Instance { series, .. }) = visit.event.instance {
        return instance::agree(visit, series, token).await;
    }
    if let Some(end) = heir::waits(visit).await? {
        return Ok(end);
    }
    let applied = visit.known.applied == visit.event.wanted.revision;
    match (visit.event.wanted.presence, &visit.known.copy) {
        (_, Copied::RemovedInGoogle) | (Presence::Absent, Copied::Cancelled) => Ok(visit.rest()),
        (Presence::Absent, Copied::Present) => delete(visit, token).await,
        (Presence::Absent, Copied::Awaited | Copied::Refused(_)) => withdraw(visit, token).await,
        (Presence::Present, Copied::Awaited | Copied::Refused(_)) => insert(visit, token).await,
        (Presence::Present, Copied::Cancelled) => revive(visit, token).await,
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
    let inherited = guests::inherited(visit, token).await?;
    let mut shown = Shown::AsConference;
    loop {
        let request = visit.meet_request(&Conference::None);
        let stamp = visit.stamp();
        let members = new_members(&visit.content, &stamp, &inherited, request.as_deref(), shown);
        let (id, notify) = (visit.known.google_id, notify(visit));
        let failure = match visit.calendar(token).insert(id, members, notify).await {
            Ok(copy) => return written(visit, &copy),
            Err(failure) => failure,
        };
        match failure.verdict {
            _ if gives_way(visit, &failure, &mut shown) => {}
            Verdict::Duplicate | Verdict::Unknown | Verdict::Outage => {
                return read_back(visit, token, failure).await;
            }
            _ => return Err(failure.into()),
        }
    }
}

/// Whether it was the meeting that Google did not take, and the event is tried again without it. A
/// meeting of the caller's own is the first thing to be suspected.
fn gives_way(visit: &mut Visit, failure: &Failure, shown: &mut Shown) -> bool {
    let own = matches!(visit.content.meeting, Meeting::Own { .. });
    match failure.verdict {
        Verdict::ConferenceNotAllowed | Verdict::Refused
            if own && *shown == Shown::AsConference =>
        {
            *shown = Shown::AsText;
            true
        }
        Verdict::ConferenceNotAllowed if matches!(visit.known.meet, Meet::Pending { .. }) => {
            visit.known.meet = Meet::Failed(cause_of(failure));
            true
        }
        _ => false,
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
    if !may_be_ours(visit, &copy) {
        return Ok(step_aside(visit));
    }
    if copy.cancelled && visit.known.copy != Copied::Cancelled {
        return Ok(visit.removed());
    }
    if visit.event.wanted.revision == 1 && visit.content.external_id.is_none() {
        // A first revision found again under another fingerprint was changed by a later one that
        // this store has lost: it is taken as it stands. Whoever names it says what it shall be.
        return written(visit, &copy);
    }
    write(visit, token, copy).await
}

/// Brings back what was taken out because its owner cancelled it, and who asked for it again since.
async fn revive(visit: &mut Visit, token: &AccessToken) -> Outcome {
    if matches!(visit.known.meet, Meet::Ready | Meet::Failed(_)) {
        visit.known.meet = Meet::Pending { tries: 0, since: None };
    }
    match visit.calendar(token).get(visit.name()).await {
        Ok(copy) if may_be_ours(visit, &copy) => write(visit, token, copy).await,
        Ok(_) => Ok(step_aside(visit)),
        // It was cancelled before Google ever had it.
        Err(failure) if matches!(failure.verdict, Verdict::NotFound | Verdict::Gone) => {
            insert(visit, token).await
        }
        Err(failure) => Err(failure.into()),
    }
}

/// Whether a copy under our id bears our stamp, or nothing at all: of a deleted event Google promises
/// no more than its id.
fn may_be_ours(visit: &Visit, copy: &Copy) -> bool {
    let bare = copy.cancelled && copy.stamp.is_none();
    bare || visit.is_ours(copy)
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
pub(super) async fn write(visit: &mut Visit, token: &AccessToken, copy: Copy) -> Outcome {
    let stamp = visit.stamp();
    if copy.stamp.as_ref() == Some(&stamp) && !copy.cancelled {
        return written(visit, &copy);
    }
    let mut shown = Shown::AsConference;
    loop {
        let request = visit.meet_request(&copy.conference);
        let mut members = changed_members(&visit.content, &stamp, &copy, request.as_deref(), shown);
        if copy.cancelled {
            members.insert("status".into(), "confirmed".into());
        }
        let (name, etag, notify) = (visit.name(), copy.etag.as_deref(), notify(visit));
        let failure = match visit.calendar(token).patch(name, members, etag, notify).await {
            Ok(copy) => return written(visit, &copy),
            Err(failure) => failure,
        };
        if !gives_way(visit, &failure, &mut shown) {
            return visit.missing(failure);
        }
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

/// Takes the event out of the calendar. One that is gone already was cancelled all the same: an earlier
/// run may have done it, and nothing that Google tells says who did.
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
