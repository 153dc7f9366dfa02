//! Many users and their Google accounts on one bridge, in virtual time: what fairness and quotas are
//! tried with. Google takes 300 ms for each call.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use calbridge::app::access::Caller;
use calbridge::app::connections;
use calbridge::app::events::{self, Draft, Wish};
use calbridge::app::placement::{Aim, Whose};
use calbridge::clock::{Clock, ManualClock};
use calbridge::model::connection::{Connection, Health};
use calbridge::model::event::Meeting;
use calbridge::model::job::{Class, Job};
use calbridge::model::owner::{Owner, UserId};
use calbridge::model::timing::Timing;
use calbridge::model::when::{Dst, Moment, Span};
use calbridge::simulator::{Answered, Entry, Fault, FaultKind, Quota, Settings, Simulator, User};
use calbridge::store::Which;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::bridge::{Bridge, Choices, morning};
use crate::virtual_time::{idle, play};

/// How long Google takes for a call.
pub const LATENCY: TimeDelta = TimeDelta::milliseconds(300);
/// How many jobs run at once, by default.
pub const WORKERS: usize = 64;
/// So many events are taken in at once.
const BATCH: usize = 1_000;

/// The `n`th account's address.
fn account(n: usize) -> String {
    format!("user{n:03}@example.com")
}

/// The `n`th user.
fn user(n: usize) -> Owner {
    Owner::User(UserId::try_from(format!("user{n:03}")).expect("a user"))
}

/// A bridge with so many accounts connected, whose worker has not begun.
pub struct Load {
    pub bridge: Bridge,
    /// One for each account.
    pub connections: Vec<Connection>,
    /// Whose each event is, by its id at Google.
    owners: HashMap<String, usize>,
    working: JoinSet<()>,
    stop: CancellationToken,
}

/// A Google with so many accounts that allows so much.
pub fn google(accounts: usize, quota: Quota, clock: &Arc<ManualClock>) -> Simulator {
    let users = (0..accounts).map(|n| User {
        email: account(n),
        time_zone: "UTC".to_owned(),
        ..User::default()
    });
    let settings = Settings { users: users.collect(), quota, ..Settings::default() };
    Simulator::with_manual_clock(settings, clock.clone())
}

/// Plays `story` with so many accounts and a Google that allows so much.
pub fn load<T>(accounts: usize, quota: Quota, story: impl AsyncFnOnce(&mut Load) -> T) -> T {
    load_with(accounts, quota, "", story)
}

/// The same on a bridge with more settings.
pub fn load_with<T>(
    accounts: usize,
    quota: Quota,
    more: &str,
    story: impl AsyncFnOnce(&mut Load) -> T,
) -> T {
    let clock = Arc::new(ManualClock::at(morning()));
    let google = google(accounts, quota, &clock);
    let choices = Choices {
        google: Some((google, clock.clone())),
        in_memory: true,
        settings: more.to_owned(),
        ..Choices::default()
    };
    play(&clock, async {
        let mut load = Load::with(accounts, choices).await;
        let told = story(&mut load).await;
        load.stop.cancel();
        load.working.join_all().await;
        told
    })
}

impl Load {
    /// A bridge as chosen, with so many accounts of its Google connected.
    pub async fn with(accounts: usize, choices: Choices) -> Self {
        let mut load = Self {
            bridge: Bridge::with(choices).await,
            connections: Vec::new(),
            owners: HashMap::new(),
            working: JoinSet::new(),
            stop: CancellationToken::new(),
        };
        for n in 0..accounts {
            load.connect(n).await;
        }
        load.bridge.fault(Fault::new(FaultKind::Slow).millis(300));
        load
    }

    /// Connects an account. There is one place for the server's account: it is freed for the next,
    /// and [`face`](Self::face) puts one back in it.
    async fn connect(&mut self, n: usize) {
        self.bridge.connect(&account(n)).await.expect("an account can be connected");
        let app = &self.bridge.tied.app;
        let connection = connections::of_server(app).await.expect("a store that works");
        let connection = connection.expect("it was just connected");
        connections::mark(app, &connection, Health::Disconnected).await.expect("it is there");
        self.connections.push(connection);
    }

    async fn turn(&self, n: usize, state: Health) {
        let app = &self.bridge.tied.app;
        let connection = app.store.connection(self.connections[n].id).await;
        let connection = connection.expect("a store that works").expect("it was connected");
        connections::mark(app, &connection, state).await.expect("it is there");
    }

