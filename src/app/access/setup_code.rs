//! The setup code: what whoever has the server shows at the pages once, to come in and to set the
//! administrator's password.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use chrono::TimeDelta;

use super::super::audit::By;
use super::super::{App, Error};
use crate::model::audit::Action;
use crate::model::id::base32hex;
use crate::model::key::{Digest, Ticket, TicketKind};

const LIFE: TimeDelta = TimeDelta::hours(24);

/// Makes the one setup code that works, for whoever sits at the server: written to its file, and
/// returned. Earlier ones are void.
pub async fn new_setup_code(app: &App) -> Result<String, Error> {
    make(app, By::Console).await
}

/// Makes a setup code at a start, as long as nobody has set a password, connected an account or made a
/// key.
pub async fn first_setup_code(app: &App) -> Result<Option<String>, Error> {
    let used = app.store.administrator().await?.is_some()
        || !app.store.all_connections(None, 1).await?.is_empty()
        || !app.store.keys().await?.is_empty();
    if used { Ok(None) } else { make(app, By::Bridge).await.map(Some) }
}

async fn make(app: &App, by: By) -> Result<String, Error> {
    let code = base32hex(&app.random.bytes::<16>());
    let now = app.clock.now();
    app.act(by, Action::SetupCodeCreated).keep().await?;
    app.store.drop_tickets(TicketKind::SetupCode).await?;
    let ticket = Ticket {
        kind: TicketKind::SetupCode,
        digest: digest(app, &code),
        created: now,
        expires: now + LIFE,
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

/// Voids the code, and says whether it worked until now.
pub(super) async fn take(app: &App, code: &str) -> Result<bool, Error> {
    let digest = digest(app, code.trim());
    let ticket = app.store.take_ticket(TicketKind::SetupCode, &digest).await?;
    if ticket.is_none_or(|ticket| ticket.expires <= app.clock.now()) {
        return Ok(false);
    }
    // Best effort: the code in it is void.
    let _ = std::fs::remove_file(&app.settings.setup_code_file);
    Ok(true)
}

fn digest(app: &App, code: &str) -> Digest {
    app.vault.tag("setup-code", &[code.as_bytes()])
}
