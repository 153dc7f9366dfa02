//! A small Google of our own, for tests, demos and other people's programs.
//!
//! It is a second reading of Google's manual: it shares no type with the rest of calbridge, so that
//! the two readings check each other. Everything it draws follows from a seed, everything it does
//! goes by the clock it was given, and a script can make it fail. `docs/simulator.md` lists what it
//! does, and where it differs from Google.
//!
//! Where to look:
//! - **a call's way**: `serve` (connections) → `method_override`, `batch` → `call` (faults, token, quota, scope) → the work →
//!   `partial` (`fields`, gzip) → `answer`; `ledger` writes it down, `mails` what would have been sent
//! - **who calls**: `consent`, `authorization`, `token`, `openid`, `id_token`, `service_account`, `clients`, `scopes`; what was
//!   granted is in `grants`
//! - **events**: `events` (routes), `event_changes`, `event_transfers`, `quick_add`, `event_body` and `event_kinds` (what a body
//!   may say), `event` (how one is shown), `event_store`, `conference`, `guests` (copies)
//! - **series**: `recurrence` with `recurrence_rule` and `recurrence_walk`, `instances`, `instance_list`
//! - **lists**: `event_list` with `event_singles`; `listing` has the pages and sync tokens of all collections
//! - **calendars**: `calendars`, `calendar_list`, `acl` (routes), `calendar` (rules and roles), `colors`, `user_settings`, `free_busy`
//! - **push**: `channels` (routes), `channel`, `delivery`
//! - **scripts and people**: `control`, `fault` with `armed`, `fault_answer` and `slow_body`, `quota`, `snapshot`, `pages`; `settings` is
//!   the seed file, `state` all that is remembered, `generator` its chance

mod acl;
mod answer;
mod armed;
mod authorization;
mod batch;
mod calendar;
mod calendar_list;
mod calendars;
mod call;
mod channel;
mod channels;
mod clients;
mod colors;
mod conference;
mod consent;
mod control;
mod delivery;
mod event;
mod event_body;
mod event_changes;
mod event_kinds;
mod event_list;
mod event_singles;
mod event_store;
mod event_transfers;
mod events;
mod fault;
mod fault_answer;
mod free_busy;
mod generator;
mod grants;
mod guests;
mod id_token;
mod instance_list;
mod instances;
mod ledger;
mod listing;
mod mails;
mod method_override;
mod openid;
mod pages;
mod partial;
mod quick_add;
mod quota;
mod recurrence;
mod recurrence_rule;
mod recurrence_walk;
mod scopes;
mod serve;
mod service_account;
mod settings;
mod slow_body;
mod snapshot;
mod state;
mod token;
mod user_settings;

use std::sync::{Arc, Mutex, MutexGuard};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::clock::{Clock, ManualClock};

pub use channel::ResourceState;
pub use clients::{ClientKind, ClientState, Publishing, ServiceAccount};
pub use delivery::{Delivery, Ended, PushMessage};
pub use fault::{Fault, FaultKind};
pub use ledger::{Answered, Entry, Mail};
pub use settings::{Client, ClockMode, Push, Quota, SeedFault, Settings, User};
pub use snapshot::BadSnapshot;

use event::Event;
use state::State;

/// A running Google, or a handle on one: clones share everything.
#[derive(Clone)]
pub struct Simulator {
    clock: Arc<dyn Clock>,
    /// The same clock, if scripts may move it.
    manual: Option<Arc<ManualClock>>,
    state: Arc<Mutex<State>>,
}

