//! A consent: to Google with PKCE and a state that works once, and back.

use chrono::TimeDelta;
use data_encoding::BASE64URL_NOPAD;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::{account_tag, client_tag, of_server};
use crate::app::audit::By;
use crate::app::{App, Error, Profile, tokens};
use crate::google::OauthClient;
use crate::google::oauth::{Account, Grant, ISSUER};
use crate::model::audit::Action;
use crate::model::connection::{Connection, Health, Means};
use crate::model::id::ConnectionId;
use crate::model::key::{Digest, Ticket, TicketKind};
use crate::model::owner::Owner;

/// A consent must come back within this time.
const CONSENT_LIFE: TimeDelta = TimeDelta::minutes(10);

/// A consent that a person is about to give.
#[derive(Debug)]
pub struct Consent {
    /// Where the person's browser goes now.
    pub url: String,
    /// What the browser must bring back, in a cookie.
    pub cookie: String,
}

/// What Google's redirect brings back (RFC 6749 §4.1.2, RFC 9207).
#[derive(Default, Deserialize)]
pub struct Answer {
    /// What the consent was begun with.
    pub state: Option<String>,
    /// What a token can be had for.
    pub code: Option<String>,
    /// Why there is none.
    pub error: Option<String>,
    /// Who says so.
    pub iss: Option<String>,
}

