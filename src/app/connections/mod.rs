//! Linked Google accounts: the server's own, and those of users.

mod consent;
pub mod delegation;
mod disconnect;

use crate::app::audit::By;
use crate::google::credentials::OauthClient;
use crate::model::audit::Action;
use crate::model::connection::{AccountTag, ClientTag, Connection, Health};
use crate::model::job::Cause;
use crate::model::owner::Owner;

use super::{App, Error, client};

pub use consent::{Answer, Consent, begin, check_client, check_redirect, finish, missing_scopes};
pub use disconnect::disconnect;
pub(super) use disconnect::let_go;

/// The connection of `owner`, if there is one that was not taken away.
pub async fn of(app: &App, owner: &Owner) -> Result<Option<Connection>, Error> {
    let all = app.store.connections(owner).await?;
    Ok(all.into_iter().find(|connection| connection.state != Health::Disconnected))
}

/// The server's connection, if there is one that was not taken away.
pub async fn of_server(app: &App) -> Result<Option<Connection>, Error> {
    of(app, &Owner::Application).await
}

/// Writes down how a connection fares, unless it changed meanwhile.
pub async fn mark(app: &App, connection: &Connection, state: Health) -> Result<(), Error> {
    let mut next = resealed(app, connection)?;
    next.state = state;
    let act = app.act(By::Bridge, Action::ConnectionNeedsReconnect).connection(&next).seal()?;
    if app.store.put_connection(next, None, act).await? {
        tracing::warn!(connection.id = %connection.id, "the Google account must be connected again");
    }
    Ok(())
}

/// The connection as its next version, sealed anew.
fn resealed(app: &App, connection: &Connection) -> Result<Connection, Error> {
    let (owner, id, version) = (&connection.owner, connection.id, connection.version + 1);
    let token = match &connection.token {
        Some(sealed) => {
            let token = app.open_token(owner, id, connection.version, sealed)?;
            Some(app.seal_token(owner, id, version, &token)?)
        }
        None => None,
    };
    let profile = app.seal_profile(owner, id, version, &app.profile(connection)?)?;
    Ok(Connection { version, profile, token, ..connection.clone() })
}

/// Which Google account, without saying so.
fn account_tag(app: &App, sub: &str) -> AccountTag {
    *app.vault.tag("google-account", &[sub.as_bytes()]).first_chunk().expect("a tag has 32 bytes")
}

/// Which OAuth client, without saying so.
pub fn client_tag(app: &App, client: &OauthClient) -> ClientTag {
    let tag = app.vault.tag("oauth-client", &[client.id.as_bytes()]);
    *tag.first_chunk().expect("a tag has 32 bytes")
}

/// Which calendar, without saying so.
pub(super) fn calendar_tag(app: &App, calendar: &str) -> u64 {
    let tag = app.vault.tag("google-calendar", &[calendar.as_bytes()]);
    u64::from_be_bytes(*tag.first_chunk().expect("a tag has 32 bytes"))
}

/// Why what is meant for a connection waits: its own state, or that it was granted to another OAuth
/// client than today's.
pub fn obstacle(app: &App, connection: &Connection) -> Option<Cause> {
    match &connection.state {
        Health::Connected => client::obstacle(app, connection),
        Health::ReconnectNeeded(cause) => Some(cause.clone()),
        Health::Disconnected => Some(Cause::new(
            "disconnected",
            "the Google account was disconnected; connect it again to go on",
        )),
    }
}
