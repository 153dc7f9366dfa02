//! `/simulator/…`: what a script may do to the simulator.

use axum::Json;
use axum::Router;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Simulator;
use super::call::{Asked, Routes};
use super::fault::Fault;

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/simulator/faults", post(add_faults).delete(clear_faults).get(unused_faults))
        .route("/simulator/ledger", get(ledger))
        .route("/simulator/clock", post(set_clock).get(clock))
        .route("/simulator/expire", post(expire))
        .route("/simulator/accounts", post(end_account))
        .route("/simulator/rotate-keys", post(rotate_keys))
        .route("/simulator/reset", post(reset))
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<Value>),
    One(Value),
}

async fn add_faults(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let Ok(body) = serde_json::from_slice::<OneOrMany>(&asked.body) else {
        return bad("the body must be one fault or a list of faults, as JSON");
    };
    let bodies = match body {
        OneOrMany::Many(bodies) => bodies,
        OneOrMany::One(body) => vec![body],
    };
    let faults: Result<Vec<Fault>, _> = bodies.into_iter().map(serde_json::from_value).collect();
    match faults {
        Ok(faults) => {
            let added = faults.len();
            for fault in faults {
                simulator.add_fault(fault);
            }
            Json(json!({"added": added})).into_response()
        }
        Err(error) => bad(&error.to_string()),
    }
}

async fn clear_faults(Shared(simulator): Shared<Simulator>) -> Response {
    simulator.clear_faults();
    StatusCode::NO_CONTENT.into_response()
}

async fn unused_faults(Shared(simulator): Shared<Simulator>) -> Response {
    Json(json!({"unused": simulator.unused_faults()})).into_response()
}

async fn ledger(Shared(simulator): Shared<Simulator>) -> Response {
    let forgotten = simulator.state().ledger.forgotten();
    let mut body =
        json!({"entries": simulator.ledger(), "forgotten": forgotten, "mails": simulator.outbox()});
    body["deliveries"] = json!(simulator.deliveries());
    Json(body).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockMove {
    advance_secs: Option<i64>,
    set: Option<DateTime<Utc>>,
}

async fn clock(Shared(simulator): Shared<Simulator>) -> Response {
    Json(json!({"now": simulator.now()})).into_response()
}

async fn set_clock(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let moved: ClockMove = match serde_json::from_slice(&asked.body) {
        Ok(moved) => moved,
        Err(error) => return bad(&error.to_string()),
    };
    let Some(manual) = simulator.manual_clock() else {
        let text =
            "the simulator goes by a real clock; start it with [clock] mode = \"fixed\" to move it";
        return (StatusCode::CONFLICT, Json(json!({"error": text}))).into_response();
    };
    match (moved.advance_secs.and_then(TimeDelta::try_seconds), moved.set) {
        (Some(by), None) => manual.advance(by),
        (None, Some(moment)) => manual.set(moment),
        _ => return bad("give either advance_secs or set"),
    }
    Json(json!({"now": simulator.now()})).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expire {
    #[serde(default)]
    access_tokens: bool,
    #[serde(default)]
    sync_tokens: bool,
    user: Option<String>,
}

async fn expire(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let wanted: Expire = match serde_json::from_slice(&asked.body) {
        Ok(wanted) => wanted,
        Err(error) => return bad(&error.to_string()),
    };
    if wanted.access_tokens {
        simulator.expire_access_tokens();
    }
    if wanted.sync_tokens {
        simulator.expire_sync_tokens();
    }
    if let Some(user) = &wanted.user {
        simulator.revoke_grants(user);
    }
    StatusCode::NO_CONTENT.into_response()
}

/// What becomes of an account.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountChange {
    user: String,
    change: AccountEvent,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum AccountEvent {
    Deleted,
    PasswordChanged,
}

async fn end_account(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let wanted: AccountChange = match serde_json::from_slice(&asked.body) {
        Ok(wanted) => wanted,
        Err(error) => return bad(&error.to_string()),
    };
    match wanted.change {
        AccountEvent::Deleted => simulator.delete_account(&wanted.user),
        AccountEvent::PasswordChanged => simulator.change_password(&wanted.user),
    }
    StatusCode::NO_CONTENT.into_response()
}

async fn rotate_keys(Shared(simulator): Shared<Simulator>) -> Response {
    simulator.rotate_keys();
    StatusCode::NO_CONTENT.into_response()
}

async fn reset(Shared(simulator): Shared<Simulator>) -> Response {
    simulator.reset();
    StatusCode::NO_CONTENT.into_response()
}

fn bad(text: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"error": text}))).into_response()
}
