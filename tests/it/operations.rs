//! What operators meet: a second process, a stop, a file that may not grow, damage, wrong settings.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use calbridge::simulator::{Fault, FaultKind};
use hyper::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::bridge::{ANA, tea, with};
use crate::process::{Browser, Home, Process, Simulated};

/// Many requests, and none of them waits.
const BUSY: &str = "classic.requests = 1000000\nclassic.wait_secs = 0";
const CLIENTS: usize = 16;

/// Does something to a data directory.
type Damage = fn(&Path);

#[tokio::test]
async fn an_account_is_connected_and_a_request_that_waits_is_answered_before_the_stop() {
    let google = Simulated::start();
    let mut process = Process::start(&google, "log.level = \"debug\"").await;
    let browser = process.connect(ANA).await;
    let key = process.new_key().await;
    let base = process.home.base.clone();
    let made = browser.create(&base, &key, &tea(), &[]).await.expect("an answer");
    assert_eq!(made.status, 200, "{}", made.text);
    assert_eq!(google.google.events(ANA).len(), 1);

    google.google.add_fault(Fault::new(FaultKind::MeetPending).secs(3600));
    // Longer than this test is patient with a process that was told to end.
    let headers = [("prefer", "wait=50"), ("x-request-id", "the-one-that-waits")];
    let body = tea();
    let waiting = browser.create(&base, &key, &body, &headers);
    let stopping = async {
        process.line_with("the-one-that-waits").await;
        process.stop().await
    };
    let (answer, status) = tokio::join!(waiting, stopping);
    let answer = answer.expect("no request is cut");
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(status.code(), Some(0));

    process.restart().await;
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    let event = browser.ask(Method::GET, &format!("{base}/api/v1/events/{id}"), &key).await;
    assert_eq!(event.status, 200, "{}", event.text);
}

#[tokio::test]
async fn a_job_that_outlasts_a_stop_is_cut_off_and_begins_anew_with_the_next_process() {
    let google = Simulated::start();
    let settings = "stop.drain_secs = 1\nqueue.lease_secs = 600\nlog.level = \"debug\"";
    let mut process = Process::start(&google, settings).await;
    let browser = process.connect(ANA).await;
    let key =
        ["api-keys", "create", "--name", "test", "--scope", "events:write", "--scope", "admin"];
    let key = process.home.told(&key).await;
    let base = process.home.base.clone();
    let once = [("idempotency-key", "tea")];
    let hang = || Fault::new(FaultKind::Hang).method("calendar.events.insert").times(1);

    google.google.add_fault(hang());
    let later = [once[0], ("prefer", "respond-async")];
    let taken = browser.create(&base, &key, &tea(), &later).await.expect("an answer");
    assert_eq!(taken.status, 202, "{}", taken.text);
    let taken = taken.json();
    let job = format!("{base}/api/v1/jobs/{}", taken["jobId"].as_str().expect("an id"));
    for stop in 1..=2 {
        let hangs = |_: &Value| google.google.unused_faults().is_empty();
        let shown = browser.ask_until(&job, &key, hangs).await;
        let state = (&shown["state"], &shown["attempts"], &shown["tries"]);
        assert_eq!(state, (&json!("live"), &json!(0), &json!(0)), "{shown}");
        assert_eq!(process.stop().await.code(), Some(0), "{:#?}", process.log());
        process.line_with("handing back the jobs that did not finish in time").await;
        if stop == 1 {
            google.google.add_fault(hang());
        }
        process.restart().await;
    }
    let made = browser.create(&base, &key, &tea(), &once).await.expect("an answer");
    assert_eq!((made.status, &made.json()["id"]), (200, &taken["id"]), "{}", made.text);
    let done = browser.ask(Method::GET, &job, &key).await.json();
    assert_eq!((&done["state"], &done["attempts"]), (&json!("done"), &json!(0)), "{done}");
    let ledger = google.google.ledger();
    let inserts = ledger.iter().filter(|call| call.method == "calendar.events.insert");
    assert_eq!(inserts.filter(|call| call.committed).count(), 1);
    assert_eq!(google.google.events(ANA).len(), 1);
}

