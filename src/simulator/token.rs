//! The token endpoint and revocation.

use axum::Router;
use axum::extract::State as Shared;
use axum::http::{StatusCode, header};
use axum::response::Response;
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Simulator;
use super::answer::{Answer, oauth_error, oauth_refusal};
use super::call::{Asked, Call, Desk, Parameters, Routes};
use super::clients::ClientState;
use super::grants::{AccessToken, Code};
use super::id_token::Subject;
use super::{scopes, service_account};

/// The token endpoint under all of Google's names: official clients know them by heart.
pub(super) const TOKEN_PATHS: [&str; 4] =
    ["/token", "/o/oauth2/token", "/oauth2/v3/token", "/oauth2/v4/token"];
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

pub(super) fn routes() -> Routes {
    let routes =
        Router::new().route("/revoke", post(revoke)).route("/o/oauth2/revoke", post(revoke));
    TOKEN_PATHS.into_iter().fold(routes, |routes, path| routes.route(path, post(token)))
}

async fn token(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let form = form(&asked);
    let call = {
        let state = simulator.state();
        let grants = &state.grants;
        let code = form.get("code").and_then(|code| grants.codes.get(code)).map(|code| &code.user);
        let refresh = form
            .get("refresh_token")
            .and_then(|token| grants.refresh.get(token))
            .map(|token| &token.user);
        let user =
            code.or(refresh).cloned().or_else(|| service_account::claimed_account(&state, &form));
        let grant_type = form.get("grant_type").map(str::to_owned);
        Call { method: "token", user, grant_type, ..Call::default() }
    };
    simulator.run(asked, call, |desk| issue(desk, &form).unwrap_or_else(|refused| refused)).await
}

/// The form of the body; a body that says it is something else holds none.
fn form(asked: &Asked) -> Parameters {
    let kind = asked.header(&header::CONTENT_TYPE).unwrap_or("application/x-www-form-urlencoded");
    if kind.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
        asked.form()
    } else {
        Parameters::read(b"")
    }
}

fn issue(desk: &mut Desk<'_>, form: &Parameters) -> Result<Answer, Answer> {
    if let Some(name) = form.repeated() {
        let told = format!("OAuth 2 parameters can only have a single value: {name}");
        return Err(bad("invalid_request", &told));
    }
    match form.get("grant_type").unwrap_or_default() {
        "authorization_code" => {
            let client = client(desk, form)?;
            exchange(desk, form, &client)
        }
        "refresh_token" => {
            let client = client(desk, form)?;
            refresh(desk, form, &client)
        }
        JWT_BEARER => service_account::grant(desk, form),
        // A missing one is told in the same words, with nothing behind the colon: captured.
        other => Err(bad("unsupported_grant_type", &format!("Invalid grant_type: {other}"))),
    }
}

/// The client, by HTTP Basic or by form. One of the "installed" kind sends its secret, too.
fn client(desk: &Desk<'_>, form: &Parameters) -> Result<String, Answer> {
    let (id, secret) = match basic(desk.asked) {
        Some((id, secret)) => (Some(id), Some(secret)),
        None => {
            (form.get("client_id").map(str::to_owned), form.get("client_secret").map(str::to_owned))
        }
    };
    let id =
        id.ok_or_else(|| bad("invalid_request", "Could not determine client ID from request."))?;
    let known = desk
        .state
        .client(&id)
        .ok_or_else(|| unauthorized("invalid_client", "The OAuth client was not found."))?;
    match known.state {
        ClientState::Deleted => return Err(deleted_client()),
        ClientState::Disabled => {
            return Err(unauthorized("disabled_client", "The OAuth client was disabled."));
        }
        ClientState::Live | ClientState::Internal | ClientState::AdminPolicy => {}
    }
    let secret = secret
        .filter(|secret| !secret.is_empty())
        .ok_or_else(|| bad("invalid_request", "client_secret is missing."))?;
    if secret != known.secret {
        return Err(invalid_client());
    }
    Ok(id)
}

