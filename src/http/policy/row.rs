//! What a row of the policy table says of its route.

use axum::http::Method;

use crate::model::audit::Action;
use crate::model::key::Scope;

/// A route, and everything that decides who gets through to it.
#[derive(Clone, Debug)]
pub struct Row {
    /// The method …
    pub method: Method,
    /// … and the path, with the names of its variable parts in braces.
    pub path: &'static str,
    /// Who is expected at it, and so how a refusal is told.
    pub face: Face,
    /// Who may call it: any of these.
    pub may: &'static [Pass],
    /// How often.
    pub class: Class,
    /// What keeps another site's page from calling it with a visitor's browser.
    pub forgery: Forgery,
    /// What is written into the audit log when it did its work.
    pub audit: Audit,
}

/// Who is expected at a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// Programs: problem details.
    Api,
    /// Programs of the fifth seed: problem details in its words too.
    Classic,
    /// People: pages. A program that shows an API key is told as in `Classic`.
    Page,
    /// The command line, over the administrator's socket.
    Console,
}

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Everybody.
    Anybody,
    /// An API key with this scope.
    Key(Scope),
    /// A user of the calling application, by a token of that application's.
    User,
    /// An administrator, by a session's cookie.
    Administrator,
    /// Whoever reaches the administrator's socket: its own doorkeeper has looked.
    Console,
}

/// How often a route may be called, by whoever calls: a key, a user, else an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// As often as one likes: what watches over the process, and the console.
    Free,
    /// What anybody may call.
    Open,
    /// Pages.
    Page,
    /// Attempts to be let in.
    SignIn,
    /// `POST /api/create-calendar-event`.
    Classic,
    /// Reads.
    Read,
    /// Writes.
    Write,
    /// Many writes in one.
    Bulk,
    /// What only administrators do.
    Manage,
}

/// What keeps another site's page from calling a route with a visitor's browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgery {
    /// Nothing has to: the route changes nothing.
    ChangesNothing,
    /// Nothing has to: no browser sends by itself what the route asks for.
    NoCookie,
    /// The form must come from our own site …
    Origin,
    /// … and carry the proof that it came from this session's own page.
    Form,
    /// `state`, which is bound to the browser that began the consent.
    State,
}

/// What is written into the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audit {
    /// Nothing.
    Nothing,
    /// That this was done.
    As(Action),
}

impl Row {
    /// Whether programs may call it with a key or a token.
    pub fn takes_bearer(&self) -> bool {
        self.may.iter().any(|pass| matches!(pass, Pass::Key(_) | Pass::User))
    }

    /// Whether this is among those who may call it.
    pub fn lets(&self, pass: Pass) -> bool {
        self.may.contains(&pass)
    }
}
