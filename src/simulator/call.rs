//! One call, from the wire to the ledger: delays, refusals, the work itself, and what cuts the answer.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::Simulator;
use super::answer::{self, Answer, Refusal};
use super::fault::{FaultKind, Stage, Strike, Target};
use super::grants::AccessToken;
use super::ledger::{Answered, Entry};
use super::partial::View;
use super::scopes;
use super::state::State;

/// What came over the wire.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) parameters: Parameters,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    stop: CancellationToken,
}

/// The parameters of a query or a form, in order; a name may come twice.
#[derive(Clone, Debug)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(super) fn read(text: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(text).into_owned().collect())
    }

    /// The first value of `name` that is not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// A name that comes with a value more than once.
    pub(super) fn repeated(&self) -> Option<&str> {
        let named = self.pairs().filter(|(_, value)| !value.is_empty());
        let mut named: Vec<&str> = named.map(|(name, _)| name).collect();
        named.sort_unstable();
        named.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl FromRequest<Simulator> for Asked {
    type Rejection = Response;

    async fn from_request(request: Request, simulator: &Simulator) -> Result<Self, Response> {
        let parameters = Parameters::read(request.uri().query().unwrap_or_default().as_bytes());
        let headers = request.headers().clone();
        let stop = request.extensions().get::<CancellationToken>().cloned().unwrap_or_default();
        let body =
            Bytes::from_request(request, simulator).await.map_err(IntoResponse::into_response)?;
        Ok(Self { parameters, headers, body, stop })
    }
}

impl Asked {
    pub(super) fn header(&self, name: &header::HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(super) fn form(&self) -> Parameters {
        Parameters::read(&self.body)
    }

    pub(super) fn bearer(&self) -> Option<&str> {
        let value = self.header(&header::AUTHORIZATION)?;
        let token = value
            .get(..7)
            .filter(|scheme| scheme.eq_ignore_ascii_case("bearer "))
            .map(|_| value[7..].trim());
        token.or_else(|| self.parameters.get("access_token"))
    }

    /// The address under which the caller reached the simulator.
    pub(super) fn base(&self, state: &State) -> String {
        match (&state.base, self.header(&header::HOST)) {
            (Some(base), _) => base.clone(),
            (None, Some(host)) => format!("http://{host}"),
            (None, None) => String::new(),
        }
    }
}

/// Which call it is, as far as is known before the work.
#[derive(Clone, Debug, Default)]
pub(super) struct Call {
    pub(super) method: &'static str,
    pub(super) user: Option<String>,
    pub(super) calendar: Option<String>,
    pub(super) event: Option<String>,
    pub(super) grant_type: Option<String>,
}

impl Call {
    pub(super) fn target(&self) -> Target<'_> {
        Target {
            method: self.method,
            user: self.user.as_deref(),
            calendar: self.calendar.as_deref(),
        }
    }
}

/// What the work on a call has at hand.
pub(super) struct Desk<'a> {
    pub(super) state: &'a mut State,
    pub(super) call: &'a mut Call,
    pub(super) asked: &'a Asked,
    pub(super) now: DateTime<Utc>,
    /// The token a Calendar call came with.
    pub(super) token: Option<AccessToken>,
    /// Set by work that changed something.
    pub(super) committed: bool,
}

