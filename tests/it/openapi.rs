//! The document of the API, held to the routes there are, to itself, and to the one in `docs/`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use calbridge::http::openapi;
use serde_json::Value;

use crate::bridge::Bridge;

/// Every operation: its method and path, and what is said of it.
pub fn operations(document: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            found.push((format!("{} {path}", method.to_uppercase()), operation.clone()));
        }
    }
    found
}

#[test]
fn every_route_under_api_has_its_operation_and_every_operation_its_route() {
    let document = openapi::document();
    let routes = openapi::rows();
    let routes: BTreeSet<String> =
        routes.iter().map(|row| format!("{} {}", row.method, row.path)).collect();
    let told: BTreeSet<String> = operations(&document).into_iter().map(|(name, _)| name).collect();
    let silent: Vec<_> = routes.difference(&told).collect();
    assert!(silent.is_empty(), "no operation in http/openapi/operations.rs for {silent:?}");
    let astray: Vec<_> = told.difference(&routes).collect();
    assert!(astray.is_empty(), "no row in http/policy.rs for {astray:?}");
}

#[test]
fn the_document_beside_the_sources_is_the_one_of_the_code() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let kept = std::fs::read_to_string(kept).unwrap_or_default();
    assert!(
        kept == openapi::written(),
        "docs/openapi.json is not what the code says; write it anew: \
         cargo run --release -- openapi > docs/openapi.json"
    );
}

/// Of two bodies of one name the document tells only one, for both.
#[test]
fn no_two_bodies_have_one_name() {
    let mut named: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("src/ can be listed") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            for name in schemas(&std::fs::read_to_string(&path).expect("it can be read")) {
                if let Some(other) = named.insert(name.clone(), path.clone()) {
                    panic!("{} and {} both have a body {name}", other.display(), path.display());
                }
            }
        }
    }
    assert!(named.len() > 50, "{named:?}");
}

/// The names of what derives `ToSchema` in a source: its own, or what `#[schema(as = ..)]` says.
fn schemas(source: &str) -> Vec<String> {
    let items = source.split("#[derive(").skip(1);
    let items =
        items.filter(|item| item.split(')').next().unwrap_or_default().contains("ToSchema"));
    let word_at = |text: &str| text.chars().take_while(|c| c.is_alphanumeric()).collect();
    items
        .map(|item| {
            let (said, own) = ["struct ", "enum "]
                .iter()
                .filter_map(|kind| item.split_once(kind))
                .min_by_key(|(said, _)| said.len())
                .expect("a body has a name");
            said.split_once("schema(as = ").map_or_else(|| word_at(own), |(_, name)| word_at(name))
        })
        .collect()
}

#[test]
fn every_operation_has_a_name_of_its_own_a_summary_and_a_place_among_others() {
    let document = openapi::document();
    let mut names = BTreeSet::new();
    for (route, operation) in operations(&document) {
        let name = operation["operationId"].as_str().expect("a name").to_owned();
        assert!(names.insert(name.clone()), "{route}: `{name}` is another's");
        let summary = operation["summary"].as_str().unwrap_or_default();
        assert!(summary.len() > 5 && !summary.contains('`'), "{route}: {summary:?}");
        assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{route}");
        assert!(operation.get("x-codes").is_none(), "{route}");
    }
}

#[test]
fn whatever_the_document_refers_to_is_in_it() {
    let document = openapi::document();
    let mut open = vec![&document];
    let mut links = 0;
    while let Some(value) = open.pop() {
        match value {
            Value::Object(members) => {
                if let Some(link) = members.get("$ref").and_then(Value::as_str) {
                    let pointer = link.strip_prefix('#').expect("it is in the document");
                    assert!(document.pointer(pointer).is_some(), "{link} leads nowhere");
                    links += 1;
                }
                open.extend(members.values());
            }
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
    assert!(links > 100, "{links}");
}

/// A text of the caller's own, whatever its name says.
const FREE_TEXTS: [&str; 2] = ["NewLink/state", "NewReconnect/state"];

#[test]
fn members_of_few_words_tell_which() {
    let document = openapi::document();
    let mut open: Vec<(String, &Value)> = Vec::new();
    for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
        open.push((name.clone(), schema));
    }
    let mut found = BTreeSet::new();
    while let Some((name, schema)) = open.pop() {
        for part in ["allOf", "anyOf", "oneOf"] {
            let parts = schema[part].as_array().into_iter().flatten();
            open.extend(parts.map(|part| (name.clone(), part)));
        }
        let texts = schema["properties"].as_object().into_iter().flatten();
        for (member, text) in texts.filter(|(_, text)| {
            let types = &text["type"];
            types == "string" || types[0] == "string"
        }) {
            let place = format!("{name}/{member}");
            let few = ["state", "notify", "visibility", "transparency", "priority", "completion"]
                .contains(&member.as_str());
            if few && !FREE_TEXTS.contains(&place.as_str()) {
                assert!(text["enum"].is_array(), "{place}: {text}");
                found.insert(place);
            }
        }
    }
    for place in ["MeetBody/state", "ItemBody/state", "DeliveryBody/state"] {
        assert!(found.contains(place), "{place} is not in {found:?}");
    }
}

#[tokio::test]
async fn the_daemon_serves_the_document_to_anybody() {
    let bridge = Bridge::start().await;
    let answer = bridge.get("/api/openapi.json").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    assert_eq!(answer.json()["openapi"], "3.1.0");
    assert_eq!(answer.text, openapi::written());
}
