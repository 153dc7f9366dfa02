//! What a caller is told who did not get what was asked for: each code that the document knows is
//! met in a test, and says what happened and what to do.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use calbridge::http::openapi;
use calbridge::model::key::Scope;
use calbridge::simulator::{Fault, FaultKind};
use http_body_util::BodyExt;
use hyper::body::{Bytes, Frame};
use hyper::{Method, header};
use serde_json::{Value, json};

use crate::bridge::{Answer, Bridge, with};

const EVENTS: &str = "/api/v1/events";
/// Where each code is met.
const MET: &[(&str, &str)] = &[
    ("backlog_full", "backlog.rs"),
    ("bad_credentials", "client_rotation.rs"),
    ("bad_idempotency_key", "classic.rs"),
    ("body_too_large", "classic.rs"),
    ("body_unreadable", "problems.rs"),
    ("client_changed", "client_rotation.rs"),
    ("conflict", "availability.rs"),
    ("connection_blocked", "connections/health.rs"),
    ("delegation", "service_account.rs"),
    ("disk_full", "disk.rs"),
    ("frozen", "incident.rs"),
    ("google", "problems.rs"),
    ("idempotency_key_reused", "classic.rs"),
    ("internal", "rewrap/swapped.rs"),
    ("invalid", "problems.rs"),
    ("issuer_keys_unavailable", "jwt.rs"),
    ("job_running", "jobs.rs"),
    ("job_state", "jobs.rs"),
    ("mail_not_configured", "mail/trying.rs"),
    ("malformed_json", "classic.rs"),
    ("method_not_allowed", "classic.rs"),
    ("no_api_key", "classic.rs"),
    ("no_service_account", "service_account.rs"),
    ("no_such_route", "classic.rs"),
    ("not_configured", "connections.rs"),
    ("not_connected", "classic.rs"),
    ("not_for_users", "jwt.rs"),
    ("not_found", "classic.rs"),
    ("not_json", "classic.rs"),
    ("overtaken", "problems/rival.rs"),
    ("owner_backlog_full", "backlog.rs"),
    ("precondition_failed", "etags.rs"),
    ("redirect_uri", "client_rotation.rs"),
    ("scope_missing", "policy.rs"),
    ("store_unavailable", "effect.rs"),
    ("token_refused", "jwt/forged.rs"),
    ("too_large", "problems.rs"),
    ("too_many_requests", "classic.rs"),
    ("unknown_api_key", "classic.rs"),
    ("wrong_account", "service_account.rs"),
];

mod rival;

/// An event that could be taken in.
fn event() -> Value {
    json!({ "summary": "Tea", "start": "2026-11-30T14:00:00Z", "end": "2026-11-30T15:00:00Z" })
}

async fn post(bridge: &Bridge, body: &Value) -> Answer {
    bridge.send_json(Method::POST, EVENTS, body, &[]).await
}

/// The faults that an answer tells, as pointer and message.
fn faults(answer: &Answer) -> Vec<(String, String)> {
    let told = answer.json();
    assert_eq!((answer.status, &told["code"]), (422, &json!("invalid")), "{told}");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let faults = told["errors"].as_array().expect("a list").iter();
    faults.map(|fault| (text(&fault["pointer"]), text(&fault["message"]))).collect()
}

#[test]
fn every_code_of_the_document_is_met_in_a_test_and_says_what_to_do() {
    let document = openapi::document();
    let schema = &document["components"]["schemas"]["Problem"]["properties"]["code"];
    let texts = |member: &str| {
        let texts = schema[member].as_array().expect("a list").iter();
        texts.map(|text| text.as_str().expect("a text")).collect::<Vec<_>>()
    };
    let told: BTreeMap<&str, &str> =
        texts("enum").into_iter().zip(texts(openapi::DESCRIPTIONS)).collect();
    let met: BTreeMap<&str, &str> = MET.iter().copied().collect();
    let codes: BTreeSet<_> = told.keys().collect();
    assert_eq!(codes, met.keys().collect(), "codes of the document, and codes that a test meets");
    for (code, file) in met {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it").join(file);
        let text = std::fs::read_to_string(&file).expect("a test");
        let named = text.matches(&format!("\"{code}\"")).count();
        let listed = usize::from(file.ends_with("tests/it/problems.rs"));
        assert!(named > listed, "{code} is not met in {}", file.display());
        // A status, then what happened, then what to do.
        assert!(told[code].matches(['.', ':']).count() >= 3, "{code}: {}", told[code]);
    }
}

