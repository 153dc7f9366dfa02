//! What came of a letter that was not taken, and what that means for it and for others.

use lettre::transport::smtp::Error as SmtpError;

use crate::model::job::Cause;

/// What a failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The server will never take this letter.
    Refused,
    /// Not now; others may fare better.
    Later,
    /// The server cannot be reached, or takes nothing at present.
    Outage,
    /// It takes nothing until an operator mends something: the password, the certificate, the sender.
    Operator,
}

/// A letter that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", cause.text)]
pub struct MailError {
    /// What it means.
    pub verdict: Verdict,
    /// Why: the server's words without addresses.
    pub cause: Cause,
}

/// How far a conversation got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Up to the greeting, and TLS.
    Hello,
    /// The name and the password.
    Login,
    /// Who it is from.
    Sender,
    /// Whom it goes to.
    Recipient,
    /// What it says.
    Content,
}

/// "Service not available, closing transmission channel" (RFC 5321 §4.2.3).
const CLOSING: u16 = 421;
/// "Authentication required" (RFC 4954 §6).
const LOGIN_REQUIRED: u16 = 530;
/// No cause tells more of a server's words than so many characters.
const LONGEST_WORDS: usize = 200;

impl MailError {
    /// One of this meaning.
    pub(super) fn new(verdict: Verdict, code: &'static str, text: impl Into<String>) -> Self {
        Self { verdict, cause: Cause::new(code, text.into()) }
    }

    /// The server said nothing in time.
    pub(super) fn late(stage: Stage) -> Self {
        let text = "the mail server did not answer in time (mail.timeout_secs)";
        Self::new(Self::of_silence(stage), "mail_server_silent", text)
    }

    /// What `error` means, which was met at `stage`.
    pub(super) fn met(stage: Stage, error: &SmtpError) -> Self {
        let told = words(&chain(error));
        let Some(status) = error.status().map(u16::from) else {
            if error.is_client() {
                return Self::new(Verdict::Operator, "mail_server_unfit", told);
            }
            if error.is_tls() || told.contains("certificate") {
                return Self::new(Verdict::Operator, "mail_server_not_trusted", told);
            }
            return Self::new(Self::of_silence(stage), "mail_server_unreachable", told);
        };
        let (verdict, code) = match (stage, status) {
            (_, CLOSING) => (Verdict::Outage, "mail_server_busy"),
            (Stage::Hello | Stage::Login | Stage::Sender, 400..=499) => {
                (Verdict::Outage, "mail_server_busy")
            }
            (_, 400..=499) => (Verdict::Later, "mail_put_off"),
            (_, LOGIN_REQUIRED) | (Stage::Login, _) => (Verdict::Operator, "mail_login_refused"),
            (Stage::Sender, _) => (Verdict::Operator, "mail_sender_refused"),
            (Stage::Hello, _) => (Verdict::Operator, "mail_server_refuses"),
            (Stage::Recipient | Stage::Content, _) => (Verdict::Refused, "mail_refused"),
        };
        Self::new(verdict, code, told)
    }

    /// One letter whose content makes a server hang up must not stop all others.
    fn of_silence(stage: Stage) -> Verdict {
        if stage == Stage::Content { Verdict::Later } else { Verdict::Outage }
    }
}

/// The error and what it came from.
fn chain(error: &SmtpError) -> String {
    let mut told = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        let more = error.to_string();
        if !told.contains(&more) {
            told = format!("{told}: {more}");
        }
        source = error.source();
    }
    told
}

/// A server's words in one line, without addresses: causes are stored as they are.
pub(super) fn words(told: &str) -> String {
    let shown =
        |word: &str| if word.contains('@') { "<address>".to_owned() } else { word.to_owned() };
    let line: Vec<String> = told.split_whitespace().map(shown).collect();
    line.join(" ").chars().filter(|letter| !letter.is_control()).take(LONGEST_WORDS).collect()
}
