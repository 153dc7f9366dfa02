//! When something went wrong: writes frozen at once, everything that opens a door taken back.

use std::sync::{PoisonError, RwLock};

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::access::{self, Caller, KeyWish, NewKey};
use super::audit::By;
use super::{App, Error, connections};
use crate::model::audit::{Action, Actor};
use crate::model::connection::{Connection, Health};
use crate::model::id::KeyId;
use crate::model::key::{Scope, TicketKind};

/// So many connections are read at once.
const PAGE: usize = 500;
/// A connection that somebody else changes meanwhile is let go of in the end: so often it is tried.
const MOST_TRIES: usize = 10;

/// Whether writes are refused, as far as this process knows. What the store says is what counts, and
/// every process on it is told at once.
#[derive(Debug, Default)]
pub struct Frozen(RwLock<Option<Freeze>>);

/// Writes are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freeze {
    /// The entry of the audit that says so.
    pub seq: u64,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Who wanted it so.
    pub by: &'static str,
    /// Whether the store was put back from an export, and nobody has said yet that it is the one to go
    /// on with. Then not even grants are given back: another bridge may live by them.
    pub is_unconfirmed: bool,
}

impl Frozen {
    /// Why writes are refused; none if they are taken.
    pub fn now(&self) -> Option<Freeze> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at what the store says.
    pub async fn look(&self, app: &App) -> Result<(), Error> {
        let said = app.store.audit_head().await?.freeze;
        let freeze = if said.on {
            let entry = app.store.audit(said.seq - 1, 1).await?.into_iter().next();
            let actor = entry.as_ref().map(|entry| entry.act.actor);
            let by = actor.map_or("somebody", told);
            let is_unconfirmed = actor == Some(Actor::Import);
            let since = entry.map_or_else(|| app.clock.now(), |entry| entry.act.at);
            Some(Freeze { seq: said.seq, since, by, is_unconfirmed })
        } else {
            None
        };
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = freeze;
        Ok(())
    }
}

fn told(actor: Actor) -> &'static str {
    match actor {
        Actor::Key(_) => "an API key",
        Actor::User(_) => "a user",
        Actor::Administrator => "an administrator",
        Actor::Console => "the console",
        Actor::Bridge => "the bridge",
        Actor::Import => "an import",
    }
}

impl App {
    /// Refuses while writes are frozen.
    pub fn must_not_be_frozen(&self) -> Result<(), Error> {
        match self.frozen.now() {
            None => Ok(()),
            Some(Freeze { since, by, .. }) => Err(Error::Frozen { since, by }),
        }
    }
}

/// Refuses writes from now on, through restarts and on every process, until [`thaw`]. Returns since
/// when.
pub async fn freeze(app: &App, by: &Caller, reason: &str) -> Result<Freeze, Error> {
    by.must(Scope::Admin)?;
    if app.frozen.now().is_none() {
        app.act(by, Action::WritesFrozen).with("reason", reason).keep().await?;
        app.frozen.look(app).await?;
        tracing::warn!("writes are frozen; `calbridge incident thaw` takes them again");
    }
    app.frozen.now().ok_or(Error::Overtaken)
}

/// Refuses writes in a store that is being put back from an export, until [`thaw`] says that it is the one
/// to go on with.
pub async fn freeze_unconfirmed(app: &App) -> Result<(), Error> {
    if app.frozen.now().is_none_or(|freeze| !freeze.is_unconfirmed) {
        app.act(By::Import, Action::WritesFrozen).keep().await?;
        app.frozen.look(app).await?;
    }
    Ok(())
}

/// Takes writes again.
pub async fn thaw(app: &App, by: &Caller) -> Result<(), Error> {
    by.must(Scope::Admin)?;
    if app.frozen.now().is_some() {
        app.act(By::from(by), Action::WritesThawed).keep().await?;
        app.frozen.look(app).await?;
        tracing::warn!("writes are taken again");
    }
    Ok(())
}

/// What was taken back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Revoked {
    /// API keys that opened something.
    pub keys: usize,
    /// Sessions, codes, links and consents under way.
    pub tickets: usize,
    /// Accounts that were linked.
    pub connections: usize,
}

/// What was put in place of what opened doors until now.
#[derive(Debug)]
pub struct Renewed {
    /// Each key that was taken back, and the one with the same name and scopes in its place.
    pub keys: Vec<(KeyId, NewKey)>,
    /// Sessions, codes, links and consents under way that were voided.
    pub tickets: usize,
    /// A fresh setup code.
    pub setup_code: SecretString,
}

/// Takes back everything that opens a door: every API key, session, code and link, and every linked
/// account, whose grants are given back to Google. What waits for these accounts keeps waiting. Done
/// again, it does what is left of it.
pub async fn revoke_all(app: &App, by: &Caller) -> Result<Revoked, Error> {
    by.must(Scope::Admin)?;
    access::void_password(app, app.act(by, Action::EverythingRevoked).seal()?).await?;
    let mut done = Revoked { tickets: void_tickets(app).await?, ..Revoked::default() };
    for key in app.store.keys().await? {
        if key.revoked.is_none() {
            access::revoke_key(app, by, key.id).await?;
            done.keys += 1;
        }
    }
    let mut after = None;
    loop {
        let page = app.store.all_connections(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        for connection in page {
            done.connections += usize::from(let_go(app, by, connection).await?);
        }
    }
    let Revoked { keys, tickets, connections } = done;
    app.act(by, Action::EverythingRevoked).keep().await?;
    tracing::warn!(keys, tickets, connections, "everything that opens a door was taken back");
    Ok(done)
}

/// Whether there was something to let go of.
async fn let_go(app: &App, by: &Caller, connection: Connection) -> Result<bool, Error> {
    let id = connection.id;
    let mut newest = Some(connection);
    for _ in 0..MOST_TRIES {
        let Some(connection) = newest.filter(|found| found.state != Health::Disconnected) else {
            return Ok(false);
        };
        match connections::let_go(app, by, &connection).await {
            Err(Error::Overtaken) => newest = app.store.connection(id).await?,
            done => return done.map(|_| true),
        }
    }
    Err(Error::Overtaken)
}

/// Puts new ones in place of all API keys that work, ends every session, voids every code and link,
/// and makes a fresh setup code. Linked accounts stay linked.
pub async fn renew_all(app: &App, by: &Caller) -> Result<Renewed, Error> {
    by.must(Scope::Admin)?;
    access::void_password(app, app.act(by, Action::EverythingRotated).seal()?).await?;
    let tickets = void_tickets(app).await?;
    let now = app.clock.now();
    let mut keys = Vec::new();
    for old in app.store.keys().await? {
        if old.revoked.is_some() || old.expires.is_some_and(|expires| expires <= now) {
            continue;
        }
        let (id, expires) = (old.id, old.expires);
        let wish = KeyWish { name: old.name, scopes: old.scopes, source: old.source, expires };
        let new = access::create_key(app, by, wish).await?;
        access::revoke_key(app, by, id).await?;
        keys.push((id, new));
    }
    let setup_code = SecretString::from(access::new_setup_code(app).await?);
    app.act(by, Action::EverythingRotated).keep().await?;
    tracing::warn!(keys = keys.len(), tickets, "everything that opens a door was exchanged");
    Ok(Renewed { keys, tickets, setup_code })
}

/// Ends every session, and voids codes, links and consents under way.
async fn void_tickets(app: &App) -> Result<usize, Error> {
    let mut voided = 0;
    for kind in TicketKind::ALL {
        voided += app.store.drop_tickets(kind).await?;
    }
    Ok(voided)
}
