//! Events are taken in and changed.

use calbridge::model::event::{Presence, Wanted};
use calbridge::store::contract::examples::{accept, after, digest, sealed, wanted};
use calbridge::store::{Accept, Backlog, EventStore, Request};
use chrono::TimeDelta;

use super::Pair;

impl Pair {
    pub(super) fn some_accept(&mut self) -> Accept {
        let id = self.some_event();
        let job = self.some_push(id);
        let mut accept = Accept { job, ..accept(id.as_u128()) };
        accept.event.job = accept.job.id;
        accept.event.owner = accept.job.line.owner.clone();
        accept.event.created = after(self.now - self.seconds(3));
        accept.event.wanted = self.some_wanted(1);
        accept.event.wanted.content = sealed(usize::from(self.small(250)) * 130);
        accept.request = (self.below(3) > 0).then(|| Request {
            key: digest(self.small(20)),
            body: digest(self.small(2)),
            expires: after(self.now + self.seconds(300)),
        });
        accept
    }

    fn some_wanted(&self, revision: u32) -> Wanted {
        let presence = if self.below(4) == 0 { Presence::Absent } else { Presence::Present };
        let since = after(self.now);
        let over = after(self.now + self.seconds(200) - 50);
        let starts = over - TimeDelta::seconds(self.seconds(60));
        Wanted { presence, since, starts, over, ..wanted(revision) }
    }

    pub(super) async fn accept(&mut self, at: &str) {
        let many = 1 + self.below(3) * self.below(2);
        let accepts: Vec<_> = (0..many).map(|_| self.some_accept()).collect();
        let backlog = Backlog { all: 6 + self.below(20), owner: 2 + self.below(9) };
        let now = after(self.now);
        let memory = self.memory.accept(accepts.clone(), backlog, now).await;
        assert_eq!(self.disk().accept(accepts, backlog, now).await, memory, "{at}: accept");
    }

    pub(super) async fn change(&mut self, at: &str) {
        let id = self.some_event();
        let stored = self.memory.event(id).await.unwrap().map_or(1, |event| event.wanted.revision);
        let wanted = self.some_wanted(stored + u32::from(self.below(5) > 0));
        let job = self.some_push(id);
        let memory = self.memory.change(id, wanted.clone(), job.clone()).await;
        assert_eq!(self.disk().change(id, wanted, job).await, memory, "{at}: change");
    }
}
