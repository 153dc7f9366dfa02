//! Items in memory.

use std::convert::Infallible;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{MemoryStore, State};
use crate::model::id::ItemId;
use crate::model::item::{Item, Noun, Thing};
use crate::store::item::named;
use crate::store::{
    Accept, Accepted, Asked, Backlog, Change, Changed, ItemStore, Kept, Mark, Request, Step,
    StoreError,
};

/// Room for what was found to fit.
const ROOM: Backlog = Backlog { all: u64::MAX, owner: u64::MAX };

#[async_trait]
impl ItemStore for MemoryStore {
    async fn item(&self, id: ItemId) -> Result<Option<Item>, StoreError> {
        Ok(self.state().items.get(&id).cloned())
    }

    async fn items(
        &self,
        asked: &Asked,
        after: Option<Mark>,
        most: usize,
    ) -> Result<(Vec<Item>, Option<Mark>), StoreError> {
        let listed = |item: &&Item| {
            let theirs = item.owner == asked.owner || item.shared.as_ref() == Some(&asked.owner);
            theirs && item.noun == asked.noun && item.noun != Noun::Delivery && asked.has(item)
        };
        Ok(self.state().page(listed, after, most))
    }

    async fn attached(
        &self,
        thing: Thing,
        after: Option<Mark>,
        most: usize,
    ) -> Result<(Vec<Item>, Option<Mark>), StoreError> {
        Ok(self.state().page(|item| item.of == Some(thing), after, most))
    }

    async fn known(
        &self,
        request: &Request,
        now: DateTime<Utc>,
    ) -> Result<Option<Kept>, StoreError> {
        Ok(self.state().known(request, now))
    }

    async fn keep(
        &self,
        steps: Vec<Step>,
        backlog: Backlog,
        now: DateTime<Utc>,
    ) -> Result<Vec<Kept>, StoreError> {
        steps.iter().try_for_each(Step::fits)?;
        let mut told = Vec::new();
        let mut state = self.state();
        let take = |step| state.take_step(step, backlog, now, &mut told);
        let kept = steps.into_iter().map(take).collect();
        drop(state);
        self.changes.tell(told);
        Ok(kept)
    }
}

impl State {
    /// A page of the items that are `listed` and not deleted.
    fn page(
        &self,
        listed: impl Fn(&&Item) -> bool,
        after: Option<Mark>,
        most: usize,
    ) -> (Vec<Item>, Option<Mark>) {
        let mark = |item: &Item| (item.created, item.id);
        let there = self.items.values().filter(|item| item.gone.is_none());
        let mut found: Vec<_> = there.filter(listed).cloned().collect();
        found.retain(|item| after.is_none_or(|after| mark(item) > after));
        found.sort_by_key(mark);
        let more = found.len() > most;
        found.truncate(most);
        let next = found.last().map(mark).or(after).filter(|_| more);
        (found, next)
    }

    fn take_step(
        &mut self,
        step: Step,
        backlog: Backlog,
        now: DateTime<Utc>,
        told: &mut Vec<Change>,
    ) -> Kept {
        if let Some(answer) = self.refuse(&step, backlog, now) {
            return answer;
        }
        if let Some((request, item)) = step.request {
            self.requests.insert(request.key, (request, named(item)));
        }
        for item in step.items {
            self.items.insert(item.id, item);
        }
        let mut events = Vec::new();
        for (event, job) in step.accepts {
            let accept = Accept { event, job, request: None };
            if let Accepted::New(event) = self.take_in(accept, ROOM, now, told) {
                events.push(event);
            }
        }
        for (id, wanted, job) in step.changes {
            if let Changed::Yes(event) = self.change(id, wanted, job, told) {
                events.push(event);
            }
        }
        for job in step.jobs {
            let (_, line) = self.enqueue(job);
            told.push(Change::Line(line));
        }
        Kept::Yes(events)
    }

    /// What a request is answered that was seen before.
    fn known(&self, request: &Request, now: DateTime<Utc>) -> Option<Kept> {
        let (earlier, thing) = self.requests.get(&request.key)?;
        let item = self.items.get(&ItemId::from_u128(thing.as_u128()))?;
        if earlier.expires <= now {
            return None;
        }
        let same = earlier.body == request.body;
        Some(if same { Kept::Known(Box::new(item.clone())) } else { Kept::OtherBody })
    }

    /// Why nothing of the step is to be stored, if nothing is.
    fn refuse(&mut self, step: &Step, backlog: Backlog, now: DateTime<Utc>) -> Option<Kept> {
        if let Some((request, id)) = &step.request {
            if let Some(answer) = self.known(request, now) {
                return Some(answer);
            }
            if step.makes(*id)
                && let Some(item) = self.items.get(id).cloned()
            {
                self.requests.insert(request.key, (*request, named(*id)));
                return Some(Kept::Known(Box::new(item)));
            }
        }
        let version = |id| self.items.get(id).map_or(0, |item| item.version);
        let revision = |id| self.events.get(id).map(|event| event.wanted.revision);
        let as_expected = step.items.iter().all(|item| version(&item.id) + 1 == item.version)
            && step.accepts.iter().all(|(event, _)| !self.events.contains_key(&event.id))
            && step.changes.iter().all(|(id, wanted, _)| {
                revision(id).is_some_and(|stored| stored + 1 == wanted.revision)
            });
        if !as_expected {
            return Some(Kept::Overtaken);
        }
        let owned = |owner: &_| Ok::<_, Infallible>(self.owners.get(owner).copied().unwrap_or(0));
        let Ok(crowd) = step.crowd(backlog, self.live.len() as u64, owned);
        crowd.map(Kept::NoRoom)
    }
}
