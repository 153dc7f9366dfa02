//! Messages of push channels on their way, and how each attempt ended.
//!
//! A message goes out once: `500`, `502`, `503` and `504` make the sender try again, later and later;
//! with any other failure the message is lost, as at Google. Messages of one channel go out one
//! after the other, those of several at the same time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Request, header};
use chrono::{DateTime, TimeDelta, Utc};
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::{Serialize, Serializer};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Simulator;
use super::channel::{ChannelKey, Message, ResourceState};
use super::state::State;

/// Messages that wait; one more pushes the one due first out, and it is lost.
const WAITING: usize = 10_000;
/// Attempts remembered.
const KEPT: usize = 100_000;
/// Attempts under way at a time.
const AT_ONCE: usize = 32;
/// Attempts of one message, and how long after the first the second is made. Each pause is twice
/// the one before. Google says no more than "exponential backoff".
const ATTEMPTS: u32 = 6;
const FIRST_PAUSE_SECS: i64 = 5;
/// How long a receiver may take to answer.
const DEADLINE: Duration = Duration::from_secs(10);
const AGENT: &str = "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)";

/// One attempt to deliver a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// Counts from 1, in the order in which attempts ended.
    pub number: u64,
    /// When it ended, by the simulator's clock.
    pub time: DateTime<Utc>,
    /// The channel's id.
    pub channel: String,
    /// Who watches.
    pub user: String,
    /// `sync` or `exists`.
    pub state: ResourceState,
    /// `X-Goog-Message-Number`.
    pub message: u64,
    /// Where it went.
    pub address: String,
    /// Counts from 1 for each message.
    pub attempt: u32,
    /// How it ended.
    pub ended: Ended,
}

/// How an attempt to deliver a message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The receiver answered with this status.
    Answered(u16),
    /// Nobody was reached, or nobody answered.
    Unreachable,
    /// The address is one of HTTPS, which the simulator does not call.
    NotCalled,
    /// It was handed out by [`Simulator::take_pushes`].
    Taken,
    /// It was lost on purpose, or too many waited.
    Lost,
}

impl Serialize for Ended {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Answered(status) => serializer.serialize_u16(*status),
            Self::Unreachable => serializer.serialize_str("unreachable"),
            Self::NotCalled => serializer.serialize_str("not_called"),
            Self::Taken => serializer.serialize_str("taken"),
            Self::Lost => serializer.serialize_str("lost"),
        }
    }
}

/// A message that was due, for programs that run the simulator without sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushMessage {
    /// Where it would have been posted to.
    pub address: String,
    /// Its headers, by name. It has no body.
    pub headers: BTreeMap<&'static str, String>,
}

/// The messages that wait, and the attempts that were made.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// By when they are due, and in which order they came.
    waiting: BTreeMap<(DateTime<Utc>, u64), Message>,
    /// Messages that go out after the next of their channel.
    held: BTreeMap<ChannelKey, Message>,
    /// Messages whose receiver is to have them before the answer to the call in hand.
    early: Vec<Message>,
    /// Channels with an attempt under way.
    busy: BTreeSet<ChannelKey>,
    pub(super) made: VecDeque<Delivery>,
    posted: u64,
    ended: u64,
    wake: Arc<Notify>,
}

impl Outgoing {
    /// None waiting and none made, for whoever delivers those of `self` now.
    pub(super) fn begin_again(&self) -> Self {
        Self { wake: self.wake.clone(), ..Self::default() }
    }

    /// Forgets every message that waits: it belongs to another history.
    pub(super) fn drop_waiting(&mut self) {
        self.waiting.clear();
        self.held.clear();
        self.early.clear();
        self.wake.notify_one();
    }

    /// Lets `message` go out when `due` comes.
    pub(super) fn post(&mut self, message: Message, due: DateTime<Utc>) {
        let after = self.held.remove(&message.key);
        for message in std::iter::once(message).chain(after) {
            if self.waiting.len() == WAITING
                && let Some((_, first)) = self.waiting.pop_first()
            {
                self.write(&first, Ended::Lost, due);
            }
            self.posted += 1;
            self.waiting.insert((due, self.posted), message);
        }
        self.wake.notify_one();
    }

    /// Keeps `message` back until the next of its channel goes out.
    pub(super) fn hold(&mut self, message: Message) {
        self.held.insert(message.key.clone(), message);
    }

    /// Writes down that `message` will never go out.
    pub(super) fn lose(&mut self, message: &Message, now: DateTime<Utc>) {
        self.write(message, Ended::Lost, now);
    }

    /// Lets what waits for the channel go out before the call in hand is answered.
    pub(super) fn hurry(&mut self, key: &ChannelKey) {
        let hurried = self.waiting.extract_if(.., |_, message| message.key == *key);
        self.early.extend(hurried.map(|(_, message)| message));
    }

    fn write(&mut self, message: &Message, ended: Ended, now: DateTime<Utc>) {
        self.ended += 1;
        if self.made.len() == KEPT {
            self.made.pop_front();
        }
        self.made.push_back(Delivery {
            number: self.ended,
            time: now,
            channel: message.key.id.clone(),
            user: message.user.clone(),
            state: message.state,
            message: message.number,
            address: message.address.clone(),
            attempt: message.attempt,
            ended,
        });
    }

