//! What a store on disk keeps, whom it keeps out, and what it does when the disk is full.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use calbridge::model::id::InstanceId;
use calbridge::model::job::Cause;
use calbridge::model::key::TicketKind;
use calbridge::store::contract::examples::{
    KEEP_NOTHING, NOON, ROOM, accept, after, cause, claim_one, connection, digest, done, event,
    learned, line_of, push, request, sealed, some_act, take_in, ticket, user, wanted,
};
use calbridge::store::sled::{OpenError, Options, SledStore};
use calbridge::store::{
    Accept, Accepted, AccessStore, ConnectionStore, Counts, EventStore, Fate, JobStore, Keystone,
    PeriodStore, Ran, Settled, Store, StoreError, Touched,
};
use chrono::TimeDelta;
use tempfile::TempDir;

use super::damage::copy_at_rest;
use super::{open, open_with};

#[tokio::test]
async fn everything_acknowledged_is_there_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path()).unwrap();
    let first = Accept { request: Some(request(1, 1)), ..accept(1) };
    take_in(&store, first.clone(), NOON).await.unwrap();
    take_in(&store, accept(2), NOON).await.unwrap();
    let claim = claim_one(&store, &event(1), NOON).await.unwrap();
    let ran = Ran { fate: Fate::Dead(cause()), learned: learned(1), then: None };
    store.settle(&claim, ran, NOON).await.unwrap();
    store.put_connection(connection(1, user("ana")), None, some_act()).await.unwrap();
    let keystone = Keystone { canary: sealed(9), index_key: sealed(8) };
    store.lay_keystone(keystone.clone()).await.unwrap();
    let (known, job) = (store.event(event(1).id).await, store.job(event(1).job).await);
    store.close().unwrap();

    let other_name = InstanceId::from_u128(99);
    let store = SledStore::open(dir.path(), other_name, NOON, &super::roomy()).unwrap();
    assert_eq!(store.instance(), InstanceId::from_u128(1), "a store keeps its name");
    assert_eq!(store.event(event(1).id).await, known);
    assert_eq!(store.job(event(1).job).await, job);
    assert_eq!(
        take_in(&store, first, after(9)).await,
        known.map(|event| Accepted::Repeated(event.unwrap()))
    );
    assert_eq!(store.count_jobs().await, Ok(Counts { live: 1, done: 0, dead: 1, cancelled: 0 }));
    assert_eq!(store.lines().await, Ok(vec![line_of(&event(2))]));
    assert_eq!(store.connections(&user("ana")).await, Ok(vec![connection(1, user("ana"))]));
    assert_eq!(store.keystone().await, Ok(Some(keystone)));
}

