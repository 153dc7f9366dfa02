//! Scripted faults: what goes wrong, and which calls it strikes.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// 429 `rateLimitExceeded`; nothing done.
    RateLimited,
    /// 403 `userRateLimitExceeded`; nothing done.
    UserRateLimited,
    /// 403 `quotaExceeded`, Google's calendar use limit; nothing done.
    QuotaExceeded,
    /// 500 `backendError`; nothing done.
    ServerError,
    /// The call takes effect, then the connection is cut. Strikes only calls that changed something.
    LostAnswer,
    /// The connection is cut, nothing done.
    CutBefore,
    /// The call is held for `secs` (default 5), then goes on.
    Slow,
    /// The call is never answered; nothing done.
    Hang,
    /// The call takes effect; half of the answer's body arrives, then the connection is cut.
    Truncated,
    /// A 502 page of HTML; nothing done.
    HtmlError,
    /// Google takes the user's grants back just before the call.
    GrantRevoked,
    /// A Meet link asked for is ready only after `secs` (default 5).
    MeetPending,
    /// A Meet link asked for cannot be made.
    MeetFailure,
    /// The token endpoint answers 500 `internal_failure`.
    TokenEndpointError,
    /// The grant loses its calendar scopes just before a token is handed out.
    ScopesNarrowed,
    /// The token endpoint answers 401 `invalid_client`.
    InvalidClient,
    /// The token endpoint answers 401 `deleted_client`.
    DeletedClient,
    /// The token endpoint answers 400 `invalid_grant`: the account has been deleted.
    AccountDeleted,
    /// The token endpoint answers 400 `admin_policy_enforced`.
    AdminPolicy,
    /// The token endpoint answers 400 `invalid_grant`, subtype `invalid_rapt`: the Workspace wants
    /// the user to sign in again.
    InvalidRapt,
    /// 403 `accessNotConfigured`: the API is switched off in the project.
    ApiDisabled,
    /// 403 `forbidden`.
    CalendarForbidden,
    /// Events are read and listed as they were before a change less than `secs` (default 5) old.
    StaleRead,
    /// Any refusal between 400 and 599, in Google's words or the script's; nothing done.
    Status,
    /// The call takes effect, then a 504 is answered. Strikes only calls that changed something.
    TimeoutAfterCommit,
    /// Something made without an id of the caller's is made twice; the first is answered.
    DuplicateCommit,
    /// The call takes effect; the answer's body arrives piece by piece within `secs` (default 5).
    SlowBody,
    /// The call takes effect; the answer says it is a page of HTML, and is JSON.
    WrongContentType,
    /// A message of a push channel never goes out.
    PushDrop,
    /// A message of a push channel goes out twice.
    PushDuplicate,
    /// A message of a push channel goes out only after `secs` (default 5).
    PushDelay,
    /// A message of a push channel goes out after the next one.
    PushReorder,
    /// A message of a push channel bears a token that is not the channel's.
    PushWrongToken,
    /// A new channel's `sync` message is there before the answer to the watch.
    PushEarlySync,
}

/// At which point of a call a fault strikes; one fault at most strikes at each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Delay,
    Refusal,
    Read,
    Meet,
    Twice,
    Commit,
    Body,
    Push,
    Sync,
}

impl FaultKind {
    /// Every kind there is.
    pub const ALL: &[Self] = &[
        Self::RateLimited,
        Self::UserRateLimited,
        Self::QuotaExceeded,
        Self::ServerError,
        Self::LostAnswer,
        Self::CutBefore,
        Self::Slow,
        Self::Hang,
        Self::Truncated,
        Self::HtmlError,
        Self::GrantRevoked,
        Self::MeetPending,
        Self::MeetFailure,
        Self::TokenEndpointError,
        Self::ScopesNarrowed,
        Self::InvalidClient,
        Self::DeletedClient,
        Self::AccountDeleted,
        Self::AdminPolicy,
        Self::InvalidRapt,
        Self::ApiDisabled,
        Self::CalendarForbidden,
        Self::StaleRead,
        Self::Status,
        Self::TimeoutAfterCommit,
        Self::DuplicateCommit,
        Self::SlowBody,
        Self::WrongContentType,
        Self::PushDrop,
        Self::PushDuplicate,
        Self::PushDelay,
        Self::PushReorder,
        Self::PushWrongToken,
        Self::PushEarlySync,
    ];

