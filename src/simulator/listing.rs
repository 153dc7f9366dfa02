//! Pages and sync tokens, the same for every collection: opaque to callers, bound to what they were
//! given out for.

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::answer::Refusal;
use super::call::{Desk, Parameters};

/// Where a list stands in its order: after this key.
pub(super) type Key = (i64, u64);

/// How long a sync token can be used. Google gives no number.
const SYNC_TOKEN_DAYS: i64 = 28;

/// Parameters that may differ from page to page: they say how to answer, not what is in the list.
const NOT_OF_THE_LIST: &[&str] = &[
    "pageToken",
    "maxResults",
    "access_token",
    "alt",
    "fields",
    "key",
    "prettyPrint",
    "quotaUser",
];

/// What a collection lets its callers ask for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// The size of a page, if none is asked for.
    pub(super) page: usize,
    pub(super) largest_page: usize,
    /// Parameters that cannot stand beside a sync token.
    pub(super) not_with_sync: &'static [&'static str],
    /// Of these, those that keep a first list from giving out a sync token.
    pub(super) without_sync: &'static [&'static str],
    /// Parameters that must be the same in a list and in those that go on from its sync token.
    pub(super) same_with_sync: &'static [&'static str],
    /// Parameters that cannot be `false` beside a sync token.
    pub(super) not_false_with_sync: &'static [&'static str],
}

/// Which part of a collection is wanted.
#[derive(Clone, Debug)]
pub(super) struct Listing {
    /// Only what changed after this version is wanted: set by a sync token.
    pub(super) since: Option<i64>,
    /// The page begins after this key.
    pub(super) after: Option<Key>,
    pub(super) size: usize,
    /// The newest version there was when the first page was made. The sync token tells of all that
    /// changed since: what was written while the pages were read comes then, perhaps for the second
    /// time, and is never missed.
    pub(super) seen: i64,
    page_bound: String,
    /// What the sync token is bound to; none is given out for a list with filters.
    sync_bound: String,
    gives_sync: bool,
    standing: i64,
    epoch: u64,
}

impl Listing {
    /// Reads what is wanted of the collection called `name`. A sync token dies when `standing` moves
    /// on, which it does when somebody's access changed.
    pub(super) fn read(
        desk: &Desk<'_>,
        name: &str,
        standing: i64,
        manner: &Manner,
    ) -> Result<Self, Refusal> {
        let parameters = &desk.asked.parameters;
        let bound = |names: &dyn Fn(&str) -> bool| {
            let chosen =
                parameters.pairs().filter(|(name, value)| names(name) && !value.is_empty());
            binding(desk.user(), name, chosen.collect())
        };
        let page_bound = bound(&|name| !NOT_OF_THE_LIST.contains(&name));
        let page_bound = format!("{}.{page_bound}", desk.state.page_epoch);
        let sync_bound = bound(&|name| manner.same_with_sync.contains(&name));
        let size = page_size(parameters, manner)?;
        let mut listing = Self {
            since: None,
            after: None,
            size,
            seen: desk.state.newest_version(),
            page_bound,
            sync_bound,
            gives_sync: manner.without_sync.iter().all(|name| parameters.get(name).is_none()),
            standing,
            epoch: desk.state.sync_epoch,
        };
        if let Some(token) = parameters.get("syncToken") {
            listing.since = Some(listing.go_on(token, parameters, manner, desk.now)?);
        }
        if let Some(token) = parameters.get("pageToken") {
            let numbers = numbers(token, "p", &listing.page_bound);
            let [seen, first, second] = numbers.ok_or_else(|| invalid_parameter("pageToken"))?;
            listing.seen = seen;
            listing.after = Some((first, second.unsigned_abs()));
        }
        Ok(listing)
    }

