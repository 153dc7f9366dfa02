//! Everything the simulator remembers: plain structs, no HTTP.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::armed::{Faults, Strike};
use super::calendar::{Calendar, ListEntry};
use super::channel::{Channels, Watched};
use super::delivery::Outgoing;
use super::event::{Event, Surroundings};
use super::fault::{Stage, Target};
use super::generator::Generator;
use super::grants::Grants;
use super::id_token::Signer;
use super::instances::Earlier;
use super::ledger::{Ledger, Mail};
use super::quota::Windows;
use super::settings::{Client, Settings, User};
use super::snapshot::pairs;
use super::user_settings;

/// Mails and dead tokens kept.
pub(super) const KEPT: usize = 100_000;

/// Everything there is. What a snapshot does not hold is marked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    #[serde(skip)]
    pub(super) settings: Settings,
    /// Where people reach the simulator, if it was told.
    #[serde(skip)]
    pub(super) base: Option<String>,
    pub(super) generator: Generator,
    #[serde(skip)]
    pub(super) faults: Faults,
    /// The faults that struck the call in hand, for its ledger entry.
    #[serde(skip)]
    pub(super) struck: Vec<&'static str>,
    #[serde(skip)]
    pub(super) ledger: Ledger,
    pub(super) outbox: Vec<Mail>,
    pub(super) grants: Grants,
    pub(super) signer: Signer,
    /// When this history began.
    pub(super) began: DateTime<Utc>,
    pub(super) calendars: BTreeMap<String, Calendar>,
    /// Which calendars each user has on show.
    pub(super) lists: BTreeMap<String, BTreeMap<String, ListEntry>>,
    #[serde(skip)]
    pub(super) windows: Windows,
    #[serde(with = "pairs")]
    pub(super) channels: Channels,
    /// The messages of those channels.
    #[serde(skip)]
    pub(super) outgoing: Outgoing,
    /// What users changed on their settings page.
    #[serde(with = "pairs")]
    pub(super) user_settings: user_settings::Changed,
    /// Events whose Meet link is on its way: calendar and id.
    pub(super) meets_pending: BTreeSet<(String, String)>,
    /// Every code, token and verifier so far, the newest of very many.
    pub(super) secrets: VecDeque<String>,
    /// How often every sync token was made to expire.
    pub(super) sync_epoch: u64,
    /// How often every page token was.
    pub(super) page_epoch: u64,
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
            grants: Grants::default(),
            signer: Signer::default(),
            began: now,
            windows: Windows::default(),
            channels: Channels::new(),
            outgoing: Outgoing::default(),
            user_settings: BTreeMap::new(),
            meets_pending: BTreeSet::new(),
            secrets: VecDeque::new(),
            sync_epoch: 0,
            page_epoch: 0,
            numbers: 0,
            version: 0,
        };
        // Accounts are older than the simulator: the first change is a version after theirs.
        let then = now - TimeDelta::minutes(1);
        state.open_primary_calendars(then);
        state
    }

    /// Gives every account its own calendar that has none.
    pub(super) fn open_primary_calendars(&mut self, now: DateTime<Utc>) {
        for user in self.settings.accounts().collect::<Vec<_>>() {
            if !self.calendars.contains_key(&user.email) {
                let zone = user.time_zone.parse().unwrap_or(chrono_tz::UTC);
                self.open_primary_calendar(&user.email, zone, now);
            }
        }
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

    /// Whether this number and this version were given out already.
    pub(super) fn has_given(&self, number: u64, version: i64) -> bool {
        number <= self.numbers && version <= self.version
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

    /// Keeps a secret for those who search for leaks.
    pub(super) fn remember_secret(&mut self, secret: &str) {
        if self.secrets.len() == KEPT {
            self.secrets.pop_front();
        }
        self.secrets.push_back(secret.to_owned());
    }

    /// Puts `event` in place of the one that had its id, at the next version. Every change of an
    /// event goes through here.
    pub(super) fn put_event(&mut self, calendar: &str, mut event: Event, now: DateTime<Utc>) {
        event.version = self.next_version(now);
        if event.number == 0 {
            event.number = self.number();
        }
        let Some(found) = self.calendars.get_mut(calendar) else { return };
        let before = found.events.get(&event.id);
        let had_series = before.is_some_and(|before| before.series.is_some());
        if let Some(before) = before.filter(|before| before.series != event.series) {
            let (version, series) = (event.version, before.series.clone());
            event.earlier.push(Earlier { version, series });
        }
        let id = event.id.clone();
        let place = (calendar.to_owned(), event.id.clone());
        if event.conference.as_ref().is_some_and(|conference| conference.ready_at().is_some()) {
            self.meets_pending.insert(place);
        } else {
            self.meets_pending.remove(&place);
        }
        found.events_version = event.version;
        found.events.put(event);
        if had_series {
            self.drop_exceptions(calendar, &id, now);
        }
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
