//! The stores on disk and in a database against the store in memory: whatever is asked of both, in
//! whatever order, they answer the same, also after the one that lasts was closed, or killed, and
//! opened anew.

mod events;
mod items;
mod jobs;

use calbridge::model::administrator::Administrator;
use calbridge::model::connection::Connection;
use calbridge::model::event::Event;
use calbridge::model::id::{EventId, InstanceId, JobId, KeyId};
use calbridge::model::job::{Claim, Class, Job, Kind, Lane, Line, NewJob};
use calbridge::model::key::{ApiKey, Scope, TicketKind};
use calbridge::model::owner::Owner;
use calbridge::random::{CountingRandom, Random};
use calbridge::store::contract::examples::{
    after, connection, digest, event, line_of, push, sealed, some_act, ticket, user,
};
use calbridge::store::memory::MemoryStore;
use calbridge::store::postgres::PostgresStore;
use calbridge::store::sled::SledStore;
use calbridge::store::{
    AccessStore, AdministratorStore, Change, ConnectionStore, EventFilter, EventStore, JobStore,
    Keystone, PeriodStore, Retention, Store, Which,
};
use chrono::TimeDelta;
use tempfile::TempDir;
use tokio::sync::broadcast::Receiver;

use super::damage::copy_at_rest;
use crate::postgres::server;

const STEPS: usize = 1500;
/// So few things that everything meets everything.
const EVENTS: u64 = 12;
const LEASE_SECS: i64 = 40;

/// Both stores, and what was claimed of each, in pairs.
struct Pair {
    random: CountingRandom,
    now: i64,
    jobs: u128,
    memory: MemoryStore,
    lasting: Lasting,
    claims: Vec<(Claim, Claim)>,
    told_by_memory: Receiver<Change>,
    told_by_disk: Receiver<Change>,
}

/// The store that is compared with memory.
enum Lasting {
    /// None only while it is opened anew.
    Disk(Option<SledStore>, TempDir),
    /// And its address, and which process has it.
    Database(PostgresStore, String, u128),
}

#[tokio::test]
async fn disk_and_memory_answer_the_same() {
    for seed in 0..6 {
        let dir = TempDir::new().unwrap();
        let store = super::open(dir.path()).unwrap();
        Box::pin(compare(seed, STEPS, Lasting::Disk(Some(store), dir))).await;
    }
}

#[tokio::test]
async fn a_database_and_memory_answer_the_same() {
    let server = server::shared().await;
    for seed in 6..8 {
        let url = server.database().await;
        let store = server.open(&url, 1).await;
        Box::pin(compare(seed, STEPS / 2, Lasting::Database(store, url, 1))).await;
    }
}

async fn compare(seed: u64, steps: usize, lasting: Lasting) {
    let mut pair = Pair::new(seed, lasting);
    for step in 0..steps {
        pair.step(&format!("seed {seed}, step {step}")).await;
        pair.compare_told(&format!("seed {seed}, step {step}")).await;
    }
    pair.compare_all(&format!("seed {seed}")).await;
}

impl Lasting {
    fn store(&self) -> &dyn Store {
        match self {
            Self::Disk(store, _) => store.as_ref().unwrap(),
            Self::Database(store, ..) => store,
        }
    }
}

impl Pair {
    fn new(seed: u64, lasting: Lasting) -> Self {
        let memory = MemoryStore::new(InstanceId::from_u128(1));
        Self {
            random: CountingRandom::new(seed),
            now: 0,
            jobs: 1000,
            told_by_memory: memory.changes(),
            told_by_disk: lasting.store().changes(),
            memory,
            lasting,
            claims: Vec::new(),
        }
    }

    fn disk(&self) -> &dyn Store {
        self.lasting.store()
    }

    fn below(&self, bound: u64) -> u64 {
        (&self.random as &dyn Random).below(bound)
    }

    fn small(&self, bound: u64) -> u8 {
        u8::try_from(self.below(bound)).unwrap()
    }

    fn seconds(&self, bound: u64) -> i64 {
        i64::try_from(self.below(bound)).unwrap()
    }

    fn some_event(&self) -> EventId {
        EventId::from_u128(u128::from(self.below(EVENTS)))
    }

    /// A job that writes the event, in the line of one of three classes and owners.
    fn some_push(&mut self, id: EventId) -> NewJob {
        self.jobs += 1;
        let event = event(id.as_u128());
        let class = [Class::Interactive, Class::Normal, Class::Bulk][usize::from(self.small(3))];
        let owner =
            [Owner::Application, user("ana"), user("bo")][usize::from(self.small(3))].clone();
        let due = after(self.now + self.seconds(60) - 30);
        let line = Line { class, owner, ..line_of(&event) };
        NewJob { line, ..push(&event, self.jobs, due) }
    }

    async fn some_line(&self) -> Line {
        let lines = self.memory.lines().await.unwrap();
        match lines.len() {
            0 => line_of(&event(1)),
            many => lines[usize::try_from(self.below(many as u64)).unwrap()].clone(),
        }
    }

