//! The whole store as one file, out of one bridge and into another.
#![expect(clippy::unwrap_used, reason = "a test ends where it goes wrong")]

mod piped;

use std::fs::File;
use std::io::{Seek, Write};
use std::path::Path;
use std::process::Output;

use calbridge::app::backup::{self, BackupError};
use calbridge::model::id::{EventId, InstanceId, JobId};
use calbridge::simulator::{Fault, FaultKind};
use calbridge::store::contract::examples::{NOON, ROOM, accept, sealed};
use calbridge::store::memory::MemoryStore;
use calbridge::store::sled::{Options, SledStore};
use calbridge::store::{Backup, EventStore, Keystone, Record, Store};
use serde_json::json;

use crate::bridge::{ANA, tea, with};
use crate::process::{Home, Process, Simulated};

const LATER: &[(&str, &str)] = &[("prefer", "respond-async"), ("idempotency-key", "coffee")];

#[tokio::test]
async fn a_bridge_goes_on_from_an_export_that_was_made_while_it_ran() {
    let google = Simulated::start();
    let mut process = Process::start(&google, "").await;
    let browser = process.connect(ANA).await;
    let key = process.new_key().await;
    let base = process.home.base.clone();
    let once = [("idempotency-key", "tea")];
    let made = browser.create(&base, &key, &tea(), &once).await.unwrap();
    assert_eq!(made.status, 200, "{}", made.text);
    google.google.add_fault(Fault::new(FaultKind::ServerError));
    let second = with(tea(), &json!({ "summary": "Coffee" }));
    let waits = browser.create(&base, &key, &second, LATER).await.unwrap();
    assert_eq!(waits.status, 202, "{}", waits.text);

    let file = process.home.place.path().join("backup");
    let told = process.home.cli(&["export", "--output", &file.to_string_lossy()]).await;
    assert!(told.status.success(), "{told:?}");
    let left = std::fs::read_dir(process.home.data_dir()).unwrap();
    let left = left.filter(|entry| {
        entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("export-")
    });
    assert_eq!(left.count(), 0, "the daemon keeps no copy");
    let whole = std::fs::read(&file).unwrap();
    for secret in [ANA, "Tea", "Coffee", "With milk"] {
        assert!(!contains(&whole, secret.as_bytes()), "{secret} is readable in an export");
    }
    assert_eq!(process.stop().await.code(), Some(0));
    std::fs::rename(process.home.data_dir(), process.home.place.path().join("old")).unwrap();
    let imported = process.home.cli(&["import", "--live", &file.to_string_lossy()]).await;
    let told = String::from_utf8_lossy(&imported.stderr);
    assert!(imported.status.success() && !told.contains("frozen"), "{told}");

    google.google.clear_faults();
    process.restart().await;
    let again = browser.create(&base, &key, &tea(), &once).await.unwrap();
    assert_eq!(again.json()["id"], made.json()["id"], "{}", again.text);
    assert_eq!(again.header("idempotent-replayed"), "true");
    let arrived = browser.create(&base, &key, &second, &[("idempotency-key", "coffee")]).await;
    let arrived = arrived.unwrap();
    assert_eq!(arrived.status, 200, "what waited arrives: {}", arrived.text);
    assert_eq!(arrived.json()["id"], waits.json()["id"]);
    let titles: Vec<_> =
        google.google.events(ANA).iter().map(|event| event["summary"].clone()).collect();
    assert_eq!(titles, [json!("Tea"), json!("Coffee")]);
}

