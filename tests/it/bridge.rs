//! The harness: the whole bridge and a simulated Google in one process, with one clock that the test
//! holds. Nothing sleeps: work is drained, and the clock is moved to whatever is due next.
//!
//! A bridge that is dropped fails its test if it leaves a fault unused, or a job given up that the
//! test did not announce.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use axum::Router;
use axum::body::Body;
use calbridge::app::App;
use calbridge::app::access::{self, Caller, KeyWish};
use calbridge::app::connections::{self, Answer as Redirect, Purpose, Waiting};
use calbridge::app::tokens;
use calbridge::clock::{Clock, ManualClock};
use calbridge::config::Config;
use calbridge::daemon::{Bridge as Tied, Parts};
use calbridge::google::{Open, Wires};
use calbridge::model::id::InstanceId;
use calbridge::model::key::Scope;
use calbridge::model::owner::{Owner, UserId};
use calbridge::random::{CountingRandom, Random};
use calbridge::simulator::{Fault, Settings, Simulator};
use calbridge::store::memory::MemoryStore;
use calbridge::store::{Store, StoreError};
use chrono::{DateTime, TimeDelta, Utc};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::http::response;
use hyper::{HeaderMap, Method, Request, header};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// Who the server's account is, unless a test says otherwise.
pub const ANA: &str = "ana@example.com";
/// Work that is not done after so many moments never will be.
const MOST_MOMENTS: usize = 200;
/// How much a pipe to the simulator holds.
const PIPE: usize = 64 * 1024;

/// The whole bridge.
pub struct Bridge {
    /// What runs.
    pub tied: Tied,
    /// Every route, called without sockets.
    pub router: Router,
    /// The other side.
    pub google: Simulator,
    /// The hands of both.
    pub clock: Arc<ManualClock>,
    /// An API key that may write events.
    pub key: String,
    /// Where credentials and key files live.
    pub place: Arc<TempDir>,
    dead_expected: u64,
    wires: Wires,
    http: Client<HttpConnector, Full<Bytes>>,
    stop: CancellationToken,
    _tasks: JoinSet<()>,
}

/// What a test may choose.
pub struct Choices {
    /// The store; one in memory by default.
    pub store: Option<Arc<dyn Store>>,
    /// The simulated Google; a new one by default.
    pub google: Option<(Simulator, Arc<ManualClock>)>,
    /// Where credentials and the key file live; a new place by default.
    pub place: Option<Arc<TempDir>>,
    /// More settings, as TOML.
    pub settings: String,
    /// More settings of the section `google`.
    pub google_settings: String,
    /// What chance follows from.
    pub seed: u64,
    /// Whether Google is reached by pipes in memory, not by sockets.
    pub in_memory: bool,
}

impl Default for Choices {
    fn default() -> Self {
        Self {
            store: None,
            google: None,
            place: None,
            settings: String::new(),
            google_settings: String::new(),
            seed: 1,
            in_memory: false,
        }
    }
}

/// An answer of the bridge.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    /// The same; a problem must say what happened and what to do, unless it answers `HEAD`, which gets no
    /// body.
    pub fn said_in_full(self, method: &Method) -> Self {
        let problem = self.header("content-type") == "application/problem+json";
        if self.status >= 400 && problem && method != Method::HEAD {
            let told = self.json();
            for member in ["code", "detail", "advice"] {
                let text = told[member].as_str().unwrap_or_default();
                assert!(!text.is_empty(), "a problem without its {member}: {}", self.text);
            }
        }
        self
    }

    /// The body.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    /// A header's value; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().expect("ASCII")).unwrap_or_default()
    }
}

/// When every test begins.
pub fn morning() -> DateTime<Utc> {
    "2026-11-02T08:00:00Z".parse().expect("a moment")
}

/// A body for the classic route.
pub fn tea() -> Value {
    json!({
        "summary": "Tea",
        "description": "With milk",
        "startDateTime": "2026-11-30T14:00:00",
        "endDateTime": "2026-11-30T15:00:00",
        "timeZone": "Europe/Lisbon"
    })
}

/// A body for `POST /api/v1/events`.
pub fn brew() -> Value {
    json!({
        "summary": "Tea",
        "description": "With milk",
        "start": "2026-11-30T14:00:00",
        "end": "2026-11-30T15:00:00",
        "time_zone": "Europe/Lisbon",
        "meet": false
    })
}

/// `body` with these members instead.
pub fn with(mut body: Value, members: &Value) -> Value {
    let object = body.as_object_mut().expect("an object");
    object.extend(members.as_object().expect("an object").clone());
    body
}

impl Bridge {
    /// A bridge with the server's account connected.
    pub async fn connected() -> Self {
        let bridge = Self::start().await;
        bridge.connect(ANA).await.expect("the account can be connected");
        bridge
    }

