//! A Google that counts over a sliding minute, and nothing else.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use calbridge::clock::{Clock, ManualClock};
use calbridge::limits::{Limits, Refusal};
use calbridge::model::connection::AccountTag;
use chrono::{DateTime, TimeDelta, Utc};

/// Units in any minute.
#[derive(Clone, Copy)]
pub struct Quota {
    pub user: u64,
    pub project: u64,
}

pub struct Google {
    clock: Arc<ManualClock>,
    books: Mutex<Books>,
}

struct Books {
    quota: Quota,
    /// Accounts that are allowed less.
    restricted: BTreeMap<AccountTag, u64>,
    users: BTreeMap<AccountTag, Window>,
    project: Window,
    served: BTreeMap<AccountTag, u64>,
    by_minute: BTreeMap<i64, u64>,
    refused: u64,
    began: DateTime<Utc>,
}

#[derive(Default)]
struct Window {
    calls: VecDeque<(DateTime<Utc>, u64)>,
    sum: u64,
}

impl Window {
    fn has_room(&mut self, units: u64, limit: u64, now: DateTime<Utc>) -> bool {
        while let Some((when, units)) = self.calls.front()
            && *when + TimeDelta::minutes(1) <= now
        {
            self.sum -= units;
            self.calls.pop_front();
        }
        self.sum + units <= limit
    }

    fn take(&mut self, units: u64, now: DateTime<Utc>) {
        self.calls.push_back((now, units));
        self.sum += units;
    }
}

impl Google {
    pub fn with(clock: &Arc<ManualClock>, quota: Quota) -> Arc<Self> {
        let books = Books {
            quota,
            restricted: BTreeMap::new(),
            users: BTreeMap::new(),
            project: Window::default(),
            served: BTreeMap::new(),
            by_minute: BTreeMap::new(),
            refused: 0,
            began: clock.now(),
        };
        Arc::new(Self { clock: clock.clone(), books: Mutex::new(books) })
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub async fn sleep(&self, time: Duration) {
        self.clock.sleep_until(self.now() + time).await;
    }

    /// A call of `payer`, which is told to `limits` as Google takes it.
    pub fn call(&self, limits: &Limits, payer: AccountTag, units: u32) {
        match self.judge(payer, units.into()) {
            None => limits.taken(Some(payer), units),
            Some(refusal) => limits.refused(Some(payer), refusal, None),
        }
    }

    fn judge(&self, payer: AccountTag, units: u64) -> Option<Refusal> {
        let now = self.now();
        let mut books = self.books();
        let books = &mut *books;
        let limit = books.restricted.get(&payer).copied().unwrap_or(books.quota.user);
        let user = books.users.entry(payer).or_default();
        let refusal = if !user.has_room(units, limit, now) {
            Some(Refusal::User)
        } else if !books.project.has_room(units, books.quota.project, now) {
            Some(Refusal::Rate)
        } else {
            None
        };
        if refusal.is_some() {
            books.refused += units;
            return refusal;
        }
        user.take(units, now);
        books.project.take(units, now);
        *books.served.entry(payer).or_default() += units;
        *books.by_minute.entry((now - books.began).num_minutes()).or_default() += units;
        None
    }

    /// From now on this is what it allows.
    pub fn allow(&self, quota: Quota) {
        self.books().quota = quota;
    }

    /// This account may do less than others.
    pub fn restrict(&self, payer: AccountTag, limit: u64) {
        self.books().restricted.insert(payer, limit);
    }

    pub fn refused(&self) -> u64 {
        self.books().refused
    }

    pub fn taken(&self) -> u64 {
        self.books().served.values().sum()
    }

    pub fn served(&self) -> BTreeMap<AccountTag, u64> {
        self.books().served.clone()
    }

    /// What it took in each whole minute.
    pub fn taken_by_minute(&self) -> Vec<u64> {
        let books = self.books();
        let last = (self.now() - books.began).num_minutes();
        (0..last).map(|minute| books.by_minute.get(&minute).copied().unwrap_or(0)).collect()
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().expect("no one panics while booking")
    }
}
