//! What a user sees who follows a link to connect an account: a page that asks, and changes nothing;
//! then, only if its button is pressed, Google's; then what came of it.

use askama::Template;
use axum::Form;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use serde::Deserialize;
use url::Url;

use super::super::Door;
use super::super::problem::Problem;
use super::cookies::{self, Use};
use super::guard::check_same_origin;
use super::page;
use crate::app::connections::{self, Finished, Linked, Purpose};

/// The address of every link.
pub const PATH: &str = "/google-calendar-setup/link";

/// A person has so long to read the result before the browser goes on by itself.
const READING_SECS: u32 = 10;

#[derive(Template)]
#[template(path = "link.html")]
struct Ask {
    link: String,
    purpose: Purpose,
    rights: Vec<&'static str>,
}

#[derive(Template)]
#[template(path = "linked.html")]
struct Done {
    email: String,
    calendar: String,
    purpose: Purpose,
    way_back: Option<Url>,
    reading_secs: u32,
}

#[derive(Template)]
#[template(path = "link_fault.html")]
struct Failed {
    title: &'static str,
    text: String,
    host: Option<String>,
    way_back: Option<Url>,
}

/// What a link's address holds, and the form of its page.
#[derive(Deserialize)]
pub struct Shown {
    link: String,
}

/// `GET`: asks, and changes nothing, so that a chat's preview or a browser's prefetch does not use
/// the link up.
pub async fn ask(
    State(door): State<Door>,
    shown: Result<Query<Shown>, QueryRejection>,
) -> Response {
    let Ok(Query(Shown { link })) = shown else { return unreadable() };
    match connections::look(&door.app, &link).await {
        // Its own form shows the browser's origin, which `no-referrer` would hide.
        Ok(purpose) => page(&Ask { link, purpose, rights: rights(&door) }),
        Err(error) => failed(error, "This link does not work", None, None),
    }
}

/// `POST`, from that page alone: uses the link up, and sends the browser to Google's consent page.
pub async fn follow(
    State(door): State<Door>,
    jar: CookieJar,
    headers: HeaderMap,
    sent: Result<Form<Shown>, FormRejection>,
) -> Response {
    // What this form carries, its sender may have made: only the browser's word counts.
    if let Err(fault) = check_same_origin(&door, &headers) {
        return fault.into_response();
    }
    let Ok(Form(Shown { link })) = sent else { return unreadable() };
    match connections::follow(&door.app, &link).await {
        Ok(consent) => {
            let jar = cookies::set(&door, jar, Use::Consent, &consent.cookie);
            quiet((jar, Redirect::to(&consent.url)).into_response())
        }
        Err(error) => failed(error, "This link does not work", None, None),
    }
}

/// What came of a consent that a link began.
pub async fn result(door: &Door, finished: Finished) -> Response {
    let way_back = match connections::way_back(&door.app, &finished).await {
        Ok(way_back) => way_back,
        Err(error) => return failed(error, "This did not work", None, None),
    };
    let Finished { purpose, outcome } = finished;
    let host = purpose.as_ref().and_then(Purpose::returns_to_host);
    match (outcome, purpose) {
        (Ok(Linked { profile, .. }), Some(purpose)) => {
            let refresh = way_back.as_ref().and_then(|way_back| {
                HeaderValue::try_from(format!("{READING_SECS}; url={way_back}")).ok()
            });
            let mut response = page(&Done {
                email: profile.email,
                calendar: profile.calendar,
                purpose,
                way_back,
                reading_secs: READING_SECS,
            });
            if let Some(refresh) = refresh {
                response.headers_mut().insert(header::REFRESH, refresh);
            }
            quiet(response)
        }
        (Err(error), _) => failed(error, "The account was not connected", host, way_back),
        (Ok(_), None) => unreadable(),
    }
}

fn failed(
    error: crate::app::Error,
    title: &'static str,
    host: Option<String>,
    way_back: Option<Url>,
) -> Response {
    let problem = Problem::from(error);
    let text = problem.detail().to_owned();
    quiet((problem.status(), page(&Failed { title, text, host, way_back })).into_response())
}

fn unreadable() -> Response {
    let text = "The address of this page is not whole. Open the link as it was given to you.";
    let failed =
        Failed { title: "This link cannot be read", text: text.into(), host: None, way_back: None };
    quiet((StatusCode::BAD_REQUEST, page(&failed)).into_response())
}

/// The addresses of these pages open something: no other page is told them, not even our own.
fn quiet(response: Response) -> Response {
    let quiet = [(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"))];
    (quiet, response).into_response()
}

/// What the account's holder is asked to allow, in plain words.
fn rights(door: &Door) -> Vec<&'static str> {
    let words = door.app.settings.scopes.iter().filter_map(|scope| {
        Some(match scope.rsplit('/').next().unwrap_or(scope) {
            "openid" => "know which Google account it is",
            "email" | "userinfo.email" => "see its e-mail address",
            "calendar.events" => "see, make, change and delete events in its calendars",
            "calendar.calendarlist.readonly" => "see the list of its calendars",
            "calendar.freebusy" => "see when it is busy",
            "calendar" => "see, change, share and delete all its calendars",
            _ => return None,
        })
    });
    words.collect()
}
