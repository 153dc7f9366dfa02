//! A session for the password or a setup code, and its end.

use askama::Template;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use axum_extra::extract::CookieJar;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::super::Door;
use super::super::address::Client;
use super::super::problem::Problem;
use super::cookies::{self, Use};
use super::fault::Fault;
use super::guard::Signed;
use super::home::Notice;
use super::{HOME, back, page};
use crate::app::access::{self, Proof};
use crate::app::{Error, connections};
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

/// What the two forms send: the password, or a code and perhaps the password from now on.
#[derive(Deserialize)]
pub struct Shown {
    password: Option<String>,
    code: Option<String>,
    new_password: Option<String>,
}

impl Shown {
    fn proof(self) -> Option<Proof> {
        match self {
            Self { code: Some(code), new_password, .. } => {
                let new_password = new_password.filter(|password| !password.is_empty());
                Some(Proof::Code { code, new_password: new_password.map(SecretString::from) })
            }
            Self { password, .. } => password.map(|password| Proof::Password(password.into())),
        }
    }
}

/// The page that asks for the password or the setup code.
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

/// `POST /google-calendar-setup/session`: opens a session.
pub async fn open(
    State(door): State<Door>,
    Extension(Client(from)): Extension<Client>,
    jar: CookieJar,
    sent: Result<Form<Shown>, FormRejection>,
) -> Result<Response, Fault> {
    let proof = sent
        .ok()
        .and_then(|Form(shown)| shown.proof())
        .ok_or_else(|| Fault::unreadable("Type the setup code or the password into the form."))?;
    let earlier = cookies::read(&door, &jar, Use::Session);
    match access::open_session(&door.app, proof, from, earlier.as_deref()).await {
        Ok(shown) => {
            let jar = cookies::set(&door, jar, Use::Session, shown.expose_secret());
            Ok((jar, Redirect::to(HOME)).into_response())
        }
        Err(error @ (Error::Denied(_) | Error::Invalid(_) | Error::TooManyTries { .. })) => {
            let problem = Problem::from(error);
            let form = form(&door, None, Some(problem.detail())).await?;
            let mut response = (problem.status(), form).into_response();
            problem.tell(response.headers_mut());
            Ok(response)
        }
        Err(other) => Err(other.into()),
    }
}

/// `POST /google-calendar-setup/logout-everywhere`: ends every session there is.
pub async fn close_all(
    State(door): State<Door>,
    jar: CookieJar,
    _form: Signed,
) -> Result<Response, Fault> {
    access::close_every_session(&door.app).await?;
    Ok((cookies::clear(&door, jar, Use::Session), back(Notice::SignedOut)).into_response())
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