#[tokio::test]
async fn what_was_put_back_shows_what_it_has_and_goes_on_once_somebody_says_so() {
    let google = Simulated::start();
    let mut process = Process::start(&google, "").await;
    let browser = process.connect(ANA).await;
    let key = process.new_key().await;
    let base = process.home.base.clone();
    google.google.add_fault(Fault::new(FaultKind::ServerError));
    let waits = browser.create(&base, &key, &tea(), LATER).await.unwrap();
    assert_eq!(waits.status, 202, "{}", waits.text);
    let file = process.home.place.path().join("backup");
    process.home.told(&["export", "--output", &file.to_string_lossy()]).await;
    assert_eq!(process.stop().await.code(), Some(0));
    std::fs::rename(process.home.data_dir(), process.home.place.path().join("old")).unwrap();
    let imported = process.home.cli(&["import", &file.to_string_lossy()]).await;
    let told = String::from_utf8_lossy(&imported.stderr);
    assert!(imported.status.success(), "{told}");
    assert!(
        told.contains("writes are frozen") && told.contains("calbridge incident thaw"),
        "{told}"
    );

    google.google.clear_faults();
    process.restart().await;
    let coffee = with(tea(), &json!({ "summary": "Coffee" }));
    let refused = browser.create(&base, &key, &coffee, &[]).await.unwrap();
    assert_eq!((refused.status, &refused.json()["code"]), (503, &json!("frozen")));
    let message = refused.json()["message"].clone();
    assert!(message.as_str().unwrap().contains("frozen by an import since"), "{message}");
    let ready = browser.get(&format!("{base}/readyz?verbose")).await;
    assert!(ready.text.contains("[!] writes are frozen by an import since"), "{}", ready.text);
    let listed = process.home.told(&["audit", "list"]).await;
    assert!(listed.contains("writes.frozen") && listed.contains("import"), "{listed}");
    assert_eq!(google.google.events(ANA).len(), 0);

    process.home.told(&["incident", "thaw"]).await;
    let arrived = browser.create(&base, &key, &tea(), &[("idempotency-key", "coffee")]).await;
    let arrived = arrived.unwrap();
    assert_eq!(arrived.status, 200, "what waited arrives: {}", arrived.text);
    assert_eq!(arrived.json()["id"], waits.json()["id"]);
    let ready = browser.get(&format!("{base}/readyz?verbose")).await;
    assert!(!ready.text.contains("frozen"), "{}", ready.text);
    assert_eq!(process.stop().await.code(), Some(0));
}

#[tokio::test]
async fn an_import_that_does_not_fit_changes_nothing_and_says_why() {
    let google = Simulated::start();
    let home = Home::new(&google, "");
    home.told(&["api-keys", "create", "--name", "crm"]).await;
    let file = home.place.path().join("backup");
    let file = file.to_string_lossy();
    home.told(&["export", "--output", &file]).await;
    refused(&home.cli(&["export", "--output", &file]).await, 1, &["backup", "exists"]);
    refused(&home.cli(&["import", &file]).await, 73, &["used before"]);
    let forgetful = ["import", &file, "--set", "store.kind=memory"];
    refused(&home.cli(&forgetful).await, 78, &["memory", "forget"]);

    std::fs::rename(home.data_dir(), home.place.path().join("old")).unwrap();
    let key_aside = home.place.path().join("key");
    std::fs::rename(home.key_file(), &key_aside).unwrap();
    refused(&home.cli(&["import", &file]).await, 73, &["master key", "data.key"]);
    let other = Home::new(&google, "");
    other.told(&["setup-code"]).await;
    std::fs::copy(other.key_file(), home.key_file()).unwrap();
    refused(&home.cli(&["import", &file]).await, 73, &["key"]);
    std::fs::rename(key_aside, home.key_file()).unwrap();
    std::fs::write(home.place.path().join("notes"), "not an export at all").unwrap();
    refused(&home.cli(&["import", "notes"]).await, 73, &["not an export"]);
    refused(&home.cli(&["import", "nothing"]).await, 1, &["No such file"]);
    assert!(!home.data_dir().exists(), "nothing was made for what was refused");
    home.told(&["import", &file]).await;
    assert!(home.told(&["api-keys", "list"]).await.contains("crm"));
}

