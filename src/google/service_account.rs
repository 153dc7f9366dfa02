//! A service account that acts for users of its organisation (domain-wide delegation): it signs for
//! its own access tokens, and there is no refresh token.
//!
//! The signing is yup-oauth2's. It reads the system's clock, since Google judges the signature by the
//! real time.

use std::fmt;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;
use yup_oauth2::authenticator::Authenticator;
use yup_oauth2::error::{AuthErrorCode, SendError};
use yup_oauth2::{
    CustomHyperClientBuilder, Error as YupError, ServiceAccountAuthenticator, ServiceAccountKey,
};

use super::Google;
use super::client::{Connector, Late};
use super::error::{Failure, Verdict, plain_word};
use super::oauth::AccessToken;

/// The key of a service account, as Google's console hands it out.
#[derive(Clone)]
pub struct ServiceAccount {
    key: ServiceAccountKey,
    /// Its number at Google, which an administrator grants the delegation to.
    pub client_id: String,
    /// Its address.
    pub email: String,
}

/// Why a service account's key file is refused. Holds nothing of the file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// Not JSON at all.
    #[error(
        "this is not JSON, or only a part of it; in the Google Cloud console make a new key of the \
         service account, of the type JSON"
    )]
    NotJson,
    /// JSON, but no service account's key.
    #[error(
        "this is no service account's key (`type` is not `service_account`); in the Google Cloud \
         console make a new key of the service account, of the type JSON"
    )]
    OtherKind,
    /// A member is missing or has the wrong shape.
    #[error(
        "`{0}` is missing, empty or of the wrong kind; in the Google Cloud console make a new key \
         of the service account, of the type JSON"
    )]
    Member(&'static str),
}

const UNUSABLE_KEY: &str = "The service account's private key cannot be read; make a new key of it in \
    the Google Cloud console, of the type JSON, and put it in place of google.service_account_file.";
/// No access token of a service account lives longer.
const LONGEST_LIFE: Duration = Duration::from_hours(1);

impl ServiceAccount {
    /// Reads the JSON of a service account's key, and of nothing else.
    pub fn read(json: &str) -> Result<Self, KeyFileError> {
        let json = json.trim_start_matches('\u{feff}').trim();
        let file: Value = serde_json::from_str(json).map_err(|_| KeyFileError::NotJson)?;
        if file["type"] != "service_account" {
            return Err(KeyFileError::OtherKind);
        }
        let text = |name: &'static str| {
            let value = file[name].as_str().filter(|value| !value.trim().is_empty());
            value.map(str::to_owned).ok_or(KeyFileError::Member(name))
        };
        let (client_id, email) = (text("client_id")?, text("client_email")?);
        text("private_key")?;
        text("token_uri")?;
        let key = serde_json::from_value(file).map_err(|_| KeyFileError::Member("private_key"))?;
        Ok(Self { key, client_id, email })
    }
}

impl Google {
    /// An access token with which `account` acts for the user whose address is `subject`.
    pub async fn act_for(
        &self,
        account: &ServiceAccount,
        subject: &str,
        scopes: &[&str],
    ) -> Result<AccessToken, Failure> {
        let signing = self.signing(account, subject).await?;
        let asked = match self.within(signing.force_refreshed_token(scopes)).await {
            Ok(asked) => asked,
            Err(Late) => return Err(Failure::unknown(None)),
        };
        let token = asked.map_err(|error| judged(account, scopes, &error))?;
        let text = token.token().unwrap_or_default();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::unknown(Some(200)));
        }
        let now = self.inner.clock.now().timestamp();
        let left = match token.expiration_time() {
            Some(ends) => ends.unix_timestamp().saturating_sub(now),
            None => 0,
        };
        let expires_in = Duration::from_secs(left.try_into().unwrap_or(0)).min(LONGEST_LIFE);
        let token = SecretString::from(text);
        Ok(AccessToken { token, expires_in, payer: None, quota_user: None })
    }

    /// Signs for `subject`. The address that tokens come from is ours, not the file's.
    async fn signing(
        &self,
        account: &ServiceAccount,
        subject: &str,
    ) -> Result<Authenticator<Connector>, Failure> {
        let token_uri = self.endpoints().token.as_str().to_owned();
        let key = ServiceAccountKey { token_uri, ..account.key.clone() };
        let http = CustomHyperClientBuilder::from(self.inner.plain.clone());
        ServiceAccountAuthenticator::with_client(key, http)
            .subject(subject)
            .build()
            .await
            .map_err(|_| Failure::new(Verdict::Delegation, None, None).told(UNUSABLE_KEY))
    }
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ServiceAccount").field("email", &self.email).finish_non_exhaustive()
    }
}

