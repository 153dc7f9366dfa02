//! Shapes that many bodies share.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Required, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::http::problem::Code;

/// An id of ours.
pub struct Id;

impl PartialSchema for Id {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String);
        text.pattern(Some("^[0-9a-v]{25}[048cgkos]$"))
            .description(Some("An id of calbridge."))
            .into()
    }
}

impl ToSchema for Id {}

/// A user, in the calling application's own words.
pub struct User;

impl PartialSchema for User {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String);
        let told = "A user, in the calling application's own words.";
        text.pattern(Some("^[!-~]{1,128}$")).description(Some(told)).into()
    }
}

impl ToSchema for User {}

/// A text.
pub fn text() -> Object {
    ObjectBuilder::new().schema_type(Type::String).build()
}

/// The codes of problems, each with what it means and what to do next.
pub fn codes(codes: &BTreeSet<Code>) -> Value {
    let told = |code: &Code| {
        json!({
            "const": code.as_str(),
            "description": format!("{}: {} {}", code.status().as_u16(), code.meaning(), code.advice()),
        })
    };
    json!({
        "type": "string",
        "description": "What happened, in a word that stays.",
        "oneOf": codes.iter().map(told).collect::<Vec<_>>(),
    })
}

/// A header that a request may have.
pub fn header(name: &str, description: &str, value: Object) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(value))
        .build()
}
