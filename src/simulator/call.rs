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
use super::armed::Strike;
use super::fault::{FaultKind, Stage, Target};
use super::fault_answer::{self, Refused};
use super::grants::AccessToken;
use super::ledger::{Answered, Entry};
use super::partial::View;
use super::state::State;
use super::{scopes, slow_body};

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
        if let Some(strike) = state.strike(Stage::Refusal, &call.target(), now) {
            match fault_answer::refusal(&mut state, &call, &strike) {
                Refused::Not => {}
                Refused::Cut => return finish(&mut state, call, now, Outcome::Cut, false),
                Refused::With(answer) => {
                    return finish(&mut state, call, now, Outcome::Answer(answer), false);
                }
            }
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
        if committed && let Some(strike) = state.strike(Stage::Commit, &target, now) {
            let outcome = match strike.kind {
                FaultKind::TimeoutAfterCommit => {
                    Outcome::Answer(fault_answer::timeout(&call, &strike))
                }
                _ => Outcome::Cut,
            };
            return finish(&mut state, call, now, outcome, true);
        }
        let Some(strike) = state.strike(Stage::Body, &target, now) else {
            return finish(&mut state, call, now, Outcome::Answer(answer), committed);
        };
        match strike.kind {
            FaultKind::SlowBody => {
                let response = finish(&mut state, call, now, Outcome::Answer(answer), committed);
                slow_body::slowed(response, self.clock.clone(), now, strike.takes, asked.stop)
            }
            FaultKind::WrongContentType => {
                let answer = answer.with(header::CONTENT_TYPE, "text/html; charset=UTF-8");
                finish(&mut state, call, now, Outcome::Answer(answer), committed)
            }
            _ => finish(&mut state, call, now, Outcome::Half(answer), committed),
        }
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
        work: impl Fn(&mut Desk<'_>) -> Result<Answer, Refusal>,
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
            if let Err(refusal) = desk.charge(&token) {
                return refusal.into();
            }
            let calendar = desk.call.calendar.as_ref();
            let calendar = calendar.and_then(|id| desk.state.calendars.get(id));
            if !scopes::any_of(&token, scopes, calendar) {
                return answer::scope_missing(desk.call.method, scopes);
            }
            let view = match View::read(desk.asked, desk.call.method) {
                Ok(view) => view,
                Err(refusal) => return refusal.into(),
            };
            if let Err(refusal) = desk.may_write() {
                return refusal.into();
            }
            let (unnamed, mails) = (desk.call.event.is_none(), desk.state.outbox.len());
            let answer = work(desk).unwrap_or_else(Answer::from);
            if desk.committed {
                if unnamed {
                    desk.perhaps_again(&work);
                }
                desk.count_use(mails);
            }
            view.show(answer)
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

    /// Does work that made something under an id of Google's a second time, if a fault says so. The
    /// caller is told of the first only.
    fn perhaps_again(&mut self, work: impl Fn(&mut Desk<'_>) -> Result<Answer, Refusal>) {
        let target = self.call.target();
        if self.state.strike(Stage::Twice, &target, self.now).is_some() {
            let call = self.call.clone();
            drop(work(self));
            *self.call = call;
        }
    }
}

enum Outcome {
    Answer(Answer),
    Half(Answer),
    Cut,
}

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
