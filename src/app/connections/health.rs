//! How a connection fares: what Google last said, why a grant died and what mends it, and what may
//! end it next (Using OAuth 2.0 to Access Google APIs, "Refresh token expiration").

use chrono::{DateTime, TimeDelta, Utc};

use super::missing_scopes;
use crate::app::{App, Error, Profile};
use crate::google::error::Failure;
use crate::model::connection::{Connection, Health, Means};
use crate::model::job::Cause;

/// Google forgets a grant that was not used for six months.
const IDLE: TimeDelta = TimeDelta::days(180);
/// Of the refresh tokens of one account and client, Google keeps so many; the oldest dies without a
/// word.
const MOST_TOKENS: u32 = 100;
/// From so many on it is worth a warning.
const MANY_TOKENS: u32 = 50;

/// A connection, and all that is known of how it fares.
#[derive(Clone, Debug)]
pub struct View {
    /// As it is stored.
    pub connection: Connection,
    /// Who it is.
    pub profile: Profile,
    /// What stands in its way.
    pub cause: Option<Cause>,
    /// What mends that.
    pub fix: Option<&'static str>,
    /// What the bridge needs and was not granted.
    pub missing_scopes: Vec<String>,
    /// When Google last honoured the grant.
    pub last_refresh: Option<DateTime<Utc>>,
    /// What may end the grant, the next first.
    pub risks: Vec<Risk>,
}

/// Something that may end a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Risk {
    /// Stable, `snake_case`.
    pub code: &'static str,
    /// When, if that can be told.
    pub at: Option<DateTime<Utc>>,
    /// What happens, and what prevents it.
    pub text: String,
}

impl View {
    /// The risks that a person should know of now: those within two months, or at any moment.
    pub fn near_risks(&self, now: DateTime<Utc>) -> impl Iterator<Item = &Risk> {
        let near = now + TimeDelta::days(60);
        self.risks.iter().filter(move |risk| risk.at.is_none_or(|at| at < near))
    }
}

/// Everything that is known of a connection.
pub async fn view(app: &App, connection: Connection) -> Result<View, Error> {
    let profile = app.profile(&connection)?;
    let last_refresh = app.store.last_refresh(connection.id).await?;
    let cause = super::obstacle(app, &connection);
    let missing_scopes = match connection.means {
        Means::Consent { .. } => missing_scopes(app, &profile.scopes),
        Means::Delegation => Vec::new(),
    };
    let risks = match (&connection.state, connection.means) {
        (Health::Connected, Means::Consent { .. }) => {
            risks(app, &connection, &profile, last_refresh).await?
        }
        _ => Vec::new(),
    };
    let fix = cause.as_ref().map(|cause| fix(&cause.code));
    Ok(View { connection, profile, cause, fix, missing_scopes, last_refresh, risks })
}

async fn risks(
    app: &App,
    connection: &Connection,
    profile: &Profile,
    last_refresh: Option<DateTime<Utc>>,
) -> Result<Vec<Risk>, Error> {
    let mut risks = Vec::new();
    let tokens = tokens_of(app, connection).await?;
    if tokens >= MANY_TOKENS {
        risks.push(Risk {
            code: "token_limit",
            at: None,
            text: format!(
                "Google gave {tokens} refresh tokens for this account. It keeps {MOST_TOKENS} and ends the oldest \
                 without a word. Disconnect every connection to the account once, then connect again."
            ),
        });
    }
    if let Some(ends) = profile.ends {
        risks.push(Risk {
            code: "grant_ends",
            at: Some(ends),
            text: "Google ends this grant by itself then: the project is in testing, which gives seven days, or the \
                   person chose a time. Publish the app in the Google Cloud Console, and connect again."
                .into(),
        });
    }
    let used = last_refresh.map_or(connection.linked, |last| last.max(connection.linked));
    risks.push(Risk {
        code: "idle",
        at: Some(used + IDLE),
        text: "Google forgets a grant that was not used for six months. The bridge uses each every week while it runs."
            .into(),
    });
    risks.sort_by_key(|risk| risk.at);
    Ok(risks)
}

/// How many refresh tokens Google gave for the account, as far as is known here.
async fn tokens_of(app: &App, connection: &Connection) -> Result<u32, Error> {
    let linked = app.store.connections_to(&connection.account).await?;
    let counted = linked
        .iter()
        .filter(|other| other.state != Health::Disconnected && other.means == connection.means);
    let mut tokens = 0_u32;
    for other in counted {
        tokens = tokens.saturating_add(app.profile(other)?.tokens);
    }
    Ok(tokens)
}

/// Why Google ended a grant, as far as can be told at this moment: it gives one answer for all of it.
pub(in crate::app) async fn death(
    app: &App,
    connection: &Connection,
    failure: &Failure,
) -> Result<Cause, Error> {
    let now = app.clock.now();
    let last = app.store.last_refresh(connection.id).await?;
    let used = last.map_or(connection.linked, |last| last.max(connection.linked));
    Ok(if failure.reason.as_deref() == Some("admin_policy_enforced") {
        Cause::new(
            "admin_policy",
            "Google has ended the grant: an administrator of the account's organisation does not allow this \
             application, or not all that it asks for.",
        )
    } else if app.profile(connection)?.ends.is_some_and(|ends| ends <= now) {
        Cause::new(
            "grant_expired",
            "Google has ended the grant because its time was over: the Google Cloud project is in testing, which \
             gives seven days, or the person chose a time.",
        )
    } else if used + IDLE <= now {
        Cause::new(
            "grant_idle",
            "Google has ended the grant because it was not used for six months.",
        )
    } else if tokens_of(app, connection).await? > MOST_TOKENS {
        Cause::new(
            "token_limit",
            "Google has ended the grant, most likely because the account was connected more than a hundred times: \
             the oldest tokens end without a word.",
        )
    } else {
        Cause::new(
            "grant_dead",
            "Google has ended the grant. It does not say why; most often somebody removed the access in the Google \
             account's settings, or the account was closed.",
        )
    })
}

/// What mends a cause.
fn fix(code: &str) -> &'static str {
    match code {
        "admin_policy" => {
            "Let the organisation's administrator trust the application in the Google Admin console, then connect the \
             account again."
        }
        "grant_expired" => {
            "Publish the app on the OAuth consent screen of the Google Cloud Console, then connect the account again."
        }
        "token_limit" => "Disconnect every connection to the account, then connect it again.",
        "scope_missing" => "Connect the account again, and leave every box ticked.",
        "disconnected" => "Connect the account again; what waits for it then goes on.",
        "client_changed" => {
            "Connect the account again, or put the file of the OAuth client back that it was connected with."
        }
        _ => "Connect the same account again; what waits for it then goes on.",
    }
}
