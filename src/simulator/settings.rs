//! What a simulator is started with: its users, OAuth clients, quotas, seed number and clock.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::clients::{ClientKind, ClientState, Publishing, ServiceAccount};

/// What a simulator is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who has an account; each has a primary calendar of the same name.
    pub users: Vec<User>,
    /// The OAuth clients that may ask for consent.
    pub clients: Vec<Client>,
    /// The programs that sign for their own tokens; each has a primary calendar of the same name.
    pub service_accounts: Vec<ServiceAccount>,
    /// How many calls a minute are answered.
    pub quota: Quota,
    /// What every drawn id and token follows from.
    pub seed: u64,
    /// Which clock is used.
    pub clock: ClockMode,
    /// Where push messages may go.
    pub push: Push,
}

/// An account.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The address, which is also the id of the primary calendar.
    pub email: String,
    /// The name shown to people.
    #[serde(default)]
    pub name: String,
    /// The IANA zone of the primary calendar.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// The domain of the Workspace it belongs to, if it does: the `hd` of its ID tokens.
    #[serde(alias = "hd")]
    pub workspace: Option<String>,
}

/// An OAuth client.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// The client id.
    pub id: String,
    /// The client secret.
    pub secret: String,
    /// Where a consent may come back to: exact matches only.
    pub redirect_uris: Vec<String>,
    /// What it is registered as.
    #[serde(default)]
    pub kind: ClientKind,
    /// What became of it.
    #[serde(default)]
    pub state: ClientState,
    /// Whether its consent screen is published.
    #[serde(default)]
    pub publishing: Publishing,
    /// Who may consent while it is not; without, everybody.
    pub test_users: Option<Vec<String>>,
    /// The domain of the Workspace it belongs to.
    pub workspace: Option<String>,
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Client");
        shown
            .field("id", &self.id)
            .field("redirect_uris", &self.redirect_uris)
            .field("kind", &self.kind)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// How much is answered before Google says "slow down".
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quota {
    /// Calls of one user in any sixty seconds.
    pub per_user_per_minute: u32,
    /// Calls of all users of one client together, in any sixty seconds.
    pub per_project_per_minute: u32,
    /// The status over these two: 403 or 429.
    pub refusal: u16,
    /// Changes to one calendar in any sixty seconds, whoever makes them. Google has such a limit
    /// and publishes no number.
    pub per_calendar_writes_per_minute: Option<u32>,
    /// Invitations of one user to people without an account, in the window below.
    pub invitations: u32,
    /// Mails to guests.
    pub guest_mails: u32,
    /// New calendars.
    pub calendars: u32,
    /// New events.
    pub events: u32,
    /// How far back the four limits above look.
    pub use_window_hours: u16,
    /// How long a user who reached one of the four may only read.
    pub read_only_hours: u16,
}

impl Default for Quota {
    /// Google's numbers, where it publishes them ("Manage quotas", "Avoid Calendar use limits"); the
    /// two spans of hours are guesses.
    fn default() -> Self {
        Self {
            per_user_per_minute: 600,
            per_project_per_minute: 10_000,
            refusal: 403,
            per_calendar_writes_per_minute: None,
            invitations: 10_000,
            guest_mails: 2_000,
            calendars: 60,
            events: 100_000,
            use_window_hours: 24,
            read_only_hours: 4,
        }
    }
}

impl Quota {
    /// No limit that anybody could reach.
    pub fn unlimited() -> Self {
        Self {
            per_user_per_minute: u32::MAX,
            per_project_per_minute: u32::MAX,
            invitations: u32::MAX,
            guest_mails: u32::MAX,
            calendars: u32::MAX,
            events: u32::MAX,
            ..Self::default()
        }
    }

