//! Whether it lives, and whether it can take work.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::Door;
use super::events::utc;
use crate::app::App;
use crate::app::incident::Freeze;

/// That it is well, in the words of one seed.
#[derive(Serialize, ToSchema)]
pub struct Healthy {
    status: &'static str,
}

/// `GET /livez`: whether the process answers.
#[utoipa::path(
    get,
    path = "/api/livez",
    operation_id = "is_alive",
    tag = "Health",
    responses((status = 200, description = "It does.", body = String))
)]
pub async fn live() -> &'static str {
    "ok\n"
}

/// `GET /health`: whether the process answers, in the words of one seed.
#[utoipa::path(
    get,
    path = "/api/health",
    operation_id = "is_healthy",
    tag = "Health",
    responses((status = 200, description = "It does.", body = Healthy))
)]
pub async fn healthy() -> Json<Healthy> {
    Json(Healthy { status: "healthy" })
}

/// `GET /readyz`: whether writes are taken; if asked to be verbose, why not.
#[utoipa::path(
    get,
    path = "/api/readyz",
    operation_id = "is_ready",
    tag = "Health",
    params(("verbose" = Option<String>, Query, description = "Whether to say why not; its value does not matter.")),
    responses(
        (status = 200, description = "They are.", body = String),
        (status = 503, description = "They are not.", body = String)
    )
)]
pub async fn ready(State(door): State<Door>, RawQuery(query): RawQuery) -> Response {
    let store = door.app.store.writable().await;
    let status = if store.is_ok() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let verbose = query.is_some_and(|query| {
        query.split('&').any(|part| part.split('=').next() == Some("verbose"))
    });
    let told = match (&store, verbose) {
        (Ok(()), false) => "ok\n".to_owned(),
        (Err(_), false) => "not ready\n".to_owned(),
        (Ok(()), true) => {
            let app = &door.app;
            format!("[+] store ok\n[+] vault ok\n{}{}ready\n", freeze(app), mail(app))
        }
        (Err(error), true) => format!("[-] store: {error}\n[+] vault ok\nnot ready\n"),
    };
    (status, told).into_response()
}

/// That writes are refused because somebody wants it so. The bridge is ready nonetheless: it shows what it
/// has, and nobody is to take it out of service for that.
fn freeze(app: &App) -> String {
    let told = |Freeze { since, by, .. }| {
        let since = utc(since);
        format!("[!] writes are frozen by {by} since {since}: `calbridge incident thaw` goes on\n")
    };
    app.frozen.now().map_or_else(String::new, told)
}

/// What stands before all mails. The bridge is ready nonetheless: they wait.
fn mail(app: &App) -> String {
    let trouble = app.mail.as_ref().and_then(|mailer| mailer.report().trouble);
    trouble.map_or_else(String::new, |trouble| format!("[!] mail waits: {}\n", trouble.cause.text))
}
