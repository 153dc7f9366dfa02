//! The life of a link, and of what comes back from it.

use chrono::TimeDelta;
use hyper::Method;
use serde_json::json;

use super::{BACK, BEN, Backend};
use crate::bridge::{ANA, Answer};
use crate::setup::browser::{ALLOW, Browser, ORIGIN};

const OVER: &str = "This link does not work any more";

/// What a person does, what the backend is told, and what the page says.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);

/// The page under this status, saying so.
fn says(answer: &Answer, status: u16, text: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert!(answer.text.contains(text), "no {text:?} in {}", answer.text);
}

/// Where an answer leads back to, and the value of this parameter there.
fn brought(answer: &Answer, name: &str) -> Option<String> {
    let back = if let Some((_, back)) = answer.header("refresh").split_once("; url=") {
        back.to_owned()
    } else {
        let (_, rest) = answer.text.split_once("id=\"back\" href=\"")?;
        rest.split('"').next()?.replace("&#38;", "&").replace("&amp;", "&")
    };
    let back: url::Url = back.parse().expect("an address");
    assert!(back.as_str().starts_with(BACK), "{back}");
    let found = back.query_pairs().find(|(known, _)| known == name);
    found.map(|(_, value)| value.into_owned())
}

#[tokio::test]
async fn looking_at_a_link_does_not_use_it_up() {
    let backend = Backend::start().await;
    let link = backend.link(&json!({ "user": "ana" })).await;
    let path = link.strip_prefix(ORIGIN).expect("a link of ours");
    let stranger = Browser::new(&backend.bridge);
    for _ in 0..3 {
        says(&stranger.get(path).await, 200, "Continue to Google");
        assert_eq!(stranger.head(path).await.status, 200);
    }
    for headers in [
        [("sec-purpose", "prefetch"), ("user-agent", "Mozilla/5.0")],
        [("purpose", "prefetch"), ("user-agent", "Mozilla/5.0")],
        [("x-moz", "prefetch"), ("user-agent", "Mozilla/5.0")],
        [("user-agent", "Slackbot-LinkExpanding 1.0"), ("accept", "*/*")],
        [("user-agent", "WhatsApp/2.23"), ("range", "bytes=0-32768")],
    ] {
        says(&stranger.peek(path, &headers).await, 200, "Continue to Google");
    }
    assert!(stranger.cookies.borrow().is_empty(), "a page that changes nothing sets nothing");
    says(&Browser::new(&backend.bridge).connect_by(&link, ALLOW).await, 200, ANA);
}

#[tokio::test]
async fn a_link_works_once_and_for_half_an_hour() {
    let backend = Backend::start().await;
    let browser = Browser::new(&backend.bridge);
    let link = backend.link(&json!({ "user": "ana" })).await;
    assert_eq!(browser.follow(&link).await.status, 303);
    says(&browser.follow(&link).await, 400, OVER);
    says(&browser.get(&link).await, 400, OVER);

    let (soon, late) = (
        backend.link(&json!({ "user": "ana" })).await,
        backend.link(&json!({ "user": "ana" })).await,
    );
    backend.bridge.pass(TimeDelta::minutes(30) - TimeDelta::seconds(1));
    assert_eq!(browser.follow(&soon).await.status, 303);
    backend.bridge.pass(TimeDelta::seconds(1));
    says(&browser.get(&late).await, 400, OVER);
    says(&browser.follow(&late).await, 400, OVER);
    for wrong in ["", "?link=", "?link=x", "?LINK=x", "?link=a&link=b"] {
        let answer = browser.get(&format!("/google-calendar-setup/link{wrong}")).await;
        assert_eq!(answer.status, 400, "{wrong}: {}", answer.text);
    }
}

