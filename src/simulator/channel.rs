//! One push channel, what it watches, and what a message over it says.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::fault::{FaultKind, Stage, Target};
use super::generator;
use super::state::State;

/// What can be watched: a collection, by the calendar or user it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Watched {
    Acl(String),
    CalendarList(String),
    Events(String),
    Settings(String),
}

/// A channel's id, which is unique for one client.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct ChannelKey {
    pub(super) client: String,
    pub(super) id: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Channel {
    pub(super) watched: Watched,
    pub(super) user: String,
    pub(super) resource_id: String,
    pub(super) resource_uri: String,
    pub(super) address: String,
    pub(super) token: Option<String>,
    pub(super) expires: DateTime<Utc>,
    pub(super) stopped: bool,
    /// Messages so far, and the number of the last.
    pub(super) sent: u64,
    pub(super) last_number: u64,
}

/// Every channel there ever was: an id is never free again.
pub(super) type Channels = BTreeMap<ChannelKey, Channel>;

/// What a message says of the resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceState {
    /// The channel is open.
    Sync,
    /// Something was made, changed or deleted.
    Exists,
}

impl ResourceState {
    fn name(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Exists => "exists",
        }
    }
}

/// A message on its way. It has no body: all it says is in its headers.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) key: ChannelKey,
    pub(super) user: String,
    pub(super) address: String,
    pub(super) state: ResourceState,
    pub(super) number: u64,
    /// Counts from 1.
    pub(super) attempt: u32,
    pub(super) headers: Vec<(&'static str, String)>,
}

impl Watched {
    /// The id of the resource, the same for every channel that watches it.
    pub(super) fn resource_id(&self, seed: u64) -> String {
        generator::resource(seed, &format!("{self:?}"))
    }
}

impl Channel {
    pub(super) fn is_open(&self, now: DateTime<Utc>) -> bool {
        !self.stopped && self.expires > now
    }

    /// The resource that the answer to a watch shows. Neither type nor address is in it.
    pub(super) fn shown(&self, id: &str) -> Value {
        let mut shown = json!({
            "kind": "api#channel",
            "id": id,
            "resourceId": self.resource_id,
            "resourceUri": self.resource_uri,
            "expiration": self.expires.timestamp_millis().to_string(),
        });
        if let Some(token) = &self.token {
            shown["token"] = token.clone().into();
        }
        shown
    }

    /// The next message. The first has the number 1; from one to the next, numbers grow by more
    /// than one.
    fn next_message(&mut self, key: &ChannelKey, state: ResourceState, seed: u64) -> Message {
        self.sent += 1;
        let step = match self.sent {
            1 => 1,
            turn => generator::step(seed, &format!("{}/{}", key.client, key.id), turn),
        };
        self.last_number += step;
        Message {
            key: key.clone(),
            user: self.user.clone(),
            address: self.address.clone(),
            state,
            number: self.last_number,
            attempt: 1,
            headers: self.headers(&key.id, state, self.last_number),
        }
    }

    fn headers(&self, id: &str, state: ResourceState, number: u64) -> Vec<(&'static str, String)> {
        let expires = self.expires.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let mut headers = vec![
            ("X-Goog-Channel-ID", id.to_owned()),
            ("X-Goog-Channel-Expiration", expires),
            ("X-Goog-Resource-State", state.name().to_owned()),
            ("X-Goog-Message-Number", number.to_string()),
            ("X-Goog-Resource-ID", self.resource_id.clone()),
            ("X-Goog-Resource-URI", self.resource_uri.clone()),
        ];
        if let Some(token) = &self.token {
            headers.push((TOKEN, token.clone()));
        }
        headers
    }
}

const TOKEN: &str = "X-Goog-Channel-Token";

impl Message {
    /// The message as somebody would send it who does not know the token.
    fn with_wrong_token(mut self) -> Self {
        self.headers.retain(|(name, _)| *name != TOKEN);
        self.headers.push((TOKEN, "not-the-token-of-this-channel".to_owned()));
        self
    }
}

impl State {
    /// Tells everybody who watches it that a resource changed. Every change ends here.
    pub(super) fn changed(&mut self, watched: &Watched, now: DateTime<Utc>) {
        let open = self.channels.iter();
        let open = open.filter(|(_, channel)| channel.watched == *watched && channel.is_open(now));
        let keys: Vec<ChannelKey> = open.map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.announce(&key, ResourceState::Exists, now);
        }
    }

    /// Sends the next message of a channel on its way, or what a fault makes of it.
    pub(super) fn announce(&mut self, key: &ChannelKey, what: ResourceState, now: DateTime<Utc>) {
        let seed = self.settings.seed;
        let Some(channel) = self.channels.get_mut(key) else { return };
        let message = channel.next_message(key, what, seed);
        let calendar = match &channel.watched {
            Watched::Acl(calendar) | Watched::Events(calendar) => Some(calendar.clone()),
            Watched::CalendarList(_) | Watched::Settings(_) => None,
        };
        let target =
            Target { method: "push", user: Some(&message.user), calendar: calendar.as_deref() };
        let strike = self.strike(Stage::Push, &target, now);
        let outgoing = &mut self.outgoing;
        match strike.map(|strike| (strike.kind, strike.takes)) {
            None => outgoing.post(message, now),
            Some((FaultKind::PushDuplicate, _)) => {
                outgoing.post(message.clone(), now);
                outgoing.post(message, now);
            }
            Some((FaultKind::PushDelay, takes)) => outgoing.post(message, now + takes),
            Some((FaultKind::PushReorder, _)) => outgoing.hold(message),
            Some((FaultKind::PushWrongToken, _)) => outgoing.post(message.with_wrong_token(), now),
            Some(_) => outgoing.lose(&message, now),
        }
    }
}
