//! The headers of answers.

use serde_json::{Map, Value, json};

use crate::http::policy::row::Class;

/// A header, and the component that tells of it.
type Named = (&'static str, &'static str);

/// Which headers an operation reads that are answered by others.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each stands for a header, and says all there is to say"
)]
pub struct Asks {
    key: bool,
    preference: bool,
    seen: bool,
    known: bool,
}

impl Asks {
    /// What this operation reads.
    pub fn of(operation: &Value) -> Self {
        let given = operation["parameters"].as_array();
        let reads = |name: &str| given.into_iter().flatten().any(|given| given["name"] == name);
        Self {
            key: reads("Idempotency-Key"),
            preference: reads("Prefer"),
            seen: reads("If-Match"),
            known: reads("If-None-Match"),
        }
    }

    /// What the answer of this status has when the operation did its work.
    pub fn answered(&self, status: &str) -> Vec<Named> {
        let mut names = Vec::new();
        if !matches!(status, "200" | "201" | "202" | "304") {
            return names;
        }
        if self.known {
            names.push(("ETag", "ETag"));
        }
        if self.seen {
            names.push(("ETag", "NewETag"));
        }
        if self.key {
            names.push(("Idempotent-Replayed", "Idempotent-Replayed"));
        }
        if self.preference {
            names.push(("Preference-Applied", "Preference-Applied"));
        }
        names
    }
}

/// What every answer of this status has.
pub fn of_every_answer(status: &str, class: Class) -> Vec<Named> {
    let mut names = vec![("X-Request-Id", "X-Request-Id")];
    // Who shows nothing that works is refused before anything is counted.
    if class != Class::Free && status != "401" {
        names.push(("RateLimit", "RateLimit"));
        names.push(("RateLimit-Policy", "RateLimit-Policy"));
    }
    if matches!(status, "429" | "503") {
        names.push(("Retry-After", "Retry-After"));
    }
    if status == "401" {
        names.push(("WWW-Authenticate", "WWW-Authenticate"));
    }
    names
}

/// Adds headers to those that a response has.
pub fn add(response: &mut Value, names: &[Named]) {
    let mut headers = match response.get_mut("headers").map(Value::take) {
        Some(Value::Object(headers)) => headers,
        _ => Map::new(),
    };
    for (name, component) in names {
        let link = json!({ "$ref": format!("#/components/headers/{component}") });
        headers.insert((*name).to_owned(), link);
    }
    response["headers"] = headers.into();
}

/// Every header that is told of once for many answers.
pub fn components() -> Value {
    let header = |required: bool, pattern: &str, told: &str| {
        json!({
            "description": told,
            "required": required,
            "schema": { "type": "string", "pattern": pattern },
        })
    };
    let tag = "^\"[^\"]+\"$";
    json!({
        "ETag": header(true, tag, "What the thing is known by as it stands."),
        "NewETag": header(false, tag, "What the thing is known by from now on. Of a dry run there is none."),
        "Idempotent-Replayed":
            header(false, "^true$", "The request was known already, by its `Idempotency-Key`."),
        "Preference-Applied": header(
            false, "^(respond-async|wait=\\d+)$", "Which of the caller's preferences was followed (RFC 7240)."),
        "RateLimit": header(
            true, "^\"[a-z-]+\";r=\\d+;t=\\d+$",
            "What is left of the allowance, and when there is more: `\"writes\";r=99;t=1`."),
        "RateLimit-Policy": header(
            true, "^\"[a-z-]+\";q=\\d+;w=\\d+$",
            "How many requests may come in how many seconds: `\"writes\";q=100;w=60`."),
        "Retry-After": {
            "description": "Seconds until another try makes sense.",
            "required": true,
            "schema": { "type": "integer", "minimum": 1 },
        },
        "RunRetryAfter": {
            "description": "Seconds until another try makes sense, where a run stands in the way.",
            "required": false,
            "schema": { "type": "integer", "minimum": 1 },
        },
        "WWW-Authenticate": header(true, "^Bearer", "How to be let in (RFC 6750)."),
        "X-Request-Id": header(true, "^[!-~]+$", "What the log knows the request by."),
    })
}