#[tokio::test]
async fn of_two_who_press_the_button_at_once_one_gets_through() {
    let backend = Backend::start().await;
    for _ in 0..5 {
        let link = backend.link(&json!({ "user": "ana" })).await;
        let (one, other) = (Browser::new(&backend.bridge), Browser::new(&backend.bridge));
        let (first, second) = tokio::join!(one.follow(&link), other.follow(&link));
        let mut statuses = [first.status, second.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [303, 400]);
    }
}

#[tokio::test]
async fn only_the_links_own_page_uses_it_up() {
    let backend = Backend::start().await;
    let link = backend.link(&json!({ "user": "ana" })).await;
    let secret = link.split("link=").nth(1).expect("what it opens with");
    let browser = Browser::new(&backend.bridge);
    for headers in [
        &[][..],
        &[("origin", "null")],
        &[("origin", "https://elsewhere.example")],
        &[("origin", "http://localhost:3002")],
        &[("origin", "https://elsewhere.example"), ("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
    ] {
        let path = "/google-calendar-setup/link";
        let refused = browser.post(path, &[("link", secret)], headers).await;
        assert_eq!(refused.status, 403, "{headers:?}: {}", refused.text);
    }
    assert_eq!(browser.follow(&link).await.status, 303);
}

#[tokio::test]
async fn people_are_sent_back_only_where_the_settings_allow() {
    let backend = Backend::start().await;
    let make = async |back: &str| {
        let body = json!({ "user": "ana", "return_to": back });
        backend.ask(Method::POST, "/links", &body).await.status
    };
    for allowed in [
        BACK,
        "https://app.example.com/calendar/connected?lang=pt&x=y",
        "https://APP.example.com:443/calendar/connected",
        "http://localhost:5173/back",
        "https://app.example.com/elsewhere/../calendar/connected",
    ] {
        assert_eq!(make(allowed).await, 201, "{allowed}");
    }
    for refused in [
        "",
        "/calendar/connected",
        "//app.example.com/calendar/connected",
        "javascript:alert(1)",
        "data:text/html,x",
        "http://app.example.com/calendar/connected",
        "https://app.example.com:8443/calendar/connected",
        "https://app.example.com",
        "https://app.example.com/calendar/connected/",
        "https://app.example.com/calendar/connected/more",
        "https://app.example.com/calendar/Connected",
        "https://app.example.com/calendar/connected/..",
        "https://app.example.com/calendar%2Fconnected",
        "https://app.example.com.evil.example/calendar/connected",
        "https://evil.example/calendar/connected",
        "https://evil.example/https://app.example.com/calendar/connected",
        "https://app.example.com@evil.example/calendar/connected",
        "https://user@app.example.com/calendar/connected",
        "https://app.example.com\\@evil.example/calendar/connected",
        "https://evil.app.example.com/calendar/connected",
        "https://app.example.com./calendar/connected",
        "https://app.example.com/calendar/connected#code",
        "https://app.example.com/calendar/connected?code=1",
        "https://app.example.com/calendar/connected?error=1",
        "https://app.example.com/calendar/connected?state=1",
        "http://localhost/back",
        "http://127.0.0.1:5173/back",
    ] {
        assert_eq!(make(refused).await, 422, "{refused}");
    }
}

#[tokio::test]
async fn what_went_wrong_is_told_to_the_person_and_goes_back_to_the_application() {
    let backend = Backend::start().await;
    let wish = json!({
        "user": "ana", "return_to": BACK, "state": "s7", "expected_email": "ANA@example.com"
    });
    let page = Browser::new(&backend.bridge).get(&backend.link(&wish).await).await;
    says(&page, 200, "id=\"expected\">ANA@example.com<");

    let part = [("decision", "allow"), ("user", ANA), ("choose", "1")];
    let ben = [("decision", "allow"), ("user", BEN)];
    let cases: [Case<'_>; 3] = [
        (&[("decision", "deny")], "access_denied", "said no"),
        (
            &ben,
            "wrong_account",
            "The account of ANA@example.com was asked for, and you agreed as ben@",
        ),
        (&part, "scopes_missing", "leave every box ticked"),
    ];
    for (fields, code, text) in cases {
        let link = backend.link(&wish).await;
        let answer = Browser::new(&backend.bridge).connect_by(&link, fields).await;
        says(&answer, 400, text);
        assert_eq!(brought(&answer, "error").as_deref(), Some(code));
        assert_eq!(brought(&answer, "state").as_deref(), Some("s7"));
        assert_eq!(brought(&answer, "code"), None);
        assert_eq!(backend.told("?user=ana").await["data"], json!([]));
    }
    assert_eq!(backend.bridge.calls("revoke"), 1, "the wrong account's grant is given back");

    let link = backend.link(&wish).await;
    let browser = Browser::new(&backend.bridge);
    let begun = browser.follow(&link).await;
    let callback = browser.answer(begun.header("location"), ALLOW).await;
    backend.bridge.pass(TimeDelta::minutes(10));
    let late = browser.get(&callback).await;
    says(&late, 400, "older than ten minutes");
    assert!(!late.text.contains("app.example.com"), "nobody knows that it was theirs");

    let link = backend.link(&wish).await;
    let done = Browser::new(&backend.bridge).connect_by(&link, ALLOW).await;
    says(&done, 200, "Connected as");
    assert_eq!(brought(&done, "error"), None);
}

#[tokio::test]
async fn a_code_works_once_and_for_ten_minutes() {
    let backend = Backend::start().await;
    let code = async || {
        let link = backend.link(&json!({ "user": "ana", "return_to": BACK })).await;
        let done = Browser::new(&backend.bridge).connect_by(&link, ALLOW).await;
        brought(&done, "code").expect("a code")
    };
    let redeem = async |code: &str| {
        backend.ask(Method::POST, "/codes", &json!({ "code": code })).await.status
    };
    let (first, second) = (code().await, code().await);
    let (one, other) = tokio::join!(redeem(&first), redeem(&first));
    assert_eq!((one.min(other), one.max(other)), (200, 404));
    backend.bridge.pass(TimeDelta::minutes(10) - TimeDelta::seconds(1));
    assert_eq!(redeem(&second).await, 200);
    let late = code().await;
    backend.bridge.pass(TimeDelta::minutes(10));
    assert_eq!(redeem(&late).await, 404);
    for wrong in ["", "x", &late.to_uppercase()] {
        assert_eq!(redeem(wrong).await, 404, "{wrong}");
    }
    assert_eq!(backend.ask(Method::POST, "/codes", &json!({})).await.status, 422);
}

#[tokio::test]
async fn no_token_is_in_any_address_or_page() {
    let backend = Backend::start().await;
    let browser = Browser::new(&backend.bridge);
    let link = backend.link(&json!({ "user": "ana", "return_to": BACK })).await;
    let asked = browser.get(&link).await;
    let begun = browser.follow(&link).await;
    let callback = browser.answer(begun.header("location"), ALLOW).await;
    let done = browser.get(&callback).await;
    says(&done, 200, "Connected as");
    let code = brought(&done, "code").expect("a code");
    let told = backend.ask(Method::POST, "/codes", &json!({ "code": code })).await;
    let shown = backend.get(&backend.of("ana").await).await;
    let mut heard = format!("{link}\n{}\n", begun.header("location"));
    for answer in [&asked, &begun, &done, &told, &shown] {
        heard += &answer.text;
        let headers = answer.headers.values().filter_map(|value| value.to_str().ok());
        heard.extend(headers);
    }
    let google_code = callback.split("code=").nth(1).and_then(|rest| rest.split('&').next());
    let google_code = google_code.expect("Google's own code").replace("%2F", "/");
    let secrets = backend.bridge.google.secrets();
    assert!(secrets.len() > 4 && secrets.contains(&google_code), "{secrets:?}");
    for secret in secrets {
        assert!(!heard.contains(&secret), "{secret} in {heard}");
    }
}
