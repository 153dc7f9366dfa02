//! Letting go of accounts, and connecting them again.

use hyper::Method;
use serde_json::{Value, json};

use super::{BACK, BEN, Backend};
use crate::bridge::{ANA, tea, with};
use crate::setup::browser::{ALLOW, Browser};

/// The id of the server's connection, as a path.
async fn server(backend: &Backend) -> String {
    let list = backend.told("").await;
    let data = list["data"].as_array().expect("a list");
    let found = data.iter().find(|one| one["user"] == Value::Null).expect("the server's");
    format!("/{}", found["id"].as_str().expect("an id"))
}

#[tokio::test]
async fn the_grant_ends_with_the_last_connection_that_lives_by_it() {
    let backend = Backend::start().await;
    let bridge = &backend.bridge;
    let (one, two) = (backend.connect("one", ANA).await, backend.connect("two", ANA).await);
    let gone = backend.ask(Method::DELETE, &one, &json!({})).await;
    assert_eq!((gone.status, &gone.json()["state"]), (200, &json!("disconnected")));
    bridge.run_until_idle().await;
    assert_eq!(bridge.calls("revoke"), 0, "the other one lives by the same grant");
    assert_eq!(backend.get(&format!("{two}/calendars")).await.status, 200);
    let refused = backend.get(&format!("{one}/calendars")).await;
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("connection_blocked")));

    let gone = backend.ask(Method::POST, &format!("{two}/disconnect"), &json!({})).await;
    assert_eq!((gone.status, &gone.json()["cause"]["code"]), (200, &json!("disconnected")));
    bridge.run_until_idle().await;
    assert_eq!(bridge.calls("revoke"), 1);
    // Once more changes nothing.
    assert_eq!(backend.ask(Method::DELETE, &two, &json!({})).await.status, 200);
    bridge.run_until_idle().await;
    assert_eq!(bridge.calls("revoke"), 1);
}

#[tokio::test]
async fn what_waits_is_kept_and_goes_on_after_a_reconnect() {
    let backend = Backend::start().await;
    let bridge = &backend.bridge;
    bridge.connect(ANA).await.expect("the server's account");
    let server = server(&backend).await;
    let waiting = bridge.accept(&tea()).await;
    let gone = backend.ask(Method::DELETE, &server, &json!({})).await;
    assert_eq!((gone.status, &gone.json()["cancelled_jobs"]), (200, &json!(0)));
    bridge.run_until_idle().await;
    assert_eq!(bridge.event(&waiting["id"]).await["state"], "pending");
    bridge.connect(ANA).await.expect("the same account");
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), ["Tea"]);
    assert_eq!(bridge.event(&waiting["id"]).await["state"], "confirmed");
}

#[tokio::test]
async fn what_waits_is_cancelled_where_the_caller_says_so_and_nothing_else() {
    let backend = Backend::start().await;
    let bridge = &backend.bridge;
    bridge.connect(ANA).await.expect("the server's account");
    let server = server(&backend).await;
    let confirmed = bridge.post(&tea(), &[]).await.json();
    let user = backend.connect("ben", BEN).await;
    let waiting = bridge.accept(&with(tea(), &json!({ "summary": "Late" }))).await;
    let other = backend.ask(Method::DELETE, &format!("{user}?jobs=cancel"), &json!({})).await;
    assert_eq!((other.status, &other.json()["cancelled_jobs"]), (200, &json!(0)), "{}", other.text);
    let wrong = backend.ask(Method::DELETE, &format!("{server}?jobs=drop"), &json!({})).await;
    assert_eq!(wrong.status, 422, "{}", wrong.text);
    let body = json!({ "jobs": "cancel" });
    let gone = backend.ask(Method::POST, &format!("{server}/disconnect"), &body).await;
    assert_eq!((gone.status, &gone.json()["cancelled_jobs"]), (200, &json!(1)), "{}", gone.text);
    assert_eq!(bridge.event(&waiting["id"]).await["state"], "stopped");
    bridge.connect(ANA).await.expect("the same account");
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), ["Tea"]);
    assert_eq!(bridge.event(&confirmed["id"]).await["state"], "confirmed");
}

