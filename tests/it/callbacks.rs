//! Whoever comes back from Google with something else than Google gave, or somewhere else, or later:
//! all of it ends in a 4xx, links nothing, and asks Google for no token.

use axum::body::Body;
use calbridge::model::key::Scope;
use chrono::TimeDelta;
use hyper::{Method, Request, header};
use serde_json::json;

use crate::bridge::{Answer, Bridge, Choices};
use crate::connections::link_for;
use crate::setup::browser::{ALLOW, Browser, form};

/// What Google sent a browser back with.
struct Genuine {
    state: String,
    code: String,
    iss: String,
}

impl Genuine {
    fn of(callback: &str) -> Self {
        let url = url::Url::parse("http://localhost:3001").expect("a URL");
        let url = url.join(callback).expect("a callback");
        let named = |wanted: &str| {
            let found = url.query_pairs().find(|(name, _)| name == wanted);
            found.expect("what Google gives").1.into_owned()
        };
        Self { state: named("state"), code: named("code"), iss: named("iss") }
    }

    /// The query with these in place of what Google gave; an empty name leaves one out.
    fn with(&self, changes: &[(&str, Option<&str>)]) -> String {
        let mut pairs = vec![("state", &*self.state), ("code", &*self.code), ("iss", &*self.iss)];
        for (name, value) in changes {
            pairs.retain(|(known, _)| known != name);
            pairs.extend(value.map(|value| (*name, value)));
        }
        form(&pairs)
    }

    /// The query as it came, and more.
    fn and(&self, more: &str) -> String {
        format!("{}&{more}", self.with(&[]))
    }
}

fn flipped(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let last = bytes.last_mut().expect("a text");
    *last = if *last == b'A' { b'B' } else { b'A' };
    String::from_utf8(bytes).expect("ASCII")
}

/// Nothing came of it, and Google was not asked.
async fn came_to_nothing(bridge: &Bridge, answer: &Answer, what: &str) {
    assert!((400..500).contains(&answer.status), "{what}: {} {}", answer.status, answer.text);
    assert!(!answer.text.contains("<script"), "{what}: {}", answer.text);
    assert_eq!(bridge.google.token_calls("authorization_code"), 0, "{what}");
    assert!(!is_connected(bridge).await, "{what}");
}

async fn is_connected(bridge: &Bridge) -> bool {
    bridge.get("/api/calendar-status").await.json()["authenticated"] == true
}

type Tampering = fn(&Genuine) -> String;

/// Every way in which the address itself can be wrong.
const ADDRESSES: &[(&str, Tampering)] = &[
    ("nothing at all", |_| String::new()),
    ("no state", |g| g.with(&[("state", None)])),
    ("an empty state", |g| g.with(&[("state", Some(""))])),
    ("a state cut short", |g| g.with(&[("state", Some(&g.state[1..]))])),
    ("a state made longer", |g| g.with(&[("state", Some(&format!("{}A", g.state)))])),
    ("another last letter", |g| g.with(&[("state", Some(&flipped(&g.state)))])),
    ("a state in capitals", |g| g.with(&[("state", Some(&g.state.to_uppercase()))])),
    ("a state of zeros", |g| g.with(&[("state", Some(&"A".repeat(43)))])),
    ("a state with a space behind", |g| g.with(&[("state", Some(&format!("{} ", g.state)))])),
    ("a state with a zero byte", |g| g.with(&[("state", Some(&format!("{}\0", g.state)))])),
    ("a state with a new line", |g| g.with(&[("state", Some(&format!("{}\r\nx: y", g.state)))])),
    ("a state of JSON", |g| g.with(&[("state", Some(&format!("{{\"$ne\":\"{}\"}}", g.state)))])),
    ("a state that is no text", |g| g.with(&[("state", None)]) + "&state=%ff%fe"),
    ("a huge state", |g| g.with(&[("state", Some(&g.state.repeat(200)))])),
    ("a state under another name", |g| g.with(&[("state", None), ("State", Some(&g.state))])),
    ("a state in a list", |g| g.with(&[("state", None), ("state[]", Some(&g.state))])),
    ("the code for a state", |g| g.with(&[("state", Some(&g.code))])),
    ("the state twice", |g| g.and(&form(&[("state", &g.state)]))),
    ("another state behind it", |g| g.and("state=x")),
    ("another state before it", |g| format!("state=x&{}", g.with(&[]))),
    ("no code", |g| g.with(&[("code", None)])),
    ("an empty code", |g| g.with(&[("code", Some(""))])),
    ("a huge code", |g| g.with(&[("code", Some(&g.code.repeat(100)))])),
    ("the code twice", |g| g.and(&form(&[("code", &g.code)]))),
    ("another code behind it", |g| g.and("code=x")),
    ("another code before it", |g| format!("code=x&{}", g.with(&[]))),
    ("a code under another name", |g| g.with(&[("code", None), ("CODE", Some(&g.code))])),
    ("a token in place of the code", |g| g.with(&[("code", None), ("access_token", Some("x"))])),
    ("an ID token in its place", |g| g.with(&[("code", None), ("id_token", Some("x"))])),
    ("a code and an error", |g| g.with(&[("error", Some("access_denied"))])),
    ("an error", |g| g.with(&[("code", None), ("error", Some("access_denied"))])),
    ("an unknown error", |g| g.with(&[("code", None), ("error", Some("<script>"))])),
    ("an error twice", |g| g.with(&[("code", None)]) + "&error=access_denied&error=server_error"),
    ("another issuer", |g| g.with(&[("iss", Some("https://accounts.example.com"))])),
    ("an issuer without TLS", |g| g.with(&[("iss", Some("http://accounts.google.com"))])),
    ("an issuer with a slash", |g| g.with(&[("iss", Some("https://accounts.google.com/"))])),
    ("an issuer in capitals", |g| g.with(&[("iss", Some("https://ACCOUNTS.google.com"))])),
    ("an issuer within a name", |g| {
        g.with(&[("iss", Some("https://accounts.google.com.example.com"))])
    }),
    ("an empty issuer", |g| g.with(&[("iss", Some(""))])),
    ("the issuer twice", |g| g.and(&form(&[("iss", &g.iss)]))),
    ("another issuer behind it", |g| g.and("iss=https://accounts.example.com")),
    ("a huge issuer", |g| g.with(&[("iss", Some(&g.iss.repeat(400)))])),
    ("another parameter twice", |g| g.and("scope=a&scope=b")),
    ("another parameter that is huge", |g| g.and(&format!("scope={}", "a".repeat(5000)))),
    ("semicolons between", |g| format!("state={};code={}", g.state, g.code)),
    ("everything encoded as one name", |g| g.with(&[]).replace('=', "%3D")),
];

