//! The administrator's sessions: opened by a password or a setup code, guarded against guessing, ended
//! by themselves, by logging out, and all at once.

use calbridge::app::access;
use calbridge::model::audit::Action;
use chrono::TimeDelta;

use crate::bridge::{Answer, Bridge, Choices};
use crate::setup::browser::{Browser, HOME, ORIGIN};

const SESSION: &str = "/google-calendar-setup/session";
const PASSWORD: &str = "four words by chance";
const OTHER: &str = "another four words";

/// A bridge that can be knocked at as often as one likes, from any address.
async fn open() -> Bridge {
    let settings = "trusted_proxies = \"127.0.0.1\"\n[limits]\nsign_in = 1000000".to_owned();
    Bridge::with(Choices { settings, ..Choices::default() }).await
}

async fn code(bridge: &Bridge) -> String {
    access::new_setup_code(&bridge.tied.app).await.expect("a code")
}

/// Sets the password with a fresh code, in a browser of its own.
async fn set_password<'a>(bridge: &'a Bridge, password: &str) -> Browser<'a> {
    let browser = Browser::new(bridge);
    let fields = [("code", &*code(bridge).await), ("new_password", password)];
    let answer = browser.post(SESSION, &fields, &[("origin", ORIGIN)]).await;
    assert_eq!((answer.status, answer.header("location")), (303, HOME), "{}", answer.text);
    browser
}

/// Tries a password from an address.
async fn tried(browser: &Browser<'_>, password: &str, from: &str) -> Answer {
    let headers = [("origin", ORIGIN), ("x-forwarded-for", from)];
    browser.post(SESSION, &[("password", password)], &headers).await
}

async fn signed_in<'a>(bridge: &'a Bridge, password: &str) -> Browser<'a> {
    let browser = Browser::new(bridge);
    let answer = tried(&browser, password, "198.51.100.9").await;
    assert_eq!((answer.status, answer.header("location")), (303, HOME), "{}", answer.text);
    browser
}

/// Whether the page knows this browser.
async fn is_in(browser: &Browser<'_>) -> bool {
    browser.get(HOME).await.text.contains("id=\"log-out\"")
}

async fn actions(bridge: &Bridge) -> Vec<Action> {
    let entries = bridge.tied.app.store.audit(0, 1000).await.expect("a store");
    entries.into_iter().map(|entry| entry.act.action).collect()
}

#[tokio::test]
async fn a_password_is_set_with_the_setup_code_and_opens_sessions_from_then_on() {
    let bridge = open().await;
    assert_eq!(tried(&Browser::new(&bridge), PASSWORD, "192.0.2.1").await.status, 403);
    let first = set_password(&bridge, PASSWORD).await;
    assert!(is_in(&first).await);
    let second = signed_in(&bridge, PASSWORD).await;
    assert!(is_in(&second).await && is_in(&first).await);
    for wrong in ["", "four words by chancE", " four words by chance", "four words by chance "] {
        assert_eq!(
            tried(&Browser::new(&bridge), wrong, "192.0.2.1").await.status,
            403,
            "{wrong:?}"
        );
    }
}

#[tokio::test]
async fn a_password_that_could_be_guessed_is_refused_before_the_code_is_used() {
    let bridge = open().await;
    let (browser, code) = (Browser::new(&bridge), code(&bridge).await);
    let set = async |password: &str| {
        let fields = [("code", &*code), ("new_password", password)];
        browser.post(SESSION, &fields, &[("origin", ORIGIN)]).await
    };
    let long = "ab c".repeat(33);
    for guessable in [
        "elevenchars",
        "PasswordPassword",
        "123456789012",
        "aaaaaaaaaaaaaaaa",
        "abcabcabcabcabc",
        &long,
    ] {
        let refused = set(guessable).await;
        assert_eq!(refused.status, 422, "{guessable}: {}", refused.text);
        assert!(!refused.text.contains(guessable), "{}", refused.text);
    }
    assert_eq!(set("zwölf Zeichen").await.status, 303, "letters of any kind");
}

#[tokio::test]
async fn a_wrong_password_and_none_are_told_alike() {
    let bridge = open().await;
    let told = async || {
        let answer = tried(&Browser::new(&bridge), "wrong, whatever it is", "192.0.2.1").await;
        (answer.status, answer.text)
    };
    let none = told().await;
    set_password(&bridge, PASSWORD).await;
    assert_eq!(told().await, none);
}

