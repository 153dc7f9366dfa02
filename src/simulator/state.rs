//! Everything the simulator remembers: plain structs, no HTTP.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::calendar::{Calendar, ListEntry};
use super::channel::{Channels, Watched};
use super::delivery::Outgoing;
use super::event::{Event, Surroundings};
use super::fault::{Faults, Stage, Strike, Target};
use super::generator::Generator;
use super::ledger::{Ledger, Mail};
use super::quota::Windows;
use super::scopes;
use super::settings::{Client, Settings, User};
use super::user_settings;

/// How long an access token lives. Google says 3599 in practice.
pub(super) const ACCESS_TOKEN_SECS: i64 = 3599;
/// A refresh token nobody used for this long is dead.
const IDLE_DAYS: i64 = 183;
/// Live refresh tokens of one user for one client; one more kills the oldest.
const REFRESH_TOKENS: usize = 100;
/// Mails and dead tokens kept.
const KEPT: usize = 100_000;

/// An authorization code, waiting to be exchanged.
#[derive(Clone, Debug)]
pub(super) struct Code {
    pub(super) client: String,
    pub(super) user: String,
    pub(super) redirect_uri: String,
    pub(super) scopes: BTreeSet<String>,
    /// The challenge, and whether it is a hash of the verifier.
    pub(super) challenge: Option<(String, bool)>,
    pub(super) offline: bool,
    pub(super) consent: bool,
    pub(super) expires: DateTime<Utc>,
    pub(super) used: bool,
}

#[derive(Clone, Debug)]
pub(super) struct AccessToken {
    pub(super) client: String,
    pub(super) user: String,
    pub(super) scopes: BTreeSet<String>,
    pub(super) expires: DateTime<Utc>,
}

#[derive(Clone, Debug)]
pub(super) struct RefreshToken {
    pub(super) client: String,
    pub(super) user: String,
    pub(super) scopes: BTreeSet<String>,
    number: u64,
    used: DateTime<Utc>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) settings: Settings,
    /// Where people reach the simulator, if it was told.
    pub(super) base: Option<String>,
    pub(super) generator: Generator,
    pub(super) faults: Faults,
    /// The faults that struck the call in hand, for its ledger entry.
    pub(super) struck: Vec<&'static str>,
    pub(super) ledger: Ledger,
    pub(super) outbox: Vec<Mail>,
    pub(super) codes: BTreeMap<String, Code>,
    pub(super) access: BTreeMap<String, AccessToken>,
    pub(super) refresh: BTreeMap<String, RefreshToken>,
    pub(super) calendars: BTreeMap<String, Calendar>,
    /// Which calendars each user has on show.
    pub(super) lists: BTreeMap<String, BTreeMap<String, ListEntry>>,
    pub(super) windows: Windows,
    pub(super) channels: Channels,
    /// The messages of those channels.
    pub(super) outgoing: Outgoing,
    /// What users changed on their settings page.
    pub(super) user_settings: user_settings::Changed,
    /// Events whose Meet link is on its way: calendar and id.
    pub(super) meets_pending: BTreeSet<(String, String)>,
    /// Every code, token and verifier so far, the newest of very many.
    pub(super) secrets: VecDeque<String>,
    /// How often every sync token was made to expire.
    pub(super) sync_epoch: u64,
    numbers: u64,
    version: i64,
}

impl State {
    pub(super) fn new(settings: Settings, base: Option<String>, now: DateTime<Utc>) -> Self {
        let mut state = Self {
            calendars: BTreeMap::new(),
            lists: BTreeMap::new(),
            generator: Generator::new(settings.seed),
            settings,
            base,
            faults: Faults::default(),
            struck: Vec::new(),
            ledger: Ledger::default(),
            outbox: Vec::new(),
            codes: BTreeMap::new(),
            access: BTreeMap::new(),
            refresh: BTreeMap::new(),
            windows: Windows::default(),
            channels: Channels::new(),
            outgoing: Outgoing::default(),
            user_settings: BTreeMap::new(),
            meets_pending: BTreeSet::new(),
            secrets: VecDeque::new(),
            sync_epoch: 0,
            numbers: 0,
            version: 0,
        };
        // Accounts are older than the simulator: the first change is a version after theirs.
        let then = now - TimeDelta::minutes(1);
        for user in state.settings.users.clone() {
            let zone = user.time_zone.parse().unwrap_or(chrono_tz::UTC);
            state.open_primary_calendar(&user.email, zone, then);
        }
        state
    }

