//! Service accounts: programs that sign for their own tokens, and what they may not do without a user
//! behind them.
//!
//! The checks of an assertion run in the order captured from Google: form, signature, account, times,
//! scope, audience; then the user it names and what was delegated.

use std::collections::BTreeSet;

use axum::http::{StatusCode, header};
use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde_json::{Map, Value, json};

use super::answer::{Answer, Refusal, oauth_error};
use super::call::{Desk, Parameters};
use super::clients::ServiceAccount;
use super::grants::{ACCESS_TOKEN_SECS, AccessToken};
use super::state::State;
use super::{generator, scopes, token};

/// An assertion may last this long.
const LONGEST_SECS: i64 = 3600;
/// The clocks of caller and Google may differ by this much: what lasts 65 minutes is refused.
const SKEW_SECS: i64 = 300;

/// The names under which Google's token endpoint may be meant; official clients sign for the first,
/// wherever they send the assertion.
const AUDIENCES: [&str; 4] = [
    "https://oauth2.googleapis.com/token",
    "https://accounts.google.com/o/oauth2/token",
    "https://www.googleapis.com/oauth2/v3/token",
    "https://www.googleapis.com/oauth2/v4/token",
];

/// RFC 7515 §2 leaves the padding out; Google takes both, and some clients send it.
const PADDED_OR_NOT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The account a call with this form would act for, by what the assertion says of itself.
pub(super) fn claimed_account(state: &State, form: &Parameters) -> Option<String> {
    let (_, claims) = unverified(form.get("assertion")?)?;
    let named = |name: &str| claims.get(name).and_then(Value::as_str);
    let email = named("sub").or_else(|| named("iss"))?;
    state.settings.accounts().map(|account| account.email).find(|account| account == email)
}

/// `grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer`: there is no client, and no refresh token.
pub(super) fn grant(desk: &mut Desk<'_>, form: &Parameters) -> Result<Answer, Answer> {
    let malformed = || token::bad("invalid_request", "Bad Request");
    let assertion = form.get("assertion").ok_or_else(malformed)?;
    let (head, claims) = unverified(assertion).ok_or_else(malformed)?;
    desk.state.remember_secret(assertion);
    let account = signer(desk.state, assertion, &head, &claims)?;
    check_times(&claims, desk.now)?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    let (wanted, audience) = (text("scope").trim(), text("target_audience"));
    if wanted.is_empty() && audience.is_empty() {
        let told = "Invalid OAuth scope or ID token audience provided.";
        return Err(token::bad("invalid_scope", told));
    }
    if !claims.get("aud").is_some_and(|aud| is_audience(aud, desk)) {
        return Err(refused("Invalid JWT: Failed audience check."));
    }
    let user = match text("sub") {
        "" => account.email.clone(),
        sub if sub == account.email => account.email.clone(),
        sub => delegator(desk.state, sub)?,
    };
    // A scope Google does not know passes for an audience: captured.
    let granted = match scopes::read(wanted) {
        Ok(granted) if audience.is_empty() => granted,
        _ => {
            let audience = if audience.is_empty() { wanted } else { audience };
            return Ok(identity(desk, &account, audience));
        }
    };
    if user != account.email {
        check_delegation(desk, &account, &granted)?;
    }
    let token = AccessToken {
        client: account.email.clone(),
        user,
        scopes: granted,
        expires: desk.now + TimeDelta::seconds(ACCESS_TOKEN_SECS),
        offline: false,
        service_account: Some(account.email),
    };
    let access = desk.state.issue_access(token, desk.now);
    desk.committed = true;
    Ok(token::granted(&json!({
        "access_token": access,
        "expires_in": ACCESS_TOKEN_SECS,
        "token_type": "Bearer",
    })))
}

/// Header and claims of anything that has the form of a JWT.
fn unverified(assertion: &str) -> Option<(Map<String, Value>, Map<String, Value>)> {
    let mut parts = assertion.split('.').map(|part| PADDED_OR_NOT.decode(part).ok());
    let (head, claims) = (parts.next()??, parts.next()??);
    parts.next()??;
    if parts.next().is_some() {
        return None;
    }
    Some((serde_json::from_slice(&head).ok()?, serde_json::from_slice(&claims).ok()?))
}

/// The account whose key signed the assertion.
fn signer(
    state: &State,
    assertion: &str,
    head: &Map<String, Value>,
    claims: &Map<String, Value>,
) -> Result<ServiceAccount, Answer> {
    let forged = || refused("Invalid JWT Signature.");
    if head.get("alg").and_then(Value::as_str) != Some("RS256") {
        return Err(forged());
    }
    let issuer = claims.get("iss").and_then(Value::as_str);
    let accounts = &state.settings.service_accounts;
    let account = accounts.iter().find(|account| issuer == Some(account.email.as_str()));
    let account = account.ok_or_else(|| refused("Invalid grant: account not found"))?;
    let named = head.get("kid").and_then(Value::as_str);
    let other = named.zip(account.key_id.as_deref()).is_some_and(|(named, known)| named != known);
    let keys = account.keys().map_err(|_| forged())?;
    if other || !keys.iter().any(|key| is_signed(assertion, key)) {
        return Err(forged());
    }
    Ok(account.clone())
}

