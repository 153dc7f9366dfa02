//! The administrator's pages: connect the Google account, see how it fares, try it, let go of it.
//! Rendered here, without scripts; every change is a form with a proof of the session it came from.

pub mod calendars;
pub mod client;
pub mod connect;
mod cookies;
pub mod fault;
pub mod guard;
pub mod home;
pub mod link;
pub mod revoke;
pub mod sign_in;
pub mod test_event;

use askama::Template;
use axum::http::header;
use axum::response::{Html, IntoResponse, Redirect, Response};

/// The page that all others lead back to. Everything else lies under it, because the proxies in
/// front forward this and the callback alone.
pub const HOME: &str = "/google-calendar-setup";

/// `GET /google-calendar-setup/style.css`.
pub async fn style() -> Response {
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
