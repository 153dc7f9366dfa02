//! `?dry_run=true`: what would come of a write, without it.

use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::Object;
use utoipa::{IntoParams, ToSchema};

use super::shown::{EventBody, notify, unannounced};
use crate::app::events::DryRun;
use crate::http::openapi::word;

/// Whether nothing shall change.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Dry {
    /// `true`: everything is checked and nothing changes; the answer tells what would.
    #[serde(default)]
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
    #[schema(schema_with = notify)]
    notify: &'static str,
    /// Whom Google would write to, beside guests whom people added there. Of `external` guests, those
    /// are named whose calendar may not be Google's.
    would_mail: Vec<String>,
    /// What is worth knowing. `google_guests_not_counted`: the event is in Google, and Google would write
    /// to guests whom people added there as well, who are not in `would_mail`.
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

impl From<DryRun> for DryRunBody {
    fn from(run: DryRun) -> Self {
        let mut warnings = unannounced(&run.content);
        warnings.extend(run.others.then_some("google_guests_not_counted"));
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
