//! Letters as they arrive: read back by another reading of the standards than the one that wrote them.

use std::num::NonZeroU32;
use std::sync::Arc;

use calbridge::clock::{Clock, ManualClock};
use calbridge::mail::{Letter, Mailer, Relay, Security, Verdict};
use chrono::TimeDelta;
use serde_json::json;

use super::Postbox;
use crate::bridge::morning;

fn mailer(postbox: &Postbox, clock: &Arc<ManualClock>) -> Mailer {
    let relay = Relay {
        host: "127.0.0.1".to_owned(),
        port: postbox.port,
        security: Security::None,
        login: None,
        from: (Some("Ana, Ünal & \"Co\"".to_owned()), "bridge@mail.test".to_owned()),
        reply_to: Some((None, "desk@mail.test".to_owned())),
        per_minute: NonZeroU32::new(60).expect("60"),
        deadline: TimeDelta::seconds(30),
    };
    Mailer::new(relay, clock.clone()).expect("a server that could be one")
}

fn letter(subject: &str, text: &str, to: &[&str]) -> Letter {
    Letter {
        name: "00000000000000000000000001".to_owned(),
        to: to.iter().map(|&address| address.to_owned()).collect(),
        subject: subject.to_owned(),
        text: text.to_owned(),
        at: morning(),
    }
}

#[tokio::test]
async fn what_a_letter_says_arrives_as_it_was_written() {
    let mut postbox = Postbox::start().await;
    let clock = Arc::new(ManualClock::at(morning()));
    let text = "Tea with Zoë 🫖\r\n.\r\n..dots\n\nfrom: nobody\n".to_owned() + &"long ".repeat(400);
    let subject =
        "Té, çay, 茶 and a subject that is long enough to be folded more than once on its way";
    let sent = mailer(&postbox, &clock).send(&letter(subject, &text, &["ana@mail.test"])).await;
    assert_eq!(sent.expect("it is taken").refused, 0);
    postbox.took(1).await;
    let mail = postbox.mail();
    let headers = &mail["headers"];
    assert_eq!(headers["Subject"], subject);
    assert_eq!(headers["From"], "\"Ana, Ünal & \\\"Co\\\"\" <bridge@mail.test>");
    assert_eq!(headers["Reply-To"], "desk@mail.test");
    assert_eq!(headers["To"], "ana@mail.test");
    assert_eq!(headers["Message-ID"], "<00000000000000000000000001@mail.test>");
    assert_eq!(headers["Date"], "Mon, 02 Nov 2026 08:00:00 +0000");
    assert_eq!(headers["Auto-Submitted"], "auto-generated");
    assert_eq!(headers["Content-Type"], "text/plain; charset=\"utf-8\"");
    let arrived = mail["text"].as_str().expect("a text").replace("\r\n", "\n");
    assert_eq!(arrived.trim_end(), text.replace("\r\n", "\n").trim_end());
    let raw = mail["raw"].as_str().expect("what went over the wire");
    assert!(raw.is_ascii() && raw.lines().all(|line| line.len() <= 998), "{raw}");
}

#[tokio::test]
async fn no_subject_can_become_a_header_or_a_letter_of_its_own() {
    let mut postbox = Postbox::start().await;
    let clock = Arc::new(ManualClock::at(morning()));
    let mailer = mailer(&postbox, &clock);
    let subjects = [
        "Tea\r\nBcc: eve@mail.test",
        "Tea\nBcc: eve@mail.test",
        "Tea\rBcc: eve@mail.test",
        "Tea\r\n\r\n.\r\nMAIL FROM:<eve@mail.test>\r\n",
        "Tea\u{2028}Bcc: eve@mail.test\u{85}X: y\u{b}Z: z",
    ];
    for subject in subjects {
        mailer.send(&letter(subject, "", &["ana@mail.test"])).await.expect("it is taken");
    }
    postbox.took(subjects.len()).await;
    let mails = postbox.mails();
    assert_eq!(mails.len(), subjects.len());
    for mail in mails {
        assert_eq!(mail["to"], json!(["ana@mail.test"]));
        let names: Vec<&String> = mail["headers"].as_object().expect("headers").keys().collect();
        assert!(names.iter().all(|name| !["Bcc", "X", "Z"].contains(&&***name)), "{names:?}");
        let subject = mail["headers"]["Subject"].as_str().expect("a subject");
        assert!(subject.starts_with("Tea") && !subject.contains(char::is_control), "{subject}");
    }
}

#[tokio::test]
async fn of_several_who_get_a_letter_none_sees_the_others() {
    let mut postbox = Postbox::start().await;
    let clock = Arc::new(ManualClock::at(morning()));
    let to = ["ana@mail.test", "bo@mail.test", "cy@mail.test"];
    let sent = mailer(&postbox, &clock).send(&letter("Tea", "At four", &to)).await;
    assert_eq!(sent.expect("it is taken").refused, 0);
    postbox.took(1).await;
    let mail = postbox.mail();
    assert_eq!(mail["to"], json!(to), "the envelope names all");
    assert_eq!(mail["headers"]["To"], "undisclosed-recipients:;");
    assert_eq!(mail["headers"]["Message-ID"], "<00000000000000000000000001@mail.test>");
    let raw = mail["raw"].as_str().expect("what went over the wire");
    assert!(to.iter().all(|address| !raw.contains(address)), "{raw}");
}

