//! Workers in virtual time, with runs of their own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use calbridge::clock::{Clock, ManualClock};
use calbridge::model::connection::{Connection, Health, Means};
use calbridge::model::id::{ConnectionId, InstanceId, JobId};
use calbridge::model::job::{Class, End, JobState, Kind, Lane, Line, NewJob};
use calbridge::model::owner::Owner;
use calbridge::model::sealed::Sealed;
use calbridge::queue::{Limits, Run, Worker};
use calbridge::random::CountingRandom;
use calbridge::store::contract::examples::some_act;
use calbridge::store::memory::MemoryStore;
use calbridge::store::{ConnectionStore, JobStore};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Quotas;
use crate::bridge::morning;
use crate::virtual_time::play;

const LEASE: TimeDelta = TimeDelta::minutes(2);

/// The clock of a machine whose time is ahead.
struct Ahead(Arc<ManualClock>, TimeDelta);

#[async_trait]
impl Clock for Ahead {
    fn now(&self) -> DateTime<Utc> {
        self.0.now() + self.1
    }

    async fn sleep_until(&self, moment: DateTime<Utc>) {
        self.0.sleep_until(moment - self.1).await;
    }

    async fn sleep(&self, length: TimeDelta) {
        self.0.sleep(length).await;
    }
}

/// A store with one job, and what workers on it did.
struct Shop {
    clock: Arc<ManualClock>,
    store: Arc<MemoryStore>,
    job: JobId,
    /// Runs that began, and those that came to their end.
    begun: Arc<AtomicUsize>,
    ended: Arc<Mutex<Vec<&'static str>>>,
    workers: JoinSet<()>,
    stop: CancellationToken,
}

/// Plays `story` in a shop where each run takes so long.
fn with_shop(story: impl AsyncFnOnce(&mut Shop)) {
    let clock = Arc::new(ManualClock::at(morning()));
    play(&clock, async {
        let random = CountingRandom::new(1);
        let shelf = Arc::new(MemoryStore::new(InstanceId::random(&random)));
        let job = give_one_job(&shelf).await;
        let mut shop = Shop {
            clock: clock.clone(),
            store: shelf,
            job,
            begun: Arc::default(),
            ended: Arc::default(),
            workers: JoinSet::new(),
            stop: CancellationToken::new(),
        };
        story(&mut shop).await;
        shop.stop.cancel();
        shop.workers.join_all().await;
    });
}

async fn give_one_job(store: &MemoryStore) -> JobId {
    let id = ConnectionId::from_u128(1);
    let job = NewJob {
        id: JobId::at(morning(), &CountingRandom::new(2)),
        kind: Kind::RevokeGrant { connection: id, version: 1 },
        line: Line { class: Class::Normal, owner: Owner::Application, lane: Lane::Grants },
        created: morning(),
        due: morning(),
        payload: None,
    };
    let named = job.id;
    let connection = Connection {
        id,
        owner: Owner::Application,
        account: [1; 16],
        means: Means::Consent { client: [1; 16] },
        state: Health::Connected,
        version: 1,
        profile: Sealed::from_bytes(vec![1]),
        token: None,
        linked: morning(),
    };
    store.put_connection(connection, Some(job), some_act()).await.expect("a store that works");
    named
}

impl Shop {
    /// Another worker comes, whose runs take so long and whose clock is so much ahead.
    async fn employ(&mut self, name: &'static str, takes: TimeDelta, ahead: TimeDelta) {
        let limits = Limits {
            lanes: |_| true,
            workers: 4,
            per_connection: 2,
            per_lane: 8,
            lease: LEASE,
            drain: LEASE,
        };
        let (clock, begun, ended) = (self.clock.clone(), self.begun.clone(), self.ended.clone());
        let run = move |_| {
            let (clock, begun, ended) = (clock.clone(), begun.clone(), ended.clone());
            async move {
                begun.fetch_add(1, Ordering::Relaxed);
                clock.sleep(takes).await;
                ended.lock().expect("no one panics").push(name);
                Run { end: End::Done, learned: None, then: None, units: 1 }
            }
        };
        let (store, random) = (self.store.clone(), Arc::new(CountingRandom::new(3)));
        let quotas = Arc::new(Quotas::default());
        let clock = Arc::new(Ahead(self.clock.clone(), ahead));
        let worker = Worker::new(store, clock, random, limits, quotas, run).await;
        let worker = worker.expect("a store that works");
        self.workers.spawn(worker.run(self.stop.clone()));
    }

    async fn pass(&self, time: TimeDelta) {
        self.clock.sleep(time).await;
    }

    fn begun(&self) -> usize {
        self.begun.load(Ordering::Relaxed)
    }

    fn ended(&self) -> Vec<&'static str> {
        self.ended.lock().expect("no one panics").clone()
    }
}

#[test]
fn a_run_that_takes_long_keeps_its_lease() {
    with_shop(async |shop| {
        shop.employ("slow", TimeDelta::minutes(30), TimeDelta::zero()).await;
        shop.pass(TimeDelta::minutes(1)).await;
        shop.employ("other", TimeDelta::minutes(1), TimeDelta::zero()).await;
        shop.pass(TimeDelta::minutes(40)).await;
        assert_eq!((shop.begun(), shop.ended()), (1, vec!["slow"]));
        let job = shop.store.job(shop.job).await.expect("a store that works").expect("a job");
        assert!(matches!(job.state, JobState::Done { .. }), "{job:?}");
    });
}

#[test]
fn a_run_whose_lease_another_has_by_now_is_cut_short() {
    with_shop(async |shop| {
        shop.employ("slow", TimeDelta::minutes(30), TimeDelta::zero()).await;
        shop.pass(TimeDelta::seconds(1)).await;
        shop.employ("hasty", TimeDelta::minutes(5), LEASE * 2).await;
        shop.pass(TimeDelta::minutes(40)).await;
        assert_eq!((shop.begun(), shop.ended()), (2, vec!["hasty"]));
    });
}
