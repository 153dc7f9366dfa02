//! Sessions of administrators at the pages, and the setup code that opens the first.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use chrono::TimeDelta;
use secrecy::SecretString;
use subtle::ConstantTimeEq;

use super::super::audit::By;
use super::super::{App, Error};
use crate::model::audit::Action;
use crate::model::id::base32hex;
use crate::model::key::{Digest, Ticket, TicketKind};

const SETUP_CODE_LIFE: TimeDelta = TimeDelta::hours(24);
const SESSION_IDLE: TimeDelta = TimeDelta::minutes(30);
const SESSION_WHOLE: TimeDelta = TimeDelta::hours(12);
/// A session's expiry is written anew at most this often.
const SESSION_TOUCH: TimeDelta = TimeDelta::minutes(5);

/// An open session of an administrator.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    digest: Digest,
}

/// Makes the one setup code that works: written to its file, and returned. Earlier ones are void.
pub async fn new_setup_code(app: &App) -> Result<String, Error> {
    make_setup_code(app, By::Console).await
}

async fn make_setup_code(app: &App, by: By) -> Result<String, Error> {
    let code = base32hex(&app.random.bytes::<16>());
    let now = app.clock.now();
    app.act(by, Action::SetupCodeCreated).keep().await?;
    app.store.drop_tickets(TicketKind::SetupCode).await?;
    let ticket = Ticket {
        kind: TicketKind::SetupCode,
        digest: setup_digest(app, &code),
        created: now,
        expires: now + SETUP_CODE_LIFE,
        payload: None,
    };
    app.store.put_ticket(ticket).await?;
    let file = &app.settings.setup_code_file;
    let mut options = std::fs::OpenOptions::new();
    let written = std::fs::remove_file(file)
        .or_else(
            |error| if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) },
        )
        .and_then(|()| options.write(true).create_new(true).mode(0o600).open(file))
        .and_then(|mut file| writeln!(file, "{code}"));
    if let Err(error) = written {
        tracing::warn!(%error, file = %file.display(), "the setup code could not be written to its file");
    }
    Ok(code)
}

/// Makes a setup code at a start, as long as nobody has connected an account or made a key.
pub async fn first_setup_code(app: &App) -> Result<Option<String>, Error> {
    let used = !app.store.all_connections(None, 1).await?.is_empty()
        || !app.store.keys().await?.is_empty();
    if used { Ok(None) } else { make_setup_code(app, By::Bridge).await.map(Some) }
}

/// Opens a session for the setup code, which is void afterwards. Returns what the browser shows from
/// now on.
pub async fn open_session(app: &App, code: &str) -> Result<SecretString, Error> {
    let digest = setup_digest(app, code.trim());
    let ticket = app.store.take_ticket(TicketKind::SetupCode, &digest).await?;
    if ticket.is_none_or(|ticket| ticket.expires <= app.clock.now()) {
        app.act(By::Administrator, Action::SessionRefused).keep().await?;
        return Err(Error::Denied(
            "This setup code does not work: it was used before, or replaced, or is older than a day. \
             `calbridge setup-code` on the server prints a fresh one.",
        ));
    }
    // Best effort: the code in it is void.
    let _ = std::fs::remove_file(&app.settings.setup_code_file);
    let shown = base32hex(&app.random.bytes::<32>());
    let now = app.clock.now();
    let ticket = Ticket {
        kind: TicketKind::Session,
        digest: session_digest(app, &shown),
        created: now,
        expires: now + SESSION_IDLE,
        payload: None,
    };
    app.store.put_ticket(ticket).await?;
    app.act(By::Administrator, Action::SessionOpened).keep().await?;
    tracing::info!("an administrator's session was opened");
    Ok(SecretString::from(shown))
}

/// The session that a browser shows, if it is open still: 30 minutes after its last use, 12 hours
/// after its beginning at most.
pub async fn session(app: &App, shown: &str) -> Result<Option<Session>, Error> {
    let digest = session_digest(app, shown);
    let Some(mut ticket) = app.store.ticket(TicketKind::Session, &digest).await? else {
        return Ok(None);
    };
    let now = app.clock.now();
    if ticket.expires <= now {
        return Ok(None);
    }
    let expires = (now + SESSION_IDLE).min(ticket.created + SESSION_WHOLE);
    if expires - ticket.expires >= SESSION_TOUCH {
        ticket.expires = expires;
        app.store.put_ticket(ticket).await?;
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

fn setup_digest(app: &App, code: &str) -> Digest {
    app.vault.tag("setup-code", &[code.as_bytes()])
}

fn session_digest(app: &App, shown: &str) -> Digest {
    app.vault.tag("session", &[shown.as_bytes()])
}
