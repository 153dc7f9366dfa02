//! How fast the whole bridge accepts: the classic POST with `Prefer: respond-async`, from 64 clients at
//! once, checked, sealed and on disk, held against the lower of the store alone and an empty route.
//!
//! `cargo bench --bench accept`; with `-- --check` it fails below its floor. The bridge is the real
//! program with its account connected and Google gone, so that jobs wait. Rounds take turns.

#![expect(clippy::disallowed_methods, reason = "a bench measures real time")]

#[expect(dead_code, reason = "the tests' harness, of which a bench needs a part")]
#[path = "../tests/it"]
mod it {
    pub mod bridge;
    pub mod process;
}
#[expect(dead_code, reason = "other benches need the rest")]
mod load;
#[expect(dead_code, reason = "other benches need the rest")]
mod sample;
#[expect(dead_code, reason = "other benches need the rest")]
mod table;
#[expect(dead_code, reason = "other benches need the rest")]
mod usage;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use calbridge::store::EventStore;
use calbridge::store::contract::examples::{NOON, ROOM};
use calbridge::store::sled::{Options, SledStore};
use tempfile::TempDir;
use tokio::task::JoinSet;

use it::{bridge, process};
use load::{End, Posts, Sent};
use process::{Process, Simulated};
use sample::Sample;
use table::{Row, median, show};

const ROUNDS: usize = 7;
const TURN: Duration = Duration::from_secs(2);
const CLIENTS: usize = 64;
/// Of docs/decisions/0014-speed-floors.md.
const FLOOR: f64 = 0.50;
const AIM: f64 = 0.30;

#[tokio::main]
async fn main() -> ExitCode {
    let google = Simulated::start();
    let process = Process::start(&google, "classic.requests = 1000000").await;
    process.connect(bridge::ANA).await;
    let posts = |address: &str, key: String| Posts {
        address: address.to_owned(),
        key,
        number: Arc::new(AtomicU64::new(0)),
        prefer: "respond-async",
    };
    let ours = posts(process.home.base.trim_start_matches("http://"), process.new_key().await);
    drop(google);
    let empty = posts(&empty_route().await, "none".to_owned());
    let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let store = SledStore::open(dir.path(), sample::name(), NOON, &Options::default());
    let (store, sample) = (Arc::new(store.expect("a store")), Arc::new(Sample::default()));

    let (mut ratios, mut told) = (Vec::new(), [const { Vec::new() }; 4]);
    for _ in 0..ROUNDS {
        let alone = accept(&store, &sample).await;
        let route = rate(&empty.send(CLIENTS, End::After(TURN)));
        let before = usage::cpu_seconds(process.id());
        let sent = ours.send(CLIENTS, End::After(TURN));
        let cpu = (usage::cpu_seconds(process.id()) - before) / sent.took.as_secs_f64();
        ratios.push(rate(&sent) / alone.min(route));
        for (told, figure) in told.iter_mut().zip([rate(&sent), alone, route, cpu]) {
            told.push(figure);
        }
    }
    let [ours, alone, route, cpu] = told.map(median);
    let told = format!(
        "{ours:.0}/s of {alone:.0}/s in the store and {route:.0}/s through an empty route; \
         {cpu:.2} processors"
    );
    let name = format!("accepted POSTs, {CLIENTS} connections");
    show(&[Row { name, told, ratio: median(ratios), floor: FLOOR, aim: AIM }])
}

/// A route that answers without doing anything, in this process.
async fn empty_route() -> String {
    let route = Router::new().route(
        "/api/create-calendar-event",
        post(|body: String| async move {
            drop(body);
            StatusCode::ACCEPTED
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let listener = listener.into_std().expect("a socket");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
            axum::serve(listener, route).await.expect("it serves");
        });
    });
    address
}

/// Events per second that the store takes in from as many callers.
async fn accept(store: &Arc<SledStore>, sample: &Arc<Sample>) -> f64 {
    let begun = Instant::now();
    let mut all = JoinSet::new();
    for _ in 0..CLIENTS {
        let (store, sample) = (Arc::clone(store), Arc::clone(sample));
        all.spawn(async move {
            let mut accepted = 0_u32;
            while begun.elapsed() < TURN {
                store.accept(vec![sample.next()], ROOM, NOON).await.expect("the store works");
                accepted += 1;
            }
            accepted
        });
    }
    let accepted: u32 = all.join_all().await.into_iter().sum();
    f64::from(accepted) / begun.elapsed().as_secs_f64()
}

fn rate(sent: &Sent) -> f64 {
    let answers = u32::try_from(sent.waits.len()).expect("few");
    f64::from(answers) / sent.took.as_secs_f64()
}
