//! Settings as written → settings that hold, or every fault at once.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use secrecy::ExposeSecret;
use tracing_subscriber::EnvFilter;
use url::{Host, Url};

use super::raw::{Origin, Raw};
use super::reader::Reader;
use super::{
    AllowanceConfig, AuditConfig, CALLBACK, ClassicConfig, Config, CorsConfig, Faults,
    ForwardedHeader, GoogleConfig, LimitsConfig, Loaded, LogConfig, LogFormat, Notify,
    PostgresConfig, ProxiesConfig, QueueConfig, RetentionConfig, StopConfig, StoreConfig,
    StoreKind, VaultConfig, origin_of,
};

const BYTES_PER_MB: u64 = 1_000_000;

/// Both begin with what tells whose account it is.
const DEFAULT_SCOPES: &[&str] = &[
    "openid",
    "email",
    "https://www.googleapis.com/auth/calendar.events",
    "https://www.googleapis.com/auth/calendar.calendarlist.readonly",
    "https://www.googleapis.com/auth/calendar.freebusy",
];
const FULL_SCOPES: &[&str] = &[
    "openid",
    "email",
    "https://www.googleapis.com/auth/calendar",
    "https://www.googleapis.com/auth/calendar.events",
];

/// Checks what was written, all of it.
pub(super) fn check(raw: Raw) -> Result<Loaded, Faults> {
    let mut reader = Reader::new(raw);
    let config = reader.config();
    reader.tell_unknown_keys();
    reader.advise(&config);
    let Raw { notes, mut faults, .. } = reader.raw;
    if faults.is_empty() {
        return Ok(Loaded { config, notes });
    }
    faults.sort_by(|one, other| one.key.cmp(&other.key));
    Err(Faults(faults))
}

/// Whether what is sent to `url` cannot be read on the way: https, or it stays on this machine.
pub(super) fn travels_safely(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "https" || loopback
}

impl Reader {
    fn config(&mut self) -> Config {
        let insecure_http = self.flag("insecure_http");
        let data_dir = self.path("data_dir");
        let google = self.google(insecure_http);
        let vault = self.vault(&data_dir);
        Config {
            listen: self.listen(),
            public_url: self.public_url(insecure_http),
            namespace: self.namespace(),
            insecure_http,
            audit: self.audit(&data_dir, &vault.key_file),
            vault,
            auth: self.auth(),
            data_dir,
            queue: self.queue(google.deadline),
            // A request is known for three days, and must not outlive its event.
            retention: RetentionConfig {
                done: self.days("retention.done_days", 1..=36_500),
                dead: self.days("retention.dead_days", 1..=36_500),
                events: self.days("retention.events_days", 4..=36_500),
                tombstones: self.days("retention.tombstones_days", 4..=36_500),
            },
            google,
            proxies: self.proxies(),
            limits: self.limits(),
            cors: CorsConfig { origins: self.origins() },
            store: self.store(),
            return_to: self.return_to(insecure_http),
            classic: ClassicConfig {
                notify: self.choice(
                    "classic.notify",
                    &[Notify::None, Notify::External, Notify::All]
                        .map(|notify| (notify.as_str(), notify)),
                ),
                wait: self.seconds("classic.wait_secs", 0..=50),
                requests: self.count("classic.requests", 1_000_000),
                window: self.seconds("classic.window_secs", 1..=86_400),
            },
            stop: StopConfig { drain: self.seconds("stop.drain_secs", 1..=600) },
            log: self.log(),
        }
    }

    fn store(&mut self) -> StoreConfig {
        let kinds = [
            ("sled", StoreKind::Sled),
            ("postgres", StoreKind::Postgres),
            ("memory", StoreKind::Memory),
        ];
        let kind = self.choice("store.kind", &kinds);
        let postgres = self.postgres(kind);
        StoreConfig {
            kind,
            min_free: self.whole("store.min_free_mb", 10..=1_000_000) * BYTES_PER_MB,
            cache: self.whole("store.cache_mb", 8..=65_536) * BYTES_PER_MB,
            postgres,
        }
    }

    fn postgres(&mut self, kind: StoreKind) -> PostgresConfig {
        const KEY: &str = "store.postgres_url";
        const FILE: &str = "store.postgres_url_file";
        let mut url = self.optional(KEY);
        if let Some(file) = self.optional(FILE) {
            match std::fs::read_to_string(file) {
                Ok(_) if url.is_some() => {
                    self.fault(
                        FILE,
                        "says what store.postgres_url says already: write one of them",
                    );
                }
                Ok(text) => url = Some(text.trim().to_owned()),
                Err(error) => self.fault(FILE, format!("cannot be read: {error}")),
            }
        } else if url.is_none() && kind == StoreKind::Postgres {
            self.fault(
                KEY,
                "is needed where store.kind is postgres, such as \
                 `postgres://user:password@host/database`; or name a file that holds it as \
                 store.postgres_url_file",
            );
        }
        PostgresConfig {
            url: url.unwrap_or_default().into(),
            connections: self.count("store.postgres_connections", 1_000).get().max(2),
            listen: self.flag("store.postgres_listen"),
            node_lease: self.seconds("store.node_lease_secs", 3..=300),
        }
    }