    /// A bridge that knows no account yet.
    pub async fn start() -> Self {
        Self::with(Choices::default()).await
    }

    /// A bridge as chosen.
    pub async fn with(choices: Choices) -> Self {
        let (google, clock) = choices.google.unwrap_or_else(|| {
            let clock = Arc::new(ManualClock::at(morning()));
            (Simulator::with_manual_clock(Settings::default(), clock.clone()), clock)
        });
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let (wires, base) = if choices.in_memory {
            (pipes_to(&google, &stop), "https://google.test".to_owned())
        } else {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let base = format!("http://{}", listener.local_addr().expect("an address"));
            tasks.spawn(google.clone().serve(listener, stop.clone()));
            (Wires::Network, base)
        };
        google.set_base_address(&base);

        let place =
            choices.place.unwrap_or_else(|| Arc::new(tempfile::tempdir().expect("a directory")));
        let callback = "http://localhost:3001/oauth2callback";
        let credentials = place.path().join("google-credentials.json");
        std::fs::write(&credentials, google.credentials_json(callback)).expect("a file");
        let text = format!(
            "data_dir = \"{place}/data\"\n{settings}\n[google]\ncredentials_file = \"{place}/google-credentials.json\"\n\
             consent_url = \"{base}/o/oauth2/v2/auth\"\ntoken_url = \"{base}/token\"\nrevoke_url = \"{base}/revoke\"\n\
             userinfo_url = \"{base}/v1/userinfo\"\napi_url = \"{base}/\"\n{more}\n",
            place = place.path().display(),
            settings = choices.settings,
            more = choices.google_settings,
        );
        let config = Config::from_toml(&text).expect("valid settings").config;
        let random: Arc<dyn Random> = Arc::new(CountingRandom::new(choices.seed));
        let store = choices
            .store
            .unwrap_or_else(|| Arc::new(MemoryStore::new(InstanceId::random(&*random))));
        let parts = Parts { store, clock: clock.clone(), random, wires: wires.clone() };
        // It has been up for a while, and its quota is whole.
        let now = clock.now();
        clock.set(now - TimeDelta::minutes(1));
        let tied = Box::pin(Tied::tie(&config, parts)).await.expect("a bridge");
        clock.set(now);
        Self {
            router: tied.router(),
            key: key_for(&tied.app, &[Scope::EventsWrite]).await,
            tied,
            google,
            clock,
            place,
            dead_expected: 0,
            wires,
            http: Client::builder(TokioExecutor::new()).build_http(),
            stop,
            _tasks: tasks,
        }
    }

    /// A new API key that may do this.
    pub async fn key_for(&self, scopes: &[Scope]) -> String {
        key_for(&self.tied.app, scopes).await
    }

    /// Connects the server's account through the real endpoints.
    pub async fn connect(&self, account: &str) -> Result<(), calbridge::app::Error> {
        let app = &self.tied.app;
        let consent = connections::begin(app, Purpose::server()).await?;
        let redirect =
            self.consent(&consent.url, &[("decision", "allow"), ("user", account)]).await;
        connections::finish(app, redirect, Some(&consent.cookie)).await.outcome.map(drop)
    }

    /// Lets go of the server's account; what waits for it stays.
    pub async fn disconnect(&self) {
        let (app, administrator) = (&self.tied.app, Caller::administrator());
        let let_go = connections::disconnect_server(app, &administrator, Waiting::Kept);
        let_go.await.expect("the server has an account");
    }

    /// What Google's redirect brings back when its consent page is answered so.
    pub async fn consent(&self, url: &str, fields: &[(&str, &str)]) -> Redirect {
        let request = consent_form(url, fields);
        let headers = match &self.wires {
            Wires::Network => {
                let response = self.http.request(request).await.expect("an answer");
                response.into_parts().0.headers
            }
            Wires::Memory(open) => ask_google(open, request).await.0.headers,
        };
        redirect_of(&headers)
    }

    /// Asks the simulated Calendar API with the token of a user's connection. Returns its answer.
    pub async fn at_google(&self, user: &str, method: Method, path: &str, body: &Value) -> Value {
        let user = UserId::try_from(user.to_owned()).expect("a user");
        self.ask_as(&Owner::User(user), method, path, body).await
    }

    /// The instances of a series in the calendar of the server's account, as Google tells them.
    pub async fn instances(&self, series: &str) -> Vec<Value> {
        let path = format!("calendars/primary/events/{series}/instances");
        let told = self.ask_as(&Owner::Application, Method::GET, &path, &Value::Null).await;
        told["items"].as_array().expect("instances").clone()
    }

