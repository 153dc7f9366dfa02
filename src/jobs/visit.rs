//! One run for an event: what is wanted of it, what is known of Google's copy, and the way there.
//!
//! What a run learns stands in `known` alone. It is stored with the run's end, or not at all, so a
//! crash at any point leaves a run that can be made again.

use std::future::Future;
use std::pin::Pin;

use chrono::{DateTime, Utc};

use super::verdict::{cause_of, end_of, end_of_own};
use crate::app::{App, Error, Links, Profile, connections, tokens};
use crate::google::error::{Failure, Verdict};
use crate::google::events::{Conference, Copy, Events, Stamp};
use crate::google::oauth::AccessToken;
use crate::model::connection::Connection;
use crate::model::event::{Content, Copied, Event, GoogleName, Known, Meet, Meeting};
use crate::model::id::{EventId, JobId, base32hex, digest_of};
use crate::model::job::{Class, End, Job, Kind, Line, NewJob, Obstacle};

/// An event that was there and is not found is looked for this often again before that is believed, in
/// a quarter of a minute at least: a read at Google may lag behind a write.
const MOST_MISSING: u32 = 5;

/// One run.
pub struct Visit {
    pub app: App,
    /// The event as it was when the run began.
    pub event: Event,
    pub content: Content,
    pub profile: Profile,
    /// What is known of Google's copy by now.
    pub known: Known,
    /// Work that follows, kept with the run's end.
    pub then: Option<NewJob>,
    links: Links,
    connection: Connection,
    class: Class,
    /// Attempts that the job has spent so far.
    spent: u32,
}

/// What a visit is made for.
pub type Errand = for<'v> fn(
    &'v mut Visit,
    &'v AccessToken,
) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'v>>;

/// How an errand ends.
pub type Outcome = Result<End, Error>;

impl Visit {
    /// Prepares a run of `job`, which is about the event `id`.
    pub async fn prepare(app: App, job: &Job, id: EventId) -> Result<Self, Error> {
        let event = app.store.event(id).await?.ok_or(Error::NotFound("event"))?;
        let connection = app.store.connection(event.placement.connection).await?;
        let connection = connection.ok_or(Error::NotFound("connection"))?;
        Ok(Self {
            content: app.content(&event)?,
            profile: app.profile(&connection)?,
            links: app.links(&event)?,
            known: event.known.clone(),
            then: None,
            class: job.line.class,
            spent: job.spent,
            app,
            event,
            connection,
        })
    }

    /// Runs the errand, with a fresh token if Google does not take the first.
    pub async fn go(&mut self, errand: Errand) -> End {
        if let Some(cause) = connections::obstacle(&self.app, &self.connection) {
            return End::Block(Obstacle::Connection(self.connection.id), cause);
        }
        let mut rejected = false;
        loop {
            let failed = match tokens::access(&self.app, &self.connection).await {
                Ok(token) => match errand(self, &token).await {
                    Ok(end) => return end,
                    Err(Error::Google(failure))
                        if failure.verdict == Verdict::TokenRejected && !rejected =>
                    {
                        rejected = true;
                        tokens::reject(&self.app, &self.connection, &token).await;
                        continue;
                    }
                    Err(error) => error,
                },
                Err(error) => error,
            };
            return match failed {
                Error::Google(failure) => {
                    end_of(&self.app, &self.connection, &failure, self.spent).await
                }
                error => end_of_own(&error),
            };
        }
    }

    /// Learns from Google's copy that the event is there, and where its Meet link stands. A
    /// link that is not there yet stays pending.
    pub fn learn(&mut self, copy: &Copy) -> Result<(), Error> {
        self.known.copy = Copied::Present;
        if let Meet::Pending { tries, since } = self.known.meet {
            self.known.meet = match &copy.conference {
                Conference::Ready(link) => {
                    self.links.meet = Some(link.clone());
                    Meet::Ready
                }
                _ => Meet::Pending {
                    tries: tries.max(1),
                    since: since.or(Some(self.app.clock.now())),
                },
            };
        }
        self.links.event.clone_from(&copy.html_link);
        self.known.version += 1;
        self.known.links =
            Some(self.app.seal_links(&self.event, self.known.version, &self.links)?);
        Ok(())
    }

