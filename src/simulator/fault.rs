//! Scripted faults: which calls they strike, how often, and what is left of them.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::generator;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
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
    /// An event is read as it was before its last change, if that is less than `secs` (default 5) old.
    StaleRead,
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
    Commit,
    Body,
    Push,
    Sync,
}

impl FaultKind {
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
            Self::PushDrop => "push_drop",
            Self::PushDuplicate => "push_duplicate",
            Self::PushDelay => "push_delay",
            Self::PushReorder => "push_reorder",
            Self::PushWrongToken => "push_wrong_token",
            Self::PushEarlySync => "push_early_sync",
        }
    }

    fn stage(self) -> Stage {
        match self {
            Self::Slow | Self::Hang => Stage::Delay,
            Self::MeetPending | Self::MeetFailure => Stage::Meet,
            Self::StaleRead => Stage::Read,
            Self::LostAnswer => Stage::Commit,
            Self::Truncated => Stage::Body,
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
            Self::GrantRevoked => method == "token" || method.starts_with("calendar."),
            _ => method.starts_with("calendar."),
        }
    }

    /// Whether `secs` says how long the fault takes, rather than how long it stays.
    fn takes_time(self) -> bool {
        matches!(self, Self::Slow | Self::MeetPending | Self::StaleRead | Self::PushDelay)
    }
}

/// A scripted fault. Without `times` it stays until it is cleared.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    #[serde(rename = "fault")]
    kind: FaultKind,
    times: Option<u64>,
    method: Option<String>,
    user: Option<String>,
    calendar: Option<String>,
    probability: Option<f64>,
    #[serde(default)]
    after: u64,
    #[serde(rename = "for_secs", alias = "secs")]
    secs: Option<u32>,
    retry_after: Option<u32>,
}

impl Fault {
    /// A fault that strikes every call it is made for until it is cleared: those of Calendar, or
    /// of the token endpoint for the kinds that are about tokens.
    pub fn new(kind: FaultKind) -> Self {
        Self {
            kind,
            times: None,
            method: None,
            user: None,
            calendar: None,
            probability: None,
            after: 0,
            secs: None,
            retry_after: None,
        }
    }

    /// Strikes this often, then is used up.
    #[must_use]
    pub fn times(self, times: u64) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Strikes only this method: `calendar.events.insert`, `calendar.events.*`, `token`, `*`.
    #[must_use]
    pub fn method(self, method: &str) -> Self {
        Self { method: Some(method.to_owned()), ..self }
    }

    /// Strikes only calls made in this user's name.
    #[must_use]
    pub fn user(self, email: &str) -> Self {
        Self { user: Some(email.to_owned()), ..self }
    }

    /// Strikes only calls about this calendar, by its own id.
    #[must_use]
    pub fn calendar(self, id: &str) -> Self {
        Self { calendar: Some(id.to_owned()), ..self }
    }

    /// Strikes a call with this probability, by the seed.
    #[must_use]
    pub fn probability(self, probability: f64) -> Self {
        Self { probability: Some(probability), ..self }
    }

    /// Lets the first `calls` that fit pass.
    #[must_use]
    pub fn after(self, calls: u64) -> Self {
        Self { after: calls, ..self }
    }

    /// How long it takes (`slow`, `meet_pending`, `stale_read`); for all others, how long it stays.
    #[must_use]
    pub fn secs(self, secs: u32) -> Self {
        Self { secs: Some(secs), ..self }
    }

    /// A refusal carries this `Retry-After`.
    #[must_use]
    pub fn retry_after(self, secs: u32) -> Self {
        Self { retry_after: Some(secs), ..self }
    }

    fn fits(&self, target: &Target<'_>) -> bool {
        let method = match self.method.as_deref() {
            None => self.kind.strikes(target.method),
            Some(pattern) => match pattern.strip_suffix('*') {
                Some(start) => target.method.starts_with(start),
                None => target.method == pattern,
            },
        };
        let is = |wanted: &Option<String>, given: Option<&str>| {
            wanted.is_none() || wanted.as_deref() == given
        };
        method && is(&self.user, target.user) && is(&self.calendar, target.calendar)
    }
}

/// The call a fault may strike.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    pub(super) method: &'a str,
    pub(super) user: Option<&'a str>,
    pub(super) calendar: Option<&'a str>,
}

/// A fault that struck.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strike {
    pub(super) kind: FaultKind,
    pub(super) takes: TimeDelta,
    pub(super) retry_after: Option<u32>,
}

#[derive(Debug)]
struct Armed {
    fault: Fault,
    number: u64,
    since: DateTime<Utc>,
    seen: u64,
    struck: u64,
}

/// The faults that are armed, in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct Faults {
    armed: Vec<Armed>,
    added: u64,
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault, now: DateTime<Utc>) {
        self.added += 1;
        self.armed.push(Armed { fault, number: self.added, since: now, seen: 0, struck: 0 });
    }

    pub(super) fn clear(&mut self) {
        self.armed.clear();
    }

    /// The first armed fault that strikes `target` at this stage; spends one of its times.
    pub(super) fn strike(
        &mut self,
        stage: Stage,
        target: &Target<'_>,
        seed: u64,
        now: DateTime<Utc>,
    ) -> Option<Strike> {
        self.armed.iter_mut().find_map(|armed| armed.strike(stage, target, seed, now))
    }

    /// One line for each fault that has times left.
    pub(super) fn unused(&self) -> Vec<String> {
        let left = self.armed.iter().filter_map(|armed| {
            let times = armed.fault.times?;
            let method = armed.fault.method.as_deref().unwrap_or("any of its calls");
            (armed.struck < times).then(|| {
                format!(
                    "{} on {method}: struck {} of {times}",
                    armed.fault.kind.name(),
                    armed.struck
                )
            })
        });
        left.collect()
    }
}

impl Armed {
    fn strike(
        &mut self,
        stage: Stage,
        target: &Target<'_>,
        seed: u64,
        now: DateTime<Utc>,
    ) -> Option<Strike> {
        let fault = &self.fault;
        if fault.kind.stage() != stage
            || !fault.fits(target)
            || fault.times.is_some_and(|times| self.struck >= times)
        {
            return None;
        }
        let stays = fault.secs.filter(|_| !fault.kind.takes_time());
        if stays.is_some_and(|secs| now >= self.since + TimeDelta::seconds(secs.into())) {
            return None;
        }
        self.seen += 1;
        let rolled = fault
            .probability
            .is_none_or(|bound| generator::roll(seed, self.number, self.seen) < bound);
        if self.seen <= fault.after || !rolled {
            return None;
        }
        self.struck += 1;
        Some(Strike {
            kind: fault.kind,
            takes: TimeDelta::seconds(fault.secs.unwrap_or(5).into()),
            retry_after: fault.retry_after,
        })
    }
}
