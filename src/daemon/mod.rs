//! Opens everything, ties it together, runs it and stops it: the one room that knows all the others.

mod auth;
mod door;
mod error;
mod gatekeeper;
mod import;
mod keys;
mod listen;
mod mail;
mod recurring;
mod reload;

use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use chrono::TimeDelta;
use secrecy::ExposeSecret;
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::app::access::Gate;
use crate::app::backlog::Seen;
use crate::app::backup;
use crate::app::client::Credentials;
use crate::app::incident::Freeze;
use crate::app::tokens::Tokens;
use crate::app::{self, App, access, audit};
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Config, StoreKind};
use crate::google::{Endpoints, Google, OauthClient, Wires};
use crate::http::{self, Crews};
use crate::jobs;
use crate::limits::{self, Allowance};
use crate::mail::Mailer;
use crate::model::event::Notify;
use crate::model::id::{InstanceId, NodeId};
use crate::model::job::Lane;
use crate::queue::periodic::Periodic;
use crate::queue::{self, Run, Worker};
use crate::random::{OsRandom, Random};
use crate::store::memory::MemoryStore;
use crate::store::postgres::{self, PostgresStore};
use crate::store::sled::{Options, SledStore};
use crate::store::{Backlog, Beat, Retention, Store};
use crate::vault::Vault;
pub use error::DaemonError;
use gatekeeper::Gatekeeper;
pub use import::{Imported, Start, import};

/// The administrator's socket, in the data directory.
pub const ADMIN_SOCKET: &str = "admin.sock";
/// Where the first administrator finds the setup code, in the data directory.
const SETUP_CODE_FILE: &str = "setup-code";
/// Jobs at once that do not lead to Google.
const LOCAL_WORKERS: usize = 8;
/// The clocks of processes on one database may differ by so much.
const MOST_SKEW: TimeDelta = TimeDelta::seconds(2);

/// What a bridge is made of: a test brings its own.
pub struct Parts {
    /// What is remembered.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Arc<dyn Random>,
    /// What connections to Google run over.
    pub wires: Wires,
}

/// Everything tied together, not running yet.
pub struct Bridge {
    /// What it does.
    pub app: App,
    /// What works off the jobs that lead to Google …
    pub worker: Worker,
    /// … and all others.
    pub local: Worker,
    /// What recurs.
    pub periodic: Periodic,
    door: http::Settings,
    /// How long requests in hand may take after the stop.
    drain: TimeDelta,
}

impl Bridge {
    /// Ties `parts` together as `config` says.
    pub async fn tie(config: &Config, parts: Parts) -> Result<Self, DaemonError> {
        let (file, random) = (&config.vault.key_file, Arc::clone(&parts.random));
        let vault = keys::unlock(&*parts.store, file, random).await?;
        Self::tie_over(config, parts, vault).await
    }

