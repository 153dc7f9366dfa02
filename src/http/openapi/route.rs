//! What the policy table's row says of an operation: who may call it, how often, and how it is
//! refused.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::headers::{self, Asks};
use crate::http::policy::row::{Class, Face, Pass, Row};
use crate::http::problem::Code;

/// Where a handler's annotation names the codes that are its own.
const CODES: &str = "x-codes";
/// The type of every refusal.
const PROBLEM: &str = "application/problem+json";

/// Adds to `operation` what `row` says of it, and to `refusals` every answer that it shares with
/// others. Returns the codes of its problems.
pub fn told(operation: &mut Value, row: &Row, refusals: &mut Map<String, Value>) -> BTreeSet<Code> {
    let given = operation.get_mut("parameters").and_then(Value::as_array_mut);
    given.into_iter().flatten().for_each(|given| never_null(&mut given["schema"]));
    // A body that may be left out need not be null.
    if let Some(schema) = operation.pointer_mut("/requestBody/content/application~1json/schema") {
        never_null(schema);
    }
    let own = operation.as_object_mut().and_then(|members| members.remove(CODES));
    let own = own.as_ref().and_then(Value::as_array).into_iter().flatten();
    let mut codes: BTreeSet<Code> = own.filter_map(|name| code_named(name.as_str()?)).collect();
    codes.extend(codes_of(operation, row));
    let asks = Asks::of(operation);
    if let Some(responses) = operation["responses"].as_object_mut() {
        for (status, response) in &mut *responses {
            headers::add(response, &headers::of_every_answer(status, row.class));
            headers::add(response, &asks.answered(status));
        }
    }
    for (status, codes) in by_status(&codes, row) {
        let names: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
        let own = &mut operation["responses"][status.to_string()];
        if own.get("content").is_some() {
            // The handler's own answer of that status has another type.
            let refusal = problem(status, &codes, row.class);
            own["content"][PROBLEM] = refusal["content"][PROBLEM].clone();
            continue;
        }
        let name = format!("{status}.{}", names.join("."));
        *own = json!({ "$ref": format!("#/components/responses/{name}") });
        refusals.entry(name).or_insert_with(|| problem(status, &codes, row.class));
    }
    operation["summary"] = summary(operation).into();
    operation["security"] = security(row);
    codes
}

/// Nothing in a path, a query or a header is null: it is there, or is not.
fn never_null(schema: &mut Value) {
    if let Some(types) = schema.get_mut("type").and_then(Value::as_array_mut) {
        types.retain(|name| name != "null");
        if let [one] = &mut types[..] {
            schema["type"] = one.take();
        }
    }
    if let Some(choices) = schema.get_mut("oneOf").and_then(Value::as_array_mut) {
        choices.retain(|choice| choice["type"] != "null");
        if let [one] = &mut choices[..] {
            *schema = one.take();
        }
    }
}

fn code_named(name: &str) -> Option<Code> {
    Code::ALL.into_iter().find(|code| code.as_str() == name)
}

/// The codes that follow from the row, and from what the operation takes.
fn codes_of(operation: &Value, row: &Row) -> Vec<Code> {
    let mut codes = Vec::new();
    if row.class != Class::Free {
        codes.extend([Code::TooManyRequests, Code::StoreUnavailable, Code::Internal]);
    }
    if row.takes_bearer() {
        codes.extend([Code::NoApiKey, Code::UnknownApiKey, Code::ScopeMissing]);
        // Who shows a user's token is told what is wrong with it, wherever it is shown.
        codes.extend([Code::TokenRefused, Code::IssuerKeysUnavailable]);
    }
    if row.class != Class::Free && row.method != Method::GET {
        codes.extend([Code::Frozen, Code::DiskFull]);
    }
    if row.lets(Pass::User) {
        codes.push(Code::NotForUsers);
    }
    let body = operation.get("requestBody");
    if body.is_some_and(|body| body["content"].get("application/json").is_some()) {
        codes.extend([Code::MalformedJson, Code::BodyUnreadable, Code::BodyTooLarge]);
        codes.extend([Code::NotJson, Code::Invalid]);
    }
    let parameters = operation["parameters"].as_array();
    let has = |member, value| parameters.into_iter().flatten().any(|given| given[member] == value);
    if has("name", "Idempotency-Key") {
        codes.extend([Code::BadIdempotencyKey, Code::IdempotencyKeyReused]);
    }
    if has("name", "If-Match") {
        codes.push(Code::PreconditionFailed);
    }
    if has("in", "path") {
        codes.push(Code::NotFound);
    }
    if has("in", "query") && row.class != Class::Free {
        codes.push(Code::Invalid);
    }
    codes
}

/// On the classic route, a broken rule is a bad request.
fn by_status(codes: &BTreeSet<Code>, row: &Row) -> BTreeMap<u16, Vec<Code>> {
    let mut found: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in codes {
        let status = match code.status().as_u16() {
            422 if row.face == Face::Classic && *code == Code::Invalid => 400,
            status => status,
        };
        found.entry(status).or_default().push(*code);
    }
    found
}

fn problem(status: u16, codes: &[Code], class: Class) -> Value {
    let meanings: Vec<String> =
        codes.iter().map(|code| format!("`{}`: {}", code.as_str(), code.meaning())).collect();
    let waits_for_a_run = codes.contains(&Code::JobRunning);
    let codes: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
    let mut problem = json!({
        "description": meanings.join("\n"),
        "content": { PROBLEM: { "schema": {
            "allOf": [{ "$ref": "#/components/schemas/Problem" }],
            "properties": { "code": { "enum": codes }, "status": { "const": status } },
        } } },
    });
    headers::add(&mut problem, &headers::of_every_answer(&status.to_string(), class));
    if waits_for_a_run {
        headers::add(&mut problem, &[("Retry-After", "RunRetryAfter")]);
    }
    problem
}

/// A handler's first line opens with its method and path, which the document has elsewhere.
fn summary(operation: &Value) -> String {
    let line = operation["summary"].as_str().unwrap_or_default();
    let told = match line.strip_prefix('`').and_then(|rest| rest.split_once('`')) {
        Some((_, rest)) => rest.trim_start_matches([':', '.', ' ']),
        None => line,
    };
    let told = told.trim_end_matches('.');
    let mut letters = told.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn security(row: &Row) -> Value {
    let mut ways = Vec::new();
    for pass in row.may {
        match pass {
            Pass::Key(scope) => {
                ways.push(json!({ "api_key": [scope.as_str()] }));
                ways.push(json!({ "api_key_header": [scope.as_str()] }));
            }
            Pass::User => ways.push(json!({ "user_token": [] })),
            Pass::Anybody => ways.push(json!({})),
            Pass::Administrator | Pass::Console => {}
        }
    }
    ways.into()
}

/// How callers show who they are.
pub fn security_schemes() -> Value {
    json!({
        "api_key": {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key, `cb_…`. What it must be allowed to do stands with each operation.",
        },
        "api_key_header": {
            "type": "apiKey",
            "in": "header",
            "name": "X-API-Key",
            "description": "The same key in a header of its own.",
        },
        "user_token": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A token of the calling application, whose `sub` is the user.",
        },
    })
}
