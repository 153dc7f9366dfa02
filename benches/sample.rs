//! Events as a busy bridge meets them: of many users, 1 KB of sealed content, each under a request
//! key of its own.

use std::sync::atomic::{AtomicU64, Ordering};

use calbridge::model::event::{Event, Placement, Source, Wanted};
use calbridge::model::id::{ConnectionId, EventId, InstanceId, JobId, digest_of};
use calbridge::model::job::{Class, Kind, Line, NewJob};
use calbridge::model::key::Digest;
use calbridge::store::contract::examples::{NOON, after, known, learned, sealed, user, wanted};
use calbridge::store::{Accept, Fate, Ran, Request};
use chrono::TimeDelta;

/// Bytes of sealed content.
const CONTENT: usize = 1_024;
const USERS: u64 = 200;

/// The name of a store that is made to be measured.
pub fn name() -> InstanceId {
    InstanceId::from_u128(1)
}

/// Events without end, none twice.
#[derive(Default)]
pub struct Sample(AtomicU64);

impl Sample {
    /// Those from this number on.
    pub fn from(number: u64) -> Self {
        Self(AtomicU64::new(number))
    }

    /// So many of the next.
    pub fn many(&self, most: usize) -> Vec<Accept> {
        (0..most).map(|_| self.next()).collect()
    }

    /// The next event. Ids of events follow from no order, as in life; those of jobs do, and one comes
    /// after the other, in the month before noon.
    pub fn next(&self) -> Accept {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        let hash = scatter(number);
        let id = u128::from_be_bytes(*hash.first_chunk().expect("a digest has 32 bytes"));
        let user_number = number % USERS;
        let later = TimeDelta::milliseconds(number.try_into().expect("not that many"));
        let created = NOON - TimeDelta::days(30) + later;
        let job = JobId::from_u128(u128::from(number + 1) << 64);
        let event = Event {
            id: EventId::from_u128(id),
            owner: user(&format!("user-{user_number}")),
            placement: Placement {
                connection: ConnectionId::from_u128(u128::from(user_number) + 1),
                calendar: 7,
            },
            created,
            source: Source::Api,
            instance: None,
            job,
            wanted: Wanted { content: sealed(CONTENT), ..wanted(1) },
            known: known(0),
        };
        let line =
            Line { class: Class::Interactive, owner: event.owner.clone(), lane: event.lane() };
        let kind = Kind::PushEvent { event: event.id };
        let job = NewJob { id: job, kind, line, created, due: created, payload: None };
        let expires = after(0) + TimeDelta::hours(72) + later;
        let request = Request { key: scatter(!number), body: hash, expires };
        Accept { event, job, request: Some(request) }
    }
}

/// A run that wrote the event to Google.
pub fn ran() -> Ran {
    Ran { fate: Fate::Done, learned: learned(1), then: None }
}

fn scatter(number: u64) -> Digest {
    digest_of(&[&number.to_be_bytes()])
}
