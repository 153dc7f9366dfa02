//! Who is it: OpenID discovery, the keys, userinfo and tokeninfo, each under all of Google's names.

use axum::Router;
use axum::extract::State as Shared;
use axum::http::{StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use serde_json::{Map, Value, json};

use super::Simulator;
use super::answer::{self, Answer, oauth_error};
use super::call::{Asked, Call, Desk, Routes};
use super::grants::AccessToken;
use super::id_token::ISSUER;
use super::{generator, scopes};

/// How long clients may keep discovery and keys. Google's own number goes up and down by hours.
const CACHED: &str = "public, max-age=3600, must-revalidate, no-transform";

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/oauth2/v3/certs", get(keys))
        .route("/oauth2/v1/certs", get(certificates))
        .route("/v1/userinfo", get(userinfo).post(userinfo))
        .route("/oauth2/v3/userinfo", get(userinfo).post(userinfo))
        .route("/oauth2/v2/userinfo", get(old_userinfo))
        .route("/oauth2/v1/userinfo", get(old_userinfo))
        .route("/tokeninfo", get(tokeninfo).post(tokeninfo))
        .route("/oauth2/v3/tokeninfo", get(tokeninfo).post(tokeninfo))
        .route("/oauth2/v2/tokeninfo", get(old_tokeninfo).post(old_tokeninfo))
        .route("/oauth2/v1/tokeninfo", get(old_tokeninfo).post(old_tokeninfo))
}

async fn discovery(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let call = Call { method: "openid_configuration", ..Call::default() };
    simulator.run(asked, call, |desk| published(&configuration(&desk.asked.base(desk.state)))).await
}

