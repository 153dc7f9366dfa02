//! One process's hold on a store. The process dies at a chosen step, just before it or just after, and
//! then nothing of it reaches the store any more; what it left behind is for the next process.

use std::future::Future;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use calbridge::model::connection::{AccountTag, Connection};
use calbridge::model::event::{Event, Wanted};
use calbridge::model::id::{ConnectionId, EventId, InstanceId, JobId, KeyId};
use calbridge::model::job::{Claim, Job, Line, NewJob};
use calbridge::model::key::{ApiKey, Digest, Ticket, TicketKind};
use calbridge::model::owner::Owner;
use calbridge::store::{
    Accept, Accepted, AccessStore, Backlog, Backup, Beat, Change, Changed, Claimed,
    ConnectionStore, Counts, EventStore, JobStore, Keystone, PeriodStore, Ran, Record, Retention,
    Settled, Store, StoreError, Touched, Turn, Which,
};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use tokio::sync::{broadcast, mpsc};

/// A step at which a process may die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Accept,
    Claim,
    Settle,
}

/// When, and how much of the step there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// Nothing is stored.
    Before(Step),
    /// All is stored, and nobody told.
    After(Step),
    /// The end of a run is answered as stored, and the disk forgets it.
    Forgotten,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Alive,
    Doomed(Death),
    Dead,
}

/// The hold.
pub struct MortalStore {
    store: Arc<dyn Store>,
    life: Mutex<Life>,
}

impl MortalStore {
    pub fn over(store: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self { store, life: Mutex::new(Life::Alive) })
    }

    /// The process dies when it comes to that.
    pub fn doom(&self, death: Death) {
        *self.life.lock().expect("a life") = Life::Doomed(death);
    }

    /// The process dies now.
    pub fn kill(&self) {
        *self.life.lock().expect("a life") = Life::Dead;
    }

    /// What the next process finds.
    pub fn left_behind(&self) -> Arc<dyn Store> {
        assert_eq!(*self.life.lock().expect("a life"), Life::Dead, "nothing killed the process");
        Arc::clone(&self.store)
    }

    fn alive(&self) -> Result<(), StoreError> {
        match *self.life.lock().expect("a life") {
            Life::Dead => Err(StoreError::Failed("the process is dead".into())),
            _ => Ok(()),
        }
    }

    fn meets(&self, death: Death) -> bool {
        let mut life = self.life.lock().expect("a life");
        let meets = *life == Life::Doomed(death);
        if meets {
            *life = Life::Dead;
        }
        meets
    }

    async fn step<T>(
        &self,
        step: Step,
        run: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        if self.meets(Death::Before(step)) {
            return self.alive().map(|()| unreachable!("it is dead"));
        }
        self.alive()?;
        let done = run.await;
        if self.meets(Death::After(step)) {
            return self.alive().map(|()| unreachable!("it is dead"));
        }
        done
    }
}

#[async_trait]
impl Store for MortalStore {
    fn instance(&self) -> InstanceId {
        self.store.instance()
    }

    fn changes(&self) -> broadcast::Receiver<Change> {
        self.store.changes()
    }

    async fn writable(&self) -> Result<(), StoreError> {
        self.alive()?;
        self.store.writable().await
    }

    async fn keystone(&self) -> Result<Option<Keystone>, StoreError> {
        self.alive()?;
        self.store.keystone().await
    }

    async fn lay_keystone(&self, keystone: Keystone) -> Result<Keystone, StoreError> {
        self.alive()?;
        self.store.lay_keystone(keystone).await
    }

    async fn prune(
        &self,
        now: DateTime<Utc>,
        keep: Retention,
        most: usize,
    ) -> Result<usize, StoreError> {
        self.alive()?;
        self.store.prune(now, keep, most).await
    }

    async fn beat(&self, now: DateTime<Utc>, until: DateTime<Utc>) -> Result<Beat, StoreError> {
        self.alive()?;
        self.store.beat(now, until).await
    }

    async fn leave(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.alive()?;
        self.store.leave(now).await
    }
}

#[async_trait]
impl Backup for MortalStore {
    async fn export(&self, into: mpsc::Sender<Record>) -> Result<(), StoreError> {
        self.alive()?;
        self.store.export(into).await
    }

    async fn restore(&self, records: Vec<Record>) -> Result<(), StoreError> {
        self.alive()?;
        self.store.restore(records).await
    }
}

#[async_trait]
impl ConnectionStore for MortalStore {
    async fn connection(&self, id: ConnectionId) -> Result<Option<Connection>, StoreError> {
        self.alive()?;
        self.store.connection(id).await
    }

    async fn connections(&self, owner: &Owner) -> Result<Vec<Connection>, StoreError> {
        self.alive()?;
        self.store.connections(owner).await
    }

