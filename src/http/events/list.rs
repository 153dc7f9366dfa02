//! `GET /api/v1/events`: lists, page by page.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;

use super::shown::EventBody;
use super::{listing, reach};
use crate::app::access::Caller;
use crate::app::events::list::{self, Place};
use crate::http::openapi::word;
use crate::http::problem::{FieldError, Problem};
use crate::http::{Door, cursor};
use crate::model::invalid::Invalid;
use crate::model::owner::{Owner, UserId};

/// No page of a list is longer.
const LONGEST_PAGE: usize = 500;
/// So long is a page if the caller does not say.
const USUAL_PAGE: usize = 100;

/// A page of events, as shown.
#[derive(Serialize, ToSchema)]
pub struct EventsBody {
    #[schema(schema_with = a_list)]
    object: &'static str,
    data: Vec<EventBody>,
    /// What to send as `cursor` for the next page, which may be empty; none at the end.
    next: Option<String>,
}

fn a_list() -> Object {
    word(["list"])
}

/// `GET /api/v1/events`: the caller's own, one user's or everybody's, in the order in which they were
/// taken in.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    operation_id = "list_events",
    tag = "Events",
    params(listing::Wish),
    responses((status = 200, description = "A page of them.", body = EventsBody))
)]
pub async fn list(
    State(door): State<Door>,
    caller: Caller,
    wish: Result<Query<listing::Wish>, QueryRejection>,
) -> Result<Json<EventsBody>, Problem> {
    let wish = reach::query(wish)?;
    let owner = owner(&caller, &wish)?;
    let list = wish.list(owner.as_ref());
    let list: Vec<_> = list.iter().map(String::as_str).collect();
    let after = wish.cursor.as_deref().map(|cursor| cursor::read(&list, cursor)).transpose();
    let most = match wish.limit.unwrap_or(USUAL_PAGE) {
        most @ 1..=LONGEST_PAGE => Ok(most),
        _ => Err(Invalid::new("limit", "1 to 500")),
    };
    let (after, most, listing) = match (after, most, wish.listing(owner)) {
        (Ok(after), Ok(most), Ok(listing)) => (after, most, listing),
        (after, most, listing) => {
            let faults = after.err().into_iter().chain(most.err());
            return Err(refused(faults.chain(listing.err().unwrap_or_default())));
        }
    };
    let after = after.map(|(created, id)| Place { created, id });
    let page = list::list(&door.app, &caller, &listing, after, most).await?;
    Ok(Json(EventsBody {
        object: "list",
        data: page.views.iter().map(EventBody::from).collect(),
        next: page.next.map(|Place { created, id }| cursor::after(&list, created, id)),
    }))
}

/// Whose events are listed; none for everybody's.
fn owner(caller: &Caller, wish: &listing::Wish) -> Result<Option<Owner>, Problem> {
    let everyone = wish.everyone == Some(true);
    if everyone && wish.user.is_some() {
        let rule = "lists the events of all, and `user` those of one: send one of the two";
        return Err(refused([Invalid::new("everyone", rule)]));
    }
    if everyone {
        caller.may_see_everyone()?;
        return Ok(None);
    }
    let Some(user) = &wish.user else { return Ok(Some(caller.owner.clone())) };
    let user = UserId::try_from(user.clone());
    let user = user.map_err(|invalid| refused([Invalid { field: "user".into(), ..invalid }]))?;
    let owner = Owner::User(user);
    caller.may_act_for(&owner)?;
    Ok(Some(owner))
}

fn refused(faults: impl IntoIterator<Item = Invalid>) -> Problem {
    let faults = faults.into_iter().map(|invalid| FieldError::from(&invalid)).collect();
    Problem::fields(faults)
}
