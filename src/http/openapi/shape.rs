//! Shapes that many bodies share.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaFormat, Type};
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

/// Google's id of a calendar.
pub struct Calendar;

impl PartialSchema for Calendar {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String);
        text.pattern(Some("^[^\\u0000-\\u001f\\u007f-\\u009f]{1,254}$"))
            .description(Some("Google's id of a calendar."))
            .into()
    }
}

impl ToSchema for Calendar {}

/// An e-mail address.
pub struct Email;

impl PartialSchema for Email {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String);
        let format = SchemaFormat::Custom("email".to_owned());
        text.format(Some(format))
            .max_length(Some(320))
            .description(Some("An e-mail address."))
            .into()
    }
}

impl ToSchema for Email {}

/// Where a schema tells what each word of its `enum` means, as other documents do.
pub const DESCRIPTIONS: &str = "x-enum-descriptions";

/// A text.
pub fn text() -> Object {
    ObjectBuilder::new().schema_type(Type::String).build()
}

/// The codes of problems, each with what it means and what to do next. Not as choices that carry a text
/// each: generators of clients would make a type of each.
pub fn codes(codes: &BTreeSet<Code>) -> Value {
    let told =
        |code: &Code| format!("{}: {} {}", code.status().as_u16(), code.meaning(), code.advice());
    json!({
        "type": "string",
        "description": "What happened, in a word that stays.",
        "enum": codes.iter().map(|code| code.as_str()).collect::<Vec<_>>(),
        DESCRIPTIONS: codes.iter().map(told).collect::<Vec<_>>(),
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
