//! Settings as written → settings that hold, or every fault at once.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::ExposeSecret;
use tracing_subscriber::EnvFilter;
use url::{Host, Url};

use super::raw::{Origin, Raw};
use super::reader::Reader;
use super::{
    CALLBACK, ClassicConfig, Config, CorsConfig, EventsConfig, Faults, ForwardedHeader,
    LimitsConfig, Loaded, LogConfig, LogFormat, Notify, PostgresConfig, ProxiesConfig, QueueConfig,
    RemindersConfig, RetentionConfig, StopConfig, StoreConfig, StoreKind, origin_of,
};

const BYTES_PER_MB: u64 = 1_000_000;

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
            events: EventsConfig { meet: self.flag("events.meet") },
            mail: self.mail(),
            reminders: RemindersConfig {
                catch_up: self.hours("reminders.catch_up_hours", 0..=8_760),
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
            cache: self.whole("store.cache_mb", 2..=65_536) * BYTES_PER_MB,
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

    pub(super) fn redirect_uri(&mut self, insecure_http: bool) -> Option<String> {
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

    fn queue(&mut self, deadline: Duration) -> QueueConfig {
        let lease = self.seconds("queue.lease_secs", 10..=3600);
        if lease <= deadline {
            self.fault("queue.lease_secs", "must be longer than google.deadline_secs");
        }
        QueueConfig {
            workers: self.size("queue.workers", 1..=1024),
            lease,
            per_connection: self.size("queue.per_connection", 1..=64),
            per_calendar: self.size("queue.per_calendar", 1..=64),
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
