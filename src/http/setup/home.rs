//! The setup page: how the connection stands, and what can be done about it.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use chrono::{DateTime, Utc};

use super::super::Door;
use super::super::oauth_client::consequence;
use super::fault::Fault;
use super::guard::Visitor;
use super::{page, sign_in};
use crate::app::Error;
use crate::app::access::Session;
use crate::app::client;
use crate::app::connections::{self, Risk};
use crate::app::mail::Report;

/// Something that was just done.
#[derive(Clone, Copy)]
pub enum Notice {
    /// An account was connected.
    Connected,
    /// The account was disconnected.
    Disconnected,
    /// Another calendar was chosen.
    CalendarChosen,
    /// There was nothing to disconnect.
    NotConnected,
    /// The OAuth client was exchanged.
    Exchanged,
    /// The session was ended.
    SignedOut,
}

impl Notice {
    const ALL: [Self; 6] = [
        Self::Connected,
        Self::Disconnected,
        Self::CalendarChosen,
        Self::NotConnected,
        Self::Exchanged,
        Self::SignedOut,
    ];

    /// The notice's name in the page's address.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::CalendarChosen => "calendar-chosen",
            Self::NotConnected => "not-connected",
            Self::Exchanged => "exchanged",
            Self::SignedOut => "signed-out",
        }
    }

    /// What the page says. Whoever makes a link can make it say this, so it promises nothing.
    pub fn text(self) -> &'static str {
        match self {
            Self::Connected => "Google sent you back: the account is connected.",
            Self::Disconnected => "The account is disconnected; Google is told to end the access.",
            Self::CalendarChosen => "New events go to the calendar that was chosen.",
            Self::NotConnected => "There was no connection to end.",
            Self::Exchanged => "The OAuth client was put in place.",
            Self::SignedOut => "You are logged out.",
        }
    }

    fn read(query: Option<&str>) -> Option<Self> {
        let name = query?.strip_prefix("notice=")?;
        Self::ALL.into_iter().find(|notice| notice.as_str() == name)
    }
}

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    csrf: String,
    notice: Option<Notice>,
    stand: Stand,
    /// Why nobody can connect an account now, or connect it again.
    problem: Option<String>,
    /// The OAuth client in use, if there is a usable one.
    client_id: Option<String>,
    /// What its exchange means for those who connected an account.
    changed: Option<String>,
    credentials_file: String,
    redirect_uri: String,
    scopes: Vec<String>,
    waiting: u64,
    given_up: u64,
    /// How mail fares, where it is set up.
    mail: Option<String>,
}

/// Where the connection stands.
enum Stand {
    NotConfigured,
    NotConnected,
    Connected(Account),
    ReconnectNeeded(Account, String, &'static str),
}

struct Account {
    email: String,
    calendar: String,
    since: String,
    granted: Vec<String>,
    missing: Vec<String>,
    last_refresh: Option<String>,
    /// What may soon end the grant.
    risks: Vec<Warning>,
}

struct Warning {
    code: &'static str,
    at: Option<String>,
    text: String,
}

/// `GET /google-calendar-setup`.
pub async fn show(
    State(door): State<Door>,
    Visitor(session): Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, Fault> {
    let notice = Notice::read(query.as_deref());
    match session {
        Some(session) => Ok(page(&home(&door, &session, notice).await?)),
        None => sign_in::form(&door, notice, None).await,
    }
}

async fn home(door: &Door, session: &Session, notice: Option<Notice>) -> Result<Home, Error> {
    let app = &door.app;
    let problem = match connections::check_client(app) {
        Ok(()) => None,
        Err(error @ (Error::NotConfigured { .. } | Error::RedirectUri(_))) => {
            Some(error.to_string())
        }
        Err(other) => return Err(other),
    };
    let stand = match connections::of_server(app).await? {
        None if problem.is_some() => Stand::NotConfigured,
        None => Stand::NotConnected,
        Some(connection) => {
            let view = connections::view(app, connection).await?;
            let risks = view.near_risks(app.clock.now()).map(Warning::of).collect();
            let account = Account {
                missing: view.missing_scopes,
                email: view.profile.email,
                calendar: view.profile.calendar,
                since: moment(view.connection.linked),
                granted: view.profile.scopes,
                last_refresh: view.last_refresh.map(moment),
                risks,
            };
            match (view.cause, view.fix) {
                (Some(cause), fix) => Stand::ReconnectNeeded(
                    account,
                    cause.text.into_owned(),
                    fix.unwrap_or_default(),
                ),
                (None, _) => Stand::Connected(account),
            }
        }
    };
    let jobs = app.store.count_jobs().await?;
    let standing = client::standing(app).await.ok();
    let changed = standing.as_ref().filter(|standing| standing.strangers > 0).map(consequence);
    Ok(Home {
        csrf: session.csrf(app),
        notice,
        stand,
        problem,
        client_id: standing.map(|standing| standing.id),
        changed,
        credentials_file: app.settings.credentials_file.display().to_string(),
        redirect_uri: app.settings.redirect_uri.clone(),
        scopes: app.settings.scopes.clone(),
        waiting: jobs.live,
        given_up: jobs.dead,
        mail: app.mail.as_ref().map(|mailer| fares(&mailer.report())),
    })
}

/// How mail fares, in a line.
fn fares(report: &Report) -> String {
    match &report.trouble {
        Some(trouble) => format!("waits since {}: {}", moment(trouble.since), trouble.cause.text),
        None => format!("{} sent since the start, {} refused", report.sent, report.refused),
    }
}

impl Warning {
    fn of(risk: &Risk) -> Self {
        Self { code: risk.code, at: risk.at.map(moment), text: risk.text.clone() }
    }
}

/// A moment for people, in the one zone that needs no asking.
pub fn moment(moment: DateTime<Utc>) -> String {
    moment.format("%-d %B %Y, %H:%M UTC").to_string()
}
