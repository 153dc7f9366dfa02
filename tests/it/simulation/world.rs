//! One bridge that lives, dies and comes back, over one store and one Google.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use calbridge::app::App;
use calbridge::app::access::{self, Caller, KeyWish};
use calbridge::app::connections::{self, Purpose};
use calbridge::clock::{Clock, ManualClock};
use calbridge::config::Config;
use calbridge::daemon::{Bridge, Parts};
use calbridge::google::{Open, Wires};
use calbridge::model::id::InstanceId;
use calbridge::model::key::Scope;
use calbridge::random::{CountingRandom, Random};
use calbridge::simulator::{Quota, Settings, Simulator};
use calbridge::store::Beat;
use calbridge::store::memory::MemoryStore;
use chrono::TimeDelta;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use secrecy::ExposeSecret;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::fragile::{Crash, Fragile};
use super::history::{Chance, History};
use super::watch::Watch;
use crate::bridge::{ANA, ask_google, consent_form, pipes_to, redirect_of};
use crate::surrounded::Surrounded;

const GOOGLE: &str = "https://google.test";
/// The calls a minute that a tight Google grants its user.
const TIGHT: u32 = 40;
const SETTINGS: &str = "[classic]\nrequests = 100000\n[queue]\nworkers = 6\nper_connection = 4\n";

/// Everything that is there in one history.
pub struct World {
    pub seed: u64,
    /// Google grants so few calls that they have to be paced, and no clock is wrong: it must then
    /// never have to say so.
    pub tight: bool,
    pub clock: Arc<ManualClock>,
    pub google: Simulator,
    pub history: Arc<History>,
    pub watch: Arc<Watch>,
    /// One API key for each backend.
    pub keys: Vec<String>,
    /// From here on nothing goes wrong any more.
    pub quiet: CancellationToken,
    /// The bridge is to stop for good.
    pub over: CancellationToken,
    up: watch::Sender<Option<Arc<Life>>>,
    store: Mutex<Arc<MemoryStore>>,
    config: Config,
    random: Arc<dyn Random>,
    open: Open,
    _place: TempDir,
}

/// The bridge from one start to its end.
pub struct Life {
    pub app: App,
    router: Router,
    store: Arc<Surrounded<Fragile>>,
    /// Requests in hand.
    in_hand: TaskTracker,
}

/// What a caller saw.
pub enum Seen {
    /// An answer: its status and body.
    Answer(u16, Value),
    /// The connection broke, or the caller's patience.
    Nothing,
}

impl World {
    /// A bridge whose server's account is connected, with keys for so many backends. It runs as soon
    /// as [`keep`](Self::keep) does.
    pub async fn new(seed: u64, clock: Arc<ManualClock>, backends: usize) -> Self {
        let tight = Chance::of(seed, 5).percent(40);
        let calls = if tight { TIGHT } else { Quota::default().per_user_per_minute };
        let quota = Quota { per_user_per_minute: calls, ..Quota::default() };
        let settings = Settings { seed, quota, ..Settings::default() };
        let google = Simulator::with_manual_clock(settings, clock.clone());
        google.set_base_address(GOOGLE);
        let history = Arc::new(History::new(clock.clone(), google.clone()));
        let watch = Arc::new(Watch::new(history.clone(), google.clone()));
        let Wires::Memory(open) = pipes_to(&google, &CancellationToken::new()) else {
            unreachable!("pipes are in memory")
        };
        let place = tempfile::tempdir().expect("a directory");
        let random: Arc<dyn Random> = Arc::new(CountingRandom::new(seed));
        let store = Arc::new(MemoryStore::new(InstanceId::random(&*random)));
        let mut world = Self {
            seed,
            tight,
            config: config(&google, &place, calls),
            clock,
            google,
            history,
            watch,
            keys: Vec::new(),
            quiet: CancellationToken::new(),
            over: CancellationToken::new(),
            up: watch::Sender::new(None),
            store: Mutex::new(store),
            random,
            open,
            _place: place,
        };
        let (first, _) = world.tie(0).await;
        for backend in 0..backends {
            let source = format!("backend {backend}");
            let wish = KeyWish {
                source: source.clone(),
                ..KeyWish::new(&source, vec![Scope::EventsWrite])
            };
            let key =
                access::create_key(&first.app, &Caller::console(), wish).await.expect("a key");
            world.keys.push(key.secret.expose_secret().to_owned());
        }
        world.connect(&first.app).await.expect("the account can be connected");
        world
    }

