//! A disk that runs full: nothing is acknowledged, nothing is lost, and it passes.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use calbridge::clock::ManualClock;
use calbridge::model::id::InstanceId;
use calbridge::simulator::{Settings, Simulator};
use calbridge::store::sled::{Options, SledStore};
use hyper::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bridge::{ANA, Answer, Bridge, Choices, morning, tea, with};

const FLOOR: u64 = 1_000;

/// Takes an event in and leaves the work alone: a store on disk answers in its own time, in which the
/// harness would do the work.
async fn accept(bridge: &Bridge, body: &Value, key: &str) -> Answer {
    let request = bridge
        .request(Method::POST, "/api/create-calendar-event")
        .header("content-type", "application/json")
        .header("prefer", "respond-async")
        .header("idempotency-key", key);
    bridge.router_ask(request.body(Body::from(body.to_string())).expect("a request")).await
}

/// A bridge with Ana's account on a disk with as much room as `free` says.
async fn bridge(
    google: (Simulator, Arc<ManualClock>),
    free: impl Fn() -> u64 + Send + Sync + 'static,
) -> (Bridge, TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    let free_space = Arc::new(move |_: &Path| Ok(free()));
    let options = Options { min_free: FLOOR, free_space, ..Options::default() };
    let store = SledStore::open(dir.path(), InstanceId::from_u128(7), morning(), &options);
    let store = Arc::new(store.expect("a store"));
    let choices = Choices { store: Some(store), google: Some(google), ..Choices::default() };
    let bridge = Bridge::with(choices).await;
    bridge.connect(ANA).await.expect("the account can be connected");
    (bridge, dir)
}

fn google() -> (Simulator, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(morning()));
    (Simulator::with_manual_clock(Settings::default(), clock.clone()), clock)
}

#[tokio::test]
async fn on_a_full_disk_nothing_is_acknowledged_until_there_is_room_again() {
    let free = Arc::new(AtomicU64::new(FLOOR));
    let probed = Arc::clone(&free);
    let (bridge, _dir) = bridge(google(), move || probed.load(Ordering::Relaxed)).await;
    free.store(FLOOR + 500, Ordering::Relaxed);
    let disk = json!({ "floor_bytes": 1_000, "free_bytes": 1_500, "left_bytes": 500 });
    assert_eq!(bridge.get("/api/v1/status").await.json()["limits"]["disk"], disk);
    let full = || free.store(FLOOR - 1, Ordering::Relaxed);
    let roomy = || free.store(FLOOR, Ordering::Relaxed);

    full();
    let refused = accept(&bridge, &tea(), "one").await;
    assert_eq!(refused.status, 503, "{}", refused.text);
    assert!(refused.header("retry-after").parse::<u32>().is_ok_and(|secs| secs > 0));
    assert_eq!(refused.json()["success"], false);
    assert_eq!(refused.json()["code"], "disk_full");
    assert_eq!(bridge.get("/readyz").await.status, 503);
    assert!(bridge.get("/readyz?verbose").await.text.contains("[-] store"));
    assert_eq!(bridge.get("/livez").await.status, 200, "a restart would not help");
    let metrics = bridge.get("/metrics").await.text;
    for line in [
        "calbridge_store_writable 0",
        "calbridge_disk_floor_bytes 1000",
        "calbridge_disk_free_bytes 999",
        "calbridge_disk_left_bytes 0",
    ] {
        assert!(metrics.lines().any(|told| told == line), "{line}: {metrics}");
    }

    roomy();
    assert_eq!(bridge.get("/readyz").await.status, 200);
    assert!(bridge.get("/metrics").await.text.contains("calbridge_store_writable 1"));
    bridge.run_until_idle().await;
    assert!(bridge.titles(ANA).is_empty(), "nothing was kept of what was refused");
    let other = with(tea(), &json!({"summary": "Coffee"}));
    let made = accept(&bridge, &other, "one").await;
    assert_eq!(made.status, 202, "the refused request left no trace of its key: {}", made.text);

    full();
    assert!(bridge.tied.worker.drain().await.is_err(), "no job is begun");
    assert!(bridge.titles(ANA).is_empty());
    roomy();
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), ["Coffee"]);
}

#[tokio::test]
async fn a_job_in_hand_when_the_disk_runs_full_is_written_down_from_the_reserve() {
    let (simulator, clock) = google();
    let filled = simulator.clone();
    // Google's having the event is what fills the disk.
    let free = move || if filled.events(ANA).is_empty() { FLOOR } else { FLOOR - 1 };
    let (bridge, _dir) = bridge((simulator, clock), free).await;
    let accepted = accept(&bridge, &tea(), "one").await.json();
    bridge.run_until_idle().await;
    assert_eq!(bridge.get("/readyz").await.status, 503);
    assert_eq!(bridge.event(&accepted["id"]).await["state"], "confirmed");
}
