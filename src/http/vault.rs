//! The master keys, as the command line sees them. No key is in any answer: only names.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::Door;
use super::problem::Problem;
use crate::app::access::Caller;
use crate::app::keyring::{self, Census};
use crate::app::{Error, rewrap};

/// How many records are sealed with which key.
#[derive(Debug, Serialize, Deserialize)]
pub struct CensusBody {
    /// Each key.
    pub keys: Vec<LoadBody>,
    /// How many records there are.
    pub records: u64,
    /// How many of them are not on the active key.
    pub old: u64,
    /// How many of them are no envelopes at all.
    pub damaged: u64,
}

/// What hangs on a key.
#[derive(Debug, Serialize, Deserialize)]
pub struct LoadBody {
    /// The key's name.
    pub key: String,
    /// `active`, `decrypt-only`, `retired`, or `missing` if the ring does not hold it.
    pub state: String,
    /// How many records it sealed.
    pub records: u64,
}

/// How far a rewrap has come.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct RewrapBody {
    /// Where the step before ended; none at the beginning.
    pub after: Option<String>,
}

/// What a step of a rewrap came to.
#[derive(Debug, Serialize, Deserialize)]
pub struct StepBody {
    /// How many records were looked at.
    pub seen: usize,
    /// How many were put under the active key.
    pub resealed: usize,
    /// Which do not open.
    pub unreadable: Vec<String>,
    /// Where the next step goes on; none at the end.
    pub next: Option<String>,
}

/// Keys, by their names.
#[derive(Debug, Serialize, Deserialize)]
pub struct KeysBody {
    /// Which.
    pub keys: Vec<String>,
}

/// How many records are on which key.
pub async fn census(State(door): State<Door>) -> Result<Json<CensusBody>, Problem> {
    Ok(Json(keyring::census(&door.app).await?.into()))
}

/// Makes a new active key, and names it.
pub async fn rotate(State(door): State<Door>, caller: Caller) -> Result<Json<KeysBody>, Problem> {
    let key = keyring::rotate(&door.app, &caller).await?;
    Ok(Json(KeysBody { keys: vec![key.to_string()] }))
}

/// Does one step of a rewrap.
pub async fn rewrap(
    State(door): State<Door>,
    caller: Caller,
    Json(body): Json<RewrapBody>,
) -> Result<Json<StepBody>, Problem> {
    let after = body.after.map(|after| after.parse()).transpose().map_err(Error::from)?;
    let rewrap::Step { seen, resealed, unreadable, next } =
        rewrap::step(&door.app, &caller, after).await?;
    let unreadable = unreadable.iter().map(ToString::to_string).collect();
    Ok(Json(StepBody { seen, resealed, unreadable, next: next.map(|next| next.to_string()) }))
}

/// Retires the keys that nothing hangs on, and names them.
pub async fn retire(State(door): State<Door>, caller: Caller) -> Result<Json<KeysBody>, Problem> {
    let keys = keyring::retire(&door.app, &caller).await?;
    Ok(Json(KeysBody { keys: keys.iter().map(ToString::to_string).collect() }))
}

impl From<Census> for CensusBody {
    fn from(census: Census) -> Self {
        let keys = census.keys.iter().map(|load| LoadBody {
            key: load.key.to_string(),
            state: load.state.map_or("missing", |state| state.as_str()).to_owned(),
            records: load.records,
        });
        Self {
            keys: keys.collect(),
            records: census.records(),
            old: census.old(),
            damaged: census.damaged,
        }
    }
}
