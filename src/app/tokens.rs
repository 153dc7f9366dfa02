//! Access tokens: one refresh at a time per connection, however many ask.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::ExposeSecret;

use super::connections::{self, delegation};
use super::{App, Error};
use crate::google::error::{Failure, Verdict};
use crate::google::oauth::AccessToken;
use crate::model::connection::{ClientTag, Connection, Health, Means};
use crate::model::id::ConnectionId;

/// A token is replaced this long before it runs out.
const EARLY: TimeDelta = TimeDelta::minutes(5);

/// So many grants are refreshed in a row …
const PAGE: usize = 20;
/// … before Google is left alone for so long.
const REST: TimeDelta = TimeDelta::seconds(1);

/// The access tokens of all connections, in memory alone.
#[derive(Default)]
pub struct Tokens {
    seats: Mutex<HashMap<ConnectionId, Arc<Seat>>>,
}

/// Where the callers of one connection wait for its one refresh.
#[derive(Default)]
struct Seat {
    held: tokio::sync::Mutex<Held>,
    /// Counts the refreshes that ended, also outside the lock.
    refreshes: AtomicU64,
}

#[derive(Default)]
struct Held {
    token: Option<Fresh>,
    /// How the last refresh ended, for those who waited for it.
    failed: Option<Failure>,
}

struct Fresh {
    token: AccessToken,
    until: DateTime<Utc>,
    /// The connection's version it was made for: after a reconnect it is not used any more.
    version: u32,
}

impl Held {
    /// A token that Google gave just now, for a connection of this version.
    fn fresh(app: &App, token: AccessToken, version: u32) -> Self {
        let life = TimeDelta::from_std(token.expires_in).unwrap_or(TimeDelta::zero());
        Self { token: Some(Fresh { token, until: app.clock.now() + life, version }), failed: None }
    }
}

impl Tokens {
    fn seat(&self, connection: ConnectionId) -> Arc<Seat> {
        let mut seats = self.seats.lock().expect("no one panics while taking a seat");
        Arc::clone(seats.entry(connection).or_default())
    }

    /// Forgets what is held for a connection.
    pub(super) fn forget(&self, connection: ConnectionId) {
        self.seats.lock().expect("no one panics while taking a seat").remove(&connection);
    }
}

/// A token that Google takes for `connection`, refreshed if the one at hand is about to run out. Of
/// many who ask at once, one asks Google, and all get its answer. A grant that Google declares dead
/// is written down as such before this returns; a fault of the operator costs no grant (promise 4).
pub async fn access(app: &App, connection: &Connection) -> Result<AccessToken, Error> {
    let seat = app.tokens.seat(connection.id);
    app.limits.know(connection.id, connection.account);
    let seen = seat.refreshes.load(Ordering::Acquire);
    let mut held = seat.held.lock().await;
    if let Some(fresh) = &held.token
        && fresh.version == connection.version
        && fresh.until - EARLY > app.clock.now()
    {
        return Ok(fresh.token.clone());
    }
    if seat.refreshes.load(Ordering::Acquire) > seen
        && let Some(failure) = &held.failed
    {
        // Somebody asked Google while this caller waited; asking again would not be wiser.
        return Err(failure.clone().into());
    }
    let refreshed = refresh(app, connection).await;
    seat.refreshes.fetch_add(1, Ordering::AcqRel);
    match refreshed {
        Ok(token) => {
            *held = Held::fresh(app, token.clone(), connection.version);
            Ok(token)
        }
        Err(Error::Google(failure)) => {
            held.token = None;
            held.failed = Some(failure.clone());
            Err(failure.into())
        }
        Err(other) => Err(other),
    }
}

/// Keeps the token that came with a consent, so that the first call needs no refresh.
pub(super) async fn hold(app: &App, connection: ConnectionId, version: u32, token: AccessToken) {
    let seat = app.tokens.seat(connection);
    *seat.held.lock().await = Held::fresh(app, token, version);
}

/// Throws away a token that Google refused with 401, so that the next call refreshes.
pub async fn reject(app: &App, connection: &Connection, refused: &AccessToken) {
    let seat = app.tokens.seat(connection.id);
    let mut held = seat.held.lock().await;
    let same = |fresh: &Fresh| fresh.token.token.expose_secret() == refused.token.expose_secret();
    if held.token.as_ref().is_some_and(same) {
        held.token = None;
    }
}

/// Refreshes every grant that nobody used for long, whosever it is: Google forgets one that was not
/// used for six months (Using OAuth 2.0 to Access Google APIs, "Refresh token expiration"). A few at
/// a time, so that a mass of them is no burst; one that fails does not keep the others from it.
pub async fn touch(app: &App) -> Result<(), Error> {
    let mut after = None;
    loop {
        let page = app.store.all_connections(after, PAGE).await?;
        for connection in page.iter().filter(|connection| is_idle(app, connection)) {
            app.tokens.forget(connection.id);
            if let Err(Error::Store(error)) = access(app, connection).await {
                return Err(error.into());
            }
        }
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(last.id),
            _ => return Ok(()),
        }
        app.clock.sleep_until(app.clock.now() + REST).await;
    }
}

/// Writes down that Google honours a grant. A token is good whether or not that is written.
pub(super) async fn note(app: &App, id: ConnectionId) {
    if let Err(error) = app.store.note_refresh(id, app.clock.now()).await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            connection.id = %id,
            "a refresh could not be written down"
        );
    }
}

/// Whether a connection has a grant that may be used.
fn is_idle(app: &App, connection: &Connection) -> bool {
    matches!(connection.means, Means::Consent { .. })
        && connections::obstacle(app, connection).is_none()
}

/// A new access token, by whatever means the connection has.
async fn refresh(app: &App, connection: &Connection) -> Result<AccessToken, Error> {
    let refreshed = match connection.means {
        Means::Consent { client } => by_grant(app, connection, client).await?,
        Means::Delegation => {
            let (account, profile) = (app.service_account()?, app.profile(connection)?);
            delegation::token(app, &account, &profile).await
        }
    };
    match refreshed {
        Ok(access) => {
            tracing::debug!(connection.id = %connection.id, "access token refreshed");
            note(app, connection.id).await;
            Ok(AccessToken { payer: Some(connection.account), ..access })
        }
        Err(failure) => {
            tracing::warn!(connection.id = %connection.id, reason = failure.reason.as_deref(), "refresh failed: {}", failure.text);
            if failure.verdict == Verdict::GrantDead {
                let cause = connections::death(app, connection, &failure).await?;
                connections::mark(app, connection, Health::ReconnectNeeded(cause)).await?;
            }
            Err(failure.into())
        }
    }
}

/// By the refresh token, if today's OAuth client is the one it was granted to: Google would call it
/// invalid for any other, which says nothing of the grant.
async fn by_grant(
    app: &App,
    connection: &Connection,
    granted_to: ClientTag,
) -> Result<Result<AccessToken, Failure>, Error> {
    let client = app.oauth_client()?;
    if connections::client_tag(app, &client) != granted_to {
        return Err(Error::ClientChanged);
    }
    let sealed = connection.token.as_ref().ok_or(Error::NotFound("connection"))?;
    let token = app.open_token(&connection.owner, connection.id, connection.version, sealed)?;
    Ok(app.google.refresh(&client, &token).await.map(|(access, _)| access))
}
