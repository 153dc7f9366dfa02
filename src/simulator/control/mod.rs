//! `/simulator/…`: what a script may do to the simulator.
//!
//! `openapi.json` describes every route of it, and is served beside them.

mod complaint;
mod dump;
mod faults;
mod ledger;
mod snapshot;

use axum::Json;
use axum::Router;
use axum::extract::{Request, State as Shared};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::json;

use super::Simulator;
use super::call::{Asked, Routes};
use complaint::{json_body, members};

pub(super) use complaint::Complaint;
pub(super) use faults::read as read_fault;

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/simulator/faults", post(faults::add).delete(faults::clear).get(faults::show))
        .route("/simulator/ledger", get(ledger::show))
        .route("/simulator/clock", post(set_clock).get(clock))
        .route("/simulator/expire", post(expire))
        .route("/simulator/accounts", post(end_account))
        .route("/simulator/rotate-keys", post(rotate_keys))
        .route("/simulator/reset", post(reset))
        .route("/simulator/dump", get(dump::show))
        .route("/simulator/snapshot", snapshot::route())
        .route("/simulator/openapi.json", get(openapi))
        .layer(middleware::from_fn(same_site_only))
}

/// Refuses what another site's page makes a browser send: the simulator listens on the loopback,
/// where every page that a developer looks at can reach it. Programs send none of the two headers.
/// There is no list of good `Host` names, because containers reach the simulator by names of their own; a page
/// that rebinds a name of its own to this address could still press buttons and take a snapshot, on
/// data that is all made up, with tokens that open nothing else.
pub(super) async fn same_site_only(request: Request, next: Next) -> Response {
    let reads = [Method::GET, Method::HEAD].contains(request.method());
    if reads || is_same_site(request.headers()) {
        return next.run(request).await;
    }
    let next_step = "Use the simulator's own pages, or a program.";
    let wrong = Complaint::new("Origin", "is another site's", next_step);
    wrong.with_status(StatusCode::FORBIDDEN).into_response()
}

fn is_same_site(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    match (headers.get(header::ORIGIN), text("host")) {
        (None, _) => true,
        (Some(origin), Some(host)) => {
            let origin = origin.to_str().unwrap_or_default();
            origin.split_once("://").is_some_and(|(_, from)| from == host)
        }
        (Some(_), None) => false,
    }
}

#[derive(Deserialize)]
struct ClockMove {
    advance_secs: Option<i64>,
    set: Option<DateTime<Utc>>,
}

async fn clock(Shared(simulator): Shared<Simulator>) -> Response {
    let body = json!({"now": simulator.now(), "manual": simulator.manual_clock().is_some()});
    Json(body).into_response()
}

async fn set_clock(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let read = json_body(&asked.body).and_then(|body| members(body, &["advance_secs", "set"]));
    let moved: ClockMove = match read {
        Ok(moved) => moved,
        Err(wrong) => return wrong.into_response(),
    };
    let Some(manual) = simulator.manual_clock() else {
        let next = "Start the simulator with [clock] mode = \"fixed\" to move it.";
        let wrong = Complaint::new("(clock)", "the simulator goes by a real clock", next);
        return wrong.with_status(StatusCode::CONFLICT).into_response();
    };
    let moment = match (moved.advance_secs, moved.set) {
        (Some(secs), None) => {
            TimeDelta::try_seconds(secs).and_then(|by| simulator.now().checked_add_signed(by))
        }
        (None, Some(moment)) => Some(moment),
        _ => {
            let rule = "must hold either advance_secs or set";
            return Complaint::new("(body)", rule, "Give one of the two.").into_response();
        }
    };
    let Some(moment) = moment else {
        let rule = "leads out of the calendar";
        return Complaint::new("advance_secs", rule, "Give less.").into_response();
    };
    manual.set(moment);
    Json(json!({"now": simulator.now(), "manual": true})).into_response()
}

#[derive(Deserialize)]
struct Expire {
    #[serde(default)]
    access_tokens: bool,
    #[serde(default)]
    sync_tokens: bool,
    #[serde(default)]
    page_tokens: bool,
    user: Option<String>,
}

const EXPIRE: &[&str] = &["access_tokens", "sync_tokens", "page_tokens", "user"];

async fn expire(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let wanted: Expire = match json_body(&asked.body).and_then(|body| members(body, EXPIRE)) {
        Ok(wanted) => wanted,
        Err(wrong) => return wrong.into_response(),
    };
    if wanted.access_tokens {
        simulator.expire_access_tokens();
    }
    if wanted.sync_tokens {
        simulator.expire_sync_tokens();
    }
    if wanted.page_tokens {
        simulator.expire_page_tokens();
    }
    if let Some(user) = &wanted.user {
        simulator.revoke_grants(user);
    }
    StatusCode::NO_CONTENT.into_response()
}

/// What becomes of an account.
#[derive(Deserialize)]
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
    let read = json_body(&asked.body).and_then(|body| members(body, &["user", "change"]));
    let wanted: AccountChange = match read {
        Ok(wanted) => wanted,
        Err(wrong) => return wrong.into_response(),
    };
    match wanted.change {
        AccountEvent::Deleted => simulator.delete_account(&wanted.user),
        AccountEvent::PasswordChanged => simulator.change_password(&wanted.user),
    }
    StatusCode::NO_CONTENT.into_response()
}

/// The body is read as with a reset.
async fn rotate_keys(Shared(simulator): Shared<Simulator>, _: Asked) -> Response {
    simulator.rotate_keys();
    StatusCode::NO_CONTENT.into_response()
}

/// Its body, if there is one, is read and says nothing: left unread, it would end the connection.
async fn reset(Shared(simulator): Shared<Simulator>, _: Asked) -> Response {
    simulator.reset();
    StatusCode::NO_CONTENT.into_response()
}

async fn openapi() -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json")];
    (headers, include_str!("openapi.json")).into_response()
}
