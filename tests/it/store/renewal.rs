//! A store that forgot nearly all it held is made anew, and loses nothing by it wherever it is cut
//! short.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use calbridge::model::event::{Event, Wanted};
use calbridge::model::job::Claim;
use calbridge::store::contract::examples::{
    KEEP_NOTHING, NOON, ROOM, accept, after, claim_one, done, event, line_of, push, sealed,
    take_in, wanted,
};
use calbridge::store::sled::{Options, SledStore};
use calbridge::store::{Accept, Accepted, EventStore, JobStore, Settled, Store};
use chrono::{DateTime, TimeDelta, Utc};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::damage::{copy, copy_at_rest};
use super::{open_with, roomy};

/// So many events come; the first few of them stay.
const MANY: u128 = 800;
const STAY: u128 = 3;
/// Bytes of an event's content.
const LARGE: usize = 30_000;
const MIB: u64 = 1 << 20;

/// A file of 16 MiB or more is made anew.
fn soon() -> Options {
    Options { renew_from: 16 * MIB, ..roomy() }
}

fn much_later() -> DateTime<Utc> {
    NOON + TimeDelta::days(1_000)
}

/// An event whose content is large.
fn large(n: u128) -> Event {
    Event { wanted: Wanted { content: sealed(LARGE), ..wanted(1) }, ..event(n) }
}

fn bytes(data_dir: &Path) -> u64 {
    fs::metadata(data_dir.join("store/db")).unwrap().len()
}

/// Which file it is.
fn inode(data_dir: &Path) -> u64 {
    fs::metadata(data_dir.join("store/db")).unwrap().ino()
}

/// Takes in all events and does the work of all but the first few, one of which is at work.
async fn fill(store: &SledStore) -> Claim {
    let numbers: Vec<_> = (0..MANY).collect();
    for some in numbers.chunks(40) {
        let accept = |n: &u128| Accept {
            job: push(&event(*n), *n, after(i64::from(*n >= STAY))),
            event: large(*n),
            request: None,
        };
        store.accept(some.iter().map(accept).collect(), ROOM, NOON).await.unwrap();
    }
    let at_work = claim_one(store, &event(0), NOON).await.expect("its job waits");
    for waits in 1..STAY {
        let id = event(waits).job;
        store.put_off(id, much_later() + TimeDelta::days(1), NOON).await.unwrap();
    }
    loop {
        let claimed = store.claim(&line_of(&event(0)), 100, after(1), after(60)).await.unwrap();
        for claim in &claimed.claims {
            assert_eq!(store.settle(claim, done(), after(1)).await, Ok(Settled::Yes));
        }
        if claimed.claims.is_empty() {
            return at_work;
        }
    }
}

/// Forgets whatever is over.
async fn forget(store: &SledStore) {
    while store.prune(much_later(), KEEP_NOTHING, 100).await.unwrap() == 100 {}
}

/// The few are there, each as it was with its job, and nothing else; and the store takes more.
async fn holds_the_few(store: &SledStore) {
    for n in 0..STAY {
        assert_eq!(store.event(event(n).id).await, Ok(Some(large(n))));
        assert!(store.job(event(n).job).await.unwrap().is_some(), "the job of {n}");
    }
    for n in STAY..MANY {
        assert_eq!(store.event(event(n).id).await, Ok(None), "{n} was forgotten");
    }
    assert_eq!(store.count_jobs().await.unwrap().live, u64::try_from(STAY).unwrap());
    assert_eq!(take_in(store, accept(9_999), NOON).await, Ok(Accepted::New(event(9_999))));
}

fn has_no_leftovers(data_dir: &Path) {
    for left in ["store.new", "store.replaced"] {
        assert!(!data_dir.join(left).exists(), "{left} is gone");
    }
}

#[tokio::test]
async fn a_store_that_forgot_nearly_all_is_small_again_and_goes_on() {
    let dir = TempDir::new().unwrap();
    let store = open_with(dir.path(), &soon()).unwrap();
    let at_work = fill(&store).await;
    let before = bytes(dir.path());
    assert!(before > 24 * MIB, "{before}");
    forget(&store).await;
    let left = bytes(dir.path());
    assert!(left <= 12 * MIB, "{left} of {before} are left");
    has_no_leftovers(dir.path());
    assert_eq!(
        store.renew(std::slice::from_ref(&at_work), after(600)).await,
        Ok(vec![]),
        "its lease holds"
    );

    let killed = TempDir::new().unwrap();
    copy_at_rest(dir.path(), killed.path());
    holds_the_few(&open_with(killed.path(), &soon()).unwrap()).await;

    assert_eq!(store.settle(&at_work, done(), NOON).await, Ok(Settled::Yes));
    forget(&store).await;
    assert_eq!(store.event(event(0).id).await, Ok(None));
    take_in(&store, accept(0), NOON).await.unwrap();
    store.close().unwrap();
    let store = open_with(dir.path(), &soon()).unwrap();
    assert_eq!(store.event(event(0).id).await, Ok(Some(event(0))));
    assert_eq!(store.event(event(1).id).await, Ok(Some(large(1))));
}

