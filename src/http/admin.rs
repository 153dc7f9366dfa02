//! The administrator's door: a socket beside the data, which only the daemon's own user may open.

use std::path::PathBuf;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::Door;
use super::problem::Problem;
use crate::app::{access, backup};

/// A fresh setup code.
#[derive(Serialize, Deserialize)]
pub struct SetupCode {
    /// The code: opens one admin session.
    pub code: String,
    /// Where it is typed in.
    pub url: String,
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
