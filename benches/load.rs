//! Many clients at once, each with a connection of its own that it keeps: as little HTTP as will do,
//! on a thread of its own, so that what is measured is the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// What was sent, and how long each answer took.
pub struct Sent {
    /// How long it all took.
    pub took: Duration,
    /// How long each answer took, shortest first.
    pub waits: Vec<Duration>,
}

/// Posts to the classic route.
#[derive(Clone)]
pub struct Posts {
    /// The server's address, such as `127.0.0.1:3001`.
    pub address: String,
    /// The API key that the requests show.
    pub key: String,
    /// Counts the requests, each of which has an `Idempotency-Key` of its own.
    pub number: Arc<AtomicU64>,
    /// What the clients prefer.
    pub prefer: &'static str,
}

/// When the clients stop.
#[derive(Clone, Copy)]
pub enum End {
    /// After this time.
    After(Duration),
    /// When the requests have this number.
    At(u64),
}

impl Posts {
    /// Sends from so many clients at once.
    pub fn send(&self, clients: usize, end: End) -> Sent {
        let posts = self.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(posts.send_all(clients, end))
        });
        thread.join().expect("every request is answered")
    }

    async fn send_all(self, clients: usize, end: End) -> Sent {
        let begun = Instant::now();
        let mut all = JoinSet::new();
        for _ in 0..clients {
            all.spawn(self.clone().one_client(begun, end));
        }
        let mut waits: Vec<_> = all.join_all().await.into_iter().flatten().collect();
        waits.sort_unstable();
        Sent { took: begun.elapsed(), waits }
    }

    async fn one_client(self, begun: Instant, end: End) -> Vec<Duration> {
        let mut stream = TcpStream::connect(&self.address).await.expect("the server listens");
        stream.set_nodelay(true).expect("a socket");
        let (mut waits, mut answer) = (Vec::new(), Vec::new());
        loop {
            let number = self.number.fetch_add(1, Ordering::Relaxed);
            let over = match end {
                End::After(time) => begun.elapsed() >= time,
                End::At(last) => number >= last,
            };
            if over {
                return waits;
            }
            let sent = Instant::now();
            stream.write_all(self.request(number).as_bytes()).await.expect("the server reads");
            read_answer(&mut stream, &mut answer).await;
            waits.push(sent.elapsed());
        }
    }

    fn request(&self, number: u64) -> String {
        let Self { address, key, prefer, .. } = self;
        let notes = "What was said last time, and what is to be said. ".repeat(16);
        let body = format!(
            "{{\"summary\":\"Meeting {number}\",\"description\":\"{notes}\",\
             \"startDateTime\":\"2031-03-04T14:00:00\",\"endDateTime\":\"2031-03-04T15:00:00\",\
             \"attendeeEmail\":\"guest{number}@example.com\",\"timeZone\":\"Europe/Lisbon\"}}"
        );
        format!(
            "POST /api/create-calendar-event HTTP/1.1\r\nhost: {address}\r\n\
             authorization: Bearer {key}\r\ncontent-type: application/json\r\n\
             idempotency-key: bench-{number}\r\nprefer: {prefer}\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}

/// Reads one answer, which must be a good one.
async fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>) {
    answer.clear();
    let head = loop {
        let read = stream.read_buf(answer).await.expect("the server answers");
        assert!(read > 0, "the server hung up");
        if let Some(at) = answer.windows(4).position(|end| end == b"\r\n\r\n") {
            break at + 4;
        }
    };
    let told = String::from_utf8_lossy(&answer[..head]).to_ascii_lowercase();
    assert!(told.starts_with("http/1.1 2"), "{}", String::from_utf8_lossy(answer));
    let length = told.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.map_or(0, |length| length.trim().parse().expect("a length"));
    while answer.len() < head + length {
        let read = stream.read_buf(answer).await.expect("the server answers");
        assert!(read > 0, "the server hung up");
    }
}
