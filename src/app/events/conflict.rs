//! Taking an event in where something else may be in its way.

use super::create::{create, known};
use super::{Created, Wish};
use crate::app::access::Caller;
use crate::app::availability::{Found, OnConflict, in_the_way};
use crate::app::{App, Error, categories};

/// Takes `wish` in as [`create`] does, after a look at what is in its way. A request that is repeated is
/// not in its own way: nobody looks.
pub async fn create_unless_taken(
    app: &App,
    caller: &Caller,
    wish: Wish,
    on_conflict: OnConflict,
) -> Result<(Created, Found), Error> {
    let wish = categories::filled(app, caller, wish).await?;
    let found = look_out(app, caller, &wish, on_conflict).await?;
    Ok((create(app, caller, wish).await?, found))
}

/// What is in the way of `wish`, if its caller cares, or that it is refused for it.
pub async fn look_out(
    app: &App,
    caller: &Caller,
    wish: &Wish,
    on_conflict: OnConflict,
) -> Result<Found, Error> {
    if on_conflict == OnConflict::Allow || known(app, caller, wish).await?.is_some() {
        return Ok(Found::Nothing);
    }
    match in_the_way(app, caller, wish).await {
        Ok(busy) if busy.is_empty() => Ok(Found::Nothing),
        Ok(busy) if on_conflict == OnConflict::Reject => Err(Error::Conflict(busy)),
        Ok(_) => Ok(Found::Conflict),
        // An outage of Google is not ours, but who insists is not told that nothing is in the way.
        Err(Error::Google(_) | Error::Blocked(_) | Error::ClientChanged)
            if on_conflict == OnConflict::Warn =>
        {
            Ok(Found::Unknown)
        }
        Err(error) => Err(error),
    }
}
