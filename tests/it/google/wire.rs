//! A server that says what it is told to say, one answer a connection, and keeps what it was asked.

use std::io::Write as _;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use calbridge::clock::SystemClock;
use calbridge::google::{AccessToken, Endpoints, Google, Wires};
use calbridge::limits::{Allowance, Limits, Settings};
use chrono::TimeDelta;
use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Google at a server that answers as scripted.
pub struct Wire {
    pub google: Google,
    seen: Arc<Mutex<Vec<Seen>>>,
    _server: JoinSet<()>,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Method and path with query.
    pub line: String,
    /// Names in small letters.
    pub head: String,
    pub body: String,
}

impl Wire {
    /// A server that gives these answers, in this order, and then hangs.
    pub async fn answering(answers: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self::with_deadline(answers, Duration::from_secs(20)).await
    }

    pub async fn with_deadline(
        answers: impl IntoIterator<Item = Vec<u8>>,
        deadline: Duration,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let google = google_at(listener.local_addr().unwrap().port(), deadline);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let mut server = JoinSet::new();
        server.spawn(serve(listener, answers.into_iter().collect(), seen.clone()));
        Self { google, seen, _server: server }
    }

    /// What it was asked.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The one thing it was asked.
    pub fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen[0].clone()
    }
}

impl Seen {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The body as a form.
    pub fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(self.body.as_bytes()).into_owned().collect()
    }
}

pub fn google_at(port: u16, deadline: Duration) -> Google {
    let at = |path: &str| format!("http://127.0.0.1:{port}/{path}").parse().unwrap();
    let endpoints = Endpoints {
        consent: at("consent"),
        token: at("token"),
        revoke: at("revoke"),
        userinfo: at("userinfo"),
        api: at(""),
    };
    Google::new(endpoints, Wires::Network, deadline, Arc::new(SystemClock), plenty())
}

/// Limits that no test reaches.
pub fn plenty() -> Limits {
    let number = |number| NonZeroU32::new(number).expect("more than nothing");
    let allowance =
        Allowance { limit: number(1_000_000), aim_percent: number(90), burst: number(50_000) };
    let park = TimeDelta::hours(1);
    let settings = Settings { user: allowance, project: allowance, park, daily_warning: 1_000_000 };
    Limits::new(settings, Arc::new(SystemClock))
}

pub fn access() -> AccessToken {
    access_of("ya29.MARKER")
}

pub fn access_of(token: &str) -> AccessToken {
    AccessToken {
        token: SecretString::from(token),
        expires_in: Duration::from_hours(1),
        payer: None,
        quota_user: None,
    }
}

/// An answer with a JSON body.
pub fn json(status: u16, body: &str) -> Vec<u8> {
    answer(status, &["Content-Type: application/json"], body)
}

pub fn answer(status: u16, headers: &[&str], body: &str) -> Vec<u8> {
    promising(body.len(), status, headers, body)
}

/// An answer that ends before its body does.
pub fn cut(status: u16, body: &str) -> Vec<u8> {
    promising(body.len() + 10, status, &["Content-Type: application/json"], body)
}

fn promising(length: usize, status: u16, headers: &[&str], body: &str) -> Vec<u8> {
    let mut answer = Vec::new();
    write!(answer, "HTTP/1.1 {status} Scripted\r\nConnection: close\r\n").unwrap();
    if status != 204 {
        write!(answer, "Content-Length: {length}\r\n").unwrap();
    }
    for header in headers {
        write!(answer, "{header}\r\n").unwrap();
    }
    write!(answer, "\r\n{body}").unwrap();
    answer
}

async fn serve(listener: TcpListener, answers: Vec<Vec<u8>>, seen: Arc<Mutex<Vec<Seen>>>) {
    for answer in answers {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = read_request(&mut stream).await;
        seen.lock().unwrap().push(request);
        // The other side may hang up in the middle of a long answer: that is its right.
        let _ = stream.write_all(&answer).await;
        let _ = stream.shutdown().await;
    }
    let (mut stream, _) = listener.accept().await.unwrap();
    let request = read_request(&mut stream).await;
    seen.lock().unwrap().push(request);
    std::future::pending::<()>().await;
}

async fn read_request(stream: &mut TcpStream) -> Seen {
    let mut bytes = Vec::new();
    loop {
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "the request ended early");
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let (line, head) = head.split_once("\r\n").unwrap();
        let head: Vec<String> = head
            .lines()
            .map(|header| header.split_once(": ").unwrap())
            .map(|(name, value)| format!("{}: {value}", name.to_lowercase()))
            .collect();
        let length = head.iter().find_map(|header| header.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            let line = line.trim_end_matches(" HTTP/1.1").to_owned();
            return Seen { line, head: head.join("\n"), body: body.to_owned() };
        }
    }
}
