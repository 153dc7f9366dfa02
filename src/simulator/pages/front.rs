//! The front page: the clock, the accounts, the faults and the latest calls.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State as Shared;
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};

use super::happenings::{Happening, happenings};
use super::log::CallView;
use crate::simulator::Simulator;
use crate::simulator::armed::Armed;
use crate::simulator::calendar::Calendar;
use crate::simulator::fault::FaultKind;
use crate::simulator::settings::User;
use crate::simulator::state::State;

/// Calls shown below the accounts.
const CALLS_SHOWN: usize = 12;
/// Events shown of a calendar, and how far they may lie ahead.
const EVENTS_SHOWN: usize = 3;
const AHEAD_DAYS: i64 = 92;
/// The faults that have a button: what it says, the fault, and how often it strikes.
const BUTTONS: &[(&str, &str, u64)] = &[
    ("Lose the next answer", "lost_answer", 1),
    ("Server error next", "server_error", 1),
    ("Rate-limit the next 3", "rate_limited", 3),
    ("Quota exceeded next", "quota_exceeded", 1),
    ("Make Meet pending", "meet_pending", 1),
];

#[derive(Template)]
#[template(path = "simulator/front.html")]
struct FrontPage {
    now: String,
    manual: bool,
    accounts: Vec<Account>,
    /// Some of the accounts are service accounts.
    programs: bool,
    buttons: &'static [(&'static str, &'static str, u64)],
    kinds: Vec<&'static str>,
    faults: Vec<FaultView>,
    calls: Vec<CallView>,
    counts: [(&'static str, u64); 3],
}

struct Account {
    email: String,
    name: String,
    zone: String,
    /// It is a service account's.
    program: bool,
    grants: Vec<Grant>,
    calendars: Vec<CalendarView>,
}

struct Grant {
    client: String,
    refresh: usize,
    access: usize,
}

struct CalendarView {
    id: String,
    title: String,
    primary: bool,
    /// Events that are not deleted; a series is one.
    live: usize,
    events: Vec<Happening>,
}

struct FaultView {
    number: u64,
    name: &'static str,
    strikes: String,
    aim: String,
    spent: bool,
}

pub(super) async fn show(Shared(simulator): Shared<Simulator>) -> Response {
    let now = simulator.now();
    let manual = simulator.manual_clock().is_some();
    let state = simulator.state();
    let counters = state.ledger.counters();
    super::page(&FrontPage {
        now: super::moment(now),
        manual,
        accounts: state.settings.accounts().map(|user| account(&state, &user, now)).collect(),
        programs: !state.settings.service_accounts.is_empty(),
        buttons: BUTTONS,
        kinds: FaultKind::ALL.iter().map(|kind| kind.name()).collect(),
        faults: state.faults.all().map(fault).collect(),
        calls: state.ledger.entries().rev().take(CALLS_SHOWN).map(CallView::of).collect(),
        counts: [
            ("calls", counters.calls),
            ("changes", counters.committed),
            ("mails", state.outbox.len() as u64),
        ],
    })
}

fn account(state: &State, user: &User, now: DateTime<Utc>) -> Account {
    let mut grants: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for token in state.grants.refresh.values().filter(|token| token.user == user.email) {
        grants.entry(&token.client).or_default().0 += 1;
    }
    let live = state.grants.access.values().filter(|token| token.expires > now);
    for token in live.filter(|token| token.user == user.email) {
        grants.entry(&token.client).or_default().1 += 1;
    }
    let grants = grants.into_iter().map(|(client, (refresh, access))| Grant {
        client: client.to_owned(),
        refresh,
        access,
    });
    let mut own: Vec<&Calendar> =
        state.calendars.values().filter(|calendar| calendar.owner == user.email).collect();
    own.sort_by_key(|calendar| !calendar.primary);
    Account {
        email: user.email.clone(),
        name: match (user.name.is_empty(), user.email.split_once('@')) {
            (true, Some((name, _))) => name.to_owned(),
            (true, None) => user.email.clone(),
            (false, _) => user.name.clone(),
        },
        zone: user.time_zone.clone(),
        program: state.settings.service_accounts.iter().any(|one| one.email == user.email),
        grants: grants.collect(),
        calendars: own.into_iter().map(|calendar| view(calendar, now)).collect(),
    }
}

fn view(calendar: &Calendar, now: DateTime<Utc>) -> CalendarView {
    let mut events = happenings(calendar, now, now + TimeDelta::days(AHEAD_DAYS), false);
    events.truncate(EVENTS_SHOWN);
    CalendarView {
        id: calendar.id.clone(),
        title: if calendar.primary { "Calendar" } else { &calendar.summary }.to_owned(),
        primary: calendar.primary,
        live: calendar.events.live().filter(|event| event.exception.is_none()).count(),
        events,
    }
}

fn fault(armed: &Armed) -> FaultView {
    let aim = &armed.fault.aim;
    let parts = [
        aim.method.as_ref().map(|method| format!("method {method}")),
        aim.user.clone(),
        aim.calendar.as_ref().map(|calendar| format!("calendar {calendar}")),
        aim.probability.map(|part| format!("{part} of them")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    FaultView {
        number: armed.number,
        name: armed.fault.kind.name(),
        strikes: match aim.times {
            Some(times) => format!("{} of {times}", armed.struck),
            None => format!("{}, until cleared", armed.struck),
        },
        aim: if parts.is_empty() { "any of its calls".to_owned() } else { parts.join(", ") },
        spent: armed.is_spent(),
    }
}
