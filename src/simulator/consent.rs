//! The consent page: what a person clicks, or a program posts.
//!
//! `GET` shows the page; `POST` to the very same address (query and all) decides. The form's fields:
//! `decision` (`allow` or `deny`), `user` (an account's e-mail; without it the `login_hint`, else the
//! first account), `choose=1` if the `scope` fields (repeated) are the scopes that were ticked. Without
//! `choose`, every scope asked for is granted. Scopes that only tell who the user is are always granted.

use std::collections::BTreeSet;

use askama::Template;
use axum::Router;
use axum::extract::State as Shared;
use axum::http::{StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use chrono::TimeDelta;
use url::Url;

use super::Simulator;
use super::answer::Answer;
use super::call::{Asked, Call, Desk, Parameters, Routes};
use super::scopes;
use super::state::{Code, State};

const CODE_MINUTES: i64 = 10;

pub(super) fn routes() -> Routes {
    Router::new().route("/o/oauth2/v2/auth", get(show).post(decide))
}

#[derive(Template)]
#[template(path = "simulator/consent.html")]
struct ConsentPage<'a> {
    client: &'a str,
    accounts: Vec<Account<'a>>,
    scopes: Vec<(String, String)>,
    identity: Vec<String>,
}

struct Account<'a> {
    email: &'a str,
    name: &'a str,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "simulator/consent_error.html")]
struct ErrorPage<'a> {
    status: u16,
    error: &'a str,
    explanation: &'a str,
}

/// An authorization request that may be shown to a person.
#[derive(Clone, Debug)]
struct Request {
    client: String,
    redirect_uri: Url,
    /// As it was given: the exchange must repeat it to the letter.
    redirect_text: String,
    scopes: BTreeSet<String>,
    state: Option<String>,
    challenge: Option<(String, bool)>,
    offline: bool,
    /// The words of `prompt`.
    prompts: Vec<String>,
    /// The new grant takes in what was granted before.
    incremental: bool,
    hint: Option<String>,
}

async fn show(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    simulator.run(asked, call(), |desk| page(desk).unwrap_or_else(|refused| refused)).await
}

async fn decide(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    let form = asked.form();
    let mut call = call();
    call.user = form.get("user").map(str::to_owned);
    simulator.run(asked, call, |desk| decision(desk, &form).unwrap_or_else(|refused| refused)).await
}

fn call() -> Call {
    Call { method: "auth", ..Call::default() }
}

fn page(desk: &mut Desk<'_>) -> Result<Answer, Answer> {
    let request = Request::read(&desk.asked.parameters, desk.state)?;
    if request.prompts("none") {
        return Ok(silent(desk, &request));
    }
    let hinted = request
        .hint
        .as_deref()
        .and_then(|hint| desk.state.user(hint))
        .map(|user| user.email.as_str());
    let first = desk.state.settings.users.first().map(|user| user.email.as_str());
    let accounts = desk.state.settings.users.iter().map(|user| Account {
        email: &user.email,
        name: &user.name,
        chosen: hinted.or(first) == Some(user.email.as_str()),
    });
    let (identity, others): (Vec<&String>, Vec<&String>) =
        request.scopes.iter().partition(|scope| scopes::is_identity(scope));
    let page = ConsentPage {
        client: &request.client,
        accounts: accounts.collect(),
        scopes: others.into_iter().map(|scope| (scope.clone(), scopes::explained(scope))).collect(),
        identity: identity.into_iter().map(|scope| scopes::explained(scope)).collect(),
    };
    Ok(html(StatusCode::OK, &page))
}

/// `prompt=none`: an account that granted all of it before is not asked again.
fn silent(desk: &mut Desk<'_>, request: &Request) -> Answer {
    let user = request
        .hint
        .as_deref()
        .and_then(|hint| desk.state.user(hint))
        .map(|user| user.email.clone());
    let Some(user) = user else { return request.back(&[("error", "login_required")]) };
    let granted = desk.state.refresh.values().any(|token| {
        token.client == request.client
            && token.user == user
            && request.scopes.is_subset(&token.scopes)
    });
    if granted {
        request.grant(desk, &user, request.scopes.clone())
    } else {
        request.back(&[("error", "interaction_required")])
    }
}

