//! A consent: to Google with PKCE and a state that works once, and back.

use chrono::TimeDelta;
use data_encoding::BASE64URL_NOPAD;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::answer::{Answer, explain, refused};
use super::grants::{self, Given};
use super::purpose::Purpose;
use super::{client_tag, of};
use crate::app::{App, Error, Profile, tokens};
use crate::google::OauthClient;
use crate::google::error::Verdict;
use crate::google::oauth::ISSUER;
use crate::model::connection::{Connection, Means};
use crate::model::key::{Digest, Ticket, TicketKind};

/// A consent must come back within this time.
const CONSENT_LIFE: TimeDelta = TimeDelta::minutes(10);

/// A consent that a person is about to give.
pub struct Consent {
    /// Where the person's browser goes now.
    pub url: String,
    /// What the browser must bring back, in a cookie.
    pub cookie: String,
}

/// How a consent ended.
pub struct Finished {
    /// What it was for; none if whoever came back is not known to have begun it.
    pub purpose: Option<Purpose>,
    /// What came of it.
    pub outcome: Result<Linked, Error>,
}

/// An account just linked.
#[derive(Debug)]
pub struct Linked {
    /// As it is stored.
    pub connection: Connection,
    /// Who it is.
    pub profile: Profile,
}

/// What the server remembers of a consent while the person is at Google.
#[derive(Serialize, Deserialize)]
struct Pending {
    purpose: Purpose,
    verifier: String,
    browser: Digest,
    redirect_uri: String,
}

/// Whether an account can be connected: the OAuth client is there and knows our redirect URI.
pub fn check_client(app: &App) -> Result<(), Error> {
    check_redirect(app, &app.oauth_client()?)
}

/// Whether an OAuth client knows our redirect URI.
pub fn check_redirect(app: &App, client: &OauthClient) -> Result<(), Error> {
    let ours = &app.settings.redirect_uri;
    if client.redirect_uris.iter().any(|listed| listed == ours) {
        return Ok(());
    }
    let listed = client.redirect_uris.join(", ");
    Err(Error::RedirectUri(format!(
        "{ours} is not in the credentials file, which lists {listed}. Add it to the OAuth client in the Google \
         Cloud Console and download the file again, or set google.redirect_uri to one that is listed; scheme, \
         host, port, path and a trailing slash must all agree"
    )))
}

/// Begins a consent: PKCE with S256, and a state that works once, soon, and in this browser only.
pub async fn begin(app: &App, purpose: Purpose) -> Result<Consent, Error> {
    app.must_not_be_frozen()?;
    check_client(app)?;
    let client = app.oauth_client()?;
    let secret = || BASE64URL_NOPAD.encode(&app.random.bytes::<32>());
    let (state, cookie, verifier) = (secret(), secret(), secret());
    let shown_verifier = SecretString::from(verifier.clone());
    let digest = app.vault.tag("consent-state", &[state.as_bytes()]);
    let redirect_uri = app.settings.redirect_uri.clone();
    let login_hint = match of(app, &purpose.owner()?).await? {
        Some(connection) => Some(app.profile(&connection)?.email),
        None => purpose.email().map(str::to_owned),
    };
    let scopes: Vec<&str> = app.settings.scopes.iter().map(String::as_str).collect();
    let url = app.google.consent_url(
        &client,
        &redirect_uri,
        &scopes,
        &state,
        &shown_verifier,
        login_hint.as_deref(),
    );
    let browser = app.vault.tag("consent-browser", &[cookie.as_bytes()]);
    let payload =
        app.seal_ticket(&digest, &Pending { purpose, verifier, browser, redirect_uri })?;
    let now = app.clock.now();
    let ticket = Ticket {
        kind: TicketKind::Consent,
        digest,
        created: now,
        expires: now + CONSENT_LIFE,
        payload: Some(payload),
    };
    app.store.put_ticket(ticket).await?;
    Ok(Consent { url, cookie })
}

