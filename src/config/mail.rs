//! The section `mail`: the server that takes mail from the bridge, and in whose name.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use secrecy::SecretString;

use super::raw::Origin;
use super::reader::Reader;

/// The server that takes mail from the bridge.
#[derive(Clone, Debug)]
pub struct MailConfig {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What keeps others from reading along.
    pub security: MailSecurity,
    /// The name it asks for, and the password.
    pub login: Option<(String, SecretString)>,
    /// Who a mail is from.
    pub from: MailboxConfig,
    /// Where answers shall go, if not there.
    pub reply_to: Option<MailboxConfig>,
    /// How many mails it takes in a minute.
    pub per_minute: NonZeroU32,
    /// A word of the server that takes longer counts as none.
    pub timeout: Duration,
}

/// A mail address and who is behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxConfig {
    /// Who.
    pub name: Option<String>,
    /// The address.
    pub address: String,
}

/// What keeps others from reading along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailSecurity {
    /// TLS from the beginning.
    Tls,
    /// TLS after a word in the clear, which the server must agree to.
    StartTls,
    /// Nothing: the mail stays on this machine.
    None,
}

/// Where submissions speak TLS from the beginning (RFC 8314 §3.3).
const TLS_PORT: u16 = 465;

const HOST: &str = "mail.host";
const SECURITY: &str = "mail.security";
const USERNAME: &str = "mail.username";
const PASSWORD: &str = "mail.password";
const PASSWORD_FILE: &str = "mail.password_file";
const FROM: &str = "mail.from";
const REPLY_TO: &str = "mail.reply_to";

impl Reader {
    pub(super) fn mail(&mut self) -> Option<MailConfig> {
        let host = self.optional(HOST);
        let port = u16::try_from(self.whole("mail.port", 1..=65_535)).unwrap_or(u16::MAX);
        let security = self.security(host.as_deref(), port);
        let login = self.login();
        let from = self.mailbox(FROM);
        let reply_to = self.mailbox(REPLY_TO);
        let per_minute = self.count("mail.per_minute", 1_000_000);
        let timeout = self.seconds("mail.timeout_secs", 1..=600);
        let Some(host) = host else {
            if login.is_some() || from.is_some() {
                self.raw.notes.push(
                    "mail.host is empty: no mail is sent, whatever else is said of mail".to_owned(),
                );
            }
            return None;
        };
        if host.contains(|letter: char| letter.is_whitespace() || ":/@".contains(letter))
            && host.parse::<IpAddr>().is_err()
        {
            self.fault(HOST, "must be a name or an address alone, such as `smtp.example.com`");
        }
        let from = from.or_else(|| {
            let from = login.as_ref().and_then(|(username, _)| mailbox(username));
            if from.is_none() {
                self.fault(
                    FROM,
                    "is needed where mail.host is written and mail.username is no address, such as \
                     `Calendar <calendar@example.com>`",
                );
            }
            from
        })?;
        Some(MailConfig { host, port, security, login, from, reply_to, per_minute, timeout })
    }

    fn security(&mut self, host: Option<&str>, port: u16) -> MailSecurity {
        let by_port = if port == TLS_PORT { MailSecurity::Tls } else { MailSecurity::StartTls };
        let choices = [
            ("auto", by_port),
            ("starttls", MailSecurity::StartTls),
            ("tls", MailSecurity::Tls),
            ("none", MailSecurity::None),
        ];
        let security = self.choice(SECURITY, &choices);
        if security == MailSecurity::None && host.is_some_and(|host| !is_here(host)) {
            self.fault(
                SECURITY,
                "is none, and mail.host is another machine: passwords and mails could be read on the \
                 way; write `starttls` or `tls`",
            );
        }
        security
    }

    fn login(&mut self) -> Option<(String, SecretString)> {
        let username = self.optional(USERNAME);
        let mut password = self.optional(PASSWORD);
        if password.is_some()
            && matches!(self.raw.values.get(PASSWORD), Some((_, Origin::Variable(_))))
        {
            self.raw.notes.push(
                "the mail server's password stands in the environment, where other programs may see \
                 it: put it into a file and name that as mail.password_file"
                    .to_owned(),
            );
        }
        if let Some(file) = self.optional(PASSWORD_FILE) {
            match std::fs::read_to_string(file) {
                Ok(_) if password.is_some() => {
                    self.fault(PASSWORD_FILE, "says what mail.password says already: write one");
                }
                Ok(text) => password = Some(text.trim().to_owned()),
                Err(error) => self.fault(PASSWORD_FILE, format!("cannot be read: {error}")),
            }
        }
        match (username, password) {
            (Some(username), Some(password)) => Some((username, password.into())),
            (None, None) => None,
            (Some(_), None) => {
                self.fault(USERNAME, "needs mail.password, or mail.password_file");
                None
            }
            (None, Some(_)) => {
                self.fault(PASSWORD, "means nothing without mail.username");
                None
            }
        }
    }

    fn mailbox(&mut self, key: &'static str) -> Option<MailboxConfig> {
        let written = self.optional(key)?;
        let found = mailbox(&written);
        if found.is_none() {
            self.fault(
                key,
                "must be an address, or a name and an address, such as \
                 `Calendar <calendar@example.com>`",
            );
        }
        found
    }
}

/// Whether a server of this name is on this machine.
fn is_here(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// `Name <address>`, or an address alone.
fn mailbox(written: &str) -> Option<MailboxConfig> {
    let (name, address) = match written.trim().strip_suffix('>') {
        Some(rest) => rest.rsplit_once('<')?,
        None => ("", written.trim()),
    };
    let name = name.trim().trim_matches('"').trim();
    let (local, domain) = address.rsplit_once('@')?;
    let plain = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"<>()[]\\,;:\"@".contains(&byte))
    };
    let sound = plain(local) && plain(domain) && !name.chars().any(char::is_control);
    sound.then(|| MailboxConfig {
        name: Some(name).filter(|name| !name.is_empty()).map(str::to_owned),
        address: address.to_owned(),
    })
}
