//! The calendars that a connection can write to, and the one that events go to if nobody says
//! otherwise.

use super::{obstacle, resealed, seen};
use crate::app::access::Caller;
use crate::app::{App, Error, tokens};
use crate::google::calendars::Calendar;
use crate::google::error::Verdict;
use crate::google::oauth::AccessToken;
use crate::model::audit::Action;
use crate::model::connection::{Connection, Health};
use crate::model::id::ConnectionId;
use crate::model::invalid::Invalid;
use crate::model::job::Cause;

/// Every calendar in the account's list at Google, as it is now.
pub async fn calendars(
    app: &App,
    caller: &Caller,
    id: ConnectionId,
) -> Result<Vec<Calendar>, Error> {
    let connection = seen(app, caller, id).await?;
    let token = usable_token(app, &connection).await?;
    match app.google.calendars(&token).await {
        Err(failure) if failure.verdict == Verdict::TokenRejected => {
            let token = another_token(app, &connection, &token).await?;
            Ok(app.google.calendars(&token).await?)
        }
        answer => Ok(answer?),
    }
}

/// Makes `calendar` the one that new events go to. Those that were accepted stay where they are.
pub async fn choose(
    app: &App,
    caller: &Caller,
    id: ConnectionId,
    calendar: &str,
) -> Result<Connection, Error> {
    app.must_not_be_frozen()?;
    let connection = seen(app, caller, id).await?;
    let token = usable_token(app, &connection).await?;
    let found = match app.google.writable(&token, calendar).await {
        Err(failure) if failure.verdict == Verdict::TokenRejected => {
            let token = another_token(app, &connection, &token).await?;
            app.google.writable(&token, calendar).await
        }
        answer => answer,
    };
    let Some(found) = found? else {
        let rule = "the id of a calendar in the account's list that it may write to";
        return Err(Invalid::new("default_calendar", rule).into());
    };
    let mut profile = app.profile(&connection)?;
    if profile.calendar == found.id {
        return Ok(connection);
    }
    profile.calendar = found.id;
    let next = resealed(app, &connection, &profile)?;
    let act = app.act(caller, Action::ConnectionCalendarChosen).connection(&next);
    let act = act.with("calendar", &profile.calendar).seal()?;
    if !app.store.put_connection(next.clone(), None, act).await? {
        return Err(Error::Overtaken);
    }
    tracing::info!(connection.id = %id, "another default calendar was chosen");
    Ok(next)
}

/// A token for a connection that can be used.
pub(in crate::app) async fn usable_token(
    app: &App,
    connection: &Connection,
) -> Result<AccessToken, Error> {
    match obstacle(app, connection) {
        // What stands in a healthy account's way is today's client.
        Some(_) if connection.state == Health::Connected => return Err(Error::ClientChanged),
        Some(cause) => return Err(Error::Blocked(cause)),
        None => {}
    }
    match tokens::access(app, connection).await {
        // A dead grant is no fault of the line to Google.
        Err(Error::Google(failure)) if failure.verdict == Verdict::GrantDead => {
            Err(Error::Blocked(Cause::new("grant_dead", failure.text)))
        }
        answer => answer,
    }
}

/// Another, where Google did not take the first.
pub(in crate::app) async fn another_token(
    app: &App,
    connection: &Connection,
    refused: &AccessToken,
) -> Result<AccessToken, Error> {
    tokens::reject(app, connection, refused).await;
    usable_token(app, connection).await
}
