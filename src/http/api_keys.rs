//! API keys: listed and looked at without their secrets, made, taken back. Over HTTP and from the
//! command line alike.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Array, ArrayBuilder};
use validator::Validate;

use super::Door;
use super::body::Body;
use super::events::utc;
use super::openapi::{Id, word};
use super::problem::{FieldError, Problem};
use crate::app::Error;
use crate::app::access::{self, Caller, KeyWish};
use crate::model::id::KeyId;
use crate::model::invalid::Invalid;
use crate::model::key::{ApiKey, Scope};
use crate::model::when::read_instant;

/// A key to be made.
#[derive(Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKeyBody {
    /// What its maker calls it.
    #[schema(min_length = 1, max_length = 64, pattern = "^[ -~]*$")]
    pub name: String,
    /// What it may do.
    #[schema(schema_with = scopes)]
    pub scopes: Vec<String>,
    /// Keeps the events of several backends apart.
    #[serde(default)]
    #[schema(max_length = 64, pattern = "^[ -~]*$")]
    pub source: String,
    /// From when on it opens nothing: RFC 3339, of the years 1970 to 2099.
    #[serde(default)]
    #[schema(format = DateTime)]
    pub expires: Option<String>,
}

/// A key, as shown.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct KeyBody {
    /// `api_key`.
    pub object: String,
    /// Its public half.
    #[schema(value_type = Id)]
    pub id: String,
    /// What its maker calls it.
    pub name: String,
    /// What it may do.
    #[schema(schema_with = scopes)]
    pub scopes: Vec<String>,
    /// Keeps the events of several backends apart.
    pub source: String,
    /// When it was made.
    #[schema(format = DateTime)]
    pub created: String,
    /// From when on it opens nothing.
    #[schema(format = DateTime)]
    pub expires: Option<String>,
    /// When it was taken back.
    #[schema(format = DateTime)]
    pub revoked: Option<String>,
    /// When it was used last, as far as is known.
    #[schema(format = DateTime)]
    pub last_used: Option<String>,
    /// The whole key: only in the answer to its making.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

fn scopes() -> Array {
    let names = Scope::ALL.map(Scope::as_str);
    ArrayBuilder::new().items(word(names)).min_items(Some(1)).build()
}

/// Every key, as shown.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct KeysBody {
    /// `list`.
    pub object: String,
    /// The keys.
    pub data: Vec<KeyBody>,
}

/// `GET /api/v1/api-keys`: every API key, without its secret.
#[utoipa::path(
    get,
    path = "/api/v1/api-keys",
    operation_id = "list_api_keys",
    tag = "API keys",
    responses((status = 200, description = "The keys.", body = KeysBody))
)]
pub async fn list(State(door): State<Door>) -> Result<Json<KeysBody>, Problem> {
    let keys = door.app.store.keys().await.map_err(Error::from)?;
    let uses = access::last_uses(&door.app).await?;
    let body = |key: &ApiKey| KeyBody {
        last_used: uses.get(&key.id).copied().map(utc),
        ..KeyBody::from(key)
    };
    let data = keys.iter().map(body).collect();
    Ok(Json(KeysBody { object: "list".to_owned(), data }))
}

/// `GET /api/v1/api-keys/{id}`: shows an API key, without its secret.
#[utoipa::path(
    get,
    path = "/api/v1/api-keys/{id}",
    operation_id = "show_api_key",
    tag = "API keys",
    params(("id" = Id, Path)),
    responses((status = 200, description = "The key.", body = KeyBody))
)]
pub async fn show(
    State(door): State<Door>,
    Path(id): Path<String>,
) -> Result<Json<KeyBody>, Problem> {
    let id = key_id(&id)?;
    let key = door.app.store.key(id).await.map_err(Error::from)?;
    let key = key.ok_or(Error::NotFound("API key"))?;
    let last_used = access::last_uses(&door.app).await?.get(&id).copied().map(utc);
    Ok(Json(KeyBody { last_used, ..KeyBody::from(&key) }))
}

/// `POST /api/v1/api-keys`: makes a key, whose secret is in this answer alone.
#[utoipa::path(
    post,
    path = "/api/v1/api-keys",
    operation_id = "create_api_key",
    tag = "API keys",
    request_body = NewKeyBody,
    responses((status = 201, description = "The key, whole in this answer alone.", body = KeyBody, headers(("Location" = String, description = "Where it is shown."))))
)]
pub async fn create(
    State(door): State<Door>,
    caller: Caller,
    body: Body<NewKeyBody>,
) -> Result<Response, Problem> {
    let wish = KeyWish::try_from(body.value)?;
    let made = access::create_key(&door.app, &caller, wish).await?;
    let location = format!("/api/v1/api-keys/{}", made.key.id);
    let shown =
        KeyBody { key: Some(made.secret.expose_secret().to_owned()), ..KeyBody::from(&made.key) };
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(shown)).into_response())
}

/// `DELETE /api/v1/api-keys/{id}`: takes a key back.
#[utoipa::path(
    delete,
    path = "/api/v1/api-keys/{id}",
    operation_id = "revoke_api_key",
    tag = "API keys",
    params(("id" = Id, Path)),
    responses((status = 200, description = "The key that was taken back.", body = KeyBody))
)]
pub async fn revoke(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<KeyBody>, Problem> {
    Ok(Json(KeyBody::from(&access::revoke_key(&door.app, &caller, key_id(&id)?).await?)))
}

/// Ids that cannot be are told as those that are not.
fn key_id(id: &str) -> Result<KeyId, Error> {
    id.parse().map_err(|_| Error::NotFound("API key"))
}

impl TryFrom<NewKeyBody> for KeyWish {
    type Error = Problem;

    fn try_from(body: NewKeyBody) -> Result<Self, Problem> {
        let scopes: Result<Vec<Scope>, Invalid> =
            body.scopes.iter().map(|scope| scope.parse()).collect();
        let expires = body.expires.as_deref();
        let expires = expires.map(|expires| read_instant("expires", expires)).transpose();
        let mut errors: Vec<FieldError> = Vec::new();
        errors.extend(scopes.as_ref().err().map(FieldError::from));
        errors.extend(expires.as_ref().err().map(FieldError::from));
        let (Ok(scopes), Ok(expires)) = (scopes, expires) else {
            return Err(Problem::fields(errors));
        };
        Ok(Self { name: body.name, scopes, source: body.source, expires })
    }
}

impl From<&ApiKey> for KeyBody {
    fn from(key: &ApiKey) -> Self {
        Self {
            object: "api_key".to_owned(),
            id: key.id.to_string(),
            name: key.name.clone(),
            scopes: key.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
            source: key.source.clone(),
            created: utc(key.created),
            expires: key.expires.map(utc),
            revoked: key.revoked.map(utc),
            last_used: None,
            key: None,
        }
    }
}
