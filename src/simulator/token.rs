//! The token endpoint, revocation and userinfo.

use axum::Router;
use axum::extract::State as Shared;
use axum::http::{StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::Simulator;
use super::answer::{self, Answer, oauth_error};
use super::call::{Asked, Call, Desk, Parameters, Routes};
use super::state::ACCESS_TOKEN_SECS;
use super::{generator, scopes};

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/token", post(token))
        .route("/revoke", post(revoke))
        .route("/v1/userinfo", get(userinfo).post(userinfo))
}

async fn token(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let form = asked.form();
    let call = {
        let state = simulator.state();
        let code = form.get("code").and_then(|code| state.codes.get(code)).map(|code| &code.user);
        let refresh = form
            .get("refresh_token")
            .and_then(|token| state.refresh.get(token))
            .map(|token| &token.user);
        let grant_type = form.get("grant_type").map(str::to_owned);
        Call { method: "token", user: code.or(refresh).cloned(), grant_type, ..Call::default() }
    };
    simulator.run(asked, call, |desk| issue(desk, &form).unwrap_or_else(|refused| refused)).await
}

fn issue(desk: &mut Desk<'_>, form: &Parameters) -> Result<Answer, Answer> {
    let grant = form
        .get("grant_type")
        .ok_or_else(|| bad("invalid_request", "Required parameter is missing: grant_type"))?;
    if grant != "authorization_code" && grant != "refresh_token" {
        return Err(bad("unsupported_grant_type", &format!("Invalid grant_type: {grant}")));
    }
    let client = client(desk, form)?;
    if grant == "refresh_token" {
        refresh(desk, form, &client)
    } else {
        exchange(desk, form, &client)
    }
}

/// The client, by HTTP Basic or by form.
fn client(desk: &Desk<'_>, form: &Parameters) -> Result<String, Answer> {
    let (id, secret) = match basic(desk.asked) {
        Some((id, secret)) => (Some(id), Some(secret)),
        None => {
            (form.get("client_id").map(str::to_owned), form.get("client_secret").map(str::to_owned))
        }
    };
    let id =
        id.ok_or_else(|| bad("invalid_request", "Could not determine client ID from request."))?;
    let known =
        desk.state.client(&id).ok_or_else(|| unauthorized("The OAuth client was not found."))?;
    let secret = secret.ok_or_else(|| bad("invalid_request", "client_secret is missing."))?;
    if secret != known.secret {
        return Err(unauthorized("The provided client secret is invalid."));
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
        .codes
        .get(given)
        .filter(|code| !code.used && code.expires > desk.now && code.client == client);
    let code = code.cloned().ok_or_else(|| bad("invalid_grant", "Bad Request"))?;
    if form.get("redirect_uri") != Some(code.redirect_uri.as_str()) {
        return Err(bad("redirect_uri_mismatch", "Bad Request"));
    }
    if let Some((challenge, hashed)) = &code.challenge {
        let verifier = form
            .get("code_verifier")
            .ok_or_else(|| bad("invalid_grant", "Missing code verifier."))?;
        desk.state.remember_secret(verifier);
        let fits = if *hashed {
            URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == *challenge
        } else {
            verifier == challenge
        };
        if !fits || !is_verifier(verifier) {
            return Err(bad("invalid_grant", "Invalid code verifier."));
        }
    }
    if let Some(code) = desk.state.codes.get_mut(given) {
        code.used = true;
    }
    // A refresh token comes with the first offline consent, and again only when consent was forced.
    let refresh = code.offline && (code.consent || !desk.state.has_refresh(client, &code.user));
    let access = desk.state.issue_access(client, &code.user, code.scopes.clone(), desk.now);
    let mut body = json!({
        "access_token": access,
        "expires_in": ACCESS_TOKEN_SECS,
        "scope": scopes::join(&code.scopes),
        "token_type": "Bearer",
    });
    if refresh {
        body["refresh_token"] =
            desk.state.issue_refresh(client, &code.user, code.scopes.clone(), desk.now).into();
    }
    desk.committed = true;
    Ok(granted(&body))
}

fn is_verifier(verifier: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&verifier.len()) && verifier.bytes().all(allowed)
}

