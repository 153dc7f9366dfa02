//! Meet links: asked for by `createRequest`, made at once, later, or not at all.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::answer::Refusal;

/// A conference of an event.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Conference {
    pub(super) request_id: String,
    /// `aaa-bbbb-ccc`: drawn when asked for, shown when ready.
    pub(super) code: String,
    pub(super) progress: Progress,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Progress {
    Pending { ready_at: DateTime<Utc> },
    Ready,
    Failed,
}

/// What a body wants of the event's conference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Keep,
    Remove,
    Create { request_id: String },
}

impl Wish {
    /// Reads the `conferenceData` of a body that came with version 1.
    pub(super) fn read(conference_data: Option<&Value>) -> Result<Self, Refusal> {
        let Some(data) = conference_data else { return Ok(Self::Keep) };
        if data.is_null() {
            return Ok(Self::Remove);
        }
        let request = &data["createRequest"];
        if request.is_null() {
            return Ok(Self::Keep);
        }
        let solution = &request["conferenceSolutionKey"]["type"];
        if !(solution.is_null() || solution == "hangoutsMeet") {
            return Err(Refusal::bad("invalid", "Invalid conference type value."));
        }
        match request["requestId"].as_str() {
            Some(id) if !id.is_empty() => Ok(Self::Create { request_id: id.to_owned() }),
            _ => Err(Refusal::bad("required", "Missing conference request id.")),
        }
    }
}

impl Conference {
    pub(super) fn ready_at(&self) -> Option<DateTime<Utc>> {
        match self.progress {
            Progress::Pending { ready_at } => Some(ready_at),
            Progress::Ready | Progress::Failed => None,
        }
    }

    pub(super) fn link(&self) -> Option<String> {
        (self.progress == Progress::Ready).then(|| format!("https://meet.google.com/{}", self.code))
    }

    /// How far it is, in Google's words.
    pub(super) fn status(&self) -> &'static str {
        match self.progress {
            Progress::Pending { .. } => "pending",
            Progress::Ready => "success",
            Progress::Failed => "failure",
        }
    }

    /// `conferenceData` as Google shows it.
    pub(super) fn shown(&self) -> Value {
        let mut data = json!({"createRequest": {
            "requestId": self.request_id,
            "conferenceSolutionKey": {"type": "hangoutsMeet"},
            "status": {"statusCode": self.status()},
        }});
        if let Some(link) = self.link() {
            data["entryPoints"] = json!([{
                "entryPointType": "video", "uri": link, "label": format!("meet.google.com/{}", self.code),
            }]);
            data["conferenceSolution"] = json!({
                "key": {"type": "hangoutsMeet"},
                "name": "Google Meet",
                "iconUri": "https://fonts.gstatic.com/s/i/productlogos/meet_2020q4/v6/web-512dp/logo_meet_2020q4_color_2x_web_512dp.png",
            });
            data["conferenceId"] = self.code.clone().into();
        }
        data
    }
}
