//! Makes Google's copy of an event agree with what is wanted: exactly one event, with its Meet link.
//!
//! Whatever happened to earlier runs, a run looks before it believes: the id at Google is fixed
//! before the first call, an insert that may have arrived is read back, and only a stamp of our own
//! makes an event ours (promise 2).

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Map;

use super::verdict::{cause_of, end_of, end_of_own};
use crate::app::{App, Error, Links, Profile, connections, events, tokens};
use crate::google::error::{Failure, Verdict};
use crate::google::events::{Conference, Copy, Events, Stamp, conference_request, members};
use crate::google::oauth::AccessToken;
use crate::model::connection::Connection;
use crate::model::event::{Content, Copied, Event, Known, Meet, Notify, Presence};
use crate::model::id::{EventId, base32hex, digest_of};
use crate::model::job::{Cause, End, Obstacle, Until};
use crate::store::Learned;

/// A conference is asked for this many times before its failure is told.
const MOST_CONFERENCES: u32 = 3;
/// A conference that is pending for longer will not come.
const LONGEST_PENDING: TimeDelta = TimeDelta::hours(1);

/// A pending conference is looked at again after half the time that it took so far: often while
/// somebody waits for it, seldom when it takes long; but within these bounds.
const SOONEST_LOOK: TimeDelta = TimeDelta::seconds(1);
const LATEST_LOOK: TimeDelta = TimeDelta::seconds(60);

/// Runs once for `id`, whose job has `spent` attempts so far.
pub async fn run(app: &App, id: EventId, spent: u32) -> (End, Option<Learned>) {
    let mut push = match Push::load(app, id).await {
        Ok(push) => push,
        Err(error) => return (end_of_own(&error), None),
    };
    let seen = push.event.wanted.revision;
    let end = match connections::obstacle(&push.connection) {
        Some(cause) => End::Block(Obstacle::Connection(push.connection.id), cause),
        None => push.go(spent).await,
    };
    if let End::GiveUp(cause) = &end {
        push.known.copy = Copied::Refused(cause.clone());
        push.known.applied = seen;
    }
    (end, Some(Learned { seen, known: push.known }))
}

/// One run.
struct Push<'a> {
    app: &'a App,
    event: Event,
    content: Content,
    connection: Connection,
    profile: Profile,
    known: Known,
    links: Links,
}

/// What a Meet link calls for.
enum MeetNext {
    /// Nothing: it is there, or unwanted, or has failed.
    Rest,
    /// A look at it later.
    Wait { until: DateTime<Utc>, cause: Cause },
    /// Another conference, after `tries` of them.
    AskAgain { tries: u32, cause: Cause },
}

impl<'a> Push<'a> {
    async fn load(app: &'a App, id: EventId) -> Result<Self, Error> {
        let event = app.store.event(id).await?.ok_or(Error::NotFound("event"))?;
        let connection = app.store.connection(event.placement.connection).await?;
        let connection = connection.ok_or(Error::NotFound("connection"))?;
        let content = app.content(&event)?;
        let profile = app.profile(&connection)?;
        let links = app.links(&event)?;
        Ok(Self { app, known: event.known.clone(), event, content, connection, profile, links })
    }

    /// Agrees with Google, with a fresh token if Google does not take the first.
    async fn go(&mut self, spent: u32) -> End {
        for last in [false, true] {
            let token = match tokens::access(self.app, &self.connection).await {
                Ok(token) => token,
                Err(Error::Google(failure)) => {
                    return end_of(self.app, &self.connection, &failure, spent).await;
                }
                Err(error) => return end_of_own(&error),
            };
            match self.agree(&token).await {
                Ok(end) => return end,
                Err(Error::Google(failure))
                    if failure.verdict == Verdict::TokenRejected && !last =>
                {
                    tokens::reject(self.app, &self.connection, &token).await;
                }
                Err(Error::Google(failure)) => {
                    return end_of(self.app, &self.connection, &failure, spent).await;
                }
                Err(error) => return end_of_own(&error),
            }
        }
        unreachable!("the second turn returns")
    }

    async fn agree(&mut self, token: &AccessToken) -> Result<End, Error> {
        let applied = self.known.applied == self.event.wanted.revision;
        match (self.event.wanted.presence, &self.known.copy) {
            (_, Copied::Cancelled | Copied::RemovedInGoogle) => Ok(self.rest()),
            (Presence::Absent, Copied::Present) => self.delete(token).await,
            (Presence::Absent, Copied::Awaited | Copied::Refused(_)) => self.withdraw(token).await,
            (Presence::Present, Copied::Awaited | Copied::Refused(_)) => self.insert(token).await,
            (Presence::Present, Copied::Present) if applied => self.follow_meet(token).await,
            (Presence::Present, Copied::Present) => self.update(token).await,
        }
    }

