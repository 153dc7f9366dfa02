//! Letting go of an account.

use super::{of_server, resealed};
use crate::app::access::Caller;
use crate::app::{App, Error, Profile};
use crate::model::audit::Action;
use crate::model::connection::{Connection, Health};
use crate::model::id::JobId;
use crate::model::job::{Class, Kind, Lane, Line, NewJob};

/// Lets go of the server's account: forgets its token at once, and tells Google as soon as Google
/// listens. Its events stay where they are, and what waits for it keeps waiting.
pub async fn disconnect(app: &App) -> Result<Profile, Error> {
    let Some(connection) = of_server(app).await? else {
        return Err(Error::NotConnected { setup_url: app.settings.setup_url.clone() });
    };
    let profile = app.profile(&connection)?;
    let_go(app, &Caller::administrator(), &connection).await?;
    Ok(profile)
}

/// Forgets the connection's token at once, and tells Google as soon as Google listens.
pub(in crate::app) async fn let_go(
    app: &App,
    caller: &Caller,
    connection: &Connection,
) -> Result<Connection, Error> {
    let profile = app.profile(connection)?;
    let mut next = resealed(app, connection)?;
    next.state = Health::Disconnected;
    let now = app.clock.now();
    let revocation = next.token.take().map(|token| NewJob {
        id: JobId::at(now, &*app.random),
        kind: Kind::RevokeGrant { connection: next.id, version: next.version },
        line: Line { class: Class::Normal, owner: next.owner.clone(), lane: Lane::Grants },
        created: now,
        due: now,
        payload: Some(token),
    });
    let act = app.act(caller, Action::ConnectionDisconnected).connection(&next);
    let act = act.with("email", &profile.email).seal()?;
    if !app.store.put_connection(next.clone(), revocation, act).await? {
        return Err(Error::Overtaken);
    }
    app.tokens.forget(next.id);
    tracing::info!(connection.id = %next.id, "Google account disconnected");
    Ok(next)
}
