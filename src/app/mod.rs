//! What the bridge does, told without HTTP: taking events in, linking accounts, letting people and
//! programs through the door.

pub mod access;
pub mod audit;
pub mod availability;
pub mod backlog;
pub mod backup;
pub mod categories;
pub mod client;
pub mod connections;
mod desk;
pub mod error;
pub mod events;
pub mod incident;
pub mod items;
pub mod jobs;
pub mod keyring;
pub mod mail;
pub mod placement;
pub mod reminders;
pub mod rewrap;
mod sealing;
pub mod tasks;
pub mod tokens;

use std::path::PathBuf;
use std::sync::Arc;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::clock::Clock;
use crate::google::Google;
use crate::limits::Limits;
pub use crate::limits::{Report, Ticking, Used};
use crate::mail::Mailer;
use crate::model::event::Notify;
use crate::random::Random;
pub use crate::store::Disk;
use crate::store::{Backlog, Store};
use crate::vault::Vault;

pub use error::Error;
use incident::Frozen;
pub use sealing::{Links, Profile};
use tokens::Tokens;

/// The bridge's use cases all take this; it is cheap to clone.
#[derive(Clone)]
pub struct App {
    /// What is remembered.
    pub store: Arc<dyn Store>,
    /// Seals and opens.
    pub vault: Arc<Vault>,
    /// Google.
    pub google: Google,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Arc<dyn Random>,
    /// What is left of Google's quota.
    pub limits: Limits,
    /// What hands mail to the server; none where there is none.
    pub mail: Option<Arc<Mailer>>,
    /// What the operator chose.
    pub settings: Arc<Settings>,
    /// Access tokens, refreshed once for many.
    pub tokens: Arc<Tokens>,
    /// Whether writes are refused.
    pub frozen: Arc<Frozen>,
    /// What was last seen of the OAuth client and the service account.
    pub credentials: Arc<client::Credentials>,
    /// What was last seen of the owners' backlogs.
    pub owners_seen: backlog::Seen,
    /// What the door keeps in memory.
    pub gate: Arc<access::Gate>,
    /// Cancelled when the process is about to end: nobody is kept waiting any more.
    pub stopping: CancellationToken,
}

/// What the operator chose, as far as use cases care.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The OAuth client's file, as Google hands it out. Read anew whenever it is needed, so that a
    /// new client secret needs no restart.
    pub credentials_file: PathBuf,
    /// The key of the service account, if there is one. Read anew likewise.
    pub service_account_file: Option<PathBuf>,
    /// Where Google sends people back to.
    pub redirect_uri: String,
    /// The scopes a connection must have.
    pub scopes: Vec<String>,
    /// Keeps the events of several bridges apart at Google.
    pub namespace: String,
    /// Who gets mail about events of the classic route when the caller does not say.
    pub notify: Notify,
    /// Whether an event has a Meet link when the caller does not say.
    pub meet: bool,
    /// What came due no longer ago than this is told late.
    pub catch_up: TimeDelta,
    /// How many jobs may wait.
    pub backlog: Backlog,
    /// How long a request waits for its event when the caller does not say.
    pub wait: TimeDelta,
    /// Whether an authorization answer must say who made it.
    pub require_issuer: bool,
    /// Where people may be sent after they followed a link: scheme, host, port and path of each.
    pub return_to: Vec<Url>,
    /// Where a person is sent to connect an account.
    pub setup_url: String,
    /// The directory of what is kept.
    pub data_dir: PathBuf,
    /// Where the end of the audit's chain is kept, outside the store; nowhere for a store that
    /// forgets.
    pub audit_head: Option<PathBuf>,
    /// Where the setup code for the first administrator is written.
    pub setup_code_file: PathBuf,
}
