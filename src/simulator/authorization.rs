//! An authorization request: what may be shown to a person, and what is refused on the spot.
//!
//! What is wrong with the client, the address or the form is told to the person on a page, and never
//! sent to the address (Google's guide for web server applications, "Authorization errors").

use std::collections::BTreeSet;

use askama::Template;
use axum::http::{StatusCode, header};
use chrono::{DateTime, TimeDelta, Utc};
use url::{Host, Url};

use super::answer::Answer;
use super::call::{Asked, Desk, Parameters};
use super::clients::{ClientKind, ClientState, Publishing};
use super::grants::Code;
use super::id_token::ISSUER;
use super::scopes;
use super::settings::{Client, User};
use super::state::State;

const CODE_MINUTES: i64 = 10;
/// What a grant to a client that is still tested lasts.
const TESTING_DAYS: i64 = 7;

#[derive(Template)]
#[template(path = "simulator/consent_error.html")]
struct ErrorPage<'a> {
    status: u16,
    error: &'a str,
    explanation: &'a str,
}

/// An authorization request that may be shown to a person.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) client: String,
    redirect_uri: Url,
    /// As it was given: the exchange must repeat it to the letter.
    redirect_text: String,
    pub(super) scopes: BTreeSet<String>,
    state: Option<String>,
    nonce: Option<String>,
    challenge: Option<(String, bool)>,
    offline: bool,
    /// The words of `prompt`.
    prompts: Vec<String>,
    /// The new grant takes in what was granted before.
    incremental: bool,
    /// An address, or the `sub` of an account.
    pub(super) hint: Option<String>,
    /// The Workspace whose accounts are shown; `*` stands for any.
    hosted: Option<String>,
}

impl Request {
    /// Reads a request. Parameters it does not know are passed over, as Google does.
    pub(super) fn read(asked: &Asked, state: &State) -> Result<Self, Answer> {
        let parameters = &asked.parameters;
        if asked.header(&header::USER_AGENT).is_some_and(|agent| agent.contains("; wv)")) {
            let told =
                "This browser is a view embedded in an application: Google shows no consent there.";
            return Err(refused("disallowed_useragent", told));
        }
        if let Some(name) = parameters.repeated() {
            let told = format!("OAuth 2 parameters can only have a single value: {name}");
            return Err(refused("invalid_request", &told));
        }
        let known = client(parameters, state)?;
        let (redirect_text, redirect_uri) = redirect(parameters, known)?;
        if required(parameters, "response_type")? != "code" {
            return Err(refused(
                "unsupported_response_type",
                "Only response_type=code is answered here.",
            ));
        }
        let scopes = wanted_scopes(required(parameters, "scope")?)?;
        let text = |name: &str| parameters.get(name).map(str::to_owned);
        Ok(Self {
            client: known.id.clone(),
            redirect_uri,
            redirect_text,
            scopes,
            state: text("state"),
            nonce: text("nonce"),
            challenge: challenge(parameters)?,
            offline: is_offline(parameters)?,
            prompts: prompts(parameters)?,
            // Google: "Incremental authorization with installed apps" is not offered.
            incremental: parameters.get("include_granted_scopes") == Some("true")
                && known.kind == ClientKind::Web,
            hint: text("login_hint"),
            hosted: text("hd"),
        })
    }

    pub(super) fn prompts(&self, word: &str) -> bool {
        self.prompts.iter().any(|prompt| prompt == word)
    }