impl Simulator {
    /// A fresh Google that goes by `clock`, or by one of its own if the settings ask for a fixed one.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>) -> Self {
        match settings.clock {
            ClockMode::Given => Self::build(settings, clock, None),
            ClockMode::Fixed(start) => {
                let manual = Arc::new(ManualClock::at(start.unwrap_or_else(|| clock.now())));
                Self::build(settings, manual.clone(), Some(manual))
            }
        }
    }

    /// A fresh Google that goes by `clock`, which `/simulator/clock` may move.
    pub fn with_manual_clock(settings: Settings, clock: Arc<ManualClock>) -> Self {
        Self::build(settings, clock.clone(), Some(clock))
    }

    fn build(settings: Settings, clock: Arc<dyn Clock>, manual: Option<Arc<ManualClock>>) -> Self {
        let state = State::new(settings, None, clock.now());
        Self { clock, manual, state: Arc::new(Mutex::new(state)) }
    }

    /// Tells the simulator under which address it is reached (`http://127.0.0.1:4100`): event links
    /// and the credentials file then name it. Without, links follow the `Host` of each call.
    pub fn set_base_address(&self, base: &str) {
        self.state().base = Some(base.trim_end_matches('/').to_owned());
    }

    /// The first client's `google-credentials.json`, as Google's console hands it out, with
    /// `redirect_uri` as its only one. Its addresses are the simulator's if those were set, else Google's.
    pub fn credentials_json(&self, redirect_uri: &str) -> String {
        let state = self.state();
        let client = state.settings.clients.first().expect("settings name at least one client");
        let (consent, token) = match &state.base {
            Some(base) => (format!("{base}/o/oauth2/v2/auth"), format!("{base}/token")),
            None => (
                "https://accounts.google.com/o/oauth2/auth".to_owned(),
                "https://oauth2.googleapis.com/token".to_owned(),
            ),
        };
        let kind = match client.kind {
            ClientKind::Web => "web",
            ClientKind::Installed => "installed",
        };
        let file = json!({kind: {
            "client_id": client.id,
            "project_id": "calbridge-simulator",
            "auth_uri": consent,
            "token_uri": token,
            "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
            "client_secret": client.secret,
            "redirect_uris": [redirect_uri],
        }});
        format!("{file:#}\n")
    }

    /// Lets consents of every client come back to `uri`, too.
    pub fn allow_redirect(&self, uri: &str) {
        for client in &mut self.state().settings.clients {
            if !client.redirect_uris.iter().any(|known| known == uri) {
                client.redirect_uris.push(uri.to_owned());
            }
        }
    }

    /// Arms a fault. Of several that fit a call, the one added first strikes.
    pub fn add_fault(&self, fault: Fault) {
        let now = self.now();
        self.state().faults.add(fault, now);
    }

    /// Disarms every fault.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// The faults that have not struck as often as they should, one line each.
    pub fn unused_faults(&self) -> Vec<String> {
        self.state().faults.unused()
    }

    /// Every call so far, in the order in which they took effect.
    pub fn ledger(&self) -> Vec<Entry> {
        self.state().ledger.entries().cloned().collect()
    }

    /// How often the token endpoint was asked with this grant type, whatever it answered.
    pub fn token_calls(&self, grant_type: &str) -> usize {
        let state = self.state();
        let entries = state.ledger.entries();
        entries
            .filter(|entry| {
                entry.method == "token" && entry.grant_type.as_deref() == Some(grant_type)
            })
            .count()
    }

    /// The mails that would have gone out.
    pub fn outbox(&self) -> Vec<Mail> {
        self.state().outbox.clone()
    }

    /// Every secret that passed between the simulator and its clients: client secrets, authorization
    /// codes, PKCE verifiers, access and refresh tokens, live or dead. For tests that search for leaks.
    pub fn secrets(&self) -> Vec<String> {
        let state = self.state();
        let clients = state.settings.clients.iter().map(|client| &client.secret);
        clients.chain(&state.secrets).cloned().collect()
    }

    /// The live events of the user's primary calendar, as `events.get` shows them, by start.
    pub fn events(&self, user: &str) -> Vec<Value> {
        let state = self.state();
        state.live_events(user, state.base.as_deref().unwrap_or_default())
    }

    /// Puts an event of somebody else's making, with this id, into the user's primary calendar: one
    /// hour from the next full hour on. An event that has the id is replaced.
    pub fn put_foreign_event(&self, user: &str, id: &str, summary: &str) {
        let now = self.now();
        let mut state = self.state();
        let event = Event::foreign(id, user, summary, state.number(), now);
        state.put_event(user, event, now);
    }

    /// Deletes an event as a person would in Google's own page. Tells whether it was there.
    pub fn remove_event(&self, user: &str, id: &str) -> bool {
        let now = self.now();
        let mut state = self.state();
        let event = state.calendars.get(user).and_then(|calendar| calendar.events.get(id));
        let Some(event) = event.filter(|event| !event.cancelled).cloned() else { return false };
        state.change_event(user, Event { cancelled: true, updated: now, ..event }, now);
        true
    }

    /// The user changes a setting on Google's page: `weekStart`, `locale`, .. Tells whether there is
    /// such a user and setting.
    pub fn change_user_setting(&self, user: &str, id: &str, value: &str) -> bool {
        let now = self.now();
        self.state().change_setting(user, id, value, now)
    }

    /// Google allows more or less from now on. What was used so far counts.
    pub fn set_quota(&self, quota: Quota) {
        self.state().settings.quota = quota;
    }

    /// The user takes every grant back, as in Google's account settings.
    pub fn revoke_grants(&self, user: &str) {
        self.state().grants.revoke(user, None);
    }

    /// Every access token is expired from now on; refresh tokens live.
    pub fn expire_access_tokens(&self) {
        let now = self.now();
        self.state().grants.expire_access(now);
    }

    /// The account is no more: its access tokens are dead, its refresh tokens are told why.
    pub fn delete_account(&self, user: &str) {
        self.state().grants.delete_account(user);
    }

    /// The user has a new password: refresh tokens that reach mail are dead, others live.
    pub fn change_password(&self, user: &str) {
        self.state().grants.password_changed(user);
    }

    /// ID tokens are signed with another key from now on; the one before stays published.
    pub fn rotate_keys(&self) {
        self.state().signer.rotate();
    }

    /// Every sync token given out so far is expired: lists that go on from one need a full sync.
    pub fn expire_sync_tokens(&self) {
        self.state().sync_epoch += 1;
    }

    /// Every page token given out so far is refused: lists begin again with their first page.
    pub fn expire_page_tokens(&self) {
        self.state().page_epoch += 1;
    }

    /// Begins again as on the first day: no events, grants, faults or ledger. Settings stay.
    pub fn reset(&self) {
        let now = self.now();
        let mut state = self.state();
        // Sync tokens from before must not pass for fresh ones.
        let sync_epoch = state.sync_epoch + 1;
        let outgoing = state.outgoing.begin_again();
        *state = State::new(state.settings.clone(), state.base.clone(), now);
        state.outgoing = outgoing;
        state.sync_epoch = sync_epoch;
    }

    fn manual_clock(&self) -> Option<&ManualClock> {
        self.manual.as_deref()
    }

    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    async fn sleep_until(&self, moment: DateTime<Utc>) {
        self.clock.sleep_until(moment).await;
    }

    /// The state as of now: Meet links whose time has come are ready.
    fn state(&self) -> MutexGuard<'_, State> {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        state.settle_meets(now);
        state
    }
}