#[tokio::test]
async fn no_tampered_address_links_anything_or_asks_for_a_token() {
    let bridge = Bridge::with(roomy()).await;
    let browser = Browser::signed_in(&bridge).await;
    assert!(ADDRESSES.len() >= 40);
    for (what, tampering) in ADDRESSES {
        let genuine = Genuine::of(&browser.consent(ALLOW).await);
        let answer = browser.get(&format!("/oauth2callback?{}", tampering(&genuine))).await;
        came_to_nothing(&bridge, &answer, what).await;
    }
    // The same with nothing changed: it was not for another reason.
    let genuine = Genuine::of(&browser.consent(ALLOW).await);
    let answer = browser.get(&format!("/oauth2callback?{}", genuine.with(&[]))).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    assert!(is_connected(&bridge).await);
}

#[tokio::test]
async fn no_other_browser_links_anything_or_asks_for_a_token() {
    let bridge = Bridge::with(roomy()).await;
    let browser = Browser::signed_in(&bridge).await;
    let cookie = |browser: &Browser<'_>| browser.cookies.borrow()["cb_oauth"].clone();

    let callback = browser.consent(ALLOW).await;
    came_to_nothing(&bridge, &Browser::new(&bridge).get(&callback).await, "no cookie").await;

    for (what, change) in [
        ("an empty cookie", (|_| String::new()) as fn(&str) -> String),
        ("a cookie with another letter", flipped),
        ("a cookie cut short", |cookie| cookie[1..].to_owned()),
        ("a cookie twice", |cookie| format!("{cookie}{cookie}")),
    ] {
        let callback = browser.consent(ALLOW).await;
        let changed = change(&cookie(&browser));
        browser.cookies.borrow_mut().insert("cb_oauth".into(), changed);
        came_to_nothing(&bridge, &browser.get(&callback).await, what).await;
    }

    let callback = browser.consent(ALLOW).await;
    let other = Browser::signed_in(&bridge).await;
    other.begin().await;
    came_to_nothing(&bridge, &other.get(&callback).await, "another browser's own consent").await;

    let earlier = browser.consent(ALLOW).await;
    browser.begin().await;
    came_to_nothing(&bridge, &browser.get(&earlier).await, "an earlier consent").await;

    let callback = browser.consent(ALLOW).await;
    let session = browser.cookies.borrow()["cb_session"].clone();
    browser.cookies.borrow_mut().insert("cb_oauth".into(), session);
    came_to_nothing(&bridge, &browser.get(&callback).await, "a session for a cookie").await;

    let callback = browser.consent(ALLOW).await;
    let (state, cookie) = (Genuine::of(&callback).state, cookie(&browser));
    let swapped = form(&[("state", &cookie), ("code", "x")]);
    browser.cookies.borrow_mut().insert("cb_oauth".into(), state);
    let answer = browser.get(&format!("/oauth2callback?{swapped}")).await;
    came_to_nothing(&bridge, &answer, "state and cookie swapped").await;
}

