//! Accounts for which a service account acts: linked by whoever administers their organisation, without
//! a consent and without a token to keep.

use super::super::access::{Caller, Who};
use super::super::{App, Error, Profile, reminders, tasks};
use super::account_tag;
use crate::google::ServiceAccount;
use crate::google::error::{Failure, Verdict};
use crate::google::oauth::AccessToken;
use crate::model::audit::Action;
use crate::model::connection::{Connection, Health, Means};
use crate::model::id::{ConnectionId, base32hex};
use crate::model::invalid::Invalid;
use crate::model::owner::Owner;

/// Scopes that begin so are the calendar's: all that a service account needs.
const CALENDAR: &str = "https://www.googleapis.com/auth/calendar";

/// Links the account whose address is `subject` to `owner`, if the service account may act for it now.
/// Users link nobody so: whoever names an address would get that account.
pub async fn link(
    app: &App,
    caller: &Caller,
    owner: Owner,
    subject: &str,
) -> Result<Connection, Error> {
    if matches!(caller.who, Who::User(_)) {
        return Err(Error::NotForUsers);
    }
    app.must_not_be_frozen()?;
    let subject = subject.trim().to_lowercase();
    let sound = subject.len() <= 254
        && subject.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
        && subject.bytes().all(|byte| byte.is_ascii_graphic());
    if !sound {
        return Err(Invalid::new("subject", "a user's e-mail address").into());
    }
    let account = app.service_account()?;
    let profile = Profile {
        sub: name_of(&account.client_id, &subject),
        email: subject,
        calendar: String::new(),
        scopes: scopes(app).into_iter().map(str::to_owned).collect(),
        ends: None,
        tokens: 0,
    };
    let tag = account_tag(app, &profile.sub);
    let mut access = token(app, &account, &profile).await.map_err(refused)?;
    access.payer = Some(tag);
    let calendar = app.google.primary(&access).await.map_err(refused)?;
    let known = app.store.connections(&owner).await?;
    let live = known.iter().find(|connection| connection.state != Health::Disconnected);
    if live.is_some_and(|other| other.account != tag) {
        let text = "Another Google account is connected here already. Disconnect it first if you want to change \
                    the account.";
        return Err(Error::Consent { code: "wrong_account", text: text.into() });
    }
    let before = known.into_iter().find(|connection| connection.account == tag);
    let (id, version) = match &before {
        Some(before) => (before.id, before.version + 1),
        None => (ConnectionId::random(&*app.random), 1),
    };
    let calendar = match &before {
        Some(before) => app.profile(before)?.calendar,
        None => calendar,
    };
    let profile = Profile { calendar, ..profile };
    let connection = Connection {
        id,
        account: tag,
        means: Means::Delegation,
        state: Health::Connected,
        version,
        profile: app.seal_profile(&owner, id, version, &profile)?,
        token: None,
        linked: app.clock.now(),
        owner,
    };
    let action = match before {
        Some(_) => Action::ConnectionReconnected,
        None => Action::ConnectionLinked,
    };
    let act = app.act(caller, action).connection(&connection);
    let act = act.with("email", &profile.email).seal()?;
    if !app.store.put_connection(connection.clone(), None, act).await? {
        return Err(Error::Overtaken);
    }
    tracing::info!(connection.id = %id, again = before.is_some(), "Google account linked by delegation");
    tasks::place_waiting(app, &connection.owner).await;
    reminders::place_waiting(app, &connection.owner).await;
    Ok(connection)
}

/// An access token with which the service account acts for who `profile` is. Google counts its calls
/// for that user, not for the service account, if they say whom they are for.
pub async fn token(
    app: &App,
    account: &ServiceAccount,
    profile: &Profile,
) -> Result<AccessToken, Failure> {
    let access = app.google.act_for(account, &profile.email, &scopes(app)).await?;
    let quota_user = Some(base32hex(&account_tag(app, &profile.sub)));
    Ok(AccessToken { quota_user, ..access })
}

/// What a service account is known by while it acts for a user: no `sub` of Google's has a space.
fn name_of(client_id: &str, subject: &str) -> String {
    format!("{client_id} {subject}")
}

/// What is asked for: who the user is need not be, since that is said already.
fn scopes(app: &App) -> Vec<&str> {
    let all = app.settings.scopes.iter().map(String::as_str);
    all.filter(|scope| scope.starts_with(CALENDAR)).collect()
}

fn refused(failure: Failure) -> Error {
    match failure.verdict {
        Verdict::Delegation => Error::Delegation(failure.text),
        _ => failure.into(),
    }
}
