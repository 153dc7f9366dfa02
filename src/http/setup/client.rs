//! The OAuth client, pasted into the page.

use axum::extract::State;
use axum::response::Redirect;

use super::super::Door;
use super::back;
use super::fault::Fault;
use super::guard::Signed;
use super::home::Notice;
use crate::app::audit::By;
use crate::app::client;

/// `POST /google-calendar-setup/oauth-client`: the pasted file takes the place of the one in use.
pub async fn exchange(State(door): State<Door>, form: Signed) -> Result<Redirect, Fault> {
    let titled = |error| Fault::from(error).titled("The OAuth client was not exchanged");
    let json = form.client.unwrap_or_default();
    client::replace(&door.app, By::Administrator, &json).await.map_err(titled)?;
    Ok(back(Notice::Exchanged))
}
