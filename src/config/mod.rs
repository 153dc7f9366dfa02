//! Settings: built-in defaults < file < environment < flags, checked before anything is opened.
//!
//! Every fault is told at once, by key and place. This room alone reads the environment.
//! `config/default.toml` has every key and its meaning; a setting is three places: there, a field
//! here, a line in `check`.

mod auth;
mod check;
mod google;
mod mail;
mod places;
mod raw;
mod reader;

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;
use url::Url;

pub use auth::{AuthConfig, JwtAlgorithm, JwtConfig, JwtKeys};
pub use mail::{MailConfig, MailSecurity, MailboxConfig};
pub use raw::Origin;
use raw::Raw;

/// What was loaded.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// What the operator should know, each in a sentence for the log.
    pub notes: Vec<String>,
}

/// Why the settings cannot be used: one thing to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The setting, as its writer knows it.
    pub key: String,
    /// Where it was written.
    pub origin: Origin,
    /// What is allowed, or what to do: reads after the key. Never holds the value.
    pub rule: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ({}): {}", self.key, self.origin, self.rule)
    }
}

impl std::error::Error for Fault {}

/// Everything that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => write!(out, "there is a fault in the settings:")?,
            n => write!(out, "there are {n} faults in the settings:")?,
        }
        self.0.iter().try_for_each(|fault| write!(out, "\n  {fault}"))
    }
}

impl std::error::Error for Faults {}

/// The settings, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// What to serve on.
    pub listen: SocketAddr,
    /// Where the store is.
    pub data_dir: PathBuf,
    /// Whether plain http is allowed beyond this machine.
    pub insecure_http: bool,
    /// Who may call.
    pub auth: AuthConfig,
    /// The proxies whose forwarded headers are believed.
    pub proxies: ProxiesConfig,
    /// How often callers may knock.
    pub limits: LimitsConfig,
    /// Pages of other sites.
    pub cors: CorsConfig,
    /// Google: its addresses, and what is asked of it.
    pub google: GoogleConfig,
    /// The master key.
    pub vault: VaultConfig,
    /// Who did what.
    pub audit: AuditConfig,
    /// The store.
    pub store: StoreConfig,
    /// Background work.
    pub queue: QueueConfig,
    /// How long what is over is kept.
    pub retention: RetentionConfig,
    /// Where people may be sent after they connected an account by a link.
    pub return_to: Vec<Url>,
    /// `POST /api/create-calendar-event`.
    pub classic: ClassicConfig,
    /// `/api/v1/events`.
    pub events: EventsConfig,
    /// The server that takes mail; none is sent without.
    pub mail: Option<MailConfig>,
    /// `/api/v1/reminders`.
    pub reminders: RemindersConfig,
    /// The end of the process.
    pub stop: StopConfig,
    /// Logs.
    pub log: LogConfig,
    /// What `public_url()` starts from.
    public_url: Option<Url>,
    /// What `namespace()` starts from.
    namespace: Option<String>,
}

/// The proxies whose forwarded headers are believed.
#[derive(Clone, Debug)]
pub struct ProxiesConfig {
    /// Their networks.
    pub trusted: Vec<IpNet>,
    /// What they write.
    pub header: ForwardedHeader,
}

/// What a proxy writes of its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For` and `X-Forwarded-Host`.
    XForwarded,
    /// `Forwarded` of RFC 7239.
    Forwarded,
}

/// Pages of other sites.
#[derive(Clone, Debug)]
pub struct CorsConfig {
    /// The sites whose pages may call `/api/`, each a scheme, a host and perhaps a port.
    pub origins: Vec<String>,
}

/// How many requests a caller may send in each window.
#[derive(Clone, Copy, Debug)]
pub struct LimitsConfig {
    /// The window.
    pub window: Duration,
    /// Of what anybody may call.
    pub open: NonZeroU32,
    /// Of pages.
    pub pages: NonZeroU32,
    /// Attempts to sign in.
    pub sign_in: NonZeroU32,
    /// Reads.
    pub reads: NonZeroU32,
    /// Writes.
    pub writes: NonZeroU32,
    /// Batches.
    pub batches: NonZeroU32,
    /// What only administrators do.
    pub manage: NonZeroU32,
    /// Requests that show nothing that works.
    pub refusals: NonZeroU32,
}

