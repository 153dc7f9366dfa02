//! The administrator's door: a socket beside the data, which only the daemon's own user may open.

use std::path::PathBuf;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::Door;
use super::events::utc;
use super::problem::Problem;
use crate::app::Error;
use crate::app::access::{self, Caller, KeyWish};
use crate::app::backup;
use crate::model::id::KeyId;
use crate::model::key::{ApiKey, Scope};

/// A fresh setup code.
#[derive(Serialize, Deserialize)]
pub struct SetupCode {
    /// The code: opens one admin session.
    pub code: String,
    /// Where it is typed in.
    pub url: String,
}

/// A key to be made.
#[derive(Serialize, Deserialize)]
pub struct NewKeyBody {
    /// What its maker calls it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Keeps the events of several backends apart.
    pub source: String,
}

/// A key, as shown.
#[derive(Serialize, Deserialize)]
pub struct KeyBody {
    /// Its public half.
    pub id: String,
    /// What its maker calls it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Keeps the events of several backends apart.
    pub source: String,
    /// When it was made.
    pub created: String,
    /// When it was taken back.
    pub revoked: Option<String>,
    /// The whole key: only in the answer to its making.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// An export that was made.
#[derive(Serialize, Deserialize)]
pub struct ExportBody {
    /// Where it lies, in the data directory. Whoever asked takes it away.
    pub file: PathBuf,
    /// How many records it has.
    pub records: u64,
}

/// `POST /setup-code`: a fresh one; earlier ones are void.
pub async fn setup_code(State(door): State<Door>) -> Result<Json<SetupCode>, Problem> {
    let code = access::new_setup_code(&door.app).await?;
    Ok(Json(SetupCode { code, url: door.app.settings.setup_url.clone() }))
}

/// `POST /export`: writes the whole store to a file.
pub async fn export(State(door): State<Door>) -> Result<Json<ExportBody>, Problem> {
    let (file, records) = backup::to_file(&door.app).await?;
    Ok(Json(ExportBody { file, records }))
}

/// `GET /api-keys`.
pub async fn list_keys(State(door): State<Door>) -> Result<Json<Vec<KeyBody>>, Problem> {
    let keys = door.app.store.keys().await.map_err(Error::from)?;
    Ok(Json(keys.iter().map(KeyBody::from).collect()))
}

/// `POST /api-keys`.
pub async fn create_key(
    State(door): State<Door>,
    caller: Caller,
    Json(body): Json<NewKeyBody>,
) -> Result<(StatusCode, Json<KeyBody>), Problem> {
    let scopes: Result<Vec<Scope>, _> = body.scopes.iter().map(|scope| scope.parse()).collect();
    let wish = KeyWish {
        name: body.name,
        scopes: scopes.map_err(Error::from)?,
        source: body.source,
        expires: None,
    };
    let made = access::create_key(&door.app, &caller, wish).await?;
    let shown =
        KeyBody { key: Some(made.secret.expose_secret().to_owned()), ..KeyBody::from(&made.key) };
    Ok((StatusCode::CREATED, Json(shown)))
}

/// `DELETE /api-keys/{id}`.
pub async fn revoke_key(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<KeyBody>, Problem> {
    let id: KeyId = id.parse().map_err(|_| Error::NotFound("API key"))?;
    Ok(Json(KeyBody::from(&access::revoke_key(&door.app, &caller, id).await?)))
}

impl From<&ApiKey> for KeyBody {
    fn from(key: &ApiKey) -> Self {
        Self {
            id: key.id.to_string(),
            name: key.name.clone(),
            scopes: key.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
            source: key.source.clone(),
            created: utc(key.created),
            revoked: key.revoked.map(utc),
            key: None,
        }
    }
}
