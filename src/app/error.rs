//! Every way a use case can say no.

use chrono::{DateTime, Utc};

use super::backup::BackupError;
use crate::google::error::Failure;
use crate::google::free_busy::Busy;
use crate::model::invalid::Invalid;
use crate::model::job::Cause;
use crate::model::key::Scope;
use crate::store::Which;
pub use crate::store::{Crowd, StoreError};
pub use crate::vault::VaultError;

/// Every way a use case can say no.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// There is none, or it is someone else's: the caller cannot tell which.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// Nobody has connected a Google account yet, or somebody took it away.
    #[error(
        "Calendar integration not configured: no Google account is connected. Open {setup_url} and connect one"
    )]
    NotConnected {
        /// Where to connect one.
        setup_url: String,
    },
    /// A user has connected no Google account, or took it away.
    #[error(
        "the user {user} has connected no Google account. POST /api/v1/connections/links with {{\"user\": \"{user}\"}} \
         makes a link to show them; or send `connection: \"server\"` to use the server's account"
    )]
    UserNotConnected {
        /// Who, in the calling application's own words.
        user: String,
    },
    /// There is no OAuth client to connect with.
    #[error("OAuth client not initialized: {file} cannot be used: {reason}")]
    NotConfigured {
        /// The credentials file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The grant was given to another OAuth client than today's.
    #[error(
        "the account was connected with another OAuth client than the one calbridge has now; connect it again, or put the old client's file back"
    )]
    ClientChanged,
    /// There is no service account to act with.
    #[error("there is no usable service account: {file}: {reason}")]
    NoServiceAccount {
        /// Its key file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The service account may not act for the user.
    #[error("{0}")]
    Delegation(String),
    /// What was sent as an OAuth client's file is none that could be used.
    #[error("the OAuth client was not exchanged: {reason}")]
    BadCredentials {
        /// What is wrong with it.
        reason: String,
    },
    /// The redirect URI is not one of those the OAuth client may use.
    #[error("Invalid redirect URI: {0}")]
    RedirectUri(String),
    /// The same `Idempotency-Key` came with another body before.
    #[error(
        "this Idempotency-Key was used before for another body; use a new key for a new request"
    )]
    KeyReused,
    /// The event was changed by somebody else meanwhile.
    #[error("the event was changed by somebody else meanwhile; read it again")]
    Overtaken,
    /// The calendar is taken when the event shall be, and its caller did not want that.
    #[error("the calendar is taken {}", spans(.0))]
    Conflict(Vec<Busy>),
    /// What was to be changed is not what the caller has seen of it.
    #[error(
        "the {0} is not as it was when it had the ETag of `If-Match`; read it again, and send its new ETag"
    )]
    Unseen(&'static str),
    /// As many jobs wait as there may be.
    #[error("{}", match .0 {
        Crowd::All => "as many jobs wait as may (queue.max_jobs); try again when some are done",
        Crowd::Owner => {
            "as many of this owner's jobs wait as may (queue.max_jobs_per_owner); try again when some are done"
        }
    })]
    Backlog(Crowd),
    /// The job runs, so it cannot be touched.
    #[error("the job runs at this moment; try again in a few seconds")]
    JobRunning,
    /// The job's state does not allow it.
    #[error("{rule}; this one is {}", state.as_str())]
    JobState {
        /// What does.
        rule: &'static str,
        /// Where the job stands.
        state: Which,
    },
    /// The connection cannot be used until that is mended.
    #[error("{}", .0.text)]
    Blocked(Cause),
    /// What was shown does not open this door.
    #[error("{0}")]
    Denied(&'static str),
    /// An API key does not open: it is not known, or was, and which of these is not told.
    #[error(
        "this API key does not work: it is not known here, or was revoked, or is past its end; \
         `calbridge api-keys create` makes another"
    )]
    KeyRefused,
    /// A user's token does not open; what is wrong with it is told to the log alone.
    #[error(
        "this token is not taken: it is not the application's, or not for this server, or past its \
         end; let the application issue a new one (the log of calbridge has the reason)"
    )]
    TokenRefused,
    /// Nobody's token can be checked at present.
    #[error(
        "the keys that users' tokens are checked with cannot be read (auth.jwt.jwks_url, \
         auth.jwt.jwks_file); the log has the reason"
    )]
    NoIssuerKeys,
    /// Too many wrong passwords were tried; this one was not looked at.
    #[error(
        "Too many wrong passwords were tried, so this one was not looked at. Try again in {secs} s, or \
         make a setup code on the server: calbridge setup-code"
    )]
    TooManyTries {
        /// When to try again.
        secs: u64,
    },
    /// The caller may not do what needs this scope.
    #[error(
        "this needs the scope `{0}`; make an API key that has it: calbridge api-keys create --scope {0}"
    )]
    Scope(Scope),
    /// A user named somebody else, or wants what users cannot have.
    #[error(
        "users act for themselves alone; what concerns others needs an API key with the scope for it"
    )]
    NotForUsers,
    /// There is no server that takes mail.
    #[error(
        "no mail server is set up: write `mail.host` and `mail.from` into the settings, and start calbridge again"
    )]
    NoMail,
    /// Writes are refused until somebody takes them again.
    #[error(
        "writes have been frozen by {by} since {}; an operator takes them again with `calbridge incident thaw`",
        since.format("%Y-%m-%dT%H:%M:%SZ")
    )]
    Frozen {
        /// Since when.
        since: DateTime<Utc>,
        /// By whom.
        by: &'static str,
    },
    /// The head file of the audit cannot be read or written.
    #[error("the audit's head file {file} (audit.head_file) cannot be used: {reason}")]
    AuditHead {
        /// Which.
        file: String,
        /// Why.
        reason: String,
    },
    /// The consent did not come to a good end.
    #[error("{text}")]
    Consent {
        /// Stable, `snake_case`.
        code: &'static str,
        /// What happened and what to do.
        text: String,
    },
    /// Google said no, or nothing.
    #[error("{0}")]
    Google(#[from] Failure),
    /// The store could not do it.
    #[error("the bridge cannot do this right now; try again in a moment")]
    Store(#[from] StoreError),
    /// The key ring could not be exchanged.
    #[error(transparent)]
    Keys(VaultError),
    /// The export could not be made.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// A sealed record did not open.
    #[error("a sealed record cannot be used; the log has the details")]
    Vault(#[from] VaultError),
}

/// A conflict's text names no more times than these.
const MOST_SPANS: usize = 5;

fn spans(busy: &[Busy]) -> String {
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
    let spans = busy.iter().take(MOST_SPANS);
    let spans: Vec<_> =
        spans.map(|busy| format!("from {} to {}", time(busy.start), time(busy.end))).collect();
    let more = if busy.len() > MOST_SPANS { ", and more" } else { "" };
    format!("{}{more}", spans.join(", "))
}
