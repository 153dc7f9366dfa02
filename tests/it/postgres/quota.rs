//! Promise 5 with several processes on one database: together they keep to the quota of one at
//! Google, and go on doing so when one of them dies. Whole bridges that really say that they live, in
//! virtual time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use calbridge::clock::{Clock, ManualClock};
use calbridge::limits::Limits;
use calbridge::model::job::Class;
use calbridge::simulator::{Entry, Quota, Simulator};
use calbridge::store::postgres::PostgresStore;
use calbridge::store::{Beat, StoreError};
use chrono::TimeDelta;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::server;
use crate::bridge::{Bridge, Choices, morning};
use crate::load::{Load, google};
use crate::quota::{busiest_minute, errors};
use crate::surrounded::{Around, Surrounded};
use crate::virtual_time::{Outside, play_beside};

/// For how long a sign of life holds.
const LIFE: TimeDelta = TimeDelta::seconds(15);
/// Who leads is looked at so often.
const LOOK: TimeDelta = TimeDelta::milliseconds(100);
const ACCOUNTS: usize = 8;
const OF_PROJECT: u32 = 300;
const OF_USER: u32 = 60;
/// Events of the first user, who alone would be busy for longest, and of each other.
const OF_FIRST: usize = 180;
const OF_OTHERS: usize = 90;

/// What is around a process's hold on the database: no time passes while the database works, and
/// nothing of a dead process reaches it.
struct Hold {
    outside: Outside,
    dead: AtomicBool,
}

impl Hold {
    fn alive(&self) -> Result<(), StoreError> {
        if self.dead.load(Ordering::Relaxed) {
            return Err(StoreError::Failed("the process is dead".into()));
        }
        Ok(())
    }
}

impl Around for Hold {
    async fn step<T: Send>(
        &self,
        _name: &'static str,
        effect: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        self.look(effect).await
    }

    async fn look<T: Send>(
        &self,
        effect: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        self.alive()?;
        let done = self.outside.wait_for(effect).await;
        self.alive()?;
        done
    }

    async fn count<T: Send>(
        &self,
        effect: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        self.outside.wait_for(effect).await
    }
}

/// What the processes have in common.
struct World {
    url: String,
    google: Simulator,
    clock: Arc<ManualClock>,
    place: Arc<TempDir>,
    outside: Outside,
}

impl World {
    async fn open(&self, number: u128) -> (Arc<PostgresStore>, Arc<Surrounded<Hold>>) {
        let opening = async { server::shared().await.open(&self.url, number).await };
        let postgres = Arc::new(self.outside.wait_for(Box::pin(opening)).await);
        let around = Hold { outside: self.outside.clone(), dead: AtomicBool::new(false) };
        let store = Arc::new(Surrounded { store: postgres.clone(), around });
        (postgres, store)
    }

    /// What the process of this number is made of.
    fn choices(&self, number: u64, store: Arc<Surrounded<Hold>>) -> Choices {
        Choices {
            store: Some(store),
            google: Some((self.google.clone(), self.clock.clone())),
            place: Some(self.place.clone()),
            google_settings: format!(
                "user_calls_per_minute = {OF_USER}\nuser_burst = 3\n\
                 project_calls_per_minute = {OF_PROJECT}\nproject_burst = 15"
            ),
            seed: number,
            in_memory: true,
            ..Choices::default()
        }
    }
}

/// A process that works.
struct Process {
    store: Arc<Surrounded<Hold>>,
    limits: Limits,
    beating: watch::Receiver<Beat>,
    running: JoinSet<()>,
}

impl Process {
    /// Ties the process of this number, which does nothing yet.
    async fn tie(world: &World, number: u32) -> (Self, Idle) {
        let (postgres, store) = world.open(number.into()).await;
        let bridge = Bridge::with(world.choices(number.into(), store.clone())).await;
        let (beats, beating) = watch::channel(Beat { nodes: 1, leads: false });
        let limits = bridge.tied.app.limits.clone();
        let idle = Idle { bridge, postgres, beats };
        (Self { store, limits, beating, running: JoinSet::new() }, idle)
    }

    /// Ends without a word.
    async fn die(mut self) {
        self.running.shutdown().await;
        self.store.around.dead.store(true, Ordering::Relaxed);
    }
}

