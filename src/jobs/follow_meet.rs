//! Looks after a Meet link that Google still makes: looks for it, asks again if it failed, and says
//! so if it will not come.
//!
//! A job of its own, so that the event's own job is done when Google has the event. What else is
//! wanted of the event is none of its business: it touches the conference alone.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Map;

use super::Report;
use super::verdict::{cause_of, end_of_own};
use super::visit::{Outcome, Visit};
use crate::app::{App, events};
use crate::google::error::Verdict;
use crate::google::events::{Conference, Copy, conference_request};
use crate::google::oauth::AccessToken;
use crate::model::event::{Copied, Meet, Notify, Presence};
use crate::model::id::EventId;
use crate::model::job::{Cause, End, Job, Until};
use crate::store::Learned;

/// A conference is asked for this many times before its failure is told.
const MOST_CONFERENCES: u32 = 3;
/// A conference that is pending for longer will not come.
const LONGEST_PENDING: TimeDelta = TimeDelta::hours(1);

/// A pending conference is looked at again after half the time that it took so far: often while
/// somebody waits for it, seldom when it takes long; but within these bounds.
const SOONEST_LOOK: TimeDelta = TimeDelta::seconds(1);
const LATEST_LOOK: TimeDelta = TimeDelta::seconds(60);

/// Runs `job` once, which follows the Meet link of the event `id`.
pub async fn run(app: App, job: &Job, id: EventId) -> Report {
    let mut visit = match Visit::prepare(app, job, id).await {
        Ok(visit) => visit,
        Err(error) => return Report::of(end_of_own(&error)),
    };
    let end = match visit.go(|visit, token| Box::pin(follow(visit, token))).await {
        End::GiveUp(cause) => fail(&mut visit, cause),
        // The event is there: a link that nobody can see to for so long is missed by nobody any more.
        End::Retry(cause) if pending_since(&visit) + LONGEST_PENDING <= visit.app.clock.now() => {
            fail(&mut visit, cause)
        }
        end => end,
    };
    let learned = Learned { seen: visit.event.wanted.revision, known: visit.known };
    Report { end, learned: Some(learned), then: None }
}

/// When a conference that was just asked for is looked at first, if Google's answer was `copy`.
pub fn first_look(copy: &Copy, now: DateTime<Utc>) -> DateTime<Utc> {
    match copy.conference {
        Conference::Pending => now + SOONEST_LOOK,
        _ => now,
    }
}

async fn follow(visit: &mut Visit, token: &AccessToken) -> Outcome {
    let wanted = visit.event.wanted.presence == Presence::Present;
    let present = matches!(visit.known.copy, Copied::Present);
    if !wanted || !present || !matches!(visit.known.meet, Meet::Pending { .. }) {
        return Ok(End::Done);
    }
    match visit.calendar(token).get(visit.name()).await {
        Ok(copy) if copy.cancelled => Ok(visit.removed()),
        Ok(copy) => conclude(visit, token, copy).await,
        Err(failure) => visit.missing(failure),
    }
}

/// Learns from `copy`, and asks for another conference for as long as that makes sense.
async fn conclude(visit: &mut Visit, token: &AccessToken, mut copy: Copy) -> Outcome {
    loop {
        visit.learn(&copy)?;
        let Meet::Pending { tries, .. } = visit.known.meet else { return Ok(End::Done) };
        let cause = match &copy.conference {
            Conference::Ready(_) => return Ok(End::Done),
            Conference::Pending => return Ok(wait(visit)),
            Conference::Failed(reason) => {
                let text = format!("Google could not make a Meet link: {reason}");
                Cause::new("meet_failed", text)
            }
            Conference::None => {
                let text = "Google made the event without the Meet link that was asked for";
                Cause::new("meet_missing", text)
            }
            Conference::Other(_) => {
                let text = "the event was given another meeting in Google Calendar";
                return Ok(fail(visit, Cause::new("other_meeting", text)));
            }
        };
        if tries >= MOST_CONFERENCES {
            return Ok(fail(visit, cause));
        }
        let request = conference_request(&visit.request_id(tries));
        let members = Map::from_iter([("conferenceData".to_owned(), request)]);
        let (id, etag) = (visit.name(), copy.etag.as_deref());
        copy = match visit.calendar(token).patch(id, members, etag, Notify::None).await {
            Ok(copy) => copy,
            Err(failure) if failure.verdict == Verdict::ConferenceNotAllowed => {
                return Ok(fail(visit, cause_of(&failure)));
            }
            Err(failure) => return Err(failure.into()),
        };
        visit.known.meet = Meet::Pending { tries: tries + 1, since: None };
    }
}

/// Google still makes the link: another look later, unless that goes on for too long.
fn wait(visit: &mut Visit) -> End {
    let (now, since) = (visit.app.clock.now(), pending_since(visit));
    if since + LONGEST_PENDING <= now {
        let text = "Google did not finish making the Meet link within an hour";
        return fail(visit, Cause::new("meet_timeout", text));
    }
    let until = now + ((now - since) / 2).clamp(SOONEST_LOOK, LATEST_LOOK);
    End::Snooze(Until::Moment(until), events::meet_pending())
}

/// There will be no link. The event stays as it is.
fn fail(visit: &mut Visit, cause: Cause) -> End {
    visit.known.meet = Meet::Failed(cause);
    End::Done
}

fn pending_since(visit: &Visit) -> DateTime<Utc> {
    match visit.known.meet {
        Meet::Pending { since: Some(since), .. } => since,
        _ => visit.app.clock.now(),
    }
}
