//! The administrator's pages: connect the Google account, see how it fares, try it, let go of it.
//! Rendered here, without scripts; every change is a form with a proof of the session it came from.

mod connect;
mod cookies;
mod fault;
mod guard;
mod home;
mod link;
mod revoke;
mod sign_in;
mod test_event;

use askama::Template;
use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use tower_http::set_header::SetResponseHeaderLayer;

use super::Door;

/// The page that all others lead back to. Everything else lies under it, because the proxies in
/// front forward this and the callback alone.
const HOME: &str = "/google-calendar-setup";

/// Every page, the callback, and the old address of disconnecting.
pub fn routes(door: &Door) -> Router<Door> {
    let known_host = middleware::from_fn_with_state(door.clone(), guard::known_host);
    let pages = Router::new()
        .route(HOME, get(home::show))
        .route("/google-calendar-setup/session", post(sign_in::open))
        .route("/google-calendar-setup/logout", post(sign_in::close))
        .route("/google-calendar-setup/connect", post(connect::begin))
        .route(link::PATH, get(link::ask).post(link::follow))
        .route("/oauth2callback", get(connect::callback))
        .route("/google-calendar-setup/test-event", get(test_event::show).post(test_event::create))
        .route("/google-calendar-setup/test-event/remove", post(test_event::remove))
        .route_layer(known_host.clone());
    let revoke = Router::new()
        .route("/google-calendar-revoke", get(revoke::ask).post(revoke::submit))
        .route(revoke::PATH, get(revoke::ask).post(revoke::submit))
        .route_layer(known_host)
        // Outermost: programs know this server by any name.
        .route_layer(middleware::from_fn_with_state(door.clone(), revoke::by_key));
    let style = Router::new().route("/google-calendar-setup/style.css", get(style));
    let all = pages.merge(revoke).merge(style);
    headers(door).into_iter().fold(all, |all, (name, value)| {
        all.route_layer(SetResponseHeaderLayer::if_not_present(name, value))
    })
}

/// What keeps other sites out of these pages, and these pages from other sites.
fn headers(door: &Door) -> [(HeaderName, HeaderValue); 5] {
    // Browsers hold the redirect that answers a form to `form-action` too, and Connect ends at Google.
    let google = door.app.google.endpoints().consent.origin().ascii_serialization();
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self' {google}; \
         base-uri 'none'; frame-ancestors 'none'"
    );
    let policy = HeaderValue::try_from(policy).expect("an origin is printable ASCII");
    [
        (header::CONTENT_SECURITY_POLICY, policy),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            HeaderValue::from_static("same-origin"),
        ),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // With `no-referrer`, browsers would send our own forms with `Origin: null`.
        (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    ]
}

async fn style() -> Response {
    let headers =
        [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "max-age=600")];
    (headers, include_str!("../../../setup-ui/style.css")).into_response()
}

fn page(page: &impl Template) -> Response {
    Html(page.render().expect("a page of plain texts can be rendered")).into_response()
}

/// Back to the setup page, which tells `notice`.
fn back(notice: home::Notice) -> Redirect {
    Redirect::to(&format!("{HOME}?notice={}", notice.as_str()))
}
