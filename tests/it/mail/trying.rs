//! Trying mail out, and what the bridge tells of it.

use calbridge::clock::Clock;
use calbridge::model::key::Scope;
use chrono::TimeDelta;
use hyper::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::Postbox;
use crate::bridge::{ANA, Answer, Bridge, Choices};
use crate::setup::browser::{Browser, HOME};

async fn bridge_with(postbox: &Postbox) -> Bridge {
    Bridge::with(Choices { settings: postbox.settings(), ..Choices::default() }).await
}

/// Has the bridge send a mail to `to`.
async fn try_out(bridge: &Bridge, to: &Value) -> Answer {
    let key = bridge.key_for(&[Scope::Admin]).await;
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", &*bearer), ("content-type", "application/json")];
    let body = json!({ "to": to }).to_string();
    bridge.send_raw(Method::POST, "/api/v1/mail/test", &body, &headers).await
}

async fn status(bridge: &Bridge) -> Value {
    bridge.get("/api/v1/status").await.json()["mail"].clone()
}

async fn ready(bridge: &Bridge) -> String {
    let answer = bridge.get("/readyz?verbose").await;
    assert_eq!(answer.status, 200, "an outage of the mail server is not ours: {}", answer.text);
    answer.text
}

#[tokio::test]
async fn a_mail_that_is_tried_arrives_and_is_counted() {
    let mut postbox = Postbox::start().await;
    let bridge = bridge_with(&postbox).await;
    let tried = try_out(&bridge, &json!("ana@mail.test")).await;
    assert_eq!(tried.status, 200, "{}", tried.text);
    let tried = tried.json();
    assert_eq!(tried["accepted"], true, "{tried}");
    assert_eq!(tried["said"], "250 2.0.0 taken");
    assert_eq!(tried["cause"], Value::Null);
    postbox.took(1).await;
    let mail = postbox.mail();
    assert_eq!(mail["headers"]["Message-ID"], tried["message_id"]);
    assert_eq!(mail["headers"]["From"], "Calendar Bridge <bridge@mail.test>");
    assert_eq!(mail["to"], json!(["ana@mail.test"]));
    let shown =
        json!({"set_up": true, "sent": 1, "failed": 0, "waiting_since": null, "cause": null});
    assert_eq!(status(&bridge).await, shown);
    let metrics = bridge.get("/metrics").await.text;
    for line in
        ["calbridge_mail_set_up 1", "calbridge_mail_sent_total 1", "calbridge_mail_waiting 0"]
    {
        assert!(metrics.lines().any(|told| told == line), "{line}: {metrics}");
    }
}

#[tokio::test]
async fn without_a_mail_server_nothing_is_tried_and_the_status_says_so() {
    let bridge = Bridge::start().await;
    let refused = try_out(&bridge, &json!("ana@mail.test")).await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    assert_eq!(refused.json()["code"], "mail_not_configured");
    assert_eq!(status(&bridge).await["set_up"], false);
    assert!(bridge.get("/metrics").await.text.contains("calbridge_mail_set_up 0"));
}

#[tokio::test]
async fn a_refusal_is_told_in_the_servers_words_without_the_address() {
    let postbox = Postbox::start().await;
    let bridge = bridge_with(&postbox).await;
    let tried = try_out(&bridge, &json!("nobody@mail.test")).await;
    assert_eq!(tried.status, 200, "{}", tried.text);
    let tried = tried.json();
    assert_eq!(tried["accepted"], false);
    assert_eq!(tried["cause"]["code"], "mail_refused");
    let text = tried["cause"]["text"].as_str().expect("a text");
    assert!(text.contains("550") && text.contains("nobody of this name"), "{text}");
    assert!(!text.contains("nobody@mail.test"), "{text}");
    assert_eq!(status(&bridge).await["failed"], 1);
    assert!(bridge.get("/metrics").await.text.contains("calbridge_mail_refused_total 1"));
}

