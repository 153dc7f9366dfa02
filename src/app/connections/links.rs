//! Links by which a user connects an account: made by a backend, shown to its user, used once; and
//! the code that tells the backend what came of it.

use chrono::{DateTime, TimeDelta, Utc};
use data_encoding::BASE64URL_NOPAD;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::purpose::Purpose;
use super::{Consent, Finished, Linked, check_client, consent};
use crate::app::access::{Caller, Who};
use crate::app::{App, Error};
use crate::model::audit::Action;
use crate::model::connection::Means;
use crate::model::id::ConnectionId;
use crate::model::invalid::Invalid;
use crate::model::key::{Digest, Ticket, TicketKind};
use crate::model::owner::{Owner, UserId};

/// A link is good for so long.
const LINK_LIFE: TimeDelta = TimeDelta::minutes(30);
/// So is what the backend is told of it, which the person may still look at for a while.
const RECEIPT_LIFE: TimeDelta = TimeDelta::minutes(10);

/// What the caller sees again is no longer, in characters.
const LONGEST_STATE: usize = 512;
/// No link names more calendars.
const MOST_CALENDARS: usize = 20;

/// A link to be made.
#[derive(Clone, Debug, Default)]
pub struct LinkWish {
    /// Where the person goes afterwards.
    pub return_to: Option<String>,
    /// What the caller wants to see again there.
    pub state: Option<String>,
    /// Calendars that the account must be able to write to.
    pub calendars: Vec<String>,
    /// The address that the account must have.
    pub expected_email: Option<String>,
}

/// A link just made. What it opens with is shown this once.
#[derive(Debug)]
pub struct Link {
    /// Where the user opens it.
    pub url: SecretString,
    /// From when on it is void.
    pub expires: DateTime<Utc>,
}

/// What a backend learns for its code.
#[derive(Debug)]
pub struct Receipt {
    /// The connection that came of it.
    pub connection: ConnectionId,
    /// Whose it is.
    pub owner: Owner,
}

#[derive(Serialize, Deserialize)]
struct ReceiptForm {
    connection: u128,
    user: Option<String>,
}

/// Makes a link by which `owner` connects an account.
pub async fn invite(
    app: &App,
    caller: &Caller,
    owner: &Owner,
    wish: LinkWish,
) -> Result<Link, Error> {
    caller.may_act_for(owner)?;
    make(app, caller, owner, None, wish).await
}

/// Makes a link by which the account of a connection is linked again. No other account is taken.
pub async fn invite_again(
    app: &App,
    caller: &Caller,
    id: ConnectionId,
    wish: LinkWish,
) -> Result<Link, Error> {
    let connection = super::seen(app, caller, id).await?;
    if connection.means == Means::Delegation {
        let rule = "one that a person agreed to: a service account's needs no consent";
        return Err(Invalid::new("connection", rule).into());
    }
    make(app, caller, &connection.owner, Some(id), wish).await
}

async fn make(
    app: &App,
    caller: &Caller,
    owner: &Owner,
    again: Option<ConnectionId>,
    wish: LinkWish,
) -> Result<Link, Error> {
    app.must_not_be_frozen()?;
    check_client(app)?;
    check(app, &wish)?;
    let purpose = Purpose {
        user: match owner {
            Owner::Application => None,
            Owner::User(user) => Some(user.as_str().to_owned()),
        },
        again: again.map(ConnectionId::as_u128),
        asked_by: Some(name_of(app, caller).await?),
        email: wish.expected_email,
        calendars: wish.calendars,
        return_to: wish.return_to,
        state: wish.state,
    };
    let shown = BASE64URL_NOPAD.encode(&app.random.bytes::<32>());
    let digest = link_digest(app, &shown);
    let expires = keep(app, TicketKind::Link, digest, LINK_LIFE, &purpose).await?;
    let act = app.act(caller, Action::LinkCreated);
    act.with("for", purpose.user.as_deref().unwrap_or("the server")).keep().await?;
    tracing::info!(again = again.is_some(), "a link to connect an account was made");
    let url = format!("{}/link?link={shown}", app.settings.setup_url);
    Ok(Link { url: url.into(), expires })
}

/// What a link is for. Looking at it changes nothing: programs that show previews look at it too.
pub async fn look(app: &App, shown: &str) -> Result<Purpose, Error> {
    let digest = link_digest(app, shown);
    opened(app, digest, app.store.ticket(TicketKind::Link, &digest).await?)
}

/// Uses a link up and begins the consent that it is for. Of several who come at once, one is let
/// through.
pub async fn follow(app: &App, shown: &str) -> Result<Consent, Error> {
    // What the operator must mend first does not cost the link.
    app.must_not_be_frozen()?;
    check_client(app)?;
    let digest = link_digest(app, shown);
    let purpose = opened(app, digest, app.store.take_ticket(TicketKind::Link, &digest).await?)?;
    app.act(purpose.by()?, Action::LinkUsed).keep().await?;
    consent::begin(app, purpose).await
}

/// Where the person goes after a consent, if its maker named an address: with a code for what came of
/// it, or with the name of what went wrong. Never with a token.
pub async fn way_back(app: &App, finished: &Finished) -> Result<Option<Url>, Error> {
    let Some(purpose) = finished.purpose.as_ref().filter(|purpose| purpose.return_to.is_some())
    else {
        return Ok(None);
    };
    match &finished.outcome {
        Ok(Linked { connection, .. }) => {
            let code = BASE64URL_NOPAD.encode(&app.random.bytes::<32>());
            let form =
                ReceiptForm { connection: connection.id.as_u128(), user: purpose.user.clone() };
            let digest = receipt_digest(app, &code);
            keep(app, TicketKind::Receipt, digest, RECEIPT_LIFE, &form).await?;
            Ok(purpose.way_back("code", &code))
        }
        Err(error) => Ok(purpose.way_back("error", code_of(error))),
    }
}

