//! What every answer carries, and which other sites' pages may read any.

use std::collections::BTreeSet;

use axum::body::Body;
use calbridge::http::openapi;
use calbridge::http::policy::row::{Face, Row};
use calbridge::model::key::Scope;
use hyper::{Method, Request, header};
use serde_json::Value;

use super::{NOBODYS, bearer, knock, path, rows};
use crate::bridge::{Answer, Bridge, Choices};

const APP: &str = "https://app.example.com";
/// What pages of other sites may read of our answers' headers, beside what every page may.
const SHOWN: [&str; 9] = [
    "etag",
    "idempotent-replayed",
    "location",
    "preference-applied",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "www-authenticate",
    "x-request-id",
];

fn is_armed(told: &str, answer: &Answer, https: bool) {
    let is_page = answer.header("content-type").starts_with("text/html");
    let policy = answer.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; "), "{told}: {policy}");
    assert!(policy.ends_with("base-uri 'none'; frame-ancestors 'none'"), "{told}: {policy}");
    assert_eq!(policy.contains("'self'"), is_page, "{told}: {policy}");
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{told}: {policy}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(answer.header(name), value, "{told}: {name}");
    }
    assert!(answer.header("permissions-policy").contains("geolocation=()"), "{told}");
    let referrer = answer.header("referrer-policy");
    assert!(
        referrer == "no-referrer" || is_page && referrer == "same-origin",
        "{told}: {referrer}"
    );
    let cached = answer.header("cache-control");
    assert!(cached == "no-store" || told.contains("style.css"), "{told}: {cached}");
    let strict = answer.header("strict-transport-security");
    assert_eq!(strict, if https { "max-age=31536000" } else { "" }, "{told}");
    assert!(!answer.header("x-request-id").is_empty(), "{told}");
    assert!(answer.header("access-control-allow-origin").is_empty(), "{told}");
}

#[tokio::test]
async fn every_answer_of_every_route_is_armed() {
    for (public_url, https) in
        [("", false), ("public_url = \"https://calendar.example.com\"", true)]
    {
        let settings = format!("{public_url}\n[limits]\nrefusals = 1000000");
        let bridge = Bridge::with(Choices { settings, ..Choices::default() }).await;
        let admin = bearer(&bridge, &[Scope::Admin]).await;
        for row in rows() {
            let told = format!("{} {}", row.method, row.path);
            for headers in [
                &[] as &[_],
                &[("authorization", admin.as_str())],
                &[("authorization", "Bearer cb_wrong")],
                &[("origin", "https://elsewhere.example"), ("sec-fetch-site", "cross-site")],
            ] {
                is_armed(&told, &knock(&bridge, &row, NOBODYS, headers).await, https);
            }
            for method in [Method::HEAD, Method::OPTIONS, Method::PUT] {
                let row = Row { method, ..row.clone() };
                is_armed(&told, &knock(&bridge, &row, NOBODYS, &[]).await, https);
            }
        }
        let big = "x".repeat(300_000);
        for (what, method, path, body) in [
            ("nothing there", Method::GET, "/nowhere", ""),
            ("nothing there", Method::POST, "/api/v2/events", "{}"),
            ("a broken body", Method::POST, "/api/create-calendar-event", "{"),
            ("too much", Method::POST, "/api/create-calendar-event", big.as_str()),
            ("an unknown form", Method::POST, "/google-calendar-setup/session", "%%%"),
            ("a false callback", Method::GET, "/oauth2callback?state=a&state=b", ""),
        ] {
            let json = ("content-type", "application/json");
            is_armed(what, &bridge.send_raw(method, path, body, &[json]).await, https);
        }
    }
}

async fn from_page(bridge: &Bridge, row: &Row, origin: &str, asks: bool) -> Answer {
    if !asks {
        return knock(bridge, row, NOBODYS, &[("origin", origin)]).await;
    }
    let request = Request::builder()
        .method(Method::OPTIONS)
        .uri(path(row, NOBODYS))
        .header(header::HOST, "localhost:3001")
        .header(header::ORIGIN, origin)
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, row.method.as_str())
        .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization,content-type");
    bridge.send(request.body(Body::empty()).expect("a request")).await
}

