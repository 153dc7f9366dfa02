//! Who guesses passwords waits: longer after each wrong one, for the account as a whole and for each
//! address. Kept in memory alone, by the clock that is passed in, and bounded.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;

use chrono::{DateTime, TimeDelta, Utc};

/// So many wrong tries cost an address nothing.
const FREE_FOR_ADDRESS: u32 = 5;
/// And the account, from wherever they come.
const FREE_FOR_ACCOUNT: u32 = 10;
/// No wait is longer. Nobody shall be able to lock the administrator out for long.
const LONGEST: TimeDelta = TimeDelta::minutes(15);
/// After so long without a try, those before are forgotten.
const MEMORY: TimeDelta = TimeDelta::hours(24);
/// So many addresses are remembered.
const MOST_ADDRESSES: usize = 10_000;

/// The wrong tries so far.
#[derive(Default)]
pub(super) struct Backoff {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    account: Option<Tries>,
    addresses: HashMap<Address, Tries>,
}

/// An address, as far as one party has it to itself: of IPv6, a network of 64 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Address(u128);

#[derive(Clone, Copy)]
struct Tries {
    count: u32,
    last: DateTime<Utc>,
}

impl Backoff {
    /// Counts one try, which is wrong until [`succeeded`](Self::succeeded) is told. Or says how long to
    /// wait before any: then it must not be looked at, not even if it is right.
    pub(super) fn begin(&self, from: IpAddr, now: DateTime<Utc>) -> Result<(), TimeDelta> {
        let from = Address::of(from);
        let mut known = self.known.lock().expect("nobody panics while counting");
        let Known { account, addresses } = &mut *known;
        let wait = [
            account.and_then(|tries| tries.wait(FREE_FOR_ACCOUNT, now)),
            addresses.get(&from).and_then(|tries| tries.wait(FREE_FOR_ADDRESS, now)),
        ];
        if let Some(wait) = wait.into_iter().flatten().max() {
            return Err(wait);
        }
        *account = Some(Tries::one_more(*account, now));
        make_room(addresses, now);
        let tries = Tries::one_more(addresses.get(&from).copied(), now);
        addresses.insert(from, tries);
        Ok(())
    }

    /// The try was right: what was wrong before is forgotten.
    pub(super) fn succeeded(&self, from: IpAddr) {
        let mut known = self.known.lock().expect("nobody panics while counting");
        known.account = None;
        known.addresses.remove(&Address::of(from));
    }
}

/// Forgets the address that was heard of the longest ago, if there are as many as may be.
fn make_room(addresses: &mut HashMap<Address, Tries>, now: DateTime<Utc>) {
    if addresses.len() < MOST_ADDRESSES {
        return;
    }
    addresses.retain(|_, tries| now - tries.last < MEMORY);
    let oldest = addresses.iter().min_by_key(|(_, tries)| tries.last).map(|(address, _)| *address);
    if let Some(oldest) = oldest.filter(|_| addresses.len() >= MOST_ADDRESSES) {
        addresses.remove(&oldest);
    }
}

impl Tries {
    fn one_more(before: Option<Self>, now: DateTime<Utc>) -> Self {
        let before = before.filter(|tries| now - tries.last < MEMORY);
        let count = before.map_or(0, |tries| tries.count).saturating_add(1);
        Self { count, last: now }
    }

    /// How long to wait: a second after the first that is not free, and twice as long each time.
    fn wait(self, free: u32, now: DateTime<Utc>) -> Option<TimeDelta> {
        let doublings = self.count.checked_sub(free)?.min(10);
        let whole = TimeDelta::seconds(1 << doublings).min(LONGEST);
        // A clock that was set back makes nobody wait for longer than the whole.
        let left = (self.last + whole - now).min(whole);
        (left > TimeDelta::zero()).then_some(left)
    }
}

impl Address {
    fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.to_bits().into(),
            IpAddr::V6(address) => address.to_bits() >> 64 << 64,
        })
    }
}