#[tokio::test]
async fn a_restart_frees_every_job_and_voids_every_claim() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path()).unwrap();
    take_in(&store, accept(1), NOON).await.unwrap();
    let old = claim_one(&store, &event(1), NOON).await.unwrap();
    drop(store);
    let store = open(dir.path()).unwrap();
    assert_eq!(store.settle(&old, done(), NOON).await, Ok(Settled::LeaseLost));
    let new = claim_one(&store, &event(1), NOON).await.expect("nobody has it any more");
    assert_eq!(store.settle(&old, done(), NOON).await, Ok(Settled::LeaseLost));
    assert_eq!(store.settle(&new, done(), NOON).await, Ok(Settled::Yes));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_repetitions_at_once_one_is_new() {
    let dir = TempDir::new().unwrap();
    let store = Arc::new(open(dir.path()).unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..64 {
        let store = Arc::clone(&store);
        let accept = Accept { request: Some(request(1, 1)), ..accept(n) };
        tasks.spawn(async move { take_in(&*store, accept, NOON).await.unwrap() });
    }
    let answers = tasks.join_all().await;
    let new: Vec<_> = answers.iter().filter(|answer| matches!(answer, Accepted::New(_))).collect();
    let [Accepted::New(event)] = new[..] else { panic!("{} were new", new.len()) };
    let known = answers.iter().filter(|answer| **answer == Accepted::Repeated(event.clone()));
    assert_eq!(known.count(), 63);
    assert_eq!(store.count_jobs().await.unwrap().live, 1);
}

#[tokio::test]
async fn a_second_opener_is_told_who_is_first() {
    let dir = TempDir::new().unwrap();
    let data_dir = dir.path().join("new/data");
    let first = open(&data_dir).unwrap();
    assert_eq!(data_dir.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let refused = open(&data_dir).unwrap_err();
    assert!(matches!(refused, OpenError::Held { .. }));
    let told = refused.to_string();
    let pid = std::process::id();
    assert!(told.contains(&format!("in use by process {pid} since 2027-01-15T")), "{told}");
    first.close().unwrap();
    open(&data_dir).unwrap();
}

/// A store whose disk has as many bytes left as the number says.
fn on_a_small_disk(dir: &TempDir) -> (SledStore, Arc<AtomicU64>) {
    let left = Arc::new(AtomicU64::new(1000));
    let probe = Arc::clone(&left);
    let options = Options {
        min_free: 500,
        free_space: Arc::new(move |_| Ok(probe.load(Ordering::SeqCst))),
        ..Options::default()
    };
    (open_with(dir.path(), &options).unwrap(), left)
}

#[tokio::test]
async fn a_full_disk_takes_nothing_in_and_lets_work_in_hand_end() {
    let dir = TempDir::new().unwrap();
    let (store, left) = on_a_small_disk(&dir);
    take_in(&store, Accept { request: Some(request(1, 1)), ..accept(1) }, NOON).await.unwrap();
    take_in(&store, accept(2), NOON).await.unwrap();
    let consent = ticket(TicketKind::Consent, 1, after(60));
    store.put_ticket(consent.clone()).await.unwrap();
    let claim = claim_one(&store, &event(1), NOON).await.unwrap();

    left.store(499, Ordering::SeqCst);
    let full = StoreError::Full { free: 499, floor: 500 };
    assert_eq!(store.writable().await, Err(full.clone()));
    assert_eq!(take_in(&store, accept(3), NOON).await, Err(full.clone()));
    let job = push(&event(1), 9, NOON);
    assert_eq!(store.change(event(1).id, wanted(2), job).await, Err(full.clone()));
    let linked = connection(1, user("ana"));
    assert_eq!(store.put_connection(linked.clone(), None, some_act()).await, Err(full.clone()));
    assert_eq!(store.put_ticket(ticket(TicketKind::Session, 1, after(9))).await, Err(full.clone()));
    let line = line_of(&event(1));
    assert_eq!(store.claim(&line, 9, NOON, after(60)).await, Err(full.clone()));
    let waiting = event(2).job;
    assert_eq!(store.put_off(waiting, after(5), NOON).await, Err(full.clone()));
    assert!(matches!(store.cancel(waiting, NOON).await, Ok(Touched::Yes(_))));
    assert_eq!(store.replay(waiting, NOON).await, Err(full));
    let turn = store.take_turn("sweep", TimeDelta::minutes(1), NOON).await;
    assert!(turn.is_ok(), "what recurs makes room");
    assert_eq!(store.event(event(3).id).await, Ok(None));
    assert_eq!(store.connection(linked.id).await, Ok(None));
    let ran = Ran { fate: Fate::Done, learned: learned(1), then: None };
    assert_eq!(store.settle(&claim, ran, NOON).await, Ok(Settled::Yes));
    assert_eq!(store.take_ticket(consent.kind, &digest(1)).await, Ok(Some(consent)));
    assert_eq!(store.prune(NOON, KEEP_NOTHING, 9).await, Ok(2));

    left.store(500, Ordering::SeqCst);
    assert_eq!(store.writable().await, Ok(()));
    assert_eq!(take_in(&store, accept(3), NOON).await, Ok(Accepted::New(event(3))));
    assert!(claim_one(&store, &event(3), NOON).await.is_some());
}

#[tokio::test]
async fn a_dropped_store_can_be_opened_at_once() {
    let dir = TempDir::new().unwrap();
    for n in 0..5 {
        let store = open(dir.path()).unwrap();
        take_in(&store, accept(n), NOON).await.unwrap();
    }
    assert_eq!(open(dir.path()).unwrap().count_jobs().await.unwrap().live, 5);
}

#[tokio::test]
async fn sled_syncs_through_the_bridge() {
    let dir = TempDir::new().unwrap();
    assert_eq!(open(dir.path()).unwrap().sync_is_interposed(), cfg!(target_os = "linux"));
}

#[tokio::test]
async fn a_store_whose_writer_stopped_says_so_and_answers_no_more() {
    let dir = TempDir::new().unwrap();
    let options = Options {
        min_free: 0,
        free_space: Arc::new(|_| panic!("the writing thread meets the unexpected")),
        ..Options::default()
    };
    let store = open_with(dir.path(), &options).unwrap();
    let stopped = |answer| matches!(answer, Err(StoreError::Failed(_)));
    assert!(stopped(take_in(&store, accept(1), NOON).await.map(drop)));
    assert!(matches!(store.failed().await, StoreError::Failed(_)));
    assert!(stopped(store.writable().await));
    assert!(stopped(store.event(event(1).id).await.map(drop)));
    assert!(stopped(store.prune(NOON, KEEP_NOTHING, 9).await.map(drop)));
    assert!(stopped(store.close()));
    assert_eq!(open(dir.path()).unwrap().event(event(1).id).await, Ok(None));
}

#[tokio::test]
async fn a_step_that_fails_leaves_nothing_and_hinders_no_other() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path()).unwrap();
    take_in(&store, accept(1), NOON).await.unwrap();
    let claim = claim_one(&store, &event(1), NOON).await.unwrap();
    let endless = Fate::Dead(Cause::new("endless", "x".repeat(50_000)));
    let failing = Ran { fate: endless, learned: learned(1), then: None };
    let (before, failed, after) = tokio::join!(
        take_in(&store, accept(2), NOON),
        store.settle(&claim, failing, NOON),
        take_in(&store, accept(3), NOON)
    );
    assert!(matches!(failed, Err(StoreError::TooLarge { .. })));
    assert_eq!((before, after), (Ok(Accepted::New(event(2))), Ok(Accepted::New(event(3)))));
    assert_eq!(store.event(event(1).id).await, Ok(Some(event(1))));
    assert_eq!(store.count_jobs().await, Ok(Counts { live: 3, done: 0, dead: 0, cancelled: 0 }));
    let ran = Ran { fate: Fate::Done, learned: learned(1), then: None };
    assert_eq!(store.settle(&claim, ran, NOON).await, Ok(Settled::Yes), "the lease still holds");
    assert_eq!(store.count_jobs().await, Ok(Counts { live: 2, done: 1, dead: 0, cancelled: 0 }));
}