/// The headers that a page of another site may read of this answer.
fn exposed(answer: &Answer) -> Vec<&str> {
    let names = answer.header("access-control-expose-headers").split(',').map(str::trim);
    let mut names: Vec<_> = names.filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    names
}

/// Every header that the description of the API tells of, in lower case.
fn described() -> BTreeSet<String> {
    let document = openapi::document();
    let objects = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let mut names = BTreeSet::new();
    for (_, path) in objects(&document["paths"]) {
        for (_, operation) in objects(&path) {
            for (_, response) in objects(&operation["responses"]) {
                let headers = objects(&response["headers"]);
                names.extend(headers.keys().map(|name| name.to_lowercase()));
            }
        }
    }
    names
}

#[test]
fn every_header_that_is_told_of_can_be_read_by_pages_of_named_sites() {
    let described = described();
    assert!(described.len() >= 8, "{described:?}");
    let hidden: Vec<_> = described.iter().filter(|name| !SHOWN.contains(&name.as_str())).collect();
    assert_eq!(hidden, [""; 0]);
}

#[tokio::test]
async fn pages_of_named_sites_may_call_what_takes_a_bearer_and_nothing_else() {
    let settings = format!(
        "[limits]\nrefusals = 1000000\n[cors]\norigins = \"{APP}/, http://localhost:5173\""
    );
    let bridge = Bridge::with(Choices { settings, ..Choices::default() }).await;
    for row in rows() {
        let told = format!("{} {}", row.method, row.path);
        let is_open = row.path.starts_with("/api/") && row.takes_bearer() && row.face != Face::Page;
        for origin in [APP, "http://localhost:5173"] {
            let asked = from_page(&bridge, &row, origin, true).await;
            let sent = from_page(&bridge, &row, origin, false).await;
            let allowed = if is_open { origin } else { "" };
            assert_eq!(asked.header("access-control-allow-origin"), allowed, "{told}");
            assert_eq!(sent.header("access-control-allow-origin"), allowed, "{told}");
            if is_open {
                assert_eq!(asked.status, 200, "{told}");
                let methods = asked.header("access-control-allow-methods");
                assert!(
                    methods.split(',').any(|method| method == row.method.as_str()),
                    "{told}: {methods}"
                );
                let headers = asked.header("access-control-allow-headers");
                assert!(
                    headers.contains("authorization") && headers.contains("idempotency-key"),
                    "{headers}"
                );
                assert_eq!(exposed(&sent), SHOWN, "{told}");
                assert_eq!(exposed(&asked), [""; 0], "{told}: only answers show headers");
                assert!(sent.header("vary").contains("origin"), "{told}");
            } else {
                assert_eq!(asked.status, 405, "{told}");
            }
        }
        for stranger in [
            "https://app.example.com:8443",
            "http://app.example.com",
            "https://app.example.com.evil.example",
            "https://evil-app.example.com",
            "https://example.com",
            "http://localhost:3001",
            "null",
        ] {
            for asks in [true, false] {
                let answer = from_page(&bridge, &row, stranger, asks).await;
                assert_eq!(answer.header("access-control-allow-origin"), "", "{told}: {stranger}");
            }
        }
        let asked = from_page(&bridge, &row, APP, true).await;
        assert_eq!(asked.header("access-control-allow-credentials"), "", "{told}");
    }
}

#[tokio::test]
async fn no_other_site_is_named_by_default() {
    let bridge = Bridge::start().await;
    for row in rows() {
        let asked = from_page(&bridge, &row, APP, true).await;
        assert_eq!(
            (asked.status, asked.header("access-control-allow-origin")),
            (405, ""),
            "{} {}",
            row.method,
            row.path
        );
    }
}