#[tokio::test]
async fn what_is_no_address_is_refused_before_anything_is_sent() {
    let postbox = Postbox::start().await;
    let bridge = bridge_with(&postbox).await;
    for to in ["ana", "ana@mail.test\r\nBcc: eve@mail.test", "zoë@mail.test", "", "a b@mail.test"]
    {
        let refused = try_out(&bridge, &json!(to)).await;
        assert_eq!(refused.status, 422, "{to}: {}", refused.text);
        assert_eq!(refused.json()["errors"][0]["pointer"], "/to");
    }
    assert_eq!(try_out(&bridge, &Value::Null).await.status, 422);
    assert_eq!(status(&bridge).await["sent"], 0);
}

#[tokio::test]
async fn a_server_that_is_down_is_told_with_the_time_since_when_until_it_is_back() {
    let mut postbox = Postbox::start().await;
    let bridge = bridge_with(&postbox).await;
    postbox.tell("down").await;
    let since = bridge.clock.now();
    let tried = try_out(&bridge, &json!("ana@mail.test")).await.json();
    assert_eq!(tried["cause"]["code"], "mail_server_unreachable", "{tried}");
    bridge.pass(TimeDelta::minutes(5));
    try_out(&bridge, &json!("ana@mail.test")).await;
    let shown = status(&bridge).await;
    let waiting = shown["waiting_since"].as_str().expect("a time");
    assert_eq!(waiting.parse::<chrono::DateTime<chrono::Utc>>().expect("a time"), since);
    assert_eq!(shown["cause"]["code"], "mail_server_unreachable");
    assert!(ready(&bridge).await.contains("[!] mail waits: "));
    assert!(bridge.get("/metrics").await.text.contains("calbridge_mail_waiting 1"));

    postbox.tell("up").await;
    assert_eq!(try_out(&bridge, &json!("ana@mail.test")).await.json()["accepted"], true);
    assert_eq!(status(&bridge).await["waiting_since"], Value::Null);
    assert!(!ready(&bridge).await.contains("mail waits"));
}

#[tokio::test]
async fn the_setup_page_tells_how_mail_fares_where_it_is_set_up() {
    let mut postbox = Postbox::start().await;
    let bridge = bridge_with(&postbox).await;
    bridge.connect(ANA).await.expect("an account");
    let browser = Browser::signed_in(&bridge).await;
    try_out(&bridge, &json!("ana@mail.test")).await;
    let told = "<dd id=\"mail\">1 sent since the start, 0 refused</dd>";
    assert!(browser.get(HOME).await.text.contains(told));
    postbox.tell("down").await;
    try_out(&bridge, &json!("ana@mail.test")).await;
    let told = "<dd id=\"mail\">waits since 2 November 2026, 08:00 UTC: ";
    assert!(browser.get(HOME).await.text.contains(told));

    let silent = Bridge::connected().await;
    let browser = Browser::signed_in(&silent).await;
    assert!(!browser.get(HOME).await.text.contains("id=\"mail\""));
}

#[tokio::test]
async fn a_server_that_says_nothing_is_waited_for_until_the_deadline() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = silent.local_addr().expect("an address").port();
    let settings = format!(
        "mail.host = \"127.0.0.1\"\nmail.port = {port}\nmail.security = \"none\"\n\
         mail.from = \"bridge@mail.test\"\nmail.timeout_secs = 7\n"
    );
    let bridge = Bridge::with(Choices { settings, ..Choices::default() }).await;
    let began = bridge.clock.now();
    let passing = async {
        let connection = silent.accept().await.expect("a connection");
        bridge.pass(TimeDelta::seconds(7));
        connection
    };
    let key = bridge.key_for(&[Scope::Admin]).await;
    let request = hyper::Request::post("/api/v1/mail/test")
        .header("host", "localhost:3001")
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", "application/json")
        .body(axum::body::Body::from(json!({"to": "ana@mail.test"}).to_string()));
    let (tried, _connection) =
        tokio::join!(bridge.router_ask(request.expect("a request")), passing);
    assert_eq!(tried.json()["cause"]["code"], "mail_server_silent", "{}", tried.text);
    assert_eq!(bridge.clock.now() - began, TimeDelta::seconds(7));
}
