//! How the simulator's answers slow down with the size of a calendar.
//!
//! `cargo bench --bench simulator` asks for the same things in a calendar of 1,000 and in one of 100,000
//! events, and for the simulator's clock, which is as little as a call can ask for: the limit. Each
//! figure is the median of many calls, over a pipe in one process.

#![expect(clippy::disallowed_methods, reason = "a bench measures real time")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::Request;
use calbridge::clock::SystemClock;
use calbridge::simulator::{Quota, Settings, Simulator};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const SMALL: usize = 1_000;
const LARGE: usize = 100_000;
const CALLS: usize = 2_000;
const EVENTS: &str = "/calendar/v3/calendars/primary/events";

struct Caller {
    line: SendRequest<Full<Bytes>>,
    token: String,
    clients: Settings,
    _tasks: JoinSet<()>,
}

/// Medians of what a calendar of one size takes.
struct Medians {
    limit: Duration,
    insert: Duration,
    get: Duration,
    sync: Duration,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (small, large) = (measure(SMALL).await, measure(LARGE).await);
    println!("| call | {SMALL} events | {LARGE} events | slower | to the limit |");
    println!("|---|---|---|---|---|");
    for (name, of) in [
        ("insert", (|medians| medians.insert) as fn(&Medians) -> Duration),
        ("get", |medians| medians.get),
        ("list of one change", |medians| medians.sync),
        ("the limit", |medians| medians.limit),
    ] {
        let (few, many) = (of(&small), of(&large));
        println!(
            "| {name} | {few:.1?} | {many:.1?} | {:.2} × | {:.1} × |",
            many.as_secs_f64() / few.as_secs_f64(),
            many.as_secs_f64() / large.limit.as_secs_f64(),
        );
    }
}

async fn measure(size: usize) -> Medians {
    let mut caller = Caller::connect().await;
    for number in 0..size {
        caller.insert(number).await;
    }
    let mut page = String::new();
    let mut sync_token = loop {
        let told = caller.get(&format!("{EVENTS}?maxResults=2500{page}")).await;
        if let Some(token) = told["nextSyncToken"].as_str() {
            break token.to_owned();
        }
        let next = told["nextPageToken"].as_str().expect("a page token");
        page = format!("&pageToken={next}");
    };
    let mut spent: [Vec<Duration>; 4] = Default::default();
    for call in 0..CALLS {
        let begun = Instant::now();
        caller.get("/simulator/clock").await;
        spent[0].push(begun.elapsed());

        let begun = Instant::now();
        caller.insert(size + call).await;
        spent[1].push(begun.elapsed());

        let path = format!("{EVENTS}/{}", id(call * size / CALLS));
        let begun = Instant::now();
        let told = caller.get(&path).await;
        spent[2].push(begun.elapsed());
        assert_eq!(told["kind"], "calendar#event");

        let path = format!("{EVENTS}?syncToken={sync_token}");
        let begun = Instant::now();
        let told = caller.get(&path).await;
        spent[3].push(begun.elapsed());
        assert_eq!(told["items"].as_array().map(Vec::len), Some(1));
        told["nextSyncToken"].as_str().expect("a sync token").clone_into(&mut sync_token);
    }
    let [limit, insert, get, sync] = spent.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    });
    Medians { limit, insert, get, sync }
}

fn id(number: usize) -> String {
    format!("bench{number:08}")
}

impl Caller {
    async fn connect() -> Self {
        let settings = Settings { quota: Quota::unlimited(), ..Settings::default() };
        let simulator = Simulator::new(settings.clone(), Arc::new(SystemClock));
        let (here, there) = tokio::io::duplex(1 << 20);
        let mut tasks = JoinSet::new();
        tasks.spawn(simulator.serve_stream(there, CancellationToken::new()));
        let (line, connection) = handshake(TokioIo::new(here)).await.expect("a connection");
        tasks.spawn(async move { connection.await.expect("the connection lasts") });
        let mut caller = Self { line, token: String::new(), clients: settings, _tasks: tasks };
        caller.consent().await;
        caller
    }

    async fn consent(&mut self) {
        let client = self.clients.clients[0].clone();
        let redirect = client.redirect_uris[0].clone();
        let asked = form(&[
            ("client_id", &client.id),
            ("redirect_uri", &redirect),
            ("response_type", "code"),
            ("scope", "https://www.googleapis.com/auth/calendar"),
        ]);
        let decision = Request::post(format!("/o/oauth2/v2/auth?{asked}"));
        let (headers, _) = self.send(decision, form(&[("decision", "allow")])).await;
        let back: url::Url = headers["location"].to_str().expect("text").parse().expect("a URL");
        let code = back.query_pairs().find(|(name, _)| name == "code").expect("a code").1;
        let exchange = form(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("client_id", &client.id),
            ("client_secret", &client.secret),
            ("redirect_uri", &redirect),
        ]);
        let (_, tokens) = self.send(Request::post("/token"), exchange).await;
        tokens["access_token"].as_str().expect("a token").clone_into(&mut self.token);
    }

    async fn send(
        &mut self,
        request: axum::http::request::Builder,
        body: String,
    ) -> (axum::http::HeaderMap, Value) {
        let request = request
            .header("host", "simulator")
            .header("authorization", format!("Bearer {}", self.token))
            .body(Full::from(body))
            .expect("a request");
        self.line.ready().await.expect("the connection lasts");
        let response = self.line.send_request(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let status = parts.status.as_u16();
        assert!((200..400).contains(&status), "answered {status}");
        let body = body.collect().await.expect("a body").to_bytes();
        (parts.headers, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn insert(&mut self, number: usize) {
        let body = json!({
            "id": id(number),
            "summary": "Tea",
            "start": {"dateTime": "2026-04-01T10:00:00Z"},
            "end": {"dateTime": "2026-04-01T11:00:00Z"},
        });
        self.send(Request::post(EVENTS), body.to_string()).await;
    }

    async fn get(&mut self, path: &str) -> Value {
        self.send(Request::get(path), String::new()).await.1
    }
}

fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}