fn basic(asked: &Asked) -> Option<(String, String)> {
    let value = asked.header(&header::AUTHORIZATION)?;
    let encoded = value.strip_prefix("Basic ").or_else(|| value.strip_prefix("basic "))?;
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    // RFC 6749 §2.3.1: both parts are form-encoded before they are joined.
    let decoded = |part: &str| {
        let form = format!("part={part}");
        Parameters::read(form.as_bytes()).get("part").unwrap_or_default().to_owned()
    };
    Some((decoded(id), decoded(secret)))
}

fn exchange(desk: &mut Desk<'_>, form: &Parameters, client: &str) -> Result<Answer, Answer> {
    let given = form
        .get("code")
        .ok_or_else(|| bad("invalid_request", "Missing required parameter: code"))?;
    if !given.starts_with("4/") {
        return Err(bad("invalid_grant", "Malformed auth code."));
    }
    let code = desk
        .state
        .grants
        .codes
        .get(given)
        .filter(|code| !code.used && code.expires > desk.now && code.client == client);
    let code = code.cloned().ok_or_else(|| bad("invalid_grant", "Bad Request"))?;
    if form.get("redirect_uri") != Some(code.redirect_uri.as_str()) {
        return Err(bad("redirect_uri_mismatch", "Bad Request"));
    }
    if let Some(verifier) = form.get("code_verifier") {
        desk.state.remember_secret(verifier);
    }
    check_verifier(&code, form.get("code_verifier"))?;
    if let Some(code) = desk.state.grants.codes.get_mut(given) {
        code.used = true;
    }
    // A refresh token comes with the first offline consent, and again only when consent was forced.
    let had = desk.state.grants.has_refresh(client, &code.user, desk.now);
    let refresh = code.offline && (code.consent || !had);
    let token = AccessToken::of_consent(
        client,
        &code.user,
        code.scopes.clone(),
        code.offline,
        code.ends,
        desk.now,
    );
    let mut body = issued(desk, &token, code.nonce.as_deref());
    if refresh {
        body["refresh_token"] = desk.state.issue_refresh(&code, desk.now).into();
        if let Some(ends) = code.ends {
            body["refresh_token_expires_in"] = (ends - desk.now).num_seconds().into();
        }
    }
    Ok(granted(&body))
}

/// PKCE, RFC 7636 §4.6; a verifier nobody asked for is refused, too.
fn check_verifier(code: &Code, verifier: Option<&str>) -> Result<(), Answer> {
    let (challenge, verifier) = match (&code.challenge, verifier) {
        (None, None) => return Ok(()),
        (None, Some(_)) => {
            return Err(bad("invalid_grant", "code_verifier or verifier is not needed."));
        }
        (Some(_), None) => return Err(bad("invalid_grant", "Missing code verifier.")),
        (Some(challenge), Some(verifier)) => (challenge, verifier),
    };
    let fits = match challenge {
        (hash, true) => URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == *hash,
        (plain, false) => verifier == plain,
    };
    if fits && is_verifier(verifier) {
        return Ok(());
    }
    Err(bad("invalid_grant", "Invalid code verifier."))
}

/// Hands out an access token, with an ID token where a scope asks for one.
fn issued(desk: &mut Desk<'_>, token: &AccessToken, nonce: Option<&str>) -> Value {
    let access = desk.state.issue_access(token.clone(), desk.now);
    let subject = Subject {
        client: &token.client,
        user: &token.user,
        scopes: &token.scopes,
        nonce,
        access_token: &access,
    };
    let id_token = desk.state.id_token(&subject, desk.now);
    desk.committed = true;
    let mut body = json!({
        "access_token": access,
        "expires_in": (token.expires - desk.now).num_seconds(),
        "scope": scopes::join(&token.scopes),
        "token_type": "Bearer",
    });
    if let Some(id_token) = id_token {
        body["id_token"] = id_token.into();
    }
    body
}

fn is_verifier(verifier: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&verifier.len()) && verifier.bytes().all(allowed)
}