/// Google: its addresses, and what is asked of it.
#[derive(Clone, Debug)]
pub struct GoogleConfig {
    /// The OAuth client's file, as Google hands it out.
    pub credentials_file: PathBuf,
    /// The key of a service account, if one acts for users.
    pub service_account_file: Option<PathBuf>,
    /// What is asked of Google: scopes by its names.
    pub scopes: Vec<String>,
    /// Where people consent.
    pub consent_url: Url,
    /// Where codes and refresh tokens become access tokens.
    pub token_url: Url,
    /// Where grants end.
    pub revoke_url: Url,
    /// Where an access token tells whose it is.
    pub userinfo_url: Url,
    /// Root of the API; its path ends in a slash.
    pub api_url: Url,
    /// A call that takes longer counts as unanswered.
    pub deadline: Duration,
    /// What Google allows each of its accounts.
    pub user: AllowanceConfig,
    /// What it allows everybody together.
    pub project: AllowanceConfig,
    /// So many calls of one day are told in the log.
    pub daily_warning: u64,
    /// For how long an account rests that reached a limit of Calendar itself.
    pub quota_park: Duration,
    /// Whether an authorization answer must say who made it (RFC 9207).
    pub require_issuer: bool,
    /// What `redirect_uri()` starts from: letter for letter as written, as Google compares it.
    redirect_uri: Option<String>,
}

/// What Google allows, and how much of it is made use of.
#[derive(Clone, Copy, Debug)]
pub struct AllowanceConfig {
    /// Calls in any minute.
    pub calls_per_minute: NonZeroU32,
    /// How many percent of them are aimed at.
    pub aim_percent: NonZeroU32,
    /// How many may come at once after a rest.
    pub burst: NonZeroU32,
}

/// The master key.
#[derive(Clone, Debug)]
pub struct VaultConfig {
    /// Its file.
    pub key_file: PathBuf,
}

/// Who did what.
#[derive(Clone, Debug)]
pub struct AuditConfig {
    /// Where the end of its chain is kept.
    pub head_file: PathBuf,
}

/// The store.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// Which one.
    pub kind: StoreKind,
    /// With fewer bytes of free disk space than this, nothing new is accepted.
    pub min_free: u64,
    /// How many bytes of it are kept in memory.
    pub cache: u64,
    /// The database, where that is the store.
    pub postgres: PostgresConfig,
}

/// A database that several processes may share.
#[derive(Clone, Debug)]
pub struct PostgresConfig {
    /// Its address, which may hold a password.
    pub url: SecretString,
    /// How many connections to it there may be.
    pub connections: u32,
    /// Whether other processes are heard by `LISTEN`.
    pub listen: bool,
    /// After so long without a sign of life, a process's work is given to others.
    pub node_lease: Duration,
}

/// Which store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// On disk.
    Sled,
    /// A database.
    Postgres,
    /// Forgets everything at exit.
    Memory,
}

/// Background work.
#[derive(Clone, Debug)]
pub struct QueueConfig {
    /// How many jobs run at once.
    pub workers: usize,
    /// After so long, a job whose worker died is given to another.
    pub lease: Duration,
    /// How many jobs of one Google account run at once.
    pub per_connection: usize,
    /// How many jobs of one calendar run at once at the most.
    pub per_calendar: usize,
    /// How many jobs may wait or run; more are refused.
    pub max_jobs: u64,
    /// How many of one owner.
    pub max_jobs_per_owner: u64,
}

/// How long what is over is kept.
#[derive(Clone, Debug)]
pub struct RetentionConfig {
    /// Jobs that did their work or were cancelled.
    pub done: Duration,
    /// Jobs that were given up.
    pub dead: Duration,
    /// Events, after their end.
    pub events: Duration,
    /// Cancelled events, after that was asked for.
    pub tombstones: Duration,
}

