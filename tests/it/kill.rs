//! `kill -9` under load, again and again, while Google loses every fifth answer: what was
//! acknowledged is in the calendar, once, and what was finished is not done again.

use std::collections::BTreeMap;
use std::sync::Arc;

use calbridge::clock::{Clock, SystemClock};
use calbridge::simulator::{Answered, Fault, FaultKind, Quota, Settings};
use chrono::{DateTime, TimeDelta, Utc};
use hyper::Method;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::bridge::{ANA, Answer, tea, with};
use crate::process::{Browser, Process, Simulated};

const CLIENTS: usize = 16;

/// What the clients must know, and what they did.
#[derive(Clone, Copy, Debug, Default)]
struct Course {
    /// Whether somebody listens.
    up: bool,
    /// Whether no new events are to be sent.
    over: bool,
    /// Numbers given out so far.
    sent: u64,
    acknowledged: u64,
    /// Requests that brought no answer, or not all of it.
    unanswered: u64,
    /// Answers to requests that were known already.
    replayed: u64,
}

/// How to reach the process.
struct Target {
    base: String,
    key: String,
    browser: Browser,
    course: watch::Sender<Course>,
    /// The notes of every event.
    description: String,
}

/// What a client was told of an event.
#[derive(Debug)]
struct Told {
    id: String,
    job: String,
    /// When it knew that everything was done, if it was told so at once.
    done: Option<DateTime<Utc>>,
}

type Journal = BTreeMap<u64, Told>;

#[tokio::test]
async fn what_was_acknowledged_is_in_the_calendar_once_however_often_the_process_is_killed() {
    kill_again_and_again(&"Sugar? ".repeat(147)).await;
}

#[tokio::test]
async fn kills_lose_nothing_of_events_as_large_as_they_may_be() {
    // The route takes 8,192 characters, the store 32,000 bytes: these are 30,000.
    kill_again_and_again(&"🫖".repeat(7_500)).await;
}

async fn kill_again_and_again(description: &str) {
    let google = Simulated::with(roomy(), "127.0.0.1");
    let mut process = Process::start(&google, "classic.requests = 1000000").await;
    process.connect(ANA).await;
    let (course, mut seen) = watch::channel(Course { up: true, ..Course::default() });
    let target = Arc::new(Target {
        base: process.home.base.clone(),
        key: process.new_key().await,
        browser: Browser::default(),
        course,
        description: description.to_owned(),
    });
    google.google.add_fault(Fault::new(FaultKind::LostAnswer).probability(0.2));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(send_events(Arc::clone(&target)));
    }
    for kill in 0..kills() {
        // Sooner or later in a batch, by no plan that the process could share.
        let until = seen.borrow().acknowledged + 5 + kill * 7 % 23;
        let reached = seen.wait_for(|course| course.acknowledged >= until);
        reached.await.expect("the clients work");
        target.course.send_modify(|course| course.up = false);
        process.kill().await;
        process.restart().await;
        target.course.send_modify(|course| course.up = true);
    }
    target.course.send_modify(|course| course.over = true);
    let journals = clients.join_all().await;
    let journal: Journal = journals.into_iter().flatten().collect();
    let settled = settle(&target, &journal).await;
    let done_again = done_again(&google, &target, &journal, &settled).await;
    assert!(done_again.is_empty(), "finished work was done again: {done_again:#?}");
    assert_eq!(process.stop().await.code(), Some(0), "it stops in order");
    compare(&google, &journal, &settled);
    let course = *seen.borrow();
    println!(
        "{} kills with notes of {} bytes, {} events acknowledged, {} of them finished before they \
         were, {} requests unanswered, {} answers to repeats",
        kills(),
        description.len(),
        journal.len(),
        journal.values().filter(|told| told.done.is_some()).count(),
        course.unanswered,
        course.replayed
    );
    assert!(course.unanswered > 0, "no kill met a request");
    assert!(course.replayed > 0, "no kill came between an event's record and its answer");
}

/// Sends events until it is over, each until it is acknowledged. Returns what it was told.
async fn send_events(target: Arc<Target>) -> Vec<(u64, Told)> {
    let mut journal = Vec::new();
    loop {
        let mut number = None;
        target.course.send_if_modified(|course| {
            number = (!course.over).then_some(course.sent);
            course.sent += u64::from(!course.over);
            false
        });
        let Some(number) = number else { return journal };
        let answer = acknowledged(&target, number).await;
        let done = (answer.status == 200).then(|| SystemClock.now());
        let (id, job) = (text(&answer.json()["id"]), text(&answer.json()["jobId"]));
        journal.push((number, Told { id, job, done }));
        target.course.send_modify(|course| course.acknowledged += 1);
    }
}

/// Sends one event, again under the same key after each time that brought no answer.
async fn acknowledged(target: &Target, number: u64) -> Answer {
    let preference = match number % 4 {
        1 => "wait=1",
        3 => "wait=10",
        _ => "respond-async",
    };
    loop {
        if let Ok(answer) = post(target, number, preference).await {
            assert!(matches!(answer.status, 200 | 202), "{}: {}", answer.status, answer.text);
            if answer.header("idempotent-replayed") == "true" {
                target.course.send_modify(|course| course.replayed += 1);
            }
            return answer;
        }
        target.course.send_modify(|course| course.unanswered += 1);
        let mut course = target.course.subscribe();
        course.wait_for(|course| course.up).await.expect("the test goes on");
    }
}

