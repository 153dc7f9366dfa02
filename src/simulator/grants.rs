//! What the simulator remembers of consents, codes and tokens, and the ways in which they end.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::scopes;
use super::snapshot::pairs;
use super::state::{KEPT, State};

/// How long an access token lives. Google says 3599 in practice.
pub(super) const ACCESS_TOKEN_SECS: i64 = 3599;
/// A refresh token nobody used for this long is dead.
const IDLE_DAYS: i64 = 183;
/// Live refresh tokens of one user for one client; one more kills the oldest.
const REFRESH_TOKENS: usize = 100;

/// An authorization code, waiting to be exchanged.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Code {
    pub(super) client: String,
    pub(super) user: String,
    pub(super) redirect_uri: String,
    pub(super) scopes: BTreeSet<String>,
    /// The challenge, and whether it is a hash of the verifier.
    pub(super) challenge: Option<(String, bool)>,
    pub(super) nonce: Option<String>,
    pub(super) offline: bool,
    pub(super) consent: bool,
    pub(super) expires: DateTime<Utc>,
    /// When what the user allowed ends by itself.
    pub(super) ends: Option<DateTime<Utc>>,
    pub(super) used: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct AccessToken {
    /// The OAuth client, or the service account that signed for the token.
    pub(super) client: String,
    /// Who acts.
    pub(super) user: String,
    pub(super) scopes: BTreeSet<String>,
    pub(super) expires: DateTime<Utc>,
    /// It came with a grant that outlives the visit.
    pub(super) offline: bool,
    /// The service account behind the token: it pays for the calls.
    pub(super) service_account: Option<String>,
}

impl AccessToken {
    /// A token of `user`'s consent to `client`, which ends with the consent at the latest.
    pub(super) fn of_consent(
        client: &str,
        user: &str,
        scopes: BTreeSet<String>,
        offline: bool,
        ends: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Self {
        let expires = now + TimeDelta::seconds(ACCESS_TOKEN_SECS);
        Self {
            client: client.to_owned(),
            user: user.to_owned(),
            scopes,
            expires: ends.map_or(expires, |ends| expires.min(ends)),
            offline,
            service_account: None,
        }
    }

    /// Whether a service account acts for itself, not for a user who delegated to it.
    pub(super) fn is_bare_service_account(&self) -> bool {
        self.service_account.as_ref() == Some(&self.user)
    }

    /// Whose quota per user a call is charged to: with delegation the service account's, as Google's
    /// page on quotas says.
    pub(super) fn charged(&self) -> &str {
        self.service_account.as_ref().unwrap_or(&self.user)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RefreshToken {
    pub(super) client: String,
    pub(super) user: String,
    pub(super) scopes: BTreeSet<String>,
    pub(super) ends: Option<DateTime<Utc>>,
    number: u64,
    used: DateTime<Utc>,
}

impl RefreshToken {
    fn lives(&self, now: DateTime<Utc>) -> bool {
        self.used + TimeDelta::days(IDLE_DAYS) > now && self.ends.is_none_or(|ends| ends > now)
    }
}

/// What a user allowed a client, all consents together.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Consent {
    scopes: BTreeSet<String>,
    /// A refresh token was handed out.
    offline: bool,
    ends: Option<DateTime<Utc>>,
}

/// Consents, codes and tokens.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Grants {
    pub(super) codes: BTreeMap<String, Code>,
    pub(super) access: BTreeMap<String, AccessToken>,
    pub(super) refresh: BTreeMap<String, RefreshToken>,
    /// By client and user.
    #[serde(with = "pairs")]
    consents: BTreeMap<(String, String), Consent>,
    /// Accounts that are no more.
    deleted: BTreeSet<String>,
    issued: u64,
}

impl Grants {
    /// A user says yes. What was allowed before stays allowed: Google knows one grant per user and project.
    pub(super) fn consent(
        &mut self,
        client: &str,
        user: &str,
        granted: &BTreeSet<String>,
        ends: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) {
        let place = (client.to_owned(), user.to_owned());
        let consent = self.consents.entry(place).or_default();
        if consent.ends.is_some_and(|ends| ends <= now) {
            *consent = Consent::default();
        }
        consent.scopes.extend(granted.iter().cloned());
        consent.ends = ends;
    }

    fn live_consent(&self, client: &str, user: &str, now: DateTime<Utc>) -> Option<&Consent> {
        let consent = self.consents.get(&(client.to_owned(), user.to_owned()))?;
        Some(consent).filter(|consent| consent.ends.is_none_or(|ends| ends > now))
    }

    /// Everything the user allowed the client so far.
    pub(super) fn allowed(&self, client: &str, user: &str, now: DateTime<Utc>) -> BTreeSet<String> {
        self.live_consent(client, user, now)
            .map(|consent| consent.scopes.clone())
            .unwrap_or_default()
    }

    /// When the user's consent to the client ends by itself.
    pub(super) fn ends(&self, client: &str, user: &str) -> Option<DateTime<Utc>> {
        self.consents.get(&(client.to_owned(), user.to_owned()))?.ends
    }

    /// Whether the user's consent to the client stands, with a refresh token handed out.
    pub(super) fn has_refresh(&self, client: &str, user: &str, now: DateTime<Utc>) -> bool {
        self.live_consent(client, user, now).is_some_and(|consent| consent.offline)
    }