    /// How far apart the calls are that the bridge may make, at nine tenths of what Google grants.
    pub fn a_call(&self) -> TimeDelta {
        let calls = self.config.google.user.calls_per_minute;
        TimeDelta::minutes(1) * 10 / (i32::try_from(calls.get()).expect("few") * 9)
    }

    /// Lets the bridge live, die and come back until the end.
    pub async fn keep(&self) {
        let chance = Chance::of(self.seed, 1);
        for number in 1.. {
            let (life, bridge) = self.tie(number).await;
            let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
            tasks.spawn(bridge.worker.clone().run(stop.clone()));
            let until = stop.clone();
            tasks.spawn(async move {
                // One process is all there is, and leads.
                let (_beats, beating) = watch::channel(Beat::ALONE);
                bridge.periodic.run(beating, &until).await;
            });
            let lifetime = self.choose_end(&life, &chance);
            self.history.tell(format!("start    life {number}"));
            self.up.send_replace(Some(life.clone()));
            tokio::select! {
                biased;
                () = life.store.around.died.cancelled() => {}
                () = self.over.cancelled() => {}
                () = self.until_stop(lifetime) => {}
            }
            self.up.send_replace(None);
            if !life.store.around.died.is_cancelled() {
                self.history.tell("stop     asked for");
                stop.cancel();
                life.app.stopping.cancel();
                life.in_hand.close();
                let ending = async {
                    while tasks.join_next().await.is_some() {}
                    life.in_hand.wait().await;
                };
                tokio::select! {
                    biased;
                    () = life.store.around.died.cancelled() => {}
                    () = ending => self.history.tell("stop     done"),
                }
            }
            tasks.shutdown().await;
            if self.over.is_cancelled() {
                return;
            }
            if life.store.around.died.is_cancelled() {
                let mut store = self.store.lock().expect("no one panics while reopening");
                *store = Arc::new(store.reopened());
            }
            drop(life);
            if !self.quiet.is_cancelled() {
                self.clock.sleep(chance.time(TimeDelta::seconds(20))).await;
            }
        }
    }

