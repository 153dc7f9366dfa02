//! `/simulator/dump`: everything the simulator remembers, but no token and no secret.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::simulator::Simulator;
use crate::simulator::armed::Armed;
use crate::simulator::calendar::Calendar;
use crate::simulator::event::Surroundings;
use crate::simulator::state::State;

pub(super) async fn show(Shared(simulator): Shared<Simulator>) -> Response {
    let (now, manual) = (simulator.now(), simulator.manual_clock().is_some());
    let state = simulator.state();
    let base = state.base.clone().unwrap_or_default();
    let calendars: Vec<Value> =
        state.calendars.values().map(|calendar| shown(calendar, &base)).collect();
    let users =
        state.settings.users.iter().map(
            |user| json!({"email": user.email, "name": user.name, "time_zone": user.time_zone}),
        );
    let clients = state.settings.clients.iter();
    let clients =
        clients.map(|client| json!({"id": client.id, "redirect_uris": client.redirect_uris}));
    let body = json!({
        "clock": {"now": now, "manual": manual},
        "seed": state.settings.seed,
        "users": users.collect::<Vec<_>>(),
        "clients": clients.collect::<Vec<_>>(),
        "calendars": calendars,
        "tokens": tokens(&state),
        "faults": state.faults.all().map(Armed::shown).collect::<Vec<_>>(),
        "mails": state.outbox,
        "counters": state.ledger.counters(),
    });
    Json(body).into_response()
}

fn shown(calendar: &Calendar, base: &str) -> Value {
    let around = Surroundings::of_owner(base, calendar);
    let (gone, live): (Vec<_>, Vec<_>) = calendar.events.all().partition(|event| event.cancelled);
    json!({
        "id": calendar.id,
        "owner": calendar.owner,
        "summary": calendar.summary,
        "time_zone": calendar.time_zone.name(),
        "events": live.iter().map(|event| event.shown(&around)).collect::<Vec<_>>(),
        "tombstones": gone.iter().map(|event| event.shown(&around)).collect::<Vec<_>>(),
    })
}

/// How many tokens there are of each user: by kind, live or not.
fn tokens(state: &State) -> Value {
    let mut counts: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    let access = state.grants.access.values().map(|token| (token.user.as_str(), "access"));
    let refresh = state.grants.refresh.values().map(|token| (token.user.as_str(), "refresh"));
    let codes = state.grants.codes.values().map(|code| (code.user.as_str(), "codes"));
    for (user, kind) in access.chain(refresh).chain(codes) {
        *counts.entry(user).or_default().entry(kind).or_default() += 1;
    }
    json!(counts)
}