/// Whether the last part signs the others, as they were sent.
fn is_signed(assertion: &str, key: &DecodingKey) -> bool {
    let Some((said, signature)) = assertion.rsplit_once('.') else { return false };
    let signature = signature.trim_end_matches('=');
    crypto::verify(signature, said.as_bytes(), key, Algorithm::RS256).unwrap_or(false)
}

fn check_times(claims: &Map<String, Value>, now: DateTime<Utc>) -> Result<(), Answer> {
    let issued = moment(claims.get("iat"))
        .ok_or_else(|| refused("Invalid JWT: iat (issued at) is not set."))?;
    let expires = moment(claims.get("exp"))
        .ok_or_else(|| refused("Invalid JWT: exp (expiration time) is not set."))?;
    let now = now.timestamp();
    let timely = issued <= now.saturating_add(SKEW_SECS)
        && expires > now - SKEW_SECS
        && expires > issued
        && expires.saturating_sub(issued) < LONGEST_SECS + SKEW_SECS;
    if timely {
        return Ok(());
    }
    Err(refused(
        "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. \
         Check your iat and exp values in the JWT claim.",
    ))
}

/// Seconds since 1970, as a number or as digits: Google takes both.
fn moment(claim: Option<&Value>) -> Option<i64> {
    match claim? {
        Value::String(digits) => digits.parse().ok(),
        // A float is cut: some clients sign with the fraction of a second.
        #[expect(clippy::cast_possible_truncation, reason = "a time out of range is refused later")]
        Value::Number(number) => number.as_i64().or_else(|| Some(number.as_f64()? as i64)),
        _ => None,
    }
}

fn is_audience(aud: &Value, desk: &Desk<'_>) -> bool {
    let Some(aud) = aud.as_str() else { return false };
    let own =
        |base: &str| aud.strip_prefix(base).is_some_and(|path| token::TOKEN_PATHS.contains(&path));
    let host = desk.asked.header(&header::HOST).map(|host| format!("http://{host}"));
    AUDIENCES.contains(&aud)
        || own(&desk.asked.base(desk.state))
        || host.is_some_and(|host| own(&host))
}

/// The user a service account wants to act for.
fn delegator(state: &State, sub: &str) -> Result<String, Answer> {
    if !sub.contains('@') {
        return Err(refused("Not a valid email"));
    }
    let user = state.user(sub).filter(|user| !state.grants.is_deleted(&user.email));
    Ok(user.ok_or_else(|| refused("Invalid email or User ID."))?.email.clone())
}

fn check_delegation(
    desk: &Desk<'_>,
    account: &ServiceAccount,
    wanted: &BTreeSet<String>,
) -> Result<(), Answer> {
    let unauthorized =
        |told: &str| oauth_error(StatusCode::UNAUTHORIZED, "unauthorized_client", told);
    if !account.delegation {
        return Err(unauthorized("Unauthorized client or scope in request."));
    }
    let none = "Client is unauthorized to retrieve access tokens using this method, or client not \
        authorized for any of the scopes requested.";
    let works = desk.state.began + TimeDelta::seconds(account.delegation_after_secs.into());
    if desk.now < works {
        return Err(unauthorized(none));
    }
    let Ok(Some(allowed)) = account.allowed() else { return Ok(()) };
    if wanted.is_disjoint(&allowed) {
        return Err(unauthorized(none));
    }
    if !wanted.is_subset(&allowed) {
        return Err(token::bad("access_denied", "Requested client not authorized."));
    }
    Ok(())
}

/// An ID token of the account itself, and nothing else.
fn identity(desk: &mut Desk<'_>, account: &ServiceAccount, audience: &str) -> Answer {
    let subject = generator::subject(desk.state.settings.seed, &account.email);
    let mut claims = Map::new();
    claims.insert("aud".to_owned(), audience.into());
    claims.insert("azp".to_owned(), account.email.as_str().into());
    claims.insert("email".to_owned(), account.email.as_str().into());
    claims.insert("email_verified".to_owned(), true.into());
    claims.insert("sub".to_owned(), subject.into());
    let id_token = desk.state.sign_id_token(claims, desk.now);
    desk.committed = true;
    token::granted(&json!({"id_token": id_token}))
}

fn refused(told: &str) -> Answer {
    token::bad("invalid_grant", told)
}

impl Desk<'_> {
    /// A service account that acts for nobody invites nobody and makes no Meet links.
    pub(super) fn check_service_account(&self, body: &Map<String, Value>) -> Result<(), Refusal> {
        if !self.token.as_ref().is_some_and(AccessToken::is_bare_service_account) {
            return Ok(());
        }
        if body.get("attendees").and_then(Value::as_array).is_some_and(|guests| !guests.is_empty())
        {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "calendar",
                "forbiddenForServiceAccounts",
                "Service accounts cannot invite attendees without Domain-Wide Delegation of Authority.",
            ));
        }
        let version_1 = self.asked.parameters.get("conferenceDataVersion") == Some("1");
        let wished =
            body.get("conferenceData").is_some_and(|data| !data["createRequest"].is_null());
        if version_1 && wished {
            return Err(Refusal::bad("invalid", "Invalid conference type value."));
        }
        Ok(())
    }
}
