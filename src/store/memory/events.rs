//! Events in memory.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{MemoryStore, State};
use crate::model::event::{Event, Wanted};
use crate::model::id::EventId;
use crate::model::job::NewJob;
use crate::store::{Accept, Accepted, Change, Changed, EventStore, StoreError, fits};

#[async_trait]
impl EventStore for MemoryStore {
    async fn accept(&self, accept: Accept, now: DateTime<Utc>) -> Result<Accepted, StoreError> {
        let Accept { event, job, request } = accept;
        fits([&event.wanted.content])?;
        fits(&event.known.links)?;
        fits(&job.payload)?;
        let mut state = self.state();
        if let Some(request) = &request
            && let Some((earlier, event)) = state.requests.get(&request.key)
            && earlier.expires > now
        {
            if earlier.body != request.body {
                return Ok(Accepted::OtherBody);
            }
            return state.known(*event).map(Accepted::Known);
        }
        if let Some(request) = request {
            state.requests.insert(request.key, (request, event.id));
        }
        if let Some(known) = state.events.get(&event.id) {
            return Ok(Accepted::Known(known.clone()));
        }
        let line = job.line.clone();
        state.events.insert(event.id, event.clone());
        state.enqueue(job);
        drop(state);
        self.changes.tell([Change::Line(line), Change::Event(event.id)]);
        Ok(Accepted::New(event))
    }

    async fn event(&self, id: EventId) -> Result<Option<Event>, StoreError> {
        Ok(self.state().events.get(&id).cloned())
    }

    async fn change(
        &self,
        id: EventId,
        wanted: Wanted,
        job: NewJob,
    ) -> Result<Changed, StoreError> {
        fits([&wanted.content])?;
        fits(&job.payload)?;
        let mut state = self.state();
        let Some(mut event) = state.events.get(&id).cloned() else { return Ok(Changed::Missing) };
        if event.wanted.revision + 1 != wanted.revision {
            return Ok(Changed::Overtaken);
        }
        event.wanted = wanted;
        let (job, line) = state.enqueue(job);
        event.job = job;
        state.events.insert(id, event.clone());
        drop(state);
        self.changes.tell([Change::Line(line), Change::Event(id)]);
        Ok(Changed::Yes(event))
    }
}

impl State {
    fn known(&self, id: EventId) -> Result<Event, StoreError> {
        let missing =
            || StoreError::Damaged(format!("a request names the event {id}, which is not there"));
        self.events.get(&id).cloned().ok_or_else(missing)
    }
}
