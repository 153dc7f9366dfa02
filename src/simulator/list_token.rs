//! Page and sync tokens of `calendar.events.list`: opaque to callers, bound to what they were given out for.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// Where a list stands in its order: after this key.
pub(super) type Key = (i64, u64);

/// Goes on with a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PageToken {
    /// The newest version there was when the first page was made.
    pub(super) seen: i64,
    pub(super) after: Key,
}

/// Asks for what changed since a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SyncToken {
    /// The newest version there was when the first page of that list was made.
    pub(super) seen: i64,
    /// Which expiry of all sync tokens it came after.
    pub(super) epoch: u64,
}

impl PageToken {
    pub(super) fn write(self, bound: &str) -> String {
        let (first, second) = self.after;
        URL_SAFE_NO_PAD.encode(format!("p:{bound}:{}:{first}:{second}", self.seen))
    }

    /// Reads a token that was written for the same list.
    pub(super) fn read(token: &str, bound: &str) -> Option<Self> {
        let [seen, first, second] = numbers(token, "p", bound)?;
        Some(Self { seen, after: (first, second.try_into().ok()?) })
    }
}

impl SyncToken {
    pub(super) fn write(self, bound: &str) -> String {
        URL_SAFE_NO_PAD.encode(format!("s:{bound}:{}:{}", self.seen, self.epoch))
    }

    /// Reads a token that was written for the same user, calendar and parameters.
    pub(super) fn read(token: &str, bound: &str) -> Option<Self> {
        let [seen, epoch] = numbers(token, "s", bound)?;
        Some(Self { seen, epoch: epoch.try_into().ok()? })
    }
}

fn numbers<const COUNT: usize>(token: &str, kind: &str, bound: &str) -> Option<[i64; COUNT]> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let rest = text.strip_prefix(kind)?.strip_prefix(':')?.strip_prefix(bound)?;
    let read: Option<Vec<i64>> =
        rest.strip_prefix(':')?.split(':').map(|number| number.parse().ok()).collect();
    read?.try_into().ok()
}

/// What a token is bound to, as one short text.
pub(super) fn binding(user: &str, calendar: &str, mut parameters: Vec<(&str, &str)>) -> String {
    parameters.sort_unstable();
    let mut hash = Sha256::new();
    for part in
        [("", user), ("", calendar)].iter().chain(&parameters).flat_map(|pair| [pair.0, pair.1])
    {
        hash.update(part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    URL_SAFE_NO_PAD.encode(&hash.finalize()[..12])
}
