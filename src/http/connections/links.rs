//! Links by which users connect their accounts, and the codes that they bring back.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use super::{connection_id, refused, user_of};
use crate::app::access::{Caller, Who};
use crate::app::connections::{self, Link, LinkWish};
use crate::http::Door;
use crate::http::body::Body;
use crate::http::events::utc;
use crate::http::openapi::{Id, User};
use crate::http::problem::{Code, Problem};
use crate::model::invalid::Invalid;
use crate::model::owner::{Owner, UserId};

/// A link to be made.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLink {
    /// Who shall connect an account; a user who asks names nobody but themself, or nobody.
    #[schema(value_type = Option<User>)]
    user: Option<String>,
    /// Where the user is sent afterwards: one of `connections.return_to`.
    #[schema(format = "uri")]
    return_to: Option<String>,
    /// Shown again there, as it is.
    #[schema(max_length = 512, pattern = "^[!-~]*$")]
    state: Option<String>,
    /// Which calendars the account must be able to write to.
    #[schema(max_items = 20)]
    calendars: Option<Vec<String>>,
    /// Which account it must be.
    #[schema(max_length = 254)]
    expected_email: Option<String>,
}

/// A link to be made for a connection that is there.
#[derive(Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReconnect {
    /// Where the user is sent afterwards: one of `connections.return_to`.
    #[schema(format = "uri")]
    return_to: Option<String>,
    /// Shown again there, as it is.
    #[schema(max_length = 512, pattern = "^[!-~]*$")]
    state: Option<String>,
}

/// What a user brought back.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReturnedCode {
    #[validate(required(message = "is required: what came back as `code`"))]
    #[schema(required, value_type = String)]
    code: Option<String>,
}

/// A link, as shown this once.
#[derive(Serialize, ToSchema)]
pub struct LinkBody {
    object: &'static str,
    /// What to show to the user. It works once.
    url: String,
    #[schema(format = DateTime)]
    expires: String,
    #[schema(value_type = Option<User>)]
    user: Option<String>,
}

/// What a code stands for, as shown this once.
#[derive(Serialize, ToSchema)]
pub struct ResultBody {
    object: &'static str,
    #[schema(value_type = Id)]
    connection: String,
    #[schema(value_type = Option<User>)]
    user: Option<String>,
}

/// `POST /api/v1/connections/links`: a link by which a user connects an account.
#[utoipa::path(
    post,
    path = "/api/v1/connections/links",
    operation_id = "create_link",
    tag = "Connections",
    request_body = NewLink,
    responses((status = 201, description = "The link, in this answer alone.", body = LinkBody)),
    extensions(("x-codes" = json!([Code::NotConfigured, Code::RedirectUri])))
)]
pub async fn create(
    State(door): State<Door>,
    caller: Caller,
    body: Body<NewLink>,
) -> Result<(StatusCode, Json<LinkBody>), Problem> {
    let NewLink { user, return_to, state, calendars, expected_email } = body.value;
    let owner = match (user, &caller.who) {
        (Some(user), _) => {
            Owner::User(UserId::try_from(user).map_err(|e| refused(&Invalid::new("user", e.rule)))?)
        }
        (None, Who::User(user)) => Owner::User(user.clone()),
        (None, _) => {
            let rule = "is required: the application's own id of who shall connect an account";
            return Err(refused(&Invalid::new("user", rule)));
        }
    };
    let calendars = calendars.unwrap_or_default();
    let wish = LinkWish { return_to, state, calendars, expected_email };
    let link = connections::invite(&door.app, &caller, &owner, wish).await?;
    Ok((StatusCode::CREATED, Json(LinkBody::new(&link, &owner))))
}

/// `POST /api/v1/connections/{id}/reconnect`: a link by which the same account is connected again.
#[utoipa::path(
    post,
    path = "/api/v1/connections/{id}/reconnect",
    operation_id = "reconnect",
    tag = "Connections",
    params(("id" = Id, Path)),
    request_body = Option<NewReconnect>,
    responses((status = 201, description = "The link, in this answer alone.", body = LinkBody)),
    extensions(("x-codes" = json!([Code::NotConfigured, Code::RedirectUri])))
)]
pub async fn reconnect(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    body: Option<Body<NewReconnect>>,
) -> Result<(StatusCode, Json<LinkBody>), Problem> {
    let id = connection_id(&id)?;
    let NewReconnect { return_to, state } = body.map(|body| body.value).unwrap_or_default();
    let wish = LinkWish { return_to, state, ..LinkWish::default() };
    let link = connections::invite_again(&door.app, &caller, id, wish).await?;
    let owner = connections::seen(&door.app, &caller, id).await?.owner;
    Ok((StatusCode::CREATED, Json(LinkBody::new(&link, &owner))))
}

/// `POST /api/v1/connections/codes`: what came of a link, for the code that its user brought back.
#[utoipa::path(
    post,
    path = "/api/v1/connections/codes",
    operation_id = "redeem_code",
    tag = "Connections",
    request_body = ReturnedCode,
    responses((status = 200, description = "The connection that came of the link.", body = ResultBody)),
    extensions(("x-codes" = json!([Code::NotFound])))
)]
pub async fn redeem(
    State(door): State<Door>,
    caller: Caller,
    body: Body<ReturnedCode>,
) -> Result<Json<ResultBody>, Problem> {
    let code = SecretString::from(body.value.code.unwrap_or_default());
    let receipt = connections::redeem(&door.app, &caller, &code).await?;
    Ok(Json(ResultBody {
        object: "connection_result",
        connection: receipt.connection.to_string(),
        user: user_of(&receipt.owner),
    }))
}

impl LinkBody {
    fn new(link: &Link, owner: &Owner) -> Self {
        Self {
            object: "connection_link",
            url: link.url.expose_secret().to_owned(),
            expires: utc(link.expires),
            user: user_of(owner),
        }
    }
}
