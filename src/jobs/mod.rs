//! What background work does: a file a kind, each safe to run twice.

mod fire_reminder;
mod follow_meet;
mod guests;
mod heir;
mod instance;
mod push_event;
mod revoke_grant;
mod send_mail;
mod verdict;
mod visit;

use crate::app::App;
use crate::model::job::{Claim, End, Kind, NewJob};
use crate::store::Learned;

/// What a run says of itself.
pub struct Report {
    /// How it ended.
    pub end: End,
    /// What it learned of its event.
    pub learned: Option<Learned>,
    /// Work that follows.
    pub then: Option<NewJob>,
}

impl Report {
    /// Of a run that ended so, and learned nothing.
    fn of(end: End) -> Self {
        Self { end, learned: None, then: None }
    }
}

/// Runs a job.
pub async fn run(app: App, claim: Claim) -> Report {
    match &claim.job.kind {
        Kind::PushEvent { event } => push_event::run(app, &claim.job, *event).await,
        Kind::FollowMeet { event } => follow_meet::run(app, &claim.job, *event).await,
        Kind::RevokeGrant { connection, version } => {
            Report::of(revoke_grant::run(&app, &claim, *connection, *version).await)
        }
        Kind::FireReminder { reminder } => Report::of(fire_reminder::run(&app, *reminder).await),
        Kind::SendMail { delivery } => Report::of(send_mail::run(&app, *delivery).await),
    }
}
