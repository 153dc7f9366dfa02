//! The control surface, as its own `OpenAPI` document describes it.

use std::collections::BTreeSet;

use axum::http::Method;
use calbridge::simulator::FaultKind;
use serde_json::{Value, json};

use super::{PRIMARY, Reply, World, tea};

impl World {
    async fn control(&self, path: &str, body: Value, headers: &[(&str, &str)]) -> Reply {
        self.send(Method::POST, path, headers, body.to_string()).await.unwrap()
    }
}

#[tokio::test]
async fn the_document_names_every_fault_and_every_path_answers() {
    let world = World::new().await;
    let document = world.get("/simulator/openapi.json").await;
    assert_eq!(document.header("content-type"), "application/json");
    let document = document.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let names = &document["components"]["schemas"]["Fault"]["properties"]["fault"]["enum"];
    let documented: BTreeSet<&str> =
        names.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let known: BTreeSet<&str> = FaultKind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(documented, known);
    // Google's own 404 and 405 are pages; a path of the control surface never shows one.
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in ["get", "post", "delete", "put", "patch"] {
            let verb = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let reply = world.send(verb, path, &[], String::new()).await.unwrap();
            let there = !reply.text.contains("Error 404");
            assert_eq!(there, item.get(method).is_some(), "{method} {path}: {}", reply.text);
        }
    }
    let members = document["components"]["schemas"]["Fault"]["properties"].as_object().unwrap();
    let unknown =
        world.control("/simulator/faults", json!({"fault": "slow", "zzzzzzzz": 1}), &[]).await;
    let known = unknown.json()["next"].as_str().unwrap().to_owned();
    for member in members.keys() {
        assert!(known.contains(member.as_str()), "{member} is documented and not known");
    }
    assert_eq!(known.matches(", ").count() + 1, members.len(), "{known}");
    world.end().await;
}

#[tokio::test]
async fn another_sites_page_may_not_press_buttons() {
    let world = World::new().await;
    let host = world.base.clone();
    let refused: [&[(&str, &str)]; 4] = [
        &[("origin", "https://elsewhere.example")],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site"), ("origin", &host)],
    ];
    for headers in refused {
        for path in ["/simulator/faults", "/simulator/reset", "/simulator/press"] {
            let reply = world.control(path, json!({"fault": "hang"}), headers).await;
            assert_eq!((reply.status, &reply.json()["field"]), (403, &json!("Origin")));
        }
    }
    let allowed: [&[(&str, &str)]; 3] =
        [&[], &[("origin", &host)], &[("sec-fetch-site", "same-origin"), ("origin", &host)]];
    for headers in allowed {
        let reply = world.control("/simulator/faults", json!({"fault": "hang"}), headers).await;
        assert_eq!(reply.status, 200);
    }
    world.end().await;
}

#[tokio::test]
async fn the_ledger_is_paged_filtered_and_counted() {
    let world = World::new().await;
    let (token, _) = world.connect().await;
    for _ in 0..3 {
        world.api(&token, Method::POST, PRIMARY, tea()).await;
    }
    world.simulator.add_fault(calbridge::simulator::Fault::status(503).times(1));
    world.api(&token, Method::GET, PRIMARY, Value::Null).await;
    let inserts = world.get("/simulator/ledger?method=calendar.events.*&limit=2").await.json();
    let entries = inserts["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    assert!(entries.iter().all(|entry| entry["method"] == super::INSERT));
    let after = &inserts["next_after"];
    assert_eq!(after, &entries[1]["number"]);
    let path = format!("/simulator/ledger?method=calendar.events.*&after={after}");
    let rest = world.get(&path).await.json();
    assert_eq!(rest["entries"].as_array().unwrap().len(), 2);
    assert_eq!(rest.get("next_after"), None);
    let bens = world.get("/simulator/ledger?user=ben@example.com").await.json();
    assert_eq!(bens["entries"], json!([]));
    let counters = &bens["counters"];
    assert_eq!(counters["by_method"]["calendar.events.insert"], 3);
    assert_eq!(counters["by_answer"]["503"], 1);
    assert_eq!(counters["by_fault"], json!({"status": 1}));
    let wrong = world.get("/simulator/ledger?metod=x").await;
    assert_eq!((wrong.status, &wrong.json()["next"]), (400, &json!("Did you mean method?")));
    assert_eq!(world.get("/simulator/ledger?after=x").await.status, 400);
    world.end().await;
}

#[tokio::test]
async fn a_dump_tells_everything_but_secrets() {
    let world = World::new().await;
    let (token, refresh) = world.connect().await;
    let event = world.api(&token, Method::POST, PRIMARY, tea()).await.json();
    let gone = world.api(&token, Method::POST, PRIMARY, tea()).await.json();
    let path = format!("{PRIMARY}/{}", gone["id"].as_str().unwrap());
    world.api(&token, Method::DELETE, &path, Value::Null).await;
    let dump = world.get("/simulator/dump").await;
    for secret in world.simulator.secrets() {
        assert!(!dump.text.contains(&secret), "a secret is in the dump");
    }
    assert!(!dump.text.contains(&token) && !dump.text.contains(&refresh));
    let dump = dump.json();
    assert_eq!(dump["clock"], json!({"now": "2026-03-27T12:00:00Z", "manual": true}));
    let calendar = &dump["calendars"][0];
    assert_eq!(calendar["owner"], "ana@example.com");
    assert_eq!(calendar["events"][0]["id"], event["id"]);
    assert_eq!(calendar["tombstones"][0]["id"], gone["id"]);
    assert_eq!(dump["tokens"]["ana@example.com"]["access"], 1);
    world.end().await;
}

#[tokio::test]
async fn page_tokens_can_be_made_to_expire() {
    let world = World::new().await;
    let (token, _) = world.connect().await;
    for _ in 0..2 {
        world.api(&token, Method::POST, PRIMARY, tea()).await;
    }
    let first =
        world.api(&token, Method::GET, &format!("{PRIMARY}?maxResults=1"), Value::Null).await;
    let next = first.json()["nextPageToken"].as_str().unwrap().to_owned();
    let path = format!("{PRIMARY}?maxResults=1&pageToken={next}");
    assert_eq!(world.api(&token, Method::GET, &path, Value::Null).await.status, 200);
    assert_eq!(
        world.control("/simulator/expire", json!({"page_tokens": true}), &[]).await.status,
        204
    );
    assert_eq!(world.api(&token, Method::GET, &path, Value::Null).await.status, 400);
    let wrong = world.control("/simulator/expire", json!({"page_token": true}), &[]).await;
    assert_eq!((wrong.status, &wrong.json()["next"]), (400, &json!("Did you mean page_tokens?")));
    world.end().await;
}

#[tokio::test]
async fn a_wrong_move_of_the_clock_is_explained() {
    let world = World::new().await;
    let wrong = [
        (json!({"advance": 5}), "advance"),
        (json!({"advance_secs": 5, "set": "2026-04-01T00:00:00Z"}), "(body)"),
        (json!({"advance_secs": i64::MAX / 1000}), "advance_secs"),
        (json!({"set": "tomorrow"}), "set"),
    ];
    for (body, field) in wrong {
        let reply = world.control("/simulator/clock", body, &[]).await;
        assert_eq!((reply.status, &reply.json()["field"]), (400, &json!(field)));
    }
    assert_eq!(world.get("/simulator/clock").await.json()["manual"], true);
    world.end().await;
}