    /// The accounts a person can choose from.
    pub(super) fn accounts<'a>(&self, state: &'a State) -> Vec<&'a User> {
        let users = state.settings.users.iter();
        let shown = users.filter(|user| match self.hosted.as_deref() {
            None => true,
            Some("*") => user.workspace.is_some(),
            Some(domain) => user.workspace.as_deref() == Some(domain),
        });
        shown.filter(|user| !state.grants.is_deleted(&user.email)).collect()
    }

    /// Whether the account may consent to the client at all; the page that says why not.
    pub(super) fn admits(&self, state: &State, user: &User) -> Result<(), Answer> {
        let Some(client) = state.client(&self.client) else { return Ok(()) };
        match client.state {
            ClientState::Internal
                if user.workspace.is_none() || user.workspace != client.workspace =>
            {
                let told = "This client is restricted to users within its organization.";
                return Err(refused("org_internal", told));
            }
            ClientState::AdminPolicy => {
                let told = "Your institution's administrator blocks this application.";
                return Err(refused("admin_policy_enforced", told));
            }
            _ => {}
        }
        let tests = client.publishing == Publishing::Testing;
        let tester = |tester: &String| tester.eq_ignore_ascii_case(&user.email);
        if tests && client.test_users.as_ref().is_some_and(|users| !users.iter().any(tester)) {
            let told =
                "This application is being tested: only its developer's testers have access.";
            return Err(refused("access_denied", told));
        }
        Ok(())
    }

    /// Writes down what `user` granted until `ends`, and sends the browser back with a code;
    /// `prompted` tells which page was shown.
    pub(super) fn grant(
        &self,
        desk: &mut Desk<'_>,
        user: &User,
        mut granted: BTreeSet<String>,
        ends: Option<DateTime<Utc>>,
        prompted: &str,
    ) -> Answer {
        let now = desk.now;
        let grants = &mut desk.state.grants;
        if self.incremental {
            granted.extend(grants.allowed(&self.client, &user.email, now));
        }
        grants.consent(&self.client, &user.email, &granted, ends, now);
        grants.codes.retain(|_, code| code.expires > now);
        let text = format!("4/0A{}", desk.state.generator.token(70));
        let scope = scopes::join_for_redirect(&granted);
        let code = Code {
            client: self.client.clone(),
            user: user.email.clone(),
            redirect_uri: self.redirect_text.clone(),
            scopes: granted,
            challenge: self.challenge.clone(),
            nonce: self.nonce.clone(),
            offline: self.offline,
            consent: self.prompts("consent"),
            expires: now + TimeDelta::minutes(CODE_MINUTES),
            ends,
            used: false,
        };
        desk.state.grants.codes.insert(text.clone(), code);
        desk.state.remember_secret(&text);
        desk.call.user = Some(user.email.clone());
        desk.committed = true;
        let mut answer =
            vec![("iss", ISSUER), ("code", &text), ("scope", &scope), ("authuser", "0")];
        answer.extend(user.workspace.as_deref().map(|workspace| ("hd", workspace)));
        answer.push(("prompt", prompted));
        self.back(&answer)
    }

    /// When a consent of now ends by itself: after the days the user gave, or the client's testing.
    pub(super) fn ends(
        &self,
        desk: &Desk<'_>,
        granted: &BTreeSet<String>,
        days: Option<i64>,
    ) -> Option<DateTime<Utc>> {
        let tests = desk
            .state
            .client(&self.client)
            .is_some_and(|client| client.publishing == Publishing::Testing);
        let identity_only = granted.iter().all(|scope| scopes::is_identity(scope));
        let tested = Some(TESTING_DAYS).filter(|_| tests && !identity_only);
        let days = days.into_iter().chain(tested).min()?;
        Some(desk.now + TimeDelta::days(days))
    }

    /// Sends the browser back, with the state as it came.
    pub(super) fn back(&self, answer: &[(&str, &str)]) -> Answer {
        let mut target = self.redirect_uri.clone();
        {
            let mut query = target.query_pairs_mut();
            if let Some(state) = &self.state {
                query.append_pair("state", state);
            }
            query.extend_pairs(answer);
        }
        Answer::empty(StatusCode::FOUND)
            .with(header::LOCATION, target.to_string())
            .with(header::CACHE_CONTROL, "no-store")
    }
}

fn required<'a>(parameters: &'a Parameters, name: &str) -> Result<&'a str, Answer> {
    parameters.get(name).ok_or_else(|| {
        refused("invalid_request", &format!("Required parameter is missing: {name}"))
    })
}

fn client<'a>(parameters: &Parameters, state: &'a State) -> Result<&'a Client, Answer> {
    let known = state
        .client(required(parameters, "client_id")?)
        .ok_or_else(|| refused("invalid_client", "The OAuth client was not found."))?;
    match known.state {
        ClientState::Deleted => Err(refused("deleted_client", "The OAuth client was deleted.")),
        ClientState::Disabled => Err(refused("disabled_client", "The OAuth client was disabled.")),
        ClientState::Live | ClientState::Internal | ClientState::AdminPolicy => Ok(known),
    }
}

