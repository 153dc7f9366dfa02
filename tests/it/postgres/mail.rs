//! Mail from several processes on one database: `mail.per_minute` is what all of them send.

use std::sync::Arc;

use calbridge::clock::Clock;
use calbridge::model::key::Scope;
use calbridge::store::Beat;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use hyper::Method;
use serde_json::json;
use tokio::sync::watch;

use super::server;
use crate::bridge::{Bridge, Choices};
use crate::mail::Postbox;

/// For how long a sign of life holds.
const LIFE: TimeDelta = TimeDelta::seconds(15);
const PER_MINUTE: usize = 60;
/// So many may go at once after a rest.
const BURST: usize = 6;
/// So many times they are looked at, each so long after the one before: three minutes.
const STEPS: usize = 60;
const STEP: TimeDelta = TimeDelta::seconds(3);

async fn beat(bridge: &Bridge) {
    let (beats, _) = watch::channel(Beat { nodes: 1, leads: false });
    bridge.tied.beat(LIFE, &beats).await.unwrap();
}

fn sent(bridge: &Bridge) -> usize {
    let report = bridge.tied.app.mail.as_ref().expect("mail is set up").report();
    usize::try_from(report.sent).unwrap()
}

/// The most that went within a minute.
fn most_in_a_minute(sent: &[(DateTime<Utc>, usize)]) -> usize {
    let within = |(from, _): &(DateTime<Utc>, usize)| {
        let end = *from + TimeDelta::minutes(1);
        sent.iter().filter(|(at, _)| (*from..end).contains(at)).map(|(_, many)| many).sum()
    };
    sent.iter().map(within).max().unwrap_or_default()
}

#[tokio::test]
async fn several_processes_send_as_much_mail_as_one_may() {
    let postbox = Postbox::start().await;
    let server = server::shared().await;
    let url = server.database().await;
    let settings =
        postbox.settings().replace("per_minute = 1000000", &format!("per_minute = {PER_MINUTE}"));
    let start = async |node: u128, other: Option<&Bridge>| {
        let choices = Choices {
            store: Some(Arc::new(Box::pin(server.open(&url, node)).await)),
            google: other.map(|other| (other.google.clone(), Arc::clone(&other.clock))),
            place: other.map(|other| Arc::clone(&other.place)),
            settings: settings.clone(),
            ..Choices::default()
        };
        Box::pin(Bridge::with(choices)).await
    };
    let mut first = start(1, None).await;
    first.key = first.key_for(&[Scope::TasksWrite]).await;
    let due = first.clock.now() + TimeDelta::seconds(10);
    let due = due.to_rfc3339_opts(SecondsFormat::Secs, true);
    let reminder =
        json!({ "title": "Tea", "at": due, "deliver": ["mail"], "to": ["ana@mail.test"] });
    let body = json!({ "reminders": vec![reminder; 3 * PER_MINUTE] });
    let made = first.router_send(Method::POST, "/api/v1/reminders/batch", &body).await.json();
    assert_eq!(made["accepted"], 3 * PER_MINUTE, "{made}");
    first.pass(TimeDelta::seconds(10));
    beat(&first).await;
    first.work().await;
    // There is mail to be found when the other begins.
    let second = start(2, Some(&first)).await;

    let mut log = vec![(first.clock.now(), sent(&first))];
    for step in 0..STEPS {
        let left = step >= STEPS / 2;
        if step == STEPS / 2 {
            assert_eq!(sent(&second), 0, "the one that leads sends all");
            first.tied.app.store.leave(first.clock.now()).await.unwrap();
        }
        let before = sent(&first) + sent(&second);
        for bridge in [Some(&first).filter(|_| !left), Some(&second)].into_iter().flatten() {
            beat(bridge).await;
            bridge.work().await;
        }
        log.push((first.clock.now(), sent(&first) + sent(&second) - before));
        first.pass(STEP);
    }
    let (of_first, of_second) = (sent(&first), sent(&second));
    assert!(of_first > PER_MINUTE / 2 && of_second > PER_MINUTE / 2, "{of_first} and {of_second}");
    // Whoever takes the lead over does not know what the other sent at once.
    let most = most_in_a_minute(&log);
    assert!(most <= PER_MINUTE + 2 * BURST, "{most} went in a minute");
    assert!(
        most_in_a_minute(&log[..STEPS / 2]) <= PER_MINUTE + BURST,
        "before the lead was taken over"
    );
}
