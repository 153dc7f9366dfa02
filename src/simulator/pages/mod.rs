//! Pages to look at: accounts, a month of a calendar, one event, what was asked, and buttons for the
//! common faults. Plain forms and links, no script.

mod buttons;
mod event;
mod front;
mod happenings;
mod log;
mod month;
mod repetition;

use askama::Template;
use axum::Router;
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chrono::{DateTime, Utc};

use super::answer::Answer;
use super::call::Routes;
use super::control;

pub(super) fn routes() -> Routes {
    let press = post(buttons::press).layer(middleware::from_fn(control::same_site_only));
    Router::new()
        .route("/", get(front::show))
        .route("/calendar/{calendar}", get(month::show))
        .route("/calendar/event", get(event::show))
        .route("/simulator/log", get(log::calls))
        .route("/simulator/mails", get(log::mails))
        .route("/simulator/press", press)
        .route("/simulator/style.css", get(style))
}

async fn style() -> Response {
    let headers =
        [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "max-age=60")];
    (headers, include_str!("../../../setup-ui/simulator/style.css")).into_response()
}

fn page(page: &impl Template) -> Response {
    let body = page.render().expect("a page of plain texts can be rendered");
    Answer::html(StatusCode::OK, body).with(header::CACHE_CONTROL, "no-store").into_response()
}

/// A moment as the pages tell it.
fn moment(moment: DateTime<Utc>) -> String {
    moment.format("%a %-d %b %Y, %H:%M:%S UTC").to_string()
}
