//! Mail, handed to one server that takes it (SMTP submission, RFC 6409). The one room that knows
//! SMTP, and nothing of jobs, stores or settings: it is given letters and gives back verdicts.
//!
//! Every word of the server is waited for until a deadline. What is sent twice carries one Message-ID.

mod books;
mod connection;
mod error;
mod message;
mod pace;

use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use lettre::Address;
use lettre::message::Mailbox;
use lettre::transport::smtp::client::TlsParameters;
use secrecy::SecretString;

use crate::clock::Clock;
use crate::model::fill::Fill;
use books::Books;
pub use books::{Report, Trouble};
use connection::Connection;
pub use error::{MailError, Verdict};
use pace::Pace;

/// The server that takes mail, and in whose name.
#[derive(Clone, Debug)]
pub struct Relay {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What keeps others from reading along.
    pub security: Security,
    /// The name it asks for, and the password.
    pub login: Option<(String, SecretString)>,
    /// Who mails are from: perhaps a name, and an address.
    pub from: (Option<String>, String),
    /// Where answers shall go, if not there.
    pub reply_to: Option<(Option<String>, String)>,
    /// How many mails it takes in a minute.
    pub per_minute: NonZeroU32,
    /// For how long a word of it is waited for.
    pub deadline: TimeDelta,
}

/// What keeps others from reading along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS from the beginning.
    Tls,
    /// TLS after a word in the clear, which the server must agree to.
    StartTls,
    /// Nothing.
    None,
}

/// A mail to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// What it is known by: the left side of its Message-ID. A letter sent again has the same.
    pub name: String,
    /// The addresses it goes to.
    pub to: Vec<String>,
    /// What it is about, in a line.
    pub subject: String,
    /// What it says.
    pub text: String,
    /// When it was written.
    pub at: DateTime<Utc>,
}

/// What the server said that took a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its words.
    pub said: String,
    /// How many of the addresses it refused.
    pub refused: usize,
}

/// How many mails may go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paced {
    /// In a minute, those that began in the last one.
    pub fill: Fill,
    /// After what time one more may.
    pub next: Duration,
}

/// So many connections are kept for the next letter, and none for longer than this: servers hang up on
/// those who say nothing.
const MOST_IDLE: usize = 8;
const LONGEST_IDLE: TimeDelta = TimeDelta::seconds(20);

/// Hands letters to the server.
pub struct Mailer {
    relay: Relay,
    tls: Option<TlsParameters>,
    from: Mailbox,
    reply_to: Option<Mailbox>,
    clock: Arc<dyn Clock>,
    pace: Pace,
    idle: Mutex<Vec<(DateTime<Utc>, Connection)>>,
    books: Books,
}

impl Mailer {
    /// One that hands letters to `relay`. Opens no connection yet.
    pub fn new(relay: Relay, clock: Arc<dyn Clock>) -> Result<Self, MailError> {
        let tls = match relay.security {
            Security::None => None,
            Security::Tls | Security::StartTls => Some(connection::tls_to(&relay.host)?),
        };
        Ok(Self {
            from: mailbox(&relay.from)?,
            reply_to: relay.reply_to.as_ref().map(mailbox).transpose()?,
            pace: Pace::new(relay.per_minute, Arc::clone(&clock)),
            idle: Mutex::default(),
            books: Books::default(),
            tls,
            clock,
            relay,
        })
    }

    /// Takes one of the places there are in each minute, or says when the next one is free.
    pub fn take_place(&self) -> Result<(), DateTime<Utc>> {
        self.pace.take().map_err(|wait| self.clock.now() + wait)
    }

    /// Hands `letter` to the server. What came of it is told in the report.
    pub async fn send(&self, letter: &Letter) -> Result<Accepted, MailError> {
        let outcome = self.hand_over(letter).await;
        self.books.note(outcome.as_ref().map(|_| ()), self.clock.now());
        outcome
    }

    /// The Message-ID of the letter of this name.
    pub fn message_id(&self, name: &str) -> String {
        format!("<{name}@{}>", self.from.email.domain())
    }

    /// How many mails may go out.
    pub fn pace(&self) -> Paced {
        self.pace.report()
    }

    /// What was sent since the start, and what stands in the way at present.
    pub fn report(&self) -> Report {
        self.books.report()
    }

    async fn hand_over(&self, letter: &Letter) -> Result<Accepted, MailError> {
        let recipients: Vec<Address> =
            letter.to.iter().map(|address| recipient(address)).collect::<Result<_, _>>()?;
        let message = message::write(self, letter, &recipients)?;
        let mut connection = match self.still_open().await {
            Some(connection) => connection,
            None => Connection::open(&self.relay, self.tls.as_ref(), &*self.clock).await?,
        };
        let sender = &self.from.email;
        let outcome = connection.send(sender, &recipients, &message, &*self.clock).await;
        if connection.is_usable() {
            let mut idle = self.idle();
            if idle.len() < MOST_IDLE {
                idle.push((self.clock.now(), connection));
            }
        }
        outcome
    }

    /// A connection that was kept, and that the server still answers on.
    async fn still_open(&self) -> Option<Connection> {
        let oldest = self.clock.now() - LONGEST_IDLE;
        loop {
            let (since, mut connection) = self.idle().pop()?;
            if since >= oldest && connection.answers(&*self.clock).await {
                return Some(connection);
            }
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(DateTime<Utc>, Connection)>> {
        self.idle.lock().expect("no one panics while holding it")
    }
}

impl fmt::Debug for Mailer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Mailer").field("relay", &self.relay).finish_non_exhaustive()
    }
}

fn mailbox((name, address): &(Option<String>, String)) -> Result<Mailbox, MailError> {
    let address = address.parse().map_err(|_| {
        MailError::new(Verdict::Operator, "bad_sender", "mail.from or mail.reply_to is no address")
    })?;
    Ok(Mailbox::new(name.clone(), address))
}

fn recipient(address: &str) -> Result<Address, MailError> {
    let parsed = address.parse::<Address>().ok().filter(|_| address.is_ascii());
    parsed.ok_or_else(|| {
        MailError::new(
            Verdict::Refused,
            "bad_address",
            "one of the addresses is none that mail goes to",
        )
    })
}
