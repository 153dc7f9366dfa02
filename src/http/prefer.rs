//! What a caller prefers (RFC 7240): how long to wait for the event, or not at all.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use chrono::TimeDelta;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use super::openapi::{header, text};

/// Nobody waits longer, whatever is preferred: proxies give up after a minute.
pub const LONGEST_WAIT: TimeDelta = TimeDelta::seconds(50);

static PREFER: HeaderName = HeaderName::from_static("prefer");
/// Set on the answer to a request whose preference was followed.
pub static PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// The header, for the API's document.
pub struct Prefer;

impl IntoParams for Prefer {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let told = "`wait=N`: wait up to N seconds, at most 50, until the write is in Google. \
                    `respond-async`: do not wait. Anything else is ignored (RFC 7240).";
        vec![header("Prefer", told, text())]
    }
}

/// How long the request is to wait: what `Prefer` says, else `usual`.
pub fn wait(headers: &HeaderMap, usual: TimeDelta) -> TimeDelta {
    preferred(headers).unwrap_or(usual).min(LONGEST_WAIT)
}

/// What the answer says of the preference that was followed (RFC 7240 §3); nothing of others.
pub fn applied(headers: &HeaderMap) -> Option<(HeaderName, HeaderValue)> {
    let wait = preferred(headers)?.min(LONGEST_WAIT);
    let told = match wait.num_seconds() {
        0 => HeaderValue::from_static("respond-async"),
        secs => HeaderValue::try_from(format!("wait={secs}")).ok()?,
    };
    Some((PREFERENCE_APPLIED.clone(), told))
}

/// For how long the caller prefers to wait, if it says so.
fn preferred(headers: &HeaderMap) -> Option<TimeDelta> {
    let values = headers.get_all(&PREFER).iter().filter_map(|value| value.to_str().ok());
    let mut preferred = None;
    // RFC 7240 §2: of a preference given twice, the first counts; unknown ones are ignored.
    for preference in values.flat_map(|value| value.split(',')) {
        let preference = preference.split(';').next().unwrap_or_default().trim();
        let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
        let value = value.trim().trim_matches('"');
        match name.trim().to_ascii_lowercase().as_str() {
            "respond-async" => preferred = preferred.or(Some(TimeDelta::zero())),
            "wait" => {
                let secs = value.parse::<u32>().ok().map(|secs| TimeDelta::seconds(secs.into()));
                preferred = preferred.or(secs);
            }
            _ => {}
        }
    }
    preferred
}
