//! How much of Google's quota is left, and for whom. Every call that counts pays here first: at its
//! payer's gate, then at the project's.
//!
//! A payer is a Google account, since that is whom Google counts. The buckets are paced below
//! Google's limits, so that no sliding minute ever holds more than Google allows; when it says no
//! all the same, a factor makes calls dearer for a while (docs/decisions/0010-quotas.md).

mod blame;
mod day;
mod factor;
mod gate;
mod minute;
mod pace;
mod share;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::clock::Clock;
use crate::model::connection::AccountTag;
use crate::model::id::ConnectionId;
use blame::{Blame, Lately};
use day::{Days, day_of, rest_of_day};
use factor::WHOLE;
use gate::Gate;
pub use minute::Minute;
pub use pace::{Bucket, CELLS, Ticking};
use share::Share;

/// What Google allows one payer, or the project, and how much of it is made use of.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// Units in any minute.
    pub limit: NonZeroU32,
    /// How many percent of these are aimed at.
    pub aim_percent: NonZeroU32,
    /// Units that may come at once after a rest.
    pub burst: NonZeroU32,
}

impl Allowance {
    /// Units a minute that are aimed at.
    fn aim(&self) -> u64 {
        let aim = u64::from(self.limit.get()) * u64::from(self.aim_percent.get()) / 100;
        aim.max(1)
    }

    /// After what time an empty bucket is full.
    fn refill(&self) -> Duration {
        Duration::from_millis((u64::from(self.burst.get()) * 60_000).div_ceil(self.aim()))
    }
}

/// What the operator chose.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Each payer's.
    pub user: Allowance,
    /// Everybody's together.
    pub project: Allowance,
    /// For how long an account rests that reached a limit of Calendar itself.
    pub park: TimeDelta,
    /// So many calls of one day are told in the log.
    pub daily_warning: u64,
}

/// A call was not made, since its payer or the project has to be left alone for so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held(pub Duration);

/// How Google refused to do more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The payer's calls come too fast.
    User,
    /// Calls come too fast: the payer's, the project's, or those to one calendar.
    Rate,
    /// The payer reached a limit of Calendar itself, which lasts for hours.
    Quota,
    /// The project's calls of the day are used up.
    Day,
}

/// A call that was paid for, and is under way for as long as this is there.
pub struct Paid {
    limits: Limits,
    /// Its payer's.
    gate: Option<Arc<Gate>>,
    units: u64,
    /// Of how many processes this was one when it was paid.
    nodes: u64,
}

impl Drop for Paid {
    fn drop(&mut self) {
        self.limits.inner.project.over(self.units, self.nodes);
        if let Some(gate) = &self.gate {
            gate.over(self.units, 1);
        }
    }
}

/// How much of a limit is used, for people.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Used {
    /// Google's limit, in units a minute; of the project's, the part that is this process's own.
    pub limit: u64,
    /// Units that Google may count at present: of calls under way, and of those that came to an end in
    /// the last minute.
    pub used: u64,
    /// What is left of the limit.
    pub left: u64,
    /// Units of calls that wait to be paid for at this moment.
    pub waiting: u64,
    /// After what time one more unit can be had.
    pub next: Duration,
    /// Which part of the aim is made use of, in thousandths: less than all of them after Google
    /// asked to slow down.
    pub factor: u64,
}

impl Used {
    /// Whether there is anything to say of it.
    fn is_in_use(&self) -> bool {
        let slowed = self.factor < WHOLE || !self.next.is_zero();
        self.used > 0 || self.waiting > 0 || slowed
    }

    /// Whether Google asked it to slow down.
    pub fn is_slowed(&self) -> bool {
        self.factor < WHOLE
    }
}

/// Everything there is to see of the limits.
#[derive(Clone, Debug)]
pub struct Report {
    /// The project's.
    pub project: Used,
    /// Google's limit for each payer, in units a minute.
    pub payer_limit: u64,
    /// Each payer in use, by one of its connections.
    pub payers: Vec<(ConnectionId, Used)>,
    /// How many payers are remembered, in use or not.
    pub remembered: usize,
    /// Of how many processes this one has its part of the project's quota.
    pub nodes: u64,
    /// Google's day …
    pub day: NaiveDate,
    /// … and its calls so far.
    pub calls: u64,
    /// How many calls of a day are worth a warning.
    pub warning: u64,
    /// After what time the next day begins.
    pub next_day: Duration,
    /// Units paid for since the process began.
    pub paid: u64,
    /// Calls that Google refused for coming too fast, since the process began.
    pub refused: u64,
}

impl Report {
    /// How many more calls of the day are worth no warning.
    pub fn calls_left(&self) -> u64 {
        self.warning.saturating_sub(self.calls)
    }

