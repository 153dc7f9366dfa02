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

    /// Returns after `length`, whatever the time of day is set to meanwhile: for deadlines.
    async fn sleep(&self, length: TimeDelta);
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

    #[expect(clippy::disallowed_methods, reason = "this is where waiting comes from")]
    async fn sleep(&self, length: TimeDelta) {
        tokio::time::sleep(length.to_std().unwrap_or_default()).await;
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
    sleepers: BTreeMap<(DateTime<Utc>, u64), Sleeper>,
    arrivals: u64,
}

#[derive(Debug)]
struct Sleeper {
    wake: oneshot::Sender<()>,
    /// Whether it waits for the time to pass, rather than for what the hands show.
    for_length: bool,
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

    /// Lets the time pass until `now`, and wakes whoever waited for a moment that has now come.
    pub fn set(&self, now: DateTime<Utc>) {
        self.hands().show(now);
    }

    /// Sets the clock right or wrong, forward or back, while no time passes: whoever waits for a
    /// length of time waits as long as before.
    pub fn jump(&self, by: TimeDelta) {
        let mut hands = self.hands();
        let sleepers = std::mem::take(&mut hands.sleepers);
        let shifted = sleepers.into_iter().map(|((moment, order), sleeper)| {
            let moment = if sleeper.for_length { moment + by } else { moment };
            ((moment, order), sleeper)
        });
        hands.sleepers = shifted.collect();
        let now = hands.now + by;
        hands.show(now);
    }

    /// The earliest moment anybody waits for. Deadlines are no such moments: they bound what is under
    /// way.
    pub fn next_waited_for(&self) -> Option<DateTime<Utc>> {
        self.first_sleeper(|sleeper| !sleeper.for_length)
    }

    /// The earliest moment anybody waits for, or at which a deadline is over.
    pub fn next_moment(&self) -> Option<DateTime<Utc>> {
        self.first_sleeper(|_| true)
    }

    fn first_sleeper(&self, counts: impl Fn(&Sleeper) -> bool) -> Option<DateTime<Utc>> {
        let mut hands = self.hands();
        hands.sleepers.retain(|_, sleeper| !sleeper.wake.is_closed());
        let mut counting = hands.sleepers.iter().filter(|(_, sleeper)| counts(sleeper));
        counting.next().map(|((moment, _), _)| *moment)
    }

    async fn wait(&self, moment: impl Fn(DateTime<Utc>) -> DateTime<Utc>, for_length: bool) {
        let woken = {
            let mut hands = self.hands();
            let moment = moment(hands.now);
            if moment <= hands.now {
                return;
            }
            let (wake, woken) = oneshot::channel();
            hands.arrivals += 1;
            let order = hands.arrivals;
            hands.sleepers.insert((moment, order), Sleeper { wake, for_length });
            woken
        };
        // An error means the clock is gone, and with it all reason to wait.
        let _ = woken.await;
    }

    fn hands(&self) -> std::sync::MutexGuard<'_, Hands> {
        self.hands.lock().expect("no one panics while holding the hands")
    }
}

impl Hands {
    fn show(&mut self, now: DateTime<Utc>) {
        self.now = now;
        while let Some(first) = self.sleepers.first_entry()
            && first.key().0 <= now
        {
            // A sleeper that no longer waits has dropped its end; nothing is owed to it.
            let _ = first.remove().wake.send(());
        }
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        self.hands().now
    }

    async fn sleep_until(&self, moment: DateTime<Utc>) {
        self.wait(|_| moment, false).await;
    }

    async fn sleep(&self, length: TimeDelta) {
        self.wait(|now| now.checked_add_signed(length).unwrap_or(DateTime::<Utc>::MAX_UTC), true)
            .await;
    }
}