    async fn step(&mut self, at: &str) {
        self.now += self.seconds(4);
        match self.below(35) {
            0..=3 => self.accept(at).await,
            4..=6 => self.change(at).await,
            7..=11 => self.claim(at).await,
            12..=16 => self.settle(at).await,
            17 => self.renew(at).await,
            18..=21 => self.touch(at).await,
            22 => self.find(at).await,
            23 | 24 => self.link(at).await,
            25 | 26 => self.ticket(at).await,
            27 => self.key_or_keystone(at).await,
            28 => self.recur(at).await,
            29 | 30 => self.prune(at).await,
            31..=33 => self.item(at).await,
            _ if self.below(8) == 0 => self.reopen(at).await,
            _ => self.compare_all(at).await,
        }
    }

    async fn link(&mut self, at: &str) {
        let n = self.below(5).into();
        let stored = self.memory.connection(connection(n, Owner::Application).id).await.unwrap();
        let version = stored.map_or(0, |stored| stored.version) + u32::from(self.below(5) > 0);
        let owner = [Owner::Application, user("ana")][usize::from(self.small(2))].clone();
        let linked = Connection {
            version,
            account: [self.small(3); 16],
            linked: after(self.seconds(9)),
            ..connection(n, owner)
        };
        self.jobs += 1;
        let revoke = NewJob {
            id: JobId::from_u128(self.jobs),
            kind: Kind::RevokeGrant { connection: linked.id, version: u32::from(self.small(2)) },
            line: Line { class: Class::Normal, owner: linked.owner.clone(), lane: Lane::Grants },
            created: after(self.now),
            due: after(self.now),
            payload: (self.below(2) == 0).then(|| sealed(70)),
        };
        let job = (self.below(2) == 0).then_some(revoke);
        let memory = self.memory.put_connection(linked.clone(), job.clone(), some_act()).await;
        assert_eq!(self.disk().put_connection(linked, job, some_act()).await, memory, "{at}: link");
    }

    async fn ticket(&mut self, at: &str) {
        let kind = TicketKind::ALL[usize::from(self.small(5))];
        let ticket = ticket(kind, self.small(6), after(self.now + self.seconds(200)));
        let digest = ticket.digest;
        match self.below(12) {
            9..=10 => {
                let later = after(self.now + self.seconds(300));
                let memory = self.memory.prolong_ticket(kind, &digest, later).await;
                let disk = self.disk().prolong_ticket(kind, &digest, later).await;
                assert_eq!(disk, memory, "{at}: prolong");
            }
            0..=3 => {
                let memory = self.memory.put_ticket(ticket.clone()).await;
                assert_eq!(self.disk().put_ticket(ticket).await, memory, "{at}: put ticket");
            }
            4..=7 => {
                let memory = self.memory.take_ticket(kind, &digest).await;
                assert_eq!(self.disk().take_ticket(kind, &digest).await, memory, "{at}: take");
            }
            _ => {
                let memory = self.memory.drop_tickets(kind).await;
                assert_eq!(self.disk().drop_tickets(kind).await, memory, "{at}: drop");
            }
        }
    }

    async fn key_or_keystone(&mut self, at: &str) {
        if self.below(4) == 0 {
            let stone =
                Keystone { canary: sealed(usize::from(self.small(9))), index_key: sealed(1) };
            let memory = self.memory.lay_keystone(stone.clone()).await;
            assert_eq!(self.disk().lay_keystone(stone).await, memory, "{at}: keystone");
            return;
        }
        if self.below(3) == 0 {
            let uses = vec![(KeyId::from_u128(u128::from(self.below(5))), after(self.now))];
            let memory = self.memory.note_uses(uses.clone()).await;
            assert_eq!(self.disk().note_uses(uses).await, memory, "{at}: uses");
            let known = self.memory.last_uses().await;
            assert_eq!(self.disk().last_uses().await, known, "{at}: last uses");
            return;
        }
        if self.below(4) == 0 {
            let account =
                Administrator { password: format!("at {}", self.now), set: after(self.now) };
            let memory = self.memory.put_administrator(account.clone(), some_act()).await;
            let disk = self.disk().put_administrator(account, some_act()).await;
            assert_eq!(disk, memory, "{at}: put administrator");
            let known = self.memory.administrator().await;
            assert_eq!(self.disk().administrator().await, known, "{at}: administrator");
            return;
        }
        let key = ApiKey {
            id: KeyId::from_u128(u128::from(self.below(5))),
            name: format!("at {}", self.now),
            scopes: vec![Scope::Admin],
            source: String::new(),
            secret: digest(3),
            created: after(self.seconds(3)),
            expires: (self.below(2) == 0).then(|| after(self.now)),
            revoked: (self.below(2) == 0).then(|| after(self.now)),
        };
        let memory = self.memory.put_key(key.clone(), some_act()).await;
        assert_eq!(self.disk().put_key(key, some_act()).await, memory, "{at}: put key");
    }