    fn google(&mut self, insecure_http: bool) -> GoogleConfig {
        let mut address = |key| self.google_address(key, insecure_http);
        let (consent_url, token_url) = (address("google.consent_url"), address("google.token_url"));
        let (revoke_url, userinfo_url) =
            (address("google.revoke_url"), address("google.userinfo_url"));
        let mut api_url = address("google.api_url");
        if !api_url.path().ends_with('/') {
            api_url.set_path(&format!("{}/", api_url.path()));
        }
        GoogleConfig {
            credentials_file: self.path("google.credentials_file"),
            service_account_file: self.optional("google.service_account_file").map(PathBuf::from),
            redirect_uri: self.redirect_uri(insecure_http),
            scopes: self
                .choice("google.scopes", &[("default", DEFAULT_SCOPES), ("full", FULL_SCOPES)])
                .iter()
                .map(|scope| (*scope).to_owned())
                .collect(),
            require_issuer: self.flag("google.require_issuer"),
            consent_url,
            token_url,
            revoke_url,
            userinfo_url,
            api_url,
            deadline: self.seconds("google.deadline_secs", 1..=600),
            user: self.allowance("google.user_calls_per_minute", "google.user_burst"),
            project: self.allowance("google.project_calls_per_minute", "google.project_burst"),
            daily_warning: self.daily_warning(),
            quota_park: self.seconds("google.quota_park_secs", 60..=604_800),
        }
    }

    /// A limit, and a burst that fits into it: in a minute that begins with one and into which the
    /// clock is set forward, two of them come together with what the minute brings.
    fn allowance(&mut self, limit: &'static str, burst_key: &'static str) -> AllowanceConfig {
        let calls_per_minute = self.count(limit, 1_000_000);
        let aim_percent = self.count("google.aim_percent", 99);
        let burst = self.count(burst_key, 1_000_000);
        let calls = u64::from(calls_per_minute.get());
        let room = calls - calls * u64::from(aim_percent.get()) / 100;
        if room < 2 {
            self.fault(limit, "must leave room for a burst beside google.aim_percent of it");
        } else if u64::from(burst.get()) * 2 > room {
            let most = room / 2;
            let rule = format!(
                "must be at most {most}, or more than {limit} could be spent in a minute; lower \
                 google.aim_percent for more"
            );
            self.fault(burst_key, rule);
        }
        AllowanceConfig { calls_per_minute, aim_percent, burst }
    }

    fn daily_warning(&mut self) -> u64 {
        let calls = self.whole("google.daily_calls_warning", 1..=1_000_000_000);
        let percent = self.whole("google.daily_warning_percent", 1..=100);
        (calls * percent / 100).max(1)
    }