    /// What the payer used in the last minute that used most.
    pub fn most_used(&self) -> u64 {
        self.payers.iter().map(|(_, used)| used.used).max().unwrap_or_default()
    }

    /// What is left to the payer that has least left.
    pub fn least_left(&self) -> u64 {
        self.payers.iter().map(|(_, used)| used.left).min().unwrap_or(self.payer_limit)
    }

    /// After what time every payer could have one more unit.
    pub fn longest_next(&self) -> Duration {
        self.payers.iter().map(|(_, used)| used.next).max().unwrap_or_default()
    }
}

/// The limits of one process. Clones share them.
#[derive(Clone)]
pub struct Limits {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    clock: Arc<dyn Clock>,
    ticking: Ticking,
    project: Gate,
    books: Mutex<Books>,
    paid: AtomicU64,
    refused: AtomicU64,
}

struct Books {
    payers: BTreeMap<AccountTag, Arc<Gate>>,
    connections: BTreeMap<ConnectionId, AccountTag>,
    share: Share,
    lately: Lately,
    days: Days,
    /// With so many payers, those at rest are forgotten.
    crowd: usize,
}

/// Fewer payers than this are not worth forgetting.
const SMALL_CROWD: usize = 64;
/// What a refusal that names no time is answered with.
const SHORT_REST: Duration = Duration::from_secs(1);

