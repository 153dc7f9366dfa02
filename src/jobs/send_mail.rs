//! Hands a delivery's mail to the server. What stands before all mails shuts their lane.

use super::verdict::end_of_own;
use crate::app::App;
use crate::app::mail::{self, Outcome};
use crate::model::id::ItemId;
use crate::model::job::{End, Obstacle, Until};

pub async fn run(app: &App, delivery: ItemId) -> End {
    match mail::deliver(app, delivery).await {
        Ok(Outcome::Over) => End::Done,
        Ok(Outcome::Failed(cause)) => End::GiveUp(cause),
        Ok(Outcome::Later(cause)) => End::Snooze(Until::Backoff, cause),
        Ok(Outcome::Shut(until, cause)) => End::Block(Obstacle::Lane(until), cause),
        Err(error) => end_of_own(&error),
    }
}
