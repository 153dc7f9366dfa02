//! What Google sends people back with, and what its errors mean.

use url::form_urlencoded;

use crate::app::Error;

/// No parameter of an answer is longer, in bytes: Google's codes have less than a tenth of it.
const LONGEST: usize = 4096;

/// What Google's redirect brings back (RFC 6749 §4.1.2, RFC 9207).
#[derive(Default)]
pub struct Answer {
    /// What the consent was begun with.
    pub state: Option<String>,
    /// What a token can be had for.
    pub code: Option<String>,
    /// Why there is none.
    pub error: Option<String>,
    /// Who says so.
    pub iss: Option<String>,
}

impl Answer {
    /// Reads the query of a redirect. A parameter that comes twice (RFC 6749 §3.1), or that is longer
    /// than any of Google's, makes the whole unreadable; those that say nothing here are passed over.
    pub fn read(query: &str) -> Result<Self, Error> {
        let mut answer = Self::default();
        let mut seen = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if value.len() > LONGEST || seen.contains(&name) {
                return Err(refused(
                    "unreadable",
                    "The address Google sent you back to cannot be read. Connect once more.",
                ));
            }
            let place = match &*name {
                "state" => Some(&mut answer.state),
                "code" => Some(&mut answer.code),
                "error" => Some(&mut answer.error),
                "iss" => Some(&mut answer.iss),
                _ => None,
            };
            // An empty issuer is one that is not Google; all else that is empty is not there.
            if let Some(place) = place
                && (name == "iss" || !value.is_empty())
            {
                *place = Some(value.into_owned());
            }
            seen.push(name);
        }
        Ok(answer)
    }
}

/// A consent that comes to nothing.
pub(super) fn refused(code: &'static str, text: &str) -> Error {
    Error::Consent { code, text: text.into() }
}

/// What each error of an authorization answer means (RFC 6749 §4.1.2.1).
pub(super) fn explain(error: &str) -> Error {
    let (code, text) = match error {
        "access_denied" => (
            "access_denied",
            "You, or your organisation's rules, said no, so nothing was connected. Connect once more and choose Allow.",
        ),
        "invalid_request" => (
            "invalid_request",
            "Google could not read the request. Check that the redirect URI in the Google Cloud Console is exactly \
             the one shown on the setup page.",
        ),
        "unauthorized_client" => (
            "unauthorized_client",
            "This OAuth client may not ask for consent in this way. Make a client of the type Web application and \
             download its file.",
        ),
        "unsupported_response_type" => (
            "unsupported_response_type",
            "Google does not give this client a code. Make a client of the type Web application and download its file.",
        ),
        "invalid_scope" => (
            "invalid_scope",
            "Google does not know one of the scopes asked for. Check google.scopes, and that the Calendar API is \
             enabled in the project.",
        ),
        "server_error" => {
            ("server_error", "Google had a fault of its own. Connect once more in a moment.")
        }
        "temporarily_unavailable" => (
            "temporarily_unavailable",
            "Google is overloaded or down for a while. Connect once more in a few minutes.",
        ),
        _ => (
            "unknown_error",
            "Google reported an error that its manual does not list. Connect once more; if it comes back, check the \
             consent screen in the Google Cloud Console.",
        ),
    };
    refused(code, text)
}