/// Ends a consent: whoever comes back with an unknown, used, old or foreign state is refused before
/// Google is asked anything. A reconnect must bring the same account.
pub async fn finish(app: &App, answer: Answer, cookie: Option<&str>) -> Finished {
    if let Err(error) = app.must_not_be_frozen() {
        return Finished { purpose: None, outcome: Err(error) };
    }
    let pending = match take_pending(app, &answer, cookie).await {
        Ok(pending) => pending,
        Err(error) => return Finished { purpose: None, outcome: Err(error) },
    };
    let outcome = link(app, answer, &pending).await;
    Finished { purpose: Some(pending.purpose), outcome }
}

async fn link(app: &App, answer: Answer, pending: &Pending) -> Result<Linked, Error> {
    check_issuer(app, answer.iss.as_deref())?;
    let code = match (answer.code, answer.error) {
        (Some(code), None) => SecretString::from(code),
        (None, Some(error)) => return Err(explain(&error)),
        (Some(_), Some(_)) => {
            let text = "Google's answer holds both a code and an error, so neither is believed. Connect once more.";
            return Err(refused("code_and_error", text));
        }
        (None, None) => {
            let text = "Google's answer holds neither a code nor an error. Connect once more.";
            return Err(refused("no_code", text));
        }
    };
    let client = app.oauth_client()?;
    let verifier = SecretString::from(pending.verifier.as_str());
    let means = Means::Consent { client: client_tag(app, &client) };
    let grant = app.google.exchange(&client, &pending.redirect_uri, &code, &verifier).await;
    let grant = grant.map_err(|failure| match failure.verdict {
        // Another consent's code, or one that is used or old: PKCE and Google saw to it.
        Verdict::Refused => refused(
            "code_refused",
            "Google does not take the code that came back: it is old, used, or belongs to another consent. \
             Connect once more.",
        ),
        _ => failure.into(),
    })?;
    let given = Given::read(app, means, grant).await?;
    let access = given.access.clone();
    let (connection, profile) = grants::keep(app, &pending.purpose, given).await?;
    tokens::note(app, connection.id).await;
    tokens::hold(app, connection.id, connection.version, access).await;
    Ok(Linked { connection, profile })
}

async fn take_pending(app: &App, answer: &Answer, cookie: Option<&str>) -> Result<Pending, Error> {
    let unknown = || {
        let text = "This consent is not known here: it was used before, is older than ten minutes, or began in \
                    another browser. Go back to where you began, and connect once more.";
        refused("state_unknown", text)
    };
    let state = answer.state.as_deref().ok_or_else(unknown)?;
    let digest = app.vault.tag("consent-state", &[state.as_bytes()]);
    let ticket = app.store.take_ticket(TicketKind::Consent, &digest).await?.ok_or_else(unknown)?;
    let sealed =
        ticket.payload.as_ref().filter(|_| ticket.expires > app.clock.now()).ok_or_else(unknown)?;
    let pending: Pending = app.open_ticket(&digest, sealed)?;
    let browser = app.vault.tag("consent-browser", &[cookie.ok_or_else(unknown)?.as_bytes()]);
    if !bool::from(browser.ct_eq(&pending.browser)) {
        return Err(unknown());
    }
    Ok(pending)
}

/// Google names itself in its answers. Whoever names another mixes two servers up (RFC 9207 §2.4).
fn check_issuer(app: &App, issuer: Option<&str>) -> Result<(), Error> {
    match issuer {
        Some(ISSUER) => Ok(()),
        None if !app.settings.require_issuer => Ok(()),
        Some(_) => Err(refused(
            "issuer_unknown",
            "The answer came from another issuer than the one that was asked.",
        )),
        None => Err(refused(
            "issuer_missing",
            "The answer does not say who made it, as the settings demand (google.require_issuer).",
        )),
    }
}
