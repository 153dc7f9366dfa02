//! Whether it lives, whether it can take work, and how it fares.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Door;
use super::problem::Problem;
use crate::app::access::Caller;
use crate::app::connections;
use crate::model::connection::Health;

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
pub async fn status(State(door): State<Door>, _caller: Caller) -> Result<Json<Value>, Problem> {
    let app = &door.app;
    let connection = connections::of_server(app).await?;
    let client = connections::check_client(app).await;
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
        "configured": client.is_ok(),
        "problem": client.err().map(|error| error.to_string()),
        "connection": account,
        "jobs": { "live": jobs.live, "done": jobs.done, "given_up": jobs.dead },
        "store": { "writable": app.store.writable().await.is_ok() },
    })))
}