    /// The first key that is out of its range, and the rule.
    fn wrong(&self) -> Option<(&'static str, &'static str)> {
        let counts = [
            ("quota.per_user_per_minute", self.per_user_per_minute),
            ("quota.per_project_per_minute", self.per_project_per_minute),
            (
                "quota.per_calendar_writes_per_minute",
                self.per_calendar_writes_per_minute.unwrap_or(1),
            ),
            ("quota.invitations", self.invitations),
            ("quota.guest_mails", self.guest_mails),
            ("quota.calendars", self.calendars),
            ("quota.events", self.events),
            ("quota.use_window_hours", self.use_window_hours.into()),
            ("quota.read_only_hours", self.read_only_hours.into()),
        ];
        if ![403, 429].contains(&self.refusal) {
            return Some(("quota.refusal", "must be 403 or 429"));
        }
        let zero = counts.into_iter().find(|(_, count)| *count == 0);
        zero.map(|(key, _)| (key, "must be at least 1"))
    }
}

/// Test users of a consent screen that is not published, at most: Google's number.
const TEST_USERS: usize = 100;

/// Where push messages may go.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Push {
    /// Whether addresses on this machine may be `http:`. All others must be `https:`, as at Google.
    pub allow_http: bool,
    /// The domains whose owner is known to be the client's, if others are to be refused.
    pub verified_domains: Option<Vec<String>>,
}

impl Default for Push {
    fn default() -> Self {
        Self { allow_http: true, verified_domains: None }
    }
}

/// Which clock a simulator goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockMode {
    /// The clock it was given.
    Given,
    /// One of its own, which stands still until `/simulator/clock` moves it. It starts at this
    /// moment, or at the given clock's present if there is none.
    Fixed(Option<DateTime<Utc>>),
}

impl Default for Settings {
    /// Two users and one client, with Google's own quotas.
    fn default() -> Self {
        let user = |email: &str, name: &str, zone: &str| User {
            email: email.to_owned(),
            name: name.to_owned(),
            time_zone: zone.to_owned(),
            workspace: None,
        };
        Self {
            users: vec![
                user("ana@example.com", "Ana", "Europe/Lisbon"),
                user("ben@example.com", "Ben", "America/New_York"),
            ],
            clients: vec![Client {
                id: "407408718192-simulator.apps.googleusercontent.com".to_owned(),
                secret: "GOCSPX-known-to-everybody".to_owned(),
                redirect_uris: vec![
                    "http://127.0.0.1:3001/oauth2callback".to_owned(),
                    "http://localhost:3001/oauth2callback".to_owned(),
                ],
                ..Client::default()
            }],
            service_accounts: Vec::new(),
            quota: Quota::default(),
            seed: 1,
            clock: ClockMode::Given,
            push: Push::default(),
        }
    }
}

