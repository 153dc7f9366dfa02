//! A conversation with the server, word by word: which word was refused decides what that means.

use chrono::TimeDelta;
use lettre::Address;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use secrecy::ExposeSecret;

use super::error::{Stage, words};
use super::{Accepted, MailError, Relay, Security, Verdict};
use crate::clock::Clock;

/// A connection to the server, which knows who we are.
pub(super) struct Connection {
    smtp: AsyncSmtpConnection,
    deadline: TimeDelta,
    /// Whether the server waits for the next letter.
    usable: bool,
}

/// What TLS to this server needs: the certificates that this machine trusts.
pub(super) fn tls_to(host: &str) -> Result<TlsParameters, MailError> {
    TlsParameters::new(host.to_owned()).map_err(|error| MailError::met(Stage::Hello, &error))
}

impl Connection {
    /// Opens one, and shows who we are.
    pub(super) async fn open(
        relay: &Relay,
        tls: Option<&TlsParameters>,
        clock: &dyn Clock,
    ) -> Result<Self, MailError> {
        let name = ClientId::default();
        let at = (&*relay.host, relay.port);
        let first = tls.filter(|_| relay.security == Security::Tls).cloned();
        let opening = AsyncSmtpConnection::connect_tokio1(at, None, &name, first, None);
        let smtp = within(relay.deadline, Stage::Hello, clock, opening).await?;
        let mut opened = Self { smtp, deadline: relay.deadline, usable: false };
        if let Some(tls) = tls.filter(|_| relay.security == Security::StartTls) {
            let upgrading = opened.smtp.starttls(tls.clone(), &name);
            within(relay.deadline, Stage::Hello, clock, upgrading).await?;
        }
        if let Some((username, password)) = &relay.login {
            let login = Credentials::new(username.clone(), password.expose_secret().to_owned());
            let showing = opened.smtp.auth(DEFAULT_MECHANISMS, &login);
            within(relay.deadline, Stage::Login, clock, showing).await?;
        }
        opened.usable = true;
        Ok(opened)
    }

    /// Whether the server is still there.
    pub(super) async fn answers(&mut self, clock: &dyn Clock) -> bool {
        tokio::select! {
            biased;
            answers = self.smtp.test_connected() => answers,
            () = clock.sleep(self.deadline) => false,
        }
    }

    /// Whether the next letter can go over it.
    pub(super) fn is_usable(&self) -> bool {
        self.usable
    }

    /// Hands a letter over. An address that is refused for good keeps it from nobody else; one that is
    /// put off puts off the letter, so that nobody is sent it twice for the sake of another.
    pub(super) async fn send(
        &mut self,
        sender: &Address,
        recipients: &[Address],
        message: &[u8],
        clock: &dyn Clock,
    ) -> Result<Accepted, MailError> {
        self.usable = false;
        self.word(Stage::Sender, Mail::new(Some(sender.clone()), Vec::new()), clock).await?;
        let mut refusal = None;
        let mut refused = 0;
        for address in recipients {
            match self.word(Stage::Recipient, Rcpt::new(address.clone(), Vec::new()), clock).await {
                Ok(_) => {}
                Err(error) if error.verdict == Verdict::Refused => {
                    refused += 1;
                    refusal = Some(error);
                }
                Err(error) => return self.taken_back(error, clock).await,
            }
        }
        match refusal {
            Some(refusal) if refused == recipients.len() => {
                return self.taken_back(refusal, clock).await;
            }
            _ => {}
        }
        if let Err(error) = self.word(Stage::Content, Data, clock).await {
            return self.taken_back(error, clock).await;
        }
        let said = within(self.deadline, Stage::Content, clock, self.smtp.message(message)).await;
        // Of a connection that broke nobody knows; what the server refused is over.
        self.usable = match &said {
            Ok(_) => true,
            Err(error) => error.cause.code == "mail_refused" || error.cause.code == "mail_put_off",
        };
        Ok(Accepted { said: spoken(&said?), refused })
    }

    /// Takes the letter back that `error` ended, so that the connection serves the next one.
    async fn taken_back(
        &mut self,
        error: MailError,
        clock: &dyn Clock,
    ) -> Result<Accepted, MailError> {
        if matches!(error.verdict, Verdict::Refused | Verdict::Later) {
            self.usable = self.word(Stage::Sender, Rset, clock).await.is_ok();
        }
        Err(error)
    }

    async fn word(
        &mut self,
        stage: Stage,
        word: impl std::fmt::Display,
        clock: &dyn Clock,
    ) -> Result<Response, MailError> {
        within(self.deadline, stage, clock, self.smtp.command(word)).await
    }
}

fn spoken(response: &Response) -> String {
    let told: Vec<&str> = response.message().collect();
    words(&format!("{} {}", response.code(), told.join(" ")))
}

/// Waits for the server, but no longer than the deadline.
async fn within<T>(
    deadline: TimeDelta,
    stage: Stage,
    clock: &dyn Clock,
    word: impl Future<Output = Result<T, SmtpError>>,
) -> Result<T, MailError> {
    tokio::select! {
        biased;
        outcome = word => outcome.map_err(|error| MailError::met(stage, &error)),
        () = clock.sleep(deadline) => Err(MailError::late(stage)),
    }
}