impl Simulator {
    /// Takes `call` through its faults and its work, and writes it into the ledger.
    pub(super) async fn run(
        &self,
        asked: Asked,
        mut call: Call,
        work: impl FnOnce(&mut Desk<'_>) -> Answer,
    ) -> Response {
        let delays = match self.delay(&asked, &call).await {
            Ok(delays) => delays,
            Err(cut) => return cut,
        };
        let mut state = self.state();
        let now = self.now();
        state.struck = delays;
        let refusal = state.strike(Stage::Refusal, &call.target(), now);
        if let Some(refused) = refusal.and_then(|strike| refuse(&mut state, &call, strike)) {
            return finish(&mut state, call, now, refused, false);
        }
        let mut desk = Desk {
            state: &mut state,
            call: &mut call,
            asked: &asked,
            now,
            token: None,
            committed: false,
        };
        let answer = work(&mut desk);
        let committed = desk.committed;
        let target = call.target();
        if committed && state.strike(Stage::Commit, &target, now).is_some() {
            return finish(&mut state, call, now, Outcome::Cut, true);
        }
        let outcome = match state.strike(Stage::Body, &target, now) {
            Some(_) => Outcome::Half(answer),
            None => Outcome::Answer(answer),
        };
        finish(&mut state, call, now, outcome, committed)
    }

    /// Holds the call as long as a fault says. Lets it go early when the simulator stops.
    async fn delay(&self, asked: &Asked, call: &Call) -> Result<Vec<&'static str>, Response> {
        let until = {
            let mut state = self.state();
            let now = self.now();
            state.struck.clear();
            match state.strike(Stage::Delay, &call.target(), now) {
                None => return Ok(Vec::new()),
                Some(Strike { kind: FaultKind::Slow, takes, .. }) => Some(now + takes),
                Some(_) => {
                    let call = call.clone();
                    drop(finish(&mut state, call, now, Outcome::Cut, false));
                    None
                }
            }
        };
        let Some(until) = until else {
            asked.stop.cancelled().await;
            return Err(answer::cut());
        };
        asked.stop.run_until_cancelled(self.sleep_until(until)).await;
        Ok(vec![FaultKind::Slow.name()])
    }

    /// A call of the Calendar API: token, quota and scope are looked at before `work`.
    pub(super) async fn calendar_call(
        &self,
        asked: Asked,
        mut call: Call,
        scopes: &'static [&'static str],
        work: impl FnOnce(&mut Desk<'_>) -> Result<Answer, Refusal>,
    ) -> Response {
        {
            let state = self.state();
            let token = asked.bearer().and_then(|token| state.grants.access.get(token));
            call.user = token.map(|token| token.user.clone());
            if let (Some(user), Some("primary")) = (&call.user, call.calendar.as_deref()) {
                call.calendar = Some(user.clone());
            }
        }
        self.run(asked, call, |desk| {
            let Some(bearer) = desk.asked.bearer() else { return answer::token_missing() };
            // Looked up again: a fault may have revoked or narrowed it since.
            let token = desk.state.grants.live_access(bearer, desk.now);
            let Some(token) = token.cloned() else { return answer::token_dead() };
            desk.token = Some(token.clone());
            let quota = desk.state.settings.quota;
            let cost = if desk.call.method == "calendar.events.patch" { 3 } else { 1 };
            if let Err(refusal) =
                desk.state.windows.charge(quota, &token.client, token.charged(), cost, desk.now)
            {
                return refusal.into();
            }
            if !scopes::any_of(&token.scopes, scopes) {
                return answer::scope_missing(desk.call.method, scopes);
            }
            match View::read(desk.asked, desk.call.method) {
                Ok(view) => view.show(work(desk).unwrap_or_else(Answer::from)),
                Err(refusal) => refusal.into(),
            }
        })
        .await
    }

    /// The token of a call that takes any live one.
    pub(super) fn token_of(
        state: &State,
        asked: &Asked,
        now: DateTime<Utc>,
    ) -> Option<AccessToken> {
        state.grants.live_access(asked.bearer()?, now).cloned()
    }
}

impl Desk<'_> {
    /// The body as a JSON object.
    pub(super) fn json(&self) -> Result<Map<String, Value>, Refusal> {
        match serde_json::from_slice(&self.asked.body) {
            Ok(Value::Object(members)) => Ok(members),
            _ => Err(Refusal::bad("parseError", "Parse Error")),
        }
    }
}

enum Outcome {
    Answer(Answer),
    Half(Answer),
    Cut,
}