    /// Gives an account its own calendar, which bears the account's address.
    fn open_primary_calendar(&mut self, owner: &str, zone: chrono_tz::Tz, now: DateTime<Utc>) {
        let (number, version) = (self.number(), self.next_version(now));
        let calendar = Calendar::new(owner, owner, zone, version);
        self.calendars.insert(owner.to_owned(), calendar);
        let entry = ListEntry::new(number, version, true);
        self.lists.entry(owner.to_owned()).or_default().insert(owner.to_owned(), entry);
    }

    /// Ends a secondary calendar with all its events.
    pub(super) fn remove_calendar(&mut self, id: &str, now: DateTime<Utc>) {
        self.calendars.remove(id);
        self.meets_pending.retain(|(calendar, _)| calendar != id);
        let version = self.next_version(now);
        let mut users = Vec::new();
        for (user, entries) in &mut self.lists {
            if let Some(entry) = entries.get_mut(id) {
                entry.removed = true;
                entry.version = version;
                users.push(user.clone());
            }
        }
        for user in users {
            self.changed(&Watched::CalendarList(user), now);
        }
    }

    pub(super) fn client(&self, id: &str) -> Option<&Client> {
        self.settings.clients.iter().find(|client| client.id == id)
    }

    pub(super) fn user(&self, email: &str) -> Option<&User> {
        self.settings.users.iter().find(|user| user.email.eq_ignore_ascii_case(email))
    }

    /// The next number of a row that grows.
    pub(super) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// The version of a change made `now`: later than every one before, also on a clock that
    /// stands still.
    pub(super) fn next_version(&mut self, now: DateTime<Utc>) -> i64 {
        self.version = now.timestamp_micros().max(self.version + 1);
        self.version
    }

    /// The version of the latest change anywhere.
    pub(super) fn newest_version(&self) -> i64 {
        self.version
    }

    /// Lets an armed fault strike the call in hand.
    pub(super) fn strike(
        &mut self,
        stage: Stage,
        target: &Target<'_>,
        now: DateTime<Utc>,
    ) -> Option<Strike> {
        let strike = self.faults.strike(stage, target, self.settings.seed, now)?;
        self.struck.push(strike.kind.name());
        Some(strike)
    }

    /// Hands out a refresh token; the oldest of too many dies silently.
    pub(super) fn issue_refresh(
        &mut self,
        client: &str,
        user: &str,
        scopes: BTreeSet<String>,
        now: DateTime<Utc>,
    ) -> String {
        let token = format!("1//{}", self.generator.token(80));
        let number = self.number();
        let fresh = RefreshToken {
            client: client.to_owned(),
            user: user.to_owned(),
            scopes,
            number,
            used: now,
        };
        let live =
            self.refresh.iter().filter(|(_, other)| other.client == client && other.user == user);
        if live.clone().count() >= REFRESH_TOKENS
            && let Some(oldest) =
                live.min_by_key(|(_, other)| other.number).map(|(token, _)| token.clone())
        {
            self.refresh.remove(&oldest);
        }
        self.refresh.insert(token.clone(), fresh);
        self.remember_secret(&token);
        token
    }

    pub(super) fn issue_access(
        &mut self,
        client: &str,
        user: &str,
        scopes: BTreeSet<String>,
        now: DateTime<Utc>,
    ) -> String {
        if self.access.len() >= KEPT {
            self.access.retain(|_, token| token.expires > now);
        }
        let token = format!("ya29.{}", self.generator.token(120));
        let expires = now + TimeDelta::seconds(ACCESS_TOKEN_SECS);
        let (client, user) = (client.to_owned(), user.to_owned());
        self.access.insert(token.clone(), AccessToken { client, user, scopes, expires });
        self.remember_secret(&token);
        token
    }

    /// Keeps a secret for those who search for leaks.
    pub(super) fn remember_secret(&mut self, secret: &str) {
        if self.secrets.len() == KEPT {
            self.secrets.pop_front();
        }
        self.secrets.push_back(secret.to_owned());
    }