/// What a process runs.
struct Idle {
    bridge: Bridge,
    postgres: Arc<PostgresStore>,
    beats: watch::Sender<Beat>,
}

impl Idle {
    async fn run(self) {
        let (tied, stop) = (&self.bridge.tied, CancellationToken::new());
        tied.beat(LIFE, &self.beats).await.expect("a database that works");
        tokio::join!(
            tied.worker.clone().run(stop.clone()),
            tied.local.clone().run(stop.clone()),
            tied.live(LIFE, Some(&self.postgres), &self.beats),
            self.postgres.run(&*self.bridge.clock),
        );
    }
}

/// Lets so many processes work off the events of all users; of several, the leader dies early.
async fn work_off(nodes: u32, world: &World) {
    let (_, store) = world.open(100).await;
    let mut load = Load::with(ACCOUNTS, world.choices(100, store)).await;
    for user in 0..ACCOUNTS {
        let events = if user == 0 { OF_FIRST } else { OF_OTHERS };
        load.accept(user, user, events, Class::Bulk).await;
    }
    load.open().await;
    let mut all = Vec::new();
    for number in 1..=nodes {
        all.push(Process::tie(world, number).await);
    }
    let began = world.clock.now();
    let mut alive = Vec::new();
    for (mut process, idle) in all {
        process.running.spawn(idle.run());
        alive.push(process);
    }
    if nodes > 1 {
        load.pass(TimeDelta::seconds(62)).await;
        let leader = alive.iter().position(|process| process.beating.borrow().leads);
        alive.remove(leader.expect("one of them leads")).die().await;
        let died = world.clock.now();
        while !alive.iter().any(|process| process.beating.borrow().leads) {
            load.pass(LOOK).await;
        }
        let took = world.clock.now() - died;
        assert!(took <= LIFE + LOOK, "{took} to take over with {nodes}");
    }
    load.done().await;
    let calls = load.calls(began);
    for process in alive {
        assert!(process.limits.report().paid > 0, "one of {nodes} did nothing");
        process.die().await;
    }
    assert_eq!(errors(&calls, began), 0, "with {nodes}");
    let busiest = busiest_minute(&calls);
    assert!(busiest <= OF_PROJECT as usize, "{busiest} in a minute with {nodes}");
    let mut of_users: BTreeMap<_, Vec<&Entry>> = BTreeMap::new();
    for call in &calls {
        of_users.entry(&call.user).or_default().push(call);
    }
    for (user, calls) in of_users {
        let busiest = busiest_minute(calls);
        assert!(busiest <= OF_USER as usize, "{busiest} of {user:?} in a minute with {nodes}");
    }
    let inserted = calls.iter().filter(|call| call.committed).map(|call| &call.event);
    let mut times = BTreeMap::new();
    for event in inserted {
        *times.entry(event).or_insert(0) += 1;
    }
    assert!(times.values().all(|times| *times == 1), "an event was made twice: {times:?}");
    assert_eq!(times.len(), OF_FIRST + (ACCOUNTS - 1) * OF_OTHERS);
}

fn keep_to_the_quota(nodes: u32) {
    let clock = Arc::new(ManualClock::at(morning()));
    let outside = Outside::default();
    play_beside(&clock, &outside, async {
        let url = async { server::shared().await.database().await };
        let quota = Quota {
            per_user_per_minute: OF_USER,
            per_project_per_minute: OF_PROJECT,
            ..Quota::default()
        };
        let world = World {
            url: outside.wait_for(Box::pin(url)).await,
            google: google(ACCOUNTS, quota, &clock),
            clock: clock.clone(),
            place: Arc::new(tempfile::tempdir().unwrap()),
            outside: outside.clone(),
        };
        work_off(nodes, &world).await;
    });
}

#[test]
fn promise_5_one_process_keeps_to_the_quota() {
    keep_to_the_quota(1);
}

#[test]
fn promise_5_two_processes_on_one_database_keep_to_the_quota_of_one_though_the_leader_dies() {
    keep_to_the_quota(2);
}

#[test]
fn promise_5_four_processes_on_one_database_keep_to_the_quota_of_one_though_the_leader_dies() {
    keep_to_the_quota(4);
}
