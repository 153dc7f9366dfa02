//! What an operator does when something went wrong, for the command line.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::Door;
use super::events::utc;
use super::problem::Problem;
use crate::app::access::Caller;
use crate::app::incident;

/// Why writes are to be frozen.
#[derive(Serialize, Deserialize)]
pub struct FreezeWish {
    /// In the operator's own words.
    pub reason: String,
}

/// Whether writes are frozen, as shown.
#[derive(Serialize, Deserialize)]
pub struct FreezeBody {
    /// Since when; none if they are taken.
    pub since: Option<String>,
}

/// `POST /incident/freeze`: refuses writes until `thaw`.
pub async fn freeze(
    State(door): State<Door>,
    caller: Caller,
    Json(wish): Json<FreezeWish>,
) -> Result<Json<FreezeBody>, Problem> {
    let freeze = incident::freeze(&door.app, &caller, &wish.reason).await?;
    Ok(Json(FreezeBody { since: Some(utc(freeze.since)) }))
}

/// `POST /incident/thaw`: takes writes again.
pub async fn thaw(State(door): State<Door>, caller: Caller) -> Result<Json<FreezeBody>, Problem> {
    incident::thaw(&door.app, &caller).await?;
    Ok(Json(FreezeBody { since: None }))
}
