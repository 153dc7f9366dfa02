//! Events in one calendar: ours, told from others by our stamp.

use std::fmt;

use chrono::NaiveDate;
use google_calendar3::api;
use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderValue, IF_MATCH};
use serde_json::{Map, Value, json};

use super::Google;
use super::charge::{CALL, PATCH, QUOTA_USER};
use super::client::{Witness, json_of, request_as, segment};
use super::error::{Failure, Verdict};
use super::oauth::AccessToken;
use crate::model::event::{Content, Fingerprint, GoogleName, Guest, Notify};
use crate::model::id::{EventId, GoogleId, base32hex};
use crate::model::timing::Timing;
use crate::model::when::Moment;

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
    /// Google made none, for this reason.
    Failed(String),
}

/// The events of one calendar, for one account.
#[derive(Clone, Copy)]
pub struct Events<'a> {
    google: &'a Google,
    access: &'a AccessToken,
    calendar: &'a str,
}

const STAMP_EVENT: &str = "calbridge_event";
const STAMP_NAMESPACE: &str = "calbridge_namespace";
const STAMP_FINGERPRINT: &str = "calbridge_fingerprint";

impl Google {
    /// The events of `calendar`, as the account of `access` may use them.
    pub fn events<'a>(&'a self, access: &'a AccessToken, calendar: &'a str) -> Events<'a> {
        Events { google: self, access, calendar }
    }
}

impl Events<'_> {
    /// Writes a new event under an id of our own, so that a second try cannot make a twin: it
    /// fails as [`Verdict::Duplicate`]. `conference` is the request for a Meet link, if one is
    /// wanted.
    pub async fn insert(
        self,
        id: GoogleId,
        content: &Content,
        stamp: &Stamp,
        conference: Option<&str>,
        notify: Notify,
    ) -> Result<Copy, Failure> {
        let mut event = members(content, stamp, &[]);
        event.insert("id".into(), id.to_string().into());
        if let Some(request_id) = conference {
            event.insert("conferenceData".into(), conference_request(request_id));
        }
        let event: api::Event =
            serde_json::from_value(event.into()).expect("our own members have the crate's shape");
        let asked = Box::pin(async {
            let hub = self.google.hub(self.access);
            let mut witness = Witness::of("events.insert");
            let call = hub
                .events()
                .insert(event, &segment(self.calendar))
                .conference_data_version(1)
                .send_updates(send_updates(notify))
                .delegate(&mut witness);
            let call = match &self.access.quota_user {
                Some(name) => call.param(QUOTA_USER, name),
                None => call,
            };
            let outcome = self.google.within(call.doit()).await;
            witness.settle(outcome)
        });
        let (response, _) = self.google.charged(self.access, CALL, asked).await?;
        Copy::read(&json_of(response).await?)
    }

    /// The event as Google has it; a deleted one is found too, as cancelled.
    pub async fn get(self, id: impl Into<GoogleName>) -> Result<Copy, Failure> {
        let id = id.into();
        let asked = Box::pin(async {
            let hub = self.google.hub(self.access);
            let mut witness = Witness::of("events.get");
            let call =
                hub.events().get(&segment(self.calendar), &id.to_string()).delegate(&mut witness);
            let call = match &self.access.quota_user {
                Some(name) => call.param(QUOTA_USER, name),
                None => call,
            };
            let outcome = self.google.within(call.doit()).await;
            witness.settle(outcome)
        });
        let (response, _) = self.google.charged(self.access, CALL, asked).await?;
        Copy::read(&json_of(response).await?)
    }

    /// Takes the event out. One that is out already fails as [`Verdict::Gone`].
    pub async fn delete(self, id: impl Into<GoogleName>, notify: Notify) -> Result<(), Failure> {
        let id = id.into();
        let asked = Box::pin(async {
            let hub = self.google.hub(self.access);
            let mut witness = Witness::of("events.delete");
            let call = hub
                .events()
                .delete(&segment(self.calendar), &id.to_string())
                .send_updates(send_updates(notify))
                .delegate(&mut witness);
            let call = match &self.access.quota_user {
                Some(name) => call.param(QUOTA_USER, name),
                None => call,
            };
            let outcome = self.google.within(call.doit()).await;
            witness.settle(outcome).map(drop)
        });
        self.google.charged(self.access, CALL, asked).await
    }

    /// Changes `members` and nothing else; a null clears. With `if_match`, only if the event is
    /// still the one with that etag. Not through the hub, which drops nulls and has no `If-Match`.
    pub async fn patch(
        self,
        id: impl Into<GoogleName>,
        members: Map<String, Value>,
        if_match: Option<&str>,
        notify: Notify,
    ) -> Result<Copy, Failure> {
        let id = id.into();
        let mut to = format!(
            "{}calendars/{}/events/{id}?conferenceDataVersion=1&sendUpdates={}&alt=json",
            self.google.inner.calendar,
            segment(self.calendar),
            send_updates(notify),
        );
        if let Some(name) = &self.access.quota_user {
            to = format!("{to}&{QUOTA_USER}={}", segment(name));
        }
        let body = Value::from(members).to_string().into_bytes();
        let mut request = request_as(self.access, Method::PATCH, &to, body)?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(etag) = if_match {
            // An etag that no header can hold is none of Google's: read the event again.
            let etag = HeaderValue::from_str(etag)
                .map_err(|_| Failure::new(Verdict::PreconditionFailed, None, None))?;
            headers.insert(IF_MATCH, etag);
        }
        let asked = Box::pin(async {
            let answer = self.google.send("events.patch", request).await?;
            let body = answer.json();
            if !answer.is_success() {
                let failure = Failure::of_api(answer.status, body.as_ref());
                return Err(failure.after(answer.retry_after));
            }
            Copy::read(&body.ok_or_else(|| Failure::unknown(Some(answer.status)))?)
        });
        self.google.charged(self.access, PATCH, asked).await
    }
}

