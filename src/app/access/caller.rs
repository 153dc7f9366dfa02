//! Whoever calls, once known: who it is, whose things it acts upon, and what it may do.

use super::super::Error;
use crate::model::history::By;
use crate::model::id::KeyId;
use crate::model::key::Scope;
use crate::model::owner::{Owner, UserId};

/// Whoever calls, once known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who it is.
    pub who: Who,
    /// Whose things it acts upon, unless it names another.
    pub owner: Owner,
    /// Keeps the events of several backends apart.
    pub source: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// A program with an API key.
    Key(KeyId),
    /// One of the calling application's users, by a token of that application's.
    User(UserId),
    /// An administrator at the pages, by a session.
    Administrator,
    /// Whoever may run programs as the daemon's own user on this machine.
    Console,
}

impl Caller {
    /// The administrator at the setup page, whose session was checked there.
    pub fn administrator() -> Self {
        Self::almighty(Who::Administrator)
    }

    /// Whoever sits at the server itself.
    pub fn console() -> Self {
        Self::almighty(Who::Console)
    }

    /// One of the application's users. What they may do, they may do with their own things alone.
    pub fn user(user: UserId) -> Self {
        Self {
            owner: Owner::User(user.clone()),
            who: Who::User(user),
            source: String::new(),
            scopes: vec![Scope::EventsWrite, Scope::TasksWrite, Scope::ConnectionsAdmin],
        }
    }

    fn almighty(who: Who) -> Self {
        Self { who, owner: Owner::Application, source: String::new(), scopes: vec![Scope::Admin] }
    }

    /// The key it came with, if it came with one.
    pub fn key(&self) -> Option<KeyId> {
        match self.who {
            Who::Key(id) => Some(id),
            Who::User(_) | Who::Administrator | Who::Console => None,
        }
    }

    /// Whether it may do this.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.iter().any(|held| held.includes(scope))
    }

    /// Lets only those pass who may do this.
    pub fn must(&self, scope: Scope) -> Result<(), Error> {
        if self.may(scope) {
            return Ok(());
        }
        Err(match self.who {
            Who::User(_) => Error::NotForUsers,
            Who::Key(_) | Who::Administrator | Who::Console => Error::Scope(scope),
        })
    }

    /// Refuses a user who names somebody else, the server's connection, or another's things.
    pub fn may_act_for(&self, owner: &Owner) -> Result<(), Error> {
        if self.sees(owner) { Ok(()) } else { Err(Error::NotForUsers) }
    }

    /// Refuses a user who asks for everybody's things.
    pub fn may_see_everyone(&self) -> Result<(), Error> {
        match &self.who {
            Who::User(_) => Err(Error::NotForUsers),
            Who::Key(_) | Who::Administrator | Who::Console => Ok(()),
        }
    }

    /// How the history of what it asks for names it.
    pub fn by(&self) -> By {
        match self.who {
            Who::Key(id) => By::Key(id),
            Who::User(_) => By::User,
            Who::Administrator => By::Administrator,
            Who::Console => By::Console,
        }
    }

    /// Whether it may see what belongs to this owner: a user its own things alone; whoever has the
    /// scope, everybody's.
    pub fn sees(&self, owner: &Owner) -> bool {
        match &self.who {
            Who::User(_) => self.owner == *owner,
            Who::Key(_) | Who::Administrator | Who::Console => true,
        }
    }
}