/// Why a seed file cannot be used; names the key.
#[derive(Debug, thiserror::Error)]
#[error("seed file: {key}: {rule}")]
pub struct SeedFault {
    /// The key, as a path: `user[1].email`.
    pub key: String,
    /// What is wrong with it.
    pub rule: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeedFile {
    seed: Option<u64>,
    user: Option<Vec<User>>,
    client: Option<Vec<Client>>,
    service_account: Option<Vec<ServiceAccount>>,
    #[serde(default)]
    quota: Quota,
    #[serde(default)]
    clock: SeedClock,
    #[serde(default)]
    push: Push,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeedClock {
    mode: Option<String>,
    start: Option<String>,
}

fn utc() -> String {
    "UTC".to_owned()
}

impl Settings {
    /// Reads a seed file. What it does not mention is as in [`Settings::default`].
    pub fn from_toml(text: &str) -> Result<Self, SeedFault> {
        let document = toml::Deserializer::parse(text)
            .map_err(|error| SeedFault { key: "(file)".to_owned(), rule: error.to_string() })?;
        let file: SeedFile = serde_path_to_error::deserialize(document).map_err(|error| {
            SeedFault { key: error.path().to_string(), rule: error.inner().message().to_owned() }
        })?;
        let plain = Self::default();
        let settings = Self {
            users: file.user.unwrap_or(plain.users),
            clients: file.client.unwrap_or(plain.clients),
            service_accounts: file.service_account.unwrap_or_default(),
            quota: file.quota,
            seed: file.seed.unwrap_or(plain.seed),
            clock: clock_mode(&file.clock)?,
            push: file.push,
        };
        settings.check()?;
        Ok(settings)
    }

    /// Who owns a primary calendar: the users, and the service accounts as if they were users.
    pub(super) fn accounts(&self) -> impl Iterator<Item = User> {
        let programs = self.service_accounts.iter().map(|account| User {
            email: account.email.clone(),
            time_zone: utc(),
            ..User::default()
        });
        self.users.iter().cloned().chain(programs)
    }

    fn check(&self) -> Result<(), SeedFault> {
        let fault = |key: String, rule: &str| Err(SeedFault { key, rule: rule.to_owned() });
        let mut seen = BTreeSet::new();
        for (place, user) in self.users.iter().enumerate() {
            if !user.email.contains('@') || user.email.contains(char::is_whitespace) {
                return fault(format!("user[{place}].email"), "is no e-mail address");
            }
            if !seen.insert(&user.email) {
                return fault(format!("user[{place}].email"), "is there twice");
            }
            if user.time_zone.parse::<chrono_tz::Tz>().is_err() {
                return fault(
                    format!("user[{place}].time_zone"),
                    "is no IANA time zone, such as Europe/Lisbon",
                );
            }
        }
        self.check_clients(&mut seen)?;
        self.check_service_accounts(&mut seen)?;
        if self.users.is_empty() {
            return fault("user".to_owned(), "needs at least one");
        }
        if self.clients.is_empty() {
            return fault("client".to_owned(), "needs at least one");
        }
        if let Some((key, rule)) = self.quota.wrong() {
            return fault(key.to_owned(), rule);
        }
        Ok(())
    }

    fn check_clients<'a>(&'a self, seen: &mut BTreeSet<&'a String>) -> Result<(), SeedFault> {
        let fault = |key: String, rule: &str| Err(SeedFault { key, rule: rule.to_owned() });
        for (place, client) in self.clients.iter().enumerate() {
            if client.id.is_empty() || !seen.insert(&client.id) {
                return fault(format!("client[{place}].id"), "must be there, and once");
            }
            if client.secret.is_empty() {
                return fault(format!("client[{place}].secret"), "must not be empty");
            }
            if client.redirect_uris.iter().any(|uri| url::Url::parse(uri).is_err()) {
                return fault(
                    format!("client[{place}].redirect_uris"),
                    "must be absolute addresses",
                );
            }
            let test_users = client.test_users.as_ref().map_or(0, Vec::len);
            if test_users > TEST_USERS {
                return fault(format!("client[{place}].test_users"), "must be at most 100");
            }
        }
        Ok(())
    }

    fn check_service_accounts<'a>(
        &'a self,
        seen: &mut BTreeSet<&'a String>,
    ) -> Result<(), SeedFault> {
        for (place, account) in self.service_accounts.iter().enumerate() {
            let fault = |key: &str, rule: String| {
                Err(SeedFault { key: format!("service_account[{place}].{key}"), rule })
            };
            if !account.email.contains('@') || account.email.contains(char::is_whitespace) {
                return fault("email", "is no e-mail address".to_owned());
            }
            if !seen.insert(&account.email) {
                return fault("email", "is there twice".to_owned());
            }
            if let Err(rule) = account.keys() {
                return fault("public_key_pem", rule.to_owned());
            }
            if let Err(scope) = account.allowed() {
                return fault("scopes", format!("names no scope of Google's: {scope}"));
            }
        }
        Ok(())
    }
}

fn clock_mode(clock: &SeedClock) -> Result<ClockMode, SeedFault> {
    let fault = |key: &str, rule: &str| SeedFault { key: key.to_owned(), rule: rule.to_owned() };
    let start = match &clock.start {
        Some(text) => Some(
            DateTime::parse_from_rfc3339(text)
                .map_err(|_| {
                    fault("clock.start", "is no RFC 3339 time, such as 2026-03-27T09:00:00Z")
                })?
                .to_utc(),
        ),
        None => None,
    };
    match clock.mode.as_deref() {
        None | Some("real") if start.is_none() => Ok(ClockMode::Given),
        None | Some("real") => Err(fault("clock.start", "goes with mode = \"fixed\" only")),
        Some("fixed") => Ok(ClockMode::Fixed(start)),
        Some(_) => Err(fault("clock.mode", "must be \"real\" or \"fixed\"")),
    }
}