#[tokio::test]
async fn a_problem_names_the_cause_the_next_step_and_the_request() {
    let bridge = Bridge::start().await;
    let answer = bridge.get("/api/v1/events/00000000000000000000000000").await;
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let told = answer.json();
    assert_eq!((&told["status"], &told["code"]), (&json!(404), &json!("not_found")));
    assert_eq!(told["detail"], "there is no such event");
    assert!(told["advice"].as_str().is_some_and(|advice| advice.starts_with("Check the id")));
    assert_eq!(told["request_id"], answer.header("x-request-id"));
}

#[tokio::test]
async fn an_unknown_member_is_refused_with_the_nearest_name() {
    let bridge = Bridge::connected().await;
    let said = |pointer: &str, message: &str| vec![(pointer.to_owned(), message.to_owned())];
    let answer = post(&bridge, &with(event(), &json!({ "sumary": "Tea" }))).await;
    assert_eq!(faults(&answer), said("/sumary", "is not known here; did you mean `summary`?"));
    let conference = json!({ "conference": { "uri": "https://a.example/", "lable": "Us" } });
    let answer = post(&bridge, &with(event(), &conference)).await;
    let near = "is not known here; did you mean `label`?";
    assert_eq!(faults(&answer), said("/conference/lable", near));
    let guests =
        json!({ "guests": ["ben@example.com", { "email": "c@example.com", "optionl": true }] });
    let answer = post(&bridge, &with(event(), &guests)).await;
    let near = "is not known here; did you mean `optional`?";
    assert_eq!(faults(&answer), said("/guests/1/optionl", near));
    let answer = post(&bridge, &with(event(), &json!({ "a/b~c": 1 }))).await;
    assert_eq!(faults(&answer)[0].0, "/a~1b~0c");
    let admin = format!("Bearer {}", bridge.key_for(&[Scope::Admin]).await);
    let headers = [("authorization", admin.as_str())];
    let answer = bridge.send_raw(Method::GET, "/api/v1/jobs?stat=live", "", &headers).await;
    assert_eq!(faults(&answer), said("/stat", "is not known here; did you mean `state`?"));
    let answer = bridge.send_raw(Method::GET, "/api/v1/jobs?limit=some", "", &headers).await;
    assert_eq!(faults(&answer)[0].0, "/limit");
    assert_eq!(bridge.titles(crate::bridge::ANA), Vec::<String>::new());
}

#[tokio::test]
async fn a_list_is_not_taken_for_an_object_however_deep_it_lies() {
    let bridge = Bridge::connected().await;
    let listed = bridge.send_json(Method::POST, EVENTS, &json!(["Tea"]), &[]).await;
    let not_a_list = "invalid type: sequence, expected an object, `{…}`";
    assert_eq!(faults(&listed), [(String::new(), not_a_list.to_owned())]);
    for (members, pointer) in [
        (json!({ "conference": ["https://a.example/", "Us"] }), "/conference"),
        (
            json!({ "reminders": [{ "method": "popup", "minutes": 5 }, ["popup", 10]] }),
            "/reminders/1",
        ),
        (json!({ "guests": [["ben@example.com", true]] }), "/guests/0"),
    ] {
        let answer = post(&bridge, &with(event(), &members)).await;
        let told = faults(&answer);
        assert_eq!((told.len(), &*told[0].0), (1, pointer), "{}", answer.text);
        assert!(told[0].1.starts_with("invalid type: sequence, expected an "), "{}", told[0].1);
    }
    let batch =
        json!({ "events": [with(event(), &json!({ "conference": ["https://a.example/"] }))] });
    let answer = bridge.send_json(Method::POST, "/api/v1/events/batch", &batch, &[]).await.json();
    assert_eq!(answer["results"][0]["problem"]["errors"][0]["pointer"], "/conference", "{answer}");
    assert_eq!(bridge.titles(crate::bridge::ANA), Vec::<String>::new());
}