/// Runs `until_a_write_fails` in a process of its own, which does `first` before.
fn writer(dir: &TempDir, first: &str) -> Command {
    let child = "exec \"$0\" --ignored --nocapture --exact store::durability::until_a_write_fails";
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{first} {child}")]).arg(std::env::current_exe().unwrap());
    command.current_dir(dir.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The process takes in so many events at once.
const BATCH: u64 = 4;

/// The number of an event that the process said was acknowledged, the first of a batch.
fn kept(line: &str) -> Option<u128> {
    line.strip_prefix("kept ").map(|n| n.parse().unwrap())
}

/// Finds every batch that was acknowledged, and none of which there is only a part. Returns how many
/// others there are.
async fn holds_whole_batches(store: &SledStore, acknowledged: &[u128]) -> u64 {
    for n in acknowledged.iter().flat_map(|first| *first..*first + u128::from(BATCH)) {
        assert!(store.event(event(n).id).await.unwrap().is_some(), "{n} was acknowledged");
    }
    let live = store.count_jobs().await.unwrap().live;
    assert_eq!(live % BATCH, 0, "a batch is there in part");
    live / BATCH - acknowledged.len() as u64
}

#[tokio::test]
async fn a_kill_loses_nothing() {
    let dir = TempDir::new().unwrap();
    let mut acknowledged = Vec::new();
    for round in 1..=6 {
        let mut child = writer(&dir, "").spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = 0;
        while seen < 11 * round {
            let line = lines.next().expect("it writes on").unwrap();
            seen += i32::from(kept(&line).is_some());
            acknowledged.extend(kept(&line));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged.extend(lines.filter_map(|line| kept(&line.unwrap())));
        let store = open(&dir.path().join("written")).unwrap();
        let unacknowledged = holds_whole_batches(&store, &acknowledged).await;
        assert!(unacknowledged <= round.unsigned_abs().into(), "one at a time is under way");
    }
}

#[tokio::test]
async fn a_write_that_fails_ends_the_store_and_loses_nothing() {
    let dir = TempDir::new().unwrap();
    let child = writer(&dir, "trap '' XFSZ; ulimit -f 40000;").output().unwrap();
    let told = String::from_utf8(child.stdout).unwrap();
    assert!(child.status.success(), "{told}{}", String::from_utf8_lossy(&child.stderr));
    let acknowledged: Vec<_> = told.lines().filter_map(kept).collect();
    assert!(acknowledged.len() > 25, "{told}");
    let store = open(&dir.path().join("written")).unwrap();
    assert!(holds_whole_batches(&store, &acknowledged).await <= 1);
}

#[tokio::test]
async fn a_batch_larger_than_a_segment_is_there_after_a_kill() {
    let (dir, killed) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let store = open(dir.path()).unwrap();
    let large = |n| {
        let mut accepted = accept(n);
        accepted.event.wanted.content = sealed(30_000);
        accepted
    };
    let answers = store.accept((0..600).map(large).collect(), ROOM, NOON).await.unwrap();
    assert!(answers.iter().all(|answer| matches!(answer, Accepted::New(_))));
    copy_at_rest(dir.path(), killed.path());
    let store = open(killed.path()).unwrap();
    for n in 0..600 {
        assert_eq!(store.event(event(n).id).await.unwrap(), Some(large(n).event));
    }
}

#[tokio::test]
#[ignore = "a child of `a_kill_loses_nothing` and `a_write_that_fails_ends_the_store_and_loses_nothing`"]
async fn until_a_write_fails() {
    let store = open(Path::new("written")).unwrap();
    let first = u128::from(store.count_jobs().await.unwrap().live);
    for n in (first..first + 5000).step_by(4) {
        let batch = (n..n + u128::from(BATCH)).map(|n| {
            let mut accepted = accept(n);
            accepted.event.wanted.content = sealed(30_000);
            accepted
        });
        match store.accept(batch.collect(), ROOM, NOON).await {
            // On a line of its own, whatever the test runner has written before.
            Ok(_) => println!("\nkept {n}"),
            Err(error) => {
                assert!(matches!(error, StoreError::Failed(_)), "{error}");
                assert!(matches!(store.failed().await, StoreError::Failed(_)));
                assert!(take_in(&store, accept(n + 4), NOON).await.is_err());
                assert!(store.writable().await.is_err());
                assert!(store.close().is_err());
                return;
            }
        }
    }
    panic!("no write failed");
}
