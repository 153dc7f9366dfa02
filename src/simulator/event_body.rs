//! The body of an event: which members a caller may write, and what Google says to bad ones.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value, json};

use super::answer::Refusal;
use super::event::TRUE_BY_DEFAULT;
use super::event_kinds;
use super::recurrence::{BadRule, Recurrence, Start, moment};

const TEXTS: &[&str] = &[
    "summary",
    "description",
    "location",
    "colorId",
    "transparency",
    "visibility",
    "status",
    "eventType",
];
const SWITCHES: &[&str] =
    &["anyoneCanAddSelf", "guestsCanInviteOthers", "guestsCanModify", "guestsCanSeeOtherGuests"];
const STRUCTURES: &[&str] = &[
    "start",
    "end",
    "attachments",
    "attendees",
    "recurrence",
    "reminders",
    "extendedProperties",
    "source",
];
const ATTACHMENTS: usize = 25;

const PROPERTY_KEY: usize = 44;
const PROPERTY_VALUE: usize = 1024;
const PROPERTIES: usize = 300;
const PROPERTIES_SIZE: usize = 32 * 1024;

/// A body that passed.
#[derive(Clone, Debug)]
pub(super) struct Checked {
    pub(super) fields: Map<String, Value>,
    pub(super) starts: DateTime<Utc>,
    pub(super) ends: DateTime<Utc>,
    /// When it happens again.
    pub(super) series: Option<Arc<Recurrence>>,
}

/// `stored` with `body` merged in as a patch does: null removes, objects merge, all else replaces.
pub(super) fn merged(stored: &Map<String, Value>, body: &Map<String, Value>) -> Map<String, Value> {
    let mut fields = stored.clone();
    for (name, value) in body {
        let known =
            [TEXTS, SWITCHES, STRUCTURES].iter().any(|known| known.contains(&name.as_str()));
        if known || event_kinds::members().any(|member| member == name) {
            merge(&mut fields, name, value);
        }
    }
    fields
}

fn merge(target: &mut Map<String, Value>, name: &str, value: &Value) {
    match value {
        Value::Null => drop(target.remove(name)),
        Value::Object(members) => {
            let inner = target.entry(name.to_owned()).or_insert_with(|| json!({}));
            if !inner.is_object() {
                *inner = json!({});
            }
            if let Value::Object(inner) = inner {
                members.iter().for_each(|(name, value)| merge(inner, name, value));
            }
        }
        _ => drop(target.insert(name.to_owned(), value.clone())),
    }
}

/// Checks the whole of an event's writable members and brings them into the form Google keeps.
pub(super) fn checked(mut fields: Map<String, Value>, zone: Tz) -> Result<Checked, Refusal> {
    for name in TEXTS {
        if fields.get(*name).is_some_and(|value| !value.is_string()) {
            return Err(Refusal::bad("invalid", &format!("Invalid value for: {name}")));
        }
    }
    for name in SWITCHES {
        if fields.get(*name).is_some_and(|value| !value.is_boolean()) {
            return Err(Refusal::bad("invalid", &format!("Invalid value for: {name}")));
        }
    }
    one_of(&fields, "status", &["confirmed", "tentative", "cancelled"])?;
    one_of(&fields, "transparency", &["opaque", "transparent"])?;
    one_of(&fields, "visibility", &["default", "public", "private", "confidential"])?;
    one_of(&fields, "colorId", &["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"])?;
    fields.retain(|name, value| match name.as_str() {
        "transparency" => value != "opaque",
        "visibility" | "eventType" => value != "default",
        name => !(TRUE_BY_DEFAULT.contains(&name) && *value == true),
    });
    let recurring = is_recurring(&fields)?;
    let (starts, ends) = span(&mut fields, zone, recurring)?;
    let series = if recurring { Some(series(&fields)?) } else { None };
    attendees(&mut fields)?;
    attachments(&mut fields)?;
    source(&mut fields)?;
    reminders(&mut fields)?;
    extended_properties(&mut fields)?;
    Ok(Checked { fields, starts, ends, series })
}

fn one_of(fields: &Map<String, Value>, name: &str, allowed: &[&str]) -> Result<(), Refusal> {
    match fields.get(name).and_then(Value::as_str) {
        Some(value) if !allowed.contains(&value) => {
            Err(Refusal::bad("invalid", &format!("Invalid value for: {name}")))
        }
        _ => Ok(()),
    }
}

fn is_recurring(fields: &Map<String, Value>) -> Result<bool, Refusal> {
    match fields.get("recurrence") {
        None => Ok(false),
        Some(Value::Array(lines)) => Ok(!lines.is_empty()),
        Some(_) => Err(bad_rule()),
    }
}

fn bad_rule() -> Refusal {
    Refusal::bad("invalid", "Invalid recurrence rule.")
}