    fn google_address(&mut self, key: &'static str, insecure_http: bool) -> Url {
        let written = self.text(key);
        let url = Url::parse(&written).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.has_host()
        });
        let Some(url) = url else {
            self.fault(key, "must be an absolute http or https address without a query");
            return stand_in();
        };
        if !travels_safely(&url) && !insecure_http {
            self.fault(key, "must be https, since tokens are sent there");
        }
        let host = url.host_str().unwrap_or_default();
        if !(host == "accounts.google.com" || host.ends_with(".googleapis.com")) {
            self.raw.notes.push(format!("{key} is not Google's: {host}"));
        }
        url
    }

    fn proxies(&mut self) -> ProxiesConfig {
        const KEY: &str = "trusted_proxies";
        let written = self.text(KEY);
        let mut trusted = Vec::new();
        for one in written.split(',').map(str::trim).filter(|one| !one.is_empty()) {
            match one.parse().or_else(|_| one.parse().map(|address: IpAddr| IpNet::from(address))) {
                Ok(network) => trusted.push(network),
                Err(_) => self.fault(
                    KEY,
                    "must be addresses or networks with commas between them, such as \
                     `127.0.0.1, 10.0.0.0/8`",
                ),
            }
        }
        let headers = [
            ("x-forwarded-for", ForwardedHeader::XForwarded),
            ("forwarded", ForwardedHeader::Forwarded),
        ];
        ProxiesConfig { trusted, header: self.choice("forwarded_header", &headers) }
    }

    fn origins(&mut self) -> Vec<String> {
        const KEY: &str = "cors.origins";
        let written = self.text(KEY);
        let mut origins = Vec::new();
        for one in written.split(',').map(str::trim).filter(|one| !one.is_empty()) {
            match origin_of(one).filter(|_| !one.contains('*')) {
                Some(url) => {
                    if !travels_safely(&url) {
                        self.raw.notes.push(format!(
                            "{KEY} names {one}: a page over plain http shows its tokens on the way"
                        ));
                    }
                    origins.push(url.origin().ascii_serialization());
                }
                None => self.fault(
                    KEY,
                    "must be addresses of sites with commas between them, such as \
                     `https://app.example.com`; there is no `*`",
                ),
            }
        }
        origins
    }

    fn limits(&mut self) -> LimitsConfig {
        let window = self.seconds("limits.window_secs", 1..=86_400);
        let mut requests = |key| self.count(key, 1_000_000);
        LimitsConfig {
            window,
            open: requests("limits.open"),
            pages: requests("limits.pages"),
            sign_in: requests("limits.sign_in"),
            reads: requests("limits.reads"),
            writes: requests("limits.writes"),
            batches: requests("limits.batches"),
            manage: requests("limits.manage"),
            refusals: requests("limits.refusals"),
        }
    }

    fn listen(&mut self) -> SocketAddr {
        let written = self.text("listen");
        written.parse().unwrap_or_else(|_| {
            self.fault("listen", "must be an IP address and a port, such as `127.0.0.1:3001`");
            SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
        })
    }

    fn public_url(&mut self, insecure_http: bool) -> Option<Url> {
        let written = self.optional("public_url")?;
        let url = Url::parse(&written).ok();
        let bare = |url: &Url| origin_of(url.as_str()).is_some_and(|origin| origin == *url);
        let Some(url) = url.filter(bare) else {
            self.fault(
                "public_url",
                "must be http or https, a host and perhaps a port, such as \
                 `https://calendar.example.com`, with nothing behind",
            );
            return None;
        };
        self.refuse_plain_http("public_url", &url, insecure_http);
        Some(url)
    }

    fn redirect_uri(&mut self, insecure_http: bool) -> Option<String> {
        const KEY: &str = "google.redirect_uri";
        let written = self.optional(KEY)?;
        let usable = |url: &Url| {
            matches!(url.scheme(), "http" | "https")
                && url.fragment().is_none()
                && url.username().is_empty()
                && url.password().is_none()
        };
        let Some(url) = Url::parse(&written).ok().filter(usable) else {
            self.fault(KEY, "must be an absolute http or https address without a fragment");
            return None;
        };
        self.refuse_plain_http(KEY, &url, insecure_http);
        if url.path() != CALLBACK {
            self.raw.notes.push(format!(
                "{KEY} ends in {}; calbridge answers at {CALLBACK}, so something before it must \
                 translate",
                url.path()
            ));
        }
        Some(written)
    }

    fn return_to(&mut self, insecure_http: bool) -> Vec<Url> {
        const KEY: &str = "connections.return_to";
        let written = self.optional(KEY).unwrap_or_default();
        let mut listed = Vec::new();
        for address in written.split([' ', ',']).filter(|address| !address.is_empty()) {
            let bare = |url: &Url| {
                matches!(url.scheme(), "http" | "https")
                    && url.host().is_some()
                    && url.query().is_none()
                    && url.fragment().is_none()
                    && url.username().is_empty()
                    && url.password().is_none()
            };
            let Some(url) = Url::parse(address).ok().filter(bare) else {
                self.fault(
                    KEY,
                    "must be http or https addresses with their paths, such as \
                     `https://app.example.com/calendar/connected`, without query or fragment, and spaces \
                     between them",
                );
                return Vec::new();
            };
            self.refuse_plain_http(KEY, &url, insecure_http);
            listed.push(url);
        }
        listed
    }

    fn refuse_plain_http(&mut self, key: &'static str, url: &Url, insecure_http: bool) {
        if !travels_safely(url) && !insecure_http {
            self.fault(
                key,
                "is plain http to another machine, where cookies can be read on the way: use https, \
                 or set insecure_http = true",
            );
        }
    }

    fn namespace(&mut self) -> Option<String> {
        let written = self.optional("namespace")?;
        if written.len() > 128 || !written.bytes().all(|byte| byte.is_ascii_graphic()) {
            self.fault("namespace", "must be 1 to 128 printable ASCII characters, no spaces");
        }
        Some(written)
    }

    fn vault(&mut self, data_dir: &Path) -> VaultConfig {
        let allowed = self.flag("insecure_key_location");
        let key_file = self.optional("vault.key_file").map_or_else(
            || {
                // Whole components only, or `data/` would put the key inside.
                let mut beside = data_dir.components().collect::<PathBuf>().into_os_string();
                beside.push(".key");
                PathBuf::from(beside)
            },
            PathBuf::from,
        );
        if self.lies_inside(data_dir, &key_file) {
            if allowed {
                self.raw.notes.push(
                    "the key file lies inside data_dir: a stolen copy of it can be read".to_owned(),
                );
            } else {
                self.fault(
                    "vault.key_file",
                    "lies inside data_dir, so whoever steals that directory can read it: put it \
                     elsewhere, or set insecure_key_location = true",
                );
            }
        }
        VaultConfig { key_file }
    }

    fn audit(&mut self, data_dir: &Path, key_file: &Path) -> AuditConfig {
        let allowed = self.flag("insecure_key_location");
        let head_file = self.optional("audit.head_file").map_or_else(
            || {
                let mut beside = key_file.as_os_str().to_owned();
                beside.push(".audit-head");
                PathBuf::from(beside)
            },
            PathBuf::from,
        );
        // Of a key file inside it is told already, and its own head file lies beside it.
        let inside =
            self.lies_inside(data_dir, &head_file) && !self.lies_inside(data_dir, key_file);
        if inside && !allowed {
            self.fault(
                "audit.head_file",
                "lies inside data_dir, so whoever puts an old copy of that directory back puts it back too: put it \
                 elsewhere, or set insecure_key_location = true",
            );
        }
        AuditConfig { head_file }
    }

    fn lies_inside(&self, data_dir: &Path, file: &Path) -> bool {
        !data_dir.as_os_str().is_empty() && resolved(file).starts_with(resolved(data_dir))
    }

    fn queue(&mut self, deadline: Duration) -> QueueConfig {
        let lease = self.seconds("queue.lease_secs", 10..=3600);
        if lease <= deadline {
            self.fault("queue.lease_secs", "must be longer than google.deadline_secs");
        }
        QueueConfig {
            workers: self.size("queue.workers", 1..=1024),
            lease,
            per_connection: self.size("queue.per_connection", 1..=64),
            max_jobs: self.whole("queue.max_jobs", 1..=100_000_000),
            max_jobs_per_owner: self.whole("queue.max_jobs_per_owner", 1..=100_000_000),
        }
    }

    fn log(&mut self) -> LogConfig {
        let level = self.text("log.level");
        let known = |level: &str| {
            let level = level.trim().to_ascii_lowercase();
            matches!(level.as_str(), "off" | "error" | "warn" | "info" | "debug" | "trace")
        };
        // EnvFilter takes a mistyped level for the name of a part, and then tells nothing of it.
        let sound = |part: &str| {
            part.rsplit_once('=').map_or_else(|| known(part), |(_, level)| known(level))
        };
        if !level.split(',').all(sound) || EnvFilter::try_new(&level).is_err() {
            self.fault(
                "log.level",
                "must be `off`, `error`, `warn`, `info`, `debug` or `trace`, or such levels by part, \
                 as in `info,calbridge::queue=debug`",
            );
        }
        LogConfig {
            level,
            format: self
                .choice("log.format", &[("text", LogFormat::Text), ("json", LogFormat::Json)]),
            dir: self.optional("log.dir").map(PathBuf::from),
            keep_files: self.size("log.keep_files", 1..=3650),
        }
    }

    /// What is allowed, and still worth a word.
    fn advise(&mut self, config: &Config) {
        let from_environment =
            matches!(self.raw.values.get("store.postgres_url"), Some((_, Origin::Variable(_))));
        let notes = &mut self.raw.notes;
        if from_environment && config.store.postgres.url.expose_secret().contains('@') {
            notes.push(
                "the database's address stands in the environment, where other programs may see its \
                 password: put it into a file and name that as store.postgres_url_file"
                    .to_owned(),
            );
        }
        if config.store.kind == StoreKind::Memory {
            notes.push("store.kind is memory: everything is forgotten at exit".to_owned());
        }
        if config.insecure_http {
            notes.push("insecure_http is on: cookies may be read on the way".to_owned());
        }
        if let (Some(public_url), Some(redirect_uri)) =
            (&config.public_url, &config.google.redirect_uri)
            && origin_of(redirect_uri).as_ref() != Some(public_url)
        {
            notes.push(
                "google.redirect_uri is not on public_url's host: the browser's cookie will be \
                 missing when Google sends people back"
                    .to_owned(),
            );
        }
    }
}

/// An address for the rest of the check to work on after a fault.
fn stand_in() -> Url {
    Url::parse("https://www.googleapis.com/").expect("it is an address")
}

/// The path without links, dots or a working directory to depend on, as far as it exists.
fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut resolved = PathBuf::new();
    for component in path.components() {
        match component {
            std::path::Component::ParentDir => drop(resolved.pop()),
            other => resolved.push(other),
        }
        if let Ok(real) = resolved.canonicalize() {
            resolved = real;
        }
    }
    resolved
}