    /// The same over a vault that was unlocked before.
    async fn tie_over(config: &Config, parts: Parts, vault: Vault) -> Result<Self, DaemonError> {
        let Parts { store, clock, random, wires } = parts;
        let redirects = listed_redirects(&config.google.credentials_file);
        let public_url = config.public_url(&redirects);
        let endpoints = Endpoints {
            consent: config.google.consent_url.clone(),
            token: config.google.token_url.clone(),
            revoke: config.google.revoke_url.clone(),
            userinfo: config.google.userinfo_url.clone(),
            api: config.google.api_url.clone(),
        };
        let settings = app::Settings {
            credentials_file: config.google.credentials_file.clone(),
            service_account_file: config.google.service_account_file.clone(),
            redirect_uri: config.redirect_uri(&redirects),
            scopes: config.google.scopes.clone(),
            namespace: config.namespace(&redirects),
            notify: notify(config.classic.notify),
            meet: config.events.meet,
            catch_up: delta(config.reminders.catch_up),
            backlog: Backlog { all: config.queue.max_jobs, owner: config.queue.max_jobs_per_owner },
            wait: delta(config.classic.wait),
            require_issuer: config.google.require_issuer,
            return_to: config.return_to.clone(),
            setup_url: format!("{public_url}google-calendar-setup"),
            setup_code_file: config.data_dir.join(SETUP_CODE_FILE),
            data_dir: config.data_dir.clone(),
            audit_head: (config.store.kind != StoreKind::Memory)
                .then(|| config.audit.head_file.clone()),
        };
        let limits = limits::Limits::new(limits_of(&config.google), Arc::clone(&clock));
        let deadline = config.google.deadline;
        let google = Google::new(endpoints, wires, deadline, Arc::clone(&clock), limits.clone());
        let mail = config.mail.as_ref();
        let mail = mail.map(|config| Mailer::new(mail::relay(config), Arc::clone(&clock)));
        let app = App {
            store: Arc::clone(&store),
            vault: Arc::new(vault),
            google,
            limits,
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
            mail: mail.transpose()?.map(Arc::new),
            settings: Arc::new(settings),
            tokens: Arc::new(Tokens::default()),
            frozen: Arc::default(),
            credentials: Arc::new(Credentials::default()),
            owners_seen: Seen::default(),
            gate: Arc::new(Gate::new(config.auth.jwt.clone().map(auth::terms))),
            stopping: CancellationToken::new(),
        };
        audit::begin(&app).await?;
        let limits = queue::Limits {
            lanes: Lane::leads_to_google,
            workers: config.queue.workers,
            per_connection: config.queue.per_connection,
            per_lane: config.queue.per_calendar,
            lease: delta(config.queue.lease),
            drain: delta(config.stop.drain),
        };
        let (for_jobs, gates) = (app.clone(), Arc::new(Gatekeeper::of(&app)));
        let (own, time, chance) = (Arc::clone(&store), Arc::clone(&clock), Arc::clone(&random));
        let worker = Worker::new(own, time, chance, limits, gates, move |claim| {
            let (google, meter) = for_jobs.google.metered();
            let app = App { google, ..for_jobs.clone() };
            async move {
                let jobs::Report { end, learned, then } = jobs::run(app, claim).await;
                Run { end, learned, then, units: meter.units() }
            }
        })
        .await?
        .heeding(app.credentials.listen());
        let elsewhere = queue::Limits {
            lanes: |lane| !lane.leads_to_google(),
            workers: LOCAL_WORKERS,
            per_lane: LOCAL_WORKERS,
            ..limits
        };
        let for_jobs = app.clone();
        let local =
            Worker::new(store, clock, random, elsewhere, Arc::new(queue::Open), move |claim| {
                let app = for_jobs.clone();
                async move {
                    let jobs::Report { end, learned, then } = jobs::run(app, claim).await;
                    Run { end, learned, then, units: 1 }
                }
            })
            .await?;
        let periodic = recurring::periodic(&app, retention(&config.retention));
        let crews = Crews { google: Arc::new(worker.watch()), local: Arc::new(local.watch()) };
        let door = door::settings(config, public_url, crews);
        Ok(Self { app, worker, local, periodic, door, drain: limits.drain })
    }

    /// Every route.
    pub fn router(&self) -> Router {
        http::router(self.app.clone(), &self.door)
    }

    /// The administrator's routes.
    pub fn admin_router(&self) -> Router {
        http::console(self.app.clone(), &self.door)
    }
}

/// Where a daemon is knocked at.
#[derive(Debug)]
pub struct Doors {
    public: TcpListener,
    admin: listen::OwnUserOnly,
    hangups: Signal,
}

/// A bridge on its own data directory.
pub struct Daemon {
    /// The bridge.
    pub bridge: Bridge,
    sled: Option<Arc<SledStore>>,
    postgres: Option<Arc<PostgresStore>>,
    /// For how long a sign of life holds.
    life: TimeDelta,
    data_dir: PathBuf,
}

/// Opens the data directory and ties a bridge over it.
pub async fn open(config: &Config) -> Result<Daemon, DaemonError> {
    let Opened { store, sled, postgres } = open_store(config).await?;
    let data_dir = config.data_dir.clone();
    let (clock, random) = (Arc::new(SystemClock), Arc::new(OsRandom));
    let bridge = Bridge::tie(config, Parts { store, clock, random, wires: Wires::Network }).await?;
    let life = delta(config.store.postgres.node_lease);
    Ok(Daemon { bridge, sled, postgres, life, data_dir })
}