/// What came of a link, for the code that its user brought back: told once, to whoever may see the
/// connection. To anybody else the code is as good as unknown, and stays good.
pub async fn redeem(app: &App, caller: &Caller, code: &SecretString) -> Result<Receipt, Error> {
    let unknown = || Error::NotFound("code: it was used before, or is older than ten minutes");
    let digest = receipt_digest(app, code.expose_secret());
    let now = app.clock.now();
    let found = app.store.ticket(TicketKind::Receipt, &digest).await?;
    let found = found.filter(|ticket| ticket.expires > now).ok_or_else(unknown)?;
    let sealed = found.payload.as_ref().ok_or_else(unknown)?;
    let form: ReceiptForm = app.open_ticket(&digest, sealed)?;
    let owner = match form.user {
        Some(user) => Owner::User(UserId::try_from(user)?),
        None => Owner::Application,
    };
    if !caller.sees(&owner) {
        return Err(unknown());
    }
    app.store.take_ticket(TicketKind::Receipt, &digest).await?.ok_or_else(unknown)?;
    Ok(Receipt { connection: ConnectionId::from_u128(form.connection), owner })
}

fn opened(app: &App, digest: Digest, found: Option<Ticket>) -> Result<Purpose, Error> {
    let over = || {
        Error::Consent {
        code: "link_unknown",
        text: "This link does not work any more: it was used before, or is older than 30 minutes. Go back to \
               the application that gave it to you and ask for another."
            .into(),
    }
    };
    let now = app.clock.now();
    let ticket = found.filter(|ticket| ticket.expires > now).ok_or_else(over)?;
    app.open_ticket(&digest, ticket.payload.as_ref().ok_or_else(over)?)
}

async fn keep<T: Serialize>(
    app: &App,
    kind: TicketKind,
    digest: Digest,
    life: TimeDelta,
    form: &T,
) -> Result<DateTime<Utc>, Error> {
    let now = app.clock.now();
    let payload = Some(app.seal_ticket(&digest, form)?);
    let ticket = Ticket { kind, digest, created: now, expires: now + life, payload };
    app.store.put_ticket(ticket).await?;
    Ok(now + life)
}

/// Who asks, in words for the person.
async fn name_of(app: &App, caller: &Caller) -> Result<String, Error> {
    Ok(match &caller.who {
        Who::Key(id) => {
            app.store.key(*id).await?.map_or_else(|| "the application".into(), |key| key.name)
        }
        Who::User(_) => "you yourself, in the application".into(),
        Who::Administrator | Who::Console => "the administrator of this server".into(),
    })
}

fn check(app: &App, wish: &LinkWish) -> Result<(), Error> {
    if let Some(return_to) = &wish.return_to {
        check_return(app, return_to)?;
    }
    let state = wish.state.as_deref().unwrap_or_default();
    if state.len() > LONGEST_STATE || !state.bytes().all(|byte| byte.is_ascii_graphic()) {
        let rule = "at most 512 printable ASCII characters, no spaces";
        return Err(Invalid::new("state", rule).into());
    }
    if wish.state.is_some() && wish.return_to.is_none() {
        return Err(Invalid::new("state", "only with `return_to`, where it is shown again").into());
    }
    let plain = |id: &String| (1..=1024).contains(&id.len()) && !id.contains(char::is_control);
    if wish.calendars.len() > MOST_CALENDARS || !wish.calendars.iter().all(plain) {
        return Err(Invalid::new("calendars", "at most 20 ids of calendars at Google").into());
    }
    let is_address = |address: &String| {
        let bare = |char: char| char.is_control() || char.is_whitespace();
        address.len() <= 254 && address.contains('@') && !address.contains(bare)
    };
    if !wish.expected_email.iter().all(is_address) {
        return Err(Invalid::new("expected_email", "an e-mail address").into());
    }
    Ok(())
}

/// An address counts if scheme, host, port and path are those of one that the settings list. Its
/// query is its own, as long as it says nothing that is said by us.
fn check_return(app: &App, written: &str) -> Result<(), Error> {
    let rule = "an address that connections.return_to lists: the same scheme, host, port and path; without a \
                fragment, a user's name, or `code`, `error` and `state` in its query";
    let refused = || Error::from(Invalid::new("return_to", rule));
    let url = Url::parse(written).map_err(|_| refused())?;
    let taken = |name: &str| matches!(name, "code" | "error" | "state");
    let plain = url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
        && written.len() <= 2048
        && !url.query_pairs().any(|(name, _)| taken(&name));
    let listed = app.settings.return_to.iter().any(|listed| {
        listed.origin() == url.origin()
            && listed.scheme() == url.scheme()
            && listed.path() == url.path()
    });
    if plain && listed { Ok(()) } else { Err(refused()) }
}

/// What a backend is told of a consent that came to nothing.
fn code_of(error: &Error) -> &'static str {
    match error {
        Error::Consent { code, .. } => code,
        Error::Google(_) => "google_unavailable",
        Error::NotConfigured { .. } | Error::RedirectUri(_) => "not_configured",
        Error::Overtaken => "overtaken",
        _ => "try_later",
    }
}

fn link_digest(app: &App, shown: &str) -> Digest {
    app.vault.tag("connect-link", &[shown.as_bytes()])
}

fn receipt_digest(app: &App, code: &str) -> Digest {
    app.vault.tag("connect-code", &[code.as_bytes()])
}
