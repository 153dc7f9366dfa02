//! The OAuth client, pasted into the page.

use axum::extract::State;
use axum::response::Redirect;

use super::super::Door;
use super::back;
use super::fault::Fault;
use super::guard::Signed;
use super::home::Notice;
use crate::app::client;

/// `POST /google-calendar-setup/oauth-client`: the pasted file takes the place of the one in use.
pub async fn exchange(State(door): State<Door>, form: Signed) -> Result<Redirect, Fault> {
    let titled = |error| Fault::from(error).titled("The OAuth client was not exchanged");
    client::replace(&door.app, form.client.as_deref().unwrap_or_default()).await.map_err(titled)?;
    Ok(back(Notice::Exchanged))
}
