//! A store with something around each of its steps: what happens there is for each test to say.

use std::sync::Arc;

use async_trait::async_trait;
use calbridge::model::administrator::Administrator;
use calbridge::model::audit::{Act, Entry, Head};
use calbridge::model::connection::{AccountTag, Connection, Health};
use calbridge::model::event::{Event, Wanted};
use calbridge::model::id::{ConnectionId, EventId, InstanceId, ItemId, JobId, KeyId};
use calbridge::model::item::{Item, Thing};
use calbridge::model::job::{Claim, Job, Line, NewJob};
use calbridge::model::key::{ApiKey, Digest, Ticket, TicketKind};
use calbridge::model::owner::Owner;
use calbridge::store::{
    Accept, Accepted, AccessStore, AdministratorStore, Alive, Asked, AuditStore, Backlog, Backup,
    Beat, Change, Changed, Claimed, ConnectionStore, Counts, Disk, Envelope, EnvelopeStore,
    EventFilter, EventStore, Fate, History, ItemStore, JobStore, Kept, Keystone, Mark, PeriodStore,
    Place, Ran, Record, Request, Reseal, Retention, Settled, Spot, Step, Store, StoreError,
    Touched, Turn, Which,
};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use tokio::sync::{broadcast, mpsc};

/// What a step comes to.
type Answer<T> = Result<T, StoreError>;

/// What happens around the steps of a store.
pub trait Around: Send + Sync {
    /// Around a step that changes something.
    fn step<T: Send>(
        &self,
        name: &'static str,
        effect: impl Future<Output = Answer<T>> + Send,
    ) -> impl Future<Output = Answer<T>> + Send;

    /// Around a step that only looks.
    fn look<T: Send>(
        &self,
        effect: impl Future<Output = Answer<T>> + Send,
    ) -> impl Future<Output = Answer<T>> + Send;

    /// Around a count of the jobs. Those that a dead process left are counted too, by whoever judges it.
    fn count<T: Send>(
        &self,
        effect: impl Future<Output = Answer<T>> + Send,
    ) -> impl Future<Output = Answer<T>> + Send {
        effect
    }

    /// These are about to be taken in.
    fn accepting(&self, _accepts: &[Accept]) {}

    /// A run's end was stored.
    fn settled(&self, _job: &Job, _fate: &Fate) {}

    /// A connection was stored in this state.
    fn connection_is(&self, _state: &Health) {}

    /// Whether the end of a run is answered as stored, and is not.
    fn forgets_an_end(&self) -> bool {
        false
    }

    /// What a process is told in place of this.
    fn beat(&self, beat: Beat) -> Beat {
        beat
    }
}

/// The store, and what is around it.
pub struct Surrounded<A> {
    pub store: Arc<dyn Store>,
    pub around: A,
}

#[async_trait]
impl<A: Around> Backup for Surrounded<A> {
    async fn export(&self, into: mpsc::Sender<Record>) -> Result<(), StoreError> {
        self.around.look(self.store.export(into)).await
    }

    async fn restore(&self, records: Vec<Record>) -> Result<(), StoreError> {
        self.around.step("restore", self.store.restore(records)).await
    }
}

#[async_trait]
impl<A: Around> Store for Surrounded<A> {
    fn instance(&self) -> InstanceId {
        self.store.instance()
    }

    fn changes(&self) -> broadcast::Receiver<Change> {
        self.store.changes()
    }

    async fn writable(&self) -> Result<(), StoreError> {
        self.around.look(self.store.writable()).await
    }

    fn disk(&self) -> Option<Disk> {
        self.store.disk()
    }

    async fn keystone(&self) -> Result<Option<Keystone>, StoreError> {
        self.around.look(self.store.keystone()).await
    }

    async fn lay_keystone(&self, keystone: Keystone) -> Result<Keystone, StoreError> {
        self.around.step("lay_keystone", self.store.lay_keystone(keystone)).await
    }

    async fn prune(
        &self,
        now: DateTime<Utc>,
        keep: Retention,
        most: usize,
    ) -> Result<usize, StoreError> {
        self.around.step("prune", self.store.prune(now, keep, most)).await
    }

    async fn beat(&self, now: DateTime<Utc>, until: DateTime<Utc>) -> Result<Alive, StoreError> {
        let alive = self.around.step("beat", self.store.beat(now, until)).await?;
        Ok(Alive { beat: self.around.beat(alive.beat), ..alive })
    }

    async fn leave(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.around.step("leave", self.store.leave(now)).await
    }
}

#[async_trait]
impl<A: Around> EventStore for Surrounded<A> {
    async fn accept(
        &self,
        accepts: Vec<Accept>,
        backlog: Backlog,
        now: DateTime<Utc>,
    ) -> Result<Vec<Accepted>, StoreError> {
        self.around.accepting(&accepts);
        self.around.step("accept", self.store.accept(accepts, backlog, now)).await
    }

