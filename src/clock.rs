//! What time it is, and waiting for a time: passed in, so that a test can hold the hands.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::oneshot;

/// A source of the time of day.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> DateTime<Utc>;

    /// Returns once `moment` has come. A moment that has passed is not waited for.
    async fn sleep_until(&self, moment: DateTime<Utc>);
}

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// Waits are cut in pieces of this length, so that a wall clock set forward is noticed.
const LONGEST_NAP: std::time::Duration = std::time::Duration::from_mins(1);

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where the time comes from")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    #[expect(clippy::disallowed_methods, reason = "this is where waiting comes from")]
    async fn sleep_until(&self, moment: DateTime<Utc>) {
        while let Ok(left) = (moment - self.now()).to_std()
            && !left.is_zero()
        {
            tokio::time::sleep(left.min(LONGEST_NAP)).await;
        }
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock {
    hands: Mutex<Hands>,
}

#[derive(Debug)]
struct Hands {
    now: DateTime<Utc>,
    /// Who waits, by moment and order of arrival.
    sleepers: BTreeMap<(DateTime<Utc>, u64), oneshot::Sender<()>>,
    arrivals: u64,
}

impl ManualClock {
    /// A clock that shows `now`.
    pub fn at(now: DateTime<Utc>) -> Self {
        Self { hands: Mutex::new(Hands { now, sleepers: BTreeMap::new(), arrivals: 0 }) }
    }

    /// Moves the clock on and wakes whoever waited for a moment that has now come.
    pub fn advance(&self, by: TimeDelta) {
        self.set(self.now() + by);
    }

    /// Sets the clock, forward or back, and wakes whoever waited for a moment that has now come.
    pub fn set(&self, now: DateTime<Utc>) {
        let mut hands = self.hands();
        hands.now = now;
        while let Some(first) = hands.sleepers.first_entry()
            && first.key().0 <= now
        {
            // A sleeper that no longer waits has dropped its end; nothing is owed to it.
            let _ = first.remove().send(());
        }
    }

    /// The earliest moment anybody waits for.
    pub fn next_waited_for(&self) -> Option<DateTime<Utc>> {
        let mut hands = self.hands();
        hands.sleepers.retain(|_, sleeper| !sleeper.is_closed());
        hands.sleepers.keys().next().map(|(moment, _)| *moment)
    }

    fn hands(&self) -> std::sync::MutexGuard<'_, Hands> {
        self.hands.lock().expect("no one panics while holding the hands")
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        self.hands().now
    }

    async fn sleep_until(&self, moment: DateTime<Utc>) {
        let woken = {
            let mut hands = self.hands();
            if moment <= hands.now {
                return;
            }
            let (wake, woken) = oneshot::channel();
            hands.arrivals += 1;
            let order = hands.arrivals;
            hands.sleepers.insert((moment, order), wake);
            woken
        };
        // An error means the clock is gone, and with it all reason to wait.
        let _ = woken.await;
    }
}
