//! Whether it lives, whether it can take work, and how it fares.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::Door;
use super::problem::Problem;
use crate::app::{App, Used, client, connections};
use crate::model::connection::Health;
use crate::model::id::ConnectionId;

/// `GET /livez`: the process answers.
pub async fn live() -> &'static str {
    "ok\n"
}

/// `GET /health`, as one seed has it.
pub async fn healthy() -> Json<Value> {
    Json(json!({ "status": "healthy" }))
}

/// `GET /readyz`: whether writes are taken; with `?verbose`, why not.
pub async fn ready(State(door): State<Door>, RawQuery(query): RawQuery) -> Response {
    let store = door.app.store.writable().await;
    let status = if store.is_ok() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let verbose = query.is_some_and(|query| {
        query.split('&').any(|part| part.split('=').next() == Some("verbose"))
    });
    let told = match (&store, verbose) {
        (Ok(()), false) => "ok\n".to_owned(),
        (Err(_), false) => "not ready\n".to_owned(),
        (Ok(()), true) => "[+] store ok\n[+] vault ok\nready\n".to_owned(),
        (Err(error), true) => format!("[-] store: {error}\n[+] vault ok\nnot ready\n"),
    };
    (status, told).into_response()
}

/// `GET /api/v1/status`: the connection and the queue at a glance.
pub async fn status(State(door): State<Door>) -> Result<Json<Value>, Problem> {
    let app = &door.app;
    let connection = connections::of_server(app).await?;
    let usable = connections::check_client(app);
    let jobs = app.store.count_jobs().await.map_err(crate::app::Error::from)?;
    let account = match &connection {
        None => json!({ "state": "disconnected" }),
        Some(connection) => {
            let (state, cause) = match &connection.state {
                Health::Connected => ("connected", None),
                Health::ReconnectNeeded(cause) => ("reconnect_needed", Some(cause)),
                Health::Disconnected => ("disconnected", None),
            };
            json!({
                "id": connection.id.to_string(),
                "state": state,
                "cause": cause.map(|cause| json!({ "code": cause.code, "text": cause.text })),
                "email": app.profile(connection)?.email,
                "linked": super::events::utc(connection.linked),
            })
        }
    };
    Ok(Json(json!({
        "object": "status",
        "version": env!("CARGO_PKG_VERSION"),
        "configured": usable.is_ok(),
        "problem": usable.err().map(|error| error.to_string()),
        // Connections that were granted to another OAuth client than today's, and wait.
        "reconnect_needed": client::strangers(app).await?,
        "connection": account,
        "jobs": { "live": jobs.live, "done": jobs.done, "given_up": jobs.dead },
        "store": { "writable": app.store.writable().await.is_ok() },
        "limits": limits(app),
    })))
}

/// No answer tells more accounts than this.
const MOST_ACCOUNTS: usize = 100;

/// What is used of Google's quota and what is left, for the project and for the accounts in use, by
/// the ids of their connections.
fn limits(app: &App) -> Value {
    let report = app.limits.report();
    let now = app.clock.now();
    let told = |used: &Used| {
        let next = TimeDelta::from_std(used.next).ok().filter(|wait| !wait.is_zero());
        json!({
            "limit_per_minute": used.limit,
            "used_in_last_minute": used.used,
            "left": used.left,
            "waiting": used.waiting,
            "next": next.map(|wait| super::events::utc(now + wait)),
            "factor_percent": used.factor.div_ceil(10),
        })
    };
    let with_id = |(id, used): &(ConnectionId, Used)| {
        let mut account = told(used);
        account["connection"] = id.to_string().into();
        account
    };
    json!({
        "project": told(&report.project),
        "processes": report.nodes,
        "accounts_in_use": report.payers.len(),
        "accounts": report.payers.iter().take(MOST_ACCOUNTS).map(with_id).collect::<Vec<_>>(),
        "day": {
            "date": report.day.to_string(),
            "calls": report.calls,
            "warning_at": report.warning,
        },
    })
}