    async fn event(&self, id: EventId) -> Result<Option<Event>, StoreError> {
        self.around.look(self.store.event(id)).await
    }

    async fn events(
        &self,
        filter: &EventFilter,
        after: Option<Place>,
        most: usize,
    ) -> Result<(Vec<Event>, Option<Place>), StoreError> {
        self.around.look(self.store.events(filter, after, most)).await
    }

    async fn history(&self, id: EventId) -> Result<Option<History>, StoreError> {
        self.around.look(self.store.history(id)).await
    }

    async fn change(
        &self,
        id: EventId,
        wanted: Wanted,
        job: NewJob,
    ) -> Result<Changed, StoreError> {
        self.around.step("change", self.store.change(id, wanted, job)).await
    }
}

#[async_trait]
impl<A: Around> ItemStore for Surrounded<A> {
    async fn item(&self, id: ItemId) -> Result<Option<Item>, StoreError> {
        self.around.look(self.store.item(id)).await
    }

    async fn items(
        &self,
        asked: &Asked,
        after: Option<Mark>,
        most: usize,
    ) -> Result<(Vec<Item>, Option<Mark>), StoreError> {
        self.around.look(self.store.items(asked, after, most)).await
    }

    async fn attached(
        &self,
        thing: Thing,
        after: Option<Mark>,
        most: usize,
    ) -> Result<(Vec<Item>, Option<Mark>), StoreError> {
        self.around.look(self.store.attached(thing, after, most)).await
    }

    async fn known(
        &self,
        request: &Request,
        now: DateTime<Utc>,
    ) -> Result<Option<Kept>, StoreError> {
        self.around.look(self.store.known(request, now)).await
    }

    async fn keep(
        &self,
        steps: Vec<Step>,
        backlog: Backlog,
        now: DateTime<Utc>,
    ) -> Result<Vec<Kept>, StoreError> {
        self.around.step("keep", self.store.keep(steps, backlog, now)).await
    }
}

#[async_trait]
impl<A: Around> JobStore for Surrounded<A> {
    async fn lines(&self) -> Result<Vec<Line>, StoreError> {
        self.around.look(self.store.lines()).await
    }

    async fn claim(
        &self,
        line: &Line,
        n: usize,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Claimed, StoreError> {
        self.around.step("claim", self.store.claim(line, n, now, until)).await
    }

    async fn renew(
        &self,
        claims: &[Claim],
        until: DateTime<Utc>,
    ) -> Result<Vec<JobId>, StoreError> {
        self.around.step("renew", self.store.renew(claims, until)).await
    }

    async fn settle(
        &self,
        claim: &Claim,
        ran: Ran,
        now: DateTime<Utc>,
    ) -> Result<Settled, StoreError> {
        if self.around.forgets_an_end() {
            return Ok(Settled::Yes);
        }
        let fate = ran.fate.clone();
        let effect = async {
            let settled = self.store.settle(claim, ran, now).await;
            if settled == Ok(Settled::Yes) {
                self.around.settled(&claim.job, &fate);
            }
            settled
        };
        self.around.step("settle", effect).await
    }

    async fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        self.around.look(self.store.job(id)).await
    }

    async fn jobs(
        &self,
        which: Which,
        owner: Option<&Owner>,
        after: Option<JobId>,
        most: usize,
    ) -> Result<(Vec<Job>, Option<JobId>), StoreError> {
        self.around.look(self.store.jobs(which, owner, after, most)).await
    }

    async fn cancel(&self, id: JobId, now: DateTime<Utc>) -> Result<Touched, StoreError> {
        self.around.step("cancel", self.store.cancel(id, now)).await
    }

    async fn replay(&self, id: JobId, now: DateTime<Utc>) -> Result<Touched, StoreError> {
        self.around.step("replay", self.store.replay(id, now)).await
    }

    async fn put_off(
        &self,
        id: JobId,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Touched, StoreError> {
        self.around.step("put_off", self.store.put_off(id, until, now)).await
    }

    async fn count_jobs(&self) -> Result<Counts, StoreError> {
        self.around.count(self.store.count_jobs()).await
    }

    async fn largest_backlog(&self) -> Result<u64, StoreError> {
        self.around.look(self.store.largest_backlog()).await
    }
}

#[async_trait]
impl<A: Around> PeriodStore for Surrounded<A> {
    async fn take_turn(
        &self,
        name: &str,
        every: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Turn, StoreError> {
        self.around.step("take_turn", self.store.take_turn(name, every, now)).await
    }

    async fn tally(&self, day: NaiveDate, calls: u64) -> Result<u64, StoreError> {
        self.around.step("tally", self.store.tally(day, calls)).await
    }
}

#[async_trait]
impl<A: Around> ConnectionStore for Surrounded<A> {
    async fn connection(&self, id: ConnectionId) -> Result<Option<Connection>, StoreError> {
        self.around.look(self.store.connection(id)).await
    }

