//! Items are kept, with what belongs to them, and listed.

use calbridge::model::id::{EventId, ItemId};
use calbridge::model::item::{Item, Noun, Thing};
use calbridge::model::owner::Owner;
use calbridge::store::contract::examples::{after, digest, item, sealed, user, wanted};
use calbridge::store::{Accept, Asked, Backlog, EventStore, ItemStore, Mark, Request, Step, Store};

use super::Pair;

const ITEMS: u64 = 8;

impl Pair {
    async fn some_item(&self) -> Item {
        let made = item(u128::from(self.below(ITEMS)));
        let stored = self.memory.item(made.id).await.unwrap();
        let version = stored.as_ref().map_or(0, |stored| stored.version);
        let owners = [Owner::Application, user("ana"), user("bo")];
        let noun = Noun::ALL[usize::from(self.small(4))];
        let of = things()[usize::from(self.small(3))];
        Item {
            noun,
            of: of.filter(|_| matches!(noun, Noun::Reminder | Noun::Delivery)),
            owner: owners[usize::from(self.small(3))].clone(),
            shared: (self.below(2) == 0).then(|| owners[usize::from(self.small(3))].clone()),
            created: after(self.seconds(4)),
            version: version + u32::from(self.below(6) > 0),
            state: self.small(3),
            at: (self.below(3) > 0).then(|| after(self.seconds(90))),
            gone: (self.below(4) == 0).then(|| after(self.now)),
            sealed: (self.below(4) > 0).then(|| sealed(usize::from(self.small(200)))),
            ..made
        }
    }

    async fn some_step(&mut self) -> Step {
        let mut step = Step { items: vec![self.some_item().await], ..Step::default() };
        if self.below(3) == 0 {
            step.items.push(self.some_item().await);
            step.items.dedup_by_key(|item| item.id);
        }
        if self.below(2) == 0 {
            let Accept { event, job, .. } = self.some_accept();
            step.accepts.push((event, job));
        }
        if self.below(2) == 0 {
            let id = self.some_event();
            let stored = self.memory.event(id).await.unwrap();
            let revision = stored.map_or(1, |event| event.wanted.revision) + 1;
            if step.accepts.iter().all(|(event, _)| event.id != id) {
                let job = self.some_push(id);
                step.changes.push((id, wanted(revision), job));
            }
        }
        step.request = (self.below(2) == 0).then(|| {
            let request = Request {
                key: digest(100 + self.small(9)),
                body: digest(self.small(2)),
                expires: after(self.now + self.seconds(300)),
            };
            (request, step.items[0].id)
        });
        step
    }

    pub(super) async fn item(&mut self, at: &str) {
        let mut steps = Vec::new();
        for _ in 0..=self.below(3) {
            steps.push(self.some_step().await);
        }
        let backlog = Backlog { all: 6 + self.below(20), owner: 2 + self.below(9) };
        let now = after(self.now);
        let memory = self.memory.keep(steps.clone(), backlog, now).await;
        assert_eq!(self.disk().keep(steps, backlog, now).await, memory, "{at}: keep");
    }

    pub(super) async fn compare_items(&self, at: &str) {
        let (memory, disk) = (&self.memory, self.disk());
        for n in 0..ITEMS {
            let id = ItemId::from_u128(n.into());
            assert_eq!(disk.item(id).await, memory.item(id).await, "{at}: item {n}");
        }
        for thing in things().into_iter().flatten() {
            let expected = every_attached(memory, thing).await;
            assert_eq!(every_attached(disk, thing).await, expected, "{at}: of {thing:?}");
        }
        for noun in Noun::ALL {
            for owner in [Owner::Application, user("ana"), user("bo")] {
                let asked = Asked { from: Some(after(20)), ..Asked::all(noun, owner) };
                let expected = every_item(memory, &asked).await;
                assert_eq!(every_item(disk, &asked).await, expected, "{at}: {asked:?}");
            }
        }
    }
}

/// What an item may belong to.
fn things() -> [Option<Thing>; 3] {
    [None, Some(Thing::Item(ItemId::from_u128(1))), Some(Thing::Event(EventId::from_u128(1)))]
}

/// What belongs to a thing, on every page.
async fn every_attached(store: &dyn Store, thing: Thing) -> Vec<Item> {
    let (mut found, mut mark) = (Vec::new(), None::<Mark>);
    loop {
        let (page, next) = store.attached(thing, mark, 2).await.unwrap();
        found.extend(page);
        match next {
            Some(_) => mark = next,
            None => return found,
        }
    }
}

/// The items of every page.
async fn every_item(store: &dyn Store, asked: &Asked) -> Vec<Item> {
    let (mut found, mut mark) = (Vec::new(), None::<Mark>);
    loop {
        let (page, next) = store.items(asked, mark, 2).await.unwrap();
        found.extend(page);
        match next {
            Some(_) => mark = next,
            None => return found,
        }
    }
}
