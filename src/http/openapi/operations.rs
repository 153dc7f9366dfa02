//! Every operation, by the handler that it is annotated at.

use utoipa::OpenApi;

use super::super::{availability, categories, events, problem, tasks};

/// What the handlers say of themselves.
#[derive(OpenApi)]
#[openapi(
    paths(
        availability::ask,
        events::create,
        events::show,
        events::edit,
        events::cancel,
        categories::create,
        categories::list,
        categories::show,
        categories::edit,
        categories::delete,
        tasks::create,
        tasks::list,
        tasks::show,
        tasks::edit,
        tasks::delete,
        tasks::complete,
        tasks::reopen
    ),
    components(schemas(problem::Details))
)]
pub struct Operations;