    /// Takes in so many events of the `n`th user for the calendar of an account, before the work
    /// begins.
    pub async fn accept(&mut self, n: usize, to: usize, events: usize, class: Class) {
        self.turn(to, Health::Connected).await;
        for first in (0..events).step_by(BATCH) {
            let wishes = (first..events.min(first + BATCH)).map(wish).collect();
            self.take_in(n, wishes, class).await;
        }
        self.turn(to, Health::Disconnected).await;
    }

    /// Takes in one event of the `n`th user for the account that was connected last. Returns its id
    /// at Google.
    pub async fn accept_now(&mut self, n: usize, class: Class) -> String {
        self.take_in(n, vec![wish(0)], class).await.pop().expect("one event")
    }

    async fn take_in(&mut self, n: usize, wishes: Vec<Wish>, class: Class) -> Vec<String> {
        let caller = Caller { owner: user(n), ..Caller::console() };
        let created = events::create_all(&self.bridge.tied.app, &caller, wishes, class).await;
        let created = created.expect("an account is connected").into_iter();
        let ids: Vec<String> = created
            .map(|created| created.expect("there is room").view.event.known.google_id.to_string())
            .collect();
        self.owners.extend(ids.iter().map(|id| (id.clone(), n)));
        ids
    }

    /// Lets whoever works on the store begin, for all accounts.
    pub async fn open(&self) {
        for n in 0..self.connections.len() {
            self.turn(n, Health::Connected).await;
        }
    }

    /// Lets the work begin, for all accounts.
    pub async fn begin(&mut self) -> DateTime<Utc> {
        self.open().await;
        self.working.spawn(self.bridge.tied.worker.clone().run(self.stop.clone()));
        self.bridge.clock.now()
    }

    /// Waits until all is done, and says when that was.
    pub async fn done(&self) -> DateTime<Utc> {
        idle(&self.bridge).await
    }

    /// Lets so much time pass.
    pub async fn pass(&self, time: TimeDelta) {
        self.bridge.clock.sleep(time).await;
    }

    /// Calls of the Calendar API that took effect or were refused since `since`.
    pub fn calls(&self, since: DateTime<Utc>) -> Vec<Entry> {
        let ledger = self.bridge.google.ledger().into_iter();
        ledger
            .filter(|entry| entry.time >= since && entry.method.starts_with("calendar."))
            .collect()
    }

    /// When Google made this event, if it did.
    pub fn written(&self, event: &str) -> Option<DateTime<Utc>> {
        let ledger = self.bridge.google.ledger();
        let mut made = ledger.iter().filter(|entry| entry.event.as_deref() == Some(event));
        made.find(|entry| entry.committed).map(|entry| entry.time)
    }

    /// The moments at which each user was served since `since`.
    pub fn served(&self, since: DateTime<Utc>) -> BTreeMap<usize, Vec<DateTime<Utc>>> {
        let mut served: BTreeMap<usize, Vec<DateTime<Utc>>> = BTreeMap::new();
        for call in self.calls(since) {
            if let Some(owner) = call.event.and_then(|event| self.owners.get(&event)) {
                served.entry(*owner).or_default().push(call.time);
            }
        }
        served
    }

    /// Every job, whatever became of it.
    pub async fn jobs(&self) -> Vec<Job> {
        let store = &self.bridge.tied.app.store;
        let mut all = Vec::new();
        for which in [Which::Live, Which::Done, Which::Dead, Which::Cancelled] {
            let mut after = None;
            loop {
                let (jobs, next) =
                    store.jobs(which, None, after, BATCH).await.expect("a store that works");
                all.extend(jobs);
                after = next;
                if next.is_none() {
                    break;
                }
            }
        }
        all
    }
}

/// Whether Google refused the call because there were too many.
pub fn is_rate_error(entry: &Entry) -> bool {
    matches!(entry.answered, Answered::Status(403 | 429))
}

fn wish(n: usize) -> Wish {
    let moment = |text| Moment::read("start", text, None, Dst::default()).expect("a moment");
    let span = Span::new(moment("2026-11-30T14:00:00Z"), moment("2026-11-30T15:00:00Z"));
    let timing = Timing::Span(span.expect("from earlier to later"));
    let draft = Draft { meeting: Some(Meeting::None), ..Draft::new(format!("Tea {n}"), timing) };
    // Of many users, all through the account that is the server's at the moment.
    let aim = Aim { whose: Some(Whose::Server), ..Aim::default() };
    Wish { draft, aim, identity: None }
}
