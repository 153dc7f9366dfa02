//! What a consent is for: sealed into the link and into the consent that it begins.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::app::Error;
use crate::app::audit::By;
use crate::model::id::ConnectionId;
use crate::model::owner::{Owner, UserId};

/// What a consent is for.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purpose {
    /// Who links an account; none for the server's own.
    pub(super) user: Option<String>,
    /// The connection that is linked again: its account, and no other, must come back.
    pub(super) again: Option<u128>,
    /// Who asked for it, in words for the person; none where the administrator does it at the page.
    pub(super) asked_by: Option<String>,
    /// The address that the account must have.
    pub(super) email: Option<String>,
    /// Calendars that the account must be able to write to. The first becomes the default.
    pub(super) calendars: Vec<String>,
    /// Where the person goes afterwards: one of the addresses that the settings allow.
    pub(super) return_to: Option<String>,
    /// What the caller wants to see again there.
    pub(super) state: Option<String>,
}

impl Purpose {
    /// The server's own account, linked by an administrator at the setup page.
    pub fn server() -> Self {
        Self::default()
    }

    /// Whose connection comes of it.
    pub fn owner(&self) -> Result<Owner, Error> {
        Ok(match &self.user {
            Some(user) => Owner::User(UserId::try_from(user.clone())?),
            None => Owner::Application,
        })
    }

    /// Who links the account.
    pub(super) fn by(&self) -> Result<By, Error> {
        Ok(match self.owner()? {
            Owner::User(user) => By::User(user),
            Owner::Application => By::Administrator,
        })
    }

    /// The user, in the application's own words; none for the server's account.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Whether a link began it, rather than the setup page.
    pub fn is_by_link(&self) -> bool {
        self.asked_by.is_some()
    }

    /// Who asked for it.
    pub fn asked_by(&self) -> &str {
        self.asked_by.as_deref().unwrap_or("the administrator of this server")
    }

    /// The address that the account must have.
    pub fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    /// The host that the person goes to afterwards.
    pub fn returns_to_host(&self) -> Option<String> {
        Some(Url::parse(self.return_to.as_deref()?).ok()?.host_str()?.to_owned())
    }

    /// Whether an account is linked again that was linked before.
    pub fn is_again(&self) -> bool {
        self.again.is_some()
    }

    pub(super) fn connection(&self) -> Option<ConnectionId> {
        self.again.map(ConnectionId::from_u128)
    }

    /// Where the person goes now, with a word of what came of it; none if the caller named no address.
    pub(super) fn way_back(&self, name: &str, value: &str) -> Option<Url> {
        let mut way = Url::parse(self.return_to.as_deref()?).ok()?;
        way.query_pairs_mut().append_pair(name, value);
        if let Some(state) = &self.state {
            way.query_pairs_mut().append_pair("state", state);
        }
        Some(way)
    }
}
