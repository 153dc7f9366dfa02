//! Every operation, by the handler that it is annotated at.

use utoipa::OpenApi;

use super::super::{
    api_keys, audit, availability, categories, classic, connections, delegation, docs, events,
    health, jobs, mail, oauth_client, problem, recurrence, status, tasks,
};

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
        events::history::show,
        recurrence::expand,
        categories::create,
        categories::list,
        categories::show,
        categories::edit,
        categories::delete,
        tasks::create,
        tasks::batch::create,
        tasks::list,
        tasks::show,
        tasks::edit,
        tasks::delete,
        tasks::complete,
        tasks::reopen,
        events::batch::create,
        jobs::list,
        jobs::show,
        jobs::cancel,
        jobs::retry,
        jobs::snooze,
        connections::list,
        delegation::link,
        connections::links::create,
        connections::links::redeem,
        connections::show,
        connections::edit,
        connections::delete,
        connections::calendars,
        connections::disconnect,
        connections::links::reconnect,
        api_keys::list,
        api_keys::create,
        api_keys::show,
        api_keys::revoke,
        audit::list,
        oauth_client::show,
        oauth_client::replace,
        status::show,
        mail::test,
        health::live,
        health::ready,
        health::healthy,
        classic::status,
        classic::create,
        docs::document,
        docs::page,
    ),
    components(schemas(problem::Details))
)]
pub struct Operations;
