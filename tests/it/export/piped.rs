//! `calbridge export | calbridge import`, as an operator types it: a bridge with a long backlog moves
//! from its directory to PostgreSQL, and back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use calbridge::clock::{Clock, SystemClock};
use calbridge::model::job::JobState;
use calbridge::simulator::{Fault, FaultKind};
use calbridge::store::Record;
use chrono::TimeDelta;
use hyper::Method;
use serde_json::{Value, json};

use crate::bridge::{ANA, Answer, brew, tea, with};
use crate::postgres::server;
use crate::process::{Browser, Home, Process, Simulated};

/// So many wait when they are moved.
const EVENTS: usize = 100_000;
const BATCH: usize = 1_000;
const INSERT: &str = "calendar.events.insert";
const COFFEE: (&str, &str) = ("idempotency-key", "coffee");
const LATER: (&str, &str) = ("prefer", "respond-async");

/// What an export holds: so many of each kind, and every record as it is written down.
#[derive(Debug, Default)]
struct Held {
    kinds: BTreeMap<&'static str, usize>,
    rows: BTreeSet<Vec<u8>>,
    /// The trail of who did what, which goes on with each export.
    audit: BTreeSet<Vec<u8>>,
}

impl Held {
    fn of(file: &Path) -> Self {
        let whole = std::fs::read(file).unwrap();
        let (mut held, mut rest) = (Self::default(), &whole[b"calbridge export 1\n".len()..]);
        loop {
            let (length, after) = rest.split_first_chunk().unwrap();
            let length = usize::try_from(u32::from_be_bytes(*length)).unwrap();
            if length == 0 {
                return held;
            }
            let (row, after) = after.split_at(length);
            rest = after;
            held.take(row);
        }
    }

    fn take(&mut self, row: &[u8]) {
        let record = Record::decode(row).unwrap();
        let kind = match &record {
            Record::Job(job, _) => match job.state {
                JobState::Live if job.due > SystemClock.now() => "put off",
                JobState::Live => "due",
                JobState::Done { .. } => "done",
                JobState::Dead { .. } => "dead",
                JobState::Cancelled { .. } => "cancelled",
            },
            Record::Event(..) => "events",
            Record::Request(..) => "requests",
            Record::Connection(_) => "connections",
            Record::Key(_) => "keys",
            Record::Item(_) => "items",
            _ => "others",
        };
        *self.kinds.entry(kind).or_default() += 1;
        let rows =
            if matches!(record, Record::Audit(_)) { &mut self.audit } else { &mut self.rows };
        assert!(rows.insert(row.to_owned()), "twice in an export: {record:?}");
    }
}

/// A bridge that runs, and whoever uses it.
struct Shop {
    browser: Browser,
    base: String,
    key: String,
}

impl Shop {
    async fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}/api/v1/{path}", self.base);
        let answer = self.browser.post_json(&url, &self.key, body).await;
        assert!((200..300).contains(&answer.status), "{path}: {}", answer.text);
        answer.json()
    }

    /// Live jobs, done ones, and those given up.
    async fn counts(&self) -> [u64; 3] {
        let url = format!("{}/api/v1/status", self.base);
        let status = self.browser.ask(Method::GET, &url, &self.key).await.json();
        ["live", "done", "given_up"].map(|name| status["jobs"][name].as_u64().expect("a number"))
    }

    /// Makes so many events for which Google has no time, and something of every other kind. Returns
    /// the job of the first that waits.
    async fn fill(&self, google: &Simulated, events: usize) -> String {
        let create = async |title: &str, more| {
            let titled = with(tea(), &json!({ "summary": title }));
            self.browser.create(&self.base, &self.key, &titled, more).await.unwrap()
        };
        assert_eq!(create("Tea", &[("idempotency-key", "tea")]).await.status, 200);
        google.google.add_fault(Fault::new(FaultKind::CalendarForbidden).method(INSERT).times(1));
        assert_eq!(create("Forbidden", &[]).await.status, 422);
        google.google.add_fault(Fault::new(FaultKind::QuotaExceeded));
        let coffee = create("Coffee", &[COFFEE, LATER]).await;
        let month = SystemClock.now() + TimeDelta::days(30);
        let (put_off, cancelled) =
            (create("Later", &[LATER]).await, create("Never", &[LATER]).await);
        let job = |answer: Answer| answer.json()["jobId"].as_str().unwrap().to_owned();
        let until = json!({ "until": month.to_rfc3339() });
        self.post(&format!("jobs/{}/snooze", job(put_off)), &until).await;
        self.post(&format!("jobs/{}/cancel", job(cancelled)), &json!(null)).await;
        let ring = json!({ "title": "Call", "at": month.to_rfc3339(), "deliver": ["google"] });
        self.post("reminders", &ring).await;
        for first in (0..events).step_by(BATCH) {
            let item = |n| {
                let own =
                    json!({ "summary": format!("{n}"), "idempotency_key": format!("order-{n}") });
                with(brew(), &own)
            };
            let items: Vec<Value> = (first..first + BATCH).map(item).collect();
            let told = self.post("events/batch", &json!({ "events": items })).await;
            assert_eq!(told["accepted"], BATCH, "{told}");
        }
        job(coffee)
    }
}

