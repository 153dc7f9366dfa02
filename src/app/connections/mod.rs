//! Linked Google accounts: the server's own, and those of users.

mod answer;
mod calendars;
mod consent;
pub mod delegation;
mod disconnect;
mod grants;
mod health;
mod links;
mod purpose;

use crate::app::audit::By;
use crate::google::credentials::OauthClient;
use crate::model::audit::Action;
use crate::model::connection::{AccountTag, ClientTag, Connection, Health};
use crate::model::id::ConnectionId;
use crate::model::job::Cause;
use crate::model::owner::Owner;

use super::access::{Caller, Who};
use super::{App, Error, Profile, client};

pub use crate::google::calendars::Calendar;
pub use answer::Answer;
pub(super) use calendars::{another_token, usable_token};
pub use calendars::{calendars, choose};
pub use consent::{Consent, Finished, Linked, begin, check_client, check_redirect, finish};
pub(super) use disconnect::let_go;
pub use disconnect::{Waiting, disconnect, disconnect_server};
pub use grants::missing_scopes;
pub(super) use health::death;
pub use health::{Risk, View, view};
pub use links::{Link, LinkWish, Receipt, follow, invite, invite_again, look, redeem, way_back};
pub use purpose::Purpose;

/// The connection of `owner`, if there is one that was not taken away.
pub async fn of(app: &App, owner: &Owner) -> Result<Option<Connection>, Error> {
    let all = app.store.connections(owner).await?;
    Ok(all.into_iter().find(|connection| connection.state != Health::Disconnected))
}

/// The server's connection, if there is one that was not taken away.
pub async fn of_server(app: &App) -> Result<Option<Connection>, Error> {
    of(app, &Owner::Application).await
}

/// The connection, if the caller may see it. Another's is as good as none.
pub async fn seen(app: &App, caller: &Caller, id: ConnectionId) -> Result<Connection, Error> {
    let connection = app.store.connection(id).await?;
    connection
        .filter(|connection| caller.sees(&connection.owner))
        .ok_or(Error::NotFound("connection"))
}

/// Writes down how a connection fares, unless it changed meanwhile.
pub async fn mark(app: &App, connection: &Connection, state: Health) -> Result<(), Error> {
    let mut next = resealed(app, connection, &app.profile(connection)?)?;
    next.state = state;
    let act = app.act(By::Bridge, Action::ConnectionNeedsReconnect).connection(&next).seal()?;
    if app.store.put_connection(next, None, act).await? {
        tracing::warn!(connection.id = %connection.id, "the Google account must be connected again");
    }
    Ok(())
}

/// Up to `most` connections that the caller may see, of one owner if one is named, those after
/// `after`; and after which to go on.
pub async fn list(
    app: &App,
    caller: &Caller,
    owner: Option<&Owner>,
    after: Option<ConnectionId>,
    most: usize,
) -> Result<(Vec<Connection>, Option<ConnectionId>), Error> {
    let of_one = match (&caller.who, owner) {
        (_, Some(owner)) => {
            caller.may_act_for(owner)?;
            Some(owner)
        }
        (Who::User(_), None) => Some(&caller.owner),
        (_, None) => None,
    };
    let mut found = match of_one {
        Some(owner) => {
            let mut all = app.store.connections(owner).await?;
            all.sort_by_key(|connection| connection.id);
            all.retain(|connection| after.is_none_or(|after| connection.id > after));
            all
        }
        None => app.store.all_connections(after, most.saturating_add(1)).await?,
    };
    let more = found.len() > most;
    found.truncate(most);
    let next = found.last().map(|last| last.id).filter(|_| more);
    Ok((found, next))
}

/// The connection as its next version, sealed anew.
fn resealed(app: &App, connection: &Connection, profile: &Profile) -> Result<Connection, Error> {
    let (owner, id, version) = (&connection.owner, connection.id, connection.version + 1);
    let token = match &connection.token {
        Some(sealed) => {
            let token = app.open_token(owner, id, connection.version, sealed)?;
            Some(app.seal_token(owner, id, version, &token)?)
        }
        None => None,
    };
    let profile = app.seal_profile(owner, id, version, profile)?;
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
