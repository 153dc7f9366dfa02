//! The API's document (OpenAPI 3.1): what the handlers say of themselves, and what the policy table
//! says of their routes. Nobody writes any of it twice.
//!
//! How a handler is annotated is in docs/decisions/0027-openapi.md.

mod headers;
mod operations;
mod route;
mod shape;
mod times;
pub mod words;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use super::policy;
use super::policy::row::Row;
use super::problem::Code;
use operations::Operations;
pub use shape::{Calendar, DESCRIPTIONS, Email, Id, User, header, text};
pub use times::{Line, Moment, Time, Zone};
pub use words::word;

/// What every path of the document begins with.
const ROOT: &str = "/api/";

/// The document.
pub fn document() -> Value {
    let mut document = serde_json::to_value(Operations::openapi()).expect("it is JSON");
    document["info"] = info();
    document["servers"] = json!([{ "url": "/" }]);
    let mut refusals = Map::new();
    let mut codes = BTreeSet::from([Code::NoSuchRoute, Code::MethodNotAllowed]);
    for row in rows() {
        let method = row.method.as_str().to_ascii_lowercase();
        let path = document["paths"].get_mut(row.path);
        if let Some(operation) = path.and_then(|methods| methods.get_mut(method)) {
            codes.extend(route::told(operation, &row, &mut refusals));
        }
    }
    let components = &mut document["components"];
    components["schemas"]["Problem"]["properties"]["code"] = shape::codes(&codes);
    components["responses"] = refusals.into();
    components["headers"] = headers::components();
    components["securitySchemes"] = route::security_schemes();
    document
}

/// The document as it is kept beside the sources.
pub fn written() -> String {
    let text = serde_json::to_string_pretty(&document()).expect("it is JSON");
    format!("{text}\n")
}

/// The rows that the document tells of.
pub fn rows() -> Vec<Row> {
    policy::public().rows().filter(|row| row.path.starts_with(ROOT)).cloned().collect()
}

fn info() -> Value {
    json!({
        "title": "calbridge",
        "version": env!("CARGO_PKG_VERSION"),
        "license": { "name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE") },
        "description": include_str!("description.md"),
    })
}