async fn post(target: &Target, number: u64, preference: &str) -> Result<Answer, String> {
    let key = format!("kill-{number}");
    let headers = [("idempotency-key", &*key), ("prefer", preference)];
    let body = with(tea(), &json!({"summary": title(number), "description": target.description}));
    target.browser.create(&target.base, &target.key, &body, &headers).await
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

fn title(number: u64) -> String {
    format!("Event {number}")
}

/// Repeats every request until its event is in the calendar. Returns Google's id of each.
async fn settle(target: &Arc<Target>, journal: &Journal) -> BTreeMap<u64, String> {
    let mut settled = BTreeMap::new();
    let numbers: Vec<u64> = journal.keys().copied().collect();
    for some in numbers.chunks(CLIENTS) {
        let mut repeats = JoinSet::new();
        for number in some.iter().copied() {
            let target = Arc::clone(target);
            repeats.spawn(async move { (number, post(&target, number, "wait=30").await) });
        }
        for (number, answer) in repeats.join_all().await {
            let answer = answer.expect("an answer");
            assert_eq!(answer.status, 200, "event {number}: {}", answer.text);
            assert_eq!(answer.header("idempotent-replayed"), "true", "event {number}");
            let answer = answer.json();
            assert_eq!(answer["id"], journal[&number].id, "event {number} is another now");
            assert!(answer["meetLink"].is_string(), "event {number}: {answer}");
            settled.insert(number, text(&answer["eventId"]));
        }
    }
    settled
}

/// What was done of events of which a client had been told that everything was done: calls to
/// Google after that, and jobs that are not done, or were so later.
async fn done_again(
    google: &Simulated,
    target: &Target,
    journal: &Journal,
    settled: &BTreeMap<u64, String>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut done_by = BTreeMap::new();
    for (number, told) in journal {
        let Some(done) = told.done else { continue };
        done_by.insert(&*settled[number], done);
        let url = format!("{}/api/v1/jobs/{}", target.base, told.job);
        let job = target.browser.ask(Method::GET, &url, &target.key).await.json();
        // Times are shown in whole seconds or finer.
        let finished = job["finished"].as_str().and_then(|time| time.parse().ok());
        let in_time =
            finished.is_some_and(|time: DateTime<Utc>| time < done + TimeDelta::seconds(1));
        if job["state"] != "done" || !in_time {
            wrong.push(format!("event {number} was done by {done}, and its job is {job}"));
        }
    }
    assert!(done_by.len() * 5 > journal.len(), "few events were finished before a kill");
    let ledger = google.google.ledger();
    wrong.extend(ledger.iter().filter_map(|call| {
        let done = done_by.get(call.event.as_deref()?)?;
        (call.time > *done).then(|| format!("done by {done}, and then {call:?}"))
    }));
    wrong
}

/// Holds the clients' journal against Google's calendar and Google's ledger.
fn compare(google: &Simulated, journal: &Journal, settled: &BTreeMap<u64, String>) {
    let mut wanted: Vec<(String, String)> =
        settled.iter().map(|(number, id)| (title(*number), id.clone())).collect();
    let events = google.google.events(ANA);
    let mut there: Vec<(String, String)> =
        events.iter().map(|event| (text(&event["summary"]), text(&event["id"]))).collect();
    wanted.sort();
    there.sort();
    assert_eq!(settled.len(), journal.len());
    assert_eq!(there, wanted, "the calendar and the journal differ");

    let ledger = google.google.ledger();
    let inserts = ledger.iter().filter(|call| call.method == "calendar.events.insert");
    let mut made: BTreeMap<&str, usize> = BTreeMap::new();
    for call in inserts.filter(|call| call.committed) {
        *made.entry(call.event.as_deref().expect("an id")).or_default() += 1;
    }
    let made: Vec<(&str, usize)> = made.into_iter().collect();
    let mut once: Vec<(&str, usize)> = settled.values().map(|id| (&**id, 1)).collect();
    once.sort_unstable();
    assert_eq!(made, once, "Google was made to insert something else, or something twice");
    let lost = ledger.iter().filter(|call| call.answered == Answered::Cut && call.committed);
    let lost = lost.count();
    let found = ledger.iter().filter(|call| call.answered == Answered::Status(409)).count();
    println!(
        "{} calls to Google, {lost} answers lost after they took effect, {found} inserts that found \
         the event of a killed process",
        ledger.len()
    );
    assert!(lost * 10 > journal.len(), "fewer answers were lost than the test is about");
}

/// Quotas are not what this is about.
fn roomy() -> Settings {
    let quota = Quota::unlimited();
    Settings { quota, ..Settings::default() }
}

/// 10, or 500 if the variable `TEST_LONG` is set.
#[expect(clippy::disallowed_methods, reason = "asks about the test, not about a setting")]
fn kills() -> u64 {
    if std::env::var("TEST_LONG").is_ok() { 500 } else { 10 }
}