#[tokio::test]
async fn another_setup_code_sets_another_password_and_ends_every_session() {
    let bridge = open().await;
    let first = set_password(&bridge, PASSWORD).await;
    let second = signed_in(&bridge, PASSWORD).await;
    let third = set_password(&bridge, OTHER).await;
    assert!(!is_in(&first).await && !is_in(&second).await);
    assert!(is_in(&third).await);
    assert_eq!(tried(&Browser::new(&bridge), PASSWORD, "192.0.2.1").await.status, 403);
    assert!(is_in(&signed_in(&bridge, OTHER).await).await);
}

#[tokio::test]
async fn a_code_without_a_password_opens_one_session_and_changes_none() {
    let bridge = open().await;
    let first = set_password(&bridge, PASSWORD).await;
    assert!(is_in(&Browser::signed_in(&bridge).await).await);
    assert!(is_in(&first).await);
    assert!(is_in(&signed_in(&bridge, PASSWORD).await).await);
}

#[tokio::test]
async fn the_store_has_a_slow_and_salted_hash_of_the_password() {
    let bridge = open().await;
    let stored = async || {
        set_password(&bridge, PASSWORD).await;
        let account = bridge.tied.app.store.administrator().await.expect("a store");
        account.expect("an account").password
    };
    let (one, other) = (stored().await, stored().await);
    assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
    assert_ne!(one, other, "each has a salt of its own");
}

#[tokio::test]
async fn of_ten_thousand_guesses_at_once_few_are_looked_at() {
    let bridge = open().await;
    set_password(&bridge, PASSWORD).await;
    let browser = Browser::new(&bridge);
    let mut looked_at = 0;
    for n in 0..10_000_u32 {
        let from = format!("198.51.{}.{}", n / 250 % 250, n % 250);
        match tried(&browser, "a wrong password", &from).await.status {
            403 => looked_at += 1,
            429 => {}
            other => panic!("{other}"),
        }
    }
    assert!((1..=20).contains(&looked_at), "{looked_at} were looked at");
    let refused = actions(&bridge).await.into_iter();
    let refused = refused.filter(|action| *action == Action::SessionRefused).count();
    assert_eq!(refused, looked_at, "what was not looked at is no entry of the audit");

    let held_up = tried(&browser, PASSWORD, "203.0.113.1").await;
    assert_eq!(held_up.status, 429, "the right one is not looked at either");
    assert!(held_up.text.contains("calbridge setup-code"), "{}", held_up.text);
    let wait: i64 = held_up.header("retry-after").parse().expect("seconds");
    bridge.pass(TimeDelta::seconds(wait));
    assert_eq!(tried(&browser, PASSWORD, "203.0.113.1").await.status, 303);
}

#[tokio::test]
async fn whoever_guesses_from_one_address_holds_up_no_other() {
    let bridge = open().await;
    set_password(&bridge, PASSWORD).await;
    let browser = Browser::new(&bridge);
    for _ in 0..5 {
        assert_eq!(tried(&browser, "a wrong password", "2001:db8::1").await.status, 403);
    }
    assert_eq!(tried(&browser, PASSWORD, "2001:db8::ffff").await.status, 429, "its own network");
    assert_eq!(tried(&browser, PASSWORD, "2001:db8:0:1::1").await.status, 303);
    assert_eq!(tried(&browser, PASSWORD, "2001:db8::1").await.status, 429);
}

#[tokio::test]
async fn each_wrong_guess_doubles_the_wait_up_to_a_quarter_of_an_hour() {
    let bridge = open().await;
    set_password(&bridge, PASSWORD).await;
    let browser = Browser::new(&bridge);
    for _ in 0..4 {
        assert_eq!(tried(&browser, "a wrong password", "192.0.2.1").await.status, 403, "free");
    }
    let mut waits = Vec::new();
    for _ in 0..16 {
        assert_eq!(tried(&browser, "a wrong password", "192.0.2.1").await.status, 403);
        let held_up = tried(&browser, PASSWORD, "192.0.2.1").await;
        assert_eq!(held_up.status, 429, "{}", held_up.text);
        let wait: i64 = held_up.header("retry-after").parse().expect("seconds");
        waits.push(wait);
        bridge.pass(TimeDelta::seconds(wait));
    }
    assert_eq!(waits[..6], [2, 3, 5, 9, 17, 33], "{waits:?}");
    assert_eq!(*waits.last().expect("one"), 901, "{waits:?}");

    bridge.pass(TimeDelta::hours(24));
    for _ in 0..5 {
        assert_eq!(tried(&browser, "a wrong password", "192.0.2.1").await.status, 403, "a new day");
    }
}

