//! `GET /api/v1/events`: lists, page by page.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::shown::EventBody;
use crate::app::access::Caller;
use crate::app::events::list::{self, EventFilter, Listing, Place, SourceKind};
use crate::http::problem::{FieldError, Problem};
use crate::http::{Door, cursor};
use crate::model::invalid::Invalid;
use crate::model::owner::{Owner, UserId};

/// No page of a list is longer.
const LONGEST_PAGE: usize = 500;
/// So long is a page if the caller does not say.
const USUAL_PAGE: usize = 100;
/// Nothing longer is searched for, in characters.
const LONGEST_TEXT: usize = 200;

/// Which events are to be listed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    from: Option<String>,
    to: Option<String>,
    user: Option<String>,
    everyone: Option<bool>,
    state: Option<String>,
    source: Option<String>,
    category: Option<String>,
    external_id: Option<String>,
    q: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// A page of events, as shown.
#[derive(Serialize)]
pub struct EventsBody {
    object: &'static str,
    data: Vec<EventBody>,
    /// What to send as `cursor` for the next page, which may be empty; none at the end.
    next: Option<String>,
}

/// `GET /api/v1/events`: the caller's own, one user's or everybody's, in the order in which they were
/// taken in.
pub async fn list(
    State(door): State<Door>,
    caller: Caller,
    wish: Result<Query<Wish>, QueryRejection>,
) -> Result<Json<EventsBody>, Problem> {
    let Query(wish) = wish.map_err(|error| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", error.body_text())
    })?;
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
fn owner(caller: &Caller, wish: &Wish) -> Result<Option<Owner>, Problem> {
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

impl Wish {
    /// What decides what is on the list, and so whose cursors are its own.
    fn list(&self, owner: Option<&Owner>) -> Vec<String> {
        let whose = match owner {
            None => "everyone".to_owned(),
            Some(Owner::Application) => "application".to_owned(),
            Some(Owner::User(user)) => format!("user:{}", user.as_str()),
        };
        let filters = [
            &self.from,
            &self.to,
            &self.state,
            &self.source,
            &self.category,
            &self.external_id,
            &self.q,
        ];
        let filters = filters.into_iter().map(|filter| filter.clone().unwrap_or_default());
        [super::CREATE.to_owned(), whose].into_iter().chain(filters).collect()
    }

    /// What is to be listed, with every fault of it.
    fn listing(&self, owner: Option<Owner>) -> Result<Listing, Vec<Invalid>> {
        let from = moment("from", self.from.as_deref());
        let to = moment("to", self.to.as_deref());
        let states = self.state.iter().flat_map(|states| states.split(','));
        let states: Result<Vec<_>, _> = states.map(str::parse).collect();
        let source = self.source.as_deref().map(str::parse::<SourceKind>).transpose();
        let category = self.category.as_deref().map(|id| {
            id.parse().map_err(|invalid| Invalid { field: "category".into(), ..invalid })
        });
        let text = match &self.q {
            Some(text) if text.is_empty() || text.chars().count() > LONGEST_TEXT => {
                Err(Invalid::new("q", "1 to 200 characters"))
            }
            text => Ok(text.clone()),
        };
        match (from, to, states, source, category.transpose(), text) {
            (Ok(from), Ok(to), Ok(states), Ok(source), Ok(category), Ok(text)) => {
                if from.zip(to).is_some_and(|(from, to)| from >= to) {
                    return Err(vec![Invalid::new("to", "lies after `from`")]);
                }
                let filter = EventFilter { owner, from, to, source, category };
                Ok(Listing { filter, states, external_id: self.external_id.clone(), text })
            }
            (from, to, states, source, category, text) => {
                let times = from.err().into_iter().chain(to.err());
                let names = states.err().into_iter().chain(source.err()).chain(category.err());
                Err(times.chain(names).chain(text.err()).collect())
            }
        }
    }
}

fn moment(name: &'static str, raw: Option<&str>) -> Result<Option<DateTime<Utc>>, Invalid> {
    let Some(raw) = raw else { return Ok(None) };
    let rule = "a moment of RFC 3339, such as 2025-10-30T14:00:00Z; a `+` in it is written %2B";
    let moment = DateTime::parse_from_rfc3339(raw).map_err(|_| Invalid::new(name, rule))?;
    Ok(Some(moment.with_timezone(&Utc)))
}

fn refused(faults: impl IntoIterator<Item = Invalid>) -> Problem {
    let faults = faults.into_iter().map(|invalid| FieldError::from(&invalid)).collect();
    Problem::fields(StatusCode::UNPROCESSABLE_ENTITY, faults)
}
