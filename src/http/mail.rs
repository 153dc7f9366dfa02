//! `POST /api/v1/mail/test`: whether mail goes out, and what the server says if not.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::{Validate, ValidateEmail, ValidationError};

use super::Door;
use super::body::Body;
use super::events::CauseBody;
use super::problem::{Code, Problem};
use crate::app::mail::{self, Tried};

/// Where a mail shall go.
#[derive(Deserialize, Validate, ToSchema)]
#[schema(as = MailTest)]
#[serde(deny_unknown_fields)]
pub struct TestWish {
    /// The address.
    #[validate(required(message = "is required: an address to send a mail to"), custom(function = address))]
    #[schema(
        required,
        value_type = String,
        max_length = 254,
        pattern = "^[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?([.][A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$",
        example = "ana@example.com"
    )]
    to: Option<String>,
}

/// What the server said to a mail.
#[derive(Serialize, ToSchema)]
#[schema(as = MailTested)]
pub struct TestedBody {
    object: &'static str,
    /// Whether the server took it.
    accepted: bool,
    /// What it is known by.
    message_id: String,
    /// The server's answer, without addresses.
    said: Option<String>,
    /// Why it was not taken.
    cause: Option<CauseBody>,
}

fn address(address: &str) -> Result<(), ValidationError> {
    if address.is_ascii() && address.len() <= 254 && address.validate_email() {
        return Ok(());
    }
    Err(ValidationError::new("address")
        .with_message("must be an address such as `ana@example.com`".into()))
}

/// `POST /api/v1/mail/test`: sends a mail to an address, at once, and tells what the mail server said.
#[utoipa::path(
    post,
    path = "/api/v1/mail/test",
    operation_id = "test_mail",
    tag = "Operations",
    request_body = TestWish,
    responses((status = 200, description = "What the mail server said.", body = TestedBody)),
    extensions(("x-codes" = json!([Code::MailNotConfigured])))
)]
pub async fn test(
    State(door): State<Door>,
    body: Body<TestWish>,
) -> Result<Json<TestedBody>, Problem> {
    let tried = mail::try_out(&door.app, body.value.to.unwrap_or_default()).await?;
    Ok(Json(tried.into()))
}

impl From<Tried> for TestedBody {
    fn from(tried: Tried) -> Self {
        let (said, cause) = match &tried.outcome {
            Ok(accepted) => (Some(accepted.said.clone()), None),
            Err(error) => (None, Some((&error.cause).into())),
        };
        let (object, accepted) = ("mail_test", tried.outcome.is_ok());
        Self { object, accepted, message_id: tried.message_id, said, cause }
    }
}
