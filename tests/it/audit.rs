//! Who did what: written down with what was done, and whatever is changed later is found.
#![expect(clippy::unwrap_used, reason = "a test ends where it goes wrong")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use calbridge::app::App;
use calbridge::app::access::{self, Caller, KeyWish};
use calbridge::app::audit::{self, By};
use calbridge::model::audit::{Action, Entry, Head};
use calbridge::model::id::InstanceId;
use calbridge::model::key::Scope;
use calbridge::store::contract::examples;
use calbridge::store::memory::MemoryStore;
use calbridge::store::sled::{Options, SledStore};
use calbridge::store::{Record, Store};
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::bridge::{ANA, Bridge, Choices};
use crate::postgres::server;
use crate::process::{Home, Process, Simulated};

const STORE: InstanceId = InstanceId::from_u128(77);

/// A bridge's whole store and the files beside it, before and after the things that were done.
struct Lived {
    place: Arc<TempDir>,
    early: Vec<Record>,
    late: Vec<Record>,
}

/// A store with a past: two keys, of which one is revoked later, and an account that is connected
/// once more later.
async fn lived(instance: InstanceId) -> Lived {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(instance));
    let bridge = Bridge::with(Choices { store: Some(store), ..Choices::default() }).await;
    let app = &bridge.tied.app;
    let wish = KeyWish::new("crm", vec![Scope::Admin]);
    let crm = access::create_key(app, &Caller::console(), wish).await.unwrap().key;
    bridge.connect(ANA).await.unwrap();
    assert!(audit::catch_up(app, true).await);
    let early = exported(&*app.store).await;
    access::revoke_key(app, &Caller::console(), crm.id).await.unwrap();
    bridge.connect(ANA).await.unwrap();
    app.act(By::Console, Action::ExportMade).with("to", "a friend").keep().await.unwrap();
    assert!(audit::catch_up(app, true).await);
    assert_eq!(codes(app).await, [""; 0]);
    let late = exported(&*app.store).await;
    Lived { place: Arc::clone(&bridge.place), early, late }
}

fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new(STORE))
}

async fn exported(store: &dyn Store) -> Vec<Record> {
    let (into, mut records) = mpsc::channel(9);
    let collecting = async {
        let mut all = Vec::new();
        while let Some(record) = records.recv().await {
            all.push(record);
        }
        all
    };
    let (done, all) = tokio::join!(store.export(into), collecting);
    done.unwrap();
    all
}

/// What `audit verify` finds, by the codes.
async fn codes(app: &App) -> Vec<&'static str> {
    let verdict = audit::verify(app).await.unwrap();
    verdict.findings.iter().map(|finding| finding.code).collect()
}

/// What is found in `store` once it holds `records`.
async fn found_in(
    store: Arc<dyn Store>,
    place: &Arc<TempDir>,
    records: Vec<Record>,
) -> Vec<&'static str> {
    store.restore(records).await.unwrap();
    let place = Some(Arc::clone(place));
    let choices = Choices { store: Some(store), place, seed: 2, ..Choices::default() };
    let bridge = Bridge::with(choices).await;
    codes(&bridge.tied.app).await
}

fn entries(records: &mut [Record]) -> Vec<&mut Entry> {
    let mut entries: Vec<_> = records
        .iter_mut()
        .filter_map(|record| match record {
            Record::Audit(entry) => Some(entry),
            _ => None,
        })
        .collect();
    entries.sort_by_key(|entry| entry.seq);
    entries
}

/// As whoever has the store but not the key would mend what shows.
fn chain_anew(records: &mut [Record]) {
    let mut head = Head::START;
    for entry in entries(records) {
        let (seq, act) = (entry.seq, entry.act.clone());
        *entry = Entry::after(&Head { seq: seq - 1, ..head }, act);
        head = head.with(entry);
    }
}

