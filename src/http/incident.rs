//! What an operator does when something went wrong, for the command line.

use axum::Json;
use axum::extract::State;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::Door;
use super::events::utc;
use super::problem::Problem;
use crate::app::access::Caller;
use crate::app::incident::{self, Renewed, Revoked};

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

/// What was taken back, as shown.
#[derive(Serialize, Deserialize)]
pub struct RevokedBody {
    /// API keys.
    pub keys: usize,
    /// Sessions, codes and links.
    pub tickets: usize,
    /// Linked accounts.
    pub connections: usize,
}

/// What was put in place of what opened doors until now, as shown.
#[derive(Serialize, Deserialize)]
pub struct RenewedBody {
    /// The keys.
    pub keys: Vec<RenewedKeyBody>,
    /// Sessions, codes and links that were voided.
    pub tickets: usize,
    /// A fresh setup code.
    pub setup_code: String,
}

/// A key in place of another, as shown this once.
#[derive(Serialize, Deserialize)]
pub struct RenewedKeyBody {
    /// What its maker calls both.
    pub name: String,
    /// The public half of the one that no longer works.
    pub old: String,
    /// The whole new key.
    pub key: String,
}

/// `POST /incident/revoke-all`: takes back everything that opens a door.
pub async fn revoke_all(
    State(door): State<Door>,
    caller: Caller,
) -> Result<Json<RevokedBody>, Problem> {
    let Revoked { keys, tickets, connections } = incident::revoke_all(&door.app, &caller).await?;
    Ok(Json(RevokedBody { keys, tickets, connections }))
}

/// `POST /incident/renew-all`: puts new keys in place of all, and ends every session.
pub async fn renew_all(
    State(door): State<Door>,
    caller: Caller,
) -> Result<Json<RenewedBody>, Problem> {
    let Renewed { keys, tickets, setup_code } = incident::renew_all(&door.app, &caller).await?;
    let keys = keys
        .into_iter()
        .map(|(old, new)| RenewedKeyBody {
            name: new.key.name,
            old: old.to_string(),
            key: new.secret.expose_secret().to_owned(),
        })
        .collect();
    let setup_code = setup_code.expose_secret().to_owned();
    Ok(Json(RenewedBody { keys, tickets, setup_code }))
}
