//! How a caller wants an answer to look: `fields`, `prettyPrint`, `alt`, and gzip.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, header};
use serde_json::Value;

use super::answer::{Answer, Refusal};
use super::call::Asked;

/// The members of every resource, one resource a line, as Google's discovery document (revision
/// 20261030) names them: `resource: member member/its-resource ..`. A `*` stands for any name.
const MEMBERS: &str = include_str!("members.txt");

/// Stands for the resource of a member that has no members.
const SCALAR: &str = "-";

/// How the answer to one call is to look.
#[derive(Debug)]
pub(super) struct View {
    fields: Option<Selection>,
    compact: bool,
    gzip: bool,
}

impl View {
    /// What the call asks for. Google looks at it before it does the work.
    pub(super) fn read(asked: &Asked, method: &str) -> Result<Self, Refusal> {
        if asked.parameters.get("alt").is_some_and(|alt| alt != "json") {
            let message = "Invalid value for parameter 'alt'.";
            return Err(Refusal::bad("invalidParameter", message).at("parameter", "alt"));
        }
        let fields = match (asked.parameters.get("fields"), resource(method)) {
            (Some(text), Some(resource)) => Some(Selection::read(text, resource)?),
            _ => None,
        };
        let compact = asked.parameters.get("prettyPrint") == Some("false");
        Ok(Self { fields, compact, gzip: takes_gzip(&asked.headers) })
    }

    /// The answer as it was asked for. Errors are never partial.
    pub(super) fn show(&self, mut answer: Answer) -> Answer {
        let fields = self.fields.as_ref().filter(|_| answer.status.is_success());
        if (fields.is_some() || self.compact)
            && let Some(mut body) = answer.body_as_json()
        {
            if let Some(fields) = fields {
                fields.keep(&mut body);
            }
            answer = answer.with_json(&body, self.compact);
        }
        if self.gzip { answer.gzipped() } else { answer }
    }
}

/// Google's guide on performance: `Accept-Encoding` alone is not enough, the user agent must name
/// gzip, too.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let names = |name| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.is_some_and(|value| value.contains("gzip"))
    };
    names(header::ACCEPT_ENCODING) && names(header::USER_AGENT)
}

/// The resource that a method answers with; none if its answer has no body.
fn resource(method: &str) -> Option<&'static str> {
    let (collection, verb) = method.strip_prefix("calendar.")?.split_once('.')?;
    Some(match (collection, verb) {
        (_, "delete" | "clear" | "stop") => return None,
        (_, "watch") => "Channel",
        ("acl", "list") => "Acl",
        ("acl", _) => "AclRule",
        ("calendarList", "list") => "CalendarList",
        ("calendarList", _) => "CalendarListEntry",
        ("calendars", _) => "Calendar",
        ("colors", _) => "Colors",
        ("events", "list" | "instances") => "Events",
        ("events", _) => "Event",
        ("freebusy", _) => "FreeBusyResponse",
        ("settings", "list") => "Settings",
        ("settings", _) => "Setting",
        _ => return None,
    })
}

/// The members of a value to keep.
#[derive(Debug, PartialEq, Eq)]
enum Selection {
    Whole,
    /// By name; `*` means all that are not named.
    Members(BTreeMap<String, Selection>),
}

impl Selection {
    /// Reads `fields`: names with commas between them, each perhaps with `/member` or `(members)`
    /// behind it. A name the resource does not have is refused, and so nothing nests deeper than it does.
    fn read(text: &str, resource: &str) -> Result<Self, Refusal> {
        let mut rest = text;
        let selection = Self::list(&mut rest, resource)?;
        if rest.is_empty() { Ok(selection) } else { Err(invalid(text)) }
    }

    fn list(rest: &mut &str, resource: &str) -> Result<Self, Refusal> {
        let mut members = BTreeMap::new();
        loop {
            let (name, selection) = Self::path(rest, resource)?;
            let merged = match members.remove(&name) {
                Some(known) => Self::both(known, selection),
                None => selection,
            };
            members.insert(name, merged);
            match rest.strip_prefix(',') {
                Some(after) => *rest = after,
                None => return Ok(Self::Members(members)),
            }
        }
    }

    fn path(rest: &mut &str, resource: &str) -> Result<(String, Self), Refusal> {
        let end = rest.find([',', '/', '(', ')']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let wrong = if name.is_empty() { *rest } else { name };
        let of_member = member(resource, name).ok_or_else(|| invalid(wrong))?;
        let selection = if let Some(deeper) = after.strip_prefix('/') {
            *rest = deeper;
            let (name, selection) = Self::path(rest, of_member)?;
            Self::Members(BTreeMap::from([(name, selection)]))
        } else if let Some(deeper) = after.strip_prefix('(') {
            *rest = deeper;
            let selection = Self::list(rest, of_member)?;
            *rest = rest.strip_prefix(')').ok_or_else(|| invalid(name))?;
            selection
        } else {
            *rest = after;
            Self::Whole
        };
        Ok((name.to_owned(), selection))
    }

    /// What either keeps.
    fn both(first: Self, second: Self) -> Self {
        match (first, second) {
            (Self::Members(mut members), Self::Members(more)) => {
                for (name, selection) in more {
                    let merged = match members.remove(&name) {
                        Some(known) => Self::both(known, selection),
                        None => selection,
                    };
                    members.insert(name, merged);
                }
                Self::Members(members)
            }
            _ => Self::Whole,
        }
    }

    /// Takes everything else out of `value`: out of each item, if it is a list.
    fn keep(&self, value: &mut Value) {
        let Self::Members(wanted) = self else { return };
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.keep(item)),
            Value::Object(members) => members.retain(|name, value| {
                let selection = wanted.get(name).or_else(|| wanted.get("*"));
                if let Some(selection) = selection {
                    selection.keep(value);
                }
                selection.is_some()
            }),
            _ => {}
        }
    }
}

/// The resource of a member that exists; of one that has no members itself, [`SCALAR`].
fn member(resource: &str, name: &str) -> Option<&'static str> {
    let mut lines = MEMBERS.lines();
    let line = lines.find_map(|line| line.strip_prefix(resource)?.strip_prefix(": "))?;
    let mut members =
        line.split(' ').map(|member| member.split_once('/').unwrap_or((member, SCALAR)));
    match members.find(|(known, _)| *known == name || (*known == "*" && !name.is_empty())) {
        Some((_, resource)) => Some(resource),
        None if name == "*" => Some(SCALAR),
        None => None,
    }
}

fn invalid(selection: &str) -> Refusal {
    let message = format!("Invalid field selection {selection}");
    Refusal::bad("invalidParameter", &message).at("parameter", "fields")
}
