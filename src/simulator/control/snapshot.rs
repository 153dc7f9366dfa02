//! `/simulator/snapshot`: everything the simulator remembers, to be taken away and put back.

use axum::extract::{DefaultBodyLimit, State as Shared};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};

use super::complaint::Complaint;
use crate::simulator::Simulator;
use crate::simulator::call::Asked;

/// Enough for a calendar of a hundred thousand events.
const LARGEST_SNAPSHOT: usize = 256 * 1024 * 1024;

pub(super) fn route() -> MethodRouter<Simulator> {
    get(take).put(put_back).layer(DefaultBodyLimit::max(LARGEST_SNAPSHOT))
}

async fn take(Shared(simulator): Shared<Simulator>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], simulator.snapshot()).into_response()
}

async fn put_back(Shared(simulator): Shared<Simulator>, asked: Asked) -> Response {
    match simulator.restore_bytes(&asked.body) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(wrong) => {
            let next =
                "Send what GET /simulator/snapshot told, from a simulator of the same settings.";
            Complaint::new(&wrong.member, &wrong.rule, next).into_response()
        }
    }
}
