//! To Google for consent, and back.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;

use super::super::Door;
use super::back;
use super::cookies::{self, Use};
use super::fault::Fault;
use super::home::Notice;
use crate::app::connections::{self, Answer};

/// `POST /google-calendar-setup/connect`: sends the browser to Google's consent page.
pub async fn begin(State(door): State<Door>, jar: CookieJar) -> Result<Response, Fault> {
    let consent = connections::begin(&door.app).await?;
    let jar = cookies::set(&door, jar, Use::Consent, &consent.cookie);
    Ok((jar, Redirect::to(&consent.url)).into_response())
}

/// `GET /oauth2callback`: what Google sends the browser back with. The cookie is spent either way.
pub async fn callback(
    State(door): State<Door>,
    jar: CookieJar,
    answer: Result<Query<Answer>, QueryRejection>,
) -> Response {
    let cookie = cookies::read(&door, &jar, Use::Consent);
    let done = match answer {
        Ok(Query(answer)) => {
            connections::finish(&door.app, answer, cookie.as_deref()).await.map_err(Fault::from)
        }
        Err(_) => Err(Fault::unreadable(
            "The address Google sent you back to cannot be read. Connect once more.",
        )),
    };
    let told = match done {
        Ok(_) => back(Notice::Connected).into_response(),
        Err(fault) => fault.titled("The account was not connected").into_response(),
    };
    // This page's address holds a code: not even our own next page is told it.
    let quiet = [(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"))];
    (cookies::clear(&door, jar, Use::Consent), quiet, told).into_response()
}