    /// When the first message is due that could go out.
    fn next_due(&self) -> Option<DateTime<Utc>> {
        let free = self.waiting.iter().find(|(_, message)| !self.busy.contains(&message.key));
        free.filter(|_| self.busy.len() < AT_ONCE).map(|((due, _), _)| *due)
    }
}

impl State {
    /// The next message to go out: one that is due, whose channel is open and has none under way.
    fn take_due(&mut self, now: DateTime<Utc>) -> Option<Message> {
        let outgoing = &mut self.outgoing;
        loop {
            let mut due = outgoing.waiting.iter().take_while(|((due, _), _)| *due <= now);
            let place = *due.find(|(_, message)| !outgoing.busy.contains(&message.key))?.0;
            let message = outgoing.waiting.remove(&place)?;
            if self.channels.get(&message.key).is_some_and(|channel| channel.is_open(now)) {
                return Some(message);
            }
        }
    }

    /// Writes down how an attempt ended, and makes another one later if that is the rule.
    fn settle(&mut self, mut message: Message, ended: Ended, now: DateTime<Utc>) {
        self.outgoing.busy.remove(&message.key);
        self.outgoing.write(&message, ended, now);
        let again = matches!(ended, Ended::Answered(500 | 502 | 503 | 504));
        if again && message.attempt < ATTEMPTS {
            let pause = TimeDelta::seconds(FIRST_PAUSE_SECS << (message.attempt - 1));
            message.attempt += 1;
            self.outgoing.post(message, now + pause);
        }
    }
}

type HttpClient = Client<HttpConnector, Empty<Bytes>>;

fn http_client() -> HttpClient {
    Client::builder(TokioExecutor::new()).build_http()
}

impl Simulator {
    /// Every attempt so far to deliver a message of a push channel, in the order in which they ended.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.state().outgoing.made.iter().cloned().collect()
    }

    /// Takes the messages that are due, for programs that run the simulator without sockets. Where
    /// it is served, it posts them itself.
    pub fn take_pushes(&self) -> Vec<PushMessage> {
        let now = self.now();
        let mut state = self.state();
        let mut taken = Vec::new();
        while let Some(message) = state.take_due(now) {
            state.outgoing.write(&message, Ended::Taken, now);
            let headers = message.headers.into_iter().collect();
            taken.push(PushMessage { address: message.address, headers });
        }
        taken
    }

    /// Posts the messages of push channels until `stop`; those under way then are given up.
    /// [`Simulator::serve`] does so by itself.
    pub async fn deliver(self, stop: CancellationToken) {
        let client = http_client();
        let wake = self.state().outgoing.wake.clone();
        let mut under_way = JoinSet::new();
        loop {
            let due = self.start_attempts(&client, &mut under_way);
            let until_due = async {
                match due {
                    Some(due) => self.sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(done) = under_way.join_next() => if let Ok((message, ended)) = done {
                    let now = self.now();
                    self.state().settle(message, ended, now);
                },
                () = wake.notified() => {}
                () = until_due => {}
            }
        }
    }

    /// Starts every attempt that can be, and tells when there may be another.
    fn start_attempts(
        &self,
        client: &HttpClient,
        under_way: &mut JoinSet<(Message, Ended)>,
    ) -> Option<DateTime<Utc>> {
        let now = self.now();
        let mut state = self.state();
        while under_way.len() < AT_ONCE
            && let Some(message) = state.take_due(now)
        {
            state.outgoing.busy.insert(message.key.clone());
            let client = client.clone();
            under_way.spawn(async move {
                let ended = attempt(&client, &message).await;
                (message, ended)
            });
        }
        // A Meet link that becomes ready is news, too.
        let meet = state.next_meet().filter(|_| !state.channels.is_empty());
        state.outgoing.next_due().into_iter().chain(meet).min()
    }

    /// Delivers what must be there before the call in hand is answered.
    pub(super) async fn deliver_early(&self) {
        let early = std::mem::take(&mut self.state().outgoing.early);
        for message in early {
            let ended = attempt(&http_client(), &message).await;
            let now = self.now();
            self.state().settle(message, ended, now);
        }
    }
}

/// Posts `message` to its address.
async fn attempt(client: &HttpClient, message: &Message) -> Ended {
    if message.address.starts_with("https:") {
        return Ended::NotCalled;
    }
    let mut request = Request::post(&message.address)
        .header(header::ACCEPT, "*/*")
        .header(header::USER_AGENT, AGENT)
        .header(header::CONTENT_LENGTH, "0");
    for (name, value) in &message.headers {
        request = request.header(*name, value.as_bytes());
    }
    let Ok(request) = request.body(Empty::new()) else { return Ended::Unreachable };
    match tokio::time::timeout(DEADLINE, client.request(request)).await {
        Ok(Ok(response)) => Ended::Answered(response.status().as_u16()),
        Ok(Err(_)) | Err(_) => Ended::Unreachable,
    }
}
