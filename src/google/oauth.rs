//! Consent, tokens and their end, by OAuth 2.0 for web servers.

use std::fmt;
use std::time::Duration;

use hyper::header::{ACCEPT, CONTENT_TYPE};
use hyper::{Method, Request, Response};
use oauth2::basic::{
    BasicClient, BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
    BasicTokenType,
};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken,
    ExtraTokenFields, HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RefreshToken,
    RequestTokenError, Scope, StandardRevocableToken, StandardTokenResponse, TokenResponse,
    TokenUrl,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::form_urlencoded;

use super::Google;
use super::client::{Answer, request_as};
use super::credentials::OauthClient;
use super::error::{Failure, Step, Verdict};
use crate::model::connection::AccountTag;

/// What Google calls itself in an authorization answer (RFC 9207), wherever its addresses lie.
pub const ISSUER: &str = "https://accounts.google.com";

/// Speaks to Google for one account, for a while.
#[derive(Clone, Debug)]
pub struct AccessToken {
    /// The token.
    pub token: SecretString,
    /// For how long it is good, from the moment Google gave it.
    pub expires_in: Duration,
    /// Who pays for what is done with it; nobody but the project where that is not known yet.
    pub payer: Option<AccountTag>,
    /// Whom Google shall count the calls for; none for whom the token speaks. Google would count a
    /// service account's calls for the service account, whoever it acts for.
    pub quota_user: Option<String>,
}

/// What a person's consent came to.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Brings new access tokens; none if Google gave one before and sees no need for another.
    pub refresh_token: Option<SecretString>,
    /// The first access token.
    pub access: AccessToken,
    /// What was really granted, in Google's words and order.
    pub scopes: Vec<String>,
    /// For how long it is good, if Google set it an end: the person chose one, or the project is
    /// being tested.
    pub ends_in: Option<Duration>,
}

/// Whose grant it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The account's name at Google, for ever.
    pub sub: String,
    /// Its e-mail address as of now, if it may be seen.
    pub email: Option<String>,
}

/// What Google's token endpoint says beyond RFC 6749.
#[derive(Debug, Deserialize, Serialize)]
struct Beyond {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token_expires_in: Option<u64>,
}

impl ExtraTokenFields for Beyond {}

type Tokens = StandardTokenResponse<Beyond, BasicTokenType>;

/// The crate's client, reading what Google says beyond the standard.
type Speaker = Client<
    BasicErrorResponse,
    Tokens,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
>;

/// Taken for the life of an access token that comes without one: short, so that a wrong guess
/// costs a refresh and not a rejected call.
const UNTOLD_LIFETIME: Duration = Duration::from_mins(10);

impl Google {
    /// The page where a person consents. They come back to `redirect_uri` with `state` unchanged.
    ///
    /// # Panics
    /// If `verifier` is not 43 to 128 characters long, as RFC 7636 demands.
    pub fn consent_url(
        &self,
        client: &OauthClient,
        redirect_uri: &str,
        scopes: &[&str],
        state: &str,
        verifier: &SecretString,
        login_hint: Option<&str>,
    ) -> String {
        let verifier = PkceCodeVerifier::new(verifier.expose_secret().to_owned());
        let state = CsrfToken::new(state.to_owned());
        let client = BasicClient::new(ClientId::new(client.id.clone()))
            .set_auth_uri(AuthUrl::from_url(self.endpoints().consent.clone()));
        let mut asked = client
            .authorize_url(|| state)
            .add_scopes(scopes.iter().map(|scope| Scope::new((*scope).to_owned())))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            // As it was registered, letter by letter: Google compares strings.
            .add_extra_param("redirect_uri", redirect_uri)
            // Both, or a second consent brings no refresh token.
            .add_extra_param("access_type", "offline")
            .add_extra_param("prompt", "consent");
        if let Some(hint) = login_hint {
            asked = asked.add_extra_param("login_hint", hint);
        }
        asked.url().0.into()
    }

    /// Turns the `code` of a consent into a grant. A code works once.
    pub async fn exchange(
        &self,
        client: &OauthClient,
        redirect_uri: &str,
        code: &SecretString,
        verifier: &SecretString,
    ) -> Result<Grant, Failure> {
        let send = |request| self.clone().ask_for_token("oauth.exchange", Step::Exchange, request);
        let client = with_secret(client).set_token_uri(self.token_url());
        let answer = client
            .exchange_code(AuthorizationCode::new(code.expose_secret().to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.expose_secret().to_owned()))
            .add_extra_param("redirect_uri", redirect_uri)
            .request_async(&send)
            .await
            .map_err(failure_of)?;
        let refresh_token = answer.refresh_token().map(|token| token.secret().clone().into());
        let scopes = scopes_of(&answer).unwrap_or_default();
        let ends_in = answer.extra_fields().refresh_token_expires_in.map(Duration::from_secs);
        Ok(Grant { refresh_token, access: access_of(&answer)?, scopes, ends_in })
    }

