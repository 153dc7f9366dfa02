//! Letting go of an account.

use super::{of_server, resealed, seen};
use crate::app::access::Caller;
use crate::app::{App, Error};
use crate::model::audit::Action;
use crate::model::connection::{Connection, Health};
use crate::model::id::{ConnectionId, JobId};
use crate::model::job::{Class, Kind, Lane, Line, NewJob};
use crate::store::{Touched, Which};

/// So many jobs are looked at at once.
const PAGE: usize = 500;

/// What becomes of the jobs that wait for a connection that is taken away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Waiting {
    /// They go on waiting, and run when the same account is connected again.
    #[default]
    Kept,
    /// They are taken back. Their events stay as they are known, and each can be retried.
    Cancelled,
}

/// Lets go of an account: forgets its token at once, and tells Google as soon as Google listens,
/// unless another connection lives by the same grant. Its events stay where they are. Done again, it
/// does what is left of it. Returns how many jobs were taken back.
pub async fn disconnect(
    app: &App,
    caller: &Caller,
    id: ConnectionId,
    waiting: Waiting,
) -> Result<(Connection, u64), Error> {
    let mut connection = seen(app, caller, id).await?;
    if connection.state != Health::Disconnected {
        connection = let_go(app, caller, &connection).await?;
    }
    let cancelled = match waiting {
        Waiting::Kept => 0,
        Waiting::Cancelled => cancel_all(app, &connection).await?,
    };
    Ok((connection, cancelled))
}

/// The same for the server's account.
pub async fn disconnect_server(
    app: &App,
    caller: &Caller,
    waiting: Waiting,
) -> Result<(Connection, u64), Error> {
    let Some(connection) = of_server(app).await? else {
        return Err(Error::NotConnected { setup_url: app.settings.setup_url.clone() });
    };
    disconnect(app, caller, connection.id, waiting).await
}

/// Forgets the connection's token at once, and tells Google as soon as Google listens.
pub(in crate::app) async fn let_go(
    app: &App,
    caller: &Caller,
    connection: &Connection,
) -> Result<Connection, Error> {
    let profile = app.profile(connection)?;
    let mut next = resealed(app, connection, &profile)?;
    next.state = Health::Disconnected;
    let now = app.clock.now();
    let revocation = next.token.take().map(|token| NewJob {
        id: JobId::at(now, &*app.random),
        kind: Kind::RevokeGrant { connection: next.id, version: next.version },
        line: Line { class: Class::Normal, owner: next.owner.clone(), lane: Lane::Grants },
        created: now,
        due: now,
        payload: Some(token),
    });
    let act = app.act(caller, Action::ConnectionDisconnected).connection(&next);
    let act = act.with("email", &profile.email).seal()?;
    if !app.store.put_connection(next.clone(), revocation, act).await? {
        return Err(Error::Overtaken);
    }
    app.tokens.forget(next.id);
    tracing::info!(connection.id = %next.id, "Google account disconnected");
    Ok(next)
}

/// Takes back what waits in the connection's lanes. What runs at this moment finds the account gone,
/// and waits again.
async fn cancel_all(app: &App, connection: &Connection) -> Result<u64, Error> {
    let now = app.clock.now();
    let (mut after, mut cancelled) = (None, 0);
    loop {
        let (jobs, next) = app.store.jobs(Which::Live, None, after, PAGE).await?;
        for job in jobs {
            let theirs = matches!(job.line.lane, Lane::Calendar { connection: id, .. } if id == connection.id);
            if theirs && matches!(app.store.cancel(job.id, now).await?, Touched::Yes(_)) {
                cancelled += 1;
            }
        }
        after = next;
        if after.is_none() {
            break;
        }
    }
    tracing::info!(connection.id = %connection.id, cancelled, "what waited for the account was cancelled");
    Ok(cancelled)
}