#[tokio::test]
async fn a_whole_number_may_be_written_with_a_fraction_of_nothing() {
    let bridge = Bridge::connected().await;
    let series = |limit: &str| {
        format!(
            r#"{{"start": "2026-11-30", "recurrence": ["RRULE:FREQ=DAILY"], "limit": {limit}}}"#
        )
    };
    let expand = async |limit: &str| {
        let headers = [("content-type", "application/json")];
        let path = "/api/v1/recurrence/expand";
        bridge.send_raw(Method::POST, path, &series(limit), &headers).await
    };
    let told = expand("2.0").await;
    assert_eq!(told.json()["data"].as_array().map(Vec::len), Some(2), "{}", told.text);
    for not_whole in ["2.5", "1e300", "-1.0", "\"2\""] {
        assert_eq!(faults(&expand(not_whole).await)[0].0, "/limit", "{not_whole}");
    }
}

#[tokio::test]
async fn a_parameter_of_the_query_that_nobody_knows_is_refused() {
    let bridge = Bridge::connected().await;
    let id = bridge.accept(&crate::bridge::tea()).await["id"].as_str().expect("an id").to_owned();
    let path = format!("{EVENTS}/{id}");
    let admin = format!("Bearer {}", bridge.key_for(&[Scope::Admin]).await);
    let headers = [("authorization", &*admin), ("content-type", "application/json")];
    let (post, get) = (Method::POST, Method::GET);
    for (method, path, wrong, near) in [
        (&post, EVENTS, "dryrun=true", "dry_run"),
        (&Method::PATCH, &*path, "rnage=this", "range"),
        (&Method::DELETE, &path, "dry-run=true", "dry_run"),
        (&get, &path, "instnce=2030-05-04", "instance"),
        (&get, EVENTS, "stat=pending", "state"),
        (&get, "/api/v1/tasks", "stat=open", "state"),
        (&get, "/api/v1/categories", "usr=ana", "user"),
    ] {
        let path = format!("{path}?{wrong}");
        let body = if *method == get { String::new() } else { event().to_string() };
        let told = faults(&bridge.send_raw(method.clone(), &path, &body, &headers).await);
        let name = wrong.split('=').next().expect("a name");
        let said = format!("is not known here; did you mean `{near}`?");
        assert_eq!(told, [(format!("/{name}"), said)], "{method} {path}");
    }
    let shown = bridge.get(&path).await.json();
    assert_eq!((&shown["state"], &shown["revision"]), (&json!("pending"), &json!(1)), "{shown}");
}

#[tokio::test]
async fn an_event_that_no_record_can_hold_is_too_large() {
    let bridge = Bridge::connected().await;
    let guests: Vec<String> =
        (0..200).map(|n| format!("{}{n}@{}.example", "a".repeat(50), "b".repeat(60))).collect();
    let long = json!({ "guests": guests, "description": "ö".repeat(8_000) });
    let answer = post(&bridge, &with(event(), &long)).await;
    assert_eq!((answer.status, &answer.json()["code"]), (422, &json!("too_large")));
}

#[tokio::test]
async fn a_read_that_google_fails_says_so() {
    let bridge = Bridge::connected().await;
    let admin = format!("Bearer {}", bridge.key_for(&[Scope::Admin]).await);
    let headers = [("authorization", admin.as_str())];
    let listed = bridge.send_raw(Method::GET, "/api/v1/connections", "", &headers).await.json();
    let path =
        format!("/api/v1/connections/{}/calendars", listed["data"][0]["id"].as_str().unwrap());
    bridge.fault(Fault::new(FaultKind::ServerError).times(1));
    let answer = bridge.send_raw(Method::GET, &path, "", &headers).await;
    assert_eq!((answer.status, &answer.json()["code"]), (502, &json!("google")));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_unreadable() {
    let bridge = Bridge::connected().await;
    let request =
        bridge.request(Method::POST, EVENTS).header(header::CONTENT_TYPE, "application/json");
    let body = Body::new(Broken.boxed());
    let answer = bridge.send(request.body(body).expect("a request")).await;
    assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("body_unreadable")));
}

/// A body that ends before its end.
struct Broken;

impl hyper::body::Body for Broken {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(Some(Err(std::io::ErrorKind::ConnectionReset.into())))
    }
}
