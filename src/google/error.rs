//! What an answer of Google means for whoever asked. The reason Google names goes before the
//! status, which alone says too little: a 403 may be a matter of seconds, or for ever.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

/// A call that did not bring what it was for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What it means.
    pub verdict: Verdict,
    /// The answer's status; none if there was no answer.
    pub status: Option<u16>,
    /// Google's own word for it, if it gave one.
    pub reason: Option<String>,
    /// What happened and what to do, for people. Holds no secret and nothing personal.
    pub text: String,
    /// How long Google asks to be left alone.
    pub retry_after: Option<Duration>,
}

/// What a failed call means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// No answer, or none that could be read: Google may have done it, or not.
    Unknown,
    /// Google cannot be reached or is in trouble. If the status is 5xx it may have done it.
    Outage,
    /// This user's calls come too fast.
    RateUser,
    /// The project's calls, or those to one calendar, come too fast.
    RateProject,
    /// Nothing was asked: our own limits keep the account or the project quiet for now.
    HeldBack,
    /// A limit of Calendar itself, such as invitations: leave the account alone for an hour or more.
    QuotaExceeded,
    /// The project's calls of the day are used up.
    DailyLimit,
    /// The access token is no longer good: refresh it, once.
    TokenRejected,
    /// The person did not grant what this call needs.
    ScopeMissing,
    /// The grant is over; only a person can mend it.
    GrantDead,
    /// Only the operator can mend it; nobody's grant is at fault.
    Operator,
    /// The service account may not act for this user, or not at all. Only the operator can mend it,
    /// and other accounts go on.
    Delegation,
    /// There is no such thing, or it may not be seen.
    NotFound,
    /// The id is taken, perhaps by an event that was deleted.
    Duplicate,
    /// Something else happened at the same time.
    Conflict,
    /// It was there once, and was deleted.
    Gone,
    /// It has changed since it was read.
    PreconditionFailed,
    /// The calendar does not allow this kind of conference.
    ConferenceNotAllowed,
    /// Any other final no.
    Refused,
}

/// What was asked of the OAuth endpoints: the same error means different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Exchange,
    Refresh,
    Revoke,
}

/// Messages of Google that hold nothing personal and are worth passing on.
const KNOWN_MESSAGES: [&str; 8] = [
    NO_CONFERENCE,
    "Invalid attendee email.",
    "Invalid resource id value.",
    "Missing end time.",
    "Missing start time.",
    "Missing time zone definition for end time.",
    "Missing time zone definition for start time.",
    "The specified time range is empty.",
];
const NO_CONFERENCE: &str = "Invalid conference type value.";

/// Longer waits than this are cut to it: whoever waits looks again, and no sum overflows.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(24);

impl Failure {
    /// Nothing came back, or nothing that could be read.
    pub(super) fn unknown(status: Option<u16>) -> Self {
        Self::new(Verdict::Unknown, status, None)
    }

    /// No connection came about, so nothing was asked.
    pub(super) fn unreachable() -> Self {
        Self::new(Verdict::Outage, None, None)
    }

    /// Says `verdict` without an answer of Google.
    pub(super) fn new(verdict: Verdict, status: Option<u16>, reason: Option<String>) -> Self {
        let text = general_text(verdict).to_owned();
        Self { verdict, status, reason, text, retry_after: None }
    }