    async fn ask_as(&self, owner: &Owner, method: Method, path: &str, body: &Value) -> Value {
        let app = &self.tied.app;
        let linked = connections::of(app, owner).await.expect("a store that works");
        let token = tokens::access(app, &linked.expect("a connection")).await.expect("a token");
        let request = Request::builder()
            .method(method)
            .uri(format!("{}calendar/v3/{path}", app.google.endpoints().api))
            .header(header::AUTHORIZATION, format!("Bearer {}", token.token.expose_secret()))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.to_string())))
            .expect("a request");
        let (head, body) = self.http.request(request).await.expect("an answer").into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        assert!(head.status.is_success(), "{path}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap_or_default()
    }

    /// The next calls meet this.
    pub fn fault(&self, fault: Fault) {
        self.google.add_fault(fault);
    }

    /// The test ends with so many jobs given up.
    pub fn expect_dead(&mut self, jobs: u64) {
        self.dead_expected = jobs;
    }

    /// Does everything there is to do, moving the clock to whatever is due next.
    pub async fn run_until_idle(&self) {
        for _ in 0..MOST_MOMENTS {
            match self.drain().await {
                Some(moment) => self.clock.set(moment.max(self.clock.now())),
                None => return,
            }
        }
        panic!("there is work without end");
    }

    /// Does what is due now.
    pub async fn work(&self) {
        self.drain().await;
    }

    /// Does what is due now, and moves the clock for calls that wait for quota. Returns the next
    /// moment at which there is more to do.
    async fn drain(&self) -> Option<DateTime<Utc>> {
        let mut work = pin!(async {
            // What is told here may make events, whose jobs the other then does.
            let local = self.tied.local.drain().await?;
            let next = self.tied.worker.drain().await?;
            Ok::<_, StoreError>([local, next].into_iter().flatten().min())
        });
        loop {
            if let Poll::Ready(next) = poll_once(work.as_mut()).await {
                return next.expect("a store that works");
            }
            let used = self.tied.app.limits.report();
            let payers = used.payers.iter().map(|(_, payer)| payer.waiting).sum::<u64>();
            match self.clock.next_waited_for() {
                Some(moment) if used.project.waiting + payers > 0 => {
                    self.clock.set(moment.max(self.clock.now()));
                }
                _ => tokio::task::yield_now().await,
            }
        }
    }

    /// Moves the clock.
    pub fn pass(&self, time: TimeDelta) {
        self.clock.advance(time);
    }

    /// Sends a request and, while its answer waits for work or for the clock, does the work and moves
    /// the clock.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let mut changes = self.tied.app.store.changes();
        let method = request.method().clone();
        let mut answer = pin!(self.router.clone().oneshot(request));
        for _ in 0..MOST_MOMENTS {
            if let Poll::Ready(response) = poll_once(answer.as_mut()).await {
                return read(&method, response).await;
            }
            let next = self.drain().await;
            if let Poll::Ready(response) = poll_once(answer.as_mut()).await {
                return read(&method, response).await;
            }
            let moment = [next, self.clock.next_waited_for()].into_iter().flatten().min();
            if let Some(moment) = moment {
                self.clock.set(moment.max(self.clock.now()));
                continue;
            }
            // Neither work nor the clock will wake it: something outside will, or there is no work
            // yet, since the store takes its time.
            let answered = poll_fn(|context| {
                if let Poll::Ready(response) = answer.as_mut().poll(context) {
                    return Poll::Ready(Some(response));
                }
                // What woke it may have led it to where it waits for the clock.
                if self.clock.next_waited_for().is_some() {
                    Poll::Ready(None)
                } else {
                    Poll::Pending
                }
            });
            tokio::select! {
                response = answered => if let Some(response) = response {
                    return read(&method, response).await;
                },
                _ = changes.recv() => {}
            }
        }
        panic!("the request waits without end");
    }

    /// Sends a request without a body.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path).body(Body::empty()).expect("a request")).await
    }

    /// Posts `body` to the classic route, with more headers.
    pub async fn post(&self, body: &Value, headers: &[(&str, &str)]) -> Answer {
        self.send_json(Method::POST, "/api/create-calendar-event", body, headers).await
    }

    /// Posts to the classic route without waiting. Returns the answer's members.
    pub async fn accept(&self, body: &Value) -> Value {
        let answer = self.post(body, &[("prefer", "respond-async")]).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        answer.json()
    }

    /// Sends any body, with these headers in place of the usual ones.
    pub async fn send_raw(
        &self,
        method: Method,
        path: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request =
            self.request(method, path).body(Body::from(body.to_owned())).expect("a request");
        for (name, value) in headers {
            let name = header::HeaderName::try_from(*name).expect("a name");
            request.headers_mut().insert(name, value.parse().expect("a value"));
        }
        self.send(request).await
    }

    /// Sends JSON, and leaves the work and the clock alone.
    pub async fn router_send(&self, method: Method, path: &str, body: &Value) -> Answer {
        let request = self.request(method, path).header(header::CONTENT_TYPE, "application/json");
        self.router_ask(request.body(Body::from(body.to_string())).expect("a request")).await
    }

    /// Posts `body` to the classic route, and leaves the work and the clock alone.
    pub async fn router_post(&self, body: &Value) -> Answer {
        self.router_send(Method::POST, "/api/create-calendar-event", body).await
    }

    /// Sends a request, and leaves the work and the clock alone.
    pub async fn router_ask(&self, request: Request<Body>) -> Answer {
        let method = request.method().clone();
        read(&method, self.router.clone().oneshot(request).await).await
    }

    /// Sends JSON.
    pub async fn send_json(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request =
            self.request(method, path).header(header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body.to_string())).expect("a request")).await
    }

    /// The event, as the bridge shows it.
    pub async fn event(&self, id: &Value) -> Value {
        let answer = self.get(&format!("/api/v1/events/{}", id.as_str().expect("an id"))).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    /// The job, as the bridge shows it.
    pub async fn job(&self, id: &Value) -> Value {
        let answer = self.get(&format!("/api/v1/jobs/{}", id.as_str().expect("an id"))).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    /// The titles in the account's calendar.
    pub fn titles(&self, account: &str) -> Vec<String> {
        let events = self.google.events(account);
        let title = |event: &Value| event["summary"].as_str().unwrap_or_default().to_owned();
        events.iter().map(title).collect()
    }

    /// Calls of this kind that Google saw.
    pub fn calls(&self, method: &str) -> usize {
        self.google.ledger().iter().filter(|entry| entry.method == method).count()
    }

    /// The beginning of a request with the test's key.
    pub fn request(&self, method: Method, path: &str) -> hyper::http::request::Builder {
        Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost:3001")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.key))
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.stop.cancel();
        if std::thread::panicking() {
            return;
        }
        assert_eq!(self.google.unused_faults(), Vec::<String>::new(), "faults that nothing met");
        let mut counting = pin!(self.tied.app.store.count_jobs());
        // The stores that tests use count without waiting.
        if let Poll::Ready(counts) = counting.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        {
            assert_eq!(
                counts.expect("a store that works").dead,
                self.dead_expected,
                "jobs given up"
            );
        }
    }
}

/// A consent page, answered with these fields.
pub fn consent_form(url: &str, fields: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    Request::post(url)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::from(form)))
        .expect("a request")
}

