//! Virtual time: the whole bridge and a simulated Google on one thread, and a clock that goes on to
//! the next awaited moment whenever every task waits. Hours pass in milliseconds, nothing has to be
//! pushed, and what happens follows from the seed alone.
//!
//! The two talk over pipes in memory. On the way of a history there is no socket, no timer of the
//! machine and no second thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use calbridge::clock::{Clock, ManualClock};
use calbridge::simulator::{Fault, FaultKind, Settings, Simulator};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::bridge::{ANA, Bridge, Choices, morning, tea};

/// Plays `story` with a bridge as chosen whose worker really runs beside it, in virtual time.
///
/// # Panics
/// If every task waits, and none of them for a moment: nothing would ever happen again.
pub fn run<T>(mut choices: Choices, story: impl AsyncFnOnce(&Bridge) -> T) -> T {
    choices.in_memory = true;
    let (google, clock) = choices.google.take().unwrap_or_else(|| {
        let clock = Arc::new(ManualClock::at(morning()));
        (Simulator::with_manual_clock(Settings::default(), clock.clone()), clock)
    });
    choices.google = Some((google, clock.clone()));
    play(&clock, async {
        let bridge = Bridge::with(choices).await;
        let (stop, mut working) = (CancellationToken::new(), JoinSet::new());
        working.spawn(bridge.tied.worker.clone().run(stop.clone()));
        working.spawn(bridge.tied.local.clone().run(stop.clone()));
        let told = story(&bridge).await;
        stop.cancel();
        working.join_all().await;
        told
    })
}

/// Counts what is under way outside of the thread, such as at a database.
#[derive(Clone, Debug, Default)]
pub struct Outside(Arc<AtomicUsize>);

impl Outside {
    /// What `effect` comes to. No time passes until then.
    pub async fn wait_for<T>(&self, effect: impl Future<Output = T>) -> T {
        let _under_way = UnderWay::at(&self.0);
        effect.await
    }

    fn is_at_rest(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

/// Something outside that is waited for, until it comes or is given up.
struct UnderWay<'a>(&'a AtomicUsize);

impl<'a> UnderWay<'a> {
    fn at(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Runs `history` on a thread whose `clock` goes by itself.
///
/// # Panics
/// If every task waits, and none of them for a moment.
pub fn play<T>(clock: &Arc<ManualClock>, history: impl Future<Output = T>) -> T {
    let hands = clock.clone();
    run_with(history, move || {
        let next = hands.next_moment().expect("somebody waits for a moment");
        hands.set(next.max(hands.now()));
    })
}

/// The same beside a world that is not on the thread: the clock stands still while anything is under
/// way out there.
pub fn play_beside<T>(
    clock: &Arc<ManualClock>,
    outside: &Outside,
    history: impl Future<Output = T>,
) -> T {
    let (hands, outside) = (clock.clone(), outside.clone());
    run_with(history, move || {
        // What comes from outside unasked may be all that anybody waits for.
        if outside.is_at_rest()
            && let Some(next) = hands.next_moment()
        {
            hands.set(next.max(hands.now()));
        }
    })
}

/// Runs `history` on a thread; whenever every task waits, `go_on` is done.
fn run_with<T>(history: impl Future<Output = T>, go_on: impl Fn() + Send + Sync + 'static) -> T {
    let over = Arc::new(AtomicBool::new(false));
    let ended = over.clone();
    let runtime = Builder::new_current_thread()
        .enable_all()
        .on_thread_park(move || {
            if !ended.load(Ordering::Relaxed) {
                go_on();
            }
        })
        .build()
        .expect("a runtime");
    let told = runtime.block_on(history);
    over.store(true, Ordering::Relaxed);
    told
}

/// Waits until no job waits or runs, and says when that was.
pub async fn idle(bridge: &Bridge) -> DateTime<Utc> {
    while bridge.tied.app.store.count_jobs().await.expect("a store that works").live > 0 {
        bridge.clock.sleep(TimeDelta::seconds(1)).await;
    }
    bridge.clock.now()
}

async fn connected(bridge: &Bridge) {
    bridge.connect(ANA).await.expect("the account can be connected");
}

#[test]
fn a_request_waits_for_its_event_without_being_pushed() {
    run(Choices::default(), async |bridge| {
        connected(bridge).await;
        bridge.fault(Fault::new(FaultKind::Slow).times(1).secs(4));
        let made = bridge.router_post(&tea()).await;
        assert_eq!(made.status, 200, "{}", made.text);
        assert_eq!(bridge.clock.now(), morning() + TimeDelta::seconds(4));
        assert_eq!(bridge.titles(ANA), ["Tea"]);
    });
}

#[test]
fn an_answer_that_never_comes_is_given_up_at_the_deadline() {
    run(Choices::default(), async |bridge| {
        connected(bridge).await;
        bridge.fault(Fault::new(FaultKind::Hang).times(1));
        let made = bridge.router_post(&tea()).await;
        assert_eq!(made.status, 202, "nobody waits longer than ten seconds: {}", made.text);
        idle(bridge).await;
        let waited = bridge.clock.now() - morning();
        assert!(waited >= TimeDelta::seconds(30), "the deadline is 30 s, and it took {waited}");
        assert_eq!(bridge.titles(ANA), ["Tea"]);
    });
}

#[test]
fn an_outage_of_hours_passes_in_no_time() {
    run(Choices::default(), async |bridge| {
        connected(bridge).await;
        bridge.fault(Fault::status(503).secs(6 * 3600));
        let made = bridge.router_post(&tea()).await;
        assert_eq!(made.status, 202, "{}", made.text);
        let over = idle(bridge).await;
        assert!(over >= morning() + TimeDelta::hours(6), "{over}");
        assert!(over < morning() + TimeDelta::hours(6) + TimeDelta::seconds(70), "{over}");
        assert_eq!(bridge.titles(ANA), ["Tea"]);
    });
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let told = || {
        run(Choices { seed: 7, ..Choices::default() }, async |bridge| {
            connected(bridge).await;
            bridge.fault(Fault::new(FaultKind::Slow).times(40).secs(2).probability(0.5));
            bridge.fault(Fault::new(FaultKind::LostAnswer).times(5).probability(0.3));
            let mut answers = String::new();
            for _ in 0..12 {
                answers += &bridge.router_post(&tea()).await.text;
            }
            idle(bridge).await;
            bridge.google.clear_faults();
            (answers, serde_json::to_value(bridge.google.ledger()).expect("JSON"))
        })
    };
    let (first, second): ((String, Value), (String, Value)) = (told(), told());
    assert_eq!(first, second);
}
