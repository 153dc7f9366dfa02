//! Google as the bridge uses it: OAuth, calendars, events. The one room that knows Google, and
//! nothing of jobs, stores or settings: it is given values and gives back values and verdicts.
//!
//! Every call goes over one HTTP client, has a deadline, and reads bounded answers.

mod bounded;
pub mod calendars;
mod charge;
mod client;
pub mod credentials;
pub mod error;
pub mod events;
mod fetch;
pub mod free_busy;
pub mod oauth;
pub mod service_account;
mod wires;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::client::legacy;

pub use charge::Meter;
pub use credentials::{CredentialsError, OauthClient};
pub use error::{Failure, Verdict};
pub use events::{Conference, Copy, Events, Stamp};
pub use oauth::{AccessToken, Account, Grant};
pub use service_account::{KeyFileError, ServiceAccount};
pub use wires::{Open, Wires};

use crate::clock::Clock;
use crate::limits::Limits;

/// Where Google is: real addresses, or a simulator's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// The page that asks a person for consent.
    pub consent: url::Url,
    /// Where codes and refresh tokens become access tokens.
    pub token: url::Url,
    /// Where a grant is given back.
    pub revoke: url::Url,
    /// Who an access token speaks for.
    pub userinfo: url::Url,
    /// The root under which `calendar/v3/` lies.
    pub api: url::Url,
}

/// The way to Google. Clones share its connections.
#[derive(Clone)]
pub struct Google {
    inner: Arc<Inner>,
    meter: Meter,
}

struct Inner {
    endpoints: Endpoints,
    /// The root of Calendar v3, with a slash at its end.
    calendar: String,
    client: client::Client,
    /// For what yup-oauth2 sends.
    plain: legacy::Client<client::Connector, String>,
    deadline: Duration,
    clock: Arc<dyn Clock>,
    limits: Limits,
}

impl Google {
    /// Google at `endpoints`, reached over `wires`, whose answers are waited for no longer than
    /// `deadline` and are paid for from `limits`. Opens no connection yet.
    pub fn new(
        endpoints: Endpoints,
        wires: Wires,
        deadline: Duration,
        clock: Arc<dyn Clock>,
        limits: Limits,
    ) -> Self {
        let calendar = format!("{}/calendar/v3/", endpoints.api.as_str().trim_end_matches('/'));
        let connector = client::connector(wires);
        let (client, plain) = (client::new(connector.clone()), client::new(connector));
        let inner = Inner { endpoints, calendar, client, plain, deadline, clock, limits };
        Self { inner: Arc::new(inner), meter: Meter::default() }
    }

    /// Where it looks for Google.
    pub fn endpoints(&self) -> &Endpoints {
        &self.inner.endpoints
    }
}

impl fmt::Debug for Google {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Google")
            .field("endpoints", &self.inner.endpoints)
            .field("deadline", &self.inner.deadline)
            .finish_non_exhaustive()
    }
}