fn refresh(desk: &mut Desk<'_>, form: &Parameters, client: &str) -> Result<Answer, Answer> {
    let given = form
        .get("refresh_token")
        .ok_or_else(|| bad("invalid_request", "Missing required parameter: refresh_token"))?;
    let known = desk.state.grants.refresh.get(given);
    if known.is_some_and(|known| desk.state.grants.is_deleted(&known.user)) {
        return Err(account_deleted());
    }
    if known.is_some_and(|known| known.client != client) {
        return Err(unauthorized("unauthorized_client", "Unauthorized"));
    }
    let live = desk.state.grants.use_refresh(given, desk.now);
    let live = live.ok_or_else(|| bad("invalid_grant", "Token has been expired or revoked."))?;
    let mut wanted = live.scopes;
    if let Some(named) = form.get("scope") {
        let named = scopes::read(named).map_err(|_| bad("invalid_scope", "Bad Request"))?;
        if !named.is_subset(&wanted) {
            return Err(bad("invalid_scope", "Bad Request"));
        }
        wanted = named;
    }
    let token = AccessToken::of_consent(client, &live.user, wanted, true, live.ends, desk.now);
    Ok(granted(&issued(desk, &token, None)))
}

/// An answer that must not be kept by anybody on its way.
pub(super) fn granted(body: &Value) -> Answer {
    Answer::json(StatusCode::OK, body)
        .with(header::CACHE_CONTROL, "no-cache, no-store, max-age=0, must-revalidate")
        .with(header::PRAGMA, "no-cache")
}

/// 400, in the shape of OAuth.
pub(super) fn bad(error: &str, description: &str) -> Answer {
    oauth_error(StatusCode::BAD_REQUEST, error, description)
}

fn unauthorized(error: &str, description: &str) -> Answer {
    oauth_error(StatusCode::UNAUTHORIZED, error, description)
}

/// What the token endpoint says to a client with a wrong secret.
pub(super) fn invalid_client() -> Answer {
    unauthorized("invalid_client", "The provided client secret is invalid.")
}

/// What it says to a client that is no more.
pub(super) fn deleted_client() -> Answer {
    unauthorized("deleted_client", "The OAuth client was deleted.")
}

/// What it says when the user's account is no more.
pub(super) fn account_deleted() -> Answer {
    bad("invalid_grant", "Account has been deleted")
}

/// What it says when an administrator has restricted a scope since.
pub(super) fn admin_policy() -> Answer {
    let told = "The Google Account is unable to authorize one or more scopes requested due to the \
        policies of their Google Workspace administrator.";
    bad("admin_policy_enforced", told)
}

/// What it says when the Workspace's session control wants the user to sign in again.
pub(super) fn invalid_rapt() -> Answer {
    let body = json!({
        "error": "invalid_grant",
        "error_description": "reauth related error (invalid_rapt)",
        "error_uri": "https://support.google.com/a/answer/9368756",
        "error_subtype": "invalid_rapt",
    });
    oauth_refusal(StatusCode::BAD_REQUEST, &body)
}

async fn revoke(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let form = asked.form();
    let given = form.get("token").or_else(|| asked.parameters.get("token")).map(str::to_owned);
    let grant = {
        let now = simulator.now();
        let state = simulator.state();
        given.as_deref().and_then(|given| state.grants.behind(given, now))
    };
    let user = grant.as_ref().map(|(_, user)| user.clone());
    let call = Call { method: "revoke", user, ..Call::default() };
    simulator
        .run(asked, call, |desk| {
            if given.is_none() {
                return bad("invalid_request", "Bad Request");
            }
            // Either token ends the whole grant: Google knows one per user and project.
            let ended =
                grant.is_some_and(|(client, user)| desk.state.grants.revoke(&user, Some(&client)));
            desk.committed = ended;
            if ended {
                granted(&json!({}))
            } else {
                bad("invalid_token", "Token expired or revoked")
            }
        })
        .await
}
