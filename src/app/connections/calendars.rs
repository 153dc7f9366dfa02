//! The calendars that a connection can write to, and the one that events go to if nobody says
//! otherwise.

use super::{obstacle, resealed, seen};
use crate::app::access::Caller;
use crate::app::{App, Error, tokens};
use crate::google::calendars::Calendar;
use crate::google::error::{Failure, Verdict};
use crate::google::oauth::AccessToken;
use crate::model::connection::Connection;
use crate::model::id::ConnectionId;
use crate::model::invalid::Invalid;

/// Every calendar in the account's list at Google, as it is now.
pub async fn calendars(
    app: &App,
    caller: &Caller,
    id: ConnectionId,
) -> Result<Vec<Calendar>, Error> {
    let connection = seen(app, caller, id).await?;
    ask(app, &connection, async |token| app.google.calendars(token).await).await
}

/// Makes `calendar` the one that new events go to. Those that were accepted stay where they are.
pub async fn choose(
    app: &App,
    caller: &Caller,
    id: ConnectionId,
    calendar: &str,
) -> Result<Connection, Error> {
    let connection = seen(app, caller, id).await?;
    let found = ask(app, &connection, async |token| app.google.writable(token, calendar).await);
    let Some(found) = found.await? else {
        let rule = "the id of a calendar in the account's list that it may write to";
        return Err(Invalid::new("default_calendar", rule).into());
    };
    let mut profile = app.profile(&connection)?;
    if profile.calendar == found.id {
        return Ok(connection);
    }
    profile.calendar = found.id;
    let next = resealed(app, &connection, &profile)?;
    if !app.store.put_connection(next.clone(), None).await? {
        return Err(Error::Overtaken);
    }
    tracing::info!(connection.id = %id, "another default calendar was chosen");
    Ok(next)
}

/// Asks Google with the connection's token, and with a fresh one if Google does not take the first.
async fn ask<T>(
    app: &App,
    connection: &Connection,
    asked: impl AsyncFn(&AccessToken) -> Result<T, Failure>,
) -> Result<T, Error> {
    if let Some(cause) = obstacle(connection) {
        return Err(Error::Blocked(cause));
    }
    let token = tokens::access(app, connection).await.map_err(blocked)?;
    match asked(&token).await {
        Err(failure) if failure.verdict == Verdict::TokenRejected => {
            tokens::reject(app, connection, &token).await;
            let token = tokens::access(app, connection).await.map_err(blocked)?;
            Ok(asked(&token).await?)
        }
        other => Ok(other?),
    }
}

/// A dead grant is no fault of the line to Google.
fn blocked(error: Error) -> Error {
    match error {
        Error::Google(failure) if failure.verdict == Verdict::GrantDead => {
            Error::Blocked(crate::model::job::Cause::new("grant_dead", failure.text))
        }
        other => other,
    }
}
