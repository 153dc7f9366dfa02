//! `/simulator/ledger`: what was asked and answered, in pages if need be.

use axum::Json;
use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::complaint::Complaint;
use crate::simulator::Simulator;
use crate::simulator::call::{Asked, Parameters};
use crate::simulator::ledger::Filter;

const PARAMETERS: &[&str] = &["after", "limit", "method", "user"];

pub(super) async fn show(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let (filter, limit) = match read(&asked.parameters) {
        Ok(read) => read,
        Err(wrong) => return wrong.into_response(),
    };
    let state = simulator.state();
    let mut entries: Vec<_> =
        state.ledger.entries().filter(|entry| filter.takes(entry)).take(limit + 1).collect();
    let more = entries.len() > limit;
    entries.truncate(limit);
    let mut body = json!({
        "entries": entries,
        "forgotten": state.ledger.forgotten(),
        "mails": state.outbox,
        "deliveries": state.outgoing.made,
        "counters": state.ledger.counters(),
    });
    if let Some(last) = entries.last().filter(|_| more) {
        body["next_after"] = last.number.into();
    }
    Json(body).into_response()
}

fn read(parameters: &Parameters) -> Result<(Filter, usize), Complaint> {
    if let Some((name, _)) = parameters.pairs().find(|(name, _)| !PARAMETERS.contains(name)) {
        return Err(Complaint::unknown(name, "is no parameter here", name, PARAMETERS));
    }
    let number = |name: &str, usual: u64| match parameters.get(name).map(str::parse) {
        None => Ok(usual),
        Some(Ok(number)) => Ok(number),
        Some(Err(_)) => {
            Err(Complaint::new(name, "must be a whole number", "Entries count from 1."))
        }
    };
    let filter = Filter {
        after: number("after", 0)?,
        method: parameters.get("method").map(str::to_owned),
        user: parameters.get("user").map(str::to_owned),
    };
    let limit = usize::try_from(number("limit", u32::MAX.into())?).unwrap_or(usize::MAX - 1);
    Ok((filter, limit.clamp(1, u32::MAX as usize)))
}
