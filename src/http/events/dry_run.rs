//! `?dry_run=true`: what would come of a write, without it.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::Serialize;
use url::form_urlencoded;
use utoipa::openapi::schema::Object;
use utoipa::{IntoParams, ToSchema};

use super::shown::{EventBody, unannounced};
use crate::app::events::DryRun;
use crate::http::openapi::word;
use crate::http::problem::{FieldError, Problem};
use crate::model::invalid::Invalid;

/// Whether nothing shall change.
#[derive(Clone, Copy, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Dry {
    /// `true`: everything is checked and nothing changes; the answer tells what would.
    #[param(value_type = Option<bool>)]
    pub dry_run: bool,
}

/// What would come of the write.
#[derive(Serialize, ToSchema)]
pub struct DryRunBody {
    #[schema(schema_with = a_dry_run)]
    object: &'static str,
    /// Whether anything would change.
    changes: bool,
    /// The connection's id.
    connection: String,
    /// Google's id of the calendar.
    calendar: String,
    notify: &'static str,
    /// Whom Google would write to, beside guests whom people added there. Of `external` guests, those
    /// are named whose calendar may not be Google's.
    would_mail: Vec<String>,
    /// What is worth knowing.
    warnings: Vec<&'static str>,
}

fn a_dry_run() -> Object {
    word(["dry_run"])
}

/// An event, or what would come of it.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "the shape of two answers, for the API's document")]
pub enum EventOrDryRun {
    /// The event.
    Event(Box<EventBody>),
    /// What would come of the write, where `dry_run` was asked for.
    DryRun(DryRunBody),
}

impl<S: Send + Sync> FromRequestParts<S> for Dry {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        let said = form_urlencoded::parse(query).find(|(name, _)| name == "dry_run");
        match said.as_ref().map(|(_, value)| value.as_ref()) {
            None | Some("false") => Ok(Self { dry_run: false }),
            Some("true") => Ok(Self { dry_run: true }),
            Some(_) => {
                let fault = Invalid::new("dry_run", "`true` or `false`");
                Err(Problem::fields(vec![FieldError::from(&fault)]))
            }
        }
    }
}

impl From<DryRun> for DryRunBody {
    fn from(run: DryRun) -> Self {
        let mut warnings = unannounced(&run.content);
        warnings.extend(run.found.warning());
        Self {
            object: "dry_run",
            changes: run.changes,
            connection: run.connection.to_string(),
            warnings,
            notify: run.content.notify.as_str(),
            would_mail: run.would_mail,
            calendar: run.content.calendar,
        }
    }
}
