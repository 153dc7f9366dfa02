//! Every code that a problem may have: what it means, and what whoever meets it does next. The
//! API's document is made of this table, and so is every answer that is not what was asked for.

use axum::http::StatusCode;
use serde::{Serialize, Serializer};

/// What went wrong, in a word that stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    AuditHead,
    BacklogFull,
    BadCredentials,
    BadIdempotencyKey,
    BodyTooLarge,
    BodyUnreadable,
    ClientChanged,
    Conflict,
    ConnectionBlocked,
    ConsentFailed,
    Delegation,
    Denied,
    DiskFull,
    ExportFailed,
    Frozen,
    Google,
    IdempotencyKeyReused,
    Internal,
    Invalid,
    IssuerKeysUnavailable,
    JobRunning,
    JobState,
    KeyFile,
    MailNotConfigured,
    MalformedJson,
    MethodNotAllowed,
    NoApiKey,
    NoServiceAccount,
    NoSuchRoute,
    NotConfigured,
    NotConnected,
    NotForUsers,
    NotFound,
    NotJson,
    Overtaken,
    OwnerBacklogFull,
    PreconditionFailed,
    RedirectUri,
    ScopeMissing,
    StoreUnavailable,
    TokenRefused,
    TooLarge,
    TooManyRequests,
    TooManyTries,
    UnknownApiKey,
    WrongAccount,
}

/// What a code stands for.
struct Told {
    name: &'static str,
    status: StatusCode,
    meaning: &'static str,
    advice: &'static str,
}

