//! `/api/openapi.json`, and the same for people at `/api/docs`: a page without scripts, made here
//! from the document alone.

use std::fmt::Write as _;
use std::sync::LazyLock;

use askama::Template;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use pulldown_cmark::{Parser, html};
use serde_json::{Map, Value};

use super::openapi::{self, DESCRIPTIONS};

/// What a program is told.
static WRITTEN: LazyLock<String> = LazyLock::new(openapi::written);
/// What a person is shown.
static SHOWN: LazyLock<String> = LazyLock::new(|| {
    let page = Page::of(&openapi::document());
    page.render().expect("a page of plain texts can be rendered")
});
/// Where schemas stand in the document.
const SCHEMAS: &str = "#/components/schemas/";

/// The page.
#[derive(Template)]
#[template(path = "docs.html")]
struct Page {
    version: String,
    description: String,
    groups: Vec<Group>,
    shapes: Vec<Shape>,
    codes: Vec<(String, String)>,
}

/// What belongs to one noun.
struct Group {
    name: String,
    operations: Vec<Operation>,
}

struct Operation {
    id: String,
    method: String,
    path: String,
    summary: String,
    description: String,
    /// Who may call it.
    callers: Vec<String>,
    parameters: Vec<Member>,
    /// What is sent, as a link to its shape.
    body: Option<String>,
    answers: Vec<Answer>,
}

struct Answer {
    status: String,
    description: String,
    body: Option<String>,
}

/// A schema with a name.
struct Shape {
    name: String,
    description: String,
    members: Vec<Member>,
}

/// A member of a schema, or a parameter.
struct Member {
    name: String,
    kind: String,
    place: String,
    required: bool,
    description: String,
}

/// `GET /api/openapi.json`: the document of this API.
#[utoipa::path(
    get,
    path = "/api/openapi.json",
    operation_id = "show_document",
    tag = "Health",
    responses((status = 200, description = "The document.", body = Object))
)]
pub async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], WRITTEN.as_str()).into_response()
}

/// `GET /api/docs`: this document as a page for people.
#[utoipa::path(
    get,
    path = "/api/docs",
    operation_id = "show_page",
    tag = "Health",
    responses((status = 200, description = "The page.", body = String, content_type = "text/html"))
)]
pub async fn page() -> Html<&'static str> {
    Html(SHOWN.as_str())
}

impl Page {
    fn of(document: &Value) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        for (path, methods) in members(&document["paths"]) {
            for (method, told) in members(methods) {
                let name = text(&told["tags"][0]);
                let operation = Operation::of(document, method, path, told);
                match groups.iter_mut().find(|group| group.name == name) {
                    Some(group) => group.operations.push(operation),
                    None => groups.push(Group { name, operations: vec![operation] }),
                }
            }
        }
        groups.sort_by(|a, b| a.name.cmp(&b.name));
        let schemas = &document["components"]["schemas"];
        let codes = &schemas["Problem"]["properties"]["code"];
        Self {
            version: text(&document["info"]["version"]),
            description: rich(&document["info"]["description"]),
            groups,
            shapes: members(schemas).map(|(name, schema)| Shape::of(name, schema)).collect(),
            codes: list(&codes["enum"])
                .zip(list(&codes[DESCRIPTIONS]))
                .map(|(code, told)| (text(code), text(told)))
                .collect(),
        }
    }
}

impl Operation {
    fn of(document: &Value, method: &str, path: &str, told: &Value) -> Self {
        let ways = list(&told["security"]).filter_map(Value::as_object);
        let callers = ways.filter_map(|way| way.iter().next()).map(|(scheme, scopes)| {
            match (scheme.as_str(), &scopes[0]) {
                ("user_token", _) => "a user".to_owned(),
                (_, scope) => text(scope),
            }
        });
        let mut callers: Vec<String> = callers.collect();
        callers.dedup();
        Self {
            id: text(&told["operationId"]),
            method: method.to_uppercase(),
            path: path.to_owned(),
            summary: text(&told["summary"]),
            description: rich(&told["description"]),
            callers,
            parameters: list(&told["parameters"]).map(Member::of_parameter).collect(),
            body: content(&told["requestBody"]["content"]),
            answers: members(&told["responses"])
                .map(|(status, answer)| (status, followed(document, answer)))
                .map(|(status, answer)| Answer {
                    status: status.to_owned(),
                    description: rich(&answer["description"]),
                    body: content(&answer["content"]),
                })
                .collect(),
        }
    }
}

