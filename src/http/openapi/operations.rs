//! Every operation, by the handler that it is annotated at.

use utoipa::OpenApi;

use super::super::{availability, events, problem, recurrence};

/// What the handlers say of themselves.
#[derive(OpenApi)]
#[openapi(
    paths(
        availability::ask,
        events::create,
        events::show,
        events::edit,
        events::cancel,
        recurrence::expand
    ),
    components(schemas(problem::Details))
)]
pub struct Operations;
