//! A store in memory whose process can die at any of its steps: before the step took effect, or
//! after that and before anybody was told. The dead see nothing more, and do nothing more.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use calbridge::clock::{Clock, ManualClock};
use calbridge::model::connection::{AccountTag, Connection, Health};
use calbridge::model::event::{Event, Wanted};
use calbridge::model::id::{ConnectionId, EventId, InstanceId, JobId, KeyId};
use calbridge::model::job::{Claim, Job, Line, NewJob};
use calbridge::model::key::{ApiKey, Digest, Ticket, TicketKind};
use calbridge::model::owner::Owner;
use calbridge::store::memory::MemoryStore;
use calbridge::store::{
    Accept, Accepted, AccessStore, Backlog, Backup, Beat, Change, Changed, Claimed,
    ConnectionStore, Counts, EventStore, Fate, JobStore, Keystone, PeriodStore, Ran, Record,
    Retention, Settled, Store, StoreError, Touched, Turn, Which,
};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

use super::history::{Chance, History};
use super::watch::Watch;

/// A step takes up to so long on either side of its effect.
const SLOWEST_STEP: TimeDelta = TimeDelta::milliseconds(20);

/// The store of one life of the bridge.
pub struct Fragile {
    inner: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
    chance: Chance,
    history: Arc<History>,
    watch: Arc<Watch>,
    /// Cancelled when the process dies.
    pub died: CancellationToken,
    crash: Mutex<Option<Crash>>,
}

/// Where a life ends.
#[derive(Clone, Copy, Debug)]
pub struct Crash {
    /// Steps until then.
    pub steps: u32,
    /// Whether the last step took effect.
    pub takes_effect: bool,
}

impl Fragile {
    /// `inner`, for a process that lives until it is told when to die.
    pub fn new(
        inner: Arc<MemoryStore>,
        clock: Arc<ManualClock>,
        chance: Chance,
        watch: Arc<Watch>,
    ) -> Self {
        let history = watch.history.clone();
        let (died, crash) = (CancellationToken::new(), Mutex::default());
        Self { inner, clock, chance, history, watch, died, crash }
    }

    /// The process dies as `crash` says.
    pub fn arm(&self, crash: Crash) {
        *self.crash.lock().expect("no one panics while crashing") = Some(crash);
    }

    /// The process dies no more.
    pub fn be_safe(&self) {
        *self.crash.lock().expect("no one panics while crashing") = None;
    }

    /// Does what changes something.
    async fn step<T>(&self, name: &str, effect: impl Future<Output = T> + Send) -> T {
        self.dawdle().await;
        let crash = self.count_down();
        if crash.is_some_and(|crash| !crash.takes_effect) {
            return self.die(format!("crash    before `{name}`")).await;
        }
        let done = effect.await;
        if crash.is_some() {
            return self.die(format!("crash    after `{name}`, unanswered")).await;
        }
        self.dawdle().await;
        done
    }

    /// Does what only looks.
    async fn look<T>(&self, effect: impl Future<Output = T> + Send) -> T {
        if self.died.is_cancelled() {
            std::future::pending::<()>().await;
        }
        effect.await
    }

    async fn dawdle(&self) {
        if self.chance.percent(50) {
            self.clock.sleep(self.chance.time(SLOWEST_STEP)).await;
        }
        if self.died.is_cancelled() {
            std::future::pending::<()>().await;
        }
    }

    fn count_down(&self) -> Option<Crash> {
        let mut crash = self.crash.lock().expect("no one panics while crashing");
        let left = crash.as_mut()?;
        if left.steps > 0 {
            left.steps -= 1;
            return None;
        }
        *crash
    }

    async fn die<T>(&self, how: String) -> T {
        self.history.tell(how);
        self.died.cancel();
        std::future::pending().await
    }
}

#[async_trait]
impl Backup for Fragile {
    async fn export(&self, into: mpsc::Sender<Record>) -> Result<(), StoreError> {
        self.look(self.inner.export(into)).await
    }

    async fn restore(&self, records: Vec<Record>) -> Result<(), StoreError> {
        self.step("restore", self.inner.restore(records)).await
    }
}

#[async_trait]
impl Store for Fragile {
    fn instance(&self) -> InstanceId {
        self.inner.instance()
    }

    fn changes(&self) -> broadcast::Receiver<Change> {
        self.inner.changes()
    }

    async fn writable(&self) -> Result<(), StoreError> {
        self.look(self.inner.writable()).await
    }

    async fn keystone(&self) -> Result<Option<Keystone>, StoreError> {
        self.look(self.inner.keystone()).await
    }

    async fn lay_keystone(&self, keystone: Keystone) -> Result<Keystone, StoreError> {
        self.step("lay_keystone", self.inner.lay_keystone(keystone)).await
    }

    async fn prune(
        &self,
        now: DateTime<Utc>,
        keep: Retention,
        most: usize,
    ) -> Result<usize, StoreError> {
        self.step("prune", self.inner.prune(now, keep, most)).await
    }

    async fn beat(&self, now: DateTime<Utc>, until: DateTime<Utc>) -> Result<Beat, StoreError> {
        self.step("beat", self.inner.beat(now, until)).await
    }

    async fn leave(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.step("leave", self.inner.leave(now)).await
    }
}

#[async_trait]
impl EventStore for Fragile {
    async fn accept(
        &self,
        accepts: Vec<Accept>,
        backlog: Backlog,
        now: DateTime<Utc>,
    ) -> Result<Vec<Accepted>, StoreError> {
        for accept in &accepts {
            self.watch.accepting(&accept.event, &self.chance);
        }
        self.step("accept", self.inner.accept(accepts, backlog, now)).await
    }

