//! Letting go of the account: by an administrator's API key as the seed's curl line does, or by a
//! person who confirms it.

use askama::Template;
use axum::Json;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::{Value, json};

use super::super::problem::{self, Problem};
use super::super::{Door, caller};
use super::fault::Fault;
use super::guard::{Signed, Visitor};
use super::home::Notice;
use super::{back, page, sign_in};
use crate::app::Error;
use crate::app::access::Caller;
use crate::app::connections::{self, Waiting};
use crate::model::key::Scope;

/// The address that the proxies of the seeds forward.
pub const PATH: &str = "/google-calendar-setup/revoke";

#[derive(Template)]
#[template(path = "revoke.html")]
struct Confirm {
    csrf: String,
    email: String,
    waiting: u64,
}

/// Whoever shows an API key is answered here, in JSON, and sees no page.
pub async fn by_key(State(door): State<Door>, request: Request, next: Next) -> Response {
    let acts = matches!(*request.method(), Method::GET | Method::POST);
    if !acts || caller::shown_key(request.headers()).is_none() {
        return next.run(request).await;
    }
    match disconnect(&door, request).await {
        Ok(done) => done.into_response(),
        Err(problem) => problem::in_classic_words(problem.into_response()).await,
    }
}

async fn disconnect(door: &Door, request: Request) -> Result<Json<Value>, Problem> {
    let (mut parts, _) = request.into_parts();
    let caller = Caller::from_request_parts(&mut parts, door).await?;
    caller.must(Scope::Admin)?;
    disconnect_server(door, &caller, Waiting::Kept).await?;
    Ok(Json(json!({
        "success": true,
        "message": "Google Calendar disconnected; Google is told to end the access",
    })))
}

/// `GET`: asks whether it is meant, and changes nothing.
pub async fn ask(State(door): State<Door>, Visitor(session): Visitor) -> Result<Response, Fault> {
    let Some(session) = session else {
        let form = sign_in::form(&door, None, None).await?;
        return Ok((StatusCode::FORBIDDEN, form).into_response());
    };
    let app = &door.app;
    let Some(connection) = connections::of_server(app).await? else {
        return Ok(back(Notice::NotConnected).into_response());
    };
    let email = app.profile(&connection)?.email;
    let waiting = app.store.count_jobs().await.map_err(Error::from)?.live;
    Ok(page(&Confirm { csrf: session.csrf(app), email, waiting }))
}

async fn disconnect_server(door: &Door, caller: &Caller, waiting: Waiting) -> Result<(), Error> {
    let app = &door.app;
    let Some(connection) = connections::of_server(app).await? else {
        return Err(Error::NotConnected { setup_url: app.settings.setup_url.clone() });
    };
    connections::disconnect(app, caller, connection.id, waiting).await?;
    Ok(())
}

/// `POST`: it is meant.
pub async fn submit(State(door): State<Door>, form: Signed) -> Result<Redirect, Fault> {
    let waiting = match form.choice.as_deref() {
        Some("cancel") => Waiting::Cancelled,
        _ => Waiting::Kept,
    };
    match disconnect_server(&door, &Caller::administrator(), waiting).await {
        Ok(()) => Ok(back(Notice::Disconnected)),
        Err(Error::NotConnected { .. }) => Ok(back(Notice::NotConnected)),
        Err(other) => Err(other.into()),
    }
}
