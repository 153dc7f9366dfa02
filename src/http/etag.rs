//! What a shown thing is known by as it stands (RFC 9110 §8.8.3), and what a caller asks of it:
//! `If-Match`, to change nothing but what it has seen; `If-None-Match`, to be told nothing it knows.

use std::fmt;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use super::openapi::{header, text};
use crate::model::id::base32hex;

/// The header, for the API's document.
pub struct IfMatch;

impl IntoParams for IfMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let told = "The ETag of what the caller has seen: if anybody asked for something else since, \
                    nothing is changed. What Google did with it meanwhile does not matter.";
        vec![header("If-Match", told, text())]
    }
}

/// The header, for the API's document.
pub struct IfNoneMatch;

impl IntoParams for IfNoneMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let told = "The ETag of what the caller knows already: it is not told again.";
        vec![header("If-None-Match", told, text())]
    }
}

/// So many bytes of a digest tell two answers of one version apart.
const PROOF: usize = 10;

/// What a thing is known by as it stands: its revision, the version of what is known of it, and a
/// digest of everything else that is shown.
#[derive(Clone, Debug, Default)]
pub struct ETag {
    revision: String,
    rest: String,
}

impl ETag {
    /// That of a thing shown as `body`, which holds none yet.
    pub fn of(revision: u32, version: u32, body: &impl Serialize) -> Self {
        let shown = serde_json::to_vec(body).expect("what is shown can be written");
        Self {
            revision: format!("r{revision}"),
            rest: format!("v{version}-{}", base32hex(&Sha256::digest(shown)[..PROOF])),
        }
    }

    /// It as a header.
    pub fn header(&self) -> (HeaderName, HeaderValue) {
        let value = HeaderValue::try_from(self.to_string()).expect("digits, letters and quotes");
        (header::ETAG, value)
    }

    /// Whether the caller may change the thing: it says nothing of what it has seen, or has seen this
    /// revision. What Google and the bridge do with a revision is shown too, but makes nobody's change
    /// a blind one.
    pub fn lets_change(&self, headers: &HeaderMap) -> bool {
        let Some(mut asked) = tags(headers, &header::IF_MATCH) else { return true };
        asked.any(|tag| {
            let seen = tag.strip_prefix('"').and_then(|tag| tag.split_once('.'));
            tag == "*" || seen.is_some_and(|(revision, _)| revision == self.revision)
        })
    }

    /// Whether the caller has seen all that would be shown.
    pub fn is_known(&self, headers: &HeaderMap) -> bool {
        let whole = self.to_string();
        let mut known = tags(headers, &header::IF_NONE_MATCH).into_iter().flatten();
        known.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == whole)
    }
}

impl Serialize for ETag {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "\"{}.{}\"", self.revision, self.rest)
    }
}

/// The entity tags in a header, which holds no other commas.
fn tags<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<impl Iterator<Item = &'a str>> {
    if !headers.contains_key(name) {
        return None;
    }
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    Some(values.flat_map(|value| value.split(',')).map(str::trim))
}