    async fn event(&self, id: EventId) -> Result<Option<Event>, StoreError> {
        self.look(self.inner.event(id)).await
    }

    async fn change(
        &self,
        id: EventId,
        wanted: Wanted,
        job: NewJob,
    ) -> Result<Changed, StoreError> {
        self.step("change", self.inner.change(id, wanted, job)).await
    }
}

#[async_trait]
impl JobStore for Fragile {
    async fn lines(&self) -> Result<Vec<Line>, StoreError> {
        self.look(self.inner.lines()).await
    }

    async fn claim(
        &self,
        line: &Line,
        n: usize,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Claimed, StoreError> {
        self.step("claim", self.inner.claim(line, n, now, until)).await
    }

    async fn renew(
        &self,
        claims: &[Claim],
        until: DateTime<Utc>,
    ) -> Result<Vec<JobId>, StoreError> {
        self.step("renew", self.inner.renew(claims, until)).await
    }

    async fn settle(
        &self,
        claim: &Claim,
        ran: Ran,
        now: DateTime<Utc>,
    ) -> Result<Settled, StoreError> {
        let fate = ran.fate.clone();
        self.step("settle", async {
            let settled = self.inner.settle(claim, ran, now).await;
            if settled == Ok(Settled::Yes) {
                self.watch.settled(&claim.job, &fate);
            }
            settled
        })
        .await
    }

    async fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        self.look(self.inner.job(id)).await
    }

    async fn jobs(
        &self,
        which: Which,
        owner: Option<&Owner>,
        after: Option<JobId>,
        most: usize,
    ) -> Result<(Vec<Job>, Option<JobId>), StoreError> {
        self.look(self.inner.jobs(which, owner, after, most)).await
    }

    async fn cancel(&self, id: JobId, now: DateTime<Utc>) -> Result<Touched, StoreError> {
        self.step("cancel", self.inner.cancel(id, now)).await
    }

    async fn replay(&self, id: JobId, now: DateTime<Utc>) -> Result<Touched, StoreError> {
        self.step("replay", self.inner.replay(id, now)).await
    }

    async fn put_off(
        &self,
        id: JobId,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Touched, StoreError> {
        self.step("put_off", self.inner.put_off(id, until, now)).await
    }

    async fn count_jobs(&self) -> Result<Counts, StoreError> {
        self.look(self.inner.count_jobs()).await
    }
}

#[async_trait]
impl PeriodStore for Fragile {
    async fn take_turn(
        &self,
        name: &str,
        every: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Turn, StoreError> {
        self.step("take_turn", self.inner.take_turn(name, every, now)).await
    }

    async fn tally(&self, day: NaiveDate, calls: u64) -> Result<u64, StoreError> {
        self.step("tally", self.inner.tally(day, calls)).await
    }
}

#[async_trait]
impl ConnectionStore for Fragile {
    async fn connection(&self, id: ConnectionId) -> Result<Option<Connection>, StoreError> {
        self.look(self.inner.connection(id)).await
    }

    async fn connections(&self, owner: &Owner) -> Result<Vec<Connection>, StoreError> {
        self.look(self.inner.connections(owner)).await
    }

    async fn connections_to(&self, account: &AccountTag) -> Result<Vec<Connection>, StoreError> {
        self.look(self.inner.connections_to(account)).await
    }

    async fn put_connection(
        &self,
        connection: Connection,
        job: Option<NewJob>,
    ) -> Result<bool, StoreError> {
        let state = connection.state.clone();
        self.step("put_connection", async {
            let put = self.inner.put_connection(connection, job).await;
            if let (Health::ReconnectNeeded(cause), Ok(true)) = (&state, &put) {
                self.watch.grant_given_up(cause);
            }
            put
        })
        .await
    }
}

#[async_trait]
impl AccessStore for Fragile {
    async fn put_key(&self, key: ApiKey) -> Result<(), StoreError> {
        self.step("put_key", self.inner.put_key(key)).await
    }

    async fn key(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError> {
        self.look(self.inner.key(id)).await
    }

    async fn keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        self.look(self.inner.keys()).await
    }

    async fn put_ticket(&self, ticket: Ticket) -> Result<(), StoreError> {
        self.step("put_ticket", self.inner.put_ticket(ticket)).await
    }

    async fn ticket(
        &self,
        kind: TicketKind,
        digest: &Digest,
    ) -> Result<Option<Ticket>, StoreError> {
        self.look(self.inner.ticket(kind, digest)).await
    }

    async fn take_ticket(
        &self,
        kind: TicketKind,
        digest: &Digest,
    ) -> Result<Option<Ticket>, StoreError> {
        self.step("take_ticket", self.inner.take_ticket(kind, digest)).await
    }

    async fn drop_tickets(&self, kind: TicketKind) -> Result<usize, StoreError> {
        self.step("drop_tickets", self.inner.drop_tickets(kind)).await
    }
}

/// How a fate reads in a history.
pub fn told(fate: &Fate) -> String {
    match fate {
        Fate::Done => "done".to_owned(),
        Fate::Again { due, spends, cause } => {
            let spent = if *spends { ", one attempt spent" } else { "" };
            format!("again at {}: {}{spent}", due.format("%H:%M:%S%.3f"), cause.code)
        }
        Fate::HandedBack { cause } => {
            format!("waits: {}", cause.as_ref().map_or("the stop", |cause| &cause.code))
        }
        Fate::Dead(cause) => format!("dead: {}", cause.code),
    }
}
