//! Tells what has come due of a reminder. When its reminder has another moment to come, the store lets
//! the job wait for that: here it is done.

use super::verdict::end_of_own;
use crate::app::{App, reminders};
use crate::model::id::ItemId;
use crate::model::job::End;

pub async fn run(app: &App, reminder: ItemId) -> End {
    match reminders::fire(app, reminder).await {
        Ok(()) => End::Done,
        Err(error) => end_of_own(&error),
    }
}