    async fn connections(&self, owner: &Owner) -> Result<Vec<Connection>, StoreError> {
        self.around.look(self.store.connections(owner)).await
    }

    async fn connections_to(&self, account: &AccountTag) -> Result<Vec<Connection>, StoreError> {
        self.around.look(self.store.connections_to(account)).await
    }

    async fn all_connections(
        &self,
        after: Option<ConnectionId>,
        most: usize,
    ) -> Result<Vec<Connection>, StoreError> {
        self.around.look(self.store.all_connections(after, most)).await
    }

    async fn note_refresh(&self, id: ConnectionId, at: DateTime<Utc>) -> Result<(), StoreError> {
        self.around.step("note_refresh", self.store.note_refresh(id, at)).await
    }

    async fn last_refresh(&self, id: ConnectionId) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.around.look(self.store.last_refresh(id)).await
    }

    async fn put_connection(
        &self,
        connection: Connection,
        job: Option<NewJob>,
        act: Act,
    ) -> Result<bool, StoreError> {
        let state = connection.state.clone();
        let effect = async {
            let put = self.store.put_connection(connection, job, act).await;
            if put == Ok(true) {
                self.around.connection_is(&state);
            }
            put
        };
        self.around.step("put_connection", effect).await
    }
}

#[async_trait]
impl<A: Around> AccessStore for Surrounded<A> {
    async fn put_key(&self, key: ApiKey, act: Act) -> Result<(), StoreError> {
        self.around.step("put_key", self.store.put_key(key, act)).await
    }

    async fn key(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError> {
        self.around.look(self.store.key(id)).await
    }

    async fn keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        self.around.look(self.store.keys()).await
    }

    async fn put_ticket(&self, ticket: Ticket) -> Result<(), StoreError> {
        self.around.step("put_ticket", self.store.put_ticket(ticket)).await
    }

    async fn ticket(
        &self,
        kind: TicketKind,
        digest: &Digest,
    ) -> Result<Option<Ticket>, StoreError> {
        self.around.look(self.store.ticket(kind, digest)).await
    }

    async fn prolong_ticket(
        &self,
        kind: TicketKind,
        digest: &Digest,
        expires: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let prolonged = self.store.prolong_ticket(kind, digest, expires);
        self.around.step("prolong_ticket", prolonged).await
    }

    async fn take_ticket(
        &self,
        kind: TicketKind,
        digest: &Digest,
    ) -> Result<Option<Ticket>, StoreError> {
        self.around.step("take_ticket", self.store.take_ticket(kind, digest)).await
    }

    async fn drop_tickets(&self, kind: TicketKind) -> Result<usize, StoreError> {
        self.around.step("drop_tickets", self.store.drop_tickets(kind)).await
    }
}

#[async_trait]
impl<A: Around> AdministratorStore for Surrounded<A> {
    async fn administrator(&self) -> Result<Option<Administrator>, StoreError> {
        self.around.look(self.store.administrator()).await
    }

    async fn put_administrator(
        &self,
        administrator: Administrator,
        act: Act,
    ) -> Result<(), StoreError> {
        let put = self.store.put_administrator(administrator, act);
        self.around.step("put_administrator", put).await
    }

    async fn note_uses(&self, uses: Vec<(KeyId, DateTime<Utc>)>) -> Result<(), StoreError> {
        self.around.step("note_uses", self.store.note_uses(uses)).await
    }

    async fn last_uses(&self) -> Result<Vec<(KeyId, DateTime<Utc>)>, StoreError> {
        self.around.look(self.store.last_uses()).await
    }
}

#[async_trait]
impl<A: Around> EnvelopeStore for Surrounded<A> {
    async fn envelopes(
        &self,
        after: Option<Spot>,
        most: usize,
    ) -> Result<Vec<Envelope>, StoreError> {
        self.around.look(self.store.envelopes(after, most)).await
    }

    async fn reseal(&self, reseals: Vec<Reseal>) -> Result<usize, StoreError> {
        self.around.step("reseal", self.store.reseal(reseals)).await
    }

    async fn relay_keystone(&self, was: &Keystone, now: Keystone) -> Result<bool, StoreError> {
        self.around.step("relay_keystone", self.store.relay_keystone(was, now)).await
    }
}

#[async_trait]
impl<A: Around> AuditStore for Surrounded<A> {
    async fn append(&self, act: Act) -> Result<Entry, StoreError> {
        self.around.step("append", self.store.append(act)).await
    }

    async fn audit(&self, after: u64, most: usize) -> Result<Vec<Entry>, StoreError> {
        self.around.look(self.store.audit(after, most)).await
    }

    async fn audit_head(&self) -> Result<Head, StoreError> {
        self.around.look(self.store.audit_head()).await
    }
}
