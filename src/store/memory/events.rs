//! Events in memory.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{MemoryStore, State};
use crate::model::event::{Event, Wanted};
use crate::model::id::EventId;
use crate::model::job::NewJob;
use crate::store::{
    Accept, Accepted, Backlog, Change, Changed, EventFilter, EventStore, History, Place,
    StoreError, fits,
};

#[async_trait]
impl EventStore for MemoryStore {
    async fn accept(
        &self,
        accepts: Vec<Accept>,
        backlog: Backlog,
        now: DateTime<Utc>,
    ) -> Result<Vec<Accepted>, StoreError> {
        for Accept { event, job, .. } in &accepts {
            fits([&event.wanted.content])?;
            fits(&event.known.links)?;
            fits(&job.payload)?;
        }
        let mut state = self.state();
        let mut told = Vec::new();
        let take = |accept| state.take_in(accept, backlog, now, &mut told);
        let accepted = accepts.into_iter().map(take).collect();
        drop(state);
        self.changes.tell(told);
        Ok(accepted)
    }

    async fn event(&self, id: EventId) -> Result<Option<Event>, StoreError> {
        Ok(self.state().events.get(&id).cloned())
    }

    async fn events(
        &self,
        filter: &EventFilter,
        after: Option<Place>,
        most: usize,
    ) -> Result<(Vec<Event>, Option<Place>), StoreError> {
        let place = |event: &Event| Place { created: event.created, id: event.id };
        let state = self.state();
        let mut found: Vec<_> = state.events.values().filter(|event| filter.lets(event)).collect();
        found.retain(|event| after.is_none_or(|after| place(event) > after));
        found.sort_unstable_by_key(|event| place(event));
        let more = found.len() > most;
        found.truncate(most);
        let last = found.last().map(|event| place(event)).or(after);
        Ok((found.into_iter().cloned().collect(), last.filter(|_| more)))
    }

    async fn history(&self, id: EventId) -> Result<Option<History>, StoreError> {
        Ok(self.state().histories.get(&id).cloned())
    }

    async fn change(
        &self,
        id: EventId,
        wanted: Wanted,
        job: NewJob,
    ) -> Result<Changed, StoreError> {
        fits([&wanted.content])?;
        fits(&job.payload)?;
        let mut told = Vec::new();
        let changed = self.state().change(id, wanted, job, &mut told);
        self.changes.tell(told);
        Ok(changed)
    }
}

impl State {
    pub(super) fn change(
        &mut self,
        id: EventId,
        wanted: Wanted,
        job: NewJob,
        told: &mut Vec<Change>,
    ) -> Changed {
        let Some(mut event) = self.events.get(&id).cloned() else { return Changed::Missing };
        if event.wanted.revision + 1 != wanted.revision {
            return Changed::Overtaken;
        }
        let before = event.wanted.presence;
        event.wanted = wanted;
        self.histories.entry(id).or_default().change(before, &event);
        let (job, line) = self.enqueue(job);
        event.job = job;
        self.events.insert(id, event.clone());
        told.extend([Change::Line(line), Change::Event(id)]);
        Changed::Yes(event)
    }

    pub(super) fn take_in(
        &mut self,
        accept: Accept,
        backlog: Backlog,
        now: DateTime<Utc>,
        told: &mut Vec<Change>,
    ) -> Accepted {
        let Accept { event, job, request } = accept;
        // A request whose event was forgotten meanwhile is a new one.
        if let Some(request) = &request
            && let Some((earlier, event)) = self.requests.get(&request.key)
            && let Some(event) = self.events.get(event)
            && earlier.expires > now
        {
            let same = earlier.body == request.body;
            return if same { Accepted::Repeated(event.clone()) } else { Accepted::OtherBody };
        }
        let known = self.events.get(&event.id).cloned();
        let owned = self.owners.get(&job.line.owner).copied().unwrap_or(0);
        if known.is_none()
            && let Some(crowd) = backlog.refuses(self.live.len() as u64, owned)
        {
            return Accepted::NoRoom(crowd);
        }
        if let Some(request) = request {
            self.requests.insert(request.key, (request, event.id));
        }
        if let Some(known) = known {
            return Accepted::Known(known);
        }
        told.extend([Change::Line(job.line.clone()), Change::Event(event.id)]);
        self.histories.insert(event.id, History::begin(&event));
        self.events.insert(event.id, event.clone());
        self.enqueue(job);
        Accepted::New(event)
    }
}
