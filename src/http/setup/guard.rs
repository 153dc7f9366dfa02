//! What `admission` asks of those who come to the pages: the right host, the right origin, an open
//! session, and in each form the proof that it came from that session's own page.

use axum::Form;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use serde::Deserialize;
use url::Url;

use super::super::Door;
use super::cookies::{self, Use};
use super::fault::Fault;
use crate::app::access::{self, Session};

static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whoever opens a page: an administrator if there is a session.
pub struct Visitor(pub Option<Session>);

/// A form that an administrator sent from our own page, which `admission` has looked at.
pub struct Signed {
    /// The administrator's session.
    pub session: Session,
    /// The event that it is about, if it is about one.
    pub id: Option<String>,
    /// What was chosen, if something was to be chosen.
    pub choice: Option<String>,
    /// The OAuth client's file, if it brings one.
    pub client: Option<String>,
}

/// What each of our forms has.
#[derive(Deserialize)]
pub struct Sent {
    /// What only the session's own page knows.
    pub csrf: String,
    /// The event that it is about, if it is about one.
    pub id: Option<String>,
    /// What was chosen, if something was to be chosen.
    pub choice: Option<String>,
    /// The OAuth client's file, if it brings one.
    pub client: Option<String>,
}

/// Sends whoever opened a page under another name to the one that cookies and Google know.
pub fn other_host(door: &Door, asked: &str, request: &Request) -> Option<Response> {
    if is_our_host(&door.public_url, asked) {
        return None;
    }
    let origin = door.public_url.origin().ascii_serialization();
    if !request.method().is_safe() {
        let text = format!("This server is known as {origin}; open the setup page there.");
        return Some(Fault::refused(&text).into_response());
    }
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    Some(Redirect::temporary(&format!("{origin}{path}")).into_response())
}

/// The public host, with its port or without any: a proxy may pass on the name alone, as nginx does
/// with `$host`.
fn is_our_host(public: &Url, asked: &str) -> bool {
    let Some(name) = public.host_str() else { return false };
    asked == name
        || public.port_or_known_default().is_some_and(|port| asked == format!("{name}:{port}"))
}

/// Lets no form through that another site's page sent.
pub fn check_origin(door: &Door, headers: &HeaderMap) -> Result<(), Fault> {
    let origin = text(headers, &header::ORIGIN);
    let ours = match origin {
        Some(origin) if origin != "null" => {
            origin == door.public_url.origin().ascii_serialization()
        }
        _ => match text(headers, &SEC_FETCH_SITE) {
            Some(site) => matches!(site, "same-origin" | "none"),
            // Old browsers and programs say neither; their forms still need what only our page knows.
            None => origin.is_none(),
        },
    };
    if ours {
        return Ok(());
    }
    Err(Fault::refused(
        "This form came from another site, so nothing was changed. Open the setup page and try there.",
    ))
}

/// Lets no form through but one of our own page, by the browser's own word: where nothing in the form
/// is secret from whoever may have sent it, silence is not enough.
pub fn check_same_origin(door: &Door, headers: &HeaderMap) -> Result<(), Fault> {
    let silent = text(headers, &header::ORIGIN).is_none_or(|origin| origin == "null")
        && text(headers, &SEC_FETCH_SITE) != Some("same-origin");
    if silent {
        return Err(Fault::refused(
            "Your browser does not say that this form came from our own page, so nothing was changed. Open the \
             link in another browser, or allow this one to send the origin of forms.",
        ));
    }
    check_origin(door, headers)
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

/// The session that a browser shows, if it is open.
pub async fn session(door: &Door, headers: &HeaderMap) -> Result<Option<Session>, Fault> {
    let jar = CookieJar::from_headers(headers);
    let Some(shown) = cookies::read(door, &jar, Use::Session) else { return Ok(None) };
    Ok(access::session(&door.app, &shown).await?)
}

impl FromRequestParts<Door> for Visitor {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &Door) -> Result<Self, Fault> {
        Ok(Self(parts.extensions.get().copied()))
    }
}

impl FromRequest<Door> for Signed {
    type Rejection = Fault;

    async fn from_request(request: Request, door: &Door) -> Result<Self, Fault> {
        let refused = || Fault::refused("This needs an administrator's form.");
        let session = request.extensions().get().copied().ok_or_else(refused)?;
        let sent = Form::<Sent>::from_request(request, door).await;
        let Form(sent) = sent.map_err(|_| refused())?;
        Ok(Self { session, id: sent.id, choice: sent.choice, client: sent.client })
    }
}
