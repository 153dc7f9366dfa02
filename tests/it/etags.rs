//! What a caller says it has seen of an event, and what it is told then.

use hyper::Method;
use serde_json::{Value, json};

use crate::bridge::{Answer, Bridge, tea};

const TITLE: &str = "Coffee";

async fn made(bridge: &Bridge) -> String {
    let id = bridge.accept(&tea()).await["id"].as_str().expect("an id").to_owned();
    bridge.run_until_idle().await;
    format!("/api/v1/events/{id}")
}

async fn rename(bridge: &Bridge, path: &str, seen: &str) -> Answer {
    let edit = json!({ "summary": TITLE });
    bridge.send_json(Method::PATCH, path, &edit, &[("If-Match", seen)]).await
}

async fn ask(bridge: &Bridge, path: &str, known: &str) -> Answer {
    bridge.send_json(Method::GET, path, &Value::Null, &[("If-None-Match", known)]).await
}

#[tokio::test]
async fn an_event_changed_since_it_was_read_is_not_changed_blindly() {
    let bridge = Bridge::connected().await;
    let path = made(&bridge).await;
    let seen = bridge.get(&path).await.header("etag").to_owned();
    bridge.send_json(Method::PATCH, &path, &json!({ "summary": "Cocoa" }), &[]).await;
    for answer in [
        rename(&bridge, &path, &seen).await,
        bridge.send_json(Method::DELETE, &path, &Value::Null, &[("If-Match", &seen)]).await,
    ] {
        assert_eq!((answer.status, &answer.json()["code"]), (412, &json!("precondition_failed")));
    }
    assert_eq!(bridge.get(&path).await.json()["summary"], "Cocoa");
    let now = bridge.get(&path).await.header("etag").to_owned();
    let answer = rename(&bridge, &path, &now).await;
    assert_eq!((answer.status, &answer.json()["summary"]), (202, &json!(TITLE)));
    assert_ne!(answer.header("etag"), now);
    bridge.run_until_idle().await;
}

#[tokio::test]
async fn what_google_did_with_a_revision_makes_nobodys_change_a_blind_one() {
    let bridge = Bridge::connected().await;
    let id = bridge.accept(&tea()).await["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/v1/events/{id}");
    let before = bridge.get(&path).await.header("etag").to_owned();
    bridge.run_until_idle().await;
    let after = bridge.get(&path).await.header("etag").to_owned();
    assert_ne!(before, after, "what is shown is something else");
    assert_eq!(ask(&bridge, &path, &before).await.status, 200);
    assert!(before.starts_with("\"r1.") && after.starts_with("\"r1."), "{before} {after}");
    assert_eq!(rename(&bridge, &path, &before).await.status, 202);
    assert_eq!(
        rename(&bridge, &path, &after).await.status,
        412,
        "somebody asked for something else"
    );
    bridge.run_until_idle().await;
}

#[tokio::test]
async fn any_of_several_tags_opens_and_so_does_the_star() {
    let bridge = Bridge::connected().await;
    let path = made(&bridge).await;
    let now = bridge.get(&path).await.header("etag").to_owned();
    for wrong in ["\"r7.v7-0\"", "W/\"r1.v1-0\"", "what", "", "\"\"", "\"r1\"", "\"1.v1\""] {
        assert_eq!(rename(&bridge, &path, wrong).await.status, 412, "{wrong}");
    }
    let several = format!("\"r7.v7-0\", {now}");
    assert_eq!(rename(&bridge, &path, &several).await.status, 202);
    assert_eq!(rename(&bridge, &path, "*").await.status, 202);
    bridge.run_until_idle().await;
}

#[tokio::test]
async fn what_is_known_already_is_not_told_again() {
    let bridge = Bridge::connected().await;
    let path = made(&bridge).await;
    let first = bridge.get(&path).await;
    let tag = first.header("etag").to_owned();
    assert_eq!(first.json()["etag"], tag);
    for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
        let answer = ask(&bridge, &path, &known).await;
        assert_eq!((answer.status, answer.text.as_str()), (304, ""), "{known}");
        assert_eq!(answer.header("etag"), tag);
    }
    assert_eq!(ask(&bridge, &path, "\"1.0-0\"").await.status, 200);
    bridge.send_json(Method::DELETE, &path, &Value::Null, &[]).await;
    let answer = ask(&bridge, &path, &tag).await;
    assert_eq!((answer.status, &answer.json()["state"]), (200, &json!("pending")));
    let tag = answer.header("etag").to_owned();
    bridge.run_until_idle().await;
    let answer = ask(&bridge, &path, &tag).await;
    assert_eq!((answer.status, &answer.json()["state"]), (200, &json!("cancelled")));
}
