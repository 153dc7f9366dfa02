//! How often callers may knock: each key, each user and each address for itself, by class of route.
//!
//! Counted in this process alone. What is left is told in `RateLimit` headers (draft -10 of the
//! IETF's HTTP API group).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use governor::clock::Clock as Pace;
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use super::policy::row::Class;
use super::problem::{Code, Problem};
use crate::app::access::{Caller, Who};
use crate::app::{App, Ticking};
use crate::model::id::KeyId;
use crate::model::owner::UserId;

/// What is left.
pub static RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// What there may be.
pub static RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// With so many callers at once, all others share one allowance: nobody fills the memory by calling
/// from ever new addresses.
const MOST_PAYERS: usize = 100_000;

/// So many requests in such a time, all of which may come at once.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Requests …
    pub requests: NonZeroU32,
    /// … in each such time.
    pub window: Duration,
}

/// What the operator allows each caller.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// Of what anybody may call.
    pub open: Rate,
    /// Of pages.
    pub pages: Rate,
    /// Attempts to be let in.
    pub sign_in: Rate,
    /// Requests to the classic route.
    pub classic: Rate,
    /// Reads.
    pub reads: Rate,
    /// Writes.
    pub writes: Rate,
    /// Batches.
    pub batches: Rate,
    /// What only administrators do.
    pub manage: Rate,
    /// Requests that show nothing that works.
    pub refusals: Rate,
}

/// Whose allowance a request is paid from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Payer {
    /// A program's key.
    Key(KeyId),
    /// A user.
    User(UserId),
    /// Whoever calls from there: a whole network, where networks are given to one household.
    Address(IpAddr),
    /// All for whom there is no room.
    Crowd,
}

impl Payer {
    /// Who pays for a request from this address, if nobody better is known.
    pub fn at(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
        })
    }

    /// Who pays for this caller's requests, from this address.
    pub fn of(caller: &Caller, address: IpAddr) -> Self {
        match &caller.who {
            Who::Key(id) => Self::Key(*id),
            Who::User(user) => Self::User(user.clone()),
            Who::Administrator | Who::Console => Self::at(address),
        }
    }
}

/// Every class's allowances.
pub struct Limits {
    classes: BTreeMap<Class, Limit>,
    refusals: Limit,
}

impl Limits {
    /// As the operator allows.
    pub fn new(rates: &Rates, app: &App) -> Self {
        let named = [
            (Class::Open, "open", rates.open),
            (Class::Page, "pages", rates.pages),
            (Class::SignIn, "sign-in", rates.sign_in),
            (Class::Classic, "classic", rates.classic),
            (Class::Read, "reads", rates.reads),
            (Class::Write, "writes", rates.writes),
            (Class::Bulk, "batches", rates.batches),
            (Class::Manage, "manage", rates.manage),
        ];
        let ticking = Ticking::on(Arc::clone(&app.clock));
        let classes =
            named.map(|(class, name, rate)| (class, Limit::new(name, rate, ticking.clone())));
        Self { classes: classes.into(), refusals: Limit::new("refusals", rates.refusals, ticking) }
    }

    /// Counts one request of this class, or refuses it. Of `Free` ones nothing is counted.
    pub fn check(&self, class: Class, payer: Payer) -> Result<Option<Left>, Problem> {
        self.classes.get(&class).map(|limit| limit.take(payer)).transpose()
    }

    /// Counts one request that showed nothing that works, or refuses to look at more of them.
    pub fn refuse(&self, address: IpAddr) -> Result<(), Problem> {
        self.refusals.take(Payer::at(address)).map(drop)
    }
}

type Buckets = RateLimiter<Payer, DashMapStateStore<Payer>, Ticking, StateInformationMiddleware>;

/// An allowance that each payer has for itself.
struct Limit {
    name: &'static str,
    rate: Rate,
    buckets: Buckets,
    ticking: Ticking,
    /// When those who have all of theirs are forgotten next, in nanoseconds.
    sweep: AtomicU64,
}

/// What is left of an allowance.
#[derive(Clone, Debug)]
pub struct Left {
    name: &'static str,
    rate: Rate,
    requests: u32,
    /// When it is whole again, or when there is something of it again.
    secs: u64,
}

impl Limit {
    fn new(name: &'static str, rate: Rate, ticking: Ticking) -> Self {
        let quota = Quota::with_period(rate.window / rate.requests.get())
            .expect("a window is longer than nothing")
            .allow_burst(rate.requests);
        let buckets = Buckets::new(quota, DashMapStateStore::default(), ticking.clone());
        let sweep = AtomicU64::new(0);
        Self { name, rate, buckets, ticking, sweep }
    }

    fn take(&self, payer: Payer) -> Result<Left, Problem> {
        self.forget();
        let payer = if self.buckets.len() < MOST_PAYERS { payer } else { Payer::Crowd };
        match self.buckets.check_key(&payer) {
            Ok(state) => {
                let requests = state.remaining_burst_capacity();
                let spent = self.rate.requests.get().saturating_sub(requests);
                let whole = self.rate.window / self.rate.requests.get() * spent;
                Ok(self.left(requests, whole))
            }
            Err(not_yet) => {
                let left = self.left(0, not_yet.wait_time_from(self.ticking.now()));
                Err(left.refusal(self.rate))
            }
        }
    }

    fn left(&self, requests: u32, wait: Duration) -> Left {
        let secs = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Left { name: self.name, rate: self.rate, requests, secs: secs.max(1) }
    }

    /// Once in each window, forgets those whose allowance is whole.
    fn forget(&self) {
        let now = self.ticking.now().as_u64();
        let next = self.sweep.load(Ordering::Relaxed);
        let window = u64::try_from(self.rate.window.as_nanos()).unwrap_or(u64::MAX);
        let after = now.saturating_add(window);
        if now >= next
            && self
                .sweep
                .compare_exchange(next, after, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            self.buckets.retain_recent();
        }
    }
}

impl Left {
    /// Tells it with an answer.
    pub fn tell(&self, headers: &mut HeaderMap) {
        let Rate { requests, window } = self.rate;
        let policy = format!("\"{}\";q={requests};w={}", self.name, window.as_secs());
        let left = format!("\"{}\";r={};t={}", self.name, self.requests, self.secs);
        for (name, value) in [(&RATE_LIMIT_POLICY, policy), (&RATE_LIMIT, left)] {
            let value = HeaderValue::try_from(value).expect("names and numbers are ASCII");
            headers.insert(name, value);
        }
    }

    fn refusal(self, rate: Rate) -> Problem {
        let detail = format!(
            "more requests than may come ({} in {} s); try again in {} s",
            rate.requests,
            rate.window.as_secs(),
            self.secs
        );
        Problem::new(Code::TooManyRequests, detail).retry_after(self.secs).left(self)
    }
}
