//! Meet links: asked for by `createRequest`, made at once, later, or not at all.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::answer::Refusal;
use super::call::Desk;
use super::fault::{FaultKind, Stage};
use super::generator::LETTERS;

/// A conference of an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Conference {
    pub(super) request_id: String,
    /// `aaa-bbbb-ccc`: drawn when asked for, shown when ready.
    pub(super) code: String,
    pub(super) progress: Progress,
    /// What its maker wrote, if it is another provider's: shown as it came.
    #[serde(default)]
    pub(super) brought: Option<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
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
    Create {
        request_id: String,
    },
    /// A conference of another provider.
    Bring(Value),
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
            let brought = data["entryPoints"].as_array().is_some_and(|entries| !entries.is_empty());
            return if brought { Self::brought(data) } else { Ok(Self::Keep) };
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

    /// A conference that was made elsewhere: an add-on's, with addresses to join at.
    fn brought(data: &Value) -> Result<Self, Refusal> {
        let kind = &data["conferenceSolution"]["key"]["type"];
        if kind != "addOn" {
            return Err(Refusal::bad("invalid", "Invalid conference type value."));
        }
        let known = |entry: &Value| {
            let kind = entry["entryPointType"].as_str().unwrap_or_default();
            let uri = entry["uri"].as_str().unwrap_or_default();
            ["video", "phone", "sip", "more"].contains(&kind) && (1..=1300).contains(&uri.len())
        };
        if !data["entryPoints"].as_array().into_iter().flatten().all(known) {
            return Err(Refusal::bad("invalid", "Invalid conference data."));
        }
        Ok(Self::Bring(data.clone()))
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
        let made_here = self.brought.is_none() && self.progress == Progress::Ready;
        made_here.then(|| format!("https://meet.google.com/{}", self.code))
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
        if let Some(brought) = &self.brought {
            return brought.clone();
        }
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

impl Desk<'_> {
    /// The conference after a body that wishes `wish`.
    pub(super) fn conference(&mut self, wish: Wish, had: Option<Conference>) -> Option<Conference> {
        match wish {
            Wish::Keep => had,
            Wish::Remove => None,
            Wish::Bring(data) => Some(Conference {
                request_id: String::new(),
                code: String::new(),
                progress: Progress::Ready,
                brought: Some(data),
            }),
            Wish::Create { request_id }
                if had.as_ref().is_some_and(|had| had.request_id == request_id) =>
            {
                had
            }
            Wish::Create { request_id } => {
                let mut part = |length| self.state.generator.letters(LETTERS, length);
                let code = format!("{}-{}-{}", part(3), part(4), part(3));
                let target = self.call.target();
                let progress = match self.state.strike(Stage::Meet, &target, self.now) {
                    None => Progress::Ready,
                    Some(strike) if strike.kind == FaultKind::MeetPending => {
                        Progress::Pending { ready_at: self.now + strike.takes }
                    }
                    Some(_) => Progress::Failed,
                };
                Some(Conference { request_id, code, progress, brought: None })
            }
        }
    }

    pub(super) fn conference_wish(&self, body: &Map<String, Value>) -> Result<Wish, Refusal> {
        if self.parameter_is("conferenceDataVersion", "1") {
            Wish::read(body.get("conferenceData"))
        } else {
            Ok(Wish::Keep)
        }
    }
}