/// What Google's redirect brings back.
pub fn redirect_of(headers: &HeaderMap) -> Redirect {
    let location = headers[header::LOCATION].to_str().expect("ASCII");
    let location = url::Url::parse(location).expect("a URL");
    let mut redirect = Redirect::default();
    for (name, value) in location.query_pairs() {
        let value = Some(value.into_owned());
        match &*name {
            "state" => redirect.state = value,
            "code" => redirect.code = value,
            "error" => redirect.error = value,
            "iss" => redirect.iss = value,
            _ => {}
        }
    }
    redirect
}

/// Sends a request to the simulated Google over a pipe of its own, and reads the whole answer.
pub async fn ask_google(open: &Open, request: Request<Full<Bytes>>) -> (response::Parts, Bytes) {
    let pipe = open(request.uri()).expect("a pipe");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(pipe)).await.expect("a connection");
    let answered = async {
        let (head, body) = sender.send_request(request).await.expect("an answer").into_parts();
        (head, body.collect().await.expect("a body").to_bytes())
    };
    tokio::select! {
        biased;
        answer = answered => answer,
        ended = connection => panic!("the connection ended early: {ended:?}"),
    }
}

/// Wires that lead to `google`, where each connection is served by a task of its own until `stop`.
pub fn pipes_to(google: &Simulator, stop: &CancellationToken) -> Wires {
    let (google, stop, tasks) = (google.clone(), stop.clone(), TaskTracker::new());
    let open: Open = Arc::new(move |_| {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let serving = google.clone().serve_stream(theirs, stop.clone());
        tasks.spawn(stop.clone().run_until_cancelled_owned(serving));
        Ok(ours)
    });
    Wires::Memory(open)
}

async fn key_for(app: &App, scopes: &[Scope]) -> String {
    let wish = KeyWish::new("test", scopes.to_vec());
    let made = access::create_key(app, &Caller::console(), wish).await.expect("a key");
    made.secret.expose_secret().to_owned()
}

/// Looks once whether `future` is done.
pub async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
}

async fn read(method: &Method, response: Result<hyper::Response<Body>, Infallible>) -> Answer {
    let (parts, body) = response.unwrap_or_else(|never| match never {}).into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    let answer = Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        text: String::from_utf8(body.to_vec()).expect("UTF-8"),
    };
    answer.said_in_full(method)
}