/// A store, and what closes it.
struct Opened {
    store: Arc<dyn Store>,
    sled: Option<Arc<SledStore>>,
    postgres: Option<Arc<PostgresStore>>,
}

/// Opens the store that `config` names.
async fn open_store(config: &Config) -> Result<Opened, DaemonError> {
    let data_dir = config.data_dir.clone();
    make_private(&data_dir)
        .map_err(|error| DaemonError::DataDir { path: data_dir.clone(), error })?;
    let random = OsRandom;
    let (mut sled, mut postgres) = (None, None);
    let store: Arc<dyn Store> = match config.store.kind {
        StoreKind::Memory => {
            tracing::warn!(
                "store.kind = \"memory\": everything is forgotten when this process ends"
            );
            Arc::new(MemoryStore::new(InstanceId::random(&random)))
        }
        StoreKind::Sled => {
            let options = Options {
                min_free: config.store.min_free,
                cache: config.store.cache,
                ..Options::default()
            };
            let (place, fresh, now) = (data_dir, InstanceId::random(&random), SystemClock.now());
            let opened =
                tokio::task::spawn_blocking(move || SledStore::open(&place, fresh, now, &options));
            let opened = Arc::new(opened.await.expect("opening guards against panics itself")?);
            sled = Some(Arc::clone(&opened));
            opened
        }
        StoreKind::Postgres => {
            let opened = Arc::new(open_postgres(&config.store.postgres, &random).await?);
            postgres = Some(Arc::clone(&opened));
            opened
        }
    };
    Ok(Opened { store, sled, postgres })
}

impl Daemon {
    /// The doors of this daemon: `public`, and the administrator's socket. Once this returns, whoever
    /// knocks at either is heard, and SIGHUP too.
    pub fn doors(&self, public: TcpListener) -> Result<Doors, DaemonError> {
        let refused = |error| DaemonError::DataDir { path: self.data_dir.clone(), error };
        let admin = listen_admin(&self.data_dir.join(ADMIN_SOCKET)).map_err(refused)?;
        let hangups = reload::hangups().map_err(DaemonError::Signals)?;
        Ok(Doors { public, admin, hangups })
    }

    /// Serves at `doors` and works, until `stop` or until the store fails. No request in hand is cut,
    /// and jobs in hand are finished or handed back.
    pub async fn run(self, doors: Doors, stop: CancellationToken) -> Result<(), DaemonError> {
        let Self { bridge, sled, postgres, life, data_dir } = self;
        let Bridge { app, worker, local, periodic, .. } = &bridge;
        if let Some(code) = access::first_setup_code(app).await? {
            tracing::warn!(
                "setup code for the first administrator: {code} (also in {}); type it in at {}",
                app.settings.setup_code_file.display(),
                app.settings.setup_url,
            );
        }
        if let Some(Freeze { since, by, .. }) = app.frozen.now() {
            tracing::warn!(
                %since,
                "writes are frozen by {by}, and nothing is written to Google; `calbridge incident thaw` goes on"
            );
        }
        if let Err(error) = backup::sweep(&data_dir) {
            tracing::warn!(%error, "cannot remove exports that nobody took away");
        }
        let Doors { public, admin, hangups } = doors;
        // Whoever waits for an event is answered at once when the stop comes; what a slow reader has
        // not fetched by the end of the drain is cut.
        let stopping = async {
            stop.cancelled().await;
            app.stopping.cancel();
            app.clock.sleep_until(app.clock.now() + bridge.drain).await;
            tracing::warn!("cutting the connections that did not end in time");
        };
        let serving = async {
            let public = listen::serve(public, bridge.router(), stop.clone());
            let private = listen::serve(admin, bridge.admin_router(), stop.clone());
            tokio::select! {
                _ = async { tokio::join!(public, private) } => {}
                () = stopping => {}
            }
        };
        let working = async {
            tokio::join!(worker.clone().run(stop.clone()), local.clone().run(stop.clone()))
        };
        let (beats, beating) = watch::channel(Beat { nodes: 1, leads: false });
        // Before the first call: others may be spending the project's quota already.
        if let Err(error) = bridge.beat(life, &beats).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the store takes no sign of life"
            );
        }
        let recurring = periodic.run(beating, &stop);
        let audited = audit::keep_up(app, &stop);
        let everything = async { tokio::join!(serving, working, recurring, audited) };
        // Until the last job in hand has ended: others shall not take it for lost.
        let living = async {
            let postgres = postgres.as_deref();
            let signs = bridge.live(life, postgres, &beats);
            let hearing = recurring::hear(postgres, &*app.clock);
            tokio::join!(signs, bridge.count(), hearing, reload::heed(app, hangups));
        };
        let failed = async {
            match &sled {
                Some(store) => store.failed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = everything => {}
            () = living => {}
            error = failed => return Err(error.into()),
        }
        // What was done since the head file was told to stop.
        audit::catch_up(app, true).await;
        bridge.count_calls().await;
        bridge.write_uses().await;
        if let Err(error) = app.store.leave(app.clock.now()).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "others wait for the end of this process's lease"
            );
        }
        // Best effort: the next start replaces it.
        let _ = std::fs::remove_file(data_dir.join(ADMIN_SOCKET));
        drop(bridge);
        close(sled).await
    }

    /// Lets go of the data directory.
    pub async fn close(self) -> Result<(), DaemonError> {
        audit::catch_up(&self.bridge.app, true).await;
        drop(self.bridge);
        close(self.sled).await
    }
}