    /// The name it goes by in scripts and in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::RateLimited => "rate_limited",
            Self::UserRateLimited => "user_rate_limited",
            Self::QuotaExceeded => "quota_exceeded",
            Self::ServerError => "server_error",
            Self::LostAnswer => "lost_answer",
            Self::CutBefore => "cut_before",
            Self::Slow => "slow",
            Self::Hang => "hang",
            Self::Truncated => "truncated",
            Self::HtmlError => "html_error",
            Self::GrantRevoked => "grant_revoked",
            Self::MeetPending => "meet_pending",
            Self::MeetFailure => "meet_failure",
            Self::TokenEndpointError => "token_endpoint_error",
            Self::ScopesNarrowed => "scopes_narrowed",
            Self::InvalidClient => "invalid_client",
            Self::DeletedClient => "deleted_client",
            Self::AccountDeleted => "account_deleted",
            Self::AdminPolicy => "admin_policy",
            Self::InvalidRapt => "invalid_rapt",
            Self::ApiDisabled => "api_disabled",
            Self::CalendarForbidden => "calendar_forbidden",
            Self::StaleRead => "stale_read",
            Self::Status => "status",
            Self::TimeoutAfterCommit => "timeout_after_commit",
            Self::DuplicateCommit => "duplicate_commit",
            Self::SlowBody => "slow_body",
            Self::WrongContentType => "wrong_content_type",
            Self::PushDrop => "push_drop",
            Self::PushDuplicate => "push_duplicate",
            Self::PushDelay => "push_delay",
            Self::PushReorder => "push_reorder",
            Self::PushWrongToken => "push_wrong_token",
            Self::PushEarlySync => "push_early_sync",
        }
    }

    pub(super) fn stage(self) -> Stage {
        match self {
            Self::Slow | Self::Hang => Stage::Delay,
            Self::MeetPending | Self::MeetFailure => Stage::Meet,
            Self::StaleRead => Stage::Read,
            Self::DuplicateCommit => Stage::Twice,
            Self::LostAnswer | Self::TimeoutAfterCommit => Stage::Commit,
            Self::Truncated | Self::SlowBody | Self::WrongContentType => Stage::Body,
            Self::PushDrop
            | Self::PushDuplicate
            | Self::PushDelay
            | Self::PushReorder
            | Self::PushWrongToken => Stage::Push,
            Self::PushEarlySync => Stage::Sync,
            _ => Stage::Refusal,
        }
    }

    /// The calls a fault strikes if it does not say: those of Calendar, or of the token endpoint.
    fn strikes(self, method: &str) -> bool {
        match self {
            Self::TokenEndpointError
            | Self::ScopesNarrowed
            | Self::InvalidClient
            | Self::DeletedClient
            | Self::AccountDeleted
            | Self::AdminPolicy
            | Self::InvalidRapt => method == "token",
            Self::PushDrop
            | Self::PushDuplicate
            | Self::PushDelay
            | Self::PushReorder
            | Self::PushWrongToken => method == "push",
            Self::PushEarlySync => method.rsplit('.').next() == Some("watch"),
            Self::DuplicateCommit => method == "calendar.events.insert",
            Self::GrantRevoked => method == "token" || method.starts_with("calendar."),
            _ => method.starts_with("calendar."),
        }
    }

    /// Whether `for_secs` says how long the fault takes, rather than how long it stays.
    pub(super) fn takes_time(self) -> bool {
        matches!(
            self,
            Self::Slow | Self::MeetPending | Self::StaleRead | Self::SlowBody | Self::PushDelay
        )
    }
}

/// A scripted fault. Without `times` it stays until it is cleared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fault {
    #[serde(rename = "fault")]
    pub(super) kind: FaultKind,
    #[serde(flatten)]
    pub(super) aim: Aim,
    #[serde(rename = "for_secs", skip_serializing_if = "Option::is_none")]
    pub(super) secs: Option<u32>,
    #[serde(rename = "for_ms", skip_serializing_if = "Option::is_none")]
    pub(super) millis: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) latency_ms: Option<Latency>,
    #[serde(flatten)]
    pub(super) wording: Wording,
}

/// Which calls a fault strikes, and when.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Aim {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) times: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) calendar: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) probability: Option<f64>,
    pub(super) after: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) from_secs: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<DateTime<Utc>>,
}

/// How long `slow` holds calls: half of them for at most `p50` milliseconds, 99 of 100 for at most
/// `p99`, none longer than twice that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Latency {
    pub(super) p50: u32,
    pub(super) p99: u32,
}

/// What a refusal says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Wording {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<Shape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retry_after: Option<u32>,
}

/// What a refusal's body is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Shape {
    Json,
    Html,
}