/// The members we own, for an insert or a patch. Guests are added to those `present`, who stay as
/// they are with all they answered; if none is to be added, guests are not mentioned at all.
pub fn members(content: &Content, stamp: &Stamp, present: &[Value]) -> Map<String, Value> {
    let private = json!({
        STAMP_EVENT: stamp.event.to_string(),
        STAMP_NAMESPACE: stamp.namespace,
        STAMP_FINGERPRINT: base32hex(&stamp.fingerprint),
    });
    let mut members = Map::new();
    members.insert("summary".into(), content.summary.clone().into());
    members.insert(
        "description".into(),
        match content.description.as_str() {
            "" => Value::Null,
            description => description.into(),
        },
    );
    let (start, end) = points(&content.timing);
    members.insert("start".into(), start);
    members.insert("end".into(), end);
    members.insert("extendedProperties".into(), json!({ "private": private }));
    let attendees = with_guests(present, &content.guests);
    if attendees.len() > present.len() {
        members.insert("attendees".into(), attendees.into());
    }
    members
}

/// What asks Google for a Meet link. A `request_id` that it has seen before is ignored.
pub fn conference_request(request_id: &str) -> Value {
    json!({
        "createRequest": {
            "requestId": request_id,
            "conferenceSolutionKey": { "type": "hangoutsMeet" },
        }
    })
}

impl Copy {
    /// An event as it stands in Google's answer.
    fn read(event: &Value) -> Result<Self, Failure> {
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
    fn read(event: &Value) -> Self {
        let data = &event["conferenceData"];
        let entries = data["entryPoints"].as_array().into_iter().flatten();
        let video = entries
            .filter(|entry| entry["entryPointType"] == "video")
            .find_map(|entry| entry["uri"].as_str());
        let link = video.or_else(|| event["hangoutLink"].as_str());
        if let Some(link) = link.filter(|link| link.starts_with("https://")) {
            return Self::Ready(link.to_owned());
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
            Self::Failed(reason) => write!(out, "Failed({reason})"),
        }
    }
}

/// Beginning and end as Google takes them.
fn points(timing: &Timing) -> (Value, Value) {
    let day = |day: NaiveDate| json!({ "date": day, "dateTime": null, "timeZone": null });
    match timing {
        Timing::Span(span) => (moment(span.start()), moment(span.end())),
        Timing::Days(days) => (day(days.first()), day(days.after())),
    }
}

/// A moment as Google takes it. `date` is cleared, in case somebody made whole days of the event.
fn moment(moment: &Moment) -> Value {
    json!({
        "dateTime": moment.instant().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
        "timeZone": moment.zone().map(chrono_tz::Tz::name),
        "date": null,
    })
}

/// Those `present`, untouched, and after them the guests who are not among them yet.
fn with_guests(present: &[Value], guests: &[Guest]) -> Vec<Value> {
    let mut all = present.to_vec();
    for guest in guests {
        let is_there = all.iter().any(|other| {
            other["email"].as_str().is_some_and(|email| email.to_lowercase() == guest.key())
        });
        if !is_there {
            all.push(json!({ "email": guest.email }));
        }
    }
    all
}

/// Google's word for whom it sends mail.
fn send_updates(notify: Notify) -> &'static str {
    match notify {
        Notify::None => "none",
        Notify::External => "externalOnly",
        Notify::All => "all",
    }
}
