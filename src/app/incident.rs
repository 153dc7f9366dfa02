//! When something went wrong: writes frozen at once, everything that opens a door taken back.

use std::sync::{PoisonError, RwLock};

use chrono::{DateTime, Utc};

use super::access::Caller;
use super::audit::By;
use super::{App, Error};
use crate::model::audit::{Action, Actor};
use crate::model::key::Scope;

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
            let by = entry.as_ref().map_or("somebody", |entry| told(entry.act.actor));
            let since = entry.map_or_else(|| app.clock.now(), |entry| entry.act.at);
            Some(Freeze { seq: said.seq, since, by })
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
