//! What a consent brought: whether it is enough, whose it is, and the connection that it is kept in.

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::account_tag;
use super::answer::refused;
use super::purpose::Purpose;
use crate::app::{App, Error, Profile, reminders, tasks};
use crate::google::oauth::{AccessToken, Account, Grant};
use crate::model::audit::Action;
use crate::model::connection::{AccountTag, Connection, Health, Means};
use crate::model::id::ConnectionId;

/// What a consent brought, in full.
pub(super) struct Given {
    means: Means,
    account: AccountTag,
    sub: String,
    email: String,
    /// The account's own calendar.
    calendar: String,
    scopes: Vec<String>,
    token: SecretString,
    /// When Google ends it by itself, if Google said so.
    ends: Option<DateTime<Utc>>,
    pub(super) access: AccessToken,
}

impl Given {
    /// Asks Google whose the grant is.
    pub(super) async fn read(app: &App, means: Means, grant: Grant) -> Result<Self, Error> {
        let token = check_grant(app, &grant)?;
        let Grant { mut access, scopes, ends_in, .. } = grant;
        let Account { sub, email } = app.google.account(&access).await?;
        let account = account_tag(app, &sub);
        access.payer = Some(account);
        let calendar = app.google.primary(&access).await?;
        // Google names an account's own calendar by its address.
        let email = email.unwrap_or_else(|| calendar.clone());
        let ends = ends_in.map(|life| app.clock.now() + life);
        Ok(Self { means, account, sub, email, calendar, scopes, token, ends, access })
    }
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

/// Keeps a grant: in the connection of that account, if its owner ever had one, else in a new one. A
/// grant of another account than was asked for is given back.
pub(super) async fn keep(
    app: &App,
    purpose: &Purpose,
    given: Given,
) -> Result<(Connection, Profile), Error> {
    let owner = purpose.owner()?;
    let known = app.store.connections(&owner).await?;
    let wanted = match check_account(app, purpose, &known, &given) {
        Ok(()) => check_calendars(app, purpose, &given).await,
        Err(error) => Err(error),
    };
    let calendar = match wanted {
        Ok(calendar) => calendar,
        Err(error) => {
            give_back(app, &given).await?;
            return Err(error);
        }
    };
    let before = known.into_iter().find(|connection| connection.account == given.account);
    let (id, version) = match &before {
        Some(before) => (before.id, before.version + 1),
        None => (ConnectionId::random(&*app.random), 1),
    };
    let earlier = before.as_ref().map(|before| Ok::<_, Error>((app.profile(before)?, before)));
    let earlier = earlier.transpose()?;
    // Google counts the refresh tokens of an account until its grant is revoked.
    let tokens = match &earlier {
        Some((profile, before)) if before.state != Health::Disconnected => profile.tokens,
        _ => 0,
    };
    let chosen = earlier.map(|(profile, _)| profile.calendar);
    let profile = Profile {
        sub: given.sub,
        email: given.email,
        calendar: calendar.or(chosen).unwrap_or(given.calendar),
        scopes: given.scopes,
        ends: given.ends,
        tokens: tokens + 1,
    };
    let connection = Connection {
        id,
        account: given.account,
        means: given.means,
        state: Health::Connected,
        version,
        profile: app.seal_profile(&owner, id, version, &profile)?,
        token: Some(app.seal_token(&owner, id, version, &given.token)?),
        linked: app.clock.now(),
        owner,
    };
    let action = match before {
        Some(_) => Action::ConnectionReconnected,
        None => Action::ConnectionLinked,
    };
    let act = app.act(purpose.by()?, action).connection(&connection);
    let act = act.with("email", &profile.email).seal()?;
    if !app.store.put_connection(connection.clone(), None, act).await? {
        return Err(Error::Overtaken);
    }
    tracing::info!(connection.id = %id, reconnected = before.is_some(), "Google account connected");
    tasks::place_waiting(app, &connection.owner).await;
    reminders::place_waiting(app, &connection.owner).await;
    Ok((connection, profile))
}

/// Refuses an account that is not the one that was asked for.
fn check_account(
    app: &App,
    purpose: &Purpose,
    known: &[Connection],
    given: &Given,
) -> Result<(), Error> {
    let email = &given.email;
    let live = known.iter().find(|connection| connection.state != Health::Disconnected);
    let again = known.iter().find(|connection| purpose.connection() == Some(connection.id));
    for other in [live, again].into_iter().flatten() {
        if other.account != given.account {
            let connected = app.profile(other)?.email;
            let text = format!(
                "This connection is that of {connected}, and you agreed as another account ({email}), so nothing \
                 was changed. Connect as {connected} again, or disconnect first if you want to change the account."
            );
            return Err(Error::Consent { code: "wrong_account", text });
        }
    }
    match purpose.email() {
        Some(expected) if !expected.eq_ignore_ascii_case(email) => {
            let text = format!(
                "The account of {expected} was asked for, and you agreed as {email}, so nothing was connected. \
                 Ask for another link, and choose {expected} at Google."
            );
            Err(Error::Consent { code: "wrong_account", text })
        }
        _ => Ok(()),
    }
}

/// The calendar that is asked for first, once all that are asked for are there to be written to.
async fn check_calendars(
    app: &App,
    purpose: &Purpose,
    given: &Given,
) -> Result<Option<String>, Error> {
    let mut first = None;
    for wanted in &purpose.calendars {
        let Some(found) = app.google.writable(&given.access, wanted).await? else {
            let text = format!(
                "The account {} cannot write to the calendar {wanted}, which the application asked for, so nothing \
                 was connected. Let its owner share it with the right to make changes, or choose another account.",
                given.email
            );
            return Err(Error::Consent { code: "calendar_missing", text });
        };
        first.get_or_insert(found.id);
    }
    Ok(first)
}

/// Gives a grant back that is not kept, unless a connection lives by it: revoking one token ends
/// everything that the account granted.
async fn give_back(app: &App, given: &Given) -> Result<(), Error> {
    let linked = app.store.connections_to(&given.account).await?;
    if linked.iter().all(|connection| connection.state == Health::Disconnected)
        && let Err(failure) = app.google.revoke(&given.token).await
    {
        tracing::warn!(
            reason = failure.reason.as_deref(),
            "a grant that is not kept could not be given back"
        );
    }
    Ok(())
}