    /// The same, in other words for people.
    pub(super) fn told(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    /// The same, with how long Google asks to be left alone.
    pub(super) fn after(mut self, retry_after: Option<Duration>) -> Self {
        self.retry_after = retry_after.map(|wait| wait.min(LONGEST_RETRY_AFTER));
        self
    }

    /// Judges an answer of the Calendar API that is not a success; `body` is its JSON, if it is any.
    pub(super) fn of_api(status: u16, body: Option<&Value>) -> Self {
        let error = body.map(|body| &body["error"]);
        let message = error.and_then(|error| {
            let backend = error["errors"][0]["message"].as_str();
            backend.or_else(|| error["message"].as_str())
        });
        let reasons = error.map(reasons_of).unwrap_or_default();
        let known = reasons
            .iter()
            .find_map(|reason| by_reason(reason, message).map(|verdict| (verdict, *reason)));
        let (verdict, reason) = match known {
            Some((verdict, reason)) => (verdict, Some(reason)),
            None => (by_status(status, error.is_some()), reasons.first().copied()),
        };
        let failure = Self::new(verdict, Some(status), reason.and_then(plain_word));
        let mut text = match verdict {
            Verdict::Refused => refusal(status, reason).to_owned(),
            _ => failure.text.clone(),
        };
        if let Some(said) = message.filter(|said| KNOWN_MESSAGES.contains(said)) {
            text = format!("{text} Google says: {said}");
        }
        failure.told(text)
    }

    /// Judges an answer of the OAuth endpoints that is not a success.
    pub(super) fn of_oauth(step: Step, status: u16, body: Option<&Value>) -> Self {
        let word = body.and_then(|body| body["error"].as_str());
        let subtype = body.and_then(|body| body["error_subtype"].as_str());
        let verdict = match (status, word) {
            (500.. | 408, _) => Verdict::Outage,
            (429, _) => Verdict::RateProject,
            (_, Some(word)) => by_oauth_word(step, word),
            // A proxy's page, not Google's word: nothing may be concluded from it.
            (_, None) => Verdict::Unknown,
        };
        let failure = Self::new(verdict, Some(status), word.and_then(plain_word));
        match word.filter(|_| verdict != Verdict::Outage).and_then(|word| oauth_text(step, word)) {
            Some(_) if subtype == Some("invalid_rapt") => failure.told(
                "The account's administrator ends Google sessions after a time; \
                 connect the Google account again.",
            ),
            Some(text) => failure.told(text),
            None => failure,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

/// The reasons an error names, the most telling first.
fn reasons_of(error: &Value) -> Vec<&str> {
    let backend = error["errors"][0]["reason"].as_str();
    let details = error["details"].as_array().into_iter().flatten();
    let details = details.filter_map(|detail| detail["reason"].as_str());
    backend.into_iter().chain(details).chain(error["status"].as_str()).collect()
}

/// The table of reasons. Those that say no more than their status (`required` comes with a 400 and
/// a 401) are left to it.
fn by_reason(reason: &str, message: Option<&str>) -> Option<Verdict> {
    Some(match reason {
        "userRateLimitExceeded" => Verdict::RateUser,
        "rateLimitExceeded" | "RATE_LIMIT_EXCEEDED" | "RESOURCE_EXHAUSTED" => Verdict::RateProject,
        "quotaExceeded" => Verdict::QuotaExceeded,
        "dailyLimitExceeded" | "dailyLimitExceededUnreg" => Verdict::DailyLimit,
        "authError" | "UNAUTHENTICATED" => Verdict::TokenRejected,
        "insufficientPermissions" | "ACCESS_TOKEN_SCOPE_INSUFFICIENT" => Verdict::ScopeMissing,
        "accessNotConfigured" | "SERVICE_DISABLED" => Verdict::Operator,
        "notFound" => Verdict::NotFound,
        "duplicate" => Verdict::Duplicate,
        "conflict" => Verdict::Conflict,
        "deleted" | "fullSyncRequired" | "updatedMinTooLongAgo" => Verdict::Gone,
        "conditionNotMet" => Verdict::PreconditionFailed,
        "backendError" | "internalError" => Verdict::Outage,
        "invalid" if message == Some(NO_CONFERENCE) => Verdict::ConferenceNotAllowed,
        _ => return None,
    })
}

/// What the status alone says. Only an answer in Google's own shape is a final no: a proxy's page
/// is none.
fn by_status(status: u16, in_shape: bool) -> Verdict {
    match status {
        401 => Verdict::TokenRejected,
        404 => Verdict::NotFound,
        408 | 500.. => Verdict::Outage,
        409 => Verdict::Conflict,
        410 => Verdict::Gone,
        412 => Verdict::PreconditionFailed,
        413 => Verdict::Refused,
        429 => Verdict::RateProject,
        400..500 if in_shape => Verdict::Refused,
        _ => Verdict::Unknown,
    }
}

/// The table of OAuth errors. What is in doubt is not held against the grant.
fn by_oauth_word(step: Step, word: &str) -> Verdict {
    match word {
        "internal_failure" | "server_error" | "temporarily_unavailable" => Verdict::Outage,
        "rate_limit_exceeded" | "slow_down" => Verdict::RateProject,
        // An administrator of the person's own organisation shut us out: other accounts go on.
        "admin_policy_enforced" => Verdict::GrantDead,
        "invalid_grant" => match step {
            Step::Refresh => Verdict::GrantDead,
            Step::Exchange | Step::Revoke => Verdict::Refused,
        },
        "invalid_token" => Verdict::Refused,
        "invalid_client"
        | "unauthorized_client"
        | "deleted_client"
        | "disabled_client"
        | "org_internal"
        | "redirect_uri_mismatch"
        | "invalid_scope"
        | "invalid_request"
        | "unsupported_grant_type" => Verdict::Operator,
        _ => Verdict::Unknown,
    }
}

/// What an OAuth error means, where more can be said than for its verdict in general.
fn oauth_text(step: Step, word: &str) -> Option<&'static str> {
    Some(match (word, step) {
        ("invalid_grant", Step::Exchange) => {
            "Google no longer accepts this consent: it was used already, or took too long; \
             connect the Google account again."
        }
        ("invalid_grant", _) => {
            "Google has ended the grant: it was revoked, has expired, or the account was closed; \
             connect the Google account again. (If this comes every seven days, the consent \
             screen is still in testing: publish it in the Google Cloud console.)"
        }
        ("admin_policy_enforced", _) => {
            "The administrator of this Google account does not allow the application; ask them to \
             trust its client id in the Google Workspace admin console, then connect again."
        }
        ("invalid_client", _) => {
            "Google does not accept the client id and secret; download the OAuth client's JSON \
             from the Google Cloud console again and put it in place of the credentials file."
        }
        ("deleted_client" | "disabled_client", _) => {
            "The OAuth client was deleted or disabled in the Google Cloud console; restore or \
             enable it there, or put the JSON of a new one in place of the credentials file."
        }
        ("org_internal", _) => {
            "The consent screen is for the members of one organisation only; set its user type to \
             External in the Google Cloud console, or connect an account of that organisation."
        }
        ("redirect_uri_mismatch", _) => {
            "The redirect URI is not registered with Google; add it, letter by letter, to the \
             OAuth client's authorised redirect URIs in the Google Cloud console."
        }
        ("invalid_scope", _) => {
            "Google does not know one of the scopes that were asked for; check the scopes in the \
             configuration."
        }
        ("unauthorized_client", _) => {
            "Google does not let this OAuth client do that; check in the Google Cloud console that \
             it is of the type Web application and belongs to the right project."
        }
        _ => return None,
    })
}

/// A final no of the Calendar API, in words.
fn refusal(status: u16, reason: Option<&str>) -> &'static str {
    match (status, reason) {
        (_, Some("forbiddenForServiceAccounts")) => {
            "A service account may not invite guests; give it domain-wide delegation and a user to \
             act for, or connect a person's account."
        }
        (_, Some("forbiddenForNonOrganizer")) => {
            "Only the event's organiser may change this; change it in the organiser's calendar."
        }
        (_, Some("requiredAccessLevel" | "forbidden")) | (403, _) => {
            "The connected account may not do this in this calendar; give it the right to make \
             changes to events, or choose another calendar."
        }
        (_, Some("timeRangeEmpty")) => {
            "Google finds the event empty; its end must come after its start."
        }
        (413, _) => "The event is too big for Google; shorten its description.",
        _ => "Google does not accept the event as it is; correct it and send it again.",
    }
}

/// What a verdict means in general.
fn general_text(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Unknown => {
            "No usable answer came from Google, so it is not known whether it acted; it is looked \
             at again before anything is repeated."
        }
        Verdict::Outage => {
            "Google cannot be reached or is in trouble; it is tried again. If this lasts, check \
             this machine's network and Google's status page."
        }
        Verdict::RateUser => {
            "Google asks to slow down for this account; the work goes on by itself, more slowly."
        }
        Verdict::RateProject => {
            "Google asks to slow down; the work goes on by itself, more slowly. If this lasts, ask \
             for more quota in the Google Cloud console."
        }
        Verdict::HeldBack => {
            "Google asked to be left alone for a while; the work goes on by itself after that."
        }
        Verdict::QuotaExceeded => {
            "The account has reached a limit of Google Calendar, such as invitations to guests; \
             Google lifts it after some hours, and the work then goes on by itself."
        }
        Verdict::DailyLimit => {
            "The project's daily quota at Google is used up; the work goes on tomorrow, or once \
             the quota is raised in the Google Cloud console."
        }
        Verdict::TokenRejected => {
            "Google does not accept the access token; a new one is fetched. If this lasts, connect \
             the Google account again."
        }
        Verdict::ScopeMissing => {
            "The Google account was connected without a permission that is needed here; connect it \
             again and leave every box ticked."
        }
        Verdict::GrantDead => "Google has ended the grant; connect the Google account again.",
        Verdict::Operator => {
            "Google does not serve this application; check in the Google Cloud console that the \
             Google Calendar API is enabled and that the OAuth client is in order."
        }
        Verdict::Delegation => {
            "Google does not let the service account act for this user; check its delegation in the \
             Google Workspace admin console."
        }
        Verdict::NotFound => {
            "Google finds no such event or calendar; check that the calendar still exists and that \
             the connected account may see it."
        }
        Verdict::Duplicate => "The event's id is taken at Google; it is looked at what is there.",
        Verdict::Conflict => {
            "Something else changed at Google at the same time; it is tried again."
        }
        Verdict::Gone => "The event was deleted at Google; create it anew if it is still wanted.",
        Verdict::PreconditionFailed => {
            "The event was changed at Google meanwhile; it is read again before it is changed."
        }
        Verdict::ConferenceNotAllowed => {
            "This calendar does not allow Google Meet; allow it in the calendar's settings, or \
             connect a person's account: a service account cannot make Meet links."
        }
        Verdict::Refused => "Google refuses this for good; correct the request and send it again.",
    }
}

/// A reason worth keeping: one plain word, so that nothing personal slips in with it.
pub(super) fn plain_word(reason: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (reason.len() <= 64 && reason.bytes().all(plain)).then(|| reason.to_owned())
}