/// Closes a sled store whose last user is gone, so that the next start need not read it all.
async fn close(sled: Option<Arc<SledStore>>) -> Result<(), DaemonError> {
    let Some(store) = sled.and_then(Arc::into_inner) else { return Ok(()) };
    let closed = tokio::task::spawn_blocking(move || store.close());
    Ok(closed.await.expect("closing does not panic")?)
}

async fn open_postgres(
    config: &config::PostgresConfig,
    random: &dyn Random,
) -> Result<PostgresStore, DaemonError> {
    let options = postgres::Options {
        connections: config.connections,
        listens: config.listen,
        skew: Some(MOST_SKEW),
    };
    let (fresh, node) = (InstanceId::random(random), NodeId::random(random));
    let url = config.url.expose_secret();
    Ok(PostgresStore::open(url, &options, fresh, node, SystemClock.now()).await?)
}

/// The address to listen on.
pub async fn bind(config: &Config) -> Result<TcpListener, DaemonError> {
    let refused = |error| DaemonError::Listen { address: config.listen.to_string(), error };
    TcpListener::bind(config.listen).await.map_err(refused)
}

fn listen_admin(path: &Path) -> io::Result<listen::OwnUserOnly> {
    // What an earlier process left behind; the lock on the data says that no other one lives.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listen::OwnUserOnly(listener))
}

fn make_private(dir: &Path) -> io::Result<()> {
    if !dir.is_dir() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    Ok(())
}

/// The redirect URIs of the credentials file, as far as it can be read now.
fn listed_redirects(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).ok();
    let client = text.and_then(|text| OauthClient::read(&text).ok());
    for note in client.iter().flat_map(|client| &client.notes) {
        tracing::warn!(file = %file.display(), "{note}");
    }
    client.map(|client| client.redirect_uris).unwrap_or_default()
}

fn retention(config: &config::RetentionConfig) -> Retention {
    Retention {
        done: delta(config.done),
        dead: delta(config.dead),
        past: delta(config.events),
        tombstones: delta(config.tombstones),
    }
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

/// What the operator says of Google's quotas.
fn limits_of(google: &config::GoogleConfig) -> limits::Settings {
    let allowance = |config: config::AllowanceConfig| Allowance {
        limit: config.calls_per_minute,
        aim_percent: config.aim_percent,
        burst: config.burst,
    };
    limits::Settings {
        user: allowance(google.user),
        project: allowance(google.project),
        park: delta(google.quota_park),
        daily_warning: google.daily_warning,
    }
}

fn notify(choice: config::Notify) -> Notify {
    match choice {
        config::Notify::None => Notify::None,
        config::Notify::External => Notify::External,
        config::Notify::All => Notify::All,
    }
}
