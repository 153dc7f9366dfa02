//! Tasks whose event waits for an account.

use super::State;
use super::TaskView;
use super::change::arrange_again;
use crate::app::{App, Error, reminders};
use crate::model::connection::Health;
use crate::model::history::By;
use crate::model::item::Noun;
use crate::model::owner::Owner;
use crate::store::Asked;

/// So many tasks, or accounts, are looked at together.
const PAGE: usize = 100;

/// Makes the events of the tasks that waited until `owner` connected an account. The account is
/// connected whatever comes of it: what still waits is looked for again from time to time.
pub async fn place_waiting(app: &App, owner: &Owner) {
    // Connecting an account is long enough without it.
    if let Err(error) = Box::pin(place_of(app, owner)).await {
        let error = &error as &dyn std::error::Error;
        tracing::error!(error, "not every task that waited for this account has its event yet");
    }
}

/// Makes the events of all tasks and reminders that wait for one though the account is connected: those
/// that could not be made when it was.
pub async fn place_all_waiting(app: &App) -> Result<(), Error> {
    let mut after = None;
    loop {
        let page = app.store.all_connections(after, PAGE).await?;
        for connection in page.iter().filter(|connection| connection.state == Health::Connected) {
            place_waiting(app, &connection.owner).await;
            reminders::place_waiting(app, &connection.owner).await;
        }
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(last.id),
            _ => return Ok(()),
        }
    }
}

async fn place_of(app: &App, owner: &Owner) -> Result<(), Error> {
    let asked =
        Asked { state: Some(State::Open.number()), ..Asked::all(Noun::Task, owner.clone()) };
    let (mut after, mut failed) = (None, Ok(()));
    loop {
        let (found, next) = app.store.items(&asked, after, PAGE).await?;
        for item in found.into_iter().filter(|item| item.at.is_some() && item.event.is_none()) {
            let task = app.task(&item)?;
            // One that cannot have its event keeps none of the others from theirs.
            if let Err(error) = arrange_again(app, By::Bridge, TaskView::of(item, task)).await {
                failed = Err(error);
            }
        }
        match next {
            Some(_) => after = next,
            None => return failed,
        }
    }
}
