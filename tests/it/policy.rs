//! The policy table, held to what it says: every route of it is walked, as everybody who must not get
//! through and as those who may.

mod addresses;
mod answers;
mod audited;
mod limits;
mod settings;

use std::collections::BTreeSet;
use std::path::Path;

use axum::body::Body;
use calbridge::app::access::{Caller, KeyWish, create_key};
use calbridge::http::policy;
use calbridge::http::policy::row::{Audit, Class, Face, Forgery, Pass, Row};
use calbridge::model::key::Scope;
use hyper::{Method, Request, header};
use secrecy::ExposeSecret;

use crate::bridge::{Answer, Bridge, Choices};

/// An id that nothing has.
const NOBODYS: &str = "00000000000000000000000000";

/// Every row of the public door.
pub fn rows() -> Vec<Row> {
    policy::public().rows().cloned().collect()
}

/// The row's path, with `id` for its variable parts.
pub fn path(row: &Row, id: &str) -> String {
    let part = |part: &str| if part.starts_with('{') { id.to_owned() } else { part.to_owned() };
    row.path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// A request to this row's route, with these headers and an empty object for a body.
pub async fn knock(bridge: &Bridge, row: &Row, id: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(&row.method).uri(path(row, id));
    request = request.header(header::HOST, "localhost:3001");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let kind = if row.face == Face::Page {
        "application/x-www-form-urlencoded"
    } else {
        "application/json"
    };
    let body = match (&row.method, row.face) {
        (&Method::GET, _) | (_, Face::Page) => Body::empty(),
        _ => Body::from("{}"),
    };
    let request = request.header(header::CONTENT_TYPE, kind).body(body).expect("a request");
    bridge.send(request).await
}

/// `Bearer` and a new key with these scopes.
pub async fn bearer(bridge: &Bridge, scopes: &[Scope]) -> String {
    let wish = KeyWish::new("for a test", scopes.to_vec());
    let made = create_key(&bridge.tied.app, &Caller::console(), wish).await.expect("a key");
    format!("Bearer {}", made.secret.expose_secret())
}

/// A bridge whose limits are out of the way.
async fn roomy() -> Bridge {
    let settings = "limits.refusals = 1000000".to_owned();
    Bridge::with(Choices { settings, ..Choices::default() }).await
}

fn needed(row: &Row) -> Vec<Scope> {
    let scopes = row.may.iter().filter_map(|pass| match pass {
        Pass::Key(scope) => Some(*scope),
        _ => None,
    });
    scopes.collect()
}

#[tokio::test]
async fn every_row_is_served_and_no_other_method_is() {
    let bridge = roomy().await;
    let admin = bearer(&bridge, &[Scope::Admin]).await;
    let known: BTreeSet<(String, &str)> =
        rows().iter().map(|row| (row.method.to_string(), row.path)).collect();
    assert_eq!(known.len(), rows().len(), "each route has one row");
    for row in rows() {
        let answer = knock(&bridge, &row, NOBODYS, &[("authorization", &admin)]).await;
        let is_there = !matches!(answer.status, 405 | 500..)
            && !answer.text.contains("\"code\":\"no_such_route\"");
        assert!(is_there, "{} {}: {} {}", row.method, row.path, answer.status, answer.text);
        for other in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            if known.contains(&(other.to_string(), row.path)) {
                continue;
            }
            let row = Row { method: other, ..row.clone() };
            let answer = knock(&bridge, &row, NOBODYS, &[("authorization", &admin)]).await;
            assert_eq!(answer.status, 405, "{} {}", row.method, row.path);
        }
    }
}

#[test]
fn a_route_is_added_in_the_table_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut dirs = vec![root.clone()];
    while let Some(dir) = dirs.pop() {
        for entry in
            std::fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("a file"))
        {
            if entry.file_type().expect("a type").is_dir() {
                dirs.push(entry.path());
                continue;
            }
            let file = entry.path();
            let file = file.strip_prefix(&root).expect("it lies there").display().to_string();
            let text = std::fs::read_to_string(entry.path()).expect("a source");
            let adds = [".route(", ".route_service(", ".nest(", ".nest_service("];
            if !file.starts_with("simulator") && adds.iter().any(|add| text.contains(add)) {
                found.push(file);
            }
        }
    }
    assert_eq!(found, ["http/policy/table.rs"]);
}

