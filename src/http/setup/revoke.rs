//! Letting go of the account: by an administrator's API key as the seed's curl line does, or by a
//! person who confirms it.

use askama::Template;
use axum::Json;
use axum::extract::{Extension, FromRequest, Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::super::Door;
use super::super::problem::Problem;
use super::fault::Fault;
use super::guard::{Signed, Visitor};
use super::home::Notice;
use super::{back, page, sign_in};
use crate::app::Error;
use crate::app::access::Caller;
use crate::app::connections::{self, Waiting};

#[derive(Template)]
#[template(path = "revoke.html")]
struct Confirm {
    csrf: String,
    email: String,
}

/// `GET`: lets go for an administrator's key; asks a person whether it is meant, and changes nothing.
pub async fn ask(
    State(door): State<Door>,
    method: Method,
    caller: Option<Extension<Caller>>,
    Visitor(session): Visitor,
) -> Result<Response, Fault> {
    // `HEAD` asks only what would be told.
    if let Some(Extension(caller)) = caller.filter(is_program)
        && method == Method::GET
    {
        return Ok(by_key(&door, &caller).await.into_response());
    }
    let Some(session) = session else {
        let form = sign_in::form(&door, None, None).await?;
        return Ok((StatusCode::FORBIDDEN, form).into_response());
    };
    let app = &door.app;
    let Some(connection) = connections::of_server(app).await? else {
        return Ok(back(Notice::NotConnected).into_response());
    };
    let email = app.profile(&connection)?.email;
    Ok(page(&Confirm { csrf: session.csrf(app), email }))
}

/// `POST`: lets go, for an administrator's key or for a person who means it.
pub async fn submit(
    State(door): State<Door>,
    caller: Option<Extension<Caller>>,
    request: Request,
) -> Result<Response, Fault> {
    if let Some(Extension(caller)) = caller.filter(is_program) {
        return Ok(by_key(&door, &caller).await.into_response());
    }
    let form = Signed::from_request(request, &door).await?;
    let waiting = match form.choice.as_deref() {
        Some("cancel") => Waiting::Cancelled,
        _ => Waiting::Kept,
    };
    match connections::disconnect_server(&door.app, &Caller::administrator(), waiting).await {
        Ok(_) => Ok(back(Notice::Disconnected).into_response()),
        Err(Error::NotConnected { .. }) => Ok(back(Notice::NotConnected).into_response()),
        Err(other) => Err(other.into()),
    }
}

fn is_program(Extension(caller): &Extension<Caller>) -> bool {
    caller.key().is_some()
}

async fn by_key(door: &Door, caller: &Caller) -> Result<Json<Value>, Problem> {
    connections::disconnect_server(&door.app, caller, Waiting::Kept).await?;
    Ok(Json(json!({
        "success": true,
        "message": "Google Calendar disconnected; Google is told to end the access",
    })))
}