#[tokio::test]
async fn a_second_process_is_refused_and_told_who_has_the_data() {
    let google = Simulated::start();
    let mut process = Process::start(&google, "").await;
    let refused = process.home.cli(&["serve"]).await;
    assert_eq!(refused.status.code(), Some(75), "{refused:?}");
    assert_told(&refused, &[&format!("process {}", process.id())]);

    let mode = |path: &Path| path.metadata().expect("it is there").permissions().mode() & 0o7777;
    let data = process.home.data_dir();
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&process.home.key_file()), 0o600);
    assert_eq!(mode(&data.join("admin.sock")), 0o600);
    let told = process.line_with("setup code for the first administrator").await;
    let code = std::fs::read_to_string(data.join("setup-code")).expect("the first setup code");
    assert!(told.contains(code.trim()), "{told}");
    assert_eq!(mode(&data.join("setup-code")), 0o600);

    let key = process.new_key().await;
    let (id, _) = key.trim_start_matches("cb_").split_once('_').expect("an id and a secret");
    assert!(process.home.told(&["api-keys", "list"]).await.contains(id));
    process.home.told(&["api-keys", "revoke", id]).await;
    let base = process.home.base.clone();
    let asked = Browser::default().ask(Method::GET, &format!("{base}/api/v1/status"), &key).await;
    assert_eq!(asked.status, 401, "a key taken back opens nothing: {}", asked.text);
    let running = process.home.told(&["setup-code"]).await;
    process.home.told(&["healthcheck"]).await;
    assert_eq!(process.stop().await.code(), Some(0));
    let silent = process.home.cli(&["healthcheck"]).await;
    assert_eq!(silent.status.code(), Some(69), "{silent:?}");
    assert!(process.home.told(&["api-keys", "list"]).await.contains(id));
    assert_ne!(process.home.told(&["setup-code"]).await, running);
    process.restart().await;
    assert_eq!(process.stop().await.code(), Some(0));
    assert!(!process.log().concat().contains("setup code"), "one is made for the first alone");
}

#[tokio::test]
async fn every_fault_in_the_settings_is_told_at_once() {
    let google = Simulated::start();
    let mut home = Home::new(&google, "");
    let text = "listne = \"127.0.0.1:1\"\nclassic.requests = 0\nlog.level = \"loud\"\n";
    std::fs::write(home.settings_file(), text).expect("a file");
    home.environment.push(("PORT".into(), "many".into()));
    let refused = home.cli(&["serve", "--set", "store.kind=paper"]).await;
    assert_eq!(refused.status.code(), Some(78), "{refused:?}");
    let told = ["listne", "listen", "classic.requests", "log.level", "PORT", "store.kind"];
    assert_told(&refused, &told);
    assert!(!home.data_dir().exists(), "nothing was opened");
}

#[tokio::test]
async fn a_write_that_fails_ends_the_process_and_loses_nothing_and_damage_is_refused() {
    let google = Simulated::start();
    let mut process = Process::start(&google, BUSY).await;
    process.connect(ANA).await;
    let key = process.new_key().await;
    assert_eq!(process.stop().await.code(), Some(0));
    // Jobs would only write more; what is acknowledged is what counts here.
    google.google.add_fault(Fault::new(FaultKind::QuotaExceeded));
    let db = process.home.data_dir().join("store/db");
    let bytes = db.metadata().expect("the store").len();
    process.home.file_blocks = Some((bytes + (4 << 20)) / 512);
    process.restart().await;
    let acknowledged = send_until_it_ends(&process.home.base, &key).await;
    assert_eq!(process.ended().await.code(), Some(74), "{:#?}", process.log());
    assert!(acknowledged.len() > CLIENTS, "only {} events", acknowledged.len());

    process.home.file_blocks = None;
    process.restart().await;
    let browser = Browser::default();
    for id in &acknowledged {
        let url = format!("{}/api/v1/events/{id}", process.home.base);
        let event = browser.ask(Method::GET, &url, &key).await;
        assert_eq!(event.status, 200, "{id} was acknowledged: {}", event.text);
    }
    assert_eq!(process.stop().await.code(), Some(0));
    println!("{} events were acknowledged before the write that failed", acknowledged.len());
    refuses_damage(&process.home).await;
}