fn decision(desk: &mut Desk<'_>, form: &Parameters) -> Result<Answer, Answer> {
    let request = Request::read(&desk.asked.parameters, desk.state)?;
    match form.get("decision") {
        Some("deny") => return Ok(request.back(&[("error", "access_denied")])),
        Some("allow") => {}
        _ => {
            return Err(refused(
                "invalid_request",
                "The field \"decision\" must be \"allow\" or \"deny\".",
            ));
        }
    }
    let named = form.get("user").or(request.hint.as_deref());
    let account = match named {
        Some(email) => desk.state.user(email),
        None => desk.state.settings.users.first(),
    };
    let user = account.map(|user| user.email.clone());
    let user =
        user.ok_or_else(|| refused("invalid_request", "The simulator has no such account."))?;
    let mut granted = request.scopes.clone();
    if form.get("choose").is_some() {
        granted.retain(|scope| {
            scopes::is_identity(scope) || form.all("scope").any(|ticked| ticked == scope)
        });
    }
    if granted.is_empty() {
        return Ok(request.back(&[("error", "access_denied")]));
    }
    Ok(request.grant(desk, &user, granted))
}

impl Request {
    /// Reads a request; what is wrong with client, address or form is told to the person, and never
    /// sent to the address.
    fn read(parameters: &Parameters, state: &State) -> Result<Self, Answer> {
        let missing = |name: &str| {
            refused("invalid_request", &format!("Required parameter is missing: {name}"))
        };
        let client = parameters.get("client_id").ok_or_else(|| missing("client_id"))?;
        let Some(known) = state.client(client) else {
            return Err(refused("invalid_client", "The OAuth client was not found."));
        };
        let redirect_text =
            parameters.get("redirect_uri").ok_or_else(|| missing("redirect_uri"))?;
        let registered = known.redirect_uris.iter().any(|uri| uri == redirect_text);
        let redirect_uri = Url::parse(redirect_text).ok().filter(|_| registered).ok_or_else(|| {
            let text = format!("The redirect URI in the request, {redirect_text}, does not match the ones authorized for the OAuth client.");
            refused("redirect_uri_mismatch", &text)
        })?;
        if parameters.get("response_type").ok_or_else(|| missing("response_type"))? != "code" {
            return Err(refused(
                "unsupported_response_type",
                "Only response_type=code is answered here.",
            ));
        }
        let scopes = scopes::read(parameters.get("scope").ok_or_else(|| missing("scope"))?)
            .map_err(|scope| {
                refused("invalid_scope", &format!("Some requested scopes were invalid: {scope}"))
            })?;
        let hashed = match parameters.get("code_challenge_method") {
            None | Some("plain") => false,
            Some("S256") => true,
            Some(_) => {
                return Err(refused("invalid_request", "Transform algorithm not supported."));
            }
        };
        let prompts = parameters.get("prompt").unwrap_or_default().split(' ').map(str::to_owned);
        Ok(Self {
            client: client.to_owned(),
            redirect_uri,
            redirect_text: redirect_text.to_owned(),
            scopes,
            state: parameters.get("state").map(str::to_owned),
            challenge: parameters
                .get("code_challenge")
                .map(|challenge| (challenge.to_owned(), hashed)),
            offline: parameters.get("access_type") == Some("offline"),
            prompts: prompts.collect(),
            incremental: parameters.get("include_granted_scopes") == Some("true"),
            hint: parameters.get("login_hint").map(str::to_owned),
        })
    }

    fn prompts(&self, word: &str) -> bool {
        self.prompts.iter().any(|prompt| prompt == word)
    }

    fn grant(&self, desk: &mut Desk<'_>, user: &str, mut granted: BTreeSet<String>) -> Answer {
        let now = desk.now;
        if self.incremental {
            let before = desk.state.refresh.values();
            let before = before.filter(|token| token.client == self.client && token.user == user);
            granted.extend(before.flat_map(|token| token.scopes.iter().cloned()));
        }
        desk.state.codes.retain(|_, code| code.expires > now);
        let text = format!("4/0A{}", desk.state.generator.token(70));
        let scope = scopes::join(&granted);
        let code = Code {
            client: self.client.clone(),
            user: user.to_owned(),
            redirect_uri: self.redirect_text.clone(),
            scopes: granted,
            challenge: self.challenge.clone(),
            offline: self.offline,
            consent: self.prompts("consent"),
            expires: now + TimeDelta::minutes(CODE_MINUTES),
            used: false,
        };
        desk.state.codes.insert(text.clone(), code);
        desk.state.remember_secret(&text);
        desk.call.user = Some(user.to_owned());
        desk.committed = true;
        self.back(&[("code", &text), ("scope", &scope)])
    }

    /// Sends the browser back, with the state as it came.
    fn back(&self, answer: &[(&str, &str)]) -> Answer {
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

fn html(status: StatusCode, page: &impl Template) -> Answer {
    let body = page.render().expect("a page of plain texts can be rendered");
    Answer::html(status, body).with(header::CACHE_CONTROL, "no-store")
}

fn refused(error: &str, explanation: &str) -> Answer {
    let status = if error == "invalid_client" { 401 } else { 400 };
    html(StatusCode::BAD_REQUEST, &ErrorPage { status, error, explanation })
}
