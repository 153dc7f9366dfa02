//! Which calendar new events of the server's account go to.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::super::Door;
use super::fault::Fault;
use super::guard::{Signed, Visitor};
use super::home::Notice;
use super::{back, page, sign_in};
use crate::app::access::Caller;
use crate::app::connections::{self, Calendar};

#[derive(Template)]
#[template(path = "calendars.html")]
struct Calendars {
    csrf: String,
    email: String,
    default: String,
    listed: Vec<Calendar>,
}

/// `GET /google-calendar-setup/calendars`: the account's list at Google, as it is now.
pub async fn show(State(door): State<Door>, Visitor(session): Visitor) -> Result<Response, Fault> {
    let Some(session) = session else {
        let form = sign_in::form(&door, None, None).await?;
        return Ok((StatusCode::FORBIDDEN, form).into_response());
    };
    let app = &door.app;
    let Some(connection) = connections::of_server(app).await? else {
        return Ok(back(Notice::NotConnected).into_response());
    };
    let profile = app.profile(&connection)?;
    let administrator = Caller::administrator();
    let listed = connections::calendars(app, &administrator, connection.id).await?;
    Ok(page(&Calendars {
        csrf: session.csrf(app),
        email: profile.email,
        default: profile.calendar,
        listed,
    }))
}

/// `POST`: chooses one.
pub async fn choose(State(door): State<Door>, form: Signed) -> Result<Response, Fault> {
    let app = &door.app;
    let Some(connection) = connections::of_server(app).await? else {
        return Ok(back(Notice::NotConnected).into_response());
    };
    let choice = form.choice.unwrap_or_default();
    connections::choose(app, &Caller::administrator(), connection.id, &choice).await?;
    Ok(back(Notice::CalendarChosen).into_response())
}