type Tampering = (&'static str, fn(&mut Vec<Record>, &[Record]), &'static [&'static str]);

const TAMPERINGS: &[Tampering] = &[
    ("nothing", |_, _| {}, &[]),
    (
        "an entry says another time",
        |now, _| entries(now)[2].act.at += chrono::TimeDelta::seconds(1),
        &["entry_changed"],
    ),
    (
        "an entry says another action, and the chain is mended",
        |now, _| {
            entries(now)[2].act.action = Action::SessionOpened;
            chain_anew(now);
        },
        &["entry_changed", "rolled_back"],
    ),
    (
        "an entry has another's detail",
        |now, _| {
            let with: Vec<_> =
                entries(now).iter().filter_map(|entry| entry.act.detail.clone()).collect();
            let last = entries(now).pop().unwrap();
            last.act.detail = Some(with[0].clone());
        },
        &["entry_changed"],
    ),
    (
        "an entry is missing",
        |now, _| now.retain(|record| !matches!(record, Record::Audit(entry) if entry.seq == 3)),
        &["entry_missing"],
    ),
    (
        "an entry is missing, and the chain is mended",
        |now, _| {
            now.retain(|record| !matches!(record, Record::Audit(entry) if entry.seq == 1));
            for entry in entries(now) {
                entry.seq -= 1;
            }
            chain_anew(now);
        },
        &["rolled_back"],
    ),
    (
        "two entries have changed places",
        |now, _| {
            let mut all = entries(now);
            let (one, other) = (all[1].act.clone(), all[2].act.clone());
            all[1].act = other;
            all[2].act = one;
        },
        &["entry_changed", "entry_changed"],
    ),
    (
        "two entries have changed places, and the chain is mended",
        |now, _| {
            let mut all = entries(now);
            let (one, other) = (all[1].act.clone(), all[2].act.clone());
            all[1].act = other;
            all[2].act = one;
            chain_anew(now);
        },
        &["rolled_back"],
    ),
    (
        "an audit row is rolled back to one before it",
        |now, _| {
            let mut all = entries(now);
            let before = all[1].clone();
            *all[2] = Entry { seq: all[2].seq, ..before };
        },
        &["entry_out_of_place", "entry_changed", "entry_out_of_place"],
    ),
    (
        "the last entry is gone",
        |now, _| {
            let last = entries(now).len() as u64;
            now.retain(|record| !matches!(record, Record::Audit(entry) if entry.seq == last));
        },
        &["rolled_back"],
    ),
    (
        "a key's row is rolled back whole",
        |now, before| put_back(now, before, |record| matches!(record, Record::Key(_))),
        &["row_changed"],
    ),
    (
        "a connection's row is rolled back whole",
        |now, before| put_back(now, before, |record| matches!(record, Record::Connection(_))),
        &["row_changed"],
    ),
    ("a key is put in", |now, _| now.push(Record::Key(examples::key(4))), &["row_unknown"]),
    (
        "a connection is put in",
        |now, _| now.push(Record::Connection(examples::connection(4, examples::user("eve")))),
        &["row_unknown"],
    ),
    (
        "keys and connections are taken away",
        |now, _| {
            let row = |record: &Record| matches!(record, Record::Key(_) | Record::Connection(_));
            now.retain(|record| !row(record));
        },
        &["row_missing", "row_missing", "row_missing"],
    ),
    ("the whole store is put back", |now, before| *now = before.to_vec(), &["rolled_back"]),
];

fn put_back(now: &mut Vec<Record>, before: &[Record], which: fn(&Record) -> bool) {
    now.retain(|record| !which(record));
    now.extend(before.iter().filter(|record| which(record)).cloned());
}

#[tokio::test]
async fn whatever_is_changed_in_a_store_in_memory_is_found() {
    let lived = lived(STORE).await;
    for (what, tamper, expected) in TAMPERINGS {
        let mut records = lived.late.clone();
        tamper(&mut records, &lived.early);
        let found = found_in(memory(), &lived.place, records).await;
        assert_eq!(found, *expected, "{what}");
    }
}

#[tokio::test]
async fn whatever_is_changed_in_a_store_on_disk_is_found() {
    let lived = lived(STORE).await;
    for (what, tamper, expected) in TAMPERINGS {
        let mut records = lived.late.clone();
        tamper(&mut records, &lived.early);
        let disk = tempfile::tempdir().unwrap();
        let options = Options { min_free: 0, ..Options::default() };
        let store = SledStore::open(disk.path(), STORE, examples::NOON, &options).unwrap();
        let found = found_in(Arc::new(store), &lived.place, records).await;
        assert_eq!(found, *expected, "{what}");
    }
}

#[tokio::test]
async fn whatever_is_changed_in_a_database_is_found() {
    let server = server::shared().await;
    // Databases of the tests are copies of one, and so are their names.
    let instance = server.open(&server.database().await, 1).await.instance();
    let lived = lived(instance).await;
    for (what, tamper, expected) in TAMPERINGS {
        let mut records = lived.late.clone();
        tamper(&mut records, &lived.early);
        let store = server.open(&server.database().await, 1).await;
        assert_eq!(store.instance(), instance);
        let found = found_in(Arc::new(store), &lived.place, records).await;
        assert_eq!(found, *expected, "{what}");
    }
}

#[tokio::test]
async fn a_head_file_that_is_missing_forged_or_anothers_is_found_and_never_mended_unasked() {
    let bridge = Bridge::with(Choices { store: Some(memory()), ..Choices::default() }).await;
    let app = &bridge.tied.app;
    assert!(audit::catch_up(app, true).await);
    let file = app.settings.audit_head.clone().unwrap();
    let right = std::fs::read_to_string(&file).unwrap();
    assert_eq!(codes(app).await, [""; 0]);

    std::fs::remove_file(&file).unwrap();
    assert_eq!(codes(app).await, ["head_missing"]);
    assert!(!audit::catch_up(app, true).await);
    assert!(!file.exists(), "a file that is missing is not made again unasked");
    for at in 0..right.trim_end().len() {
        let mut forged = right.clone().into_bytes();
        forged[at] = if forged[at] == b'1' { b'2' } else { b'1' };
        std::fs::write(&file, &forged).unwrap();
        let found = codes(app).await;
        assert!(matches!(found[..], ["head_forged" | "head_foreign"]), "{at}: {found:?}");
        assert!(!audit::catch_up(app, true).await);
        assert_eq!(std::fs::read(&file).unwrap(), forged, "left alone");
    }
    let other = InstanceId::from_u128(78).to_string();
    std::fs::write(&file, right.replace(&STORE.to_string(), &other)).unwrap();
    assert_eq!(codes(app).await, ["head_foreign"]);

    let accepted = audit::accept(app, By::Console).await.unwrap();
    assert_eq!(accepted.findings.len(), 1);
    assert_eq!(codes(app).await, [""; 0]);
    assert!(audit::catch_up(app, true).await);
}

#[tokio::test]
async fn what_is_accepted_is_found_no_more_but_a_broken_chain_is() {
    let lived = lived(STORE).await;
    let mut records = lived.early.clone();
    records.push(Record::Key(examples::key(4)));
    let store = memory();
    store.restore(records).await.unwrap();
    let place = Some(Arc::clone(&lived.place));
    let choices = Choices { store: Some(store), place, seed: 2, ..Choices::default() };
    let bridge = Bridge::with(choices).await;
    let app = &bridge.tied.app;
    assert_eq!(codes(app).await, ["row_unknown", "rolled_back"]);
    audit::accept(app, By::Console).await.unwrap();
    assert_eq!(codes(app).await, [""; 0]);
    let last = app.store.audit_head().await.unwrap().seq;
    let told = app.store.audit(last - 1, 1).await.unwrap().pop().unwrap();
    assert_eq!(told.act.action, Action::AuditAccepted);
    assert_eq!(app.detail(&told).unwrap()["findings"], "row_unknown rolled_back");

    let mut broken = lived.late.clone();
    broken.retain(|record| !matches!(record, Record::Audit(entry) if entry.seq == 2));
    let store = memory();
    store.restore(broken).await.unwrap();
    let place = Some(Arc::clone(&lived.place));
    let choices = Choices { store: Some(store), place, seed: 3, ..Choices::default() };
    let bridge = Bridge::with(choices).await;
    audit::accept(&bridge.tied.app, By::Console).await.unwrap();
    assert!(codes(&bridge.tied.app).await.contains(&"entry_missing"));
}

#[tokio::test]
async fn what_is_done_is_written_down_with_who_did_it() {
    let bridge = Bridge::start().await;
    let app = &bridge.tied.app;
    let code = access::new_setup_code(app).await.unwrap();
    let open = async |code: &str| {
        let proof = access::Proof::Code { code: code.to_owned(), new_password: None };
        access::open_session(app, proof, std::net::Ipv4Addr::LOCALHOST.into(), None).await
    };
    assert!(open("wrong").await.is_err());
    open(&code).await.unwrap();
    let admin = Caller { scopes: vec![Scope::Admin], ..Caller::console() };
    let key = access::create_key(app, &admin, KeyWish::new("crm", vec![Scope::EventsRead])).await;
    let key = key.unwrap().key;
    access::revoke_key(app, &admin, key.id).await.unwrap();
    bridge.connect(ANA).await.unwrap();
    bridge.connect(ANA).await.unwrap();

    let reader = bridge.key_for(&[Scope::AdminRead]).await;
    let bearer = format!("Bearer {reader}");
    let headers = [("authorization", bearer.as_str())];
    let all = "/api/v1/audit?limit=500";
    let shown = bridge.send_raw(hyper::Method::GET, all, "", &headers).await;
    assert_eq!(shown.status, 200, "{}", shown.text);
    let shown = shown.json();
    let done: Vec<_> = shown["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["action"].as_str().unwrap(), entry["actor"].as_str().unwrap()))
        .collect();
    assert_eq!(
        done,
        [
            ("audit.begun", "bridge"),
            ("api_key.created", "console"),
            ("setup_code.created", "console"),
            ("session.refused", "administrator"),
            ("session.opened", "administrator"),
            ("api_key.created", "console"),
            ("api_key.revoked", "console"),
            ("connection.linked", "administrator"),
            ("connection.reconnected", "administrator"),
            ("api_key.created", "console"),
        ]
    );
    let revoked = &shown["data"][6];
    assert_eq!(revoked["subject"], format!("api_key:{}", key.id));
    assert_eq!(revoked["detail"]["name"], "crm");
    assert_eq!(shown["data"][7]["detail"]["email"], ANA);
    assert_eq!(shown["next"], serde_json::Value::Null);

    let some = "/api/v1/audit?after=2&limit=3";
    let page = bridge.send_raw(hyper::Method::GET, some, "", &headers).await.json();
    assert_eq!((&page["data"][0]["seq"], &page["next"]), (&3.into(), &5.into()));
    let refused = bridge.get("/api/v1/audit").await;
    assert_eq!((refused.status, &refused.json()["code"]), (403, &"scope_missing".into()));
}

#[tokio::test]
async fn a_store_of_before_the_audit_is_taken_in_as_it_is() {
    let lived = lived(STORE).await;
    let mut records = lived.late.clone();
    records.retain(|record| !matches!(record, Record::Audit(_)));
    let head = head_file(lived.place.path());
    std::fs::remove_file(&head).unwrap();
    assert_eq!(found_in(memory(), &lived.place, records).await, [""; 0]);
    assert!(head.exists());
}

fn head_file(place: &Path) -> PathBuf {
    place.join("data.key.audit-head")
}

#[tokio::test]
async fn a_whole_store_put_back_by_copying_is_found_from_the_command_line() {
    let google = Simulated::start();
    let mut process = Process::start(&google, "").await;
    let key = process.home.told(&["api-keys", "create", "--name", "crm"]).await;
    assert_eq!(process.stop().await.code(), Some(0));
    let (data, copy) = (process.home.data_dir(), process.home.place.path().join("copy"));
    copy_all(&data, &copy);
    process.restart().await;
    let id = key.split('_').nth(1).unwrap();
    process.home.told(&["api-keys", "revoke", id]).await;
    let well = process.home.told(&["audit", "verify"]).await;
    assert!(well.contains("all is as calbridge left it"), "{well}");
    assert_eq!(process.stop().await.code(), Some(0));
    let well = process.home.told(&["audit", "verify", "--json"]).await;
    assert!(well.contains("\"findings\": []"), "{well}");

    std::fs::remove_dir_all(&data).unwrap();
    std::fs::rename(&copy, &data).unwrap();
    let found = process.home.cli(&["audit", "verify"]).await;
    let text = String::from_utf8(found.stdout).unwrap();
    assert_eq!(found.status.code(), Some(3), "{text}");
    assert!(text.contains("put back to an earlier state"), "{text}");
    assert!(text.contains("calbridge audit accept"), "{text}");
    process.restart().await;
    process.line_with("does not fit the store").await;
    let found = process.home.cli(&["audit", "verify"]).await;
    assert_eq!(found.status.code(), Some(3), "the daemon's start hides nothing");
    process.home.told(&["audit", "accept"]).await;
    process.home.told(&["audit", "verify"]).await;
    let listed = process.home.told(&["audit", "list", "--last", "1"]).await;
    assert!(listed.contains("audit.accepted") && listed.contains("console"), "{listed}");
    assert_eq!(process.stop().await.code(), Some(0));
}

fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_all(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[tokio::test]
async fn an_export_of_the_audit_can_be_checked_and_tells_what_is_personal_only_if_asked() {
    let google = Simulated::start();
    let home = Home::new(&google, "");
    home.told(&["api-keys", "create", "--name", "quokka crm"]).await;
    let lines = home.told(&["audit", "export"]).await;
    assert!(!lines.contains("quokka"), "{lines}");
    let mut previous = "0".repeat(64);
    for (seq, line) in (1..).zip(lines.lines()) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!((&line["seq"], &line["previous"]), (&seq.into(), &previous.clone().into()));
        previous = line["digest"].as_str().unwrap().to_owned();
    }
    assert!(lines.lines().last().unwrap().contains("audit.exported"));
    let file = home.place.path().join("lines");
    home.told(&["audit", "export", "--personal", "--output", &file.to_string_lossy()]).await;
    assert!(std::fs::read_to_string(&file).unwrap().contains("quokka crm"));
    let left = std::fs::read_dir(home.data_dir()).unwrap().filter(|entry| {
        entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("export-")
    });
    assert_eq!(left.count(), 0, "no copy stays behind");
}

#[tokio::test]
async fn the_head_file_follows_each_entry_of_a_running_bridge() {
    let google = Simulated::start();
    let process = Process::start(&google, "").await;
    let head = PathBuf::from(format!("{}.audit-head", process.home.key_file().display()));
    let seq = || -> u64 {
        let text = std::fs::read_to_string(&head).unwrap();
        text.split(' ').nth(3).unwrap().parse().unwrap()
    };
    process.home.told(&["api-keys", "create", "--name", "crm"]).await;
    let last = process.home.told(&["audit", "list", "--last", "1", "--json"]).await;
    let last: serde_json::Value = serde_json::from_str(&last).unwrap();
    let mut tries = 0;
    while seq() != last["data"][0]["seq"] {
        tries += 1;
        assert!(tries < 2_000_000, "the head file does not follow");
        tokio::task::yield_now().await;
    }
}
