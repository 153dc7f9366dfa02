//! Tells Google that a grant is over, unless the account was linked again meanwhile: revoking one
//! token ends everything the account ever granted to this client.

use super::verdict::{cause_of, end_of_own};
use crate::app::{App, Error};
use crate::google::error::Verdict;
use crate::model::connection::Health;
use crate::model::id::ConnectionId;
use crate::model::job::{Claim, End, Obstacle, Until};

pub async fn run(app: &App, claim: &Claim, connection: ConnectionId, version: u32) -> End {
    match revoke(app, claim, connection, version).await {
        Ok(()) => End::Done,
        Err(Error::Google(failure)) => match failure.verdict {
            Verdict::Outage | Verdict::Operator => {
                End::Block(Obstacle::Google(Until::Backoff), cause_of(&failure))
            }
            Verdict::Refused => End::GiveUp(cause_of(&failure)),
            _ => End::Snooze(Until::Backoff, cause_of(&failure)),
        },
        Err(other) => end_of_own(&other),
    }
}

async fn revoke(app: &App, claim: &Claim, id: ConnectionId, version: u32) -> Result<(), Error> {
    let Some(sealed) = &claim.payload else { return Ok(()) };
    let connection = app.store.connection(id).await?.ok_or(Error::NotFound("connection"))?;
    let linked = app.store.connections_to(&connection.account).await?;
    if linked.iter().any(|linked| linked.state != Health::Disconnected) {
        tracing::info!(connection.id = %id, "the account was connected again; its grant is left alone");
        return Ok(());
    }
    let token = app.open_token(&connection.owner, id, version, sealed)?;
    app.google.revoke(&token).await?;
    tracing::info!(connection.id = %id, "the grant was revoked at Google");
    Ok(())
}
