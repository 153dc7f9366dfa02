//! To Google for consent, and back.

use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;

use super::super::Door;
use super::back;
use super::cookies::{self, Use};
use super::fault::Fault;
use super::home::Notice;
use super::link;
use crate::app::connections::{self, Answer, Finished, Purpose};

/// `POST /google-calendar-setup/connect`: sends the browser to Google's consent page.
pub async fn begin(State(door): State<Door>, jar: CookieJar) -> Result<Response, Fault> {
    let consent = connections::begin(&door.app, Purpose::server()).await?;
    let jar = cookies::set(&door, jar, Use::Consent, &consent.cookie);
    Ok((jar, Redirect::to(&consent.url)).into_response())
}

/// `GET /oauth2callback`: what Google sends the browser back with. The cookie is spent either way.
pub async fn callback(
    State(door): State<Door>,
    jar: CookieJar,
    RawQuery(query): RawQuery,
) -> Response {
    let cookie = cookies::read(&door, &jar, Use::Consent);
    let finished = match Answer::read(query.as_deref().unwrap_or_default()) {
        Ok(answer) => connections::finish(&door.app, answer, cookie.as_deref()).await,
        Err(error) => Finished { purpose: None, outcome: Err(error) },
    };
    let by_link = finished.purpose.as_ref().is_some_and(Purpose::is_by_link);
    let told = if by_link {
        link::result(&door, finished).await
    } else {
        match finished.outcome {
            Ok(_) => back(Notice::Connected).into_response(),
            Err(error) => {
                Fault::from(error).titled("The account was not connected").into_response()
            }
        }
    };
    // This page's address holds a code: not even our own next page is told it.
    let quiet = [(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"))];
    (cookies::clear(&door, jar, Use::Consent), quiet, told).into_response()
}
