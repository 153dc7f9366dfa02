//! `GET /api/v1/events/{id}/history`: what happened to an event.

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;

use super::shown::{CauseBody, utc};
use crate::app::access::Caller;
use crate::app::events::list;
use crate::http::Door;
use crate::http::openapi::{Id, word};
use crate::http::problem::Problem;
use crate::model::history::{By, Step, What};

/// What happened, as shown.
#[derive(Serialize, ToSchema)]
pub struct HistoryBody {
    #[schema(schema_with = a_list)]
    object: &'static str,
    /// The oldest first. Of very many, the newest are left.
    data: Vec<StepBody>,
}

/// One thing that happened, as shown.
#[derive(Serialize, ToSchema)]
struct StepBody {
    #[schema(format = DateTime)]
    at: String,
    #[schema(schema_with = what)]
    what: &'static str,
    /// The revision that it was about.
    revision: u32,
    /// Who asked for it, such as `key:` and its public half, or `user`; null for what the bridge did.
    by: Option<String>,
    /// Why it came to nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<CauseBody>,
    /// How often on end; `at` is the first time.
    #[serde(skip_serializing_if = "is_once")]
    times: u32,
}

fn a_list() -> Object {
    word(["list"])
}

fn what() -> Object {
    word(What::ALL.map(What::as_str))
}

/// `GET /api/v1/events/{id}/history`: tells who asked for what, and what came of it.
#[utoipa::path(
    get,
    path = "/api/v1/events/{id}/history",
    operation_id = "event_history",
    tag = "Events",
    params(("id" = Id, Path)),
    responses((status = 200, description = "What happened, the oldest first.", body = HistoryBody))
)]
pub async fn show(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<HistoryBody>, Problem> {
    let history = list::history(&door.app, &caller, super::event_id(&id)?).await?;
    let data = history.steps.iter().map(StepBody::from).collect();
    Ok(Json(HistoryBody { object: "list", data }))
}

impl From<&Step> for StepBody {
    fn from(step: &Step) -> Self {
        Self {
            at: utc(step.at),
            what: step.what.as_str(),
            revision: step.revision,
            by: step.by.map(|by| match by {
                By::Key(id) => format!("key:{id}"),
                By::User => "user".to_owned(),
                By::Administrator => "administrator".to_owned(),
                By::Console => "console".to_owned(),
                By::Bridge => "bridge".to_owned(),
            }),
            cause: step.cause.as_ref().map(CauseBody::from),
            times: step.times,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_once(times: &u32) -> bool {
    *times == 1
}