    /// Writes the event for the first time, or finds that an earlier run did.
    async fn insert(&mut self, token: &AccessToken) -> Result<End, Error> {
        let request = match self.known.meet {
            Meet::Pending { tries, .. } => Some(self.request_id(tries)),
            _ => None,
        };
        let (id, stamp, notify) = (self.known.google_id, self.stamp(), self.notify());
        let inserted = self
            .calendar(token)
            .insert(id, &self.content, &stamp, request.as_deref(), notify)
            .await;
        match inserted {
            Ok(copy) => {
                self.known.applied = self.event.wanted.revision;
                self.conclude(token, copy).await
            }
            Err(failure)
                if failure.verdict == Verdict::ConferenceNotAllowed && request.is_some() =>
            {
                self.known.meet = Meet::Failed(cause_of(&failure));
                Box::pin(self.insert(token)).await
            }
            Err(failure)
                if matches!(
                    failure.verdict,
                    Verdict::Duplicate | Verdict::Unknown | Verdict::Outage
                ) =>
            {
                self.read_back(token, failure).await
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// Looks whether an insert arrived that brought no answer, or was refused because its id is
    /// taken.
    async fn read_back(&mut self, token: &AccessToken, failure: Failure) -> Result<End, Error> {
        let copy = match self.calendar(token).get(self.known.google_id).await {
            Ok(copy) => copy,
            // Not there yet, or not there at all: the same id again, later.
            Err(missing) if missing.verdict == Verdict::NotFound => match failure.verdict {
                Verdict::Duplicate => return Ok(End::Retry(cause_of(&failure))),
                _ => return Err(failure.into()),
            },
            Err(other) => return Err(other.into()),
        };
        if !self.is_ours(&copy) {
            return Ok(self.step_aside());
        }
        if copy.cancelled {
            return Ok(self.removed());
        }
        let same = copy
            .stamp
            .as_ref()
            .is_some_and(|stamp| stamp.fingerprint == self.event.wanted.fingerprint);
        if same || self.event.wanted.revision == 1 {
            // A first revision found again under another fingerprint was changed by a later one that
            // this store has lost: it is taken as it stands.
            self.known.applied = self.event.wanted.revision;
            return self.conclude(token, copy).await;
        }
        self.known.copy = Copied::Present;
        self.write(token, copy).await
    }

    /// Somebody else's event holds our id: the next id, stored before it is used.
    fn step_aside(&mut self) -> End {
        self.known.generation += 1;
        self.known.google_id = events::google_id(
            self.event.id,
            &self.profile,
            &self.content.calendar,
            self.known.generation,
        );
        let cause = Cause::new(
            "foreign_event",
            "another event holds this event's id at Google; the next id is tried",
        );
        End::Snooze(Until::Moment(self.app.clock.now()), cause)
    }

    /// Changes what Google has.
    async fn update(&mut self, token: &AccessToken) -> Result<End, Error> {
        let copy = match self.calendar(token).get(self.known.google_id).await {
            Ok(copy) if copy.cancelled => return Ok(self.removed()),
            Ok(copy) => copy,
            Err(failure) if matches!(failure.verdict, Verdict::NotFound | Verdict::Gone) => {
                return Ok(self.removed());
            }
            Err(failure) => return Err(failure.into()),
        };
        self.write(token, copy).await
    }

    /// Patches `copy`, as it was just read, unless it says what is wanted already.
    async fn write(&mut self, token: &AccessToken, copy: Copy) -> Result<End, Error> {
        let stamp = self.stamp();
        if copy.stamp.as_ref() == Some(&stamp) {
            self.known.applied = self.event.wanted.revision;
            return self.conclude(token, copy).await;
        }
        let members = members(&self.content, &stamp, &copy.attendees);
        let (id, etag) = (self.known.google_id, copy.etag.as_deref());
        let copy = self.calendar(token).patch(id, members, etag, self.notify()).await?;
        self.known.applied = self.event.wanted.revision;
        self.conclude(token, copy).await
    }

    /// Looks after a Meet link that was asked for and is not there yet.
    async fn follow_meet(&mut self, token: &AccessToken) -> Result<End, Error> {
        if !matches!(self.known.meet, Meet::Pending { .. }) {
            return Ok(self.rest());
        }
        match self.calendar(token).get(self.known.google_id).await {
            Ok(copy) if copy.cancelled => Ok(self.removed()),
            Ok(copy) => self.conclude(token, copy).await,
            Err(failure) if matches!(failure.verdict, Verdict::NotFound | Verdict::Gone) => {
                Ok(self.removed())
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// Learns from `copy`, and asks for another conference for as long as that makes sense.
    async fn conclude(&mut self, token: &AccessToken, mut copy: Copy) -> Result<End, Error> {
        loop {
            let (tries, cause) = match self.learn(&copy)? {
                MeetNext::Rest => return Ok(End::Done),
                MeetNext::Wait { until, cause } => {
                    return Ok(End::Snooze(Until::Moment(until), cause));
                }
                MeetNext::AskAgain { tries, cause } => (tries, cause),
            };
            if tries >= MOST_CONFERENCES {
                self.known.meet = Meet::Failed(cause);
                return Ok(End::Done);
            }
            let request = conference_request(&self.request_id(tries));
            let members = Map::from_iter([("conferenceData".to_owned(), request)]);
            let (id, etag) = (self.known.google_id, copy.etag.as_deref());
            let patched = self.calendar(token).patch(id, members, etag, Notify::None).await;
            copy = match patched {
                Ok(copy) => copy,
                Err(failure) if failure.verdict == Verdict::ConferenceNotAllowed => {
                    self.known.meet = Meet::Failed(cause_of(&failure));
                    return Ok(End::Done);
                }
                Err(failure) => return Err(failure.into()),
            };
            self.known.meet = Meet::Pending { tries: tries + 1, since: None };
        }
    }

    /// Takes the event out of the calendar.
    async fn delete(&mut self, token: &AccessToken) -> Result<End, Error> {
        match self.calendar(token).delete(self.known.google_id, self.notify()).await {
            Ok(()) => {}
            Err(failure) if matches!(failure.verdict, Verdict::NotFound | Verdict::Gone) => {}
            Err(failure) => return Err(failure.into()),
        }
        self.known.copy = Copied::Cancelled;
        Ok(self.rest())
    }

    /// Cancels an event that was never seen at Google, where an insert may nonetheless have arrived.
    async fn withdraw(&mut self, token: &AccessToken) -> Result<End, Error> {
        match self.calendar(token).get(self.known.google_id).await {
            Ok(copy) if self.is_ours(&copy) && !copy.cancelled => self.delete(token).await,
            Ok(_) => {
                self.known.copy = Copied::Cancelled;
                Ok(self.rest())
            }
            Err(failure) if matches!(failure.verdict, Verdict::NotFound | Verdict::Gone) => {
                self.known.copy = Copied::Cancelled;
                Ok(self.rest())
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// Learns from Google's copy that the event is there, and what its Meet link calls for.
    fn learn(&mut self, copy: &Copy) -> Result<MeetNext, Error> {
        self.known.copy = Copied::Present;
        let next = match self.known.meet {
            Meet::Pending { tries, since } => self.learn_meet(copy, tries.max(1), since),
            Meet::Unwanted | Meet::Ready | Meet::Failed(_) => MeetNext::Rest,
        };
        self.links.event.clone_from(&copy.html_link);
        self.known.version += 1;
        self.known.links =
            Some(self.app.seal_links(&self.event, self.known.version, &self.links)?);
        Ok(next)
    }

    fn learn_meet(&mut self, copy: &Copy, tries: u32, since: Option<DateTime<Utc>>) -> MeetNext {
        let now = self.app.clock.now();
        let since = since.unwrap_or(now);
        self.known.meet = Meet::Pending { tries, since: Some(since) };
        match &copy.conference {
            Conference::Ready(link) => {
                self.links.meet = Some(link.clone());
                self.known.meet = Meet::Ready;
                MeetNext::Rest
            }
            Conference::Pending if since + LONGEST_PENDING <= now => {
                let text = "Google did not finish making the Meet link within an hour";
                self.known.meet = Meet::Failed(Cause::new("meet_timeout", text));
                MeetNext::Rest
            }
            Conference::Pending => {
                let until = now + ((now - since) / 2).clamp(SOONEST_LOOK, LATEST_LOOK);
                let cause = Cause::new("meet_pending", "Google is still making the Meet link");
                MeetNext::Wait { until, cause }
            }
            Conference::Failed(reason) => {
                let text = format!("Google could not make a Meet link: {reason}");
                MeetNext::AskAgain { tries, cause: Cause::new("meet_failed", text) }
            }
            Conference::None => {
                let text = "Google made the event without the Meet link that was asked for";
                MeetNext::AskAgain { tries, cause: Cause::new("meet_missing", text) }
            }
        }
    }

    fn removed(&mut self) -> End {
        self.known.copy = Copied::RemovedInGoogle;
        self.rest()
    }

    /// Nothing more is to be done for the revision that this run read.
    fn rest(&mut self) -> End {
        self.known.applied = self.event.wanted.revision;
        End::Done
    }

    fn is_ours(&self, copy: &Copy) -> bool {
        let ours = |stamp: &Stamp| {
            stamp.event == self.event.id && stamp.namespace == self.app.settings.namespace
        };
        copy.stamp.as_ref().is_some_and(ours)
    }

    fn stamp(&self) -> Stamp {
        Stamp {
            event: self.event.id,
            namespace: self.app.settings.namespace.clone(),
            fingerprint: self.event.wanted.fingerprint,
        }
    }

    /// Nobody wants mail about an event that is over.
    fn notify(&self) -> Notify {
        let over = self.content.span.end().instant() <= self.app.clock.now();
        if over { Notify::None } else { self.content.notify }
    }

    /// The `requestId` of the event's `tries`th conference: the same for a repeated request, which
    /// Google then ignores, and another for a new one.
    fn request_id(&self, tries: u32) -> String {
        let google_id = self.known.google_id.as_u128().to_be_bytes();
        let digest = digest_of(&[b"calbridge/conference/v1", &google_id, &tries.to_be_bytes()]);
        base32hex(&digest[..16])
    }

    fn calendar<'b>(&'b self, token: &'b AccessToken) -> Events<'b> {
        self.app.google.events(token, &self.content.calendar)
    }
}