fn refresh(desk: &mut Desk<'_>, form: &Parameters, client: &str) -> Result<Answer, Answer> {
    let given = form
        .get("refresh_token")
        .ok_or_else(|| bad("invalid_request", "Missing required parameter: refresh_token"))?;
    let live = desk.state.live_refresh(given, desk.now);
    let live = live.ok_or_else(|| bad("invalid_grant", "Token has been expired or revoked."))?;
    if live.client != client {
        return Err(bad("invalid_grant", "Bad Request"));
    }
    let mut granted_scopes = live.scopes;
    if let Some(wanted) = form.get("scope") {
        let wanted = scopes::read(wanted).map_err(|_| bad("invalid_scope", "Bad Request"))?;
        if !wanted.is_subset(&granted_scopes) {
            return Err(bad("invalid_scope", "Bad Request"));
        }
        granted_scopes = wanted;
    }
    let access = desk.state.issue_access(client, &live.user, granted_scopes.clone(), desk.now);
    desk.committed = true;
    Ok(granted(&json!({
        "access_token": access,
        "expires_in": ACCESS_TOKEN_SECS,
        "scope": scopes::join(&granted_scopes),
        "token_type": "Bearer",
    })))
}

fn granted(body: &serde_json::Value) -> Answer {
    Answer::json(StatusCode::OK, body)
        .with(header::CACHE_CONTROL, "no-cache, no-store, max-age=0, must-revalidate")
        .with(header::PRAGMA, "no-cache")
}

fn bad(error: &str, description: &str) -> Answer {
    oauth_error(StatusCode::BAD_REQUEST, error, description)
}

fn unauthorized(description: &str) -> Answer {
    oauth_error(StatusCode::UNAUTHORIZED, "invalid_client", description)
}

/// What the token endpoint says to a client with a wrong secret.
pub(super) fn invalid_client() -> Answer {
    unauthorized("The provided client secret is invalid.")
}

async fn revoke(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let form = asked.form();
    let given = form.get("token").or_else(|| asked.parameters.get("token")).map(str::to_owned);
    let grant = {
        let state = simulator.state();
        let given = given.as_deref().unwrap_or_default();
        let access =
            state.access.get(given).map(|token| (token.client.clone(), token.user.clone()));
        access.or_else(|| {
            state.refresh.get(given).map(|token| (token.client.clone(), token.user.clone()))
        })
    };
    let call = Call {
        method: "revoke",
        user: grant.as_ref().map(|(_, user)| user.clone()),
        ..Call::default()
    };
    simulator
        .run(asked, call, |desk| {
            if given.is_none() {
                return bad("invalid_request", "Bad Request");
            }
            // Either token ends the whole grant: Google knows one per user and project.
            let ended = grant.is_some_and(|(client, user)| desk.state.revoke(&user, Some(&client)));
            desk.committed = ended;
            if ended {
                Answer::json(StatusCode::OK, &json!({}))
            } else {
                bad("invalid_token", "Token expired or revoked")
            }
        })
        .await
}

async fn userinfo(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let user =
        Simulator::token_of(&simulator.state(), &asked, simulator.now()).map(|token| token.user);
    let call = Call { method: "userinfo", user, ..Call::default() };
    simulator
        .run(asked, call, |desk| {
            let token = Simulator::token_of(desk.state, desk.asked, desk.now);
            let account = token.as_ref().and_then(|token| desk.state.user(&token.user));
            let (Some(token), Some(account)) = (&token, account) else {
                return oauth_error(
                    StatusCode::UNAUTHORIZED,
                    "invalid_request",
                    "Invalid Credentials",
                )
                .with(
                    header::WWW_AUTHENTICATE,
                    "Bearer realm=\"https://accounts.google.com/\", error=\"invalid_token\"",
                );
            };
            let may = |short: &str| token.scopes.contains(&scopes::full(short));
            if !(token.scopes.contains("openid")
                || may("userinfo.email")
                || may("userinfo.profile"))
            {
                return answer::scope_missing("userinfo", &["userinfo.email"]);
            }
            let mut body =
                json!({"sub": generator::subject(desk.state.settings.seed, &account.email)});
            if may("userinfo.email") {
                body["email"] = account.email.clone().into();
                body["email_verified"] = true.into();
            }
            if may("userinfo.profile") {
                body["name"] = account.name.clone().into();
            }
            Answer::json(StatusCode::OK, &body)
        })
        .await
}