/// `/api/v1/events`.
#[derive(Clone, Debug)]
pub struct EventsConfig {
    /// Whether an event has a Meet link when the caller does not say.
    pub meet: bool,
}

/// `/api/v1/reminders`.
#[derive(Clone, Debug)]
pub struct RemindersConfig {
    /// What came due no longer ago than this is told late.
    pub catch_up: Duration,
}

/// `POST /api/create-calendar-event`.
#[derive(Clone, Debug)]
pub struct ClassicConfig {
    /// Who gets mail when the caller does not say.
    pub notify: Notify,
    /// How long it waits for the event and its Meet link.
    pub wait: Duration,
    /// How many requests an API key may send …
    pub requests: NonZeroU32,
    /// … in each such time.
    pub window: Duration,
}

/// Who gets mail from Google.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notify {
    /// Nobody.
    None,
    /// Guests whose calendar is not Google's.
    External,
    /// Every guest.
    All,
}

impl Notify {
    /// The choice's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::External => "external",
            Self::All => "all",
        }
    }
}

/// The end of the process.
#[derive(Clone, Debug)]
pub struct StopConfig {
    /// How long it waits for requests and jobs in hand.
    pub drain: Duration,
}

/// Logs.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// What is told, in the words of tracing's `EnvFilter`.
    pub level: String,
    /// How a line looks.
    pub format: LogFormat,
    /// Where daily files go; none for standard output alone.
    pub dir: Option<PathBuf>,
    /// How many files are kept.
    pub keep_files: usize,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: an object a line.
    Json,
}

/// Reads and checks the settings: `file` over the built-in defaults, the variables of `environment`
/// over that, and over all the `flags` of the command line, each a key and what it is set to.
pub fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    flags: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, Faults> {
    check::check(Raw::layers(file, environment, flags))
}

/// The variables of this process.
pub fn environment() -> Vec<(OsString, OsString)> {
    std::env::vars_os().collect()
}

impl Config {
    /// The built-in defaults with `text`, in TOML, over them; no file, variable or flag is read.
    pub fn from_toml(text: &str) -> Result<Loaded, Faults> {
        check::check(Raw::text(text))
    }

    /// Where people reach this server, as an origin: the setting, else the origin of
    /// `google.redirect_uri`, else of the credentials file's only redirect URI if that is one to
    /// serve safely, else this machine at the port of `listen`.
    pub fn public_url(&self, credentials_redirects: &[String]) -> Url {
        if let Some(url) = &self.public_url {
            return url.clone();
        }
        let listed = match credentials_redirects {
            [only] => {
                origin_of(only).filter(|url| check::travels_safely(url) || self.insecure_http)
            }
            _ => None,
        };
        self.google.redirect_uri.as_deref().and_then(origin_of).or(listed).unwrap_or_else(|| {
            let local = format!("http://localhost:{}", self.listen.port());
            Url::parse(&local).expect("a host and a port make an address")
        })
    }

    /// Where Google sends people back to, letter for letter as it must stand in the credentials
    /// file: the setting, else `/oauth2callback` at `public_url()`.
    pub fn redirect_uri(&self, credentials_redirects: &[String]) -> String {
        self.google.redirect_uri.clone().unwrap_or_else(|| {
            let public_url = self.public_url(credentials_redirects);
            format!("{}{CALLBACK}", public_url.origin().ascii_serialization())
        })
    }

    /// What keeps the events of several bridges apart: the setting, else `public_url()`'s origin.
    pub fn namespace(&self, credentials_redirects: &[String]) -> String {
        self.namespace.clone().unwrap_or_else(|| {
            self.public_url(credentials_redirects).origin().ascii_serialization()
        })
    }
}

/// The path that answers Google's redirect.
const CALLBACK: &str = "/oauth2callback";

/// Scheme, host and port of an http address; none of anything else.
fn origin_of(uri: &str) -> Option<Url> {
    let url = Url::parse(uri).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    Url::parse(&url.origin().ascii_serialization()).ok()
}
