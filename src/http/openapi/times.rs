//! Times as callers write them: what of their rules a pattern can say.

use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

const DAY: &str = "(19[7-9]\\d|20\\d\\d)-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])";
const TIME: &str = "[Tt]([01]\\d|2[0-3]):[0-5]\\d(:[0-5]\\d(\\.\\d{1,9})?)?";
const OFFSET: &str = "([Zz]|[+-]([01]\\d|2[0-3])(:?[0-5]\\d)?)?";
const LINE: &str = "^\\s*([Rr][Rr][Uu][Ll][Ee]|[Rr][Dd][Aa][Tt][Ee]|[Ee][Xx][Dd][Aa][Tt][Ee])[:;]";

/// A day, or a date with a time.
pub struct Time;

/// A date with a time.
pub struct Moment;

/// A time zone.
pub struct Zone;

/// A line of what makes a series.
pub struct Line;

impl PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        let told = "A day, or a date with a time and with `Z`, an offset, or a time zone beside it (ISO 8601).";
        text(&format!("^{DAY}({TIME}{OFFSET})?$"), told).into()
    }
}

impl PartialSchema for Moment {
    fn schema() -> RefOr<Schema> {
        let told =
            "A date with a time and with `Z`, an offset, or a time zone beside it (ISO 8601).";
        text(&format!("^{DAY}{TIME}{OFFSET}$"), told).into()
    }
}

impl PartialSchema for Zone {
    fn schema() -> RefOr<Schema> {
        text("^[A-Za-z0-9_+/-]{1,64}$", "A time zone, by its IANA name.").into()
    }
}

impl PartialSchema for Line {
    fn schema() -> RefOr<Schema> {
        let told =
            "`RRULE`, `RDATE` or `EXDATE`, as RFC 5545 has it: `RRULE:FREQ=WEEKLY;BYDAY=MO`.";
        text(LINE, told).max_length(Some(20_000)).into()
    }
}

impl ToSchema for Line {}
impl ToSchema for Time {}
impl ToSchema for Moment {}
impl ToSchema for Zone {}

fn text(pattern: &str, told: &str) -> ObjectBuilder {
    let text = ObjectBuilder::new().schema_type(Type::String);
    text.pattern(Some(pattern)).description(Some(told))
}
