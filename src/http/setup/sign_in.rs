//! A session for the setup code, and its end.

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::super::Door;
use super::cookies::{self, Use};
use super::fault::Fault;
use super::guard::Signed;
use super::home::Notice;
use super::{HOME, back, page};
use crate::app::{Error, access, connections};
use crate::model::connection::Health;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn<'a> {
    /// How the bridge stands, in one line that anybody may read.
    standing: &'static str,
    code_file: String,
    refused: Option<&'a str>,
    notice: Option<Notice>,
}

/// What the form sends.
#[derive(Deserialize)]
pub struct Code {
    code: String,
}

/// The page that asks for the setup code.
pub async fn form(
    door: &Door,
    notice: Option<Notice>,
    refused: Option<&str>,
) -> Result<Response, Fault> {
    let connection = connections::of_server(&door.app).await?;
    let standing = match connection.map(|connection| connection.state) {
        Some(Health::Connected) => "A Google account is connected.",
        Some(Health::ReconnectNeeded(_)) => "The Google account must be connected again.",
        Some(Health::Disconnected) | None if connections::check_client(&door.app).is_ok() => {
            "No Google account is connected yet."
        }
        Some(Health::Disconnected) | None => "Not configured yet.",
    };
    let code_file = door.app.settings.setup_code_file.display().to_string();
    Ok(page(&SignIn { standing, code_file, refused, notice }))
}

/// `POST /google-calendar-setup/session`: opens a session for the setup code.
pub async fn open(
    State(door): State<Door>,
    jar: CookieJar,
    sent: Result<Form<Code>, FormRejection>,
) -> Result<Response, Fault> {
    let Form(Code { code }) =
        sent.map_err(|_| Fault::unreadable("Type the setup code into the form."))?;
    match access::open_session(&door.app, &code).await {
        Ok(shown) => {
            let jar = cookies::set(&door, jar, Use::Session, shown.expose_secret());
            Ok((jar, Redirect::to(HOME)).into_response())
        }
        Err(Error::Denied(text)) => {
            tracing::warn!("a setup code was refused");
            let form = form(&door, None, Some(text)).await?;
            Ok((StatusCode::FORBIDDEN, form).into_response())
        }
        Err(other) => Err(other.into()),
    }
}

/// `POST /google-calendar-setup/logout`: ends the session.
pub async fn close(
    State(door): State<Door>,
    jar: CookieJar,
    form: Signed,
) -> Result<Response, Fault> {
    access::close_session(&door.app, &form.session).await?;
    Ok((cookies::clear(&door, jar, Use::Session), back(Notice::SignedOut)).into_response())
}