/// The series of a recurring event whose start is in its final form.
fn series(fields: &Map<String, Value>) -> Result<Arc<Recurrence>, Refusal> {
    let start = fields.get("start").and_then(series_start).ok_or_else(bad_rule)?;
    let lines = fields.get("recurrence").and_then(Value::as_array).ok_or_else(bad_rule)?;
    let lines: Option<Vec<&str>> = lines.iter().map(Value::as_str).collect();
    let series = Recurrence::read(lines.ok_or_else(bad_rule)?, start);
    series.map(Arc::new).map_err(|BadRule| bad_rule())
}

fn series_start(point: &Value) -> Option<Start> {
    if let Some(day) = point["date"].as_str() {
        return NaiveDate::parse_from_str(day, "%Y-%m-%d").ok().map(Start::Day);
    }
    let zone: Tz = point["timeZone"].as_str()?.parse().ok()?;
    let moment = DateTime::parse_from_rfc3339(point["dateTime"].as_str()?).ok()?;
    Some(Start::Wall(moment.with_timezone(&zone).naive_local(), zone))
}

enum Point {
    Day(NaiveDate),
    Moment(DateTime<Utc>),
}

fn span(
    fields: &mut Map<String, Value>,
    zone: Tz,
    recurring: bool,
) -> Result<(DateTime<Utc>, DateTime<Utc>), Refusal> {
    let end = point(fields, "end", zone, recurring)?;
    let start = point(fields, "start", zone, recurring)?;
    let (starts, ends, empty) = match (start, end) {
        (Point::Day(start), Point::Day(end)) => {
            (midnight(start, zone), midnight(end, zone), end <= start)
        }
        (Point::Moment(start), Point::Moment(end)) => (start, end, end < start),
        _ => {
            let message = "Start and end times must either both be date or both be dateTime.";
            return Err(Refusal::bad("invalid", message));
        }
    };
    if empty {
        let message = "The specified time range is empty.";
        return Err(Refusal::new(
            axum::http::StatusCode::BAD_REQUEST,
            "calendar",
            "timeRangeEmpty",
            message,
        ));
    }
    Ok((starts, ends))
}

/// Reads `start` or `end` and rewrites it as Google shows it: in the calendar's own offset, with a zone.
fn point(
    fields: &mut Map<String, Value>,
    name: &str,
    zone: Tz,
    recurring: bool,
) -> Result<Point, Refusal> {
    let invalid = || Refusal::bad("invalid", &format!("Invalid {name} time."));
    let Some(given) = fields.get(name) else {
        return Err(Refusal::bad("required", &format!("Missing {name} time.")));
    };
    let given = given.as_object().ok_or_else(invalid)?;
    let own_zone = match given.get("timeZone") {
        None | Some(Value::Null) => None,
        Some(text) => {
            Some(text.as_str().and_then(|text| text.parse::<Tz>().ok()).ok_or_else(|| {
                Refusal::bad("invalid", &format!("Invalid time zone definition for {name} time."))
            })?)
        }
    };
    let zone_missing =
        || Refusal::bad("required", &format!("Missing time zone definition for {name} time."));
    match (given.get("date"), given.get("dateTime")) {
        (None, None) => Err(Refusal::bad("required", &format!("Missing {name} time."))),
        (Some(day), None) => {
            let day = day
                .as_str()
                .and_then(|day| NaiveDate::parse_from_str(day, "%Y-%m-%d").ok())
                .ok_or_else(invalid)?;
            fields.insert(name.to_owned(), json!({"date": day.to_string()}));
            Ok(Point::Day(day))
        }
        (None, Some(text)) => {
            let text = text.as_str().ok_or_else(invalid)?;
            let moment = match (DateTime::parse_from_rfc3339(text), own_zone) {
                (Ok(moment), _) => moment.to_utc(),
                (Err(_), Some(own_zone)) => local(text, own_zone).ok_or_else(invalid)?,
                (Err(_), None) if text.parse::<NaiveDateTime>().is_ok() => {
                    return Err(zone_missing());
                }
                (Err(_), None) => return Err(invalid()),
            };
            if recurring && own_zone.is_none() {
                return Err(zone_missing());
            }
            let shown = moment.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Secs, true);
            let shown_zone = own_zone.unwrap_or(zone).name();
            fields.insert(name.to_owned(), json!({"dateTime": shown, "timeZone": shown_zone}));
            Ok(Point::Moment(moment))
        }
        (Some(_), Some(_)) => Err(invalid()),
    }
}

fn local(text: &str, zone: Tz) -> Option<DateTime<Utc>> {
    text.parse::<NaiveDateTime>().ok().map(|wall| moment(wall, zone))
}

/// When a day begins.
pub(super) fn midnight(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    moment(day.and_time(NaiveTime::MIN), zone)
}

