//! `POST /api/v1/connections`: an account for which a service account acts.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use super::Door;
use super::body::Body;
use super::openapi::{Email, Id, User};
use super::problem::{Code, Problem};
use crate::app::Error;
use crate::app::access::Caller;
use crate::app::connections::delegation;
use crate::model::owner::{Owner, UserId};

/// Whom the service account shall act for.
#[derive(Deserialize, Validate, ToSchema)]
#[schema(as = DelegationWish)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// The calling application's user; none for the server's own connection.
    #[schema(value_type = Option<User>)]
    user: Option<String>,
    #[validate(required(message = "is required: the user's address at Google"))]
    #[schema(required, value_type = Email)]
    subject: Option<String>,
}

/// The connection, as shown.
#[derive(Serialize, ToSchema)]
pub struct LinkedBody {
    object: &'static str,
    #[schema(value_type = Id)]
    id: String,
    means: &'static str,
    #[schema(value_type = Option<User>)]
    user: Option<String>,
    email: String,
    calendar: String,
}

/// `POST /api/v1/connections`: connects an account for which a service account acts.
#[utoipa::path(
    post,
    path = "/api/v1/connections",
    operation_id = "link_by_delegation",
    tag = "Connections",
    request_body = Wish,
    responses((status = 201, description = "The connection.", body = LinkedBody, headers(("Location" = String, description = "Where it is shown.")))),
    extensions(("x-codes" = json!([Code::NoServiceAccount, Code::Delegation, Code::WrongAccount, Code::Google, Code::Overtaken])))
)]
pub async fn link(
    State(door): State<Door>,
    caller: Caller,
    body: Body<Wish>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<LinkedBody>), Problem> {
    let Wish { user, subject } = body.value;
    let owner = match user.map(UserId::try_from).transpose().map_err(Error::from)? {
        Some(user) => Owner::User(user),
        None => Owner::Application,
    };
    let app = &door.app;
    let linked = delegation::link(app, &caller, owner, &subject.unwrap_or_default()).await?;
    let profile = app.profile(&linked)?;
    let user = match &linked.owner {
        Owner::Application => None,
        Owner::User(user) => Some(user.as_str().to_owned()),
    };
    let id = linked.id.to_string();
    let means = "delegation";
    let (email, calendar) = (profile.email, profile.calendar);
    let location = format!("/api/v1/connections/{id}");
    let body = LinkedBody { object: "connection", id, means, user, email, calendar };
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(body)))
}
