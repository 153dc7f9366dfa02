//! Ten thousand reminders due within a minute, and a process that is killed again and again while it
//! tells them: each has one row, and its mail arrives, under one name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use calbridge::clock::{Clock, SystemClock};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use hyper::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::Postbox;
use crate::process::{Browser, Process, Simulated};

const REMINDERS: usize = 10_000;
const CLIENTS: usize = 16;
/// The first comes due after this time: by then most are made.
const LEAD: TimeDelta = TimeDelta::seconds(10);
/// They come due in so many seconds.
const SECONDS: usize = 60;
/// Nobody is held up for coming often.
const SETTINGS: &str = "limits.reads = 1000000\nlimits.writes = 1000000\n";

/// Where reminders are made, and read.
struct Target {
    base: String,
    key: String,
    browser: Browser,
}

#[tokio::test]
async fn each_of_ten_thousand_reminders_has_one_row_and_its_mail_however_often_the_process_is_killed()
 {
    let google = Simulated::start();
    let mut postbox = Postbox::start().await;
    let mut process = Process::start(&google, &format!("{}{SETTINGS}", postbox.settings())).await;
    let make = ["api-keys", "create", "--name", "crowd", "--scope", "tasks:write"];
    let key = process.home.told(&make).await;
    let target =
        Arc::new(Target { base: process.home.base.clone(), key, browser: Browser::default() });
    let reminders = make_all(&target).await;
    for kill in 1..=kills() {
        postbox.took(REMINDERS * kill / (kills() + 1)).await;
        process.kill().await;
        let told = names(&postbox.mails()).len();
        assert!(told < REMINDERS, "kill {kill} came when all was told");
        process.restart().await;
    }
    postbox.took(REMINDERS).await;
    arrived(&mut postbox).await;
    // What is in hand is finished before the end.
    assert_eq!(process.stop().await.code(), Some(0), "it stops in order");
    process.restart().await;
    let rows = rows(&target, &reminders).await;
    process.stop().await;
    compare(&rows, &postbox.mails());
}

/// Waits until a mail of each name is there. The journal is read once for each look: a mail that came
/// between two readings would be counted, and waited for.
async fn arrived(postbox: &mut Postbox) {
    loop {
        let mails = postbox.mails();
        if names(&mails).len() >= REMINDERS {
            return;
        }
        postbox.took(mails.len() + 1).await;
    }
}

/// Makes all, those due first first. Returns the id of each.
async fn make_all(target: &Arc<Target>) -> Vec<String> {
    let begin = SystemClock.now() + LEAD;
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let target = Arc::clone(target);
        clients.spawn(async move {
            let mut made = Vec::new();
            for number in (client..REMINDERS).step_by(CLIENTS) {
                made.push((number, make(&target, number, begin).await));
            }
            made
        });
    }
    let made: BTreeMap<usize, String> = clients.join_all().await.into_iter().flatten().collect();
    made.into_values().collect()
}

async fn make(target: &Target, number: usize, begin: DateTime<Utc>) -> String {
    let second = SECONDS * number / REMINDERS;
    let at = begin + TimeDelta::seconds(i64::try_from(second).expect("it is small"));
    let body = json!({
        "title": title(number),
        "at": at.to_rfc3339_opts(SecondsFormat::Secs, true),
        "deliver": ["mail"],
        "to": [format!("user-{number}@mail.test")],
    });
    let url = format!("{}/api/v1/reminders", target.base);
    let made = target.browser.post_json(&url, &target.key, &body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.json()["id"].as_str().expect("an id").to_owned()
}

/// The only row of each reminder.
async fn rows(target: &Arc<Target>, reminders: &[String]) -> Vec<Value> {
    let mut clients = JoinSet::new();
    for (client, part) in reminders.chunks(REMINDERS.div_ceil(CLIENTS)).enumerate() {
        let (target, part) = (Arc::clone(target), part.to_vec());
        clients.spawn(async move {
            let mut rows = Vec::new();
            for id in part {
                let url = format!("{}/api/v1/reminders/{id}/deliveries", target.base);
                let listed = target.browser.ask(Method::GET, &url, &target.key).await.json();
                let [row] = listed["data"].as_array().expect("a list").as_slice() else {
                    panic!("not one row of the reminder {id}: {listed}")
                };
                rows.push(row.clone());
            }
            (client, rows)
        });
    }
    let rows: BTreeMap<usize, Vec<Value>> = clients.join_all().await.into_iter().collect();
    rows.into_values().flatten().collect()
}

/// Holds the rows against the mails that arrived.
fn compare(rows: &[Value], mails: &[Value]) {
    let mut arrived: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for mail in mails {
        arrived.entry(name(mail)).or_default().push(mail);
    }
    for (number, row) in rows.iter().enumerate() {
        assert_eq!(row["state"], "sent", "reminder {number}: {row}");
        let name = format!("<{}@mail.test>", row["id"].as_str().expect("an id"));
        let copies = arrived.remove(&*name).unwrap_or_else(|| panic!("{number} did not arrive"));
        for copy in &copies {
            assert_eq!(copy["headers"]["Subject"], title(number));
            assert_eq!(copy["to"], json!([format!("user-{number}@mail.test")]));
            assert_eq!(copy["raw"], copies[0]["raw"], "the copies of {number} differ");
        }
    }
    assert!(arrived.is_empty(), "mails that nobody wanted: {:?}", arrived.keys());
    println!(
        "{} kills, {} reminders, {} mails arrived: {} copies",
        kills(),
        rows.len(),
        mails.len(),
        mails.len() - rows.len()
    );
}

fn names(mails: &[Value]) -> BTreeSet<&str> {
    mails.iter().map(name).collect()
}

fn name(mail: &Value) -> &str {
    mail["headers"]["Message-ID"].as_str().expect("a name")
}

fn title(number: usize) -> String {
    format!("Reminder {number}")
}

/// 5, or 20 if the variable `TEST_LONG` is set.
#[expect(clippy::disallowed_methods, reason = "asks about the test, not about a setting")]
fn kills() -> usize {
    if std::env::var("TEST_LONG").is_ok() { 20 } else { 5 }
}