impl Limits {
    /// Limits of which nothing is known to be left but the rates themselves: whoever ran before may
    /// have spent the bursts.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>) -> Self {
        let ticking = Ticking::on(Arc::clone(&clock));
        let project = Gate::after_others(settings.project, &ticking);
        let books = Books {
            payers: BTreeMap::new(),
            connections: BTreeMap::new(),
            share: Share::default(),
            lately: Lately::default(),
            days: Days::default(),
            crowd: SMALL_CROWD,
        };
        let books = Mutex::new(books);
        let (paid, refused) = (AtomicU64::new(0), AtomicU64::new(0));
        let inner = Inner { settings, clock, ticking, project, books, paid, refused };
        Self { inner: Arc::new(inner) }
    }

    /// Says that `connection` pays as `account`.
    pub fn know(&self, connection: ConnectionId, account: AccountTag) {
        let mut books = self.books();
        books.connections.insert(connection, account);
        self.gate_of(&mut books, account);
    }

    /// Pays `units` for a call that is about to be made, as soon as the payer and the project have
    /// them: first come, first served. A call without a payer is the project's alone. What is
    /// returned is to be kept until the call is over.
    pub async fn pay(&self, payer: Option<AccountTag>, units: u32) -> Result<Paid, Held> {
        let units = u64::from(units);
        let nodes = self.nodes();
        let project = self.inner.project.pass(units, nodes, async { Ok(()) });
        let gate = payer.map(|account| self.gate_of(&mut self.books(), account));
        match &gate {
            None => project.await?,
            Some(gate) => gate.pass(units, 1, project).await?,
        }
        // Nothing is awaited between this and the gates: what went through them is told to be over.
        let paid = Paid { limits: self.clone(), gate, units, nodes };
        self.inner.paid.fetch_add(units, Ordering::Relaxed);
        let today = day_of(self.inner.clock.now());
        self.books().days.add(today, 1);
        self.warn_of(today);
        Ok(paid)
    }

    /// Google did what was asked for `units`.
    pub fn taken(&self, payer: Option<AccountTag>, units: u32) {
        self.inner.project.taken(units.into());
        if let Some(account) = payer {
            let gate = self.gate_of(&mut self.books(), account);
            gate.taken(units.into());
        }
    }

    /// Google refused to do more for now; `quiet` is how long it asks to be left alone.
    pub fn refused(&self, payer: Option<AccountTag>, refusal: Refusal, quiet: Option<Duration>) {
        self.inner.refused.fetch_add(1, Ordering::Relaxed);
        let (passed, nodes) = (self.inner.ticking.passed(), self.nodes());
        let mut books = self.books();
        let blame = match (refusal, payer) {
            (Refusal::User | Refusal::Quota, Some(_)) => Blame::Payer,
            (Refusal::Rate, Some(account)) => books.lately.blame(account, passed),
            (Refusal::Day, _) | (_, None) => Blame::Project,
        };
        let gate = payer.map(|account| self.gate_of(&mut books, account));
        drop(books);
        let park = self.inner.settings.park.to_std().unwrap_or_default();
        match (refusal, blame, gate) {
            (Refusal::Day, ..) => {
                let rest = rest_of_day(self.inner.clock.now()).to_std().unwrap_or_default();
                self.inner.project.hold(quiet.unwrap_or(park.min(rest)));
            }
            (Refusal::Quota, _, Some(gate)) => gate.hold(park.max(quiet.unwrap_or_default())),
            (_, Blame::Payer, Some(gate)) => {
                gate.slow_down(1);
                gate.hold(quiet.unwrap_or(SHORT_REST));
            }
            _ => {
                self.inner.project.slow_down(nodes);
                self.inner.project.hold(quiet.unwrap_or_default());
            }
        }
    }

    /// Before what moment no call of `connection` can be paid for; none if one can at `now`. Costs
    /// nothing.
    pub fn not_before(
        &self,
        connection: ConnectionId,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let gate = {
            let books = self.books();
            let account = books.connections.get(&connection)?;
            Arc::clone(books.payers.get(account)?)
        };
        moment(now, gate.wait(1))
    }

    /// Before what moment no call at all can be paid for; none if one can at `now`. Costs nothing.
    pub fn project_not_before(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        moment(now, self.inner.project.wait(self.nodes()))
    }

    /// There are `nodes` processes on the store, each of which hears of that within `lease`: this
    /// one may spend its part of the project's quota. A payer's is whole, since a connection is held
    /// by one process.
    pub fn share(&self, nodes: u32, lease: TimeDelta) {
        let lease = lease.to_std().unwrap_or_default();
        let joins = self.books().share.tell(nodes, lease, self.inner.ticking.passed());
        if joins {
            // The others still spend what is going to be this one's.
            self.inner.project.hold(lease);
        }
    }

    /// Hands out the calls of a day that were not handed out before: none if there are none.
    pub fn take_uncounted(&self) -> (NaiveDate, u64) {
        let today = day_of(self.inner.clock.now());
        self.books().days.take(today)
    }

    /// Takes back calls that could not be written down.
    pub fn give_back(&self, day: NaiveDate, calls: u64) {
        self.books().days.add(day, calls);
    }

    /// What was handed out is written down, and makes `total` calls on `day`, of all processes.
    pub fn counted(&self, day: NaiveDate, total: u64) {
        self.books().days.counted(day, total);
        self.warn_of(day);
    }

    /// How everything stands.
    pub fn report(&self) -> Report {
        let nodes = self.nodes();
        let project = self.inner.project.used(nodes);
        let now = self.inner.clock.now();
        let day = day_of(now);
        let books = self.books();
        let gates = |account| books.payers.get(account).map(|gate: &Arc<Gate>| gate.used(1));
        let known = books.connections.iter();
        let known = known.filter_map(|(id, account)| Some((*id, gates(account)?)));
        let payers = known.filter(|(_, used)| used.is_in_use()).collect();
        Report {
            project,
            payer_limit: u64::from(self.inner.settings.user.limit.get()),
            payers,
            remembered: books.payers.len(),
            nodes,
            day,
            calls: books.days.calls(day),
            warning: self.inner.settings.daily_warning,
            next_day: rest_of_day(now).to_std().unwrap_or_default(),
            paid: self.inner.paid.load(Ordering::Relaxed),
            refused: self.inner.refused.load(Ordering::Relaxed),
        }
    }

    fn warn_of(&self, day: NaiveDate) {
        let threshold = self.inner.settings.daily_warning;
        if self.books().days.warns(day, threshold) {
            tracing::warn!(
                %day,
                calls = threshold,
                "the day's calls to Google have reached the number that was to be told; raise the \
                 project's quota in the Google Cloud console if there will be many more"
            );
        }
    }

    fn nodes(&self) -> u64 {
        self.books().share.nodes(self.inner.ticking.passed())
    }

    fn gate_of(&self, books: &mut Books, account: AccountTag) -> Arc<Gate> {
        if let Some(gate) = books.payers.get(&account) {
            return Arc::clone(gate);
        }
        if books.payers.len() >= books.crowd {
            books.payers.retain(|_, gate| Arc::strong_count(gate) > 1 || !gate.is_at_rest());
            let Books { payers, connections, .. } = books;
            connections.retain(|_, account| payers.contains_key(account));
            books.crowd = SMALL_CROWD.max(books.payers.len() * 2);
        }
        // Whoever is new here may have spent its burst elsewhere: with an earlier process, or with
        // another on the same store.
        let Settings { user, .. } = self.inner.settings;
        let passed = self.inner.ticking.passed();
        let gate = match books.share.nodes(passed) {
            1 if passed >= user.refill() => Gate::rested(user, &self.inner.ticking),
            _ => Gate::after_others(user, &self.inner.ticking),
        };
        let gate = Arc::new(gate);
        books.payers.insert(account, Arc::clone(&gate));
        gate
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.inner.books.lock().expect("no one panics over the books")
    }
}

fn moment(now: DateTime<Utc>, wait: Duration) -> Option<DateTime<Utc>> {
    let wait = TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX);
    (!wait.is_zero()).then(|| now.checked_add_signed(wait).unwrap_or(DateTime::<Utc>::MAX_UTC))
}