/// What a token that did not come means. yup-oauth2 drops the answer's status; what Google writes of
/// an assertion says enough.
fn judged(account: &ServiceAccount, scopes: &[&str], error: &YupError) -> Failure {
    match error {
        YupError::AuthError(said) => {
            let description = said.error_description.as_deref().unwrap_or_default();
            refused(account, scopes, &said.error, description)
        }
        YupError::HttpClientError(SendError::Hyper(error)) if error.is_connect() => {
            Failure::unreachable()
        }
        // The file's own key does not sign.
        YupError::LowLevelError(_) => {
            Failure::new(Verdict::Delegation, None, None).told(UNUSABLE_KEY)
        }
        _ => Failure::unknown(None),
    }
}

/// What Google's refusal of an assertion means. None of them ends anything: each is for the operator
/// to mend, and concerns the service account alone.
fn refused(
    account: &ServiceAccount,
    scopes: &[&str],
    code: &AuthErrorCode,
    description: &str,
) -> Failure {
    let word = code.as_str();
    let verdict = match word {
        "internal_failure" | "server_error" | "temporarily_unavailable" => Verdict::Outage,
        "rate_limit_exceeded" | "slow_down" => Verdict::RateProject,
        _ => Verdict::Delegation,
    };
    let failure = Failure::new(verdict, None, plain_word(word));
    if verdict != Verdict::Delegation {
        return failure;
    }
    let number = &account.client_id;
    let text = match code {
        AuthErrorCode::UnauthorizedClient | AuthErrorCode::AccessDenied => format!(
            "Google does not let the service account act for this user. In the Google Workspace admin \
             console, under Security, API controls, Domain-wide delegation, enter the client id \
             {number} with the scopes {}. A new delegation may take up to a day to work.",
            scopes.join(",")
        ),
        AuthErrorCode::InvalidGrant if description.contains("email") => {
            "Google knows no user with this address whom the service account could act for; check \
             `subject`: it must be a user's own address in the organisation, not an alias or a group."
                .into()
        }
        AuthErrorCode::InvalidGrant if description.contains("reasonable timeframe") => {
            "Google finds the time of this machine's clock wrong by minutes; set it, and let NTP keep \
             it. Nothing is lost meanwhile."
                .into()
        }
        AuthErrorCode::InvalidGrant if description.contains("Signature") => {
            "Google does not accept the service account's key: it was deleted, or is of another \
             account. Make a new key in the Google Cloud console and put it in place of \
             google.service_account_file."
                .into()
        }
        AuthErrorCode::InvalidGrant if description.contains("account not found") => {
            "Google does not know the service account: it was deleted, or the key file is of another \
             one. Put the key of one that exists in place of google.service_account_file."
                .into()
        }
        AuthErrorCode::InvalidScope => {
            "Google does not know one of the scopes that were asked for; check google.scopes.".into()
        }
        _ => format!(
            "Google does not let the service account act for this user ({}); check in the Google Cloud \
             console that the account is enabled, and in the Google Workspace admin console that its \
             client id {number} is trusted.",
            failure.reason.as_deref().unwrap_or("no reason given")
        ),
    };
    failure.told(text)
}