    /// An access token that lives.
    pub(super) fn live_access(&self, token: &str, now: DateTime<Utc>) -> Option<&AccessToken> {
        self.access.get(token).filter(|token| token.expires > now)
    }

    /// A refresh token that lives, marked as used now.
    pub(super) fn use_refresh(&mut self, token: &str, now: DateTime<Utc>) -> Option<RefreshToken> {
        let found = self.refresh.get_mut(token)?;
        if !found.lives(now) {
            self.refresh.remove(token);
            return None;
        }
        found.used = now;
        Some(found.clone())
    }

    /// The client and user behind a token that lives, of either kind.
    pub(super) fn behind(&self, token: &str, now: DateTime<Utc>) -> Option<(String, String)> {
        let access = self.live_access(token, now).map(|token| (&token.client, &token.user));
        let refresh = self.refresh.get(token).filter(|token| token.lives(now));
        let (client, user) =
            access.or_else(|| refresh.map(|token| (&token.client, &token.user)))?;
        Some((client.clone(), user.clone()))
    }

    /// Every access token is expired from now on.
    pub(super) fn expire_access(&mut self, now: DateTime<Utc>) {
        for token in self.access.values_mut() {
            token.expires = token.expires.min(now);
        }
    }

    /// Ends everything `user` granted to `client`, or to every client. Tells whether there was anything.
    pub(super) fn revoke(&mut self, user: &str, client: Option<&str>) -> bool {
        let before = self.size();
        let other = |of_client: &str, of_user: &str| {
            of_user != user || client.is_some_and(|id| id != of_client)
        };
        self.access.retain(|_, token| other(&token.client, &token.user));
        self.refresh.retain(|_, token| other(&token.client, &token.user));
        self.codes.retain(|_, code| other(&code.client, &code.user));
        self.consents.retain(|(of_client, of_user), _| other(of_client, of_user));
        before != self.size()
    }

    fn size(&self) -> usize {
        self.access.len() + self.refresh.len() + self.codes.len() + self.consents.len()
    }

    /// Takes the calendar scopes out of everything `user` granted.
    pub(super) fn narrow(&mut self, user: &str) {
        let access = self.access.values_mut().map(|token| (&token.user, &mut token.scopes));
        let refresh = self.refresh.values_mut().map(|token| (&token.user, &mut token.scopes));
        let codes = self.codes.values_mut().map(|code| (&code.user, &mut code.scopes));
        let consents =
            self.consents.iter_mut().map(|((_, user), consent)| (user, &mut consent.scopes));
        for (of_user, granted) in access.chain(refresh).chain(codes).chain(consents) {
            if of_user == user {
                granted.retain(|scope| !scopes::is_calendar(scope));
            }
        }
    }

    /// The account is no more. Its refresh tokens are kept, to tell their holders so.
    pub(super) fn delete_account(&mut self, user: &str) {
        self.deleted.insert(user.to_owned());
        self.access.retain(|_, token| token.user != user);
        self.codes.retain(|_, code| code.user != user);
    }

    pub(super) fn is_deleted(&self, user: &str) -> bool {
        self.deleted.contains(user)
    }

    /// The user has a new password: it ends the tokens that reach mail, and no others.
    pub(super) fn password_changed(&mut self, user: &str) {
        let stays = |of_user: &str, granted: &BTreeSet<String>| {
            of_user != user || !granted.iter().any(|scope| scopes::is_mail(scope))
        };
        self.refresh.retain(|_, token| stays(&token.user, &token.scopes));
        for ((client, of_user), consent) in &mut self.consents {
            let left = self
                .refresh
                .values()
                .any(|token| token.client == *client && token.user == *of_user);
            consent.offline &= left || of_user != user;
        }
    }
}

impl State {
    /// Hands out a refresh token; the oldest of too many dies silently.
    pub(super) fn issue_refresh(&mut self, code: &Code, now: DateTime<Utc>) -> String {
        let token = format!("1//{}", self.generator.token(80));
        let grants = &mut self.grants;
        grants.issued += 1;
        let fresh = RefreshToken {
            client: code.client.clone(),
            user: code.user.clone(),
            scopes: code.scopes.clone(),
            ends: code.ends,
            number: grants.issued,
            used: now,
        };
        let place = (code.client.clone(), code.user.clone());
        if let Some(consent) = grants.consents.get_mut(&place) {
            consent.offline = true;
        }
        grants.refresh.retain(|_, other| {
            other.client != code.client || other.user != code.user || other.lives(now)
        });
        let live = grants
            .refresh
            .iter()
            .filter(|(_, other)| other.client == code.client && other.user == code.user);
        if live.clone().count() >= REFRESH_TOKENS
            && let Some(oldest) =
                live.min_by_key(|(_, other)| other.number).map(|(token, _)| token.clone())
        {
            grants.refresh.remove(&oldest);
        }
        grants.refresh.insert(token.clone(), fresh);
        self.remember_secret(&token);
        token
    }

    /// Hands out an access token, and tells its text. Those of service accounts look different.
    pub(super) fn issue_access(&mut self, token: AccessToken, now: DateTime<Utc>) -> String {
        if self.grants.access.len() >= KEPT {
            self.grants.access.retain(|_, other| other.expires > now);
        }
        let prefix = if token.service_account.is_some() { "ya29.c." } else { "ya29." };
        let text = format!("{prefix}{}", self.generator.token(120));
        self.grants.access.insert(text.clone(), token);
        self.remember_secret(&text);
        text
    }
}
