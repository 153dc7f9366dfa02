//! Who asks for tokens: the ways of an OAuth client, and service accounts.

use std::collections::BTreeSet;

use jsonwebtoken::DecodingKey;
use serde::Deserialize;

use super::scopes;

/// Which kind of application an OAuth client is registered for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientKind {
    /// A web server: redirect addresses match to the letter.
    #[default]
    Web,
    /// A desktop application: it may come back to any port and path of the loopback address, too.
    /// It has a secret, which it must send, as Google asks, though it cannot keep it.
    Installed,
}

/// What became of an OAuth client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientState {
    /// It may ask everybody.
    #[default]
    Live,
    /// Its owner deleted it: `deleted_client`.
    Deleted,
    /// Google switched it off: `disabled_client`.
    Disabled,
    /// It may ask the accounts of its own Workspace only; others get `org_internal`.
    Internal,
    /// An administrator blocks it: whoever would consent gets `admin_policy_enforced`.
    AdminPolicy,
}

/// Whether the consent screen is finished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Publishing {
    /// It is: grants last.
    #[default]
    Production,
    /// It is not: only test users may consent, and what they grant ends after seven days, unless it
    /// only tells who they are.
    Testing,
}

/// An account of a program, which signs for its own tokens.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceAccount {
    /// The address, which is also the id of its own primary calendar.
    pub email: String,
    /// The public RSA keys, one or several PEM blocks; the private halves are the caller's.
    pub public_key_pem: String,
    /// The id of the key: an assertion that names another is refused.
    pub key_id: Option<String>,
    /// Whether it may act for users (domain-wide delegation).
    #[serde(default)]
    pub delegation: bool,
    /// The scopes it may have of users. Without, all.
    pub scopes: Option<Vec<String>>,
    /// Delegation works only this long after the beginning: Google takes minutes up to a day.
    #[serde(default)]
    pub delegation_after_secs: u32,
}

impl ServiceAccount {
    /// The keys, or what is wrong with them.
    pub(super) fn keys(&self) -> Result<Vec<DecodingKey>, &'static str> {
        let blocks = self.public_key_pem.split_inclusive("-----END PUBLIC KEY-----");
        let blocks = blocks.filter(|block| !block.trim().is_empty());
        let keys: Result<Vec<_>, _> =
            blocks.map(|block| DecodingKey::from_rsa_pem(block.trim().as_bytes())).collect();
        keys.ok().filter(|keys| !keys.is_empty()).ok_or("is no public RSA key in PEM")
    }

    /// The allow-list, if there is one; the error is a name Google does not know.
    pub(super) fn allowed(&self) -> Result<Option<BTreeSet<String>>, String> {
        self.scopes.as_ref().map(|allowed| scopes::read(&allowed.join(" "))).transpose()
    }
}
