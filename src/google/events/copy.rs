//! An event as Google has it, and how we know it for ours.

use std::fmt;

use serde_json::{Map, Value};

use crate::google::error::Failure;
use crate::model::event::Fingerprint;
use crate::model::id::EventId;

/// What tells our events from others, and which content they hold: kept in the event itself, as
/// private extended properties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Our name for it.
    pub event: EventId,
    /// Whose: two instances with different namespaces never touch each other's events.
    pub namespace: String,
    /// Of the content that was written last.
    pub fingerprint: Fingerprint,
}

/// An event as Google has it.
#[derive(Clone, PartialEq)]
pub struct Copy {
    /// Google's id.
    pub id: String,
    /// Whether it was deleted.
    pub cancelled: bool,
    /// Changes with every change.
    pub etag: Option<String>,
    /// The event's page.
    pub html_link: Option<String>,
    /// Ours, if it is one of ours.
    pub stamp: Option<Stamp>,
    /// Where its meeting stands.
    pub conference: Conference,
    /// Its guests as Google wrote them, with all they answered.
    pub attendees: Vec<Value>,
}

/// Where an event's meeting stands.
#[derive(Clone, PartialEq, Eq)]
pub enum Conference {
    /// It has none.
    None,
    /// Google still makes it.
    Pending,
    /// It can be joined here.
    Ready(String),
    /// It is not Google's, and is joined here.
    Other(String),
    /// Google made none, for this reason.
    Failed(String),
}

pub(super) const STAMP_EVENT: &str = "calbridge_event";
pub(super) const STAMP_NAMESPACE: &str = "calbridge_namespace";
pub(super) const STAMP_FINGERPRINT: &str = "calbridge_fingerprint";

impl Copy {
    /// An event as it stands in Google's answer.
    pub(super) fn read(event: &Value) -> Result<Self, Failure> {
        let text = |name: &str| event[name].as_str().map(str::to_owned);
        Ok(Self {
            id: text("id").ok_or_else(|| Failure::unknown(Some(200)))?,
            cancelled: event["status"] == "cancelled",
            etag: text("etag"),
            html_link: text("htmlLink"),
            stamp: Stamp::read(&event["extendedProperties"]["private"]),
            conference: Conference::read(event),
            attendees: event["attendees"].as_array().cloned().unwrap_or_default(),
        })
    }
}

impl Stamp {
    /// Our stamp; none if it is not there, or not whole. A fingerprint that somebody spoilt is one
    /// that agrees with nothing, for the event is still ours.
    fn read(private: &Value) -> Option<Self> {
        let text = |name: &str| private[name].as_str();
        let fingerprint = text(STAMP_FINGERPRINT)
            .and_then(|written| {
                data_encoding::BASE32HEX_NOPAD.decode(written.to_ascii_uppercase().as_bytes()).ok()
            })
            .and_then(|bytes| bytes.try_into().ok())
            .unwrap_or_default();
        Some(Self {
            event: text(STAMP_EVENT)?.parse().ok()?,
            namespace: text(STAMP_NAMESPACE)?.to_owned(),
            fingerprint,
        })
    }
}

impl Conference {
    /// Whether it is one of the caller's own, joined at `uri`.
    pub fn is_at(&self, uri: &str) -> bool {
        matches!(self, Self::Other(link) if link == uri)
    }

    fn read(event: &Value) -> Self {
        let data = &event["conferenceData"];
        let entries = data["entryPoints"].as_array().into_iter().flatten();
        let video = entries
            .filter(|entry| entry["entryPointType"] == "video")
            .find_map(|entry| entry["uri"].as_str());
        let link = video.or_else(|| event["hangoutLink"].as_str());
        let other = data["conferenceSolution"]["key"]["type"] == "addOn";
        match link {
            Some(link) if other => return Self::Other(link.to_owned()),
            Some(link) if link.starts_with("https://") => return Self::Ready(link.to_owned()),
            _ => {}
        }
        if data.as_object().is_none_or(Map::is_empty) {
            return Self::None;
        }
        match data["createRequest"]["status"]["statusCode"].as_str() {
            Some("failure") => Self::Failed("Google could not make the Meet link".into()),
            Some(_) => Self::Pending,
            None if data["createRequest"].is_object() => Self::Pending,
            None => Self::Failed("the event has a conference without a link to join it".into()),
        }
    }
}

impl fmt::Debug for Copy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Copy")
            .field("id", &self.id)
            .field("cancelled", &self.cancelled)
            .field("etag", &self.etag)
            .field("stamp", &self.stamp)
            .field("conference", &self.conference)
            .field("attendees", &self.attendees.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Conference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => out.write_str("None"),
            Self::Pending => out.write_str("Pending"),
            Self::Ready(_) => out.write_str("Ready"),
            Self::Other(_) => out.write_str("Other"),
            Self::Failed(reason) => write!(out, "Failed({reason})"),
        }
    }
}