#[tokio::test]
async fn a_store_that_was_too_full_is_looked_at_again_once_it_has_grown() {
    const FEW: u128 = 1_500;
    let dir = TempDir::new().unwrap();
    let store = open_with(dir.path(), &Options { renew_from: 0, ..roomy() }).unwrap();
    let later =
        |n| Accept { job: push(&event(n), n, much_later() + TimeDelta::days(1)), ..accept(n) };
    let few = MANY..MANY + FEW;
    store.accept(few.clone().map(later).collect(), ROOM, NOON).await.unwrap();
    let first = inode(dir.path());
    store.prune(NOON, KEEP_NOTHING, 100).await.unwrap();
    assert_eq!(inode(dir.path()), first, "it was too full");
    let at_work = fill(&store).await;
    assert_eq!(store.settle(&at_work, done(), after(1)).await, Ok(Settled::Yes));
    assert!(bytes(dir.path()) > 24 * MIB);
    forget(&store).await;
    assert_ne!(inode(dir.path()), first, "it is another");
    let left = bytes(dir.path());
    assert!(left <= 12 * MIB, "{left} are left");
    for n in few {
        assert_eq!(store.event(event(n).id).await, Ok(Some(event(n))));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_goes_on_while_the_store_is_made_anew() {
    const HANDS: u128 = 8;
    const EACH: u128 = 60;
    let dir = TempDir::new().unwrap();
    let always = Options { renew_from: 0, ..roomy() };
    let store = Arc::new(open_with(dir.path(), &always).unwrap());
    let mut hands = JoinSet::new();
    for hand in 0..HANDS {
        let store = Arc::clone(&store);
        hands.spawn(async move {
            for n in (hand..HANDS * EACH).step_by(8) {
                assert_eq!(take_in(&*store, accept(n), NOON).await, Ok(Accepted::New(event(n))));
                assert_eq!(store.event(event(n).id).await, Ok(Some(event(n))), "it reads its own");
                if n % 20 == hand {
                    store.prune(NOON, KEEP_NOTHING, 100).await.unwrap();
                }
            }
        });
    }
    hands.join_all().await;
    assert_eq!(u128::from(store.count_jobs().await.unwrap().live), HANDS * EACH);
    has_no_leftovers(dir.path());
    let killed = TempDir::new().unwrap();
    copy_at_rest(dir.path(), killed.path());
    let store = open_with(killed.path(), &roomy()).unwrap();
    for n in 0..HANDS * EACH {
        assert_eq!(store.event(event(n).id).await, Ok(Some(event(n))));
    }
}

#[tokio::test]
async fn wherever_it_is_cut_short_everything_is_there() {
    let (dir, before) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let large = Options { renew_from: u64::MAX, ..roomy() };
    let store = open_with(dir.path(), &large).unwrap();
    fill(&store).await;
    forget(&store).await;
    copy_at_rest(dir.path(), before.path());
    store.close().unwrap();
    let store = open_with(dir.path(), &soon()).unwrap();
    forget(&store).await;
    assert!(bytes(dir.path()) <= 12 * MIB);
    drop(store);

    // While it is being copied.
    let cut = TempDir::new().unwrap();
    copy(before.path(), cut.path());
    copy(&dir.path().join("store"), &cut.path().join("store.new"));
    fs::write(cut.path().join("store.new/db"), "the beginning of a store").unwrap();
    // Between the two renamings.
    let between = TempDir::new().unwrap();
    copy(before.path(), between.path());
    fs::rename(between.path().join("store"), between.path().join("store.replaced")).unwrap();
    copy(&dir.path().join("store"), &between.path().join("store.new"));
    // Before the head knows.
    let unknown = TempDir::new().unwrap();
    copy(before.path(), unknown.path());
    fs::rename(unknown.path().join("store"), unknown.path().join("store.replaced")).unwrap();
    copy(&dir.path().join("store"), &unknown.path().join("store"));

    // The same, and the head was lost, too: nothing of it may be taken for rubbish.
    let headless = TempDir::new().unwrap();
    copy(between.path(), headless.path());
    fs::remove_file(headless.path().join("store.head")).unwrap();
    for _ in 0..2 {
        let refused = open_with(headless.path(), &large).unwrap_err().to_string();
        assert!(refused.contains("`store.new` may be what took its place"), "{refused}");
    }
    fs::copy(before.path().join("store.head"), headless.path().join("store.head")).unwrap();

    for cut in [cut, between, unknown, headless] {
        holds_the_few(&open_with(cut.path(), &large).unwrap()).await;
        has_no_leftovers(cut.path());
    }
}

#[tokio::test]
async fn a_store_on_another_disk_or_a_full_one_stays_as_it_is() {
    let (dir, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let large = Options { renew_from: u64::MAX, ..roomy() };
    let store = open_with(dir.path(), &large).unwrap();
    fill(&store).await;
    store.close().unwrap();

    let full = Options { free_space: Arc::new(|_| Ok(32 * MIB)), ..soon() };
    let store = open_with(dir.path(), &full).unwrap();
    forget(&store).await;
    assert!(bytes(dir.path()) > 16 * MIB, "there is no room for another");
    holds_the_few(&store).await;
    store.close().unwrap();

    let there = elsewhere.path().join("store");
    copy(&dir.path().join("store"), &there);
    fs::remove_dir_all(dir.path().join("store")).unwrap();
    std::os::unix::fs::symlink(&there, dir.path().join("store")).unwrap();
    let store = open_with(dir.path(), &soon()).unwrap();
    forget(&store).await;
    assert!(bytes(dir.path()) > 16 * MIB, "where an administrator put it");
    has_no_leftovers(dir.path());
    assert_eq!(store.event(event(9_999).id).await, Ok(Some(event(9_999))));
}
