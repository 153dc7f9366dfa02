//! The OAuth client on `/api/v1/oauth-client`: which it is, and its exchange.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Door;
use super::problem::{Code, Problem};
use crate::app::Error;
use crate::app::access::Caller;
use crate::app::client::{self, Exchange, Standing};

/// The OAuth client, as shown. Its secret never is.
#[derive(Serialize, ToSchema)]
pub struct ClientBody {
    object: &'static str,
    client_id: String,
    /// How many connections were granted to another client, and wait.
    reconnect_needed: u64,
    /// What that means, in a sentence.
    text: String,
}

/// `GET /api/v1/oauth-client`: which OAuth client is in use.
#[utoipa::path(
    get,
    path = "/api/v1/oauth-client",
    operation_id = "show_oauth_client",
    tag = "Operations",
    responses((status = 200, description = "The client.", body = ClientBody)),
    extensions(("x-codes" = json!([Code::NotConfigured])))
)]
pub async fn show(State(door): State<Door>) -> Result<Json<ClientBody>, Problem> {
    Ok(Json(client::standing(&door.app).await?.into()))
}

/// `PUT /api/v1/oauth-client`: the file as Google's console hands it out takes the place of the one
/// in use.
#[utoipa::path(
    put,
    path = "/api/v1/oauth-client",
    operation_id = "replace_oauth_client",
    tag = "Operations",
    request_body(content = Object, content_type = "application/json"),
    responses((status = 200, description = "The client that is in use now.", body = ClientBody)),
    extensions(("x-codes" = json!([Code::BadCredentials, Code::RedirectUri, Code::NotConfigured])))
)]
pub async fn replace(
    State(door): State<Door>,
    caller: Caller,
    body: Bytes,
) -> Result<Json<ClientBody>, Problem> {
    let json = std::str::from_utf8(&body)
        .map_err(|_| Error::BadCredentials { reason: "this is not UTF-8".into() })?;
    Ok(Json(client::replace(&door.app, &caller, json).await?.into()))
}

/// What an exchange means for those who connected an account.
pub fn consequence(standing: &Standing) -> String {
    let Standing { exchange, strangers, .. } = standing;
    match (exchange, strangers) {
        (Exchange::Same, 0) => "Every connection goes on with this OAuth client.".into(),
        (Exchange::Other, 0) => {
            "This is another OAuth client; no connection was granted to the one before.".into()
        }
        (_, strangers) => format!(
            "This is another OAuth client than the one that {strangers} {} granted to. What is meant for them waits \
             until their holders connect again, or until the old client's file is put back; nothing is lost.",
            if *strangers == 1 { "connection was" } else { "connections were" }
        ),
    }
}

impl From<Standing> for ClientBody {
    fn from(standing: Standing) -> Self {
        let text = consequence(&standing);
        Self {
            object: "oauth_client",
            client_id: standing.id,
            reconnect_needed: standing.strangers,
            text,
        }
    }
}
