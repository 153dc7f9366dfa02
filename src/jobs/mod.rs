//! What background work does: a file a kind, each safe to run twice.

mod push_event;
mod revoke_grant;
mod verdict;

use crate::app::App;
use crate::model::job::{Claim, End, Kind};
use crate::store::Learned;

/// Runs a job: how that ended, and what was learned of its event.
pub async fn run(app: App, claim: Claim) -> (End, Option<Learned>) {
    match &claim.job.kind {
        // Looking after the link is part of a push, and a push safe to run twice.
        Kind::PushEvent { event } | Kind::FollowMeet { event } => {
            push_event::run(&app, *event, claim.job.spent).await
        }
        Kind::RevokeGrant { connection, version } => {
            (revoke_grant::run(&app, &claim, *connection, *version).await, None)
        }
    }
}
