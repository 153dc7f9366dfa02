//! Reminders whose entry waits for an account.

use super::change::arrange_again;
use super::{State, calendar};
use crate::app::{App, Error};
use crate::model::item::Noun;
use crate::model::owner::Owner;
use crate::store::Asked;

/// So many reminders are looked at together.
const PAGE: usize = 100;

/// Makes the entries of the reminders that waited until `owner` connected an account. The account is
/// connected whatever comes of it: what still waits is looked for again from time to time.
pub async fn place_waiting(app: &App, owner: &Owner) {
    // Connecting an account is long enough without it.
    if let Err(error) = Box::pin(place_of(app, owner)).await {
        let error = &error as &dyn std::error::Error;
        tracing::error!(error, "not every reminder that waited for this account has its entry yet");
    }
}

async fn place_of(app: &App, owner: &Owner) -> Result<(), Error> {
    let asked = Asked {
        state: Some(State::Scheduled.number()),
        ..Asked::all(Noun::Reminder, owner.clone())
    };
    let (mut after, mut failed) = (None, Ok(()));
    loop {
        let (found, next) = app.store.items(&asked, after, PAGE).await?;
        for item in found {
            if !calendar::waits(&item, &app.reminder(&item)?) {
                continue;
            }
            // One that cannot have its entry keeps none of the others from theirs.
            if let Err(error) = arrange_again(app, item.id).await {
                failed = Err(error);
            }
        }
        match next {
            Some(_) => after = next,
            None => return failed,
        }
    }
}
