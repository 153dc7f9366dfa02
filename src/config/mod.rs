//! TEMPORARY.
#![allow(missing_docs)]
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::Url;
#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    pub notes: Vec<String>,
}
#[derive(Debug)]
pub struct Faults(String);
impl std::fmt::Display for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
#[derive(Clone, Copy, Debug)]
pub enum StoreKind {
    Sled,
    Memory,
}
#[derive(Clone, Copy, Debug)]
pub enum Notify {
    None,
    External,
    All,
}
#[derive(Debug)]
pub struct Config {
    pub listen: SocketAddr,
    pub public: Option<Url>,
    pub namespace_: String,
    pub data_dir: PathBuf,
    pub google: GoogleConfig,
    pub vault: VaultConfig,
    pub store: StoreConfig,
    pub queue: QueueConfig,
    pub classic: ClassicConfig,
    pub stop: StopConfig,
    pub log: LogConfig,
}
#[derive(Debug)]
pub struct GoogleConfig {
    pub credentials_file: PathBuf,
    pub redirect: String,
    pub scopes: Vec<String>,
    pub consent_url: Url,
    pub token_url: Url,
    pub revoke_url: Url,
    pub userinfo_url: Url,
    pub api_url: Url,
    pub deadline: Duration,
}
#[derive(Debug)]
pub struct VaultConfig {
    pub key_file: PathBuf,
}
#[derive(Debug)]
pub struct StoreConfig {
    pub kind: StoreKind,
    pub min_free: u64,
    pub cache: u64,
}
#[derive(Debug)]
pub struct QueueConfig {
    pub workers: usize,
    pub per_connection: usize,
    pub lease: Duration,
}
#[derive(Debug)]
pub struct ClassicConfig {
    pub notify: Notify,
    pub wait: Duration,
    pub requests: NonZeroU32,
    pub window: Duration,
}
#[derive(Debug)]
pub struct StopConfig {
    pub drain: Duration,
}
#[derive(Debug)]
pub struct LogConfig {
    pub level: String,
}
pub fn environment() -> Vec<(String, String)> {
    Vec::new()
}
pub fn load(
    _: Option<&Path>,
    _: Vec<(String, String)>,
    _: Vec<(String, String)>,
) -> Result<Loaded, Faults> {
    Config::from_toml("")
}
impl Config {
    pub fn from_toml(text: &str) -> Result<Loaded, Faults> {
        let t: toml::Table = text.parse().map_err(|e: toml::de::Error| Faults(e.to_string()))?;
        let s = |k: &str, d: &str| t.get(k).and_then(|v| v.as_str()).unwrap_or(d).to_owned();
        let g = t.get("google").and_then(|v| v.as_table()).cloned().unwrap_or_default();
        let gs = |k: &str, d: &str| g.get(k).and_then(|v| v.as_str()).unwrap_or(d).to_owned();
        let u = |k: &str, d: &str| Url::parse(&gs(k, d)).unwrap();
        let data_dir = PathBuf::from(s("data_dir", "./calbridge-data"));
        let key_file = PathBuf::from(format!("{}.key", data_dir.display()));
        let a = "https://www.googleapis.com/auth/";
        Ok(Loaded {
            notes: vec![],
            config: Config {
                listen: s("listen", "127.0.0.1:3001").parse().unwrap(),
                public: t
                    .get("public_url")
                    .and_then(|v| v.as_str())
                    .map(|v| Url::parse(v).unwrap()),
                namespace_: s("namespace", ""),
                data_dir,
                google: GoogleConfig {
                    credentials_file: gs("credentials_file", "google-credentials.json").into(),
                    redirect: gs("redirect_uri", ""),
                    scopes: vec![
                        "openid".into(),
                        "email".into(),
                        format!("{a}calendar.events"),
                        format!("{a}calendar.calendarlist.readonly"),
                        format!("{a}calendar.freebusy"),
                    ],
                    consent_url: u("consent_url", "https://accounts.google.com/o/oauth2/v2/auth"),
                    token_url: u("token_url", "https://oauth2.googleapis.com/token"),
                    revoke_url: u("revoke_url", "https://oauth2.googleapis.com/revoke"),
                    userinfo_url: u(
                        "userinfo_url",
                        "https://openidconnect.googleapis.com/v1/userinfo",
                    ),
                    api_url: u("api_url", "https://www.googleapis.com/"),
                    deadline: Duration::from_secs(30),
                },
                vault: VaultConfig { key_file },
                store: StoreConfig { kind: StoreKind::Sled, min_free: 200 << 20, cache: 64 << 20 },
                queue: QueueConfig {
                    workers: 16,
                    per_connection: 8,
                    lease: Duration::from_secs(120),
                },
                classic: ClassicConfig {
                    notify: Notify::None,
                    wait: Duration::from_secs(10),
                    requests: NonZeroU32::new(100).unwrap(),
                    window: Duration::from_secs(900),
                },
                stop: StopConfig { drain: Duration::from_secs(25) },
                log: LogConfig { level: "info".into() },
            },
        })
    }
    pub fn public_url(&self, redirects: &[String]) -> Url {
        self.public
            .clone()
            .or_else(|| match redirects {
                [one] => Url::parse(one).ok().map(|mut u| {
                    u.set_path("/");
                    u
                }),
                _ => None,
            })
            .unwrap_or_else(|| {
                Url::parse(&format!("http://localhost:{}/", self.listen.port())).unwrap()
            })
    }
    pub fn redirect_uri(&self, redirects: &[String]) -> String {
        if self.google.redirect.is_empty() {
            format!("{}oauth2callback", self.public_url(redirects))
        } else {
            self.google.redirect.clone()
        }
    }
    pub fn namespace(&self, redirects: &[String]) -> String {
        if self.namespace_.is_empty() {
            self.public_url(redirects).origin().ascii_serialization()
        } else {
            self.namespace_.clone()
        }
    }
}
