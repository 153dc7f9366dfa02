//! Whose an event is, and where it goes: a connection and one of its calendars, made out once, when
//! the event is accepted. There is no way from one account to another: who names an account that is
//! not connected is told so.

use std::collections::HashMap;

use super::access::Caller;
use super::{App, Error, Profile, connections};
use crate::model::connection::Connection;
pub use crate::model::connection::Whose;
use crate::model::owner::{Owner, UserId};

/// Where an event shall go, as far as its caller says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aim {
    /// Whose event it is; the caller's own if none is named.
    pub user: Option<UserId>,
    /// Through whose account; by default the owner's own for a user, else the server's.
    pub whose: Option<Whose>,
    /// Which of its calendars, by Google's id; by default the one that the connection's holder chose.
    pub calendar: Option<String>,
}

/// Where an event goes.
pub struct Place {
    /// Whose event it is.
    pub owner: Owner,
    /// The connection.
    pub connection: Connection,
    /// Who that is at Google.
    pub profile: Profile,
    /// Google's id of the calendar.
    pub calendar: String,
}

/// Makes out places for one caller. What was read of an account holds for all of a batch.
pub struct Places<'a> {
    app: &'a App,
    caller: &'a Caller,
    known: HashMap<Owner, Option<(Connection, Profile)>>,
}

impl Aim {
    /// Whose event it is.
    pub fn owner(&self, caller: &Caller) -> Owner {
        self.user.clone().map_or_else(|| caller.owner.clone(), Owner::User)
    }
}

impl<'a> Places<'a> {
    /// Places for what `caller` wishes.
    pub fn new(app: &'a App, caller: &'a Caller) -> Self {
        Self { app, caller, known: HashMap::new() }
    }

    /// Where an event goes that is aimed so, or why it goes nowhere.
    pub async fn resolve(&mut self, aim: &Aim) -> Result<Place, Error> {
        let owner = aim.owner(self.caller);
        self.caller.may_act_for(&owner)?;
        let whose = aim.whose.unwrap_or(match owner {
            Owner::Application => Whose::Server,
            Owner::User(_) => Whose::Own,
        });
        let holder = match whose {
            Whose::Own => owner.clone(),
            Whose::Server => Owner::Application,
        };
        self.caller.may_act_for(&holder)?;
        if !self.known.contains_key(&holder) {
            let found = match connections::of(self.app, &holder).await? {
                Some(connection) => {
                    let profile = self.app.profile(&connection)?;
                    Some((connection, profile))
                }
                None => None,
            };
            self.known.insert(holder.clone(), found);
        }
        let Some(Some((connection, profile))) = self.known.get(&holder) else {
            return Err(not_connected(self.app, holder));
        };
        let calendar = aim.calendar.as_ref().unwrap_or(&profile.calendar).clone();
        Ok(Place { owner, connection: connection.clone(), profile: profile.clone(), calendar })
    }
}

/// That nobody connected the account of `holder`, and how that is done.
pub fn not_connected(app: &App, holder: Owner) -> Error {
    match holder {
        Owner::Application => Error::NotConnected { setup_url: app.settings.setup_url.clone() },
        Owner::User(user) => Error::UserNotConnected { user: user.as_str().to_owned() },
    }
}
