//! Every operation, by the handler that it is annotated at.

use utoipa::OpenApi;

use super::super::problem;
use super::super::{availability, events};

/// What the handlers say of themselves.
#[derive(OpenApi)]
#[openapi(
    paths(
        availability::ask,
        events::create,
        events::show,
        events::edit,
        events::cancel,
        events::list::list,
        events::history::show
    ),
    components(schemas(problem::Details))
)]
pub struct Operations;
