//! A store that lost something is refused, however it was lost: sled alone would open it as a
//! smaller one.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use calbridge::model::event::{Presence, Wanted};
use calbridge::model::id::{InstanceId, base32hex, digest_of};
use calbridge::model::key::TicketKind;
use calbridge::store::contract::examples::{
    NOON, accept, after, cause, claim_one, connection, done, event, line_of, push, request, revoke,
    sealed, some_act, take_in, ticket, user, wanted,
};
use calbridge::store::sled::{OpenError, Options, SledStore};
use calbridge::store::{
    Accept, AccessStore, ConnectionStore, Counts, EventStore, Fate, JobStore, Keystone,
    PeriodStore, Ran, Store,
};
use chrono::TimeDelta;
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::{open, open_with, roomy};

const MANY: u128 = 20_000;
const MIB: u64 = 1 << 20;

/// A store of many events, as it lay on the disk at a kill, and as it was closed.
struct Images {
    killed: TempDir,
    closed: TempDir,
}

impl Images {
    async fn make() -> Self {
        let (closed, killed) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let store = Arc::new(open(closed.path()).unwrap());
        let mut tasks = JoinSet::new();
        for hand in 0..64 {
            let store = Arc::clone(&store);
            tasks.spawn(async move {
                for n in (hand..MANY).step_by(64) {
                    take_in(&*store, accept(n), NOON).await.unwrap();
                }
            });
        }
        tasks.join_all().await;
        let claimed = store.claim(&line_of(&event(1)), 100, NOON, NOON).await.unwrap();
        for claim in claimed.claims {
            store.settle(&claim, done(), NOON).await.unwrap();
        }
        copy_at_rest(closed.path(), killed.path());
        Arc::into_inner(store).unwrap().close().unwrap();
        Self { killed, closed }
    }
}

pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}

/// Copies an open store as a kill would leave it: sled tidies up for a while after the last write,
/// and a copy taken across that would be of no one moment.
pub(super) fn copy_at_rest(from: &Path, to: &Path) {
    for _ in 0..100 {
        copy(from, to);
        if fs::read(from.join("store/db")).unwrap() == fs::read(to.join("store/db")).unwrap() {
            return;
        }
    }
    panic!("the store never rests");
}

/// A copy of an image, to be damaged.
fn copied(image: &TempDir) -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    copy(image.path(), dir.path());
    let db = dir.path().join("store/db");
    (dir, db)
}

/// What opening it says, which names what to do; and says again at a second try.
fn refused(data_dir: &Path) -> String {
    for _ in 0..2 {
        let error = open(data_dir).expect_err("something was lost");
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
        let told = error.to_string();
        assert!(told.contains("from a backup") && told.contains("aside"), "{told}");
        assert!(told.contains(data_dir.to_str().unwrap()), "{told}");
    }
    open(data_dir).expect_err("something was lost").to_string()
}

