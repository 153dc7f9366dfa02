//! Sessions of the administrator at the pages: opened by the password or a setup code, ended by
//! themselves, by logging out, and all at once.

use std::net::IpAddr;

use chrono::TimeDelta;
use secrecy::SecretString;
use subtle::ConstantTimeEq;

use super::super::audit::By;
use super::super::{App, Error};
use super::{password, setup_code};
use crate::model::administrator::Administrator;
use crate::model::audit::Action;
use crate::model::id::base32hex;
use crate::model::key::{Digest, Ticket, TicketKind};

const IDLE: TimeDelta = TimeDelta::minutes(30);
const WHOLE: TimeDelta = TimeDelta::hours(12);
/// A session's end is written anew at most this often.
const TOUCH: TimeDelta = TimeDelta::minutes(1);
const WRONG_CODE: &str = "This setup code does not work: it was used before, or replaced, or is older than a \
     day. `calbridge setup-code` on the server prints a fresh one.";
/// The same whether there is a password or none.
const WRONG_PASSWORD: &str = "This password does not work. If it is lost, or was never set, `calbridge setup-code` \
     on the server prints a code with which to set one.";

/// An open session of an administrator.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    digest: Digest,
}

/// What an administrator shows to come in.
#[derive(Debug)]
pub enum Proof {
    /// The password.
    Password(SecretString),
    /// A setup code, and the password to be set with it.
    Code {
        /// The code.
        code: String,
        /// The password from now on; without one, it stays as it is.
        new_password: Option<SecretString>,
    },
}

/// Opens a session for whoever shows `proof` from this address. The session that the browser showed
/// until now ends. Returns what it shows from now on.
pub async fn open_session(
    app: &App,
    proof: Proof,
    from: IpAddr,
    earlier: Option<&str>,
) -> Result<SecretString, Error> {
    let how = match proof {
        Proof::Password(password) => {
            by_password(app, password, from).await?;
            "password"
        }
        Proof::Code { code, new_password } => {
            by_code(app, &code, new_password, from).await?;
            "setup code"
        }
    };
    if let Some(earlier) = earlier {
        app.store.take_ticket(TicketKind::Session, &digest(app, earlier)).await?;
    }
    let shown = base32hex(&app.random.bytes::<32>());
    let now = app.clock.now();
    let ticket = Ticket {
        kind: TicketKind::Session,
        digest: digest(app, &shown),
        created: now,
        expires: now + IDLE,
        payload: None,
    };
    let opened = app.act(By::Administrator, Action::SessionOpened);
    opened.with("by", how).with("address", from.to_string()).keep().await?;
    app.store.put_ticket(ticket).await?;
    tracing::info!(by = how, "an administrator's session was opened");
    Ok(SecretString::from(shown))
}

async fn by_password(app: &App, password: SecretString, from: IpAddr) -> Result<(), Error> {
    app.gate
        .backoff
        .begin(from, app.clock.now())
        .map_err(|wait| Error::TooManyTries { secs: wait.num_seconds().unsigned_abs() + 1 })?;
    let account = app.store.administrator().await?;
    if password::is_right(app, account, password).await? {
        app.gate.backoff.succeeded(from);
        return Ok(());
    }
    refuse(app, "password", from).await?;
    Err(Error::Denied(WRONG_PASSWORD))
}

async fn by_code(
    app: &App,
    code: &str,
    new_password: Option<SecretString>,
    from: IpAddr,
) -> Result<(), Error> {
    // Before the code is taken, which works once.
    if let Some(password) = &new_password {
        password::check(password)?;
    }
    if !setup_code::take(app, code).await? {
        refuse(app, "setup code", from).await?;
        return Err(Error::Denied(WRONG_CODE));
    }
    app.gate.backoff.succeeded(from);
    let Some(password) = new_password else { return Ok(()) };
    let password = password::hash(app, password).await?;
    let act = app.act(By::Administrator, Action::PasswordSet);
    let act = act.with("address", from.to_string()).seal()?;
    let administrator = Administrator { password, set: app.clock.now() };
    app.store.put_administrator(administrator, act).await?;
    tracing::warn!("the administrator's password was set, and every session ended");
    Ok(())
}

async fn refuse(app: &App, what: &'static str, from: IpAddr) -> Result<(), Error> {
    tracing::warn!(shown = what, "an administrator's session was refused");
    let refused = app.act(By::Administrator, Action::SessionRefused);
    refused.with("by", what).with("address", from.to_string()).keep().await?;
    Ok(())
}

/// The session that a browser shows, if it is open still: 30 minutes after its last use, give or take
/// one, 12 hours after its beginning at most.
pub async fn session(app: &App, shown: &str) -> Result<Option<Session>, Error> {
    let digest = digest(app, shown);
    let Some(ticket) = app.store.ticket(TicketKind::Session, &digest).await? else {
        return Ok(None);
    };
    let now = app.clock.now();
    // The second guards against a clock that was set back and an end that was moved since.
    if ticket.expires <= now || ticket.created + WHOLE <= now {
        return Ok(None);
    }
    let expires = (now + IDLE).min(ticket.created + WHOLE);
    // Where somebody logged out meanwhile, it must not come back.
    if expires - ticket.expires >= TOUCH
        && !app.store.prolong_ticket(TicketKind::Session, &digest, expires).await?
    {
        return Ok(None);
    }
    Ok(Some(Session { digest }))
}

/// Ends a session.
pub async fn close_session(app: &App, session: &Session) -> Result<(), Error> {
    if app.store.take_ticket(TicketKind::Session, &session.digest).await?.is_some() {
        app.act(By::Administrator, Action::SessionClosed).keep().await?;
    }
    Ok(())
}

/// Ends every session there is.
pub async fn close_every_session(app: &App) -> Result<(), Error> {
    app.store.drop_tickets(TicketKind::Session).await?;
    app.act(By::Administrator, Action::SessionClosed).with("which", "every").keep().await?;
    tracing::info!("every administrator's session was ended");
    Ok(())
}

impl Session {
    /// What a form of this session must carry, so that no other site's form works.
    pub fn csrf(&self, app: &App) -> String {
        base32hex(&app.vault.tag("csrf", &[&self.digest]))
    }

    /// Whether a form carries it.
    pub fn allows(&self, app: &App, csrf: &str) -> bool {
        self.csrf(app).as_bytes().ct_eq(csrf.as_bytes()).into()
    }
}

fn digest(app: &App, shown: &str) -> Digest {
    app.vault.tag("session", &[shown.as_bytes()])
}