#[tokio::test]
async fn an_address_that_nobody_has_keeps_the_letter_from_nobody_else() {
    let mut postbox = Postbox::start().await;
    let clock = Arc::new(ManualClock::at(morning()));
    let mailer = mailer(&postbox, &clock);
    let both = letter("Tea", "", &["nobody@mail.test", "ana@mail.test"]);
    assert_eq!(mailer.send(&both).await.expect("it is taken").refused, 1);
    postbox.took(1).await;
    assert_eq!(postbox.mail()["to"], json!(["ana@mail.test"]));
    let refused = mailer.send(&letter("Tea", "", &["nobody@mail.test"])).await.unwrap_err();
    assert_eq!(refused.verdict, Verdict::Refused);
    let strange = mailer.send(&letter("Tea", "", &["not an address"])).await.unwrap_err();
    assert_eq!(strange.verdict, Verdict::Refused);
    assert_eq!(mailer.report().refused, 2);
    mailer.send(&both).await.expect("the refusals cost nobody the connection");
}

#[tokio::test]
async fn an_address_that_is_put_off_puts_off_the_letter_so_that_nobody_gets_it_twice() {
    let mut postbox = Postbox::start().await;
    let clock = Arc::new(ManualClock::at(morning()));
    let mailer = mailer(&postbox, &clock);
    postbox.tell("answer rcpt 1 451 4.7.1 come again").await;
    let both = letter("Tea", "", &["ana@mail.test", "bo@mail.test"]);
    let later = mailer.send(&both).await.unwrap_err();
    assert_eq!((later.verdict, &*later.cause.code), (Verdict::Later, "mail_put_off"));
    assert_eq!(mailer.report().trouble, None, "others may fare better");
    mailer.send(&both).await.expect("it is taken");
    postbox.took(1).await;
    assert_eq!(postbox.mail()["to"], json!(["ana@mail.test", "bo@mail.test"]));
}

#[tokio::test]
async fn what_the_server_says_decides_whether_it_was_the_letter_or_the_server() {
    let mut postbox = Postbox::start().await;
    let clock = Arc::new(ManualClock::at(morning()));
    let mailer = mailer(&postbox, &clock);
    let letter = letter("Tea", "", &["ana@mail.test"]);
    for (command, verdict, code) in [
        ("answer mail 1 452 4.3.1 full", Verdict::Outage, "mail_server_busy"),
        ("answer mail 1 550 5.1.8 not you", Verdict::Operator, "mail_sender_refused"),
        ("answer mail 1 530 5.7.0 who are you", Verdict::Operator, "mail_login_refused"),
        ("answer rcpt 1 421 4.3.2 going down", Verdict::Outage, "mail_server_busy"),
        ("answer rcpt 1 550 5.1.1 no", Verdict::Refused, "mail_refused"),
        ("answer data 1 451 4.3.0 not now", Verdict::Later, "mail_put_off"),
        ("answer data 1 554 5.6.0 spam", Verdict::Refused, "mail_refused"),
        ("drop 1", Verdict::Later, "mail_server_unreachable"),
    ] {
        postbox.tell(command).await;
        let error = mailer.send(&letter).await.expect_err(command);
        assert_eq!((error.verdict, &*error.cause.code), (verdict, code), "{command}: {error}");
    }
    postbox.tell("down").await;
    let error = mailer.send(&letter).await.unwrap_err();
    assert_eq!((error.verdict, &*error.cause.code), (Verdict::Outage, "mail_server_unreachable"));
    postbox.tell("up").await;
    mailer.send(&letter).await.expect("it is taken");
    postbox.took(2).await;
    let names: Vec<_> =
        postbox.mails().iter().map(|mail| mail["headers"]["Message-ID"].clone()).collect();
    assert_eq!(names[0], names[1], "what went twice has one name");
}

#[tokio::test]
async fn a_tenth_of_a_minutes_letters_may_go_at_once_and_the_others_one_by_one() {
    let postbox = Postbox::start().await;
    let clock = Arc::new(ManualClock::at(morning()));
    let mailer = mailer(&postbox, &clock);
    for _ in 0..6 {
        mailer.take_place().expect("a place");
    }
    assert_eq!(mailer.take_place(), Err(clock.now() + TimeDelta::seconds(1)));
    clock.advance(TimeDelta::milliseconds(999));
    assert_eq!(mailer.take_place(), Err(clock.now() + TimeDelta::milliseconds(1)));
    clock.advance(TimeDelta::milliseconds(1));
    mailer.take_place().expect("a place");
}