    /// Makes what is known of the Meet link agree with what is wanted of the meeting: it is only looked
    /// for where one is wanted.
    pub fn settle_meeting(&mut self) {
        match (&self.content.meeting, &self.known.meet) {
            (Meeting::Meet, Meet::Unwanted) => {
                self.known.meet = Meet::Pending { tries: 0, since: None };
            }
            (Meeting::Meet, _) | (_, Meet::Unwanted) => {}
            (Meeting::None | Meeting::Own { .. }, _) => {
                self.known.meet = Meet::Unwanted;
                self.links.meet = None;
            }
        }
    }

    /// The `requestId` to ask for a Meet link with, where one is to be made and `there` is none.
    pub fn meet_request(&self, there: &Conference) -> Option<String> {
        let none = matches!(there, Conference::None | Conference::Other(_));
        match self.known.meet {
            Meet::Pending { tries, .. } if none => Some(self.request_id(tries)),
            _ => None,
        }
    }

    /// Leaves a Meet link that is not there yet to a job of its own, due at `due`.
    pub fn leave_meet_to(&mut self, due: DateTime<Utc>) {
        let now = self.app.clock.now();
        self.then = Some(NewJob {
            id: JobId::at(now, &*self.app.random),
            kind: Kind::FollowMeet { event: self.event.id },
            line: Line {
                class: self.class,
                owner: self.event.owner.clone(),
                lane: self.event.lane(),
            },
            created: now,
            due,
            payload: None,
        });
    }

    /// Somebody took the event out at Google: it is not brought back.
    pub fn removed(&mut self) -> End {
        self.known.copy = Copied::RemovedInGoogle;
        self.rest()
    }

    /// What a failed call says of an event that was there: if it is gone, somebody took it out.
    pub fn missing(&mut self, failure: Failure) -> Outcome {
        match failure.verdict {
            Verdict::Gone => Ok(self.removed()),
            Verdict::NotFound if self.spent >= MOST_MISSING => Ok(self.removed()),
            Verdict::NotFound => Ok(End::Retry(cause_of(&failure))),
            _ => Err(failure.into()),
        }
    }

    /// Nothing more is to be done for the revision that this run read.
    pub fn rest(&mut self) -> End {
        self.known.applied = self.event.wanted.revision;
        End::Done
    }

    /// Whether a copy bears our stamp for this event.
    pub fn is_ours(&self, copy: &Copy) -> bool {
        let ours = |stamp: &Stamp| {
            stamp.event == self.event.id && stamp.namespace == self.app.settings.namespace
        };
        copy.stamp.as_ref().is_some_and(ours)
    }

    /// The stamp that a copy bears once it says what is wanted.
    pub fn stamp(&self) -> Stamp {
        Stamp {
            event: self.event.id,
            namespace: self.app.settings.namespace.clone(),
            fingerprint: self.event.wanted.fingerprint,
        }
    }

    /// The `requestId` of the `tries`th conference of this revision: the same for a repeated request,
    /// which Google then ignores, and another for a new one.
    pub fn request_id(&self, tries: u32) -> String {
        let google_id = self.known.google_id.as_u128().to_be_bytes();
        let revision = self.event.wanted.revision.to_be_bytes();
        let tries = tries.to_be_bytes();
        let mut parts: Vec<&[u8]> = vec![b"calbridge/conference/v1", &google_id, &revision, &tries];
        // An instance has a conference of its own, if it needs one.
        let original = self.event.instance.map(|instance| instance.original.to_string());
        parts.extend(original.as_deref().map(str::as_bytes));
        let digest = digest_of(&parts);
        base32hex(&digest[..16])
    }

    /// The event, as calls to Google name it.
    pub fn name(&self) -> GoogleName {
        GoogleName::new(self.known.google_id, self.event.instance)
    }

    /// The event's calendar, as the account of `token` may use it.
    pub fn calendar<'v>(&'v self, token: &'v AccessToken) -> Events<'v> {
        self.app.google.events(token, &self.content.calendar)
    }
}
