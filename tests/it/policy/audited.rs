//! What a row says is audited stands in the chain once it is done, and nothing does that was refused.

use axum::body::Body;
use calbridge::http::policy;
use calbridge::http::policy::row::{Audit, Row};
use calbridge::model::audit::Action;
use calbridge::model::key::Scope;
use hyper::{Method, Request, header};
use serde_json::json;
use tower::ServiceExt;

use super::{NOBODYS, bearer, knock, path, rows};
use crate::bridge::{ANA, Bridge};

/// Every action in the chain, in order.
async fn chain(bridge: &Bridge) -> Vec<Action> {
    let entries = bridge.tied.app.store.audit(0, 1_000).await.expect("a store that works");
    entries.iter().map(|entry| entry.act.action).collect()
}

/// The rows that say that this is audited, at paths that begin so.
fn audited(all: Vec<Row>, action: Action, under: &str) -> Vec<Row> {
    let rows = all.into_iter();
    rows.filter(|row| row.audit == Audit::As(action) && row.path.starts_with(under)).collect()
}

#[tokio::test]
async fn what_a_key_does_to_keys_and_accounts_stands_in_the_chain() {
    let bridge = Bridge::connected().await;
    let admin = bearer(&bridge, &[Scope::Admin]).await;
    let shown: &[(&str, &str)] = &[("authorization", &admin)];
    let id = bridge.key.split('_').nth(1).expect("an id").to_owned();
    for (action, under, rows_there) in [
        (Action::ApiKeyCreated, "/api/v1/api-keys", 1),
        (Action::ConnectionDisconnected, "/google-calendar-", 4),
        (Action::ApiKeyRevoked, "/api/v1/api-keys", 1),
    ] {
        let found = audited(rows(), action, under);
        assert_eq!(found.len(), rows_there, "{action:?}");
        for row in found {
            let told = format!("{} {}", row.method, row.path);
            let before = chain(&bridge).await;
            let refused = knock(&bridge, &row, NOBODYS, &[("authorization", "Bearer cb_x")]).await;
            assert_eq!(refused.status, 401, "{told}: {}", refused.text);
            assert_eq!(chain(&bridge).await, before, "{told}: nothing was done");
            let body = json!({ "name": "more", "scopes": ["events:read"] }).to_string();
            let headers = [shown, &[("content-type", "application/json")]].concat();
            let body = if action == Action::ApiKeyCreated { body } else { String::new() };
            let at = path(&row, &id);
            let done = bridge.send_raw(row.method.clone(), &at, &body, &headers).await;
            assert!(done.status < 300, "{told}: {}", done.text);
            let after = chain(&bridge).await;
            assert_eq!(after[before.len()..], [action], "{told}");
            if action == Action::ConnectionDisconnected {
                bridge.connect(ANA).await.expect("the account can be connected");
            }
        }
    }
    bridge.run_until_idle().await;
}

#[tokio::test]
async fn what_the_console_does_stands_in_the_chain() {
    let bridge = Bridge::start().await;
    let made = json!({ "name": "more", "scopes": ["admin"] }).to_string();
    let id = bridge.key.split('_').nth(1).expect("an id").to_owned();
    let all: Vec<Row> = policy::console().rows().cloned().collect();
    for (action, body) in [(Action::ApiKeyCreated, made.as_str()), (Action::ApiKeyRevoked, "")] {
        let [row] = &audited(all.clone(), action, "/")[..] else { panic!("one row: {action:?}") };
        let before = chain(&bridge).await;
        let request = Request::builder()
            .method(row.method.clone())
            .uri(path(row, &id))
            .header(header::HOST, "calbridge")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_owned()))
            .expect("a request");
        assert!(matches!(row.method, Method::POST | Method::DELETE));
        let done = bridge.tied.admin_router().oneshot(request).await.expect("an answer");
        assert!(done.status().is_success(), "{action:?}: {done:?}");
        assert_eq!(chain(&bridge).await[before.len()..], [action]);
    }
}