impl Code {
    /// Its word on the wire.
    pub fn as_str(self) -> &'static str {
        self.told().name
    }

    /// The status it is answered with. On the classic route, a broken rule is a bad request.
    pub fn status(self) -> StatusCode {
        self.told().status
    }

    /// What happened, in a sentence.
    pub fn meaning(self) -> &'static str {
        self.told().meaning
    }

    /// What to do next, in a sentence.
    pub fn advice(self) -> &'static str {
        self.told().advice
    }

    #[rustfmt::skip]
    fn told(self) -> Told {
        let (name, status, meaning, advice) = match self {
            Self::AuditHead => ("audit_head", 500, "The audit's head file cannot be read or written.",
                "Let an operator look at the file that `detail` names."),
            Self::BacklogFull => ("backlog_full", 503, "As many jobs wait as may wait.",
                "Send the request again after `Retry-After`, when some are done."),
            Self::BadCredentials => ("bad_credentials", 422, "What was sent is no OAuth client that could be used.",
                "Download the file of a client of the type Web application from the Google Cloud Console, and send it as it is."),
            Self::BadIdempotencyKey => ("bad_idempotency_key", 400, "The header `Idempotency-Key` cannot be a key.",
                "Send 1 to 255 printable ASCII characters, such as a UUID."),
            Self::BodyTooLarge => ("body_too_large", 413, "The body is larger than this address takes.",
                "Send less at once: 256 KiB, or 4 MiB in a batch."),
            Self::BodyUnreadable => ("body_unreadable", 400, "The body did not arrive whole.",
                "Send the request again; nothing was stored."),
            Self::ClientChanged => ("client_changed", 409, "The account was connected with another OAuth client than today's.",
                "Connect the account again, or put the old client's file back."),
            Self::Conflict => ("conflict", 409, "The calendar is taken when the event shall be; `detail` says when.",
                "Choose another time (POST /api/v1/availability tells the free ones), or send the request with `on_conflict: \"warn\"`."),
            Self::ConnectionBlocked => ("connection_blocked", 409, "The connection cannot be used until something is mended; `detail` says what.",
                "Mend it, most often by a link of POST /api/v1/connections/{id}/reconnect, and send the request again."),
            Self::ConsentFailed => ("consent_failed", 400, "Google's consent did not come to a good end; `detail` says why.",
                "Begin to connect the account once more."),
            Self::Delegation => ("delegation", 422, "The service account may not act for this user.",
                "Do in the Google Workspace admin console what `detail` says, wait some minutes, and send the request again."),
            Self::Denied => ("denied", 403, "What was shown does not open this door.",
                "Show something that does, such as the right password."),
            Self::DiskFull => ("disk_full", 503, "The disk that holds the store is nearly full, so nothing is written.",
                "Let an operator make room; then send the request again."),
            Self::ExportFailed => ("export_failed", 500, "The export could not be made.",
                "Let an operator look into the log."),
            Self::Frozen => ("frozen", 503, "An operator refuses writes for the time being.",
                "Wait until writes are taken again (`calbridge incident thaw`), and send the request again."),
            Self::Google => ("google", 502, "Google said no, or nothing; `detail` has its words.",
                "Send the request again in a while; if it stays so, do what `detail` says."),
            Self::IdempotencyKeyReused => ("idempotency_key_reused", 422, "This `Idempotency-Key` came with another body before.",
                "Use a new key for a new request, or send the first body again."),
            Self::Internal => ("internal", 500, "calbridge failed.",
                "Tell an operator the `request_id`: the log has the details under it."),
            Self::Invalid => ("invalid", 422, "A value breaks a rule; `errors` names each that does.",
                "Change what `errors` names, and send the request again."),
            Self::IssuerKeysUnavailable => ("issuer_keys_unavailable", 503, "The keys that users' tokens are checked with cannot be read.",
                "Let an operator look at `auth.jwt` in the settings; then send the request again."),
            Self::JobRunning => ("job_running", 409, "The job runs at this moment.",
                "Send the request again after `Retry-After`."),
            Self::JobState => ("job_state", 409, "The job's state does not allow this.",
                "Read the job, and do what its state allows."),
            Self::KeyFile => ("key_file", 409, "The file of the master keys could not be exchanged.",
                "Let an operator do what `detail` says."),
            Self::MailNotConfigured => ("mail_not_configured", 409, "There is no server that takes mail.",
                "Let an operator write one into the settings, under `[mail]`."),
            Self::MalformedJson => ("malformed_json", 400, "The body is not well-formed JSON.",
                "Mend it where `detail` says, and send the request again."),
            Self::MethodNotAllowed => ("method_not_allowed", 405, "This address does not take that method.",
                "Use one of those that `Allow` names."),
            Self::NoApiKey => ("no_api_key", 401, "The request shows nothing that opens this door.",
                "Send an API key as `Authorization: Bearer cb_…` or `X-API-Key: cb_…`; `calbridge api-keys create` makes one."),
            Self::NoServiceAccount => ("no_service_account", 409, "There is no service account to act with.",
                "Let an operator put its key file where `detail` says."),
            Self::NoSuchRoute => ("no_such_route", 404, "There is nothing at this address.",
                "Look the address up in /api/docs."),
            Self::NotConfigured => ("not_configured", 409, "There is no OAuth client to connect accounts with.",
                "Let an operator put the client's file where `detail` says."),
            Self::NotConnected => ("not_connected", 409, "No Google account is connected for this.",
                "Open the setup page and connect one, or let the user follow a link of POST /api/v1/connections/links."),
            Self::NotForUsers => ("not_for_users", 403, "Users act for themselves alone.",
                "Name nobody else, or send an API key that has the scope for it."),
            Self::NotFound => ("not_found", 404, "There is no such thing, or it is somebody else's.",
                "Check the id, and that the key or token may see whose it is."),
            Self::NotJson => ("not_json", 415, "The body is not said to be JSON.",
                "Send it as JSON, with `Content-Type: application/json`."),
            Self::Overtaken => ("overtaken", 409, "Somebody else changed the thing meanwhile.",
                "Read it again, and send the change anew."),
            Self::OwnerBacklogFull => ("owner_backlog_full", 429, "As many jobs of this owner wait as may wait.",
                "Send the request again after `Retry-After`, when some are done."),
            Self::PreconditionFailed => ("precondition_failed", 412, "The thing is not as `If-Match` has it.",
                "Read it again, and send the change with the ETag it has now."),
            Self::RedirectUri => ("redirect_uri", 409, "The redirect URI is not one of those that the OAuth client may use.",
                "Add the URI that `detail` names to the client in the Google Cloud Console."),
            Self::ScopeMissing => ("scope_missing", 403, "The API key may not do this.",
                "Use a key that has the scope which `detail` names."),
            Self::StoreUnavailable => ("store_unavailable", 503, "The store cannot do this right now.",
                "Send the request again after `Retry-After`."),
            Self::TokenRefused => ("token_refused", 401, "The user's token is not taken; the log says why.",
                "Let the application issue a new token."),
            Self::TooLarge => ("too_large", 422, "The thing is larger than one record can be.",
                "Make it shorter: most often its notes, or its list of guests."),
            Self::TooManyRequests => ("too_many_requests", 429, "More requests came than may come.",
                "Send the request again after `Retry-After`; `RateLimit-Policy` tells how many may come."),
            Self::TooManyTries => ("too_many_tries", 429, "Too many wrong passwords were tried, so this one was not looked at.",
                "Try again after `Retry-After`, or make a setup code on the server: calbridge setup-code."),
            Self::UnknownApiKey => ("unknown_api_key", 401, "The API key does not work: it is not known, was revoked, or is past its end.",
                "Use another key; `calbridge api-keys create` makes one."),
            Self::WrongAccount => ("wrong_account", 400, "Another Google account is connected there already.",
                "Disconnect that one first, or name the account that is connected."),
        };
        let status = StatusCode::from_u16(status).expect("each is a status");
        Told { name, status, meaning, advice }
    }

    /// Every code there is.
    #[rustfmt::skip]
    pub const ALL: [Self; 46] = [
        Self::AuditHead, Self::BacklogFull, Self::BadCredentials, Self::BadIdempotencyKey, Self::BodyTooLarge,
        Self::BodyUnreadable, Self::ClientChanged, Self::Conflict, Self::ConnectionBlocked, Self::ConsentFailed, Self::Delegation,
        Self::Denied, Self::DiskFull, Self::ExportFailed, Self::Frozen, Self::Google, Self::IdempotencyKeyReused,
        Self::Internal, Self::Invalid, Self::IssuerKeysUnavailable, Self::JobRunning, Self::JobState, Self::KeyFile,
        Self::MailNotConfigured, Self::MalformedJson, Self::MethodNotAllowed, Self::NoApiKey, Self::NoServiceAccount, Self::NoSuchRoute,
        Self::NotConfigured, Self::NotConnected, Self::NotForUsers, Self::NotFound, Self::NotJson, Self::Overtaken,
        Self::OwnerBacklogFull, Self::PreconditionFailed, Self::RedirectUri, Self::ScopeMissing,
        Self::StoreUnavailable, Self::TokenRefused, Self::TooLarge, Self::TooManyRequests, Self::TooManyTries, Self::UnknownApiKey, Self::WrongAccount,
    ];
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
