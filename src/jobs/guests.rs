//! The guests of a series that goes on from another: whom people added there comes along, and so does what
//! anybody answered. They are in Google's copy alone.

use serde_json::Value;

use super::visit::Visit;
use crate::app::Error;
use crate::google::error::Verdict;
use crate::google::oauth::AccessToken;

/// A series that was cut before Google had it has its guests from the one before, but no further back
/// than so many cuts.
const MOST_CUTS: usize = 8;

/// The guests of the series that the visit's event goes on from, as Google has them; none if it follows
/// nothing, or Google does not have that any more.
pub async fn inherited(visit: &Visit, token: &AccessToken) -> Result<Vec<Value>, Error> {
    let mut follows = visit.content.follows;
    for _ in 0..MOST_CUTS {
        let Some(id) = follows else { break };
        let Some(before) = visit.app.store.event(id).await? else { break };
        let content = visit.app.content(&before)?;
        if before.placement.connection != visit.event.placement.connection {
            break;
        }
        let events = visit.app.google.events(token, &content.calendar);
        match events.get(before.known.google_id).await {
            Ok(copy) if copy.cancelled => break,
            Ok(copy) => return Ok(copy.attendees),
            Err(failure) if failure.verdict == Verdict::NotFound => follows = content.follows,
            Err(failure) if failure.verdict == Verdict::Gone => break,
            Err(failure) => return Err(failure.into()),
        }
    }
    Ok(Vec::new())
}
