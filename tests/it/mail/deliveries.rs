//! Reminders that are mailed: what the server says decides what becomes of each.

use calbridge::app::access::Caller;
use calbridge::app::incident;
use calbridge::clock::Clock;
use calbridge::model::key::Scope;
use calbridge::simulator::{Fault, FaultKind};
use chrono::TimeDelta;
use hyper::Method;
use serde_json::{Value, json};

use super::Postbox;
use crate::bridge::{ANA, Bridge, Choices, tea};

/// A bridge that mails, and the key of somebody who makes reminders.
struct Desk {
    bridge: Bridge,
    key: String,
}

impl Desk {
    async fn with(postbox: &Postbox) -> Self {
        Self::set(&postbox.settings()).await
    }

    async fn set(settings: &str) -> Self {
        let choices = Choices { settings: settings.to_owned(), ..Choices::default() };
        let bridge = Bridge::with(choices).await;
        let key = bridge.key_for(&[Scope::TasksWrite, Scope::Admin]).await;
        Self { bridge, key }
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> Value {
        let bearer = format!("Bearer {}", self.key);
        let headers = [("authorization", &*bearer), ("content-type", "application/json")];
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let headers = if body.is_null() { &headers[..1] } else { &headers[..] };
        let answer = self.bridge.send_raw(method, path, &text, headers).await;
        assert!((200..300).contains(&answer.status), "{path}: {}", answer.text);
        if answer.text.is_empty() { Value::Null } else { answer.json() }
    }

    /// A reminder in so many minutes, mailed to this address. Returns its id.
    async fn remind(&self, title: &str, minutes: i64, to: &str) -> String {
        let at = self.bridge.clock.now() + TimeDelta::minutes(minutes);
        let body = json!({
            "title": title,
            "text": "Bring the cups",
            "at": at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            "deliver": ["mail"],
            "to": [to],
        });
        let made = self.ask(Method::POST, "/api/v1/reminders", &body).await;
        made["id"].as_str().expect("an id").to_owned()
    }

    /// The only delivery of a reminder.
    async fn delivery(&self, reminder: &str) -> Value {
        let path = format!("/api/v1/reminders/{reminder}/deliveries");
        let listed = self.ask(Method::GET, &path, &Value::Null).await;
        let [delivery] = listed["data"].as_array().expect("a list").as_slice() else {
            panic!("not one delivery: {listed}")
        };
        delivery.clone()
    }

    /// Lets so many minutes pass, and does what is due then and no more.
    async fn wait(&self, minutes: i64) {
        self.bridge.pass(TimeDelta::minutes(minutes));
        self.bridge.work().await;
    }

    async fn job(&self, state: &str) -> Value {
        let path = format!("/api/v1/jobs?state={state}");
        let listed = self.ask(Method::GET, &path, &Value::Null).await;
        let jobs = listed["data"].as_array().expect("a list").iter();
        let mut mails = jobs.filter(|job| job["kind"] == "send_mail");
        mails.next().unwrap_or_else(|| panic!("no mail among {listed}")).clone()
    }
}

#[tokio::test]
async fn a_reminder_is_mailed_when_it_is_due_and_its_row_says_so() {
    let postbox = Postbox::start().await;
    let desk = Desk::with(&postbox).await;
    let tea = desk.remind("Tea 🫖", 10, "ana@mail.test").await;
    desk.wait(9).await;
    assert_eq!(postbox.mails().len(), 0, "not before its time");
    desk.wait(1).await;
    let row = desk.delivery(&tea).await;
    assert_eq!(row["state"], "sent", "{row}");
    assert_eq!(row["cause"], Value::Null);
    let mail = postbox.mail();
    assert_eq!(mail["headers"]["Subject"], "Tea 🫖");
    assert_eq!(mail["to"], json!(["ana@mail.test"]));
    assert!(mail["text"].as_str().expect("a text").starts_with("Bring the cups"), "{mail}");
    let name = format!("<{}@mail.test>", row["id"].as_str().expect("an id"));
    assert_eq!(mail["headers"]["Message-ID"], name);
    assert_eq!(mail["headers"]["Date"], "Mon, 02 Nov 2026 08:10:00 +0000");
    desk.bridge.run_until_idle().await;
    assert_eq!(postbox.mails().len(), 1, "once");
    let plain = json!({ "title": "Cake", "at": "2026-11-03T10:00:00Z", "to": ["ana@mail.test"] });
    let plain = desk.ask(Method::POST, "/api/v1/reminders", &plain).await;
    assert_eq!(plain["deliver"], json!(["mail"]), "as is usual where mail is set up");
}

#[tokio::test]
async fn mail_waits_for_its_server_and_spends_no_attempt() {
    let mut postbox = Postbox::start().await;
    let desk = Desk::with(&postbox).await;
    postbox.tell("down").await;
    let reminders = [
        desk.remind("Tea", 1, "ana@mail.test").await,
        desk.remind("Cake", 1, "bo@mail.test").await,
    ];
    desk.wait(1).await;
    for _ in 0..60 {
        desk.wait(10).await;
    }
    for reminder in &reminders {
        assert_eq!(desk.delivery(reminder).await["state"], "pending");
    }
    let job = desk.job("live").await;
    assert_eq!(job["attempts"], 0, "{job}");
    assert_eq!(job["cause"]["code"], "mail_server_unreachable", "{job}");
    postbox.tell("up").await;
    desk.bridge.run_until_idle().await;
    for reminder in &reminders {
        assert_eq!(desk.delivery(reminder).await["state"], "sent");
    }
    assert_eq!(postbox.mails().len(), 2);
}

#[tokio::test]
async fn what_is_dismissed_while_the_server_is_down_is_not_mailed() {
    let mut postbox = Postbox::start().await;
    let desk = Desk::with(&postbox).await;
    postbox.tell("down").await;
    let tea = desk.remind("Tea", 1, "ana@mail.test").await;
    desk.wait(1).await;
    let path = format!("/api/v1/reminders/{tea}/dismiss");
    desk.ask(Method::POST, &path, &Value::Null).await;
    postbox.tell("up").await;
    desk.bridge.run_until_idle().await;
    assert_eq!(desk.delivery(&tea).await["state"], "dismissed");
    assert_eq!(postbox.mails().len(), 0);
}

#[tokio::test]
async fn what_the_server_never_takes_is_a_dead_letter_that_can_be_tried_again() {
    let mut postbox = Postbox::start().await;
    let mut desk = Desk::with(&postbox).await;
    postbox.tell("answer data 1 554 5.6.0 <ana@mail.test> wants none of this").await;
    let tea = desk.remind("Tea", 1, "ana@mail.test").await;
    desk.wait(1).await;
    let row = desk.delivery(&tea).await;
    assert_eq!(row["state"], "failed", "{row}");
    assert_eq!(row["cause"]["code"], "mail_refused");
    assert!(!row["cause"].to_string().contains("ana@"), "{row}");
    let dead = desk.job("dead").await;
    assert_eq!(dead["cause"]["code"], "mail_refused", "{dead}");
    let path = format!("/api/v1/jobs/{}/retry", dead["id"].as_str().expect("an id"));
    desk.ask(Method::POST, &path, &Value::Null).await;
    desk.bridge.run_until_idle().await;
    let row = desk.delivery(&tea).await;
    assert_eq!((&row["state"], &row["cause"]), (&json!("sent"), &Value::Null));
    assert_eq!(postbox.mails().len(), 1);
    desk.bridge.expect_dead(0);
}

#[tokio::test]
async fn a_letter_that_is_put_off_holds_up_no_other() {
    let mut postbox = Postbox::start().await;
    let desk = Desk::with(&postbox).await;
    postbox.tell("answer data 1 451 4.7.1 come again").await;
    desk.remind("Tea", 1, "ana@mail.test").await;
    desk.remind("Cake", 1, "bo@mail.test").await;
    desk.wait(1).await;
    assert_eq!(postbox.mails().len(), 1, "the other went out at once");
    desk.bridge.run_until_idle().await;
    assert_eq!(postbox.mails().len(), 2);
}

#[tokio::test]
async fn a_word_that_is_lost_sends_the_letter_again_under_the_same_name() {
    let mut postbox = Postbox::start().await;
    let desk = Desk::with(&postbox).await;
    postbox.tell("drop 2").await;
    let tea = desk.remind("Tea", 1, "ana@mail.test").await;
    desk.bridge.run_until_idle().await;
    let mails = postbox.mails();
    assert_eq!(mails.len(), 3);
    assert!(mails.iter().all(|mail| mail["raw"] == mails[0]["raw"]), "the same to the byte");
    assert_eq!(desk.delivery(&tea).await["state"], "sent");
}

#[tokio::test]
async fn after_three_days_a_mail_that_is_put_off_once_more_is_no_news() {
    for word in ["down", "answer data 2 451 4.7.1 come again", "answer mail 2 550 5.7.1 not you"] {
        let mut postbox = Postbox::start().await;
        let mut desk = Desk::with(&postbox).await;
        postbox.tell(word).await;
        let tea = desk.remind("Tea", 1, "ana@mail.test").await;
        desk.wait(1).await;
        assert_eq!(desk.delivery(&tea).await["state"], "pending", "{word}");
        desk.wait(3 * 24 * 60).await;
        let row = desk.delivery(&tea).await;
        let told = (&row["state"], &row["cause"]["code"]);
        assert_eq!(told, (&json!("failed"), &json!("mail_too_late")), "{word}");
        if word == "down" {
            postbox.tell("up").await;
        }
        desk.bridge.run_until_idle().await;
        assert_eq!(postbox.mails().len(), 0, "{word}");
        desk.bridge.expect_dead(1);
    }
}

#[tokio::test]
async fn a_mail_that_nobody_tried_for_three_days_is_tried_before_it_is_given_up() {
    let mut postbox = Postbox::start().await;
    let desk = Desk::with(&postbox).await;
    postbox.tell("down").await;
    let tea = desk.remind("Tea", 1, "ana@mail.test").await;
    desk.wait(1).await;
    postbox.tell("up").await;
    desk.wait(4 * 24 * 60).await;
    assert_eq!(desk.delivery(&tea).await["state"], "sent");
    assert_eq!(postbox.mail()["headers"]["Date"], "Mon, 02 Nov 2026 08:01:00 +0000");
}

#[tokio::test]
async fn clocks_that_are_set_back_while_a_letter_waits_give_it_no_second_name() {
    let mut postbox = Postbox::start().await;
    let desk = Desk::with(&postbox).await;
    postbox.tell("drop 1").await;
    let tea = desk.remind("Tea", 1, "ana@mail.test").await;
    desk.wait(1).await;
    let (row, now) = (desk.delivery(&tea).await, desk.bridge.clock.now());
    assert_eq!((&row["state"], postbox.mails().len()), (&json!("pending"), 1));
    for back in [TimeDelta::days(2), TimeDelta::hours(1), TimeDelta::zero()] {
        desk.bridge.clock.set(now - back);
        desk.bridge.work().await;
        assert_eq!(desk.delivery(&tea).await["id"], row["id"], "the only one");
    }
    desk.wait(60).await;
    desk.bridge.run_until_idle().await;
    let told = desk.delivery(&tea).await;
    assert_eq!((&told["state"], &told["id"]), (&json!("sent"), &row["id"]));
    let mails = postbox.mails();
    assert_eq!(mails.len(), 2, "the word that was lost, and the one that was heard");
    let name = format!("<{}@mail.test>", row["id"].as_str().expect("an id"));
    assert!(mails.iter().all(|mail| mail["headers"]["Message-ID"] == name), "{mails:?}");
    assert_eq!(mails[0]["raw"], mails[1]["raw"]);
}

#[tokio::test]
async fn no_more_mails_go_out_in_a_minute_than_the_server_takes() {
    let postbox = Postbox::start().await;
    let settings = postbox.settings().replace("per_minute = 1000000", "per_minute = 10");
    let desk = Desk::set(&settings).await;
    for number in 0..25 {
        desk.remind(&format!("Tea {number}"), 1, "ana@mail.test").await;
    }
    let limits = async || desk.bridge.get("/api/v1/status").await.json()["limits"].clone();
    let mut counts = vec![postbox.mails().len()];
    desk.wait(1).await;
    let next = desk.bridge.clock.now() + TimeDelta::seconds(6);
    let next = next.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let paced =
        json!({ "limit_per_minute": 10, "used_in_last_minute": 1, "left": 9, "next": next });
    assert_eq!(limits().await["mail"], paced, "a tenth may go at once");
    let metrics = desk.bridge.get("/metrics").await.text;
    for line in [
        "calbridge_mail_minute_limit 10",
        "calbridge_mail_minute_used 1",
        "calbridge_mail_minute_left 9",
        "calbridge_mail_next_seconds 6.0",
    ] {
        assert!(metrics.lines().any(|told| told == line), "{line}: {metrics}");
    }
    for _ in 0..14 {
        counts.push(postbox.mails().len());
        for _ in 0..10 {
            desk.bridge.pass(TimeDelta::seconds(1));
            desk.bridge.work().await;
        }
    }
    let in_a_minute = counts.windows(7).map(|minute| minute[6] - minute[0]).max();
    assert!(in_a_minute <= Some(11), "{counts:?}");
    desk.bridge.run_until_idle().await;
    assert_eq!(postbox.mails().len(), 25, "and none is lost");
}

#[tokio::test]
async fn nothing_that_stands_before_google_holds_mail_up() {
    let postbox = Postbox::start().await;
    let desk = Desk::with(&postbox).await;
    desk.bridge.connect(ANA).await.expect("an account");
    desk.bridge.fault(Fault::new(FaultKind::ServerError).times(1));
    desk.bridge.accept(&tea()).await;
    desk.bridge.work().await;
    assert!(desk.bridge.tied.worker.google_is_shut());
    desk.remind("Tea", 0, "ana@mail.test").await;
    desk.bridge.work().await;
    assert!(desk.bridge.tied.worker.google_is_shut());
    assert_eq!(postbox.mails().len(), 1);
}

#[tokio::test]
async fn while_writes_are_frozen_no_mail_goes_out() {
    let postbox = Postbox::start().await;
    let desk = Desk::with(&postbox).await;
    desk.remind("Tea", 1, "ana@mail.test").await;
    let (app, console) = (&desk.bridge.tied.app, Caller::console());
    incident::freeze(app, &console, "a key leaked").await.expect("it is frozen");
    desk.wait(1).await;
    desk.wait(10).await;
    assert_eq!(postbox.mails().len(), 0);
    incident::thaw(app, &console).await.expect("it is thawed");
    desk.bridge.run_until_idle().await;
    assert_eq!(postbox.mails().len(), 1);
}

#[tokio::test]
async fn a_password_that_is_refused_loses_no_mail_and_the_status_says_what_to_mend() {
    let postbox = Postbox::with(&["--login", "bridge:right-password"]).await;
    let login = "mail.username = \"bridge\"\nmail.password = \"wrong-password\"\n";
    let desk = Desk::set(&format!("{}{login}", postbox.settings())).await;
    let tea = desk.remind("Tea", 1, "ana@mail.test").await;
    desk.wait(1).await;
    desk.wait(60).await;
    let row = desk.delivery(&tea).await;
    assert_eq!(row["state"], "pending", "{row}");
    let status = desk.bridge.get("/api/v1/status").await.json();
    assert_eq!(status["mail"]["cause"]["code"], "mail_login_refused", "{status}");
    assert_eq!(desk.job("live").await["attempts"], 0);
}