/// Moves everything from one home to another, and keeps a copy of what went through the pipe.
async fn piped(from: &Home, to: &Home, copy: &Path) {
    let script = r#""$0" export --config "$1" | tee "$2" | "$0" import --live --config "$3""#;
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_calbridge")]);
    shell.args([&from.settings_file(), copy, &to.settings_file()]);
    shell.env_clear().env("PATH", "/usr/bin:/bin");
    let moved = tokio::task::spawn_blocking(move || shell.output().unwrap()).await.unwrap();
    let told = String::from_utf8_lossy(&moved.stderr);
    assert!(moved.status.success() && told.contains("records were imported"), "{told}");
    assert!(!told.contains("frozen"), "{told}");
}

/// Where the same bridge can live too.
fn beside(first: &Home, google: &Simulated, settings: &str) -> Home {
    let home = Home::new(google, settings);
    std::fs::copy(first.key_file(), home.key_file()).unwrap();
    home
}

#[tokio::test]
async fn a_live_backlog_moves_to_a_database_and_back_through_pipes_without_loss() {
    let google = Simulated::start();
    let settings = "namespace = \"moved\"\nlimits.batches = 1000000\n\
                    queue.max_jobs_per_owner = 1000000\nstop.drain_secs = 1";
    let mut process = Process::start(&google, settings).await;
    let browser = process.connect(ANA).await;
    let scopes = ["events:write", "tasks:write", "admin"].map(|scope| ["--scope", scope]);
    let order = [&["api-keys", "create", "--name", "test"], scopes.as_flattened()].concat();
    let key = process.home.told(&order).await;
    let mut shop = Shop { browser, base: process.home.base.clone(), key };
    let coffee = shop.fill(&google, EVENTS).await;
    let counts = shop.counts().await;

    let url = server::shared().await.empty().await;
    let database = format!("{settings}\nstore.kind = \"postgres\"\nstore.postgres_url = \"{url}\"");
    let database = beside(&process.home, &google, &database);
    let back = beside(&process.home, &google, settings);
    let [first, second, third] = ["1", "2", "3"].map(|name| process.home.place.path().join(name));
    piped(&process.home, &database, &first).await;
    assert_eq!(process.stop().await.code(), Some(0));
    piped(&database, &back, &second).await;
    let last = back.command(&["export", "--output", &third.to_string_lossy()]).output().unwrap();
    assert!(last.status.success(), "{last:?}");

    let (wanted, there) = (Held::of(&first), Held::of(&third));
    println!("{:?}", wanted.kinds);
    let one = ["done", "dead", "cancelled", "connections", "keys", "items"];
    for (kind, number) in one.map(|kind| (kind, 1)) {
        assert_eq!(wanted.kinds[kind], number, "{kind}");
    }
    assert!(wanted.kinds["due"] + wanted.kinds["put off"] >= EVENTS + 3);
    let missing = wanted.rows.difference(&there.rows).next().map(|row| Record::decode(row));
    let new = there.rows.difference(&wanted.rows).next().map(|row| Record::decode(row));
    assert_eq!((missing, new), (None, None));
    assert!(wanted.audit.is_subset(&there.audit), "the trail goes on");
    assert_eq!(there.audit.len(), wanted.audit.len() + 2, "two exports more");

    google.google.clear_faults();
    let mut process = Process::start_in(back).await;
    shop.base.clone_from(&process.home.base);
    let now = shop.counts().await;
    assert_eq!((now.iter().sum::<u64>(), now[2]), (counts.iter().sum(), counts[2]));
    // What Google refused goes on in an hour, or when somebody says so.
    let now = json!({ "until": SystemClock.now().to_rfc3339() });
    shop.post(&format!("jobs/{coffee}/snooze"), &now).await;
    let coffee = with(tea(), &json!({ "summary": "Coffee" }));
    let made = shop.browser.create(&shop.base, &shop.key, &coffee, &[COFFEE]).await.unwrap();
    assert_eq!(made.status, 200, "{}", made.text);
    assert_eq!(made.header("idempotent-replayed"), "true");
    assert_eq!(process.stop().await.code(), Some(0));
    let ledger = google.google.ledger().into_iter();
    let mut inserted = BTreeSet::new();
    for call in ledger.filter(|call| call.method == INSERT && call.committed) {
        assert!(inserted.insert(call.event), "an event was made twice");
    }
}