#[tokio::test]
async fn a_setup_code_works_however_many_guessed() {
    let bridge = open().await;
    set_password(&bridge, PASSWORD).await;
    let browser = Browser::new(&bridge);
    for _ in 0..30 {
        tried(&browser, "a wrong password", "127.0.0.1").await;
    }
    assert!(is_in(&set_password(&bridge, OTHER).await).await);
    assert!(is_in(&signed_in(&bridge, OTHER).await).await, "and all is forgotten");
}

#[tokio::test]
async fn a_session_ends_half_an_hour_after_its_last_use_and_a_half_day_after_its_first() {
    let bridge = open().await;
    let idle = set_password(&bridge, PASSWORD).await;
    bridge.pass(TimeDelta::minutes(29));
    assert!(is_in(&idle).await);
    bridge.pass(TimeDelta::minutes(29));
    assert!(is_in(&idle).await, "it was used");
    bridge.pass(TimeDelta::minutes(30));
    assert!(!is_in(&idle).await);

    let busy = signed_in(&bridge, PASSWORD).await;
    for _ in 0..(12 * 3 - 1) {
        bridge.pass(TimeDelta::minutes(20));
        assert!(is_in(&busy).await);
    }
    bridge.pass(TimeDelta::minutes(20));
    assert!(!is_in(&busy).await, "twelve hours");
}

#[tokio::test]
async fn logging_out_ends_the_session_at_the_server_and_everywhere_if_asked() {
    let bridge = open().await;
    let first = set_password(&bridge, PASSWORD).await;
    let second = signed_in(&bridge, PASSWORD).await;
    let stolen = first.cookies.borrow().clone();
    first.submit("/google-calendar-setup/logout", &[]).await;
    first.cookies.replace(stolen);
    assert!(!is_in(&first).await, "the cookie alone opens nothing");
    assert!(is_in(&second).await);

    let third = signed_in(&bridge, PASSWORD).await;
    let out = second.submit("/google-calendar-setup/logout-everywhere", &[]).await;
    assert_eq!(out.header("location"), "/google-calendar-setup?notice=signed-out");
    assert!(!is_in(&second).await && !is_in(&third).await);
}

#[tokio::test]
async fn a_sign_in_gives_a_new_session_and_ends_the_one_shown_before() {
    let bridge = open().await;
    set_password(&bridge, PASSWORD).await;
    let victim = Browser::new(&bridge);
    let planted = "0".repeat(52);
    victim.cookies.borrow_mut().insert("cb_session".to_owned(), planted.clone());
    assert_eq!(tried(&victim, PASSWORD, "192.0.2.1").await.status, 303);
    let first = victim.cookies.borrow()["cb_session"].clone();
    assert_ne!(first, planted, "a session that somebody planted is not used");

    assert_eq!(tried(&victim, PASSWORD, "192.0.2.1").await.status, 303);
    assert_ne!(victim.cookies.borrow()["cb_session"], first);
    assert!(is_in(&victim).await);
    let old = Browser::new(&bridge);
    old.cookies.borrow_mut().insert("cb_session".to_owned(), first);
    assert!(!is_in(&old).await);
}

#[tokio::test]
async fn what_happens_to_sessions_is_audited() {
    let bridge = open().await;
    let before = actions(&bridge).await.len();
    let browser = set_password(&bridge, PASSWORD).await;
    tried(&Browser::new(&bridge), "a wrong password", "192.0.2.1").await;
    browser.submit("/google-calendar-setup/logout", &[]).await;
    assert_eq!(
        actions(&bridge).await[before..],
        [
            Action::SetupCodeCreated,
            Action::PasswordSet,
            Action::SessionOpened,
            Action::SessionRefused,
            Action::SessionClosed,
        ]
    );
}
