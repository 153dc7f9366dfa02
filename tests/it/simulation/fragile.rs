//! A store in memory whose process can die at any of its steps: before the step took effect, or
//! after that and before anybody was told. The dead see nothing more, and do nothing more.

use std::sync::{Arc, Mutex};

use calbridge::clock::{Clock, ManualClock};
use calbridge::model::connection::Health;
use calbridge::model::job::Job;
use calbridge::store::memory::MemoryStore;
use calbridge::store::{Accept, Fate, StoreError};
use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use super::history::{Chance, History};
use super::watch::Watch;
use crate::surrounded::{Around, Surrounded};

/// A step takes up to so long on either side of its effect.
const SLOWEST_STEP: TimeDelta = TimeDelta::milliseconds(20);

/// What one life of the bridge meets at its store.
pub struct Fragile {
    clock: Arc<ManualClock>,
    chance: Chance,
    history: Arc<History>,
    watch: Arc<Watch>,
    /// Cancelled when the process dies.
    pub died: CancellationToken,
    crash: Mutex<Option<Crash>>,
}

/// Where a life ends.
#[derive(Clone, Copy, Debug)]
pub struct Crash {
    /// Steps until then.
    pub steps: u32,
    /// Whether the last step took effect.
    pub takes_effect: bool,
}

impl Fragile {
    /// `store`, for a process that lives until it is told when to die.
    pub fn over(
        store: Arc<MemoryStore>,
        clock: Arc<ManualClock>,
        chance: Chance,
        watch: Arc<Watch>,
    ) -> Surrounded<Self> {
        let history = watch.history.clone();
        let (died, crash) = (CancellationToken::new(), Mutex::default());
        let around = Self { clock, chance, history, watch, died, crash };
        Surrounded { store, around }
    }

    /// The process dies as `crash` says.
    pub fn arm(&self, crash: Crash) {
        *self.crash.lock().expect("no one panics while crashing") = Some(crash);
    }

    /// The process dies no more.
    pub fn be_safe(&self) {
        *self.crash.lock().expect("no one panics while crashing") = None;
    }

    async fn dawdle(&self) {
        if self.chance.percent(50) {
            self.clock.sleep(self.chance.time(SLOWEST_STEP)).await;
        }
        if self.died.is_cancelled() {
            std::future::pending::<()>().await;
        }
    }

    fn count_down(&self) -> Option<Crash> {
        let mut crash = self.crash.lock().expect("no one panics while crashing");
        let left = crash.as_mut()?;
        if left.steps > 0 {
            left.steps -= 1;
            return None;
        }
        *crash
    }

    async fn die<T>(&self, how: String) -> T {
        self.history.tell(how);
        self.died.cancel();
        std::future::pending().await
    }
}

impl Around for Fragile {
    async fn step<T: Send>(
        &self,
        name: &'static str,
        effect: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        self.dawdle().await;
        let crash = self.count_down();
        if crash.is_some_and(|crash| !crash.takes_effect) {
            return self.die(format!("crash    before `{name}`")).await;
        }
        let done = effect.await;
        if crash.is_some() {
            return self.die(format!("crash    after `{name}`, unanswered")).await;
        }
        self.dawdle().await;
        done
    }

    async fn look<T: Send>(
        &self,
        effect: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        if self.died.is_cancelled() {
            std::future::pending::<()>().await;
        }
        effect.await
    }

    fn accepting(&self, accepts: &[Accept]) {
        for accept in accepts {
            self.watch.accepting(&accept.event, &self.chance);
        }
    }

    fn settled(&self, job: &Job, fate: &Fate) {
        self.watch.settled(job, fate);
    }

    fn connection_is(&self, state: &Health) {
        if let Health::ReconnectNeeded(cause) = state {
            self.watch.grant_given_up(cause);
        }
    }
}

/// How a fate reads in a history.
pub fn told(fate: &Fate) -> String {
    match fate {
        Fate::Done => "done".to_owned(),
        Fate::Again { due, spends, cause } => {
            let spent = if *spends { ", one attempt spent" } else { "" };
            format!("again at {}: {}{spent}", due.format("%H:%M:%S%.3f"), cause.code)
        }
        Fate::HandedBack { cause } => {
            format!("waits: {}", cause.as_ref().map_or("the stop", |cause| &cause.code))
        }
        Fate::Dead(cause) => format!("dead: {}", cause.code),
    }
}