#[tokio::test]
async fn an_import_that_was_broken_off_is_not_served_and_can_be_done_again() {
    let google = Simulated::start();
    let home = Home::new(&google, "");
    home.told(&["api-keys", "create", "--name", "crm"]).await;
    let file = home.place.path().join("backup");
    home.told(&["export", "--output", &file.to_string_lossy()]).await;
    std::fs::remove_dir_all(home.data_dir()).unwrap();
    // As far as an import came that was killed: its last record is the one that makes it whole.
    let name = InstanceId::from_u128(1);
    let store = SledStore::open(&home.data_dir(), name, NOON, &Options::default()).unwrap();
    let key = records(&file).await.into_iter().find(|record| matches!(record, Record::Key(_)));
    store.restore(vec![key.unwrap()]).await.unwrap();
    store.close().unwrap();

    refused(&home.cli(&["serve"]).await, 73, &["broken off", "calbridge import"]);
    home.told(&["import", &file.to_string_lossy()]).await;
    assert!(home.told(&["api-keys", "list"]).await.contains("crm"));
}

#[tokio::test]
async fn an_export_with_a_bit_turned_or_its_end_cut_is_refused_wherever_that_is() {
    let store = MemoryStore::new(InstanceId::from_u128(1));
    for n in 1..=8 {
        let mut item = accept(n);
        item.event.id = EventId::from_u128(n << 64);
        item.job.id = JobId::from_u128(n << 64);
        store.accept(vec![item], ROOM, NOON).await.unwrap();
    }
    let keystone = Keystone { canary: sealed(9), index_key: sealed(8) };
    store.lay_keystone(keystone).await.unwrap();
    let mut file = tempfile::tempfile().unwrap();
    assert_eq!(backup::write(&store, file.try_clone().unwrap()).await.unwrap(), 17);
    file.rewind().unwrap();
    let mut whole = Vec::new();
    std::io::Read::read_to_end(&mut file, &mut whole).unwrap();
    assert_eq!(backup::check(holding(&whole)).unwrap().records, 17);
    for at in 0..whole.len() {
        let mut turned = whole.clone();
        turned[at] ^= 1 << (at % 8);
        refuses(&turned, &format!("byte {at} turned"));
        refuses(&whole[..at], &format!("cut after {at} bytes"));
    }
    refuses(&[&whole[..], b"!"].concat(), "something follows");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_that_cannot_be_written_fails_and_holds_nobody_up() {
    let place = tempfile::tempdir().unwrap();
    let options = Options { min_free: 0, ..Options::default() };
    let store = SledStore::open(place.path(), InstanceId::from_u128(1), NOON, &options).unwrap();
    // More than wait between the store and the file.
    store.accept((1..=2_000).map(accept).collect(), ROOM, NOON).await.unwrap();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let failed = backup::write(&store, full).await;
    assert!(matches!(failed, Err(BackupError::Io(_))), "{failed:?}");
    store.accept(vec![accept(2_001)], ROOM, NOON).await.expect("the store goes on");
}

fn refuses(bytes: &[u8], what: &str) {
    let checked = backup::check(holding(bytes));
    let refused = matches!(checked, Err(BackupError::NotWhole(_) | BackupError::NotAnExport));
    assert!(refused, "{what}: {checked:?}");
}

fn holding(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

/// The records of an export.
async fn records(file: &Path) -> Vec<Record> {
    let store = MemoryStore::new(InstanceId::from_u128(2));
    let checked = backup::check(File::open(file).unwrap()).unwrap();
    backup::restore(&store, checked).await.unwrap();
    let (into, mut records) = tokio::sync::mpsc::channel(1000);
    store.export(into).await.unwrap();
    let mut all = Vec::new();
    while let Some(record) = records.recv().await {
        all.push(record);
    }
    all
}

fn refused(output: &Output, code: i32, words: &[&str]) {
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{told}");
    for word in words {
        assert!(told.contains(word), "\"{word}\" is not in: {told}");
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}