async fn holds_everything(store: &SledStore) {
    for n in 0..MANY {
        assert_eq!(store.event(event(n).id).await.unwrap(), Some(event(n)));
    }
    let counts =
        Counts { live: u64::try_from(MANY).unwrap() - 100, done: 100, dead: 0, cancelled: 0 };
    assert_eq!(store.count_jobs().await.unwrap(), counts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_was_cut_is_refused_and_one_that_was_killed_is_whole() {
    let images = Images::make().await;
    let mut refusals = 0;
    for image in [&images.killed, &images.closed] {
        let (whole, db) = copied(image);
        holds_everything(&open(whole.path()).unwrap()).await;
        let length = fs::metadata(db).unwrap().len();
        for cut in [1, 4096, MIB / 4, MIB, 2 * MIB, 3 * MIB, 4 * MIB, 16 * MIB] {
            let (cut_short, db) = copied(image);
            let db = OpenOptions::new().write(true).open(db).unwrap();
            db.set_len(length - cut).unwrap();
            // The end of the file may be a part that sled does not use at present.
            if let Ok(store) = open(cut_short.path()) {
                holds_everything(&store).await;
            } else {
                refused(cut_short.path());
                refusals += 1;
            }
        }
    }
    assert!(refusals > 0, "some of the cuts are where rows are");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_with_a_hole_is_refused_or_whole() {
    let images = Images::make().await;
    let mut refusals = 0;
    for image in [&images.killed, &images.closed] {
        let length = fs::metadata(image.path().join("store/db")).unwrap().len();
        for at in (0..length).step_by(4 << 20) {
            let (holed, db) = copied(image);
            let db = OpenOptions::new().write(true).open(db).unwrap();
            db.write_all_at(&[0; 4096], at).unwrap();
            match open(holed.path()) {
                Ok(store) => holds_everything(&store).await,
                Err(error) => {
                    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
                    refusals += 1;
                }
            }
        }
    }
    assert!(refusals > 0, "some of the holes are where rows are");
}

/// A store with a row in every table, closed or as at a kill.
async fn small(killed: bool) -> TempDir {
    let (closed, copied) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let store = open(closed.path()).unwrap();
    for n in 1..=5 {
        let request = Some(request(u8::try_from(n).unwrap(), 1));
        let mut accepted = Accept { request, ..accept(n) };
        accepted.job.payload = Some(sealed(9));
        take_in(&store, accepted, NOON).await.unwrap();
        store.put_connection(connection(n, user("ana")), None, some_act()).await.unwrap();
    }
    // A live job that is about no event.
    let let_go = connection(6, user("ben"));
    store.put_connection(let_go, Some(revoke(40, 1)), some_act()).await.unwrap();
    for fate in [Fate::Done, Fate::Dead(cause())] {
        let claim = claim_one(&store, &event(1), NOON).await.unwrap();
        store.settle(&claim, Ran { fate, learned: None, then: None }, NOON).await.unwrap();
    }
    let absent = Wanted { presence: Presence::Absent, ..wanted(2) };
    store.change(event(1).id, absent, push(&event(1), 9, after(-5))).await.unwrap();
    let claim = claim_one(&store, &event(1), NOON).await.unwrap();
    store.settle(&claim, done(), NOON).await.unwrap();
    store.cancel(event(3).job, NOON).await.unwrap();
    store.take_turn("sweep", TimeDelta::minutes(1), NOON).await.unwrap();
    store.tally(NOON.date_naive(), 3).await.unwrap();
    store.put_ticket(ticket(TicketKind::Session, 1, after(5))).await.unwrap();
    let keystone = Keystone { canary: sealed(1), index_key: sealed(1) };
    store.lay_keystone(keystone).await.unwrap();
    copy_at_rest(closed.path(), copied.path());
    store.close().unwrap();
    if killed { copied } else { closed }
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let image = small(false).await;
    let remove = |path: &str| {
        let (dir, _) = copied(&image);
        let path = dir.path().join(path);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
        refused(dir.path())
    };
    assert!(remove("store.head").contains("a `store` but no `store.head`"));
    assert!(remove("store").contains("a `store.head` but no `store`"));
    assert!(remove("store/db").contains("`store/db` is missing or empty"));

    let (emptied, db) = copied(&image);
    OpenOptions::new().write(true).open(db).unwrap().set_len(0).unwrap();
    assert!(refused(emptied.path()).contains("`store/db` is missing or empty"));
    let (unreadable, _) = copied(&image);
    fs::write(unreadable.path().join("store.head"), "calbridge-store-head 1 7\n").unwrap();
    assert!(refused(unreadable.path()).contains("`store.head` cannot be read"));
}

#[tokio::test]
async fn a_head_whose_last_line_was_cut_off_is_read_from_the_other() {
    let image = small(true).await;
    for line in 0..2 {
        let (torn, _) = copied(&image);
        let head = OpenOptions::new().write(true).open(torn.path().join("store.head")).unwrap();
        head.write_all_at(&[0; 100], line * 256).unwrap();
        assert_eq!(open(torn.path()).unwrap().count_jobs().await.unwrap().live, 3);
    }
}

#[tokio::test]
async fn a_store_beside_the_head_of_another_is_refused() {
    let (image, other) = (small(false).await, TempDir::new().unwrap());
    let name = InstanceId::from_u128(2);
    SledStore::open(other.path(), name, NOON, &roomy()).unwrap().close().unwrap();
    fs::copy(other.path().join("store.head"), image.path().join("store.head")).unwrap();
    assert!(refused(image.path()).contains(&format!("is of the store {name}")));
}

#[tokio::test]
async fn an_older_store_beside_a_newer_head_is_refused() {
    let older = small(false).await;
    let (newer, _) = copied(&older);
    let store = open(newer.path()).unwrap();
    take_in(&store, accept(9), NOON).await.unwrap();
    store.close().unwrap();
    fs::copy(newer.path().join("store.head"), older.path().join("store.head")).unwrap();
    assert!(refused(older.path()).contains("its newest batch is number"));
}

#[tokio::test]
async fn a_creation_cut_short_is_taken_up() {
    let image = TempDir::new().unwrap();
    open(image.path()).unwrap().close().unwrap();
    let (moved_last, _) = copied(&image);
    let at = |name: &str| moved_last.path().join(name);
    fs::rename(at("store"), at("store.new")).unwrap();
    assert_eq!(open(moved_last.path()).unwrap().instance(), InstanceId::from_u128(1));

    let (no_head, _) = copied(&image);
    let at = |name: &str| no_head.path().join(name);
    fs::rename(at("store"), at("store.new")).unwrap();
    fs::remove_file(at("store.head")).unwrap();
    let name = InstanceId::from_u128(5);
    let store = SledStore::open(no_head.path(), name, NOON, &roomy()).unwrap();
    assert_eq!(store.instance(), name);
}

#[tokio::test]
async fn a_snapshot_of_the_pages_that_was_cut_short_is_no_damage() {
    for image in [small(true).await, small(false).await] {
        let (interrupted, _) = copied(&image);
        let snapshot = interrupted.path().join("store/snap.7FFFFFFFFFFFFFFF.generating");
        fs::write(&snapshot, "the begi").unwrap();
        assert_eq!(open(interrupted.path()).unwrap().count_jobs().await.unwrap().live, 3);
        assert!(!snapshot.exists());
    }
}

/// Every table's byte but the one whose rows belong to nobody.
const TABLES: &[u8] = b"SEWezRJPKQoDXcpyCOATtUu";

#[tokio::test]
async fn a_killed_store_without_any_one_row_is_refused() {
    let image = small(true).await;
    for table in TABLES {
        let (dir, _) = copied(&image);
        tamper(dir.path(), |tree| {
            let (key, _) =
                tree.scan_prefix([*table]).next().expect("a row in every table").unwrap();
            tree.remove(key).unwrap();
        });
        let told = refused(dir.path());
        assert!(told.contains("are left") || told.contains("is there without"), "{told}");
    }
}

#[tokio::test]
async fn a_killed_store_that_counts_its_jobs_wrong_is_refused() {
    let image = small(true).await;
    for table in b"o" {
        let (dir, _) = copied(&image);
        tamper(dir.path(), |tree| {
            let (key, row) = tree.scan_prefix([*table]).next().unwrap().unwrap();
            let count = u64::from_be_bytes(row.as_ref().try_into().unwrap());
            tree.insert(key, (count + 1).to_be_bytes().to_vec()).unwrap();
        });
        let told = refused(dir.path());
        assert!(told.contains("are not those that belong to the others"), "{told}");
    }
}

#[tokio::test]
async fn a_killed_store_with_an_index_that_names_another_row_is_refused() {
    let image = small(true).await;
    for table in b"ezKQoDXcOAt" {
        let (dir, _) = copied(&image);
        tamper(dir.path(), |tree| {
            let (key, row) = tree.scan_prefix([*table]).next().unwrap().unwrap();
            tree.remove(&key).unwrap();
            let mut other = key.to_vec();
            *other.last_mut().unwrap() ^= 0x40;
            tree.insert(other, row).unwrap();
        });
        let told = refused(dir.path());
        assert!(told.contains("are not those that belong to the others"), "{told}");
    }
}

#[tokio::test]
async fn a_killed_store_is_read_anew_after_another_start_of_the_machine_and_as_a_copy() {
    let boot = |name: &str| Options { boot: Some(name.to_owned()), ..roomy() };
    for (run, as_a_copy, trusted) in
        [("first", false, true), ("second", false, false), ("first", true, false)]
    {
        let dir = TempDir::new().unwrap();
        let store = open_with(dir.path(), &boot("first")).unwrap();
        take_in(&store, accept(1), NOON).await.unwrap();
        store.close().unwrap();
        as_if_killed(dir.path());
        lose_a_row(dir.path());
        let place = if as_a_copy { copied(&dir).0 } else { dir };
        let opened = open_with(place.path(), &boot(run));
        assert_eq!(opened.is_ok(), trusted, "{run}, a copy: {as_a_copy}");
    }
}

/// Makes a closed store's head say what it would after a kill.
fn as_if_killed(data_dir: &Path) {
    let head = data_dir.join("store.head");
    let lines = fs::read_to_string(&head).unwrap();
    let lines = lines.lines().map(|line| {
        let (told, _) = line.trim_end().rsplit_once(' ').unwrap();
        let told = told.replace(" closed ", " open ");
        let sum = base32hex(&digest_of(&[told.as_bytes()]));
        format!("{:<255}\n", format!("{told} {sum}"))
    });
    fs::write(head, lines.collect::<String>()).unwrap();
}

/// What was accepted is in its owner's list no more.
fn lose_a_row(data_dir: &Path) {
    tamper(data_dir, |tree| {
        let (key, _) = tree.scan_prefix(b"L").next().unwrap().unwrap();
        tree.remove(key).unwrap();
    });
}

#[tokio::test]
async fn a_store_that_failed_is_read_anew() {
    let dir = TempDir::new().unwrap();
    let options = Options { boot: Some("first".to_owned()), ..roomy() };
    let store = open_with(dir.path(), &options).unwrap();
    take_in(&store, accept(1), NOON).await.unwrap();
    store.close().unwrap();
    let fails = Arc::new(|_: &Path| panic!("the disk is not what it was"));
    let store = open_with(dir.path(), &Options { free_space: fails, ..options.clone() }).unwrap();
    assert!(take_in(&store, accept(2), NOON).await.is_err());
    assert!(store.close().is_err());
    lose_a_row(dir.path());
    let refused = open_with(dir.path(), &options).expect_err("something was lost");
    assert!(refused.to_string().contains("are left"), "{refused}");
}

fn tamper(data_dir: &Path, with: impl FnOnce(&sled::Tree)) {
    let config = sled::Config::new().path(data_dir.join("store")).segment_size(4 << 20);
    let db = config.mode(sled::Mode::LowSpace).open().unwrap();
    with(&db);
    db.flush().unwrap();
}
