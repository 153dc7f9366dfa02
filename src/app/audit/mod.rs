//! Who did what: the acts that the store chains, and what is read of them.

pub mod export;
pub mod head;
mod upkeep;
mod verify;

use std::collections::BTreeMap;

pub use upkeep::{accept, begin, catch_up, keep_up};
pub use verify::{Finding, Verdict, verify};

use super::access::{Caller, Who};
use super::{App, Error};
use crate::model::audit::{Act, Action, Actor, Entry, Subject};
use crate::model::connection::Connection;
use crate::model::id::KeyId;
use crate::model::key::{ApiKey, Digest};
use crate::model::owner::UserId;

/// What is personal of an act, by name.
pub type Detail = BTreeMap<String, String>;

/// Where an actor's user id lies in the detail.
const USER: &str = "user";

/// Who does something.
#[derive(Clone, Debug)]
pub enum By {
    /// A program with this API key.
    Key(KeyId),
    /// A user of the calling application.
    User(UserId),
    /// An administrator at the pages.
    Administrator,
    /// Whoever may run programs as the daemon's own user.
    Console,
    /// The bridge itself.
    Bridge,
    /// Whoever put the whole store back from an export.
    Import,
}

impl From<&Caller> for By {
    fn from(caller: &Caller) -> Self {
        match &caller.who {
            Who::Key(id) => Self::Key(*id),
            Who::User(user) => Self::User(user.clone()),
            Who::Administrator => Self::Administrator,
            Who::Console => Self::Console,
        }
    }
}

/// An act that is being told. It ends with [`seal`](Self::seal), for a store's step of which it is a
/// part, or with [`keep`](Self::keep), which is a step of its own.
#[must_use]
pub struct Telling<'a> {
    app: &'a App,
    actor: Actor,
    action: Action,
    subject: Option<Subject>,
    row: Option<Digest>,
    detail: Detail,
}

impl App {
    /// Begins to tell what `by` does.
    pub fn act(&self, by: impl Into<By>, action: Action) -> Telling<'_> {
        let mut detail = Detail::new();
        let actor = match by.into() {
            By::Key(id) => Actor::Key(id),
            By::User(user) => {
                let tag = self.vault.tag("audit-user", &[user.as_str().as_bytes()]);
                detail.insert(USER.to_owned(), user.as_str().to_owned());
                Actor::User(tag)
            }
            By::Administrator => Actor::Administrator,
            By::Console => Actor::Console,
            By::Bridge => Actor::Bridge,
            By::Import => Actor::Import,
        };
        Telling { app: self, actor, action, subject: None, row: None, detail }
    }

    /// What is personal of an entry.
    pub fn detail(&self, entry: &Entry) -> Result<Detail, Error> {
        match &entry.act.detail {
            Some(sealed) => self.open_detail(&entry.act.tag, sealed),
            None => Ok(Detail::new()),
        }
    }

    /// The keyed hash that an act with this detail must carry.
    fn act_tag(&self, act: &Act, detail: &Detail) -> Digest {
        let covered = act.covered();
        let mut parts: Vec<&[u8]> = vec![&covered];
        for (name, text) in detail {
            parts.extend([name.as_bytes(), text.as_bytes()]);
        }
        self.vault.tag("audit", &parts)
    }
}

impl Telling<'_> {
    /// It is done to this key, whose row says this from then on.
    pub fn key(mut self, key: &ApiKey) -> Self {
        self.subject = Some(Subject::Key(key.id));
        self.row = Some(key.digest());
        self
    }

    /// It is done to this connection, whose row says this from then on.
    pub fn connection(mut self, connection: &Connection) -> Self {
        self.subject = Some(Subject::Connection(connection.id));
        self.row = Some(connection.digest());
        self
    }

    /// It is done to something of which there is no row from then on.
    pub fn gone(mut self, subject: Subject) -> Self {
        self.subject = Some(subject);
        self
    }

    /// Something more of it, which is sealed.
    pub fn with(mut self, name: &str, text: impl Into<String>) -> Self {
        self.detail.insert(name.to_owned(), text.into());
        self
    }

    /// The act as a store takes it.
    pub fn seal(self) -> Result<Act, Error> {
        let Self { app, actor, action, subject, row, detail } = self;
        let at = app.clock.now();
        let mut act = Act { at, actor, action, subject, row, detail: None, tag: [0; 32] };
        act.tag = app.act_tag(&act, &detail);
        if !detail.is_empty() {
            act.detail = Some(app.seal_detail(&act.tag, &detail)?);
        }
        Ok(act)
    }

    /// Writes the act down, where it is not part of another step.
    pub async fn keep(self) -> Result<Entry, Error> {
        let store = std::sync::Arc::clone(&self.app.store);
        Ok(store.append(self.seal()?).await?)
    }
}