#[tokio::test]
async fn no_old_or_used_consent_links_anything_or_asks_for_a_token() {
    let bridge = Bridge::with(roomy()).await;
    let browser = Browser::signed_in(&bridge).await;

    let callback = browser.consent(ALLOW).await;
    let cookies = browser.cookies.borrow().clone();
    bridge.pass(TimeDelta::minutes(10));
    came_to_nothing(&bridge, &browser.get(&callback).await, "after ten minutes").await;

    browser.cookies.replace(cookies);
    let denied = browser.consent(&[("decision", "deny")]).await;
    let cookies = browser.cookies.borrow().clone();
    came_to_nothing(&bridge, &browser.get(&denied).await, "a no").await;
    browser.cookies.replace(cookies);
    let state = denied.split("state=").nth(1).and_then(|rest| rest.split('&').next());
    let again = format!("/oauth2callback?state={}&code=x", state.expect("a state"));
    came_to_nothing(&bridge, &browser.get(&again).await, "a no, made a yes").await;

    let callback = browser.consent(ALLOW).await;
    let cookies = browser.cookies.borrow().clone();
    assert_eq!(browser.get(&callback).await.status, 303);
    for what in ["a replay", "and again"] {
        browser.cookies.replace(cookies.clone());
        let answer = browser.get(&callback).await;
        assert_eq!(answer.status, 400, "{what}: {}", answer.text);
        assert_eq!(bridge.google.token_calls("authorization_code"), 1, "{what}");
    }
}

#[tokio::test]
async fn nothing_of_one_flow_ends_another() {
    let bridge = Bridge::with(roomy()).await;
    let key = bridge.key_for(&[Scope::ConnectionsAdmin]).await;
    let administrator = Browser::signed_in(&bridge).await;
    let link = link_for(&bridge, &key, &json!({ "user": "ana" })).await;
    let link = link["url"].as_str().expect("a link").to_owned();
    let secret = link.split("link=").nth(1).expect("what it opens with").to_owned();
    let user = Browser::new(&bridge);
    let begun = user.follow(&link).await;
    let ours = Genuine::of(&user.answer(begun.header("location"), ALLOW).await);
    let theirs = Genuine::of(&administrator.consent(ALLOW).await);

    let answer = administrator.get(&format!("/oauth2callback?{}", ours.with(&[]))).await;
    came_to_nothing(&bridge, &answer, "a user's consent in the administrator's browser").await;
    let answer = user.get(&format!("/oauth2callback?{}", theirs.with(&[]))).await;
    came_to_nothing(&bridge, &answer, "the administrator's in a user's").await;
    let answer =
        user.get(&format!("/oauth2callback?{}", theirs.with(&[("state", Some(&secret))]))).await;
    came_to_nothing(&bridge, &answer, "a link for a state").await;
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let request = Request::builder()
            .method(method)
            .uri(format!("/oauth2callback?{}", theirs.with(&[])))
            .header(header::HOST, "localhost:3001");
        let answer = bridge.send(request.body(Body::empty()).expect("a request")).await;
        came_to_nothing(&bridge, &answer, "another method").await;
    }
}

#[tokio::test]
async fn a_code_that_was_slipped_in_is_refused_by_what_only_its_own_flow_knows() {
    let bridge = Bridge::with(roomy()).await;
    let (victim, thief) = (Browser::signed_in(&bridge).await, Browser::signed_in(&bridge).await);
    let stolen = Genuine::of(&victim.consent(ALLOW).await);
    let own = Genuine::of(&thief.consent(ALLOW).await);
    let query = own.with(&[("code", Some(&stolen.code))]);
    let answer = thief.get(&format!("/oauth2callback?{query}")).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert!(answer.text.contains("belongs to another consent"), "{}", answer.text);
    assert!(!is_connected(&bridge).await);
}

#[tokio::test]
async fn an_answer_without_an_issuer_is_refused_where_one_is_demanded() {
    let google_settings = "require_issuer = true".to_owned();
    let bridge = Bridge::with(Choices { google_settings, ..roomy() }).await;
    let browser = Browser::signed_in(&bridge).await;
    let genuine = Genuine::of(&browser.consent(ALLOW).await);
    let query = genuine.with(&[("iss", None)]);
    let answer = browser.get(&format!("/oauth2callback?{query}")).await;
    came_to_nothing(&bridge, &answer, "no issuer").await;
    assert_eq!(browser.connect().await.status, 303);

    let lenient = Bridge::with(roomy()).await;
    let browser = Browser::signed_in(&lenient).await;
    let genuine = Genuine::of(&browser.consent(ALLOW).await);
    let query = genuine.with(&[("iss", None)]);
    assert_eq!(browser.get(&format!("/oauth2callback?{query}")).await.status, 303);
}

/// A bridge whose limits are out of the way.
fn roomy() -> Choices {
    let settings = "limits.refusals = 1000000\nlimits.pages = 1000000".to_owned();
    Choices { settings, ..Choices::default() }
}