    async fn connections_to(&self, account: &AccountTag) -> Result<Vec<Connection>, StoreError> {
        self.alive()?;
        self.store.connections_to(account).await
    }

    async fn put_connection(
        &self,
        connection: Connection,
        job: Option<NewJob>,
    ) -> Result<bool, StoreError> {
        self.alive()?;
        self.store.put_connection(connection, job).await
    }
}

#[async_trait]
impl AccessStore for MortalStore {
    async fn put_key(&self, key: ApiKey) -> Result<(), StoreError> {
        self.alive()?;
        self.store.put_key(key).await
    }

    async fn key(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError> {
        self.alive()?;
        self.store.key(id).await
    }

    async fn keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        self.alive()?;
        self.store.keys().await
    }

    async fn put_ticket(&self, ticket: Ticket) -> Result<(), StoreError> {
        self.alive()?;
        self.store.put_ticket(ticket).await
    }

    async fn ticket(
        &self,
        kind: TicketKind,
        digest: &Digest,
    ) -> Result<Option<Ticket>, StoreError> {
        self.alive()?;
        self.store.ticket(kind, digest).await
    }

    async fn take_ticket(
        &self,
        kind: TicketKind,
        digest: &Digest,
    ) -> Result<Option<Ticket>, StoreError> {
        self.alive()?;
        self.store.take_ticket(kind, digest).await
    }

    async fn drop_tickets(&self, kind: TicketKind) -> Result<usize, StoreError> {
        self.alive()?;
        self.store.drop_tickets(kind).await
    }
}

#[async_trait]
impl EventStore for MortalStore {
    async fn accept(
        &self,
        accepts: Vec<Accept>,
        backlog: Backlog,
        now: DateTime<Utc>,
    ) -> Result<Vec<Accepted>, StoreError> {
        self.step(Step::Accept, self.store.accept(accepts, backlog, now)).await
    }

    async fn event(&self, id: EventId) -> Result<Option<Event>, StoreError> {
        self.alive()?;
        self.store.event(id).await
    }

    async fn change(
        &self,
        id: EventId,
        wanted: Wanted,
        job: NewJob,
    ) -> Result<Changed, StoreError> {
        self.alive()?;
        self.store.change(id, wanted, job).await
    }
}

#[async_trait]
impl JobStore for MortalStore {
    async fn lines(&self) -> Result<Vec<Line>, StoreError> {
        self.alive()?;
        self.store.lines().await
    }

    async fn claim(
        &self,
        line: &Line,
        n: usize,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Claimed, StoreError> {
        self.step(Step::Claim, self.store.claim(line, n, now, until)).await
    }

    async fn renew(
        &self,
        claims: &[Claim],
        until: DateTime<Utc>,
    ) -> Result<Vec<JobId>, StoreError> {
        self.alive()?;
        self.store.renew(claims, until).await
    }

    async fn settle(
        &self,
        claim: &Claim,
        ran: Ran,
        now: DateTime<Utc>,
    ) -> Result<Settled, StoreError> {
        if self.meets(Death::Forgotten) {
            return Ok(Settled::Yes);
        }
        self.step(Step::Settle, self.store.settle(claim, ran, now)).await
    }

    async fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        self.alive()?;
        self.store.job(id).await
    }

    async fn jobs(
        &self,
        which: Which,
        owner: Option<&Owner>,
        after: Option<JobId>,
        most: usize,
    ) -> Result<(Vec<Job>, Option<JobId>), StoreError> {
        self.alive()?;
        self.store.jobs(which, owner, after, most).await
    }

    async fn cancel(&self, id: JobId, now: DateTime<Utc>) -> Result<Touched, StoreError> {
        self.alive()?;
        self.store.cancel(id, now).await
    }

    async fn replay(&self, id: JobId, now: DateTime<Utc>) -> Result<Touched, StoreError> {
        self.alive()?;
        self.store.replay(id, now).await
    }

    async fn put_off(
        &self,
        id: JobId,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Touched, StoreError> {
        self.alive()?;
        self.store.put_off(id, until, now).await
    }

    async fn count_jobs(&self) -> Result<Counts, StoreError> {
        // Also of the dead: the harness counts them.
        self.store.count_jobs().await
    }
}

#[async_trait]
impl PeriodStore for MortalStore {
    async fn take_turn(
        &self,
        name: &str,
        every: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Turn, StoreError> {
        self.alive()?;
        self.store.take_turn(name, every, now).await
    }

    async fn tally(&self, day: NaiveDate, calls: u64) -> Result<u64, StoreError> {
        self.alive()?;
        self.store.tally(day, calls).await
    }
}