impl Fault {
    /// A fault that strikes every call it is made for until it is cleared: those of Calendar, or
    /// of the token endpoint for the kinds that are about tokens.
    pub fn new(kind: FaultKind) -> Self {
        Self {
            kind,
            aim: Aim::default(),
            secs: None,
            millis: None,
            latency_ms: None,
            wording: Wording::default(),
        }
    }

    /// A refusal with this HTTP status, as Google's backend words it.
    pub fn status(status: u16) -> Self {
        let wording = Wording { status: Some(status), ..Wording::default() };
        Self { wording, ..Self::new(FaultKind::Status) }
    }

    /// The refusal gives this reason (`fullSyncRequired`, `conflict`).
    #[must_use]
    pub fn reason(self, reason: &str) -> Self {
        let wording = Wording { reason: Some(reason.to_owned()), ..self.wording };
        Self { wording, ..self }
    }

    /// Strikes this often, then is used up.
    #[must_use]
    pub fn times(self, times: u64) -> Self {
        Self { aim: Aim { times: Some(times), ..self.aim }, ..self }
    }

    /// Strikes only this method: `calendar.events.insert`, `calendar.events.*`, `token`, `*`.
    #[must_use]
    pub fn method(self, method: &str) -> Self {
        Self { aim: Aim { method: Some(method.to_owned()), ..self.aim }, ..self }
    }

    /// Strikes only calls made in this user's name.
    #[must_use]
    pub fn user(self, email: &str) -> Self {
        Self { aim: Aim { user: Some(email.to_owned()), ..self.aim }, ..self }
    }

    /// Strikes only calls about this calendar, by its own id.
    #[must_use]
    pub fn calendar(self, id: &str) -> Self {
        Self { aim: Aim { calendar: Some(id.to_owned()), ..self.aim }, ..self }
    }

    /// Strikes a call with this probability, by the seed.
    #[must_use]
    pub fn probability(self, probability: f64) -> Self {
        Self { aim: Aim { probability: Some(probability), ..self.aim }, ..self }
    }

    /// Lets the first `calls` that fit pass.
    #[must_use]
    pub fn after(self, calls: u64) -> Self {
        Self { aim: Aim { after: calls, ..self.aim }, ..self }
    }

    /// How long it takes (`slow`, `slow_body`, `meet_pending`, `stale_read`); for all others, how
    /// long it stays.
    #[must_use]
    pub fn secs(self, secs: u32) -> Self {
        Self { secs: Some(secs), ..self }
    }

    /// The same, in thousandths of a second.
    #[must_use]
    pub fn millis(self, millis: u32) -> Self {
        Self { millis: Some(millis), ..self }
    }

    /// A refusal carries this `Retry-After`.
    #[must_use]
    pub fn retry_after(self, secs: u32) -> Self {
        let wording = Wording { retry_after: Some(secs), ..self.wording };
        Self { wording, ..self }
    }

    /// What `for_secs` or `for_ms` says.
    pub(super) fn span(&self) -> Option<TimeDelta> {
        let millis = self.millis.map(|millis| TimeDelta::milliseconds(millis.into()));
        millis.or_else(|| self.secs.map(|secs| TimeDelta::seconds(secs.into())))
    }

    pub(super) fn fits(&self, target: &Target<'_>) -> bool {
        let method = match self.aim.method.as_deref() {
            None => self.kind.strikes(target.method),
            Some(pattern) => match pattern.strip_suffix('*') {
                Some(start) => target.method.starts_with(start),
                None => target.method == pattern,
            },
        };
        let is = |wanted: &Option<String>, given: Option<&str>| {
            wanted.is_none() || wanted.as_deref() == given
        };
        method && is(&self.aim.user, target.user) && is(&self.aim.calendar, target.calendar)
    }

    /// Whether it strikes at all at `now`, if it was armed at `since`.
    pub(super) fn is_open(&self, since: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        let begins = match (self.aim.from, self.aim.from_secs) {
            (Some(from), _) => from,
            (None, Some(secs)) => since + TimeDelta::seconds(secs.into()),
            (None, None) => since,
        };
        let stays = self.span().filter(|_| !self.kind.takes_time());
        // A clock that was set back does not disarm what has no beginning of its own.
        let begun = now >= begins || (self.aim.from.is_none() && self.aim.from_secs.is_none());
        begun
            && stays.is_none_or(|span| now < begins + span)
            && self.aim.until.is_none_or(|until| now < until)
    }
}

/// The call a fault may strike.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    pub(super) method: &'a str,
    pub(super) user: Option<&'a str>,
    pub(super) calendar: Option<&'a str>,
}