    /// A refresh token that lives, marked as used now.
    pub(super) fn live_refresh(&mut self, token: &str, now: DateTime<Utc>) -> Option<RefreshToken> {
        let found = self.refresh.get_mut(token)?;
        if found.used + TimeDelta::days(IDLE_DAYS) <= now {
            self.refresh.remove(token);
            return None;
        }
        found.used = now;
        Some(found.clone())
    }

    /// Whether the user's consent to the client stands, with a refresh token handed out.
    pub(super) fn has_refresh(&self, client: &str, user: &str) -> bool {
        self.refresh.values().any(|token| token.client == client && token.user == user)
    }

    /// Ends everything `user` granted to `client`, or to every client. Tells whether there was anything.
    pub(super) fn revoke(&mut self, user: &str, client: Option<&str>) -> bool {
        let before = self.access.len() + self.refresh.len() + self.codes.len();
        let other = |of_client: &str, of_user: &str| {
            of_user != user || client.is_some_and(|id| id != of_client)
        };
        self.access.retain(|_, token| other(&token.client, &token.user));
        self.refresh.retain(|_, token| other(&token.client, &token.user));
        self.codes.retain(|_, code| other(&code.client, &code.user));
        before != self.access.len() + self.refresh.len() + self.codes.len()
    }

    /// Takes the calendar scopes out of everything `user` granted.
    pub(super) fn narrow(&mut self, user: &str) {
        let access = self.access.values_mut().map(|token| (&token.user, &mut token.scopes));
        let refresh = self.refresh.values_mut().map(|token| (&token.user, &mut token.scopes));
        let codes = self.codes.values_mut().map(|code| (&code.user, &mut code.scopes));
        for (of_user, granted) in access.chain(refresh).chain(codes) {
            if of_user == user {
                granted.retain(|scope| !scopes::is_calendar(scope));
            }
        }
    }

    /// Puts `event` in place of the one that had its id, at the next version. Every change of an
    /// event goes through here.
    pub(super) fn put_event(&mut self, calendar: &str, mut event: Event, now: DateTime<Utc>) {
        event.version = self.next_version(now);
        let Some(found) = self.calendars.get_mut(calendar) else { return };
        let place = (calendar.to_owned(), event.id.clone());
        if event.conference.as_ref().is_some_and(|conference| conference.ready_at().is_some()) {
            self.meets_pending.insert(place);
        } else {
            self.meets_pending.remove(&place);
        }
        found.events_version = event.version;
        found.events.put(event);
        self.changed(&Watched::Events(calendar.to_owned()), now);
    }

    /// When the next pending Meet link is ready.
    pub(super) fn next_meet(&self) -> Option<DateTime<Utc>> {
        let events = self.meets_pending.iter().filter_map(|(calendar, id)| {
            self.calendars.get(calendar).and_then(|found| found.events.get(id))
        });
        events.filter_map(|event| event.conference.as_ref()?.ready_at()).min()
    }

    /// Makes the Meet links ready whose time has come.
    pub(super) fn settle_meets(&mut self, now: DateTime<Utc>) {
        let mut ready = Vec::new();
        for (calendar, id) in &self.meets_pending {
            let event = self.calendars.get(calendar).and_then(|found| found.events.get(id));
            let when = event.and_then(|event| event.conference.as_ref()?.ready_at());
            if let Some((event, when)) = event.zip(when.filter(|when| *when <= now)) {
                ready.push((when, calendar.clone(), event.clone()));
            }
        }
        ready.sort_by_key(|(when, _, event)| (*when, event.number));
        for (when, calendar, event) in ready {
            self.put_event(&calendar, event.with_meet(when), when);
        }
    }

    pub(super) fn mail(&mut self, mail: Mail) {
        if self.outbox.len() < KEPT {
            self.outbox.push(mail);
        }
    }

    /// The live events of a calendar as Google shows them, in the order in which they begin.
    pub(super) fn live_events(&self, calendar: &str, base: &str) -> Vec<Value> {
        let Some(calendar) = self.calendars.get(calendar) else { return Vec::new() };
        let mut live: Vec<&Event> = calendar.events.live().collect();
        live.sort_by_key(|event| (event.starts, event.number));
        let surroundings = Surroundings::of_owner(base, calendar);
        live.into_iter().map(|event| event.shown(&surroundings)).collect()
    }
}
