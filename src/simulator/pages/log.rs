//! What was asked lately, and the mails that would have gone out.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::State as Shared;
use axum::response::Response;

use crate::simulator::Simulator;
use crate::simulator::call::Asked;
use crate::simulator::ledger::{Answered, Entry, Filter, Mail};

/// Lines of a page.
const SHOWN: usize = 100;

#[derive(Template)]
#[template(path = "simulator/log.html")]
struct LogPage {
    method: String,
    user: String,
    methods: BTreeSet<&'static str>,
    users: Vec<String>,
    calls: Vec<CallView>,
    /// Older calls begin before this number.
    older: Option<u64>,
    forgotten: u64,
}

#[derive(Template)]
#[template(path = "simulator/mails.html")]
struct MailsPage {
    mails: Vec<(String, Mail)>,
    more: usize,
}

/// One line of the log.
pub(super) struct CallView {
    pub(super) number: u64,
    pub(super) time: String,
    pub(super) method: &'static str,
    pub(super) user: String,
    pub(super) event: String,
    pub(super) answered: String,
    pub(super) good: bool,
    pub(super) committed: bool,
    pub(super) faults: String,
}

impl CallView {
    pub(super) fn of(entry: &Entry) -> Self {
        let (answered, good) = match entry.answered {
            Answered::Status(status) => (status.to_string(), status < 400),
            Answered::Cut => ("cut".to_owned(), false),
        };
        Self {
            number: entry.number,
            time: entry.time.format("%-d %b %H:%M:%S").to_string(),
            method: entry.method,
            user: entry.user.clone().unwrap_or_default(),
            event: entry.event.clone().or_else(|| entry.grant_type.clone()).unwrap_or_default(),
            answered,
            good,
            committed: entry.committed,
            faults: entry.faults.join(", "),
        }
    }
}

pub(super) async fn calls(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let state = simulator.state();
    let text = |name: &str| asked.parameters.get(name).map(str::to_owned);
    let filter = Filter { after: 0, method: text("method"), user: text("user") };
    let before = asked.parameters.get("before").and_then(|text| text.parse().ok());
    let before = before.unwrap_or(u64::MAX);
    let fits = |entry: &&Entry| entry.number < before && filter.takes(entry);
    let mut found = state.ledger.entries().rev().filter(fits);
    let calls: Vec<CallView> = found.by_ref().take(SHOWN).map(CallView::of).collect();
    let older = found.next().and(calls.last()).map(|last| last.number);
    super::page(&LogPage {
        methods: state.ledger.counters().by_method.keys().copied().collect(),
        users: state.settings.accounts().map(|user| user.email).collect(),
        method: filter.method.unwrap_or_default(),
        user: filter.user.unwrap_or_default(),
        older,
        calls,
        forgotten: state.ledger.forgotten(),
    })
}

pub(super) async fn mails(Shared(simulator): Shared<Simulator>) -> Response {
    let state = simulator.state();
    let newest = state.outbox.iter().rev().take(SHOWN);
    let mails = newest.map(|mail| (super::moment(mail.time), mail.clone())).collect();
    super::page(&MailsPage { mails, more: state.outbox.len().saturating_sub(SHOWN) })
}