/// Sends large events from many clients until nobody answers. Returns the ids of those that were
/// acknowledged.
async fn send_until_it_ends(base: &str, key: &str) -> Vec<String> {
    let browser = Arc::new(Browser::default());
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (browser, base, key) = (Arc::clone(&browser), base.to_owned(), key.to_owned());
        clients.spawn(async move {
            let body = with(tea(), &json!({"description": "milk ".repeat(1_600)}));
            let mut acknowledged: Vec<Value> = Vec::new();
            while let Ok(answer) = browser.create(&base, &key, &body, &[]).await {
                match answer.status {
                    202 => acknowledged.push(answer.json()["id"].clone()),
                    503 => {}
                    other => panic!("{other}: {}", answer.text),
                }
            }
            acknowledged
        });
    }
    let all = clients.join_all().await.into_iter().flatten();
    all.map(|id| id.as_str().expect("an id").to_owned()).collect()
}

/// A store that was emptied, cut or torn apart is refused, and so is one without its key.
async fn refuses_damage(home: &Home) {
    let damages: [(&str, Damage); 5] = [
        ("emptied", |data| drop(File::create(data.join("store/db")).expect("a file"))),
        ("cut by several MiB", |data| {
            // Through the middle of what was written: the end may be room that sled no longer needs,
            // which nobody would miss.
            let db = data.join("store/db");
            let bytes = std::fs::read(&db).expect("a file");
            let written = bytes.iter().rposition(|byte| *byte != 0).expect("something");
            let file = File::options().write(true).open(db).expect("a file");
            assert!(written > 4 << 20, "only {written} bytes were written");
            file.set_len((written / 2) as u64).expect("a file that can be cut");
        }),
        ("without its db", |data| std::fs::remove_file(data.join("store/db")).expect("a file")),
        ("without its store", |data| std::fs::remove_dir_all(data.join("store")).expect("a dir")),
        ("without its head", |data| std::fs::remove_file(data.join("store.head")).expect("a file")),
    ];
    for (what, damage) in damages {
        let copy = home.place.path().join(what);
        let copied = Command::new("cp").arg("-a").arg(home.data_dir()).arg(&copy).status();
        assert!(copied.expect("cp").success());
        damage(&copy);
        let refused = home.cli(&["serve", "--data-dir", copy.to_str().expect("UTF-8")]).await;
        assert_eq!(refused.status.code(), Some(73), "{what}: {refused:?}");
        assert_told(&refused, &["damaged", "Put the whole data directory back from a backup"]);
    }

    let kept = home.place.path().join("kept.key");
    std::fs::rename(home.key_file(), &kept).expect("the key file");
    let refused = home.cli(&["serve"]).await;
    assert_eq!(refused.status.code(), Some(73), "{refused:?}");
    assert_told(&refused, &[home.key_file().to_str().expect("UTF-8"), "restore that file"]);
    assert!(!home.key_file().exists(), "a used store gets no new key");

    std::fs::copy(&kept, home.key_file()).expect("a copy");
    std::fs::set_permissions(home.key_file(), Permissions::from_mode(0o644)).expect("a mode");
    let refused = home.cli(&["serve"]).await;
    assert_eq!(refused.status.code(), Some(73), "{refused:?}");
    assert_told(&refused, &[home.key_file().to_str().expect("UTF-8")]);
}

fn assert_told(output: &Output, words: &[&str]) {
    let told = String::from_utf8_lossy(&output.stderr);
    for word in words {
        assert!(told.contains(word), "\"{word}\" is not in: {told}");
    }
}