#[tokio::test]
async fn a_reconnect_takes_the_same_account_alone_and_makes_nothing_twice() {
    let backend = Backend::start().await;
    let bridge = &backend.bridge;
    bridge.connect(ANA).await.expect("the server's account");
    let server = server(&backend).await;
    let made = bridge.post(&tea(), &[]).await.json();
    let event = bridge.event(&made["id"]).await;
    bridge.google.revoke_grants(ANA);
    bridge.google.expire_access_tokens();
    let waiting = bridge.accept(&with(tea(), &json!({ "summary": "Late" }))).await;
    bridge.run_until_idle().await;
    let shown = backend.told(&server).await;
    assert_eq!(shown["state"], "reconnect_needed");

    let again = async |fields: &[(&str, &str)]| {
        let body = json!({ "return_to": BACK, "state": "r" });
        let link = backend.ask(Method::POST, &format!("{server}/reconnect"), &body).await;
        assert_eq!(link.status, 201, "{}", link.text);
        let link = link.json()["url"].as_str().expect("an address").to_owned();
        let page = Browser::new(bridge).get(&link).await;
        assert!(page.text.contains("<b>again</b>"), "{}", page.text);
        Browser::new(bridge).connect_by(&link, fields).await
    };
    let refused = again(&[("decision", "allow"), ("user", BEN)]).await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    assert!(
        refused.text.contains(&format!(
            "This connection is that of {ANA}, and you agreed as another account ({BEN})"
        )),
        "{}",
        refused.text
    );
    assert!(refused.text.contains("error=wrong_account"), "{}", refused.text);
    assert_eq!(backend.told(&server).await, shown, "nothing changed");
    assert_eq!(bridge.calls("revoke"), 1, "the wrong account's grant is given back");

    let done = again(ALLOW).await;
    assert_eq!(done.status, 200, "{}", done.text);
    let shown = backend.told(&server).await;
    assert_eq!((&shown["state"], shown.get("cause")), (&json!("connected"), None));
    assert_eq!(backend.told("").await["data"].as_array().expect("a list").len(), 1);
    bridge.run_until_idle().await;
    assert_eq!(bridge.titles(ANA), ["Tea", "Late"]);
    assert_eq!(bridge.event(&made["id"]).await, event, "it is known under the same ids");
    assert_eq!(bridge.event(&waiting["id"]).await["state"], "confirmed");
    let again = bridge.post(&tea(), &[]).await.json();
    assert_ne!(again["eventId"], made["eventId"]);
}

#[tokio::test]
async fn a_connection_that_was_let_go_is_linked_again_by_its_own_account_alone() {
    let backend = Backend::start().await;
    let ana = backend.connect("ana", ANA).await;
    backend.ask(Method::DELETE, &ana, &json!({})).await;
    let link = async || {
        let link = backend.ask(Method::POST, &format!("{ana}/reconnect"), &json!({})).await;
        link.json()["url"].as_str().expect("an address").to_owned()
    };
    let ben = [("decision", "allow"), ("user", BEN)];
    let refused = Browser::new(&backend.bridge).connect_by(&link().await, &ben).await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    let done = Browser::new(&backend.bridge).connect_by(&link().await, ALLOW).await;
    assert_eq!(done.status, 200, "{}", done.text);
    assert_eq!(backend.of("ana").await, ana, "its name stays");
    assert_eq!(backend.told(&ana).await["state"], "connected");
    backend.bridge.run_until_idle().await;
    assert_eq!(backend.bridge.calls("revoke"), 2, "the one let go, and the wrong account's");
    assert_eq!(backend.get(&format!("{ana}/calendars")).await.status, 200);
}
