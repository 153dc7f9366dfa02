//! Kinds of event beside the plain one, and what each needs: `eventType` and its properties.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::answer::Refusal;

pub(super) const KINDS: &[&str] =
    &["birthday", "default", "focusTime", "fromGmail", "outOfOffice", "workingLocation"];

/// The members that belong to one kind, and the texts they may hold.
const PROPERTIES: &[(&str, &str, &[&str])] = &[
    ("birthday", "birthdayProperties", &["contact", "customTypeName", "type"]),
    ("focusTime", "focusTimeProperties", &["autoDeclineMode", "chatStatus", "declineMessage"]),
    ("outOfOffice", "outOfOfficeProperties", &["autoDeclineMode", "declineMessage"]),
    (
        "workingLocation",
        "workingLocationProperties",
        &["customLocation", "homeOffice", "officeLocation", "type"],
    ),
];
const DECLINE_MODES: &[&str] =
    &["declineNone", "declineAllConflictingInvitations", "declineOnlyNewConflictingInvitations"];

/// Names of the members that belong to one kind of event.
pub(super) fn members() -> impl Iterator<Item = &'static str> {
    PROPERTIES.iter().map(|(_, member, _)| *member)
}

/// Checks the kind of an event and the members that go with it. `before` is the kind it had.
pub(super) fn check(
    fields: &mut Map<String, Value>,
    before: Option<&str>,
    primary: bool,
) -> Result<(), Refusal> {
    let kind = fields.get("eventType").and_then(Value::as_str).unwrap_or("default").to_owned();
    if !KINDS.contains(&kind.as_str()) {
        return Err(Refusal::bad("invalid", "Invalid value for: eventType"));
    }
    if before.is_some_and(|before| before != kind) {
        return Err(refused("Event type cannot be changed."));
    }
    if kind == "fromGmail" && before.is_none() {
        return Err(refused("Events from Gmail cannot be created."));
    }
    if kind != "default" && !primary {
        return Err(refused("Events of this type can only be on a primary calendar."));
    }
    for (of, member, texts) in PROPERTIES {
        if *of == kind {
            properties(fields, member, texts)?;
        } else if fields.remove(*member).is_some() {
            return Err(Refusal::bad("invalid", &format!("Invalid value for: {member}")));
        }
    }
    let days = fields.get("start").is_some_and(|start| start.get("date").is_some());
    match kind.as_str() {
        "focusTime" | "outOfOffice" if days => {
            Err(refused("Events of this type cannot be all-day."))
        }
        "birthday" if !days => Err(refused("A birthday must be an all-day event.")),
        "workingLocation" => working_location(fields),
        _ => Ok(()),
    }
}

fn refused(message: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "calendar", "eventTypeRestriction", message)
}

fn properties(
    fields: &mut Map<String, Value>,
    member: &str,
    known: &[&str],
) -> Result<(), Refusal> {
    let invalid = || Refusal::bad("invalid", &format!("Invalid value for: {member}"));
    let Some(given) = fields.get_mut(member) else { return Ok(()) };
    let given = given.as_object_mut().ok_or_else(invalid)?;
    given.retain(|name, value| known.contains(&name.as_str()) && !value.is_null());
    let structured = ["customLocation", "homeOffice", "officeLocation"];
    for (name, value) in given.iter() {
        let fits =
            if structured.contains(&name.as_str()) { value.is_object() } else { value.is_string() };
        if !fits {
            return Err(invalid());
        }
    }
    let mode = given.get("autoDeclineMode").and_then(Value::as_str);
    if mode.is_some_and(|mode| !DECLINE_MODES.contains(&mode)) {
        return Err(invalid());
    }
    Ok(())
}

/// Its type says which of the places counts; the others are ignored.
fn working_location(fields: &mut Map<String, Value>) -> Result<(), Refusal> {
    let member = "workingLocationProperties";
    let places = ["homeOffice", "officeLocation", "customLocation"];
    let given = fields.get_mut(member).and_then(Value::as_object_mut);
    let given = given.ok_or_else(|| Refusal::bad("required", "Missing working location."))?;
    let kind = given.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    if !places.contains(&kind.as_str()) {
        return Err(Refusal::bad("invalid", &format!("Invalid value for: {member}")));
    }
    let texts: &[&str] = match kind.as_str() {
        "officeLocation" => &["buildingId", "deskId", "floorId", "floorSectionId", "label"],
        "customLocation" => &["label"],
        _ => &[],
    };
    given.retain(|name, _| name == "type" || *name == kind);
    let place = given.entry(kind).or_insert_with(|| json!({}));
    if let Some(place) = place.as_object_mut() {
        place.retain(|name, value| texts.contains(&name.as_str()) && value.is_string());
    }
    Ok(())
}
