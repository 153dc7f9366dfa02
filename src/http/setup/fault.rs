//! The page that tells what did not work, and leads back.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::super::problem::Problem;
use crate::app::Error;

/// What did not work, for a person at a browser.
#[derive(Debug, Template)]
#[template(path = "fault.html")]
pub struct Fault {
    status: StatusCode,
    title: &'static str,
    text: String,
}

impl Fault {
    /// A request that is not let through.
    pub fn refused(text: &str) -> Self {
        Self { status: StatusCode::FORBIDDEN, title: "This was not done", text: text.into() }
    }

    /// A request that cannot be read.
    pub fn unreadable(text: &str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            title: "This was not understood",
            text: text.into(),
        }
    }

    /// The answer's status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The same, under another title.
    pub fn titled(self, title: &'static str) -> Self {
        Self { title, ..self }
    }
}

/// The status is that of the one table, `Problem`'s.
impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::from(&Problem::from(error))
    }
}

impl From<&Problem> for Fault {
    fn from(problem: &Problem) -> Self {
        Self {
            status: problem.status(),
            title: "This did not work",
            text: problem.detail().to_owned(),
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        (self.status, super::page(&self)).into_response()
    }
}
