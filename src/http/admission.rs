//! Lets a request in as the row of its route says: who calls, whether they may, whether they knock
//! too often, and whether another site made their browser do it. Nothing else decides this.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::Form;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::address::{Asked, Client};
use super::body::MOST_BYTES;
use super::limit::{Left, Payer};
use super::policy::row::{Face, Forgery, Pass, Row};
use super::problem::{Code, Problem, in_classic_words};
use super::setup::fault::Fault;
use super::setup::guard::{self, Sent};
use super::{Door, caller};
use crate::app::Error;
use crate::app::access::{self, Caller, Session, Who};

/// What stands before a route.
#[derive(Clone)]
pub struct Gate {
    door: Door,
    row: Arc<Row>,
}

/// Why a request is not let in, in the way its sender reads.
pub enum Refusal {
    Told(Problem),
    Shown(Fault),
    Elsewhere(Box<Response>),
}

/// What a request showed that works.
enum Shown {
    Nothing,
    Caller(Caller),
    Session(Session),
}

/// Lets a request in, or answers it.
pub async fn admit(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let classic = match gate.row.face {
        Face::Classic => true,
        Face::Page => caller::shown(request.headers()).is_some() && gate.row.takes_bearer(),
        Face::Api | Face::Console => false,
    };
    let mut left = None;
    let mut response = match gate.enter(request, &mut left).await {
        Ok(request) => next.run(request).await,
        Err(Refusal::Told(problem)) if gate.row.face == Face::Page && !classic => {
            let mut response = Fault::from(&problem).into_response();
            problem.tell(response.headers_mut());
            response
        }
        Err(refusal) => refusal.into_response(),
    };
    if let Some(left) = left {
        left.tell(response.headers_mut());
    }
    if classic { in_classic_words(response).await } else { response }
}

impl Gate {
    /// What stands before the route of this row.
    pub fn new(door: Door, row: Row) -> Self {
        Self { door, row: Arc::new(row) }
    }

    /// The request with what was found out of its sender, and in `left` what may still be sent.
    async fn enter(
        &self,
        mut request: Request,
        left: &mut Option<Left>,
    ) -> Result<Request, Refusal> {
        let row = &*self.row;
        let client = request.extensions().get();
        let address = client.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |Client(client)| *client);
        let by_program = row.takes_bearer() && caller::shown(request.headers()).is_some();
        if row.face == Face::Page && !by_program {
            self.check_visit(&request)?;
        }
        let shown = match self.identify(request.headers()).await {
            Ok(shown) => shown,
            Err(refusal) => {
                // Whoever shows something that works is never held up by these.
                if refusal.is_denial() {
                    self.door.limits.refuse(address)?;
                }
                return Err(refusal);
            }
        };
        let payer = match &shown {
            Shown::Caller(caller) => Payer::of(caller, address),
            Shown::Session(_) | Shown::Nothing => Payer::at(address),
        };
        *left = self.door.limits.check(row.class, payer)?;
        match shown {
            Shown::Nothing => {}
            Shown::Caller(caller) => {
                self.check_scope(&caller)?;
                request.extensions_mut().insert(caller);
            }
            Shown::Session(session) => {
                if row.forgery == Forgery::Form {
                    request = self.check_form(&session, request).await?;
                }
                request.extensions_mut().insert(Caller::administrator());
                request.extensions_mut().insert(session);
            }
        }
        Ok(request)
    }

    /// The right host, and for whatever a form changes the right origin.
    fn check_visit(&self, request: &Request) -> Result<(), Refusal> {
        let asked = request.extensions().get().map_or("", |Asked(asked)| asked);
        if let Some(elsewhere) = guard::other_host(&self.door, asked, request) {
            return Err(Refusal::Elsewhere(Box::new(elsewhere)));
        }
        if matches!(self.row.forgery, Forgery::Form | Forgery::Origin) {
            guard::check_origin(&self.door, request.headers())?;
        }
        Ok(())
    }

    async fn identify(&self, headers: &HeaderMap) -> Result<Shown, Refusal> {
        let row = &*self.row;
        if row.lets(Pass::Console) {
            return Ok(Shown::Caller(Caller::console()));
        }
        if row.takes_bearer()
            && let Some(shown) = caller::shown(headers)
        {
            let caller = access::caller(&self.door.app, shown).await;
            return caller.map(Shown::Caller).map_err(|error| Problem::from(error).into());
        }
        if row.lets(Pass::Administrator)
            && let Some(session) = guard::session(&self.door, headers).await?
        {
            return Ok(Shown::Session(session));
        }
        if row.lets(Pass::Anybody) {
            return Ok(Shown::Nothing);
        }
        if row.lets(Pass::Administrator) {
            return Err(Fault::refused(
                "Your session is over. Open the setup page and sign in once more.",
            )
            .into());
        }
        let detail = "send an API key as `Authorization: Bearer cb_…` or `X-API-Key: cb_…`; \
                      `calbridge api-keys create` makes one";
        Err(Problem::new(Code::NoApiKey, detail).into())
    }

    /// Whether one of the row's passes is the caller's.
    fn check_scope(&self, caller: &Caller) -> Result<(), Problem> {
        let mut missing = None;
        for pass in self.row.may {
            match pass {
                Pass::Key(scope) if !matches!(caller.who, Who::User(_)) => {
                    match caller.must(*scope) {
                        Ok(()) => return Ok(()),
                        Err(error) => missing = missing.or(Some(error)),
                    }
                }
                Pass::User if matches!(caller.who, Who::User(_)) => return Ok(()),
                Pass::Console if caller.who == Who::Console => return Ok(()),
                _ => {}
            }
        }
        Err(missing.unwrap_or(Error::NotForUsers).into())
    }

    /// The proof in a form that it came from this session's own page. The form goes on as it came.
    async fn check_form(&self, session: &Session, request: Request) -> Result<Request, Refusal> {
        let stale =
            || Fault::refused("This form is out of date. Open the setup page and try once more.");
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, MOST_BYTES).await.map_err(|_| stale())?;
        let copy = Request::from_parts(parts.clone(), Body::from(body.clone()));
        let Form(sent) = Form::<Sent>::from_request(copy, &()).await.map_err(|_| stale())?;
        if !session.allows(&self.door.app, &sent.csrf) {
            return Err(stale().into());
        }
        Ok(Request::from_parts(parts, Body::from(body)))
    }
}

impl Refusal {
    /// Whether it is for want of something that opens the door, and not for a failure of ours.
    fn is_denial(&self) -> bool {
        match self {
            Self::Told(problem) => problem.status().is_client_error(),
            Self::Shown(fault) => fault.status().is_client_error(),
            Self::Elsewhere(_) => false,
        }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Told(problem)
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Shown(fault)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Told(problem) => problem.into_response(),
            Self::Shown(fault) => fault.into_response(),
            Self::Elsewhere(response) => *response,
        }
    }
}