/// Where the browser goes back to: an address that is registered to the letter, or for an installed
/// application any of its own machine.
fn redirect(parameters: &Parameters, known: &Client) -> Result<(String, Url), Answer> {
    let text = required(parameters, "redirect_uri")?;
    if text.starts_with("urn:ietf:wg:oauth:2.0:oob") {
        let told = "The out-of-band (OOB) flow has been blocked in order to keep users secure.";
        return Err(refused("invalid_request", told));
    }
    let parsed = Url::parse(text).ok().filter(|address| {
        known.redirect_uris.iter().any(|uri| uri == text)
            || known.kind == ClientKind::Installed && is_loopback(address)
    });
    let told = || {
        let text = format!(
            "The redirect URI in the request, {text}, does not match the ones authorized for the OAuth client."
        );
        refused("redirect_uri_mismatch", &text)
    };
    Ok((text.to_owned(), parsed.ok_or_else(told)?))
}

fn is_loopback(address: &Url) -> bool {
    let local = match address.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    local && address.scheme() == "http"
}

/// The scopes asked for. Who asks for an address or a profile gets `openid`, too: captured, and a
/// trap for clients that compare what they asked for with what they got.
fn wanted_scopes(list: &str) -> Result<BTreeSet<String>, Answer> {
    let mut wanted = scopes::read(list).map_err(|scope| {
        refused(
            "invalid_scope",
            &format!("Some requested scopes were invalid. {{invalid=[{scope}]}}"),
        )
    })?;
    if wanted.iter().any(|scope| scopes::is_identity(scope)) {
        wanted.insert("openid".to_owned());
    }
    Ok(wanted)
}

fn challenge(parameters: &Parameters) -> Result<Option<(String, bool)>, Answer> {
    let hashed = match parameters.get("code_challenge_method") {
        None | Some("plain") => false,
        Some("S256") => true,
        Some(_) => {
            return Err(refused("invalid_request", "Transform algorithm not supported."));
        }
    };
    Ok(parameters.get("code_challenge").map(|challenge| (challenge.to_owned(), hashed)))
}

fn is_offline(parameters: &Parameters) -> Result<bool, Answer> {
    match parameters.get("access_type") {
        None | Some("online") => Ok(false),
        Some("offline") => Ok(true),
        Some(other) => {
            let told = format!("Invalid parameter value for access_type: {other}");
            Err(refused("invalid_request", &told))
        }
    }
}

/// The words of `prompt`, or of its forerunner `approval_prompt`.
fn prompts(parameters: &Parameters) -> Result<Vec<String>, Answer> {
    let old = parameters.get("approval_prompt");
    let words: Vec<&str> = match (parameters.get("prompt"), old) {
        (Some(_), Some(_)) => {
            let told = "Conflict params: approval_prompt and prompt";
            return Err(refused("invalid_request", told));
        }
        (Some(prompt), None) => prompt.split(' ').filter(|word| !word.is_empty()).collect(),
        (None, Some("force")) => vec!["consent"],
        (None, _) => Vec::new(),
    };
    let unknown = words.iter().find(|word| !["none", "consent", "select_account"].contains(word));
    let alone = words.len() == 1 || !words.contains(&"none");
    if let (Some(word), _) | (None, Some(word)) = (unknown, words.first().filter(|_| !alone)) {
        let told = format!("Invalid parameter value for prompt: Invalid prompt: {word}");
        return Err(refused("invalid_request", &told));
    }
    Ok(words.into_iter().map(str::to_owned).collect())
}

pub(super) fn html(status: StatusCode, page: &impl Template) -> Answer {
    let body = page.render().expect("a page of plain texts can be rendered");
    Answer::html(status, body).with(header::CACHE_CONTROL, "no-store")
}

/// Google's error page. Its text names the number of the error, which need not be the answer's status.
pub(super) fn refused(error: &str, explanation: &str) -> Answer {
    let status = match error {
        "invalid_client" | "deleted_client" | "disabled_client" => 401,
        "org_internal" | "access_denied" | "disallowed_useragent" => 403,
        _ => 400,
    };
    html(StatusCode::BAD_REQUEST, &ErrorPage { status, error, explanation })
}