    async fn prune(&mut self, at: &str) {
        let seconds = TimeDelta::seconds;
        let keep = Retention {
            done: seconds(self.seconds(400)),
            dead: seconds(self.seconds(900)),
            past: seconds(self.seconds(300)),
            tombstones: seconds(self.seconds(200)),
        };
        let (now, most) = (after(self.now), usize::from(self.small(8)));
        let memory = self.memory.prune(now, keep, most).await;
        assert_eq!(self.disk().prune(now, keep, most).await, memory, "{at}: prune");
    }

    async fn recur(&mut self, at: &str) {
        if self.below(2) == 0 {
            let (day, calls) = (after(self.seconds(9) * 86_400).date_naive(), self.below(9));
            let memory = self.memory.tally(day, calls).await;
            assert_eq!(self.disk().tally(day, calls).await, memory, "{at}: tally");
            return;
        }
        let name = ["sweep", "touch"][usize::from(self.small(2))];
        let every = TimeDelta::seconds(self.seconds(90));
        // Now and then by a clock that is wrong.
        let now = after(self.now - if self.below(5) == 0 { self.seconds(500) } else { 0 });
        let memory = self.memory.take_turn(name, every, now).await;
        assert_eq!(self.disk().take_turn(name, every, now).await, memory, "{at}: turn");
    }

    /// A store on disk forgets its leases when it is closed, so all of them lapse before. Half the
    /// time it is not closed but left as a kill would leave it: one on disk reads every row then, and
    /// in a database another process waits for the end of the lost one's time.
    async fn reopen(&mut self, at: &str) {
        self.now += LEASE_SECS;
        self.claims.clear();
        let in_order = self.below(2) == 0;
        let now = after(self.now);
        match &mut self.lasting {
            Lasting::Disk(store, dir) => {
                let left = store.take().unwrap();
                if in_order {
                    left.close().unwrap_or_else(|error| panic!("{at}: close: {error}"));
                } else {
                    let killed = TempDir::new().unwrap();
                    copy_at_rest(dir.path(), killed.path());
                    drop(left);
                    *dir = killed;
                }
                let opened = super::open(dir.path());
                *store = Some(opened.unwrap_or_else(|error| panic!("{at}: open: {error}")));
            }
            Lasting::Database(store, url, node) => {
                if in_order {
                    store.leave(now).await.unwrap();
                }
                *node += 1;
                *store = server::shared().await.open(url, *node).await;
                store.beat(now, now).await.unwrap();
            }
        }
        self.told_by_disk = self.lasting.store().changes();
    }

    async fn compare_told(&mut self, at: &str) {
        while let Ok(change) = self.told_by_memory.try_recv() {
            assert_eq!(self.told_by_disk.recv().await.unwrap(), change, "{at}");
        }
    }

    async fn compare_all(&self, at: &str) {
        let (memory, disk) = (&self.memory, self.disk());
        for n in 0..u128::from(EVENTS) {
            let id = EventId::from_u128(n);
            assert_eq!(disk.event(id).await, memory.event(id).await, "{at}: event {n}");
            assert_eq!(disk.history(id).await, memory.history(id).await, "{at}: history {n}");
        }
        for n in 1000..=self.jobs {
            let id = JobId::from_u128(n);
            assert_eq!(disk.job(id).await, memory.job(id).await, "{at}: job {n}");
        }
        for which in Which::ALL {
            let found = every_job(disk, which, None).await;
            assert_eq!(found, every_job(memory, which, None).await, "{at}: {which:?}");
        }
        for owner in [Some(user("ana")), Some(Owner::Application), None] {
            for range in [None, Some((after(self.now), after(self.now + 60)))] {
                let (from, to) = range.unzip();
                let filter =
                    EventFilter { owner: owner.clone(), from, to, ..EventFilter::default() };
                let expected = every_event(memory, &filter).await;
                assert_eq!(every_event(disk, &filter).await, expected, "{at}: {filter:?}");
            }
        }
        for owner in [Owner::Application, user("ana")] {
            let expected = memory.connections(&owner).await;
            assert_eq!(disk.connections(&owner).await, expected, "{at}: connections");
        }
        for n in 0..3 {
            let expected = memory.connections_to(&[n; 16]).await;
            assert_eq!(disk.connections_to(&[n; 16]).await, expected, "{at}: accounts");
        }
        self.compare_items(at).await;
        assert_eq!(disk.keys().await, memory.keys().await, "{at}: keys");
        assert_eq!(disk.keystone().await, memory.keystone().await, "{at}: keystone");
        assert_eq!(disk.lines().await, memory.lines().await, "{at}: lines");
        assert_eq!(disk.count_jobs().await, memory.count_jobs().await, "{at}: counts");
    }
}

/// The events of every page.
async fn every_event(store: &dyn Store, filter: &EventFilter) -> Vec<Event> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let (page, next) = store.events(filter, after, 5).await.unwrap();
        found.extend(page);
        match next {
            Some(_) => after = next,
            None => return found,
        }
    }
}

/// The jobs of every page.
async fn every_job(store: &dyn Store, which: Which, owner: Option<&Owner>) -> Vec<Job> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let (page, next) = store.jobs(which, owner, after, 7).await.unwrap();
        found.extend(page);
        match next {
            Some(_) => after = next,
            None => return found,
        }
    }
}
