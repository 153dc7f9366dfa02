//! Events in one calendar: ours, told from others by our stamp.

mod copy;
mod members;

use google_calendar3::api;
use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderValue, IF_MATCH};

use super::Google;
use super::charge::{CALL, PATCH, QUOTA_USER};
use super::client::{Witness, json_of, request_as, segment};
use super::error::{Failure, Verdict};
use super::oauth::AccessToken;
use crate::model::event::{GoogleName, Notify};
use crate::model::id::GoogleId;

pub use copy::{Conference, Copy, Stamp};
pub use members::{Members, Shown, changed_members, conference_request, new_members};

/// The events of one calendar, for one account.
#[derive(Clone, Copy)]
pub struct Events<'a> {
    google: &'a Google,
    access: &'a AccessToken,
    calendar: &'a str,
}

impl Google {
    /// The events of `calendar`, as the account of `access` may use them.
    pub fn events<'a>(&'a self, access: &'a AccessToken, calendar: &'a str) -> Events<'a> {
        Events { google: self, access, calendar }
    }
}

impl Events<'_> {
    /// Writes a new event under an id of our own, so that a second try cannot make a twin: it
    /// fails as [`Verdict::Duplicate`].
    pub async fn insert(
        self,
        id: GoogleId,
        mut members: Members,
        notify: Notify,
    ) -> Result<Copy, Failure> {
        members.insert("id".into(), id.to_string().into());
        let event: api::Event =
            serde_json::from_value(members.into()).expect("our own members have the crate's shape");
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
    pub async fn get(self, name: impl Into<GoogleName>) -> Result<Copy, Failure> {
        let name = name.into().to_string();
        let asked = Box::pin(async {
            let hub = self.google.hub(self.access);
            let mut witness = Witness::of("events.get");
            let call = hub.events().get(&segment(self.calendar), &name).delegate(&mut witness);
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
    pub async fn delete(self, name: impl Into<GoogleName>, notify: Notify) -> Result<(), Failure> {
        let name = name.into().to_string();
        let asked = Box::pin(async {
            let hub = self.google.hub(self.access);
            let mut witness = Witness::of("events.delete");
            let call = hub
                .events()
                .delete(&segment(self.calendar), &name)
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
        name: impl Into<GoogleName>,
        members: Members,
        if_match: Option<&str>,
        notify: Notify,
    ) -> Result<Copy, Failure> {
        let name = name.into();
        let mut to = format!(
            "{}calendars/{}/events/{name}?conferenceDataVersion=1&sendUpdates={}&alt=json",
            self.google.inner.calendar,
            segment(self.calendar),
            send_updates(notify),
        );
        if let Some(name) = &self.access.quota_user {
            to = format!("{to}&{QUOTA_USER}={}", segment(name));
        }
        let body = serde_json::Value::from(members).to_string().into_bytes();
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

/// Google's word for whom it sends mail.
fn send_updates(notify: Notify) -> &'static str {
    match notify {
        Notify::None => "none",
        Notify::External => "externalOnly",
        Notify::All => "all",
    }
}