/// Google's document with the addresses of the simulator, and nothing the simulator cannot do.
fn configuration(base: &str) -> Value {
    json!({
        "issuer": ISSUER,
        "authorization_endpoint": format!("{base}/o/oauth2/v2/auth"),
        "token_endpoint": format!("{base}/token"),
        "userinfo_endpoint": format!("{base}/v1/userinfo"),
        "revocation_endpoint": format!("{base}/revoke"),
        "jwks_uri": format!("{base}/oauth2/v3/certs"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "email", "profile"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "claims_supported": ["aud", "email", "email_verified", "exp", "family_name", "given_name",
            "iat", "iss", "name", "sub"],
        "code_challenge_methods_supported": ["plain", "S256"],
        "grant_types_supported": ["authorization_code", "refresh_token",
            "urn:ietf:params:oauth:grant-type:jwt-bearer"],
        "authorization_response_iss_parameter_supported": true,
    })
}

async fn keys(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let call = Call { method: "certs", ..Call::default() };
    simulator
        .run(asked, call, |desk| published(&desk.state.signer.jwks(desk.state.settings.seed)))
        .await
}

async fn certificates(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let call = Call { method: "certs", ..Call::default() };
    simulator
        .run(asked, call, |desk| {
            published(&desk.state.signer.certificates(desk.state.settings.seed))
        })
        .await
}

fn published(document: &Value) -> Answer {
    Answer::json(StatusCode::OK, document).with(header::CACHE_CONTROL, CACHED)
}

async fn userinfo(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let call = call_of("userinfo", &simulator, &asked);
    simulator
        .run(asked, call, |desk| {
            profile(desk).map_or_else(|refused| refused, |told| private(&Value::Object(told)))
        })
        .await
}

/// The same in the names from before OpenID.
async fn old_userinfo(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let call = call_of("userinfo", &simulator, &asked);
    simulator
        .run(asked, call, |desk| {
            let told = match profile(desk) {
                Ok(told) => told,
                Err(refused) => return refused,
            };
            let told = told.into_iter().map(|(name, value)| match name.as_str() {
                "sub" => ("id".to_owned(), value),
                "email_verified" => ("verified_email".to_owned(), value),
                _ => (name, value),
            });
            private(&Value::Object(told.collect()))
        })
        .await
}

fn profile(desk: &Desk<'_>) -> Result<Map<String, Value>, Answer> {
    let token = Simulator::token_of(desk.state, desk.asked, desk.now).ok_or_else(|| {
        oauth_error(StatusCode::UNAUTHORIZED, "invalid_request", "Invalid Credentials").with(
            header::WWW_AUTHENTICATE,
            "Bearer realm=\"https://accounts.google.com/\", error=\"invalid_token\"",
        )
    })?;
    if !token.scopes.iter().any(|scope| scopes::is_identity(scope)) {
        return Err(answer::scope_missing("userinfo", &["userinfo.email"]));
    }
    Ok(desk.state.profile(&token.user, &token.scopes))
}

/// Tells the ledger whose token it is, if it is anybody's.
fn call_of(method: &'static str, simulator: &Simulator, asked: &Asked) -> Call {
    let user = Simulator::token_of(&simulator.state(), asked, simulator.now());
    Call { method, user: user.map(|token| token.user), ..Call::default() }
}

async fn tokeninfo(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let call = call_of("tokeninfo", &simulator, &asked);
    simulator
        .run(asked, call, |desk| {
            if let Some(given) = given(desk.asked, "id_token") {
                return desk
                    .state
                    .id_token_info(&given, desk.now)
                    .unwrap_or_else(|| refused("invalid_token", "Invalid Value"));
            }
            match access_token(desk) {
                Ok(token) => private(&token_info(desk, &token)),
                Err(refused) => refused,
            }
        })
        .await
}

/// Version 1, which has other names and real numbers.
async fn old_tokeninfo(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let call = call_of("tokeninfo", &simulator, &asked);
    simulator
        .run(asked, call, |desk| {
            let token = match access_token(desk) {
                Ok(token) => token,
                Err(refused) => return refused,
            };
            let mut told = json!({
                "issued_to": token.client,
                "audience": token.client,
                "user_id": generator::subject(desk.state.settings.seed, &token.user),
                "scope": scopes::join(&token.scopes),
                "expires_in": (token.expires - desk.now).num_seconds(),
                "access_type": access_type(&token),
            });
            if token.scopes.contains(&scopes::full("userinfo.email")) {
                told["email"] = token.user.into();
                told["verified_email"] = true.into();
            }
            private(&told)
        })
        .await
}

/// A parameter from the query or the form: Google takes both.
fn given(asked: &Asked, name: &str) -> Option<String> {
    let form = asked.form();
    asked.parameters.get(name).or_else(|| form.get(name)).map(str::to_owned)
}

/// The token asked about: named, or the one the call came with (Google's Node client does that).
fn access_token(desk: &Desk<'_>) -> Result<AccessToken, Answer> {
    let named = given(desk.asked, "access_token");
    let named = named.as_deref().or_else(|| desk.asked.bearer());
    let named = named
        .ok_or_else(|| refused("invalid_request", "either access_token or id_token required"))?;
    let live = desk.state.grants.live_access(named, desk.now);
    live.cloned().ok_or_else(|| refused("invalid_token", "Invalid Value"))
}

fn token_info(desk: &Desk<'_>, token: &AccessToken) -> Value {
    let mut told = json!({
        "azp": token.client,
        "aud": token.client,
        "sub": generator::subject(desk.state.settings.seed, &token.user),
        "scope": scopes::join(&token.scopes),
        "exp": token.expires.timestamp().to_string(),
        "expires_in": (token.expires - desk.now).num_seconds().to_string(),
        "access_type": access_type(token),
    });
    if token.scopes.contains(&scopes::full("userinfo.email")) {
        told["email"] = token.user.clone().into();
        told["email_verified"] = "true".into();
    }
    told
}

fn access_type(token: &AccessToken) -> &'static str {
    if token.offline { "offline" } else { "online" }
}

fn private(document: &Value) -> Answer {
    Answer::json(StatusCode::OK, document)
        .with(header::CACHE_CONTROL, "no-cache, no-store, max-age=0, must-revalidate")
        .with(header::PRAGMA, "no-cache")
}

fn refused(error: &str, description: &str) -> Answer {
    oauth_error(StatusCode::BAD_REQUEST, error, description)
}