    /// Sends what `request` makes for the key to the bridge as soon as it is up, and waits for the
    /// answer for no longer than `patience`.
    pub async fn ask(
        &self,
        request: impl Fn() -> Request<Body>,
        patience: Option<TimeDelta>,
    ) -> Seen {
        let life = self.life().await;
        let answering = life.in_hand.track_future(life.router.clone().oneshot(request()));
        let patience = async {
            match patience {
                Some(patience) => self.clock.sleep(patience).await,
                None => std::future::pending().await,
            }
        };
        let response = tokio::select! {
            biased;
            () = life.store.around.died.cancelled() => return Seen::Nothing,
            response = answering => response.unwrap_or_else(|never| match never {}),
            () = patience => return Seen::Nothing,
        };
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        Seen::Answer(status, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// The bridge, as soon as it is up.
    pub async fn life(&self) -> Arc<Life> {
        let mut up = self.up.subscribe();
        let life = up.wait_for(Option::is_some).await.expect("the keeper keeps the sender");
        life.clone().expect("just looked")
    }

    /// Connects the server's account, as a person does. Says why that came to nothing.
    pub async fn connect(&self, app: &App) -> Result<(), calbridge::app::Error> {
        let consent = connections::begin(app, Purpose::server()).await?;
        let form = consent_form(&consent.url, &[("decision", "allow"), ("user", ANA)]);
        let (head, _) = ask_google(&self.open, form).await;
        let redirect = redirect_of(&head.headers);
        connections::finish(app, redirect, Some(&consent.cookie)).await.outcome.map(drop)
    }

    /// Lets a person do something with a bridge that is up; nothing, if it dies meanwhile.
    pub async fn with_life<T>(&self, doing: impl AsyncFnOnce(&Life) -> T) -> Option<T> {
        let life = self.over.run_until_cancelled(self.life()).await?;
        tokio::select! {
            biased;
            () = self.over.cancelled() => None,
            () = life.store.around.died.cancelled() => None,
            done = doing(&life) => Some(done),
        }
    }

    /// Everything in Google's calendars.
    pub async fn dump(&self) -> Value {
        let request =
            Request::get(format!("{GOOGLE}/simulator/dump")).body(Full::<Bytes>::default());
        let (_, body) = ask_google(&self.open, request.expect("a request")).await;
        serde_json::from_slice(&body).expect("JSON")
    }

    /// What is stored, whoever lives.
    pub fn store(&self) -> Arc<MemoryStore> {
        self.store.lock().expect("no one panics while reopening").clone()
    }

    /// Nothing goes wrong any more.
    pub fn be_quiet(&self) {
        self.quiet.cancel();
        self.google.clear_faults();
        if let Some(life) = &*self.up.borrow() {
            life.store.around.be_safe();
        }
        self.history.tell("quiet");
    }

    async fn tie(&self, number: u64) -> (Arc<Life>, Bridge) {
        let chance = Chance::of(self.seed, 1000 + number);
        let store =
            Arc::new(Fragile::over(self.store(), self.clock.clone(), chance, self.watch.clone()));
        let parts = Parts {
            store: store.clone(),
            clock: self.clock.clone(),
            random: self.random.clone(),
            wires: Wires::Memory(self.open.clone()),
        };
        let bridge = Bridge::tie(&self.config, parts).await.expect("a bridge");
        let life = Life {
            app: bridge.app.clone(),
            router: bridge.router(),
            store,
            in_hand: TaskTracker::new(),
        };
        (Arc::new(life), bridge)
    }

    /// How a life will end: at one of its steps, or after some time.
    fn choose_end(&self, life: &Life, chance: &Chance) -> Option<TimeDelta> {
        if self.quiet.is_cancelled() {
            return None;
        }
        match chance.below(10) {
            0..6 => {
                let crash = Crash { steps: chance.below(60), takes_effect: chance.percent(50) };
                life.store.around.arm(crash);
                None
            }
            6..9 => Some(chance.time(TimeDelta::minutes(4))),
            _ => None,
        }
    }

    async fn until_stop(&self, lifetime: Option<TimeDelta>) {
        if let Some(lifetime) = lifetime {
            self.clock.sleep(lifetime).await;
        }
        if lifetime.is_none() || self.quiet.is_cancelled() {
            std::future::pending::<()>().await;
        }
    }
}

/// Whoever looks for the reason of a panic finds the history before it.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}seed {}", self.history.end().0, self.seed);
        }
    }
}

fn config(google: &Simulator, place: &TempDir, calls: u32) -> Config {
    let credentials = place.path().join("google-credentials.json");
    let callback = "http://localhost:3001/oauth2callback";
    std::fs::write(&credentials, google.credentials_json(callback)).expect("a file");
    let text = format!(
        "data_dir = \"{place}/data\"\n{SETTINGS}[google]\ncredentials_file = \"{place}/google-credentials.json\"\n\
         consent_url = \"{GOOGLE}/o/oauth2/v2/auth\"\ntoken_url = \"{GOOGLE}/token\"\nrevoke_url = \"{GOOGLE}/revoke\"\n\
         userinfo_url = \"{GOOGLE}/v1/userinfo\"\napi_url = \"{GOOGLE}/\"\n\
         user_calls_per_minute = {calls}\nuser_burst = {burst}\n",
        burst = calls / 30,
        place = place.path().display(),
    );
    Config::from_toml(&text).expect("valid settings").config
}
