//! The consent page: what a person clicks, or a program posts.
//!
//! `GET` shows the page; `POST` to the very same address (query and all) decides. The form's fields:
//! `decision` (`allow` or `deny`), `user` (an account's e-mail; without it the `login_hint`, else the
//! first account), `choose=1` if the `scope` fields (repeated) are the scopes that were ticked. Without
//! `choose`, every scope asked for is granted. Scopes that only tell who the user is are always granted.
//! `period_days` ends the grant after so many days; without, it lasts.

use askama::Template;
use axum::Router;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;

use super::Simulator;
use super::answer::Answer;
use super::authorization::{Request, html, refused};
use super::call::{Asked, Call, Desk, Parameters, Routes};
use super::settings::User;
use super::state::State;
use super::{generator, scopes};

/// The longest time a user can give, in days.
const LONGEST_PERIOD: i64 = 3650;

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/o/oauth2/v2/auth", get(show).post(decide))
        .route("/o/oauth2/auth", get(show).post(decide))
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
    let request = Request::read(desk.asked, desk.state)?;
    if request.prompts("none") {
        return silent(desk, &request);
    }
    let accounts = request.accounts(desk.state);
    let hinted = hinted(desk.state, &request).map(|user| user.email.as_str());
    let hinted = hinted.filter(|email| accounts.iter().any(|user| user.email == *email));
    let chosen = hinted.or(accounts.first().map(|user| user.email.as_str()));
    let accounts = accounts.iter().map(|user| Account {
        email: &user.email,
        name: &user.name,
        chosen: chosen == Some(user.email.as_str()),
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

/// The account `login_hint` names, by address or by `sub`.
fn hinted<'a>(state: &'a State, request: &Request) -> Option<&'a User> {
    let hint = request.hint.as_deref()?;
    let seed = state.settings.seed;
    let by_subject = |user: &&User| generator::subject(seed, &user.email) == hint;
    state.user(hint).or_else(|| state.settings.users.iter().find(by_subject))
}

/// `prompt=none`: an account that granted all of it before is not asked again. One account alone
/// counts as signed in; of several, `login_hint` must name one.
fn silent(desk: &mut Desk<'_>, request: &Request) -> Result<Answer, Answer> {
    let accounts = request.accounts(desk.state);
    let user = match (&request.hint, accounts.as_slice()) {
        (None, [only]) => Some(*only),
        (None, [_, _, ..]) => return Ok(interaction_required(request)),
        _ => hinted(desk.state, request)
            .filter(|hinted| accounts.iter().any(|user| user.email == hinted.email)),
    };
    let Some(user) = user.cloned() else {
        return Ok(request.back(&[("error", "login_required")]));
    };
    request.admits(desk.state, &user)?;
    let grants = &desk.state.grants;
    if !request.scopes.is_subset(&grants.allowed(&request.client, &user.email, desk.now)) {
        return Ok(interaction_required(request));
    }
    let ends = grants.ends(&request.client, &user.email);
    Ok(request.grant(desk, &user, request.scopes.clone(), ends, "none"))
}

fn interaction_required(request: &Request) -> Answer {
    request.back(&[("error", "interaction_required"), ("error_subtype", "access_denied")])
}

fn decision(desk: &mut Desk<'_>, form: &Parameters) -> Result<Answer, Answer> {
    let request = Request::read(desk.asked, desk.state)?;
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
    let account = match form.get("user") {
        Some(email) => desk.state.user(email),
        None if request.hint.is_some() => hinted(desk.state, &request),
        None => request.accounts(desk.state).into_iter().next(),
    };
    let user = account.filter(|user| !desk.state.grants.is_deleted(&user.email)).cloned();
    let user =
        user.ok_or_else(|| refused("invalid_request", "The simulator has no such account."))?;
    request.admits(desk.state, &user)?;
    let mut granted = request.scopes.clone();
    if form.get("choose").is_some() {
        granted.retain(|scope| {
            scopes::is_identity(scope) || form.all("scope").any(|ticked| ticked == scope)
        });
    }
    if granted.is_empty() {
        return Ok(request.back(&[("error", "access_denied")]));
    }
    let ends = request.ends(desk, &granted, period(form)?);
    Ok(request.grant(desk, &user, granted, ends, "consent"))
}

/// The days the user gave, if not for good.
fn period(form: &Parameters) -> Result<Option<i64>, Answer> {
    let Some(days) = form.get("period_days") else { return Ok(None) };
    let days = days.parse().ok().filter(|days| (1..=LONGEST_PERIOD).contains(days));
    let told = "The field \"period_days\" must be 1 to 3650.";
    days.map(Some).ok_or_else(|| refused("invalid_request", told))
}
