//! What a series comes to, on `/api/v1`.

use axum::Json;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::{Validate, ValidationError};

use super::body::Body;
use super::events::{PointBody, original_start, points};
use super::openapi::{Line, Moment as MomentText, Time, Zone, words};
use super::problem::{FieldError, Problem};
use crate::model::invalid::Invalid;
use crate::model::recurrence::{Effect, Occurrence, Recurrence};
use crate::model::timing::{Timing, Typed};
use crate::model::when::{Dst, Moment};

/// So many occurrences are told if nothing is said.
const USUAL: usize = 10;
/// No more are told at once.
const MOST: usize = 1_000;

/// A series that nobody has taken in.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({
    "start": "2026-11-30T09:00:00",
    "end": "2026-11-30T09:15:00",
    "time_zone": "Europe/Lisbon",
    "recurrence": ["RRULE:FREQ=WEEKLY;BYDAY=MO"],
    "limit": 3
})))]
pub struct Preview {
    /// When it begins: a date and a time, or a day.
    #[validate(required(
        message = "is required: ISO 8601, such as 2025-10-30T14:00:00, or a day, such as 2025-10-30"
    ))]
    #[schema(required, value_type = Time)]
    start: Option<String>,
    /// When its first occurrence ends; of days the first day after.
    #[schema(value_type = Option<Time>)]
    end: Option<String>,
    #[schema(value_type = Option<Zone>)]
    time_zone: Option<String>,
    #[schema(schema_with = words::dst)]
    dst: Option<String>,
    /// `RRULE`, `RDATE` and `EXDATE` lines.
    #[validate(
        required(message = "is required: lines such as `RRULE:FREQ=WEEKLY;BYDAY=MO`"),
        length(min = 1, max = 20, message = "1 to 20 lines")
    )]
    #[schema(required, value_type = Vec<Line>, min_items = 1, max_items = 20)]
    recurrence: Option<Vec<String>>,
    /// Only what begins then or later: ISO 8601, with `Z` or an offset.
    #[schema(value_type = Option<MomentText>)]
    from: Option<String>,
    /// How many.
    #[validate(custom(function = "fits"))]
    #[schema(minimum = 1, maximum = 1000, default = 10)]
    limit: Option<usize>,
}

/// What a series comes to.
#[derive(Serialize, ToSchema)]
pub struct PreviewBody {
    object: &'static str,
    /// The lines as they are kept and sent to Google.
    recurrence: Vec<String>,
    data: Vec<OccurrenceBody>,
    /// Whether the series goes on behind them.
    has_more: bool,
}

/// One occurrence.
#[derive(Serialize, ToSchema)]
struct OccurrenceBody {
    /// What names the instance, however it is moved.
    original_start: String,
    start: PointBody,
    end: PointBody,
    /// How far the clock on the wall is ahead of UTC when it begins; null for whole days.
    offset: Option<String>,
    /// What clocks that are set do to its start: `skipped`, its wall time never comes, and it begins
    /// later; or `repeated`, its wall time comes twice, and it begins the first time. Else null.
    dst: Option<&'static str>,
}

fn fits(limit: usize) -> Result<(), ValidationError> {
    if (1..=MOST).contains(&limit) {
        return Ok(());
    }
    Err(ValidationError::new("limit").with_message("1 to 1,000".into()))
}

/// `POST /api/v1/recurrence/expand`: tells when a series would happen.
#[utoipa::path(
    post,
    path = "/api/v1/recurrence/expand",
    operation_id = "expand_recurrence",
    tag = "Recurrence",
    request_body = Preview,
    responses((status = 200, description = "Its next occurrences.", body = PreviewBody))
)]
pub async fn expand(body: Body<Preview>) -> Result<Json<PreviewBody>, Problem> {
    let Preview { start, end, time_zone, dst, recurrence, from, limit } = body.value;
    let typed = Typed {
        start: start.as_deref().unwrap_or_default(),
        end: end.as_deref(),
        time_zone: time_zone.as_deref(),
        dst: dst.as_deref(),
    };
    let timing = Timing::read(typed).map_err(|faults| refused(&faults))?;
    let one = |fault: Invalid| refused(&[fault]);
    let from = from.map(|from| Moment::read("from", &from, None, Dst::Reject)).transpose();
    let from = from.map_err(one)?.map(|from| from.instant());
    let lines = recurrence.unwrap_or_default();
    let recurrence = Recurrence::read(&lines, &timing).map_err(one)?;
    let most = limit.unwrap_or(USUAL);
    let found = recurrence.expand(&timing, from, most + 1).map_err(one)?;
    Ok(Json(PreviewBody {
        object: "list",
        recurrence: recurrence.lines().to_vec(),
        data: found.iter().take(most).map(OccurrenceBody::from).collect(),
        has_more: found.len() > most,
    }))
}

fn refused(faults: &[Invalid]) -> Problem {
    Problem::fields(faults.iter().map(FieldError::from).collect())
}

impl From<&Occurrence> for OccurrenceBody {
    fn from(occurrence: &Occurrence) -> Self {
        let (start, end) = points(&occurrence.timing);
        let offset = match &occurrence.timing {
            Timing::Span(span) => span.start().offset().map(|offset| offset.to_string()),
            Timing::Days(_) => None,
        };
        Self {
            original_start: original_start(occurrence.original),
            start,
            end,
            offset,
            dst: occurrence.effect.map(|effect| match effect {
                Effect::Skipped => "skipped",
                Effect::Repeated => "repeated",
            }),
        }
    }
}