    /// The version from which `token` goes on.
    fn go_on(
        &self,
        token: &str,
        parameters: &Parameters,
        manner: &Manner,
        now: DateTime<Utc>,
    ) -> Result<i64, Refusal> {
        let hides =
            manner.not_false_with_sync.iter().any(|name| parameters.get(name) == Some("false"));
        if hides || manner.not_with_sync.iter().any(|name| parameters.get(name).is_some()) {
            let message = "Sync token cannot be used with the other query restrictions.";
            return Err(Refusal::bad("badRequest", message).at("parameter", "syncToken"));
        }
        let Some([seen, standing, epoch, given]) = numbers(token, "s", &self.sync_bound) else {
            let message = "Invalid sync token value.";
            return Err(Refusal::bad("invalid", message).at("parameter", "syncToken"));
        };
        let oldest = (now - TimeDelta::days(SYNC_TOKEN_DAYS)).timestamp();
        if standing == self.standing && epoch.unsigned_abs() == self.epoch && given >= oldest {
            return Ok(seen);
        }
        let message = "Sync token is no longer valid, a full sync is required.";
        let refusal = Refusal::new(StatusCode::GONE, "calendar", "fullSyncRequired", message);
        Err(refusal.at("parameter", "syncToken"))
    }

    /// Of all items of a collection, those of the page, by key; and the key after which more come.
    pub(super) fn page_of<T>(&self, mut items: Vec<(Key, T)>) -> (Vec<T>, Option<Key>) {
        items.retain(|(key, _)| self.after.is_none_or(|after| *key > after));
        items.sort_by_key(|(key, _)| *key);
        let more = items.len() > self.size;
        items.truncate(self.size);
        let last = items.last().map(|(key, _)| *key).filter(|_| more);
        (items.into_iter().map(|(_, item)| item).collect(), last)
    }

    /// Writes into `page` how to go on: after `more`, or, at the end, with a sync token.
    pub(super) fn close(&self, page: &mut Value, more: Option<Key>, now: DateTime<Utc>) {
        if let Some((first, second)) = more {
            let numbers = format!("{}:{first}:{second}", self.seen);
            page["nextPageToken"] = token("p", &self.page_bound, &numbers);
        } else if self.gives_sync {
            let numbers =
                format!("{}:{}:{}:{}", self.seen, self.standing, self.epoch, now.timestamp());
            page["nextSyncToken"] = token("s", &self.sync_bound, &numbers);
        }
    }
}

/// `maxResults`: what is beyond the largest page is cut, as Google does.
fn page_size(parameters: &Parameters, manner: &Manner) -> Result<usize, Refusal> {
    match parameters.get("maxResults").map(str::parse::<usize>) {
        None => Ok(manner.page),
        Some(Ok(size)) if size > 0 => Ok(size.min(manner.largest_page)),
        Some(_) => Err(invalid_parameter("maxResults")),
    }
}

pub(super) fn invalid_parameter(name: &'static str) -> Refusal {
    Refusal::bad("invalidParameter", &format!("Invalid value for parameter '{name}'."))
        .at("parameter", name)
}

fn token(kind: &str, bound: &str, numbers: &str) -> Value {
    json!(URL_SAFE_NO_PAD.encode(format!("{kind}:{bound}:{numbers}")))
}

/// The numbers of a token, if it is of this kind and was given out for the same list.
fn numbers<const COUNT: usize>(token: &str, kind: &str, bound: &str) -> Option<[i64; COUNT]> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let rest = text.strip_prefix(kind)?.strip_prefix(':')?.strip_prefix(bound)?;
    let read: Option<Vec<i64>> =
        rest.strip_prefix(':')?.split(':').map(|number| number.parse().ok()).collect();
    read?.try_into().ok()
}

/// What a token is bound to, as one short text.
fn binding(user: &str, name: &str, mut parameters: Vec<(&str, &str)>) -> String {
    parameters.sort_unstable();
    let mut hash = Sha256::new();
    for part in [("", user), ("", name)].iter().chain(&parameters).flat_map(|pair| [pair.0, pair.1])
    {
        hash.update(part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    URL_SAFE_NO_PAD.encode(&hash.finalize()[..12])
}