    /// A new access token, and what Google says is granted, if it says so.
    pub async fn refresh(
        &self,
        client: &OauthClient,
        refresh_token: &SecretString,
    ) -> Result<(AccessToken, Option<Vec<String>>), Failure> {
        let send = |request| self.clone().ask_for_token("oauth.refresh", Step::Refresh, request);
        let client = with_secret(client).set_token_uri(self.token_url());
        let answer = client
            .exchange_refresh_token(&RefreshToken::new(refresh_token.expose_secret().to_owned()))
            .request_async(&send)
            .await
            .map_err(failure_of)?;
        Ok((access_of(&answer)?, scopes_of(&answer)))
    }

    /// Gives back the account's whole grant. A token that Google no longer knows is as good as
    /// given back. (The crate's own call refuses plain http, which a simulator on loopback speaks.)
    pub async fn revoke(&self, token: &SecretString) -> Result<(), Failure> {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("token", token.expose_secret())
            .finish();
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.endpoints().revoke.as_str())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .body(body.into_bytes())
            .map_err(|_| Failure::new(Verdict::Operator, None, None))?;
        let answer = self.send("oauth.revoke", request).await?;
        if answer.is_success() {
            return Ok(());
        }
        let failure = judged(Step::Revoke, &answer);
        let unknown_token = failure.reason.as_deref() == Some("invalid_token");
        if answer.status == 400 && unknown_token { Ok(()) } else { Err(failure) }
    }

    /// Whose grant `access` comes from.
    pub async fn account(&self, access: &AccessToken) -> Result<Account, Failure> {
        let to = self.endpoints().userinfo.as_str();
        let request = request_as(access, Method::GET, to, Vec::new())?;
        let answer = self.send("userinfo", request).await?;
        let body = answer.json();
        if !answer.is_success() {
            // It answers in either shape: a reason of the API, or a word of OAuth.
            let failure = match body.as_ref().and_then(|body| body["error"].as_str()) {
                Some("invalid_token" | "invalid_request") if answer.status == 401 => {
                    Failure::new(Verdict::TokenRejected, Some(answer.status), None)
                }
                _ => Failure::of_api(answer.status, body.as_ref()),
            };
            return Err(failure.after(answer.retry_after));
        }
        let text = |name: &str| {
            let value = body.as_ref()?[name].as_str()?;
            (!value.is_empty()).then(|| value.to_owned())
        };
        let sub = text("sub").ok_or_else(|| Failure::unknown(Some(answer.status)))?;
        Ok(Account { sub, email: text("email") })
    }

    fn token_url(&self) -> TokenUrl {
        TokenUrl::from_url(self.endpoints().token.clone())
    }

    /// Sends a request that the crate wrote. Only a success goes back to the crate, whose own
    /// errors drop the status and `Retry-After`.
    async fn ask_for_token(
        self,
        method: &'static str,
        step: Step,
        request: HttpRequest,
    ) -> Result<HttpResponse, Failure> {
        let answer = self.send(method, request).await?;
        if answer.is_success() {
            return Ok(Response::new(answer.body.into()));
        }
        Err(judged(step, &answer))
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Account")
    }
}

fn with_secret(client: &OauthClient) -> Speaker {
    Speaker::new(ClientId::new(client.id.clone()))
        .set_client_secret(ClientSecret::new(client.secret.expose_secret().to_owned()))
        .set_auth_type(AuthType::RequestBody)
}

fn judged(step: Step, answer: &Answer) -> Failure {
    Failure::of_oauth(step, answer.status, answer.json().as_ref()).after(answer.retry_after)
}

fn failure_of(error: RequestTokenError<Failure, BasicErrorResponse>) -> Failure {
    match error {
        RequestTokenError::Request(failure) => failure,
        _ => Failure::unknown(Some(200)),
    }
}

/// The access token of an answer: one that no header can hold is no token.
fn access_of(answer: &Tokens) -> Result<AccessToken, Failure> {
    let token = answer.access_token().secret();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Failure::unknown(Some(200)));
    }
    let expires_in = answer.expires_in().unwrap_or(UNTOLD_LIFETIME);
    Ok(AccessToken { token: token.clone().into(), expires_in, payer: None, quota_user: None })
}

fn scopes_of(answer: &Tokens) -> Option<Vec<String>> {
    Some(answer.scopes()?.iter().map(|scope| scope.to_string()).collect())
}