#[test]
fn whatever_changes_something_is_closed_to_other_sites() {
    for row in policy::public().rows().chain(policy::console().rows()) {
        let told = format!("{} {}: {row:?}", row.method, row.path);
        let by_cookie = row.lets(Pass::Administrator);
        let by_nothing = row.lets(Pass::Anybody);
        match (&row.method, row.forgery) {
            (&Method::GET, Forgery::ChangesNothing) => {
                assert_eq!(row.audit, Audit::Nothing, "{told}");
            }
            // A page for people, and what the seed's curl line does for a key.
            (&Method::GET, Forgery::NoCookie) => assert!(row.takes_bearer(), "{told}"),
            (&Method::GET, Forgery::State) => assert_eq!(row.path, "/oauth2callback", "{told}"),
            (_, Forgery::NoCookie) => assert!(!by_cookie && !by_nothing, "{told}"),
            (_, Forgery::Form) => assert!(by_cookie && !by_nothing, "{told}"),
            (_, Forgery::Origin) => assert!(by_nothing && !by_cookie, "{told}"),
            _ => panic!("{told}"),
        }
        assert!(!row.may.is_empty(), "{told}");
        let free = row.class == Class::Free;
        assert!(!free || row.may == [Pass::Anybody] || row.may == [Pass::Console], "{told}");
        assert_eq!(row.face == Face::Console, row.lets(Pass::Console), "{told}");
    }
}

#[tokio::test]
async fn whoever_shows_nothing_or_something_wrong_gets_through_to_nothing() {
    let bridge = roomy().await;
    for row in rows().iter().filter(|row| !row.lets(Pass::Anybody)) {
        let told = format!("{} {}", row.method, row.path);
        let nothing = knock(&bridge, row, NOBODYS, &[]).await;
        if row.face == Face::Page {
            assert_eq!(nothing.status, 403, "{told}: {}", nothing.text);
        } else {
            assert_eq!(
                (nothing.status, nothing.json()["code"].as_str()),
                (401, Some("no_api_key")),
                "{told}"
            );
            assert!(nothing.header("www-authenticate").starts_with("Bearer"), "{told}");
        }
        if !row.takes_bearer() {
            let key = bearer(&bridge, &[Scope::Admin]).await;
            let key = knock(&bridge, row, NOBODYS, &[("authorization", &key)]).await;
            assert_eq!(key.status, 403, "{told}: a key opens no page");
            continue;
        }
        for wrong in [
            "Bearer",
            "Bearer ",
            "Bearer x",
            "Bearer cb_",
            "Bearer cb_00000000000000000000000000_0",
            &format!("Bearer {}0", bridge.key),
            &format!("Bearer {}", bridge.key.to_uppercase()),
        ] {
            let answer = knock(&bridge, row, NOBODYS, &[("authorization", wrong)]).await;
            let is_refused = answer.status == 401 || row.face == Face::Page && answer.status == 403;
            assert!(is_refused, "{told} with {wrong:?}: {} {}", answer.status, answer.text);
        }
    }
}

#[tokio::test]
async fn a_key_without_the_scope_is_told_which_it_lacks_and_how_to_get_it() {
    let bridge = roomy().await;
    for row in rows().iter().filter(|row| row.takes_bearer()) {
        let needed = needed(row);
        let lacks = |held: &Scope| !needed.iter().any(|scope| held.includes(*scope));
        let useless: Vec<Scope> = Scope::ALL.into_iter().filter(lacks).collect();
        assert!(!useless.contains(&Scope::Admin), "{}: an administrator may everything", row.path);
        if useless.is_empty() {
            continue;
        }
        let key = bearer(&bridge, &useless).await;
        let answer = knock(&bridge, row, NOBODYS, &[("authorization", &key)]).await;
        let told = format!("{} {}: {}", row.method, row.path, answer.text);
        assert_eq!(answer.status, 403, "{told}");
        assert_eq!(answer.json()["code"], "scope_missing", "{told}");
        let detail = answer.json()["detail"].as_str().unwrap_or_default().to_owned();
        assert!(detail.contains(&format!("`{}`", needed[0])), "{told}");
        assert!(detail.contains(&format!("api-keys create --scope {}", needed[0])), "{told}");
        assert!(answer.header("www-authenticate").contains("insufficient_scope"), "{told}");
    }
}