impl Shape {
    fn of(name: &str, schema: &Value) -> Self {
        let mut found = Vec::new();
        let parts = list(&schema["allOf"]).chain([schema]);
        for part in parts {
            let required: Vec<&str> = list(&part["required"]).filter_map(Value::as_str).collect();
            for (name, member) in members(&part["properties"]) {
                found.push(Member {
                    name: name.to_owned(),
                    kind: kind(member),
                    place: String::new(),
                    required: required.contains(&name),
                    description: rich(&member["description"]),
                });
            }
        }
        if found.is_empty() {
            let (name, place) = (String::new(), String::new());
            let description = String::new();
            found.push(Member { name, kind: kind(schema), place, required: false, description });
        }
        let description = rich(&schema["description"]);
        Self { name: name.to_owned(), description, members: found }
    }
}

impl Member {
    fn of_parameter(given: &Value) -> Self {
        Self {
            name: text(&given["name"]),
            kind: kind(&given["schema"]),
            place: text(&given["in"]),
            required: given["required"] == true,
            description: rich(&given["description"]),
        }
    }
}

/// What is linked to, if it is a link.
fn followed<'a>(document: &'a Value, told: &'a Value) -> &'a Value {
    let link = told["$ref"].as_str().and_then(|link| link.strip_prefix('#'));
    link.and_then(|pointer| document.pointer(pointer)).unwrap_or(told)
}

/// What a body looks like.
fn content(content: &Value) -> Option<String> {
    let (media, told) = members(content).next()?;
    let schema = &told["schema"];
    let shape = match list(&schema["allOf"]).next() {
        Some(first) if first.get("$ref").is_some() => kind(first),
        _ => kind(schema),
    };
    let known = ["application/json", "application/problem+json"].contains(&media);
    Some(if known { shape } else { format!("{shape} ({})", escaped(media)) })
}

/// A schema in a few words, as HTML.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|link| link.strip_prefix(SCHEMAS)) {
        let name = escaped(name);
        return format!("<a href=\"#shape-{name}\">{name}</a>");
    }
    if schema.get(DESCRIPTIONS).is_some() {
        return "one of the codes below".to_owned();
    }
    for choice in ["oneOf", "anyOf"] {
        let kinds: Vec<String> = list(&schema[choice]).map(kind).collect();
        if !kinds.is_empty() {
            return kinds.join(" or ");
        }
    }
    if !schema["enum"].is_null() {
        let words = list(&schema["enum"]).map(|word| escaped(&text(word)));
        return words.map(|word| format!("<code>{word}</code>")).collect::<Vec<_>>().join(" · ");
    }
    let types: Vec<String> = match &schema["type"] {
        Value::Array(types) => types.iter().map(text).collect(),
        one => vec![text(one)],
    };
    let named = types.iter().map(|name| match name.as_str() {
        "array" => format!("list of {}", kind(&schema["items"])),
        "object" if schema["additionalProperties"].is_object() => {
            format!("object of {}", kind(&schema["additionalProperties"]))
        }
        "" => "anything".to_owned(),
        name => name.to_owned(),
    });
    named.collect::<Vec<_>>().join(" or ") + &bounds(schema)
}

/// What a value must keep to, as HTML.
fn bounds(schema: &Value) -> String {
    let mut told = String::new();
    if let Some(format) = schema["format"].as_str().filter(|format| !format.starts_with("int")) {
        let _ = write!(told, ", {}", escaped(format));
    }
    for (least, most, unit) in [
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " items"),
        ("minimum", "maximum", ""),
    ] {
        let _ = match (&schema[least], &schema[most]) {
            (Value::Null, Value::Null) => Ok(()),
            (least, Value::Null) => write!(told, ", at least {least}{unit}"),
            (Value::Null, most) => write!(told, ", at most {most}{unit}"),
            (least, most) => write!(told, ", {least} to {most}{unit}"),
        };
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        let _ = write!(told, ", <code>{}</code>", escaped(pattern));
    }
    told
}

/// Markdown as HTML.
fn rich(written: &Value) -> String {
    let mut made = String::new();
    html::push_html(&mut made, Parser::new(written.as_str().unwrap_or_default()));
    made
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter).map(|(name, value)| (name.as_str(), value))
}