fn attendees(fields: &mut Map<String, Value>) -> Result<(), Refusal> {
    let Some(attendees) = fields.get_mut("attendees") else { return Ok(()) };
    let list = attendees
        .as_array_mut()
        .ok_or_else(|| Refusal::bad("invalid", "Invalid value for: attendees"))?;
    for attendee in list {
        let email = attendee["email"].as_str().unwrap_or_default();
        if email.is_empty() {
            return Err(Refusal::bad("required", "Missing attendee email."));
        }
        let parts: Vec<&str> = email.split('@').collect();
        if parts.len() != 2
            || parts.iter().any(|part| part.is_empty())
            || email.contains(char::is_whitespace)
        {
            return Err(Refusal::bad("invalid", "Invalid attendee email."));
        }
        let Some(members) = attendee.as_object_mut() else { continue };
        let known = [
            "email",
            "displayName",
            "optional",
            "resource",
            "responseStatus",
            "comment",
            "additionalGuests",
        ];
        members.retain(|name, value| {
            known.contains(&name.as_str()) && !value.is_null() && *value != false
        });
        let answer = members.entry("responseStatus").or_insert_with(|| "needsAction".into());
        if !["needsAction", "declined", "tentative", "accepted"].iter().any(|known| answer == known)
        {
            return Err(Refusal::bad("invalid", "Invalid attendee response status."));
        }
    }
    Ok(())
}

fn attachments(fields: &mut Map<String, Value>) -> Result<(), Refusal> {
    let invalid = || Refusal::bad("invalid", "Invalid value for: attachments");
    let Some(attachments) = fields.get_mut("attachments") else { return Ok(()) };
    let list = attachments.as_array_mut().ok_or_else(invalid)?;
    if list.len() > ATTACHMENTS {
        let message = "The number of attachments exceeds the limit.";
        return Err(Refusal::bad("invalid", message));
    }
    for attachment in list {
        if attachment["fileUrl"].as_str().is_none_or(str::is_empty) {
            return Err(Refusal::bad("required", "Missing attachment file url."));
        }
        let members = attachment.as_object_mut().ok_or_else(invalid)?;
        let known = ["fileUrl", "iconLink", "mimeType", "title"];
        members.retain(|name, value| known.contains(&name.as_str()) && value.is_string());
    }
    Ok(())
}

fn source(fields: &mut Map<String, Value>) -> Result<(), Refusal> {
    let Some(source) = fields.get_mut("source") else { return Ok(()) };
    let invalid = || Refusal::bad("invalid", "Invalid value for: source");
    let members = source.as_object_mut().ok_or_else(invalid)?;
    members.retain(|name, value| ["title", "url"].contains(&name.as_str()) && value.is_string());
    let url = members.get("url").and_then(Value::as_str).unwrap_or_default();
    if url.starts_with("http://") || url.starts_with("https://") { Ok(()) } else { Err(invalid()) }
}

fn reminders(fields: &mut Map<String, Value>) -> Result<(), Refusal> {
    let Some(reminders) = fields.get_mut("reminders") else { return Ok(()) };
    let overrides = match &reminders["overrides"] {
        Value::Null => Vec::new(),
        Value::Array(overrides) => overrides.clone(),
        _ => return Err(Refusal::bad("invalid", "Invalid value for: overrides")),
    };
    let use_default = reminders["useDefault"].as_bool().unwrap_or(false);
    if use_default && !overrides.is_empty() {
        let message = "Cannot specify both default reminders and overrides at the same time.";
        let reason = "cannotUseDefaultRemindersAndSpecifyOverride";
        return Err(Refusal::new(axum::http::StatusCode::BAD_REQUEST, "calendar", reason, message));
    }
    if !are_reminders(&reminders["overrides"]) {
        return Err(Refusal::bad("invalid", "Invalid value for: overrides"));
    }
    *reminders = json!({"useDefault": use_default});
    if !overrides.is_empty() {
        reminders["overrides"] = overrides.into();
    }
    Ok(())
}

/// At most five reminders of a known kind, each at most four weeks ahead; none is a list of none.
pub(super) fn are_reminders(value: &Value) -> bool {
    let fits = |one: &Value| {
        (one["method"] == "email" || one["method"] == "popup")
            && one["minutes"].as_u64().is_some_and(|minutes| minutes <= 40_320)
    };
    let list = value.as_array();
    value.is_null() || list.is_some_and(|list| list.len() <= 5 && list.iter().all(fits))
}

/// Keys that are too long are dropped and values cut, silently, as Google does.
fn extended_properties(fields: &mut Map<String, Value>) -> Result<(), Refusal> {
    let Some(properties) = fields.get_mut("extendedProperties") else { return Ok(()) };
    let invalid = || Refusal::bad("invalid", "Invalid value for: extendedProperties");
    let kinds = properties.as_object_mut().ok_or_else(invalid)?;
    kinds.retain(|kind, members| (kind == "private" || kind == "shared") && *members != json!({}));
    let (mut count, mut size) = (0, 0);
    for members in kinds.values_mut() {
        let members = members.as_object_mut().ok_or_else(invalid)?;
        members.retain(|key, _| key.chars().count() <= PROPERTY_KEY);
        for (key, value) in members {
            let text = value.as_str().ok_or_else(invalid)?;
            let kept: String = text.chars().take(PROPERTY_VALUE).collect();
            count += 1;
            size += key.len() + kept.len();
            *value = kept.into();
        }
    }
    if count > PROPERTIES || size > PROPERTIES_SIZE {
        return Err(invalid());
    }
    if kinds.is_empty() {
        fields.remove("extendedProperties");
    }
    Ok(())
}