/// What the server remembers of a consent while the person is at Google.
#[derive(Serialize, Deserialize)]
struct Pending {
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
pub async fn begin(app: &App) -> Result<Consent, Error> {
    app.must_not_be_frozen()?;
    check_client(app)?;
    let client = app.oauth_client()?;
    let secret = || BASE64URL_NOPAD.encode(&app.random.bytes::<32>());
    let (state, cookie, verifier) = (secret(), secret(), secret());
    let shown_verifier = SecretString::from(verifier.clone());
    let digest = app.vault.tag("consent-state", &[state.as_bytes()]);
    let redirect_uri = app.settings.redirect_uri.clone();
    let login_hint = match of_server(app).await? {
        Some(connection) => Some(app.profile(&connection)?.email),
        None => None,
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
    let payload = app.seal_ticket(&digest, &Pending { verifier, browser, redirect_uri })?;
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
pub async fn finish(app: &App, answer: Answer, cookie: Option<&str>) -> Result<Profile, Error> {
    app.must_not_be_frozen()?;
    let pending = take_pending(app, &answer, cookie).await?;
    if let Some(error) = answer.error {
        return Err(explain(&error));
    }
    let Some(code) = answer.code else {
        return Err(refused(
            "no_code",
            "Google's answer holds neither a code nor an error. Connect once more.",
        ));
    };
    let client = app.oauth_client()?;
    let (code, verifier) = (SecretString::from(code), SecretString::from(pending.verifier));
    let means = Means::Consent { client: client_tag(app, &client) };
    let mut grant = app.google.exchange(&client, &pending.redirect_uri, &code, &verifier).await?;
    let refresh_token = check_grant(app, &grant)?;
    let account = app.google.account(&grant.access).await?;
    grant.access.payer = Some(account_tag(app, &account.sub));
    let calendar = app.google.primary(&grant.access).await?;
    let kept = keep(app, means, account, calendar, grant.scopes, refresh_token).await?;
    tokens::hold(app, kept.id, kept.version, grant.access).await;
    app.profile(&kept)
}

async fn take_pending(app: &App, answer: &Answer, cookie: Option<&str>) -> Result<Pending, Error> {
    let unknown = || {
        let text = "This consent is not known here: it was used before, is older than ten minutes, or began in \
                    another browser. Open the setup page and connect once more.";
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
    if let Some(issuer) = &answer.iss
        && issuer != ISSUER
    {
        return Err(refused(
            "issuer_unknown",
            "The answer came from another issuer than the one that was asked.",
        ));
    }
    Ok(pending)
}

/// The refresh token of a grant that is good for everything the bridge does.
fn check_grant(app: &App, grant: &Grant) -> Result<SecretString, Error> {
    let missing = missing_scopes(app, &grant.scopes);
    if !missing.is_empty() {
        let text = format!(
            "Google granted only a part of what is needed; missing: {}. Connect once more and leave every box ticked.",
            missing.join(", ")
        );
        return Err(Error::Consent { code: "scopes_missing", text });
    }
    grant.refresh_token.clone().ok_or_else(|| {
        let text = "Google granted access without a refresh token. Remove calbridge at \
                    https://myaccount.google.com/permissions and connect once more.";
        refused("no_refresh_token", text)
    })
}

/// The scopes that the bridge needs and `granted` lacks.
pub fn missing_scopes(app: &App, granted: &[String]) -> Vec<String> {
    let granted: Vec<&str> = granted.iter().map(|scope| plain_scope(scope)).collect();
    let wanted = app.settings.scopes.iter().map(|scope| plain_scope(scope));
    wanted.filter(|scope| !granted.contains(scope)).map(str::to_owned).collect()
}

/// Google writes `email` and `profile` in two ways.
fn plain_scope(scope: &str) -> &str {
    match scope {
        "https://www.googleapis.com/auth/userinfo.email" => "email",
        "https://www.googleapis.com/auth/userinfo.profile" => "profile",
        other => other,
    }
}

/// Keeps a grant: in the connection of that account, if there ever was one, else in a new one.
async fn keep(
    app: &App,
    means: Means,
    account: Account,
    calendar: String,
    scopes: Vec<String>,
    token: SecretString,
) -> Result<Connection, Error> {
    let tag = account_tag(app, &account.sub);
    // Google names an account's own calendar by its address.
    let email = account.email.unwrap_or_else(|| calendar.clone());
    let owner = Owner::Application;
    let known = app.store.connections(&owner).await?;
    let live = known.iter().find(|connection| connection.state != Health::Disconnected);
    if let Some(other) = live.filter(|connection| connection.account != tag) {
        let connected = app.profile(other)?.email;
        if app
            .store
            .connections_to(&tag)
            .await?
            .iter()
            .all(|connection| connection.state == Health::Disconnected)
            && let Err(failure) = app.google.revoke(&token).await
        {
            tracing::warn!(
                reason = failure.reason.as_deref(),
                "the grant of the wrong account could not be given back"
            );
        }
        let text = format!(
            "calbridge is connected as {connected}, and this is another account ({email}). Connect as {connected} \
             again, or disconnect first if you want to change the account."
        );
        return Err(Error::Consent { code: "wrong_account", text });
    }
    let before = known.into_iter().find(|connection| connection.account == tag);
    let (id, version) = match &before {
        Some(before) => (before.id, before.version + 1),
        None => (ConnectionId::random(&*app.random), 1),
    };
    let profile = Profile { sub: account.sub, email, calendar, scopes };
    let connection = Connection {
        id,
        account: tag,
        means,
        state: Health::Connected,
        version,
        profile: app.seal_profile(&owner, id, version, &profile)?,
        token: Some(app.seal_token(&owner, id, version, &token)?),
        linked: app.clock.now(),
        owner,
    };
    let action = match before {
        Some(_) => Action::ConnectionReconnected,
        None => Action::ConnectionLinked,
    };
    let act = app.act(By::Administrator, action).connection(&connection);
    let act = act.with("email", &profile.email).seal()?;
    if !app.store.put_connection(connection.clone(), None, act).await? {
        return Err(Error::Overtaken);
    }
    tracing::info!(connection.id = %id, reconnected = before.is_some(), "Google account connected");
    Ok(connection)
}

fn refused(code: &'static str, text: &str) -> Error {
    Error::Consent { code, text: text.into() }
}

/// What each error of an authorization answer means (RFC 6749 §4.1.2.1).
fn explain(error: &str) -> Error {
    let (code, text) = match error {
        "access_denied" => (
            "access_denied",
            "You, or your organisation's rules, said no, so nothing was connected. Connect once more and choose Allow.",
        ),
        "invalid_request" => (
            "invalid_request",
            "Google could not read the request. Check that the redirect URI in the Google Cloud Console is exactly \
             the one shown on the setup page.",
        ),
        "unauthorized_client" => (
            "unauthorized_client",
            "This OAuth client may not ask for consent in this way. Make a client of the type Web application and \
             download its file.",
        ),
        "unsupported_response_type" => (
            "unsupported_response_type",
            "Google does not give this client a code. Make a client of the type Web application and download its file.",
        ),
        "invalid_scope" => (
            "invalid_scope",
            "Google does not know one of the scopes asked for. Check google.scopes, and that the Calendar API is \
             enabled in the project.",
        ),
        "server_error" => {
            ("server_error", "Google had a fault of its own. Connect once more in a moment.")
        }
        "temporarily_unavailable" => (
            "temporarily_unavailable",
            "Google is overloaded or down for a while. Connect once more in a few minutes.",
        ),
        _ => (
            "unknown_error",
            "Google reported an error that its manual does not list. Connect once more; if it comes back, check the \
             consent screen in the Google Cloud Console.",
        ),
    };
    refused(code, text)
}