/// What a refusal fault makes of the call; nothing, if the fault only changed the state.
fn refuse(state: &mut State, call: &Call, strike: Strike) -> Option<Outcome> {
    let token = call.method == "token";
    let unavailable =
        |status: StatusCode, error: &str| answer::oauth_error(status, error, "Try again later.");
    let usage = |status, reason, message| {
        Answer::from(Refusal::new(status, "usageLimits", reason, message))
    };
    let refused = match strike.kind {
        FaultKind::GrantRevoked => {
            if let Some(user) = &call.user {
                state.grants.revoke(user, None);
            }
            return None;
        }
        FaultKind::ScopesNarrowed => {
            if let Some(user) = &call.user {
                state.grants.narrow(user);
            }
            return None;
        }
        FaultKind::CutBefore => return Some(Outcome::Cut),
        FaultKind::RateLimited | FaultKind::UserRateLimited | FaultKind::QuotaExceeded if token => {
            unavailable(StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable")
        }
        FaultKind::ServerError | FaultKind::TokenEndpointError if token => {
            unavailable(StatusCode::INTERNAL_SERVER_ERROR, "internal_failure")
        }
        FaultKind::RateLimited => {
            usage(StatusCode::TOO_MANY_REQUESTS, "rateLimitExceeded", "Rate Limit Exceeded")
        }
        FaultKind::UserRateLimited => super::quota::user_rate().into(),
        FaultKind::QuotaExceeded => {
            usage(StatusCode::FORBIDDEN, "quotaExceeded", "Calendar usage limits exceeded.")
        }
        FaultKind::HtmlError => Answer::html(StatusCode::BAD_GATEWAY, BAD_GATEWAY.to_owned()),
        FaultKind::InvalidClient => super::token::invalid_client(),
        FaultKind::DeletedClient => super::token::deleted_client(),
        FaultKind::AccountDeleted => super::token::account_deleted(),
        FaultKind::AdminPolicy => super::token::admin_policy(),
        FaultKind::InvalidRapt => super::token::invalid_rapt(),
        FaultKind::ApiDisabled => answer::api_disabled(),
        FaultKind::CalendarForbidden => {
            Refusal::new(StatusCode::FORBIDDEN, "global", "forbidden", "Forbidden").into()
        }
        _ => Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "global",
            "backendError",
            "Backend Error",
        )
        .into(),
    };
    Some(Outcome::Answer(match strike.retry_after {
        Some(secs) => refused.with(header::RETRY_AFTER, secs.to_string()),
        None => refused,
    }))
}

const BAD_GATEWAY: &str = "<!DOCTYPE html>\n<html lang=en>\n  <title>Error 502 (Server Error)!!1</title>\n  \
    <p><b>502.</b> <ins>That’s an error.</ins>\n  <p>The server encountered a temporary error and could not \
    complete your request.<p>Please try again in 30 seconds.\n";

fn finish(
    state: &mut State,
    call: Call,
    now: DateTime<Utc>,
    outcome: Outcome,
    committed: bool,
) -> Response {
    let (answered, response) = match outcome {
        Outcome::Answer(answer) => {
            (Answered::Status(answer.status.as_u16()), answer.into_response())
        }
        Outcome::Half(answer) => (Answered::Status(answer.status.as_u16()), answer.cut_short()),
        Outcome::Cut => (Answered::Cut, answer::cut()),
    };
    state.ledger.write(Entry {
        number: 0,
        time: now,
        method: call.method,
        user: call.user,
        calendar: call.calendar,
        event: call.event,
        grant_type: call.grant_type,
        answered,
        committed,
        faults: std::mem::take(&mut state.struck),
    });
    response
}

/// What Google's front end says to a path it does not know.
pub(super) fn unknown_path() -> Answer {
    let page = "<!DOCTYPE html>\n<html lang=en>\n  <title>Error 404 (Not Found)!!1</title>\n  \
        <p><b>404.</b> <ins>That’s an error.</ins>\n  <p>The requested URL was not found on this server.\n";
    Answer::html(StatusCode::NOT_FOUND, page.to_owned())
}

/// A router over the simulator.
pub(super) type Routes = Router<Simulator>;
